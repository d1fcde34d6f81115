"""The account: cash, positions, what working orders hold of them and reserve of buying power.

Cash is kept in undivided atto-units, so that no cent is ever made or lost by rounding. Margin is
like Regulation T: half of a position's value at first, so buying power is `multiplier` x equity
less all positions and less what working orders reserve. Crypto is never margined.
"""

from collections.abc import Callable

from msgspec import Struct

from fuseboard.exchange.orders import Order
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side

MAINTENANCE_LONG_PERCENT = 25
MAINTENANCE_SHORT_PERCENT = 30
INITIAL_PERCENT = 50


class Position(Struct, kw_only=True):
    """A position; negative when short. `cost_attos` is what it cost, of the same sign."""

    symbol: str
    quantity_nanos: int = 0
    cost_attos: int = 0

    @property
    def average_price_nanos(self) -> int:
        """What one unit cost on average, rounded half up."""
        quantity = abs(self.quantity_nanos)
        return (2 * abs(self.cost_attos) + quantity) // (2 * quantity) if quantity else 0


class PositionView(Struct, frozen=True, kw_only=True):
    """A position with its mark. `available_nanos` is what no working order holds (unsigned)."""

    symbol: str
    quantity_nanos: int
    cost_attos: int
    average_price_nanos: int
    mark_nanos: int
    prior_close_nanos: int
    available_nanos: int


class AccountView(Struct, frozen=True, kw_only=True):
    """The account's figures; sums are rounded down to nano-units."""

    cash_nanos: int
    equity_nanos: int
    last_equity_nanos: int
    buying_power_nanos: int
    regt_buying_power_nanos: int
    long_value_nanos: int
    short_value_nanos: int
    initial_margin_nanos: int
    maintenance_margin_nanos: int
    fees_nanos: int
    multiplier: int
    shorting_enabled: bool
    no_shorting: bool
    suspend_trade: bool


