"""Messages of Alpaca's data streams as facts. Each raises `KeyError` or `ValueError` for nonsense.

Statuses come in the codes of two plans, told apart by their letters alone: CTA (tapes A and B) and
UTP (tapes C and O). A code that neither plan has halts: what cannot be read is not safe.
"""

from collections.abc import Callable
from typing import Any, Final

from fuseboard.vocabulary.market_inputs import (
    MarketFact,
    QuoteSeen,
    TradeSeen,
    TradeWithdrawn,
    TradingHalted,
    TradingResumed,
)
from fuseboard.wire.alpaca_values import nanos_of_number, nanos_rounded, ns_from_rfc3339

RESUMPTIONS: Final = frozenset({"3", "T"})
INFORMATION: Final = frozenset("56789ABCDEFQ")
"""Indications, imbalances, short sale restrictions, price bands; `Q`: quotes again, no trades."""
LEVELS: Final = {"1": 1, "2": 2, "3": 3, "MWC1": 1, "MWC2": 2, "MWC3": 3, "MWC0": 1}
"""Reasons that are market-wide circuit breakers; `MWC0` carries one over from the day before."""
BANDS_SUSPENDED: Final = "D"
"""A price band's indicator: suspended because trading is halted or paused."""
Message = dict[str, Any]


def quote_of(message: Message, *, standing: bool = False) -> QuoteSeen:
    """A quote; `standing`: read from the REST, not told when it came about."""
    bid, ask = amount_of(message["bp"]), amount_of(message["ap"])
    return QuoteSeen(
        symbol=message["S"],
        bid_nanos=bid,
        ask_nanos=ask,
        bid_size_nanos=nanos_rounded(message["bs"]),
        ask_size_nanos=nanos_rounded(message["as"]),
        event_ns=at_ns_of(message["t"]),
        bid_low_nanos=bid,
        ask_high_nanos=ask,
        standing=standing,
    )


def trade_of(message: Message) -> TradeSeen:
    """A trade."""
    price = amount_of(message["p"])
    return TradeSeen(
        symbol=message["S"],
        price_nanos=price,
        size_nanos=nanos_rounded(message["s"]),
        event_ns=at_ns_of(message["t"]),
        low_nanos=price,
        high_nanos=price,
    )


def status_of(message: Message) -> TradingHalted | TradingResumed | None:
    """A trading status: a halt, a resumption, or nothing of either."""
    status, reason = str(message["sc"]), str(message.get("rc") or "")
    if status in INFORMATION:
        return None
    code, at_ns = f"{status} {reason}".strip(), at_ns_of(message["t"])
    if status in RESUMPTIONS:
        return TradingResumed(symbol=symbol_of(message), code=code, event_ns=at_ns)
    level = LEVELS.get(reason, 0)
    return TradingHalted(symbol=symbol_of(message), code=code, event_ns=at_ns, level=level)


def band_of(message: Message) -> TradingHalted | None:
    """A limit-up limit-down band: a halt when it says that trading is suspended."""
    if str(message.get("i") or "") != BANDS_SUSPENDED:
        return None
    return TradingHalted(symbol=symbol_of(message), code="LULD D", event_ns=at_ns_of(message["t"]))


def correction_of(message: Message) -> TradeWithdrawn:
    """A trade's price was wrong, and what it is."""
    return TradeWithdrawn(
        symbol=symbol_of(message),
        price_nanos=amount_of(message["op"]),
        event_ns=at_ns_of(message["t"]),
        corrected_nanos=amount_of(message["cp"]),
    )


def cancel_of(message: Message) -> TradeWithdrawn:
    """A trade was cancelled or an error."""
    return TradeWithdrawn(
        symbol=symbol_of(message),
        price_nanos=amount_of(message["p"]),
        event_ns=at_ns_of(message["t"]),
    )


def fact_of(message: Message) -> MarketFact | None:
    """The fact of a streamed message; None when it is none."""
    read = _READERS.get(message.get("T", ""))
    return None if read is None else read(message)


_READERS: Final[dict[str, Callable[[Message], MarketFact | None]]] = {
    "q": quote_of,
    "t": trade_of,
    "s": status_of,
    "l": band_of,
    "c": correction_of,
    "x": cancel_of,
}
KINDS: Final = frozenset(_READERS)


def symbol_of(message: Message) -> str:
    """The symbol of a message."""
    symbol = message["S"]
    if not isinstance(symbol, str) or not symbol:
        raise ValueError(f"{symbol!r} is no symbol")
    return symbol


def at_ns_of(value: object) -> int:
    """A time: nanoseconds, or RFC 3339."""
    if isinstance(value, str):
        return ns_from_rfc3339(value)
    if type(value) is not int:
        raise ValueError(f"{value!r} is not a time")
    return value


def amount_of(value: object) -> int:
    """Nano-units of a number that is not negative."""
    nanos = nanos_of_number(value)
    if nanos < 0:
        raise ValueError(f"{value!r} is negative")
    return nanos
