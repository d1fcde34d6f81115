"""What the node asks of broker and feed: orders in doubt, a close's leg, the account, a symbol.

Every question is asked until it has an answer, with backoff; the same question is under way once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import islice
from typing import TypeVar

from msgspec import Struct, structs

from fuseboard.runtime.budget import jittered_ns
from fuseboard.runtime.crew import Crew
from fuseboard.runtime.gate import SECOND_NS, Gate
from fuseboard.vocabulary.copy_inputs import WorkingSeen
from fuseboard.vocabulary.doors import Broker, BrokerUnavailable, Clock, Feed, Throttled
from fuseboard.vocabulary.effects import (
    FindOrder,
    ReadAccount,
    ReadExecutions,
    ReadLeg,
    ReadOrdersSince,
)
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    ForeignOrderSeen,
    Input,
    OrderNotSent,
    OrderSent,
    PositionsSeen,
)
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen

LEG_REQUESTS = 3
"""Position, working orders, and the close by its id."""
POSITIONS_REQUESTS = 2
"""Positions and working orders."""
ORDINARY_WAIT_NS = 5 * SECOND_NS
"""How long a question about an order waits for an ordinary turn; then it has protection's."""
Answer = TypeVar("Answer")


class _Find:
    """One order being looked for."""

    __slots__ = ("asked_ns", "asking", "order", "promoted", "task")

    def __init__(self, order: FindOrder, asked_ns: int) -> None:
        self.order = order
        self.asked_ns = asked_ns
        self.asking = False
        self.promoted = False
        self.task: asyncio.Task[None] | None = None


class QuestionLimits(Struct, frozen=True, kw_only=True):
    """Bounds of asking."""

    questions_max: int = 65_536
    """Different questions under way; the book has no more working orders than that."""
    in_flight_max: int = 16
    again_ns_first: int = SECOND_NS // 4
    again_ns_max: int = 5 * SECOND_NS
    foreign_max: int = 1_000
    """Foreign orders that ended which one answer tells, the newest."""
    missing_max: int = 64
    """Orders that one reading says to be missing; a later one has the others."""


