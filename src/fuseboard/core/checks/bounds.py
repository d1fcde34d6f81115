"""Limits in money: what the policy's fractions of equity come to at one equity, worked out once.

Whole numbers compare alike on both ways: `worst * NANOS <= fraction * equity` holds exactly when
`worst <= fraction * equity // NANOS`. So the bounds decide as the checks do, and are worked out
again only when equity or the account's multiplier has moved. They are no part of the state.

Where `near` is in its name, a bound is where an order is no longer well below a limit of one order
alone, at 75 % of it (`core.order_limits`); as exact as the others.
"""

from typing import Final

from msgspec import Struct

from fuseboard.core.throttles import messages_max, near_clear_from, near_from
from fuseboard.policy.limits import NEAR_CLEAR_PERCENT, Limits
from fuseboard.vocabulary.money import NANOS

UNBOUNDED: Final = 10**80
"""Stands for no limit. Should a number be above it after all, the table of checks decides."""


class Bounds(Struct, gc=False):
    """Limits in atto-units of money at an equity. The highest or lowest that passes is the bound.

    Those without a default do not depend on equity, and are `UNBOUNDED` where nothing is limited.
    """

    limits: Limits
    more: bool
    """Whether the policy limits anything that only some policies do."""
    order_nanos_near: int
    order_attos_near: int
    order_attos_max: int
    collar_near: int
    """In nano-hundredths of the far side's price, and of the average daily volume."""
    volume_near: int
    floor_nanos_near: int
    position_attos_max: int
    bid_nanos_min: int
    daily_orders_max: int
    positions_max: int
    message_times_max: int
    """How many times of messages are judged."""
    message_times_near: int
    """How many times of messages are their soft limit."""
    order_times_near: int
    """How many times of orders before one make this one reach the soft limit of the rate."""
    equity_attos: int | None = None
    """Of which the others are; None: they were never worked out."""
    multiplier: int = 0
    symbol_attos_max: int = 0
    sector_attos_max: int = 0
    gross_attos_max: int = 0
    """Of gross exposure, leverage, buying power and maintenance margin, which bounds most."""
    net_attos_min: int = 0
    net_attos_max: int = 0

    def follow(self, equity_attos: int, multiplier: int) -> None:
        """Work the bounds out at another equity or multiplier of buying power."""
        limits = self.limits
        self.equity_attos, self.multiplier = equity_attos, multiplier
        fraction_max = limits.position_fraction_nanos_max
        symbol_attos_max = self.position_attos_max
        if fraction_max is not None:
            bound_attos = fraction_max * equity_attos // NANOS
            if bound_attos < symbol_attos_max:
                symbol_attos_max = bound_attos
        self.symbol_attos_max = symbol_attos_max
        gross_attos_max = limits.gross_exposure_nanos_max * equity_attos // NANOS
        bound_attos = equity_attos * multiplier
        if bound_attos < gross_attos_max:
            gross_attos_max = bound_attos
        if self.more:
            gross_attos_max = min(
                gross_attos_max,
                _part(limits.leverage_nanos_max, equity_attos),
                _whole(limits.maintenance_margin_nanos_min, equity_attos),
            )
            self.sector_attos_max = _part(limits.sector_fraction_nanos_max, equity_attos)
            self.net_attos_max = _part(limits.net_exposure_nanos_max, equity_attos)
            least = limits.net_exposure_nanos_min
            self.net_attos_min = -UNBOUNDED if least is None else -(-least * equity_attos // NANOS)
        self.gross_attos_max = gross_attos_max


def bounds_of(limits: Limits, *, listed: bool) -> Bounds:
    """The bounds of these limits; `listed`: the policy lists symbols that may or may not trade."""
    optional = (
        limits.messages_max,
        limits.daily_orders_max,
        limits.price_floor_nanos,
        limits.order_volume_share_nanos_max,
        limits.sector_fraction_nanos_max,
        limits.positions_max,
        limits.net_exposure_nanos_min,
        limits.net_exposure_nanos_max,
        limits.leverage_nanos_max,
        limits.maintenance_margin_nanos_min,
    )
    order_attos_max = limits.order_value_nanos_max * NANOS
    position_max = limits.position_value_nanos_max
    daily_max, positions_max = limits.daily_orders_max, limits.positions_max
    return Bounds(
        limits,
        more=listed or any(limit is not None for limit in optional),
        order_nanos_near=near_clear_from(limits.order_quantity_nanos_max),
        order_attos_near=near_clear_from(order_attos_max),
        order_attos_max=order_attos_max,
        collar_near=NEAR_CLEAR_PERCENT * limits.price_collar_nanos,
        volume_near=NEAR_CLEAR_PERCENT * (limits.order_volume_share_nanos_max or 0),
        floor_nanos_near=100 * (limits.price_floor_nanos or 0) // NEAR_CLEAR_PERCENT,
        position_attos_max=UNBOUNDED if position_max is None else position_max * NANOS,
        bid_nanos_min=limits.price_floor_nanos or 0,
        daily_orders_max=UNBOUNDED if daily_max is None else daily_max,
        positions_max=UNBOUNDED if positions_max is None else positions_max,
        message_times_max=messages_max(limits),
        message_times_near=UNBOUNDED
        if limits.messages_max is None
        else near_from(limits.messages_max),
        order_times_near=max(0, near_from(limits.order_rate_max) - 1),
    )


def _part(fraction_nanos: int | None, equity_attos: int) -> int:
    """This fraction of equity, rounded down; unbounded where there is no limit."""
    return UNBOUNDED if fraction_nanos is None else fraction_nanos * equity_attos // NANOS


def _whole(fraction_nanos: int | None, equity_attos: int) -> int:
    """The most of which equity is at least this fraction, rounded down."""
    if fraction_nanos is None:
        return UNBOUNDED
    if fraction_nanos <= 0:  # no bound to what is never negative: the table decides
        return -1
    return equity_attos * NANOS // fraction_nanos
