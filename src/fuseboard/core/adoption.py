"""Adoption: a policy comes into force, at a start or while orders work, or it is refused.

What is not provably tighter than the policy in force needs a named person with a reason
(`policy.tightness`); the very first policy of a state is free. A refused one changes nothing.
Fuses keep their state and their marks, and follow the new numbers from now on: which stay and
which go is `core.roster`'s to say. Plans, latches and orders are left as they are.
"""

from collections import Counter
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.core import consent, disconnects, gate, nearness, roster, taking_in
from fuseboard.core.compiling import compiled
from fuseboard.core.fuses.machine import FuseState
from fuseboard.core.halting import publish_postures
from fuseboard.core.liquidity import watching
from fuseboard.core.measures.recording import begin_courses
from fuseboard.core.state import Turn
from fuseboard.core.valuation import begin_breaches
from fuseboard.policy.conditions import ConditionRefused
from fuseboard.policy.directions import Direction
from fuseboard.policy.policy import Policy, digest_of
from fuseboard.policy.rules import LossRule
from fuseboard.policy.tightness import Change, changes
from fuseboard.vocabulary.evidence_effects import RecordPolicy
from fuseboard.vocabulary.inputs import PolicyAdopted
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

CHANGES_RECORDED_MAX: Final = 1_000
"""Of each direction, in the evidence of one adoption."""
CHANGES_SAID_MAX: Final = 50
"""In an answer; the evidence has the others."""
AT_NEXT_START: Final = (
    "session.calendar",
    "session.roll",
    "session.zone",
    "kill_switch.",
    "execution.requests_a_minute",
    "execution.protected_share_nanos",
)
"""Where the paths begin that the node around the kernel reads once, when it starts."""


class Judged(Struct, frozen=True):
    """What would become of a policy: its changes, and why it is refused; empty when it is not."""

    policy: Policy
    changes: tuple[Change, ...] = ()
    refusal: str = ""

    def said(self, direction: Direction) -> list[str]:
        """The changes of one direction, in words."""
        return [_said(one) for one in self.changes if one.direction is direction]


def judged(turn: Turn, fact: PolicyAdopted) -> Judged:
    """Compare a policy with the one in force, as policies: an older text may lack newer fields."""
    if digest_of(fact.text) != fact.digest:
        return Judged(turn.policy, refusal="the digest is not that of the policy's text")
    try:
        policy = compiled(fact.text).policy
        found = changes(turn.policy, policy) if turn.state.policy_text else ()
    except (msgspec.DecodeError, ConditionRefused) as error:
        return Judged(turn.policy, refusal=f"this is no policy that this release knows: {error}")
    twice = _named_twice(policy)
    if twice:
        return Judged(policy, found, f"two rules of one kind have the same name: {twice}")
    held = _held_by_two(turn, policy)
    if held:
        return Judged(policy, found, held)
    known = Judged(policy, found)
    if fact.operator.strip() and fact.reason.strip():
        return known
    if known.said(Direction.LOOSER):
        return Judged(policy, found, _loosening(known.said(Direction.LOOSER)))
    closes = roster.would_close(turn, policy)
    if not closes:
        return known
    return Judged(policy, found, _closing(closes))


def _closing(fuses: list[str]) -> str:
    return (
        "the present loss is beyond the new limit: it would close what is held now, and that needs"
        f" a named person with a reason (--operator NAME --reason TEXT):\n{_listed(fuses)}"
    )


def _held_by_two(turn: Turn, policy: Policy) -> str:
    """Why one person may not take the second one away from what is latched; empty otherwise."""
    before, after = turn.policy.resets, policy.resets
    for fuse in turn.state.fuses():
        is_kill = fuse.state in (FuseState.KILLED, FuseState.RECOVERY)
        if not fuse.latched() or not consent.takes_two(before, is_kill=is_kill):
            continue
        if not consent.takes_two(after, is_kill=is_kill):
            return (
                f"{fuse.scope} is {fuse.state.value} and takes two people to reset under the policy"
                " in force (resets.two_persons): reset it first, then change that"
            )
    return ""


