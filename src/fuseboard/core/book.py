"""The book: the only place that holds orders, positions and cash.

Ledgers exist for the account and for each strategy; a symbol's ledger is its `Position` in them.
Each keeps its totals as it goes, so that judging an order costs the same with one working order
and with ten thousand. Values are atto-units (price x quantity, undivided).

Worst case. `worst_attos` of a position is the greatest absolute value that its working orders may
make of it (`core/position.py`); the account's ledger keeps the sum, and the sum of each sector.
"""

from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from msgspec import Struct

from fuseboard.core.asked import Asked
from fuseboard.core.position import Position
from fuseboard.core.succession import Succession
from fuseboard.vocabulary.identifiers import is_foreign_order_id
from fuseboard.vocabulary.orders import (
    TERMINAL_STATUSES,
    Intent,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)

_BUY: Final = Side.BUY
NEVER_THERE: Final = (OrderStatus.NOT_SENT, OrderStatus.REJECTED)
"""How an order ended that the broker does not hold: its id may be used again."""
CLOSED_FOREIGN_MAX: Final = 1_000
"""The same of adopted foreign orders, which crowd out none of ours."""
CLOSED_ORDERS_MAX: Final = 10_000
"""Closed orders kept for idempotency and late fills; the oldest are forgotten first."""
FORGOTTEN_MAX: Final = 50_000
"""Ids of forgotten orders that are kept, so that none is sent again."""
FORGOTTEN_DROPPED: Final = 5_000
"""How many of them go at once, the oldest: one by one each would be looked for anew."""


class Order(Struct, gc=False):
    """One order as we know it."""

    order_id: str
    wire_id: str
    client_order_id: str
    strategy: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity_nanos: int
    limit_price_nanos: int | None
    stop_price_nanos: int | None
    extended_hours: bool
    intent: Intent
    worst_price_nanos: int
    created_ns: int
    updated_ns: int
    status: OrderStatus = OrderStatus.SUBMITTING
    broker_order_id: str | None = None
    filled_quantity_nanos: int = 0
    filled_attos: int = 0
    """What the filled quantity cost or brought."""
    request: int = 0
    """The caller who waits for this order's outcome; 0 when nobody does."""
    cancel_wanted: bool = False
    trip: str = ""
    expected_price_nanos: int = 0
    """What it should fill at; kept where the policy looks at the quality of fills."""
    succession: Succession | None = None
    asked: Asked | None = None
    """What was asked for, where it was sent otherwise."""

    def remaining_nanos(self) -> int:
        """What may still fill."""
        return max(0, self.quantity_nanos - self.filled_quantity_nanos)

    def counted_nanos(self) -> int:
        """What counts as working: what may still fill of it, or of the one that will replace it."""
        if self.succession is None:
            return self.remaining_nanos()
        size_nanos = max(self.quantity_nanos, self.succession.reserved_nanos)
        return max(0, size_nanos - self.filled_quantity_nanos)

    def counted_price_nanos(self) -> int:
        """The price that what counts is valued at."""
        if self.succession is None:
            return self.worst_price_nanos
        return max(self.worst_price_nanos, self.succession.reserved_price_nanos)

    def filled_price_nanos(self) -> int:
        """The average price of what is filled, rounded down; 0 when nothing is."""
        filled_nanos = self.filled_quantity_nanos
        return self.filled_attos // filled_nanos if filled_nanos else 0

    def closed(self) -> bool:
        """Whether the order is final."""
        return self.status in TERMINAL_STATUSES


