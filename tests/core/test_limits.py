"""Each limit of the policy denies beyond its number and not at it, in the worst case."""

from typing import Any

import msgspec
import pytest

from fuseboard.core.checks.table import TABLE
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import CheckRule, SessionRule, StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderType, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, accept, denied, submitted
from tests.core.test_reduce_only import traded

CENT = NANOS // 100
WIDE = Limits(
    order_value_nanos_max=NANOS**2,
    order_rate_max=1_000,
    gross_exposure_nanos_max=100 * NANOS,
)


def desk(policy: Policy | None = None, *, held: int = 0, **limits: Any) -> Desk:
    """Equity of 1,000,000 USD, AAPL quoted at 249.99 / 250.01, TSLA at 99.99 / 100.01."""
    base = policy or Policy()
    changed = msgspec.structs.replace(WIDE, **limits)
    made = Desk(
        msgspec.structs.replace(base, limits=changed, losses=()),
        cash=1_000_000 - held * 250,
        held=held,
        multiplier=4,
    )
    made.quote("TSLA", 100)
    return made


def asked(
    at: Desk,
    symbol: str = "AAPL",
    side: Side = Side.BUY,
    quantity: int = NANOS,
    price: int | None = 250 * NANOS,
    **changed: Any,
) -> tuple[fx.Effect, ...]:
    at.requests += 1
    fact = facts.OrderRequested(
        request=at.requests,
        strategy="alpha",
        client_order_id=f"l{at.requests}",
        symbol=symbol,
        side=side,
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=quantity,
        limit_price_nanos=price,
    )
    return at.take(msgspec.structs.replace(fact, **changed))


def only(effects: tuple[fx.Effect, ...]) -> fx.AnswerDenied:
    (denial,) = [effect for effect in effects if isinstance(effect, fx.AnswerDenied)]
    return denial


# --- instruments ---------------------------------------------------------------------------------


def test_a_restricted_symbol_may_only_be_reduced() -> None:
    at = desk(Policy(restricted=("AAPL",)), held=100)
    assert denied(asked(at)) == [Reason.RESTRICTED]
    assert submitted(asked(at, "TSLA", price=100 * NANOS))
    assert submitted(asked(at, side=Side.SELL, quantity=100 * NANOS))


def test_a_strategy_opens_only_the_symbols_it_may_trade() -> None:
    rule = StrategyRule(name="alpha", capital_nanos=NANOS, symbols=("TSLA",))
    at = desk(Policy(strategies=(rule,)))
    denial = only(asked(at))
    assert (denial.reason, denial.observed) == (Reason.NOT_PERMITTED, "AAPL")
    assert submitted(asked(at, "TSLA", price=100 * NANOS))


@pytest.mark.parametrize(("floor", "passes"), [(250 * NANOS - CENT, True), (250 * NANOS, False)])
def test_nothing_under_the_price_floor_is_opened_and_what_is_held_may_go(
    floor: int, passes: bool
) -> None:
    at = desk(price_floor_nanos=floor, held=100)
    assert bool(submitted(asked(at))) == passes
    assert submitted(asked(at, side=Side.SELL, price=251 * NANOS))


@pytest.mark.parametrize(("price", "passes"), [(240 * NANOS, True), (240 * NANOS - CENT, False)])
def test_what_could_only_be_bought_under_the_price_floor_is_not_bid_for(
    price: int, passes: bool
) -> None:
    at = desk(price_floor_nanos=240 * NANOS)
    assert denied(asked(at, price=price)) == ([] if passes else [Reason.PRICE_FLOOR])
    assert submitted(asked(at, price=None, order_type=OrderType.MARKET, quantity=2 * NANOS))


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        (250 * NANOS, None),
        (250 * NANOS - CENT, None),
        (250 * NANOS - CENT // 2, Reason.TICK),
        (250 * NANOS + 1, Reason.TICK),
    ],
)
def test_a_price_from_one_dollar_on_is_in_whole_cents(price: int, reason: Reason | None) -> None:
    assert denied(asked(desk(), price=price)) == ([reason] if reason else [])


@pytest.mark.parametrize(("price", "passes"), [(999_900_000, True), (999_950_000, False)])
def test_a_price_under_one_dollar_has_four_decimals(price: int, passes: bool) -> None:
    at = desk(price_collar_nanos=NANOS)
    assert (denied(asked(at, price=price)) == []) == passes


def test_a_stop_is_on_the_tick_too_and_crypto_pairs_have_their_own() -> None:
    at = desk()
    stop: dict[str, Any] = {"order_type": OrderType.STOP, "stop_price_nanos": 260 * NANOS + 1}
    assert denied(asked(at, price=None, **stop)) == [Reason.TICK]
    at.quote("BTC/USD", 100)
    assert submitted(asked(at, "BTC/USD", price=100 * NANOS - 1))


