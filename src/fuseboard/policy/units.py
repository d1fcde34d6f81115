"""The units that a person writes: `5%`, `0.05`, `100000 USD`, `30s`, `100/s`. Exact, or refused.

Each function takes the text of one value and gives an integer in the policy's own unit; `Refused`
says what was expected, with an example. Nothing here rounds.
"""

import re

from fuseboard.policy.limits import SECOND_NS
from fuseboard.vocabulary.money import NANOS, NumberRefused, nanos_from_text, text_from_nanos

NUMBER = r"[0-9]+(?:\.[0-9]+)?"
DURATION_NS_MAX = 30 * 24 * 3600 * SECOND_NS
COUNT_MAX = 1_000_000
PERIODS_NS = {
    "ms": SECOND_NS // 1000,
    "s": SECOND_NS,
    "m": 60 * SECOND_NS,
    "h": 3600 * SECOND_NS,
    "d": 24 * 3600 * SECOND_NS,
}
_MONEY = re.compile(rf"({NUMBER})(?: USD)?", re.ASCII)
_TIMES = re.compile(rf"({NUMBER}) ?x", re.ASCII)
_SIGMAS = re.compile(rf"({NUMBER})(?: ?(?:sigma|sd|std))?", re.ASCII)
_BPS = re.compile(rf"({NUMBER})(?: ?bps)?", re.ASCII)
_PERCENT = re.compile(rf"({NUMBER}) ?%", re.ASCII)
_PLAIN = re.compile(rf"({NUMBER})", re.ASCII)
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)", re.ASCII)
_RATE = re.compile(r"([0-9]{1,9})/([0-9]{1,9})?(ms|s|m|h|d)", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)


class Refused(ValueError):
    """A value is not in the grammar of its unit; the message says what was expected.

    `offset` is the character at which it stopped being one, when that is known.
    """

    def __init__(self, what: str, offset: int | None = None) -> None:
        super().__init__(what)
        self.offset = offset


def _exact_nanos(number: str, written: str) -> int:
    try:
        return nanos_from_text(number)
    except NumberRefused as error:
        raise Refused(f"{written[:40]!r}: {error}") from None


def fraction_nanos(text: str, *, most_nanos: int) -> int:
    """Nanos of a fraction above zero, from `5%` or `0.05`."""
    expected = "a percent or a fraction, for example `5%` or `0.05`"
    if percent := _PERCENT.fullmatch(text):
        hundredfold = _exact_nanos(percent[1], text)
        if hundredfold % 100:
            raise Refused(
                f"{text[:40]!r} has more decimals than are held exactly: write {expected}"
            )
        nanos = hundredfold // 100
    elif _PLAIN.fullmatch(text):
        nanos = _exact_nanos(text, text)
    else:
        unsigned = "; a limit is written without a sign" if text[:1] == "-" else ""
        raise Refused(f"{text[:40]!r} is not {expected}{unsigned}")
    if not 0 < nanos <= most_nanos:
        limit = text_from_nanos(most_nanos * 100)
        raise Refused(f"{text[:40]!r} is not above 0% and at most {limit}%: write {expected}")
    return nanos


def money_nanos(text: str) -> int:
    """Nanos of an amount above zero, from `100000` or `100000 USD`."""
    return _amount_nanos(_MONEY.fullmatch(text), text, "`100000` or `100000 USD`")


def quantity_nanos(text: str) -> int:
    """Nanos of a quantity above zero, from `10000` or `0.5`."""
    return _amount_nanos(_PLAIN.fullmatch(text), text, "`10000` or `0.5`")


def _amount_nanos(match: re.Match[str] | None, text: str, example: str) -> int:
    if match is None:
        raise Refused(
            f"{text[:40]!r} is not a plain amount without separators and signs:"
            f" write for example {example}"
        )
    nanos = _exact_nanos(match[1], text)
    if nanos == 0:
        raise Refused(f"{text[:40]!r} is not above zero, for example {example}")
    return nanos


def duration_ns(text: str) -> int:
    """Nanoseconds of a duration above zero and at most 30 days, from `500ms`, `30s`, `5m`, `2h`."""
    expected = "a whole number and its unit, for example `500ms`, `30s`, `5m`, `2h` or `1d`"
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Refused(f"{text[:40]!r} is not {expected}")
    nanoseconds = int(match[1]) * PERIODS_NS[match[2]]
    if not 0 < nanoseconds <= DURATION_NS_MAX:
        raise Refused(f"{text[:40]!r} is not above zero and at most 30d: write {expected}")
    return nanoseconds


