"""A strategy with a stopwatch: each call is timed, and what it raises ends the trial in words."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from fuseboard.lab.result import SignalTimes
from fuseboard.lab.strategy import Cancel, End, Fill, Intent, Place, Quote, Strategy, Trade
from fuseboard.vocabulary.money import NANOS

SLOW_NS: Final = 1_000_000
KEPT_MAX: Final = 65_536
"""The newest calls kept for percentiles."""
INTENTS_MAX: Final = 1_000
"""That one call may answer with."""
Told = TypeVar("Told", Quote, Trade, Fill, End)


class StrategyFailed(Exception):
    """A strategy raised, or asked for what makes no sense; the message says when and what."""


class Signals:
    """The strategy as the trial calls it. Raises `StrategyFailed`."""

    def __init__(self, strategy: Strategy, stopwatch_ns: Callable[[], int]) -> None:
        self._strategy = strategy
        self._stopwatch_ns = stopwatch_ns
        self._kept: deque[int] = deque(maxlen=KEPT_MAX)
        self._calls = 0
        self._slow = 0
        self._longest_ns = 0

    def on_quote(self, quote: Quote) -> Sequence[Intent]:
        """As `Strategy`."""
        return self._called(self._strategy.on_quote, quote)

    def on_trade(self, trade: Trade) -> Sequence[Intent]:
        """As `Strategy`."""
        return self._called(self._strategy.on_trade, trade)

    def on_fill(self, fill: Fill) -> Sequence[Intent]:
        """As `Strategy`."""
        return self._called(self._strategy.on_fill, fill)

    def on_end(self, end: End) -> Sequence[Intent]:
        """As `Strategy`."""
        return self._called(self._strategy.on_end, end)

    def times(self) -> SignalTimes:
        """How long the calls took; percentiles are of the newest `KEPT_MAX`."""
        kept = sorted(self._kept)
        return SignalTimes(
            calls=self._calls,
            p50_ns=_percentile(kept, 50),
            p99_ns=_percentile(kept, 99),
            longest_ns=self._longest_ns,
            slow=self._slow,
        )

    def _called(self, call: Callable[[Told], Sequence[Intent]], told: Told) -> Sequence[Intent]:
        began_ns = self._stopwatch_ns()
        try:
            intents = call(told)
        except Exception as error:
            raise StrategyFailed(
                f"the strategy raised {type(error).__name__}: {error}, {_when(told)}"
            ) from error
        took_ns = self._stopwatch_ns() - began_ns
        self._kept.append(took_ns)
        self._calls += 1
        if took_ns > SLOW_NS:
            self._slow += 1
        if took_ns > self._longest_ns:
            self._longest_ns = took_ns
        if intents:
            self._check(intents, told)
        return intents

    def _check(self, intents: Sequence[Intent], told: Quote | Trade | Fill | End) -> None:
        if len(intents) > INTENTS_MAX:
            raise StrategyFailed(
                f"the strategy asked for {len(intents)} things at once, {_when(told)}:"
                f" at most {INTENTS_MAX} are taken"
            )
        for intent in intents:
            if not isinstance(intent, Place | Cancel):
                raise StrategyFailed(
                    f"the strategy answered with {type(intent).__name__}, {_when(told)}:"
                    " it may answer with Place and Cancel"
                )


def _percentile(kept: list[int], percent: int) -> int:
    return kept[min(len(kept) - 1, math.ceil(len(kept) * percent / 100) - 1)] if kept else 0


def _when(told: Quote | Trade | Fill | End) -> str:
    at = datetime.fromtimestamp(told.at_ns // NANOS, tz=UTC)
    return f"when it was told a {type(told).__name__.lower()} of {told.symbol} at {at:%F %T} UTC"
