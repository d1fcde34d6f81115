"""Alpaca's streams both ways: `trade_updates` and the market-data stream (MessagePack or JSON).

A market-data message is a dict with Alpaca's keys; `t` is always a Unix time in ns and numbers are
Decimals or ints, whatever the encoding on either side was.
"""

import struct
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.wire.alpaca_values import json_bytes, ns_from_rfc3339, number, rfc3339_from_ns

TIMESTAMP_EXTENSION = -1
MSGPACK_CONTENT_TYPE = "application/msgpack"
TIME_KEYS = frozenset({"t", "created_at", "updated_at"})
LEVEL_KEYS = frozenset({"a", "b"})
"""Of order books."""
_FLOATS = (0xCA, 0xCB)
_EXTENSIONS = (0xC7, 0xC8, 0xC9, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8)
_ARRAYS = tuple(bytes([first]) for first in (*range(0x90, 0xA0), 0xDC, 0xDD))
_msgpack = msgspec.msgpack.Encoder(decimal_format="number")
_msgpack_messages = msgspec.msgpack.Decoder(list[dict[str, msgspec.Raw]])
_msgpack_decimal = msgspec.msgpack.Decoder(Decimal)
_msgpack_levels = msgspec.msgpack.Decoder(list[dict[str, Decimal]])
_msgpack_extension = msgspec.msgpack.Decoder(msgspec.msgpack.Ext)
_msgpack_any = msgspec.msgpack.Decoder()
_json_any = msgspec.json.Decoder(float_hook=Decimal)

GREETING = [{"T": "success", "msg": "connected"}]
AUTHENTICATED = [{"T": "success", "msg": "authenticated"}]
AUTHORIZED = {
    "stream": "authorization",
    "data": {"status": "authorized", "action": "authenticate"},
}
UNAUTHORIZED = {
    "stream": "authorization",
    "data": {"status": "unauthorized", "action": "authenticate"},
}


class StreamMalformed(ValueError):
    """A message that is not in the stream's shape."""


# --- trade_updates -------------------------------------------------------------------------------


def listening(streams: list[str]) -> dict[str, object]:
    """The answer to `listen`."""
    return {"stream": "listening", "data": {"streams": streams}}


def trade_update(
    event: str,
    order: dict[str, object],
    *,
    at_ns: int,
    execution_id: str,
    quantity_nanos: int = 0,
    price_nanos: int = 0,
    position_nanos: int = 0,
) -> dict[str, object]:
    """One `trade_updates` message; the execution's numbers only on fills."""
    at = rfc3339_from_ns(at_ns)
    data: dict[str, object] = {
        "event": event,
        "timestamp": at,
        "at": at,
        "execution_id": execution_id,
        "order": order,
    }
    if event in {"fill", "partial_fill"}:
        data |= {
            "price": text_from_nanos(price_nanos),
            "qty": text_from_nanos(quantity_nanos),
            "position_qty": text_from_nanos(position_nanos),
        }
    return {"stream": "trade_updates", "data": data}


def credentials_of(message: object) -> tuple[str, str] | None:
    """Key id and secret of an authentication message in any of its forms; None when it is none."""
    if not isinstance(message, dict):
        return None
    if message.get("action") == "authenticate":
        data = message.get("data")
        given = (data.get("key_id"), data.get("secret_key")) if isinstance(data, dict) else ()
    elif message.get("action") == "auth":
        given = (message.get("key"), message.get("secret"))
    else:
        return None
    key, secret = given or ("", "")
    return (key, secret) if isinstance(key, str) and isinstance(secret, str) else None


# --- market data ---------------------------------------------------------------------------------


def quote_message(
    symbol: str,
    *,
    bid_nanos: int,
    ask_nanos: int,
    bid_size_nanos: int,
    ask_size_nanos: int,
    at_ns: int,
) -> dict[str, Any]:
    """A quote; without `T` and `S` it is also the quote of the data REST."""
    return {
        "T": "q",
        "S": symbol,
        "bx": "V",
        "bp": number(bid_nanos),
        "bs": number(bid_size_nanos),
        "ax": "V",
        "ap": number(ask_nanos),
        "as": number(ask_size_nanos),
        "c": ["R"],
        "z": "C",
        "t": at_ns,
    }


def trade_message(
    symbol: str, *, price_nanos: int, size_nanos: int, at_ns: int, trade_id: int
) -> dict[str, Any]:
    """A trade; without `T` and `S` it is also the trade of the data REST."""
    return {
        "T": "t",
        "S": symbol,
        "i": trade_id,
        "x": "V",
        "p": number(price_nanos),
        "s": number(size_nanos),
        "c": ["@"],
        "z": "C",
        "t": at_ns,
    }


def book_message(
    symbol: str,
    *,
    bids: Sequence[tuple[int, int]],
    asks: Sequence[tuple[int, int]],
    at_ns: int,
    full: bool,
) -> dict[str, Any]:
    """An order book (v1beta3): all of it, or changes, in which a size of 0 takes a level out."""
    message: dict[str, Any] = {"T": "o", "S": symbol, "t": at_ns}
    for key, levels in (("b", bids), ("a", asks)):
        message[key] = [{"p": number(price), "s": number(size)} for price, size in levels]
    return {**message, "r": True} if full else message


STATUS_WORDS = {"H": "Trading Halt", "P": "Volatility Trading Pause", "T": "Trading Resumption"}


