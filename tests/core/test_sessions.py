"""A session rolls by two clocks; references begin anew, latches stay, named resets are made."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.machine import FuseEvent, FuseState
from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import LossRule, StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action, Reference, ResetRule
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.identifiers import strategy_scope
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import CashMoved, OperatorHaltRequested
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import Desk

SECOND = NANOS
HOUR = 3600 * SECOND
DATES = ("2026-11-20", "2026-11-23", "2026-11-24", "2026-11-25", "2026-11-30", "2026-12-01")
WEEKS = ("2026-11-16", "2026-11-23", "2026-11-23", "2026-11-23", "2026-11-30", "2026-11-30")
MONTHS = (*["2026-11-02"] * 5, "2026-12-01")


def loss(name: str, reference: Reference = Reference.SESSION_PEAK, **more: object) -> LossRule:
    settings = {"limit_nanos": NANOS // 20, "cooldown_ns": SECOND, "action": Action.HALT}
    return LossRule(name=name, reference=reference, **{**settings, **more})  # type: ignore[arg-type]


def policy(*losses: LossRule, strategies: tuple[StrategyRule, ...] = ()) -> Policy:
    limits = Limits(order_value_nanos_max=NANOS**2)
    return Policy(limits=limits, losses=losses, strategies=strategies)


class SessionDesk(Desk):
    """A desk of 1,000 AAPL at 250 and 750,000 in cash: a dollar is a tenth of a percent."""

    def __init__(self, rules: Policy) -> None:
        super().__init__(rules, cash=750_000, held=1_000)

    def clock(self, ahead_ns: int = 0, *, is_open: bool = False) -> tuple[fx.Effect, ...]:
        wall_ns = self.now_ns + SECOND // 1000 + ahead_ns
        return self.take(facts.BrokerClockSeen(wall_ns=wall_ns, is_open=is_open))

    def opens(self, after_ns: int = 0) -> tuple[fx.Effect, ...]:
        """The session that began opens, and so much later the broker's clock is read."""
        self.now_ns = self.kernel._state.period.open_ns + after_ns
        return self.clock(is_open=True)

    def begins(self, number: int) -> tuple[fx.Effect, ...]:
        return self.take(
            facts.SessionRolled(
                calendar="XNYS",
                session=DATES[number],
                week_began=WEEKS[number],
                month_began=MONTHS[number],
                open_ns=self.now_ns + 15 * HOUR,
                close_ns=self.now_ns + 22 * HOUR,
            )
        )

    def rolls(self, number: int) -> tuple[fx.Effect, ...]:
        self.now_ns += 24 * HOUR
        return (*self.clock(), *self.begins(number))

    def at(self, price: int) -> tuple[fx.Effect, ...]:
        """Three quotes: a far one waits for a second, and a breach for the next; positions are told
        where they are asked for.
        """
        effects: tuple[fx.Effect, ...] = ()
        for _ in range(3):
            seen = self.quote("AAPL", price)
            if any(isinstance(effect, fx.ReadAccount) and effect.positions for effect in seen):
                seen += self.told_positions(price)
            effects += seen
        return effects

    def told_positions(self, price: int) -> tuple[fx.Effect, ...]:
        held = facts.BrokerPosition(
            symbol="AAPL",
            quantity_nanos=self.held * NANOS,
            average_price_nanos=250 * NANOS,
            price_nanos=price * NANOS,
        )
        return self.take(facts.PositionsSeen(positions=(held,)))

    def fuse(self, name: str, scope: str = "account") -> DrawdownFuse:
        return self.kernel._state.drawdowns[f"{name}:{scope}"]

    def mark(self, name: str) -> int:
        return self.fuse(name).mark_attos // NANOS**2


def codes(effects: Sequence[fx.Effect]) -> list[Reason]:
    return [effect.code for effect in effects if isinstance(effect, fx.RaiseAlert)]


EVERY = policy(
    *(loss(reference.value, reference, window_days=3) for reference in Reference),
)


