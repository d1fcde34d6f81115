"""A cash dividend: the fall of its ex-date is no loss, its cash no gain, and no word hides more."""

from types import SimpleNamespace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuseboard.core import dividends, orders
from fuseboard.core.dividend import Dividend
from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import BreakerRule, LossRule, StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import CashMoved, DividendSaid
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_adoption import _filled as filled
from tests.core.test_known_failures import SECOND, Desk, submitted

HELD: Final = 1_000
HOUR: Final = 3_600 * SECOND
DAY: Final = 24 * HOUR
EX: Final = DAY
PAYABLE: Final = 11 * DAY
LOSS: Final = LossRule(limit_nanos=NANOS // 50)
CUT: Final = BreakerRule(name="cut", condition="drawdown >= 2%", action=Action.FLATTEN)
ALPHA: Final = StrategyRule(name="alpha", capital_nanos=250_000 * NANOS, losses=(LOSS,))


def desk(side: Side = Side.BUY, *, strategies: bool = True, made: type[Desk] = Desk) -> Desk:
    """A thousand shares at 250 of strategy alpha, long or short; 2 % is its limit."""
    policy = Policy(
        limits=Limits(order_value_nanos_max=NANOS**2),
        losses=(LOSS,),
        breakers=(CUT,),
        strategies=(ALPHA,) if strategies else (),
    )
    at = made(policy, cash=300_000)
    (order,) = submitted(at.order(side, HELD * NANOS))
    signed = HELD if side is Side.BUY else -HELD
    at.held, at.cash = signed, 300_000 - 250 * signed
    filled(at, order, HELD)
    at.quote("AAPL", 250)
    return at


def said(at: Desk, rate: int = 10, *, ex_ns: int = EX, payable_ns: int = PAYABLE) -> list[bool]:
    """A person says a dividend; whether it is taken."""
    effects = at.take(
        DividendSaid(
            request=7,
            symbol="AAPL",
            ex_date="1970-01-02",
            rate_nanos=rate * NANOS,
            ex_ns=ex_ns,
            payable_ns=payable_ns,
            why="ann: it is announced",
        )
    )
    return [effect.accepted for effect in effects if isinstance(effect, fx.AnswerOperator)]


def until(at: Desk, wall_ns: int) -> list[fx.Effect]:
    at.now_ns = max(at.now_ns, wall_ns)
    return list(at.take(facts.TimeAdvanced()))


def account(at: Desk, price: int) -> list[fx.Effect]:
    """The broker's own figures: they know no dividend before it is paid."""
    return list(at.account(at.cash + at.held * price))


def priced(at: Desk, price: int) -> list[fx.Effect]:
    """Quotes at a price, and the broker's figures with them."""
    effects: list[fx.Effect] = []
    for _ in range(3):
        at.now_ns += SECOND
        effects += [*at.quote("AAPL", price), *account(at, price)]
    return effects


def tripped(effects: list[fx.Effect]) -> bool:
    return any(isinstance(effect, fx.LatchHalt) for effect in effects)


def alerts(effects: list[fx.Effect]) -> list[str]:
    told = [at for at in effects if isinstance(at, fx.RaiseAlert) and at.code is Reason.DIVIDEND]
    return [alert.text for alert in told]


def lost(at: Desk) -> int:
    """The account's drawdown, 1 = 10^9."""
    (fuse,) = [at for at in at.kernel._state.drawdowns.values() if at.scope == "account"]
    return fuse.drawdown_nanos()


def drawdowns(at: Desk) -> list[tuple[int, int]]:
    """Each fuse's equity and mark."""
    return [(at.equity_attos, at.mark_attos) for at in at.kernel._state.drawdowns.values()]


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL], ids=["long", "short"])
@pytest.mark.parametrize("strategies", [False, True], ids=["account", "strategies"])
def test_a_dividend_is_no_loss_on_its_ex_date_and_no_gain_when_it_comes(
    side: Side, strategies: bool
) -> None:
    at = desk(side, strategies=strategies)
    before = drawdowns(at)
    assert said(at) == [True]
    told = [*until(at, EX), *priced(at, 240), *until(at, EX + 2 * DAY), *priced(at, 240)]
    assert drawdowns(at) == before
    at.cash += 10 * at.held
    told += [*until(at, PAYABLE), *account(at, 240), *priced(at, 240)]
    assert not tripped(told)
    assert drawdowns(at) == before, "nor does any mark move when its cash comes"
    state = at.kernel._state
    assert (state.dividends.known, state.dividends.owed) == ({}, {})
    assert state.equity_disagreements == 0
    assert state.book.account.cash_attos == at.cash * NANOS * NANOS
    assert [text for text in alerts(told) if "came" in text]