def status_message(symbol: str, *, status: str, reason: str, at_ns: int) -> dict[str, Any]:
    """A trading status, in the codes of the UTP plan (tape C)."""
    return {
        "T": "s",
        "S": symbol,
        "sc": status,
        "sm": STATUS_WORDS.get(status, ""),
        "rc": reason,
        "rm": "",
        "z": "C",
        "t": at_ns,
    }


def bar_message(
    symbol: str,
    *,
    open_nanos: int,
    high_nanos: int,
    low_nanos: int,
    close_nanos: int,
    volume_nanos: int,
    trades: int,
    average_price_nanos: int | None,
    at_ns: int,
    kind: str = "b",
) -> dict[str, Any]:
    """A bar (`b`, `u` or `d`); without `T` and `S` it is also the bar of the data REST."""
    return {
        "T": kind,
        "S": symbol,
        "o": number(open_nanos),
        "h": number(high_nanos),
        "l": number(low_nanos),
        "c": number(close_nanos),
        "v": number(volume_nanos),
        "n": trades,
        "vw": None if average_price_nanos is None else number(average_price_nanos),
        "t": at_ns,
    }


def rest_object(message: dict[str, Any]) -> dict[str, Any]:
    """A market-data message as the data REST has it: no `T`, no `S`, the time as text."""
    plain = {key: value for key, value in message.items() if key not in {"T", "S"}}
    return _times_as_text(plain)


def encoded_messages(messages: list[dict[str, Any]], *, as_msgpack: bool) -> bytes | str:
    """Messages for one client: MessagePack bytes, or JSON text.

    Raises `StreamMalformed` for a number that the encoding does not hold.
    """
    try:
        if as_msgpack:
            return _msgpack.encode([_times_as_extension(message) for message in messages])
        return json_bytes([_times_as_text(message) for message in messages]).decode()
    except (OverflowError, ValueError, struct.error) as wrong:
        raise StreamMalformed(f"a message has a number that does not fit: {wrong}") from wrong


def decoded_messages(data: bytes | str) -> list[dict[str, Any]]:
    """Messages of a frame (text is JSON, binary is MessagePack); raises `StreamMalformed`."""
    try:
        if isinstance(data, str):
            decoded = _json_any.decode(data)
            if not isinstance(decoded, list) or not all(isinstance(m, dict) for m in decoded):
                raise StreamMalformed("a frame of the data stream is not a list of messages")
            return [_times_as_ns(message) for message in decoded]
        return [
            {key: _value(key, bytes(raw)) for key, raw in message.items()}
            for message in _msgpack_messages.decode(data)
        ]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, struct.error) as wrong:
        raise StreamMalformed(f"a frame of the data stream cannot be read: {wrong}") from wrong


def decoded_command(data: bytes | str) -> object:
    """A client's command: a JSON text, JSON in a binary frame, or MessagePack."""
    try:
        if isinstance(data, str) or data[:1] in {b"{", b"["}:
            return msgspec.json.decode(data)
        return _msgpack_any.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise StreamMalformed(f"a command cannot be read: {wrong}") from wrong


def _value(key: str, raw: bytes) -> Any:
    """One MessagePack value: floats by their shortest decimal text, times as ns."""
    first = raw[0]
    if first in _FLOATS:
        return _msgpack_decimal.decode(raw)
    if first in _EXTENSIONS and key in TIME_KEYS:
        return ns_from_extension(_msgpack_extension.decode(raw))
    if key in LEVEL_KEYS and raw.startswith(_ARRAYS):
        try:
            return _msgpack_levels.decode(raw)
        except msgspec.ValidationError:
            pass  # No levels: whoever reads it refuses it.
    return _msgpack_any.decode(raw)


def timestamp_extension(at_ns: int) -> msgspec.msgpack.Ext:
    """MessagePack's 96-bit timestamp."""
    seconds, nanos = divmod(at_ns, NANOS)
    return msgspec.msgpack.Ext(TIMESTAMP_EXTENSION, struct.pack("!Iq", nanos, seconds))


def ns_from_extension(extension: msgspec.msgpack.Ext) -> int:
    """Unix time in ns of a MessagePack timestamp of 32, 64 or 96 bits."""
    data = bytes(extension.data)
    if extension.code != TIMESTAMP_EXTENSION or len(data) not in {4, 8, 12}:
        raise StreamMalformed("a time is not a MessagePack timestamp")
    if len(data) == 4:
        return int.from_bytes(data, "big") * NANOS
    if len(data) == 8:
        packed = int.from_bytes(data, "big")
        return (packed & ((1 << 34) - 1)) * NANOS + (packed >> 34)
    nanos, seconds = struct.unpack("!Iq", data)
    return int(seconds) * NANOS + int(nanos)


def _times_as_extension(message: dict[str, Any]) -> dict[str, Any]:
    return {
        key: timestamp_extension(value) if key in TIME_KEYS and type(value) is int else value
        for key, value in message.items()
    }


def _times_as_text(message: dict[str, Any]) -> dict[str, Any]:
    return {
        key: rfc3339_from_ns(value) if key in TIME_KEYS and type(value) is int else value
        for key, value in message.items()
    }


def _times_as_ns(message: dict[str, Any]) -> dict[str, Any]:
    try:
        return {
            key: ns_from_rfc3339(value) if key in TIME_KEYS and isinstance(value, str) else value
            for key, value in message.items()
        }
    except ValueError as wrong:
        raise StreamMalformed(str(wrong)) from wrong
