"""A symbol's course is what Fractions say it is, whatever is traded, paid and moved meanwhile."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuseboard.core.kernel import Kernel
from fuseboard.core.measures import symbols
from fuseboard.vocabulary.money import ATTOS, NANOS
from tests.core.measures.books import notice, rules, written
from tests.core.measures.symbol_books import AAPL, SymbolBooks
from tests.core.test_sessions import MONTHS, WEEKS
from tests.deletion import assert_pinned
from tests.policy.conditions.exact import COMPARED

EVENTS_MAX = 14
SESSIONS = 5
ROUNDED = Fraction(1, 10**20)
"""A mark of a million dollars is rounded up to an atto with each rebase: 10^-24 of it each time."""
NEAR = Fraction(1, 10**30)
PERIODS = ("daily_pnl", "weekly_pnl", "monthly_pnl")
WATCHED = notice(0, "drawdown > 90% or rolling_drawdown > 90%", AAPL)


class Evaluator:
    """Profit and loss of one symbol among two by Fractions: nothing of the core is asked.

    Its equity is a part: 1 is the account's at the session's opening.
    """

    def __init__(self) -> None:
        self.cash = Fraction(750_000)
        self.held = {"AAPL": Fraction(1_000), "MSFT": Fraction(0)}
        self.marks = {"AAPL": Fraction(250), "MSFT": Fraction(250)}
        self.traded: dict[str, Fraction] = {}
        self.settled = False
        self.session = 0
        self.began()
        self.week, self.month, self.peaks = Fraction(1), Fraction(1), [Fraction(1)]

    def account(self) -> Fraction:
        return self.cash + sum(self.held[name] * self.marks[name] for name in self.held)

    def worth(self) -> Fraction:
        return self.held["AAPL"] * self.marks["AAPL"]

    def began(self) -> None:
        """What the session opens with."""
        self.opening, self.earned = self.account(), Fraction(0)
        self.before = self.worth()
        self.peak = self.index = Fraction(1)

    def saw(self) -> None:
        """The symbol's part of the account: all that it brought since the last look."""
        profit = self.earned + self.worth() - self.before
        self.index = 1 + profit / self.opening
        self.peak = max(self.peak, self.index)

    def fills(self, symbol: str, quantity: Fraction, price: Fraction) -> None:
        self.cash -= quantity * price
        if self.settled:
            self.traded, self.settled = {}, False
        self.traded[symbol] = self.traded.get(symbol, Fraction(0)) + abs(quantity * price)
        self.held[symbol] += quantity
        self.earned -= quantity * price if symbol == "AAPL" else 0
        self.saw()

    def pays(self, fee: Fraction) -> None:
        self.cash -= fee
        total = sum(self.traded.values())
        if self.traded.get("AAPL"):
            self.earned -= fee * self.traded["AAPL"] / total
        self.settled = True
        self.saw()

    def transfers(self, amount: Fraction) -> None:
        """The same parts of more or less: what was earned counts in the new equity's parts."""
        self.settled = True
        before = self.account()
        self.cash += amount
        ratio = self.account() / before
        self.earned = (self.index - 1) * self.opening * ratio
        self.before, self.opening = self.worth(), self.opening * ratio

    def rolls(self) -> None:
        self.session += 1
        self.peaks = [peak / self.index for peak in [*self.peaks, self.peak]]
        self.week, self.month = self.week / self.index, self.month / self.index
        if WEEKS[self.session] > WEEKS[self.session - 1]:
            self.week = Fraction(1)
        if MONTHS[self.session] > MONTHS[self.session - 1]:
            self.month = Fraction(1)
        self.began()

    def truths(self) -> dict[str, Fraction]:
        highest = max([*self.peaks, self.peak])
        return {
            "daily_pnl": self.index - 1,
            "weekly_pnl": self.index / self.week - 1,
            "monthly_pnl": self.index / self.month - 1,
            "drawdown": max(1 - self.index / self.peak, Fraction()),
            "rolling_drawdown": max(1 - self.index / highest, Fraction()),
        }


SYMBOL = st.sampled_from(["AAPL", "MSFT"])
PRICE = st.integers(249_500, 250_500).map(lambda thousandths: thousandths * 10**6)
SIZE = st.integers(-30_000, 30_000).filter(bool).map(lambda thousandths: thousandths * 10**6)
CENT = NANOS // 100
EVENT = st.one_of(
    st.tuples(st.just("mark"), SYMBOL, PRICE),
    st.tuples(st.just("fill"), SYMBOL, SIZE, PRICE),
    st.tuples(st.just("fee"), st.integers(1, 900).map(lambda cents: cents * CENT)),
    st.tuples(st.just("transfer"), st.sampled_from([-20_000, 50_000, 400_000])),
    st.just(("roll",)),
    st.just(("restart",)),
)


