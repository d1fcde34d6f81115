"""One symbol's book: what the tape displays, and our orders against it.

Theory of operation. The tape gives the best bid and ask with sizes, where it can the levels behind
them, and prints. Our orders never change what the tape shows; they take from the displayed sizes,
each of which comes back only with the next quote. Among themselves our orders go by price, then by
time of acceptance. A tape without levels displays one level of each side.

- An order that arrives walks the far side's levels, the best first, as far as its limit reaches,
  and takes what is displayed at each, at that level's price: one fill a level. What is left of it
  rests (IOC: is cancelled by the exchange; FOK: takes all or nothing).
- A resting limit order whose price the far side reaches is filled at its own price, from the sizes
  of all levels that it reaches, the best first.
- A resting limit order is filled at its own price by a print beyond it. A print at its price first
  uses up what was displayed there before it; that quantity is known from the moment its price is
  among the displayed ones (nothing where it lies between two levels), and shrinks when less is
  displayed. Behind the last displayed level it is not known.
- What is left of a market order takes from each further quote, again level by level. With
  `left_takes` so does what is left of a limit order that reached the far side when it arrived, as
  far as its limit reaches: no print fills it, and it trades at what is displayed.

Where both sides of a print are possible (the record names no aggressor), both sides' orders are
judged by it. Prints do not reduce the displayed sizes: the next quote does. What is quoted and what
an order would reserve is the best level, also when we have taken all of it.
"""

from bisect import insort
from collections.abc import Callable

from fuseboard.exchange.orders import Against, Order
from fuseboard.feeds.tapes.tape import TapeLevels, TapeQuote, TapeTrade
from fuseboard.vocabulary.orders import Side, TimeInForce

Levels = list[list[int]]
"""Price and what is left of it, of each level behind the best, the best first."""
FillOrder = Callable[[Order, int, int, Against], None]
"""Called with the order, the price and the quantity; the order has it afterwards."""


