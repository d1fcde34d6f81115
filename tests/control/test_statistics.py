"""Statistics: what was sent, skipped and measured, by symbol and in all, by period."""

from msgspec import structs

from fuseboard.control.board import Board
from fuseboard.control.render import status_text
from fuseboard.control.render_statistics import stats_text
from fuseboard.control.statistics import SYMBOLS_MAX, counting_from
from fuseboard.control.status import Status, status_of
from fuseboard.core.kernel import Kernel
from fuseboard.runtime.meter import MeteredKernel
from fuseboard.vocabulary.denial_effects import RecordDenials
from fuseboard.vocabulary.effects import AnswerDenied
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.liquidity_effects import RecordLiquidity
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderStatus
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.wall_time import shown_span
from tests.control.effects import shown as order_shown
from tests.control.effects import submit

MINUTE = 60 * NANOS
START = 1_700_000_000 * NANOS


class Shown:
    """A board whose time of day is set by hand."""

    def __init__(self) -> None:
        self.now = START
        self.board = Board(lambda: self.now)

    def status(self, *, symbols: bool = True) -> Status:
        measured = MeteredKernel(Kernel()).measured()
        return status_of(self.board, measured, about={}, durable_sequence=0, with_orders=symbols)

    def text(self) -> str:
        return stats_text(self.status(), self.now)


def told(tier: str, after: str, symbol: str = "AAPL", **changed: object) -> RecordLiquidity:
    known = RecordLiquidity(symbol=symbol, tier=tier, after=after, since_wall_ns=START, score=6_845)
    return structs.replace(known, **changed)


def denied(symbol: str) -> AnswerDenied:
    return AnswerDenied(request=1, strategy="s", reason=Reason.LIQUIDITY_TIER, symbol=symbol)


def row(text: str, first: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.startswith(f"{first} "))


def test_orders_are_counted_by_symbol_and_in_all_with_the_rate_of_what_was_skipped() -> None:
    shown = Shown()
    for number in range(6):
        shown.board.apply(submit(str(number)))
    shown.board.apply(submit("7", intent=Intent.PLAN))
    for symbol in ("AAPL", "AAPL", "MSFT", ""):
        shown.board.apply(denied(symbol))
    assert row(shown.text(), "(all)")[1:4] == ["6", "4", "40.00%"]
    assert row(shown.text(), "AAPL")[1:4] == ["6", "2", "25.00%"]
    assert row(shown.text(), "MSFT")[1:4] == ["0", "1", "100.00%"]


def test_an_order_that_never_left_was_not_sent_and_one_that_the_broker_rejected_was() -> None:
    shown = Shown()
    for number in range(4):
        shown.board.apply(submit(str(number)))
    shown.board.apply(order_shown("0", OrderStatus.IN_DOUBT))
    for order_id, status in (("0", OrderStatus.NOT_SENT), ("1", OrderStatus.NOT_SENT)):
        shown.board.apply(order_shown(order_id, status))
    shown.board.apply(order_shown("1", OrderStatus.NOT_SENT))
    shown.board.apply(order_shown("2", OrderStatus.WORKING))
    shown.board.apply(order_shown("3", OrderStatus.REJECTED))
    shown.board.apply(structs.replace(denied("AAPL"), reason=Reason.BROKER_REJECTED))
    assert row(shown.text(), "AAPL")[1:4] == ["2", "0", "0.00%"]
    assert shown.board.counting.awaited == {}


def test_what_was_skipped_is_counted_by_reason_too_the_most_frequent_first() -> None:
    shown = Shown()
    assert "skipped for" not in shown.text()
    shown.board.apply(structs.replace(denied("AAPL"), reason=Reason.THROTTLED))
    shown.board.apply(denied("AAPL"))
    shown.board.apply(denied(""))
    shown.board.apply(RecordDenials(strategy="s", reason=Reason.OPERATOR, count=5))
    assert "skipped for: operator 5, liquidity_tier 2, throttled 1" in shown.text()


