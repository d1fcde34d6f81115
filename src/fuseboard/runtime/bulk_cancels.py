"""Many cancels as one request: the broker is asked to cancel all that works, where all is wanted.

Alpaca's `DELETE /v2/orders` takes one request of a budget of 200 a minute, whatever works. It takes
away everything of the account, so it is asked only while no order that raises exposure may leave,
right after a reading of what works in which every order is one whose cancel is wanted: no stop that
is kept, no close of a plan, no stranger's. No submit of ours starts from before that reading until
the broker has answered. What it does not take is cancelled one by one, as ever.

It holds nothing back for longer than `held_ns_max`. A reading that takes longer is broken off, and
the broker is not asked. A request that gets no answer cannot be called back: the single cancels go
beside it, and its answer, if it comes, makes moot what is left of them. A plan's close goes beside
it too: if that takes it away, the plan sees it cancelled, reads the position and closes anew. Any
other submit is not sent while the request is unanswered, so that it takes away no stop it would
have kept. Nothing more is asked at once then.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from fuseboard.runtime.gate import SECOND_NS, Gate
from fuseboard.vocabulary.doors import Broker, BrokerUnavailable, Clock, Throttled
from fuseboard.vocabulary.inputs import ForeignOrderSeen

REQUESTS: Final = 2
"""What works, and the cancel of it."""
LOOK_S: Final = 0.01


class BulkLimits(Struct, frozen=True, kw_only=True):
    """Bounds of cancelling everything at once."""

    orders_min: int = 8
    """Fewer are as soon cancelled one by one."""
    tries_max: int = 2
    """How often it is tried where the answer is lost or makes no sense; once where it hurries."""
    throttles_max: int = 5
    """How often a 429 is waited out: that is no try."""
    held_ns_max: int = 3 * SECOND_NS // 2
    """How long it holds single cancels and submits back, all its tries together. What it waits for
    its turn does not count: they would wait for theirs."""
    rest_ns: int = 10 * SECOND_NS
    """How long it is not tried again after it was no help: all else is cancelled one by one."""
    taken_ns: int = 2 * SECOND_NS
    """How long an order whose cancel was taken so is not asked for again."""


class BulkCancels:
    """One account's way of cancelling everything. `may` says whether nothing that raises exposure
    can leave, `hurries` whether time is short, `is_wanted` whether the cancel of an order that
    works is wanted, `spares` whether a submit is on its way whose cancel is not.
    """

    def __init__(
        self,
        *,
        broker: Broker,
        gate: Gate,
        clock: Clock,
        may: Callable[[], bool],
        hurries: Callable[[], bool],
        is_wanted: Callable[[ForeignOrderSeen], bool],
        spares: Callable[[], bool],
        limits: BulkLimits,
    ) -> None:
        self.limits = limits
        self._broker = broker
        self._gate = gate
        self._clock = clock
        self._may = may
        self._hurries = hurries
        self._is_wanted = is_wanted
        self._spares = spares
        self._rests_until_ns = 0
        self._unanswered = False
        self._holds_none = asyncio.Event()
        self._holds_none.set()

    def is_worth(self, orders: int) -> bool:
        """Whether so many cancels are better asked for as one."""
        rests = self._clock.now().boot_ns < self._rests_until_ns
        return orders >= self.limits.orders_min and not rests and self._may()

    def is_unanswered(self) -> bool:
        """Whether the broker may still cancel everything, and submits are held back no longer."""
        return self._unanswered

    async def waited(self) -> bool:
        """Wait until submits are held back no longer; whether that took any time."""
        waited = False
        while not self._holds_none.is_set():
            waited = True
            await self._holds_none.wait()
        return waited

    async def ask(self, let_go: Callable[[], None]) -> Sequence[str]:
        """The broker's ids of the orders whose cancel it took; none where one by one is right.

        `let_go` is called when the single cancels are to wait no longer for the answer.
        """
        tries = throttles = 0
        left_ns = self.limits.held_ns_max
        while left_ns > 0 and throttles <= self.limits.throttles_max and tries < self._tries_max():
            await self._gate.turn(protective=True, requests=REQUESTS)
            began_ns = self._clock.now().boot_ns
            try:
                taken = await self._held(left_ns / SECOND_NS, let_go)
            except Throttled as refusal:
                self._gate.throttled(refusal)
                throttles += 1
            except BrokerUnavailable:
                tries += 1
            else:
                if taken:
                    return taken
                break
            left_ns -= self._clock.now().boot_ns - began_ns
        self._rests_until_ns = self._clock.now().boot_ns + self.limits.rest_ns
        return ()

    def _tries_max(self) -> int:
        return 1 if self._hurries() else self.limits.tries_max

    async def _held(self, seconds: float, let_go: Callable[[], None]) -> Sequence[str]:
        """Ask once, and hold back what is to wait for it for at most so long."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        self._holds_none.clear()
        try:
            if not await self._all_is_to_go(ends_at):
                return ()
            timer = loop.call_at(ends_at, self._hold_none, let_go)
            try:
                taken = await self._broker.cancel_all()
            finally:
                timer.cancel()
            self._gate.accepted()
            return taken
        finally:
            self._unanswered = False
            self._holds_none.set()

    def _hold_none(self, let_go: Callable[[], None]) -> None:
        self._unanswered = True
        self._holds_none.set()
        let_go()

    async def _all_is_to_go(self, ends_at: float) -> bool:
        """Whether many orders work at the broker, none of them to be spared; no if not told then,
        by the loop's time.
        """
        try:
            async with asyncio.timeout_at(ends_at):
                while self._spares():  # noqa: ASYNC110 - whose calls end without an event
                    await asyncio.sleep(LOOK_S)
                works = await self._broker.foreign_orders(_nobody)
        except TimeoutError:
            return False
        self._gate.accepted()
        is_few = len(works) < self.limits.orders_min
        return not is_few and self._may() and all(map(self._is_wanted, works))


def _nobody(_wire_id: str) -> bool:
    return False