class SymbolBook:
    """The displayed market of one symbol and the orders that rest in it."""

    def __init__(
        self,
        symbol: str,
        prior_close_nanos: int | None,
        fill: FillOrder,
        *,
        left_takes: bool = False,
    ) -> None:
        self.symbol = symbol
        self._left_takes = left_takes
        self._taking: dict[str, None] = {}
        """Limit orders that reached the far side when they arrived and go on taking."""
        self.prior_close_nanos = prior_close_nanos
        self.bid_nanos = 0
        self.ask_nanos = 0
        self.bid_size_nanos = 0
        self.ask_size_nanos = 0
        self.quoted_ns: int | None = None
        self.last_nanos: int | None = None
        self.last_ns: int | None = None
        self._bids_behind: Levels = []
        self._asks_behind: Levels = []
        self._fill = fill
        self._resting: dict[Side, list[Order]] = {Side.BUY: [], Side.SELL: []}
        self._stops: list[Order] = []

    # --- what the market is worth ----------------------------------------------------------------

    def mark_nanos(self) -> int | None:
        """The last trade; before one, the middle of the quote; before that, the prior close."""
        if self.last_nanos is not None:
            return self.last_nanos
        if self.bid_nanos and self.ask_nanos:
            return (self.bid_nanos + self.ask_nanos) // 2
        return self.prior_close_nanos

    def far_price_nanos(self, side: Side) -> int:
        """What an order of this side would trade at; 0 when nothing was ever quoted there."""
        return self.ask_nanos if side is Side.BUY else self.bid_nanos

    def far_size_nanos(self, side: Side) -> int:
        """How much of it is displayed at the best level and not yet taken."""
        if self.far_price_nanos(side) == 0:
            return 0
        return self.ask_size_nanos if side is Side.BUY else self.bid_size_nanos

    # --- the tape --------------------------------------------------------------------------------

    def show_quote(self, quote: TapeQuote, trading: Callable[[Order], bool]) -> None:
        """Take a new quote, which replenishes all sizes, and fill what it reaches."""
        self.bid_nanos, self.bid_size_nanos = quote.bid_nanos, quote.bid_size_nanos
        self.ask_nanos, self.ask_size_nanos = quote.ask_nanos, quote.ask_size_nanos
        bids, asks = quote.bids, quote.asks
        self._bids_behind = _behind(bids, self.bid_nanos, self.bid_size_nanos) if bids else []
        self._asks_behind = _behind(asks, self.ask_nanos, self.ask_size_nanos) if asks else []
        self.quoted_ns = quote.at_ns
        self.show_again(trading)

    def show_again(self, trading: Callable[[Order], bool]) -> None:
        """What rests meets what is displayed: a new quote, or trading that has resumed."""
        for side in (Side.BUY, Side.SELL):
            for order in list(self._resting[side]):
                nothing_left = self.far_size_nanos(side) == 0 and not self._far_behind(side)
                if nothing_left or not self._reaches_far(order):
                    break
                if trading(order):
                    self._take_displayed(order, resting=True)
            self._follow_queue(side)

    def print_trade(self, trade: TapeTrade, trading: Callable[[Order], bool]) -> list[Order]:
        """Take a print, fill what it reaches, and return the stops that it triggers, by time."""
        price_nanos = trade.price_nanos
        self.last_nanos, self.last_ns = price_nanos, trade.at_ns
        left_nanos = trade.size_nanos
        for side in (Side.BUY, Side.SELL):
            if trade.aggressor is not side:
                left_nanos = self._fill_from_print(side, price_nanos, left_nanos, trading)
        triggered = [o for o in self._stops if trading(o) and _stop_reached(o, price_nanos)]
        for order in triggered:
            self._stops.remove(order)
            order.triggered = True
        return triggered

    # --- orders ----------------------------------------------------------------------------------

    def arrive(self, order: Order) -> None:
        """An order, or a stop that was triggered, reaches the market while it trades."""
        if self._reaches_far(order):
            all_or_nothing = order.ticket.time_in_force is TimeInForce.FOK
            if not all_or_nothing or self._left_for(order) >= order.remaining_nanos:
                self._take_displayed(order, resting=False)

    def rest(self, order: Order) -> None:
        """Put an order, or what is left of it, into the book."""
        assert order.remaining_nanos > 0, "only what is left can rest"
        if order.waits_for_stop:
            insort(self._stops, order, key=lambda each: each.number)
            return
        if order.priced_at_nanos is not None:
            order.queue_ahead_nanos = self._queue_at(order)
            if self._left_takes and self._reaches_far(order):
                self._taking[order.order_id] = None
        insort(self._resting[order.ticket.side], order, key=_priority)

    def remove(self, order: Order) -> None:
        """Take an order out, wherever it rests; nothing happens when it does not."""
        self._taking.pop(order.order_id, None)
        for orders in (self._resting[order.ticket.side], self._stops):
            if order in orders:
                orders.remove(order)

    def stop_reached(self, order: Order) -> bool:
        """Whether the last trade is already at or beyond its stop price."""
        return self.last_nanos is not None and _stop_reached(order, self.last_nanos)

    # --- matching --------------------------------------------------------------------------------

    def _reaches_far(self, order: Order) -> bool:
        far_nanos = self.far_price_nanos(order.ticket.side)
        return far_nanos != 0 and _reaches(order, far_nanos)

    def _far_behind(self, side: Side) -> Levels:
        return self._asks_behind if side is Side.BUY else self._bids_behind

    def _left_for(self, order: Order) -> int:
        """What is left of all levels that an order reaches, the best of which it does."""
        side = order.ticket.side
        deeper = sum(left for price, left in self._far_behind(side) if _reaches(order, price))
        return self.far_size_nanos(side) + deeper

    def _take_displayed(self, order: Order, *, resting: bool) -> None:
        """Fill from the far side's displayed sizes, which shrink by as much.

        An order that rested trades at its own price, one that arrives at the displayed ones.
        """
        side = order.ticket.side
        makes = resting and order.order_id not in self._taking
        own_nanos = order.priced_at_nanos if makes else None
        quantity_nanos = min(order.remaining_nanos, self.far_size_nanos(side))
        if quantity_nanos:
            if side is Side.BUY:
                self.ask_size_nanos -= quantity_nanos
            else:
                self.bid_size_nanos -= quantity_nanos
            price_nanos = own_nanos or self.far_price_nanos(side)
            self._fill(order, price_nanos, quantity_nanos, Against.QUOTE)
        for level in self._far_behind(side):
            price_nanos, left_nanos = level
            if order.remaining_nanos == 0 or not _reaches(order, price_nanos):
                break
            quantity_nanos = min(order.remaining_nanos, left_nanos)
            if quantity_nanos:
                level[1] -= quantity_nanos
                self._fill(order, own_nanos or price_nanos, quantity_nanos, Against.QUOTE)
        self._drop_if_filled(order)

    def _fill_from_print(
        self, side: Side, price_nanos: int, size_nanos: int, trading: Callable[[Order], bool]
    ) -> int:
        """Share one print's size among the resting orders that it reaches; what is left of it."""
        left_nanos = size_nanos
        for order in list(self._resting[side]):
            limit_nanos = order.priced_at_nanos
            if limit_nanos is None or order.order_id in self._taking or not trading(order):
                continue
            beyond = price_nanos - limit_nanos if side is Side.SELL else limit_nanos - price_nanos
            if beyond < 0 or left_nanos == 0:
                break
            ahead_nanos = 0 if beyond > 0 else order.queue_ahead_nanos
            if ahead_nanos is None:
                continue
            usable_nanos = left_nanos - ahead_nanos
            if beyond == 0:
                order.queue_ahead_nanos = max(ahead_nanos - left_nanos, 0)
            if usable_nanos > 0:
                quantity_nanos = min(usable_nanos, order.remaining_nanos)
                left_nanos -= quantity_nanos
                self._fill(order, limit_nanos, quantity_nanos, Against.TRADE)
                self._drop_if_filled(order)
        return left_nanos

    def _drop_if_filled(self, order: Order) -> None:
        if order.remaining_nanos == 0:
            self.remove(order)

    # --- the place in the queue ------------------------------------------------------------------

    def _queue_at(self, order: Order) -> int | None:
        """What trades before a limit order: all that is displayed at its price; None: not known.

        Not known is only what lies behind the last level of its own side.
        """
        limit_nanos = order.priced_at_nanos
        assert limit_nanos is not None
        buying = order.ticket.side is Side.BUY
        near_nanos = self.bid_nanos if buying else self.ask_nanos
        if limit_nanos == near_nanos:
            return self.bid_size_nanos if buying else self.ask_size_nanos
        better = limit_nanos > near_nanos if buying else limit_nanos < near_nanos or near_nanos == 0
        if better:
            return 0
        for price_nanos, left_nanos in self._bids_behind if buying else self._asks_behind:
            if price_nanos == limit_nanos:
                return left_nanos
            if price_nanos < limit_nanos if buying else price_nanos > limit_nanos:
                return 0
        return None

    def _follow_queue(self, side: Side) -> None:
        """After a quote: nobody can be behind more than is displayed at his price."""
        for order in self._resting[side]:
            if order.priced_at_nanos is None:
                continue
            shown = self._queue_at(order)
            if shown is None:
                return
            before = order.queue_ahead_nanos
            order.queue_ahead_nanos = shown if before is None else min(before, shown)


def _behind(levels: TapeLevels, price_nanos: int, size_nanos: int) -> Levels:
    """The levels behind the best, which must be the quote itself."""
    assert levels[0] == (price_nanos, size_nanos), "the first level is the quote"
    return [[price, size] for price, size in levels[1:]]


def _reaches(order: Order, far_nanos: int) -> bool:
    limit_nanos = order.priced_at_nanos
    if limit_nanos is None:
        return True
    return far_nanos <= limit_nanos if order.ticket.side is Side.BUY else far_nanos >= limit_nanos


def _priority(order: Order) -> tuple[int, int]:
    """Sorts the best first: any price, then the better price, then the earlier order."""
    limit_nanos = order.priced_at_nanos
    if limit_nanos is None:
        return (-(1 << 80), order.number)
    return (-limit_nanos if order.ticket.side is Side.BUY else limit_nanos, order.number)


def _stop_reached(order: Order, price_nanos: int) -> bool:
    stop_nanos = order.ticket.stop_price_nanos
    assert stop_nanos is not None
    return price_nanos >= stop_nanos if order.ticket.side is Side.BUY else price_nanos <= stop_nanos
