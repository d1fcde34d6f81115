"""The kernel keeps asking to be woken, however long the broker takes to answer."""

from collections.abc import Callable

import pytest

from fuseboard.core.book import Order
from fuseboard.core.fuses.machine import FuseState
from fuseboard.core.kernel import Kernel
from fuseboard.core.legs import Plan
from fuseboard.core.market import Instrument
from fuseboard.core.state import Discrepancy, Recovery, State
from fuseboard.core.waking import NEVER_BOOT_NS
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.effects import ReadAccount, WakeAt
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    BrokerPosition,
    BrokerStreamChanged,
    Input,
    Moment,
    NodeStarted,
    PolicyAdopted,
    PositionsSeen,
    SessionRolled,
    TimeAdvanced,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason


def test_books_that_are_compared_late_are_compared_again() -> None:
    text = canonical_text(Policy())
    account = AccountSeen(
        cash_nanos=NANOS,
        equity_nanos=NANOS,
        last_equity_nanos=NANOS,
        multiplier=1,
        shorting_enabled=False,
    )
    told: list[tuple[int, Input]] = [
        (1, PolicyAdopted(text=text, digest=digest_of(text), operator="start")),
        (1, NodeStarted(instance="simulone", account="A1", release="0")),
        (1, BrokerStreamChanged(connected=True)),
        (6, TimeAdvanced()),  # the wake of the first reading, which has no answer yet
        (7, account),
        (7, PositionsSeen(positions=())),
    ]
    kernel = Kernel()
    for second, fact in told:
        effects = kernel.step(Moment(second * NANOS, second * NANOS), fact)
    wakes = [effect.boot_ns for effect in effects if isinstance(effect, WakeAt)]
    assert len(wakes) == 1, "nobody wakes it for the next reading"
    again = kernel.step(Moment(wakes[0], wakes[0]), TimeAdvanced())
    assert any(isinstance(effect, ReadAccount) for effect in again)


# --- until when readings change nothing -----------------------------------------------------------

MINUTE_NS = 60 * NANOS


def at_rest(held: int = 0) -> tuple[Kernel, State]:
    """A kernel whose books are compared, at 1 s, and its state."""
    text = canonical_text(Policy(losses=(LossRule(limit_nanos=NANOS // 50),)))
    account = AccountSeen(
        cash_nanos=100 * NANOS,
        equity_nanos=100 * NANOS + held * NANOS,
        last_equity_nanos=100 * NANOS,
        multiplier=1,
        shorting_enabled=False,
    )
    position = BrokerPosition(
        symbol="AAA",
        quantity_nanos=held * NANOS,
        average_price_nanos=NANOS,
        price_nanos=NANOS,
    )
    told: list[Input] = [
        PolicyAdopted(text=text, digest=digest_of(text), operator="start"),
        NodeStarted(instance="simulone", account="A1", release="0"),
        BrokerStreamChanged(connected=True),
        account,
        PositionsSeen(positions=(position,) if held else ()),
        ExecutionsSeen(after=None, newest="", executions=()),
    ]
    state = State()
    kernel = Kernel(state)
    for fact in told:
        kernel.step(Moment(NANOS, NANOS), fact)
    return kernel, state


def test_a_kernel_in_which_nothing_is_under_way_rests_until_its_next_deadline() -> None:
    kernel, state = at_rest()
    assert kernel.rests_until_boot_ns() == NEVER_BOOT_NS
    state.silence_due_boot_ns = 900 * NANOS
    state.order_deadlines["one"] = 800 * NANOS
    assert kernel.rests_until_boot_ns() == 800 * NANOS


def test_what_is_held_and_not_priced_any_more_ends_the_rest() -> None:
    kernel, state = at_rest(held=1)
    state.instruments["AAA"] = Instrument(quoted_boot_ns=NANOS, traded_boot_ns=NANOS // 2)
    state.instruments["BBB"] = Instrument(quoted_boot_ns=NANOS // 2)
    assert kernel.rests_until_boot_ns() == NANOS + 2 * MINUTE_NS + 1
    kernel.step(Moment(300 * NANOS, 300 * NANOS), BrokerStreamChanged(connected=True))
    assert kernel.rests_until_boot_ns() == NEVER_BOOT_NS


@pytest.mark.parametrize("status", [OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED])
def test_an_order_that_rests_at_the_exchange_does_not_keep_a_kernel_from_resting(
    status: OrderStatus,
) -> None:
    kernel, state = at_rest()
    _orders(state, status)
    assert kernel.rests_until_boot_ns() == NEVER_BOOT_NS


def _breach(state: State) -> None:
    state.drawdowns["drawdown:account"].breach.source = "books"


def _trigger(state: State) -> None:
    state.drawdowns["drawdown:account"].state = FuseState.TRIGGERED


def _plan(state: State) -> None:
    state.plans["one"] = Plan(
        trip="one",
        scope="account",
        stage="closing",
        began_boot_ns=1,
        deadline_boot_ns=2,
        orders={},
    )


DIFFERENCE = Discrepancy(
    subject="one",
    source="books",
    code=Reason.POSITION_MISMATCH,
    what="",
    ours="",
    theirs="",
    since_wall_ns=1,
)


def _orders(state: State, status: OrderStatus, *, cancel_wanted: bool = False) -> None:
    order = Order(
        order_id="one",
        wire_id="one",
        client_order_id="one",
        strategy="alpha",
        symbol="AAA",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=NANOS,
        limit_price_nanos=NANOS,
        stop_price_nanos=None,
        extended_hours=False,
        intent=Intent.OPEN,
        worst_price_nanos=NANOS,
        created_ns=1,
        updated_ns=1,
        status=status,
        cancel_wanted=cancel_wanted,
    )
    state.book.orders["one"] = order
    state.book.working["one"] = None


BUSY: dict[str, Callable[[State], object]] = {
    "not compared": lambda state: setattr(state, "reconciled", False),
    "an order is sent": lambda state: _orders(state, OrderStatus.SUBMITTING),
    "an order is in doubt": lambda state: _orders(state, OrderStatus.IN_DOUBT),
    "an order is cancelled": lambda state: _orders(state, OrderStatus.WORKING, cancel_wanted=True),
    "an order is looked for": lambda state: state.unresolved.update({"one": None}),
    "compared again": lambda state: setattr(state, "comparisons", 1),
    "a comparison is asked for": lambda state: setattr(state, "compare_asked", True),
    "a session is to begin": lambda state: setattr(
        state.period,
        "pending",
        SessionRolled(
            calendar="XNYS",
            session="2025-06-02",
            week_began="2025-06-02",
            month_began="2025-06-02",
            open_ns=1,
            close_ns=2,
        ),
    ),
    "a recovery": lambda state: state.recoveries.update(
        {"account": Recovery(scope="account", operator="", reason="")}
    ),
    "equity differs": lambda state: setattr(state, "equity_disagreements", 1),
    "books differ": lambda state: state.discrepancies.update({"one": DIFFERENCE}),
    "cash differs": lambda state: setattr(state, "cash_apart", DIFFERENCE),
    "cash may differ": lambda state: setattr(state, "apart", object()),
    "a plan": _plan,
    "a breach": _breach,
    "a fuse that tripped": _trigger,
}


@pytest.mark.parametrize("what", BUSY)
def test_a_kernel_with_something_under_way_does_not_rest(what: str) -> None:
    kernel, state = at_rest()
    BUSY[what](state)
    assert kernel.rests_until_boot_ns() == NANOS