def test_without_the_word_the_same_fall_trips() -> None:
    at = desk()
    assert tripped([*until(at, EX), *priced(at, 240)])


def test_what_the_price_falls_by_beyond_the_dividend_is_a_loss() -> None:
    at = desk()
    said(at)
    until(at, EX)
    assert not tripped(priced(at, 239))
    assert tripped(priced(at, 233)), "7 a share are 7,000 of 300,000"


def test_before_its_ex_date_no_fall_is_the_dividends() -> None:
    at = desk()
    said(at)
    until(at, EX - 10 * SECOND)
    assert tripped(priced(at, 240))


def test_a_word_alone_makes_no_gain_and_a_fall_after_the_day_is_a_loss() -> None:
    at = desk()
    before = drawdowns(at)
    said(at)
    until(at, EX)
    assert not tripped(priced(at, 250))
    assert drawdowns(at) == before, "a price that did not fall was no dividend's"
    until(at, EX + DAY)
    assert tripped(priced(at, 240))


def test_what_came_beyond_the_fall_is_a_deposit() -> None:
    at = desk()
    said(at)
    until(at, EX)
    priced(at, 250)
    before = drawdowns(at)
    until(at, PAYABLE)
    at.cash += 10 * HELD
    account(at, 250)
    for (equity, mark), (equity_before, mark_before) in zip(drawdowns(at), before, strict=True):
        assert equity > equity_before
        assert mark * equity_before == mark_before * equity, "no drawdown changes by it"


def test_a_short_position_owes_all_of_it_when_the_day_is_over() -> None:
    at = desk(Side.SELL)
    said(at)
    until(at, EX)
    assert not tripped(priced(at, 250))
    assert tripped([*until(at, EX + DAY), *priced(at, 250)])


def test_what_is_not_paid_is_a_loss_again_and_people_are_paged() -> None:
    at = desk()
    said(at)
    until(at, EX)
    priced(at, 240)
    told = until(at, PAYABLE + 7 * DAY - SECOND)
    assert not tripped([*told, *priced(at, 240)])
    told = until(at, PAYABLE + 7 * DAY)
    assert any("does not show the dividend" in text for text in alerts(told))
    assert tripped([*told, *priced(at, 240)])


def test_tax_that_is_withheld_is_a_loss() -> None:
    at = desk()
    said(at)
    until(at, EX)
    priced(at, 240)
    until(at, PAYABLE)
    at.cash += 7 * HELD
    account(at, 240)
    assert not at.kernel._state.dividends.known
    assert lost(at) == NANOS // 100


def test_a_position_that_was_closed_after_its_ex_date_is_paid_still() -> None:
    at = desk()
    said(at)
    until(at, EX)
    priced(at, 240)
    (order,) = submitted(at.order(Side.SELL, HELD * NANOS, 240))
    at.cash, at.held = at.cash + 240 * HELD, 0
    at.take(
        facts.FillReported(
            order_id=order.order_id,
            broker_order_id="b9",
            quantity_nanos=HELD * NANOS,
            price_nanos=240 * NANOS,
            filled_quantity_nanos=HELD * NANOS,
            filled_price_nanos=240 * NANOS,
            final=True,
        )
    )
    assert lost(at) == 0
    until(at, PAYABLE)
    at.cash += 10 * HELD
    assert not tripped([*account(at, 240), *priced(at, 240)])
    assert lost(at) == 0


