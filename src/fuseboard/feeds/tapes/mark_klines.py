"""Reads one-minute klines of a Binance mark price, a zip of one day.

A mark price is computed, not traded: its volume is 0 in every bar. Each print has a size of one
contract, so that the tape can be played; sizes mean nothing. The prior close is the last close of
the day before, where its file lies beside; else it is not known.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from fuseboard.feeds.tapes.bars import Bar, BarTape, session_of, tape_of_bars
from fuseboard.feeds.tapes.families import TapeFamily, TapeName, path_after
from fuseboard.feeds.tapes.findings import Findings
from fuseboard.feeds.tapes.rows import integer_of, nanos_of, rows_of
from fuseboard.feeds.tapes.tape import Tape, TapeKind, TapeUnreadable
from fuseboard.feeds.tapes.times import SECOND_NS, day_of_text
from fuseboard.vocabulary.money import NANOS

HEADER: Final = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)
FIELDS: Final = 12
MILLISECOND_NS: Final = 1_000_000
MINUTE_NS: Final = 60 * SECOND_NS
STEP_NANOS: Final = NANOS // 10
NAME: Final = "btcusd-perp-1min-2025-10-10"
FILE: Final = "crypto_2025_10_10/BTCUSD_PERP-1m-2025-10-10.zip"


def mark_klines(path: Path) -> Tape:
    """The tape of a file SYMBOL-1m-YYYY-MM-DD.zip. Raises `TapeUnreadable`."""
    symbol, interval, day_text = (*path.stem.split("-", 2), "", "")[:3]
    if interval != "1m":
        raise TapeUnreadable(f"{path.name} is not named as SYMBOL-1m-YYYY-MM-DD.zip")
    day = day_of_text(day_text)
    session = session_of(_bars(path, symbol, Findings()), path)

    return tape_of_bars(
        BarTape(
            name=f"{symbol.lower().replace('_', '-')}-1min-{day_text}",
            describes=f"recorded mark prices of {symbol}, computed and not traded, by the minute",
            kind=TapeKind.CRYPTO,
            symbols=(symbol,),
            typical_gap_ns=MINUTE_NS // 3,
            gap_ns_max=MINUTE_NS,
            session=session,
            step_nanos=STEP_NANOS,
            rows=lambda found: ([bar] for bar in _bars(path, symbol, found)),
            prior_close_nanos=_prior_close(path, symbol, day),
        )
    )


def _prior_close(path: Path, symbol: str, day: date) -> dict[str, int]:
    before = path.with_name(f"{symbol}-1m-{(day - timedelta(days=1)).isoformat()}.zip")
    closes = (
        [bar.close_nanos for bar in _bars(before, symbol, Findings())] if before.exists() else []
    )
    return {symbol: closes[-1]} if closes else {}


def _bars(path: Path, symbol: str, at: Findings) -> Iterator[Bar]:
    for row in rows_of(path, at, fields=FIELDS, header=HEADER):
        yield Bar(
            symbol=symbol,
            opens_ns=integer_of(row[0], "an open time in ms", at) * MILLISECOND_NS,
            ends_ns=(integer_of(row[6], "a close time in ms", at) + 1) * MILLISECOND_NS,
            open_nanos=nanos_of(row[1], "an open", at),
            high_nanos=nanos_of(row[2], "a high", at),
            low_nanos=nanos_of(row[3], "a low", at),
            close_nanos=nanos_of(row[4], "a close", at),
            volume_nanos=4 * NANOS,
        )


def _named(typed: str, data: Path) -> Tape | None:
    prefix = NAME.removesuffix("2025-10-10")
    if typed.startswith(prefix):
        day = day_of_text(typed.removeprefix(prefix)).isoformat()
        return mark_klines((data / FILE).with_name(f"BTCUSD_PERP-1m-{day}.zip"))
    path = path_after("mark-klines:", typed)
    return None if path is None else mark_klines(path)


FAMILY: Final = TapeFamily(
    names=(
        TapeName(name=NAME, says="BTCUSD_PERP, mark price by the minute, the cascade", file=FILE),
        TapeName(
            name=NAME.replace("10-10", "10-09"),
            says="the same, the day before",
            file=FILE.replace("10-10.", "10-09."),
        ),
    ),
    path="mark-klines:PATH/SYMBOL-1m-YYYY-MM-DD.zip",
    reads="a zip of Binance's klines of a mark price",
    tape=_named,
)
