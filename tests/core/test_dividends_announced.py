"""A dividend that the broker announces counts as a person's word does, and a person's stands."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuseboard.core import announced, dividends
from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.dividend_facts import Announced, DividendsSeen, PublishDividends
from fuseboard.vocabulary.inputs import Input, Moment
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import DividendSaid
from fuseboard.vocabulary.orders import Severity, Side
from tests.core.test_dividends import (
    DAY,
    EX,
    HELD,
    HOUR,
    PAYABLE,
    account,
    alerts,
    desk,
    drawdowns,
    priced,
    said,
    tripped,
    until,
)
from tests.core.test_known_failures import SECOND, Desk

OPEN = EX + 9 * HOUR
OWED = 10 * HELD * NANOS * NANOS


def one(rate: int = 10, **changed: object) -> Announced:
    fields: dict[str, object] = {
        "symbol": "AAPL",
        "ex_date": "1970-01-02",
        "rate_nanos": rate * NANOS,
        "ex_ns": EX,
        "open_ns": OPEN,
        "payable_ns": PAYABLE,
    }
    return Announced(**{**fields, **changed})  # type: ignore[arg-type]


def announce(at: Desk, *each: Announced, problem: str = "") -> list[fx.Effect]:
    """The broker's announcements of AAPL are read."""
    return list(at.take(DividendsSeen(symbols=("AAPL",), dividends=each, problem=problem)))


def known(at: Desk) -> list[str]:
    return list(at.kernel._state.dividends.known)


def owed(at: Desk) -> int:
    return at.kernel._state.dividends.owed.get("", 0)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL], ids=["long", "short"])
def test_an_announced_dividend_is_no_loss_on_its_ex_date_and_no_gain_when_it_comes(
    side: Side,
) -> None:
    at = desk(side)
    before = drawdowns(at)
    announce(at, one())
    told = [*until(at, EX), *priced(at, 240), *until(at, EX + 2 * DAY), *priced(at, 240)]
    assert drawdowns(at) == before
    at.cash += 10 * at.held
    told += [*until(at, PAYABLE), *account(at, 240)]
    told += [*announce(at, one()), *priced(at, 240)]
    assert not tripped(told)
    assert drawdowns(at) == before
    assert not known(at), "it is over, though it is announced still"
    assert not [text for text in alerts(told) if "not counted" in text]


def test_announced_again_it_counts_once_and_announced_otherwise_it_counts_so() -> None:
    at = desk()
    assert alerts(announce(at, one()))
    assert not alerts(announce(at, one()))
    announce(at, one(8))
    until(at, EX)
    priced(at, 240)
    assert owed(at) == OWED // 10 * 8


def test_a_persons_word_stands_over_the_brokers_before_it_and_after() -> None:
    at = desk()
    announce(at, one())
    assert said(at, 7) == [True]
    announce(at, one())
    until(at, EX)
    priced(at, 240)
    assert owed(at) == OWED // 10 * 7
    assert said(at, 0) == [True]
    announce(at, one())
    assert not known(at), "what a person took back stays away"
    assert said(at, 7) == [True], "until they say it again"


def test_what_is_not_announced_any_more_is_not_to_be_unless_it_went_ex() -> None:
    at = desk()
    announce(at, one())
    assert any("not announced any more" in text for text in alerts(announce(at)))
    assert not known(at)
    announce(at, one())
    at.take(DividendsSeen(symbols=("MSFT",)))
    assert known(at), "nobody asked for it"
    until(at, EX)
    announce(at)
    assert known(at), "from its ex-date on its cash decides"
    until(at, EX + HOUR)
    said(at, 0)
    said(at)
    announce(at)
    assert known(at), "nor is a person's word the broker's to withdraw"
    at = desk()
    said(at)
    announce(at)
    assert known(at), "before its ex-date, either"


def test_read_late_it_counts_until_trading_opens_and_by_what_the_price_falls_from_then() -> None:
    at = desk()
    at.now_ns = OPEN - HOUR
    announce(at, one())
    assert owed(at) == 0
    assert not tripped(priced(at, 240))
    assert owed(at) == OWED
    at = desk()
    at.now_ns = OPEN
    told = announce(at, one())
    assert any("is not counted" in text for text in alerts(told))
    assert not alerts(announce(at, one())), "said once"
    assert not known(at)
    assert tripped(priced(at, 240))


def test_what_was_bought_after_an_ex_date_is_not_told_of_it() -> None:
    at = desk()
    at.now_ns = EX + 3 * DAY
    assert not alerts(announce(at, one()))


@pytest.mark.parametrize(
    "changed",
    [
        {"rate_nanos": 63 * NANOS},
        {"payable_ns": EX - 1},
        {"payable_ns": EX + dividends.PAYABLE_NS_MAX + 1},
    ],
    ids=["a quarter", "payable before", "payable never"],
)
def test_what_cannot_be_is_not_counted_and_said_once(changed: dict[str, object]) -> None:
    at = desk()
    told = announce(at, one(**changed))  # type: ignore[arg-type]
    assert [text for text in alerts(told) if "is not counted" in text]
    assert not known(at)
    assert not alerts(announce(at, one(**changed)))  # type: ignore[arg-type]


