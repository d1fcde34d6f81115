"""Between our words and Alpaca's objects, as strategies see them."""

import uuid
from typing import TypeVar

from msgspec import structs

from fuseboard.gateway.assets import AssetFacts
from fuseboard.gateway.views import Views
from fuseboard.vocabulary.effects import AnswerDenied, PublishOrder, PublishPosition
from fuseboard.vocabulary.inputs import OrderRequested, ReplaceRequested
from fuseboard.vocabulary.money import nanos_from_attos
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, OrderStatus, Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.wire.alpaca import (
    STATUS_WORDS,
    AccountView,
    OrderBodyRefused,
    OrderView,
    PositionView,
    account_object,
    configuration_object,
    order_object,
    parsed_order_body,
    parsed_replace_body,
    position_object,
    trade_update,
)

_Asked = TypeVar("_Asked", OrderRequested, ReplaceRequested)
MAINTENANCE_PERCENT = 30
"""Shown only: Alpaca's usual rate for shares; the broker's own figure is not among what we read."""


def order_asked(body: bytes, *, strategy: str) -> OrderRequested | AnswerDenied:
    """The order of a request body, attributed; the client order id is empty when there was none."""
    try:
        asked = parsed_order_body(body)
    except OrderBodyRefused as refused:
        return AnswerDenied(
            request=0, strategy=strategy, reason=refused.reason, message=refused.message
        )
    return OrderRequested(
        request=0,
        strategy=strategy,
        client_order_id=asked.client_order_id or "",
        symbol=asked.symbol,
        side=asked.side,
        order_type=asked.order_type,
        time_in_force=asked.time_in_force,
        quantity_nanos=asked.quantity_nanos,
        limit_price_nanos=asked.limit_price_nanos,
        stop_price_nanos=asked.stop_price_nanos,
        extended_hours=asked.extended_hours,
        closes_only=asked.closes_only,
    )


def replacement_asked(
    body: bytes, *, strategy: str, order_id: str
) -> ReplaceRequested | AnswerDenied:
    """The replacement of a request body; the client order id is empty when there was none."""
    try:
        asked = parsed_replace_body(body)
    except OrderBodyRefused as refused:
        return AnswerDenied(
            request=0, strategy=strategy, reason=refused.reason, message=refused.message
        )
    return ReplaceRequested(
        request=0,
        strategy=strategy,
        order_id=order_id,
        client_order_id=asked.client_order_id or "",
        quantity_nanos=asked.quantity_nanos,
        limit_price_nanos=asked.limit_price_nanos,
        stop_price_nanos=asked.stop_price_nanos,
        time_in_force=asked.time_in_force,
    )


def with_client_order_id(order: _Asked, client_order_id: str) -> _Asked:
    """The order or the replacement under an id that we minted for it."""
    return structs.replace(order, client_order_id=client_order_id)


def status_word(order: PublishOrder) -> str:
    """Alpaca's word for the state of an order. One that was cancelled unsent is `canceled`."""
    if order.status is OrderStatus.NOT_SENT and order.event == "canceled":
        return "canceled"
    if order.replaced_by and order.status not in TERMINAL_STATUSES:
        return "pending_replace"
    return STATUS_WORDS[order.status]


def order_body(order: PublishOrder, asset: AssetFacts) -> dict[str, object]:
    """Alpaca's Order object, under our id."""
    word = status_word(order)
    ended_ns = order.updated_ns
    return order_object(
        OrderView(
            id=order.order_id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            quantity_nanos=order.quantity_nanos,
            status=word,
            created_ns=order.created_ns,
            updated_ns=order.updated_ns,
            filled_quantity_nanos=order.filled_quantity_nanos,
            filled_price_nanos=order.filled_price_nanos,
            limit_price_nanos=order.limit_price_nanos,
            stop_price_nanos=order.stop_price_nanos,
            extended_hours=order.extended_hours,
            filled_ns=ended_ns if word == "filled" else None,
            canceled_ns=ended_ns if word == "canceled" else None,
            expired_ns=ended_ns if word == "expired" else None,
            failed_ns=ended_ns if word == "rejected" else None,
            replaced_ns=ended_ns if word == "replaced" else None,
            replaced_by=order.replaced_by or None,
            replaces=order.replaces or None,
            asset_id=asset.id,
            asset_class=asset.asset_class,
        )
    )


