"""A strategy of the lab as a client: the same four methods against any broker and feed.

What it is told and what it wants are as in a trial: one quote and one trade a symbol in a slice,
answers later, the time of the market on each. Its broker is meant to be a gateway: what the gate
denies comes back as an order's end. In shadow nothing is sent: each order is said, and ends at
once as denied by `shadow`.

Positions are compared with the broker's now and then: what has gone without an order of the
strategy's was closed by the gate, or by somebody else, and is told as such.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

from fuseboard.feeds.tapes.tape import TapeQuote, TapeTrade
from fuseboard.lab.conflating import Conflating
from fuseboard.lab.signals import Signals
from fuseboard.lab.strategy import Cancel, End, Fill, Intent, Place
from fuseboard.vocabulary.doors import Broker, BrokerFact, BrokerUnavailable, Feed, Throttled
from fuseboard.vocabulary.effects import CancelOrder, SubmitOrder
from fuseboard.vocabulary.identifiers import OrderIds
from fuseboard.vocabulary.inputs import (
    UNNAMED,
    FillReported,
    ForeignOrderSeen,
    OrderEnded,
    OrderNotSent,
    OrderSent,
)
from fuseboard.vocabulary.market_inputs import MarketFact, QuoteSeen, TradeSeen
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.orders import Intent as OrderIntent
from fuseboard.vocabulary.orders import Side

SLICE_S: Final = 0.01
COMPARE_EVERY_S: Final = 10.0
UNDER_WAY_MAX: Final = 64
"""Requests to the broker at a time; what else is wanted then is denied as `busy`."""
ENDED_MAX: Final = 4_096


class AlreadyHeld(ValueError):
    """The account holds what the strategy would trade; the message says what to do."""


class _Order:
    __slots__ = ("broker_order_id", "filled_nanos", "place", "unwanted")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.broker_order_id: str | None = None
        self.filled_nanos = 0
        self.unwanted = False


class LivePlay:
    """One strategy at one broker. `say` is for people; `shadow` sends nothing."""

    def __init__(
        self,
        *,
        name: str,
        symbols: tuple[str, ...],
        instance: str,
        broker: Broker,
        feed: Feed,
        say: Callable[[str], None],
        shadow: bool = False,
        compare_every_s: float = COMPARE_EVERY_S,
    ) -> None:
        self._name = name
        self._symbols = symbols
        self._ids = OrderIds(instance=instance, account="")
        self._broker = broker
        self._feed = feed
        self._say = say
        self._shadow = shadow
        self._compare_every_s = compare_every_s
        self._signals: Signals
        self._conflating = Conflating()
        self._outcomes: list[Fill | End] = []
        self._orders: dict[str, _Order] = {}
        """By our order id, while they are not over."""
        self._own_ids: dict[str, str] = {}
        self._held = dict.fromkeys(symbols, 0)
        self._prices: dict[str, int] = {}
        self._differed: dict[str, int] = {}
        self._at_ns = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._fault: BaseException | None = None

    async def run(self, signals: Signals) -> None:
        """Play until cancelled. Raises what the strategy raises, and `AlreadyHeld`."""
        self._signals = signals
        await self._must_be_flat()
        await self._broker.start(self._heard)
        await self._feed.start(self._seen)
        try:
            for symbol in self._symbols:
                await self._feed.watch(symbol)
            await self._play()
        finally:
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._feed.stop()
            await self._broker.stop()

    async def _must_be_flat(self) -> None:
        seen = await self._broker.positions()
        there = [*(at.symbol for at in seen.positions), *seen.unread]
        held = [symbol for symbol in there if symbol in self._held or symbol == UNNAMED]
        if held:
            raise AlreadyHeld(
                f"the account holds {', '.join(held)} already, and a strategy of the lab begins"
                " flat: close that first, or name other --symbols"
            )

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        compare_at_s = loop.time() + self._compare_every_s
        while True:
            await asyncio.sleep(SLICE_S)
            if self._fault is not None:
                raise self._fault
            self._tell()
            if loop.time() >= compare_at_s:
                await self._compare()
                compare_at_s = loop.time() + self._compare_every_s

    # --- what comes ------------------------------------------------------------------------------

    def _seen(self, fact: MarketFact) -> None:
        if isinstance(fact, QuoteSeen):
            self._at_ns = max(self._at_ns, fact.event_ns)
            self._prices[fact.symbol] = (fact.bid_nanos + fact.ask_nanos) // 2
            self._conflating.quote(
                TapeQuote(
                    symbol=fact.symbol,
                    at_ns=fact.event_ns,
                    bid_nanos=fact.bid_nanos,
                    ask_nanos=fact.ask_nanos,
                    bid_size_nanos=fact.bid_size_nanos,
                    ask_size_nanos=fact.ask_size_nanos,
                )
            )
        elif isinstance(fact, TradeSeen):
            self._at_ns = max(self._at_ns, fact.event_ns)
            self._conflating.trade(
                TapeTrade(
                    symbol=fact.symbol,
                    at_ns=fact.event_ns,
                    price_nanos=fact.price_nanos,
                    size_nanos=fact.size_nanos,
                )
            )

    def _heard(self, fact: BrokerFact) -> None:
        if isinstance(fact, FillReported):
            self._filled(fact)
        elif isinstance(fact, OrderEnded):
            order = self._orders.pop(fact.order_id, None)
            if order is not None:
                self._ended(order.place, fact.status.value, message=fact.message, order=order)
        elif isinstance(fact, ForeignOrderSeen) and not (fact.terms and fact.terms.ended):
            self._say(f"an order that is not ours: {fact.symbol} {fact.wire_id}")

    def _filled(self, fact: FillReported) -> None:
        order = self._orders.get(fact.order_id)
        if order is None or fact.filled_quantity_nanos <= order.filled_nanos:
            return
        place = order.place
        new_nanos = fact.filled_quantity_nanos - order.filled_nanos
        order.filled_nanos = fact.filled_quantity_nanos
        self._held[place.symbol] += new_nanos if place.side is Side.BUY else -new_nanos
        if fact.final:
            del self._orders[fact.order_id]
        self._say(
            f"filled {_text(place.side, new_nanos, place.symbol)} at"
            f" {text_from_nanos(fact.price_nanos)}: {place.own_id}"
        )
        self._outcomes.append(
            Fill(
                symbol=place.symbol,
                at_ns=self._at_ns,
                own_id=place.own_id,
                side=place.side,
                quantity_nanos=new_nanos,
                price_nanos=fact.price_nanos,
                position_nanos=self._held[place.symbol],
                whole=fact.final,
            )
        )

    def _ended(
        self,
        place: Place,
        how: str,
        *,
        code: str = "",
        message: str = "",
        order: _Order | None = None,
    ) -> None:
        said = ": ".join(part for part in (code, message) if part)
        self._say(f"{how} {place.own_id}" + (f" ({said})" if said else ""))
        self._outcomes.append(
            End(
                symbol=place.symbol,
                at_ns=self._at_ns,
                own_id=place.own_id,
                how=how,
                code=code,
                message=message,
                filled_nanos=0 if order is None else order.filled_nanos,
            )
        )

    # --- what goes -------------------------------------------------------------------------------

    def _tell(self) -> None:
        signals = self._signals
        outcomes, self._outcomes = self._outcomes, []
        for outcome in outcomes:
            if isinstance(outcome, Fill):
                self._want(signals.on_fill(outcome))
            else:
                self._want(signals.on_end(outcome))
        trades, quotes = self._conflating.taken(self._at_ns)
        for trade in trades:
            self._want(signals.on_trade(trade))
        for quote in quotes:
            self._want(signals.on_quote(quote))

    def _want(self, intents: Sequence[Intent]) -> None:
        for intent in intents:
            if isinstance(intent, Place):
                self._place(intent)
            else:
                self._cancel(intent)

    def _place(self, place: Place) -> None:
        self._say(f"{_order_text(place)}: {place.own_id}")
        if self._shadow:
            self._ended(place, "denied", code="shadow", message="nothing is sent in shadow")
            return
        if len(self._tasks) >= UNDER_WAY_MAX:
            self._ended(place, "denied", code="busy", message="too many requests are under way")
            return
        order_id = self._ids.order_id(self._name, place.own_id)
        order = self._orders[order_id] = _Order(place)
        self._own_ids[place.own_id] = order_id
        while len(self._own_ids) > ENDED_MAX + len(self._orders):
            del self._own_ids[next(iter(self._own_ids))]
        self._start(self._submitted(order_id, order))

    def _cancel(self, cancel: Cancel) -> None:
        order_id = self._own_ids.get(cancel.own_id, "")
        order = self._orders.get(order_id)
        if order is None:
            return  # it is over, and that was told
        self._say(f"cancel {cancel.own_id}")
        order.unwanted = True
        if order.broker_order_id is not None:
            self._start(self._cancelled(order_id, order.broker_order_id))

    async def _submitted(self, order_id: str, order: _Order) -> None:
        place = order.place
        submit = SubmitOrder(
            order_id=order_id,
            wire_id=self._ids.wire_prefix + order_id,
            symbol=place.symbol,
            side=place.side,
            order_type=place.order_type,
            time_in_force=place.time_in_force,
            quantity_nanos=place.quantity_nanos,
            intent=OrderIntent.OPEN,
            raises_exposure=True,
            halt_epoch=0,
            limit_price_nanos=place.limit_price_nanos,
            stop_price_nanos=place.stop_price_nanos,
        )
        try:
            outcome = await self._broker.submit(submit, lambda: True)
        except Throttled:
            self._not_taken(order_id, "rate_limited", "the request limit is reached")
            return
        if isinstance(outcome, OrderNotSent):
            self._not_taken(order_id, outcome.reason.value, outcome.message)
        elif isinstance(outcome, OrderSent):
            order.broker_order_id = outcome.broker_order_id
            if order.unwanted and order_id in self._orders:
                await self._cancelled(order_id, outcome.broker_order_id)
        else:
            self._say(f"in doubt {place.own_id}: {outcome.detail}")

    def _not_taken(self, order_id: str, code: str, message: str) -> None:
        order = self._orders.pop(order_id, None)
        if order is not None:
            self._ended(order.place, "denied", code=code, message=message)

    async def _cancelled(self, order_id: str, broker_order_id: str) -> None:
        try:
            await self._broker.cancel(
                CancelOrder(order_id=order_id, broker_order_id=broker_order_id)
            )
        except Throttled:
            order = self._orders.get(order_id)
            self._say(f"not cancelled: {order.place.own_id if order else order_id}: request limit")

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._fault = self._fault or task.exception()

    # --- what others did -------------------------------------------------------------------------

    async def _compare(self) -> None:
        """Tell what is gone, once two readings say the same and nothing of ours is under way."""
        if self._tasks or self._shadow:
            return
        held = dict(self._held)
        try:
            seen = await self._broker.positions()
        except (BrokerUnavailable, Throttled):
            return
        if self._tasks or held != self._held:
            return  # an order of ours moved meanwhile: the reading is of no moment
        there = {at.symbol: at.quantity_nanos for at in seen.positions}
        for symbol, ours_nanos in held.items():
            if symbol in seen.unread or UNNAMED in seen.unread:
                continue  # what cannot be read is not gone
            theirs_nanos = there.get(symbol, 0)
            if theirs_nanos == ours_nanos:
                self._differed.pop(symbol, None)
            elif self._differed.get(symbol) == theirs_nanos:
                del self._differed[symbol]
                self._closed(symbol, ours_nanos, theirs_nanos)
            else:
                self._differed[symbol] = theirs_nanos

    def _closed(self, symbol: str, ours_nanos: int, theirs_nanos: int) -> None:
        moved_nanos = theirs_nanos - ours_nanos
        side = Side.BUY if moved_nanos > 0 else Side.SELL
        self._held[symbol] = theirs_nanos
        self._say(f"not by us: {_text(side, abs(moved_nanos), symbol)}")
        self._outcomes.append(
            Fill(
                symbol=symbol,
                at_ns=self._at_ns,
                own_id="",
                side=side,
                quantity_nanos=abs(moved_nanos),
                price_nanos=self._prices.get(symbol, 0),
                position_nanos=theirs_nanos,
                whole=True,
            )
        )


def _text(side: Side, quantity_nanos: int, symbol: str) -> str:
    return f"{side.value} {text_from_nanos(quantity_nanos)} {symbol}"


def _order_text(place: Place) -> str:
    limit_nanos = place.limit_price_nanos
    price = "at market" if limit_nanos is None else f"limit {text_from_nanos(limit_nanos)}"
    return f"{_text(place.side, place.quantity_nanos, place.symbol)} {price}"
