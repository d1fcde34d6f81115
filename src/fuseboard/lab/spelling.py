"""Names of crypto symbols as brokers and our own checks spell them: `BASE/QUOTE`.

Recorded tapes have each exchange's own spelling (`ATOMUSD_PERP`, `DOGE-USD`, `BTCUSD`). The gate
tells pairs from shares by the slash, so in the lab a tape of crypto is played with pairs.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import structs

from fuseboard.feeds.tapes.tape import Tape, TapeEvent, TapeKind

_QUOTES: Final = ("USDT", "USDC", "USD", "BTC")


def spelled(tape: Tape) -> Tape:
    """The tape with its symbols as pairs where they are crypto and are not yet."""
    if tape.kind is not TapeKind.CRYPTO:
        return tape
    names = {symbol: pair(symbol) for symbol in tape.symbols}
    if all(symbol == name for symbol, name in names.items()):
        return tape

    def read() -> Iterator[TapeEvent]:
        for event in tape.read():
            yield structs.replace(event, symbol=names[event.symbol])

    closes = {names[symbol]: close for symbol, close in tape.prior_close_nanos.items()}
    return structs.replace(tape, symbols=tuple(names.values()), prior_close_nanos=closes, read=read)


def pair(symbol: str) -> str:
    """`ATOM/USD` of `ATOMUSD_PERP`, `DOGE-USD`, `ATOM/USD`; a name of no known form is of USD."""
    if "/" in symbol:
        return symbol
    name = symbol.partition("_")[0]
    base, dash, quote = name.partition("-")
    if dash:
        return f"{base}/{quote}"
    for quote in _QUOTES:
        if name.endswith(quote) and name != quote:
            return f"{name.removesuffix(quote)}/{quote}"
    return f"{name}/USD"
