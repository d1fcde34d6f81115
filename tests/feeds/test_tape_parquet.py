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


def row(time: str, price: float | None, bid: float | str = 9.0) -> Row:
    return {
        "index": f"2010-05-06T{time}",
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
