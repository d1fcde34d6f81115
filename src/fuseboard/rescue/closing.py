"""Closing one position: once, reduce-only, never through zero, by what the broker says alone.

Each close is written down before it is sent: the next start takes it into its book.

Before each send the broker is asked for what works against the position, for the position, and for
the close's own id, in this order (`AlpacaRequests.leg_read`). The id is derived from (trip, symbol,
attempt) as the gateway derives it: where the gateway had begun the same trip, its close and ours
are one order to the broker. Attempt n + 1 begins only when n is final, and when `Trying` says.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from fuseboard.brokers.alpaca_protection import AlpacaProtection, Touch
from fuseboard.brokers.alpaca_requests import AlpacaRequests
from fuseboard.halts.heartbeats import boot_ns
from fuseboard.rescue.asking import Asking, OutOfTime
from fuseboard.rescue.journal import TOOK_NOTHING
from fuseboard.rescue.outcome import Left
from fuseboard.rescue.terms import Terms
from fuseboard.rescue.trying import Trying
from fuseboard.vocabulary.closes import close_price_nanos, close_time_in_force, protective_side
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.effects import FindOrder, ReadLeg, SubmitOrder
from fuseboard.vocabulary.guardian_inputs import GuardianClose
from fuseboard.vocabulary.identifiers import close_ids
from fuseboard.vocabulary.inputs import LegRead, OrderNotSent, OrderSent, OrderUnknown
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.orders import (
    TERMINAL_STATUSES,
    Intent,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.trying import FAULTS, NOT_TAKEN, answered

ATTEMPTS_SEEN_MAX: Final = 2_000
"""Ids of earlier attempts that are stepped over, the gateway's among them."""
READS_MAX: Final = 60
"""Reads in a row that find something else working against the position."""
WAIT: Final = 3
"""The attempt whose backoff is a wait of less than half a second."""
COUNTED_NS: Final = NANOS
"""How long after a fill a broker's positions may be without it."""
QUOTE_S_MAX: Final = 3.0
"""How long a close waits for a quote; then the position's own price has to do."""

Answer = TypeVar("Answer")


def start_price_nanos(touch: Touch | None, side: Side, valued_nanos: int) -> int:
    """What a collar is laid around: the quote it trades against, else the position's own value."""
    quoted = 0 if touch is None else touch.bid_nanos if side is Side.SELL else touch.ask_nanos
    crossed = touch is not None and 0 < touch.ask_nanos < touch.bid_nanos
    return quoted if quoted > 0 and not crossed else valued_nanos


