"""A lost strategy: what works of it is cancelled but for what protects, and nothing is latched."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fuseboard.control.board import Board
from fuseboard.control.render import status_text
from fuseboard.control.status import status_of
from fuseboard.core import adoption, disconnects, draining, halting, orders, startup
from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import DisconnectRule, StrategyRule
from fuseboard.runtime.meter import MeteredKernel
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import ConnectedBy, DrainRule
from fuseboard.vocabulary.disconnect_facts import PublishLost, StrategyLost, StrategySeen
from fuseboard.vocabulary.evidence_effects import RecordDrain, RecordTransition
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Severity, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.records import Record, decoded_record, encoded_record
from tests.core.by_hand import ADOPTS, HAND, ByHand, by_hand
from tests.core.test_known_failures import Desk, accept, submitted
from tests.deletion import assert_pinned

AFTER = 10 * NANOS
STREAM, REQUESTS, PROCESS = ConnectedBy.STREAM, ConnectedBy.REQUESTS, ConnectedBy.PROCESS
ROOM = Limits(order_value_nanos_max=NANOS**2, gross_exposure_nanos_max=100 * NANOS)
RULE = DisconnectRule(enabled=True, after_ns=AFTER)


def policy(rule: DisconnectRule = RULE, *strategies: StrategyRule) -> Policy:
    return Policy(limits=ROOM, disconnect=rule, strategies=strategies, checks_off=("self_match",))


def desk_with(rule: DisconnectRule = RULE, held: int = 0) -> Desk:
    return Desk(policy(rule), held=held)


def lost(
    desk: Desk, strategy: str = "alpha", by: ConnectedBy = STREAM, absent_ns: int = AFTER
) -> tuple[fx.Effect, ...]:
    return desk.take(StrategyLost(strategy=strategy, by=by, absent_ns=absent_ns))


def resting(desk: Desk, name: str = "rests", strategy: str = "alpha") -> fx.SubmitOrder:
    (order,) = submitted(desk.order(Side.BUY, NANOS, 240, name, strategy))
    accept(desk, order, f"b-{name}")
    return order


def stop(desk: Desk, quantity: int, name: str = "stop") -> fx.SubmitOrder:
    (order,) = asked_to_stop(desk, quantity, name)
    return order


def asked_to_stop(desk: Desk, quantity: int, name: str) -> list[fx.SubmitOrder]:
    desk.requests += 1
    effects = desk.take(
        facts.OrderRequested(
            request=desk.requests,
            strategy="alpha",
            client_order_id=name,
            symbol="AAPL",
            side=Side.SELL,
            order_type=OrderType.STOP,
            time_in_force=TimeInForce.DAY,
            quantity_nanos=quantity * NANOS,
            stop_price_nanos=200 * NANOS,
        )
    )
    for order in submitted(effects):
        accept(desk, order, f"b-{name}")
    return submitted(effects)


def ended(desk: Desk, order: fx.SubmitOrder, broker_id: str) -> None:
    desk.take(
        facts.OrderEnded(
            order_id=order.order_id,
            broker_order_id=broker_id,
            status=OrderStatus.CANCELED,
            filled_quantity_nanos=0,
            filled_price_nanos=0,
        )
    )


def cancels(effects: Iterable[fx.Effect]) -> list[str]:
    return [effect.order_id for effect in effects if isinstance(effect, fx.CancelOrder)]


def alerts(effects: Iterable[fx.Effect]) -> list[fx.RaiseAlert]:
    return [effect for effect in effects if isinstance(effect, fx.RaiseAlert)]


def test_a_lost_strategys_orders_go_and_its_stop_and_another_strategys_orders_stay() -> None:
    desk = desk_with(held=100)
    first, second = resting(desk, "one"), resting(desk, "two")
    protecting = stop(desk, 100)
    other = resting(desk, "theirs", "beta")
    effects = lost(desk)
    assert cancels(effects) == [first.order_id, second.order_id]
    assert not {protecting.order_id, other.order_id} & set(cancels(effects))
    (alert,) = alerts(effects)
    assert (alert.severity, alert.code) == (Severity.WARNING, Reason.STRATEGY_LOST)
    assert alert.scope == "strategy:alpha"
    assert alert.text == (
        "alpha is lost, no trade_updates stream for 10s: 2 of its orders are cancelled,"
        " 1 that protect what it holds stay"
    )


def test_nothing_is_latched_and_who_is_back_trades_on() -> None:
    desk = desk_with()
    resting(desk)
    effects = lost(desk)
    latching = fx.LatchHalt | RecordTransition | fx.PublishPosture
    assert not any(isinstance(effect, latching) for effect in effects)
    (shown,) = [effect for effect in effects if isinstance(effect, PublishLost)]
    assert shown.since_wall_ns == desk.now_ns
    effects = desk.take(StrategySeen(strategy="alpha"))
    assert [e.since_wall_ns for e in effects if isinstance(e, PublishLost)] == [0]
    assert [at.severity for at in alerts(effects)] == [Severity.INFO]
    assert not desk.take(StrategySeen(strategy="alpha")), "it was not lost"
    order = resting(desk, "later")
    assert order.order_id not in cancels(desk.take(facts.TimeAdvanced()))


@pytest.mark.parametrize("by", ConnectedBy)
@pytest.mark.parametrize("rule_by", ConnectedBy)
@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("absent_ns", [AFTER - 1, AFTER])
def test_the_policy_in_force_decides_whatever_the_gateway_judged_by(
    by: ConnectedBy, rule_by: ConnectedBy, enabled: bool, absent_ns: int
) -> None:
    desk = desk_with(DisconnectRule(enabled=enabled, after_ns=AFTER, connected_by=rule_by))
    order = resting(desk)
    expected = enabled and by is rule_by and absent_ns >= AFTER
    effects = lost(desk, by=by, absent_ns=absent_ns)
    assert cancels(effects) == ([order.order_id] if expected else [])
    assert bool(effects) == expected


def test_a_strategys_own_rule_stands_in_place_of_the_accounts() -> None:
    rows = {
        "none": None,
        "off": DisconnectRule(),
        "late": DisconnectRule(enabled=True, after_ns=AFTER + 1),
    }
    strategies = [StrategyRule(name=n, capital_nanos=NANOS, disconnect=r) for n, r in rows.items()]
    desk = Desk(policy(RULE, *strategies))
    for name in rows:
        resting(desk, name, name)
    assert {name: bool(cancels(lost(desk, name))) for name in rows} == {
        "none": True,
        "off": False,
        "late": False,
    }
    assert cancels(lost(desk, "late", absent_ns=AFTER + 1))


def test_an_order_on_its_way_is_cancelled_as_soon_as_it_is_known_to_work() -> None:
    desk = desk_with()
    (order,) = submitted(desk.order(Side.BUY, NANOS, 240))
    assert cancels(lost(desk)) == [order.order_id]
    sent = facts.OrderSent(
        order_id=order.order_id, broker_order_id="b1", status=OrderStatus.WORKING
    )
    again = [e for e in desk.take(sent) if isinstance(e, fx.CancelOrder)]
    assert [(e.order_id, e.broker_order_id) for e in again] == [(order.order_id, "b1")]


def test_an_order_that_is_in_doubt_when_it_is_lost_is_cancelled_once_it_is_found() -> None:
    desk = desk_with()
    (order,) = submitted(desk.order(Side.BUY, NANOS, 240))
    desk.take(facts.OrderUnknown(order_id=order.order_id, detail="no answer"))
    lost(desk)
    desk.take(StrategySeen(strategy="alpha"))
    found = desk.take(facts.OrderWorking(order_id=order.order_id, broker_order_id="b1"))
    assert cancels(found) == [order.order_id], "coming back takes no cancel back"


def test_who_is_back_while_cancels_are_on_their_way_and_lost_again_is_cancelled_once_more() -> None:
    desk = desk_with()
    first = resting(desk, "one")
    lost(desk)
    desk.take(StrategySeen(strategy="alpha"))
    second = resting(desk, "two")
    effects = lost(desk)
    assert cancels(effects) == [second.order_id], f"{first.order_id} is asked for already"
    assert "1 of its orders" in alerts(effects)[0].text


def test_told_again_it_says_nothing_unless_there_is_something_to_cancel() -> None:
    desk = desk_with()
    resting(desk)
    assert lost(desk)
    assert not lost(desk)
    order = resting(desk, "by an open connection")
    effects = lost(desk)
    assert cancels(effects) == [order.order_id]
    since = [e.since_wall_ns for e in effects if isinstance(e, PublishLost)]
    assert since[0] < desk.now_ns, "it has been lost since the first time"


def test_a_killed_strategy_that_is_lost_too_has_no_second_storm_of_cancels() -> None:
    desk = desk_with()
    orders_of = [resting(desk, f"o{number}") for number in range(5)]
    killed = desk.take(
        OperatorHaltRequested(
            request=1, operator="ann", reason="", scope="strategy:alpha", level=HaltLevel.KILL
        )
    )
    assert len(cancels(killed)) == len(orders_of)
    effects = lost(desk)
    assert not cancels(effects)
    assert [alert.severity for alert in alerts(effects)] == [Severity.INFO]


def test_one_that_never_had_an_order_has_nothing_to_lose() -> None:
    desk = desk_with()
    before = desk.kernel.digest()
    assert not lost(desk, "stranger")
    assert desk.kernel.digest() == before


def test_a_stop_that_a_fill_leaves_without_its_position_goes_too() -> None:
    desk = desk_with(held=100)
    (take_profit,) = submitted(desk.order(Side.SELL, 100 * NANOS, 260))
    accept(desk, take_profit, "b1")
    protecting = stop(desk, 100)
    assert cancels(lost(desk)) == [take_profit.order_id]
    filled = desk.take(
        facts.FillReported(
            order_id=take_profit.order_id,
            broker_order_id="b1",
            quantity_nanos=NANOS,
            price_nanos=260 * NANOS,
            filled_quantity_nanos=NANOS,
            filled_price_nanos=260 * NANOS,
            final=False,
        )
    )
    assert cancels(filled) == [protecting.order_id], "the cancel lost the race: 99 are held"


def test_a_start_forgets_who_was_lost_and_goes_on_cancelling() -> None:
    desk = desk_with()
    order = resting(desk)
    lost(desk)
    started = desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    assert cancels(started) == [order.order_id]
    assert not desk.take(StrategySeen(strategy="alpha")), "nobody is lost yet"
    ended(desk, order, "b-rests")
    desk.start()
    desk.quote("AAPL", 250)
    late = resting(desk, "late")
    assert cancels(lost(desk)) == [late.order_id], "and the gateway tells it anew"


def adopt(desk: Desk, policy: Policy) -> tuple[fx.Effect, ...]:
    text = canonical_text(policy)
    digest = digest_of(text)
    return desk.take(
        facts.PolicyAdopted(text=text, digest=digest, operator="ann", reason="she says so")
    )


def test_other_rules_begin_the_grace_anew_and_other_policies_do_not() -> None:
    desk = desk_with()
    resting(desk)
    lost(desk)
    same_rules = Policy(name="other", limits=ROOM, disconnect=RULE)
    assert not any(isinstance(effect, PublishLost) for effect in adopt(desk, same_rules))
    assert not lost(desk), "it is still lost"
    effects = adopt(desk, Policy(limits=ROOM))
    shown = [effect for effect in effects if isinstance(effect, PublishLost)]
    assert shown == [PublishLost(strategy="alpha")]
    assert not lost(desk), "the rule is off"
    adopt(desk, policy())
    assert [e.strategy for e in lost(desk) if isinstance(e, PublishLost)] == ["alpha"]


@pytest.mark.parametrize("by", ConnectedBy)
def test_a_process_that_ended_is_cancelled_for_where_the_stop_would_leave_everything(
    by: ConnectedBy,
) -> None:
    desk = desk_with(DisconnectRule(enabled=True, connected_by=by), held=100)
    order, other = resting(desk), resting(desk, "theirs", "beta")
    protecting = stop(desk, 100)
    effects = desk.take(facts.DrainRequested(rule=DrainRule.LEAVE, ended="alpha"))
    (record,) = [effect for effect in effects if isinstance(effect, RecordDrain)]
    assert record.cancelled == (order.order_id,), "the stop waits for it"
    assert cancels(effects) == [order.order_id], f"{other.order_id}, {protecting.order_id} stay"
    assert "its process has ended" in alerts(effects)[0].text


@pytest.mark.parametrize("ended_strategy", ["", "alpha"])
def test_a_stop_that_leaves_everything_leaves_it_where_nobody_ended_or_the_rule_is_off(
    ended_strategy: str,
) -> None:
    rule = DisconnectRule(enabled=not ended_strategy, connected_by=PROCESS)
    desk = desk_with(rule)
    resting(desk)
    effects = desk.take(facts.DrainRequested(rule=DrainRule.LEAVE, ended=ended_strategy))
    assert not cancels(effects)


def test_whose_orders_work_is_known_and_what_was_placed_by_hand_is_nobodys() -> None:
    desk = ByHand(policy=replace(ADOPTS, disconnect=RULE))
    desk.take(by_hand())
    assert desk.kernel.strategies_at_work() == []
    orders_of = [resting(desk, name, name) for name in ("beta", "alpha")]
    assert desk.kernel.strategies_at_work() == ["beta", "alpha"]
    assert cancels(lost(desk, "beta")) == [orders_of[0].order_id]
    assert HAND in desk.working()
    assert not lost(desk, "")


def test_the_status_shows_who_is_lost_until_it_is_back() -> None:
    desk, board = desk_with(held=100), Board()
    resting(desk)
    stop(desk, 100)

    def shown(effects: Iterable[fx.Effect]) -> str:
        for effect in effects:
            board.apply(effect)
        return status_text(
            status_of(board, MeteredKernel(desk.kernel).measured(), about={}, durable_sequence=0)
        )

    line = "alpha since 1970-01-01 00:00:01 UTC, no trade_updates stream for 10s: 1 orders"
    assert f"lost      {line} cancelled, 1 that protect stay" in shown(lost(desk))
    assert "lost " not in shown(desk.take(StrategySeen(strategy="alpha")))


ACTS = st.lists(
    st.sampled_from(["order", "stop", "lost", "seen", "told", "end", "fill", "start", "other"]),
    max_size=40,
)


@given(acts=ACTS)
def test_whatever_comes_a_lost_strategy_keeps_only_what_protects_and_a_replay_says_the_same(
    acts: list[str],
) -> None:
    desk = desk_with(held=3)
    records: list[Record] = []
    kernel_step = desk.kernel.step
    started = desk.kernel.snapshot()

    def step(moment: facts.Moment, fact: facts.Input) -> tuple[fx.Effect, ...]:
        effects = kernel_step(moment, fact)
        records.append(Record(len(records) + 1, moment, fact, effects))
        return effects

    desk.kernel.step = step  # type: ignore[method-assign]
    for number, act in enumerate(acts):
        played(desk, act, f"{act}{number}")
        if act == "lost":
            keeps_only_what_protects(desk)
    again = Kernel.restored(started)
    for record in map(decoded_record, map(encoded_record, records)):
        assert again.step(record.moment, record.input) == record.effects
        again = Kernel.restored(again.snapshot())
    assert again.digest() == desk.kernel.digest()


def played(desk: Desk, act: str, name: str) -> None:
    book = desk.kernel._state.book
    desk.now_ns += NANOS
    if act in ("order", "other"):
        strategy = "alpha" if act == "order" else "beta"
        for order in submitted(desk.order(Side.BUY, NANOS, 240, name, strategy)):
            accept(desk, order, f"b-{name}")
    elif act == "stop":
        asked_to_stop(desk, 1, name)
    elif act == "told":
        submitted(desk.order(Side.BUY, NANOS, 240, name))  # on its way
    elif act == "lost":
        lost(desk)
    elif act == "seen":
        desk.take(StrategySeen(strategy="alpha"))
    elif act == "start":
        desk.start()
        desk.quote("AAPL", 250)
    elif working := [at for at in book.working_orders() if at.broker_order_id]:
        first = working[0]
        if act == "end":
            desk.take(
                facts.OrderEnded(
                    order_id=first.order_id,
                    broker_order_id=first.broker_order_id or "",
                    status=OrderStatus.CANCELED,
                    filled_quantity_nanos=0,
                    filled_price_nanos=0,
                )
            )
        else:
            desk.take(
                facts.FillReported(
                    order_id=first.order_id,
                    broker_order_id=first.broker_order_id or "",
                    quantity_nanos=first.quantity_nanos,
                    price_nanos=240 * NANOS,
                    filled_quantity_nanos=first.quantity_nanos,
                    filled_price_nanos=240 * NANOS,
                    final=True,
                )
            )


def keeps_only_what_protects(desk: Desk) -> None:
    book = desk.kernel._state.book
    kept = [at for at in book.working_orders(strategy="alpha") if not at.cancel_wanted]
    assert all(at.order_type is OrderType.STOP for at in kept)
    ledger = book.strategies.get("alpha")
    at = None if ledger is None else ledger.positions.get("AAPL")
    held_nanos = 0 if at is None else at.quantity_nanos
    assert sum(at.remaining_nanos() for at in kept) <= max(held_nanos, 0)
    others = book.working_orders(strategy="beta")
    assert not any(at.cancel_wanted for at in others)


@pytest.mark.parametrize(
    ("function", "text", "instead", "test"),
    [
        (
            halting.cancel_scope,
            "if order.cancel_wanted and not again:",
            "if False:",
            test_a_killed_strategy_that_is_lost_too_has_no_second_storm_of_cancels,
        ),
        (
            disconnects._lose,
            "if strategy in state.lost and not orders:",
            "if False:",
            test_told_again_it_says_nothing_unless_there_is_something_to_cancel,
        ),
        (
            disconnects._lose,
            "if strategy not in state.book.strategies:",
            "if False:",
            test_one_that_never_had_an_order_has_nothing_to_lose,
        ),
        (
            disconnects._rule,
            "own_disconnects(turn.policy)",
            "{}",
            test_a_strategys_own_rule_stands_in_place_of_the_accounts,
        ),
        (
            orders.take_fill,
            "disconnects.filled(turn, order.symbol)",
            "pass",
            test_a_stop_that_a_fill_leaves_without_its_position_goes_too,
        ),
        (
            adoption._take,
            "disconnects.follow(turn, before)",
            "pass",
            test_other_rules_begin_the_grace_anew_and_other_policies_do_not,
        ),
        (
            startup.node_started,
            "disconnects.node_started(turn)\n",
            "\n",
            test_a_start_forgets_who_was_lost_and_goes_on_cancelling,
        ),
        (
            draining.drain_requested,
            "disconnects.process_ended(turn, fact.ended)",
            "()",
            lambda: (
                test_a_process_that_ended_is_cancelled_for_where_the_stop_would_leave_everything(
                    STREAM
                )
            ),
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_without_this_line_its_test_fails(
    monkeypatch: pytest.MonkeyPatch,
    function: Callable[..., object],
    text: str,
    instead: str,
    test: Callable[[], object],
) -> None:
    assert_pinned(monkeypatch, function, text, instead, test)
