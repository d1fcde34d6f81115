"""How the exchange treats orders, sentence by sentence. Prices are in cents."""

from datetime import date
from pathlib import Path

import pytest

from fuseboard.exchange.account import fee_nanos
from fuseboard.exchange.calendar import MarketHours, trading_day, trading_days
from fuseboard.exchange.config import ExchangeConfig
from fuseboard.exchange.ledger import (
    LedgerDamaged,
    LedgerFile,
    OrderFilled,
    entries_of,
    read_ledger,
)
from fuseboard.exchange.orders import Order, Refusal
from fuseboard.exchange.request_limit import WINDOW_NS, RequestLimit
from fuseboard.feeds.tapes.tape import TapeKind, TapeQuote
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from tests.exchange.worlds import MILLISECOND_NS, OPEN_NS, SESSION, World


def fills_of(world: World) -> list[tuple[int, int]]:
    """(price in cents, shares) of each fill."""
    return [
        (entry.price_nanos * 100 // NANOS, entry.quantity_nanos // NANOS)
        for entry in world.entries()
        if isinstance(entry, OrderFilled)
    ]


def test_a_market_order_takes_what_is_displayed_and_waits_for_the_next_quote() -> None:
    world = World()
    world.quote(9_999, 10_001, ask_size=30)
    order = world.order("buy", 100)
    assert (world.filled(order), world.status(order)) == (30, "partially_filled")
    world.trade(10_001, 500, Side.BUY)
    assert world.filled(order) == 30
    world.quote(9_999, 10_005, ask_size=60)
    world.quote(9_999, 10_002, ask_size=60)
    assert world.status(order) == "filled"
    assert fills_of(world) == [(10_001, 30), (10_005, 60), (10_002, 10)]


def test_displayed_size_is_shared_between_orders_until_the_next_quote() -> None:
    world = World()
    world.quote(9_999, 10_001, ask_size=50)
    first, second = world.order("buy", 40), world.order("buy", 40, limit=10_001)
    assert (world.filled(first), world.filled(second)) == (40, 10)
    third = world.order("buy", 5, tif="ioc")
    assert (world.filled(third), world.status(third)) == (0, "canceled")


def test_a_limit_order_that_arrives_trades_at_the_displayed_price_not_its_own() -> None:
    world = World()
    world.quote(9_999, 10_001)
    world.order("buy", 10, limit=10_050)
    assert fills_of(world) == [(10_001, 10)]


def test_a_resting_order_waits_behind_what_was_displayed_at_its_price() -> None:
    world = World()
    world.quote(9_999, 10_001, bid_size=80)
    order = world.order("buy", 50, limit=9_999)
    world.trade(9_999, 70, Side.SELL)
    assert world.filled(order) == 0
    world.trade(9_999, 30, Side.SELL)
    assert world.filled(order) == 20
    world.trade(9_998, 10, Side.SELL)
    assert world.filled(order) == 30
    assert fills_of(world) == [(9_999, 20), (9_999, 10)]


def test_the_queue_ahead_shrinks_when_less_is_displayed_and_never_grows() -> None:
    world = World()
    world.quote(9_999, 10_001, bid_size=80)
    order = world.order("buy", 50, limit=9_999)
    world.quote(9_999, 10_001, bid_size=10)
    world.quote(9_999, 10_001, bid_size=500)
    world.trade(9_999, 25, Side.SELL)
    assert world.filled(order) == 15


def test_an_order_away_from_the_best_price_joins_the_queue_when_it_becomes_best() -> None:
    world = World()
    world.quote(9_999, 10_001)
    order = world.order("buy", 50, limit=9_990)
    world.trade(9_990, 500, Side.SELL)
    assert world.filled(order) == 0
    world.quote(9_990, 10_001, bid_size=100)
    world.trade(9_990, 120, Side.SELL)
    assert world.filled(order) == 20


def test_a_print_by_a_buyer_does_not_fill_our_bid() -> None:
    world = World()
    world.quote(9_999, 10_001)
    bid, offer = world.order("buy", 5, limit=10_000), world.order("buy", 5, limit=9_998)
    world.trade(9_997, 100, Side.BUY)
    assert (world.filled(bid), world.filled(offer)) == (0, 0)
    world.trade(9_997, 100)
    assert (world.filled(bid), world.filled(offer)) == (5, 5)


def test_a_quote_that_crosses_a_resting_order_fills_it_at_its_own_price() -> None:
    world = World()
    world.quote(9_999, 10_001)
    low, high = world.order("buy", 20, limit=9_990), world.order("buy", 20, limit=9_995)
    world.quote(9_970, 9_980, ask_size=30)
    assert fills_of(world) == [(9_995, 20), (9_990, 10)]
    assert (world.status(high), world.status(low)) == ("filled", "partially_filled")


def test_all_or_nothing_takes_all_or_nothing() -> None:
    world = World()
    world.quote(9_999, 10_001, ask_size=30)
    refused, taken = world.order("buy", 31, tif="fok"), world.order("buy", 30, tif="fok")
    assert (world.status(refused), world.filled(refused)) == ("canceled", 0)
    assert (world.status(taken), world.filled(taken)) == ("filled", 30)


def test_a_print_whose_aggressor_is_unknown_is_shared_by_both_sides() -> None:
    world = World()
    world.quote(9_990, 10_010)
    world.order("buy", 3)
    sell = world.order("sell", 3, 10_001)
    buy = world.order("buy", 3, 10_001, stop=10_000)
    world.trade(10_000, 1)  # triggers the stop: now both rest, and both are better than the market
    world.trade(10_001, 2)
    assert world.filled(sell) + world.filled(buy) == 2


def test_a_stop_becomes_a_market_order_at_the_first_print_at_its_price() -> None:
    world = World()
    world.quote(9_999, 10_001)
    world.order("buy", 10)
    stop = world.order("sell", 10, stop=9_900)
    world.quote(9_850, 9_860)
    world.trade(9_901)
    assert world.status(stop) == "new"
    world.trade(9_900)
    assert fills_of(world)[1:] == [(9_850, 10)]


def test_a_stop_limit_rests_at_its_limit_once_triggered() -> None:
    world = World()
    world.quote(9_999, 10_001)
    order = world.order("buy", 10, limit=10_012, stop=10_010)
    world.quote(10_014, 10_015)
    world.trade(10_014)
    assert (world.status(order), world.filled(order)) == ("new", 0)
    world.quote(10_009, 10_011)
    assert fills_of(world) == [(10_012, 10)]


def test_a_stop_that_is_already_reached_triggers_on_arrival() -> None:
    world = World()
    world.quote(9_999, 10_001)
    world.trade(10_005)
    assert world.filled(world.order("buy", 1, stop=10_000)) == 1


def test_with_latency_an_order_sees_the_quotes_of_its_arrival_and_none_later() -> None:
    world = World(latency_ns=5 * MILLISECOND_NS)
    world.quote(9_999, 10_001)
    order = world.order("buy", 10)
    assert world.status(order) == "pending_new"
    world.quote(10_009, 10_010)
    world.wait(4)
    assert fills_of(world) == [(10_010, 10)]
    late = world.order("buy", 10)
    arrives_ns = world.now_ns + 5 * MILLISECOND_NS
    world.exchange.on_quote(
        TapeQuote(
            symbol="AAPL",
            at_ns=arrives_ns + 1,
            bid_nanos=NANOS,
            ask_nanos=2 * NANOS,
            bid_size_nanos=NANOS,
            ask_size_nanos=NANOS,
        )
    )
    assert world.status(late) == "filled"
    assert fills_of(world)[1:] == [(10_010, 10)]


def test_with_latency_a_cancel_can_come_too_late() -> None:
    world = World(latency_ns=5 * MILLISECOND_NS)
    world.quote(9_999, 10_001)
    order = world.order("buy", 10, limit=9_990)
    world.wait(10)
    world.cancel(order)
    assert world.status(order) == "pending_cancel"
    world.quote(9_980, 9_990, ask_size=4)
    assert (world.status(order), world.filled(order)) == ("pending_cancel", 4)
    world.wait(5)
    assert world.status(order) == "canceled"
    assert isinstance(world.cancel(order), Refusal)


def test_a_market_order_without_any_quote_is_refused() -> None:
    world = World()
    refused = world.ask_for("buy", 1)
    assert isinstance(refused, Refusal)
    assert (refused.http_status, refused.code) == (403, 40310000)


@pytest.mark.parametrize(
    ("side", "quantity", "limit", "stop", "tif", "words"),
    [
        ("buy", "0.5", None, None, "gtc", "fractional orders must be DAY"),
        ("buy", "0.5", None, 10_100, "day", "fractional orders must be market or limit"),
        ("sell", "0.5", None, None, "day", "fractional orders cannot be sold short"),
        ("buy", 1, 10_000, 10_100, "ioc", "ioc orders must be market or limit"),
        ("buy", 0, None, None, "day", "qty must be > 0"),
        ("buy", 1, 0, None, "day", "limit price must be > 0"),
        ("buy", 10_000_000, 10_000, None, "day", "insufficient buying power"),
    ],
)
def test_orders_that_make_no_sense_are_refused_in_words(
    side: str, quantity: int | str, limit: int | None, stop: int | None, tif: str, words: str
) -> None:
    world = World()
    world.quote(9_999, 10_001)
    refused = world.ask_for(side, quantity, limit, stop, tif)
    assert isinstance(refused, Refusal)
    assert words in refused.message


def test_fractions_of_a_share_are_filled_to_the_nano() -> None:
    world = World()
    world.quote(9_999, 10_001)
    world.order("buy", "0.333333333")
    position = world.exchange.positions()[0]
    assert position.quantity_nanos == 333_333_333
    assert (
        world.exchange.account().cash_nanos
        == (10**15 * NANOS - 333_333_333 * 10_001 * 10**7) // NANOS
    )


def test_short_sales_need_permission_and_close_by_a_buy_of_at_most_the_position() -> None:
    refused = World(shorting_enabled=False)
    refused.quote(9_999, 10_001)
    answer = refused.ask_for("sell", 1)
    assert isinstance(answer, Refusal)
    assert "not allowed to short" in answer.message
    world = World()
    world.quote(9_999, 10_001)
    world.order("sell", 10)
    assert world.position() == -10
    too_much = world.ask_for("buy", 11)
    assert isinstance(too_much, Refusal)
    assert too_much.extra["available"] == "10"
    world.order("buy", 10)
    assert world.position() == 0


def test_crypto_cannot_be_sold_short_and_trades_at_any_hour() -> None:
    night_ns = OPEN_NS - 5 * 3600 * NANOS
    world = World(ExchangeConfig(kind=TapeKind.CRYPTO, symbols=("BTC/USD",), multiplier=1, seed=1))
    assert MarketHours(always=True).is_open(night_ns)
    world.quote(9_999, 10_001, symbol="BTC/USD")
    refused = world.ask_for("sell", 1, tif="gtc", symbol="BTC/USD")
    assert isinstance(refused, Refusal)
    assert "insufficient balance for BTC/USD" in refused.message
    assert world.filled(world.order("buy", 1, tif="gtc", symbol="BTC/USD")) == 1


def test_buying_power_counts_working_orders_and_comes_back_when_they_end() -> None:
    world = World(cash_nanos=1_000 * NANOS)
    world.quote(9_999, 10_001)
    first = world.order("buy", 15, limit=9_990)
    assert isinstance(world.ask_for("buy", 6, limit=9_990), Refusal)
    world.cancel(first)
    assert isinstance(world.ask_for("buy", 6, limit=9_990), Order)


def test_day_orders_expire_at_the_close_and_others_do_not() -> None:
    assert SESSION is not None
    world = World()
    world.quote(9_999, 10_001)
    day, kept = world.order("buy", 1, limit=9_000), world.order("buy", 1, limit=9_000, tif="gtc")
    world.exchange.advance(SESSION.close_ns - 1)
    assert world.status(day) == "new"
    world.exchange.advance(SESSION.close_ns)
    assert (world.status(day), world.status(kept)) == ("expired", "new")


def test_nothing_trades_while_the_session_is_closed() -> None:
    assert SESSION is not None
    world = World()
    world.now_ns = SESSION.close_ns + NANOS
    world.quote(9_999, 10_001)
    waiting, at_once = world.order("buy", 1), world.order("buy", 1, tif="ioc")
    world.quote(9_999, 10_001)
    assert (world.status(waiting), world.status(at_once)) == ("new", "canceled")
    tomorrow = trading_day(date(2025, 6, 3))
    assert tomorrow is not None
    world.now_ns = tomorrow.open_ns
    world.quote(9_999, 10_001)
    assert world.status(waiting) == "filled"


def test_time_cannot_go_back() -> None:
    world = World()
    world.wait(5)
    with pytest.raises(ValueError, match="cannot go back"):
        world.exchange.advance(world.now_ns - 1)


def test_replacing_frees_the_old_order_and_is_refused_whole() -> None:
    world = World(cash_nanos=1_000 * NANOS)
    world.quote(9_999, 10_001)
    old = world.order("buy", 20, limit=9_990)
    refused = world.exchange.replace(
        world.now_ns, old, client_order_id="r1", quantity_nanos=21 * NANOS
    )
    assert isinstance(refused, Refusal)
    assert world.status(old) == "new"
    assert isinstance(world.ask_for("buy", 1, limit=9_990), Refusal)
    new = world.exchange.replace(
        world.now_ns, old, client_order_id="r2", limit_price_nanos=99 * NANOS
    )
    assert isinstance(new, Order)
    assert world.status(old) == "replaced"
    assert [order.order_id for order in world.exchange.open_orders()] == [new.order_id]


def test_holidays_and_short_days_are_known() -> None:
    days = trading_days(date(2025, 12, 22), date(2026, 1, 2), days_max=99)
    assert [each.day.day for each in days] == [22, 23, 24, 26, 29, 30, 31, 2]
    lengths = {each.day.day: (each.close_ns - each.open_ns) // (NANOS * 60) for each in days}
    assert lengths[24] == 210
    assert lengths[23] == 390


def test_the_request_limit_counts_in_windows_of_a_minute() -> None:
    limit = RequestLimit(2)
    assert [limit.admit(at).admitted for at in (0, 1, 2, WINDOW_NS - 1)] == [
        True,
        True,
        False,
        False,
    ]
    assert limit.admit(WINDOW_NS - 1).resets_in_s == 1
    assert limit.admit(WINDOW_NS).admitted


def test_a_ledger_file_is_read_back_and_damage_is_noticed(tmp_path: Path) -> None:
    world = World()
    world.quote(9_999, 10_001)
    world.order("buy", 3)
    file = LedgerFile(tmp_path / "ledger")
    for line in world.lines:
        file.record(line)
    file.close()
    assert read_ledger(tmp_path / "ledger") == world.entries()
    with pytest.raises(FileExistsError):
        LedgerFile(tmp_path / "ledger")
    with pytest.raises(LedgerDamaged, match="line 2"):
        entries_of([world.lines[0], *world.lines[2:]])
    with pytest.raises(LedgerDamaged, match="line 1"):
        entries_of([world.lines[0][:-1]])
    (tmp_path / "torn").write_bytes(b"\n".join(world.lines) + b'\n{"kind":')
    assert read_ledger(tmp_path / "torn") == world.entries()


def test_fees_are_rounded_against_the_trader() -> None:
    tiny = {"price_nanos": 1, "quantity_nanos": 1}
    assert fee_nanos(**tiny, per_share_nanos=0, basis_points=1) == 1
    assert fee_nanos(**tiny, per_share_nanos=1, basis_points=0) == 1
    share = {"price_nanos": 100 * NANOS, "quantity_nanos": 2 * NANOS}
    assert fee_nanos(**share, per_share_nanos=5, basis_points=3) == 10 + 6 * NANOS // 100


def test_a_short_position_uses_buying_power_as_a_long_one_does() -> None:
    world = World(cash_nanos=1_000 * NANOS)
    world.quote(10_000, 10_000)
    world.order("sell", 10)
    assert world.exchange.account().buying_power_nanos == 1_000 * NANOS
    assert world.exchange.account().short_value_nanos == -1_000 * NANOS


def test_offers_of_ours_at_one_price_are_filled_in_the_order_they_were_taken() -> None:
    world = World()
    world.quote(9_999, 10_001)
    first, second = world.order("sell", 5, limit=10_010), world.order("sell", 5, limit=10_010)
    world.quote(10_010, 10_011, bid_size=7)
    assert (world.filled(first), world.filled(second)) == (5, 2)
    third = world.order("sell", 5, limit=10_009)
    assert world.filled(third) == 0
    world.trade(10_012, 4, Side.BUY)
    assert (world.filled(third), world.filled(second)) == (4, 2)


def test_order_ids_follow_from_the_seed() -> None:
    ids = []
    for seed in (1, 1, 2):
        world = World(seed=seed)
        world.quote(9_999, 10_001)
        ids.append(world.order("buy", 1))
    assert ids[0] == ids[1] != ids[2]
