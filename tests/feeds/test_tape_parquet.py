from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.checked import findings_of
from fuseboard.feeds.tapes.findings import FindingKind
from fuseboard.feeds.tapes.tape import TapeUnreadable
from fuseboard.vocabulary.money import NANOS
from tests.feeds.tape_files import trades_in

Row = dict[str, object]


def row(time: str, price: float | None, bid: float | str = 9.0, day: str = "2010-05-06") -> Row:
    return {
        "index": f"{day}T{time}",
        "bid-price": bid,
        "bid-volume": 1,
        "ask-price": 11.0,
        "ask-volume": 2,
        "trade-price": price,
        "trade-volume": 100,
    }


def tape_of(folder: Path, *rows: Row) -> str:
    parquet.write_table(arrow.Table.from_pylist(list(rows)), folder / "ABC.parquet")
    return f"{folder / 'ABC.parquet'}:2010-05-06"


def test_shuffled_rows_are_sorted_and_one_without_a_trade_is_left_out_and_said(
    tmp_path: Path,
) -> None:
    name = tape_of(tmp_path, row("10:00:02", 12.0), row("10:00:01", None), row("10:00:00", 10.0))
    tape = tape_by_name(name)
    assert [trade.price_nanos // NANOS for trade in trades_in(tape)] == [10, 12]
    found = findings_of(tape)
    assert found.count_of(FindingKind.LEFT_OUT) == 1
    assert found.count_of(FindingKind.BEYOND_QUOTE) == 1


def test_what_is_no_such_file_or_price_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ABC.parquet"
    path.write_text("no parquet")
    with pytest.raises(TapeUnreadable, match=r"ABC\.parquet is no parquet file with index"):
        tape_by_name(f"{path}:2010-05-06")
    name = tape_of(tmp_path, row("10:00:00", 10.0, "nine"), row("10:00:01", 10.0, "9"))
    with pytest.raises(TapeUnreadable, match=r"ABC\.parquet, row 2010-05-06T10:00:00"):
        tape_by_name(name)
    no_time = {**row("10:00:00", 10.0), "index": None}
    with pytest.raises(TapeUnreadable, match="1 rows without a time"):
        tape_by_name(tape_of(tmp_path, row("10:00:01", 10.0), no_time))
    with pytest.raises(TapeUnreadable, match="no rows on that day"):
        tape_by_name(tape_of(tmp_path, row("10:00:01", 10.0)).replace("05-06", "05-07"))


def test_the_gap_that_was_known_is_of_the_last_day_recorded_before_the_tape(tmp_path: Path) -> None:
    """Whatever the day itself turns out to be, and whatever follows; 0 where nothing was before."""
    own = [row(f"10:00:{second:02}", 10.0) for second in range(0, 60, 2)]
    later = [row(f"10:{minute:02}:00", 10.0, day="2010-05-07") for minute in range(5)]
    alone = tape_by_name(tape_of(tmp_path, *own, *later)).cadence
    assert (alone.known_gap_ns, alone.known_before_ns()) == (0, 0)
    before = [row(f"10:00:{second:02}", 10.0, day="2010-05-04") for second in range(0, 60, 16)]
    older = [row(f"10:0{minute}:00", 10.0, day="2010-05-03") for minute in range(5)]
    known = tape_by_name(tape_of(tmp_path, *older, *before, *own, *later)).cadence
    assert known.known_before_ns() == 16 * NANOS
    assert known.typical_gap_ns == alone.typical_gap_ns == 2 * NANOS
    single = tape_by_name(tape_of(tmp_path, *before[:1], *own)).cadence
    assert single.known_before_ns() == 0


def test_a_month_has_all_of_its_days_and_what_was_before_it_is_known(tmp_path: Path) -> None:
    april = [row(f"15:0{minute}:00", 7.0, day="2010-04-30") for minute in range(3)]
    may = [row("10:00:00", 10.0, day="2010-05-03"), row("10:00:00", 11.0, day="2010-05-28")]
    name = tape_of(tmp_path, *may, row("10:00:00", 12.0, day="2010-06-01"), *april)
    tape = tape_by_name(name.removesuffix("-06"))
    assert [trade.price_nanos // NANOS for trade in trades_in(tape)] == [10, 11]
    assert tape.prior_close_nanos == {"ABC": 7 * NANOS}
    assert tape.cadence.known_before_ns() == 60 * NANOS
    days = (tape.session.close_ns - tape.session.open_ns) // (86_400 * NANOS)
    assert days == 25
    assert findings_of(tape).count_of(FindingKind.GAP) == 1
    for unknown in ("2010-13", "2010-0", "2010-05-6"):
        with pytest.raises(TapeUnreadable, match="is not a day"):
            tape_by_name(f"{tmp_path / 'ABC.parquet'}:{unknown}")
    with pytest.raises(TapeUnreadable, match="no rows then"):
        tape_by_name(f"{tmp_path / 'ABC.parquet'}:2010-07")
