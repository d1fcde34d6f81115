"""What the value of a measure is: exactly one integer, or a quotient of two that is never divided.

A quotient whose denominator moves is a pair. One over a constant is an integer in a finer scale.
"""

from fractions import Fraction
from typing import Final, TypeAlias

from fuseboard.vocabulary.catalogue import MEASURES, SCALE
from fuseboard.vocabulary.money import ATTOS, NANOS, rounded_half_up, text_of_decimal

Value: TypeAlias = int | tuple[int, int] | None
"""An integer in the measure's scale (`scale_of`); of a quotient its numerator and its denominator,
which is above zero, so that 5 % is (5, 100) or (1, 20). None: missing, warming up or too old."""

QUOTIENTS: Final = (
    "daily_pnl",
    "weekly_pnl",
    "monthly_pnl",
    "drawdown",
    "rolling_drawdown",
    "gross_exposure",
    "net_exposure",
    "leverage",
    "maintenance_margin",
    "max_position_divergence",
    "spread",
)
"""The measures whose value is a pair."""
SCALES: Final[dict[str, int]] = {
    # A price times a quantity stays undivided.
    **dict.fromkeys(("equity", "cash", "order_value", "position_value"), ATTOS),
    # The middle of two prices may lie between two nanos.
    "price": 2 * NANOS,
    # Of the last 100 submits, over the last 50 fills.
    "reject_rate": 100,
    "fill_quality": 50 * NANOS,
    # A root: one that lies between two nanos stands half way between them.
    "sharpe": 2 * NANOS,
}
"""How many integers of these measures make one; of the others as many as of their unit."""


def scale_of(name: str) -> int:
    """How many integers of a measure that is no quotient make one."""
    return SCALES.get(name) or SCALE[MEASURES[name].unit]


def whole_value(name: str, number: int) -> Value:
    """The value of a measure that is a whole number of its unit."""
    return (number, 1) if name in QUOTIENTS else number * scale_of(name)


def shown_value(name: str, value: int | tuple[int, int], places: int, times: int = 1) -> str:
    """A value for people, `times` so much, in whole units: exact as a fraction with no `places`."""
    numerator, denominator = value if isinstance(value, tuple) else (value, scale_of(name))
    if not places:
        return str(Fraction(numerator * times, denominator))
    scaled = rounded_half_up(numerator * 10**places, denominator)
    return text_of_decimal(scaled * times, 10**places, places)


def rounded_value(name: str, value: Value, places: int) -> Value:
    """The value that is shown with so many `places`, nine or more."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return rounded_half_up(value[0] * 10**places, value[1]), 10**places
    scale, ones = scale_of(name), 10**places
    return int(rounded_half_up(value * ones, scale) * scale // ones)


def shown_nanos(name: str, value: int | tuple[int, int]) -> int:
    """A value in nano-units, rounded half up: for what is only shown, never compared."""
    numerator, denominator = value if isinstance(value, tuple) else (value, scale_of(name))
    return rounded_half_up(numerator * NANOS, denominator)
