"""Which calendar an account lives by, and at which times of day, from its policy."""

from pathlib import Path

from fuseboard.control.state_directory import StateRefused
from fuseboard.feeds.calendars import ALWAYS, ExchangeCalendar, RoundTheClock, TimesOfDay
from fuseboard.policy.calendar_names import ZONES
from fuseboard.policy.policy import Policy
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


def times_to_compare(rule: SessionRule, policy: Policy) -> TimesOfDay:
    """When a policy wants the books compared, in the zone of a session's calendar."""
    rules = policy.reconciliation
    return TimesOfDay(rules.at if rules.scheduled else (), rule.zone or ZONES[rule.calendar])