def update_body(order: PublishOrder, asset: AssetFacts) -> dict[str, object]:
    """The `trade_updates` message of an order's event. The same event has the same execution id."""
    execution = f"{order.order_id}/{order.event}/{order.filled_quantity_nanos}"
    return trade_update(
        order.event,
        order_body(order, asset),
        at_ns=order.updated_ns,
        execution_id=str(uuid.uuid5(uuid.NAMESPACE_OID, execution)),
        quantity_nanos=order.fill_quantity_nanos,
        price_nanos=order.fill_price_nanos,
        position_nanos=order.position_nanos,
    )


def closing_side(position: PublishPosition) -> Side:
    """The side of an order that reduces the position."""
    return Side.SELL if position.quantity_nanos > 0 else Side.BUY


def position_body(
    position: PublishPosition, asset: AssetFacts, *, price_nanos: int | None, held_nanos: int
) -> dict[str, object]:
    """Alpaca's Position object; `held_nanos` is what working orders may still close.

    Without any price seen, the price of the executions that made the position is shown.
    """
    quantity = position.quantity_nanos
    available = max(abs(quantity) - held_nanos, 0)
    shown = position_object(
        PositionView(
            symbol=position.symbol,
            quantity_nanos=quantity,
            average_price_nanos=position.average_price_nanos,
            price_nanos=position.average_price_nanos if price_nanos is None else price_nanos,
            available_nanos=available if quantity > 0 else -available,
            asset_class=asset.asset_class,
            exchange=asset.exchange,
        )
    )
    return shown | {"asset_id": asset.id}


def account_id(account: str) -> str:
    """The UUID that stands for the account."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"fuseboard-account:{account}"))


def account_body(views: Views, strategy: str, account: str) -> dict[str, object] | None:
    """Alpaca's TradeAccount: the whole account, with the strategy's own posture.

    None until the broker's account was read. Buying power is less what open orders may still use.
    """
    seen = views.account
    if seen is None:
        return None
    marked = views.equity
    equity = seen.equity_nanos if marked is None else marked.equity_nanos
    cash = seen.cash_nanos if marked is None else marked.cash_nanos
    long_value, short_value = _market_values(views)
    gross = long_value - short_value
    power = seen.multiplier * equity - gross - nanos_from_attos(views.committed_attos)
    body = account_object(
        AccountView(
            id=account_id(account),
            account_number=account,
            created_ns=0,
            cash_nanos=cash,
            equity_nanos=equity,
            last_equity_nanos=seen.last_equity_nanos,
            buying_power_nanos=max(power, 0),
            long_market_value_nanos=long_value,
            short_market_value_nanos=short_value,
            initial_margin_nanos=gross // max(min(seen.multiplier, 2), 1),
            maintenance_margin_nanos=gross * MAINTENANCE_PERCENT // 100,
            multiplier=seen.multiplier,
            shorting_enabled=seen.shorting_enabled,
            trading_blocked=is_stopped(views, strategy),
        )
    )
    posture, reason = views.posture(strategy)
    return body | {
        # Neither is known here, and a made-up date would be taken for the broker's.
        "created_at": None,
        "balance_asof": None,
        "trade_suspended_by_user": is_stopped(views, strategy),
        "fuseboard": {"posture": posture.name.lower(), "reason": reason.value},
    }


def is_stopped(views: Views, strategy: str) -> bool:
    """Whether the strategy is halted or worse; reduce-only still lets it close."""
    posture, _ = views.posture(strategy)
    return posture >= Posture.HALTED


def configuration_body(views: Views, strategy: str) -> dict[str, object] | None:
    """Alpaca's AccountConfiguration; None until the broker's account was read."""
    seen = views.account
    if seen is None:
        return None
    return configuration_object(
        no_shorting=not seen.shorting_enabled,
        multiplier=seen.multiplier,
        suspend_trade=is_stopped(views, strategy),
    )


def _market_values(views: Views) -> tuple[int, int]:
    """Long and short market value of the whole account; short is negative."""
    long_attos = short_attos = 0
    for position in views.positions(""):
        price = views.price_nanos(position.symbol)
        value = position.quantity_nanos * (position.average_price_nanos if price is None else price)
        if value > 0:
            long_attos += value
        else:
            short_attos += value
    return nanos_from_attos(long_attos), nanos_from_attos(short_attos)
