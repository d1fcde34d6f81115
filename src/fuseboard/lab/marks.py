"""Bounded marks: each decision and event of a trial, the same ones close together merged."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, structs

from fuseboard.lab.result import MARKS_MAX, Mark
from fuseboard.vocabulary.orders import Side

_Key = tuple[int, str, str, Side | None, str]
DOUBLINGS_MAX: Final = 20


class _Merged(Struct):
    at_ns: int
    quantity_nanos: int
    price_nanos: int
    text: str
    count: int


class Marks:
    """Marks by time bucket, kind, symbol, side and code; when there are too many, buckets grow.

    `left_out` counts what no growth made room for.
    """

    def __init__(self, *, began_ns: int, bucket_ns: int) -> None:
        self.left_out = 0
        self._began_ns = began_ns
        self._bucket_ns = max(bucket_ns, 1)
        self._merged: dict[_Key, _Merged] = {}
        self._doublings = 0

    def add(self, mark: Mark) -> None:
        """One more, not earlier than the last."""
        at = (mark.at_ns - self._began_ns) // self._bucket_ns
        key = (at, mark.kind, mark.symbol, mark.side, mark.code)
        known = self._merged.get(key)
        if known is not None:
            _merge(known, mark.at_ns, mark.quantity_nanos, mark.price_nanos, mark.text, mark.count)
            return
        while len(self._merged) >= MARKS_MAX and self._doublings < DOUBLINGS_MAX:
            self._grow()
            at = (mark.at_ns - self._began_ns) // self._bucket_ns
            key = (at, mark.kind, mark.symbol, mark.side, mark.code)
        if len(self._merged) >= MARKS_MAX:
            self.left_out += mark.count
            return
        known = self._merged.get(key)
        if known is not None:
            _merge(known, mark.at_ns, mark.quantity_nanos, mark.price_nanos, mark.text, mark.count)
        else:
            self._merged[key] = _Merged(
                mark.at_ns, mark.quantity_nanos, mark.price_nanos, mark.text, mark.count
            )

    def marks(self) -> tuple[Mark, ...]:
        """All of them, in the order of their first."""
        return tuple(_marked(self._merged.items()))

    def _grow(self) -> None:
        self._doublings += 1
        self._bucket_ns *= 2
        old, self._merged = self._merged, {}
        for (at, kind, symbol, side, code), merged in old.items():
            key = (at // 2, kind, symbol, side, code)
            known = self._merged.get(key)
            if known is None:
                self._merged[key] = merged
            else:
                _merge(known, *structs.astuple(merged))


def _merge(
    known: _Merged, at_ns: int, quantity_nanos: int, price_nanos: int, text: str, count: int
) -> None:
    known.at_ns = at_ns
    known.quantity_nanos += quantity_nanos
    known.price_nanos = price_nanos or known.price_nanos
    known.text = text or known.text
    known.count += count


def _marked(items: Iterable[tuple[_Key, _Merged]]) -> Iterable[Mark]:
    for (_, kind, symbol, side, code), merged in items:
        yield Mark(
            at_ns=merged.at_ns,
            kind=kind,
            symbol=symbol,
            side=side,
            quantity_nanos=merged.quantity_nanos,
            price_nanos=merged.price_nanos,
            code=code,
            text=merged.text,
            count=merged.count,
        )