def test_each_reference_rolls_with_its_own_period_and_a_peak_never() -> None:
    desk = SessionDesk(EVERY)
    desk.rolls(0)
    desk.at(260)  # equity 1,010,000
    desk.at(255)
    names = [reference.value for reference in Reference]
    assert [desk.mark(name) for name in names] == [1_010_000] * 3 + [1_000_000] * 3
    desk.rolls(1)  # a Monday: the week begins
    marks = dict(zip(names, (desk.mark(name) for name in names), strict=True))
    assert marks == {
        "session_peak": 1_005_000,
        "peak": 1_010_000,
        "rolling_peak": 1_010_000,
        "session_open": 1_005_000,
        "week_open": 1_005_000,
        "month_open": 1_000_000,
    }
    desk.at(251)
    for number in (2, 3):
        desk.rolls(number)
    assert desk.mark("rolling_peak") == 1_005_000  # the peak of 1,010,000 is three sessions old
    assert desk.mark("week_open") == 1_005_000
    desk.rolls(4)
    desk.rolls(5)  # a new month
    assert desk.mark("month_open") == desk.mark("rolling_peak") == 1_001_000
    assert desk.mark("peak") == 1_010_000


def test_an_open_stays_when_equity_rises_above_it() -> None:
    desk = SessionDesk(policy(loss("daily", Reference.SESSION_OPEN)))
    desk.rolls(0)
    desk.at(290)
    assert desk.mark("daily") == 1_000_000
    desk.at(201)
    assert desk.fuse("daily").state is FuseState.MONITORING
    desk.at(200)  # quotes are a cent wide, marks are their middle: exactly 5 % of the open
    assert desk.fuse("daily").state is FuseState.HALTED


@pytest.mark.parametrize("reference", list(Reference))
def test_every_reference_trips_exactly_at_its_limit_on_account_and_strategy(
    reference: Reference,
) -> None:
    for dollars, trips in ((201, False), (200, True)):
        rules = policy(
            loss("any", reference, window_days=2),
            strategies=(
                StrategyRule(
                    name="alpha",
                    capital_nanos=1_000_000 * NANOS,
                    losses=(loss("own", reference, window_days=2),),
                ),
            ),
        )
        desk = SessionDesk(rules)
        desk.kernel._state.book.inherit("alpha")
        desk.at(250)
        desk.rolls(0)
        desk.at(dollars)
        for name, scope in (("any", "account"), ("own", strategy_scope("alpha"))):
            assert (desk.fuse(name, scope).state is FuseState.HALTED) is trips, (name, dollars)


def test_the_loss_of_a_night_counts_against_the_equity_at_the_roll() -> None:
    desk = SessionDesk(policy(loss("session")))
    desk.rolls(0)
    desk.at(260)
    desk.rolls(1)
    assert desk.mark("session") == 1_010_000
    desk.at(209)  # 959,000: 5.05 % under the close
    assert desk.fuse("session").state is FuseState.HALTED


def test_a_node_that_was_down_over_the_roll_counts_from_the_brokers_prior_close() -> None:
    desk = SessionDesk(policy(loss("session")))
    desk.rolls(0)
    desk.at(260)
    desk.now_ns += 24 * HOUR
    desk.start()
    desk.take(
        facts.AccountSeen(
            cash_nanos=750_000 * NANOS,
            equity_nanos=1_010_000 * NANOS,
            last_equity_nanos=1_008_000 * NANOS,
            multiplier=1,
            shorting_enabled=True,
        )
    )
    desk.at(252)
    desk.begins(1)
    assert desk.mark("session") == 1_010_000  # nobody has asked the broker's clock yet
    desk.clock()
    assert desk.mark("session") == 1_008_000


def test_a_session_told_while_the_books_are_not_compared_begins_when_they_are() -> None:
    desk = SessionDesk(policy(loss("session")))
    desk.rolls(0)
    text = desk.text
    desk.now_ns += 24 * HOUR
    desk.take(facts.PolicyAdopted(text=text, digest=digest_of(text), operator="start"))
    desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    desk.clock()
    desk.begins(1)
    assert desk.kernel._state.period.session == DATES[0]
    desk.take(facts.BrokerStreamChanged(connected=True))
    desk.account()
    held = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=1_000 * NANOS,
        average_price_nanos=250 * NANOS,
        price_nanos=250 * NANOS,
    )
    desk.take(facts.PositionsSeen(positions=(held,)))
    assert desk.kernel._state.period.session == DATES[1]


def test_only_a_later_date_rolls() -> None:
    desk = SessionDesk(policy(loss("session")))
    desk.rolls(1)
    desk.at(260)
    for number in (1, 0):
        assert Reason.SESSION_ROLLED not in codes((*desk.clock(), *desk.begins(number)))
        assert desk.mark("session") == 1_010_000