def _loosening(looser: list[str]) -> str:
    count = f"{len(looser)} limits loosen" if len(looser) > 1 else "a limit loosens"
    return (
        f"{count}, or cannot be shown not to, and that needs a named person with a reason"
        f" (--operator NAME --reason TEXT):\n{_listed(looser)}"
    )


def _listed(said: list[str]) -> str:
    lines = [f"  {line}" for line in said[:CHANGES_SAID_MAX]]
    more = len(said) - CHANGES_SAID_MAX
    lines += [f"  and {more} more"] if more > 0 else []
    return "\n".join(lines)


def _said(one: Change) -> str:
    return f"{one.key}: {one.old} -> {one.new}"


def _named_twice(policy: Policy) -> str:
    """The first name that two rules of one list share: they could not be told apart."""
    names = [
        [row.name for row in policy.strategies],
        [row.name for row in policy.checks],
        [row.name for row in policy.dynamic_limits],
        [row.name for row in policy.breakers],
        *([row.name for row in losses] for losses in _losses(policy)),
    ]
    names += [[at.field for at in rule.tighten] for rule in policy.dynamic_limits]
    for among in names:
        for name, count in Counter(among).items():
            if count > 1:
                return name
    return ""


def _losses(policy: Policy) -> list[tuple[LossRule, ...]]:
    return [policy.losses, *(strategy.losses for strategy in policy.strategies)]


def policy_adopted(turn: Turn, fact: PolicyAdopted) -> None:
    """Take a policy, or refuse it and say what it would have loosened."""
    state = turn.state
    verdict = judged(turn, fact)
    before = state.policy_digest
    if not verdict.refusal:
        _take(turn, fact, verdict)
    looser, tighter, neutral = (
        tuple(verdict.said(direction)[:CHANGES_RECORDED_MAX])
        for direction in (Direction.LOOSER, Direction.TIGHTER, Direction.NEUTRAL)
    )
    turn.out.append(
        RecordPolicy(
            name=verdict.policy.name if not verdict.refusal else "",
            digest=fact.digest,
            before=before,
            accepted=not verdict.refusal,
            operator=fact.operator.strip(),
            reason=fact.reason.strip(),
            since_wall_ns=state.policy_since_wall_ns,
            looser=looser,
            tighter=tighter,
            neutral=neutral,
        )
    )
    _tell(turn, fact, verdict)


def _take(turn: Turn, fact: PolicyAdopted, verdict: Judged) -> None:
    state = turn.state
    if verdict.changes or not state.policy_text:
        state.policy_since_wall_ns = turn.wall_ns
    state.policy_text, state.policy_digest = fact.text, fact.digest
    before = turn.policy
    roster.change_capitals(turn, verdict.policy)
    taken = compiled(fact.text)
    gate.follow(turn, taken.gate)
    disconnects.follow(turn, before)
    roster.follow(turn)
    turn.watchlist = taken.watchlist
    turn.looks_for_oddities = taken.looks_for_oddities
    watching.follow_policy(turn)
    if state.reconciled:
        begin_courses(turn)
    publish_postures(turn)
    nearness.follow(turn)
    taking_in.follow_policy(turn)
    begin_breaches(turn)


def _tell(turn: Turn, fact: PolicyAdopted, verdict: Judged) -> None:
    """Answer who asked, and tell people of what changed or was refused."""
    looser, tighter = verdict.said(Direction.LOOSER), verdict.said(Direction.TIGHTER)
    who = f"{fact.operator.strip()}: {fact.reason.strip()}".strip(": ")
    if verdict.refusal:
        message = verdict.refusal
        text = f"a policy is refused ({who or 'nobody named'}): {message.partition(chr(10))[0]}"
        turn.alert(Severity.WARNING, Reason.POLICY, text)
    else:
        message = f"policy {verdict.policy.name!r}, digest {fact.digest[:16]}, is in force:"
        message += f" {len(looser)} looser, {len(tighter)} tighter, {len(verdict.changes)} in all"
        later = [one.key for one in verdict.changes if one.path.startswith(AT_NEXT_START)]
        message += f"; from the next start: {', '.join(later)}" if later else ""
        if verdict.changes:
            severity = Severity.WARNING if looser else Severity.INFO
            turn.alert(severity, Reason.POLICY, f"{message} ({who})")
    turn.answer(fact.request, accepted=not verdict.refusal, message=message)
