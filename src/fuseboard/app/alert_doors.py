"""Where a node's alerts go, who watches these doors, and what the status says of them."""

import asyncio
import os
from pathlib import Path

from fuseboard.alerts.console import ConsolePager
from fuseboard.alerts.logfile import LogFile
from fuseboard.alerts.outward import outward_pagers
from fuseboard.alerts.slow_doors import LOOK_S, SlowDoors, Timed
from fuseboard.vocabulary.doors import Pager
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason


class AlertDoors:
    """The terminal, the log file, a board, and what the environment names. Raises
    `WebhookRefused` for an address that is none.
    """

    def __init__(self, log_file: Path, board: Pager) -> None:
        self.console = ConsolePager()
        self._log = LogFile(log_file)
        self._outward = outward_pagers(os.environ)
        self.pagers: list[Pager] = [self.console, self._log, board, *self._outward]
        timed: list[Timed] = [self.console.lines, self._log.lines, *self._outward]
        self._slow = SlowDoors(timed, self.pagers)

    def tell(self, severity: Severity, reason: Reason, text: str) -> None:
        """Said wherever alerts go."""
        for pager in self.pagers:
            pager.page(severity.value, reason.value, ACCOUNT_SCOPE, text)

    async def watch(self) -> None:
        """Look for ever at how late each door takes what it is told."""
        while True:
            self._slow.look()
            await asyncio.sleep(LOOK_S)

    def about(self) -> dict[str, str]:
        """For the status: what became of the alerts since the start, and how long it took."""
        lines = (self.console.lines, self._log.lines)
        told = "; ".join(filter(None, (each.says() for each in lines)))
        outward = "; ".join(door.says() for door in self._outward) or "leave by no door"
        return {"alerts": outward, **({"told": told} if told else {})}

    def close(self) -> None:
        """Deliver what waits, for a bounded time, and stop."""
        for door in self._outward:
            door.close()
        self.console.close()
        self._log.close()
