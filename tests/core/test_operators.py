"""What a person asks for: freezing, flattening again, accepting unexplained cash."""

import pytest
from msgspec import structs

from fuseboard.core import halting
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import LossRule, ResetRules
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import DrainRule
from fuseboard.vocabulary.evidence_effects import RecordPlan, RecordTransition
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import (
    CashMoved,
    OperatorHaltRequested,
    OperatorResetRequested,
)
from fuseboard.vocabulary.orders import OrderStatus, Severity, Side
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, accept, denied, submitted

CALM = Policy(
    limits=Limits(order_value_nanos_max=NANOS**2),
    losses=(LossRule(limit_nanos=NANOS // 2),),
)


def asked(level: HaltLevel, scope: str = "account", operator: str = "ann") -> facts.Input:
    return OperatorHaltRequested(
        request=90, operator=operator, reason="drill", scope=scope, level=level
    )


def reset(scope: str = "account", *, rebase: bool = False) -> OperatorResetRequested:
    return OperatorResetRequested(
        request=91, operator="ann", reason="looked at it", scope=scope, rebase=rebase
    )


def answered(effects: tuple[fx.Effect, ...]) -> str:
    (answer,) = [effect for effect in effects if isinstance(effect, fx.AnswerOperator)]
    assert answer.accepted
    return answer.message


def test_beside_the_file_halt_no_reset_of_the_account_is_taken_nor_counted() -> None:
    desk = Desk()
    desk.take(asked(HaltLevel.HALT))
    desk.take(asked(HaltLevel.HALT, "symbol:AAPL"))
    beside = structs.replace(reset(), halt_file="/a state/HALT")
    for _ in range(5):
        effects = desk.take(beside)
        (answer,) = [each for each in effects if isinstance(each, fx.AnswerOperator)]
        assert not answer.accepted
        assert answer.message == (
            "the file /a state/HALT halts the account: `rm '/a state/HALT'`, then reset again"
        )
        assert effects == (answer,)
    symbol = structs.replace(reset("symbol:AAPL"), halt_file="/a state/HALT")
    assert answered(desk.take(symbol)) == "symbol:AAPL: reset by ann"
    assert answered(desk.take(reset())) == "account: reset by ann"


def shown(effects: tuple[fx.Effect, ...]) -> list[int]:
    """From when the account may be reset again, as the views are told."""
    told = [each for each in effects if isinstance(each, fx.PublishPosture)]
    return [each.next_reset_wall_ns for each in told if each.scope == "account"]


def test_after_too_many_resets_the_next_ones_time_is_shown_and_said_and_then_it_is_taken() -> None:
    desk = Desk()
    resets_ns = []
    for _ in range(3):
        assert shown(desk.take(asked(HaltLevel.HALT))) == [0]
        assert answered(desk.take(reset())) == "account: reset by ann"
        resets_ns.append(desk.now_ns)
        desk.now_ns += 3600 * SECOND
    due_ns = 24 * 3600 * SECOND + 2 * SECOND  # the first one was in the second second of 1970
    assert SECOND < resets_ns[0] < 2 * SECOND
    assert shown(desk.take(asked(HaltLevel.HALT))) == [due_ns], "before anybody asks"
    began = desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    assert shown(began)[-1] == due_ns, "a start shows it too"
    desk.start()
    for at_ns in (desk.now_ns, resets_ns[0] + 24 * 3600 * SECOND - 2):
        desk.now_ns = at_ns - SECOND // 1000
        (answer,) = [e for e in desk.take(reset()) if isinstance(e, fx.AnswerOperator)]
        assert not answer.accepted
        assert answer.message == (
            "latch:account was reset 3 times in 24 hours (limit 3): the next from"
            " 1970-01-02 00:00:02 UTC, or once a policy with more resets a day is adopted by"
            " name: `fuseboard policy adopt FILE --operator NAME --reason TEXT`"
        )
    desk.now_ns = due_ns - SECOND // 1000
    assert answered(desk.take(reset())) == "account: reset by ann"


def test_a_policy_with_more_resets_a_day_lets_the_next_one_be_taken_at_once() -> None:
    desk = Desk()
    for _ in range(3):
        desk.take(asked(HaltLevel.HALT))
        desk.take(reset())
    desk.take(asked(HaltLevel.HALT))
    assert not any(isinstance(each, fx.ClearHalt) for each in desk.take(reset()))
    more = Policy(
        limits=Limits(order_value_nanos_max=NANOS**2), resets=ResetRules(resets_a_day_max=4)
    )
    text = canonical_text(more)
    adopted = facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="why")
    assert shown(desk.take(adopted)) == [0]
    assert answered(desk.take(reset())) == "account: reset by ann"


def closing(desk: Desk) -> fx.SubmitOrder:
    """Flatten, and let the close go out and work."""
    reads = [e for e in desk.take(asked(HaltLevel.FLATTEN)) if isinstance(e, fx.ReadLeg)]
    leg = facts.LegRead(
        trip=reads[0].trip,
        symbol="AAPL",
        attempt=reads[0].attempt,
        position_nanos=desk.held * NANOS,
        against_nanos=0,
    )
    (close,) = submitted(desk.take(leg))
    accept(desk, close, f"b{reads[0].attempt}")
    return close


def test_a_freeze_stops_the_plan_and_takes_its_close_back() -> None:
    desk = Desk(held=100)
    close = closing(desk)
    effects = desk.take(asked(HaltLevel.FREEZE))
    assert [e.order_id for e in effects if isinstance(e, fx.CancelOrder)] == [close.order_id]
    assert [e.stage for e in effects if isinstance(e, RecordPlan)] == ["frozen"]
    desk.now_ns += 10 * SECOND
    later = desk.take(facts.TimeAdvanced())
    assert not any(isinstance(effect, fx.ReadLeg | fx.SubmitOrder) for effect in later)


def test_the_end_of_a_plan_is_told_with_the_reason_of_its_trip() -> None:
    flat, draining = Desk(), Desk()
    ends = {
        Reason.OPERATOR: flat.take(asked(HaltLevel.FLATTEN)),
        Reason.DRAINING: draining.take(facts.DrainRequested(rule=DrainRule.FLATTEN)),
    }
    for reason, effects in ends.items():
        (told,) = [e for e in effects if isinstance(e, fx.RaiseAlert) and "liquidation" in e.text]
        assert (told.code, told.severity) == (reason, Severity.WARNING)


def test_a_second_halt_and_a_lost_stream_do_not_stop_a_plan() -> None:
    desk = Desk(held=100)
    close = closing(desk)
    for fact in (
        asked(HaltLevel.HALT),
        asked(HaltLevel.KILL),
        facts.BrokerStreamChanged(connected=False),
    ):
        effects = desk.take(fact)
        cancelled = [e.order_id for e in effects if isinstance(e, fx.CancelOrder)]
        assert close.order_id not in cancelled
    ended = facts.OrderEnded(
        order_id=close.order_id,
        broker_order_id="b1",
        status=OrderStatus.EXPIRED,
        filled_quantity_nanos=0,
        filled_price_nanos=0,
    )
    assert any(isinstance(effect, fx.ReadLeg) for effect in desk.take(ended))


def test_a_person_who_flattens_again_after_a_freeze_gets_a_new_attempt_with_a_new_id() -> None:
    desk = Desk(held=100)
    first = closing(desk)
    desk.take(asked(HaltLevel.FREEZE))
    desk.take(
        facts.OrderEnded(
            order_id=first.order_id,
            broker_order_id="b1",
            status=OrderStatus.CANCELED,
            filled_quantity_nanos=0,
            filled_price_nanos=0,
        )
    )
    effects = desk.take(asked(HaltLevel.FLATTEN))
    (read,) = [e for e in effects if isinstance(e, fx.ReadLeg)]
    leg = facts.LegRead(
        trip=read.trip,
        symbol="AAPL",
        attempt=read.attempt,
        position_nanos=100 * NANOS,
        against_nanos=0,
    )
    reads = [e for e in desk.take(leg) if isinstance(e, fx.ReadLeg)]
    assert [again.attempt for again in reads] == [2], "the first attempt's id is used up"


def test_a_halt_needs_no_name_but_a_scope_that_exists() -> None:
    desk = Desk()
    assert any(isinstance(e, fx.LatchHalt) for e in desk.take(asked(HaltLevel.HALT, operator="")))
    effects = desk.take(asked(HaltLevel.HALT, scope="stratgy:alpha"))
    assert [e.accepted for e in effects if isinstance(e, fx.AnswerOperator)] == [False]


def test_a_rebase_says_the_old_mark_and_the_equity_that_follows_it_halted_or_not() -> None:
    desk = Desk(CALM, cash=100_000)
    idle = answered(desk.take(reset(rebase=True)))
    assert idle == (
        "account: rebased by ann, nothing was halted: drawdown:account gives up its mark of"
        " 100,000.00 and takes the next equity, now 100,000.00"
    )
    desk.take(asked(HaltLevel.HALT))
    halted = answered(desk.take(reset(rebase=True)))
    assert halted.startswith("account: reset and rebased by ann: drawdown:account gives up")
    desk.take(asked(HaltLevel.HALT))
    assert answered(desk.take(reset())) == "account: reset by ann"
    desk.take(asked(HaltLevel.HALT, scope="symbol:AAPL"))
    markless = answered(desk.take(reset("symbol:AAPL", rebase=True)))
    assert markless == "symbol:AAPL: reset and rebased by ann: nothing here keeps a mark"


def test_unexplained_cash_seen_twice_asks_for_reduce_only_until_a_person_accepts_it() -> None:
    desk = Desk(CALM, cash=100_000)
    desk.cash = 80_000
    postures: list[fx.Effect] = []
    for _ in range(2):
        desk.now_ns += 6 * SECOND
        desk.take(facts.TimeAdvanced())
        postures += [e for e in desk.account() if isinstance(e, fx.PublishPosture)]
    assert [(p.posture, p.reason) for p in postures if isinstance(p, fx.PublishPosture)] == [
        (Posture.REDUCE_ONLY, Reason.EQUITY_JUMP)
    ]
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.POSTURE_REDUCE_ONLY]
    effects = desk.take(reset())
    assert [e.accepted for e in effects if isinstance(e, fx.AnswerOperator)] == [True]
    assert submitted(desk.order(Side.BUY, NANOS))


