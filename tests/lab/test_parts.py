"""The lab's parts one by one: results, spelling, slices, valuing, what a liquidation cost."""

import argparse
from pathlib import Path

import pytest
from msgspec import structs

from fuseboard.app.lab_terms import trial_terms
from fuseboard.feeds.tapes.tape import TapeKind, TapeQuote, TapeTrade
from fuseboard.lab.liquidating import Liquidating
from fuseboard.lab.protected import lacks_of
from fuseboard.lab.result import ResultUnreadable, encoded, read_result
from fuseboard.lab.signals import Signals
from fuseboard.lab.slices import Slices
from fuseboard.lab.spelling import pair, spelled
from fuseboard.lab.strategies.by_name import NAMES, StrategyUnknown, strategy_by_name
from fuseboard.lab.strategies.sizing import price_above, price_below, quantity_for
from fuseboard.lab.strategy import Terms
from fuseboard.lab.summary import summary
from fuseboard.lab.terms import TrialTerms
from fuseboard.lab.trial import run_trial
from fuseboard.lab.valuing import Valuing
from fuseboard.lab_arguments import STRATEGIES, add_trial
from fuseboard.vocabulary.effects import PublishOrder
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce
from tests.lab.markets import OPENS_NS, STRICT, Scripted, chosen_of, crash, options, quote, tape_of

SHARES = Terms(symbols=("AAA",), equity_nanos=10**5 * NANOS, shares=True)
PAIRS = structs.replace(SHARES, shares=False)


# --- results -------------------------------------------------------------------------------------


def test_a_result_is_read_again_as_it_was_and_refused_when_it_was_changed(tmp_path: Path) -> None:
    result = run_trial(crash(seconds=15), options("hold", STRICT))
    path = tmp_path / "result.json"
    path.write_bytes(encoded(result))
    assert read_result(path) == result
    changed = structs.replace(result, figures=structs.replace(result.figures, trips=7))
    path.write_bytes(encoded(changed))
    with pytest.raises(ResultUnreadable, match="was changed after it was written"):
        read_result(path)
    path.write_bytes(encoded(structs.replace(result, format=2)))
    with pytest.raises(ResultUnreadable, match="has the format 2"):
        read_result(path)
    path.write_bytes(b"{}")
    with pytest.raises(ResultUnreadable, match="is no result of `fuseboard lab run --out`"):
        read_result(path)
    with pytest.raises(ResultUnreadable, match="cannot be read"):
        read_result(tmp_path / "none.json")


def test_a_digest_is_of_what_is_the_same_each_time_only() -> None:
    result = run_trial(crash(seconds=15), options("hold", STRICT))
    again = run_trial(crash(seconds=15), options("hold", STRICT))
    assert again.digest == result.digest
    assert again.took != result.took
    words = dict(summary(result))
    assert "% kept: 100,000.00 became" in words["capital"]
    assert words["trips"].startswith("1, the first at 10:00:0")
    assert words["digest"].startswith(result.digest[:16])
    week = structs.replace(result.ran, close_ns=result.ran.open_ns + 7 * 86_400 * NANOS)
    rows = summary(structs.replace(result, ran=week))
    assert any("2025-06-02 10:00:00 to 2025-06-09 10:00:00 New York" in said for _, said in rows)
    assert dict(rows)["trips"].startswith("1, the first at 2025-06-02 10:00:0")


# --- names and numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("ATOMUSD_PERP", "ATOM/USD"),
        ("DOGE-USD", "DOGE/USD"),
        ("BTCUSD", "BTC/USD"),
        ("BTCUSDT", "BTC/USDT"),
        ("ETHBTC", "ETH/BTC"),
        ("ETH/USD", "ETH/USD"),
        ("XYZ", "XYZ/USD"),
    ],
)
def test_crypto_is_played_as_pairs(symbol: str, name: str) -> None:
    assert pair(symbol) == name
    events = [structs.replace(quote(0, 100, 101), symbol=symbol), quote(NANOS, 1, 2, symbol=symbol)]
    tape = spelled(tape_of(events, kind=TapeKind.CRYPTO, symbols=(symbol,)))
    assert tape.symbols == (name,)
    assert [event.symbol for event in tape.read()] == [name, name]
    shares = tape_of([quote(0, 100, 101)])
    assert spelled(shares) is shares


