"""Limits: what one order, one symbol and the whole account may reach at worst.

Fractions are nano-units (1 = 10^9, so 5 % is 50_000_000), money and quantities are nano-units,
durations are nanoseconds. None: the limit is not set. `LIMITS_REQUIRED` must always be set; they
have safe defaults, and trading real money needs them written out.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
PERCENT_NANOS: Final = 10_000_000
NEAR_PERCENT: Final = 80
"""From this part of a limit on, people are told: its soft limit."""
NEAR_CLEAR_PERCENT: Final = 75
"""Only below this part of it they may be told again."""
WORKING_ORDERS_MAX: Final = 20_000
"""Up to so many working orders an exit is let in, whatever the policy says of orders that open."""
LIMITS_REQUIRED: Final = (
    "order_quantity_nanos_max",
    "order_value_nanos_max",
    "price_collar_nanos",
    "order_rate_max",
)


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits judged before each order, in the worst case: working orders count as filled."""

    order_quantity_nanos_max: int = 10_000 * 1_000_000_000
    order_value_nanos_max: int = 100_000 * 1_000_000_000
    order_volume_share_nanos_max: int | None = None
    """Largest part of the average daily volume that one order may be (the `liquidity` check)."""
    price_collar_nanos: int = 5 * PERCENT_NANOS
    """How far a limit price may be beyond the quote's far side, as a fraction of it."""
    price_floor_nanos: int | None = None
    """Nothing that trades under this price is opened."""
    order_rate_max: int = 100
    order_rate_window_ns: int = SECOND_NS
    order_rate_kills: bool = True
    """Whether a strategy that asks for more than the rate is killed, and not only denied."""
    messages_max: int | None = None
    """Orders, replacements and cancels asked for in the window; cancels count, and pass."""
    messages_window_ns: int = SECOND_NS
    daily_orders_max: int | None = None
    repeated_executions_max: int | None = None
    """So many executions of one symbol and side in the window disable the strategy (RTS 6)."""
    repeated_executions_window_ns: int = MINUTE_NS
    duplicate_window_ns: int | None = None
    """An order equal to one of this strategy's in the window is denied."""
    working_orders_max: int = WORKING_ORDERS_MAX
    position_value_nanos_max: int | None = None
    position_fraction_nanos_max: int | None = None
    """Largest position of one symbol as a fraction of equity."""
    sector_fraction_nanos_max: int | None = None
    """Largest sum of absolute positions in one sector as a fraction of equity."""
    positions_max: int | None = None
    """How many symbols may be held or on their way to be."""
    gross_exposure_nanos_max: int = 100 * PERCENT_NANOS
    """Largest sum of absolute positions as a fraction of equity."""
    net_exposure_nanos_min: int | None = None
    """Lowest signed sum of positions as a fraction of equity; negative is net short."""
    net_exposure_nanos_max: int | None = None
    leverage_nanos_max: int | None = None
    """Largest gross exposure as a multiple of equity; it is written apart because people do."""
    maintenance_margin_nanos_min: int | None = None
    """Lowest equity as a fraction of gross exposure that an order may leave, at worst."""


COUNTED_MAX: Final = 1_000_000
"""Events of one rate that are counted for a condition where the limit itself needs fewer."""


def in_a_second(most: int, window_ns: int) -> int:
    """How many events of a rate of `most` in a window a second can hold, as far as is counted.

    A second is covered by so many windows, each with as many as the limit lets pass.
    """
    windows = -(-SECOND_NS // window_ns)
    return max(most, min(windows * most, COUNTED_MAX))


HALVED: Final = (
    "order_quantity_nanos_max",
    "order_value_nanos_max",
    "order_volume_share_nanos_max",
    "price_collar_nanos",
    "position_value_nanos_max",
    "position_fraction_nanos_max",
    "sector_fraction_nanos_max",
    "gross_exposure_nanos_max",
    "net_exposure_nanos_max",
    "leverage_nanos_max",
)
"""What the posture REDUCED halves."""


def reduced(limits: Limits) -> Limits:
    """The limits in posture REDUCED: new risk is halved and the collar is tightened by half."""
    halves = {name: getattr(limits, name) for name in HALVED}
    changed = {name: limit // 2 for name, limit in halves.items() if limit is not None}
    if limits.net_exposure_nanos_min is not None and limits.net_exposure_nanos_min < 0:
        changed["net_exposure_nanos_min"] = -(-limits.net_exposure_nanos_min // 2)
    return replace(limits, **changed)


class Tightening(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One limit that a dynamic rule sets while it holds: the name of a field of `Limits`."""

    field: str
    value: int


TIGHTENED_BY_MORE: Final = (
    "order_rate_window_ns",
    "messages_window_ns",
    "repeated_executions_window_ns",
    "duplicate_window_ns",
    "net_exposure_nanos_min",
    "maintenance_margin_nanos_min",
    "price_floor_nanos",
)
"""Limits of which the greater value is the tighter one; of all others the smaller is."""


def tightened(limits: Limits, by: tuple[Tightening, ...]) -> Limits:
    """Limits that are at least as tight as both; a value that would loosen changes nothing."""
    changed: dict[str, int] = {}
    for at in by:
        known = changed.get(at.field, getattr(limits, at.field))
        tightest = max if at.field in TIGHTENED_BY_MORE else min
        changed[at.field] = at.value if known is None else tightest(known, at.value)
    return replace(limits, **changed)


class DynamicLimit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """While a condition holds, limits are at most these; with several, the tightest wins."""

    name: str
    condition: str
    """Canonical text of a condition over STATE names."""
    tighten: tuple[Tightening, ...]
    clear_after_ns: int = MINUTE_NS
    """How long the condition must have been false before the limits go back: the hysteresis."""
