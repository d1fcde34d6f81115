"""One panel of a plot, and the kinds of traces that panels are made of."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from fuseboard.lab.report import palette
from fuseboard.lab.report.distilled import Grouped
from fuseboard.lab.report.packing import DIVISORS

Trace = dict[str, object]
_MONEY: Final = DIVISORS["money"]
CROWDED: Final = 150
"""More marks of one kind are drawn small."""
_LOG_TICKS: Final = tuple(float(f"{digit}e{power}") for power in range(-4, 4) for digit in (1, 3))


class Panel(Struct, frozen=True, kw_only=True):
    """A title, a height, traces, and what its vertical axis is."""

    title: str
    unit: str
    px: int
    traces: list[Trace]
    rows: list[str] = []
    """Of a panel of bars, from the top."""
    cut: int = 0
    """Where the axis ends above, though something lies beyond; 0: nowhere."""
    between: tuple[int, int] = (0, 0)
    log: bool = False
    from_zero: bool = False
    legend_above: bool = False
    """On the line of the title, where a panel is too low for one at its side."""

    def legend(self, top: float) -> dict[str, object]:
        """Plotly's legend of a panel whose upper edge is there."""
        legend: dict[str, object] = {
            "font": {"size": 11},
            "traceorder": "normal",
            "tracegroupgap": 0,
            "bgcolor": "#ffffff00",
            "y": top,
        }
        if self.legend_above:
            aside = {"orientation": "h", "x": 1, "xanchor": "right", "yanchor": "bottom"}
            return legend | aside
        return legend | {"x": 1.005, "xanchor": "left", "yanchor": "top"}

    def axis(self, below: float, above: float) -> dict[str, object]:
        """Plotly's vertical axis between two parts of the height."""
        axis: dict[str, object] = {
            "domain": [below, above],
            "title": {"text": self.unit, "font": {"size": 12}, "standoff": 6},
            "gridcolor": palette.GRID,
            "linecolor": palette.GREY,
            "zeroline": False,
            "automargin": False,
            "nticks": 6,
            "separatethousands": True,
            "exponentformat": "none",
        }
        if self.rows:
            order = [*reversed(self.rows)]
            axis |= {"type": "category", "categoryorder": "array", "categoryarray": order}
            axis |= {"showgrid": False, "fixedrange": True, "range": [-1 / 2, len(order) - 1 / 2]}
        elif self.log:
            axis |= {"type": "log", "tickmode": "array", "tickvals": list(_LOG_TICKS)}
        elif self.between != (0, 0):
            axis |= {"range": list(self.between)}
        elif self.cut:
            axis |= {"range": [0, self.cut]}
        elif self.from_zero:
            axis |= {"rangemode": "tozero"}
        return axis


_ORDER_MARKS: Final = {
    "allowed": ("allowed", palette.BLUE, 9),
    "resized": ("resized", palette.ORANGE, 11),
    "denied": ("denied by the gate", palette.VERMILION, 7),
    "rejected": ("rejected by exchange", palette.PURPLE, 7),
    "refused": ("refused: intake full", palette.BLACK, 8),
    "canceled": ("canceled", palette.GREY, 8),
    "fill": ("fill", palette.GREEN, 7),
    "plan_fill": ("fill of a liquidation", palette.BLACK, 11),
}
_EVENT_MARKS: Final = {
    "trip": ("trip", palette.VERMILION, 13, "star"),
    "plan": ("stage of a plan", palette.BLACK, 9, "diamond"),
    "transition": ("fuse changes state", palette.BLUE, 8, "circle-open"),
    "alert": ("alert", palette.ORANGE, 8, "triangle-up-open"),
    "halt": ("exchange halts", palette.BLACK, 9, "square"),
    "resume": ("exchange resumes", palette.GREEN, 9, "square-open"),
}


def lines(blob: str, name: str, colour: str, *, dash: str = "solid") -> list[Trace]:
    """The last value of each bucket as steps, and the span between its extremes as a pale band."""
    line: Trace = {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "from": [blob, "last"],
        "line": {"color": colour, "width": 3 / 2, "dash": dash, "shape": "hv"},
        "hovertemplate": f"%{{y:,.8~g}}<br>%{{x}}<extra>{name}</extra>",
    }
    return [*_range(blob, colour), line]


def _range(blob: str, colour: str) -> list[Trace]:
    edge: Trace = {
        "type": "scatter",
        "mode": "lines",
        "showlegend": False,
        "hoverinfo": "skip",
        "line": {"width": 0, "shape": "hv"},
    }
    filled = {"fill": "tonexty", "fillcolor": palette.faint(colour)}
    return [{**edge, "from": [blob, "low"]}, {**edge, **filled, "from": [blob, "high"]}]


def order_marks(marks: Grouped) -> list[Trace]:
    """What became of orders, at their prices; smaller where there are many."""
    traces: list[Trace] = []
    for kind, (name, colour, size) in _ORDER_MARKS.items():
        count = marks.counts.get(kind)
        if not count:
            continue
        crowded = count > CROWDED
        line = {"color": colour, "width": 1 if crowded else 3 / 2}
        marker = {"color": colour, "size": min(size, 6) if crowded else size, "line": line}
        if crowded:
            marker["opacity"] = 3 / 5
        traces.append({**_marks(marks.blob, kind, name, marker), "scale": _MONEY})
    return traces


def event_marks(marks: Grouped, row: str, kinds: Sequence[str]) -> list[Trace]:
    """What happened to the gate or at the exchange, on one row."""
    traces: list[Trace] = []
    for kind in kinds:
        if marks.counts.get(kind):
            name, colour, size, shape = _EVENT_MARKS[kind]
            line = {"color": colour, "width": 3 / 2}
            marker = {"color": colour, "size": size, "symbol": shape, "line": line}
            traces.append({**_marks(marks.blob, kind, name, marker), "row": row})
    return traces


def _marks(blob: str, kind: str, name: str, marker: dict[str, object]) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "from": [blob, kind],
        "marker": marker,
        "hoverinfo": "text",
    }


def bars(strip: Grouped, row: str, colours: dict[str, str]) -> list[Trace]:
    """What held from when to when, on one row; in the order of tightness."""
    return [
        {
            "type": "bar",
            "orientation": "h",
            "name": value,
            "from": [strip.blob, value],
            "row": row,
            "marker": {"color": colour, "line": {"color": "#555555", "width": 1 / 2}},
            "hoverinfo": "text",
            "textposition": "none",
        }
        for value, colour in colours.items()
        if strip.counts.get(value)
    ]
