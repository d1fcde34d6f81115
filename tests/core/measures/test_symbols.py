"""Losses of one symbol: exact at the bound, of its own marks alone, and moved by no transfer."""

from collections.abc import Callable
from fractions import Fraction
from types import FunctionType

import pytest

from fuseboard.core import breakers, doubts, holdings, judging
from fuseboard.core.fuses.machine import FuseState
from fuseboard.core.kernel import Kernel
from fuseboard.core.measures import symbols
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.money import ATTOS, NANOS
from fuseboard.vocabulary.operator_inputs import DividendSaid, OperatorResetRequested
from fuseboard.vocabulary.postures import Posture
from tests.core.measures.books import notice, rules
from tests.core.measures.symbol_books import AAPL, MSFT, SymbolBooks, breaker
from tests.core.test_known_failures import SECOND, denied, submitted
from tests.core.test_sessions import DATES
from tests.deletion import assert_pinned

ACCOUNT, EACH = "account", "symbol:*"
HOUR = 3_600 * SECOND


@pytest.mark.parametrize(
    "condition", ["drawdown >= 0.1%", "daily_pnl <= -0.1%", "rolling_drawdown >= 0.1%"]
)
def test_a_loss_of_a_symbol_trips_at_its_bound_and_halts_the_symbol_alone(condition: str) -> None:
    """A dollar of 1,000 shares is a thousandth of the account's million."""
    desk = SymbolBooks(breaker(condition))
    desk.prices("AAPL", 249 * NANOS + 1, times=3)
    assert desk.watcher().state is FuseState.MONITORING
    desk.prices("AAPL", 249 * NANOS)
    assert desk.watcher().state is FuseState.MONITORING, "one mark may be a bad one"
    desk.prices("AAPL", 249 * NANOS)
    assert desk.watcher().state is FuseState.HALTED
    assert (desk.posture(AAPL), desk.posture(ACCOUNT)) == (Posture.HALTED, Posture.OPEN)
    assert denied(desk.sends("AAPL", NANOS))
    desk.prices("MSFT", 250 * NANOS)
    assert submitted(desk.sends("MSFT", NANOS))


@pytest.mark.parametrize("action", [Action.REDUCE, Action.FLATTEN])
def test_a_trip_on_a_symbol_cuts_or_closes_that_symbol(action: Action) -> None:
    desk = SymbolBooks(breaker("daily_pnl <= -0.1%", action=action))
    desk.trades("MSFT", 10 * NANOS, 250 * NANOS)
    told = desk.prices("AAPL", 249 * NANOS, times=3)
    if action is Action.REDUCE:
        assert desk.posture(AAPL) is Posture.REDUCED
    else:
        read = [at.symbol for at in told if isinstance(at, fx.ReadLeg)]
        assert read == ["AAPL"]
    assert desk.posture(MSFT) is Posture.OPEN


def test_other_symbols_marks_move_nothing_and_confirm_nothing() -> None:
    desk = SymbolBooks(breaker("daily_pnl <= -0.1%"))
    desk.trades("MSFT", 400 * NANOS, 250 * NANOS)
    desk.prices("MSFT", 240 * NANOS, times=4)
    assert desk.value("daily_pnl") == 0
    desk.trades("AAPL", 100 * NANOS, 259 * NANOS)  # 900 of the thousand are lost by a dear fill
    desk.trades("AAPL", 100 * NANOS, 260 * NANOS)  # and so is the rest: a fill is no mark
    assert desk.watcher().breach.source
    desk.prices("MSFT", 240 * NANOS, times=4)
    assert desk.watcher().state is FuseState.MONITORING
    desk.prices("AAPL", 250 * NANOS, times=2)
    assert desk.watcher().state is FuseState.HALTED


def test_the_next_session_begins_at_the_accounts_equity_and_older_losses_roll_on() -> None:
    desk = SymbolBooks(breaker("daily_pnl < -50% or rolling_drawdown > 50%"))
    desk.prices("AAPL", 245 * NANOS, times=3)
    assert (
        desk.value("drawdown") == desk.value("rolling_drawdown") == -(desk.value("daily_pnl") or 0)
    )
    desk.rolls(1)
    assert [desk.value(name) for name in ("daily_pnl", "drawdown")] == [0, 0]
    rolling = desk.value("rolling_drawdown")
    assert rolling is not None
    assert abs(rolling - Fraction(5, 1_000)) * 10**20 < 1
    course = desk.kernel._state.symbols.courses["AAPL"].course
    assert course.day_open_attos == 995_000 * ATTOS


