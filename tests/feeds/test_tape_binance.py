import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.feeds.tapes import binance_depth, depth_book
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.checked import findings_of
from fuseboard.feeds.tapes.depth_book import DepthBook
from fuseboard.feeds.tapes.findings import FindingKind
from fuseboard.feeds.tapes.tape import Tape, TapeQuote, TapeUnreadable
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from tests.feeds.tape_files import DATA, first_of, gzipped, needs_data, quotes_in, trades_in

MS = 1_000_000
Levels = dict[str, str]


def line(message: dict[str, object]) -> str:
    return f"1700000000000000000 {json.dumps(message)}\n"


def snapshot(last_id: int, at_ms: int, bids: Levels, asks: Levels) -> str:
    sides = {"bids": list(bids.items()), "asks": list(asks.items())}
    return line({"lastUpdateId": last_id, "E": at_ms, "T": at_ms, **sides})


def difference(
    ids: tuple[int, int, int], at_ms: int, bids: Levels | None = None, asks: Levels | None = None
) -> str:
    data = {
        "e": "depthUpdate", "E": at_ms, "T": at_ms, "s": "BTCUSDT",
        "U": ids[0], "u": ids[1], "pu": ids[2],
        "b": list((bids or {}).items()), "a": list((asks or {}).items()),
    }  # fmt: skip
    return line({"stream": "btcusdt@depth@0ms", "data": data})


def top(last_id: int, at_ms: int, bid: str, ask: str, size: str = "1") -> str:
    data = {
        "e": "bookTicker", "u": last_id, "s": "BTCUSDT", "T": at_ms, "E": at_ms,
        "b": bid, "B": size, "a": ask, "A": size,
    }  # fmt: skip
    return line({"stream": "btcusdt@bookTicker", "data": data})


def printed(at_ms: int, price: str, *, buyer_made: bool) -> str:
    data = {"e": "trade", "T": at_ms, "s": "BTCUSDT", "p": price, "q": "0.5", "m": buyer_made}
    return line({"stream": "btcusdt@trade", "data": data})


def tape_of(folder: Path, *lines: str) -> Tape:
    return tape_by_name(f"binance-depth:{gzipped(folder / 't.gz', ''.join(lines))}")


