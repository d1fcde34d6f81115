"""Exact quantities: money, prices and quantities as integers in nano-units.

One unit is 10^-9 (`NANOS`). A product of two nano-quantities (price x quantity) stays undivided in
atto-units, 10^-18 (`ATTOS`). Decimals exist only at the doors; floats exist nowhere.

The door's number grammar is stricter than `Decimal`'s: no exponent, no underscore, no sign but a
leading minus, no NaN, no Inf, at most nine decimals, at most `WHOLE_DIGITS_MAX` whole digits.
"""

import re
from decimal import Decimal

NANOS = 1_000_000_000
ATTOS = NANOS * NANOS
WHOLE_DIGITS_MAX = 15
DECIMALS_MAX = 9

_NUMBER = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,9}))?", re.ASCII)


class NumberRefused(ValueError):
    """A number from outside that is not in the door's grammar; the message says what is wrong."""


def nanos_from_text(text: str) -> int:
    """Nano-units of a plain decimal such as `-12.5`.

    Raises `NumberRefused` for anything else: an exponent, `NaN`, `Infinity`, `1_000`, more than
    nine decimals or more than fifteen whole digits.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise NumberRefused(
            f"{text[:40]!r} is not a plain decimal number with at most {DECIMALS_MAX} decimals"
            f" and {WHOLE_DIGITS_MAX} whole digits"
        )
    sign, whole, decimals = match.groups()
    nanos = int(whole) * NANOS
    if decimals is not None:
        nanos += int(decimals.ljust(DECIMALS_MAX, "0"))
    return -nanos if sign else nanos


def nanos_from_decimal(value: Decimal) -> int:
    """Nano-units of a Decimal; raises `NumberRefused` when they do not hold it exactly."""
    if not value.is_finite():
        raise NumberRefused(f"{value} is not a finite number")
    return nanos_from_text(format(value, "f"))


def decimal_from_nanos(nanos: int) -> Decimal:
    """The exact Decimal of an amount in nano-units, without trailing zeros."""
    return Decimal(text_from_nanos(nanos))


def text_from_nanos(nanos: int) -> str:
    """The shortest plain decimal text of an amount in nano-units, such as `-12.5`."""
    sign = "-" if nanos < 0 else ""
    whole, decimals = divmod(abs(nanos), NANOS)
    if decimals == 0:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{decimals:09d}".rstrip("0")


def rounded_half_up(value: int, unit: int) -> int:
    """`value` in whole `unit`s, halves away from zero: for what is only shown, never compared."""
    magnitude = (abs(value) * 2 + unit) // (unit * 2)
    return -magnitude if value < 0 else magnitude


def nanos_from_attos(attos: int) -> int:
    """Nano-units of an undivided product, rounded half up: for what is only shown."""
    return rounded_half_up(attos, NANOS)


def shown_money(nanos: int) -> str:
    """Money for people: two decimals and thousands separators, rounded half up."""
    cents = rounded_half_up(nanos, NANOS // 100)
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}{whole:,}.{rest:02d}"


def shown_percent(fraction_nanos: int) -> str:
    """A fraction (1 = 10^9 nanos) for people: percent with two decimals, rounded half up."""
    hundredths = rounded_half_up(fraction_nanos * 10_000, NANOS)
    sign = "-" if hundredths < 0 else ""
    whole, rest = divmod(abs(hundredths), 100)
    return f"{sign}{whole}.{rest:02d}%"
