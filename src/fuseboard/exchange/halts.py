"""Trading halts of the simulated exchange: of one symbol, or of the whole market.

While a symbol is halted nothing of it trades: orders are taken and rest (IOC and FOK end), cancels
take effect, quotes and prints of the tape are shown. What rests and can trade does so when trading
resumes. Each halt and resumption is an entry of the ledger and a status message on the data stream,
in the words of the UTP plan: `P` volatility pause, `H` halt, `T` resumption.
"""

from collections.abc import Callable

from msgspec import Struct

from fuseboard.exchange import ledger

PAUSE_REASON = "LUDP"
MARKET_RESUMED = "MWCQ"
RESUMED = "T"
LEVEL_OF = {"MWC1": 1, "MWC2": 2, "MWC3": 3}
"""The market-wide levels by their reasons."""


class StatusTold(Struct, frozen=True, kw_only=True):
    """One status message: a symbol's trading halted or resumed."""

    symbol: str
    at_ns: int
    status: str
    reason: str


class Halts:
    """Which symbols are halted. `write` records an entry of the ledger."""

    def __init__(self, symbols: tuple[str, ...], write: Callable[..., None]) -> None:
        self._symbols = symbols
        self._write = write
        self._halted: dict[str, str] = {}

    def stops(self, symbol: str) -> bool:
        """Whether trading in a symbol is halted."""
        return symbol in self._halted

    def halt(
        self, now_ns: int, symbol: str, *, reason: str = "", level: int = 0
    ) -> list[StatusTold]:
        """Halt a symbol, or the market by a level 1 to 3; what is told of it, symbol by symbol.

        Raises `ValueError` for an unknown symbol or level.
        """
        if level and (symbol or level not in LEVEL_OF.values()):
            raise ValueError("a market-wide level is 1, 2 or 3 and names no symbol")
        why = f"MWC{level}" if level else reason or PAUSE_REASON
        status = "P" if why == PAUSE_REASON else "H"
        chosen = self._chosen(symbol) if symbol or level else ()
        if not chosen:
            raise ValueError("name a symbol, or a market-wide level")
        return [self._told(now_ns, each, status, why) for each in chosen]

    def resume(self, now_ns: int, symbol: str) -> list[StatusTold]:
        """Resume a halted symbol, or without one all of them; what is told of it."""
        chosen = [each for each in self._chosen(symbol) if each in self._halted]
        told = []
        for each in chosen:
            why = self._halted[each]
            why = MARKET_RESUMED if why.startswith("MWC") else why
            told.append(self._told(now_ns, each, RESUMED, why))
        return told

    def _chosen(self, symbol: str) -> tuple[str, ...]:
        if symbol and symbol not in self._symbols:
            raise ValueError(f"{symbol!r} is not on this tape: {', '.join(self._symbols)}")
        return (symbol,) if symbol else self._symbols

    def _told(self, now_ns: int, symbol: str, status: str, reason: str) -> StatusTold:
        if status == RESUMED:
            del self._halted[symbol]
        else:
            self._halted[symbol] = reason
        self._write(ledger.TradingStatus, symbol=symbol, status=status, reason=reason)
        return StatusTold(symbol=symbol, at_ns=now_ns, status=status, reason=reason)
