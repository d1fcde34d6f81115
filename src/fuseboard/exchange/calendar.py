"""When the market trades: NYSE days and hours for shares, always for crypto."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from msgspec import Struct

NEW_YORK = ZoneInfo("America/New_York")
OPENS = time(9, 30)
CLOSES = time(16)
CLOSES_EARLY = time(13)
DAYS_AHEAD_MAX = 14
"""The NYSE has never been closed for longer in the years that are simulated."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NS = 1_000_000_000


class TradingDay(Struct, frozen=True):
    """One regular session, in UTC ns."""

    day: date
    open_ns: int
    close_ns: int


class MarketHours:
    """The regular sessions of a market; `always` for one that never closes."""

    def __init__(self, *, always: bool) -> None:
        self.always = always
        self._current: TradingDay | None = None

    def is_open(self, now_ns: int) -> bool:
        """Whether the regular session runs: from its first nanosecond up to its close."""
        if self.always:
            return True
        current = self._current
        if current is None or not current.open_ns <= now_ns < current.close_ns:
            current = self.current_or_next(now_ns)
            self._current = current
        return current.open_ns <= now_ns

    def current_or_next(self, now_ns: int) -> TradingDay:
        """The session that runs now, or the next one."""
        day = new_york_time(now_ns).date()
        for ahead in range(DAYS_AHEAD_MAX):
            session = trading_day(day + timedelta(days=ahead))
            if session is not None and now_ns < session.close_ns:
                return session
        raise AssertionError(f"no session within {DAYS_AHEAD_MAX} days of {day}")

    def next_open_ns(self, now_ns: int) -> int:
        """When the next session after now begins."""
        session = self.current_or_next(now_ns)
        if session.open_ns <= now_ns:
            session = self.current_or_next(session.close_ns)
        return session.open_ns

    def day_order_expires_ns(self, now_ns: int) -> int | None:
        """When a DAY order taken now expires; None where there is no end of day."""
        return None if self.always else self.current_or_next(now_ns).close_ns


def new_york_time(now_ns: int) -> datetime:
    """The wall time in New York, cut to microseconds."""
    return (_EPOCH + timedelta(microseconds=now_ns // 1_000)).astimezone(NEW_YORK)


@cache
def trading_day(day: date) -> TradingDay | None:
    """The regular session of a date, None when the NYSE is closed."""
    if day.weekday() >= 5 or day in _closed_days(day.year):
        return None
    closes = CLOSES_EARLY if day in _short_days(day.year) else CLOSES
    return TradingDay(day=day, open_ns=_wall_ns(day, OPENS), close_ns=_wall_ns(day, closes))


def trading_days(start: date, end: date, *, days_max: int) -> list[TradingDay]:
    """The sessions from start to end, both included, at most `days_max` of them."""
    found: list[TradingDay] = []
    day = start
    while day <= end and len(found) < days_max:
        session = trading_day(day)
        if session is not None:
            found.append(session)
        day += timedelta(days=1)
    return found


@cache
def _closed_days(year: int) -> frozenset[date]:
    import holidays  # here, because every command would pay 130 ms for it at its start

    return frozenset(holidays.financial_holidays("NYSE", years=year, categories=("public",)))


@cache
def _short_days(year: int) -> frozenset[date]:
    import holidays

    return frozenset(holidays.financial_holidays("NYSE", years=year, categories=("half_day",)))


def _wall_ns(day: date, wall: time) -> int:
    moment = datetime.combine(day, wall, tzinfo=NEW_YORK)
    return (moment - _EPOCH) // timedelta(seconds=1) * _SECOND_NS