def test_what_was_bought_on_the_ex_date_before_its_first_price_is_owed_nothing() -> None:
    at = desk()
    said(at)
    (order,) = submitted(at.order(Side.BUY, 100 * NANOS))
    at.now_ns = EX
    at.held, at.cash = at.held + 100, at.cash - 25_000
    filled(at, order, 100)
    priced(at, 240)
    assert at.kernel._state.dividends.owed[""] == 10 * HELD * NANOS * NANOS


def test_said_twice_it_counts_once_and_said_otherwise_it_counts_so() -> None:
    at = desk()
    assert said(at) == said(at) == [True]
    until(at, EX)
    priced(at, 240)
    said(at)
    owed = 10 * HELD * NANOS * NANOS
    assert at.kernel._state.dividends.owed == {"": owed, "alpha": owed}
    said(at, 8)
    assert at.kernel._state.dividends.owed[""] == 8 * HELD * NANOS * NANOS
    said(at, 0)
    assert (at.kernel._state.dividends.known, at.kernel._state.dividends.owed) == ({}, {})
    assert tripped(priced(at, 240)), "it was taken back"
    assert said(at, 0) == [False]


def test_a_word_that_comes_late_counts_in_full_and_lifts_no_latch() -> None:
    at = desk()
    until(at, EX)
    assert tripped(priced(at, 240))
    postures = dict(at.kernel._state.postures)
    assert said(at) == [True]
    assert at.kernel._state.dividends.owed[""] == 10 * HELD * NANOS * NANOS
    assert at.kernel._state.postures == postures


@pytest.mark.parametrize(
    ("rate", "ex_ns", "payable_ns"),
    [(63, EX, PAYABLE), (10, EX, EX - 1), (10, EX, EX + dividends.PAYABLE_NS_MAX + 1)],
    ids=["a quarter", "payable before", "payable never"],
)
def test_what_cannot_be_is_refused(rate: int, ex_ns: int, payable_ns: int) -> None:
    at = desk()
    assert said(at, rate, ex_ns=ex_ns, payable_ns=payable_ns) == [False]
    assert not at.kernel._state.dividends.known


def test_a_rate_that_is_a_quarter_of_the_price_by_its_ex_date_is_not_believed() -> None:
    at = desk()
    assert said(at, 62) == [True]
    priced(at, 248)
    told = until(at, EX)
    assert any("a quarter" in text for text in alerts(told))
    assert tripped(priced(at, 240))


def test_a_gateway_that_was_down_over_the_ex_date_takes_the_first_price_after_it() -> None:
    at = desk()
    said(at)
    at.kernel = Kernel.restored(at.kernel.snapshot())
    at.now_ns = EX + 2 * DAY
    at.start()
    at.take(
        facts.PositionsSeen(
            positions=(
                facts.BrokerPosition(
                    symbol="AAPL",
                    quantity_nanos=HELD * NANOS,
                    average_price_nanos=250 * NANOS,
                    price_nanos=240 * NANOS,
                ),
            )
        )
    )
    assert not tripped(priced(at, 240))
    assert at.kernel._state.dividends.owed[""] == 10 * HELD * NANOS * NANOS


def test_a_split_on_the_same_day_owes_as_much() -> None:
    at = Dividend(
        symbol="AAPL",
        ex_date="1970-01-02",
        rate_nanos=10 * NANOS,
        ex_ns=EX,
        payable_ns=PAYABLE,
        is_ex=True,
        held={"": HELD * NANOS},
        reference_nanos=250 * NANOS,
    )
    at.fall_to(244 * NANOS)
    assert at.owed_attos(at.held[""]) == 6 * HELD * NANOS * NANOS
    at.split(2, 1)
    assert (at.held[""], at.reference_nanos) == (2 * HELD * NANOS, 125 * NANOS)
    assert at.owed_attos(at.held[""]) == 6 * HELD * NANOS * NANOS
    assert at.fall_to(120 * NANOS)
    assert at.due_attos() == at.owed_attos(at.held[""]) == 10 * HELD * NANOS * NANOS


