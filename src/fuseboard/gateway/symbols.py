"""Symbols that are traded are known and watched first, so that a first order finds a quote.

Everything behind the door has room for so many symbols only, and all strategies share it. So the
broker is asked whether a new symbol exists before it takes any room, and each strategy may bring in
so many and no more. A symbol that could not be looked up in time is not refused: the kernel denies
an order without a quote.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from fuseboard.gateway.assets import AssetBook
from fuseboard.gateway.doors import MarketDoor
from fuseboard.gateway.limits import GatewayLimits
from fuseboard.vocabulary.doors import BrokerUnavailable, Throttled
from fuseboard.vocabulary.reasons import Reason

MINUTE_NS = 60_000_000_000

log = logging.getLogger(__name__)


class SymbolWatch:
    """Watches at most `symbols_max` symbols; waits at most `watch_wait_s` for each.

    A strategy brings in at most `symbols_of_a_strategy_max`, and may name at most
    `unknown_symbols_a_minute_max` a minute that the broker does not know.
    """

    def __init__(
        self,
        market: MarketDoor,
        assets: AssetBook,
        limits: GatewayLimits,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._market = market
        self._assets = assets
        self._limits = limits
        self._clock_ns = clock_ns
        self._watched: set[str] = set()
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._brought: dict[str, dict[str, None]] = {}
        self._unknown_ns: dict[str, deque[int]] = {}

    def is_watched(self, symbol: str) -> bool:
        """Whether an order in the symbol need not wait."""
        return symbol in self._watched

    async def admitted(self, symbol: str, strategy: str) -> Reason:
        """Bring a strategy's symbol in: `ALLOWED` once it is watched, cannot be, or the wait is
        over; `SYMBOL_UNKNOWN` when the broker says that there is none, `SYMBOLS_FULL` when the
        strategy has brought in, or guessed at, too many.
        """
        if symbol in self._watched:
            return Reason.ALLOWED
        brought = self._brought.setdefault(strategy, {})
        if symbol not in brought:
            if len(brought) >= self._limits.symbols_of_a_strategy_max or self._guesses(strategy):
                return Reason.SYMBOLS_FULL
            brought[symbol] = None
        await self.ready(symbol)
        if self._assets.is_absent(symbol):
            if symbol in brought:
                del brought[symbol]
                self._unknown_ns[strategy].append(self._clock_ns())
            return Reason.SYMBOL_UNKNOWN
        return Reason.ALLOWED

    async def ready(self, symbol: str) -> None:
        """Return once the symbol is watched, cannot be watched, or the wait is over."""
        if symbol in self._watched:
            return
        task = self._asking.get(symbol)
        if task is None:
            if len(self._watched) + len(self._asking) >= self._limits.symbols_max:
                return
            task = asyncio.create_task(self._watch(symbol))
            self._asking[symbol] = task
        await asyncio.wait({task}, timeout=self._limits.watch_wait_s)

    async def stop(self) -> None:
        """End every question that is still open."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _guesses(self, strategy: str) -> bool:
        """Whether the strategy named too many unknown symbols within the last minute."""
        unknown = self._unknown_ns.setdefault(
            strategy, deque(maxlen=self._limits.unknown_symbols_a_minute_max)
        )
        return len(unknown) == unknown.maxlen and self._clock_ns() - unknown[0] < MINUTE_NS

    async def _watch(self, symbol: str) -> None:
        try:
            await self._assets.learn(symbol)
            if self._assets.is_absent(symbol):
                return
            await self._market.watch(symbol)
            self._watched.add(symbol)
        except (BrokerUnavailable, Throttled, OSError, TimeoutError) as failure:
            log.warning("%s cannot be watched: %s", symbol, failure)
        finally:
            del self._asking[symbol]
