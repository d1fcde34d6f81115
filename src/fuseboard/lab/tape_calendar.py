"""The sessions of a tape: NYSE's for shares, a day from midnight to midnight UTC for crypto.

As the simulated exchange has them; the policy's own calendar says nothing here, since a tape is of
the market that it was recorded in. The exchange's clock is the broker's.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from fuseboard.exchange.calendar import MarketHours, new_york_time, trading_days
from fuseboard.exchange.exchange import Exchange
from fuseboard.feeds.calendars import DAYS_BACK, Hours, RoundTheClock, TimesOfDay, sessions_of
from fuseboard.policy.calendar_names import ALWAYS, ZONES
from fuseboard.policy.data_rules import ReconciliationRules
from fuseboard.vocabulary.doors import SessionDay
from fuseboard.vocabulary.inputs import BrokerClockSeen

DAYS_AHEAD: Final = 21
NYSE: Final = "XNYS"


class NyseOfTape:
    """NYSE's sessions around any time, as the simulated exchange trades."""

    name = NYSE

    async def days(self, now_ns: int) -> Sequence[SessionDay]:
        """The sessions around now, in order."""
        today = new_york_time(now_ns).date()
        known = trading_days(
            today - timedelta(days=DAYS_BACK),
            today + timedelta(days=DAYS_AHEAD),
            days_max=DAYS_BACK + DAYS_AHEAD,
        )
        return sessions_of([Hours(at.day.isoformat(), at.open_ns, at.close_ns) for at in known])


def calendar_of(hours: MarketHours) -> NyseOfTape | RoundTheClock:
    """The calendar of a market's hours."""
    return RoundTheClock() if hours.always else NyseOfTape()


def times_to_compare(hours: MarketHours, rules: ReconciliationRules) -> TimesOfDay:
    """The times of day at which a policy wants the books compared, in the zone of the tape."""
    zone = ZONES[ALWAYS if hours.always else NYSE]
    return TimesOfDay(rules.at if rules.scheduled else (), zone)


class ExchangeClock:
    """The simulated exchange's clock, as a broker's: the exchange's own stands between events."""

    def __init__(self, exchange: Exchange, now_ns: Callable[[], int]) -> None:
        self._exchange = exchange
        self._now_ns = now_ns

    async def clock(self) -> BrokerClockSeen:
        """Now by the tape."""
        now_ns = self._now_ns()
        return BrokerClockSeen(wall_ns=now_ns, is_open=self._exchange.hours.is_open(now_ns))
