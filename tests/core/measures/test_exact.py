"""A condition over quotients holds exactly where Fractions say so, however near its bound is."""

from collections.abc import Callable
from fractions import Fraction
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fuseboard.core.checks import custom
from fuseboard.core.kernel import Kernel
from fuseboard.core.measures import recording, values
from fuseboard.core.measures.scores import FILLS, SUBMITS
from fuseboard.core.measures.values import PRIOR, VALUES, reading_of
from fuseboard.policy.rules import CheckRule
from fuseboard.vocabulary.catalogue import MEASURES
from fuseboard.vocabulary.measured import QUOTIENTS, SCALES, Value, shown_nanos
from fuseboard.vocabulary.money import ATTOS, NANOS
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.reasons import Reason
from tests.core.compared import Compared
from tests.core.measures.books import (
    AAPL,
    ACCOUNT,
    ALPHA,
    WATCHED,
    Books,
    notice,
    rules,
    written,
)
from tests.core.test_known_failures import denied, submitted
from tests.deletion import assert_pinned
from tests.policy.conditions.exact import COMPARED

NEAR = Fraction(1, 10**30)
"""Far below a nano-unit, and below what any two of these quotients differ by."""
CLOSE = 249_500_000_000, 250_500_000_000


def truths(desk: Books) -> dict[tuple[str, str], Fraction]:
    """Each quotient by the integers of the books, as Fractions."""
    state = desk.kernel._state
    found: dict[tuple[str, str], Fraction] = {}
    for scope in (ACCOUNT, ALPHA, AAPL):
        ledger = state.book.strategies["alpha"] if scope == ALPHA else state.book.account
        at, worth = (
            ledger.positions["AAPL"],
            desk.equity_attos(ALPHA if scope == ALPHA else ACCOUNT),
        )
        value = at.quantity_nanos * at.mark_nanos
        worst = max(abs(value), value + at.buying_attos, at.selling_attos - value)
        score = state.scores[scope]
        missing = FILLS - len(score.shortfalls_nanos)
        scores = [100 - Fraction(short, NANOS) for short in score.shortfalls_nanos]
        found |= {
            (scope, "gross_exposure"): Fraction(abs(value), worth),
            (scope, "net_exposure"): Fraction(value, worth),
            (scope, "leverage"): Fraction(worst, worth),
            (scope, "reject_rate"): Fraction(sum(score.rejected), SUBMITS),
            (scope, "fill_quality"): (sum(scores, Fraction()) + 100 * missing) / FILLS,
        }
        if scope == AAPL:
            continue
        course = state.courses[scope]
        peaks = [course.peak_attos, course.peaks.peak() or 0]
        found |= {
            (scope, "daily_pnl"): Fraction(worth, course.day_open_attos) - 1,
            (scope, "weekly_pnl"): Fraction(worth, course.week_open_attos) - 1,
            (scope, "monthly_pnl"): Fraction(worth, course.month_open_attos) - 1,
            (scope, "drawdown"): max(1 - Fraction(worth, course.peak_attos), Fraction()),
            (scope, "rolling_drawdown"): max(1 - Fraction(worth, max(peaks)), Fraction()),
            (scope, "equity"): Fraction(worth, ATTOS),
            (scope, "cash"): Fraction(ledger.cash_attos, ATTOS),
        }
    required_nanos = state.maintenance_nanos
    assert required_nanos
    margin = Fraction(desk.equity_attos(ACCOUNT), required_nanos * NANOS)
    return found | {(ACCOUNT, "maintenance_margin"): margin}


MARKS = st.integers(*CLOSE)
FILLED = st.tuples(st.integers(-3 * NANOS, 3 * NANOS).filter(bool), st.integers(*CLOSE))


@st.composite
def books(draw: st.DrawFn) -> Books:
    """A desk after three sessions of marks and fills, an order at work."""
    desk = Books(rules(WATCHED))
    for session in range(3):
        desk.rolls(session)
        desk.account()
        desk.marks(draw(MARKS))
        for quantity_nanos, price_nanos in draw(st.lists(FILLED, min_size=1, max_size=3)):
            desk.fills(quantity_nanos, price_nanos)
        desk.marks(draw(MARKS), draw(st.integers(1, NANOS)))
    for _ in range(draw(st.integers(0, 4))):
        desk.is_rejected()
    assert submitted(desk.asks(Side.BUY, draw(st.integers(1, NANOS)), 250 * NANOS))
    desk.required(draw(st.integers(1, 500_000 * NANOS)))
    desk.marks(draw(MARKS))
    account = desk.kernel._state.courses[ACCOUNT]
    assume(account.day_open_attos != account.week_open_attos != account.month_open_attos)
    return desk


