"""What the module of one tape format tells of itself: its `FAMILY`, a line in `by_name.py`."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from fuseboard.feeds.tapes.tape import Tape


class TapeName(Struct, frozen=True, kw_only=True):
    """One name, or pattern of names, that a person types; `file` is where it lies in the data."""

    name: str
    says: str
    file: str


class TapeFamily(Struct, frozen=True, kw_only=True):
    """The tapes of one format. `tape` finds one by what was typed and the data folder.

    It returns None for a name that is not of this family, and raises `TapeUnreadable` for one that
    is and cannot be read. `path` shows how a file anywhere is named, `reads` what it has to be.
    """

    names: tuple[TapeName, ...]
    path: str
    reads: str
    tape: Callable[[str, Path], Tape | None]


def path_after(prefix: str, typed: str) -> Path | None:
    """The path of `PREFIX:PATH`; None where the prefix is another."""
    return Path(typed.removeprefix(prefix)) if typed.startswith(prefix) else None


def found_by(
    reader: Callable[[Path], Tape], *, name: TapeName, prefix: str
) -> Callable[[str, Path], Tape | None]:
    """Finds the one tape of a name in the data folder, or that of `PREFIX:PATH` anywhere."""

    def tape(typed: str, data: Path) -> Tape | None:
        path = data / name.file if typed == name.name else path_after(prefix, typed)
        return None if path is None else reader(path)

    return tape