def test_scores_are_averaged_over_time_and_tiers_have_their_times() -> None:
    shown = Shown()
    hour = 60 * MINUTE
    shown.board.apply(told("NORMAL", "CAUTIOUS", span_ns=3 * MINUTE, score_ns=3 * MINUTE * 8_000))
    shown.board.apply(
        told("CAUTIOUS", "CAUTIOUS", span_ns=hour, silent_ns=MINUTE, score_ns=hour * 5_000)
    )
    average = (3 * 8_000 + 60 * 5_000) // 64
    line = row(shown.text(), "AAPL")
    assert line[4:6] == ["0", f"{average / 100:g}"]
    assert " ".join(line[6:]) == "3m 0s 1h 0m - 1m 0s"


def test_the_present_tier_has_its_age_and_a_silent_symbol_is_an_emergency() -> None:
    shown = Shown()
    shown.board.apply(told("CAUTIOUS", "NORMAL"))
    shown.now += 125 * MINUTE
    assert "NORMAL    2h 5m" in shown.text()
    shown.board.apply(told("NORMAL", "NORMAL", silent=True, score=0, since_wall_ns=shown.now))
    shown.now += MINUTE
    assert "EMERGENCY (silent)  1m 0s" in shown.text()
    assert "AAPL is EMERGENCY: nothing was heard" in status_text(shown.status())
    shown.board.apply(told("NORMAL", "NORMAL"))
    assert "EMERGENCY:" not in status_text(shown.status())


def test_falls_into_emergency_and_stops_of_the_account_are_counted_once_each() -> None:
    shown = Shown()
    for tiers in (("NORMAL", "EMERGENCY"), ("EMERGENCY", "EMERGENCY"), ("EMERGENCY", "DEFENSIVE")):
        shown.board.apply(told(*tiers))
    shown.board.apply(told("DEFENSIVE", "DEFENSIVE", silent=True))
    for before, after in (("MONITORING", "TRIGGERED"), ("TRIGGERED", "HALTED")):
        for scope in ("account", "strategy:a"):
            shown.board.apply(
                RecordTransition(
                    fuse=f"f:{scope}",
                    scope=scope,
                    before=before,
                    event="BREACHED",
                    after=after,
                    generation=1,
                )
            )
    assert row(shown.text(), "AAPL")[4] == "2"
    assert "the account was stopped once" in shown.text()
    assert "breaker   f:account: HALTED" in shown.text()


def test_a_session_that_rolls_begins_its_own_counts_and_the_starts_go_on() -> None:
    shown = Shown()
    shown.board.apply(submit("1"))
    assert "in this session" not in shown.text()
    shown.now += MINUTE
    shown.board.page("info", Reason.SESSION_ROLLED.value, "account", "session 2 begins")
    shown.board.apply(submit("2"))
    statistics = shown.status().statistics
    assert statistics is not None
    assert statistics.start.lines[0].submitted == 2
    assert statistics.session.lines[0].submitted == 1
    assert shown.text().startswith("since 2023-11-14 22:13:20 UTC: the account")
    assert "in this session, since 2023-11-14 22:14:20 UTC: the account" in shown.text()


def test_symbols_are_bounded_and_what_comes_beyond_counts_in_all() -> None:
    counting = counting_from(0)
    for number in range(SYMBOLS_MAX + 5):
        counting.skipped("posture", f"S{number}")
    assert len(counting.start.symbols) == SYMBOLS_MAX + 1
    assert counting.start.symbols[""].skipped == SYMBOLS_MAX + 5


def test_who_asks_for_no_orders_gets_the_sums_alone() -> None:
    shown = Shown()
    shown.board.apply(told("NORMAL", "NORMAL", span_ns=MINUTE))
    statistics = shown.status(symbols=False).statistics
    assert statistics is not None
    assert [line.symbol for line in statistics.start.lines] == [""]
    assert statistics.tiers == ()


def test_without_a_gateway_it_says_so_and_ages_are_two_units() -> None:
    offline = structs.replace(Shown().status(), running=False)
    assert "does not run" in stats_text(offline, 0)
    ages = [shown_span(seconds * NANOS) for seconds in (-1, 59, 60, 3_599, 90_061)]
    assert ages == ["0s", "59s", "1m 0s", "59m 59s", "1d 1h"]
