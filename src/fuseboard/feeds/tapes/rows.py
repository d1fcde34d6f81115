"""Lines of a tape's file, plain, gzip or in a zip, one at a time; and their numbers, strictly.

Whatever is not as expected raises `TapeUnreadable` with the file, the line and what was expected.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from heapq import merge
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Final
from zipfile import BadZipFile, ZipFile

from fuseboard.feeds.tapes.findings import Findings
from fuseboard.feeds.tapes.tape import TapeEvent, TapeUnreadable
from fuseboard.vocabulary.money import NumberRefused, nanos_from_decimal, nanos_from_text

LINE_CHARS_MAX: Final = 1_000_000
WHOLE_DIGITS_MAX: Final = 19
_EXPONENT: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?e[+-]?[0-9]{1,2}", re.ASCII)


def lines_of(path: Path, at: Findings, member: str = "") -> Iterator[str]:
    """The lines of a file without their ends; `member` is part of a zip's one member's name.

    `at` is kept at the file and the line, counted from 1. Raises `TapeUnreadable`.
    """
    at.file, at.row = path.name, 0
    try:
        with _opened(path, member) as text:
            row = 0
            while line := text.readline(LINE_CHARS_MAX):
                row += 1
                at.row = row
                if len(line) == LINE_CHARS_MAX:
                    raise wrong(at, f"a line shorter than {LINE_CHARS_MAX} characters", line)
                yield line.rstrip("\r\n")
    except (OSError, EOFError, zlib.error, BadZipFile, UnicodeDecodeError) as error:
        raise TapeUnreadable(
            f"{path} cannot be read further than line {at.row}: {error}; is the file whole?"
        ) from error


def rows_of(
    path: Path, at: Findings, *, fields: int, header: str = "", member: str = ""
) -> Iterator[list[str]]:
    """The comma-separated rows of a file, each of `fields` fields, after its `header` if any."""
    lines = lines_of(path, at, member)
    if header:
        first = next(lines, "")
        if first != header:
            at.row = 1
            raise wrong(at, f"the header {header}", first)
    for line in lines:
        row = line.split(",")
        if len(row) != fields:
            raise wrong(at, f"{fields} fields", line)
        yield row


def _opened(path: Path, member: str) -> IO[str]:
    if not path.is_file():
        raise TapeUnreadable(f"there is no tape file {path}")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", newline="\n", encoding="utf-8")
    if path.suffix == ".zip":
        with ZipFile(path) as folder:
            names = [name for name in folder.namelist() if member in name]
            if len(names) != 1:
                raise TapeUnreadable(
                    f"{path} has {len(names)} members with {member!r} in the name, not one"
                )
            if folder.getinfo(names[0]).flag_bits & 1:
                raise TapeUnreadable(f"{path} is encrypted: unpack and pack it without a password")
            return TextIOWrapper(folder.open(names[0]), encoding="utf-8", newline="\n")
    return path.open(encoding="utf-8", newline="\n")


def members_of(path: Path) -> list[str]:
    """The names of a zip's members. Raises `TapeUnreadable`."""
    if not path.is_file():
        raise TapeUnreadable(f"there is no tape file {path}")
    try:
        with ZipFile(path) as folder:
            return folder.namelist()
    except BadZipFile as error:
        raise TapeUnreadable(f"{path} is no zip file: {error}") from error


def merged(found: Findings, *sources: tuple[Iterator[TapeEvent], Findings]) -> Iterator[TapeEvent]:
    """The events of several files by time; `found` is kept at the place of the one that told it."""
    tagged = [((event, at) for event in events) for events, at in sources]
    for event, at in merge(*tagged, key=lambda each: each[0].at_ns):
        found.file, found.row = at.file, at.row
        yield event


def wrong(at: Findings, expected: str, found: str) -> TapeUnreadable:
    """The error of what was found where something else was expected."""
    return TapeUnreadable(f"{at.place()}: expected {expected}, found {found[:60]!r}")


def integer_of(text: str, what: str, at: Findings) -> int:
    """A plain whole number, with a minus at most."""
    digits = text.removeprefix("-")
    if not (digits.isdecimal() and digits.isascii() and len(digits) <= WHOLE_DIGITS_MAX):
        raise wrong(at, f"{what}, a whole number", text)
    return int(text)


def nanos_of(text: str, what: str, at: Findings) -> int:
    """Nano-units of a plain decimal, or of one with an exponent of ten, as programs write them."""
    try:
        if "e" in text and _EXPONENT.fullmatch(text):
            return nanos_from_decimal(Decimal(text))
        return nanos_from_text(text)
    except NumberRefused as error:
        raise wrong(at, f"{what}, a decimal with at most nine decimals", text) from error


def one_of(text: str, allowed: Sequence[str], what: str, at: Findings) -> str:
    """A word out of a few."""
    if text not in allowed:
        raise wrong(at, f"{what}: {' or '.join(allowed)}", text)
    return text
