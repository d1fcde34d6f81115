"""The fuse machine: nine states, thirteen events, one total table.

Theory of operation. A fuse watches something and asks its scope for a posture. Latched states
(`TRIGGERED` and beyond) loosen only by an event that carries a person: `RESET`, `REBASED`,
`RECOVERY_PASSED`; `RESET` may also carry the calendar, where the rule says so. `WARNING` is a
gauge: it comes and goes with the numbers. The table says, for every state and event, the next
state, or that the event is ignored (it changes nothing and that is right), or refused (somebody
asked for what this state does not allow).

Promises, each tested over the full product (`tests/core/test_machine.py`): every pair has a row;
no event of numbers or time leaves a latched state for a looser posture; `BREACHED` trips only from
`MONITORING` and `WARNING`, so one arming trips once; `KILL_ASKED` always ends in `KILLED`.
"""

from enum import Enum
from typing import Final

from msgspec import Struct

from fuseboard.vocabulary.postures import Posture


class FuseState(Enum):
    """Where a fuse is; DESIGN names what each means."""

    ARMED = "ARMED"
    MONITORING = "MONITORING"
    WARNING = "WARNING"
    TRIGGERED = "TRIGGERED"
    COOLING_DOWN = "COOLING_DOWN"
    REDUCE_ONLY = "REDUCE_ONLY"
    HALTED = "HALTED"
    KILLED = "KILLED"
    RECOVERY = "RECOVERY"


class FuseEvent(Enum):
    """What may happen to a fuse."""

    MARKED = "MARKED"
    WARNED = "WARNED"
    CLEARED = "CLEARED"
    BREACHED = "BREACHED"
    SETTLED = "SETTLED"
    REDUCE_ONLY_ASKED = "REDUCE_ONLY_ASKED"
    HALT_ASKED = "HALT_ASKED"
    RESET = "RESET"
    REBASED = "REBASED"
    RESETS_EXHAUSTED = "RESETS_EXHAUSTED"
    KILL_ASKED = "KILL_ASKED"
    RECOVERY_PASSED = "RECOVERY_PASSED"
    RECOVERY_FAILED = "RECOVERY_FAILED"


class Outcome(Enum):
    """What the table says when the state stays as it is."""

    IGNORED = "ignored"
    REFUSED = "refused"


POSTURE_OF: Final[dict[FuseState, Posture]] = {
    FuseState.ARMED: Posture.OPEN,
    FuseState.MONITORING: Posture.OPEN,
    FuseState.WARNING: Posture.REDUCED,
    FuseState.TRIGGERED: Posture.REDUCE_ONLY,
    FuseState.COOLING_DOWN: Posture.HALTED,
    FuseState.REDUCE_ONLY: Posture.REDUCE_ONLY,
    FuseState.HALTED: Posture.HALTED,
    FuseState.KILLED: Posture.KILLED,
    FuseState.RECOVERY: Posture.HALTED,
}
LATCHED: Final = tuple(
    state for state, posture in POSTURE_OF.items() if posture >= Posture.REDUCE_ONLY
)
PERSONS_EVENTS: Final = (
    FuseEvent.RESET,
    FuseEvent.REBASED,
    FuseEvent.RECOVERY_PASSED,
)
"""Only these leave a latched state for a looser posture; a person stands behind each, or behind
`RESET` the calendar that the policy named."""

