"""The drawdown fuse against exact fractions: trips iff the drawdown is at or above the limit."""

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core.fuses.confirmation import BOOKS_SOURCE, BROKER_SOURCE
from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.machine import FuseEvent, FuseState
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import Posture

SECOND = NANOS
EQUITIES = st.integers(1, 10**27)
LIMITS = st.integers(1, NANOS)


def armed(rule: LossRule, mark: int) -> DrawdownFuse:
    fuse = DrawdownFuse(name="drawdown:account", scope="account", rule=rule)
    assert fuse.watch(mark, "A", 0) is FuseEvent.MARKED
    fuse.take_mark(mark)
    fuse.move(FuseEvent.MARKED)
    return fuse


def plain(limit_nanos: int, mark: int) -> DrawdownFuse:
    return armed(LossRule(limit_nanos=limit_nanos), mark)


def loss(mark: int, equity: int) -> Fraction:
    return Fraction(mark - equity, mark)


@given(mark=EQUITIES, limit=LIMITS, equity=st.integers(-(10**27), 10**27))
def test_two_marks_trip_exactly_when_the_drawdown_reaches_the_limit(
    mark: int, limit: int, equity: int
) -> None:
    fuse = plain(limit, mark)
    first, second = fuse.watch(equity, "A", 1), fuse.watch(equity, "A", 2)
    assert first is None
    assert (second is FuseEvent.BREACHED) == (loss(mark, equity) >= Fraction(limit, NANOS))


@given(mark=EQUITIES, limit=LIMITS)
def test_the_boundary_is_exact_to_the_last_unit(mark: int, limit: int) -> None:
    exact = Fraction(mark) * (1 - Fraction(limit, NANOS))
    greatest_breach = exact.numerator // exact.denominator
    for equity, breaches in ((greatest_breach, True), (greatest_breach + 1, False)):
        fuse = plain(limit, mark)
        fuse.watch(equity, "A", 1)
        assert (fuse.watch(equity, "A", 2) is FuseEvent.BREACHED) == breaches


@given(limit=LIMITS, walk=st.lists(EQUITIES, min_size=1, max_size=30))
def test_the_mark_is_the_highest_equity_and_only_drawdowns_from_it_count(
    limit: int, walk: list[int]
) -> None:
    fuse = plain(limit, walk[0])
    mark = walk[0]
    for equity in walk:
        mark = max(mark, equity)
        breaches = loss(mark, equity) >= Fraction(limit, NANOS)
        assert fuse.watch(equity, "A", 1) is None  # one report raises no alarm and no steep mark
        assert bool(fuse.breach.source) == breaches
        event = fuse.watch(equity, "A", 2)
        assert fuse.mark_attos == mark
        assert (event is FuseEvent.BREACHED) == breaches
        if breaches:
            return


