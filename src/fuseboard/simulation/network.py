"""The way between one gateway and the exchange: slow, lossy, and not always honest.

`Line` is the gateway's `Broker`, `Line.feed` its `Feed`. A request is written at one moment,
arrives at another and is answered at a third. In between it can be lost, doubled, refused with 429
or 5xx, or take effect while its answer is lost. What was written arrives even if the gateway dies.
Nothing takes longer than `LATE_NS_MAX` to arrive, which is less than the time for which an order
that is not found counts as on its way.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any, Final, TypeVar

from msgspec import Struct, structs

from fuseboard.exchange.direct import DirectBroker, DirectFeed
from fuseboard.exchange.orders import OrderEvent
from fuseboard.feeds.tapes.tape import TapeQuote, TapeTrade
from fuseboard.simulation.crashes import Doors
from fuseboard.simulation.world import MILLI_NS, SECOND_NS, World
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.doors import BrokerFact, BrokerUnavailable, Throttled
from fuseboard.vocabulary.effects import CancelOrder, FindOrder, ReadLeg, SubmitOrder
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    BrokerStreamChanged,
    CancelRefused,
    ForeignOrderSeen,
    LegRead,
    LegReadFailed,
    OrderNotSent,
    OrderUnknown,
    PositionsSeen,
    SubmitOutcome,
)
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen

LATE_NS_MAX: Final = 3 * SECOND_NS
TIMEOUT_NS: Final = SECOND_NS
UNIQUE: Final = "client_order_id must be unique"
Answer = TypeVar("Answer")


class Weather(Struct, frozen=True, kw_only=True):
    """How often what goes wrong, in thousandths of all requests and messages."""

    unreachable: int = 0
    lost_before: int = 0
    lost_after: int = 0
    error_before: int = 0
    error_after: int = 0
    throttled: int = 0
    doubled: int = 0
    late: int = 0
    stream_lost: int = 0
    stream_doubled: int = 0


CALM: Final = Weather()
ROUGH: Final = Weather(
    unreachable=10,
    lost_before=15,
    lost_after=25,
    error_before=10,
    error_after=15,
    throttled=15,
    doubled=15,
    late=20,
    stream_doubled=50,
)
STORM: Final = Weather(
    unreachable=40,
    lost_before=60,
    lost_after=90,
    error_before=30,
    error_after=60,
    throttled=30,
    doubled=50,
    late=60,
    stream_lost=5,
    stream_doubled=150,
)


class Started(Struct, frozen=True):
    """A submit whose bytes left: the network's own note of it."""

    at_ns: int
    order: SubmitOrder


