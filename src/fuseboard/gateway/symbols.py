"""Symbols that are traded are watched first, so that a first order finds a quote."""

import asyncio
import logging

from fuseboard.gateway.doors import MarketDoor
from fuseboard.vocabulary.doors import BrokerUnavailable, Throttled

log = logging.getLogger(__name__)


class SymbolWatch:
    """Watches at most `symbols_max` symbols; waits at most `wait_s` for each.

    A symbol beyond the bound, or one that cannot be watched in time, is not refused here: the
    kernel denies an order without a quote.
    """

    def __init__(self, market: MarketDoor, *, symbols_max: int, wait_s: float) -> None:
        self._market = market
        self._symbols_max = symbols_max
        self._wait_s = wait_s
        self._watched: set[str] = set()
        self._asking: dict[str, asyncio.Task[None]] = {}

    def is_watched(self, symbol: str) -> bool:
        """Whether an order in the symbol need not wait."""
        return symbol in self._watched

    async def ready(self, symbol: str) -> None:
        """Return once the symbol is watched, cannot be watched, or the wait is over."""
        if symbol in self._watched:
            return
        task = self._asking.get(symbol)
        if task is None:
            if len(self._watched) + len(self._asking) >= self._symbols_max:
                return
            task = asyncio.create_task(self._watch(symbol))
            self._asking[symbol] = task
        await asyncio.wait({task}, timeout=self._wait_s)

    async def stop(self) -> None:
        """End every question that is still open."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _watch(self, symbol: str) -> None:
        try:
            await self._market.watch(symbol)
            self._watched.add(symbol)
        except (BrokerUnavailable, Throttled, OSError, TimeoutError) as failure:
            log.warning("%s cannot be watched: %s", symbol, failure)
        finally:
            del self._asking[symbol]