@pytest.mark.parametrize("amount", [-200_000, 700_000])
def test_a_transfer_moves_no_symbols_course(amount: int) -> None:
    desk = SymbolBooks(breaker("drawdown > 0.1% or daily_pnl > 0"))
    desk.transfers(amount * NANOS)
    desk.prices("AAPL", 250 * NANOS, times=3)
    names = ("daily_pnl", "weekly_pnl", "drawdown", "rolling_drawdown")
    assert [desk.value(name) for name in names] == [0] * 4
    assert desk.watcher().state is FuseState.MONITORING


def test_a_dividend_is_no_loss_of_its_symbol_and_no_gain() -> None:
    desk = SymbolBooks(breaker("drawdown >= 0.1%"))
    said = DividendSaid(
        request=7,
        symbol="AAPL",
        ex_date="1970-01-03",
        rate_nanos=5 * NANOS,
        ex_ns=desk.now_ns + HOUR,
        payable_ns=desk.now_ns + 48 * HOUR,
        why="ann: it is announced",
    )
    assert [at.accepted for at in desk.take(said) if isinstance(at, fx.AnswerOperator)] == [True]
    desk.now_ns += HOUR
    desk.take(facts.TimeAdvanced())
    desk.prices("AAPL", 245 * NANOS, times=3)
    assert desk.value("daily_pnl") == 0
    desk.broker_cash_nanos += 5_000 * NANOS
    desk.read()
    assert not desk.kernel._state.dividends.known
    desk.prices("AAPL", 245 * NANOS, times=2)
    assert [desk.value(name) for name in ("daily_pnl", "drawdown")] == [0, 0]
    assert desk.watcher().state is FuseState.MONITORING


def test_a_split_moves_nothing_and_waits_for_the_positions() -> None:
    desk = SymbolBooks(breaker("drawdown >= 0.1%"))
    desk.prices("AAPL", 125 * NANOS, times=4)
    assert desk.watcher().state is FuseState.MONITORING, "a price that halves may be a split"
    desk.figures()
    desk.take(positions(2_000, 125))
    desk.prices("AAPL", 125 * NANOS, times=2)
    assert desk.value("daily_pnl") == 0
    assert desk.watcher().state is FuseState.MONITORING


@pytest.mark.parametrize(("shares", "price"), [(2_000, 125), (500, 500)])
@pytest.mark.parametrize("scope", [AAPL, EACH])
def test_a_course_that_begins_between_a_splits_price_and_its_quantity_loses_nothing(
    scope: str, shares: int, price: int
) -> None:
    desk = SymbolBooks(policy=rules())
    desk.prices("AAPL", price * NANOS, times=4)
    desk.adopts(rules(breaker("daily_pnl <= -1%", scope)))
    desk.figures()
    desk.take(positions(shares, price))
    desk.prices("AAPL", price * NANOS, times=3)
    assert desk.value("daily_pnl") == 0
    assert desk.watcher().state is FuseState.MONITORING
    desk.read()
    desk.read()
    fallen = price * NANOS * 9 // 10  # a tenth of the quarter million that is held
    desk.prices("AAPL", fallen, times=3)
    assert desk.value("daily_pnl") == -Fraction(25, 1_000)
    assert desk.watcher().state is FuseState.HALTED


@pytest.mark.parametrize("is_before", [True, False])
def test_a_price_that_jumped_without_a_split_counts_wherever_in_it_the_course_began(
    is_before: bool,
) -> None:
    asked = rules(breaker("daily_pnl <= -1%", EACH))
    desk = SymbolBooks(policy=asked if is_before else rules())
    desk.prices("AAPL", 125 * NANOS, times=4)
    desk.adopts(asked)
    assert desk.watcher().state is FuseState.MONITORING
    desk.figures()
    desk.take(positions(1_000, 125))
    desk.prices("AAPL", 125 * NANOS, times=3)
    assert desk.value("daily_pnl") == -Fraction(125, 1_000)
    assert desk.watcher().state is FuseState.HALTED


def test_a_person_who_rebases_between_a_splits_price_and_its_quantity_begins_before_it() -> None:
    desk = SymbolBooks(breaker("drawdown >= 0.1%"))
    desk.prices("AAPL", 249 * NANOS, times=3)
    assert desk.watcher().state is FuseState.HALTED
    desk.now_ns += 60 * SECOND
    desk.prices("AAPL", 498 * NANOS, times=4)
    assert desk.kernel._state.jumped
    desk.take(
        OperatorResetRequested(request=1, operator="ann", reason="l", scope=AAPL, rebase=True)
    )
    desk.figures()
    desk.take(positions(500, 498))
    desk.prices("AAPL", 498 * NANOS, times=3)
    assert desk.value("daily_pnl") == 0
    assert desk.watcher().state is FuseState.MONITORING