@pytest.mark.parametrize("ahead_ns", [-24 * HOUR, -11 * SECOND, 11 * SECOND])
def test_without_an_agreeing_broker_clock_nothing_rolls_and_it_is_said_once(ahead_ns: int) -> None:
    desk = SessionDesk(policy(loss("session")))
    desk.rolls(0)
    desk.at(260)
    desk.now_ns += 24 * HOUR
    said = codes((*desk.clock(ahead_ns), *desk.begins(1), *desk.clock(ahead_ns)))
    assert said == [Reason.CLOCKS_DISAGREE] * 2, "the clocks once, and the session that waits"
    desk.at(255)
    assert desk.mark("session") == 1_010_000
    assert Reason.SESSION_ROLLED in codes(desk.clock(9 * SECOND))
    assert desk.fuse("session").mark_attos < 1_010_000 * NANOS**2


@pytest.mark.parametrize(
    ("ahead_ns", "said"),
    [
        (-24 * HOUR, "our time is 86400 s ahead of the broker's clock: reductions only"),
        (11 * SECOND, "our time is 11 s behind the broker's clock: reductions only"),
    ],
)
def test_of_two_clocks_that_are_apart_neither_is_blamed(ahead_ns: int, said: str) -> None:
    desk = SessionDesk(policy(loss("session")))
    desk.rolls(0)
    desk.at(260)
    alerts = [at.text for at in desk.clock(ahead_ns) if isinstance(at, fx.RaiseAlert)]
    assert [text.startswith(said) for text in alerts] == [True], alerts


def test_a_clock_that_is_never_read_is_said_after_a_minute_and_an_old_reading_is_none() -> None:
    desk = SessionDesk(policy(loss("session")))
    desk.rolls(0)
    desk.now_ns += 16 * 60 * SECOND
    assert codes(desk.begins(1)) == [Reason.CLOCKS_DISAGREE]  # what was read is too old
    desk.start()
    desk.now_ns += 61 * SECOND
    assert Reason.CLOCKS_DISAGREE not in codes(desk.take(facts.TimeAdvanced()))  # said already
    fresh = SessionDesk(policy(loss("session")))
    assert codes(fresh.begins(1)) == []
    fresh.now_ns += 61 * SECOND
    assert Reason.CLOCKS_DISAGREE in codes(fresh.take(facts.TimeAdvanced()))


def test_a_clock_that_was_read_before_the_start_agrees_with_nothing() -> None:
    desk = SessionDesk(policy(loss("session")))
    desk.clock()
    desk.start()
    desk.begins(0)
    assert desk.kernel._state.period.session == ""
    desk.clock()
    assert desk.kernel._state.period.session == DATES[0]


def test_a_session_that_is_over_or_far_away_does_not_begin() -> None:
    desk = SessionDesk(policy(loss("session")))
    desk.clock()
    for open_ns, close_ns in ((0, desk.now_ns), (22 * 24 * HOUR, 23 * 24 * HOUR)):
        desk.take(
            facts.SessionRolled(
                calendar="XNYS",
                session=DATES[2] if open_ns else DATES[1],
                week_began=WEEKS[1],
                month_began=MONTHS[1],
                open_ns=open_ns,
                close_ns=close_ns,
            )
        )
        assert desk.kernel._state.period.session == ""


def test_a_latch_survives_the_roll_and_a_manual_rule_is_not_reset_by_it() -> None:
    desk = SessionDesk(policy(loss("session")))
    desk.rolls(0)
    desk.at(199)
    assert desk.fuse("session").state is FuseState.HALTED
    desk.rolls(1)
    assert desk.fuse("session").state is FuseState.HALTED
    assert desk.mark("session") == 949_000


NEXT_DAY = loss("daily", Reference.SESSION_OPEN, reset=ResetRule.NEXT_TRADING_DAY)


def test_the_next_trading_day_resets_what_stopped_by_itself_recorded_as_the_calendars() -> None:
    desk = SessionDesk(policy(NEXT_DAY))
    desk.rolls(0)
    desk.at(199)
    assert not calendars(desk.rolls(1)), "the close of the day on which it tripped"
    effects = desk.opens()
    (moved,) = [e for e in effects if isinstance(e, RecordTransition)]
    assert (moved.event, moved.operator) == ("RESET", "calendar:XNYS")
    (cleared,) = [e for e in effects if isinstance(e, fx.ClearHalt)]
    assert (cleared.scope, cleared.operator) == ("account", "calendar:XNYS")
    assert not isinstance(cleared, (fx.CancelOrder, fx.LatchHalt))  # it waits for the disk
    assert desk.fuse("daily").state is FuseState.MONITORING
    assert desk.fuse("daily").generation == 2
    desk.at(189)  # 939,000 of 949,000: the new day has its own reference
    assert desk.fuse("daily").state is FuseState.MONITORING


