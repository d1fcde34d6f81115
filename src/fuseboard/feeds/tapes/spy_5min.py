"""Reads five-minute bars of SPY, 2018 to 2020, a gzip CSV: the whole of it, or one day.

Times are UTC, a stamp is the last minute of its bar. Volumes count hundreds of shares: over 693
days their sums are 1/108 to 1/234 of the daily volumes that another record tells (odd lots and some
venues are missing). On 55 days, the weeks in which America and Europe change their clocks apart,
the first hour is missing. Bars without volume are a market-wide halt only where the public record
says so (`MARKET_HALTS`); the others are holes.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Final

from fuseboard.feeds.tapes.bars import Bar, BarRow, BarTape, tape_of_bars
from fuseboard.feeds.tapes.families import TapeFamily, TapeName, path_after
from fuseboard.feeds.tapes.findings import Findings
from fuseboard.feeds.tapes.rows import nanos_of, rows_of, wrong
from fuseboard.feeds.tapes.tape import Session, Tape, TapeHalt, TapeKind, TapeUnreadable
from fuseboard.feeds.tapes.times import SECOND_NS, day_of_text, new_york_ns, utc_ns
from fuseboard.vocabulary.money import NANOS

SYMBOL: Final = "SPY"
HEADER: Final = "index,open,high,low,close,volume,average,barcount"
FIELDS: Final = 8
MINUTE_NS: Final = 60 * SECOND_NS
BAR_NS: Final = 5 * MINUTE_NS
SHARES_PER_VOLUME: Final = 100
CENT_NANOS: Final = NANOS // 100
DAYS_BETWEEN_NS: Final = 5 * 86_400 * SECOND_NS
MARKET_HALTS: Final = {"2020-03-18": "MWC1"}
"""Days on which bars without volume are a market-wide halt: level 1, 12:56:17 to 13:11:17."""
PREFIX: Final = "spy-5min"
FILE: Final = "spy_5min_2018_2020/spy_5min.csv.gz"


def spy_5min(path: Path, day: date | None) -> Tape:
    """The tape of a day, or of all. Raises `TapeUnreadable` when file or day is missing."""
    wanted = "" if day is None else day.isoformat()
    first = last = before = None
    at = Findings()
    for row in _rows(path, at):
        if wanted and row[0] < wanted:
            before = row
        elif not wanted or row[0].startswith(wanted):
            last = _bar(row, at)
            first = first or last
        else:
            _bar(row, at)
            break
    if first is None or last is None:
        raise TapeUnreadable(f"{path} has no bars of {wanted or 'any day'}")

    def rows(found: Findings) -> Iterator[BarRow]:
        halted = ""
        for row in _rows(path, found):
            if wanted and row[0] < wanted:
                continue
            bar = _bar(row, found)
            stamp = row[0][: len("2020-03-18")]
            if wanted and stamp > wanted:
                return
            silent = MARKET_HALTS.get(stamp, "") if not bar.volume_nanos else ""
            if silent and not halted:
                yield [_halt(bar.opens_ns, silent, resumes=False), bar]
            elif halted and not silent:
                yield [_halt(bar.opens_ns, halted, resumes=True), bar]
            else:
                yield [bar]
            halted = silent

    opens = first.opens_ns if day is None else new_york_ns(day, time(9, 30))
    closes = last.ends_ns if day is None else new_york_ns(day, time(16))
    return tape_of_bars(
        BarTape(
            name=f"{PREFIX}-{wanted}" if wanted else PREFIX,
            describes="recorded five-minute bars of SPY",
            kind=TapeKind.US_EQUITY,
            symbols=(SYMBOL,),
            typical_gap_ns=BAR_NS // 3,
            gap_ns_max=DAYS_BETWEEN_NS if day is None else BAR_NS,
            session=Session(open_ns=opens, close_ns=closes),
            step_nanos=CENT_NANOS,
            rows=rows,
            prior_close_nanos={} if before is None else {SYMBOL: _bar(before, at).close_nanos},
        )
    )


def _halt(at_ns: int, reason: str, *, resumes: bool) -> TapeHalt:
    return TapeHalt(symbol=SYMBOL, at_ns=at_ns, resumes=resumes, reason=reason)


def _rows(path: Path, at: Findings) -> Iterator[list[str]]:
    return rows_of(path, at, fields=FIELDS, header=HEADER)


def _bar(row: list[str], at: Findings) -> Bar:
    try:
        stamp = datetime.strptime(row[0], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise wrong(at, "a time such as 2020-03-18 17:04:00", row[0]) from error
    ends_ns = utc_ns(stamp) + MINUTE_NS
    return Bar(
        symbol=SYMBOL,
        opens_ns=ends_ns - BAR_NS,
        ends_ns=ends_ns,
        open_nanos=nanos_of(row[1], "an open", at),
        high_nanos=nanos_of(row[2], "a high", at),
        low_nanos=nanos_of(row[3], "a low", at),
        close_nanos=nanos_of(row[4], "a close", at),
        volume_nanos=nanos_of(row[5], "a volume", at) * SHARES_PER_VOLUME,
    )


def _named(typed: str, data: Path) -> Tape | None:
    base, _, day = typed.rpartition(":")
    path = path_after("spy-5min:", base)
    if path is not None:
        return spy_5min(path, day_of_text(day))
    path = path_after("spy-5min:", typed)
    if path is not None:
        return spy_5min(path, None)
    if typed == PREFIX:
        return spy_5min(data / FILE, None)
    if typed.startswith(f"{PREFIX}-"):
        return spy_5min(data / FILE, day_of_text(typed.removeprefix(f"{PREFIX}-")))
    return None


FAMILY: Final = TapeFamily(
    names=(
        TapeName(
            name=f"{PREFIX}-2020-03-18",
            says="SPY, five-minute bars, the halt of 18 March 2020; any day of 2018 to 2020",
            file=FILE,
        ),
        TapeName(name=PREFIX, says="the same, all three years", file=FILE),
    ),
    path="spy-5min:PATH.csv.gz[:YYYY-MM-DD]",
    reads=f"a gzip CSV of {HEADER}",
    tape=_named,
)
