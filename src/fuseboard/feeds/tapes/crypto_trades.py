"""Reads a day of trades of one instrument (gzip CSV) and derives a narrow quote from them.

The record has trades only. After each trade a quote is derived and labelled so: the taker's side
tells which side of the book traded, the other side is one price step away, and both sizes are the
size of that trade. A contract is traded as one unit at the contract's price; the original of an
inverse contract pays otherwise. Times are the exchange's own, in microseconds UTC.
"""

import csv
import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from fuseboard.feeds.tapes.tape import (
    Session,
    Tape,
    TapeEvent,
    TapeKind,
    TapeQuote,
    TapeTrade,
    TapeUnreadable,
    measured_cadence,
)
from fuseboard.vocabulary.money import nanos_from_decimal
from fuseboard.vocabulary.orders import Side

HEADER = ("exchange", "symbol", "timestamp", "local_timestamp", "id", "side", "price", "amount")


def crypto_trades(path: Path) -> Tape:
    """The tape of one file. Raises `TapeUnreadable` when it is missing or not of this shape."""
    if not path.is_file():
        raise TapeUnreadable(f"there is no tape file {path}")
    times_ns: list[int] = []
    decimals_max = 0
    symbol = ""
    for row in _rows(path):
        times_ns.append(int(row[2]) * 1_000)
        decimals_max = max(decimals_max, len(row[6].partition(".")[2]))
        symbol = row[1]
    cadence = measured_cadence(times_ns, sampled=False)
    step_nanos: int = 10 ** (9 - min(decimals_max, 9))

    def read() -> Iterator[TapeEvent]:
        return _events(path, step_nanos)

    return Tape(
        name=path.name.removesuffix(".csv.gz"),
        describes="recorded trades; the quotes are derived from them, one price step wide",
        kind=TapeKind.CRYPTO,
        symbols=(symbol,),
        cadence=cadence,
        session=Session(open_ns=times_ns[0], close_ns=times_ns[-1]),
        prior_close_nanos={},
        read=read,
    )


def _rows(path: Path) -> Iterator[list[str]]:
    with gzip.open(path, "rt", newline="", encoding="utf-8") as lines:
        rows = csv.reader(lines)
        if tuple(next(rows, ())) != HEADER:
            raise TapeUnreadable(f"{path} does not begin with the header {','.join(HEADER)}")
        yield from rows


def _events(path: Path, step_nanos: int) -> Iterator[TapeEvent]:
    last_ns = 0
    for _, symbol, timestamp, _, _, side, price, amount in _rows(path):
        # A few exchanges print late rows; the tape's order is the order of receipt.
        last_ns = max(last_ns, int(timestamp) * 1_000)
        price_nanos = nanos_from_decimal(Decimal(price))
        size_nanos = nanos_from_decimal(Decimal(amount))
        aggressor = Side(side) if side in ("buy", "sell") else None
        yield TapeTrade(
            symbol=symbol,
            at_ns=last_ns,
            price_nanos=price_nanos,
            size_nanos=size_nanos,
            aggressor=aggressor,
        )
        bid_nanos = price_nanos - step_nanos if aggressor is Side.BUY else price_nanos
        yield TapeQuote(
            symbol=symbol,
            at_ns=last_ns,
            bid_nanos=max(bid_nanos, step_nanos),
            ask_nanos=max(bid_nanos, step_nanos) + step_nanos,
            bid_size_nanos=size_nanos,
            ask_size_nanos=size_nanos,
            derived=True,
        )
