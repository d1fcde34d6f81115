"""Any two policies, any state: nothing that nobody answers for loosens anything.

A world is run into some state under one policy; then another comes without a person. Either it is
refused and nothing moved, or no scope is looser than under the old one and an order that the old
one denies is denied.
"""

from functools import cache
from random import Random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.core.kernel import Kernel
from fuseboard.core.roster import would_close
from fuseboard.policy.limits import DynamicLimit, Limits, Tightening
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import BreakerRule, CheckRule, LossRule
from fuseboard.policy.tightness import loosens
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action, Reference, ResetRule
from fuseboard.vocabulary.evidence_effects import RecordPolicy
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import Posture
from tests.core.world import POLICY, SECOND, STRATEGIES, SYMBOLS, World, begun, random_step

WORLDS = 12
STEPS = 120


@cache
def somewhere(seed: int) -> tuple[bytes, facts.Moment]:
    """A state in the middle of a seeded run, and the time there; of odd seeds an open one."""
    random = Random(seed)
    world: World = begun(past=(0, 150, -150)[seed % 3] * NANOS)
    for step in range(STEPS + seed):
        if seed % 2 and step > 4 * seed and not world.kernel._state.postures:
            break
        random_step(world, random)
    return world.kernel.snapshot(), facts.Moment(world.boot_ns, world.wall_ns)


def maybe(*values: int) -> st.SearchStrategy[int | None]:
    return st.sampled_from([None, *values])


