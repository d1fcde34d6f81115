"""What a guard is told besides orders and fills, what it says it needs, and how it says things."""

import logging
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from fuseboard import Guard, GuardAlert, OrderRequest
from fuseboard.library.guarded import Guarded
from fuseboard.library.needs import WAYS
from fuseboard.library.policies import policy_at
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary.catalogue import MEASURES
from tests.deletion import assert_pinned
from tests.library.test_guard import Clock, made

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "policy.yaml"
SECOND = 10**9
MINUTE = 60 * SECOND
JOIN_S = 20.0


@pytest.fixture
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_URL", "https://example.invalid/hook")
    monkeypatch.setenv("PAGERDUTY_KEY", "not-a-real-key")


class Desk:
    """A guard by the example policy, on a clock of its own."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.alerts: list[GuardAlert] = []
        self.guard = Guard(
            policy_at(EXAMPLE),
            on_alert=self.alerts.append,
            boot_ns=self.clock,
            wall_ns=self.clock,
        )
        self.asked = 0

    def market(self, seconds: int) -> None:
        """A liquid market, and the broker's figures, second by second."""
        for _ in range(seconds):
            self.clock.now_ns += SECOND
            self.guard.account(equity=250_000, cash=250_000, maintenance_margin=0)
            self.guard.quote(
                "AAPL", Decimal("99.99"), Decimal("100.01"), bid_size=5_000, ask_size=5_000
            )
            self.guard.trade("AAPL", 100, 200)

    def buy(self) -> str:
        self.asked += 1
        decision = self.guard.check(
            OrderRequest(
                symbol="AAPL",
                side="buy",
                quantity=9 + self.asked,
                order_type="limit",
                limit_price=Decimal("100.01"),
                strategy="dip-buyer",
            )
        )
        return decision.reason


@pytest.mark.usefixtures("_secrets")
def test_the_example_policy_lets_an_order_pass_once_it_is_told_what_the_guard_needs() -> None:
    desk = Desk()
    guard = desk.guard
    before = guard.needs
    assert [each.split(":")[0] for each in before] == [
        "max_position_divergence",
        "maintenance_margin",
        "vix",
        "sizes",
    ]
    assert 'report("vix", ...)' in before[2]
    guard.report("vix", 18)
    desk.market(30)
    assert guard.needs == ()
    assert desk.buy() == "allowed"


@pytest.mark.usefixtures("_secrets")
def test_what_was_told_too_long_ago_is_needed_again_and_one_call_compares_all() -> None:
    desk = Desk()
    guard = desk.guard
    guard.report("vix", 18)
    desk.market(30)
    desk.clock.now_ns += 11 * MINUTE
    desk.market(30)
    assert [each.split(":")[0] for each in guard.needs] == ["max_position_divergence"]
    assert desk.buy() == "posture_reduce_only"
    guard.compared()
    desk.market(300)
    assert guard.needs == ()
    assert desk.buy() == "allowed"


def test_nothing_is_compared_before_an_account() -> None:
    with pytest.raises(RuntimeError, match=r"tell account\(\.\.\.\) first"):
        made(Policy()).compared()


@pytest.mark.parametrize(
    ("name", "value", "symbol", "why"),
    [
        ("vixx", 18, "", "'vixx' is no measure"),
        ("drawdown", 0, "", "not reported from outside"),
        ("avg_daily_volume", 1_000, "", "is a symbol's: name it"),
        ("vix", -1, "", "cannot be negative"),
    ],
)
def test_a_measure_that_cannot_be_taken_is_refused_with_the_reason(
    name: str, value: int, symbol: str, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        made(Policy()).report(name, value, symbol=symbol)


def test_every_way_tells_a_measure_of_the_catalogue() -> None:
    assert set(WAYS) - set(MEASURES) == {"sizes"}


# --- how it says things ---


def said_after_the_call() -> None:
    """Whoever hears of a halt asks the guard, from another thread even, and is answered."""
    heard: list[tuple[str, str]] = []
    guard = made(Policy())

    def asks(alert: GuardAlert) -> None:
        answers: list[str] = []
        asking = threading.Thread(target=lambda: answers.append(guard.posture), daemon=True)
        asking.start()
        asking.join(JOIN_S)
        assert answers, "the guard answers nobody while it tells"
        heard.append((alert.severity, answers[0]))

    guard = Guard(Policy(), on_alert=asks)
    guard.account(equity=100_000, cash=100_000)
    guard.halt(reason="enough", operator="ann")
    assert heard == [("PAGE", "HALTED")]


def test_a_callback_hears_of_a_halt_once_and_may_ask_the_guard() -> None:
    said_after_the_call()


def test_a_log_handler_may_ask_the_guard() -> None:
    guard = made(Policy())
    guard.account(equity=100_000, cash=100_000)
    heard: list[tuple[str, ...]] = []

    class Asks(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            del record
            heard.append(guard.cancels_wanted)

    handler = Asks()
    logger = logging.getLogger("fuseboard.library")
    logger.addHandler(handler)
    try:
        halting = threading.Thread(target=lambda: guard.halt(reason="enough"), daemon=True)
        halting.start()
        halting.join(JOIN_S)
    finally:
        logger.removeHandler(handler)
    assert not halting.is_alive()
    assert heard == [()]


def a_failing_callback_harms_nothing() -> None:
    def fails(alert: GuardAlert) -> None:
        raise RuntimeError(alert.text)

    guard = Guard(Policy(), on_alert=fails)
    guard.account(equity=100_000, cash=100_000)
    try:
        guard.halt(reason="enough", operator="ann")
    except RuntimeError as error:
        raise AssertionError("the program's own failure reached the caller") from error
    assert guard.posture == "HALTED"
    guard.compared()
    guard.reset(operator="ann", reason="looked at it")
    assert guard.posture == "OPEN"


def test_what_a_callback_raises_changes_nothing() -> None:
    a_failing_callback_harms_nothing()


@pytest.mark.parametrize(
    "row",
    [
        (Guarded._say, "except Exception", "except KeyError", a_failing_callback_harms_nothing),
        (Guarded._say, "self._on_alert(alert)", "pass", said_after_the_call),
    ],
)
def test_without_a_guard_a_test_fails(
    row: tuple[Callable[..., object], str, str, Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert_pinned(monkeypatch, *row)
