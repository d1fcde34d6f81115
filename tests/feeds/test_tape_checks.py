from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fuseboard.feeds.tapes import checked as checks
from fuseboard.feeds.tapes.checked import checked, findings_of
from fuseboard.feeds.tapes.findings import FindingKind, Findings
from fuseboard.feeds.tapes.tape import (
    Cadence,
    Session,
    Tape,
    TapeEvent,
    TapeKind,
    TapeLevels,
    TapeQuote,
    TapeTrade,
    TapeUnreadable,
    Tolerances,
)
from fuseboard.feeds.tapes.times import SECOND_NS
from fuseboard.vocabulary.money import NANOS

KIND = FindingKind


def quote(
    at_s: int,
    bid: int = 99,
    ask: int = 101,
    *,
    sizes: tuple[int, int] = (1, 1),
    bids: TapeLevels = (),
    asks: TapeLevels = (),
) -> TapeQuote:
    return TapeQuote(
        symbol="ABC",
        at_ns=at_s * SECOND_NS,
        bid_nanos=bid,
        ask_nanos=ask,
        bid_size_nanos=sizes[0],
        ask_size_nanos=sizes[1],
        bids=bids,
        asks=asks,
    )


def trade(at_s: int, price: int = 100, size: int = 1, symbol: str = "ABC") -> TapeTrade:
    return TapeTrade(symbol=symbol, at_ns=at_s * SECOND_NS, price_nanos=price, size_nanos=size)


def tape_of(*events: TapeEvent, tolerances: Tolerances | None = None, last_s: int = 1_000) -> Tape:
    def noting(found: Findings) -> Iterator[TapeEvent]:
        found.file = "some.csv"
        for row, event in enumerate(events, start=2):
            found.row = row
            yield event

    return Tape(
        name="tape",
        describes="made by hand",
        kind=TapeKind.US_EQUITY,
        symbols=("ABC",),
        cadence=Cadence(typical_gap_ns=SECOND_NS, largest_gap_ns=SECOND_NS, sampled=False),
        session=Session(open_ns=0, close_ns=last_s * SECOND_NS),
        prior_close_nanos={},
        read=lambda: noting(Findings()),
        read_noting=noting,
        tolerances=tolerances or Tolerances(),
    )


def found_in(tape: Tape) -> dict[FindingKind, tuple[int, int]]:
    """By kind: how often, and the row of the first."""
    told = findings_of(checked(tape))
    return {each.kind: (each.count, each.first_row) for each in told.findings}


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(0, 50))
def test_what_is_passed_on_is_in_order_and_whole_or_refused(times: list[int], late: int) -> None:
    tape = tape_of(
        *(trade(at_s) for at_s in times), tolerances=Tolerances(late_ns_max=late * SECOND_NS)
    )
    worst = max((max(times[: i + 1]) - at for i, at in enumerate(times)), default=0)
    if worst > late:
        with pytest.raises(TapeUnreadable, match="time goes back"):
            list(checked(tape).read())
        return
    assert [event.at_ns // SECOND_NS for event in checked(tape).read()] == sorted(times)


def test_events_of_one_time_stay_in_the_order_in_which_they_came() -> None:
    events = (trade(5, 1), trade(4, 2), trade(5, 3), trade(4, 4), trade(5, 5))
    tape = tape_of(*events, tolerances=Tolerances(late_ns_max=SECOND_NS, jump_percent=1_000))
    prices = [event.price_nanos for event in checked(tape).read() if isinstance(event, TapeTrade)]
    assert prices == [2, 4, 1, 3, 5]
    assert found_in(tape) == {KIND.LATE: (2, 3)}


def test_too_late_an_event_names_the_file_and_the_line() -> None:
    with pytest.raises(TapeUnreadable, match=r"some\.csv, line 3: time goes back .*sorted"):
        list(checked(tape_of(trade(5), trade(4))).read())


def test_more_events_than_may_wait_for_a_late_one_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "WAITING_EVENTS_MAX", 3)
    tape = tape_of(*[trade(5)] * 4, tolerances=Tolerances(late_ns_max=SECOND_NS))
    with pytest.raises(TapeUnreadable, match="more than 3 events"):
        list(checked(tape).read())


def test_bad_quotes_are_counted_with_the_first_row_and_passed_on() -> None:
    events = (
        quote(1),
        quote(2, 101, 101),
        quote(3, 102, 101),
        quote(4, 103, 101),
        quote(5, 0, 101, sizes=(0, 1)),
        quote(6, 99, 0, sizes=(1, 0)),
    )
    assert list(checked(tape_of(*events)).read()) == list(events)
    assert found_in(tape_of(*events)) == {
        KIND.LOCKED: (1, 3),
        KIND.CROSSED: (2, 4),
        KIND.ONE_SIDED: (2, 6),
    }


