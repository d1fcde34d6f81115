"""The board against a model: the newest word on each order, working ones found at once, bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.control import board as board_module
from fuseboard.control.board import Board
from fuseboard.control.render import next_step, status_text
from fuseboard.control.status import status_of
from fuseboard.runtime.meter import NOTHING_MEASURED
from fuseboard.vocabulary.effects import AnswerDenied, WakeAt
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.liquidity_effects import RecordTier
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, Intent, OrderStatus
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.control.effects import equity, plan, posture, shown, spoken, submit

WORDS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from([None, *OrderStatus])), max_size=80)


@given(WORDS)
def test_working_orders_are_those_whose_last_word_is_not_final(
    words: list[tuple[int, OrderStatus | None]],
) -> None:
    board = Board()
    last: dict[str, OrderStatus] = {}
    for number, status in words:
        name = str(number)
        board.apply(submit(name) if status is None else shown(name, status))
        last[name] = OrderStatus.SUBMITTING if status is None else status
    working = {name for name, status in last.items() if status not in TERMINAL_STATUSES}
    assert {line.order_id for line in board.working()} == working
    assert board.working_count() == len(working)
    assert {name: line.status for name, line in board.orders.items()} == {
        name: status.value for name, status in last.items()
    }


def test_closed_orders_are_forgotten_beyond_their_bound_and_working_ones_never() -> None:
    board = Board()
    board.apply(submit("rests"))
    for number in range(board_module.CLOSED_ORDERS_MAX + 50):
        board.apply(submit(str(number)))
        board.apply(shown(str(number), OrderStatus.FILLED))
        board.apply(shown(str(number), OrderStatus.FILLED))  # said twice, counted once
    assert len(board.orders) == board_module.CLOSED_ORDERS_MAX + 1
    assert "49" not in board.orders
    assert "50" in board.orders
    assert [line.order_id for line in board.working()] == ["rests"]


def test_an_order_that_was_closed_by_mistake_and_works_again_is_not_forgotten() -> None:
    board = Board()
    board.apply(shown("back", OrderStatus.NOT_SENT))
    board.apply(shown("back", OrderStatus.WORKING))
    for number in range(board_module.CLOSED_ORDERS_MAX + 1):
        board.apply(shown(str(number), OrderStatus.CANCELED))
    assert [line.order_id for line in board.working()] == ["back"]


def test_plans_are_bounded_and_the_oldest_goes_first() -> None:
    board = Board()
    for number in range(board_module.PLANS_MAX + 3):
        board.apply(plan(f"trip#{number}", "cancelling"))
        board.apply(plan(f"trip#{number}"))
    assert len(board.plans) == board_module.PLANS_MAX
    assert next(iter(board.plans)) == "trip#3"
    assert {at.stage for at in board.plans.values()} == {"ended"}


def test_a_posture_is_shown_until_its_scope_is_open_again() -> None:
    board = spoken()
    assert board.posture() is Posture.OPEN
    board.apply(posture("account", Posture.HALTED))
    board.apply(posture("strategy:a", Posture.REDUCE_ONLY))
    assert board.posture() is Posture.HALTED
    assert board.posture("strategy:a") is Posture.REDUCE_ONLY
    board.apply(posture("account", Posture.OPEN, Reason.ALLOWED))
    assert board.posture() is Posture.OPEN
    assert list(board.postures) == ["strategy:a"]


def test_until_the_kernel_has_spoken_the_account_is_halted_for_books_that_are_not_compared() -> (
    None
):
    board = Board()
    board.apply(posture("strategy:a", Posture.REDUCED))
    status = status_of(board, NOTHING_MEASURED, about={}, durable_sequence=0)
    assert status.posture == "HALTED"
    assert (status.postures[0].scope, status.postures[0].reason) == ("account", "not_reconciled")
    assert next_step(status) == "wait: the gateway is comparing its books with the broker's"
    board.apply(posture("account", Posture.OPEN, Reason.ALLOWED))
    assert status_of(board, NOTHING_MEASURED, about={}, durable_sequence=0).posture == "OPEN"


@pytest.mark.parametrize("fuses", [0, 1])
def test_books_count_as_compared_once_the_kernel_says_so_with_and_without_fuses(
    fuses: int,
) -> None:
    board = Board()
    assert not board.is_reconciled()
    board.apply(posture("account", Posture.HALTED, Reason.NOT_RECONCILED))
    for _ in range(fuses):
        board.apply(equity(100_000 * NANOS))
    assert not board.is_reconciled()
    board.apply(posture("account", Posture.HALTED, Reason.OPERATOR))
    assert board.is_reconciled()
    board.apply(posture("account", Posture.OPEN, Reason.ALLOWED))
    assert board.is_reconciled()


def test_allowed_counts_strategies_orders_and_denied_counts_by_reason() -> None:
    board = Board()
    board.apply(submit("1"))
    board.apply(submit("2", intent=Intent.REDUCE))
    board.apply(submit("3", intent=Intent.PLAN))
    for reason in (Reason.ORDER_RATE, Reason.ORDER_RATE, Reason.BUYING_POWER):
        board.apply(AnswerDenied(request=1, strategy="s", reason=reason))
    assert board.allowed == 2
    assert board.denied == {"order_rate": 2, "buying_power": 1}


def test_the_worst_drawdown_and_the_trips_are_remembered_and_the_sparkline_is_the_accounts() -> (
    None
):
    board = Board()
    board.apply(equity(95_000 * NANOS))
    board.apply(equity(99_000 * NANOS))
    board.apply(equity(1 * NANOS, scope="strategy:a"))
    line = board.fuses["drawdown:account"]
    assert line.worst_drawdown_nanos == 50_000_000
    assert line.drawdown_nanos == 10_000_000
    assert list(board.equities) == [95_000 * NANOS, 99_000 * NANOS]
    for after in ("TRIGGERED", "COOLING_DOWN", "MONITORING", "TRIGGERED"):
        board.apply(
            RecordTransition(
                fuse="drawdown:account",
                scope="account",
                before="X",
                event="Y",
                after=after,
                generation=1,
            )
        )
    assert (line.trips, line.state) == (2, "TRIGGERED")
    assert line.equity_nanos == 99_000 * NANOS, "a transition without numbers keeps them"


def test_alerts_are_bounded_and_other_effects_change_nothing() -> None:
    board = Board()
    board.apply(WakeAt(boot_ns=1))
    for number in range(board_module.ALERTS_MAX + 5):
        board.page("page", "drawdown", "account", str(number))
    assert len(board.alerts) == board_module.ALERTS_MAX
    assert board.alerts[0].text == "5"


def reset_of(scope: str, *, fuse: str, event: str = "RESET", by: str = "ann") -> RecordTransition:
    return RecordTransition(
        fuse=fuse,
        scope=scope,
        before="HALTED",
        event=event,
        after="MONITORING",
        generation=1,
        operator=by,
        reason="reviewed",
    )


def test_an_alert_has_its_time_and_below_it_stands_who_reset_and_when() -> None:
    now_ns = [1_767_366_000 * NANOS]
    board = Board(lambda: now_ns[0])
    board.page("page", "operator", "account", "account HALT: ann: storm")
    now_ns[0] += 60 * NANOS
    board.apply(reset_of("account", fuse="latch:account"))
    board.apply(reset_of("account", fuse="drawdown:account", event="REBASED"))
    board.apply(reset_of("account", fuse="latch:account", event="RESETS_EXHAUSTED", by="bo"))
    status = status_of(board, NOTHING_MEASURED, about={}, durable_sequence=1)
    assert status_text(status).splitlines()[-2:] == [
        "alert     2026-01-02 15:00:00 UTC [page] account HALT: ann: storm",
        "reset     account reset by ann at 2026-01-02 15:01:00 UTC, rebased: reviewed",
    ]


def test_resets_are_bounded_and_the_newest_of_a_scope_is_the_last() -> None:
    board = Board()
    for number in range(board_module.RESETS_MAX + 5):
        board.apply(reset_of(f"symbol:S{number}", fuse="f"))
    board.apply(reset_of("symbol:S10", fuse="f"))
    assert len(board.resets) == board_module.RESETS_MAX
    assert next(iter(board.resets)) == "symbol:S5"
    assert list(board.resets)[-1] == "symbol:S10"


def test_a_status_counts_its_orders_and_carries_them_only_when_asked() -> None:
    board = Board()
    board.apply(submit("1"))
    board.apply(submit("2"))
    for with_orders, carried in ((True, 2), (False, 0)):
        status = status_of(
            board, NOTHING_MEASURED, about={}, durable_sequence=7, with_orders=with_orders
        )
        assert (status.working, len(status.orders)) == (2, carried)


def tier(symbol: str, after: str, absent: tuple[str, ...] = ()) -> RecordTier:
    return RecordTier(
        symbol=symbol,
        before="CAUTIOUS",
        after=after,
        score=3_420,
        plain_score=3_000,
        calibrated_score=3_420,
        absent=absent,
    )


def test_liquidity_is_shown_while_it_is_less_than_normal_with_what_is_not_known() -> None:
    board = Board()
    board.apply(tier("AAPL", "EMERGENCY"))
    board.apply(tier("TSLA", "DEFENSIVE", ("velocity", "depth")))
    board.apply(tier("AAPL", "NORMAL"))
    board.apply(tier("IBM", "NORMAL"))
    status = status_of(board, NOTHING_MEASURED, about={}, durable_sequence=1)
    line = "TSLA is DEFENSIVE: score 34.2 (plain 30), not known: velocity, depth"
    assert status.liquidity == (line,)
    assert f"liquidity {line}" in status_text(status)
