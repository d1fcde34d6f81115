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
    return shown_decimal(nanos, NANOS)


def shown_percent(fraction_nanos: int) -> str:
    """A fraction (1 = 10^9 nanos) for people: percent with two decimals, rounded half up."""
    return _percent(shown_decimal(fraction_nanos * 100, NANOS))


def shown_decimal(value: int, unit: int, places: int = 2) -> str:
    """`value` in whole `unit`s, with so many decimals and thousands separators, rounded half up."""
    scaled = _scaled(value, unit, places)
    whole, rest = divmod(abs(scaled), 10**places)
    return f"{'-' if scaled < 0 else ''}{whole:,}.{rest:0{places}d}"


def text_of_decimal(value: int, unit: int, places: int) -> str:
    """The same, plain and short: without separators and trailing zeros."""
    return shown_decimal(value, unit, places).replace(",", "").rstrip("0").rstrip(".")


def places_apart(one: int, other: int, unit: int, places: int = 2) -> int:
    """The decimals, so many or as many more as it takes, that show that two amounts differ.

    What is shown of a measure and of its bound then says what was judged.
    """
    while one != other and _scaled(one, unit, places) == _scaled(other, unit, places):
        places += 1
    return places


def shown_money_apart(one: int, other: int, unit: int) -> tuple[str, str]:
    """Two amounts of money in `unit`s of a currency, for people."""
    places = places_apart(one, other, unit)
    return shown_decimal(one, unit, places), shown_decimal(other, unit, places)


def shown_percents_apart(one: int, other: int, whole: int) -> tuple[str, str]:
    """Two parts of a whole, in percent, for people."""
    one, other = one * 100, other * 100
    places = places_apart(one, other, whole)
    shown, shown_other = shown_decimal(one, whole, places), shown_decimal(other, whole, places)
    return _percent(shown), _percent(shown_other)


def shown_share(used: int, whole: int) -> str:
    """How much of a whole is used, in percent, for people: 100.00% is all of it, never nearly."""
    return shown_percents_apart(used, whole, whole)[0]


def texts_apart(one: int, other: int, unit: int) -> tuple[str, str]:
    """Two amounts in whole `unit`s: short plain decimals, at most nine where that is enough."""
    places = places_apart(one, other, unit, 9)
    return text_of_decimal(one, unit, places), text_of_decimal(other, unit, places)


def _scaled(value: int, unit: int, places: int) -> int:
    return rounded_half_up(value * 10**places, unit)


def _percent(decimal: str) -> str:
    return f"{decimal.replace(',', '')}%"
