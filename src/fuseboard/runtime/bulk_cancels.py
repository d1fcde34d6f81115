"""Many cancels as one request: the broker is asked to cancel all that works, where all is wanted.

Alpaca's `DELETE /v2/orders` takes one request of a budget of 200 a minute, whatever works. It takes
away everything of the account, so it is asked only while no order that raises exposure may leave,
right after a reading of what works in which every order is one whose cancel is wanted: no stop that
is kept, no close of a plan, no stranger's. No submit of ours starts from before that reading until
the broker has answered. What it does not take is cancelled one by one, as ever.
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
    """How often it is tried where the answer is lost or makes no sense; a 429 is no try."""
    rest_ns: int = 10 * SECOND_NS
    """How long it is not tried again after it was no help: all else is cancelled one by one."""
    in_flight_ns_max: int = 2 * SECOND_NS
    """How long a submit that is to be spared may keep it waiting."""
    taken_ns: int = 2 * SECOND_NS
    """How long an order whose cancel was taken so is not asked for again."""


class BulkCancels:
    """One account's way of cancelling everything. `may` says whether nothing that raises exposure
    can leave, `is_wanted` whether the cancel of an order that works is wanted, `spares` whether a
    submit is on its way whose cancel is not.
    """

    def __init__(
        self,
        *,
        broker: Broker,
        gate: Gate,
        clock: Clock,
        may: Callable[[], bool],
        is_wanted: Callable[[ForeignOrderSeen], bool],
        spares: Callable[[], bool],
        limits: BulkLimits,
    ) -> None:
        self.limits = limits
        self._broker = broker
        self._gate = gate
        self._clock = clock
        self._may = may
        self._is_wanted = is_wanted
        self._spares = spares
        self._rests_until_ns = 0
        self._over = asyncio.Event()
        self._over.set()

    def is_worth(self, orders: int) -> bool:
        """Whether so many cancels are better asked for as one."""
        rests = self._clock.now().boot_ns < self._rests_until_ns
        return orders >= self.limits.orders_min and not rests and self._may()

    async def waited(self) -> bool:
        """Wait until submits may start; whether that took any time."""
        waited = False
        while not self._over.is_set():
            waited = True
            await self._over.wait()
        return waited

    async def ask(self) -> Sequence[str]:
        """The broker's ids of the orders whose cancel it took; none where one by one is right."""
        tries = 0
        while tries < self.limits.tries_max:
            await self._gate.turn(protective=True, requests=REQUESTS)
            self._over.clear()
            try:
                taken = await self._ask_once()
            except Throttled as refusal:
                self._gate.throttled(refusal)  # protection keeps trying
                continue
            except BrokerUnavailable:
                tries += 1
                continue
            finally:
                self._over.set()
            if taken:
                return taken
            break
        self._rests_until_ns = self._clock.now().boot_ns + self.limits.rest_ns
        return ()

    async def _ask_once(self) -> Sequence[str]:
        """The ids; none where something is to be spared, or few work."""
        ends_ns = self._clock.now().boot_ns + self.limits.in_flight_ns_max
        while self._spares():
            if self._clock.now().boot_ns >= ends_ns:
                return ()
            await asyncio.sleep(LOOK_S)
        works = await self._broker.foreign_orders(_nobody)
        self._gate.accepted()
        is_few = len(works) < self.limits.orders_min
        if is_few or not self._may() or not all(map(self._is_wanted, works)):
            return ()
        taken = await self._broker.cancel_all()
        self._gate.accepted()
        return taken


def _nobody(_wire_id: str) -> bool:
    return False
