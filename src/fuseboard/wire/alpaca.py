"""Alpaca's shapes, all in one place to import from."""

from fuseboard.wire.alpaca_account import (
    AccountView,
    PositionView,
    account_object,
    asset_object,
    calendar_object,
    clock_object,
    configuration_object,
    position_object,
)
from fuseboard.wire.alpaca_errors import AlpacaError, error_answer, read_error
from fuseboard.wire.alpaca_order_object import OrderView, order_object
from fuseboard.wire.alpaca_orders import (
    STATUS_WORDS,
    OrderBody,
    OrderBodyRefused,
    parsed_order_body,
    parsed_replace_body,
    status_of_word,
)
from fuseboard.wire.alpaca_stream import (
    bar_message,
    credentials_of,
    decoded_command,
    decoded_messages,
    encoded_messages,
    listening,
    quote_message,
    rest_object,
    trade_message,
    trade_update,
)
from fuseboard.wire.alpaca_values import (
    asset_id_of,
    json_bytes,
    nanos_of_number,
    ns_from_rfc3339,
    rfc3339_from_ns,
)

__all__ = [
    "STATUS_WORDS",
    "AccountView",
    "AlpacaError",
    "OrderBody",
    "OrderBodyRefused",
    "OrderView",
    "PositionView",
    "account_object",
    "asset_id_of",
    "asset_object",
    "bar_message",
    "calendar_object",
    "clock_object",
    "configuration_object",
    "credentials_of",
    "decoded_command",
    "decoded_messages",
    "encoded_messages",
    "error_answer",
    "json_bytes",
    "listening",
    "nanos_of_number",
    "ns_from_rfc3339",
    "order_object",
    "parsed_order_body",
    "parsed_replace_body",
    "position_object",
    "quote_message",
    "read_error",
    "rest_object",
    "rfc3339_from_ns",
    "status_of_word",
    "trade_message",
    "trade_update",
]
