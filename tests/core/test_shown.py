"""A number that is shown never contradicts what was judged of it, and is short where it can be."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fuseboard.core import breakers
from fuseboard.core.checks import custom, proposal
from fuseboard.policy.conditions import Verdict, condition_from_text, places_that_tell
from fuseboard.policy.rules import CheckRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary import money
from fuseboard.vocabulary.actions import Reference
from fuseboard.vocabulary.measured import SCALES, Value, rounded_value, scale_of, shown_value
from fuseboard.vocabulary.money import (
    ATTOS,
    NANOS,
    places_apart,
    shown_decimal,
    shown_money_apart,
    shown_percents_apart,
    shown_share,
    texts_apart,
)
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.reasons import Reason
from tests.core.liquidity.market import of
from tests.core.measures.books import Books, notice, rules
from tests.core.test_known_failures import Desk, submitted
from tests.core.test_nearness import ask, policy
from tests.core.test_nearness_rows import WIDE, loss, texts
from tests.core.test_order_limits import bought, pair
from tests.deletion import assert_pinned

AMOUNTS = st.integers(-(10**30), 10**30)
UNITS = st.one_of(st.sampled_from((1, 100, NANOS, ATTOS, ATTOS * NANOS)), st.integers(1, 10**24))


def number(text: str) -> Fraction:
    return Fraction(text.rstrip("%").replace(",", ""))


@given(AMOUNTS, st.integers(-100, 100), UNITS)
def test_two_amounts_are_shown_as_they_compare(one: int, more: int, unit: int) -> None:
    other = one + more
    for shown in (shown_money_apart, shown_percents_apart, texts_apart):
        first, second = map(number, shown(one, other, unit))
        assert (first > second) is (one > other)
        assert (first == second) is (one == other)


@given(AMOUNTS, AMOUNTS, UNITS, st.sampled_from((2, 9)))
def test_no_more_decimals_are_shown_than_it_takes(
    one: int, other: int, unit: int, least: int
) -> None:
    places = places_apart(one, other, unit, least)
    assert places >= least
    if places > least:
        fewer = places - 1
        assert shown_decimal(one, unit, fewer) == shown_decimal(other, unit, fewer)


def test_amounts_that_two_decimals_tell_apart_have_two() -> None:
    assert shown_money_apart(1_234_560, 2_000_000, 1_000) == ("1,234.56", "2,000.00")
    assert shown_money_apart(1_999_999, 2_000_000, 1_000) == ("1,999.999", "2,000.000")
    assert shown_percents_apart(5_000, 5_000, 100) == ("5000.00%", "5000.00%")
    assert texts_apart(25 * NANOS, -(ATTOS // 2), ATTOS) == ("0.000000025", "-0.5")
    assert texts_apart(ATTOS * 100 + 1, ATTOS * 100, ATTOS) == ("100.000000000000000001", "100")


def test_a_share_is_all_of_it_only_when_it_is() -> None:
    assert shown_share(99_996, 100_000) == "99.996%"
    assert shown_share(100_000, 100_000) == "100.00%"
    assert shown_share(99_994, 100_000) == "99.99%"


# --- conditions ---


CONDITIONS = (
    "drawdown >= 5%",
    "drawdown / 2 < 2.5% or reject_rate > 3%",
    "equity > 100000 USD and drawdown < 1 / 3",
    "abs(daily_pnl) * 3 == 1",
    "sharpe < 1.5",
    "fill_quality * drawdown >= 30",
)
CLOSE = st.sampled_from((Fraction(1, 20), Fraction(1, 3), Fraction(-1, 3), Fraction(3, 2)))
PAIRS = st.builds(
    lambda at, by, size: (
        at.numerator * size + by * (size > 10**6),
        at.denominator * size,
    ),
    CLOSE,
    st.integers(-3, 3),
    st.sampled_from((1, 100, 10**9, 10**20, 10**27)),
)


def values_of(
    names: tuple[str, ...], pair_: tuple[int, int], by: int
) -> list[int | tuple[int, int]]:
    """The pair for each quotient; for the others a number at its bound, or this much beside it."""
    at = {
        "reject_rate": 3,
        "equity": 10**5 * ATTOS + by,
        "sharpe": 3 * NANOS + by,
        "fill_quality": SCALES["fill_quality"] * 90 + by,
    }
    return [at.get(name, pair_) for name in names]


def exact(name: str, value: Value) -> Fraction:
    return Fraction(*value) if isinstance(value, tuple) else Fraction(value or 0, scale_of(name))


@given(st.sampled_from(CONDITIONS), PAIRS, st.integers(-3, 3))
def test_a_reader_who_judges_by_what_is_shown_comes_to_the_same_verdict(
    text: str, pair_: tuple[int, int], by: int
) -> None:
    condition = condition_from_text(text, order=False)
    values = values_of(condition.names, pair_, by)
    verdict = condition.judge(values)
    places = places_that_tell(condition, values, verdict)
    told: list[Value] = list(values)
    if places:
        named = zip(condition.names, values, strict=True)
        told = [rounded_value(name, value, places) for name, value in named]
    assert condition.judge(told) is verdict
    for name, value, as_told in zip(condition.names, values, told, strict=True):
        assert number(shown_value(name, value, places)) == exact(name, as_told)


def test_a_third_at_its_bound_is_shown_as_a_third() -> None:
    condition = condition_from_text("drawdown >= 1 / 3", order=False)
    assert places_that_tell(condition, [(10, 30)], Verdict.HOLDS) == 0
    assert shown_value("drawdown", (10, 30), 0) == "1/3"


# --- where people read them ---


def a_breaker() -> None:
    desk = Books(rules(notice(0, "drawdown > 0.001%")))
    desk.fills(1, 249_990_000_001)
    desk.marks(249_980_000_000)
    fuse = desk.kernel._state.breakers["b0:account"]
    assert fuse.notified
    head, _, shown = fuse.said.partition(" (drawdown ")
    assert head == "drawdown > 0.001%"
    assert Fraction(1, 1000) < number(shown.rstrip(")")) < Fraction(1_001, 10**6)


def denial(desk: Books) -> fx.AnswerDenied:
    effects = desk.asks(Side.BUY, NANOS, 250 * NANOS)
    return next(effect for effect in effects if isinstance(effect, fx.AnswerDenied))


def a_check() -> None:
    spread = CheckRule(name="tight", condition="spread <= 0.0002")
    desk = Books(rules(checks=(spread,)))
    desk.marks(249_975_000_000, 50_000_001)
    effect = denial(desk)
    head, _, shown = effect.observed.partition(" = ")
    assert (head, effect.limit) == ("spread", "spread <= 0.0002")
    assert Fraction(2, 10_000) < number(shown) < Fraction(2_001, 10**7)
    desk.marks(249_970_000_000, 60_000_000)
    effect = denial(desk)
    assert effect.observed == "spread = 0.00024"


def a_limit() -> None:
    found = proposal.found_attos(Reason.ORDER_VALUE, 100 * ATTOS + 1, 100 * ATTOS)
    assert (found.observed, found.limit) == ("100.000000000000000001", "100")


def a_loss() -> None:
    """Of 100,000 USD 9.996 % are lost, and 10 % may be."""
    at_five = {"warning_nanos": NANOS // 20, "warning_clear_nanos": NANOS // 25}
    losses = (replace(loss("drawdown", Reference.SESSION_PEAK), **at_five),)
    desk = Desk(replace(policy(WIDE), losses=losses), cash=100_000, multiplier=4)
    (order,) = submitted(ask(desk, "AAPL", Side.BUY, 400, 250))
    desk.take(
        facts.OrderSent(
            order_id=order.order_id,
            broker_order_id="b1",
            status=OrderStatus.FILLED,
            filled_quantity_nanos=400 * NANOS,
            filled_price_nanos=250 * NANOS,
        )
    )
    desk.now_ns += NANOS
    effects = desk.quote_nanos("AAPL", 225_010_000_000, 225_010_000_000)
    (text,) = texts(effects)
    assert "drawdown is 9.996%, 99.96% of its limit 10.000% " in text
    said = [alert.text for alert in of(effects, fx.RaiseAlert) if alert.code is Reason.DRAWDOWN]
    assert said == ["drawdown:account: 9.996% is lost, the limit is 10%: new risk is halved"]


def an_order() -> None:
    at = pair(order_value_nanos_max=100_000 * NANOS)
    (text,) = texts(bought(at, 999_999_990_000))
    assert " is 99,999.999 USD, 99.999999% of its limit 100,000.000 USD " in text


ALIKE = "_scaled(one, unit, places) == _scaled(other, unit, places)"


@pytest.mark.parametrize(
    ("function", "text", "instead", "test"),
    [
        (breakers._verdict, "places_that_tell(watched.condition, values, verdict)", "9", a_breaker),
        (custom._found, "places_that_tell(condition, values, verdict)", "9", a_check),
        (proposal.found_attos, "observed_attos, limit_attos", "limit_attos, limit_attos", a_limit),
        (money.places_apart, ALIKE, "False", a_loss),
        (money.places_apart, ALIKE, "False", an_order),
    ],
)
def test_no_number_that_people_read_contradicts_what_was_judged(
    monkeypatch: pytest.MonkeyPatch,
    function: Callable[..., object],
    text: str,
    instead: str,
    test: Callable[[], None],
) -> None:
    assert_pinned(monkeypatch, function, text, instead, test)
