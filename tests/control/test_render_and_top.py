"""What people see: aligned, in words, at 80 columns, without other people's control characters."""

import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.console import Console

from fuseboard.control import render
from fuseboard.control.board import AlertLine, Board
from fuseboard.control.client import GatewayUnreachable
from fuseboard.control.status import Status, status_of
from fuseboard.control.top import run_top, screen, sparkline
from fuseboard.runtime.meter import Measured
from fuseboard.vocabulary.dividend_facts import DividendOwed, PublishDividends
from fuseboard.vocabulary.effects import AnswerDenied, PublishDiscrepancy, PublishPosition
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.control.effects import equity, plan, posture, shown, spoken, submit

MEASURED = Measured(
    evaluations=10,
    evaluation_p50_ns=9_400,
    evaluation_p99_ns=15_960,
    trigger_ns=85_700,
    cancel_ns=410_000,
    liquidation_ns=1_180_000,
)
WAITED = structs.replace(MEASURED, evaluations=100_000, waited=500)
ESCAPE = "\x1b[2J"


def status_with(board: Board, **more: object) -> Status:
    made = status_of(board, MEASURED, about={"account": "default"}, durable_sequence=1_234)
    return structs.replace(made, **more)


def halted() -> Board:
    board = Board()
    for at in range(300):
        board.apply(equity((100_000 - at * 20) * NANOS))
    board.apply(equity(94_900 * NANOS, state="COOLING_DOWN"))
    board.apply(posture("account", Posture.HALTED))
    board.apply(plan("drawdown:account#1"))
    board.apply(submit("1"))
    board.apply(AnswerDenied(request=1, strategy="s", reason=Reason.POSTURE_HALTED))
    board.page("page", "drawdown", "account", "drawdown:account tripped")
    return board


def test_a_status_says_posture_why_and_what_to_do_first() -> None:
    lines = render.status_text(status_with(halted())).splitlines()
    assert lines == [
        "posture   HALTED",
        "why       account: HALTED, the drawdown limit was reached [drawdown]",
        "next      once reviewed: `fuseboard reset --operator NAME --reason TEXT`",
        "account   default",
        (
            "fuse      drawdown:account: COOLING_DOWN, equity 94,900.00, mark 100,000.00,"
            " drawdown 5.10%"
        ),
        "plan      drawdown:account#1: ended, cancelled=3 closed=2 errors=0",
        "orders    1 working, 1 allowed since the start",
        "positions flat",
        "denied    posture_halted 1",
        "measured  whole step of a quote p50 9.4 µs, p99 15.9 µs, 0.00% waited",
        "measured  trip 85.7 µs, cancels confirmed 0.41 ms, liquidation 1.18 ms",
        "journal   1,234 records durable",
        "alert     [page] drawdown:account tripped",
    ]


def test_the_share_of_evaluations_that_waited_is_shown_and_beyond_half_a_percent_what_to_do() -> (
    None
):
    def said(measured: Measured) -> str:
        lines = render.status_text(status_with(halted(), measured=measured)).splitlines()
        (line,) = [line for line in lines if "whole step" in line]
        return line.rpartition("µs, ")[2]

    assert said(WAITED) == "0.50% waited"
    more = structs.replace(WAITED, waited=501)
    assert said(more) == "0.50% (too many: shard, see docs/performance.md) waited"
    assert "quotes waited" in drawn(status_with(halted(), measured=more))


def test_cancels_that_were_waited_for_in_vain_are_not_called_confirmed() -> None:
    late = structs.replace(MEASURED, cancel_ns=2_000_000_000, unconfirmed=3)
    text = render.status_text(status_with(Board(), measured=late))
    assert ", 3 cancels not confirmed after 2000.00 ms," in text
    assert "cancels confirmed" not in text


def test_an_empty_state_is_said_in_words() -> None:
    nothing = structs.replace(MEASURED, evaluations=0, trigger_ns=0)
    status = status_with(spoken(), measured=nothing, running=False)
    assert render.status_text(status).splitlines() == [
        "posture   HALTED: no gateway runs; the next start compares the books, then OPEN",
        "gateway   not running: this is what its next start begins with",
        "next      `fuseboard run`",
        "account   default",
        "recorded  our record is empty, and not the broker's",
        "orders    0 working",
        "positions flat",
        "journal   1,234 records durable",
    ]
    assert render.orders_text(status) == "no working orders"
    assert render.positions_text(status) == "no positions"


def test_when_the_books_were_last_compared_is_said() -> None:
    text = render.status_text(status_with(spoken(), compared_wall_ns=1_000_000_000 * NANOS))
    assert "compared  with the broker's books at 2001-09-09 01:46:40 UTC" in text.splitlines()
    assert "compared" not in render.status_text(status_with(spoken())), "or it is not known"


