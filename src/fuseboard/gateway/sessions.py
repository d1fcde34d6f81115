"""Who is calling: the strategy behind a request or a stream, from its key pair."""

import base64
import binascii
from collections.abc import Mapping

from msgspec import Struct

from fuseboard.gateway.keys import Keys


class Caller(Struct, frozen=True):
    """An authenticated strategy and the key it used."""

    strategy: str
    key_id: str


def caller_of(keys: Keys, headers: Mapping[str, str]) -> Caller | None:
    """The caller by `APCA-API-*` headers, or by Basic authorization as data clients send it."""
    key_id = headers.get("apca-api-key-id")
    if key_id is not None:
        return caller_of_pair(keys, key_id, headers.get("apca-api-secret-key", ""))
    pair = _basic_pair(headers.get("authorization", ""))
    return None if pair is None else caller_of_pair(keys, *pair)


def caller_of_pair(keys: Keys, key_id: object, secret: object) -> Caller | None:
    """The caller of a pair as it came from outside, whatever its type."""
    if not isinstance(key_id, str) or not isinstance(secret, str):
        return None
    strategy = keys.strategy_of(key_id, secret)
    return None if strategy is None else Caller(strategy, key_id)


def _basic_pair(authorization: str) -> tuple[str, str] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    key_id, colon, secret = text.partition(":")
    return (key_id, secret) if colon else None
