"""Each check denies at its limit and not before; what cannot be judged is refused; marks."""

import msgspec
import pytest

from fuseboard.core.market import Instrument
from fuseboard.policy.data_rules import DataRules
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.market_effects import WatchSymbol
from fuseboard.vocabulary.market_inputs import QuoteSeen, TradeSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, denied, submitted

BASE = Limits(order_value_nanos_max=NANOS**2)


def desk(**changed: int | None) -> Desk:
    return Desk(Policy(limits=msgspec.structs.replace(BASE, **changed)))


@pytest.mark.parametrize(
    ("limits", "quantity", "price", "reason"),
    [
        ({"order_quantity_nanos_max": 10 * NANOS}, 10 * NANOS, 250, None),
        ({"order_quantity_nanos_max": 10 * NANOS}, 10 * NANOS + 1, 250, Reason.ORDER_QUANTITY),
        ({"order_value_nanos_max": 2_500 * NANOS}, 10 * NANOS, 250, None),
        ({"order_value_nanos_max": 2_500 * NANOS}, 10 * NANOS + 1, 250, Reason.ORDER_VALUE),
        ({"position_value_nanos_max": 2_500 * NANOS}, 10 * NANOS, 250, None),
        ({"position_value_nanos_max": 2_500 * NANOS}, 10 * NANOS + 1, 250, Reason.MAX_POSITION),
        ({"position_fraction_nanos_max": NANOS // 400}, 10 * NANOS, 250, None),
        ({"position_fraction_nanos_max": NANOS // 400}, 11 * NANOS, 250, Reason.MAX_POSITION),
        ({"gross_exposure_nanos_max": NANOS // 400}, 10 * NANOS, 250, None),
        ({"gross_exposure_nanos_max": NANOS // 400}, 11 * NANOS, 250, Reason.GROSS_EXPOSURE),
        ({"gross_exposure_nanos_max": 9 * NANOS}, 4_001 * NANOS, 250, Reason.BUYING_POWER),
        ({"gross_exposure_nanos_max": 9 * NANOS}, 4_000 * NANOS, 250, None),
        ({"price_collar_nanos": NANOS // 20}, NANOS, 262, None),
        ({"price_collar_nanos": NANOS // 20}, NANOS, 263, Reason.PRICE_COLLAR),
        ({"working_orders_max": 0}, NANOS, 250, Reason.WORKING_ORDERS_FULL),
        ({"order_rate_max": 0}, NANOS, 250, Reason.ORDER_RATE),
    ],
)
def test_a_check_denies_beyond_its_limit_and_not_at_it(
    limits: dict[str, int], quantity: int, price: int, reason: Reason | None
) -> None:
    effects = desk(**limits).order(Side.BUY, quantity, price)
    assert denied(effects) == ([reason] if reason else [])
    assert len(submitted(effects)) == (reason is None)


@pytest.mark.parametrize(("price", "passes"), [(238, True), (237, False)])
def test_a_sell_may_not_be_priced_below_the_collar(price: int, passes: bool) -> None:
    effects = desk(price_collar_nanos=NANOS // 20).order(Side.SELL, NANOS, price)
    assert bool(submitted(effects)) == passes


def test_an_order_without_a_quote_or_with_an_old_one_is_denied() -> None:
    kernel = desk()
    fact = facts.OrderRequested(
        request=7,
        strategy="alpha",
        client_order_id="x",
        symbol="NEW",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=NANOS,
    )
    effects = kernel.take(fact)
    assert denied(effects) == [Reason.QUOTE_MISSING]
    assert WatchSymbol(symbol="NEW") in effects
    kernel.now_ns += 121 * SECOND
    assert denied(kernel.order(Side.BUY, NANOS)) == [Reason.QUOTE_MISSING]


def test_the_rate_limit_opens_again_when_the_window_has_passed() -> None:
    kernel = desk(order_rate_max=2, order_rate_kills=False)
    for _ in range(2):
        assert submitted(kernel.order(Side.BUY, NANOS))
    assert denied(kernel.order(Side.BUY, NANOS)) == [Reason.ORDER_RATE]
    kernel.now_ns += SECOND
    for _ in range(2):
        assert submitted(kernel.order(Side.BUY, NANOS))
    assert denied(kernel.order(Side.BUY, NANOS)) == [Reason.ORDER_RATE]


GOOD = facts.OrderRequested(
    request=7,
    strategy="alpha",
    client_order_id="x",
    symbol="AAPL",
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.DAY,
    quantity_nanos=NANOS,
    limit_price_nanos=250 * NANOS,
)


@pytest.mark.parametrize(
    "changed",
    [
        {"quantity_nanos": 0},
        {"quantity_nanos": -NANOS},
        {"quantity_nanos": 10**15 * NANOS},
        {"limit_price_nanos": 0},
        {"limit_price_nanos": -1},
        {"limit_price_nanos": None},
        {"stop_price_nanos": NANOS},
        {"order_type": OrderType.MARKET},
        {"order_type": OrderType.STOP},
        {"order_type": OrderType.STOP_LIMIT},
        {"order_type": OrderType.STOP_LIMIT, "stop_price_nanos": -NANOS},
    ],
)
def test_what_cannot_be_judged_is_refused(changed: dict[str, object]) -> None:
    effects = desk().take(msgspec.structs.replace(GOOD, **changed))
    assert denied(effects) == [Reason.MALFORMED]


def test_a_strategy_that_the_policy_does_not_name_is_refused() -> None:
    rule = StrategyRule(name="beta", capital_nanos=NANOS)
    assert denied(Desk(Policy(strategies=(rule,))).take(GOOD)) == [Reason.STRATEGY_UNKNOWN]


def test_a_strangers_order_with_our_prefix_halts_and_any_other_is_said_once() -> None:
    kernel = desk()
    other = facts.ForeignOrderSeen(
        wire_id="by-hand", broker_order_id="b7", symbol="AAPL", ours_by_prefix=False
    )
    assert [type(effect) for effect in kernel.take(other)] == [fx.RaiseAlert]
    assert kernel.take(other) == ()
    twin = msgspec.structs.replace(other, broker_order_id="b8", ours_by_prefix=True)
    latched = [e for e in kernel.take(twin) if isinstance(e, fx.LatchHalt)]
    assert [halt.reason for halt in latched] == [Reason.FOREIGN_ORDER]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason.NEVER_ARRIVED, "works after it had been given up: its cancel is asked for"),
        (Reason.BROKER_REJECTED, "works after it had been refused: its cancel is asked for"),
    ],
)
def test_our_own_order_that_works_although_it_was_over_is_cancelled_and_no_stranger(
    reason: Reason, words: str
) -> None:
    """The second: sent twice by the way there, refused once and taken once."""
    kernel = desk()
    (order,) = submitted(kernel.order(Side.BUY, NANOS))
    kernel.take(facts.OrderUnknown(order_id=order.order_id, detail="no answer"))
    kernel.take(facts.OrderNotSent(order_id=order.order_id, reason=reason))
    effects = kernel.take(
        facts.ForeignOrderSeen(
            wire_id=order.wire_id, broker_order_id="b9", symbol="AAPL", ours_by_prefix=True
        )
    )
    assert fx.CancelOrder(order_id=order.order_id, broker_order_id="b9") in effects
    assert not any(isinstance(effect, fx.LatchHalt) for effect in effects)
    (page,) = [effect for effect in effects if isinstance(effect, fx.RaiseAlert)]
    assert page.text.endswith(words)
    assert len(kernel.kernel._state.book.working) == 1, "it counts until it is gone"


def test_a_fault_halts_cancels_everything_pages_and_stops() -> None:
    kernel = desk()
    (order,) = submitted(kernel.order(Side.BUY, NANOS))
    effects = kernel.take(facts.NodeFaulted(detail="a commit failed"))
    kinds = [type(effect) for effect in effects]
    assert kinds.index(fx.LatchHalt) < kinds.index(fx.CancelOrder) < kinds.index(fx.StopNode)
    assert any(isinstance(e, fx.CancelOrder) and e.order_id == order.order_id for e in effects)


# --- marks ---

RULES = DataRules()


def quote(bid: int, ask: int) -> QuoteSeen:
    return QuoteSeen(
        symbol="A",
        bid_nanos=bid,
        ask_nanos=ask,
        bid_size_nanos=1,
        ask_size_nanos=1,
        event_ns=0,
        bid_low_nanos=bid,
        ask_high_nanos=ask,
    )


def trade(price: int) -> TradeSeen:
    return TradeSeen(
        symbol="A",
        price_nanos=price,
        size_nanos=1,
        event_ns=0,
        low_nanos=price,
        high_nanos=price,
    )


@pytest.mark.parametrize(
    ("bid", "ask", "mark"),
    [
        (9_950, 10_050, 10_000),  # exactly one percent of the middle
        (9_949, 10_050, 0),
        (10_050, 9_950, 0),  # crossed
        (0, 10_000, 0),
        (-5, 5, 0),
        (10_000, 10_000, 10_000),
    ],
)
def test_only_a_positive_uncrossed_narrow_quote_marks(bid: int, ask: int, mark: int) -> None:
    instrument = Instrument()
    assert instrument.quote(quote(bid, ask), RULES, 1) == mark
    assert instrument.excluded == (mark == 0)


def test_a_trade_marks_only_while_quotes_are_excluded() -> None:
    instrument = Instrument()
    assert instrument.trade(trade(100), RULES, 1) == 100
    assert instrument.quote(quote(101, 101), RULES, 2) == 101
    assert instrument.trade(trade(102), RULES, 3) == 0
    assert instrument.quote(quote(90, 110), RULES, 4) == 0
    assert instrument.trade(trade(103), RULES, 5) == 103
    assert instrument.trade(trade(0), RULES, 6) == 0


def test_a_mark_that_jumps_waits_for_a_second_one_that_agrees() -> None:
    instrument = Instrument()
    assert instrument.quote(quote(1_000, 1_000), RULES, 1) == 1_000
    assert instrument.quote(quote(1_100, 1_100), RULES, 2) == 1_100, "a tenth is no jump"
    assert instrument.quote(quote(500, 500), RULES, 3) == 0
    assert instrument.quote(quote(1_100, 1_100), RULES, 4) == 1_100, "a bad print is forgotten"
    assert instrument.quote(quote(500, 500), RULES, 5) == 0
    assert instrument.quote(quote(510, 510), RULES, 6) == 510


def test_a_symbol_is_blind_without_fresh_prices() -> None:
    instrument = Instrument()
    assert instrument.blind(RULES, 1)
    instrument.quote(quote(1_000, 1_000), RULES, 1)
    assert not instrument.blind(RULES, 1 + RULES.quote_age_ns_max)
    assert instrument.blind(RULES, 2 + RULES.quote_age_ns_max)
    instrument.quote(quote(500, 1_500), RULES, 3)
    assert instrument.blind(RULES, 4), "quotes are excluded and nobody traded since"
    instrument.trade(trade(1_000), RULES, 5)
    assert not instrument.blind(RULES, 6)
