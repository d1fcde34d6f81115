"""What market data is good for: late, dead, stale, missing, odd and withdrawn data tighten."""

from collections.abc import Callable, Iterable
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core import data_health, quotes
from fuseboard.core.anomalies import HABIT_MIN, moves_oddly, new_habit, trades_oddly
from fuseboard.core.market import DOUBT_NS, OFFSET_WINDOW_NS, FeedTimes, Instrument
from fuseboard.core.state import State
from fuseboard.policy.data_rules import DataRules
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.market_inputs import (
    FeedHeard,
    QuoteSeen,
    TradeSeen,
    TradeWithdrawn,
    TradingHalted,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, denied
from tests.core.test_operators import CALM, reset
from tests.deletion import assert_pinned

RULES = DataRules()
MS = SECOND // 1000
HEARTBEAT = RULES.heartbeat_ns_max


def with_data(policy: Policy = CALM, **changes: object) -> Policy:
    return msgspec.structs.replace(policy, data=msgspec.structs.replace(RULES, **changes))


def buys(desk: Desk) -> list[Reason]:
    return denied(desk.order(Side.BUY, NANOS))


def said(effects: Iterable[fx.Effect]) -> list[str]:
    return [effect.code.value for effect in effects if isinstance(effect, fx.RaiseAlert)]


def beat(desk: Desk, *, real: bool = True) -> tuple[fx.Effect, ...]:
    return desk.take(FeedHeard(feed="stocks", real_time=real))


def tick(desk: Desk, ns: int) -> tuple[fx.Effect, ...]:
    desk.now_ns += ns
    return desk.take(facts.TimeAdvanced())


def quote(middle: int, event_ns: int = 0, *, half: int = NANOS // 100) -> QuoteSeen:
    bid, ask = middle * NANOS - half, middle * NANOS + half
    return QuoteSeen(
        symbol="AAPL",
        bid_nanos=bid,
        ask_nanos=ask,
        bid_size_nanos=NANOS,
        ask_size_nanos=NANOS,
        event_ns=event_ns,
        bid_low_nanos=bid,
        ask_high_nanos=ask,
    )


def trade(price: int, event_ns: int = 0, size: int = 1) -> TradeSeen:
    nanos = price * NANOS
    return TradeSeen(
        symbol="AAPL",
        price_nanos=nanos,
        size_nanos=size * NANOS,
        event_ns=event_ns,
        low_nanos=nanos,
        high_nanos=nanos,
    )


# --- quotes that took too long ---


@given(
    offset=st.integers(-(10**15), 10**15),
    delays=st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=40),
)
def test_late_is_what_took_longer_than_the_fastest_by_more_than_the_limit(
    offset: int, delays: list[int]
) -> None:
    times = FeedTimes()
    fastest = delays[0]
    for number, delay in enumerate(delays):
        boot_ns = number * MS
        event_ns = 10**18 + boot_ns
        fastest = min(fastest, delay)
        late = times.late(
            event_ns=event_ns,
            wall_ns=event_ns + offset + delay,
            boot_ns=boot_ns,
            late_ns_max=SECOND,
        )
        assert late == (delay - fastest > SECOND), "whatever the clocks' constant difference is"


def test_a_clock_that_was_set_is_forgiven_after_two_windows() -> None:
    times, step, boot_ns = FeedTimes(), 60 * SECOND, 10**12
    late = []
    for number in range(12):
        set_ahead = 0 if number == 0 else 30 * SECOND
        late.append(
            times.late(
                event_ns=10**18 + boot_ns,
                wall_ns=10**18 + boot_ns + set_ahead,
                boot_ns=boot_ns,
                late_ns_max=SECOND,
            )
        )
        boot_ns += step
    assert late[1]
    assert not late[-1]
    assert late.index(False, 1) <= 2 * OFFSET_WINDOW_NS // step + 1


def late_quotes_price_nothing() -> None:
    desk = Desk(CALM, held=100)
    desk.now_ns += 10 * SECOND
    beat(desk)
    desk.take(quote(250, desk.now_ns + MS))
    assert buys(desk) == []
    desk.take(quote(251, desk.now_ns - 2 * SECOND))
    before = desk.kernel.snapshot()
    desk.take(trade(252, desk.now_ns - 2 * SECOND))
    marks = msgspec.json.decode(desk.kernel.snapshot(), type=State).instruments["AAPL"]
    assert marks.mark_nanos == 250 * NANOS
    assert marks.excluded
    assert marks == msgspec.json.decode(before, type=State).instruments["AAPL"]


def test_late_quotes_and_trades_price_and_value_nothing() -> None:
    late_quotes_price_nothing()


def test_a_tapes_times_and_a_standing_quote_are_not_judged() -> None:
    for real, standing in ((False, False), (True, True)):
        desk = Desk(CALM)
        beat(desk, real=real)
        desk.take(quote(250, desk.now_ns))
        old = msgspec.structs.replace(quote(251, desk.now_ns - 999 * SECOND), standing=standing)
        desk.take(old)
        marks = msgspec.json.decode(desk.kernel.snapshot(), type=State).instruments["AAPL"]
        assert marks.mark_nanos == 251 * NANOS


# --- dead feeds, stale and missing quotes ---


def a_dead_feed_is_told_from_a_quiet_symbol() -> None:
    desk = Desk(CALM)
    for _ in range(30):  # no quote, but the feed is heard
        beat(desk)
        tick(desk, SECOND)
    assert buys(desk) == [], "a quiet symbol is not stale"
    effects = tick(desk, HEARTBEAT)
    assert said(effects) == ["feed_dead"]
    desk.quote("AAPL", 250)
    assert buys(desk) == [Reason.POSTURE_REDUCE_ONLY], "its feed is dead, whatever was seen last"
    beat(desk)
    assert buys(desk) == [Reason.POSTURE_REDUCE_ONLY], "one word is not enough"
    tick(desk, SECOND)
    beat(desk)
    tick(desk, SECOND)
    assert buys(desk) == []


def test_a_quiet_symbol_is_not_stale_and_a_dead_feed_is() -> None:
    a_dead_feed_is_told_from_a_quiet_symbol()


def test_one_feed_does_not_speak_for_another() -> None:
    desk = Desk(CALM)
    desk.take(FeedHeard(feed="crypto"))
    for _ in range(8):
        beat(desk)
        tick(desk, SECOND)
    assert buys(desk) == [Reason.POSTURE_REDUCE_ONLY]


def test_a_dead_feed_is_forgotten_by_a_restart_that_knows_no_quote() -> None:
    desk = Desk(CALM)
    beat(desk)
    tick(desk, 2 * HEARTBEAT)
    desk.start()
    assert buys(desk) == [Reason.QUOTE_MISSING]
    desk.quote("AAPL", 250)
    assert buys(desk) == []


def stale_then_fresh(desk: Desk) -> tuple[list[Reason], list[Reason]]:
    """What a purchase is denied for once what is held is stale, and long after it is not."""
    tick(desk, SECOND)
    tick(desk, RULES.quote_age_ns_max)
    desk.quote("MSFT", 100)
    then = buys(desk)
    desk.quote("AAPL", 250)
    for _ in range(3):
        tick(desk, SECOND)
    return then, buys(desk)


def test_stale_prices_of_what_is_held_tighten_the_account_while_they_are_stale() -> None:
    desk = Desk(with_data(stale_action="reduce_only"), held=100)
    assert stale_then_fresh(desk) == ([Reason.POSTURE_REDUCE_ONLY], [])


def stale_data_halts() -> None:
    desk = Desk(with_data(stale_action="halt"), held=100)
    halted = [Reason.POSTURE_HALTED]
    assert stale_then_fresh(desk) == (halted, halted), "no recovered number loosens (law 2)"
    assert desk.take(reset())
    assert buys(desk) == []
    assert stale_then_fresh(desk) == (halted, halted), "again, once a person had lifted it"


def a_dead_feed_halts() -> None:
    desk = Desk(with_data(stale_action="halt"))
    beat(desk)
    effects = tick(desk, HEARTBEAT + 1)
    assert [each.scope for each in effects if isinstance(each, fx.LatchHalt)] == ["account"]
    assert said(effects) == ["feed_dead"], "one page, and no warning beside it"
    beat(desk)
    tick(desk, 3 * SECOND)
    assert buys(desk) == [Reason.POSTURE_HALTED]


def test_data_that_goes_bad_halts_until_a_person_resets_where_the_policy_says_halt() -> None:
    stale_data_halts()
    a_dead_feed_halts()


def a_start_waits_for_its_first_quotes() -> None:
    desk = Desk(with_data(stale_action="halt"), held=100)
    desk.start()
    tick(desk, 2 * RULES.quote_age_ns_max)
    assert buys(desk) == [Reason.POSTURE_HALTED]
    desk.quote("AAPL", 250)
    tick(desk, SECOND)
    tick(desk, SECOND)
    assert buys(desk) == []


def a_night_waits_for_the_morning() -> None:
    desk = Desk(with_data(stale_action="halt"), held=100)
    tick(desk, SECOND)
    desk.take(facts.BrokerClockSeen(wall_ns=desk.now_ns, is_open=False))
    effects = tick(desk, RULES.quote_age_ns_max)
    assert not [each for each in effects if isinstance(each, fx.LatchHalt)]
    state = msgspec.json.decode(desk.kernel.snapshot(), type=State)
    assert state.postures["account"] is Posture.HALTED
    desk.take(facts.BrokerClockSeen(wall_ns=desk.now_ns, is_open=True))
    desk.quote("AAPL", 250)
    tick(desk, SECOND)
    tick(desk, SECOND)
    assert buys(desk) == []


def a_halted_symbol_is_not_waited_for() -> None:
    desk = Desk(with_data(missing_action="halt", assets_min=2), held=100)
    desk.take(TradingHalted(symbol="AAPL", code="P LUDP", event_ns=1))
    desk.start()
    desk.quote("MSFT", 100)
    for _ in range(3):
        tick(desk, SECOND)
    effects = tick(desk, RULES.quote_age_ns_max)  # MSFT has no good quote any more
    assert [each.reason for each in effects if isinstance(each, fx.LatchHalt)] == [
        Reason.DATA_MISSING
    ]


def test_a_symbol_that_its_exchange_halted_keeps_no_other_bad_data_from_halting() -> None:
    a_halted_symbol_is_not_waited_for()


def data_that_does_not_come_back_with_the_market_halts() -> None:
    desk = Desk(with_data(stale_action="halt"), held=100)
    tick(desk, SECOND)
    desk.take(facts.BrokerClockSeen(wall_ns=desk.now_ns, is_open=False))
    tick(desk, RULES.quote_age_ns_max)
    desk.take(facts.BrokerClockSeen(wall_ns=desk.now_ns, is_open=True))
    early = [*tick(desk, SECOND), *tick(desk, RULES.quote_age_ns_max - SECOND)]
    assert not [each for each in early if isinstance(each, fx.LatchHalt)]
    late = tick(desk, 2 * SECOND)
    assert [each.reason for each in late if isinstance(each, fx.LatchHalt)] == [Reason.DATA_STALE]
    desk.quote("AAPL", 250)
    for _ in range(3):
        tick(desk, SECOND)
    assert buys(desk) == [Reason.POSTURE_HALTED]


def test_data_that_was_gone_overnight_and_stays_away_halts_until_a_person_resets() -> None:
    data_that_does_not_come_back_with_the_market_halts()


def test_data_that_nobody_can_have_yet_halts_no_longer_than_it_is_missing() -> None:
    a_start_waits_for_its_first_quotes()
    a_night_waits_for_the_morning()


def test_an_exchange_halted_symbol_is_halted_and_not_stale() -> None:
    desk = Desk(with_data(stale_action="halt"), held=100)
    desk.take(TradingHalted(symbol="AAPL", code="P LUDP", event_ns=1))
    assert said(tick(desk, 2 * RULES.quote_age_ns_max)) == []
    assert buys(desk) == [Reason.TRADING_HALTED]


def too_few_good_quotes() -> None:
    desk = Desk(with_data(assets_min=2, missing_action="halt"))
    assert buys(desk) == [Reason.POSTURE_HALTED]
    desk.quote("MSFT", 100)
    tick(desk, SECOND)
    assert buys(desk) == [Reason.POSTURE_HALTED], "not at once"
    tick(desk, SECOND)
    assert buys(desk) == []
    wide = msgspec.structs.replace(quote(100, half=5 * NANOS), symbol="MSFT")
    desk.take(wide)
    tick(desk, SECOND)
    assert buys(desk) == [Reason.POSTURE_HALTED]
    desk.quote("MSFT", 100)
    for _ in range(3):
        tick(desk, SECOND)
    assert buys(desk) == [Reason.POSTURE_HALTED], "they went bad in an open market"


def test_too_few_good_quotes_do_what_the_policy_says() -> None:
    too_few_good_quotes()


# --- crossed and locked ---


def test_a_locked_quote_values_and_prices_and_a_crossed_one_does_neither() -> None:
    locked, crossed = quote(251, half=0), quote(252, half=-1)
    desk = Desk(CALM)
    desk.take(locked)
    instrument = msgspec.json.decode(desk.kernel.snapshot(), type=State).instruments["AAPL"]
    assert (instrument.bid_nanos, instrument.ask_nanos) == (251 * NANOS, 251 * NANOS)
    desk.take(crossed)
    after = msgspec.json.decode(desk.kernel.snapshot(), type=State).instruments["AAPL"]
    assert (after.bid_nanos, after.mark_nanos) == (251 * NANOS, 251 * NANOS)
    assert after.excluded


# --- prices that never agree: the broker's equity counts ---

TIGHT = msgspec.structs.replace(CALM, losses=(LossRule(limit_nanos=NANOS // 20),))


def tripped(effects: Iterable[fx.Effect]) -> bool:
    return any(isinstance(e, RecordTransition) and e.event == "BREACHED" for e in effects)


def jumping_marks_ask_the_broker() -> None:
    desk = Desk(TIGHT, cash=0, held=400)
    effects: list[fx.Effect] = []
    price = 200
    for number in range(11):  # never two in a row that agree
        price = 200 if number % 2 else 150
        effects += desk.quote("AAPL", price)
        effects += tick(desk, DOUBT_NS // 10)
    assert not tripped(effects), "nothing that was not confirmed trips"
    reads = [e for e in effects if isinstance(e, fx.ReadAccount)]
    assert reads, "but after a second the broker is asked"
    first = desk.account(80_000)
    again = [e for e in first if isinstance(e, fx.ReadAccount)]
    assert not tripped(first)
    assert again, "and once more at once"
    assert tripped(desk.account(80_000))


def test_marks_that_keep_jumping_let_the_brokers_equity_count() -> None:
    jumping_marks_ask_the_broker()


def test_a_trade_agrees_with_a_quote_that_jumped() -> None:
    instrument = Instrument()
    instrument.quote(quote(250), RULES, 1)
    assert instrument.quote(quote(200), RULES, 2) == 0
    assert instrument.trade(trade(200), RULES, 3) == 200 * NANOS
    assert instrument.quote(quote(150), RULES, 4) == 0
    assert instrument.trade(trade(200), RULES, 5) == 200 * NANOS, "or withdraws its doubt"
    assert not instrument.suspect_nanos


# --- trades that are taken back ---


def a_trade_is_withdrawn() -> None:
    desk = Desk(TIGHT, cash=0, held=400)
    desk.take(trade(249))
    desk.take(quote(250, half=5 * NANOS))  # too wide: trades mark
    desk.take(trade(248))
    desk.take(trade(230))
    state = msgspec.json.decode(desk.kernel.snapshot(), type=State)
    assert state.drawdowns["drawdown:account"].breach.source == "AAPL"
    desk.take(TradeWithdrawn(symbol="AAPL", price_nanos=231 * NANOS, event_ns=1))
    desk.take(TradeWithdrawn(symbol="AAPL", price_nanos=230 * NANOS, event_ns=1))
    state = msgspec.json.decode(desk.kernel.snapshot(), type=State)
    assert state.drawdowns["drawdown:account"].breach.source == ""
    assert state.book.account.value_attos == 400 * 248 * NANOS**2


def test_a_trade_that_is_taken_back_withdraws_the_breach_it_made() -> None:
    a_trade_is_withdrawn()


def test_a_corrected_trade_marks_by_its_right_price() -> None:
    instrument = Instrument()
    assert instrument.trade(trade(250), RULES, 1)
    assert instrument.withdraw(250 * NANOS, 249 * NANOS, 2) == 249 * NANOS
    assert instrument.last_trade_nanos == 249 * NANOS
    assert instrument.withdraw(249 * NANOS, 0, 3) == 0, "nothing is left to mark by"
    assert instrument.last_trade_nanos == 0
    assert instrument.blind(RULES, 4)


# --- anomalies ---

ODD = msgspec.structs.replace(
    RULES, price_change_deviations=4 * NANOS, volume_spike_nanos=10 * NANOS, gap_ns_max=30 * SECOND
)


@given(
    changes=st.lists(st.integers(-(10**12), 10**12), min_size=0, max_size=120),
    change=st.integers(-(10**13), 10**13),
    deviations=st.integers(1, 20 * NANOS),
)
def test_an_odd_change_is_exactly_one_beyond_its_standard_deviations(
    changes: list[int], change: int, deviations: int
) -> None:
    habit, rules = new_habit(), msgspec.structs.replace(ODD, price_change_deviations=deviations)
    for each in changes:
        habit.moved(each)
    window = changes[-100:]
    if len(window) < HABIT_MIN or len(set(window)) == 1:
        assert not moves_oddly(habit, change, rules)
        return
    mean = Fraction(sum(window), len(window))
    variance = sum(((Fraction(each) - mean) ** 2 for each in window), Fraction(0)) / len(window)
    beyond = (change - mean) ** 2 > Fraction(deviations, NANOS) ** 2 * variance
    assert moves_oddly(habit, change, rules) == beyond


@given(sizes=st.lists(st.integers(1, 10**12), min_size=1, max_size=130))
def test_an_odd_volume_is_exactly_the_multiple_of_the_rolling_average(sizes: list[int]) -> None:
    habit = new_habit()
    for number, size in enumerate(sizes):
        window = sizes[max(0, number - 100) : number]
        expected = len(window) >= HABIT_MIN and size * len(window) > 10 * sum(window)
        assert trades_oddly(habit, size, ODD) == expected


def an_odd_price_waits_for_a_second_one() -> None:
    desk = Desk(msgspec.structs.replace(CALM, data=ODD), held=100)
    for number in range(40):
        desk.quote("AAPL", 250 + number % 2)
    effects = desk.quote("AAPL", 260)  # 4 %: no jump, but far beyond what it does
    assert said(effects) == ["price_anomaly"]
    marks = msgspec.json.decode(desk.kernel.snapshot(), type=State).instruments["AAPL"]
    assert marks.mark_nanos == 251 * NANOS
    assert said(desk.quote("AAPL", 250)) == []
    assert said(desk.quote("AAPL", 261)) == [], "it was said a moment ago"
    desk.quote("AAPL", 261)
    marks = msgspec.json.decode(desk.kernel.snapshot(), type=State).instruments["AAPL"]
    assert marks.mark_nanos == 261 * NANOS, "a second one that agrees is believed"


def test_an_odd_price_waits_for_a_second_one_that_agrees() -> None:
    an_odd_price_waits_for_a_second_one()


def test_a_volume_spike_and_a_gap_are_said_once() -> None:
    desk = Desk(msgspec.structs.replace(CALM, data=ODD))
    for _ in range(HABIT_MIN):
        desk.take(trade(250, size=10))
    assert said(desk.take(trade(250, size=100))) == []
    assert said(desk.take(trade(250, size=1_000))) == ["volume_anomaly"]
    assert said(desk.take(trade(250, size=100_000))) == []
    desk.now_ns += 31 * SECOND
    assert said(desk.take(trade(250, size=10))) == ["data_gap"]
    desk.now_ns += 31 * SECOND
    assert said(desk.take(trade(250, size=10))) == []


def test_a_policy_without_anomalies_keeps_no_habits() -> None:
    desk = Desk(CALM)
    desk.take(trade(250))
    instrument = msgspec.json.decode(desk.kernel.snapshot(), type=State).instruments["AAPL"]
    assert instrument.habit is None


@pytest.mark.parametrize(
    "row",
    [
        (quotes._late, "times is not None and", "False and", late_quotes_price_nothing),
        (
            data_health._dead,
            "> most_ns]",
            "> 10 * most_ns]",
            a_dead_feed_is_told_from_a_quiet_symbol,
        ),
        (data_health._missing, "not at.excluded and ", "", too_few_good_quotes),
        (data_health._halted, '_action(turn, reason) != "halt"', "True", stale_data_halts),
        (data_health._halted, '_action(turn, reason) != "halt"', "True", a_dead_feed_halts),
        (
            data_health._follow,
            "and _came(turn.state)",
            "",
            a_start_waits_for_its_first_quotes,
        ),
        (
            data_health._may_be_gone,
            "reason.value in turn.state.data_awaited or",
            "",
            a_start_waits_for_its_first_quotes,
        ),
        (
            data_health._came,
            "if symbol not in state.trading_halts",
            "",
            a_halted_symbol_is_not_waited_for,
        ),
        (
            data_health._may_be_gone,
            "session.closed(turn, turn.state.period)",
            "()",
            a_night_waits_for_the_morning,
        ),
        (
            data_health._follow,
            "return _halted_since_open(turn, reason, known)",
            "return False",
            data_that_does_not_come_back_with_the_market_halts,
        ),
        (
            data_health._halted_since_open,
            "<= turn.policy.data.quote_age_ns_max",
            "< 0",
            data_that_does_not_come_back_with_the_market_halts,
        ),
        (Instrument._doubt, "= boot_ns", "= 0", jumping_marks_ask_the_broker),
        (Instrument._mark, "self._doubt(boot_ns)", "", jumping_marks_ask_the_broker),
        (Instrument.withdraw, "self.mark_nanos = self.last_trade_nanos", "", a_trade_is_withdrawn),
        (
            Instrument._jumps,
            "self.habit is not None and",
            "False and",
            an_odd_price_waits_for_a_second_one,
        ),
    ],
)
def test_without_a_guard_a_test_fails(
    row: tuple[Callable[..., object], str, str, Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert_pinned(monkeypatch, *row)