def test_a_crypto_tape_trades_fractions_around_the_clock() -> None:
    quotes = [
        TapeQuote(
            symbol="BTCUSD",
            at_ns=OPENS_NS + 13 * 3_600 * NANOS + at * NANOS,  # eleven at night in New York
            bid_nanos=99_990 * NANOS,
            ask_nanos=100_010 * NANOS,
            bid_size_nanos=NANOS // 10,
            ask_size_nanos=NANOS // 10,
            derived=True,
        )
        for at in range(20)
    ]
    tape = tape_of(quotes, kind=TapeKind.CRYPTO, symbols=("BTCUSD",))
    assert lacks_of(tape) == ("sizes", "spread")
    assert lacks_of(structs.replace(tape, cadence=tape_of(quotes, sampled=True).cadence)) == (
        "sizes",
        "trades",
        "spread",
    )
    result = run_trial(tape, options("hold", STRICT))
    orders = result.figures.orders
    assert orders.denied == 0, orders.denials
    assert orders.fills > 5
    position = next(series for series in result.series if series.name == "position")
    assert 0 < position.last[-1] < NANOS, "a part of one bitcoin"


@pytest.mark.parametrize(
    ("price", "below", "above"),
    [(100_123_456_789, 100_120_000_000, 100_130_000_000), (512_345_678, 512_300_000, 512_400_000)],
)
def test_prices_of_shares_are_on_the_tick(price: int, below: int, above: int) -> None:
    assert price_below(SHARES, price) == below
    assert price_above(SHARES, price) == above
    assert price_below(SHARES, below) == price_above(SHARES, below) == below


