"""Reads a day of Binance's aggregated trades, a zip without a header, and derives quotes.

A row is what one taker's order took at one price: id, price, size, first and last trade, time,
whether the buyer's order rested, whether it was the best price. Times are UTC, in microseconds, or
in milliseconds in files from before 2025. Quotes are derived after each trade: `derived_quotes.py`.
The first price of the UTC day stands for the prior close: the market never closes.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from fuseboard.feeds.tapes.derived_quotes import PriceStep, quote_after
from fuseboard.feeds.tapes.families import TapeFamily, TapeName, found_by
from fuseboard.feeds.tapes.findings import Findings
from fuseboard.feeds.tapes.measuring import measured
from fuseboard.feeds.tapes.rows import integer_of, nanos_of, one_of, rows_of, wrong
from fuseboard.feeds.tapes.tape import Tape, TapeEvent, TapeKind, TapeTrade
from fuseboard.vocabulary.orders import Side

FIELDS: Final = 8
NS_BY_DIGITS: Final = {16: 1_000, 13: 1_000_000}
"""How many nanoseconds a unit of a time of so many digits is."""
BUYER_RESTED: Final = {"true": Side.SELL, "false": Side.BUY}


def agg_trades(path: Path) -> Tape:
    """The tape of SYMBOL-aggTrades-YYYY-MM-DD.zip. Raises `TapeUnreadable`."""
    symbol = path.name.partition("-")[0]
    step = PriceStep()

    def times() -> Iterator[int]:
        at = Findings()
        for row in rows_of(path, at, fields=FIELDS):
            step.see(row[1])
            yield _time_ns(row[5], at)

    measures = measured(times(), sampled=False)
    first = next(islice(_trades(path, symbol, Findings()), 1))

    def events(found: Findings) -> Iterator[TapeEvent]:
        for trade in _trades(path, symbol, found):
            yield trade
            yield quote_after(trade, step.nanos)

    return Tape(
        name=path.stem.lower(),
        describes="recorded trades; the quotes are derived from them, one price step wide",
        kind=TapeKind.CRYPTO,
        symbols=(symbol,),
        cadence=measures.cadence,
        session=measures.session,
        prior_close_nanos={symbol: first.price_nanos},
        read=lambda: events(Findings()),
        read_noting=events,
    )


def _time_ns(text: str, at: Findings) -> int:
    unit_ns = NS_BY_DIGITS.get(len(text))
    if unit_ns is None:
        raise wrong(at, "a time of 16 digits (microseconds) or 13 (milliseconds)", text)
    return integer_of(text, "a time", at) * unit_ns


def _trades(path: Path, symbol: str, at: Findings) -> Iterator[TapeTrade]:
    for _, price, size, _, _, time, buyer_rested, _ in rows_of(path, at, fields=FIELDS):
        word = one_of(buyer_rested.lower(), tuple(BUYER_RESTED), "whether the buyer rested", at)
        yield TapeTrade(
            symbol=symbol,
            at_ns=_time_ns(time, at),
            price_nanos=nanos_of(price, "a price", at),
            size_nanos=nanos_of(size, "a size", at),
            aggressor=BUYER_RESTED[word],
        )


BTCUSDC: Final = TapeName(
    name="crypto-2025-10-04:BTCUSDC",
    says="BTCUSDC on Binance, trades of a calm day",
    file="crypto_2025_10_10/BTCUSDC-aggTrades-2025-10-04.zip",
)
FAMILY: Final = TapeFamily(
    names=(BTCUSDC,),
    path="agg-trades:PATH/SYMBOL-aggTrades-YYYY-MM-DD.zip",
    reads="a zip of Binance's aggregated trades",
    tape=found_by(agg_trades, name=BTCUSDC, prefix="agg-trades:"),
)
