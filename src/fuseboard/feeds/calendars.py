"""When sessions begin: an exchange's calendar, or one that rolls every day and never closes.

Exchanges come from `exchange_calendars`. It brings pandas, so it is asked in a process of its own
(`python -m fuseboard.feeds.calendars XNYS 2026-01-01 2026-12-31`) and what it says is kept in a
file: a gateway never imports it, and starts without it as long as the file reaches far enough.

A session begins when the one before it has closed, so that what happens overnight is part of it;
early closes are real closes. `24/7` begins a session each day at the roll's wall time in its zone,
summer time or not. A week's (a month's) first session is the first that falls into it.
"""

import asyncio
import itertools
import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from fuseboard.vocabulary.doors import CalendarUnavailable, SessionDay

ALWAYS: Final = "24/7"
DAYS_BACK: Final = 45
"""Enough to find the first session of the present month, and the close before that."""
DAYS_AHEAD: Final = 365
DAYS_AHEAD_MIN: Final = 14
"""A kept calendar that does not reach this far is asked for again, and used until it ends."""
KEPT_NS_MAX: Final = 30 * 24 * 3600 * 1_000_000_000
ASKED_S_MAX: Final = 60.0
ANSWER_BYTES_MAX: Final = 1_000_000
_SECOND_NS: Final = 1_000_000_000
_DAY_NS: Final = 24 * 3600 * _SECOND_NS
_NAME: Final = re.compile(r"[A-Za-z0-9_/]{1,32}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Hours(Struct, frozen=True):
    """One session as an exchange's calendar has it: its date, and UTC ns of open and close."""

    session: str
    open_ns: int
    close_ns: int


class Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """A calendar as it is kept in a file."""

    calendar: str
    made_ns: int
    hours: tuple[Hours, ...]


class ExchangeCalendar:
    """The sessions of one exchange; `roll` (`HH:MM` in `zone`) may delay their beginning."""

    def __init__(self, name: str, kept_in: Path, *, roll: str = "", zone: str = "") -> None:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name[:40]!r} is no calendar of exchange_calendars")
        self.name = name
        self._file = kept_in / f"{name.replace('/', '-')}.json"
        self._roll = roll_of(roll) if roll else None
        self._zone = zone_of(zone or "UTC")

    async def days(self, now_ns: int) -> Sequence[SessionDay]:
        """The sessions around now, in order. Raises `CalendarUnavailable`."""
        kept = self._kept()
        if kept is None or not _reaches(kept, now_ns, DAYS_AHEAD_MIN) or _is_old(kept, now_ns):
            try:
                kept = await self._ask(now_ns)
                self._keep(kept)
            except (OSError, TimeoutError, CalendarUnavailable, msgspec.MsgspecError) as failure:
                if kept is None or not _reaches(kept, now_ns, 0):
                    raise CalendarUnavailable(f"calendar {self.name}: {failure}") from failure
        return sessions_of(kept.hours, self._roll, self._zone)

    def _kept(self) -> Kept | None:
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=Kept)
        except (OSError, msgspec.MsgspecError):
            return None  # there is none that can be read: it is asked for and written again
        return kept if kept.calendar == self.name else None

    def _keep(self, kept: Kept) -> None:
        self._file.parent.mkdir(mode=0o700, exist_ok=True)
        unfinished = self._file.with_suffix(".new")
        unfinished.write_bytes(msgspec.json.encode(kept))
        unfinished.replace(self._file)

    async def _ask(self, now_ns: int) -> Kept:
        first = _day_of(now_ns) - timedelta(days=DAYS_BACK)
        last = _day_of(now_ns) + timedelta(days=DAYS_AHEAD)
        asked = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "fuseboard.feeds.calendars",
            self.name,
            first.isoformat(),
            last.isoformat(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            answer, complaint = await asyncio.wait_for(asked.communicate(), ASKED_S_MAX)
        except TimeoutError:
            asked.kill()
            await asked.wait()
            raise
        if asked.returncode or len(answer) > ANSWER_BYTES_MAX:
            said = complaint.decode(errors="replace").strip().splitlines()
            raise CalendarUnavailable(said[-1] if said else "no answer")
        hours = msgspec.json.decode(answer, type=tuple[Hours, ...])
        return Kept(self.name, now_ns, hours)


class RoundTheClock:
    """A market that never closes: each day is a session from one roll to the next."""

    def __init__(self, *, roll: str = "", zone: str = "") -> None:
        self.name = ALWAYS
        self._roll = roll_of(roll or "00:00")
        self._zone = zone_of(zone or "UTC")

    async def days(self, now_ns: int) -> Sequence[SessionDay]:
        """The sessions around now, in order."""
        first = _day_of(now_ns) - timedelta(days=DAYS_BACK)
        rolls = [
            (day, _wall_ns(day, self._roll, self._zone))
            for day in (first + timedelta(days=n) for n in range(DAYS_BACK + DAYS_AHEAD_MIN))
        ]
        hours = [
            Hours(day.isoformat(), began_ns, ends_ns)
            for (day, began_ns), (_, ends_ns) in itertools.pairwise(rolls)
        ]
        return _named([(each, each.open_ns) for each in hours])


class TimesOfDay:
    """Wall times of each day (`HH:MM`) in a zone, summer time or not. Raises `ValueError`."""

    def __init__(self, times: Sequence[str], zone: str) -> None:
        self._times = [roll_of(text) for text in times]
        self._zone = zone_of(zone)

    def newest(self, wall_ns: int) -> int | None:
        """The last of them up to now, in UTC ns; None: there are none."""
        return max((at for at in self._around(wall_ns) if at <= wall_ns), default=None)

    def next_after(self, wall_ns: int) -> int | None:
        """The first of them after now, in UTC ns; None: there are none."""
        return min((at for at in self._around(wall_ns) if at > wall_ns), default=None)

    def _around(self, wall_ns: int) -> list[int]:
        """Those of the days around now: a zone may skip a day, not two."""
        today = _local_day(wall_ns, self._zone)
        days = [today + timedelta(days=ahead) for ahead in range(-2, 3)]
        return [_wall_ns(day, at, self._zone) for day in days for at in self._times]


def sessions_of(
    hours: Sequence[Hours], roll: time | None = None, zone: ZoneInfo | None = None
) -> list[SessionDay]:
    """Sessions of an exchange's hours: each begins when the one before it has closed.

    With a roll it begins at the first such wall time at or after that close.
    """
    begun: list[tuple[Hours, int]] = []
    for before, each in itertools.pairwise(hours):
        began_ns = before.close_ns
        if roll is not None and zone is not None:
            closed_on = _local_day(before.close_ns, zone)
            began_ns = _wall_ns(closed_on, roll, zone)
            if began_ns < before.close_ns:
                began_ns = _wall_ns(closed_on + timedelta(days=1), roll, zone)
        begun.append((each, min(began_ns, each.open_ns)))
    return _named(begun)


def _named(begun: Sequence[tuple[Hours, int]]) -> list[SessionDay]:
    """Name for each session the first one of its week (from Monday) and of its month."""
    weeks: dict[tuple[int, int], str] = {}
    months: dict[str, str] = {}
    days: list[SessionDay] = []
    for hours, began_ns in begun:
        day = date.fromisoformat(hours.session)
        week = day.isocalendar()
        days.append(
            SessionDay(
                session=hours.session,
                week_began=weeks.setdefault((week.year, week.week), hours.session),
                month_began=months.setdefault(hours.session[:7], hours.session),
                began_ns=began_ns,
                open_ns=hours.open_ns,
                close_ns=hours.close_ns,
            )
        )
    return days


def roll_of(text: str) -> time:
    """The wall time of `HH:MM`. Raises `ValueError`."""
    return datetime.strptime(text, "%H:%M").replace(tzinfo=UTC).time()


def zone_of(name: str) -> ZoneInfo:
    """The time zone of a name such as `America/New_York`. Raises `ValueError`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as unknown:
        raise ValueError(f"{name!r} is no time zone") from unknown


def _wall_ns(day: date, wall: time, zone: ZoneInfo) -> int:
    """UTC ns of a wall time. One that the clocks leave out is taken as if they had not yet moved;
    of one that comes twice, the first.
    """
    moment = datetime.combine(day, wall, tzinfo=zone)
    return (moment - _EPOCH) // timedelta(seconds=1) * _SECOND_NS


def _local_day(at_ns: int, zone: ZoneInfo) -> date:
    return (_EPOCH + timedelta(seconds=at_ns // _SECOND_NS)).astimezone(zone).date()


def _day_of(now_ns: int) -> date:
    return _local_day(now_ns, ZoneInfo("UTC"))


def _reaches(kept: Kept, now_ns: int, days: int) -> bool:
    return bool(kept.hours) and kept.hours[-1].open_ns > now_ns + days * _DAY_NS


def _is_old(kept: Kept, now_ns: int) -> bool:
    return now_ns - kept.made_ns > KEPT_NS_MAX


def hours_from_library(name: str, first: str, last: str) -> list[Hours]:
    """An exchange's hours between two dates, from `exchange_calendars`. Raises `ValueError`."""
    import exchange_calendars  # here: it brings pandas, and only the asked process may pay for it
    from exchange_calendars.errors import InvalidCalendarName

    try:
        calendar = exchange_calendars.get_calendar(name, start=first, end=last)
    except InvalidCalendarName as unknown:
        raise ValueError(f"{name!r} is no calendar of exchange_calendars") from unknown
    return [
        Hours(session.date().isoformat(), int(opens.value), int(closes.value))
        for session, opens, closes in zip(
            calendar.sessions, calendar.opens, calendar.closes, strict=True
        )
    ]


def main(arguments: Sequence[str]) -> int:
    """Print an exchange's hours as JSON; the calendar's complaint and 1 when there are none."""
    try:
        hours = hours_from_library(*arguments)
    except ValueError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 1
    sys.stdout.write(msgspec.json.encode(hours).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
