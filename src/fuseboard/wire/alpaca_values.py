"""Alpaca's values both ways: numbers, times, JSON. No binary float on the way of a number.

Numbers come as JSON numbers (`5`, `0.1`, `1e-05`) or as strings (`"5"`); both are read from their
text. Strings follow the door's grammar (`money.nanos_from_text`); a JSON number may also have an
exponent, when nine decimals hold it exactly.
"""

import datetime
import re
import uuid
from decimal import Decimal
from typing import Any

import msgspec

from fuseboard.vocabulary.money import (
    DECIMALS_MAX,
    NANOS,
    WHOLE_DIGITS_MAX,
    NumberRefused,
    decimal_from_nanos,
    nanos_from_text,
)

NUMBER_CHARS_MAX = 64
_SECONDS_A_DAY = 86_400
_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
_RFC3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?\d*"
    r"([Zz]|[+-]\d{2}:\d{2})?",
    re.ASCII,
)
_LONG_NUMBER = re.compile(r"(-?)(\d{1,15})\.(\d{9})(\d{1,40})", re.ASCII)
_ASSETS = uuid.UUID("6a4b2f0e-6b1c-5d8a-9a55-0c6f4f5e7d11")
_json = msgspec.json.Encoder(decimal_format="number")
_json_exact = msgspec.json.Decoder(float_hook=Decimal)


def nanos_of_raw(raw: msgspec.Raw) -> int:
    """Nano-units of a number in raw JSON, a JSON number or a string; raises `NumberRefused`."""
    data = bytes(raw).strip()
    if data.startswith(b'"'):
        return nanos_from_text(msgspec.json.decode(data, type=str))
    return nanos_of_json_number(data.decode("ascii", errors="replace"))


def nanos_of_json_number(text: str) -> int:
    """Nano-units of a JSON number's text, exponents included when they are exact."""
    if len(text) > NUMBER_CHARS_MAX or not text or text[0] not in "-0123456789":
        raise NumberRefused(f"{text[:40]!r} is not a number")
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except ArithmeticError as wrong:
        raise NumberRefused(f"{text!r} is not a number") from wrong
    if not isinstance(exponent, int):
        raise NumberRefused(f"{text!r} is not a finite number")
    whole = int("".join(map(str, digits)))
    shift = exponent + DECIMALS_MAX
    if whole == 0:
        return 0
    if shift > DECIMALS_MAX + WHOLE_DIGITS_MAX or shift < -NUMBER_CHARS_MAX:
        raise NumberRefused(f"{text!r} is out of range")
    scale: int = 10 ** abs(shift)
    nanos, rest = (whole * scale, 0) if shift >= 0 else divmod(whole, scale)
    if rest:
        raise NumberRefused(f"{text!r} has more than {DECIMALS_MAX} decimals")
    if nanos >= 10**WHOLE_DIGITS_MAX * NANOS:
        raise NumberRefused(f"{text!r} has more than {WHOLE_DIGITS_MAX} whole digits")
    return -nanos if sign else nanos


def nanos_of_number(value: object) -> int:
    """Nano-units of a decoded number (str, int or Decimal); raises `NumberRefused`."""
    if isinstance(value, str):
        return nanos_from_text(value)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return nanos_of_json_number(str(value))
    raise NumberRefused(f"{value!r} is not a number")


def nanos_rounded(value: object) -> int:
    """Nano-units of a decoded number of any length, rounded half up: for averages, which brokers
    give with more decimals than nine. Raises `NumberRefused`.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise NumberRefused(f"{value!r} is not a number")
    text = str(value)
    match = _LONG_NUMBER.fullmatch(text)
    if match is None:
        return nanos_of_number(value)
    sign, whole, kept, further = match.groups()
    nanos = int(whole) * NANOS + int(kept) + (further[0] >= "5")
    return -nanos if sign else nanos


def json_bytes(value: Any) -> bytes:
    """JSON of plain values; a Decimal becomes a JSON number with its own digits."""
    return _json.encode(value)


def decoded_json(data: bytes | str) -> object:
    """Decoded JSON, numbers exact; raises `msgspec.DecodeError` or `UnicodeDecodeError`."""
    try:
        decoded: object = _json_exact.decode(data)
    except RecursionError as wrong:
        raise msgspec.DecodeError("it is nested too deeply") from wrong
    return decoded


def number(nanos: int) -> Decimal:
    """An amount for a place where Alpaca has a JSON number, not a string."""
    return decimal_from_nanos(nanos)


def rfc3339_from_ns(at_ns: int) -> str:
    """UTC text of a Unix time in ns, with as many decimals as it needs."""
    seconds, fraction = divmod(at_ns, NANOS)
    days, second = divmod(seconds, _SECONDS_A_DAY)
    day = datetime.date.fromordinal(_EPOCH_DAY + days)
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    decimals = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{day.isoformat()}T{clock}{decimals}Z"


def ns_from_rfc3339(text: str) -> int:
    """Unix time in ns of an RFC 3339 text; without a zone it is UTC. Raises `ValueError`."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not an RFC 3339 time")
    date, hour, minute, second, fraction, zone = match.groups()
    if int(hour) > 23 or int(minute) > 59 or int(second) > 60:
        raise ValueError(f"{text[:40]!r} is not an RFC 3339 time")
    days = datetime.date.fromisoformat(date).toordinal() - _EPOCH_DAY
    seconds = days * _SECONDS_A_DAY + int(hour) * 3600 + int(minute) * 60 + int(second)
    if zone is not None and zone not in "Zz":
        offset = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
        seconds += offset if zone[0] == "-" else -offset
    return seconds * NANOS + int((fraction or "0").ljust(9, "0"))


def asset_id_of(symbol: str) -> str:
    """The UUID that stands for a symbol where a broker's own is not known."""
    return str(uuid.uuid5(_ASSETS, symbol))