def test_a_kill_is_left_only_after_a_recovery_that_compared_the_books() -> None:
    desk = Desk(held=100)
    desk.take(asked(HaltLevel.KILL))
    effects = desk.take(reset())
    assert fx.ReadAccount(positions=True) in effects
    assert denied(desk.order(Side.SELL, NANOS)) == [Reason.POSTURE_HALTED]
    desk.take(asked(HaltLevel.HALT))  # somebody halts while the books are being compared
    held = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=100 * NANOS,
        average_price_nanos=250 * NANOS,
        price_nanos=250 * NANOS,
    )
    desk.take(facts.PositionsSeen(positions=(held,)))
    assert denied(desk.order(Side.SELL, NANOS)) == [Reason.POSTURE_KILLED]
    desk.take(reset())
    desk.take(facts.PositionsSeen(positions=(held,)))
    assert submitted(desk.order(Side.SELL, NANOS))


def test_the_node_is_not_woken_without_end_while_it_waits_for_the_broker() -> None:
    desk = Desk()
    desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    desk.now_ns += 600 * SECOND
    wakes = [e for e in desk.take(facts.TimeAdvanced()) if isinstance(e, fx.WakeAt)]
    assert all(wake.boot_ns > desk.now_ns for wake in wakes)


def test_a_restart_shows_what_works_what_is_final_and_what_is_held() -> None:
    desk = Desk(held=100)
    (working,) = submitted(desk.order(Side.BUY, NANOS))
    (final,) = submitted(desk.order(Side.BUY, NANOS))
    accept(desk, working, "b1")
    desk.take(facts.OrderNotSent(order_id=final.order_id, reason=Reason.BROKER_REJECTED))
    start = facts.NodeStarted(instance="deskdesk", account="A1", release="0")
    effects = desk.take(start)
    shown = [(e.order_id, e.event) for e in effects if isinstance(e, fx.PublishOrder)]
    assert shown == [(final.order_id, ""), (working.order_id, "")]
    held = [e for e in effects if isinstance(e, fx.PublishPosition) and not e.strategy]
    assert [(p.symbol, p.quantity_nanos) for p in held] == [("AAPL", 100 * NANOS)]
    assert any(isinstance(effect, fx.PublishEquity) for effect in effects)


