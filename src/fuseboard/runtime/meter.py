"""How long the kernel takes, measured around it: evaluations, the trip, the cancels after it."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from fuseboard.runtime.ports import Kernel
from fuseboard.vocabulary.effects import Effect
from fuseboard.vocabulary.evidence_effects import RecordPlan, RecordTransition
from fuseboard.vocabulary.inputs import Input, Moment
from fuseboard.vocabulary.market_inputs import BookSeen, QuoteSeen, TradeSeen

EVALUATIONS_MAX: Final = 4_096
"""The newest evaluations kept for percentiles."""
_QUIET_EFFECTS_MAX: Final = 2
"""A quote that trips has more effects than this; the others are not looked through."""


class Measured(Struct, frozen=True, kw_only=True):
    """Measured times in ns; 0 where nothing was measured yet."""

    evaluations: int
    evaluation_p50_ns: int
    evaluation_p99_ns: int
    trigger_ns: int
    """From the first look at the input that tripped to its latch, as an effect, in hand."""
    cancel_ns: int
    """From the trip to the last cancel confirmed, or to the end of the wait for it."""
    liquidation_ns: int
    """From the trip to the plan's end."""
    unconfirmed: int = 0
    """Cancels that were not confirmed when the plan had waited for them long enough."""
    waited: int = 0
    """Of the evaluations, those whose quote, book or trade had waited in the intake: contention."""


NOTHING_MEASURED: Final = Measured(
    evaluations=0,
    evaluation_p50_ns=0,
    evaluation_p99_ns=0,
    trigger_ns=0,
    cancel_ns=0,
    liquidation_ns=0,
)


class MeteredKernel:
    """A kernel with a stopwatch: the same steps, the same effects."""

    def __init__(
        self, kernel: Kernel, stopwatch_ns: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._kernel = kernel
        self._stopwatch_ns = stopwatch_ns
        self._evaluations: deque[int] = deque(maxlen=EVALUATIONS_MAX)
        self._count = 0
        self._tripped_at_ns = 0
        self._trigger_ns = 0
        self._cancel_ns = 0
        self._unconfirmed = 0
        self._liquidation_ns = 0

    def step(self, moment: Moment, fact: Input) -> tuple[Effect, ...]:
        """Fold one input, and note how long it took."""
        began_ns = self._stopwatch_ns()
        effects = self._kernel.step(moment, fact)
        ended_ns = self._stopwatch_ns()
        kind = type(fact)
        market = kind is QuoteSeen or kind is TradeSeen or kind is BookSeen
        if market:
            self._evaluations.append(ended_ns - began_ns)
            self._count += 1
        if not market or len(effects) > _QUIET_EFFECTS_MAX:
            self._note(effects, began_ns, ended_ns)
        return effects

    def _note(self, effects: tuple[Effect, ...], began_ns: int, ended_ns: int) -> None:
        for effect in effects:
            if type(effect) is RecordTransition and effect.after == "TRIGGERED":
                self._tripped_at_ns, self._trigger_ns = began_ns, ended_ns - began_ns
                self._cancel_ns = self._unconfirmed = self._liquidation_ns = 0
            elif type(effect) is RecordPlan and self._tripped_at_ns:
                if effect.stage == "closing":
                    if not self._cancel_ns:  # a fill that comes late opens the plan again
                        self._cancel_ns = ended_ns - self._tripped_at_ns
                        self._unconfirmed = effect.orders
                elif effect.stage in {"ended", "frozen"}:
                    self._liquidation_ns = ended_ns - self._tripped_at_ns

    def snapshot(self) -> bytes:
        """The kernel's state."""
        return self._kernel.snapshot()

    def digest(self) -> str:
        """The kernel's digest."""
        return self._kernel.digest()

    def measured(self, *, waited: int = 0) -> Measured:
        """The figures so far; `waited` is counted where the facts wait."""
        times = sorted(self._evaluations)
        return Measured(
            evaluations=self._count,
            evaluation_p50_ns=times[len(times) // 2] if times else 0,
            evaluation_p99_ns=times[len(times) * 99 // 100] if times else 0,
            trigger_ns=self._trigger_ns,
            cancel_ns=self._cancel_ns,
            liquidation_ns=self._liquidation_ns,
            unconfirmed=self._unconfirmed,
            waited=waited,
        )