def shown(quote: TapeQuote) -> tuple[list[int], list[int]]:
    """Prices of the levels, bids and asks."""
    return [p // NANOS for p, _ in quote.bids], [p // NANOS for p, _ in quote.asks]


SNAPSHOT = snapshot(10, 1_000, {"100": "1", "99": "2"}, {"101": "1", "102": "2"})


def test_a_book_is_the_snapshot_and_the_differences_that_are_newer(tmp_path: Path) -> None:
    tape = tape_of(
        tmp_path,
        difference((1, 5, 0), 990, {"200": "1"}),  # older than the snapshot, and wrong since
        difference((6, 12, 5), 995, {"100": "0", "98": "7"}),  # spans it: applied after it
        SNAPSHOT,
        difference((13, 14, 12), 1_010, asks={"101": "0", "103": "3"}),
    )
    first, second = quotes_in(tape)
    assert shown(first) == ([99, 98], [101, 102])
    assert shown(second) == ([99, 98], [102, 103])
    assert (second.bid_nanos, second.bid_size_nanos) == (99 * NANOS, 2 * NANOS)
    assert second.at_ns == 1_010 * MS  # the exchange's clock, not the receiver's
    assert findings_of(tape).findings == ()


def test_a_missing_difference_is_said_and_levels_wait_for_the_next_snapshot(
    tmp_path: Path,
) -> None:
    tape = tape_of(
        tmp_path,
        SNAPSHOT,
        difference((9, 12, 8), 1_010, {"98": "1"}),
        difference((15, 16, 14), 1_020, {"97": "1"}),
        top(20, 1_030, "99", "101"),
        snapshot(30, 1_040, {"90": "1"}, {"91": "1"}),
    )
    assert [shown(quote) for quote in quotes_in(tape)] == [
        ([100, 99], [101, 102]),
        ([100, 99, 98], [101, 102]),
        ([], []),
        ([90], [91]),
    ]
    (finding,) = findings_of(tape).findings
    assert finding.kind is FindingKind.LEFT_OUT
    assert finding.first_row == 3
    assert "follows update 14, the book is at 12" in finding.first_says


def test_a_first_difference_that_begins_after_the_snapshot_does_not_fit(tmp_path: Path) -> None:
    tape = tape_of(tmp_path, SNAPSHOT, difference((12, 13, 11), 1_010, {"98": "1"}))
    assert len(quotes_in(tape)) == 1
    assert findings_of(tape).count_of(FindingKind.LEFT_OUT) == 1


def test_a_newer_top_stands_before_the_levels_and_hides_what_it_crosses(tmp_path: Path) -> None:
    tape = tape_of(
        tmp_path,
        SNAPSHOT,
        top(9, 1_001, "100", "105"),  # older than the book: not believed
        top(12, 1_002, "101", "102"),  # the ask of 101 was bought, and a bid stands there
        top(13, 1_003, "98", "99"),
        difference((11, 14, 10), 1_004, {"100": "0", "99": "0", "98": "5"}, {"99": "1"}),
    )
    quotes = quotes_in(tape)
    assert [shown(quote) for quote in quotes] == [
        ([100, 99], [101, 102]),
        ([101, 100, 99], [102]),
        ([98], [99, 101, 102]),
        ([98], [99, 101, 102]),
    ]
    assert quotes[-1].bid_size_nanos == 5 * NANOS
    assert findings_of(tape).findings == ()


def test_a_top_that_the_book_does_not_have_at_that_update_is_counted(tmp_path: Path) -> None:
    tape = tape_of(
        tmp_path, SNAPSHOT, top(12, 1_002, "97", "102"), difference((9, 12, 8), 1_003, {"96": "1"})
    )
    assert findings_of(tape).count_of(FindingKind.DISAGREES) == 1


def test_a_crossed_book_is_said(tmp_path: Path) -> None:
    tape = tape_of(tmp_path, SNAPSHOT, difference((9, 12, 8), 1_003, {"103": "1"}))
    assert findings_of(tape).count_of(FindingKind.CROSSED) == 1


def test_prints_have_the_takers_side_and_late_ones_are_put_in_their_place(tmp_path: Path) -> None:
    tape = tape_of(
        tmp_path,
        printed(1_000, "100", buyer_made=True),
        printed(1_110, "101", buyer_made=False),
        printed(1_105, "102", buyer_made=False),
    )
    assert [(t.at_ns // MS, t.aggressor) for t in trades_in(tape)] == [
        (1_000, Side.SELL),
        (1_105, Side.BUY),
        (1_110, Side.BUY),
    ]
    assert findings_of(tape).count_of(FindingKind.LATE) == 1


def test_a_quote_is_as_new_as_the_newest_that_it_tells(tmp_path: Path) -> None:
    tape = tape_of(
        tmp_path, SNAPSHOT, top(20, 1_050, "99", "101"), difference((9, 12, 8), 1_010, {"97": "1"})
    )
    assert [quote.at_ns // MS for quote in quotes_in(tape)] == [1_000, 1_050, 1_050]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("what\n", "line 3: expected the receiver's clock"),
        ("1 {\n", "line 3: expected a message"),
        ('1 {"data":{"e":"aggTrade"}}\n', "line 3: expected a message"),
        ('1 {"data":{"e":"trade","T":1}}\n', "line 3: expected a message"),
        ('1 {"result":null}\n', "line 3: expected a message with `data`"),
        (printed(1_003, "1_0", buyer_made=True), "line 3: expected a price"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, bad: str, says: str) -> None:
    with pytest.raises(TapeUnreadable, match=says):
        list(tape_of(tmp_path, SNAPSHOT, top(12, 1, "1", "2"), bad, top(13, 2, "1", "2")).read())


def test_a_capture_of_two_symbols_is_refused(tmp_path: Path) -> None:
    other = top(12, 1_001, "1", "2").replace("BTCUSDT", "ETHUSDT")
    with pytest.raises(TapeUnreadable, match="tells of BTCUSDT, ETHUSDT: a capture has one"):
        tape_of(tmp_path, top(11, 1_000, "1", "2"), other)


def test_more_differences_than_may_wait_for_a_snapshot_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binance_depth, "BUFFERED_MAX", 2)
    lines = [difference((i, i, i - 1), 1_000 + i) for i in range(1, 4)]
    with pytest.raises(TapeUnreadable, match="snapshot after at most 2"):
        list(tape_of(tmp_path, *lines).read())


CHANGES = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 3)), max_size=8)


@given(st.lists(st.tuples(CHANGES, CHANGES), max_size=8))
def test_the_book_is_what_the_changes_leave(
    changes: list[tuple[list[tuple[int, int]], ...]],
) -> None:
    book, plain = DepthBook(), ({}, {})  # type: tuple[DepthBook, tuple[dict[int, int], dict[int, int]]]
    for number, (bids, asks) in enumerate(changes, start=1):
        book.change(number, bids, asks)
        for side, told in zip(plain, (bids, asks), strict=True):
            side.update(told)
    bids_left = sorted(((p, s) for p, s in plain[0].items() if s), reverse=True)
    asks_left = sorted((p, s) for p, s in plain[1].items() if s)
    assert book.best(5) == (tuple(bids_left[:5]), tuple(asks_left[:5]))


def test_a_side_of_a_book_is_bounded_and_keeps_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depth_book, "LEVELS_KEPT_MAX", 2)
    book = DepthBook()
    book.change(1, [(1, 1), (3, 1), (2, 1)], [(7, 1), (9, 1), (8, 1)])
    assert book.best(9) == (((3, 1), (2, 1)), ((7, 1), (8, 1)))


@needs_data
def test_the_recorded_capture_is_never_crossed_and_tells_the_exchanges_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FUSEBOARD_DATA", str(DATA))
    tape = tape_by_name("binance-btcusdt-2024-08-08")
    first = first_of(tape, 4_000)
    quotes = [event for event in first if isinstance(event, TapeQuote)]
    assert all(quote.bid_nanos < quote.ask_nanos for quote in quotes)
    assert {len(quote.bids) for quote in quotes} == {0, 10}
    assert first[0].at_ns // MS >= 1_723_161_256_298  # the receiver says 1,723,161,255,030
    assert [event.at_ns for event in first] == sorted(event.at_ns for event in first)