def calendars(effects: Sequence[fx.Effect]) -> list[str]:
    """The fuses that the calendar has reset."""
    moved = [e for e in effects if isinstance(e, RecordTransition) and e.event == "RESET"]
    return [e.fuse for e in moved if e.operator == "calendar:XNYS"]


def tripped(at: int = 199) -> SessionDesk:
    """The day's loss has tripped in the first session, and the second has begun."""
    desk = SessionDesk(policy(NEXT_DAY))
    desk.rolls(0)
    desk.at(at)
    desk.rolls(1)
    return desk


def test_nothing_is_reset_a_moment_before_the_open_nor_by_a_word_from_before_it() -> None:
    desk = tripped()
    desk.now_ns = desk.kernel._state.period.open_ns - 2 * SECOND
    assert not calendars(desk.clock(is_open=True))
    desk.now_ns += 3 * SECOND
    assert not calendars(desk.take(facts.TimeAdvanced())), "read two seconds before the open"
    assert calendars(desk.clock(is_open=True)) == ["daily:account"]


@pytest.mark.parametrize(
    ("after_ns", "ahead_ns", "is_open"),
    [(SECOND, 0, False), (SECOND, -11 * SECOND, True), (7 * HOUR, 0, True)],
    ids=["a holiday that the calendar does not know", "the clocks differ", "it has closed again"],
)
def test_a_session_that_is_not_open_by_both_clocks_resets_nothing_and_the_next_one_does(
    after_ns: int, ahead_ns: int, *, is_open: bool
) -> None:
    desk = tripped()
    desk.now_ns = desk.kernel._state.period.open_ns + after_ns
    assert not calendars(desk.clock(ahead_ns, is_open=is_open))
    desk.rolls(2)
    assert calendars(desk.opens(SECOND)) == ["daily:account"]


def test_people_are_told_once_that_the_open_has_passed_and_the_reset_waits() -> None:
    desk = tripped()
    desk.now_ns = desk.kernel._state.period.open_ns + 59 * SECOND
    assert not [e for e in desk.take(facts.TimeAdvanced()) if isinstance(e, fx.RaiseAlert)]
    desk.now_ns += 2 * SECOND
    effects = (*desk.take(facts.TimeAdvanced()), *desk.clock(), *desk.take(facts.TimeAdvanced()))
    texts = [e.text for e in effects if isinstance(e, fx.RaiseAlert)]
    (text,) = [at for at in texts if "should be open" in at]
    assert text.endswith("the broker's clock has not been read; still halted: daily:account")


def test_who_is_down_over_the_open_resets_at_the_start_and_who_is_down_all_day_at_the_next() -> (
    None
):
    desk = tripped()
    desk.now_ns = desk.kernel._state.period.open_ns + HOUR
    desk.start()
    assert desk.fuse("daily").state is FuseState.HALTED
    assert calendars(desk.clock(is_open=True)) == ["daily:account"]

    away = tripped()
    away.now_ns = away.kernel._state.period.close_ns + HOUR
    away.start()
    assert not calendars(away.clock(is_open=False))
    assert not calendars(away.begins(2))
    assert calendars(away.opens()) == ["daily:account"]


def test_a_session_that_began_while_the_node_was_down_resets_at_once_if_it_is_open() -> None:
    desk = SessionDesk(policy(NEXT_DAY))
    desk.rolls(0)
    desk.at(199)
    desk.now_ns += 20 * HOUR
    desk.start()
    desk.clock(is_open=True)
    told = facts.SessionRolled(
        calendar="XNYS",
        session=DATES[1],
        week_began=WEEKS[1],
        month_began=MONTHS[1],
        open_ns=desk.now_ns - HOUR,
        close_ns=desk.now_ns + HOUR,
        began_ns=desk.now_ns - 10 * HOUR,
    )
    assert calendars(desk.take(told)) == ["daily:account"]


def test_what_trips_between_the_close_and_the_open_waits_for_the_open_after() -> None:
    desk = SessionDesk(policy(NEXT_DAY))
    desk.rolls(0)
    desk.rolls(1)
    desk.at(199)
    assert desk.fuse("daily").state is FuseState.HALTED
    assert not calendars(desk.opens())
    desk.rolls(2)
    assert calendars(desk.opens()) == ["daily:account"]