@pytest.mark.parametrize(
    ("reports", "mark"),
    [
        ((("A", 1_010),), 1_010),  # a fifth of the limit: no steep rise
        ((("A", 1_011),), 1_000),
        ((("A", 1_090), ("A", 1_000)), 1_000),  # one print that was too high
        ((("A", 1_090), ("A", 1_060)), 1_060),  # the lower of the two
        ((("A", 1_060), ("A", 1_090)), 1_060),
        ((("A", 1_060), ("A", 1_090), ("A", 1_090)), 1_090),
        ((("A", 1_090), ("B", 1_091)), 1_000),  # A's print still stands while B moves
        ((("A", 1_090), ("B", 1_080), ("A", 1_085)), 1_080),
        ((("A", 1_090), ("A", 940), ("A", 1_090)), 1_000),  # a fall in between forgets the high
    ],
)
def test_a_steep_rise_of_the_mark_waits_for_a_second_report(
    reports: tuple[tuple[str, int], ...], mark: int
) -> None:
    fuse = plain(NANOS // 20, 1_000)
    for source, equity in reports:
        assert fuse.watch(equity, source, 1) is not FuseEvent.BREACHED
    assert fuse.mark_attos == mark


WARNING = LossRule(
    limit_nanos=NANOS // 10, warning_nanos=NANOS // 20, warning_clear_nanos=NANOS // 33
)


@given(walk=st.lists(st.integers(901, 1_100), min_size=1, max_size=60))
def test_the_warning_comes_at_its_level_and_goes_only_below_the_clearing_level(
    walk: list[int],
) -> None:
    fuse = armed(WARNING, 1_000)
    warned = False
    mark = 1_000
    for number, equity in enumerate(walk):
        mark = max(mark, equity)
        if loss(mark, equity) >= Fraction(1, 10):
            return
        for report in (1, 2):
            event = fuse.watch(equity, "A", 2 * number + report)
            if event is not None:
                fuse.move(event)
        if loss(mark, equity) >= Fraction(1, 20):
            warned = True
        elif loss(mark, equity) < Fraction(NANOS // 33, NANOS):
            warned = False
        assert (fuse.state is FuseState.WARNING) == warned


def test_a_warning_whose_level_a_policy_took_away_clears() -> None:
    fuse = armed(WARNING, 1_000)
    event = fuse.watch(940, "A", 1)
    assert event is FuseEvent.WARNED
    fuse.move(event)
    fuse.adopt_rule(LossRule(limit_nanos=NANOS // 10))
    assert fuse.watch(940, "A", 2) is FuseEvent.CLEARED


BREACH, CALM = 94, 96


@pytest.mark.parametrize(
    ("reports", "trips"),
    [
        ("A A", True),  # two marks of one symbol
        ("A B", False),  # A's bad print still stands while B moves
        ("A B B B", False),
        ("A B A", True),
        ("A broker", True),  # a second source
        ("broker A", True),
        ("broker books", True),
        ("broker broker", False),  # one source, repeating itself
        ("books books books", False),  # fills are no marks
        ("books A", False),  # the first mark of a breach that a fill began
        ("books A A", True),
        ("books broker", True),
        ("A books", False),
    ],
)
def test_a_breach_is_confirmed_by_a_second_mark_or_a_second_source(
    reports: str, trips: bool
) -> None:
    fuse = plain(NANOS // 20, 100)
    events = []
    for number, word in enumerate(reports.split()):
        if word == "broker":
            events.append(fuse.watch_broker(BREACH, number, blind=False))
        else:
            source = BOOKS_SOURCE if word == "books" else word
            events.append(fuse.watch(BREACH, source, number))
    assert events[:-1] == [None] * (len(events) - 1)
    assert (events[-1] is FuseEvent.BREACHED) == trips


def test_a_mark_above_the_floor_withdraws_the_breach_before_it_is_confirmed() -> None:
    fuse = plain(NANOS // 20, 100)
    assert [fuse.watch(e, "A", 1) for e in (BREACH, CALM, BREACH)] == [None, None, None]
    assert fuse.state is FuseState.MONITORING


def test_while_our_marks_are_blind_the_brokers_equity_confirms_itself_twice_in_a_row() -> None:
    fuse = plain(NANOS // 20, 100)
    assert fuse.watch_broker(BREACH, 1, blind=True) is None
    assert fuse.watch_broker(CALM, 2, blind=True) is None
    assert fuse.watch_broker(BREACH, 3, blind=True) is None
    assert fuse.watch_broker(BREACH, 4, blind=True) is FuseEvent.BREACHED
    assert fuse.equity_attos == BREACH


def test_marks_after_a_trip_call_for_nothing_more() -> None:
    fuse = plain(NANOS // 20, 1_000_000)
    assert fuse.watch(940_000, "AAPL", 1) is None
    assert fuse.watch(939_000, "AAPL", 2) is FuseEvent.BREACHED
    fuse.move(FuseEvent.BREACHED)
    for equity in (938_000, 937_000, 1_100_000, 900_000, 899_000):
        assert fuse.watch(equity, "AAPL", 3) is None
        assert not fuse.breach.source
    assert fuse.mark_attos == 1_000_000


def test_one_bad_figure_of_the_broker_is_withdrawn_by_its_next_good_one() -> None:
    fuse = plain(NANOS // 20, 100)
    fuse.watch_broker(BREACH, 1, blind=False)
    assert fuse.breach.source == BROKER_SOURCE
    fuse.watch_broker(CALM, 2, blind=False)
    assert fuse.breach.source == ""
    assert fuse.equity_attos == 100, "our own equity is what is shown"


def test_the_brokers_figure_never_becomes_the_mark_or_the_shown_equity() -> None:
    fuse = plain(NANOS // 20, 100)
    for equity in (97, 200):
        assert fuse.watch_broker(equity, 1, blind=False) is None
    assert (fuse.mark_attos, fuse.equity_attos) == (100, 100)


def test_an_unconfirmed_breach_asks_for_reduce_only_until_the_numbers_let_go() -> None:
    fuse = plain(NANOS // 20, 100)
    fuse.watch(BREACH, "A", 5)
    assert not fuse.grows_old(5 + fuse.rule.confirm_ns_max - 1, fuse.rule.confirm_ns_max)
    assert fuse.posture() is Posture.OPEN
    assert fuse.grows_old(5 + fuse.rule.confirm_ns_max, fuse.rule.confirm_ns_max)
    assert not fuse.grows_old(5 + fuse.rule.confirm_ns_max, fuse.rule.confirm_ns_max), "said once"
    assert fuse.posture() is Posture.REDUCE_ONLY
    assert not fuse.latched()
    fuse.watch(CALM, "B", 9 * SECOND)
    assert fuse.posture() is Posture.OPEN


@given(mark=EQUITIES, equity=EQUITIES, before=EQUITIES, after=EQUITIES, limit=LIMITS)
def test_a_rebase_by_ratio_keeps_the_drawdown_rounded_against_the_trader(
    mark: int, equity: int, before: int, after: int, limit: int
) -> None:
    mark = max(mark, equity)
    fuse = plain(limit, mark)
    fuse.equity_attos = equity
    fuse.rebase_by_ratio(before_attos=before, after_attos=after)
    exact_mark = Fraction(mark * after, before)
    exact_equity = Fraction(equity * after, before)
    assert exact_mark <= fuse.mark_attos < exact_mark + 1
    assert exact_equity - 1 < fuse.equity_attos <= exact_equity
    assert loss(fuse.mark_attos, fuse.equity_attos) >= loss(mark, equity)


def noisy_walk(ticks: int, seed: int) -> tuple[DrawdownFuse, int, int]:
    """`ticks` noisy equities that never lose the limit of 5 %; fuse, own mark, own last equity."""
    random = Random(seed)
    start = 100_000 * NANOS * NANOS
    fuse = plain(NANOS // 20, start)
    mark = equity = start
    for number in range(ticks):
        equity += random.randrange(-(10**19), 10**19 + 1)
        lowest = mark * 95 // 100 + 1
        equity = max(equity, lowest)
        mark = max(mark, equity)
        assert fuse.watch(equity, "A", number) is None
    return fuse, mark, equity


def test_a_hundred_thousand_noisy_ticks_below_the_limit_neither_trip_nor_drift() -> None:
    fuse, mark, equity = noisy_walk(100_000, seed=6)
    assert fuse.state is FuseState.MONITORING
    assert fuse.breach.source == ""
    assert (fuse.mark_attos, fuse.equity_attos) == (mark, equity)
    floor = Fraction(mark) * Fraction(95, 100)
    assert fuse.floor_attos == floor.numerator // floor.denominator
    assert fuse.watch(fuse.floor_attos, "A", 1) is None
    assert fuse.watch(fuse.floor_attos, "A", 2) is FuseEvent.BREACHED
