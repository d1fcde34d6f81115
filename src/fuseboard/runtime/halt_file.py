"""The file `HALT` in the state directory: whoever can make a file can halt the account.

It is looked at several times a second. Its first line is the reason; one that cannot be read halts
all the same. The halt is latched like any other: taking the file away resets nothing, and while it
is there a reset of the account is refused.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import Input
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.postures import HaltLevel

LOOK_EVERY_S: Final = 0.2
REASON_CHARACTERS_MAX: Final = 500
BYTES_MAX: Final = 4_096
ASKED_LOOKS_MAX: Final = 10
"""So many looks a halt that was asked for may take until the register holds it; then again."""
OPERATOR: Final = "the file HALT"


class Halted(Protocol):
    """The register."""

    def halts(self, strategy: str, symbol: str) -> bool:
        """Whether the account is latched."""


class HaltFile:
    """Looks at one path and offers a halt of the account while it is there and nothing halts."""

    def __init__(self, path: Path, register: Halted, offer: Callable[[Input], bool]) -> None:
        self._path = path
        self._register = register
        self._offer = offer
        self._is_there = False
        self._asked_looks = 0

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Ask for a halt when the file is new, or is there while the account is not halted."""
        if not is_there(self._path):
            self._is_there, self._asked_looks = False, 0
            return
        is_new, self._is_there = not self._is_there, True
        if not is_new and self._register.halts("", ""):
            self._asked_looks = 0
            return
        if not is_new and 0 < self._asked_looks < ASKED_LOOKS_MAX:
            self._asked_looks += 1
            return
        self._asked_looks = 1
        self._offer(halt_by(self._path))


def is_there(path: Path) -> bool:
    """Whether anything has the name; what cannot be looked at is there: that halts."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def halt_by(path: Path) -> OperatorHaltRequested:
    """The halt that a file which is there asks for."""
    return OperatorHaltRequested(
        request=0,
        operator=OPERATOR,
        reason=_reason(path),
        scope=ACCOUNT_SCOPE,
        level=HaltLevel.HALT,
    )


def _reason(path: Path) -> str:
    """The first line that says something, as it can be shown."""
    try:
        if not path.is_file():  # opening a pipe would wait
            return "it is no file that can be read"
        with path.open("rb") as file:
            text = file.read(BYTES_MAX).decode("utf-8", "replace")
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    said = next((line.strip() for line in text.splitlines() if line.strip()), "")
    shown = "".join(each if each.isprintable() else "?" for each in said)
    return shown[:REASON_CHARACTERS_MAX] or "it says no reason"
