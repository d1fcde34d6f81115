"""What a liquidation cost: against the middle at its trip, and against selling all at once then.

The comparison is a market order for the whole position in a book of its own, which shows what the
tape showed at the trip and is shown every later quote: the exchange's own rules, without our
orders, without latency, which favours the comparison. Half a day later it may still not be filled:
what was filled is said beside the average.
"""

from msgspec import Struct, field

from fuseboard.exchange.book import SymbolBook
from fuseboard.exchange.orders import Against, Order, Ticket
from fuseboard.feeds.tapes.tape import TapeQuote
from fuseboard.lab.result import LiquidatedSymbol, Liquidation
from fuseboard.vocabulary.effects import PublishOrder
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce


class _Leg(Struct):
    """One symbol of one plan."""

    symbol: str
    quantity_nanos: int
    arrival_nanos: int
    book: SymbolBook
    at_once: Order
    closed_nanos: int = 0
    proceeds_attos: int = 0

    def outcome(self) -> LiquidatedSymbol:
        sign = 1 if self.quantity_nanos > 0 else -1
        average_nanos = 0
        if self.closed_nanos:
            average_nanos = abs(self.proceeds_attos) // self.closed_nanos
        at_once_nanos = self.at_once.average_price_nanos
        return LiquidatedSymbol(
            symbol=self.symbol,
            quantity_nanos=self.quantity_nanos,
            closed_nanos=self.closed_nanos,
            arrival_nanos=self.arrival_nanos,
            average_nanos=average_nanos,
            at_once_nanos=at_once_nanos,
            at_once_filled_nanos=self.at_once.filled_nanos,
            slippage_nanos=_slippage(self.arrival_nanos, average_nanos, sign),
            at_once_slippage_nanos=_slippage(self.arrival_nanos, at_once_nanos, sign),
        )


class _Plan(Struct):
    trip: str
    scope: str
    began_ns: int
    legs: dict[str, _Leg] = field(default_factory=dict)
    ended_ns: int = 0
    left: tuple[str, ...] = ()


class Liquidating:
    """Follows every plan of a trial."""

    def __init__(self) -> None:
        self._plans: dict[str, _Plan] = {}
        self._scopes: dict[str, str] = {}
        self._books: dict[str, list[SymbolBook]] = {}

    def tripped(self, trip: str, scope: str) -> None:
        """A fuse tripped; perhaps a plan follows."""
        self._scopes[trip] = scope

    def stage(
        self,
        plan: RecordPlan,
        at_ns: int,
        *,
        positions: dict[str, int],
        quotes: dict[str, TapeQuote],
        marks: dict[str, int],
    ) -> None:
        """A plan begins, goes on or ends. `positions` are those of this moment."""
        known = self._plans.get(plan.trip)
        if known is None:
            scope = self._scopes.get(plan.trip, "")
            known = self._plans[plan.trip] = _Plan(plan.trip, scope, at_ns)
            only = scope.removeprefix("symbol:") if scope.startswith("symbol:") else ""
            for symbol, quantity_nanos in positions.items():
                if only in ("", symbol):
                    leg = self._leg(symbol, quantity_nanos, quotes.get(symbol), marks, at_ns)
                    known.legs[symbol] = leg
        if plan.stage in ("ended", "frozen"):
            known.ended_ns, known.left = at_ns, plan.left
        else:
            known.ended_ns = 0

    def filled(self, order: PublishOrder) -> None:
        """A plan's order traded."""
        trip = trip_of_close(order)
        leg = self._plans[trip].legs.get(order.symbol) if trip in self._plans else None
        if leg is None:
            return
        sign = 1 if order.side is Side.SELL else -1
        leg.closed_nanos += order.fill_quantity_nanos
        leg.proceeds_attos += sign * order.fill_quantity_nanos * order.fill_price_nanos

    def on_quote(self, quote: TapeQuote) -> None:
        """A later quote: what is left of an order at once takes from it."""
        books = self._books.get(quote.symbol)
        if books:
            for book in books:
                book.show_quote(quote, _always)

    def outcomes(self) -> tuple[Liquidation, ...]:
        """What each came to."""
        return tuple(_outcome(plan) for plan in self._plans.values())

    def _leg(
        self,
        symbol: str,
        quantity_nanos: int,
        quote: TapeQuote | None,
        marks: dict[str, int],
        at_ns: int,
    ) -> _Leg:
        book = SymbolBook(symbol, None, _fill)
        if quote is not None:
            book.show_quote(quote, _always)
        order = _market_order(symbol, quantity_nanos, at_ns)
        book.arrive(order)
        if order.remaining_nanos:
            book.rest(order)
            self._books.setdefault(symbol, []).append(book)
        return _Leg(symbol, quantity_nanos, marks.get(symbol, 0), book, order)


def trip_of_close(order: PublishOrder) -> str:
    """The trip that a close's client order id was derived from (`close/TRIP/SYMBOL/ATTEMPT`)."""
    without_attempt = order.client_order_id.removeprefix("close/").rpartition("/")[0]
    return without_attempt.removesuffix(f"/{order.symbol}")


def _market_order(symbol: str, quantity_nanos: int, at_ns: int) -> Order:
    return Order(
        order_id="at-once",
        number=1,
        ticket=Ticket(
            client_order_id="at-once",
            symbol=symbol,
            side=Side.SELL if quantity_nanos > 0 else Side.BUY,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.GTC,
            quantity_nanos=abs(quantity_nanos),
        ),
        opens=False,
        reserve_price_nanos=0,
        created_ns=at_ns,
        updated_ns=at_ns,
    )


def _fill(order: Order, price_nanos: int, quantity_nanos: int, against: Against) -> None:
    del against
    order.filled_nanos += quantity_nanos
    order.filled_attos += quantity_nanos * price_nanos


def _always(order: Order) -> bool:
    del order
    return True


def _slippage(arrival_nanos: int, average_nanos: int, sign: int) -> int:
    """Of the arrival price, rounded against us; 0 where nothing traded or nothing was known."""
    if arrival_nanos == 0 or average_nanos == 0:
        return 0
    return -((average_nanos - arrival_nanos) * sign * NANOS // arrival_nanos)


def _outcome(plan: _Plan) -> Liquidation:
    legs = tuple(leg.outcome() for leg in plan.legs.values())
    proceeds_attos = sum(leg.proceeds_attos for leg in plan.legs.values())
    value = lost = at_once_value = at_once_lost = 0
    for each in legs:
        sign = 1 if each.quantity_nanos > 0 else -1
        value += each.closed_nanos * each.arrival_nanos
        lost += sign * each.closed_nanos * (each.arrival_nanos - each.average_nanos)
        filled_nanos = each.at_once_filled_nanos
        at_once_value += filled_nanos * each.arrival_nanos
        at_once_lost += sign * filled_nanos * (each.arrival_nanos - each.at_once_nanos)
    return Liquidation(
        trip=plan.trip,
        scope=plan.scope,
        began_ns=plan.began_ns,
        ended_ns=plan.ended_ns,
        symbols=legs,
        arrival_value_nanos=sum(abs(leg.quantity_nanos) * leg.arrival_nanos for leg in legs)
        // NANOS,
        proceeds_nanos=proceeds_attos // NANOS,
        slippage_nanos=-(-lost * NANOS // value) if value else 0,
        at_once_slippage_nanos=-(-at_once_lost * NANOS // at_once_value) if at_once_value else 0,
        left=plan.left,
    )