def test_that_announcements_cannot_be_read_is_said_once_and_stops_nothing() -> None:
    at = desk()
    announce(at, one())
    problem = "the broker does not tell dividends: 403 not on this plan"
    first, again = announce(at, problem=problem), announce(at, problem=problem)
    (alert,) = [e for e in first if isinstance(e, fx.RaiseAlert)]
    assert alert.severity is Severity.WARNING
    assert problem in alert.text
    assert [e.unread for e in first if isinstance(e, PublishDividends)] == [problem]
    assert not alerts(again)
    assert known(at), "what was read before counts still"
    assert [e for e in at.order(Side.BUY, NANOS) if isinstance(e, fx.SubmitOrder)]
    at.kernel = Kernel.restored(at.kernel.snapshot())
    at.now_ns += SECOND
    shown = at.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    assert [e.unread for e in shown if isinstance(e, PublishDividends)] == [problem]
    over = announce(at, one())
    assert any("read again" in text for text in alerts(over))
    assert [e.unread for e in over if isinstance(e, PublishDividends)] == [""]


def test_what_is_owed_is_shown_when_it_changes() -> None:
    at = desk()
    told = [*announce(at, one()), *until(at, EX), *priced(at, 240), *priced(at, 240)]
    (shown,) = [e for e in told if isinstance(e, PublishDividends)]
    (line,) = shown.owed
    assert (line.symbol, line.ex_date, line.payable_wall_ns) == ("AAPL", "1970-01-02", PAYABLE)
    assert line.owed_nanos == 10_000 * NANOS
    told = said_back(at)
    assert [e.owed for e in told if isinstance(e, PublishDividends)] == [()]


def said_back(at: Desk) -> list[fx.Effect]:
    """A person takes it back."""
    return list(at.take(person_says(0)))


def person_says(rate: int) -> DividendSaid:
    return DividendSaid(
        request=9,
        symbol="AAPL",
        ex_date="1970-01-02",
        rate_nanos=rate * NANOS,
        ex_ns=EX,
        payable_ns=PAYABLE,
        why="ann: a slip",
    )


ACTS = ("announce", "restate", "withdraw", "say", "take back", "fall", "account", "wait", "fail")


@settings(max_examples=60, deadline=None)
@given(acts=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(230, 250)), max_size=14))
def test_a_journal_of_announcements_and_words_replays_to_the_same_digest(
    acts: list[tuple[str, int]],
) -> None:
    """Each input again, by a kernel from the beginning and by one of a snapshot on the way."""
    taken: list[tuple[Moment, Input]] = []

    class Recording(Desk):
        def step(self, moment: Moment, fact: Input) -> tuple[fx.Effect, ...]:
            taken.append((moment, fact))
            return super().step(moment, fact)

    at = desk(made=Recording)
    middle, place = at.kernel.snapshot(), len(taken)
    for number, (act, price) in enumerate(acts):
        if number == len(acts) // 2:
            middle, place = at.kernel.snapshot(), len(taken)
        match act:
            case "announce":
                announce(at, one())
            case "restate":
                announce(at, one(price - 225))
            case "withdraw":
                announce(at)
            case "say":
                at.take(person_says(7))
            case "take back":
                said_back(at)
            case "fall":
                priced(at, price)
            case "account":
                at.cash += 10 * HELD
                account(at, price)
            case "wait":
                until(at, at.now_ns + DAY)
            case _:
                announce(at, problem="nobody answers")
        held_nanos = HELD * NANOS
        assert owed(at) <= held_nanos * 25 * NANOS
    assert_replays(at, Kernel(), taken)
    assert_replays(at, Kernel.restored(middle), taken[place:])


def assert_replays(at: Desk, kernel: Kernel, taken: list[tuple[Moment, Input]]) -> None:
    for moment, fact in taken:
        for asked in kernel.step(moment, fact):
            if isinstance(asked, fx.ReadExecutions) and not at.has_feed:
                absent = ExecutionsSeen(after=asked.after, newest="", problem="absent")
                kernel.step(moment, absent)
    assert kernel.digest() == at.kernel.digest()


def test_without_it_a_test_above_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as change:
        change.setattr(announced, "impossible", lambda *_, **__: "")
        with pytest.raises(AssertionError):
            test_what_cannot_be_is_not_counted_and_said_once({"rate_nanos": 63 * NANOS})
    with monkeypatch.context() as change:
        change.setattr(announced, "_withdraw", lambda *_: None)
        with pytest.raises(AssertionError):
            test_what_is_not_announced_any_more_is_not_to_be_unless_it_went_ex()