@settings(max_examples=20)
@given(desk=books(), seed=st.integers(0, 2**32))
def test_a_breaker_over_a_quotient_holds_exactly_where_fractions_say_so(
    desk: Books, seed: int
) -> None:
    random, cases = Random(seed), []
    for (scope, name), truth in truths(desk).items():
        sign, bound = random.choice(list(COMPARED)), truth + random.choice((-NEAR, 0, NEAR))
        cases.append((scope, f"{name} {sign} {written(bound)}", COMPARED[sign](truth, bound)))
    agree(desk, cases)


@settings(max_examples=20)
@given(desk=books(), seed=st.integers(0, 2**32))
def test_arithmetic_over_quotients_is_exact_too(desk: Books, seed: int) -> None:
    random, cases, known = Random(seed), [], truths(desk)
    for scope in (ACCOUNT, ALPHA):
        at = {name: truth for (where, name), truth in known.items() if where == scope}
        daily, weekly, drawdown = at["daily_pnl"], at["weekly_pnl"], at["drawdown"]
        gross, leverage, net = at["gross_exposure"], at["leverage"], at["net_exposure"]
        numbers = {
            "daily_pnl + weekly_pnl": daily + weekly,
            "daily_pnl - 2 * monthly_pnl": daily - 2 * at["monthly_pnl"],
            "gross_exposure / leverage": gross / leverage,
            "equity / leverage / 1000 USD": at["equity"] / leverage / 1000,
            "min(daily_pnl, weekly_pnl, -drawdown)": min(daily, weekly, -drawdown),
            "max(drawdown, rolling_drawdown) * 3": max(drawdown, at["rolling_drawdown"]) * 3,
            "abs(net_exposure - leverage) * reject_rate": abs(net - leverage) * at["reject_rate"],
            "abs(-leverage / gross_exposure)": leverage / gross,
            "fill_quality * leverage / 7": at["fill_quality"] * leverage / 7,
        }
        for text, truth in numbers.items():
            sign, bound = random.choice(list(COMPARED)), truth + random.choice((-NEAR, 0, NEAR))
            cases.append((scope, f"{text} {sign} {written(bound)}", COMPARED[sign](truth, bound)))
        inside = random.choice((True, False))
        least, most = written(drawdown - inside * NEAR), written(drawdown + NEAR)
        cases.append((scope, f"{least} < drawdown <= {most}", inside))
        cases.append(
            (scope, f"daily_pnl < weekly_pnl or {least} >= drawdown", daily < weekly or not inside)
        )
    agree(desk, cases)


def agree(desk: Books, cases: list[tuple[str, str, bool]]) -> None:
    """Adopt a breaker for each case: it gives its notice exactly when it should."""
    breakers = [notice(number, text, scope) for number, (scope, text, _) in enumerate(cases)]
    desk.adopts(rules(*breakers))
    assert Kernel.restored(desk.kernel.snapshot()).digest() == desk.kernel.digest()
    for number, (scope, text, holds) in enumerate(cases):
        assert desk.is_noted(number, scope) is holds, (scope, text)


@settings(max_examples=20)
@given(desk=books())
def test_a_value_is_a_pair_exactly_where_its_measure_is_a_quotient(desk: Books) -> None:
    turn = desk.kernel._turn
    read_of: dict[str, list[Value]] = {name: [] for name in MEASURES}
    for scope in (ACCOUNT, ALPHA, AAPL):
        for table in (VALUES, PRIOR):
            for name, read in table.items():
                read_of[name].append(read(reading_of(turn, scope)))
    for name, found in read_of.items():
        for value in found:
            if isinstance(value, tuple):
                assert name in QUOTIENTS
                assert value[1] > 0
            elif value is not None:
                assert name not in QUOTIENTS


def passed(condition: str, bid_nanos: int, wide_nanos: int, quantity_nanos: int) -> bool:
    """Whether an order to buy at 250.12 passes a check of the policy's own."""
    desk = Books(rules(checks=(CheckRule(name="own", condition=condition),)))
    desk.marks(bid_nanos, wide_nanos)
    effects = desk.asks(Side.BUY, quantity_nanos, 250_120_000_000)
    assert denied(effects) in ([], [Reason.CUSTOM_CHECK]), denied(effects)
    return bool(submitted(effects))


@settings(max_examples=20)
@given(
    bid_nanos=MARKS,
    wide_nanos=st.integers(1, NANOS),
    quantity_nanos=st.integers(1, 9 * NANOS),
    seed=st.integers(0, 2**32),
)
def test_a_check_of_an_order_is_exact_too(
    bid_nanos: int, wide_nanos: int, quantity_nanos: int, seed: int
) -> None:
    random, ask_nanos = Random(seed), bid_nanos + wide_nanos
    middle = Fraction(bid_nanos + ask_nanos, 2 * NANOS)
    spread = Fraction(wide_nanos, NANOS) / middle
    value = Fraction(quantity_nanos * 250_120_000_000, ATTOS)
    numbers = {
        "spread": spread,
        "price": middle,
        "spread * price": Fraction(wide_nanos, NANOS),
        "order_value": value,
        "order_value / price": value / middle,
    }
    for text, truth in numbers.items():
        sign, bound = random.choice(list(COMPARED)), truth + random.choice((-NEAR, 0, NEAR))
        condition = f"{text} {sign} {written(bound)}"
        holds = COMPARED[sign](truth, bound)
        assert passed(condition, bid_nanos, wide_nanos, quantity_nanos) is holds, condition


