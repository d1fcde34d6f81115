"""Which calendar an account lives by, from its policy."""

from pathlib import Path

from fuseboard.control.state_directory import StateRefused
from fuseboard.feeds.calendars import ALWAYS, ExchangeCalendar, RoundTheClock
from fuseboard.policy.rules import SessionRule
from fuseboard.vocabulary.doors import Calendar


def calendar_of(rule: SessionRule, kept_in: Path) -> Calendar:
    """The calendar of a session rule. Raises `StateRefused` for a roll or zone that is none."""
    try:
        if rule.calendar == ALWAYS:
            return RoundTheClock(roll=rule.roll, zone=rule.zone)
        return ExchangeCalendar(rule.calendar, kept_in, roll=rule.roll, zone=rule.zone)
    except ValueError as wrong:
        raise StateRefused(f"the policy's session: {wrong}") from wrong
