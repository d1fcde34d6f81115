"""Policies for the guard: read from a file, and without plans that nobody would carry out."""

import os
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from fuseboard.policy.loader import read_policy
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import LossRule
from fuseboard.policy.sectors import FileRefused
from fuseboard.vocabulary.actions import Action

_NEVER_NS: Final = 100 * 365 * 24 * 3600 * 10**9
"""A hundred years, in nanoseconds."""


def policy_at(path: Path) -> Policy:
    """The policy file at `path`; what it names beside itself is read too.

    Raises `OSError` when it cannot be read, `policy.yaml_text.PolicyRefused` with every mistake: a
    secret that the environment does not hold, or whose value stands in a file, is one.
    """

    def beside(name: str) -> str:
        try:
            return (path.parent / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FileRefused(f"{path.parent / name} cannot be read: {error}") from error

    text = path.read_text(encoding="utf-8")
    return read_policy(text, str(path), environment=os.environ, files=beside).policy


def halting(policy: Policy) -> Policy:
    """The policy with every `flatten` as a halt, and no comparison that could be late.

    There is no broker behind a guard to ask: its books are compared with what it is told.
    """
    breakers = tuple(
        replace(rule, action=Action.HALT, cooldown_always=True)
        if rule.action is Action.FLATTEN
        else rule
        for rule in policy.breakers
    )
    strategies = tuple(
        replace(rule, losses=_halting_losses(rule.losses)) for rule in policy.strategies
    )
    losses = _halting_losses(policy.losses)
    reconciliation = replace(policy.reconciliation, every_ns=_NEVER_NS)
    return replace(
        policy,
        losses=losses,
        strategies=strategies,
        breakers=breakers,
        reconciliation=reconciliation,
    )


def _halting_losses(losses: tuple[LossRule, ...]) -> tuple[LossRule, ...]:
    return tuple(
        replace(rule, action=Action.HALT, cooldown_always=True)
        if rule.action is Action.FLATTEN
        else rule
        for rule in losses
    )
