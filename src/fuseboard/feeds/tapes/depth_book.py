"""A book kept from a snapshot and differences, each numbered: an exchange's local-book rule.

Binance's rule for futures: buffer the differences; of those, apply after the snapshot what ends at
its `lastUpdateId` or later; the first has to begin at it or before; each further one has to name
the one before it as its predecessor (`pu`). Where that fails the book is not known any more.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from typing import Final

from fuseboard.feeds.tapes.tape import TapeLevels

LEVELS_KEPT_MAX: Final = 20_000
Change = tuple[int, int]
"""A price and the size that stands there now; 0: nothing."""


class DepthBook:
    """Both sides. Prices and sizes are nano-units."""

    def __init__(self) -> None:
        self.last_id = 0
        """The newest update in the book; 0: the book is not known."""
        self._continues = False
        self._bids = _BookSide(-1)
        self._asks = _BookSide(1)

    def load(self, last_id: int, bids: Sequence[Change], asks: Sequence[Change]) -> None:
        """Begin anew with a snapshot."""
        self._bids, self._asks = _BookSide(-1), _BookSide(1)
        self._bids.change(bids)
        self._asks.change(asks)
        self.last_id, self._continues = last_id, False

    def follows(self, first_id: int, last_id: int, before_id: int) -> bool | None:
        """Whether a difference is the book's next; None: the book is newer already."""
        if self._continues:
            return before_id == self.last_id
        if last_id < self.last_id:
            return None
        return first_id <= self.last_id or before_id == self.last_id

    def change(self, last_id: int, bids: Sequence[Change], asks: Sequence[Change]) -> None:
        """Apply the difference that `follows`."""
        self._bids.change(bids)
        self._asks.change(asks)
        self.last_id, self._continues = last_id, True

    def forget(self) -> None:
        """The book is not known until the next snapshot."""
        self.load(0, (), ())

    def best(
        self, levels: int, bid_nanos: int | None = None, ask_nanos: int | None = None
    ) -> tuple[TapeLevels, TapeLevels]:
        """The best bids and asks; of those only that are worse than a price given."""
        return self._bids.best(levels, bid_nanos), self._asks.best(levels, ask_nanos)


class _BookSide:
    """Sizes by price, and the prices as sorted keys: bids negative, so that the best is first."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[int] = []
        self._sizes: dict[int, int] = {}

    def change(self, changes: Sequence[Change]) -> None:
        for price, size in changes:
            key = price * self._sign
            if not size:
                if self._sizes.pop(key, None) is not None:
                    del self._keys[bisect_left(self._keys, key)]
                continue
            if key not in self._sizes:
                insort(self._keys, key)
            self._sizes[key] = size
        while len(self._keys) > LEVELS_KEPT_MAX:  # the furthest are of no use to anybody
            del self._sizes[self._keys.pop()]

    def best(self, levels: int, beyond: int | None) -> TapeLevels:
        sign, sizes = self._sign, self._sizes
        first = 0 if beyond is None else bisect_right(self._keys, beyond * sign)
        return tuple([(key * sign, sizes[key]) for key in self._keys[first : first + levels]])
