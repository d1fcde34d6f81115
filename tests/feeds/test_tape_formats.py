"""Lean's seconds, aggregated trades, depth bands, trades; and what all files have in common."""

import zlib
from pathlib import Path

import pytest

from fuseboard.feeds.tapes import rows
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.checked import findings_of
from fuseboard.feeds.tapes.findings import FindingKind, Findings
from fuseboard.feeds.tapes.measuring import measured
from fuseboard.feeds.tapes.rows import integer_of, lines_of, nanos_of
from fuseboard.feeds.tapes.tape import Tape, TapeUnreadable
from fuseboard.feeds.tapes.times import SECOND_NS
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from tests.feeds.tape_files import gzipped, quotes_in, trades_in, zipped

MIDNIGHT_NS = 1_381_118_400 * SECOND_NS  # 7 October 2013 in New York


def lean(folder: Path, quotes: str, trades: str) -> Tape:
    stem = folder / "second_spy_20131007_"
    zipped(Path(f"{stem}trade.zip"), {"t.csv": trades})
    return tape_by_name(f"lean-seconds:{zipped(Path(f'{stem}quote.zip'), {'q.csv': quotes})}")


def test_leans_seconds_are_the_last_quote_and_prints_by_time(tmp_path: Path) -> None:
    quotes = (
        "34200000,1,1,1,1672700,100,1,1,1,1673000,200\n"
        "34202000,,,,,,1674000,1674000,1674000,1674000,5\n"
    )
    tape = lean(tmp_path, quotes, "34201000,1672800,1672900,1672800,1672900,8\n")
    opens_ns = MIDNIGHT_NS + 34_200 * SECOND_NS
    first, second = quotes_in(tape)
    assert first.at_ns == opens_ns + SECOND_NS - 1
    assert (first.bid_nanos, first.bid_size_nanos) == (167_270_000_000, 100 * NANOS)
    assert (first.ask_nanos, first.ask_size_nanos) == (167_300_000_000, 200 * NANOS)
    assert not first.derived
    assert (second.bid_nanos, second.bid_size_nanos, second.ask_size_nanos) == (0, 0, 5 * NANOS)
    prints = trades_in(tape)
    assert [each.price_nanos // 10_000_000 for each in prints] == [16728, 16728, 16729, 16729]
    assert all(SECOND_NS <= each.at_ns - opens_ns < 2 * SECOND_NS for each in prints)
    assert [type(event).__name__ for event in tape.read()] == [
        "TapeQuote",
        *["TapeTrade"] * 4,
        "TapeQuote",
    ]
    assert findings_of(tape).count_of(FindingKind.ONE_SIDED) == 1


def test_a_malformed_second_names_its_own_file(tmp_path: Path) -> None:
    good = "34200000,1,1,1,1672700,100,1,1,1,1673000,200\n"
    with pytest.raises(TapeUnreadable, match=r"_trade\.zip, line 2: expected 6 fields"):
        list(lean(tmp_path, good, "34200000,1,1,1,1,1\n34201000,1,1\n").read())
    with pytest.raises(TapeUnreadable, match=r"_quote\.zip, line 1: expected milliseconds"):
        list(lean(tmp_path, good.replace("34200000", "99999999"), "").read())
    with pytest.raises(TapeUnreadable, match="second_SYMBOL_YYYYMMDD"):
        tape_by_name(f"lean-seconds:{tmp_path}/quotes.zip")


def test_leans_days_are_bars(tmp_path: Path) -> None:
    path = zipped(tmp_path / "spy.zip", {"spy.csv": "20200318 00:00,10000,12000,9000,11000,400\n"})
    tape = tape_by_name(f"lean-daily:{path}")
    assert [each.price_nanos for each in trades_in(tape)] == [
        NANOS,
        9 * NANOS // 10,
        12 * NANOS // 10,
        11 * NANOS // 10,
    ]
    bad = zipped(tmp_path / "bad.zip", {"spy.csv": "20200318,1,1,1,1,1\n"})
    with pytest.raises(TapeUnreadable, match="line 1: expected a day"):
        tape_by_name(f"lean-daily:{bad}")


# --- crypto trades -------------------------------------------------------------------------------


def agg(folder: Path, *trades: str) -> Tape:
    path = zipped(folder / "ABC-aggTrades-2025-10-04.zip", {"a.csv": "".join(trades)})
    return tape_by_name(f"agg-trades:{path}")


def test_aggregated_trades_have_the_takers_side_and_either_unit_of_time(tmp_path: Path) -> None:
    tape = agg(
        tmp_path,
        "1,10.50000000,0.5,1,2,1759536000061015,True,True\n",
        "2,10.60000000,0.5,3,3,1759536001061,False,True\n",
    )
    first, second = trades_in(tape)
    assert (first.at_ns, first.aggressor) == (1_759_536_000_061_015_000, Side.SELL)
    assert (second.at_ns, second.aggressor) == (1_759_536_001_061_000_000, Side.BUY)
    assert tape.prior_close_nanos == {"ABC": 10_500_000_000}
    sold, bought = quotes_in(tape)
    assert (sold.bid_nanos, sold.ask_nanos) == (10_500_000_000, 10_600_000_000)
    assert (bought.bid_nanos, bought.ask_nanos) == (10_500_000_000, 10_600_000_000)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("2,1,1,3,3,17595360,False,True\n", "line 2: expected a time of 16 digits"),
        ("2,1,1,3,3,1759536001061,maybe,True\n", "line 2: expected whether the buyer"),
        ("2,1,1\n", "line 2: expected 8 fields"),
        ("2,nan,1,3,3,1759536001061,False,True\n", "line 2: expected a price"),
    ],
)
def test_a_malformed_aggregated_trade_is_named(tmp_path: Path, row: str, says: str) -> None:
    good = "1,1,1,1,1,1759536000061,True,True\n"
    with pytest.raises(TapeUnreadable, match=says):
        list(agg(tmp_path, good, row, good.replace("061,", "961,")).read())


