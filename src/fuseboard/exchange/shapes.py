"""The exchange's facts in the wire's shapes."""

import uuid

from fuseboard.exchange.account import AccountView, PositionView
from fuseboard.exchange.orders import Order, OrderEvent, Refusal, Status
from fuseboard.feeds.tapes.tape import TapeKind
from fuseboard.wire import alpaca
from fuseboard.wire.http_server import Response

NYSE_SYMBOLS = frozenset({"IBM", "JPM", "PG", "XOM"})
ACCOUNT_NAMES = uuid.UUID("7b0f3c52-0a5e-5d53-8f0c-5e1a1a7f6f0d")


def listed_at(symbol: str, kind: TapeKind) -> str:
    """The listing exchange, in Alpaca's words."""
    if kind is TapeKind.CRYPTO:
        return "CRYPTO"
    return "NYSE" if symbol in NYSE_SYMBOLS else "NASDAQ"


def order_shape(order: Order, kind: TapeKind) -> dict[str, object]:
    """Alpaca's Order object."""
    ticket = order.ticket
    ended = {order.status: order.ended_ns}
    return alpaca.order_object(
        alpaca.OrderView(
            id=order.order_id,
            client_order_id=ticket.client_order_id,
            symbol=ticket.symbol,
            side=ticket.side,
            order_type=ticket.order_type,
            time_in_force=ticket.time_in_force,
            quantity_nanos=ticket.quantity_nanos,
            status=order.status.value,
            created_ns=order.created_ns,
            updated_ns=order.updated_ns,
            submitted_ns=order.created_ns,
            filled_quantity_nanos=order.filled_nanos,
            filled_price_nanos=order.average_price_nanos,
            limit_price_nanos=ticket.limit_price_nanos,
            stop_price_nanos=ticket.stop_price_nanos,
            extended_hours=ticket.extended_hours,
            filled_ns=order.filled_ns,
            expired_ns=ended.get(Status.EXPIRED),
            canceled_ns=ended.get(Status.CANCELED),
            replaced_ns=ended.get(Status.REPLACED),
            replaced_by=order.replaced_by,
            replaces=order.replaces,
            asset_class=kind.value,
        )
    )


def update_shape(event: OrderEvent, kind: TapeKind) -> dict[str, object]:
    """A message of `trade_updates`."""
    order, fill = order_shape(event.order, kind), event.fill
    if fill is None:
        seed = f"{event.order.order_id}/{event.event}/{event.at_ns}"
        return alpaca.trade_update(
            event.event,
            order,
            at_ns=event.at_ns,
            execution_id=str(uuid.uuid5(ACCOUNT_NAMES, seed)),
        )
    return alpaca.trade_update(
        event.event,
        order,
        at_ns=event.at_ns,
        execution_id=fill.execution_id,
        quantity_nanos=fill.quantity_nanos,
        price_nanos=fill.price_nanos,
        position_nanos=fill.position_nanos,
    )


def position_shape(position: PositionView, kind: TapeKind) -> dict[str, object]:
    """Alpaca's Position object."""
    available = position.available_nanos
    return alpaca.position_object(
        alpaca.PositionView(
            symbol=position.symbol,
            quantity_nanos=position.quantity_nanos,
            average_price_nanos=position.average_price_nanos,
            price_nanos=position.mark_nanos,
            last_day_price_nanos=position.prior_close_nanos,
            available_nanos=available if position.quantity_nanos > 0 else -available,
            asset_class=kind.value,
            exchange=listed_at(position.symbol, kind),
        )
    )


def account_shape(view: AccountView, *, seed: int, created_ns: int) -> dict[str, object]:
    """Alpaca's TradeAccount object."""
    return alpaca.account_object(
        alpaca.AccountView(
            id=str(uuid.uuid5(ACCOUNT_NAMES, str(seed))),
            account_number=f"SIM{seed:09d}",
            created_ns=created_ns,
            cash_nanos=view.cash_nanos,
            equity_nanos=view.equity_nanos,
            last_equity_nanos=view.last_equity_nanos,
            buying_power_nanos=view.buying_power_nanos,
            long_market_value_nanos=view.long_value_nanos,
            short_market_value_nanos=view.short_value_nanos,
            initial_margin_nanos=view.initial_margin_nanos,
            maintenance_margin_nanos=view.maintenance_margin_nanos,
            multiplier=view.multiplier,
            shorting_enabled=view.shorting_enabled,
        )
    )


def asset_shape(symbol: str, kind: TapeKind, *, shortable: bool) -> dict[str, object]:
    """Alpaca's Asset object."""
    return alpaca.asset_object(
        symbol,
        exchange=listed_at(symbol, kind),
        asset_class=kind.value,
        shortable=shortable,
    )


def refusal_response(refusal: Refusal) -> Response:
    """A refusal as Alpaca answers it."""
    return alpaca.error_answer(refusal.http_status, refusal.code, refusal.message, **refusal.extra)


def refusal_shape(refusal: Refusal) -> dict[str, object]:
    """A refusal as one entry of a 207 answer has it."""
    return {"code": refusal.code, "message": refusal.message, **refusal.extra}
