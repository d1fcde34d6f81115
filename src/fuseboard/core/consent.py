"""Two different people where the policy asks: one asks for a reset, another one confirms it.

What the first one asked for is evidence, is shown until it lapses, and changes nothing. It is void
as soon as anything else is halted, because that person did not know of it, and after a restart.
Who is a different person is `vocabulary.people`'s to say: a name alone makes nobody a second one.
"""

from typing import Final

from fuseboard.core.state import ResetWanted, Turn
from fuseboard.policy.rules import ResetRules
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.people import same_person
from fuseboard.vocabulary.reset_effects import RecordReset

RESETS_WANTED_MAX: Final = 100


def takes_two(rules: ResetRules, *, is_kill: bool) -> bool:
    """Whether a reset takes two people under these rules."""
    return rules.two_persons_always or (rules.two_persons and is_kill)


def agreed(turn: Turn, fact: OperatorResetRequested, *, is_kill: bool) -> tuple[str, str] | None:
    """Who resets and why, once as many people agree as the policy asks; None: it was answered."""
    lapse(turn)
    if not takes_two(turn.policy.resets, is_kill=is_kill):
        _forget(turn, fact.scope)
        return fact.operator, fact.reason
    wanted = turn.state.resets_wanted.get(fact.scope)
    if wanted is None:
        _ask(turn, fact)
        return None
    refusal = _refusal(wanted, fact)
    if refusal:
        turn.answer(fact.request, accepted=False, message=refusal)
        return None
    del turn.state.resets_wanted[fact.scope]
    _record(turn, wanted, "confirmed", second=fact.operator, second_via=fact.via)
    return f"{wanted.operator}, {fact.operator}", f"{wanted.reason}; {fact.reason}"


def _ask(turn: Turn, fact: OperatorResetRequested) -> None:
    if not fact.via:
        message = (
            "a reset that takes two people needs to know who asks: the gateway's socket or the"
            " control API tells"
        )
        turn.answer(fact.request, accepted=False, message=message)
        return
    state, waits_ns = turn.state, turn.policy.resets.second_person_ns_max
    if len(state.resets_wanted) >= RESETS_WANTED_MAX:
        message = f"{RESETS_WANTED_MAX} resets wait for a second person: confirm some first"
        turn.answer(fact.request, accepted=False, message=message)
        return
    wanted = state.resets_wanted[fact.scope] = ResetWanted(
        scope=fact.scope,
        operator=fact.operator,
        via=fact.via,
        reason=fact.reason,
        rebase=fact.rebase,
        halt_epoch=state.halt_epoch,
        asked_wall_ns=turn.wall_ns,
        lapses_boot_ns=turn.boot_ns + waits_ns,
        lapses_wall_ns=turn.wall_ns + waits_ns,
    )
    turn.wake(wanted.lapses_boot_ns)
    _record(turn, wanted, "requested")
    message = (
        f"{fact.scope}: a reset is asked for by {fact.operator}; nothing changes until a second"
        f" person asks for the same within {waits_ns // NANOS} s"
    )
    turn.answer(fact.request, accepted=True, message=message)


def _refusal(wanted: ResetWanted, fact: OperatorResetRequested) -> str:
    """Why this does not confirm what is wanted; empty when it does."""
    if same_person(wanted.operator, wanted.via, fact.operator, fact.via):
        return (
            f"{wanted.operator} ({wanted.via}) asked for it and this is {fact.operator}"
            f" ({fact.via or 'unknown'}): somebody else confirms it, with another name and with a"
            " key of their own (`fuseboard operators new NAME --role admin`)"
        )
    if wanted.rebase != fact.rebase:
        asked = "with --rebase" if wanted.rebase else "without --rebase"
        return f"{wanted.operator} asked for a reset {asked}: confirm the same, or let it lapse"
    return ""


def lapse(turn: Turn) -> None:
    """Let go of what nobody confirmed in time, and of what a later halt made void."""
    for wanted in list(turn.state.resets_wanted.values()):
        if wanted.halt_epoch != turn.state.halt_epoch:
            _end(turn, wanted, "void")
        elif turn.boot_ns >= wanted.lapses_boot_ns:
            _end(turn, wanted, "lapsed")


def forget(turn: Turn) -> None:
    """The node started: nobody who asked before knows what it found."""
    for wanted in list(turn.state.resets_wanted.values()):
        _end(turn, wanted, "void")


def next_deadline(turn: Turn) -> int:
    """When the first of them lapses, boot time; 0 for never."""
    wanted = turn.state.resets_wanted
    return min((at.lapses_boot_ns for at in wanted.values()), default=0)


def _forget(turn: Turn, scope: str) -> None:
    """One person is enough by now: what waits for a second one is void."""
    wanted = turn.state.resets_wanted.get(scope)
    if wanted is not None:
        _end(turn, wanted, "void")


def _end(turn: Turn, wanted: ResetWanted, stage: str) -> None:
    del turn.state.resets_wanted[wanted.scope]
    _record(turn, wanted, stage)


def _record(
    turn: Turn, wanted: ResetWanted, stage: str, *, second: str = "", second_via: str = ""
) -> None:
    turn.out.append(
        RecordReset(
            scope=wanted.scope,
            stage=stage,
            operator=wanted.operator,
            via=wanted.via,
            reason=wanted.reason,
            rebase=wanted.rebase,
            asked_wall_ns=wanted.asked_wall_ns,
            lapses_wall_ns=wanted.lapses_wall_ns,
            second=second,
            second_via=second_via,
            policy=turn.state.policy_digest,
        )
    )
