"""The generated tapes with levels: what they say happens, happens, and the calm ones stay calm."""

from collections import defaultdict
from functools import cache

import pytest

from fuseboard.feeds.tapes import depth_collapse, open_2015
from fuseboard.feeds.tapes.by_name import GENERATED, tape_by_name
from fuseboard.feeds.tapes.checked import findings_of
from fuseboard.feeds.tapes.deep_books import OPENING_DELAY, PAUSE
from fuseboard.feeds.tapes.findings import FindingKind
from fuseboard.feeds.tapes.flash_crash_2010 import at
from fuseboard.feeds.tapes.tape import Tape, TapeEvent, TapeHalt, TapeQuote, TapeTrade
from fuseboard.feeds.tapes.times import SECOND_NS
from fuseboard.vocabulary.money import NANOS

NAMES = ("depth-collapse-2010", "depth-calm", "open-2015", "open-calm")
CENT = NANOS // 100


@cache
def events(name: str) -> list[TapeEvent]:
    return list(GENERATED[name](1).read())


def quotes(name: str, symbol: str) -> list[TapeQuote]:
    return [e for e in events(name) if isinstance(e, TapeQuote) and e.symbol == symbol]


def trades(name: str, symbol: str) -> list[TapeTrade]:
    return [e for e in events(name) if isinstance(e, TapeTrade) and e.symbol == symbol]


def depth(quote: TapeQuote) -> int:
    return sum(size for _, size in (*quote.bids, *quote.asks))


def depth_at(name: str, symbol: str, at_ns: int) -> int:
    return depth([quote for quote in quotes(name, symbol) if quote.at_ns <= at_ns][-1])


def once_covered(name: str, measured: str) -> object:
    """The generators share their lines: one day is measured for coverage."""
    return pytest.param(name, marks=() if name == measured else pytest.mark.no_cover)


@pytest.mark.parametrize("name", [once_covered(name, "open-2015") for name in NAMES])
def test_a_seed_gives_one_tape_with_ten_levels_a_side_in_time_order(name: str) -> None:
    hours = "09:30-09:32" if name.startswith("open") else "14:25-14:27"
    first, again, other = (list(tape_by_name(f"{name}@{hours}", seed).read()) for seed in (7, 7, 8))
    assert first == again != other
    tape = tape_by_name(name)
    before_ns = tape.session.open_ns
    for event in events(name):
        assert before_ns <= event.at_ns <= tape.session.close_ns
        before_ns = event.at_ns
    leveled = [e for e in events(name) if isinstance(e, TapeQuote)]
    assert all(len(quote.asks) == 10 for quote in leveled)
    assert max(len(quote.bids) for quote in leveled) == 10
    assert {e.symbol for e in leveled if e.at_ns == tape.session.open_ns} == set(tape.symbols)
    assert "generated" in tape.describes
    assert "no market data" in tape.describes


def found(tape: Tape) -> set[FindingKind]:
    return {each.kind for each in findings_of(tape).findings}


def test_only_the_collapse_has_a_missing_side_and_wild_prints() -> None:
    odd = {FindingKind.ONE_SIDED, FindingKind.JUMP}
    assert found(tape_by_name("depth-collapse-2010@14:47-14:50")) == odd
    for name in ("depth-calm", "open-calm"):
        hours = "09:30-09:33" if name.startswith("open") else "14:40-14:43"
        assert found(tape_by_name(f"{name}@{hours}")) == set()


def test_the_book_thins_to_a_hundredth_and_is_filled_again() -> None:
    name = "depth-collapse-2010"
    for symbol in tape_by_name(name).symbols:
        whole = depth_at(name, symbol, at("14:31:59"))
        assert depth_at(name, symbol, at("14:41:00")) < whole // 2
        assert depth_at(name, symbol, at("14:45:29")) * 50 < whole
        assert depth_at(name, symbol, at("15:05:00")) * 2 > whole