def test_a_fraction_of_a_share_is_bought_and_not_sold_short() -> None:
    at = desk()
    assert submitted(asked(at, quantity=NANOS // 2, price=249 * NANOS))
    assert denied(asked(at, "TSLA", Side.SELL, NANOS // 2, 101 * NANOS)) == [Reason.LOT]
    assert submitted(asked(at, "TSLA", Side.SELL, NANOS, 101 * NANOS))


def test_a_fraction_that_is_held_may_be_sold() -> None:
    at = desk(held=100)
    assert submitted(asked(at, side=Side.SELL, quantity=NANOS // 2))


def test_an_order_is_at_most_a_part_of_the_average_daily_volume_and_unknown_denies() -> None:
    at = desk(order_volume_share_nanos_max=NANOS // 100, held=1_000)
    assert only(asked(at)).observed == "no average daily volume is known"
    reported = facts.MeasureReported(
        request=0, name="avg_daily_volume", value=1_000 * NANOS, event_ns=at.now_ns, symbol="AAPL"
    )
    at.take(reported)
    assert submitted(asked(at, quantity=10 * NANOS, price=249 * NANOS))
    assert denied(asked(at, quantity=10 * NANOS + 1, price=249 * NANOS)) == [Reason.LIQUIDITY]
    assert submitted(asked(at, side=Side.SELL, quantity=500 * NANOS)), "an exit is not asked"
    at.now_ns += 8 * 86_400 * SECOND
    at.quote("AAPL", 250)
    assert denied(asked(at, price=249 * NANOS)) == [Reason.LIQUIDITY], "a week old is too old"


# --- sums ----------------------------------------------------------------------------------------


def test_a_sector_counts_all_its_symbols_and_a_symbol_without_one_is_denied() -> None:
    sectors = {"AAPL": "tech", "TSLA": "tech", "XOM": "energy"}
    at = desk(Policy(sectors=sectors), sector_fraction_nanos_max=NANOS // 10)
    assert submitted(asked(at, quantity=300 * NANOS))  # 75,000 of 100,000
    assert denied(asked(at, "TSLA", quantity=251 * NANOS, price=100 * NANOS)) == [Reason.SECTOR]
    (order,) = submitted(asked(at, "TSLA", quantity=250 * NANOS, price=100 * NANOS))
    accept(at, order, "b1")
    at.quote("XOM", 100)
    assert submitted(asked(at, "XOM", quantity=1_000 * NANOS, price=100 * NANOS))
    at.quote("GLD", 100)
    assert only(asked(at, "GLD", price=100 * NANOS)).observed == "GLD has no sector"
    at.take(facts.OrderNotSent(order_id=order.order_id, reason=Reason.BROKER_REJECTED))
    assert submitted(asked(at, "TSLA", quantity=250 * NANOS, price=100 * NANOS))


def test_symbols_that_are_held_or_ordered_are_counted_once_each() -> None:
    at = desk(positions_max=2, held=100)
    (order,) = submitted(asked(at, "TSLA", price=100 * NANOS))
    assert submitted(asked(at, "TSLA", price=99 * NANOS))
    assert submitted(asked(at, price=249 * NANOS))
    at.quote("XOM", 100)
    assert only(asked(at, "XOM", price=100 * NANOS)).observed == "3"
    assert submitted(asked(at, side=Side.SELL, quantity=100 * NANOS)), "an exit is not asked"
    assert order.intent is Intent.OPEN


@pytest.mark.parametrize(("quantity", "passes"), [(400, True), (401, False)])
def test_net_exposure_counts_every_buy_and_no_sell(quantity: int, passes: bool) -> None:
    at = desk(net_exposure_nanos_max=NANOS // 10)
    assert submitted(asked(at, "TSLA", Side.SELL, 500 * NANOS, 101 * NANOS))
    assert bool(submitted(asked(at, quantity=quantity * NANOS))) == passes


@pytest.mark.parametrize(("quantity", "passes"), [(400, True), (401, False)])
def test_net_exposure_counts_every_sell_and_no_buy(quantity: int, passes: bool) -> None:
    at = desk(net_exposure_nanos_min=-NANOS // 10)
    assert submitted(asked(at, "TSLA", Side.BUY, 500 * NANOS, 100 * NANOS))
    sold = asked(at, side=Side.SELL, quantity=quantity * NANOS, price=250 * NANOS - CENT)
    # A sell is judged at the ask, 250.01: 400 of them are 100,004.
    assert denied(sold) == [Reason.NET_EXPOSURE]
    assert (
        bool(submitted(asked(at, "TSLA", Side.SELL, quantity * 2 * NANOS, 125 * NANOS))) == passes
    )


@pytest.mark.parametrize(("limit", "reason"), [
    ({"leverage_nanos_max": 2 * NANOS}, Reason.LEVERAGE),
    ({"maintenance_margin_nanos_min": NANOS // 2}, Reason.MAINTENANCE_MARGIN),
])  # fmt: skip
def test_leverage_and_margin_hold_at_twice_equity(limit: dict[str, Any], reason: Reason) -> None:
    at = desk(**limit)
    assert submitted(asked(at, quantity=4_000 * NANOS))
    assert submitted(asked(at, quantity=4_000 * NANOS))
    denial = only(asked(at, quantity=NANOS))
    assert denial.reason is reason
    assert denial.checks[-1] == reason.value


# --- own orders ----------------------------------------------------------------------------------


def test_an_order_that_would_trade_with_an_own_one_is_denied() -> None:
    at = desk()
    assert submitted(asked(at, side=Side.SELL, price=252 * NANOS))
    assert denied(asked(at, price=252 * NANOS)) == [Reason.SELF_MATCH]
    assert submitted(asked(at, price=252 * NANOS - CENT))
    assert denied(asked(at, side=Side.SELL, price=252 * NANOS - CENT)) == [Reason.SELF_MATCH]


def test_a_market_order_matches_only_what_rests_within_the_quote() -> None:
    at = desk()
    assert submitted(asked(at, side=Side.SELL, price=252 * NANOS))
    assert submitted(asked(at, price=None)), "a take-profit far above the market is not reached"
    at.quote("AAPL", 252)
    assert denied(asked(at, price=None)) == [Reason.SELF_MATCH]
    at = desk()
    assert submitted(asked(at, price=248 * NANOS))
    assert submitted(asked(at, side=Side.SELL, price=None))
    at.quote("AAPL", 248)
    assert denied(asked(at, side=Side.SELL, price=None)) == [Reason.SELF_MATCH]


def test_a_market_order_larger_than_what_is_shown_may_match_what_rests_behind_it() -> None:
    """One share is shown on either side; a limit of its own bounds it."""
    two = 2 * NANOS
    at = desk()
    assert submitted(asked(at, side=Side.SELL, price=252 * NANOS))
    assert denied(asked(at, price=None, quantity=two)) == [Reason.SELF_MATCH]
    assert submitted(asked(at, price=251 * NANOS, quantity=two))
    at = desk()
    assert submitted(asked(at, side=Side.SELL, price=276 * NANOS))
    assert submitted(asked(at, price=None, quantity=two)), "a tenth beyond the ask is the furthest"
    at = desk()
    assert submitted(asked(at, price=248 * NANOS))
    assert denied(asked(at, side=Side.SELL, price=None, quantity=two)) == [Reason.SELF_MATCH]


def test_own_orders_that_ended_and_stops_that_wait_match_nothing() -> None:
    at = desk(held=100)
    (order,) = submitted(asked(at, side=Side.SELL, quantity=200 * NANOS, price=251 * NANOS))
    at.take(facts.OrderNotSent(order_id=order.order_id, reason=Reason.BROKER_REJECTED))
    stop: dict[str, Any] = {"order_type": OrderType.STOP, "stop_price_nanos": 240 * NANOS}
    assert submitted(asked(at, side=Side.SELL, price=None, **stop))
    assert submitted(asked(at, price=251 * NANOS))


def test_self_matching_may_be_switched_off() -> None:
    at = desk(Policy(checks_off=("self_match",)))
    assert submitted(asked(at, side=Side.SELL, price=252 * NANOS))
    assert submitted(asked(at, price=252 * NANOS))


def test_what_must_stay_cannot_be_switched_off() -> None:
    at = desk(Policy(checks_off=tuple(row.name for row in TABLE if not row.may_be_off)))
    at.take(facts.BrokerStreamChanged(connected=False))
    assert denied(asked(at)) == [Reason.POSTURE_REDUCE_ONLY]
    assert {"reconciled", "posture", "order_rate", "order_value", "order_quantity"} <= {
        row.name for row in TABLE if not row.may_be_off
    }


# --- the session ---------------------------------------------------------------------------------


def rolled(at: Desk, *, opens_in: int, closes_in: int) -> None:
    at.take(facts.BrokerClockSeen(wall_ns=at.now_ns, is_open=opens_in <= 0))
    at.take(
        facts.SessionRolled(
            calendar="XNYS",
            session="2026-11-23",
            week_began="2026-11-23",
            month_began="2026-11-02",
            open_ns=at.now_ns + opens_in * SECOND,
            close_ns=at.now_ns + closes_in * SECOND,
        )
    )


def test_before_a_session_is_known_nothing_is_enforced_but_the_brokers_clock() -> None:
    at = desk()
    assert submitted(asked(at))
    at.now_ns += SECOND
    at.take(facts.BrokerClockSeen(wall_ns=at.now_ns, is_open=False))
    assert denied(asked(at)) == [Reason.SESSION_CLOSED]
    assert submitted(asked(at, time_in_force=TimeInForce.GTC)), "it waits at the broker"


def test_a_day_order_is_denied_before_the_open_and_from_the_close_on() -> None:
    at = desk()
    rolled(at, opens_in=10, closes_in=100)
    assert denied(asked(at)) == [Reason.SESSION_CLOSED]
    at.now_ns += 10 * SECOND
    assert submitted(asked(at)), "the calendar is newer than the broker's last word"
    at.now_ns += 90 * SECOND
    assert denied(asked(at)) == [Reason.SESSION_CLOSED]
    assert denied(asked(at, price=None, time_in_force=TimeInForce.GTC)) == [Reason.SESSION_CLOSED]


def test_extended_hours_are_for_who_asks_and_whose_policy_lets_him() -> None:
    for allowed in (False, True):
        at = desk(Policy(session=SessionRule(extended_hours=allowed)))
        rolled(at, opens_in=10, closes_in=100)
        assert denied(asked(at)) == [Reason.SESSION_CLOSED]
        assert bool(submitted(asked(at, extended_hours=True))) == allowed


def test_an_exit_is_not_held_back_by_the_session() -> None:
    at = desk(held=100)
    rolled(at, opens_in=10, closes_in=100)
    assert submitted(asked(at, side=Side.SELL, quantity=100 * NANOS))


# --- the policy's own checks ---------------------------------------------------------------------


def test_a_check_of_the_policys_own_denies_with_its_name_message_and_numbers() -> None:
    rule = CheckRule(
        name="near_the_last",
        condition="abs(order_price - last_price) / last_price < 0.01",
        message="too far from the last trade",
    )
    at = desk(Policy(checks=(rule,)), held=100)
    assert submitted(asked(at, price=250 * NANOS))
    denial = only(asked(at, price=247 * NANOS))
    assert denial.reason is Reason.CUSTOM_CHECK
    assert denial.checks[-1] == "near_the_last"
    assert denial.message == "near_the_last: too far from the last trade"
    assert denial.observed == "order_price = 247, last_price = 250"
    assert submitted(asked(at, side=Side.SELL, price=260 * NANOS)), "an exit is not asked"


def test_a_check_over_a_value_that_nobody_knows_denies() -> None:
    at = desk(Policy(checks=(CheckRule(name="calm", condition="vix < 30"),)), held=100)
    denial = only(asked(at))
    assert (denial.reason, denial.observed) == (Reason.UNKNOWN_VALUE, "vix = unknown")
    at.take(facts.MeasureReported(request=0, name="vix", value=20 * NANOS, event_ns=at.now_ns))
    assert submitted(asked(at))
    at.take(facts.MeasureReported(request=0, name="vix", value=30 * NANOS, event_ns=at.now_ns + 1))
    assert denied(asked(at)) == [Reason.CUSTOM_CHECK]


@pytest.mark.parametrize(
    "condition",
    [
        "order_size * order_price < 100000 USD and order_value < max_order_value",
        "bid < ask and spread < 1% and data_age < 1m and quote_size >= 1",
        "position_size == 0 and position_value == 0 USD and max_order_size > order_size",
        "working_orders < 5 and daily_orders < 5 and order_rate < 5 and price > 1",
    ],
)
def test_the_measures_of_an_order_have_their_values(condition: str) -> None:
    at = desk(Policy(checks=(CheckRule(name="own", condition=condition),)))
    assert submitted(asked(at))


def test_what_a_policy_does_not_set_is_not_run() -> None:
    plain = desk().kernel._turn.active
    names = [row.name for row in plain.opening_rows]
    assert "buying_power" in names
    for name in ("sector", "liquidity", "duplicate", "net_exposure", "restricted_list", "messages"):
        assert name not in names


# --- exits that say so ---------------------------------------------------------------------------


def test_an_order_that_says_that_it_closes_opens_nothing() -> None:
    at = desk()
    selling: dict[str, Any] = {"side": Side.SELL, "price": 250 * NANOS, "closes_only": True}
    assert denied(asked(at, **selling)) == [Reason.NOT_A_REDUCTION], "nothing is held"
    at = desk()
    traded(at, "alpha", Side.BUY, 100)
    assert denied(asked(at, quantity=101 * NANOS, **selling)) == [Reason.NOT_A_REDUCTION]
    assert submitted(asked(at, quantity=60 * NANOS, **selling))
    assert denied(asked(at, quantity=60 * NANOS, **selling)) == [Reason.NOT_A_REDUCTION]
    assert submitted(asked(at, quantity=40 * NANOS, **selling))