def test_a_restart_shows_the_latches_as_they_stand() -> None:
    desk = Desk()
    desk.take(asked(HaltLevel.HALT))
    desk.take(asked(HaltLevel.KILL, "symbol:AAPL"))
    desk.take(reset())
    start = facts.NodeStarted(instance="deskdesk", account="A1", release="0")
    shown = [effect for effect in desk.take(start) if isinstance(effect, fx.PublishEquity)]
    latches = [each for each in shown if each.fuse.startswith("latch:")]
    assert [(each.fuse, each.scope, each.state, each.generation) for each in latches] == [
        ("latch:account", "account", "MONITORING", 2),
        ("latch:symbol:AAPL", "symbol:AAPL", "KILLED", 1),
    ]


def test_a_slip_of_the_hand_about_cash_is_refused_and_trips_nothing() -> None:
    desk = Desk(held=100)
    slip = CashMoved(request=7, amount_nanos=-10_000_000 * NANOS, why="ann: typo")
    effects = desk.take(slip)
    (answer,) = [effect for effect in effects if isinstance(effect, fx.AnswerOperator)]
    assert not answer.accepted
    assert not any(isinstance(effect, RecordTransition) for effect in effects)
    assert submitted(desk.order(Side.BUY, NANOS))


def test_one_quote_that_jumps_opens_no_collar_and_the_second_that_agrees_moves_it() -> None:
    desk = Desk()
    assert denied(desk.order(Side.BUY, NANOS, 900)) == [Reason.PRICE_COLLAR]
    desk.quote("AAPL", 900)
    assert denied(desk.order(Side.BUY, NANOS, 900)) == [Reason.PRICE_COLLAR]
    desk.quote("AAPL", 900)
    assert submitted(desk.order(Side.BUY, NANOS, 900))


@pytest.mark.parametrize("level", list(HaltLevel))
def test_one_scope_too_many_halts_the_account_and_closes_nothing(
    monkeypatch: pytest.MonkeyPatch, level: HaltLevel
) -> None:
    monkeypatch.setattr(halting, "LATCHES_MAX", 1)
    desk = Desk(held=10)
    desk.take(asked(HaltLevel.HALT, "symbol:TSLA"))
    effects = desk.take(asked(level, "symbol:MSFT"))
    (latched,) = [each for each in effects if isinstance(each, fx.LatchHalt)]
    kills = level is HaltLevel.KILL
    assert (latched.scope, latched.level) == (
        "account",
        HaltLevel.KILL if kills else HaltLevel.HALT,
    )
    assert "symbol:MSFT is one scope too many: the account is halted for it" in latched.detail
    assert not any(isinstance(each, RecordPlan | fx.ReadLeg) for each in effects)