def positions(shares: int, price: int) -> facts.PositionsSeen:
    at = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=shares * NANOS,
        average_price_nanos=price * NANOS,
        price_nanos=price * NANOS,
    )
    return facts.PositionsSeen(positions=(at,))


def test_a_position_that_is_taken_over_is_no_profit_and_no_loss() -> None:
    desk = SymbolBooks(breaker("drawdown >= 0.1%"))
    desk.read()
    desk.take(positions(400, 250))
    assert desk.posture(ACCOUNT) is Posture.HALTED
    asked = OperatorResetRequested(
        request=1, operator="ann", reason="sold by hand", scope=ACCOUNT, rebase=False
    )
    desk.take(asked)
    assert desk.kernel._state.book.account.position("AAPL").quantity_nanos == 400 * NANOS
    desk.prices("AAPL", 250 * NANOS, times=3)
    assert desk.value("daily_pnl") == 0
    assert desk.watcher().state is FuseState.MONITORING


def test_books_that_may_be_wrong_trip_no_symbol() -> None:
    """The broker has more of it than our books say: what seems lost may be there."""
    desk = SymbolBooks(breaker("daily_pnl <= -0.1%"))
    desk.read()
    desk.take(positions(1_040, 250))
    desk.prices("AAPL", 249 * NANOS, times=3)
    assert desk.watcher().state is FuseState.MONITORING
    desk.prices("AAPL", 238 * NANOS, times=3)
    assert desk.watcher().state is FuseState.HALTED, "12,000 are lost, 9,520 may be there"


def test_each_symbol_has_a_fuse_when_it_is_first_traded_and_none_before() -> None:
    desk = SymbolBooks(breaker("daily_pnl <= -0.1%", EACH))
    assert list(desk.kernel._state.breakers) == ["b:symbol:AAPL"], "what is held at the start"
    desk.prices("MSFT", 250 * NANOS)
    assert submitted(desk.sends("MSFT", 400 * NANOS))
    assert list(desk.kernel._state.breakers) == ["b:symbol:AAPL", "b:symbol:MSFT"]
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.trades("MSFT", 40 * NANOS, 275 * NANOS)
    desk.prices("MSFT", 250 * NANOS, times=2)
    assert desk.posture(MSFT) is Posture.HALTED
    assert desk.posture(AAPL) is Posture.OPEN
    desk.adopts(rules())
    state = desk.kernel._state
    assert list(state.breakers) == ["b:symbol:MSFT"], "what is latched stays until a person resets"
    assert (state.symbols.courses, state.symbols.followed) == ({}, {})


def test_what_is_denied_or_only_quoted_is_followed_by_nothing() -> None:
    desk = SymbolBooks(breaker("daily_pnl <= -0.1%", EACH))
    desk.prices("MSFT", 250 * NANOS)
    assert denied(desk.sends("MSFT", 100_000 * NANOS))
    assert denied(desk.sends("TSLA", NANOS))
    assert list(desk.kernel._state.symbols.courses) == ["AAPL"]


def test_a_policy_that_asks_nothing_of_symbols_keeps_nothing_of_them() -> None:
    desk = SymbolBooks(
        breaker("consecutive_losses >= 8", EACH), notice(1, "drawdown > 50%", ACCOUNT)
    )
    desk.trades("MSFT", 10 * NANOS, 250 * NANOS)
    assert {*desk.kernel._state.breakers} == {"b1:account", "b:symbol:AAPL", "b:symbol:MSFT"}
    kept = desk.kernel._state.symbols
    assert (kept.courses, kept.traded_attos) == ({}, {})


def test_no_more_symbols_are_followed_than_orders_may_come_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(symbols, "SYMBOLS_MAX", 1)
    desk = SymbolBooks(breaker("daily_pnl <= -0.1%", EACH))
    desk.trades("MSFT", 10 * NANOS, 250 * NANOS)
    assert list(desk.kernel._state.breakers) == ["b:symbol:AAPL"]


@pytest.mark.parametrize("scope", [AAPL, EACH])
def test_a_symbols_rate_is_of_orders_in_it_within_a_second(scope: str) -> None:
    desk = SymbolBooks(breaker("order_rate >= 3", scope))
    desk.prices("MSFT", 250 * NANOS)
    desk.prices("AAPL", 250 * NANOS)
    for _ in range(2):
        assert submitted(desk.sends("AAPL", NANOS))
        assert submitted(desk.sends("MSFT", NANOS))
    assert desk.value("order_rate") == 2
    assert desk.watcher().state is FuseState.MONITORING
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.now_ns += SECOND
    desk.take(facts.TimeAdvanced())
    assert desk.value("order_rate") == 0
    assert submitted(desk.sends("AAPL", NANOS))
    assert denied(desk.sends("AAPL", 100_000 * NANOS)), "what is denied was asked for, too"
    assert desk.watcher().state is FuseState.MONITORING
    desk.sends("AAPL", NANOS)
    assert desk.watcher().state is FuseState.HALTED
    assert (desk.posture(AAPL), desk.posture(MSFT)) == (Posture.HALTED, Posture.OPEN)
    assert list(desk.kernel._state.symbols.rates) == (
        ["AAPL"] if scope == AAPL else ["AAPL", "MSFT"]
    )
    desk.adopts(rules())
    assert desk.kernel._state.symbols.rates == {}


