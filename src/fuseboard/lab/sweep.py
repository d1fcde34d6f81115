"""A sweep: trials over tapes, strategies and values of a policy, in processes of their own.

Each trial is a fresh process's work on plain data, so that none can disturb another; the results
come back in the order in which they were asked for, whoever was done first. A trial that fails is
a row that says why.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Final

from msgspec import Struct

from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.tape import TapeUnreadable
from fuseboard.lab.result import Figures, Ran, SignalTimes, SymbolFigures, Took
from fuseboard.lab.signals import StrategyFailed
from fuseboard.lab.stage import TrialImpossible, TrialOptions
from fuseboard.lab.strategies.by_name import strategy_by_name
from fuseboard.lab.terms import TrialTerms
from fuseboard.lab.trial import run_trial
from fuseboard.policy.policy import Policy, canonical_text, policy_from_canonical
from fuseboard.runtime.loop import NodeStopped

TRIALS_MAX: Final = 10_000
JOBS_MAX: Final = 64
STOPS: Final = (NodeStopped, StrategyFailed, TapeUnreadable, TrialImpossible)
"""What stops a trial with a sentence that says why."""


class Variant(Struct, frozen=True, kw_only=True):
    """A policy with some of its values set, as a person typed them."""

    values: dict[str, str]
    policy: Policy


class TrialAsked(Struct, frozen=True, kw_only=True):
    """One trial as plain data: what another process needs to run it."""

    tape: str
    strategy: str
    values: dict[str, str]
    policy_text: str
    protected: bool
    terms: TrialTerms

    @property
    def left_takes(self) -> bool:
        """Whether the rest of a limit order that arrives at the far side goes on taking."""
        return self.terms.left_takes

    @property
    def equity_nanos(self) -> int:
        """Cash at the beginning."""
        return self.terms.equity_nanos


class TrialRow(Struct, frozen=True, kw_only=True):
    """What became of one trial: `error` says why there are no figures."""

    tape: str
    strategy: str
    protected: bool
    values: dict[str, str]
    error: str = ""
    ran: Ran | None = None
    figures: Figures | None = None
    symbols: tuple[SymbolFigures, ...] = ()
    signals: SignalTimes = SignalTimes()
    took: Took = Took()
    digest: str = ""


class SweepOptions(Struct, frozen=True, kw_only=True):
    """What is swept. Unprotected, a tape and strategy have one trial, whatever the values."""

    tapes: tuple[str, ...]
    strategies: tuple[str, ...]
    variants: tuple[Variant, ...]
    unprotected: bool = False
    """Whether each tape and strategy is also run without the gate."""
    terms: TrialTerms = TrialTerms()


def asked_of(options: SweepOptions) -> list[TrialAsked]:
    """Every trial, in order. Raises `TrialImpossible` for too many."""
    asked = list(_asked(options))
    if len(asked) > TRIALS_MAX:
        raise TrialImpossible(
            f"these are {len(asked):,} trials, at most {TRIALS_MAX:,} are run at once:"
            " set fewer values"
        )
    return asked


def run_sweep(
    asked: Sequence[TrialAsked],
    *,
    jobs: int,
    done: Callable[[int, TrialRow], None] = lambda _count, _row: None,
) -> list[TrialRow]:
    """Run all trials in `jobs` processes; `done` is told the number of each that has ended."""
    if not 1 <= jobs <= JOBS_MAX:
        raise TrialImpossible(f"from 1 to {JOBS_MAX} jobs run beside each other")
    rows: dict[int, TrialRow] = {}
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(run_asked, each): at for at, each in enumerate(asked)}
        for future in as_completed(waiting):
            at = waiting[future]
            rows[at] = _row_of(future, asked[at])
            done(len(rows), rows[at])
    return [rows[at] for at in range(len(asked))]


def run_asked(asked: TrialAsked) -> TrialRow:
    """Run one trial here; what stops it becomes its error."""
    try:
        result = run_trial(tape_by_name(asked.tape, asked.terms.seed), options_of(asked))
    except STOPS as failure:
        return failed(asked, f"{type(failure).__name__}: {failure}")
    return TrialRow(
        tape=asked.tape,
        strategy=asked.strategy,
        protected=asked.protected,
        values=asked.values,
        ran=result.ran,
        figures=result.figures,
        symbols=result.symbols,
        signals=result.signals,
        took=result.took,
        digest=result.digest,
    )


def options_of(asked: TrialAsked) -> TrialOptions:
    """The trial that was asked for, in this process."""
    return TrialOptions(
        tape=asked.tape,
        policy=policy_from_canonical(asked.policy_text),
        chosen=strategy_by_name(asked.strategy),
        protected=asked.protected,
        terms=asked.terms,
    )


def failed(asked: TrialAsked, why: str) -> TrialRow:
    """The row of a trial that did not end."""
    return TrialRow(
        tape=asked.tape,
        strategy=asked.strategy,
        protected=asked.protected,
        values=asked.values,
        error=why,
    )


def _row_of(future: "Future[TrialRow]", asked: TrialAsked) -> TrialRow:
    failure = future.exception()
    if failure is None:
        return future.result()
    if isinstance(failure, BrokenProcessPool):
        why = "its process, or one beside it, was ended from outside, perhaps for want of memory"
        return failed(asked, f"{why}: try fewer --jobs")
    return failed(asked, f"{type(failure).__name__}: {failure}")


def _asked(options: SweepOptions) -> Iterator[TrialAsked]:
    for tape, strategy in itertools.product(options.tapes, options.strategies):
        if options.unprotected:
            yield _one(options, tape, strategy, options.variants[0], protected=False)
        for variant in options.variants:
            yield _one(options, tape, strategy, variant, protected=True)


def _one(
    options: SweepOptions, tape: str, strategy: str, variant: Variant, *, protected: bool
) -> TrialAsked:
    return TrialAsked(
        tape=tape,
        strategy=strategy,
        values=variant.values if protected else {},
        policy_text=canonical_text(variant.policy),
        protected=protected,
        terms=options.terms,
    )