LIMITS = st.builds(
    Limits,
    order_quantity_nanos_max=st.sampled_from([90 * NANOS, 900 * NANOS]),
    order_value_nanos_max=st.sampled_from([9_000 * NANOS, 60_000 * NANOS]),
    price_collar_nanos=st.sampled_from([NANOS // 1000, NANOS // 20]),
    price_floor_nanos=maybe(50 * NANOS, 200 * NANOS),
    order_rate_max=st.sampled_from([1, 2, 50]),
    order_rate_window_ns=st.sampled_from([SECOND, 100 * SECOND]),
    order_rate_kills=st.booleans(),
    messages_max=maybe(1, 50),
    messages_window_ns=st.sampled_from([SECOND, 100 * SECOND]),
    daily_orders_max=maybe(1, 1_000),
    duplicate_window_ns=maybe(SECOND, 100 * SECOND),
    repeated_executions_max=maybe(1, 10),
    position_value_nanos_max=maybe(10_000 * NANOS, 90_000 * NANOS),
    position_fraction_nanos_max=maybe(NANOS // 10, NANOS * 7 // 10),
    positions_max=maybe(1, 3),
    gross_exposure_nanos_max=st.sampled_from([NANOS // 4, NANOS]),
    net_exposure_nanos_min=maybe(-NANOS // 4, NANOS // 4),
    net_exposure_nanos_max=maybe(NANOS // 10, NANOS),
    leverage_nanos_max=maybe(NANOS // 2, 2 * NANOS),
)
LOSSES = st.lists(
    st.builds(
        LossRule,
        name=st.sampled_from(["drawdown", "other", "vix"]),
        reference=st.sampled_from([Reference.SESSION_PEAK, Reference.PEAK, Reference.WEEK_OPEN]),
        limit_nanos=st.sampled_from([NANOS // 100, NANOS // 50, NANOS // 2]),
        warning_nanos=maybe(NANOS // 500, NANOS // 100),
        warning_clear_nanos=maybe(NANOS // 1000, NANOS // 500),
        action=st.sampled_from([Action.REDUCE_ONLY, Action.HALT, Action.FLATTEN, Action.KILL]),
        reset=st.sampled_from(list(ResetRule)),
        cooldown_ns=st.sampled_from([SECOND, 9 * SECOND]),
    ),
    max_size=2,
    unique_by=lambda rule: rule.name,
).map(tuple)
BREAKERS = st.lists(
    st.builds(
        BreakerRule,
        name=st.sampled_from(["drawdown", "vix"]),
        condition=st.sampled_from(
            ["drawdown > 0.1%", "drawdown > 5%", "vix > 30", "error_count_1h < 1000", "cash > 1"]
        ),
        action=st.sampled_from([action for action in Action if action is not Action.KILL]),
        scope=st.sampled_from(["account", "strategy:*", "strategy:alpha", "symbol:AAA"]),
        cooldown_ns=st.sampled_from([SECOND, 9 * SECOND]),
    ),
    max_size=2,
    unique_by=lambda rule: rule.name,
).map(tuple)
CHECKS = st.lists(
    st.builds(
        CheckRule,
        name=st.sampled_from(["mine", "yours"]),
        condition=st.sampled_from(["order_size < 60", "order_size < 600", "price > 90", "vix < 9"]),
    ),
    max_size=1,
    unique_by=lambda rule: rule.name,
).map(tuple)
DYNAMIC = st.lists(
    st.builds(
        DynamicLimit,
        name=st.sampled_from(["storm", "calm"]),
        condition=st.sampled_from(["drawdown > 0.1%", "drawdown > 90%", "working_orders < 1000"]),
        tighten=st.sampled_from([100 * NANOS, 20_000 * NANOS]).map(
            lambda most: (Tightening(field="order_value_nanos_max", value=most),)
        ),
    ),
    max_size=2,
    unique_by=lambda rule: rule.name,
).map(tuple)
ALPHA, BETA = POLICY.strategies
NAMED = st.sampled_from(
    [
        (),
        (ALPHA,),
        (ALPHA, BETA),
        (replace(ALPHA, capital_nanos=20_000 * NANOS), BETA),
        (ALPHA, replace(BETA, symbols=("AAA",))),
        (replace(ALPHA, losses=()), BETA),
    ]
)
PARTS: dict[str, st.SearchStrategy[object]] = {
    "limits": LIMITS,
    "losses": LOSSES,
    "breakers": BREAKERS,
    "checks": CHECKS,
    "dynamic_limits": DYNAMIC,
    "strategies": NAMED,
    "restricted": st.sampled_from([(), ("AAA",), ("AAA", "BBB")]),
    "checks_off": st.sampled_from([(), ("opposite_strategy",)]),
}


@st.composite
def policies(draw: st.DrawFn, base: Policy) -> Policy:
    """Some parts of another policy; of the limits often one alone."""
    changed: dict[str, object] = {}
    for part in draw(st.lists(st.sampled_from(list(PARTS)), min_size=1, max_size=3, unique=True)):
        changed[part] = draw(PARTS[part])
        if part == "limits" and draw(st.booleans()):
            field = draw(st.sampled_from(Limits.__struct_fields__))
            value = getattr(changed[part], field)
            changed[part] = replace(base.limits, **{field: value})
    return replace(base, **changed)


def of(policy: Policy, operator: str, reason: str) -> facts.PolicyAdopted:
    text = canonical_text(policy)
    return facts.PolicyAdopted(text=text, digest=digest_of(text), operator=operator, reason=reason)


ORDERS = st.builds(
    facts.OrderRequested,
    request=st.just(99),
    strategy=st.sampled_from(STRATEGIES),
    client_order_id=st.just("the-one"),
    symbol=st.sampled_from(SYMBOLS),
    side=st.sampled_from([Side.BUY, Side.SELL]),
    order_type=st.just(OrderType.LIMIT),
    time_in_force=st.just(TimeInForce.DAY),
    quantity_nanos=st.sampled_from([NANOS, 50 * NANOS, 150 * NANOS, 450 * NANOS]),
    limit_price_nanos=st.sampled_from([90 * NANOS, 100 * NANOS, 101 * NANOS]),
) | st.builds(
    facts.OrderRequested,
    request=st.just(99),
    strategy=st.sampled_from(STRATEGIES),
    client_order_id=st.just("the-one"),
    symbol=st.sampled_from(SYMBOLS),
    side=st.sampled_from([Side.BUY, Side.SELL]),
    order_type=st.just(OrderType.MARKET),
    time_in_force=st.just(TimeInForce.DAY),
    quantity_nanos=st.sampled_from([NANOS, 50 * NANOS, 85 * NANOS, 450 * NANOS]),
)


def denied(effects: tuple[fx.Effect, ...]) -> bool:
    return any(isinstance(effect, fx.AnswerDenied) for effect in effects)


def accepted(effects: tuple[fx.Effect, ...]) -> bool:
    return all(effect.accepted for effect in effects if isinstance(effect, RecordPolicy))


def about_to_close(kernel: Kernel) -> list[DrawdownFuse | RuleFuse]:
    """The fuses that may flatten and whose breach has begun, or is one already."""
    state = kernel._state
    return [
        fuse
        for fuse in state.tripping()
        if fuse.rule.action is Action.FLATTEN
        and fuse.watching()
        and (fuse.breach.source or (isinstance(fuse, DrawdownFuse) and fuse.breaches()))
    ]


@pytest.mark.no_cover
@settings(max_examples=400)
@given(data=st.data(), seed=st.integers(0, WORLDS - 1))
def test_without_a_person_no_scope_is_looser_and_what_was_denied_is_denied(
    data: st.DataObject, seed: int
) -> None:
    snapshot, moment = somewhere(seed)
    old = data.draw(policies(POLICY), label="old")
    new = data.draw(policies(old), label="new")
    order = data.draw(ORDERS, label="order")
    before, after = Kernel.restored(snapshot), Kernel.restored(snapshot)
    for kernel in (before, after):
        assert accepted(kernel.step(moment, of(old, "ann", "begin")))
    moment = facts.Moment(moment.boot_ns + 1, moment.wall_ns + 1)
    same = before.policy_again()
    assert same is not None
    before.step(moment, same)
    taken = accepted(after.step(moment, of(new, "start", "")))
    assert not (taken and loosens(old, new))
    assert taken or loosens(old, new) or would_close(before._turn, new)
    event(f"taken: {taken}")
    if not taken:
        assert after.digest() == Kernel.restored(after.snapshot()).digest()
        assert after.policy_digest() == same.digest
        return
    closing = [fuse.name for fuse in about_to_close(before)]
    assert all(fuse.name in closing for fuse in about_to_close(after)), "it closes what is held"
    for scope, posture in before._state.postures.items():
        now = after._state.postures.get(scope, Posture.OPEN)
        assert now >= posture, f"{scope} was {posture.name} and is {now.name}"
    was_denied = denied(before.step(moment, order))
    event(f"taken, and the order was denied: {was_denied}")
    if was_denied:
        assert denied(after.step(moment, order))


@pytest.mark.no_cover
@settings(max_examples=150)
@given(data=st.data(), seed=st.integers(0, WORLDS - 1))
def test_whatever_is_adopted_by_whom_latches_stay_and_the_snapshot_is_the_state(
    data: st.DataObject, seed: int
) -> None:
    snapshot, moment = somewhere(seed)
    kernel = Kernel.restored(snapshot)
    policy = POLICY
    armings = {fuse.name: fuse.generation for fuse in kernel._state.fuses()}
    for _ in range(data.draw(st.integers(1, 4))):
        policy = data.draw(policies(policy))
        who = data.draw(st.sampled_from([("start", ""), ("ann", "agreed")]))
        latched = {fuse.name: fuse.state for fuse in kernel._state.fuses() if fuse.latched()}
        plans, epoch = list(kernel._state.plans), kernel._state.halt_epoch
        shown = Kernel.restored(kernel.snapshot())
        effects = kernel.step(moment, of(policy, *who))
        assert shown.step(moment, of(policy, *who)) == effects
        assert shown.snapshot() == kernel.snapshot()
        assert Kernel.restored(kernel.snapshot()).digest() == kernel.digest()
        now = {fuse.name: fuse.state for fuse in kernel._state.fuses()}
        assert latched.items() <= now.items()
        assert list(kernel._state.plans)[: len(plans)] == plans
        assert kernel._state.halt_epoch >= epoch
        for fuse in kernel._state.fuses():
            assert fuse.generation >= armings.get(fuse.name, 1), fuse.name
            armings[fuse.name] = fuse.generation
