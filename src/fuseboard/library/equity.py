"""Equity at the library's door: Decimals and whole numbers in, atto-units (10^-18) inside.

The door is wider than the gateway's: eighteen decimals are exact. A quotient has more (a Decimal
divided has 28 digits); what is beyond the eighteenth is rounded against the trader.
"""

from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Final

from fuseboard.vocabulary.money import ATTOS, WHOLE_DIGITS_MAX, NumberRefused

_DECIMALS: Final = 18
_EXACT: Final = Context(prec=100, traps=[Inexact, InvalidOperation])
"""Shifts decimal points, exactly or not at all; a caller's own context is never looked at."""


def decimal_of(value: object) -> Decimal:
    """A finite Decimal of a Decimal or an int.

    Raises `TypeError` for anything else (a float is not exact, a text is not a number yet) and
    `NumberRefused`, a `ValueError`, for NaN, Infinity and more than fifteen whole digits.
    """
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise TypeError(
            f"equity must be a Decimal or an int, not {type(value).__name__}: "
            f'write Decimal("100000.25")'
        )
    number = value if type(value) is Decimal else Decimal(value)
    if not number.is_finite():
        raise NumberRefused(f"{number} is not a finite number; nothing was changed")
    if number and number.adjusted() >= WHOLE_DIGITS_MAX:
        raise NumberRefused(f"{number:.3E} has more than {WHOLE_DIGITS_MAX} whole digits")
    return number


def attos_around(number: Decimal) -> tuple[int, int]:
    """The atto-units just below and just above a finite Decimal; the same twice where exact."""
    try:
        shifted = _EXACT.scaleb(number, _DECIMALS)
        whole = int(shifted)
        if shifted == whole:
            return whole, whole
    except (Inexact, InvalidOperation):  # more digits than any money has
        pass
    if number and number.adjusted() < -_DECIMALS:  # less than one atto: never build 10^999999
        return (-1, 0) if number.is_signed() else (0, 1)
    numerator, denominator = number.as_integer_ratio()
    below, rest = divmod(numerator * ATTOS, denominator)
    return below, below + (rest > 0)


def decimal_of_attos(attos: int) -> Decimal:
    """The exact Decimal of atto-units, without trailing zeros, whatever the context's precision."""
    number = _EXACT.scaleb(Decimal(attos), -_DECIMALS)
    return Decimal(text.rstrip("0").rstrip(".") if "." in (text := f"{number:f}") else text)


def comparable_of_attos(attos: int) -> Decimal:
    """As `decimal_of_attos` with its trailing zeros: cheaper, for comparing only."""
    return _EXACT.scaleb(Decimal(attos), -_DECIMALS)
