"""A trial: a strategy over a tape, with the gate between it and the exchange or without.

Protected, everything between strategy and exchange is the shipped code: intake, kernel, loop,
outlet, request budget. Only the doors are the lab's: the journal is durable at once, the register
stands in memory, the exchange in the same process, and time follows the tape (`lab/world.py`).
Unprotected, the same intents reach the same exchange at the same times, through the same request
budget: the broker's limit binds whoever asks it.

The same options give the same result, but for the times that are measured.
"""

import time
from collections.abc import Callable
from typing import Final

from msgspec import structs

from fuseboard.feeds.tapes.tape import Tape
from fuseboard.lab.concluding import concluded
from fuseboard.lab.desk import BareDesk
from fuseboard.lab.protected import budget_of, chance_of, play_protected
from fuseboard.lab.result import Ran, Took, TrialResult, sealed
from fuseboard.lab.spelling import spelled
from fuseboard.lab.stage import Stage, TrialImpossible, TrialOptions
from fuseboard.lab.world import Progress
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.records import Record

AGE_GAPS: Final = 10
"""A quote of a sampled tape may be as old as so many of the typical gaps that were known before it:
of gaps that come by chance one in a thousand is longer."""


def run_trial(
    tape: Tape,
    options: TrialOptions,
    *,
    keep: Callable[[Record], None] | None = None,
    progress: Progress = lambda _at_ns: None,
    stopwatch_ns: Callable[[], int] = time.perf_counter_ns,
    leaps: bool = True,
) -> TrialResult:
    """Run one trial to the tape's end. `keep` is given each record of the gate's journal.

    Without `leaps` every reading of the broker is played, of years of days too.

    Raises `TrialImpossible`, `StrategyFailed`, `NodeStopped` when the node under it finds a fault
    in itself, and `TapeUnreadable`.
    """
    began_ns = stopwatch_ns()
    tape = spelled(tape)
    policy = policy_for(tape, options.policy)
    _check(options, policy)
    if next(tape.read(), None) is None:
        raise TrialImpossible(f"the tape {options.tape} has no events: name other hours or days")
    stage = Stage(tape, options, stopwatch_ns, progress)
    if options.protected:
        inputs = play_protected(stage, policy, options.strategy_name, keep, leaps=leaps)
    else:
        inputs = _play_unprotected(stage, policy)
    ran = _ran(tape, options, policy)
    took_ns = max(stopwatch_ns() - began_ns, 1)
    events = stage.chronicle.events
    took = Took(wall_ns=took_ns, events_a_second=events * NANOS // took_ns)
    return sealed(concluded(stage, ran, inputs=inputs, took=took))


def policy_for(tape: Tape, policy: Policy) -> Policy:
    """The policy with the data limits that a tape asks for; nothing else of it changes.

    A sampled tape is sparser than its market was: a quote may then be as old as ten of the typical
    gaps known before it began, if the policy's own limit is tighter. What the tape itself turns out
    to be has no part in that. A feed in this process does not die.
    """
    age_ns = policy.data.quote_age_ns_max
    if tape.cadence.sampled:
        age_ns = max(age_ns, AGE_GAPS * tape.cadence.known_before_ns())
    span_ns = tape.session.close_ns - tape.session.open_ns
    heartbeat_ns = max(policy.data.heartbeat_ns_max, 2 * span_ns)
    data = structs.replace(policy.data, quote_age_ns_max=age_ns, heartbeat_ns_max=heartbeat_ns)
    return structs.replace(policy, data=data)


def _play_unprotected(stage: Stage, policy: Policy) -> int:
    desk = BareDesk(stage.exchange, stage.chronicle, budget_of(policy, chance_of(stage)))
    world = stage.world(desk)
    while (due_ns := world.due_ns()) is not None:
        turn_ns = desk.due_ns()
        now_ns = due_ns if turn_ns is None else min(due_ns, turn_ns)
        world.pass_to(now_ns)
        desk.wake(now_ns)
    stage.ended_ns = world.end()
    return 0


def _check(options: TrialOptions, policy: Policy) -> None:
    named = [rule.name for rule in policy.strategies]
    if options.protected and named and options.strategy_name not in named:
        raise TrialImpossible(
            f"the policy names the strategies {', '.join(named)} and lets no other open anything:"
            f" say which of them {options.chosen.name} is with --as NAME"
        )
    terms = options.terms
    if terms.equity_nanos <= 0 or terms.slice_ns <= 0 or terms.latency_ns < 0:
        raise TrialImpossible("equity and slice must be above 0, latency at least 0")


def _ran(tape: Tape, options: TrialOptions, policy: Policy) -> Ran:
    terms = options.terms
    return Ran(
        tape=options.tape,
        tape_name=tape.name,
        tape_describes=tape.describes,
        tape_kind=tape.kind.value,
        sampled=tape.cadence.sampled,
        symbols=tape.symbols,
        open_ns=tape.session.open_ns,
        close_ns=tape.session.close_ns,
        policy=options.policy.name,
        policy_digest=digest_of(canonical_text(options.policy)),
        policy_ran_digest=digest_of(canonical_text(policy)),
        strategy=options.chosen.name,
        strategy_name=options.strategy_name,
        parameters=options.chosen.parameters,
        protected=options.protected,
        equity_nanos=terms.equity_nanos,
        seed=terms.seed,
        slice_ns=terms.slice_ns,
        latency_ns=terms.latency_ns,
        left_takes=terms.left_takes,
        quote_age_ns_max=policy.data.quote_age_ns_max,
    )