@pytest.mark.parametrize(
    ("state", "scope", "reason", "what"),
    [
        ("MONITORING", "account", Reason.NOT_RECONCILED, "wait: the gateway is comparing"),
        ("TRIGGERED", "account", Reason.DRAWDOWN, "wait: the plan and the cooldown"),
        ("HALTED", "strategy:a", Reason.OPERATOR, "reset --scope strategy:a --operator"),
        ("REDUCE_ONLY", "strategy:a", Reason.BREAKER, "reset --scope strategy:a --operator"),
        ("KILLED", "account", Reason.OPERATOR, "`fuseboard reset --operator NAME"),
    ],
)
def test_the_next_step_follows_the_state(state: str, scope: str, reason: Reason, what: str) -> None:
    board = spoken()
    board.apply(equity(99_000 * NANOS, scope=scope, state=state))
    board.apply(posture(scope, Posture.HALTED, reason))
    assert what in render.next_step(status_with(board))


def test_beside_the_file_halt_it_is_taken_away_before_the_reset() -> None:
    status = status_with(halted(), halt_file="/a state/HALT")
    lines = render.status_text(status).splitlines()
    assert lines[2:4] == [
        (
            "next      once reviewed: `rm '/a state/HALT'`,"
            " then `fuseboard reset --operator NAME --reason TEXT`"
        ),
        "file      /a state/HALT halts the account while it is there",
    ]


@pytest.mark.parametrize("running", [True, False])
def test_what_was_reset_too_often_says_from_when_it_may_be_reset_again(running: bool) -> None:
    board = halted()
    due_wall_ns = 1_767_366_000 * NANOS
    told = posture("account", Posture.HALTED)
    board.apply(structs.replace(told, next_reset_wall_ns=due_wall_ns))
    said = render.next_step(status_with(board, running=running))
    sooner = "or after a policy with a shorter cooldown or more resets a day,"
    assert f"from 2026-01-02 15:00:00 UTC, {sooner}" in said
    assert said.endswith(" `fuseboard reset --operator NAME --reason TEXT`")


def test_when_all_is_open_there_is_nothing_to_do() -> None:
    board = spoken()
    board.apply(equity(99_000 * NANOS))
    assert render.next_step(status_with(board)) == ""


def test_tables_are_aligned_and_numbers_stand_to_the_right() -> None:
    board = Board()
    board.apply(submit("1", strategy="dip-buyer"))
    board.apply(shown("2", OrderStatus.WORKING))
    board.apply(
        PublishPosition(
            strategy="", symbol="A", quantity_nanos=NANOS * 5, average_price_nanos=NANOS // 8
        )
    )
    status = status_with(board)
    assert render.orders_text(status).splitlines() == [
        "strategy   symbol  side  quantity  filled  type    limit  status      client id",
        "dip-buyer  AAPL    buy         10       0  limit     150  submitting  client-1",
        "s          AAPL    sell        10       3  market         working     c",
    ]
    for order_id in ("foreign-h1", "3"):
        board.apply(structs.replace(shown(order_id, OrderStatus.WORKING), strategy=""))
    *_, foreign, plan = render.orders_text(status_with(board)).splitlines()
    assert (foreign.split()[0], plan.split()[0]) == ("(foreign)", "(plan)")
    assert render.positions_text(status).splitlines() == [
        "ledger     symbol  quantity  average price",
        "(account)  A              5          0.125",
    ]


@given(st.text(max_size=300))
def test_a_strategys_names_cannot_move_the_operators_cursor(text: str) -> None:
    board = Board()
    board.apply(shown("1", OrderStatus.WORKING, client_order_id=text))
    board.page("page", "operator", "account", text)
    status = status_with(board)
    for shown_text in (render.orders_text(status), render.status_text(status)):
        assert all(line.isprintable() for line in shown_text.split("\n"))
    assert len(render.orders_text(status).split("\n")) == 2
    assert all(line.isprintable() for line in drawn(status).split("\n"))


def drawn(status: Status, width: int = 80, away: str = "") -> str:
    console = Console(file=io.StringIO(), width=width, record=True, color_system=None)
    console.print(screen(status, width, away))
    return console.export_text()


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_the_screen_fits_its_width(width: int) -> None:
    board = halted()
    board.page("warning", "drawdown", "account", "x" * 500)
    for number in range(30):
        board.apply(equity(1_000_000 * NANOS, scope=f"strategy:a-rather-long-name-{number}"))
        board.apply(posture(f"symbol:S{number}", Posture.HALTED))
        board.apply(
            PublishPosition(
                strategy="", symbol=f"S{number}", quantity_nanos=NANOS, average_price_nanos=1
            )
        )
    lines = drawn(status_with(board), width).splitlines()
    assert {len(line) for line in lines} == {width}
    assert len(lines) <= 40, "it fits a terminal's height whatever there is"


def test_the_screen_says_what_matters_at_80_columns() -> None:
    text = drawn(status_with(halted()))
    for what in (
        "HALTED",
        "the drawdown limit was reached [drawdown]",
        "COOLING_DOWN",
        "94,900.00",
        "100,000.00",
        "5.10%",
        "quote step p99",
        "15.9 µs",
        "▁",
        "posture_halted 1",
    ):
        assert what in text, what