@dataclass(slots=True)
class Ledger:
    """Cash and positions of the account or of one strategy. No struct, as its positions."""

    cash_attos: int = 0
    value_attos: int = 0
    """The signed value of all positions at their marks."""
    worst_attos: int = 0
    """The sum over symbols of the worst case; kept when `counts_worst`."""
    held_attos: int = 0
    """The sum over symbols of the absolute value of what is held; kept when `counts_worst`."""
    buying_attos: int = 0
    selling_attos: int = 0
    """What works on a side of all symbols, at worst prices; kept when `counts_worst`."""
    occupied: int = 0
    """How many symbols are held or have working orders; kept when `counts_worst`."""
    sector_of: dict[str, str] = field(default_factory=dict)
    sectors: dict[str, int] = field(default_factory=dict)
    """The sum over each sector's symbols of the worst case; kept when `counts_worst`."""
    counts_worst: bool = False
    positions: dict[str, Position] = field(default_factory=dict)

    def equity_attos(self) -> int:
        """What would be left if everything were closed at its mark."""
        return self.cash_attos + self.value_attos

    def position(self, symbol: str) -> Position:
        """The position of a symbol, an empty one when it is new."""
        found = self.positions.get(symbol)
        if found is None:
            found = self.positions[symbol] = Position(sector=self.sector_of.get(symbol, ""))
        return found

    def follow_sectors(self, sector_of: dict[str, str]) -> None:
        """Another policy's sectors: assign and sum again."""
        self.sector_of, self.sectors = dict(sector_of), {}
        for symbol, position in self.positions.items():
            position.sector = sector_of.get(symbol, "")
            if position.sector:
                self.count_sector(position.sector, position.worst_attos)

    def count_sector(self, sector: str, attos: int) -> None:
        """Add to the sum of a sector's worst cases."""
        self.sectors[sector] = self.sectors.get(sector, 0) + attos

    def occupy(self, position: Position) -> None:
        """Count a symbol that is held or ordered, or no more is."""
        occupied = bool(position.quantity_nanos or position.buying_nanos or position.selling_nanos)
        if occupied is not position.occupied:
            position.occupied = occupied
            self.occupied += 1 if occupied else -1

    def _recount(self, position: Position) -> None:
        """Bring the worst case up to date after a position, its orders or its mark moved."""
        if self.counts_worst:
            worst_attos = position.worst_with_attos(_BUY, 0, 0, 0)
            added_attos = worst_attos - position.worst_attos
            if added_attos:
                self.worst_attos += added_attos
                position.worst_attos = worst_attos
                if position.sector:
                    self.count_sector(position.sector, added_attos)
            held_attos = abs(position.quantity_nanos * position.mark_nanos)
            self.held_attos += held_attos - position.held_attos
            position.held_attos = held_attos

    def mark(self, symbol: str, mark_nanos: int) -> bool:
        """Value a symbol at a new mark; whether equity may have changed."""
        position = self.positions.get(symbol)
        if position is None:
            return False
        held_nanos = position.quantity_nanos
        self.value_attos += held_nanos * (mark_nanos - position.mark_nanos)
        position.mark_nanos = mark_nanos
        self._recount(position)
        return held_nanos != 0

    def work(self, order: Order, quantity_nanos: int) -> None:
        """Count (or, negative, uncount) an unfilled quantity of an order."""
        position = self.position(order.symbol)
        buying_attos, selling_attos = position.buying_attos, position.selling_attos
        position.count(order.side, quantity_nanos, order.counted_price_nanos())
        if quantity_nanos > 0:
            position.ask(order.side, order.order_type, order.limit_price_nanos)
        if self.counts_worst:
            self.buying_attos += position.buying_attos - buying_attos
            self.selling_attos += position.selling_attos - selling_attos
            self.occupy(position)
        self._recount(position)

    def fill(self, symbol: str, signed_nanos: int, cost_attos: int) -> None:
        """Take a fill: `signed_nanos` bought (sold when negative) for `cost_attos` of cash."""
        position = self.position(symbol)
        position.moves += 1
        self.cash_attos -= cost_attos
        held_nanos = position.quantity_nanos
        after_nanos = held_nanos + signed_nanos
        price_nanos = abs(cost_attos) // abs(signed_nanos)
        if not position.mark_nanos:
            position.mark_nanos = price_nanos
        if after_nanos == 0:
            position.average_price_nanos = 0
        elif held_nanos == 0 or (held_nanos > 0) != (after_nanos > 0):
            position.average_price_nanos = price_nanos
        elif abs(after_nanos) > abs(held_nanos):
            basis_attos = abs(held_nanos) * position.average_price_nanos + abs(cost_attos)
            position.average_price_nanos = basis_attos // abs(after_nanos)
        position.quantity_nanos = after_nanos
        self.value_attos += signed_nanos * position.mark_nanos
        if self.counts_worst:
            self.occupy(position)
        self._recount(position)

    def adopt(self, symbol: str, quantity_nanos: int, average_nanos: int, mark_nanos: int) -> None:
        """Take a position from the broker as it stands; cash is not touched."""
        position = self.position(symbol)
        self.value_attos -= position.quantity_nanos * position.mark_nanos
        position.quantity_nanos = quantity_nanos
        position.average_price_nanos = average_nanos
        if mark_nanos > 0:
            position.mark_nanos = mark_nanos
        self.value_attos += quantity_nanos * position.mark_nanos
        if self.counts_worst:
            self.occupy(position)
        self._recount(position)


