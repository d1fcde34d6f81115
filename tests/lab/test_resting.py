"""Leaps over stretches in which nothing can happen: the same comes out, to the nanosecond."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from fuseboard.exchange.calendar import MarketHours
from fuseboard.feeds.calendars import TimesOfDay
from fuseboard.feeds.tapes.tape import Tape
from fuseboard.lab import protected
from fuseboard.lab.resting import Resting, edge_ns
from fuseboard.lab.result import TrialResult
from fuseboard.lab.strategy import Place
from fuseboard.lab.trial import run_trial
from fuseboard.policy.data_rules import DataRules, ReconciliationRules
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.effects import (
    Effect,
    RaiseAlert,
    ReadAccount,
    ReadExecutions,
    WakeAt,
)
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    Input,
    Moment,
    PositionsSeen,
    TimeAdvanced,
    TimeOfDayReached,
)
from fuseboard.vocabulary.liquidity_effects import RecordLiquidity
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Severity, Side
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.records import Record
from tests.lab.markets import OPENS_NS, Scripted, chosen_of, options, quote, tape_of

HOUR_NS = 3_600 * NANOS
ASKING = (ReadAccount, ReadExecutions, WakeAt)
NIGHT = Policy(
    name="night",
    losses=(LossRule(limit_nanos=NANOS // 100, cooldown_ns=600 * NANOS),),
    liquidity=LiquidityRules(enabled=True),
    data=DataRules(quote_age_ns_max=HOUR_NS, jump_nanos_max=NANOS // 2),
)


def afternoon(*, last_second: int) -> Tape:
    """A share that falls in the middle of a day, and is silent until long after the close."""
    prices = ((5, 1_000), (9_000, 1_000), (9_600, 800), (9_605, 800), (last_second, 790))
    return tape_of([quote(second * NANOS, price, price + 1) for second, price in prices])


def played(tape: Tape, *, leaps: bool) -> tuple[TrialResult, list[tuple[Moment, Effect]]]:
    """The result, and each effect but questions and wakes with its moment."""
    buy = Place(
        own_id="b",
        symbol="AAA",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        quantity_nanos=9 * NANOS,
    )
    told: list[tuple[Moment, Effect]] = []

    def keep(record: Record) -> None:
        told.extend((record.moment, at) for at in record.effects if not isinstance(at, ASKING))

    asked = options(chosen_of(Scripted([[buy], []])), NIGHT)
    return run_trial(tape, asked, keep=keep, leaps=leaps), told


def test_what_time_leaps_over_comes_out_as_if_each_reading_was_played(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protected, "DAY_NS", HOUR_NS)
    tape = afternoon(last_second=24_000)
    leapt, told = played(tape, leaps=True)
    whole, told_whole = played(tape, leaps=False)
    assert told == told_whole
    codes = [each.code for _, each in told if isinstance(each, RaiseAlert)]
    assert Reason.DRAWDOWN in codes, "a fuse trips"
    assert codes.count(Reason.SESSION_ROLLED) == 2
    assert any(isinstance(each, RecordLiquidity) and each.silent for _, each in told)
    assert leapt.figures.inputs * 15 < whole.figures.inputs
    figures = structs.replace(leapt.figures, inputs=whole.figures.inputs)
    assert figures == whole.figures
    assert (
        structs.replace(
            leapt, figures=figures, digest=whole.digest, signals=whole.signals, took=whole.took
        )
        == whole
    )


def test_time_leaps_on_a_tape_of_more_than_a_day_alone() -> None:
    days, _ = played(afternoon(last_second=20 * 86_400), leaps=True)
    assert days.figures.inputs < 5_000
    tape = tape_of([quote(second * NANOS, 9_999, 10_001) for second in (5, 1_200)])
    leapt, told = played(tape, leaps=True)
    whole, told_whole = played(tape, leaps=False)
    assert (leapt.digest, told) == (whole.digest, told_whole)


# --- when time leaps ------------------------------------------------------------------------------

ACCOUNT = AccountSeen(
    cash_nanos=NANOS,
    equity_nanos=NANOS,
    last_equity_nanos=NANOS,
    multiplier=1,
    shorting_enabled=False,
)
READ: tuple[tuple[Input, Effect | None], ...] = (
    (TimeAdvanced(), ReadAccount(positions=True)),
    (ACCOUNT, None),
    (PositionsSeen(positions=()), None),
    (ExecutionsSeen(after=None, newest="", executions=()), None),
)
OTHER = structs.replace(ACCOUNT, equity_nanos=2 * NANOS)
ALERT = RaiseAlert(severity=Severity.INFO, code=Reason.ALLOWED, scope="account", text="said")


def moment(second: int) -> Moment:
    return Moment(second * NANOS, OPENS_NS + second * NANOS)


class Watched:
    """A `Resting` that is shown whole comparisons; the kernel rests until `until`, in seconds."""

    def __init__(self, until: int = 10**6, *, at: str = "") -> None:
        self.until = until
        self.kept: list[Record] = []
        self.resting = Resting(
            MarketHours(always=False),
            rests_until=lambda: self.until * NANOS,
            every_ns=30 * NANOS,
            times=TimesOfDay([at] if at else [], "UTC"),
            keep=self.kept.append,
        )

    def compared(
        self,
        second: int,
        *,
        after: tuple[tuple[Input, Effect | None], ...] = (),
        instead: Input | None = None,
        without: type[Input] | None = None,
    ) -> None:
        """A comparison; `after` comes after it, `instead` of the reading of its type."""
        for told, effect in (*READ, *after):
            if type(told) is without:
                continue
            replaced = instead is not None and type(told) is type(instead)
            self._keep(second, instead if replaced and instead is not None else told, effect)
            if isinstance(told, TimeAdvanced) and effect is READ[0][1]:
                self._keep(second, told, ReadExecutions(after=None))

    def read(self, second: int, account: AccountSeen | None = None) -> None:
        """A reading of the account alone."""
        self._keep(second, TimeAdvanced(), ReadAccount(positions=False))
        self._keep(second, account or ACCOUNT, None)

    def _keep(self, second: int, told: Input, effect: Effect | None) -> None:
        effects = () if effect is None else (effect,)
        self.resting.keep(Record(len(self.kept) + 1, moment(second), told, effects))

    def leap(self, second: int, due_in: int = 3_600) -> int:
        return self.resting.leap_ns(moment(second), due_in * NANOS) // NANOS


def test_after_a_comparison_that_said_nothing_new_time_leaps_by_whole_cycles() -> None:
    watched = Watched()
    watched.compared(5)
    assert watched.leap(5) == 0, "the readings are news once"
    watched.compared(35)
    assert watched.leap(35) == 3_570
    assert watched.leap(35, due_in=3_601) == 3_600
    assert watched.leap(35, due_in=60) == 30
    assert watched.leap(36) == 0, "a comparison is not just done"
    assert len(watched.kept) == 2 * (len(READ) + 1)


def test_after_a_reading_that_said_nothing_new_time_leaps_to_the_next_comparison() -> None:
    watched = Watched()
    for second in (5, 35):
        watched.compared(second)
    assert watched.leap(35, due_in=30) == 25, "the last reading before what happens"
    assert watched.leap(35, due_in=11) == watched.leap(35, due_in=13) == 10
    assert watched.leap(35, due_in=5) == watched.leap(35, due_in=4) == 0
    watched.read(40)
    assert watched.leap(40) == 25, "the comparison is due at 65"
    watched.read(45, OTHER)
    assert watched.leap(45) == 0, "news"
    watched.read(50, OTHER)
    assert watched.leap(50) == 15
    watched.read(65, OTHER)
    assert watched.leap(65) == 0, "a comparison is due"


def test_what_is_asked_and_not_answered_keeps_time_from_leaping() -> None:
    for unanswered in (PositionsSeen, ExecutionsSeen):
        watched = Watched()
        for second in (5, 35):
            watched.compared(second)
        watched.compared(65, without=unanswered)
        assert watched.leap(65) == 0
        watched.read(70)
        assert watched.leap(70) == 0


@pytest.mark.parametrize(
    ("more", "instead"),
    [
        (((TimeAdvanced(), ALERT),), None),
        (((ACCOUNT, ALERT),), None),
        ((), OTHER),
        ((), PositionsSeen(positions=(), missing=("one",))),
        ((), ExecutionsSeen(after=None, newest="1", executions=())),
    ],
)
def test_anything_else_with_a_comparison_keeps_time_from_leaping(
    more: tuple[tuple[Input, Effect | None], ...], instead: Input | None
) -> None:
    watched = Watched()
    for second in (5, 35, 65):
        watched.compared(second)
    watched.compared(95, after=more, instead=instead)
    assert watched.leap(95) == 0
    for second in (125, 155):
        watched.compared(second)
    assert watched.leap(155) == 3_570


def test_time_stops_before_the_kernels_deadline_and_before_the_market_closes() -> None:
    watched = Watched(until=1_000)
    for second in (5, 35, 65):
        watched.compared(second)
    assert watched.leap(65) == 930
    watched.until = 65
    assert watched.leap(65) == 0
    watched.until = 10**6
    six_hours = 6 * 3_600
    assert watched.leap(65, due_in=86_400) == six_hours - 65 - (six_hours - 65) % 30


def test_time_stops_before_a_time_of_day_at_which_the_policy_wants_the_books_compared() -> None:
    watched = Watched(at="14:15")  # a quarter of an hour after the opening
    for second in (5, 35, 65):
        watched.compared(second)
    assert watched.leap(65) == 810
    for second in (875, 905, 935):
        watched.compared(second)
    assert watched.leap(935) == 3_570


def test_a_time_of_day_in_the_middle_of_a_leap_comes_to_the_nanosecond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protected, "DAY_NS", HOUR_NS)
    at = ReconciliationRules(at=("11:00", "12:17"))  # New York's time; nothing else happens then
    tape = tape_of([quote(second * NANOS, 9_999, 10_001) for second in (5, 9_000)])
    runs = []
    for leaps in (True, False):
        kept: list[Record] = []
        policy = structs.replace(NIGHT, reconciliation=at)
        run_trial(
            tape, options(chosen_of(Scripted([[], []])), policy), keep=kept.append, leaps=leaps
        )
        reached = [each for each in kept if type(each.input) is TimeOfDayReached]
        compared = [
            next(
                later.moment.wall_ns - each.moment.wall_ns
                for later in kept[each.sequence :]
                if any(effect == ReadAccount(positions=True) for effect in later.effects)
            )
            for each in reached
        ]
        assert all(each.moment.wall_ns == each.input.due_ns for each in reached)  # type: ignore[union-attr]
        assert all(waited_ns <= 5 * NANOS for waited_ns in compared)
        runs.append([(each.moment, waited) for each, waited in zip(reached, compared, strict=True)])
    leapt, whole = runs
    assert leapt == whole
    minutes = [(each.wall_ns - OPENS_NS) // (60 * NANOS) for each, _ in leapt]
    assert minutes == [60, 137], "the market opened at ten"


def test_an_edge_is_the_next_opening_close_or_midnight_of_what_never_closes() -> None:
    def at(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NANOS

    shares, always = MarketHours(always=False), MarketHours(always=True)
    friday = "2025-06-06"
    assert edge_ns(shares, at(f"{friday} 15:00")) == at(f"{friday} 20:00")
    assert edge_ns(shares, at(f"{friday} 20:00")) == at("2025-06-09 13:30")
    assert edge_ns(shares, at("2025-06-09 13:30")) == at("2025-06-09 20:00")
    assert edge_ns(always, at(f"{friday} 15:00")) == at("2025-06-07 00:00")
    assert edge_ns(always, at("2025-06-07 00:00")) == at("2025-06-08 00:00")