def test_a_session_that_is_told_late_does_not_reset_what_tripped_in_it() -> None:
    desk = SessionDesk(policy(NEXT_DAY))
    desk.rolls(0)
    desk.now_ns += 20 * HOUR
    began_ns = desk.now_ns
    desk.at(199)  # the calendar cannot be had: nobody has told that it is another day
    desk.now_ns += HOUR
    desk.clock(is_open=True)
    late = facts.SessionRolled(
        calendar="XNYS",
        session=DATES[1],
        week_began=WEEKS[1],
        month_began=MONTHS[1],
        open_ns=began_ns,
        close_ns=began_ns + 6 * HOUR,
        began_ns=began_ns,
    )
    assert not calendars(desk.take(late))
    assert desk.kernel._state.period.session == DATES[1]


def test_a_day_that_never_closes_resets_when_it_begins_whatever_the_brokers_hours_are() -> None:
    desk = SessionDesk(policy(NEXT_DAY))
    desk.rolls(0)
    desk.at(199)
    desk.now_ns += 24 * HOUR
    desk.clock(is_open=False)
    begins = facts.SessionRolled(
        calendar="24/7",
        session=DATES[1],
        week_began=WEEKS[1],
        month_began=MONTHS[1],
        open_ns=desk.now_ns,
        close_ns=desk.now_ns + 24 * HOUR,
        began_ns=desk.now_ns,
    )
    effects = desk.take(begins)
    (moved,) = [e for e in effects if isinstance(e, RecordTransition) and e.event == "RESET"]
    assert moved.operator == "calendar:24/7"


def test_a_calendar_that_cannot_tell_the_open_resets_nothing() -> None:
    desk = tripped()
    told = facts.SessionRolled(
        calendar="XNYS",
        session=DATES[1],
        week_began=WEEKS[1],
        month_began=MONTHS[1],
        open_ns=0,
        close_ns=desk.now_ns + 22 * HOUR,
    )
    desk.take(told)
    desk.now_ns += 16 * HOUR
    assert not calendars(desk.clock(is_open=True))


def test_a_day_resets_once_at_its_open_and_not_what_is_let_to_the_calendar_later() -> None:
    desk = SessionDesk(policy(loss("daily", Reference.SESSION_OPEN)))
    desk.rolls(0)
    desk.at(199)
    desk.rolls(1)
    assert not calendars(desk.opens())
    text = canonical_text(policy(NEXT_DAY))
    adopted = facts.PolicyAdopted(
        text=text, digest=digest_of(text), operator="ann", reason="agreed"
    )
    desk.take(adopted)
    assert desk.fuse("daily").rule.reset is ResetRule.NEXT_TRADING_DAY
    assert not calendars(desk.clock(is_open=True))
    desk.rolls(2)
    assert calendars(desk.opens()) == ["daily:account"]


def test_the_first_session_that_is_ever_known_resets_nothing() -> None:
    desk = SessionDesk(policy(loss("day", reset=ResetRule.NEXT_TRADING_DAY)))
    desk.at(199)
    desk.now_ns += HOUR  # the calendar was missing all morning
    desk.rolls(0)
    desk.opens()
    assert desk.fuse("day").latched(), "it may be of this very day"
    desk.rolls(1)
    desk.opens()
    assert not desk.fuse("day").latched()


def test_the_calendar_resets_no_kill_and_no_persons_latch_and_waits_for_the_clock() -> None:
    desk = SessionDesk(policy(NEXT_DAY))
    desk.rolls(0)
    desk.at(199)
    desk.now_ns += 24 * HOUR
    desk.begins(1)
    desk.now_ns += 16 * HOUR
    assert desk.fuse("daily").state is FuseState.HALTED
    halt = OperatorHaltRequested(
        request=1, operator="ann", reason="drill", scope="account", level=HaltLevel.HALT
    )
    desk.take(halt)
    desk.account(949_000)  # the broker's own equity at the prior close
    effects = desk.clock(is_open=True)
    assert desk.fuse("daily").state is FuseState.MONITORING
    assert not [effect for effect in effects if isinstance(effect, fx.ClearHalt)]
    assert desk.kernel._state.latches["account"].state is FuseState.HALTED

    killed = SessionDesk(
        policy(loss("daily", reset=ResetRule.NEXT_TRADING_DAY, action=Action.KILL))
    )
    killed.rolls(0)
    killed.at(199)
    killed.rolls(1)
    killed.opens()
    assert killed.fuse("daily").state is FuseState.KILLED


