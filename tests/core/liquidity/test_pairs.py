"""Pairs are priced and cut in steps of their own: not in a share's cents, not in whole coins."""

import pytest
from msgspec.structs import replace

from fuseboard.core.closes import close_price_nanos
from fuseboard.core.legs import Leg
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordShaping
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side, TimeInForce
from tests.core.liquidity.market import SECOND, LiquidDesk, of
from tests.core.liquidity.test_shaping import ask, sent

BUY, SELL = Side.BUY, Side.SELL
XRP = "XRP/USD"
BPS = NANOS // 10_000
PRICES = (
    (2_406_100_000, 2_406_300_000),
    (1_055_000_000, 1_056_000_000),
    (1_404_000_000, 1_406_000_000),
    (1_000_100_000, 1_000_200_000),
    (999_999_999, 1_000_000_001),
    (9_999_000, 10_000_000),
    (12_300_000, 12_310_000),
    (111_700, 111_710),
    (64_250_123_450_000, 64_250_987_650_000),
)


def quoted(desk: LiquidDesk, bid_nanos: int, ask_nanos: int) -> LiquidDesk:
    desk.quote_nanos(XRP, bid_nanos, ask_nanos, size_nanos=10**6 * NANOS)
    return desk


def asked(
    desk: LiquidDesk, side: Side, limit_nanos: int | None, quantity_nanos: int = NANOS
) -> tuple[fx.Effect, ...]:
    return ask(
        desk,
        side,
        price=None if limit_nanos is None else 1,
        symbol=XRP,
        time_in_force=TimeInForce.GTC,
        quantity_nanos=quantity_nanos,
        limit_price_nanos=limit_nanos,
    )


@pytest.mark.parametrize(("bid_nanos", "ask_nanos"), PRICES)
@pytest.mark.parametrize(("tier", "offset"), [(Tier.NORMAL, 10), (Tier.CAUTIOUS, 25)])
def test_what_opens_at_the_market_reaches_the_other_side_and_no_further_than_the_offset(
    bid_nanos: int, ask_nanos: int, tier: Tier, offset: int
) -> None:
    desk, selling = (quoted(LiquidDesk(), bid_nanos, ask_nanos) for _ in range(2))
    for each in (desk, selling):
        each.kernel._state.liquidity[XRP].gauge.tier = tier
    for limit_nanos in (None, ask_nanos * 102 // 100):
        limit = sent(asked(desk, BUY, limit_nanos)).limit_price_nanos
        assert limit is not None
        assert ask_nanos <= limit <= ask_nanos + ask_nanos * offset * BPS // NANOS
        assert limit == ask_nanos or limit * 10_000 >= ask_nanos * (10_000 + offset - 1)
    limit = sent(asked(selling, SELL, None)).limit_price_nanos
    assert limit is not None
    assert bid_nanos - bid_nanos * offset * BPS // NANOS <= limit <= bid_nanos
    assert limit == bid_nanos or limit * 10_000 <= bid_nanos * (10_000 - offset + 1)


def test_a_market_whose_steps_are_finer_than_ours_is_reached_all_the_same() -> None:
    cautious = replace(LiquidityRules().cautious, offset_nanos=0)
    bid_nanos, ask_nanos = 2_406_100_123, 2_406_300_123
    desk, selling = (quoted(LiquidDesk(cautious=cautious), bid_nanos, ask_nanos) for _ in range(2))
    assert sent(asked(desk, BUY, None)).limit_price_nanos == ask_nanos
    assert sent(asked(selling, SELL, None)).limit_price_nanos == bid_nanos


def test_a_whole_coin_is_cut_to_a_part_of_one() -> None:
    desk = quoted(LiquidDesk(), *PRICES[-1])
    order = sent(asked(desk, BUY, None))
    assert order.limit_price_nanos is not None
    assert order.quantity_nanos == 10_000 * NANOS * NANOS // order.limit_price_nanos


def test_a_limit_at_the_other_side_is_left_alone() -> None:
    desk = quoted(LiquidDesk(), 2_406_100_000, 2_406_300_000)
    effects = asked(desk, BUY, 2_406_300_000)
    assert sent(effects).limit_price_nanos == 2_406_300_000
    assert not of(effects, RecordShaping)


@pytest.mark.parametrize("price_nanos", [12_300_000, 1_004_000_000, 9_990_000])
def test_an_exit_trades_no_further_than_its_collar(price_nanos: int) -> None:
    desk = quoted(LiquidDesk(), price_nanos, price_nanos)
    turn = desk.kernel._turn
    tiers = turn.liquidity
    assert tiers is not None
    collar_nanos = tiers.exit_collars_nanos[Tier.CAUTIOUS]
    desk.now_ns += SECOND
    for side, sign in ((SELL, -1), (BUY, 1)):
        found = close_price_nanos(turn, Leg(symbol=XRP), side)
        assert found is not None
        away_nanos = sign * (found - price_nanos) * NANOS // price_nanos
        assert collar_nanos - 1 <= away_nanos <= collar_nanos + BPS
