"""A limit that prices reach is said once, and only reductions pass beyond it (law 6)."""

from collections.abc import Iterable
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core import nearness
from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import CashMoved
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Severity, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import Desk, denied, submitted
from tests.core.test_operators import CALM
from tests.deletion import fails, without

Said = tuple[str, str]
VALUE = msgspec.structs.replace(CALM.limits, position_value_nanos_max=100_000 * NANOS)
SHARE = msgspec.structs.replace(CALM.limits, position_fraction_nanos_max=NANOS // 2)
PLENTY = msgspec.structs.replace(CALM.limits, gross_exposure_nanos_max=4 * NANOS)


def policy(limits: Limits) -> Policy:
    return msgspec.structs.replace(CALM, limits=limits, losses=())


def said(effects: Iterable[fx.Effect]) -> list[Said]:
    """What is said of limits: the code and the scope."""
    codes = (Reason.LIMIT_NEAR, Reason.LIMIT_PASSED)
    return [
        (effect.code.value, effect.scope)
        for effect in effects
        if isinstance(effect, fx.RaiseAlert) and effect.code in codes
    ]


def quote_at(desk: Desk, symbol: str, price: int) -> tuple[fx.Effect, ...]:
    """Twice: a price that jumped is believed when a second one agrees. Each is judged."""
    effects: list[fx.Effect] = []
    for _ in range(2):
        desk.now_ns += nearness.JUDGED_EVERY_NS
        effects += desk.quote(symbol, price)
    return tuple(effects)


def ask(
    desk: Desk, symbol: str, side: Side, shares: int, price: int, strategy: str = "alpha"
) -> tuple[fx.Effect, ...]:
    desk.requests += 1
    return desk.take(
        facts.OrderRequested(
            request=desk.requests,
            strategy=strategy,
            client_order_id=f"n{desk.requests}",
            symbol=symbol,
            side=side,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            quantity_nanos=shares * NANOS,
            limit_price_nanos=price * NANOS,
        )
    )


# --- one limit at a time: where it is near, where it is passed, when it is said again ---

NEAR, PASSED = "limit_near", "limit_passed"


def test_gross_exposure_is_near_from_four_fifths_of_its_limit_and_passed_beyond_it() -> None:
    # Short 400 shares with 300,000 in cash: exposure rises with the price and equity falls.
    desk = Desk(policy(CALM.limits), cash=300_000, held=-400)
    assert said(quote_at(desk, "AAPL", 333)) == [], "133,200 of 166,800"
    assert said(quote_at(desk, "AAPL", 334)) == [(NEAR, "account")], "133,600 of 166,400"
    assert said(quote_at(desk, "AAPL", 375)) == [], "150,000 of 150,000 is all of it, not more"
    assert said(quote_at(desk, "AAPL", 376)) == [(PASSED, "account")]
    assert said(quote_at(desk, "AAPL", 400)) == [], "once"


@pytest.mark.parametrize(
    ("limits", "near", "passed"),
    [
        (VALUE, 320, 400),  # 250 shares: 80,000 and 100,000
        (SHARE, 1_067, 1_600),  # 400,000 in cash: 250 p / (400,000 + 250 p) is 2/5, and 1/2
    ],
)
def test_a_position_is_near_and_passed_in_money_and_as_a_share_of_equity(
    limits: Limits, near: int, passed: int
) -> None:
    desk = Desk(policy(limits), cash=400_000, held=250)
    assert said(quote_at(desk, "AAPL", near - 1)) == []
    assert said(quote_at(desk, "AAPL", near)) == [(NEAR, "symbol:AAPL")]
    assert said(quote_at(desk, "AAPL", passed)) == []
    assert said(quote_at(desk, "AAPL", passed + 1)) == [(PASSED, "symbol:AAPL")]


def test_a_limit_is_said_again_only_after_what_is_held_was_well_below_it() -> None:
    desk = Desk(policy(VALUE), held=250)  # 400 a share is the limit
    steps = [
        (401, [PASSED]),  # from 62 % straight beyond: one alert says it
        (390, []),
        (401, []),  # 97 % was not far enough
        (380, []),  # 95 %: not below it
        (401, []),
        (379, []),
        (401, [PASSED]),
        (300, []),  # 75 %: still near
        (330, []),
        (299, []),
        (319, []),
        (320, [NEAR]),
        (379, []),
        (401, [PASSED]),
    ]
    for price, expected in steps:
        assert [code for code, _ in said(quote_at(desk, "AAPL", price))] == expected, price


def test_a_passed_limit_is_a_warning_with_its_numbers_and_a_near_one_is_information() -> None:
    desk = Desk(policy(VALUE), held=250)
    effects = [*quote_at(desk, "AAPL", 350), *quote_at(desk, "AAPL", 410)]
    alerts = [effect for effect in effects if isinstance(effect, fx.RaiseAlert)]
    assert [alert.severity for alert in alerts] == [Severity.INFO, Severity.WARNING]
    near, passed = (alert.text for alert in alerts)
    assert near == (
        "AAPL: position value is 87,500.00 USD, 87.50% of its limit 100,000.00 USD"
        " (max_position_value): near"
    )
    assert passed == (
        "AAPL: position value is 102,500.00 USD, 102.50% of its limit 100,000.00 USD"
        " (max_position_value): passed: only reductions are allowed"
    )


def test_without_equity_any_holding_has_passed_a_limit_on_equity() -> None:
    desk = Desk(policy(PLENTY), cash=300_000, held=-400, multiplier=4)
    effects = [effect for price in (450, 600, 760) for effect in quote_at(desk, "AAPL", price)]
    assert said(effects)[-1] == (PASSED, "account")
    assert said(quote_at(desk, "AAPL", 800)) == []


def test_what_the_policy_does_not_limit_is_not_watched() -> None:
    watched = [nearness.ROWS[index].field for index in nearness.watched_rows(Limits())]
    assert [field for field in watched if field] == [
        "gross_exposure_nanos_max",
        "working_orders_max",
    ]
    desk = Desk(policy(PLENTY), held=250)
    assert said(quote_at(desk, "AAPL", 3_000)) == []


# --- what else brings holdings to a limit ---


def test_a_fill_that_brings_a_position_near_its_limit_is_said_and_an_unfilled_order_is_not() -> (
    None
):
    desk = Desk(policy(VALUE), held=250)
    effects = desk.order(Side.BUY, 100 * NANOS)
    (order,) = submitted(effects)
    assert said(effects) == []
    assert said(quote_at(desk, "AAPL", 251)) == [], "working orders do not count"
    fill = facts.FillReported(
        order_id=order.order_id,
        broker_order_id="b1",
        quantity_nanos=100 * NANOS,
        price_nanos=250 * NANOS,
        filled_quantity_nanos=100 * NANOS,
        filled_price_nanos=250 * NANOS,
        final=True,
    )
    desk.now_ns += nearness.JUDGED_EVERY_NS
    assert said(desk.take(fill)) == [(NEAR, "symbol:AAPL")]


def test_a_stricter_policy_and_a_withdrawal_are_judged_at_once() -> None:
    desk = Desk(policy(PLENTY), cash=100_000, held=400)
    text = canonical_text(policy(VALUE))
    adopted = facts.PolicyAdopted(
        text=text, digest=digest_of(text), operator="ann", reason="agreed"
    )
    assert said(desk.take(adopted)) == [(NEAR, "symbol:AAPL")], "100,000: all of it"
    taken_out = CashMoved(request=0, amount_nanos=-90_000 * NANOS, why="paid out")
    desk.take(taken_out)
    desk.cash -= 90_000
    assert said(desk.account()) == [(NEAR, "account")], "100,000 of 110,000"
    text = canonical_text(policy(PLENTY))
    desk.take(
        facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="agreed")
    )
    assert said(desk.take(adopted)) == [(NEAR, "account"), (NEAR, "symbol:AAPL")], "new limits"


