"""Which build decides: its version, and a digest of the sources that decisions come from.

A journal is compared with what the code derives again only where the same build wrote it. The
version alone does not tell builds apart: a checkout that was updated keeps it.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

import fuseboard
from fuseboard import __version__

_DECIDING_ROOMS: Final = ("core", "policy", "vocabulary")
_DIGITS: Final = 12


@cache
def build() -> str:
    """`VERSION+DIGEST` of the code that runs; the version alone where its sources are not there."""
    place = Path(fuseboard.__file__).parent
    sources = sorted(path for room in _DECIDING_ROOMS for path in (place / room).rglob("*.py"))
    return named(place, sources)


@cache
def whole_build() -> str:
    """As `build`, of every room: for what is proven of the whole program, as by a drill."""
    place = Path(fuseboard.__file__).parent
    return named(place, sorted(place.rglob("*.py")))


def named(place: Path, sources: list[Path]) -> str:
    """The name of a build by its sources, each with its path below `place`."""
    if not sources:
        return __version__
    hashed = hashlib.sha256()
    for source in sources:
        content = source.read_bytes()
        hashed.update(f"{source.relative_to(place).as_posix()}\n{len(content)}\n".encode())
        hashed.update(content)
    return f"{__version__}+{hashed.hexdigest()[:_DIGITS]}"
