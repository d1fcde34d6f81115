"""What a policy may say and nothing enforces yet: shown by `policy check` and at each start.

One table. Who enforces a field takes it out here; a test compares the table with what the code
reads, both ways.
"""

import re
from typing import Final

import msgspec

from fuseboard.policy.loader import Loaded

NOT_YET: Final[tuple[str, ...]] = ()
_ROW: Final = re.compile(r"\[[^\]]*\]")


def unenforced(loaded: Loaded) -> dict[str, int]:
    """Each key that the file sets and nothing enforces yet, with its line, in their order."""
    found: dict[str, int] = {}
    for path, line in loaded.lines.items():
        plain = _ROW.sub("", path)
        if plain.startswith("strategies.losses"):
            plain = plain.removeprefix("strategies.")
        if path.startswith("later["):
            found[path.removeprefix("later[").removesuffix("]")] = line
        elif plain in NOT_YET:
            found[path] = line
    return dict(sorted(found.items(), key=lambda item: item[1]))


def said(loaded: Loaded, path: str) -> str:
    """A path of `unenforced`; a section's with the keys below it that nothing enforces."""
    values = msgspec.json.decode(loaded.policy.later.get(path, "{}"))
    return f"{path}: {', '.join(values)}" if isinstance(values, dict) and values else path