class Account:
    """Changed by fills, holds and reservations only; `mark` gives a symbol's price.

    `no_shorting` and `suspend_trade` are Alpaca's latches, set by the account's owner.
    """

    def __init__(
        self,
        *,
        cash_nanos: int,
        multiplier: int,
        shorting_enabled: bool,
        mark: Callable[[str], int],
    ) -> None:
        self.cash_attos = cash_nanos * NANOS
        self.fees_nanos = 0
        self.positions: dict[str, Position] = {}
        self.multiplier = multiplier
        self.shorting_enabled = shorting_enabled
        self.no_shorting = False
        self.suspend_trade = False
        self._last_equity_nanos = cash_nanos
        self._mark = mark
        self._held: dict[str, int] = {}
        self._reserved_attos = 0

    def configured(
        self, *, no_shorting: bool | None = None, suspend_trade: bool | None = None
    ) -> dict[str, bool]:
        """Set the owner's latches, and give them as they are now; None leaves one as it is."""
        self.no_shorting = self.no_shorting if no_shorting is None else no_shorting
        self.suspend_trade = self.suspend_trade if suspend_trade is None else suspend_trade
        return {"no_shorting": self.no_shorting, "suspend_trade": self.suspend_trade}

    # --- positions -------------------------------------------------------------------------------

    def quantity_nanos(self, symbol: str) -> int:
        """The position in a symbol; negative when short."""
        position = self.positions.get(symbol)
        return 0 if position is None else position.quantity_nanos

    def available_nanos(self, symbol: str) -> int:
        """How much of the position (unsigned) no working order holds."""
        return abs(self.quantity_nanos(symbol)) - self._held.get(symbol, 0)

    def apply_fill(
        self, order: Order, *, price_nanos: int, quantity_nanos: int, fee_nanos: int
    ) -> int:
        """Move cash and position for one execution; returns the cash moved, before the fee."""
        signed_nanos = quantity_nanos if order.ticket.side is Side.BUY else -quantity_nanos
        position = self.positions.setdefault(
            order.ticket.symbol, Position(symbol=order.ticket.symbol)
        )
        before = position.quantity_nanos
        if before * signed_nanos >= 0:
            position.cost_attos += signed_nanos * price_nanos
        else:
            assert abs(signed_nanos) <= abs(before), "no order may carry a position through zero"
            position.cost_attos -= position.cost_attos * quantity_nanos // abs(before)
        position.quantity_nanos += signed_nanos
        if position.quantity_nanos == 0:
            del self.positions[order.ticket.symbol]
        moved_attos = -signed_nanos * price_nanos
        self.cash_attos += moved_attos - fee_nanos * NANOS
        self.fees_nanos += fee_nanos
        return moved_attos

    # --- what working orders take ----------------------------------------------------------------

    def engage(self, order: Order) -> None:
        """Hold or reserve what the whole rest of a working order takes."""
        self._shift(order, order.remaining_nanos)

    def release(self, order: Order, quantity_nanos: int) -> None:
        """Give back what `quantity_nanos` of it took: that much was filled, or it ended."""
        self._shift(order, -quantity_nanos)

    def _shift(self, order: Order, quantity_nanos: int) -> None:
        if order.opens:
            self._reserved_attos += order.reserve_price_nanos * quantity_nanos
            assert self._reserved_attos >= 0
            return
        symbol = order.ticket.symbol
        held = self._held.get(symbol, 0) + quantity_nanos
        assert held >= 0
        if held:
            self._held[symbol] = held
        else:
            self._held.pop(symbol, None)

    # --- figures ---------------------------------------------------------------------------------

    def buying_power_nanos(self) -> int:
        """What further opening orders may cost, rounded down."""
        return self._margin_room_attos() // NANOS

    def affords(self, *, price_nanos: int, quantity_nanos: int) -> bool:
        """Whether buying power covers one more opening order."""
        return price_nanos * quantity_nanos <= self._margin_room_attos()

    def _margin_room_attos(self) -> int:
        long_attos, short_attos = self._values_attos()
        equity_attos = self.cash_attos + long_attos - short_attos
        used_attos = long_attos + short_attos + self._reserved_attos
        return max(self.multiplier * equity_attos - used_attos, 0)

    def _values_attos(self) -> tuple[int, int]:
        """Market value of all long and of all short positions, both unsigned."""
        long_attos = short_attos = 0
        for position in self.positions.values():
            value = position.quantity_nanos * self._mark(position.symbol)
            if value >= 0:
                long_attos += value
            else:
                short_attos -= value
        return long_attos, short_attos

    def view(self) -> AccountView:
        """All figures now."""
        long_attos, short_attos = self._values_attos()
        gross_attos = long_attos + short_attos
        kept = long_attos * MAINTENANCE_LONG_PERCENT + short_attos * MAINTENANCE_SHORT_PERCENT
        return AccountView(
            cash_nanos=self.cash_attos // NANOS,
            equity_nanos=(self.cash_attos + long_attos - short_attos) // NANOS,
            last_equity_nanos=self._last_equity_nanos,
            buying_power_nanos=self.buying_power_nanos(),
            regt_buying_power_nanos=self.buying_power_nanos(),
            long_value_nanos=long_attos // NANOS,
            short_value_nanos=-(short_attos // NANOS),
            initial_margin_nanos=gross_attos * INITIAL_PERCENT // (100 * NANOS),
            maintenance_margin_nanos=kept // (100 * NANOS),
            fees_nanos=self.fees_nanos,
            multiplier=self.multiplier,
            shorting_enabled=self.shorting_enabled,
            no_shorting=self.no_shorting or not self.shorting_enabled,
            suspend_trade=self.suspend_trade,
        )


def fee_nanos(
    *, price_nanos: int, quantity_nanos: int, per_share_nanos: int, basis_points: int
) -> int:
    """The fee of one execution, rounded up to a nano-unit: against the trader."""
    by_share = -(-per_share_nanos * quantity_nanos // NANOS)
    by_value = -(-price_nanos * quantity_nanos * basis_points // (10_000 * NANOS))
    return by_share + by_value
