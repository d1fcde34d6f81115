from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.feeds.tapes import days
from fuseboard.feeds.tapes.bars import Bar, prints_of
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.checked import findings_of
from fuseboard.feeds.tapes.daily_prices import daily_prices
from fuseboard.feeds.tapes.findings import FindingKind, Findings
from fuseboard.feeds.tapes.tape import TapeHalt, TapeUnreadable
from fuseboard.feeds.tapes.times import SECOND_NS
from fuseboard.vocabulary.money import NANOS, nanos_from_text
from tests.feeds.tape_files import gzipped, quotes_in, trades_in, zipped

MINUTE_NS = 60 * SECOND_NS
SPY_HEADER = "index,open,high,low,close,volume,average,barcount\n"
KLINES_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore\n"
)


def bar(prices: tuple[int, int, int, int], volume: int = 10, span: tuple[int, int] = (0, 9)) -> Bar:
    opened, high, low, closed = prices
    return Bar(
        symbol="ABC",
        opens_ns=span[0],
        ends_ns=span[1],
        open_nanos=opened,
        high_nanos=high,
        low_nanos=low,
        close_nanos=closed,
        volume_nanos=volume,
    )


def prices_of(a_bar: Bar) -> list[int]:
    return [each.price_nanos for each in prints_of(a_bar, Findings())]


def test_a_falling_bar_shows_its_high_first_and_any_other_its_low() -> None:
    assert prices_of(bar((100, 105, 90, 95))) == [100, 105, 90, 95]
    assert prices_of(bar((95, 105, 90, 100))) == [95, 90, 105, 100]
    assert prices_of(bar((95, 105, 90, 95))) == [95, 90, 105, 95]
    assert prices_of(bar((95, 95, 95, 95))) == [95]


@given(
    st.lists(st.integers(1, 200), min_size=4, max_size=4),
    st.integers(1, 1_000),
    st.integers(4, 10_000),
)
def test_prints_stay_inside_the_bar_move_least_and_lose_no_volume(
    prices: list[int], volume: int, period_ns: int
) -> None:
    low, opened, closed, high = sorted(prices)
    for opens, closes in ((opened, closed), (closed, opened)):
        told = prints_of(bar((opens, high, low, closes), volume, (50, 50 + period_ns)), Findings())
        times = [each.at_ns for each in told]
        assert times == sorted(times)
        assert 50 <= times[0] <= times[-1] < 50 + period_ns
        assert told[-1].price_nanos == closes
        assert max(each.price_nanos for each in told) == high
        assert min(each.price_nanos for each in told) == low
        path = [opens, *(each.price_nanos for each in told)]
        moved = sum(abs(after - before) for before, after in pairwise(path))
        orders = ((opens, high, low, closes), (opens, low, high, closes))
        assert moved == min(sum(abs(b - a) for a, b in pairwise(order)) for order in orders)
        if volume >= 4:
            assert sum(each.size_nanos for each in told) == volume


def test_a_bar_without_volume_or_one_that_contradicts_itself_has_no_prints() -> None:
    found = Findings()
    assert prints_of(bar((95, 95, 95, 95), volume=0), found) == []
    assert prints_of(bar((95, 94, 90, 95)), found) == []
    assert prints_of(bar((95, 99, 96, 97)), found) == []
    assert found.told().count_of(FindingKind.LEFT_OUT) == 3


# --- SPY, five minutes ---------------------------------------------------------------------------


def spy(folder: Path, *rows: str) -> str:
    path = gzipped(folder / "spy.csv.gz", SPY_HEADER + "".join(f"{row}\n" for row in rows))
    return f"spy-5min:{path}"


HALT_DAY = (
    "2020-03-17 19:59:00,250,251,249,250.5,10.0,1,1",
    "2020-03-18 16:59:00,236,237,235,236.5,10.0,1,1",
    "2020-03-18 17:04:00,236.5,236.5,236.5,236.5,0.0,1,0",
    "2020-03-18 17:09:00,236.5,236.5,236.5,236.5,0.0,1,0",
    "2020-03-18 17:14:00,236,236,234,235,10.0,1,1",
    "2020-03-19 13:34:00,1,1,1,1,10.0,1,1",
)