def test_an_order_that_reduces_is_in_no_rate() -> None:
    desk = SymbolBooks(breaker("order_rate >= 1"))
    desk.prices("AAPL", 250 * NANOS)
    assert submitted(desk.sends("AAPL", -NANOS))
    assert desk.value("order_rate") == 0


def test_a_person_who_rebases_a_symbol_begins_it_anew() -> None:
    desk = SymbolBooks(breaker("drawdown >= 0.1%"))
    desk.prices("AAPL", 251 * NANOS, times=3)
    desk.prices("AAPL", 249 * NANOS, times=3)
    assert desk.watcher().state is FuseState.HALTED
    desk.now_ns += 60 * SECOND
    asked = OperatorResetRequested(
        request=1, operator="ann", reason="looked", scope=AAPL, rebase=True
    )
    desk.take(asked)
    assert [desk.value(name) for name in ("daily_pnl", "drawdown")] == [0, 0]
    desk.prices("AAPL", 249 * NANOS, times=3)
    assert desk.watcher().state is FuseState.MONITORING


def test_what_was_lost_while_the_node_was_down_counts() -> None:
    desk = SymbolBooks(breaker("daily_pnl < -90%"))
    desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    desk.take(facts.BrokerStreamChanged(connected=True))
    desk.now_ns += 24 * HOUR
    desk.begins(1)
    desk.prices("AAPL", 248 * NANOS, times=3)
    desk.figures()
    desk.take(positions(1_000, 248))
    assert desk.kernel._state.period.session == DATES[1]
    assert desk.value("daily_pnl") == -Fraction(2, 1_000)


def splits_while_it_begins() -> None:
    test_a_course_that_begins_between_a_splits_price_and_its_quantity_loses_nothing(EACH, 500, 500)


def rate_of_aapl() -> None:
    test_a_symbols_rate_is_of_orders_in_it_within_a_second(AAPL)


PINNED: tuple[tuple[Callable[..., object], str, str, Callable[[], None]], ...] = (
    (
        breakers.judge_after,
        "watched.own_marks and",
        "False and",
        test_other_symbols_marks_move_nothing_and_confirm_nothing,
    ),
    (
        holdings.adopt,
        "position.quantity_nanos - before_nanos",
        "0",
        test_a_position_that_is_taken_over_is_no_profit_and_no_loss,
    ),
    (
        symbols.worth_attos,
        "if each.symbol == symbol",
        "if not each.symbol",
        test_a_dividend_is_no_loss_of_its_symbol_and_no_gain,
    ),
    (
        symbols.paid,
        "at.cash_attos += attos",
        "pass",
        test_a_dividend_is_no_loss_of_its_symbol_and_no_gain,
    ),
    (
        symbols._worth_at_start_attos,
        "symbol not in state.jumped",
        "True",
        splits_while_it_begins,
    ),
    (
        symbols.begin_again,
        "_worth_at_start_attos",
        "worth_attos",
        test_a_person_who_rebases_between_a_splits_price_and_its_quantity_begins_before_it,
    ),
    (
        doubts._benefit_of_symbol,
        "if symbol in state.jumped:",
        "if not symbol:",
        test_a_split_moves_nothing_and_waits_for_the_positions,
    ),
    (
        doubts._benefit_of_symbol,
        "if apart is not None:",
        "if False:",
        test_books_that_may_be_wrong_trip_no_symbol,
    ),
    (judging.denial_counted, "order_asked(turn, proposal.order.symbol)", "pass", rate_of_aapl),
    (
        breakers.judge_after,
        "and effect.intent is Intent.OPEN",
        "",
        test_an_order_that_reduces_is_in_no_rate,
    ),
    (
        symbols.begin_again,
        "at.course.begin(account.day_open_attos)",
        "pass",
        test_a_person_who_rebases_a_symbol_begins_it_anew,
    ),
)


@pytest.mark.parametrize(("function", "text", "instead", "test"), PINNED)
def test_what_keeps_a_symbols_course_is_noticed_when_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
    function: Callable[..., object],
    text: str,
    instead: str,
    test: Callable[[], None],
) -> None:
    assert isinstance(function, FunctionType)
    assert_pinned(monkeypatch, function, text, instead, test)
