"""Which strategies are there, and which have been away for too long: the grace of each is judged.

Theory of operation. Streams, requests and the supervised process are noted as they come and go, by
the monotonic clock; several times a second somebody looks. A strategy counts by one of the three,
as its grace says, and one that was never there in this run has nothing to lose: unless it had
orders working when the gateway came up, for then its time begins with the open door, and is long
enough to connect again. The passages alone are offered, in the strategies' own lane, so that what
was asked for before stays before.

Time in which nobody looked is not held against anybody: after a look that comes late, and with
another rule, each grace begins anew. What a lost strategy sends all the same has a grace of its
own, after which it is told again. Once the door closes nobody is lost: the streams end with us.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from fuseboard.gateway.doors import IntakeDoor
from fuseboard.vocabulary.actions import ConnectedBy
from fuseboard.vocabulary.disconnect_facts import StrategyLost, StrategySeen

LOOK_EVERY_S: Final = 0.2
LATE_NS: Final = 1_000_000_000
"""A look that comes so long after the last one shows that we were away ourselves."""
RECONNECT_NS: Final = 35_000_000_000
"""Who finds nobody here tries again less and less often, alpaca-py after 30 s at most: so long a
start waits at least for who was there before.
"""


class Grace(Struct, frozen=True):
    """By what a strategy is there, and for how long it may be away."""

    by: ConnectedBy
    after_ns: int


class Graces(Struct, frozen=True):
    """The grace of every strategy, and those that have another one; None: it is not judged."""

    account: Grace | None = None
    own: dict[str, Grace | None] = {}

    def of(self, strategy: str) -> Grace | None:
        """The grace of one strategy."""
        return self.own.get(strategy, self.account)


class _Known:
    """What is known of one strategy. Times are monotonic."""

    __slots__ = (
        "away_ns",
        "from_ns",
        "had_orders",
        "heard_ns",
        "is_done",
        "is_lost",
        "lost_ns",
        "process",
        "streams",
    )

    def __init__(self, *, had_orders: bool) -> None:
        self.had_orders = had_orders
        self.streams = 0
        self.away_ns: int | None = None
        """Since when no stream is open, once one was."""
        self.heard_ns: int | None = None
        """Its last request."""
        self.process = ""
        """Of its supervised command: `starts`, `runs` or nothing."""
        self.from_ns = 0
        """Earlier absence does not count."""
        self.is_lost = False
        """Whether the kernel was told so, and not yet that it is back."""
        self.lost_ns = 0
        """When it was told so last."""
        self.is_done = False
        """Whether that was told of all that it has sent."""


class Presence:
    """Notes who comes and goes, and offers who is lost and who is back.

    `had_orders` names the strategies with orders that worked when the gateway came up.
    """

    def __init__(
        self,
        intake: IntakeDoor,
        had_orders: Iterable[str] = (),
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._intake = intake
        self._clock_ns = clock_ns
        self._known = {strategy: _Known(had_orders=True) for strategy in had_orders}
        self._graces = Graces()
        self._is_open = False
        self._looked_ns = self._from_ns = 0

    # --- what is noted ---------------------------------------------------------------------------

    def stream_opened(self, strategy: str) -> None:
        """An authorized `trade_updates` session."""
        at = self._of(strategy)
        at.streams += 1
        if at.is_lost:
            self._judge(strategy, at)

    def stream_closed(self, strategy: str) -> None:
        """One of them has ended, whoever ended it."""
        at = self._of(strategy)
        at.streams -= 1
        at.away_ns = self._clock_ns()

    def requested(self, strategy: str) -> None:
        """An authenticated request."""
        at = self._known.get(strategy) or self._of(strategy)
        at.heard_ns = self._clock_ns()
        if at.is_lost:
            self._judge(strategy, at)

    def ordered(self, strategy: str) -> None:
        """An order of it was let through: one that is lost is told again, when that has stood."""
        at = self._known.get(strategy)
        if at is not None and at.is_done:
            at.is_done, at.from_ns = False, self._clock_ns()

    def process_starts(self, strategy: str) -> None:
        """Its command is about to be started by us: until then it cannot be there."""
        self._of(strategy).process = "starts"

    def process_runs(self, strategy: str) -> None:
        """Its command was started: its time to connect begins."""
        at = self._of(strategy)
        at.process, at.from_ns = "runs", self._clock_ns()

    # --- what is judged --------------------------------------------------------------------------

    def follow(self, graces: Graces) -> None:
        """The graces of the policy in force. Where they are others than before, time begins anew.

        The kernel has forgotten who was lost by the others.
        """
        if graces == self._graces:
            return
        self._graces = graces
        self._from_ns = self._clock_ns()
        for at in self._known.values():
            at.is_done = False

    def begin(self) -> None:
        """The door is open: from now on everybody can be there."""
        self._is_open = True
        self._looked_ns = self._from_ns = self._clock_ns()

    def close(self) -> None:
        """The door closes: who goes from now on is sent away by us."""
        self._is_open = False

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Offer what has become true."""
        if not self._is_open:
            return
        now_ns = self._clock_ns()
        if now_ns - self._looked_ns > LATE_NS:
            self._from_ns = now_ns
        self._looked_ns = now_ns
        for strategy, at in list(self._known.items()):
            self._judge(strategy, at)

    def _judge(self, strategy: str, at: _Known) -> None:
        """One that the intake does not take is offered again with the next look."""
        grace = self._graces.of(strategy)
        if grace is None:
            return
        if at.is_lost and _is_back(at, grace.by):
            if self._intake.offer(StrategySeen(strategy=strategy)):
                at.is_lost = at.is_done = False
            return
        if at.is_done or at.process == "starts" or _is_there(at, grace.by):
            return
        last_ns, least_ns = _last_ns(at, grace.by), 0
        if last_ns is None:
            if not at.had_orders:
                return
            last_ns, least_ns = 0, 0 if at.is_lost else RECONNECT_NS
        now_ns = self._clock_ns()
        absent_ns = now_ns - max(last_ns, self._from_ns, at.from_ns)
        if absent_ns < max(grace.after_ns, least_ns):
            return
        fact = StrategyLost(strategy=strategy, by=grace.by, absent_ns=absent_ns)
        if self._intake.offer(fact):
            at.is_lost = at.is_done = True
            at.lost_ns = now_ns

    def _of(self, strategy: str) -> _Known:
        known = self._known.get(strategy)
        if known is None:
            known = self._known[strategy] = _Known(had_orders=False)
        return known


def _is_there(at: _Known, by: ConnectedBy) -> bool:
    """Whether it is there at this moment; a request is over at once."""
    if by is ConnectedBy.STREAM:
        return at.streams > 0
    return by is ConnectedBy.PROCESS and bool(at.process)


def _is_back(at: _Known, by: ConnectedBy) -> bool:
    """Whether one that was lost has shown itself since."""
    if by is ConnectedBy.REQUESTS:
        return at.heard_ns is not None and at.heard_ns >= at.lost_ns
    return _is_there(at, by)


def _last_ns(at: _Known, by: ConnectedBy) -> int | None:
    """When one that is away was there last; None: never in this run."""
    if by is ConnectedBy.STREAM:
        return at.away_ns
    return at.heard_ns if by is ConnectedBy.REQUESTS else None