class Line:
    """One gateway's connection. `cut` when its machine dies; `up` when it comes back."""

    def __init__(self, world: World, instance: str, doors: Doors, weather: Weather) -> None:
        self.world = world
        self.weather = weather
        self.started: list[Started] = []
        self.on_start: Callable[[SubmitOrder], None] | None = None
        self._doors = doors
        self._chance: Random = world.chance(f"network of {instance}")
        self._since_chance: Random = world.chance(f"orders since, of {instance}")
        self._direct = DirectBroker(world.exchange, instance, world.wall_ns, pump=world.pump)
        self.feed = DirectFeed()
        self._life = 0
        self._connected = False
        self._deliver: Callable[[BrokerFact], None] | None = None
        world.listeners.append(self._hear)
        world.watchers.append(self._watch_tape)

    # --- lives and connections -------------------------------------------------------------------

    def cut(self) -> None:
        """The gateway is gone: nothing reaches it any more; what it has written still arrives."""
        self._life += 1
        self._deliver = None
        self._connected = False
        self.feed = DirectFeed()

    def disconnect(self, for_ns: int) -> None:
        """The order stream breaks: what is under way on it is lost, and it comes back later."""
        if self._deliver is None or not self._connected:
            return
        self._connected = False
        self._later(0, lambda: self._say(BrokerStreamChanged(connected=False)))
        self._later(for_ns, self._connect)

    async def start(self, deliver: Callable[[BrokerFact], None]) -> None:
        """Connect the order stream."""
        self._deliver = deliver
        self._later(self._hop_ns(), self._connect)

    async def stop(self) -> None:
        """Close every connection."""
        self.cut()

    def _connect(self) -> None:
        if not self._connected:
            self._connected = True
            self._say(BrokerStreamChanged(connected=True))

    def _say(self, fact: BrokerFact) -> None:
        self._doors.at("receive")
        if self._deliver is not None:
            self._deliver(fact)

    def _hear(self, event: OrderEvent) -> None:
        """Something happened at the exchange: tell it, once, twice or not at all."""
        facts = self._direct.facts_of(event)
        if not facts or not self._connected or self._happens(self.weather.stream_lost):
            return
        times = 2 if self._happens(self.weather.stream_doubled) else 1
        for _ in range(times):
            self._later(self._hop_ns(), lambda: self._say_if_connected(facts))

    def _say_if_connected(self, facts: tuple[BrokerFact, ...]) -> None:
        for fact in facts:
            if self._connected:
                self._say(fact)

    def _watch_tape(self, quote: TapeQuote, trade: TapeTrade) -> None:
        if self._deliver is None:
            return
        feed = self.feed
        self._later(2 * MILLI_NS, lambda: feed.show_quote(quote))
        self._later(2 * MILLI_NS, lambda: feed.show_trade(trade))

    # --- requests --------------------------------------------------------------------------------

    async def submit(self, order: SubmitOrder, still_allowed: Callable[[], bool]) -> SubmitOutcome:
        """As the Alpaca adapter: see the table at its head. Raises `Throttled`."""
        try:
            await self._reach()
        except BrokerUnavailable as failure:
            return OrderNotSent(
                order_id=order.order_id, reason=Reason.BROKER_UNREACHABLE, message=str(failure)
            )
        self._doors.at("before a submit")
        if not still_allowed():
            return OrderNotSent(order_id=order.order_id, reason=Reason.HALT_EPOCH)
        self.started.append(Started(self.world.now_ns, order))
        if self.on_start is not None:
            self.on_start(order)
        try:
            outcome: SubmitOutcome = await self._ask(
                lambda: self._direct.submit(order, lambda: True)
            )
        except BrokerUnavailable as failure:
            return OrderUnknown(order_id=order.order_id, detail=str(failure))
        if isinstance(outcome, OrderNotSent) and UNIQUE in outcome.message:
            found = await self.find(
                FindOrder(order_id=order.order_id, wire_id=order.wire_id, absent_after_ns=0)
            )
            if isinstance(found, OrderNotSent):
                return OrderUnknown(order_id=order.order_id, detail="taken, and not found")
            return found
        return outcome

    async def cancel(self, order: CancelOrder) -> CancelRefused | None:
        """Ask to cancel. Raises `Throttled`."""
        try:
            await self._reach()
            return await self._ask(lambda: self._direct.cancel(order))
        except BrokerUnavailable as failure:
            return CancelRefused(
                order_id=order.order_id, reason=Reason.BROKER_UNREACHABLE, message=str(failure)
            )

    async def cancel_all(self) -> Sequence[str]:
        """Ask to cancel everything. Raises `BrokerUnavailable`, `Throttled`."""
        await self._reach()
        return await self._ask(self._direct.cancel_all)

    async def find(self, order: FindOrder) -> SubmitOutcome:
        """One look by wire id. Raises `Throttled`."""
        try:
            await self._reach()
            return await self._ask(lambda: self._direct.find(order))
        except BrokerUnavailable as failure:
            return OrderUnknown(order_id=order.order_id, detail=str(failure))

    async def read_leg(self, leg: ReadLeg) -> LegRead | LegReadFailed:
        """Working orders, then the position, then the close itself, each at a time of its own."""
        try:
            await self._reach()
            orders: LegRead = await self._ask(lambda: self._direct.read_leg(leg))
            position: LegRead = await self._ask(lambda: self._direct.read_leg(leg))
            close: LegRead = await self._ask(lambda: self._direct.read_leg(leg))
        except BrokerUnavailable as failure:
            return LegReadFailed(
                trip=leg.trip, symbol=leg.symbol, attempt=leg.attempt, detail=str(failure)
            )
        turned = (orders.position_nanos > 0) is not (position.position_nanos > 0)
        against_nanos = position.against_nanos if turned else orders.against_nanos
        return structs.replace(position, against_nanos=against_nanos, found=close.found)

    async def account(self) -> AccountSeen:
        """The account. Raises `BrokerUnavailable`, `Throttled`."""
        await self._reach()
        return await self._ask(self._direct.account)

    async def positions(self, *, timed: bool = False) -> PositionsSeen:
        """All positions. Raises `BrokerUnavailable`, `Throttled`."""
        await self._reach()
        return await self._ask(lambda: self._direct.positions(timed=timed))

    async def executions(self, after: str | None) -> ExecutionsSeen:
        """The activity feed. Raises `BrokerUnavailable`, `Throttled`."""
        await self._reach()
        return await self._ask(lambda: self._direct.executions(after))

    async def foreign_orders(self, known: Callable[[str], bool]) -> Sequence[ForeignOrderSeen]:
        """Working orders that are not known. Raises `BrokerUnavailable`, `Throttled`."""
        await self._reach()
        every: Sequence[ForeignOrderSeen] = await self._ask(
            lambda: self._direct.foreign_orders(lambda _wire_id: False)
        )
        return [order for order in every if not known(order.wire_id)]

    async def orders_since(self, wall_ns: int) -> OrdersSinceSeen:
        """All orders with a Fuseboard's prefix. Raises `BrokerUnavailable`.

        Asked once a start. It fails by a chance of its own, at no door and at once, so that the
        seeds that are kept for other faults run as they ran when they were found.
        """
        if self._since_chance.randrange(1_000) < self.weather.lost_after:
            raise BrokerUnavailable("no answer in time")
        return await self._direct.orders_since(wall_ns)

    async def foreign_since(self, wall_ns: int) -> Sequence[ForeignOrderSeen]:
        """Foreign orders that ended, after a part was filled. Raises `BrokerUnavailable`."""
        if self._since_chance.randrange(1_000) < self.weather.lost_after:
            raise BrokerUnavailable("no answer in time")
        return await self._direct.foreign_since(wall_ns)

    # --- the wire --------------------------------------------------------------------------------

    async def _reach(self) -> None:
        """Find a connection: nothing has been written when this fails."""
        await self._pause(self._chance.randrange(3) * MILLI_NS)
        if self._happens(self.weather.unreachable):
            raise BrokerUnavailable("no connection")

    async def _ask(self, act: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
        """Write one request, and wait for its answer or the time-out."""
        weather, self_life = self.weather, self._life
        self._doors.at("before a request")
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        broken = self._happens(weather.error_after)
        silent = self._happens(weather.lost_after)

        def fail(failure: Exception) -> None:
            if self_life == self._life and not answered.done():
                answered.set_exception(failure)

        def arrive() -> None:
            result = _run_at_once(act())
            if silent:
                return
            failure = BrokerUnavailable("answered 500 after it was done") if broken else None
            self.world.after(self._hop_ns(), lambda: answer(result, failure))

        def arrive_again() -> None:
            _run_at_once(act())

        def answer(result: Answer, failure: Exception | None) -> None:
            if self_life != self._life or answered.done():
                return
            self._doors.at("an answer comes")
            if failure is None:
                answered.set_result(result)
            else:
                answered.set_exception(failure)

        if self._happens(weather.throttled):
            refusal = Throttled(self._chance.choice((None, 200 * MILLI_NS)))
            self.world.after(self._hop_ns(), lambda: fail(refusal))
        elif self._happens(weather.error_before):
            refused = BrokerUnavailable("answered 503, nothing done")
            self.world.after(self._hop_ns(), lambda: fail(refused))
        elif not self._happens(weather.lost_before):
            self.world.after(self._hop_ns(), arrive)
            if self._happens(weather.doubled):
                self.world.after(self._hop_ns(), arrive_again)
        self.world.after(TIMEOUT_NS, lambda: fail(BrokerUnavailable("no answer in time")))
        self._doors.at("after a request")
        result = await answered
        self._doors.at("an answer is read")
        return result

    def _hop_ns(self) -> int:
        """How long one message takes."""
        if self._happens(self.weather.late):
            return self._chance.randrange(LATE_NS_MAX)
        return (1 + self._chance.randrange(20)) * MILLI_NS

    def _happens(self, thousandths: int) -> bool:
        return thousandths > 0 and self._chance.randrange(1_000) < thousandths

    async def _pause(self, pause_ns: int) -> None:
        if pause_ns:
            await asyncio.sleep(pause_ns / SECOND_NS)

    def _later(self, delay_ns: int, happen: Callable[[], object]) -> None:
        """Something for this life of the gateway only."""
        life = self._life

        def unless_dead() -> None:
            if life == self._life:
                happen()

        self.world.after(delay_ns, unless_dead)


def _run_at_once(work: Coroutine[Any, Any, Answer]) -> Answer:
    """The result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as ended:
        result: Answer = ended.value
        return result
    raise AssertionError("the exchange waits for something")