_S, _E, _IGNORED, _REFUSED = FuseState, FuseEvent, Outcome.IGNORED, Outcome.REFUSED
_ROWS: Final[dict[FuseState, dict[FuseEvent, FuseState]]] = {
    _S.ARMED: {
        _E.MARKED: _S.MONITORING,
        _E.REBASED: _S.ARMED,
        _E.HALT_ASKED: _S.HALTED,
        _E.KILL_ASKED: _S.KILLED,
    },
    _S.MONITORING: {
        _E.WARNED: _S.WARNING,
        _E.BREACHED: _S.TRIGGERED,
        _E.REBASED: _S.ARMED,
        _E.HALT_ASKED: _S.HALTED,
        _E.KILL_ASKED: _S.KILLED,
    },
    _S.WARNING: {
        _E.CLEARED: _S.MONITORING,
        _E.BREACHED: _S.TRIGGERED,
        _E.REBASED: _S.ARMED,
        _E.HALT_ASKED: _S.HALTED,
        _E.KILL_ASKED: _S.KILLED,
    },
    _S.TRIGGERED: {
        _E.SETTLED: _S.COOLING_DOWN,
        _E.REDUCE_ONLY_ASKED: _S.REDUCE_ONLY,
        _E.HALT_ASKED: _S.HALTED,
        _E.KILL_ASKED: _S.KILLED,
    },
    _S.COOLING_DOWN: {
        _E.RESET: _S.MONITORING,
        _E.REBASED: _S.ARMED,
        _E.RESETS_EXHAUSTED: _S.HALTED,
        _E.HALT_ASKED: _S.HALTED,
        _E.KILL_ASKED: _S.KILLED,
    },
    _S.REDUCE_ONLY: {
        _E.RESET: _S.MONITORING,
        _E.REBASED: _S.ARMED,
        _E.RESETS_EXHAUSTED: _S.REDUCE_ONLY,  # a reset that is refused traps nobody's exit
        _E.HALT_ASKED: _S.HALTED,
        _E.KILL_ASKED: _S.KILLED,
    },
    _S.HALTED: {
        _E.RESET: _S.MONITORING,
        _E.REBASED: _S.ARMED,
        _E.RESETS_EXHAUSTED: _S.HALTED,
        _E.KILL_ASKED: _S.KILLED,
    },
    _S.KILLED: {
        _E.RESET: _S.RECOVERY,
        _E.REBASED: _S.RECOVERY,
        _E.KILL_ASKED: _S.KILLED,
    },
    _S.RECOVERY: {
        _E.RECOVERY_PASSED: _S.ARMED,
        _E.RECOVERY_FAILED: _S.KILLED,
        _E.HALT_ASKED: _S.KILLED,  # whoever halts now was not asked by the recovery: begin again
        _E.KILL_ASKED: _S.KILLED,
    },
}
_REFUSALS: Final[dict[FuseEvent, tuple[FuseState, ...]]] = {
    # A reset waits until the plan has ended; a recovery needs somebody who started one.
    _E.RESET: (_S.TRIGGERED, _S.RECOVERY),
    _E.REBASED: (_S.TRIGGERED, _S.RECOVERY),
    _E.RECOVERY_PASSED: tuple(state for state in _S if state is not _S.RECOVERY),
    _E.RECOVERY_FAILED: tuple(state for state in _S if state is not _S.RECOVERY),
}


def _row(state: FuseState, event: FuseEvent) -> FuseState | Outcome:
    after = _ROWS[state].get(event)
    if after is not None:
        return after
    return _REFUSED if state in _REFUSALS.get(event, ()) else _IGNORED


TABLE: Final[dict[tuple[FuseState, FuseEvent], FuseState | Outcome]] = {
    (state, event): _row(state, event) for state in FuseState for event in FuseEvent
}


class Transition(Struct, frozen=True, gc=False):
    """One row of the table as it happened."""

    before: FuseState
    event: FuseEvent
    after: FuseState


def transition(state: FuseState, event: FuseEvent) -> Transition | Outcome:
    """What `event` does in `state`: a transition, or the outcome that nothing changes."""
    after = TABLE[state, event]
    return after if isinstance(after, Outcome) else Transition(state, event, after)


def diagram() -> str:
    """The machine as a Mermaid state diagram, drawn from the table."""
    lines = ["stateDiagram-v2", f"    [*] --> {FuseState.ARMED.value}"]
    for state in FuseState:
        arrows: dict[FuseState, list[str]] = {}
        for event in FuseEvent:
            after = TABLE[state, event]
            if isinstance(after, FuseState) and after is not state:
                arrows.setdefault(after, []).append(event.value)
        lines.extend(
            f"    {state.value} --> {after.value}: {', '.join(events)}"
            for after, events in arrows.items()
        )
    lines.extend(
        f"    {state.value}: {state.value} ({posture.name})"
        for state, posture in POSTURE_OF.items()
    )
    return "\n".join(lines)
