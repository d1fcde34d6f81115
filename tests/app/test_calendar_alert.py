"""A calendar that cannot be read is an alert wherever alerts go, at the first look."""

import asyncio
from functools import partial
from pathlib import Path

from fuseboard.app.alert_doors import AlertDoors
from fuseboard.feeds.calendars import ExchangeCalendar
from fuseboard.runtime.sessions import SessionSchedule
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.inputs import BrokerClockSeen, Moment
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason


class Heard:
    """A pager that remembers."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def page(self, severity: str, code: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        self.texts.append(f"{severity} {scope}: {text}")


class Still:
    """A clock that stands, and a broker that has none."""

    def now(self) -> Moment:
        return Moment(boot_ns=1, wall_ns=1_763_740_800_000_000_000)

    async def clock(self) -> BrokerClockSeen:
        raise BrokerUnavailable("no answer")


def test_everybody_hears_that_no_session_begins(tmp_path: Path) -> None:
    doors, pagers = AlertDoors.__new__(AlertDoors), [Heard(), Heard(), Heard()]
    doors.pagers = list(pagers)
    schedule = SessionSchedule(
        calendar=ExchangeCalendar("XXXX", tmp_path),
        broker=Still(),
        clock=Still(),
        offer=lambda _: True,
        tell=partial(doors.tell, Severity.WARNING, Reason.CLOCKS_DISAGREE),
    )
    asyncio.run(schedule.look())
    for pager in pagers:
        (text,) = pager.texts
        assert text.startswith("warning account: calendar XXXX: ")
        assert "no session begins until it is there" in text