def test_the_calendar_does_not_reset_while_a_plan_runs_nor_what_was_reset_too_often() -> None:
    flat = loss("daily", reset=ResetRule.NEXT_TRADING_DAY, action=Action.FLATTEN)
    desk = SessionDesk(policy(flat))
    desk.rolls(0)
    desk.at(199)
    assert desk.kernel._state.plans
    desk.rolls(1)
    desk.opens()
    assert desk.fuse("daily").state is FuseState.TRIGGERED

    often = SessionDesk(policy(loss("daily", reset=ResetRule.NEXT_TRADING_DAY, resets_a_day_max=0)))
    often.rolls(0)
    often.at(199)
    assert often.fuse("daily").state is FuseState.HALTED
    often.rolls(1)
    often.opens()
    assert often.fuse("daily").state is FuseState.HALTED
    assert often.fuse("daily").exhausted


def test_a_kill_rule_disconnects_and_a_deposit_does_not_trip_any_reference() -> None:
    desk = SessionDesk(EVERY)
    desk.rolls(0)
    desk.at(260)
    desk.rolls(1)
    before = {name: fuse.drawdown_nanos() for name, fuse in desk.kernel._state.drawdowns.items()}
    for amount in (5_000_000, -5_600_000, 700_000):
        desk.take(CashMoved(request=0, amount_nanos=amount * NANOS, why="funds"))
    after = {name: fuse.drawdown_nanos() for name, fuse in desk.kernel._state.drawdowns.items()}
    assert all(abs(before[name] - after[name]) <= 5 for name in before), (before, after)
    assert all(fuse.watching() for fuse in desk.kernel._state.drawdowns.values())

    killed = SessionDesk(policy(loss("hard", action=Action.KILL)))
    effects = killed.at(199)
    levels = [effect.level for effect in effects if isinstance(effect, fx.LatchHalt)]
    assert levels == [HaltLevel.KILL]
    assert killed.fuse("hard").state is FuseState.KILLED


def test_a_removed_rule_stays_while_latched_and_a_kept_name_keeps_its_mark() -> None:
    desk = SessionDesk(policy(loss("old"), loss("kept")))
    desk.at(260)
    desk.at(213)  # 963,000: under 1,010,000 by 4.65 %
    renamed = canonical_text(policy(loss("new"), loss("kept", limit_nanos=NANOS // 10)))
    adopted = facts.PolicyAdopted(
        text=renamed, digest=digest_of(renamed), operator="ann", reason="agreed"
    )
    desk.take(adopted)
    desk.at(213)
    assert list(desk.kernel._state.drawdowns) == ["kept:account", "new:account"]
    assert desk.mark("kept") == 1_010_000
    assert desk.mark("new") == 1_000_000  # the prior close
    desk.at(165)
    assert desk.fuse("new").state is FuseState.HALTED
    away = canonical_text(policy(loss("other")))
    desk.take(
        facts.PolicyAdopted(text=away, digest=digest_of(away), operator="ann", reason="agreed")
    )
    assert desk.fuse("new").state is FuseState.HALTED
    assert Kernel.restored(desk.kernel.snapshot()).digest() == desk.kernel.digest()


@given(
    window=st.integers(1, 5),
    sessions=st.lists(st.lists(st.integers(951, 2_000), min_size=1, max_size=5), max_size=12),
)
def test_a_rolling_peak_is_the_highest_of_its_window(
    window: int, sessions: list[list[int]]
) -> None:
    rule = loss("rolling", Reference.ROLLING_PEAK, limit_nanos=NANOS, window_days=window)
    fuse = DrawdownFuse(name="rolling:account", scope="account", rule=rule)
    fuse.watch(1_000, "A", 0)
    fuse.take_mark(1_000)
    fuse.move(FuseEvent.MARKED)
    peaks, opening = [1_000], 1_000
    for walk in sessions:
        for equity in walk:
            fuse.watch(equity, "A", 1)
            fuse.watch(equity, "A", 2)  # a steep rise counts at its second report
            peaks[-1] = max(peaks[-1], equity)
            assert fuse.mark_attos == max(peaks[-window:])
            opening = equity
        fuse.roll(opening, week=False, month=False)
        peaks.append(opening)
        assert fuse.mark_attos == max(peaks[-window:])
