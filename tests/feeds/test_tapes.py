import os
from datetime import date, time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fuseboard.feeds.tapes import flash_crash_2010 as record
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.generated import value_at
from fuseboard.feeds.tapes.measuring import measured_cadence
from fuseboard.feeds.tapes.tape import (
    Session,
    Tape,
    TapeHalt,
    TapeKind,
    TapeQuote,
    TapeTrade,
    TapeUnreadable,
)
from fuseboard.feeds.tapes.times import SECOND_NS, day_ns_of_text, new_york_ns
from fuseboard.vocabulary.money import NANOS

PROJECT = Path(__file__).parents[2]
DATA = Path(os.environ.get("FUSEBOARD_DATA") or PROJECT / "../shared/data").resolve()
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded market data at {DATA}")


@pytest.fixture(autouse=True)
def _recorded_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUSEBOARD_DATA", str(DATA))


def trades_of(tape: Tape, symbol: str) -> list[TapeTrade]:
    return [e for e in tape.read() if isinstance(e, TapeTrade) and e.symbol == symbol]


def quotes_of(tape: Tape, symbol: str) -> list[TapeQuote]:
    return [e for e in tape.read() if isinstance(e, TapeQuote) and e.symbol == symbol]


@pytest.mark.no_cover
@given(st.sampled_from(["flash-crash", "normal", "recovery"]), st.integers(0, 2**32))
def test_a_generated_tape_is_in_order_whole_and_inside_its_hours(name: str, seed: int) -> None:
    tape = tape_by_name(name, seed).between(
        tape_by_name("flash-crash@14:44-14:49").session
        if name == "flash-crash"
        else tape_by_name(f"{name}@10:00-10:05").session
    )
    before_ns = tape.session.open_ns
    for event in tape.read():
        assert before_ns <= event.at_ns <= tape.session.close_ns
        before_ns = event.at_ns
        if isinstance(event, TapeQuote):
            assert 0 < event.bid_nanos < event.ask_nanos
            assert event.bid_size_nanos > 0
            assert event.ask_size_nanos > 0
        elif isinstance(event, TapeTrade):
            assert event.price_nanos > 0
            assert event.size_nanos > 0


@pytest.mark.no_cover
def test_the_same_seed_gives_the_same_tape_and_another_seed_another() -> None:
    first = list(tape_by_name("flash-crash", 7).read())
    assert first == list(tape_by_name("flash-crash", 7).read())
    assert first != list(tape_by_name("flash-crash", 8).read())


def test_a_generated_tape_keeps_its_declared_cadence() -> None:
    tape = tape_by_name("flash-crash")
    quotes = quotes_of(tape, "AAPL")
    gaps = {after.at_ns - before.at_ns for before, after in pairwise(quotes)}
    assert gaps == {tape.cadence.typical_gap_ns} == {tape.cadence.largest_gap_ns}


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_reconstruction_passes_through_the_published_lows(seed: int) -> None:
    tape = tape_by_name("flash-crash", seed)
    for symbol, low_cents in (("AAPL", 199_25), ("PG", 39_37)):
        trades = trades_of(tape, symbol)
        low = min(trades, key=lambda trade: trade.price_nanos)
        assert low.price_nanos == low_cents * NANOS // 100
        assert abs(low.at_ns - record.at("14:47:00")) < 30 * SECOND_NS
        assert trades[-1].price_nanos * 100 > trades[0].price_nanos * 97


def test_the_reconstruction_falls_as_much_as_the_report_says_before_the_pause() -> None:
    level = {wall: value_at(record.INDEX, record.at(wall)) for wall in ("14:41:00", "14:45:28")}
    assert level["14:45:28"] * 100 <= level["14:41:00"] * 95
    assert level["14:45:28"] == min(value for _, value in record.INDEX)


@pytest.mark.no_cover
def test_stub_quotes_show_only_in_the_crisis_and_no_trade_prints_at_one() -> None:
    tape = tape_by_name("flash-crash")
    stubs = [q for q in quotes_of(tape, "PG") if q.bid_nanos == NANOS // 100]
    assert stubs
    assert all(record.at("14:45:40") <= q.at_ns <= record.at("14:48:00") for q in stubs)
    assert all(t.price_nanos >= 39 * NANOS for t in trades_of(tape, "PG"))


def test_normal_never_moves_one_percent_and_recovery_ends_above_its_start() -> None:
    prices = [trade.price_nanos for trade in trades_of(tape_by_name("normal"), "AAPL")]
    assert max(prices) * 100 < min(prices) * 101
    prices = [trade.price_nanos for trade in trades_of(tape_by_name("recovery"), "AAPL")]
    assert min(prices) * 100 < prices[0] * 99
    assert prices[-1] * 100 > prices[0] * 102


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("nonsense", "flash-crash"),
        ("flash-crash@noon", "14:30-15:10"),
        ("flash-crash@15:00-14:30", "does not end after it begins"),
        ("flash-crash@14:30-14:30", "does not end after it begins"),
        ("us-equity-tomorrow", "2010-05-06"),
        ("crypto-2025-10-10:NOT", "ATOMUSD_PERP"),
        ("/nowhere/trades.csv.gz", "/nowhere/trades.csv.gz"),
        ("/nowhere/AAPL.parquet:2010-05-06", "/nowhere/AAPL.parquet"),
    ],
)
def test_a_tape_that_is_not_there_says_what_to_type(name: str, advice: str) -> None:
    with pytest.raises(TapeUnreadable, match=advice):
        tape_by_name(name)


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "trades.csv.gz"
    path.write_bytes(gzip.compress(b"time,price\n1,2\n"))
    with pytest.raises(TapeUnreadable, match="header"):
        tape_by_name(str(path))