@pytest.mark.parametrize(
    "bad",
    [
        quote(2, -1, 101),
        quote(2, 99, 101, sizes=(0, 1)),
        quote(2, 99, 101, sizes=(1, -1)),
        quote(2, 0, 101),
        quote(2, 0, 101, sizes=(0, 0)),
        quote(2, 0, -5, sizes=(0, 1)),
        quote(2, 99, 0, sizes=(0, 0)),
        trade(2, 0),
        trade(2, -100),
        trade(2, 100, 0),
    ],
)
def test_what_has_no_positive_price_and_size_is_left_out_and_counted(bad: TapeEvent) -> None:
    tape = tape_of(trade(1), bad, trade(3))
    assert [event.at_ns // SECOND_NS for event in checked(tape).read()] == [1, 3]
    assert found_in(tape) == {KIND.LEFT_OUT: (1, 3)}


def test_a_print_far_from_the_last_is_counted_in_both_directions() -> None:
    prices = [100, 110, 121, 134, 120, 108]
    tape = tape_of(*(trade(at_s, price) for at_s, price in enumerate(prices)))
    assert found_in(tape) == {KIND.JUMP: (2, 5)}


def test_a_print_beyond_the_recorded_quote_is_counted() -> None:
    events = (trade(1, 95), quote(2), trade(3, 99), trade(4, 101), trade(5, 98), trade(6, 102))
    assert found_in(tape_of(*events)) == {KIND.BEYOND_QUOTE: (2, 6)}
    no_ask = (quote(2, 99, 0, sizes=(1, 0)), trade(3, 105))
    assert KIND.BEYOND_QUOTE not in found_in(tape_of(*no_ask))
    derived = structs.replace(quote(1), derived=True)
    assert found_in(tape_of(derived, trade(2, 105))) == {}


def test_silence_is_counted_from_the_opening_on_and_beyond_the_tapes_own_measure() -> None:
    events = (trade(99), trade(100), trade(200), trade(301))
    assert found_in(tape_of(*events)) == {KIND.GAP: (1, 5)}
    stricter = Tolerances(gap_ns_max=98 * SECOND_NS)
    assert found_in(tape_of(*events, tolerances=stricter)) == {KIND.GAP: (3, 2)}


def test_an_event_outside_the_hours_is_counted() -> None:
    assert found_in(tape_of(trade(9), trade(11), last_s=10)) == {KIND.OUTSIDE: (1, 3)}


def test_a_symbol_that_the_tape_does_not_name_ends_it() -> None:
    with pytest.raises(TapeUnreadable, match=r"line 3: 'XYZ' is not on this tape: ABC"):
        list(checked(tape_of(trade(1), trade(2, symbol="XYZ"))).read())


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        (((99, 1), (100, 1)), ((101, 1),)),
        (((99, 1), (99, 1)), ((101, 1),)),
        (((99, 1),), ((101, 1), (100, 1))),
        (((98, 1),), ((101, 1),)),
        (((99, 2),), ((101, 1),)),
        (((99, 1),), ((101, 1), (102, 0))),
        ((), ((101, 1),)),
    ],
)
def test_levels_that_are_no_book_end_the_tape(bids: TapeLevels, asks: TapeLevels) -> None:
    with pytest.raises(TapeUnreadable, match="line 2: "):
        list(checked(tape_of(quote(1, bids=bids, asks=asks))).read())


def test_levels_that_are_a_book_pass_also_with_a_side_missing() -> None:
    whole = quote(1, bids=((99, 1), (98, 5)), asks=((101, 1), (102, 7)))
    one_sided = quote(2, 0, 101, sizes=(0, 1), asks=((101, 1),))
    assert list(checked(tape_of(whole, one_sided)).read()) == [whole, one_sided]


def test_counts_and_times_are_told_and_each_pass_begins_anew() -> None:
    tape = checked(tape_of(quote(3), trade(4), trade(5)))
    for _ in range(2):
        told = findings_of(tape)
        assert (told.quotes, told.trades, told.halts) == (1, 2, 0)
        assert (told.first_ns, told.last_ns) == (3 * SECOND_NS, 5 * SECOND_NS)
        assert told.findings == ()


def test_a_part_of_a_tape_is_checked_too() -> None:
    tape = checked(tape_of(quote(1), quote(2), quote(3, 102, 101)))
    part = tape.between(Session(open_ns=2 * SECOND_NS, close_ns=9 * SECOND_NS))
    assert [event.at_ns // SECOND_NS for event in part.read()] == [2, 2, 3]
    assert findings_of(part).count_of(KIND.CROSSED) == 1


def test_spans_and_times_are_said_for_people() -> None:
    assert checks.shown_span(110_000_000) == "0.110 s"
    assert checks.shown_span(820 * SECOND_NS) == "820 s"
    assert checks.shown_span(3 * 86_400 * SECOND_NS + NANOS) == "3.0 days"
    assert checks.shown_time(1_577_941_200_250_000_000) == "2020-01-02 05:00:00.250"
