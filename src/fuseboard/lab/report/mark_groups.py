"""Marks as columns that a plot takes: when, how high, what shape, and what the pointer is told."""

from html import escape
from typing import Final

from msgspec import Struct

from fuseboard.lab.report.zones import clock
from fuseboard.lab.result import Mark, Ran
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.orders import Side

TEXT_CHARACTERS_MAX: Final = 160
Columns = dict[str, list[object]]
SHAPES: Final = {
    "allowed": ("triangle-up-open", "triangle-down-open"),
    "resized": ("diamond-tall", "diamond-tall-open"),
    "denied": ("x-thin", "x-thin"),
    "rejected": ("cross-thin", "cross-thin"),
    "refused": ("asterisk", "asterisk"),
    "canceled": ("line-ew", "line-ew"),
    "fill": ("triangle-up", "triangle-down"),
    "plan_fill": ("star-triangle-up", "star-triangle-down"),
}
"""Of a buy and of a sale."""


class Point(Struct, frozen=True, kw_only=True):
    """A mark and the height it is drawn at."""

    mark: Mark
    price_nanos: int


def grouped(ran: Ran, points: list[Point]) -> dict[str, Columns]:
    """By kind: `x` UTC ns, `y` nano-units of money, `symbol` the shape, `text` escaped words."""
    groups: dict[str, Columns] = {}
    for point in points:
        mark = point.mark
        columns = groups.setdefault(mark.kind, {"x": [], "y": [], "symbol": [], "text": []})
        columns["x"].append(mark.at_ns)
        columns["y"].append(point.price_nanos)
        columns["symbol"].append(_shape(mark))
        columns["text"].append(told(ran, mark))
    return groups


def told(ran: Ran, mark: Mark) -> str:
    """A mark in words, for plotly's own small HTML: everything that came from outside escaped."""
    lines = [f"<b>{_line(mark.kind.replace('_', ' '))}</b> {_line(mark.code)}".rstrip()]
    if mark.quantity_nanos:
        side = mark.side.value if mark.side is not None else ""
        price = f" at {text_from_nanos(mark.price_nanos)}" if mark.price_nanos else ""
        lines.append(f"{side} {text_from_nanos(mark.quantity_nanos)}{price}".strip())
    if mark.text:
        lines.append(_line(mark.text))
    many = f", the last of {mark.count:,} merged" if mark.count > 1 else ""
    lines.append(f"{clock(ran, mark.at_ns)}{many}")
    return "<br>".join(lines)


def _shape(mark: Mark) -> str:
    if mark.kind not in SHAPES:
        return ""
    return SHAPES[mark.kind][mark.side is Side.SELL]


def _line(text: str) -> str:
    return escape(text[:TEXT_CHARACTERS_MAX])