def test_who_says_its_cash_as_a_movement_moves_no_mark() -> None:
    at = desk()
    before = drawdowns(at)
    said(at)
    until(at, EX)
    priced(at, 240)
    until(at, PAYABLE)
    at.take(CashMoved(request=9, amount_nanos=10 * HELD * NANOS, why="ann: the dividend"))
    at.cash += 10 * HELD
    (answer,) = [e for e in account(at, 240) if isinstance(e, fx.AnswerOperator)]
    assert answer.accepted
    assert drawdowns(at) == before


@settings(max_examples=40, deadline=None)
@given(
    rate=st.integers(1, 12),
    prices=st.lists(st.integers(230, 250), min_size=1, max_size=6),
    side=st.sampled_from([Side.BUY, Side.SELL]),
)
def test_no_drawdown_is_other_than_without_a_dividend_once_the_price_fell_by_it(
    rate: int, prices: list[int], side: Side
) -> None:
    """The same path, with the dividend in the price and without: equity and marks are the same."""
    plain, paying = desk(side), desk(side)
    said(paying, rate)
    path = [250, *prices]
    for at, less in ((plain, 0), (paying, rate)):
        until(at, EX)
        for price in path:
            at.now_ns += SECOND
            at.quote("AAPL", price - less)
        again = Kernel.restored(at.kernel.snapshot())
        assert again.digest() == at.kernel.digest()
    assert drawdowns(paying) == drawdowns(plain)


@settings(max_examples=40, deadline=None)
@given(rate=st.integers(1, 60), prices=st.lists(st.integers(200, 250), min_size=1, max_size=6))
def test_no_word_of_a_dividend_raises_a_mark_or_hides_more_than_the_price_fell(
    rate: int, prices: list[int]
) -> None:
    at = desk()
    marks = [mark for _, mark in drawdowns(at)]
    said(at, rate)
    until(at, EX)
    for price in prices:
        at.now_ns += SECOND
        at.quote("AAPL", price)
        owed_attos = at.kernel._state.dividends.owed.get("", 0)
        assert owed_attos <= (250 - min(prices)) * HELD * NANOS * NANOS
        assert owed_attos <= rate * HELD * NANOS * NANOS
    if max(prices) + min(rate, 250 - min(prices)) <= 250:
        assert [mark for _, mark in drawdowns(at)] == marks


def never(*_: object, **__: object) -> bool:
    return False


@pytest.mark.parametrize(
    ("module", "name", "put", "shown_by"),
    [
        (dividends, "_price_nanos", lambda *_: 0, "refused"),
        (dividends, "UNPAID_NS", 10**30, "unpaid"),
        (dividends, "paid", never, "cash"),
        (orders, "dividends", SimpleNamespace(turn_ex=lambda *_: None), "bought"),
    ],
    ids=["the price bounds a rate", "what is unpaid ends", "its cash is known", "holders are told"],
)
def test_without_it_a_test_above_fails(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, put: object, shown_by: str
) -> None:
    tests = {
        "refused": lambda: test_what_cannot_be_is_refused(63, EX, PAYABLE),
        "unpaid": test_what_is_not_paid_is_a_loss_again_and_people_are_paged,
        "cash": lambda: test_a_dividend_is_no_loss_on_its_ex_date_and_no_gain_when_it_comes(
            Side.BUY, True
        ),
        "bought": test_what_was_bought_on_the_ex_date_before_its_first_price_is_owed_nothing,
    }
    monkeypatch.setattr(module, name, put)
    with pytest.raises(AssertionError):
        tests[shown_by]()
