"""Effects as the kernel gives them, with only what a test is about."""

from fuseboard.control.board import Board
from fuseboard.vocabulary.effects import (
    PublishEquity,
    PublishOrder,
    PublishPosture,
    SubmitOrder,
)
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason


def submit(order_id: str, *, intent: Intent = Intent.OPEN, strategy: str = "s") -> SubmitOrder:
    return SubmitOrder(
        order_id=order_id,
        wire_id=f"fb-{order_id}",
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=10 * NANOS,
        intent=intent,
        raises_exposure=True,
        halt_epoch=0,
        strategy=strategy,
        client_order_id=f"client-{order_id}",
        limit_price_nanos=150 * NANOS,
    )


def shown(order_id: str, status: OrderStatus, *, client_order_id: str = "c") -> PublishOrder:
    return PublishOrder(
        order_id=order_id,
        wire_id=f"fb-{order_id}",
        broker_order_id="b",
        client_order_id=client_order_id,
        strategy="s",
        symbol="AAPL",
        side=Side.SELL,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=10 * NANOS,
        filled_quantity_nanos=3 * NANOS,
        filled_price_nanos=NANOS,
        status=status,
        intent=Intent.OPEN,
        created_ns=1,
        updated_ns=2,
    )


def equity(nanos: int, *, scope: str = "account", state: str = "MONITORING") -> PublishEquity:
    return PublishEquity(
        fuse=f"drawdown:{scope}",
        scope=scope,
        state=state,
        generation=1,
        equity_nanos=nanos,
        mark_nanos=100_000 * NANOS,
        drawdown_nanos=(100_000 * NANOS - nanos) // 100_000,
        cash_nanos=0,
    )


def posture(scope: str, value: Posture, reason: Reason = Reason.DRAWDOWN) -> PublishPosture:
    return PublishPosture(scope=scope, posture=value, reason=reason)


def plan(trip: str, stage: str = "ended") -> RecordPlan:
    return RecordPlan(trip=trip, stage=stage, cancelled=3, closed=2)


def spoken() -> Board:
    """A board whose kernel has said that the account is open."""
    board = Board()
    board.apply(posture("account", Posture.OPEN, Reason.ALLOWED))
    return board
