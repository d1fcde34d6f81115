"""A policy compiled, once for each text: what comes of it is frozen, so that kernels share it.

A kernel comes back from its snapshot at each start, and whenever somebody wants an order explained.
"""

from functools import lru_cache
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from fuseboard.core import gate, nearness
from fuseboard.core.anomalies import looked_for
from fuseboard.core.checks.active import Active, Gate
from fuseboard.core.liquidity import tiers
from fuseboard.core.state import State
from fuseboard.core.watchlist import Watchlist, watchlist_of
from fuseboard.policy.policy import Policy, canonical_text, policy_from_canonical

POLICIES_MAX: Final = 16
"""Texts that are remembered; the one that was not asked for longest is forgotten."""
IN_FORCE_MAX: Final = 4 * POLICIES_MAX
"""The same for a text with those of its dynamic limits that hold."""

_DEFAULT: Final = canonical_text(Policy())


class Compiled(Struct, frozen=True):
    """What is made of the text of a policy alone."""

    policy: Policy
    gate: Gate
    watchlist: Watchlist
    looks_for_oddities: bool
    liquidity: tiers.Compiled | None


class InForce(Struct, frozen=True):
    """What runs of it in a state."""

    active: Active
    reduced_active: Active
    watched: tuple[int, ...]


@lru_cache(maxsize=POLICIES_MAX)
def compiled(text: str) -> Compiled:
    """The policy of a canonical text. Raises `msgspec.DecodeError` or `ConditionRefused`."""
    policy = policy_from_canonical(text)
    return Compiled(
        policy,
        gate.gate_of(policy),
        watchlist_of(policy),
        looked_for(policy.data),
        tiers.compiled_of(policy.liquidity),
    )


def compiled_in(state: State) -> Compiled:
    """The policy of a state, the default one before the first."""
    return compiled(state.policy_text or _DEFAULT)


def in_force(state: State) -> InForce:
    """The checks and limits of the moment, with bounds that nobody else follows."""
    held = gate.held_now(compiled_in(state).policy, state)
    text = state.policy_text or _DEFAULT
    found = _in_force(text, held, judges_sessions=state.judges_sessions)
    return InForce(_own(found.active), _own(found.reduced_active), found.watched)


@lru_cache(maxsize=IN_FORCE_MAX)
def _in_force(text: str, held: tuple[str, ...], *, judges_sessions: bool) -> InForce:
    known = compiled(text)
    limits = gate.limits_of(known.policy, held)
    active, reduced_active = gate.active_of(
        known.policy, known.gate, limits, judges_sessions=judges_sessions
    )
    return InForce(active, reduced_active, nearness.watched_rows(limits))


def _own(active: Active) -> Active:
    return replace(active, bounds=replace(active.bounds))