def test_trades_keep_a_size_with_an_exponent_and_put_late_rows_in_their_place(
    tmp_path: Path,
) -> None:
    path = gzipped(
        tmp_path / "t.csv.gz",
        "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
        "x,ABC,2000000,0,1,buy,10.5,7.3e-7\n"
        "x,ABC,4000000,0,2,sell,10.4,1\n"
        "x,ABC,3500000,0,3,unknown,10.6,1\n",
    )
    tape = tape_by_name(f"trades:{path}")
    prints = trades_in(tape)
    assert prints[0].size_nanos == 730
    assert [(t.price_nanos // 10**8, t.aggressor) for t in prints] == [
        (105, Side.BUY),
        (106, None),
        (104, Side.SELL),
    ]
    assert tape.prior_close_nanos == {"ABC": 10_500_000_000}
    assert findings_of(tape).count_of(FindingKind.LATE) == 2  # the print and its quote


# --- depth bands ---------------------------------------------------------------------------------


def bands(stamp: str, bid: int, ask: int, skip: str = "") -> str:
    """Ten bands: each percent has one more coin, a percent away from the one before."""
    rows = []
    for side, first in ((-1, bid), (1, ask)):
        size = value = 0
        for percent in range(1, 6):
            size, value = size + percent, value + percent * (first + side * (percent - 1))
            rows.append((side * percent, f"{stamp},{side * percent},{size},{value},0\n"))
    return "".join(row for at, row in sorted(rows) if str(at) != skip)


def bands_tape(folder: Path, text: str) -> Tape:
    path = folder / "ABC-bookDepth-2025-10-10.csv"
    path.write_text("timestamp,percentage,depth,notional,weighted_avg_price\n" + text)
    return tape_by_name(f"depth-bands:{path}")


def test_bands_are_levels_until_the_sides_cross_and_a_space_before_a_time_is_no_harm(
    tmp_path: Path,
) -> None:
    whole = bands("2025-10-10 00:00:07", 100, 102)
    with_space = bands("2025-10-10 00:00:37", 101, 103).replace("2025", " 2025", 1)
    tape = bands_tape(
        tmp_path,
        whole
        + with_space
        + bands("2025-10-10 00:01:07", 100, 102, skip="-3")
        + bands("2025-10-10 00:01:37", 104, 103)
        + bands("2025-10-10 00:02:07", 100, 102)
        + "what is never read\n",
    )
    first, second = quotes_in(tape)
    assert [price // NANOS for price, _ in first.bids] == [100, 99, 98, 97, 96]
    assert [size // NANOS for _, size in first.asks] == [1, 2, 3, 4, 5]
    assert first.derived
    assert second.bid_nanos == 101 * NANOS
    (left_out,) = findings_of(tape).findings
    assert (left_out.count, left_out.first_row) == (2, 22)
    assert "a snapshot of 9 bands" in left_out.first_says


def test_where_the_sides_cross_is_said_with_its_line(tmp_path: Path) -> None:
    text = "".join(bands(f"2025-10-10 00:0{i}:07", 100, 102) for i in range(2))
    tape = bands_tape(tmp_path, text + bands("2025-10-10 00:02:07", 104, 103))
    (left_out,) = findings_of(tape).findings
    assert left_out.first_row == 22
    assert "one of them is frozen" in left_out.first_says


@pytest.mark.parametrize(
    ("whole", "instead"),
    [
        ("-2,3,298,0", "-2,1,298,0"),  # nothing between one and two percent
        ("-2,3,298,0", "-2,3,304,0"),  # better than the first percent
        ("3,6,620,0", "3,6,300,0"),  # worth less than nothing
    ],
)
def test_bands_that_are_no_book_are_left_out(tmp_path: Path, whole: str, instead: str) -> None:
    told = [bands(f"2025-10-10 00:0{minute}:07", 100, 102) for minute in range(3)]
    assert f",{whole}\n" in told[1]
    bad = told[1].replace(f",{whole}\n", f",{instead}\n")
    tape = bands_tape(tmp_path, told[0] + bad + told[2])
    assert len(quotes_in(tape)) == 2
    (left_out,) = findings_of(tape).findings
    assert "do not lie one behind the other" in left_out.first_says


def test_a_malformed_band_is_named(tmp_path: Path) -> None:
    text = bands("2025-10-10 00:00:07", 100, 102)
    with pytest.raises(TapeUnreadable, match="line 12: expected a time such as"):
        bands_tape(tmp_path, f"{text}later,1,1,1,1\n")


# --- files ---------------------------------------------------------------------------------------


def test_a_file_that_was_cut_off_or_damaged_is_said_with_its_line(tmp_path: Path) -> None:
    text = "".join(f"line {number} {zlib.crc32(b'%d' % number)}\n" for number in range(5_000))
    path = gzipped(tmp_path / "whole.gz", text)
    assert len(list(lines_of(path, Findings()))) == 5_000
    cut = tmp_path / "cut.gz"
    cut.write_bytes(path.read_bytes()[:-2_000])
    with pytest.raises(TapeUnreadable, match=r"cut\.gz cannot be read further than line [1-9]"):
        list(lines_of(cut, Findings()))
    no_zip = tmp_path / "no.zip"
    no_zip.write_text("no zip")
    for name in (f"lobster:{no_zip}", f"lean-daily:{no_zip}"):
        with pytest.raises(TapeUnreadable, match="zip"):
            tape_by_name(name)
    two = zipped(tmp_path / "two.zip", {"a.csv": "", "b.csv": ""})
    with pytest.raises(TapeUnreadable, match="2 members"):
        list(lines_of(two, Findings()))
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"\xff\xfe\n")
    with pytest.raises(TapeUnreadable, match="cannot be read further"):
        list(lines_of(bad, Findings()))


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LINE_CHARS_MAX", 10)
    path = tmp_path / "long.csv"
    path.write_text("short\n" + "x" * 20)
    with pytest.raises(TapeUnreadable, match="line 2: expected a line shorter"):
        list(lines_of(path, Findings()))


@pytest.mark.parametrize("text", ["", "-", "+1", " 1", "1_0", "1.0", "٣", "9" * 20])
def test_a_whole_number_is_strict(text: str) -> None:
    with pytest.raises(TapeUnreadable, match="the tape: expected a size, a whole number"):
        integer_of(text, "a size", Findings())


@pytest.mark.parametrize("text", ["", "nan", "Infinity", "1_0", "1e-10", "1e99", "e5", "1e", "1 "])
def test_a_decimal_is_strict(text: str) -> None:
    with pytest.raises(TapeUnreadable, match="expected a price"):
        nanos_of(text, "a price", Findings())


def test_the_typical_gap_is_within_a_sixteenth_and_the_largest_exact() -> None:
    gaps = [1_000 + 7 * number for number in range(1_000)]
    times = [0]
    for gap in gaps:
        times += [times[-1] + gap, times[-1] + gap]
    told = measured(times, sampled=False)
    median = gaps[500]
    assert median * 15 // 16 <= told.cadence.typical_gap_ns <= median
    assert told.cadence.largest_gap_ns == gaps[-1]
    assert (told.session.open_ns, told.session.close_ns) == (0, times[-1])
