"""Asking the broker which dividends are announced of what is held, and telling the kernel.

At a start, when something becomes held, and every few hours: so before each session's open, too.
What cannot be read is told to the kernel, which says so once, and asked for again.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from fuseboard.vocabulary.dividend_facts import DividendsSeen
from fuseboard.vocabulary.doors import BrokerDividends, BrokerUnavailable, Clock, Throttled

_SECOND_NS: Final = 1_000_000_000


class DividendLimits(Struct, frozen=True, kw_only=True):
    """How often is asked: the clock's time, but for `look_every_ns`."""

    every_ns: int = 4 * 3600 * _SECOND_NS
    again_after_ns: int = 60 * _SECOND_NS
    """After the broker could not be reached."""
    look_every_ns: int = 5 * _SECOND_NS
    """How soon what becomes held is noticed."""
    failures_max: int = 5
    """After so many attempts in a row the kernel is told."""


class DividendSchedule:
    """The readings of one account; `held` names what it holds, `offer` is the intake."""

    def __init__(
        self,
        *,
        held: Callable[[], Sequence[str]],
        broker: BrokerDividends,
        clock: Clock,
        offer: Callable[[DividendsSeen], bool],
        limits: DividendLimits | None = None,
    ) -> None:
        self._held = held
        self._broker = broker
        self._clock = clock
        self._offer = offer
        self._limits = limits or DividendLimits()
        self._asked: dict[str, None] = {}
        self._read_ns: int | None = None
        self._failed_ns: int | None = None
        self._failures = 0

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self.look()
            await asyncio.sleep(self._limits.look_every_ns / _SECOND_NS)

    async def look(self) -> None:
        """Ask for what is held, when that is due."""
        symbols = tuple(self._held())
        now_ns = self._clock.now().wall_ns
        if not symbols or not self._is_due(symbols, now_ns):
            return
        try:
            seen = await self._broker.dividends(symbols, now_ns)
        except (BrokerUnavailable, Throttled) as failure:
            self._failed_ns = now_ns
            self._failures += 1
            if self._failures == self._limits.failures_max:
                text = f"dividends cannot be asked for: {failure}"
                self._offer(DividendsSeen(symbols=symbols, problem=text))
            return
        self._asked, self._read_ns = dict.fromkeys(symbols), now_ns
        self._failed_ns, self._failures = None, 0
        self._offer(seen)

    def _is_due(self, symbols: Sequence[str], now_ns: int) -> bool:
        if self._failed_ns is not None:
            return _passed(self._failed_ns, now_ns, self._limits.again_after_ns)
        if self._read_ns is None or any(symbol not in self._asked for symbol in symbols):
            return True
        return _passed(self._read_ns, now_ns, self._limits.every_ns)


def _passed(since_ns: int, now_ns: int, for_ns: int) -> bool:
    """Whether so much time passed; a clock that was set back makes it so."""
    return not since_ns <= now_ns < since_ns + for_ns
