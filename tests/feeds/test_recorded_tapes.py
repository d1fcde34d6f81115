"""The recorded tapes beside the checkout: each can be read, each known defect is met as said."""

from functools import cache
from itertools import islice

import pytest

from fuseboard.feeds.tapes.by_name import tape_by_name, tapes_known
from fuseboard.feeds.tapes.checked import findings_of
from fuseboard.feeds.tapes.findings import FindingKind, TapeChecked
from fuseboard.feeds.tapes.tape import Tape, TapeHalt, TapeQuote, TapeTrade, TapeUnreadable
from fuseboard.feeds.tapes.times import SECOND_NS
from fuseboard.vocabulary.money import NANOS, nanos_from_text
from tests.feeds.tape_files import DATA, first_of, needs_data, quotes_in, trades_in

pytestmark = needs_data
KIND = FindingKind
FIRST = 300


@pytest.fixture(autouse=True)
def _recorded_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUSEBOARD_DATA", str(DATA))


def recorded() -> list[str]:
    names = [name.name for name, _ in tapes_known() if name.file]
    return [name.replace("2010-05-06", "2010-05-06:PG") for name in names]


@cache
def opened(name: str) -> Tape:
    """A tape opened once: to measure its cadence is a pass over its file."""
    return tape_by_name(name)


def found_in(name: str) -> TapeChecked:
    return findings_of(opened(name))


@pytest.mark.parametrize("name", recorded())
def test_each_begins_in_order_with_what_it_declares(name: str) -> None:
    tape = opened(name)
    events = list(islice(tape.read(), FIRST))
    assert len(events) >= 200
    assert [event.at_ns for event in events] == sorted(event.at_ns for event in events)
    assert {event.symbol for event in events} <= set(tape.symbols)
    assert tape.session.open_ns <= events[0].at_ns
    assert events[-1].at_ns <= tape.session.close_ns
    assert any(isinstance(event, TapeQuote) for event in events)


def test_every_file_of_the_data_has_a_name() -> None:
    assert [name.name for name, here in tapes_known() if not here] == []


@pytest.mark.parametrize(
    ("name", "prior_close"),
    [
        ("us-equity-2010-05-06:PG", "62.24"),
        pytest.param("crypto-2025-10-10:ATOMUSD_PERP", "4.058", marks=pytest.mark.no_cover),
        pytest.param("crypto-2025-10-10:DOGE-USD", "0.24864", marks=pytest.mark.no_cover),
        ("crypto-2025-10-10:BTCUSD", "121758.75"),
        ("btcusd-perp-1min-2025-10-10", "121662"),
        ("spy-5min-2020-03-18", "254.19"),
        ("daily-sp500@2008-09-15..2008-11-20", "1251.7"),
    ],
)
def test_each_crash_knows_its_prior_close(name: str, prior_close: str) -> None:
    tape = opened(name)
    assert list(tape.prior_close_nanos.values()) == [nanos_from_text(prior_close)]


def test_a_sample_of_trades_has_prints_beyond_the_joined_quote() -> None:
    found = found_in("us-equity-2010-05-06:PG")
    share = found.count_of(KIND.BEYOND_QUOTE) * 1_000 // found.trades
    assert 20 <= share <= 150  # 5.3 % of the year; more on the crash day
    assert found.count_of(KIND.CROSSED) == 0  # removed before we got it


def test_the_gaps_of_a_quiet_exchange_are_found() -> None:
    tape = opened("crypto-2025-10-10:BTCUSD")
    assert tape.cadence.largest_gap_ns // SECOND_NS == 819
    assert findings_of(tape).count_of(KIND.GAP) == 132


def test_the_mark_price_has_no_volume_and_is_whole() -> None:
    found = found_in("btcusd-perp-1min-2025-10-10")
    assert (found.trades, found.findings) == (4 * 1_440, ())


def test_the_depth_bands_end_where_the_bid_side_freezes() -> None:
    tape = opened("depth-bands-btcusdt-2025-10-10")
    found = findings_of(tape)
    assert found.last_ns == 1_760_110_206 * SECOND_NS  # 15:30:06; the next one, 15:30:42, crosses
    (frozen,) = found.findings
    assert (frozen.kind, frozen.first_row) == (KIND.LEFT_OUT, 18_602)
    assert frozen.first_at_ns == 1_760_110_242 * SECOND_NS


def test_the_halt_of_18_march_2020_has_no_prints_and_the_first_hour_is_missing() -> None:
    tape = opened("spy-5min-2020-03-18")
    events = list(tape.read())
    halt, resumption = [event for event in events if isinstance(event, TapeHalt)]
    assert (halt.at_ns, resumption.at_ns) == (
        1_584_550_800 * SECOND_NS,
        1_584_551_400 * SECOND_NS,
    )
    between = [event for event in events if halt.at_ns < event.at_ns < resumption.at_ns]
    assert between == []
    found = findings_of(tape)
    assert found.count_of(KIND.LEFT_OUT) == 2
    gap = next(each for each in found.findings if each.kind is KIND.GAP)
    assert gap.first_says == "SPY: nothing for 3600 s before it"


def test_a_day_of_five_minute_bars_that_is_whole_says_nothing() -> None:
    found = found_in("spy-5min-2018-01-02")
    assert (found.trades, found.findings) == (4 * 78, ())


def test_the_index_fell_as_deep_as_it_is_known_to_have() -> None:
    peak = deepest = 0
    for trade in trades_in(opened("daily-sp500")):
        peak = max(peak, trade.price_nanos)
        deepest = max(deepest, (peak - trade.price_nanos) * 1_000 // peak)
    assert deepest == 567  # 56.8 %


def test_some_of_many_shares_can_be_chosen_and_a_share_that_is_not_there_is_said() -> None:
    tape = opened("daily-stocks:XOM,AAPL")
    assert {event.symbol for event in first_of(tape, 8)} == {"AAPL", "XOM"}
    with pytest.raises(TapeUnreadable, match="NOPE is not among AAPL"):
        tape_by_name("daily-stocks:NOPE")


def test_leans_second_quotes_and_trades_are_of_the_hours_that_they_say() -> None:
    tape = opened("lean-spy-2013-10-07@09:30-09:40")
    quotes = quotes_in(tape)
    assert 300 < len(quotes) < 620
    assert all(abs(quote.bid_nanos - 167 * NANOS) < 2 * NANOS for quote in quotes)
    prints = [event for event in tape.read() if isinstance(event, TapeTrade)]
    assert all(abs(each.price_nanos - 167 * NANOS) < 2 * NANOS for each in prints)
