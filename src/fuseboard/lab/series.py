"""Bounded series: however long a trial is, at most so many points, and no extreme is lost."""

from msgspec import UNSET

from fuseboard.lab.result import POINTS_MAX, Series


class Buckets:
    """Values in buckets of equal length; when there are too many, neighbours are merged."""

    def __init__(self, name: str, symbol: str, unit: str, *, began_ns: int, bucket_ns: int) -> None:
        self._name = name
        self._symbol = symbol
        self._unit = unit
        self._began_ns = began_ns
        self._bucket_ns = max(bucket_ns, 1)
        self._index: list[int] = []
        self._last: list[int] = []
        self._low: list[int] = []
        self._high: list[int] = []

    def add(self, at_ns: int, value: int, low: int | None = None, high: int | None = None) -> None:
        """A value at a time that does not go back; with the extremes since the one before."""
        low, high = value if low is None else low, value if high is None else high
        at = (at_ns - self._began_ns) // self._bucket_ns
        if self._index and self._index[-1] >= at:
            self._last[-1] = value
            if low < self._low[-1]:
                self._low[-1] = low
            if high > self._high[-1]:
                self._high[-1] = high
            return
        if len(self._index) >= POINTS_MAX:
            self._merge()
            self.add(at_ns, value, low, high)
            return
        self._index.append(at)
        self._last.append(value)
        self._low.append(low)
        self._high.append(high)

    def series(self, *, derived: bool = False) -> Series:
        """What was added; whether it comes of quotes that were `derived`."""
        return Series(
            name=self._name,
            symbol=self._symbol,
            unit=self._unit,
            began_ns=self._began_ns,
            bucket_ns=self._bucket_ns,
            index=tuple(self._index),
            last=tuple(self._last),
            low=tuple(self._low),
            high=tuple(self._high),
            derived=derived or UNSET,
        )

    def _merge(self) -> None:
        """Buckets become twice as long."""
        self._bucket_ns *= 2
        old = list(zip(self._index, self._last, self._low, self._high, strict=True))
        self._index, self._last, self._low, self._high = [], [], [], []
        for at, last, low, high in old:
            if self._index and self._index[-1] == at // 2:
                self._last[-1] = last
                self._low[-1] = min(self._low[-1], low)
                self._high[-1] = max(self._high[-1], high)
            else:
                self._index.append(at // 2)
                self._last.append(last)
                self._low.append(low)
                self._high.append(high)
