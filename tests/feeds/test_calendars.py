"""Sessions on real dates: early closes, summer time, weeks, months; a gateway without pandas."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fuseboard.feeds.calendars import ExchangeCalendar, RoundTheClock, TimesOfDay
from fuseboard.vocabulary.doors import CalendarUnavailable, SessionDay

SECOND = 1_000_000_000


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def utc(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // SECOND, UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.fixture(scope="module")
def new_york(tmp_path_factory: pytest.TempPathFactory) -> ExchangeCalendar:
    """XNYS as it stood before Thanksgiving of 2024, asked in a process of its own."""
    calendar = ExchangeCalendar("XNYS", tmp_path_factory.mktemp("calendars"))
    asyncio.run(calendar.days(ns("2024-11-20T12:00")))
    return calendar


def days_of(calendar: ExchangeCalendar | RoundTheClock, at: str) -> dict[str, SessionDay]:
    days: Sequence[SessionDay] = asyncio.run(calendar.days(ns(at)))
    assert [day.began_ns for day in days] == sorted(day.began_ns for day in days)
    return {day.session: day for day in days}


def test_a_session_begins_when_the_one_before_closed_also_early(new_york: ExchangeCalendar) -> None:
    days = days_of(new_york, "2024-11-20T12:00")
    assert "2024-11-28" not in days  # Thanksgiving
    assert utc(days["2024-11-29"].began_ns) == "2024-11-27T21:00"
    assert utc(days["2024-11-29"].close_ns) == "2024-11-29T18:00"  # 13:00 in New York
    assert utc(days["2024-12-02"].began_ns) == "2024-11-29T18:00"


def test_the_close_follows_new_yorks_clocks(new_york: ExchangeCalendar) -> None:
    days = days_of(new_york, "2024-11-20T12:00")
    assert utc(days["2024-11-01"].close_ns) == "2024-11-01T20:00"
    assert utc(days["2024-11-04"].close_ns) == "2024-11-04T21:00"  # the night of the change between
    assert utc(days["2025-03-07"].open_ns) == "2025-03-07T14:30"
    assert utc(days["2025-03-10"].open_ns) == "2025-03-10T13:30"


def test_weeks_and_months_begin_with_their_first_session(new_york: ExchangeCalendar) -> None:
    days = days_of(new_york, "2024-11-20T12:00")
    assert days["2024-11-29"].week_began == "2024-11-25"
    assert days["2025-01-21"].week_began == "2025-01-21"  # Monday was Martin Luther King Day
    assert days["2024-12-31"].week_began == days["2025-01-03"].week_began == "2024-12-30"
    assert days["2024-12-31"].month_began == "2024-12-02"
    assert days["2025-01-03"].month_began == "2025-01-02"


def test_a_kept_calendar_is_used_without_asking(
    new_york: ExchangeCalendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise OSError("no process may be started")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refused)
    assert "2024-12-02" in days_of(new_york, "2024-11-21T12:00")
    # Too old to be trusted to stay as it is, and still the best there is.
    assert "2025-02-03" in days_of(new_york, "2025-02-03T12:00")
    with pytest.raises(CalendarUnavailable, match="no process may be started"):
        days_of(new_york, "2026-01-05T12:00")


def test_a_damaged_file_is_asked_for_again(tmp_path: Path, new_york: ExchangeCalendar) -> None:
    again = ExchangeCalendar("XNYS", tmp_path)
    (tmp_path / "XNYS.json").write_text('{"calendar": "XNYS", "made')
    assert days_of(again, "2024-11-20T12:00") == days_of(new_york, "2024-11-20T12:00")


def test_an_unknown_calendar_says_so(tmp_path: Path) -> None:
    with pytest.raises(CalendarUnavailable, match="'XNYZ' is no calendar"):
        days_of(ExchangeCalendar("XNYZ", tmp_path), "2024-11-20T12:00")
    with pytest.raises(ValueError, match="no calendar"):
        ExchangeCalendar("../XNYS", tmp_path)
    with pytest.raises(ValueError, match="no time zone"):
        RoundTheClock(zone="Mars/Olympus")
    with pytest.raises(ValueError, match="25:00"):
        RoundTheClock(roll="25:00")


def test_an_exchange_may_roll_later_than_its_close(new_york: ExchangeCalendar) -> None:
    kept_in = new_york._file.parent
    late = ExchangeCalendar("XNYS", kept_in, roll="18:00", zone="America/New_York")
    assert utc(days_of(late, "2024-11-20T12:00")["2024-12-02"].began_ns) == "2024-11-29T23:00"
    # Earlier than the close, it is the next day's; and never after the session has opened.
    early = ExchangeCalendar("XNYS", kept_in, roll="15:00", zone="America/New_York")
    assert utc(days_of(early, "2024-11-20T12:00")["2024-11-27"].began_ns) == "2024-11-27T14:30"


@pytest.mark.parametrize(
    ("day", "began"),
    [
        ("2025-03-08", "2025-03-08T22:00"),  # 17:00 in New York before the clocks move
        ("2025-03-09", "2025-03-09T21:00"),
        ("2025-11-01", "2025-11-01T21:00"),
        ("2025-11-02", "2025-11-02T22:00"),
    ],
)
def test_a_market_that_never_closes_rolls_at_wall_time_in_its_zone(day: str, began: str) -> None:
    days = days_of(RoundTheClock(roll="17:00", zone="America/New_York"), f"{day}T12:00")
    assert utc(days[day].began_ns) == utc(days[day].open_ns) == began


def test_a_roll_that_the_clocks_leave_out_or_repeat_happens_once() -> None:
    spring = days_of(RoundTheClock(roll="02:30", zone="America/New_York"), "2025-03-09T12:00")
    assert utc(spring["2025-03-09"].began_ns) == "2025-03-09T07:30"
    autumn = days_of(RoundTheClock(roll="01:30", zone="America/New_York"), "2025-11-02T12:00")
    assert utc(autumn["2025-11-02"].began_ns) == "2025-11-02T05:30"
    week = days_of(RoundTheClock(), "2025-11-05T12:00")
    assert (week["2025-11-05"].week_began, week["2025-11-05"].month_began) == (
        "2025-11-03",
        "2025-11-01",
    )


@pytest.mark.parametrize(
    ("now", "newest", "following"),
    [
        ("2026-03-06T14:25", "2026-03-06T14:25", "2026-03-07T14:25"),
        ("2026-03-08T00:00", "2026-03-07T14:25", "2026-03-08T13:25"),  # the clocks go forward
        ("2026-10-31T13:25", "2026-10-31T13:25", "2026-11-01T14:25"),  # and back
        ("2026-11-01T14:24:59", "2026-10-31T13:25", "2026-11-01T14:25"),
    ],
)
def test_a_time_of_day_follows_its_zones_clocks(now: str, newest: str, following: str) -> None:
    times = TimesOfDay(["09:25"], "America/New_York")
    assert utc(times.newest(ns(now)) or 0) == newest
    assert utc(times.next_after(ns(now)) or 0) == following


def test_a_time_of_day_that_the_clocks_leave_out_or_repeat_comes_once() -> None:
    left_out = TimesOfDay(["02:30", "03:30"], "America/New_York")
    found, at_ns = [], ns("2026-03-08T06:00")
    while at_ns < ns("2026-03-09T06:00"):
        at_ns = left_out.next_after(at_ns) or 0
        found.append(utc(at_ns))
    assert found == ["2026-03-08T07:30", "2026-03-09T06:30"], "both are half past three that day"
    repeated = TimesOfDay(["01:30"], "America/New_York")
    first_ns = repeated.next_after(ns("2026-11-01T04:00")) or 0
    assert utc(first_ns) == "2026-11-01T05:30"
    assert utc(repeated.next_after(first_ns) or 0) == "2026-11-02T06:30"


def test_a_day_that_a_zone_left_out_is_stepped_over() -> None:
    samoa = TimesOfDay(["10:00"], "Pacific/Apia")  # it had no 30 December 2011
    before_ns, after_ns = ns("2011-12-29T20:00"), ns("2011-12-30T20:00")
    assert samoa.newest(before_ns) == before_ns
    assert samoa.next_after(before_ns) == after_ns


def test_no_times_of_day_never_come() -> None:
    none = TimesOfDay([], "UTC")
    assert none.newest(ns("2026-03-08T00:00")) is none.next_after(ns("2026-03-08T00:00")) is None


def test_a_gateway_does_not_import_pandas() -> None:
    code = "import sys, fuseboard.app; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
