"""What became of the guardian's alerts: a line in a file, for whoever shows a status."""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from fuseboard.alerts.outward import OutwardPager

CHARACTERS_MAX: Final = 1_000


class AlertsTold:
    """Writes the counts of these doors where they changed. Nothing waits for the disk: it is not
    synced, and one that refuses is not asked again for the same counts.
    """

    def __init__(self, file: Path, doors: Sequence[OutwardPager]) -> None:
        self._file = file
        self._doors = doors
        self._since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        self._said = ""

    def note(self) -> None:
        """Write what became of the alerts until now."""
        said = "; ".join(door.says() for door in self._doors)
        if not said or said == self._said:
            return
        self._said = said
        new = self._file.with_suffix(".new")
        with suppress(OSError):
            new.write_text(f"by the guardian since {self._since}: {said}"[:CHARACTERS_MAX])
            new.replace(self._file)


def alerts_told(file: Path) -> str:
    """What the last guardian that had a door wrote; empty where none did."""
    try:
        with file.open("rb") as told:
            return told.read(4 * CHARACTERS_MAX).decode(errors="replace")
    except OSError:
        return ""
