"""Finds a tape by what a person types.

`flash-crash`, `normal`, `recovery` are generated. `us-equity-2010-05-06`, with `:AAPL,MSFT` for
some symbols only, and `crypto-2025-10-10:ATOMUSD_PERP` are recorded and read from the folder in
FUSEBOARD_DATA, which the product does not ship. Anything else is the path of a data file: a parquet
file with `:YYYY-MM-DD` for the day, or a `.csv.gz` of trades. Any of them may end in
`@14:30-15:10`: only these hours, New York time for shares, UTC for crypto.
"""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path

from fuseboard.feeds.tapes import generated
from fuseboard.feeds.tapes.crypto_trades import crypto_trades
from fuseboard.feeds.tapes.flash_crash_2010 import flash_crash
from fuseboard.feeds.tapes.tape import Session, Tape, TapeKind, TapeUnreadable
from fuseboard.feeds.tapes.times import NEW_YORK, utc_ns
from fuseboard.feeds.tapes.us_equity_nbbo import us_equity_nbbo

GENERATED: dict[str, Callable[[int], Tape]] = {
    "flash-crash": flash_crash,
    "normal": generated.normal,
    "recovery": generated.recovery,
}
US_EQUITY_PREFIX = "us-equity-"
US_EQUITY_SYMBOLS = ("AAPL", "IBM", "JPM", "MSFT", "PG", "XOM")
CRYPTO_PREFIX = "crypto-2025-10-10"
CRYPTO_FILES = {
    "ATOMUSD_PERP": "binance-delivery_trades_2025-10-10_ATOMUSD_PERP.csv.gz",
    "DOGE-USD": "coinbase_trades_2025-10-10_DOGE-USD.csv.gz",
    "BTCUSD": "gemini_trades_2025-10-10_BTCUSD.csv.gz",
}


def tape_by_name(name: str, seed: int = 1) -> Tape:
    """The tape of a name or path. Raises `TapeUnreadable` with what to do."""
    source, at_sign, hours = name.rpartition("@")
    if not at_sign:
        return _whole_tape(name, seed)
    tape = _whole_tape(source, seed)
    return tape.between(_hours(hours, tape))


def data_folder() -> Path:
    """Where recorded tapes are: FUSEBOARD_DATA, else `../shared/data` of the current folder."""
    return Path(os.environ.get("FUSEBOARD_DATA") or "../shared/data")


def _whole_tape(name: str, seed: int) -> Tape:
    if name in GENERATED:
        return GENERATED[name](seed)
    base, _, detail = name.partition(":")
    if base.startswith(US_EQUITY_PREFIX):
        day = _day(base.removeprefix(US_EQUITY_PREFIX))
        symbols = tuple(detail.split(",")) if detail else US_EQUITY_SYMBOLS
        return us_equity_nbbo(data_folder() / "us_equity_nbbo_2010", day=day, symbols=symbols)
    if base == CRYPTO_PREFIX:
        file = CRYPTO_FILES.get(detail or "ATOMUSD_PERP")
        if file is None:
            raise TapeUnreadable(f"{detail!r} is not one of {', '.join(CRYPTO_FILES)}")
        return crypto_trades(data_folder() / "crypto_2025_10_10" / file)
    if base.endswith(".csv.gz"):
        return crypto_trades(Path(base))
    if base.endswith(".parquet"):
        path = Path(base)
        return us_equity_nbbo(path.parent, day=_day(detail), symbols=(path.stem,))
    raise TapeUnreadable(
        f"{name!r} is no tape: use {', '.join(GENERATED)}, us-equity-YYYY-MM-DD[:SYMBOL],"
        f" {CRYPTO_PREFIX}[:SYMBOL], or the path of a .csv.gz or .parquet:YYYY-MM-DD file"
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise TapeUnreadable(f"{text!r} is not a day such as 2010-05-06") from error


def _hours(text: str, tape: Tape) -> Session:
    """`14:30-15:10` on the tape's first day, in the zone its people use."""
    zone = NEW_YORK if tape.kind is TapeKind.US_EQUITY else UTC
    day = datetime.fromtimestamp(tape.session.open_ns // 1_000_000_000, tz=zone).date()
    opens, _, closes = text.partition("-")
    try:
        both = [
            utc_ns(datetime.combine(day, time.fromisoformat(part), tzinfo=zone))
            for part in (opens, closes)
        ]
    except ValueError as error:
        raise TapeUnreadable(f"{text!r} is not a pair of times such as 14:30-15:10") from error
    return Session(open_ns=both[0], close_ns=both[1])
