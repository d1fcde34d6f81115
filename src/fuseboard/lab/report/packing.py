"""Blobs of a page: JSON or text, deflated, in base64, the same content only once.

A series is packed as whole numbers: the common divisor taken out, then differences, so that most
of it are small numbers that deflate well. Nothing is rounded and no point is left out.
"""

import base64
import hashlib
import math
import zlib
from collections.abc import Sequence
from typing import Final

import msgspec

from fuseboard.lab.result import Series

_ID_CHARACTERS: Final = 16
DIVISORS: Final = {
    "money": 1_000_000_000,
    "fraction": 10_000_000,
    "units": 1_000_000_000,
    "points": 100,
}
"""What one of an axis is in a series: money, percent, units, points of the score."""


class Pack:
    """Blobs by the hash of what they hold."""

    def __init__(self) -> None:
        self._blobs: dict[str, str] = {}

    def add(self, value: object) -> str:
        """The id of a value that JSON can say."""
        return self.add_text(msgspec.json.encode(value, order="deterministic"))

    def add_text(self, text: bytes) -> str:
        """The id of a text."""
        name = hashlib.sha256(text).hexdigest()[:_ID_CHARACTERS]
        if name not in self._blobs:
            self._blobs[name] = base64.b64encode(zlib.compress(text, 9)).decode()
        return name

    def blob(self, name: str) -> str:
        """What stands in the page for an id."""
        return self._blobs[name]

    def size(self, name: str) -> int:
        """How many characters of the page that takes."""
        return len(self._blobs[name]) + _ID_CHARACTERS + 6


def unpacked(blob: str) -> bytes:
    """The text of a blob, as the browser reads it."""
    return zlib.decompress(base64.b64decode(blob))


def packed_series(series: Series) -> dict[str, object]:
    """A series as its blob holds it; the browser's `columnsOf` turns it back."""
    common = math.gcd(*series.last, *series.low, *series.high) or 1
    last = [value // common for value in series.last]
    return {
        "began": series.began_ns,
        "bucket": series.bucket_ns,
        "common": common,
        "divisor": DIVISORS[series.unit],
        "index": _differences(series.index),
        "last": _differences(last),
        "low": [value - low // common for value, low in zip(last, series.low, strict=True)],
        "high": [high // common - value for value, high in zip(last, series.high, strict=True)],
    }


def _differences(values: Sequence[int]) -> list[int]:
    before = [0, *values[:-1]]
    return [value - old for value, old in zip(values, before, strict=True)]
