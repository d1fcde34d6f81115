"""Times as people of a tape's market read them."""

from datetime import UTC, datetime, tzinfo
from typing import Final

from fuseboard.feeds.tapes.tape import TapeKind
from fuseboard.feeds.tapes.times import NEW_YORK
from fuseboard.lab.result import Ran
from fuseboard.vocabulary.money import NANOS

MILLI_NS: Final = 1_000_000
_HOUR_S: Final = 3_600
_DAY_S: Final = 24 * _HOUR_S


def zone_of(ran: Ran) -> tzinfo:
    """New York for shares, UTC for crypto."""
    return UTC if ran.tape_kind == TapeKind.CRYPTO.value else NEW_YORK


def zone_name(ran: Ran) -> str:
    """As an axis says it."""
    return "UTC" if zone_of(ran) is UTC else "New York time"


def offsets(ran: Ran) -> list[list[int]]:
    """From which UTC second on the zone's clock is ahead by how many seconds, first to last.

    To the hour, which is as fine as clocks are changed.
    """
    zone, at_s, end_s = zone_of(ran), ran.open_ns // NANOS // _HOUR_S * _HOUR_S, 0
    end_s = ran.close_ns // NANOS
    found = [[0, _ahead_s(at_s, zone)]]
    while at_s < end_s:
        if _ahead_s(at_s + _DAY_S, zone) == found[-1][1]:
            at_s += _DAY_S
            continue
        while _ahead_s(at_s, zone) == found[-1][1]:
            at_s += _HOUR_S
        found.append([at_s, _ahead_s(at_s, zone)])
    return found


def clock(ran: Ran, at_ns: int) -> str:
    """To the millisecond, with the day where a tape has more than one."""
    at = datetime.fromtimestamp(at_ns // NANOS, tz=zone_of(ran))
    millis = at_ns % NANOS // MILLI_NS
    day = f"{at:%F} " if ran.close_ns - ran.open_ns > _DAY_S * NANOS else ""
    return f"{day}{at:%T}.{millis:03d}"


def span(ran: Ran) -> str:
    """From when to when a tape was played."""
    zone = zone_of(ran)
    opens = datetime.fromtimestamp(ran.open_ns // NANOS, tz=zone)
    closes = datetime.fromtimestamp(ran.close_ns // NANOS, tz=zone)
    until = f"{closes:%T}" if opens.date() == closes.date() else f"{closes:%F %T}"
    return f"{opens:%F %T} to {until} {zone_name(ran)}"


def _ahead_s(at_s: int, zone: tzinfo) -> int:
    ahead = datetime.fromtimestamp(at_s, tz=zone).utcoffset()
    assert ahead is not None
    return ahead.days * _DAY_S + ahead.seconds