def played(events: list[tuple[object, ...]]) -> tuple[SymbolBooks, Evaluator, bool]:
    """The desk and the evaluator after the same events; whether nothing was rounded since."""
    desk, truth, is_whole = SymbolBooks(WATCHED), Evaluator(), True
    desk.trades("MSFT", 450 * NANOS, 250 * NANOS)
    truth.fills("MSFT", Fraction(450), Fraction(250))
    desk.read()
    truth.settled = True
    for event in events:
        match event:
            case ("mark", str(symbol), int(price)):
                desk.prices(symbol, price)
                truth.marks[symbol] = Fraction(price, NANOS)
                truth.saw()
            case ("fill", str(symbol), int(size), int(price)):
                desk.trades(symbol, size, price)
                truth.fills(symbol, Fraction(size, NANOS), Fraction(price, NANOS))
            case ("fee", int(fee)):
                desk.pays(fee)
                is_whole = is_whole and len(truth.traded) < 2
                truth.pays(Fraction(fee, NANOS))
            case ("transfer", int(amount)):
                desk.transfers(amount * NANOS)
                truth.transfers(Fraction(amount))
                is_whole = False
            case ("roll",) if truth.session < SESSIONS:
                desk.rolls(truth.session + 1)
                for symbol, mark in truth.marks.items():
                    desk.prices(symbol, int(mark * NANOS))
                desk.read()
                truth.rolls()
                truth.settled = is_whole = True
            case ("restart",):
                desk.kernel = Kernel.restored(desk.kernel.snapshot())
            case _:
                pass
    return desk, truth, is_whole


@settings(max_examples=60)
@given(st.lists(EVENT, min_size=1, max_size=EVENTS_MAX))
def test_a_course_is_what_fractions_say(events: list[tuple[object, ...]]) -> None:
    desk, truth, is_whole = played(events)
    for name, wanted in truth.truths().items():
        found = desk.value(name)
        assert found is not None
        assert abs(found - wanted) < ROUNDED, (name, float(found), float(wanted))
        if is_whole and name in ("daily_pnl", "drawdown"):
            assert found == wanted, (name, float(found), float(wanted))
    assert desk.kernel._state.courses["account"].day_open_attos > 0
    assert Kernel.restored(desk.kernel.snapshot()).digest() == desk.kernel.digest()


@settings(max_examples=25)
@given(
    events=st.lists(EVENT, max_size=EVENTS_MAX),
    name=st.sampled_from(["daily_pnl", "drawdown"]),
    sign=st.sampled_from(list(COMPARED)),
    off=st.sampled_from([-NEAR, Fraction(0), NEAR]),
)
def test_a_breaker_on_a_symbol_holds_exactly_where_fractions_say_so(
    events: list[tuple[object, ...]], name: str, sign: str, off: Fraction
) -> None:
    events = [at for at in events if at[0] not in ("transfer", "fee")]
    desk, evaluator, _ = played(events)
    truth = evaluator.truths()[name]
    desk.adopts(rules(WATCHED, notice(1, f"{name} {sign} {written(truth + off)}", AAPL)))
    assert desk.is_noted(1, AAPL) is COMPARED[sign](truth, truth + off)


def test_returns_are_parts_of_the_accounts_opening_equity() -> None:
    """One dollar of 1,000 shares is a thousandth of a million; the next day of what it is then."""
    desk = SymbolBooks(WATCHED)
    desk.trades("MSFT", 400 * NANOS, 250 * NANOS)
    desk.prices("MSFT", 250 * NANOS + NANOS // 4)
    desk.prices("AAPL", 251 * NANOS)
    desk.rolls(1)
    desk.prices("MSFT", 250 * NANOS)
    desk.prices("AAPL", 250 * NANOS)
    desk.rolls(2)
    returns = desk.kernel._state.symbols.courses["AAPL"].course.returns_nanos
    assert returns == [NANOS // 1000, -1_000 * NANOS * NANOS // (1_001_100 * NANOS)]
    account = desk.kernel._state.courses["account"].day_open_attos
    assert account == 1_000_000 * ATTOS


@pytest.mark.parametrize(
    ("function", "text", "instead"),
    [
        (symbols.filled, "at.cash_attos -= signed_cost_attos", "pass"),
        (symbols.filled, "abs(signed_cost_attos)", "1"),
        (symbols.charge, "fee_attos * traded_attos", "fee_attos * 0"),
        (
            symbols.rebase,
            "before_attos=before_attos, after_attos=after_attos",
            "before_attos=1, after_attos=1",
        ),
        (symbols.roll, "at.rebase(worth,", "at.rebase(0,"),
    ],
)
def test_what_a_course_is_made_of_is_noticed_when_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, function: object, text: str, instead: str
) -> None:
    events: list[tuple[object, ...]] = [
        ("fill", "AAPL", 100 * NANOS, 249_600_000_000),
        ("fill", "MSFT", 40 * NANOS, 249_700_000_000),
        ("fee", 8 * NANOS),
        ("mark", "AAPL", 250_400_000_000),
        ("roll",),
        ("mark", "AAPL", 250_100_000_000),
        ("transfer", 100_000),
        ("mark", "AAPL", 250_200_000_000),
    ]

    def agrees() -> None:
        desk, truth, _ = played(events)
        for name, wanted in truth.truths().items():
            found = desk.value(name)
            assert found is not None
            assert abs(found - wanted) < ROUNDED

    assert callable(function)
    assert_pinned(monkeypatch, function, text, instead, agrees)