def test_what_was_said_is_not_said_again_after_a_restart() -> None:
    desk = Desk(policy(VALUE), held=250)
    quote_at(desk, "AAPL", 401)
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.start()
    assert said(quote_at(desk, "AAPL", 402)) == []


def test_a_kernel_of_a_snapshot_watches_the_limits_of_its_policy() -> None:
    desk = Desk(policy(VALUE), held=250)
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    assert said(quote_at(desk, "AAPL", 401)) == [(PASSED, "symbol:AAPL")]


def test_books_that_are_not_compared_say_nothing_and_are_judged_once_they_are() -> None:
    desk = Desk(policy(VALUE), held=250)
    desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    assert said(quote_at(desk, "AAPL", 401)) == []
    held = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=250 * NANOS,
        average_price_nanos=250 * NANOS,
        price_nanos=401 * NANOS,
    )
    assert said(desk.take(facts.PositionsSeen(positions=(held,)))) == [(PASSED, "symbol:AAPL")]


# --- what passes while a limit is passed ---


def test_a_restart_while_a_judgement_waits_does_not_ask_to_be_woken_in_the_past() -> None:
    desk = Desk(policy(Limits(gross_exposure_nanos_max=NANOS)), held=1_000)
    quote_at(desk, "AAPL", 251)
    quote_at(desk, "AAPL", 252)  # within a quarter of a second: it waits
    desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    desk.now_ns += NANOS  # its time has passed, and the books are not compared yet
    woken = desk.take(facts.TimeAdvanced())
    assert all(at.boot_ns > desk.now_ns for at in woken if isinstance(at, fx.WakeAt))