class Questions:
    """Questions under way. `report` gets the answers.

    `protective` says whether an order in doubt is one that protection waits for. `at_rest` is
    a number that changes whenever orders of ours move, None while one is in flight: positions
    count only when they were read at rest. `known` knows our wire ids, `working` the orders that
    work as far as we heard: (our id, the broker's); `compared` compares what we sent of them.
    `halt_epoch` is that of the newest halt: a reading says which one it began after.
    """

    def __init__(
        self,
        *,
        broker: Broker,
        feed: Feed,
        gate: Gate,
        crew: Crew,
        clock: Clock,
        protective: Callable[[str], bool],
        at_rest: Callable[[], int | None],
        known: Callable[[str], bool],
        working: Callable[[], list[tuple[str, str]]],
        compared: Callable[[Sequence[ForeignOrderSeen]], WorkingSeen | None],
        halt_epoch: Callable[[], int],
        report: Callable[[Input], None],
        randbelow: Callable[[int], int],
        limits: QuestionLimits,
    ) -> None:
        self.limits = limits
        self._broker = broker
        self._feed = feed
        self._gate = gate
        self._crew = crew
        self._clock = clock
        self._protective = protective
        self._at_rest = at_rest
        self._known = known
        self._working = working
        self._compared = compared
        self._halt_epoch = halt_epoch
        self._report = report
        self._randbelow = randbelow
        # Rooms of their own, so that protection does not wait for ordinary questions.
        self._ordinary_room = asyncio.Semaphore(limits.in_flight_max)
        self._protective_room = asyncio.Semaphore(limits.in_flight_max)
        self._under_way: set[tuple[str, ...]] = set()
        self._finds: dict[str, _Find] = {}
        self._account_wanted = False
        self._positions_wanted = False
        self._timed_wanted = False
        self._watched: set[str] = set()

    def find(self, order: FindOrder) -> None:
        """Ask for an order by wire id until the broker has it or it can be said to be absent."""
        if self._begin("find", order.order_id):
            find = self._finds[order.order_id] = _Find(order, self._clock.now().boot_ns)
            self._start_find(find)

    def promote(self, order_id: str) -> None:
        """A cancel waits for this order's id: it is looked for with protection's share, at once.

        What waits in an ordinary line, or before asking again, starts over; a question that is at
        the broker already goes on.
        """
        find = self._finds.get(order_id)
        if find is not None and find.task is not None and not (find.asking or find.promoted):
            find.promoted = True
            find.task.cancel()

    def _start_find(self, find: _Find) -> None:
        find.task = self._crew.start(self._find(find), partial(self._find_ended, find))

    def _find_ended(self, find: _Find) -> None:
        assert find.task is not None
        if find.task.cancelled() and find.promoted:
            find.promoted = False
            self._start_find(find)
            return
        del self._finds[find.order.order_id]
        self._end("find", find.order.order_id)

    def read_leg(self, leg: ReadLeg) -> None:
        """Ask what a protective close needs to know."""
        key = ("leg", leg.trip, leg.symbol, str(leg.attempt))
        if self._begin(*key):
            self._crew.start(self._read_leg(leg), lambda: self._end(*key))

    def read_account(self, read: ReadAccount) -> None:
        """Read the account, and positions at rest. Asked again meanwhile: it is read once more."""
        self._account_wanted = True
        self._positions_wanted = self._positions_wanted or read.positions
        self._timed_wanted = self._timed_wanted or read.timed
        if self._begin("account"):
            self._crew.start(self._read_wanted(), lambda: self._end("account"))

    def read_orders_since(self, read: ReadOrdersSince) -> None:
        """Ask which orders the broker has had since a time, until it has said so."""
        if self._begin("since"):
            self._crew.start(self._orders_since(read), lambda: self._end("since"))

    def read_executions(self, read: ReadExecutions) -> None:
        """Read the activity feed; it is under way once, whatever was asked for meanwhile."""
        if self._begin("executions"):
            self._crew.start(self._read_executions(read.after), lambda: self._end("executions"))

    def watch(self, symbol: str) -> None:
        """Subscribe to a symbol's market data."""
        if symbol not in self._watched and self._begin("watch", symbol):
            self._crew.start(self._watch(symbol), lambda: self._end("watch", symbol))

    def _begin(self, *key: str) -> bool:
        assert len(self._under_way) < self.limits.questions_max, "too many questions are under way"
        if key in self._under_way:
            return False
        self._under_way.add(key)
        return True

    def _end(self, *key: str) -> None:
        self._under_way.remove(key)

    # --- orders ----------------------------------------------------------------------------------

    async def _find(self, find: _Find) -> None:
        order, asked_ns = find.order, find.asked_ns
        attempt = 0
        while True:
            protective = self._protective(order.order_id)
            # What protection repeats until this is answered must not take every turn before it.
            while not await self._gate.turn(
                protective=protective, wait_ns_max=None if protective else ORDINARY_WAIT_NS
            ):
                protective = True
            async with self._protective_room if protective else self._ordinary_room:
                waited_ns = self._clock.now().boot_ns - asked_ns
                find.asking = True
                answer = await self._answer(self._broker.find(order))
                find.asking = False
            if isinstance(answer, OrderSent):
                break
            # An absence counts only when it was asked for after the bound had passed.
            if isinstance(answer, OrderNotSent) and waited_ns >= order.absent_after_ns:
                break
            due_ns = asked_ns + order.absent_after_ns
            await self._pause(attempt, due_ns if isinstance(answer, OrderNotSent) else None)
            attempt += 1
        self._report(answer)

    async def _read_leg(self, leg: ReadLeg) -> None:
        answer = None
        while answer is None:  # only 429 gives none, and the gate then waits
            await self._gate.turn(protective=True, requests=LEG_REQUESTS)
            async with self._protective_room:
                answer = await self._answer(self._broker.read_leg(leg))
        self._report(answer)

    # --- the account -----------------------------------------------------------------------------

    async def _read_wanted(self) -> None:
        attempt = 0
        while self._account_wanted or self._positions_wanted:
            if self._account_wanted:
                self._account_wanted = False
                account = await self._account()
                self._account_wanted = self._account_wanted or account is None
                if account is not None:
                    self._report(account)
            # Positions mean nothing to a kernel that has not seen the account: they come after it.
            if self._positions_wanted and not self._account_wanted:
                timed, self._positions_wanted, self._timed_wanted = self._timed_wanted, False, False
                read = await self._positions(timed=timed)
                self._positions_wanted = self._positions_wanted or not read
                self._timed_wanted = self._timed_wanted or (timed and not read)
            if self._account_wanted or self._positions_wanted:
                await self._pause(attempt, None)
                attempt += 1

    async def _account(self) -> AccountSeen | None:
        """Protective, as the positions are: a plan that reads on and on must not keep the books
        from being compared, which may be what it waits for.
        """
        await self._gate.turn(protective=True)
        async with self._protective_room:
            return await self._answer(self._broker.account())

    async def _positions(self, *, timed: bool) -> bool:
        """Read positions and strangers' orders; False when it has to be tried again."""
        await self._gate.turn(protective=True, requests=POSITIONS_REQUESTS + timed)
        async with self._protective_room:
            before, halt_epoch = self._at_rest(), self._halt_epoch()
            if before is None:
                return False
            positions: PositionsSeen | None = await self._answer(
                self._broker.positions(timed=timed)
            )
            if positions is None or self._at_rest() != before:
                return False
            listed = await self._answer(self._broker.foreign_orders(_nobody))
            if listed is None:
                return False
        for order in listed:
            if not self._known(order.wire_id):
                self._report(order)
        if self._at_rest() != before:
            return False
        differing = self._compared(listed)
        if differing is not None:
            self._report(differing)
        missing = self._missing_from(listed)
        self._report(structs.replace(positions, missing=missing, halt_epoch=halt_epoch))
        return True

    def _missing_from(self, listed: Sequence[ForeignOrderSeen]) -> tuple[str, ...]:
        """The orders that would still work if we had been told of every end, and do not."""
        there = {order.broker_order_id for order in listed}
        gone = (order_id for order_id, at_broker in self._working() if at_broker not in there)
        return tuple(islice(gone, self.limits.missing_max))

    async def _orders_since(self, read: ReadOrdersSince) -> None:
        attempt = 0
        answer: OrdersSinceSeen | None = None
        foreign: Sequence[ForeignOrderSeen] | None = None if read.foreign else ()
        while answer is None or foreign is None:
            await self._gate.turn(protective=True, requests=1 + read.foreign)
            async with self._protective_room:
                if foreign is None:
                    foreign = await self._answer(self._broker.foreign_since(read.wall_ns))
                if answer is None:
                    answer = await self._answer(self._broker.orders_since(read.wall_ns))
            if answer is None or foreign is None:
                await self._pause(attempt, None)
                attempt += 1
        for order in reversed(foreign[: self.limits.foreign_max]):  # the oldest first
            self._report(order)
        self._report(answer)

    async def _read_executions(self, after: str | None) -> None:
        """An ordinary question, which waits for no longer than one about an order."""
        attempt = 0
        while True:
            if not await self._gate.turn(protective=False, wait_ns_max=ORDINARY_WAIT_NS):
                await self._gate.turn(protective=True)
            async with self._ordinary_room:
                seen = await self._answer(self._broker.executions(after))
            if seen is not None:
                break
            await self._pause(attempt, None)
            attempt += 1
        self._report(seen)

    # --- market data -----------------------------------------------------------------------------

    async def _watch(self, symbol: str) -> None:
        attempt = 0
        while True:
            try:
                async with self._ordinary_room:
                    await self._feed.watch(symbol)
            except (BrokerUnavailable, Throttled, OSError):
                await self._pause(attempt, None)
                attempt += 1
            else:
                self._watched.add(symbol)
                return

    # --- asking ----------------------------------------------------------------------------------

    async def _answer(self, asking: Awaitable[Answer]) -> Answer | None:
        """The answer; None when the broker could not be asked and the question stays open."""
        try:
            answer = await asking
        except Throttled as refusal:
            self._gate.throttled(refusal)
            return None
        except BrokerUnavailable:
            return None
        self._gate.accepted()
        return answer

    async def _pause(self, attempt: int, until_ns: int | None) -> None:
        """Wait before asking again, but not past `until_ns` while that lies ahead."""
        pause_ns = jittered_ns(
            attempt,
            first_ns=self.limits.again_ns_first,
            longest_ns=self.limits.again_ns_max,
            randbelow=self._randbelow,
        )
        if until_ns is not None:
            left_ns = until_ns - self._clock.now().boot_ns
            pause_ns = min(pause_ns, left_ns) if left_ns > 0 else pause_ns
        await asyncio.sleep(pause_ns / SECOND_NS)


def _nobody(_wire_id: str) -> bool:
    return False
