"""A guardian beside the rounds of kill -9: it may act, be overtaken by the next start, or die too.

It is begun before a gateway is killed and dismissed once the next one serves. Whether it acts, and
how far it comes, is left to the two of them: the next gateway starts at once, or while it acts, or
after that, or after it was killed in the middle of its acts.
"""

import random
import time
from typing import NamedTuple

from fuseboard.exchange.ledger import LedgerEntry, OrderAccepted
from fuseboard.rescue.journal import Line, read_lines
from tests.e2e.processes import Exchange, Gateway, World, socket_status, until
from tests.guardian.guarded import GuardianProcess

MOMENTS = ("at once", "while it acts", "after it acted", "after it died")
WITHIN_S = 2.0
"""A moment within its acts comes so long after it missed the gateway, at the most."""
DONE_S_MAX = 120.0


class Watched(NamedTuple):
    """What a round's guardian came to."""

    acted: bool
    flat_at: int
    """How long the ledger was when it had closed everything; 0 when it was not seen to."""


class RoundsGuardian:
    """One guardian process, for one round."""

    def __init__(self, here: World, exchange: Exchange, gateway: Gateway, name: str) -> None:
        self._here = here
        self._exchange = exchange
        self._gateway = gateway
        self._began_ns = time.time_ns()
        self._process = here.kept(GuardianProcess(here, name))
        self._flat_at = 0
        until(self._watches, "the guardian watches")

    def outlive(self, moment: str, dice: random.Random) -> None:
        """The gateway is dead: let the guardian do what this moment allows."""
        if moment == "at once":
            return
        until(lambda: self._lines("missed"), "the guardian misses the gateway")
        if moment == "after it acted":
            until(lambda: self._lines("done"), "the guardian is done", DONE_S_MAX)
            self._flat_at = self._ledger_when_flat()
            return
        time.sleep(dice.uniform(0, WITHIN_S))
        if moment == "after it died":
            self._process.kill()

    def has_missed(self) -> int:
        """How many gateways it has missed."""
        return len(self._lines("missed"))

    def dismissed(self, before_ns: int) -> Watched:
        """End its process; what it came to. It acted if it missed a gateway that began before."""
        if not self._process.ended():
            self._process.stop()
        acted = any(line.run_ns < before_ns for line in self._lines("missed"))
        return Watched(acted, self._flat_at)

    def _watches(self) -> bool:
        self._process.must_run()
        if self._gateway.ended():  # missed already, on a machine too busy for its heartbeat
            return bool(self._lines("missed"))
        now = socket_status(self._here.state)
        return bool(now) and now["about"]["guardian"] == "watches"

    def _lines(self, act: str) -> list[Line]:
        lines = read_lines(self._here.state / "guardian.jsonl")
        return [line for line in lines if line.act == act and line.wall_ns > self._began_ns]

    def _ledger_when_flat(self) -> int:
        return 0 if self._exchange.positions() else len(self._exchange.ledger())


def nothing_after_the_end(watched: Watched, entries: list[LedgerEntry]) -> list[str]:
    """Flat is flat: when the guardian has closed everything, nobody closes or opens again."""
    late = entries[watched.flat_at :] if watched.flat_at else []
    return [
        f"law 3: taken after the guardian had closed everything: {each}"
        for each in late
        if isinstance(each, OrderAccepted)
    ]