def test_quantities_are_whole_shares_where_money_buys_one() -> None:
    for price_nanos in (NANOS // 10, 100 * NANOS, 99_999 * NANOS, 100_000 * NANOS):
        buys = quantity_for(SHARES, value_nanos=5_000 * NANOS, price_nanos=price_nanos)
        assert 0 < buys * price_nanos <= 5_000 * NANOS * NANOS
        assert buys % NANOS == 0 or buys < NANOS
    assert quantity_for(PAIRS, value_nanos=150 * NANOS, price_nanos=100 * NANOS) == 3 * NANOS // 2


def test_the_names_that_the_command_line_knows_are_those_that_there_are() -> None:
    assert STRATEGIES == NAMES
    with pytest.raises(StrategyUnknown, match="use dip-buyer, momentum, market-maker, hold"):
        strategy_by_name("buy-high")
    for name in NAMES:
        chosen = strategy_by_name(name)
        assert all(isinstance(value, int) for value in chosen.parameters.values())
        Signals(chosen.make(SHARES), lambda: 0)


def test_the_command_line_leaves_the_terms_of_a_trial_as_they_are() -> None:
    parser = argparse.ArgumentParser()
    add_trial(parser)
    plain = trial_terms(parser.parse_args(["--policy", "policy.yaml"]))
    assert plain == TrialTerms()
    told = ["--as", "desk", "--equity", "5000", "--seed", "7", "--slice-ms", "20", "--left-takes"]
    asked = trial_terms(parser.parse_args(["--policy", "p.yaml", *told, "--latency-ms", "3"]))
    assert asked == TrialTerms(
        strategy_name="desk",
        equity_nanos=5_000 * NANOS,
        seed=7,
        slice_ns=20_000_000,
        latency_ns=3_000_000,
        left_takes=True,
    )


# --- time and value ------------------------------------------------------------------------------


def test_slices_lie_on_a_grid_and_empty_ones_are_skipped() -> None:
    times = (0, 9, 10, 35)
    events = [structs.replace(quote(0, 1, 2), at_ns=100 + at) for at in times]
    slices = Slices(iter(events), began_ns=100, slice_ns=10)
    seen = []
    while (end_ns := slices.next_end_ns) is not None:
        seen.append((end_ns, [event.at_ns - 100 for event in slices.until(end_ns)]))
    assert seen == [(110, [0, 9]), (120, [10]), (140, [35])]


def test_a_mark_is_the_middle_of_a_usable_quote_else_the_last_trade_since() -> None:
    valuing = Valuing(cash_nanos=0, closes={"AAA": 90 * NANOS})
    valuing.positions["AAA"] = NANOS
    trade = TapeTrade(symbol="AAA", at_ns=0, price_nanos=95 * NANOS, size_nanos=NANOS)
    assert valuing.equity_nanos() == 90 * NANOS, "the prior close"
    valuing.on_trade(trade)
    assert valuing.equity_nanos() == 95 * NANOS
    assert valuing.on_quote(quote(0, 100, 102)) == 101 * NANOS
    valuing.on_trade(trade)
    assert valuing.equity_nanos() == 101 * NANOS, "a print beside a usable quote moves nothing"
    for bad in (quote(0, 0, 102), quote(0, 103, 102), quote(0, 1, 99_999), quote(0, 95, 100)):
        assert valuing.on_quote(bad) == 0
    assert valuing.equity_nanos() == 101 * NANOS
    valuing.on_trade(trade)
    assert valuing.equity_nanos() == 95 * NANOS


# --- liquidations --------------------------------------------------------------------------------


def close(quantity: int, price: int, *, attempt: int = 1) -> PublishOrder:
    return PublishOrder(
        order_id=f"o{attempt}",
        wire_id="w",
        broker_order_id="b",
        client_order_id=f"close/drawdown:account#1/AAA/{attempt}",
        strategy="",
        symbol="AAA",
        side=Side.SELL,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=quantity * NANOS,
        filled_quantity_nanos=quantity * NANOS,
        filled_price_nanos=price * NANOS,
        status=OrderStatus.FILLED,
        intent=Intent.PLAN,
        created_ns=0,
        updated_ns=0,
        event="fill",
        fill_quantity_nanos=quantity * NANOS,
        fill_price_nanos=price * NANOS,
    )


def test_a_liquidation_is_held_against_its_arrival_and_against_selling_at_once() -> None:
    """300 held at a middle of 100, 100 displayed at 99, then 100 at 90, then 100 at 60."""
    liquidating = Liquidating()
    trip, first = "drawdown:account#1", quote(0, 99, 101, size=100)
    liquidating.tripped(trip, "account")
    told = {"positions": {"AAA": 300 * NANOS}, "marks": {"AAA": 100 * NANOS}}
    quotes = {"AAA": first}
    plan = RecordPlan(trip=trip, stage="cancelling")
    liquidating.stage(plan, 10, quotes=quotes, **told)
    liquidating.filled(close(100, 98))
    liquidating.on_quote(quote(1, 90, 92, size=100))
    liquidating.on_quote(quote(2, 60, 62, size=100))
    liquidating.filled(close(200, 95, attempt=2))
    liquidating.stage(RecordPlan(trip=trip, stage="ended"), 30, quotes=quotes, **told)
    (outcome,) = liquidating.outcomes()
    assert (outcome.scope, outcome.began_ns, outcome.ended_ns) == ("account", 10, 30)
    assert outcome.arrival_value_nanos == 30_000 * NANOS
    assert outcome.proceeds_nanos == (9_800 + 19_000) * NANOS
    (leg,) = outcome.symbols
    assert leg.closed_nanos == leg.at_once_filled_nanos == 300 * NANOS
    assert (leg.average_nanos, leg.at_once_nanos) == (96 * NANOS, 83 * NANOS)
    assert (leg.slippage_nanos, leg.at_once_slippage_nanos) == (4 * NANOS // 100, 17 * NANOS // 100)
    assert outcome.slippage_nanos == leg.slippage_nanos
    assert outcome.at_once_slippage_nanos == leg.at_once_slippage_nanos


def test_a_symbols_plan_closes_that_symbol_and_may_open_again() -> None:
    liquidating = Liquidating()
    liquidating.tripped("loss#1", "symbol:AAA")
    told = {
        "positions": {"AAA": NANOS, "BBB": NANOS},
        "quotes": {"AAA": quote(0, 99, 101)},
        "marks": {"AAA": 100 * NANOS},
    }
    for stage, at_ns, ended_ns in (("cancelling", 1, 0), ("ended", 5, 5), ("closing", 7, 0)):
        liquidating.stage(RecordPlan(trip="loss#1", stage=stage), at_ns, **told)  # type: ignore[arg-type]
        (outcome,) = liquidating.outcomes()
        assert [leg.symbol for leg in outcome.symbols] == ["AAA"]
        assert (outcome.began_ns, outcome.ended_ns) == (1, ended_ns)


def test_a_short_is_bought_back_and_costs_when_it_rises() -> None:
    liquidating = Liquidating()
    liquidating.stage(
        RecordPlan(trip="t#1", stage="cancelling"),
        10,
        positions={"AAA": -100 * NANOS},
        quotes={"AAA": quote(0, 99, 103, size=100)},
        marks={"AAA": 100 * NANOS},
    )
    (outcome,) = liquidating.outcomes()
    assert outcome.ended_ns == 0
    assert outcome.symbols[0].at_once_slippage_nanos == 3 * NANOS // 100
    assert outcome.symbols[0].slippage_nanos == 0, "nothing of it traded yet"


def test_a_strategy_without_a_word_leaves_the_money_as_it_is() -> None:
    quiet = run_trial(crash(seconds=15), options(chosen_of(Scripted([])), STRICT))
    assert quiet.figures.capital_kept_nanos == NANOS
    assert quiet.figures.worst_drawdown_nanos == 0
    assert quiet.figures.orders.submitted == 0
