"""The gate: a policy compiled for judging, and the limits of the moment put in force.

Conditions are compiled and checks are chosen here, when a policy is adopted or a dynamic limit
begins or ends to hold; an order only runs what was chosen.
"""

from typing import Final

from msgspec.structs import replace

from fuseboard.core.checks.active import Active, Dynamic, Gate, active_checks, asks_for
from fuseboard.core.checks.custom import custom_row, passes_all
from fuseboard.core.checks.table import TABLE
from fuseboard.core.state import State, Turn
from fuseboard.core.throttles import RingLengths, messages_max
from fuseboard.policy.conditions import Condition, condition_from_text
from fuseboard.policy.limits import Limits, in_a_second, reduced, tightened
from fuseboard.policy.policy import Policy, tags_of

BY_ORDERS: Final = ("order_rate", "messages", "daily_orders", "working_orders", "leverage")
"""Measures that an order changes by itself."""


def gate_of(policy: Policy) -> Gate:
    """A policy, compiled. Raises `ConditionRefused`."""
    dynamics = tuple(
        Dynamic(rule, condition, any(name in BY_ORDERS for name in condition.names))
        for rule in policy.dynamic_limits
        for condition in (condition_from_text(rule.condition, order=False),)
    )
    asked = _measures_asked(policy, dynamics)
    return Gate(
        customs=tuple(custom_row(rule) for rule in policy.checks),
        customs_as_one=passes_all(policy.checks),
        dynamics=dynamics,
        restricted=dict.fromkeys(policy.restricted),
        permitted={
            rule.name: dict.fromkeys(rule.symbols) for rule in policy.strategies if rule.symbols
        },
        counts_messages=_counts_messages(policy, dynamics, asked),
        lengths=_lengths(policy, asked),
        moved_by_orders=any(rule.by_orders for rule in dynamics),
        strategies={rule.name: None for rule in policy.strategies},
        tags=tags_of(policy),
    )


def with_former_tags(compiled: Gate, state: State) -> Gate:
    """The same, with the tags of strategies that the policy no longer names."""
    return replace(compiled, tags={**state.former_tags, **compiled.tags})


def _measures_asked(policy: Policy, dynamics: tuple[Dynamic, ...]) -> dict[str, None]:
    """Every measure that a condition of the policy asks."""
    conditions: list[Condition] = [rule.condition for rule in dynamics]
    conditions += [condition_from_text(rule.condition, order=True) for rule in policy.checks]
    conditions += [condition_from_text(rule.condition, order=False) for rule in policy.breakers]
    return {name: None for condition in conditions for name in condition.names}


def _counts_messages(policy: Policy, dynamics: tuple[Dynamic, ...], asked: dict[str, None]) -> bool:
    """Whether anything asks how many messages there are."""
    limits = [policy.limits.messages_max is not None]
    limits += [at.field == "messages_max" for rule in dynamics for at in rule.rule.tighten]
    return any(limits) or "messages" in asked


def _lengths(policy: Policy, asked: dict[str, None]) -> RingLengths:
    """How long the rings are: what the limits themselves and every dynamic limit look at, and a
    whole second where a condition asks for it.
    """
    every = (policy.limits, *(tightened(policy.limits, at.tighten) for at in policy.dynamic_limits))
    orders, messages = policy.limits.order_rate_max, max(messages_max(limits) for limits in every)
    if "order_rate" in asked:
        orders = in_a_second(orders, policy.limits.order_rate_window_ns)
    if "messages" in asked:
        messages = max(in_a_second(messages_max(at), at.messages_window_ns) for at in every)
    return RingLengths(
        orders=orders,
        messages=messages,
        executions=max(limits.repeated_executions_max or 0 for limits in every),
    )


def limits_of(policy: Policy, held: tuple[str, ...]) -> Limits:
    """The policy's limits, tightened by the named dynamic limits."""
    limits = policy.limits
    for rule in policy.dynamic_limits:
        if rule.name in held:
            limits = tightened(limits, rule.tighten)
    return limits


def active_of(
    policy: Policy, gate: Gate, limits: Limits, *, judges_sessions: bool
) -> tuple[Active, Active]:
    """What runs with these limits, and in posture REDUCED, which lifts none and adds none."""
    rows = [*TABLE, *gate.customs]
    asked = tuple(
        row
        for row in rows
        if (judges_sessions or not row.of_session) and asks_for(row, policy, limits)
    )
    return (
        active_checks(asked, limits, gate.customs_as_one, untightened=True),
        active_checks(asked, reduced(limits), gate.customs_as_one, untightened=False),
    )


def held_now(policy: Policy, state: State) -> tuple[str, ...]:
    """The dynamic limits of the policy that hold."""
    return tuple(rule.name for rule in policy.dynamic_limits if rule.name in state.dynamic)


def follow(turn: Turn, compiled: Gate) -> None:
    """A policy came into force, compiled: keep of its dynamic limits those that hold."""
    state, policy = turn.state, turn.policy
    turn.gate = with_former_tags(compiled, state)
    turn.dynamics = turn.gate.dynamics
    known = {rule.name: None for rule in policy.dynamic_limits}
    state.dynamic = {name: at for name, at in state.dynamic.items() if name in known}
    state.book.account.follow_sectors(policy.sectors)
    put_in_force(turn)


def judge_sessions(turn: Turn) -> None:
    """A session, or the broker's clock, is known: from now on orders are judged by it."""
    if not turn.state.judges_sessions:
        turn.state.judges_sessions = True
        put_in_force(turn)


def put_in_force(turn: Turn) -> None:
    """Compute the limits of the moment again, and judge by them from now on."""
    state, policy = turn.state, turn.policy
    limits = limits_of(policy, held_now(policy, state))
    turn.active, turn.reduced_active = active_of(
        policy, turn.gate, limits, judges_sessions=state.judges_sessions
    )
    state.throttles.follow(limits, turn.gate.lengths)