def test_a_stamp_is_the_last_minute_of_its_bar_and_volume_counts_hundreds(tmp_path: Path) -> None:
    tape = tape_by_name(f"{spy(tmp_path, *HALT_DAY)}:2020-03-18")
    first = trades_in(tape)[:4]
    opens_ns = 1_584_550_500 * SECOND_NS  # 16:55 UTC
    assert [each.at_ns - opens_ns for each in first] == [
        0,
        100 * SECOND_NS,
        200 * SECOND_NS,
        300 * SECOND_NS - 1,
    ]
    assert sum(each.size_nanos for each in first) == 1_000 * NANOS
    assert tape.prior_close_nanos == {"SPY": nanos_from_text("250.5")}
    assert tape.cadence.sampled
    quote = quotes_in(tape)[0]
    assert quote.derived
    assert (quote.bid_nanos, quote.ask_nanos) == (235_980_000_000, 236_020_000_000)


def test_the_known_halt_is_told_without_a_print_and_a_hole_is_not_called_one(
    tmp_path: Path,
) -> None:
    tape = tape_by_name(f"{spy(tmp_path, *HALT_DAY)}:2020-03-18")
    halts = [event for event in tape.read() if isinstance(event, TapeHalt)]
    start_ns = 1_584_550_800 * SECOND_NS  # 17:00 UTC
    assert [(each.at_ns - start_ns, each.resumes) for each in halts] == [
        (0, False),
        (10 * MINUTE_NS, True),
    ]
    assert {each.reason for each in halts} == {"MWC1"}
    assert not [t for t in trades_in(tape) if 0 <= t.at_ns - start_ns < 10 * MINUTE_NS]
    other = [row.replace("2020-03-18", "2020-12-07") for row in HALT_DAY[1:5]]
    hole = tape_by_name(f"{spy(tmp_path, *other)}:2020-12-07")
    assert not [event for event in hole.read() if isinstance(event, TapeHalt)]
    assert findings_of(hole).count_of(FindingKind.LEFT_OUT) == 2


def test_a_first_hour_that_is_missing_is_counted_as_silence(tmp_path: Path) -> None:
    found = findings_of(tape_by_name(f"{spy(tmp_path, *HALT_DAY[1:4])}:2020-03-18"))
    gap = next(each for each in found.findings if each.kind is FindingKind.GAP)
    assert "nothing for 12300 s" in gap.first_says  # from 09:30 in New York


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (("noon,1,1,1,1,1.0,1,1",), "line 2: expected a time such as"),
        ((HALT_DAY[0], "2020-03-18 17:04:00,x,1,1,1,1.0,1,1"), "line 3: expected an open"),
        ((HALT_DAY[0], "2020-03-18 17:04:00,1,1"), "line 3: expected 8 fields"),
        (HALT_DAY[:1], "no bars of 2020-03-18"),
    ],
)
def test_a_malformed_bar_is_named(tmp_path: Path, rows: tuple[str, ...], says: str) -> None:
    with pytest.raises(TapeUnreadable, match=says):
        tape_by_name(f"{spy(tmp_path, *rows)}:2020-03-18")


# --- daily ---------------------------------------------------------------------------------------


def test_closes_of_many_are_one_print_each_at_the_end_of_the_day(tmp_path: Path) -> None:
    path = gzipped(tmp_path / "c.csv.gz", "Date,AAA,BBB\n2020-03-18,1.5,20\n2020-03-19,1.6,21\n")
    tape = tape_by_name(f"daily:{path}")
    assert [(t.symbol, t.price_nanos) for t in trades_in(tape)] == [
        ("AAA", 1_500_000_000),
        ("BBB", 20 * NANOS),
        ("AAA", 1_600_000_000),
        ("BBB", 21 * NANOS),
    ]
    assert trades_in(tape)[0].at_ns == 1_584_561_600 * SECOND_NS - 1  # 16:00 in New York


def test_a_share_that_the_file_does_not_have_is_refused(tmp_path: Path) -> None:
    path = gzipped(tmp_path / "c.csv.gz", "Date,AAA,BBB\n2020-03-18,1.5,20\n")
    assert daily_prices(path, name="c", only=("BBB",)).symbols == ("BBB",)
    with pytest.raises(TapeUnreadable, match="CCC is not among AAA, BBB"):
        daily_prices(path, name="c", only=("BBB", "CCC"))