class Book(Struct):
    """All orders, and the ledgers they move."""

    account: Ledger
    strategies: dict[str, Ledger] = {}
    orders: dict[str, Order] = {}
    working: dict[str, None] = {}
    """Ids of the orders that are not final, oldest first."""
    closed: dict[str, None] = {}
    """Ids of the final orders that are still kept, oldest first."""
    closed_foreign: dict[str, None] = {}
    """The same of foreign orders."""
    waiting: dict[str, None] = {}
    """Ids of replacements whose old order is not final yet, oldest first: known, not sent."""
    forgotten: dict[str, None] = {}
    """Ids of orders that were closed and are no longer kept, oldest first: they are spent."""

    def strategy(self, name: str) -> Ledger:
        """The ledger of a strategy, an empty one when it is new."""
        found = self.strategies.get(name)
        if found is None:
            found = self.strategies[name] = Ledger()
        return found

    def add(self, order: Order, worst_attos: int | None = None) -> None:
        """Take a decided order in: from now on it counts in the worst case.

        `worst_attos` is the symbol's worst case with this order when the caller just judged it.
        """
        order_id = order.order_id
        assert order_id not in self.orders, f"{order_id} is already in the book"
        self.orders[order_id] = order
        self.working[order_id] = None
        side, symbol, account = order.side, order.symbol, self.account
        quantity_nanos, price_nanos = order.quantity_nanos, order.worst_price_nanos
        attos = quantity_nanos * price_nanos
        position = account.positions.get(symbol) or account.position(symbol)
        position.add(side, quantity_nanos, price_nanos, attos)
        if side is _BUY:
            account.buying_attos += attos
        else:
            account.selling_attos += attos
            position.ask(side, order.order_type, order.limit_price_nanos)
        if not position.occupied:
            position.occupied = True
            account.occupied += 1
        if worst_attos is None:
            worst_attos = position.worst_with_attos(side, 0, 0, 0)
        added_attos = worst_attos - position.worst_attos
        account.worst_attos += added_attos
        position.worst_attos = worst_attos
        if position.sector:
            sectors = account.sectors
            sectors[position.sector] = sectors.get(position.sector, 0) + added_attos
        if order.strategy:
            ledger = self.strategies.get(order.strategy) or self.strategy(order.strategy)
            own = ledger.positions.get(symbol) or ledger.position(symbol)
            own.add(side, quantity_nanos, price_nanos, attos)

    def fill(self, order: Order, *, filled_nanos: int, cost_attos: int) -> int:
        """Raise an order's cumulative filled quantity; the quantity that is new.

        A cumulative figure that is not above the known one is a repeat and changes nothing.
        `cost_attos` is the cost of the new part. An order that is final may still be filled: the
        report overtook, or the fill came after the cancel. So may one be filled beyond its size:
        the position counts all of it.
        """
        new_nanos = filled_nanos - order.filled_quantity_nanos
        if new_nanos <= 0:
            return 0
        signed_nanos = new_nanos if order.side is _BUY else -new_nanos
        signed_cost_attos = cost_attos if order.side is _BUY else -cost_attos
        counted_nanos = 0
        if order.order_id in self.working:
            counted_nanos = max(0, min(new_nanos, order.counted_nanos()))
        order.filled_quantity_nanos = filled_nanos
        order.filled_attos += cost_attos
        if counted_nanos:
            for ledger in self._ledgers(order):
                ledger.work(order, -counted_nanos)
        self.account.fill(order.symbol, signed_nanos, signed_cost_attos)
        for ledger, share_nanos in self._shares(order, signed_nanos):
            ledger.fill(order.symbol, share_nanos, signed_cost_attos * share_nanos // signed_nanos)
        return new_nanos

    def _shares(self, order: Order, signed_nanos: int) -> list[tuple[Ledger, int]]:
        """Whose position a fill moves. The account's own closes move their holders', in order.

        What nobody holds is the account's alone. A foreign order's are nobody's: `giving_way`.
        """
        if order.strategy:
            return [(self.strategy(order.strategy), signed_nanos)]
        if is_foreign_order_id(order.order_id):
            return []
        shares: list[tuple[Ledger, int]] = []
        left_nanos = signed_nanos
        for ledger in self.strategies.values():
            at = ledger.positions.get(order.symbol)
            held_nanos = 0 if at is None else at.quantity_nanos
            if held_nanos * left_nanos < 0:
                size_nanos = min(abs(held_nanos), abs(left_nanos))
                share_nanos = size_nanos if left_nanos > 0 else -size_nanos
                shares.append((ledger, share_nanos))
                left_nanos -= share_nanos
        return shares

    def inherit(self, name: str) -> None:
        """Make the ledger of the only strategy: what the account holds is its own, at no profit."""
        assert not self.strategies, "only the first strategy inherits"
        ledger = self.strategy(name)
        for symbol, at in self.account.positions.items():
            if at.quantity_nanos:
                ledger.adopt(symbol, at.quantity_nanos, at.average_price_nanos, at.mark_nanos)
        ledger.cash_attos -= ledger.value_attos

    def fit(self, symbol: str) -> None:
        """Bring the strategies' positions within the account's, after that was corrected.

        A single strategy holds what the account holds; of several, the later ones give way.
        """
        at = self.account.position(symbol)
        left_nanos = at.quantity_nanos
        for ledger in self.strategies.values():
            own = ledger.position(symbol)
            keeps_nanos = 0
            if own.quantity_nanos * left_nanos > 0:
                keeps_nanos = min(abs(own.quantity_nanos), abs(left_nanos))
                keeps_nanos = keeps_nanos if left_nanos > 0 else -keeps_nanos
            if len(self.strategies) == 1:
                keeps_nanos = left_nanos
            moved_nanos = keeps_nanos - own.quantity_nanos
            ledger.adopt(symbol, keeps_nanos, at.average_price_nanos, at.mark_nanos)
            ledger.cash_attos -= moved_nanos * own.mark_nanos
            left_nanos -= keeps_nanos

    def close(self, order: Order, status: OrderStatus) -> None:
        """Make an order final: nothing of it counts as working any more."""
        assert status in TERMINAL_STATUSES, f"{order.order_id}: {status} is not final"
        if order.order_id in self.working:
            del self.working[order.order_id]
            for ledger in self._ledgers(order):
                ledger.work(order, -order.counted_nanos())
            self._kept_closed(order.order_id)[order.order_id] = None
        elif order.order_id in self.waiting:
            del self.waiting[order.order_id]
            self.closed[order.order_id] = None
        order.status = status
        while len(self.closed) > CLOSED_ORDERS_MAX:
            oldest = next(iter(self.closed))
            del self.closed[oldest]
            del self.orders[oldest]
            self._forget(oldest)
        while len(self.closed_foreign) > CLOSED_FOREIGN_MAX:
            oldest = next(iter(self.closed_foreign))
            del self.closed_foreign[oldest], self.orders[oldest]

    def _kept_closed(self, order_id: str) -> dict[str, None]:
        return self.closed_foreign if is_foreign_order_id(order_id) else self.closed

    def _forget(self, order_id: str) -> None:
        """Keep the id alone: the broker may have had it."""
        if len(self.forgotten) >= FORGOTTEN_MAX:
            for oldest in list(islice(self.forgotten, FORGOTTEN_DROPPED)):
                del self.forgotten[oldest]
        self.forgotten[order_id] = None

    def reopen(self, order: Order) -> None:
        """An order that we had given up is at the broker after all, or may be: it counts again."""
        assert order.status in NEVER_THERE, f"{order.order_id} is {order.status}"
        del self._kept_closed(order.order_id)[order.order_id]
        self.working[order.order_id] = None
        order.status = OrderStatus.WORKING
        for ledger in self._ledgers(order):
            ledger.work(order, order.counted_nanos())

    def count(self, order: Order, sign: int) -> None:
        """Count a working order again after it was set aside (`sign` 1), or set it aside (-1)."""
        assert order.order_id in self.working, f"{order.order_id} does not work"
        for ledger in self._ledgers(order):
            ledger.work(order, sign * order.counted_nanos())

    def wait(self, order: Order) -> None:
        """Know an order that is sent when the one it replaces is final; it does not count."""
        assert order.order_id not in self.orders, f"{order.order_id} is already in the book"
        self.orders[order.order_id] = order
        self.waiting[order.order_id] = None

    def wait_no_more(self, order: Order) -> None:
        """Forget an order that waited, so that it can be added as a working one."""
        del self.waiting[order.order_id]
        del self.orders[order.order_id]

    def _ledgers(self, order: Order) -> list[Ledger]:
        if order.strategy:
            return [self.account, self.strategy(order.strategy)]
        return [self.account]

    def working_orders(self, *, strategy: str = "", symbol: str = "") -> list[Order]:
        """The orders that are not final, of one strategy or symbol when named, oldest first."""
        return self._named(self.working, strategy, symbol)

    def waiting_orders(self, *, strategy: str = "", symbol: str = "") -> list[Order]:
        """The replacements that wait, of one strategy or symbol when named, oldest first."""
        return self._named(self.waiting, strategy, symbol)

    def _named(self, order_ids: dict[str, None], strategy: str, symbol: str) -> list[Order]:
        orders = [self.orders[order_id] for order_id in order_ids]
        return [
            order
            for order in orders
            if (not strategy or order.strategy == strategy)
            and (not symbol or order.symbol == symbol)
        ]

    def held(self, *, strategy: str = "") -> list[str]:
        """The symbols with a position, of the account or of one strategy."""
        ledger = self.strategy(strategy) if strategy else self.account
        return [symbol for symbol, at in ledger.positions.items() if at.quantity_nanos != 0]