class Close:
    """One symbol's close within one trip. `run` to its end; it may be run again by another."""

    def __init__(
        self,
        *,
        trip: str,
        symbol: str,
        held_nanos: int | None,
        valued_nanos: int,
        terms: Terms,
        broker: AlpacaRequests,
        protection: AlpacaProtection,
        asking: Asking,
        room: asyncio.Semaphore,
        note: Callable[..., None],
    ) -> None:
        self._trip = trip
        self._symbol = symbol
        self._valued_nanos = valued_nanos
        self._terms = terms
        self._broker = broker
        self._protection = protection
        self._asking = asking
        self._room = room
        self._note = note
        self._trying = Trying(boot_ns())
        self._attempt = 1
        self._waits = 0
        self._at_once = False
        """Whether what was sent last was to trade at once or end."""
        self._sent_attempt = 0
        self._left_nanos = held_nanos
        self._why = ""
        self._doubt_until_ns = 0

    async def run(self) -> Left:
        """Close until flat, or until it is over; what is left is said, never raised."""
        try:
            while self._attempt <= ATTEMPTS_SEEN_MAX:
                while boot_ns() < self._trying.next_ns:
                    await self._asking.pause(WAIT, why=f"{self._symbol}: {NOT_TAKEN}")
                async with self._room:
                    is_over = await self._once()
                if is_over:
                    break
        except OutOfTime as late:
            self._why = late.says()
        why = self._why or f"not closed by {ATTEMPTS_SEEN_MAX} attempts" * bool(self._left_nanos)
        return Left(symbol=self._symbol, left_nanos=self._left_nanos, why=why)

    async def _once(self) -> bool:
        """One look at the broker and what follows from it; whether it is over."""
        asked_ns = boot_ns()
        leg = await self._heard(self._read)
        self._left_nanos = leg.position_nanos
        if leg.found is not None:
            await self._step_over(leg.found)
            return False
        over = self._trying.why_over(self._terms, boot_ns())
        self._waits = self._waits + 1 if abs(leg.position_nanos) <= leg.against_nanos else 0
        if leg.position_nanos == 0:
            return True
        if over or self._waits > READS_MAX:
            said = f" ({self._why})" if over == FAULTS and self._why else ""
            self._why = f"{over}{said}" if over else "something else works against the position"
            return True
        if self._waits or asked_ns < self._doubt_until_ns:
            await self._asking.pause(WAIT, why=self._why or "something else works against it")
            return False
        await self._send(leg.position_nanos, abs(leg.position_nanos) - leg.against_nanos)
        return False

    async def _step_over(self, found: OrderSent) -> None:
        """Go on behind the attempts that the broker has: only the last may still work."""
        last = partial(self._broker.last_found, self._find, (self._attempt, found))
        self._attempt, found = await self._heard(partial(last, most=ATTEMPTS_SEEN_MAX))
        ours = self._attempt == self._sent_attempt  # its answer was lost
        self._at_once &= ours
        if found.status not in TERMINAL_STATUSES:
            await self._worked(found)
        elif ours:
            self._answered(found.status, found.filled_quantity_nanos, taken_back=False)
        self._attempt += 1

    async def _heard(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """The call's answer; while there is none, the market is not asked either."""
        return await self._asking.answer(call, self._kept_away)

    def _kept_away(self, _why: str = "") -> None:
        """The market could not be asked: its time counts from now."""
        self._trying.since_ns = boot_ns()

    def _ids(self, attempt: int = 0) -> tuple[str, str, str]:
        """The client order id, our order id and the wire id of an attempt, or of the present."""
        return close_ids(
            instance=self._terms.instance,
            account=self._terms.account,
            trip=self._trip,
            symbol=self._symbol,
            attempt=attempt or self._attempt,
        )

    async def _read(self) -> LegRead:
        _, ours, wire = self._ids()
        leg = ReadLeg(
            trip=self._trip,
            symbol=self._symbol,
            attempt=self._attempt,
            order_id=ours,
            wire_id=wire,
        )
        return await self._broker.leg_read(leg)

    async def _send(self, position_nanos: int, open_nanos: int) -> None:
        """One close of the present attempt. In doubt, the same id is looked for, then sent again:
        the broker takes an id once.
        """
        side = protective_side(position_nanos)
        start_nanos = start_price_nanos(await self._quote(), side, self._valued_nanos)
        assert 0 < open_nanos <= abs(position_nanos), "a close may not be larger than the position"
        order = self._order(side, open_nanos, start_nanos)
        self._at_once = order.time_in_force is TimeInForce.IOC
        self._sent_attempt = self._attempt
        close = GuardianClose.of(order, trip=self._trip, at_wall_ns=time.time_ns())
        limit_nanos = order.limit_price_nanos
        price = "the market" if limit_nanos is None else text_from_nanos(limit_nanos)
        what = f"{side.value} {text_from_nanos(open_nanos)} {self._symbol} at {price}"
        self._note("close", detail=what, close=close)
        self._trying.sent_boot_ns = boot_ns()
        outcome = await self._heard(lambda: self._broker.submit(order, lambda: True))
        if isinstance(outcome, OrderSent):
            await self._worked(outcome)
            self._attempt += 1
        elif isinstance(outcome, OrderUnknown):
            self._why = outcome.detail
            self._doubt_until_ns = boot_ns() + self._terms.absent_after_ns
        elif outcome.reason is Reason.BROKER_REJECTED:
            self._why = f"the broker rejected it: {outcome.message}"
            self._answered(OrderStatus.REJECTED, 0, taken_back=False)
            self._attempt += 1
        else:  # nothing left: the same attempt again
            self._why = outcome.message
            self._kept_away()
            await self._asking.pause(5, why=outcome.message)

    async def _quote(self) -> Touch | None:
        """The latest quote; None also where the data host does not tell it in time."""
        touch = partial(self._protection.touch, self._symbol)
        try:
            return await self._asking.answer_within(QUOTE_S_MAX, touch)
        except OutOfTime:
            return None

    def _order(self, side: Side, quantity_nanos: int, start_nanos: int) -> SubmitOrder:
        price_nanos = None
        if start_nanos > 0:
            price_nanos = close_price_nanos(
                self._symbol,
                start_nanos,
                side,
                first_nanos=self._terms.close_collar_nanos,
                most_nanos=self._terms.close_collar_nanos_max,
                tries=self._trying.tries,
                rests=self._trying.rests,
            )
        at_once = price_nanos is not None and not (self._trying.rests or self._trying.rests_only)
        time_in_force = close_time_in_force(self._symbol, quantity_nanos, at_once=at_once)
        client_order_id, ours, wire = self._ids()
        return SubmitOrder(
            order_id=ours,
            wire_id=wire,
            symbol=self._symbol,
            side=side,
            order_type=OrderType.MARKET if price_nanos is None else OrderType.LIMIT,
            time_in_force=time_in_force,
            quantity_nanos=quantity_nanos,
            intent=Intent.PLAN,
            raises_exposure=False,
            halt_epoch=0,
            client_order_id=client_order_id,
            limit_price_nanos=price_nanos,
        )

    async def _worked(self, sent: OrderSent) -> None:
        """Wait until an order of ours is final: by itself, else cancelled after its time."""
        self._why = ""
        ends_ns = boot_ns() + self._terms.close_wait_ns
        attempt, taken_back = 0, False
        while sent.status not in TERMINAL_STATUSES:
            if boot_ns() >= ends_ns:
                taken_back = True
                await self._asking.answer(partial(self._protection.cancel, sent.broker_order_id))
            await self._asking.pause(attempt, why="a close does not become final")
            attempt += 1
            sent = await self._heard(self._found)
        filled_nanos = sent.filled_quantity_nanos
        self._answered(sent.status, filled_nanos, taken_back=taken_back)
        if filled_nanos == 0:
            self._note(TOOK_NOTHING, detail=self._ids()[0])

    def _answered(self, status: OrderStatus, filled_nanos: int, *, taken_back: bool) -> None:
        if filled_nanos > 0:  # positions may be read without it for a moment
            self._doubt_until_ns = boot_ns() + COUNTED_NS
        self._trying.next_ns = answered(
            self._trying,
            status,
            filled_nanos,
            now_ns=boot_ns(),
            since_ns=self._trying.since_ns,
            taken_back=taken_back,
            at_once=self._at_once,
        )

    def _find(self, attempt: int) -> FindOrder:
        _, ours, wire = self._ids(attempt)
        return FindOrder(order_id=ours, wire_id=wire, absent_after_ns=self._terms.absent_after_ns)

    async def _found(self) -> OrderSent:
        found = await self._broker.find(self._find(self._attempt))
        if isinstance(found, OrderSent):
            return found
        said = found.reason.value if isinstance(found, OrderNotSent) else found.detail
        raise BrokerUnavailable(f"the close is not to be found: {said}")