def test_beyond_a_gross_limit_another_symbol_is_denied_and_any_holder_may_reduce() -> None:
    desk = Desk(policy(CALM.limits), cash=300_000, held=-400, multiplier=4)
    desk.quote("TSLA", 100)
    assert submitted(ask(desk, "TSLA", Side.BUY, 1, 100)), "before, there is room"
    quote_at(desk, "AAPL", 380)
    assert denied(ask(desk, "TSLA", Side.BUY, 1, 100)) == [Reason.GROSS_EXPOSURE]
    assert denied(ask(desk, "TSLA", Side.SELL, 1, 101)) == [Reason.GROSS_EXPOSURE]
    assert denied(ask(desk, "AAPL", Side.SELL, 1, 380)) == [Reason.GROSS_EXPOSURE]
    (order,) = submitted(ask(desk, "AAPL", Side.BUY, 400, 380))
    assert order.intent is Intent.REDUCE


def test_beyond_a_position_limit_its_symbol_only_reduces_and_others_trade_on() -> None:
    desk = Desk(policy(VALUE), held=250)
    desk.quote("TSLA", 100)
    quote_at(desk, "AAPL", 410)
    assert denied(ask(desk, "AAPL", Side.BUY, 1, 410)) == [Reason.MAX_POSITION]
    assert submitted(ask(desk, "TSLA", Side.BUY, 1, 100))
    (order,) = submitted(ask(desk, "AAPL", Side.SELL, 250, 410))
    assert order.intent is Intent.REDUCE
    desk.now_ns += nearness.JUDGED_EVERY_NS
    effects = desk.take(
        facts.OrderSent(
            order_id=order.order_id,
            broker_order_id="b1",
            status=OrderStatus.FILLED,
            filled_quantity_nanos=250 * NANOS,
            filled_price_nanos=410 * NANOS,
        )
    )
    assert said(effects) == []
    assert not Kernel.restored(desk.kernel.snapshot())._state.near, "nothing is held: all is calm"


# --- against an independent model ---


class Model:
    """The same promise in fractions: one limit's alerts over a series of measures."""

    def __init__(self) -> None:
        self.near = self.passed = False

    def take(self, share: Fraction | None) -> list[str]:
        """`share` of the limit; None: there is no equity to hold anything on."""
        whole = Fraction(10**9) if share is None else share
        before = self.near, self.passed
        self.passed = whole > 1 or (self.passed and whole >= Fraction(19, 20))
        self.near = whole >= Fraction(4, 5) or (self.near and whole >= Fraction(3, 4))
        if self.passed and not before[1]:
            return [PASSED]
        return [NEAR] if self.near and not before[0] else []


PRICES = st.lists(st.integers(200, 420), min_size=1, max_size=30)


@given(PRICES)
def test_any_walk_of_a_price_is_said_as_an_independent_model_says_it(prices: list[int]) -> None:
    limits = msgspec.structs.replace(
        CALM.limits,
        position_value_nanos_max=130_000 * NANOS,
        position_fraction_nanos_max=NANOS * 9 // 10,
    )
    desk = Desk(policy(limits), cash=300_000, held=-400)
    gross, value, fraction = Model(), Model(), Model()
    for price in prices:
        effects = quote_at(desk, "AAPL", price)
        held, equity = 400 * price, 300_000 - 400 * price
        expected = [(code, "account") for code in gross.take(Fraction(held, equity))]
        expected += [(code, "symbol:AAPL") for code in value.take(Fraction(held, 130_000))]
        share = Fraction(held * 10, equity * 9)
        expected += [(code, "symbol:AAPL") for code in fraction.take(share)]
        assert said(effects) == expected, price


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("if was_passed and not passed:", "if False:"),
        ("was_near or passed", "passed"),
        ("near[key] = passed", "near[key] = was_passed"),
        ("passed and not was_passed", "passed"),
        ("is_near and not was_near", "is_near"),
        ("measured > limit", "measured >= limit"),
    ],
)
def test_without_a_part_of_the_hysteresis_a_test_fails(
    monkeypatch: pytest.MonkeyPatch, text: str, instead: str
) -> None:
    without(monkeypatch, nearness._judge_close, text, instead)
    assert fails(test_a_limit_is_said_again_only_after_what_is_held_was_well_below_it) or fails(
        test_gross_exposure_is_near_from_four_fifths_of_its_limit_and_passed_beyond_it
    )
