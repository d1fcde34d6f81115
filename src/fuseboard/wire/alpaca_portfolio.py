"""Alpaca's portfolio history: what a query asks for, and the object of a series of equities.

Period and timeframe follow Alpaca's trading API ("Get account portfolio history"): `1D`, `2W`,
`3M`, `1A` and `1Min`, `5Min`, `15Min`, `1H`, `1D`. A period is counted in calendar days here
(a month has 31, a year 366), a day is New York's, and a window without an equity is left out
rather than filled in.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from fuseboard.vocabulary.money import NANOS, rounded_half_up
from fuseboard.wire.alpaca_values import ns_from_rfc3339, number

DAY_NS = 86_400 * NANOS
PERIOD_DEFAULT = "1M"
_NEW_YORK = ZoneInfo("America/New_York")
_PERIOD = re.compile(r"([1-9][0-9]{0,2})([DWMA])", re.ASCII)
_DAYS_OF = {"D": 1, "W": 7, "M": 31, "A": 366}
_MINUTES_OF = {"1Min": 1, "5Min": 5, "15Min": 15, "1H": 60, "1D": 0}
_CHOICES = {
    "timeframe": ("", *_MINUTES_OF),
    "pnl_reset": ("", "per_day", "no_reset"),
    "intraday_reporting": ("", "market_hours", "extended_hours", "continuous"),
    "extended_hours": ("", "true", "false"),
}


class HistoryRefused(ValueError):
    """A query that cannot be understood; the message names the field."""


class HistoryAsked(Struct, frozen=True, kw_only=True):
    """A range of Unix time in ns, both ends included, and the width of a window."""

    start_ns: int
    end_ns: int
    timeframe: str
    resets_daily: bool


def history_asked(query: Mapping[str, str], now_ns: int) -> HistoryAsked:
    """What a query asks for, seen from `now_ns`. Raises `HistoryRefused`."""
    for name, known in _CHOICES.items():
        value = query.get(name, "")
        if (value.lower() if name == "extended_hours" else value) not in known:
            raise HistoryRefused(f"{name} {value[:40]!r} is not one of {', '.join(known[1:])}")
    start_ns = _moment(query, "start")
    end_ns = _moment(query, "end")
    if query.get("date_end"):
        if end_ns is not None:
            raise HistoryRefused("give end or date_end, not both")
        end_ns = _moment(query, "date_end", days=1)
    period = query.get("period", "")
    if period and start_ns is not None and end_ns is not None:
        raise HistoryRefused("give two of start, end and period, not all three")
    found = _PERIOD.fullmatch(period or PERIOD_DEFAULT)
    if found is None:
        raise HistoryRefused(f"period {period[:40]!r} is not a number and one of D, W, M, A")
    length_ns = int(found[1]) * _DAYS_OF[found[2]] * DAY_NS
    if start_ns is not None and end_ns is None and period:
        end_ns = start_ns + length_ns
    end_ns = now_ns if end_ns is None else end_ns
    start_ns = end_ns - length_ns if start_ns is None else start_ns
    if start_ns > end_ns:
        raise HistoryRefused("start is after end")
    timeframe = query.get("timeframe") or _usual_timeframe(end_ns - start_ns)
    return HistoryAsked(
        start_ns=start_ns,
        end_ns=end_ns,
        timeframe=timeframe,
        resets_daily=timeframe != "1D" and query.get("pnl_reset") != "no_reset",
    )


def history_object(samples: Iterable[tuple[int, int]], asked: HistoryAsked) -> dict[str, object]:
    """Alpaca's PortfolioHistory of `samples`: (Unix time in ns, equity in nano-units), by time.

    Each window shows its last equity, under the time it begins. Profit is counted from the last
    equity before the range, else the first in it; for intraday windows, anew each day.
    """
    base: int | None = None
    windows: dict[int, tuple[int, int]] = {}  # by begin: base of its profit, last equity
    day_ns, day_base, before = -1, 0, None
    for at_ns, equity in samples:
        if at_ns > asked.end_ns:
            break
        day = _day_begin_ns(at_ns)
        if day != day_ns:
            day_ns, day_base = day, equity if before is None else before
        if at_ns >= asked.start_ns:
            if base is None:
                base = equity if before is None else before
            begin = _window_begin_ns(at_ns, asked.timeframe)
            windows[begin] = (day_base if asked.resets_daily else base, equity)
        before = equity
    gains = [equity - origin for origin, equity in windows.values()]
    return {
        "timestamp": [begin // NANOS for begin in windows],
        "equity": [number(equity) for _, equity in windows.values()],
        "profit_loss": [number(gain) for gain in gains],
        "profit_loss_pct": [
            number(rounded_half_up(gain * NANOS, origin)) if origin > 0 else None
            for gain, (origin, _) in zip(gains, windows.values(), strict=True)
        ],
        "base_value": None if base is None else number(base),
        "timeframe": asked.timeframe,
        "cashflow": {},
    }


def _usual_timeframe(length_ns: int) -> str:
    if length_ns < 7 * DAY_NS:
        return "1Min"
    return "15Min" if length_ns < 30 * DAY_NS else "1D"


def _window_begin_ns(at_ns: int, timeframe: str) -> int:
    if timeframe == "1D":
        return _day_begin_ns(at_ns)
    return at_ns - at_ns % (_MINUTES_OF[timeframe] * 60 * NANOS)


def _day_begin_ns(at_ns: int) -> int:
    """Midnight in New York, the moment's own or the one before."""
    local = datetime.fromtimestamp(at_ns // NANOS, _NEW_YORK)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return int(midnight.timestamp()) * NANOS


def _moment(query: Mapping[str, str], name: str, *, days: int = 0) -> int | None:
    """A moment; a date alone is its midnight in New York, `days` later."""
    text = query.get(name)
    if not text:
        return None
    try:
        if len(text) == len("2010-05-06"):
            day = datetime.fromisoformat(text).replace(tzinfo=_NEW_YORK) + timedelta(days=days)
            return int(day.astimezone(UTC).timestamp()) * NANOS
        head, blank, zone = text.rpartition(" ")  # A plus sign may have arrived as a blank.
        return ns_from_rfc3339(f"{head}+{zone}" if blank and "T" in head else text)
    except (ValueError, OverflowError) as wrong:
        raise HistoryRefused(f"{name}: {wrong}") from wrong