def test_new_york_wall_time_follows_daylight_saving() -> None:
    summer, winter = date(2010, 5, 6), date(2010, 1, 6)
    assert new_york_ns(summer, time(9, 30)) % (86_400 * SECOND_NS) == day_ns_of_text("13:30")
    assert new_york_ns(winter, time(9, 30)) % (86_400 * SECOND_NS) == day_ns_of_text("14:30")


def test_the_cadence_of_fewer_than_two_events_is_not_guessed() -> None:
    with pytest.raises(TapeUnreadable):
        measured_cadence([5, 5], sampled=False)


@needs_data
def test_the_recorded_crash_day_is_sorted_and_in_new_york_time() -> None:
    tape = tape_by_name("us-equity-2010-05-06:AAPL,PG")
    events = list(tape.read())
    assert events == sorted(events, key=lambda event: event.at_ns)
    assert tape.session.open_ns <= events[0].at_ns <= events[-1].at_ns <= tape.session.close_ns
    low = min(trades_of(tape, "AAPL"), key=lambda trade: trade.price_nanos)
    assert low.price_nanos == 208 * NANOS
    assert abs(low.at_ns - record.at("14:46:18")) < SECOND_NS
    widest = max(quotes_of(tape, "AAPL"), key=lambda q: q.ask_nanos - q.bid_nanos)
    assert (widest.bid_nanos, widest.ask_nanos) == (205 * NANOS, 212_520_000_000)
    assert widest.bid_size_nanos == 100 * NANOS
    assert tape.cadence.sampled
    assert tape.cadence.typical_gap_ns > 60 * SECOND_NS
    assert 255 * NANOS < tape.prior_close_nanos["AAPL"] < 256 * NANOS


@needs_data
def test_a_recorded_tape_can_be_cut_to_hours() -> None:
    tape = tape_by_name("us-equity-2010-05-06:AAPL@14:30-15:10")
    events = list(tape.read())
    assert len(events) == 77  # one of them is the quote that stood at 14:30
    assert isinstance(events[0], TapeQuote)
    assert events[0].at_ns == record.at("14:30")
    assert all(record.at("14:30") <= event.at_ns <= record.at("15:10") for event in events)


@needs_data
def test_the_recorded_crypto_cascade_has_derived_quotes_around_each_trade() -> None:
    tape = tape_by_name("crypto-2025-10-10@21:15-21:30")
    assert tape.kind is TapeKind.CRYPTO
    last: TapeTrade | None = None
    low = 10 * NANOS
    for event in tape.read():
        if isinstance(event, TapeTrade):
            last = event
            low = min(low, event.price_nanos)
            continue
        assert isinstance(event, TapeQuote)
        assert event.derived
        if last is None:  # the quote that stood when the hours begin
            continue
        assert event.ask_nanos - event.bid_nanos == NANOS // 1_000
        assert last.price_nanos in (event.bid_nanos, event.ask_nanos)
        assert event.bid_size_nanos == event.ask_size_nanos == last.size_nanos
    assert low == 1_055 * NANOS // 1_000


def test_a_halt_that_stands_when_the_hours_begin_is_repeated_then_and_one_that_is_over_is_not() -> (
    None
):
    halts = [
        TapeHalt(symbol="AAPL", at_ns=1),
        TapeHalt(symbol="MSFT", at_ns=2),
        TapeHalt(symbol="MSFT", at_ns=3, resumes=True),
        TapeHalt(symbol="AAPL", at_ns=9, resumes=True),
    ]
    tape = structs.replace(tape_by_name("normal"), read=lambda: iter(halts))
    part = tape.between(Session(open_ns=5, close_ns=10))
    assert list(part.read()) == [TapeHalt(symbol="AAPL", at_ns=5), halts[3]]


@pytest.mark.no_cover
def test_every_symbol_is_quoted_from_the_first_moment() -> None:
    for name in ("flash-crash", "flash-crash@14:44-14:46", "normal"):
        tape = tape_by_name(name)
        first = [e for e in tape.read() if e.at_ns == tape.session.open_ns]
        assert {e.symbol for e in first if isinstance(e, TapeQuote)} == set(tape.symbols)
