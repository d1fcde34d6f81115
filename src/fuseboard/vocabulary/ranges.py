"""What a measure can be at all, in its unit's scale: a condition that asks for more is a mistake.

`None`: no end. Losses have none: a strategy loses more than the capital that its policy declares,
and an account that is short more than its equity.
"""

from typing import Final, TypeAlias

from fuseboard.vocabulary.catalogue import MEASURES, SCALE, Unit
from fuseboard.vocabulary.money import NANOS, shown_percent

Range: TypeAlias = tuple[int | None, int | None]

POINTS: Final = (0, 100 * NANOS)
"""Of a score."""
_FROM_ZERO: Final = (0, None)
RANGES: Final[dict[str, Range]] = {
    **dict.fromkeys(("drawdown", "rolling_drawdown"), _FROM_ZERO),
    **dict.fromkeys(("fill_quality", "liquidity_score"), POINTS),
    "reject_rate": (0, NANOS),
    # One side may be long and the other short: twice the larger of the two.
    "max_position_divergence": (0, 2 * NANOS),
    # A bid of nothing: twice the middle.
    "spread": (0, 2 * NANOS),
    "consecutive_losses": (0, 100),
    "error_count_1h": (0, 1_000),
    "liquidity_tier": (0, 3),
    **dict.fromkeys(("positions", "working_orders", "order_rate", "messages"), _FROM_ZERO),
    **dict.fromkeys(("daily_orders", "gross_exposure", "leverage", "vix"), _FROM_ZERO),
    **dict.fromkeys(("order_price", "price", "last_price", "bid", "ask"), _FROM_ZERO),
    **dict.fromkeys(("order_size", "order_value", "quote_size", "avg_daily_volume"), _FROM_ZERO),
    **dict.fromkeys(("max_order_value", "max_order_size"), _FROM_ZERO),
}
"""By canonical name; a measure that is not here has no ends."""
UNTIL_ALL_IS_LOST: Final[dict[str, Range]] = {
    **RANGES,
    **dict.fromkeys(("daily_pnl", "weekly_pnl", "monthly_pnl"), (1 - NANOS, None)),
    **dict.fromkeys(("drawdown", "rolling_drawdown"), (0, NANOS - 1)),
}
"""While less than 100 % is lost (10^-9 less): what a bare number beyond it meant must be asked."""
AT_REST: Final[dict[str, int]] = {
    **dict.fromkeys(("daily_pnl", "weekly_pnl", "monthly_pnl"), 0),
    **dict.fromkeys(("drawdown", "rolling_drawdown", "max_position_divergence"), 0),
    **dict.fromkeys(("gross_exposure", "net_exposure", "leverage"), 0),
    **dict.fromkeys(("positions", "working_orders", "order_rate", "messages", "daily_orders"), 0),
    **dict.fromkeys(("reject_rate", "error_count_1h", "consecutive_losses"), 0),
    "fill_quality": 100,
    "sharpe": 1_000,
}
"""What our own measures are before anything was traded, held or lost, in whole units."""


MULTIPLES: Final = ("gross_exposure", "net_exposure", "leverage", "maintenance_margin")
"""Fractions that are ordinarily from 1 on: what one is stands as it is written."""
SHARES: Final[dict[str, None]] = {
    name: None
    for name, measure in MEASURES.items()
    if measure.unit is Unit.FRACTION and name not in MULTIPLES
}
"""Parts of a whole: a bare 1 beside one may mean 1 % or all of it."""


def shown_range(name: str) -> str:
    """In words: `0% to 200%`, `0 or more`; empty for a measure without ends."""
    least, most = RANGES.get(name, (None, None))
    if least is None:
        return ""
    unit = MEASURES[name].unit
    low = _shown(least, unit)
    return f"{low} or more" if most is None else f"{low} to {_shown(most, unit)}"


def _shown(value: int, unit: Unit) -> str:
    if unit is Unit.FRACTION:
        return shown_percent(value).replace(".00%", "%")
    return str(value // SCALE[unit])
