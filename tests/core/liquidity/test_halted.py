"""A symbol that its exchange has halted is neither silent nor in a crisis, then and afterwards."""

import pytest

from fuseboard.core.liquidity.asked import tier_now
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.inputs import TimeAdvanced
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordLiquidity
from fuseboard.vocabulary.market_inputs import TradingHalted, TradingResumed
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.orders import OrderType, Side
from tests.core.liquidity.market import SECOND, LiquidDesk, of
from tests.core.liquidity.test_leaving import POLICY, Floor

HALTED_S = 600
BY_SYMBOL_OR_MARKET = pytest.mark.parametrize("halted", ["AAPL", ""])


def desk_with_a_halt(halted: str) -> LiquidDesk:
    desk = LiquidDesk().calm()
    desk.take(TradingHalted(symbol=halted, code="LUDP", event_ns=1))
    desk.now_ns += HALTED_S * SECOND
    return desk


def resumed(desk: LiquidDesk, halted: str) -> None:
    desk.take(TradingResumed(symbol=halted, code="T", event_ns=2))


def tier_in_force(desk: LiquidDesk) -> Tier:
    desk.take(TimeAdvanced())
    return tier_now(desk.kernel._turn, "AAPL", desk.known)


@BY_SYMBOL_OR_MARKET
def test_the_first_quote_after_the_resumption_finds_it_in_its_tier(halted: str) -> None:
    desk = desk_with_a_halt(halted)
    resumed(desk, halted)
    assert tier_in_force(desk) is Tier.NORMAL
    desk.now_ns += SECOND
    desk.quoted()
    assert desk.tier() is Tier.NORMAL


@BY_SYMBOL_OR_MARKET
def test_a_print_and_an_order_in_a_halt_move_no_tier(halted: str) -> None:
    desk = desk_with_a_halt(halted)
    desk.traded()
    desk.order(Side.BUY, NANOS)
    assert desk.tier() is Tier.NORMAL


def test_silence_is_counted_from_the_resumption_on() -> None:
    desk = desk_with_a_halt("AAPL")
    resumed(desk, "AAPL")
    desk.now_ns += 121 * SECOND
    assert tier_in_force(desk) is Tier.EMERGENCY
    desk.quoted()
    assert desk.tier() is Tier.EMERGENCY


def test_a_person_who_lets_it_on_starts_it_anew_too() -> None:
    desk = desk_with_a_halt("AAPL")
    desk.requests += 1
    desk.take(
        OperatorResetRequested(
            request=desk.requests, operator="ada", reason="its word was missed", scope="symbol:AAPL"
        )
    )
    assert not desk.kernel._state.stands_still("AAPL")
    assert tier_in_force(desk) is Tier.NORMAL


@BY_SYMBOL_OR_MARKET
def test_the_time_of_a_halt_counts_in_the_tier_and_not_as_silence(halted: str) -> None:
    desk = desk_with_a_halt(halted)
    (told,) = of(desk.quoted(), RecordLiquidity)
    assert told.silent_ns == 0
    assert told.span_ns >= HALTED_S * SECOND
    desk.now_ns += HALTED_S * SECOND
    resumed(desk, halted)
    desk.known.tally(desk.now_ns)
    assert desk.known.silent_ns == 0
    assert desk.known.span_ns >= HALTED_S * SECOND


def test_a_halt_of_stocks_keeps_no_pair_from_falling_silent() -> None:
    desk = LiquidDesk().calm()
    desk.quoted(symbol="ETH/USD")
    pair = desk.kernel._state.liquidity["ETH/USD"]
    stale_boot_ns = pair.stale_boot_ns
    desk.take(TradingHalted(symbol="", code="MWC1", event_ns=1, level=1))
    desk.now_ns += HALTED_S * SECOND
    resumed(desk, "")
    assert pair.stale_boot_ns == stale_boot_ns


def test_an_exit_after_a_halt_is_not_priced_by_the_book_from_before_it() -> None:
    desk = LiquidDesk(held=10).calm()
    desk.take(TradingHalted(symbol="AAPL", code="LUDP", event_ns=1))
    desk.now_ns += HALTED_S * SECOND
    resumed(desk, "AAPL")
    (order,) = of(desk.order(Side.SELL, NANOS, None), SubmitOrder)
    assert (order.order_type, order.limit_price_nanos) == (OrderType.MARKET, None)


def test_a_liquidation_that_a_halt_kept_waiting_takes_parts_when_trade_resumes() -> None:
    market = Floor(LiquidDesk(POLICY, held=500).calm(), 500)
    market.desk.take(TradingHalted(symbol="AAPL", code="LUDP", event_ns=1))
    market.flatten().wait(HALTED_S, silent=True)
    assert not market.closes
    market.left = 200
    market.hear(market.desk.take(TradingResumed(symbol="AAPL", code="T", event_ns=2)))
    market.wait(30)
    assert market.sizes()
    assert max(market.sizes()) <= 100
