from pathlib import Path

import pytest

from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.tape import Session, Tape, TapeHalt, TapeKind, TapeQuote, TapeUnreadable
from fuseboard.feeds.tapes.times import SECOND_NS
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from tests.feeds.tape_files import DATA, first_of, needs_data, quotes_in, trades_in, zipped

BOOK = "1000100,50,999900,70,1000200,10,9999999999,0"
MIDNIGHT_NS = 1_577_941_200 * SECOND_NS  # 2 January 2020, 05:00 UTC


def tape_of(path: Path, messages: str, books: str) -> Tape:
    stem = "ABC_2020-01-02_34200000_57600000_"
    zipped(path / "t.zip", {f"{stem}message_2.csv": messages, f"{stem}orderbook_2.csv": books})
    return tape_by_name(f"lobster:{path / 't.zip'}")


def test_a_book_has_levels_best_first_and_a_missing_one_is_left_away(tmp_path: Path) -> None:
    other = BOOK.replace("50", "40").replace("9999999999", "-9999999999")
    tape = tape_of(tmp_path, "34200.5,1,1,50,1000100,-1\n34201,2,1,10,1,1\n", f"{BOOK}\n{other}\n")
    quote, after = quotes_in(tape)
    assert quote.at_ns == MIDNIGHT_NS + 34_200 * SECOND_NS + SECOND_NS // 2
    assert quote.asks == ((100_010_000_000, 50 * NANOS), (100_020_000_000, 10 * NANOS))
    assert quote.bids == ((99_990_000_000, 70 * NANOS),)
    assert (quote.bid_nanos, quote.bid_size_nanos) == quote.bids[0]
    assert (quote.ask_nanos, quote.ask_size_nanos) == quote.asks[0]
    assert after.asks[0][1] == 40 * NANOS
    assert not quote.derived
    assert tape.kind is TapeKind.US_EQUITY
    assert tape.symbols == ("ABC",)


def test_an_execution_is_a_print_of_the_side_that_did_not_rest_and_then_the_book(
    tmp_path: Path,
) -> None:
    messages = (
        "34200.1,1,1,50,1000100,-1\n34200.2,4,1,20,1000100,-1\n34200.3,4,2,70,999900,1\n"
        "34200.4,5,3,5,1000000,1\n34200.5,6,-1,9,1000000,-1\n"
    )
    books = [BOOK, BOOK.replace(",50,", ",30,"), BOOK.replace("70", "1"), BOOK, BOOK]
    tape = tape_of(tmp_path, messages, "\n".join(books) + "\n")
    assert [(t.aggressor, t.price_nanos, t.size_nanos) for t in trades_in(tape)] == [
        (Side.BUY, 100_010_000_000, 20 * NANOS),
        (Side.SELL, 99_990_000_000, 70 * NANOS),
        (Side.SELL, 100 * NANOS, 5 * NANOS),
        (None, 100 * NANOS, 9 * NANOS),
    ]
    kinds = [type(event).__name__ for event in tape.read()]
    assert kinds == ["TapeQuote", *["TapeTrade", "TapeQuote"] * 3, "TapeTrade"]


def test_a_halt_begins_and_ends_and_quoting_alone_does_not_end_it(tmp_path: Path) -> None:
    messages = "34200,1,1,50,1000100,-1\n34201,7,0,0,-1,-1\n34202,7,0,0,0,-1\n34203,7,0,0,1,-1\n"
    tape = tape_of(tmp_path, messages, f"{BOOK}\n" * 4)
    halts = [event for event in tape.read() if isinstance(event, TapeHalt)]
    assert [(halt.at_ns - MIDNIGHT_NS, halt.resumes) for halt in halts] == [
        (34_201 * SECOND_NS, False),
        (34_203 * SECOND_NS, True),
    ]
    part = tape.between(Session(open_ns=halts[0].at_ns + 1, close_ns=halts[1].at_ns))
    assert [type(event).__name__ for event in part.read()] == ["TapeQuote", "TapeHalt", "TapeHalt"]
    with pytest.raises(TapeUnreadable, match=r"line 2: .*-1 or 0 or 1"):
        list(tape_of(tmp_path, messages.replace("-1,-1", "5,-1"), f"{BOOK}\n" * 4).read())


@pytest.mark.parametrize(
    ("messages", "books", "says"),
    [
        ("34200,1,1,1,1,1\n34201,1,1,1,1\n", f"{BOOK}\n{BOOK}\n", "message|line 2: expected 6"),
        ("34200,1,1,1,1,1\n34201,9,1,1,1,1\n", f"{BOOK}\n{BOOK}\n", "line 2: .*message type"),
        ("34200,1,1,1,1,1\n34201,1,1,1,1,1\n", f"{BOOK}\n", "line 2: .*orderbook file"),
        ("34200,1,1,1,1,1\n34201,1,1,1,1,1\n", f"{BOOK}\n" * 3, "line 3: .*as many rows"),
        ("34200,1,1,1,1,1\n34201,1,1,1,1,1\n", f"{BOOK}\n1,2,x\n", "line 2: expected 8 fields"),
        ("34200,1,1,1,1,1\n34201,1,1,1,1,1\n", BOOK.replace("50", "5.0"), "line 1: .*a size"),
        ("34200,1,1,1,1,1\nnoon,1,1,1,1,1\n", f"{BOOK}\n" * 2, "line 2: .*seconds"),
        ("34201,1,1,1,1,1\n34200,1,1,1,1,1\n34202,1,1,1,1,1\n", f"{BOOK}\n" * 3, "time goes back"),
    ],
)
def test_a_malformed_line_is_named_with_what_was_expected(
    tmp_path: Path, messages: str, books: str, says: str
) -> None:
    with pytest.raises(TapeUnreadable, match=says):
        list(tape_of(tmp_path, messages, alternating(books)).read())


def alternating(books: str) -> str:
    """The same rows, each different from the one before it, so that each is a quote."""
    lines = books.splitlines()
    return "\n".join(line.replace(",70,", f",{70 + i},") for i, line in enumerate(lines)) + "\n"


def test_a_zip_without_a_message_file_is_no_lobster(tmp_path: Path) -> None:
    path = zipped(tmp_path / "t.zip", {"a.csv": ""})
    with pytest.raises(TapeUnreadable, match="SYMBOL_YYYY-MM-DD"):
        tape_by_name(f"lobster:{path}")


@pytest.mark.no_cover  # the tests beside it run the same lines
@needs_data
def test_the_recorded_book_has_five_levels_and_nanoseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUSEBOARD_DATA", str(DATA))
    tape = tape_by_name("lobster-amzn-2012-06-21")
    first = first_of(tape, 1_000)
    assert first[0].at_ns % 1_000_000_000 == 17_459_617
    quotes = [event for event in first if isinstance(event, TapeQuote)]
    assert all(len(quote.bids) == len(quote.asks) == 5 for quote in quotes)
    assert tape.session.close_ns - tape.session.open_ns == 23_400 * SECOND_NS
    assert not tape.cadence.sampled