def count(text: str) -> int:
    """A whole number from 1 to `COUNT_MAX`."""
    if _COUNT.fullmatch(text) is None or not 0 < int(text) <= COUNT_MAX:
        raise Refused(f"{text[:40]!r} is not a whole number from 1 to {COUNT_MAX}, for example `3`")
    return int(text)


def rate(text: str) -> tuple[int, int]:
    """How many in how many nanoseconds, from `100/s`, `200/m` or `50/10s`."""
    expected = "how many in which time, for example `100/s`, `200/m` or `50/10s`"
    match = _RATE.fullmatch(text)
    if match is None:
        raise Refused(f"{text[:40]!r} is not {expected}")
    window_ns = int(match[2] or "1") * PERIODS_NS[match[3]]
    if not 0 < int(match[1]) <= COUNT_MAX or not 0 < window_ns <= PERIODS_NS["d"]:
        raise Refused(f"{text[:40]!r} is zero, or over {COUNT_MAX} or a day: write {expected}")
    return int(match[1]), window_ns


def part_nanos(text: str) -> int:
    """Nanos of a part of a whole: above zero, at most 100 %; `1` is all of it."""
    return fraction_nanos(text, most_nanos=NANOS)


def share_nanos(text: str) -> int:
    """The same, but a bare `1` is refused: who writes `5` for 5% writes it for 1%."""
    nanos = part_nanos(text)
    if nanos == NANOS and _PLAIN.fullmatch(text):
        raise Refused(f"{text[:40]!r} may be 1% or all of it: write `1%` or `100%`")
    return nanos


def leverage_nanos(text: str) -> int:
    """Nanos of a multiple of equity from `150%`, `1.5` or `1.5x`: above zero, at most 1000 %."""
    times = _TIMES.fullmatch(text)
    return fraction_nanos(times[1] if times else text, most_nanos=10 * NANOS)


def sector_nanos(text: str) -> int:
    """The same, but a bare number from 1 on is refused: a sector's part is mostly one of 100 %."""
    nanos = leverage_nanos(text)
    if nanos >= NANOS and _PLAIN.fullmatch(text):
        raise Refused(f"{text[:40]!r} is {text} times equity: write `{text}%` or `{text}x`")
    return nanos


def signed_leverage_nanos(text: str) -> int:
    """Nanos of a signed multiple of equity from `-0.5`, `-50%`, `0` or `1.2`: within ±1000 %."""
    if text in ("0", "0%", "-0", "0.0"):
        return 0
    nanos = leverage_nanos(text.removeprefix("-"))
    return -nanos if text.startswith("-") else nanos


def times_nanos(text: str) -> int:
    """Nanos of a factor above one and at most 1000, from `10x` or `10`."""
    return _scaled(_TIMES.fullmatch(text) or _PLAIN.fullmatch(text), text, "`10x`", NANOS)


def deviations_nanos(text: str) -> int:
    """Nanos of standard deviations above one and at most 1000, from `5` or `5 sigma`."""
    return _scaled(_SIGMAS.fullmatch(text), text, "`5` or `5 sigma`", NANOS)


def _scaled(match: re.Match[str] | None, text: str, example: str, least: int) -> int:
    if match is None or not least < (nanos := _exact_nanos(match[1], text)) <= 1000 * NANOS:
        raise Refused(f"{text[:40]!r} is not a number above 1 and at most 1000, such as {example}")
    return nanos


def bps_nanos(text: str) -> int:
    """Nanos of a fraction in basis points, from `5` or `5 bps`: above zero, at most 1000."""
    match = _BPS.fullmatch(text)
    hundreds = 0 if match is None else _exact_nanos(match[1], text)
    if not 0 < hundreds <= 1000 * NANOS or hundreds % 10_000:
        raise Refused(
            f"{text[:40]!r} is not basis points above 0 and at most 1000, such as `5 bps`"
        )
    return hundreds // 10_000


def seconds_ns(text: str) -> int:
    """Nanoseconds, from a plain number of seconds (`30`) or any duration (`30s`)."""
    return duration_ns(f"{text}s" if _COUNT.fullmatch(text) else text)
