"""Bad quotes neither trip a fuse nor delay a real loss by more than two quotes or a second.

The broker answers at once with the true equity; wake-ups come on time. What is bad: crossed, wide,
late and jumping quotes, and old prices shown between true ones after the fall. (Two old prices in
a row agree with each other and with what was before, and so do two jumps to one price: no marks can
tell them from the truth, and a true one comes between.)
"""

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fuseboard.core.kernel import Kernel
from fuseboard.core.market import DOUBT_NS
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.tape import TapeQuote
from fuseboard.policy.rules import BreakerRule, LossRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.market_inputs import FeedHeard
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Severity, Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.records import Record
from tests.core.test_adoption import _filled as filled
from tests.core.test_known_failures import SECOND, Desk, submitted
from tests.core.test_market_data import MS, quote, tripped
from tests.core.test_operators import CALM

HELD, BEFORE = 400, 250
POLICY = msgspec.structs.replace(CALM, losses=(LossRule(limit_nanos=NANOS // 20),))
BAD = ("crossed", "wide", "late", "jump", "old", "high")


class Street:
    """A desk with 400 shares and no cash, a broker that answers at once, and a clock."""

    def __init__(self) -> None:
        self.desk = Desk(POLICY, cash=0, held=HELD)
        self.desk.now_ns += 10 * SECOND
        self.true = BEFORE
        self.wakes: list[int] = []
        self.log: list[Record] = []
        self.trips = 0
        self.answers = True
        self.take(facts.TimeAdvanced())  # what was due is done, and the next wake-up is known
        self.take(FeedHeard(feed="stocks"))
        self.take(quote(BEFORE, self.desk.now_ns))

    def take(self, fact: facts.Input) -> None:
        moment = facts.Moment(self.desk.now_ns, self.desk.now_ns)
        effects = self.desk.kernel.step(moment, fact)
        self.log.append(Record(len(self.log) + 1, moment, fact, effects))
        self.trips += tripped(effects)
        self.wakes += [e.boot_ns for e in effects if isinstance(e, fx.WakeAt)]
        if self.answers and any(isinstance(effect, fx.ReadAccount) for effect in effects):
            equity = self.true * HELD * NANOS
            self.take(
                facts.AccountSeen(
                    cash_nanos=0,
                    equity_nanos=equity,
                    last_equity_nanos=equity,
                    multiplier=1,
                    shorting_enabled=True,
                )
            )

    def pass_time(self, ns: int) -> None:
        """Wake-ups come on time, the feed is heard each second."""
        until_ns = self.desk.now_ns + ns
        while due := [at for at in self.wakes if at <= until_ns]:
            first = min(due)
            self.wakes = [at for at in self.wakes if at > first]
            self.desk.now_ns = max(self.desk.now_ns, first)
            self.take(facts.TimeAdvanced())
        self.desk.now_ns = until_ns

    def posture(self) -> Posture:
        return self.desk.kernel._state.postures.get("account", Posture.OPEN)

    def good(self) -> None:
        self.take(quote(self.true, self.desk.now_ns))

    def bad(self, kind: str, price: int) -> None:
        now_ns = self.desk.now_ns
        if kind == "crossed":
            self.take(quote(price, now_ns, half=-NANOS))
        elif kind == "wide":
            self.take(quote(price, now_ns, half=price * NANOS // 50))
        elif kind == "late":
            self.take(quote(price, now_ns - 2 * SECOND))
        elif kind == "old":
            self.take(quote(BEFORE, now_ns))
        elif kind == "high":  # above the market, and within the limit of one step
            self.take(quote(BEFORE + 1 + price % 25, now_ns))
        else:
            near = any(abs(price - at) * 10 <= at for at in (self.true, BEFORE))
            self.take(quote(price + 1_000 if near else price, now_ns))


steps = st.lists(
    st.tuples(st.sampled_from(BAD), st.integers(2, 1_000), st.integers(0, 400), st.booleans()),
    max_size=25,
)


@given(script=steps)
@settings(max_examples=150, deadline=None)
def test_single_bad_prints_never_trip_anything(script: list[tuple[str, int, int, bool]]) -> None:
    street = Street()
    for kind, price, wait_ms, _ in script:
        street.bad(kind, price)
        street.pass_time(wait_ms * MS)
        street.good()
        street.good()
    assert street.trips == 0


@pytest.mark.no_cover
@example(script=[("jump", 198, 0, False)] * 3, before=[], fallen=220)
@given(
    script=steps,
    before=steps,
    fallen=st.sampled_from((237, 230, 226, 220, 200, 150, 60, 10)),
)
@settings(max_examples=250, deadline=None)
def test_bad_quotes_delay_a_real_loss_by_the_confirmation_at_most(
    script: list[tuple[str, int, int, bool]],
    before: list[tuple[str, int, int, bool]],
    fallen: int,
) -> None:
    street = Street()
    for kind, price, wait_ms, _ in before[:6]:
        street.bad(kind, price)
        street.pass_time(wait_ms * MS)
        street.good()
        street.good()
    street.true = fallen
    fell_ns = street.desk.now_ns
    street.good()
    in_a_row, jumped = 1, 0
    for kind, price, wait_ms, good_too in script:
        if in_a_row > 2:
            break
        if street.desk.now_ns + wait_ms * MS > fell_ns + DOUBT_NS:
            break
        street.pass_time(wait_ms * MS)
        if kind == "jump":
            if in_a_row == 0 and abs(price - jumped) * 10 <= price:
                street.good()
                in_a_row = 1
            jumped = price
        street.bad(kind, price)
        in_a_row = 0
        if good_too or kind in ("old", "high"):
            street.good()
            in_a_row += 1
    if in_a_row <= 2:  # the bad ones went on to the end of the second
        street.pass_time(max(0, fell_ns + DOUBT_NS - street.desk.now_ns) + MS)
    assert street.trips == 1
    kernel = Kernel.restored(Street().desk.kernel.snapshot())
    for record in street.log[len(Street().log) :]:
        assert kernel.step(record.moment, record.input) == record.effects, "replay differs"
    assert kernel.digest() == street.desk.kernel.digest()


@pytest.mark.parametrize("kind", ["wide", "crossed", "late"])
@pytest.mark.parametrize("seconds", [1, 3, 60])
def test_a_loss_among_bad_quotes_that_came_long_before_it_is_seen_within_a_second(
    kind: str, seconds: int
) -> None:
    """The broker was asked when the doubt was a second old: it is asked again as they go on."""
    street = Street()
    for _ in range(5 * seconds):
        street.bad(kind, BEFORE)
        street.pass_time(200 * MS)
    street.true = 220
    for _ in range(6):
        street.bad(kind, 220)
        street.pass_time(200 * MS)
    assert street.trips == 1


@pytest.mark.parametrize("condition", ["", "drawdown >= 5%", "daily_pnl <= -5%"])
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside one that ticks"])
def test_what_only_the_broker_sees_trips_at_its_second_word(condition: str, beside: bool) -> None:
    """Our own figures, which cannot see it, do not withdraw it between the two."""
    rule = BreakerRule(name="cut", condition=condition, action=Action.FLATTEN)
    losses = () if condition else (LossRule(limit_nanos=NANOS // 20),)
    rules = msgspec.structs.replace(CALM, losses=losses, breakers=(rule,) if condition else ())
    desk = Desk(rules, cash=2_500, held=HELD)
    desk.quote("MSFT", 250)
    if beside:
        (order,) = submitted(desk.order(Side.BUY, 10 * NANOS, symbol="MSFT"))
        filled(desk, order, 10)
        desk.cash = 0
    told: list[fx.Effect] = []
    answers: list[int] = []
    for ms in range(0, 3_000, 10):
        desk.now_ns += 10 * MS
        told += desk.take(quote(200, half=20 * NANOS)) if ms % 250 == 0 else ()
        told += desk.quote("MSFT", 250) if beside else ()
        told += desk.take(facts.TimeAdvanced()) if ms % 500 == 0 else ()
        if answers and answers[0] <= ms:
            told += desk.account(200 * HELD + 2_500)
            del answers[0]
        if not answers and any(isinstance(effect, fx.ReadAccount) for effect in told[-4:]):
            answers.append(ms + 100)
    assert tripped(told)
    assert sum(isinstance(effect, fx.ReadAccount) for effect in told) < 12


def test_what_neither_prices_nor_the_broker_value_lets_nothing_open() -> None:
    street = Street()
    street.answers = False
    for _ in range(60):
        street.take(FeedHeard(feed="stocks"))
        street.bad("wide", BEFORE)
        street.pass_time(200 * MS)
    told = [effect for record in street.log for effect in record.effects]
    alerts = [e for e in told if isinstance(e, fx.RaiseAlert) and e.code is Reason.UNVALUED]
    assert [alert.text.split(":")[0] for alert in alerts] == [
        "no good price of AAPL for 10s, and no equity from the broker"
    ]
    assert street.posture() is Posture.REDUCE_ONLY
    street.answers = True
    for _ in range(10):
        street.take(FeedHeard(feed="stocks"))
        street.bad("wide", BEFORE)
        street.pass_time(SECOND)
    assert street.posture() is Posture.OPEN, "the broker tells what it is worth"


@pytest.mark.parametrize("fallen", [237, 220, 209])
def test_a_loss_that_good_quotes_show_trips_after_two_further_quotes_without_the_broker(
    fallen: int,
) -> None:
    desk = Desk(POLICY, cash=0, held=HELD)
    effects = [effect for _ in range(3) for effect in desk.quote("AAPL", fallen)]
    assert tripped(effects)
    assert not tripped(Desk(POLICY, cash=0, held=HELD).quote("AAPL", fallen))


@pytest.mark.parametrize("fallen", [208, 125, 60])
def test_a_fall_by_as_much_as_a_split_waits_for_the_broker_and_people_are_told(fallen: int) -> None:
    street = Street()
    street.answers = False
    street.true = fallen
    for _ in range(40):
        street.take(FeedHeard(feed="stocks"))
        street.good()
        street.pass_time(SECOND)
    assert street.trips == 0
    assert street.posture() is Posture.REDUCE_ONLY
    told = [effect for record in street.log for effect in record.effects]
    pages = [at for at in told if isinstance(at, fx.RaiseAlert) and at.severity is Severity.PAGE]
    assert "no second source confirms it" in pages[0].text
    street.answers = True
    street.pass_time(6 * SECOND)
    assert street.trips == 1


# --- the tape of 6 May 2010 ---

PROJECT = Path(__file__).parents[2]
DATA = Path(os.environ.get("FUSEBOARD_DATA") or PROJECT / "../shared/data").resolve()


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded market data at {DATA}")
def test_on_6_may_2010_wide_quotes_do_not_hide_the_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    """AAPL's quotes of 14:45:39 to 14:47:00 are all wider than 1 %: the broker's equity counts.

    Prices are scaled so that the desk's 250 is where AAPL stood at 14:44.
    """
    monkeypatch.setenv("FUSEBOARD_DATA", str(DATA))
    tape = tape_by_name("us-equity-2010-05-06:AAPL@14:44-14:50")
    seen = [each for each in tape.read() if isinstance(each, TapeQuote)]
    desk = Desk(POLICY, cash=0, held=HELD)
    start_ns, began_ns = desk.now_ns, seen[0].at_ns
    twice = seen[0].bid_nanos + seen[0].ask_nanos
    tripped_at = None
    for shown in seen:
        bid, ask = (each * 500 * NANOS // twice for each in (shown.bid_nanos, shown.ask_nanos))
        desk.now_ns = max(desk.now_ns, start_ns + shown.at_ns - began_ns)
        effects = list(desk.take(msgspec.structs.replace(quote(1), bid_nanos=bid, ask_nanos=ask)))
        desk.now_ns += DOUBT_NS
        effects += desk.take(facts.TimeAdvanced())
        while not tripped(effects) and any(isinstance(e, fx.ReadAccount) for e in effects):
            effects = list(desk.account((bid + ask) // 2 * HELD // NANOS))
        if tripped(effects):
            tripped_at = shown
            break
    falls = [each for each in seen if 100 * (each.bid_nanos + each.ask_nanos) <= 95 * twice]
    assert tripped_at == falls[0], "at the first quote that shows it"
    assert wide(falls[0]), "though it prices nothing"
    assert all(wide(each) for each in falls[:3])


def wide(shown: TapeQuote) -> bool:
    return 200 * (shown.ask_nanos - shown.bid_nanos) > shown.bid_nanos + shown.ask_nanos
