"""Alpaca's errors: `{"code": int, "message": str}`, with the codes its clients know.

How each client library takes a refusal is in its retry rules: alpaca-py sends *every* request again
on 429 and 504, and ccxt takes an unknown 403 for a network error unless the message says that
orders are rejected by user request. `RISK_PHRASE` is that wording.
"""

from typing import Any

import msgspec

from fuseboard.wire.alpaca_values import json_bytes
from fuseboard.wire.http_messages import Response

CLIENT_ORDER_ID_TAKEN = 40_010_001
UNAUTHORIZED = 40_110_000
FORBIDDEN = 40_310_000
NOT_FOUND = 40_410_000
UNPROCESSABLE = 42_210_000
TOO_MANY_REQUESTS = 42_910_000
INTERNAL = 50_010_000

RISK_PHRASE = "orders are rejected by user request"
CLIENT_ORDER_ID_MESSAGE = "client_order_id must be unique"


class AlpacaError(msgspec.Struct, frozen=True):
    """What an error answer said; `code` is 0 when the body had none."""

    code: int
    message: str


def error_answer(status: int, code: int, message: str, **extra: Any) -> Response:
    """An error answer in Alpaca's shape, with extra fields."""
    return Response(status, json_bytes({"code": code, "message": message, **extra}))


def read_error(body: bytes, *, chars_max: int = 300) -> AlpacaError:
    """What an error body says, however malformed it is."""
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return AlpacaError(0, body[:chars_max].decode("utf-8", errors="replace"))
    if not isinstance(decoded, dict):
        return AlpacaError(0, str(decoded)[:chars_max])
    code = decoded.get("code")
    message = decoded.get("message", "")
    return AlpacaError(code if type(code) is int else 0, str(message)[:chars_max])


def is_error(body: bytes) -> bool:
    """Whether a body is an error in Alpaca's own shape, which a proxy's is not."""
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return False
    return isinstance(decoded, dict) and isinstance(decoded.get("message"), str)