def test_days_cut_a_tape_and_what_was_before_is_the_prior_close(tmp_path: Path) -> None:
    path = gzipped(tmp_path / "c.csv.gz", "Date,AAA\n2020-03-17,1\n2020-03-18,2\n2020-03-19,3\n")
    tape = tape_by_name(f"daily:{path}@2020-03-18..2020-03-18")
    assert [t.price_nanos for t in trades_in(tape)] == [2 * NANOS]
    assert tape.prior_close_nanos == {"AAA": NANOS}
    for typed, says in (("2020-03-18..soon", "not a pair of days"), ("2020-3-18..x", "pair")):
        with pytest.raises(TapeUnreadable, match=says):
            tape_by_name(f"daily:{path}@{typed}")
    with pytest.raises(TapeUnreadable, match="ends before it begins"):
        tape_by_name(f"daily:{path}@2020-03-19..2020-03-18")


def test_days_out_of_a_record_are_read_once_and_kept_unless_they_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = gzipped(tmp_path / "c.csv.gz", "Date,AAA\n2020-03-17,1\n2020-03-18,2\n2020-03-19,3\n")
    name = f"daily:{path}@2020-03-18..2020-03-19"
    monkeypatch.setattr(days, "_ENOUGH", 4)
    streamed = tape_by_name(name)
    monkeypatch.undo()
    kept = tape_by_name(name)
    events = list(streamed.read())
    path.unlink()
    assert list(kept.read()) == list(kept.read()) == events
    assert kept.prior_close_nanos == streamed.prior_close_nanos == {"AAA": NANOS}
    with pytest.raises(TapeUnreadable):
        next(streamed.read())


def test_bars_of_one_are_read_with_or_without_volume(tmp_path: Path) -> None:
    with_volume = gzipped(
        tmp_path / "abc.csv.gz",
        "Date,Open,High,Low,Close,Adj Close,Volume\n1/4/1999,10,12,9,11,11,400\n",
    )
    first = tape_by_name(f"daily:{with_volume}")
    assert first.symbols == ("ABC",)
    assert [(t.price_nanos // NANOS, t.size_nanos // NANOS) for t in trades_in(first)] == [
        (10, 100),
        (9, 100),
        (12, 100),
        (11, 100),
    ]
    without = tmp_path / "vix.csv"
    without.write_text("DATE,OPEN,HIGH,LOW,CLOSE\n1990-01-02,18,19,17,17.5\n")
    assert [t.size_nanos for t in trades_in(tape_by_name(f"daily:{without}"))] == [NANOS] * 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("time,price\n1,2\n", "line 1: expected the header Date,Open"),
        ("Date,AAA\n2020-03-18,1\n18.3.2020,1\n", "line 3: expected a day"),
        ("Date,AAA\n2020-03-18,1,2\n", "line 2: expected 2 fields"),
        ("Date,AAA\n2020-03-18,\n", "line 2: expected a close"),
        ("Date,AAA\n", "has no days"),
    ],
)
def test_a_malformed_day_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(TapeUnreadable, match=says):
        tape_by_name(f"daily:{gzipped(tmp_path / 'd.csv.gz', text)}")


# --- klines --------------------------------------------------------------------------------------


def kline(opens_ms: int, price: int) -> str:
    return (
        f"{opens_ms},{price},{price + 2},{price - 2},{price + 1},0,{opens_ms + 59_999},0,60,0,0,0\n"
    )


def test_a_mark_price_is_printed_though_it_has_no_volume_and_knows_the_day_before(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ABC_PERP-1m-2025-10-10.zip"
    zipped(path, {"a.csv": KLINES_HEADER + kline(60_000, 100)})
    assert tape_by_name(f"mark-klines:{path}").prior_close_nanos == {}
    zipped(tmp_path / "ABC_PERP-1m-2025-10-09.zip", {"a.csv": KLINES_HEADER + kline(0, 70)})
    tape = tape_by_name(f"mark-klines:{path}")
    assert tape.prior_close_nanos == {"ABC_PERP": 71 * NANOS}
    assert [(t.at_ns // MINUTE_NS, t.price_nanos // NANOS) for t in trades_in(tape)] == [
        (1, 100),
        (1, 98),
        (1, 102),
        (1, 101),
    ]
    assert "computed and not traded" in tape.describes


def test_klines_under_another_name_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "klines.zip", {"a.csv": KLINES_HEADER})
    with pytest.raises(TapeUnreadable, match="SYMBOL-1m-YYYY-MM-DD"):
        tape_by_name(f"mark-klines:{path}")


def test_klines_without_a_bar_are_no_tape(tmp_path: Path) -> None:
    path = zipped(tmp_path / "ABC_PERP-1m-2025-10-10.zip", {"a.csv": KLINES_HEADER})
    with pytest.raises(TapeUnreadable, match="has no bars"):
        tape_by_name(f"mark-klines:{path}")