def test_one_stock_loses_its_bids_then_has_stubs_and_prints_at_a_cent_and_comes_back() -> None:
    name, day = "depth-collapse-2010", depth_collapse.PARAMETERS
    shown = quotes(name, "ACN")
    stubs = [quote for quote in shown if quote.bid_nanos == CENT]
    gone = [quote for quote in shown if not quote.bids]
    assert gone
    assert all(quote.at_ns < day.stub[1] + SECOND_NS for quote in gone)
    assert len(stubs) > 50
    assert all(day.stub[0] <= quote.at_ns < day.stub[1] for quote in stubs)
    at_a_cent = [trade for trade in trades(name, "ACN") if trade.price_nanos == CENT]
    assert len(at_a_cent) > 50
    assert all(day.stub[0] <= trade.at_ns <= day.stub[1] for trade in at_a_cent)
    last, first = trades(name, "ACN")[-1], trades(name, "ACN")[0]
    assert abs(last.price_nanos - first.price_nanos) * 50 < first.price_nanos
    for symbol in ("SPY", "AAPL", "PG"):
        assert min(trade.price_nanos for trade in trades(name, symbol)) > 40 * NANOS


def test_funds_are_paused_again_and_again_for_five_minutes_and_nothing_trades_in_a_halt() -> None:
    halts: dict[str, list[TapeHalt]] = defaultdict(list)
    halted: dict[str, TapeHalt] = {}
    for event in events("open-2015"):
        if isinstance(event, TapeTrade):
            assert event.symbol not in halted
        elif isinstance(event, TapeHalt) and event.resumes:
            began = halted.pop(event.symbol)
            assert event.reason == began.reason
            if event.reason == PAUSE:
                assert event.at_ns - began.at_ns == 300 * SECOND_NS
        elif isinstance(event, TapeHalt):
            halts[event.symbol].append(event)
            halted[event.symbol] = event
    assert halted == {}
    pauses = {symbol: sum(halt.reason == PAUSE for halt in each) for symbol, each in halts.items()}
    assert pauses == {"RSP": 4, "DVY": 2, "JPM": 0, "GE": 0}


def test_two_stocks_open_late_and_their_first_print_is_after_that() -> None:
    day = open_2015.PARAMETERS
    for symbol, opens_ns in zip(("JPM", "GE"), day.delayed_ns, strict=True):
        halts = [
            (e.at_ns, e.resumes, e.reason)
            for e in events("open-2015")
            if isinstance(e, TapeHalt) and e.symbol == symbol
        ]
        assert halts[0] == (open_2015.SESSION.open_ns, False, OPENING_DELAY)
        resumed_ns, *rest = halts[1]
        assert rest == [True, OPENING_DELAY]
        assert opens_ns <= resumed_ns < opens_ns + SECOND_NS
        assert trades("open-2015", symbol)[0].at_ns > opens_ns


def test_funds_trade_far_under_what_their_basket_is_worth() -> None:
    closes = tape_by_name("open-2015").prior_close_nanos
    basket = min(trade.price_nanos for trade in trades("open-2015", "SPY")) / closes["SPY"]
    assert 0.91 < basket < 0.93
    for symbol in ("RSP", "DVY"):
        lowest = min(trade.price_nanos for trade in trades("open-2015", symbol)) / closes[symbol]
        assert lowest < basket - 0.15


@pytest.mark.no_cover
@pytest.mark.parametrize("name", ["depth-calm", "open-calm"])
def test_on_a_calm_day_nothing_is_halted_or_gone_and_prices_stay(name: str) -> None:
    assert not any(isinstance(event, TapeHalt) for event in events(name))
    for symbol in tape_by_name(name).symbols:
        prices = [trade.price_nanos for trade in trades(name, symbol)]
        assert max(prices) * 100 < min(prices) * 101
        depths = [depth(quote) for quote in quotes(name, symbol)]
        assert max(depths) < min(depths) * 5
