"""A result without its bulk: figures as they are, series and marks packed and referred to."""

from bisect import bisect_right
from typing import Final

from msgspec import Struct, structs

from fuseboard.lab.report.mark_groups import Point, grouped
from fuseboard.lab.report.packing import Pack, packed_series
from fuseboard.lab.report.strips import strip_groups
from fuseboard.lab.result import Mark, Series, TrialResult

CUT_ABOVE: Final = 2
"""An axis ends at so many times what a bucket hardly ever passes, if something lies beyond."""
_HARDLY_EVER: Final = 100
"""One bucket in so many."""
EVENTS: Final = ("trip", "plan", "transition", "alert", "halt", "resume")
ORDER_KINDS: Final = (
    "allowed",
    "resized",
    "denied",
    "rejected",
    "refused",
    "canceled",
    "fill",
    "plan_fill",
)


class Drawable(Struct, frozen=True, kw_only=True):
    """A packed series, and what its axis needs to know."""

    blob: str
    lowest: int
    highest: int
    cut: int
    """Where the axis ends above; 0 when nothing lies far beyond the rest."""
    derived: bool
    """Whether it comes of quotes that the record does not have."""


class Grouped(Struct, frozen=True, kw_only=True):
    """A packed set of groups (kinds of marks, values of bands) and how many each has."""

    blob: str
    counts: dict[str, int]


class Distilled(Struct, frozen=True, kw_only=True):
    """One result: `result` has no series, bands or marks; they are in the blobs named here."""

    result: TrialResult
    series: dict[tuple[str, str], Drawable]
    """By name and symbol."""
    marks: dict[str, Grouped]
    """By symbol: orders and fills."""
    events: dict[str, Grouped]
    """By symbol, and of the whole account as the empty one."""
    strips: dict[str, Grouped]
    """By subject of a band."""
    trips_ns: tuple[int, ...]
    digest: str

    def symbols(self) -> tuple[str, ...]:
        """Those that can be drawn."""
        return tuple(symbol for name, symbol in self.series if name == "price")


def distilled(result: TrialResult, pack: Pack) -> Distilled:
    """Pack what is large. The result itself may be forgotten then."""
    heights = {each.symbol: _Heights(each) for each in result.series if each.name == "price"}
    points: dict[str, list[Point]] = {}
    events: dict[str, list[Point]] = {}
    for mark in result.marks:
        if mark.kind in ORDER_KINDS:
            known = heights.get(mark.symbol)
            price_nanos = mark.price_nanos if known is None else known.of(mark)
            points.setdefault(mark.symbol, []).append(Point(mark=mark, price_nanos=price_nanos))
        else:
            events.setdefault(mark.symbol, []).append(Point(mark=mark, price_nanos=0))
    return Distilled(
        result=structs.replace(result, series=(), postures=(), tiers=(), marks=()),
        series={
            (each.name, each.symbol): _drawable(each, pack) for each in result.series if each.index
        },
        marks={symbol: _packed(result, each, pack) for symbol, each in points.items()},
        events={symbol: _packed(result, each, pack) for symbol, each in events.items()},
        strips={
            subject: Grouped(blob=pack.add(groups), counts=_counts(groups))
            for subject, groups in strip_groups(result).items()
        },
        trips_ns=tuple(mark.at_ns for mark in result.marks if mark.kind == "trip"),
        digest=result.digest,
    )


def _packed(result: TrialResult, points: list[Point], pack: Pack) -> Grouped:
    groups = grouped(result.ran, points)
    return Grouped(blob=pack.add(groups), counts=_counts(groups))


def _counts(groups: dict[str, dict[str, list[object]]]) -> dict[str, int]:
    return {name: len(columns["x"]) for name, columns in groups.items()}


def _drawable(series: Series, pack: Pack) -> Drawable:
    usual = sorted(series.high)[-1 - len(series.high) // _HARDLY_EVER]
    highest = max(series.high)
    return Drawable(
        blob=pack.add(packed_series(series)),
        lowest=min(series.low),
        highest=highest,
        cut=CUT_ABOVE * usual if highest > CUT_ABOVE * usual > 0 else 0,
        derived=series.derived is True,
    )


class _Heights:
    """A mark has the height of its own price; one without, or far from the market, the market's."""

    def __init__(self, prices: Series) -> None:
        self._prices = prices
        self._lowest, self._highest = min(prices.low), max(prices.high)

    def of(self, mark: Mark) -> int:
        if mark.price_nanos:
            return min(max(mark.price_nanos, self._lowest), self._highest)
        at = (mark.at_ns - self._prices.began_ns) // self._prices.bucket_ns
        where = max(bisect_right(self._prices.index, at) - 1, 0)
        return self._prices.last[where]