@pytest.mark.parametrize(
    ("condition", "quantity_nanos", "holds"),
    [
        ("daily_pnl <= -0.001%", 0, True),
        ("daily_pnl < -0.001%", 0, False),
        ("daily_pnl < -0.001%", 1, True),
        ("daily_pnl <= -0.001%", -1, False),
        ("drawdown >= 0.001%", 0, True),
        ("drawdown > 0.001%", 0, False),
        ("drawdown > 0.001%", 1, True),
        ("drawdown >= 0.001%", -1, False),
        ("equity <= 999990 USD", -1, False),
        ("equity < 999990 USD", 1, True),
    ],
)
def test_a_loss_is_judged_to_its_last_atto(
    condition: str, quantity_nanos: int, holds: bool
) -> None:
    """Ten dollars of a million are lost, and 10^-18 more where a nano-share is bought 10^-9 above
    the mark, or less where it is sold there."""
    desk = Books(rules(notice(0, condition)))
    if quantity_nanos:
        desk.fills(quantity_nanos, 249_990_000_001)
    desk.marks(249_980_000_000)
    assert desk.is_noted(0, ACCOUNT) is holds


def test_a_difference_of_positions_is_exact_too() -> None:
    """One of three is a third: rounded up, it was more."""
    for condition, holds in (("> 1 / 3", False), (">= 1 / 3", True), ("== 1 / 3", True)):
        desk = Compared(rules(notice(0, f"max_position_divergence {condition}")), held=3)
        desk.positions(2)
        assert desk.kernel._state.breakers["b0:account"].notified is holds, condition


def test_a_spread_is_exact_too() -> None:
    assert passed("spread <= 2 / 24999", 249_980_000_000, NANOS // 50, NANOS)
    assert not passed("spread < 2 / 24999", 249_980_000_000, NANOS // 50, NANOS)


@pytest.mark.parametrize(
    ("function", "text", "rounded", "test"),
    [
        (
            values._profit,
            "reading.equity_attos - opening_attos, opening_attos",
            "(reading.equity_attos - opening_attos) * 10**9 // opening_attos, 10**9",
            lambda: test_a_loss_is_judged_to_its_last_atto("daily_pnl <= -0.001%", -1, False),
        ),
        (
            values._loss,
            "max(0, peak_attos - reading.equity_attos), peak_attos",
            "-(reading.equity_attos - peak_attos) * 10**9 // peak_attos, 10**9",
            lambda: test_a_loss_is_judged_to_its_last_atto("drawdown > 0.001%", 1, True),
        ),
        (
            recording.note_comparison,
            "worst = apart, largest",
            "worst = -(-apart * 10**9 // largest), 10**9",
            test_a_difference_of_positions_is_exact_too,
        ),
        (
            custom._spread,
            "2 * (ask_nanos - bid_nanos), ask_nanos + bid_nanos",
            "-(-2 * (ask_nanos - bid_nanos) * 10**9 // (ask_nanos + bid_nanos)), 10**9",
            test_a_spread_is_exact_too,
        ),
    ],
)
def test_a_quotient_that_is_rounded_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
    function: Callable[..., object],
    text: str,
    rounded: str,
    test: Callable[[], object],
) -> None:
    assert_pinned(monkeypatch, function, text, rounded, test)


def test_a_scale_is_that_of_what_is_counted() -> None:
    assert SCALES["reject_rate"] == SUBMITS
    assert SCALES["fill_quality"] == FILLS * NANOS
    assert not SCALES.keys() & set(QUOTIENTS)
    assert {*SCALES, *QUOTIENTS} <= MEASURES.keys()


def test_what_is_shown_is_rounded_half_up_to_a_nano() -> None:
    assert shown_nanos("drawdown", (1, 3)) == 333_333_333
    assert shown_nanos("daily_pnl", (-2, 3)) == -666_666_667
    assert shown_nanos("reject_rate", 3) == NANOS * 3 // 100
    assert shown_nanos("positions", 3) == 3 * NANOS
    assert shown_nanos("equity", ATTOS + NANOS // 2) == NANOS + 1


@given(MARKS, st.integers(0, NANOS))
def test_a_mark_is_the_middle_of_its_quote_or_half_a_nano_below(bid: int, wide: int) -> None:
    desk = Books(rules())
    desk.marks(bid, wide)
    mark_nanos = desk.kernel._state.book.account.positions["AAPL"].mark_nanos
    assert 0 <= Fraction(2 * bid + wide, 2) - mark_nanos <= Fraction(1, 2)