@pytest.mark.parametrize(
    ("value", "colour"),
    [
        ("OPEN", "32"),
        ("REDUCED", "33"),
        ("REDUCE_ONLY", "38;5;208"),
        ("HALTED", "31"),
        ("KILLED", "37;41"),
    ],
)
def test_the_posture_has_its_colour(value: str, colour: str) -> None:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system="256")
    console.print(screen(status_with(Board(), posture=value), 80))
    assert f"\x1b[1;{colour}m{value}" in file.getvalue()


@given(st.lists(st.integers(-(10**18), 10**18), max_size=50), st.integers(1, 60))
def test_a_sparkline_has_one_bar_a_value_with_the_extremes_at_the_ends(
    values: list[int], width: int
) -> None:
    line = sparkline(tuple(values), width)
    newest = values[-width:]
    assert len(line) == len(newest)
    if len(set(newest)) > 1:
        assert line[newest.index(min(newest))] == "▁"
        assert line[newest.index(max(newest))] == "█"


def test_top_survives_the_gateway_and_says_so() -> None:
    status = status_with(halted())
    answers: Iterator[Status | Exception] = iter(
        [status, GatewayUnreachable("no gateway answers on /x"), status]
    )

    def read() -> Status:
        answer = next(answers, status)
        if isinstance(answer, Exception):
            raise answer
        return answer

    file = io.StringIO()
    console = Console(file=file, width=80, height=40, force_terminal=True, color_system=None)
    run_top(read, seconds=0.35, console=console)
    text = file.getvalue()
    assert "NO GATEWAY  no gateway answers on /x" in text
    assert "what it last said: HALTED" in text
    assert text.rindex("NO GATEWAY") < text.rindex("posture_halted 1"), "it came back"


def test_top_draws_ten_times_a_second_and_ends_when_told() -> None:
    looks = 0

    def read() -> Status:
        nonlocal looks
        looks += 1
        return status_with(Board())

    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    run_top(read, seconds=0.5, console=console)
    assert 2 <= looks <= 7


def test_top_without_a_gateway_is_refused_and_without_a_terminal_draws_once() -> None:
    def nobody() -> Status:
        raise GatewayUnreachable("nobody")

    console = Console(file=io.StringIO(), width=80)
    with pytest.raises(GatewayUnreachable):
        run_top(nobody, seconds=None, console=console)
    run_top(lambda: status_with(halted()), seconds=None, console=console)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count("fuseboard ─") == 1


def test_control_characters_become_question_marks() -> None:
    assert render.printable(f"a{ESCAPE}b\n") == "a?[2Jb?"
    assert render.printable("plain µ") == "plain µ"


def test_alerts_are_the_newest_and_no_more_than_fit() -> None:
    alerts = tuple(
        AlertLine(severity="page", code="x", scope="account", text=f"alert-{number}")
        for number in range(20)
    )
    text = render.status_text(status_with(Board(), alerts=alerts))
    assert text.count("alert-") == render.ALERTS_SHOWN_MAX
    assert "alert-19" in text


def test_what_differs_is_shown_with_who_found_it_and_since_when_until_it_ends() -> None:
    def said(stage: str, number: int = 0) -> PublishDiscrepancy:
        return PublishDiscrepancy(
            subject=f"fill b{number}",
            stage=stage,
            source="activity feed",
            what=f"AAPL: a fill that we do not have (order b{number})",
            ours="0",
            theirs="10",
            since_wall_ns=1_767_366_000 * NANOS,
        )

    board = spoken()
    board.apply(said("found"))
    text = render.status_text(status_with(board))
    line = "differs   AAPL: a fill that we do not have (order b0) [activity feed]"
    assert f"{line}, since 2026-01-02 15:00:00 UTC\n" in text
    assert "next      see docs/runbook.md" in text
    board.apply(said("adopted"))
    assert "UTC, taken over, to be compared again" in render.status_text(status_with(board))
    for stage in ("resolved", "accepted"):
        board.apply(said("found"))
        board.apply(said(stage))
        assert "differs" not in render.status_text(status_with(board))
    for number in range(render.DIFFERENCES_SHOWN_MAX + 3):
        board.apply(said("found", number))
    assert "differs   and 3 more: see --json" in render.status_text(status_with(board))


def test_what_is_owed_of_dividends_is_shown_and_that_nobody_announces_them() -> None:
    board = spoken()
    owed = DividendOwed(
        symbol="AAPL",
        ex_date="2026-01-02",
        owed_nanos=2_500 * NANOS,
        payable_wall_ns=1_767_366_000 * NANOS,
    )
    problem = "the broker does not tell dividends: 403"
    board.apply(PublishDividends(owed=(owed,), unread=problem))
    text = render.status_text(status_with(board))
    line = "AAPL: 2,500.00 USD are owed for the dividend of 2026-01-02, payable 2026-01-02"
    assert f"dividend  {line}\n" in text
    assert f"dividend  announcements are not read: {problem}\n" in text
    board.apply(PublishDividends(owed=()))
    assert "dividend" not in render.status_text(status_with(board))
