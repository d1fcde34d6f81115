"""Reads a day of trades of one instrument (gzip CSV) and derives a narrow quote from them.

The record has trades only. After each trade a quote is derived (`derived_quotes.py`) and labelled
so. A contract is traded as one unit at the contract's price; the original of an inverse contract
pays otherwise. Times are the exchange's own, in microseconds UTC. These markets never close: the
first price of the UTC day stands for the prior close.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from fuseboard.feeds.tapes.derived_quotes import PriceStep, quote_after
from fuseboard.feeds.tapes.families import TapeFamily, TapeName, path_after
from fuseboard.feeds.tapes.findings import Findings
from fuseboard.feeds.tapes.measuring import measured
from fuseboard.feeds.tapes.rows import integer_of, nanos_of, one_of, rows_of
from fuseboard.feeds.tapes.tape import (
    Tape,
    TapeEvent,
    TapeKind,
    TapeTrade,
    TapeUnreadable,
    Tolerances,
)
from fuseboard.vocabulary.orders import Side

HEADER: Final = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
FIELDS: Final = 8
MICROSECOND_NS: Final = 1_000
LATE_NS_MAX: Final = 1_000_000_000
SIDES: Final = ("buy", "sell", "unknown", "")
PREFIX: Final = "crypto-2025-10-10"


def crypto_trades(path: Path) -> Tape:
    """The tape of one file. Raises `TapeUnreadable` when it is missing or not of this shape."""
    step = PriceStep()

    def times() -> Iterator[int]:
        at = Findings()
        for row in _rows(path, at):
            step.see(row[6])
            yield integer_of(row[2], "a time in microseconds", at) * MICROSECOND_NS

    measures = measured(times(), sampled=False)
    first = next(islice(_trades(path, Findings()), 1))

    def events(found: Findings) -> Iterator[TapeEvent]:
        for trade in _trades(path, found):
            yield trade
            yield quote_after(trade, step.nanos)

    return Tape(
        name=path.name.removesuffix(".csv.gz"),
        describes="recorded trades; the quotes are derived from them, one price step wide",
        kind=TapeKind.CRYPTO,
        symbols=(first.symbol,),
        cadence=measures.cadence,
        session=measures.session,
        prior_close_nanos={first.symbol: first.price_nanos},
        read=lambda: events(Findings()),
        read_noting=events,
        tolerances=Tolerances(late_ns_max=LATE_NS_MAX),
    )


def _rows(path: Path, at: Findings) -> Iterator[list[str]]:
    return rows_of(path, at, fields=FIELDS, header=HEADER)


def _trades(path: Path, at: Findings) -> Iterator[TapeTrade]:
    for _, symbol, timestamp, _, _, side, price, amount in _rows(path, at):
        one_of(side, SIDES, "the taker's side", at)
        yield TapeTrade(
            symbol=symbol,
            at_ns=integer_of(timestamp, "a time in microseconds", at) * MICROSECOND_NS,
            price_nanos=nanos_of(price, "a price", at),
            size_nanos=nanos_of(amount, "a size", at),
            aggressor=Side(side) if side in ("buy", "sell") else None,
        )


def _named(typed: str, data: Path) -> Tape | None:
    path = path_after("trades:", typed)
    if path is None and typed.endswith(".csv.gz") and ":" not in typed:
        path = Path(typed)
    if path is not None:
        return crypto_trades(path)
    base, _, symbol = typed.partition(":")
    if base != PREFIX:
        return None
    named = {each.name: each for each in NAMES}.get(f"{PREFIX}:{symbol or 'ATOMUSD_PERP'}")
    if named is None:
        known = ", ".join(each.name.partition(":")[2] for each in NAMES)
        raise TapeUnreadable(f"{symbol!r} is not one of {known}")
    return crypto_trades(data / named.file)


def _crash(symbol: str, exchange: str, fell: str) -> TapeName:
    return TapeName(
        name=f"{PREFIX}:{symbol}",
        says=f"{symbol} on {exchange}, trades of the liquidation cascade, {fell}",
        file=f"crypto_2025_10_10/{exchange}_trades_2025-10-10_{symbol}.csv.gz",
    )


NAMES: Final = (
    _crash("ATOMUSD_PERP", "binance-delivery", "-73 %"),
    _crash("DOGE-USD", "coinbase", "-36 %"),
    _crash("BTCUSD", "gemini", "with gaps of 820 s and 409 s"),
)
FAMILY: Final = TapeFamily(
    names=NAMES, path="trades:PATH.csv.gz", reads=f"a gzip CSV of {HEADER}", tape=_named
)
