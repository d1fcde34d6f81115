"""The guard of the library: the gateway's rules in one's own program, failing closed."""

import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fuseboard import Decision, Guard, OrderRequest, ResetRefused
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import LossRule, StrategyRule
from fuseboard.policy.yaml_text import PolicyRefused
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.money import NANOS

POLICY = """\
name: embedded
risk:
  limits:
    max_order_quantity: 1000
    max_order_value: 50000 USD
    max_position_value: 60000 USD
    gross_exposure: 100%
    price_collar: 5%
safety:
  loss_limits:
    drawdown: {hard: 5%, action: [flatten_positions], cooldown: 1m}
data:
  validation: {max_age: 30s}
"""


class Clock:
    """Nanoseconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_ns = 10**12

    def __call__(self) -> int:
        return self.now_ns


def made(policy: Policy | None = None, clock: Clock | None = None) -> Guard:
    clock = clock or Clock()
    if policy is None:
        policy = Policy(
            limits=Limits(position_value_nanos_max=60_000 * NANOS),
            losses=(LossRule(action=Action.FLATTEN, cooldown_ns=60 * NANOS),),
        )
    return Guard(policy, boot_ns=clock, wall_ns=clock)


def ready(policy: Policy | None = None, clock: Clock | None = None) -> Guard:
    guard = made(policy, clock)
    guard.account(equity=100_000, cash=100_000)
    guard.quote("AAPL", Decimal("99.99"), Decimal("100.01"))
    return guard


def buy(
    quantity: Decimal | int,
    price: Decimal | int | None = 100,
    name: str = "",
    symbol: str = "AAPL",
    strategy: str = "default",
) -> OrderRequest:
    return OrderRequest(
        strategy=strategy,
        symbol=symbol,
        side="buy",
        quantity=quantity,
        order_type="market" if price is None else "limit",
        limit_price=price,
        client_order_id=name,
    )


def sell(quantity: Decimal | int, price: Decimal | int = 100) -> OrderRequest:
    return OrderRequest(
        symbol="AAPL", side="sell", quantity=quantity, order_type="limit", limit_price=price
    )


def allowed(decision: Decision) -> str:
    assert decision.allowed, decision
    assert decision.reason == "allowed"
    assert decision.order_id
    return decision.order_id


def reason_of(decision: Decision) -> str:
    assert not decision.allowed
    assert decision.order_id == ""
    assert decision.message
    return decision.reason


def test_a_policy_file_becomes_a_guard_that_says_what_it_saw_and_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    guard = Guard.from_policy(path)
    guard.account(equity=Decimal(100_000), cash=Decimal(100_000))
    guard.quote("AAPL", Decimal("99.99"), Decimal("100.01"))
    allowed(guard.check(buy(100)))
    denied = guard.check(buy(501, Decimal("99.9")))
    assert reason_of(denied) == "order_value"
    assert denied.checks[-1] == "order_value"
    assert (denied.observed, denied.limit) == ("50049.9", "50000")


def test_a_policy_with_a_mistake_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY.replace("price_collar", "price_colar"))
    with pytest.raises(PolicyRefused, match=r"policy\.yaml:8.*price_collar"):
        Guard.from_policy(str(path))
    with pytest.raises(OSError, match="nowhere"):
        Guard.from_policy(tmp_path / "nowhere.yaml")


def test_sectors_stand_in_a_file_beside_the_policy(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY.replace("risk:\n", "risk:\n  sectors: sectors.yaml\n"))
    with pytest.raises(PolicyRefused, match=r"sectors\.yaml cannot be read"):
        Guard.from_policy(path)
    (tmp_path / "sectors.yaml").write_text("AAPL: technology\n")
    Guard.from_policy(path)


def test_a_secret_of_the_policy_must_be_set_and_is_not_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text('alerting: {slack: {token: "${SLACK_TOKEN}"}}\n')
    monkeypatch.delenv("SLACK_TOKEN", raising=False)
    with pytest.raises(PolicyRefused, match="the environment has no SLACK_TOKEN"):
        Guard.from_policy(path)
    monkeypatch.setenv("SLACK_TOKEN", "s3cr3t-value")
    Guard.from_policy(path)
    path.write_text("name: s3cr3t-value\n")
    with pytest.raises(PolicyRefused, match="the value of a secret stands here") as refused:
        Guard.from_policy(path)
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize("order", [None, "buy", 5, object()])
def test_what_is_no_order_is_denied(order: Any) -> None:
    guard = ready()
    decision = guard.check(order)
    assert (decision.allowed, decision.reason) == (False, "malformed")
    assert decision.message == f"{type(order).__name__} is no OrderRequest"


def test_without_an_account_nothing_is_allowed() -> None:
    guard = made()
    guard.quote("AAPL", Decimal("99.99"), Decimal("100.01"))
    assert reason_of(guard.check(buy(1))) == "not_reconciled"
    assert guard.posture == "HALTED"
    guard.account(equity=100_000, cash=100_000)
    assert guard.posture == "OPEN"
    allowed(guard.check(buy(1)))


def test_without_a_quote_or_with_an_old_or_bad_one_nothing_is_opened() -> None:
    clock = Clock()
    guard = made(clock=clock)
    guard.account(equity=100_000, cash=100_000)
    assert reason_of(guard.check(buy(1))) == "quote_missing"
    guard.quote("AAPL", 101, 100)
    assert reason_of(guard.check(buy(1))) == "quote_missing"
    guard.quote("AAPL", Decimal("99.99"), Decimal("100.01"))
    allowed(guard.check(buy(1)))
    clock.now_ns += 3600 * NANOS
    assert reason_of(guard.check(buy(1))) == "quote_missing"


def test_allowed_orders_count_as_filled_until_they_are_told_to_be_final() -> None:
    guard = ready()
    first = allowed(guard.check(buy(300)))
    second = allowed(guard.check(buy(300)))
    assert reason_of(guard.check(buy(1))) == "max_position"
    guard.cancelled(first)
    guard.rejected(second, "no shares to be had")
    third = allowed(guard.check(buy(600)))
    guard.filled(third, 250, 100)
    assert reason_of(guard.check(buy(1))) == "max_position"
    guard.cancelled(third)
    allowed(guard.check(buy(349)))


def test_a_fill_that_is_told_after_the_cancel_counts() -> None:
    guard = ready()
    first = allowed(guard.check(buy(600)))
    guard.cancelled(first)
    guard.filled(first, 600, 100)
    assert reason_of(guard.check(buy(1))) == "max_position"


def test_executions_add_up() -> None:
    guard = ready()
    order = allowed(guard.check(buy(600)))
    for _ in range(2):
        guard.filled(order, 150, 100)
    guard.cancelled(order)
    assert reason_of(guard.check(buy(301))) == "max_position"
    allowed(guard.check(buy(300)))


def test_what_is_final_is_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuseboard.library.guarded.CLOSED_ORDERS_MAX", 2)
    guard = ready()
    orders = [allowed(guard.check(buy(1))) for _ in range(3)]
    for order in orders:
        guard.cancelled(order)
    guard.filled(orders[1], 1, 100)
    with pytest.raises(KeyError, match="no order"):
        guard.filled(orders[0], 1, 100)


def test_an_order_that_is_not_known_is_refused() -> None:
    guard = ready()
    for tell in (guard.cancelled, guard.rejected, lambda it: guard.filled(it, 1, 1)):
        with pytest.raises(KeyError, match="no order that this guard allowed"):
            tell("nonsense")


def test_an_id_is_allowed_once() -> None:
    guard = ready()
    allowed(guard.check(buy(1, name="mine")))
    assert reason_of(guard.check(buy(1, name="mine"))) == "client_order_id_reused"
    assert reason_of(guard.check(buy(2, name="mine"))) == "client_order_id_reused"


@pytest.mark.parametrize(
    "order",
    [
        buy(Decimal("NaN")),
        buy(Decimal("Infinity")),
        buy(0),
        buy(-1),
        buy(Decimal("1E+999999999999")),
        buy(True),
        buy(Decimal("0.0000000001")),
        buy(1, Decimal(0)),
        buy(1, symbol=""),
        buy(1, name="x" * 129),
        buy(1.5),  # type: ignore[arg-type]
        OrderRequest(symbol="AAPL", side="hold", quantity=1),  # type: ignore[arg-type]
        OrderRequest(symbol="AAPL", side="buy", quantity=1, order_type="limit"),
    ],
    ids=lambda order: f"{order.side} {order.quantity} at {order.limit_price}"[:40],
)
def test_an_order_that_makes_no_sense_is_denied_and_says_so(order: OrderRequest) -> None:
    guard = ready()
    assert reason_of(guard.check(order)) == "malformed"
    allowed(guard.check(buy(1)))


def test_numbers_that_are_told_must_be_numbers() -> None:
    guard = ready()
    with pytest.raises(TypeError, match="bid must be a Decimal"):
        guard.quote("AAPL", 99.5, 100)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"equity.*finite"):
        guard.account(equity=Decimal("NaN"), cash=1)
    with pytest.raises(ValueError, match="average_price must be above zero"):
        guard.position("AAPL", 1, average_price=0)
    allowed(guard.check(buy(1)))


def test_positions_that_were_told_first_are_held_and_may_be_reduced() -> None:
    guard = made()
    guard.position("AAPL", 500, average_price=90, price=100)
    guard.account(equity=100_000, cash=50_000)
    guard.quote("AAPL", Decimal("99.99"), Decimal("100.01"))
    assert reason_of(guard.check(buy(101))) == "max_position"
    closing = allowed(guard.check(sell(500)))
    assert reason_of(guard.check(buy(1))) == "self_match"
    guard.cancelled(closing)
    allowed(guard.check(buy(1)))


def test_a_position_that_nothing_explains_halts() -> None:
    guard = ready()
    guard.position("AAPL", 7, average_price=100)
    assert guard.posture == "HALTED"
    assert reason_of(guard.check(buy(1))) == "posture_halted"


def test_a_position_that_the_fills_explain_halts_nothing() -> None:
    guard = ready()
    guard.filled(allowed(guard.check(buy(7))), 7, 100)
    guard.position("AAPL", 7, average_price=100)
    assert guard.posture == "OPEN"


def test_a_comparison_of_one_symbol_takes_the_others_as_they_are_known() -> None:
    clock = Clock()
    guard = made(clock=clock)
    guard.position("MSFT", 10, average_price=100)
    guard.account(equity=100_000, cash=99_000)
    guard.quote("AAPL", Decimal("99.99"), Decimal("100.01"))
    for strategy in ("alpha", "beta"):
        guard.filled(allowed(guard.check(buy(5, strategy=strategy))), 5, 100)
    clock.now_ns += 6 * NANOS  # nothing was on its way when the books were last read
    guard.position("MSFT", 10, average_price=100)
    assert guard.posture == "OPEN"
    guard.position("AAPL", 10, average_price=100)
    assert guard.posture == "OPEN"
    guard.position("AAPL", 9, average_price=100)
    assert guard.posture == "HALTED"


def test_a_breach_that_nothing_confirms_asks_for_reduce_only_by_time_alone() -> None:
    clock = Clock()
    guard = ready(clock=clock)
    guard.filled(allowed(guard.check(buy(550))), 550, 100)
    guard.quote("AAPL", Decimal("90.90"), Decimal("90.91"))
    assert guard.posture == "OPEN"
    clock.now_ns += 2 * NANOS
    assert guard.posture == "REDUCE_ONLY"
    assert reason_of(guard.check(buy(1, 90))) == "posture_reduce_only"
    allowed(guard.check(sell(1, 90)))


def test_a_guard_never_waits_for_an_activity_feed_and_says_nothing_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    guard = ready(clock=clock)
    for _ in range(140):
        clock.now_ns += 5 * NANOS
        guard.account(equity=100_000, cash=100_000)
        guard.quote("AAPL", Decimal("99.99"), Decimal("100.01"))
    assert guard.posture == "OPEN"
    allowed(guard.check(buy(1)))
    assert caplog.text == ""


def test_a_halt_of_one_symbol_leaves_the_others_alone() -> None:
    guard = ready()
    guard.halt(reason="odd prints", scope="symbol:MSFT")
    assert guard.posture == "OPEN"
    allowed(guard.check(buy(1)))
    assert reason_of(guard.check(buy(1, symbol="MSFT"))) == "posture_halted"


def test_a_drawdown_trips_says_what_to_cancel_and_stays_until_a_person_resets() -> None:
    clock = Clock()
    guard = ready(clock=clock)
    guard.filled(allowed(guard.check(buy(500))), 500, 100)
    works = allowed(guard.check(buy(1, 99)))
    for _ in range(4):  # 10 % of half the equity is 5 % of it; a jump waits for a second quote
        guard.quote("AAPL", Decimal("89.99"), Decimal("90.01"))
    assert guard.posture == "HALTED"
    assert list(guard.cancels_wanted) == [works]
    assert reason_of(guard.check(buy(1, 90))) == "posture_halted"
    guard.cancelled(works)
    assert not list(guard.cancels_wanted)
    with pytest.raises(ResetRefused, match="its cooldown has 1m 0s left"):
        guard.reset(operator="ada", reason="looked at it", rebase=True)
    clock.now_ns += 10**6 * NANOS
    guard.quote("AAPL", Decimal("99.99"), Decimal("100.01"))
    assert guard.posture == "HALTED"
    with pytest.raises(ResetRefused, match="name"):
        guard.reset(operator="", reason="why not")
    guard.reset(operator="ada", reason="looked at it", rebase=True)
    assert guard.posture == "OPEN"


def test_a_loss_whose_action_lets_exits_pass_lets_them_pass_a_guard_too() -> None:
    guard = ready(Policy(losses=(LossRule(action=Action.REDUCE_ONLY),)))
    guard.filled(allowed(guard.check(buy(500))), 500, 100)
    opens, leaves = allowed(guard.check(buy(1, 99))), allowed(guard.check(sell(100, 110)))
    for _ in range(4):
        guard.quote("AAPL", Decimal("89.99"), Decimal("90.01"))
    assert guard.posture == "REDUCE_ONLY"
    assert list(guard.cancels_wanted) == [opens], leaves
    assert reason_of(guard.check(buy(1, 90))) == "posture_reduce_only"
    allowed(guard.check(sell(400, 90)))


def test_the_brokers_own_equity_confirms_a_breach() -> None:
    guard = ready()
    guard.filled(allowed(guard.check(buy(500))), 500, 100)
    guard.quote("AAPL", Decimal("90.01"), Decimal("90.03"))
    guard.quote("AAPL", Decimal("89.98"), Decimal("90.00"))
    assert guard.posture == "OPEN"
    guard.account(equity=94_000, cash=50_000)
    assert guard.posture == "HALTED"


def test_a_halt_of_a_person_holds_and_a_scope_must_be_one() -> None:
    guard = ready()
    with pytest.raises(ValueError, match="is no scope"):
        guard.halt(reason="why", scope="everything")
    guard.halt(reason="lunch", operator="ada")
    assert guard.posture == "HALTED"
    guard.reset(operator="ada", reason="back again")
    allowed(guard.check(buy(1)))


def test_a_strategy_that_the_policy_does_not_name_is_denied() -> None:
    guard = ready(Policy(strategies=(StrategyRule(name="alpha", capital_nanos=NANOS),)))
    assert reason_of(guard.check(buy(1))) == "strategy_unknown"


def test_a_guard_that_failed_inside_denies_everything() -> None:
    guard = ready()

    class Struck(Exception):
        pass

    def strike(*_: object) -> None:
        raise Struck

    guard._kernel.step = strike  # type: ignore[method-assign,assignment]
    with pytest.raises(Struck):
        guard.check(buy(1))
    assert reason_of(guard.check(buy(1))) == "node_fault"
    assert guard.posture == "HALTED"
    with pytest.raises(RuntimeError, match="failed before"):
        guard.quote("AAPL", 1, 2)


def test_a_clock_that_goes_back_does_not_make_an_old_quote_young() -> None:
    clock = Clock()
    guard = ready(clock=clock)
    clock.now_ns += 3600 * NANOS
    assert reason_of(guard.check(buy(1))) == "quote_missing"
    clock.now_ns -= 3600 * NANOS
    assert reason_of(guard.check(buy(1))) == "quote_missing"


def test_four_threads_never_get_more_than_the_limit_together() -> None:
    guard, got = ready(), list[str]()

    def ask() -> None:
        for _ in range(20):
            decision = guard.check(buy(20))
            if decision.allowed:
                got.append(decision.order_id)

    asking: list[Callable[[], None]] = [ask] * 4
    threads = [threading.Thread(target=each) for each in asking]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(set(got)) == 30
