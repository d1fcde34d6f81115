"""What a plot of one pair and one symbol consists of: panels above each other on one time axis.

The figure is plotly's own JSON, but that a trace says where its columns are (`from`: a blob and a
group of it) in place of having them, and `scale` what a unit of them is; the browser fills them in.
Times are UTC ns until then.
"""

from html import escape
from typing import Final

from fuseboard.lab.report import palette
from fuseboard.lab.report.distilled import EVENTS, Distilled, Drawable
from fuseboard.lab.report.packing import DIVISORS
from fuseboard.lab.report.pairs import Pair
from fuseboard.lab.report.panels import (
    Panel,
    Trace,
    bars,
    event_marks,
    lines,
    order_marks,
)
from fuseboard.lab.report.zones import offsets, zone_name
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE

TRIPS_DRAWN_MAX: Final = 20
LOG_FROM: Final = 10
"""A spread that grows by more is drawn on a logarithmic axis."""
SCOPES_DRAWN_MAX: Final = 4
SCOPE_CHARACTERS_MAX: Final = 16
WITH: Final = "with the gate"
WITHOUT: Final = "without the gate"
DERIVED: Final = " (quotes derived, not recorded)"
_TITLE_PX: Final = 34
_BELOW_PX: Final = 58
_ROW_PX: Final = 26
Figure = dict[str, object]


def figure(pair: Pair, symbol: str) -> Figure:
    """The figure, without its columns."""
    panels = [
        panel
        for panel in (
            _equity(pair),
            _postures(pair),
            _tier(pair, symbol),
            _events(pair, symbol),
            _price(pair.gated, symbol, WITH),
            _price(pair.bare, symbol, WITHOUT),
            _position(pair, symbol),
            _spread(pair, symbol),
            _depth(pair, symbol),
            _score(pair, symbol),
        )
        if panel is not None
    ]
    ran = pair.ran()
    return {
        "data": [trace for at, panel in enumerate(panels) for trace in _on(panel, at)],
        "layout": _layout(pair, panels),
        "offsets": offsets(ran),
        "span": [ran.open_ns, ran.close_ns],
        "panels": [panel.title for panel in panels],
    }


def blobs_of(drawn: Figure) -> list[str]:
    """The ids of the blobs that a figure needs, each once."""
    data = drawn["data"]
    assert isinstance(data, list)
    return list(dict.fromkeys(trace["from"][0] for trace in data))


def _price_unit(symbol: str) -> str:
    return escape(symbol.partition("/")[2]) or "USD"


def height_px(drawn: Figure) -> int:
    """How high a figure is."""
    layout = drawn["layout"]
    assert isinstance(layout, dict)
    height: int = layout["height"]
    return height


def _equity(pair: Pair) -> Panel:
    traces = _each_line(pair, "equity", "")
    return Panel(
        title="Equity, at the middle of the last quotes", unit="USD", px=190, traces=traces
    )


def _each_line(pair: Pair, name: str, symbol: str) -> list[Trace]:
    traces: list[Trace] = []
    kinds = (
        (pair.gated, WITH, palette.BLUE, "solid"),
        (pair.bare, WITHOUT, palette.VERMILION, "dash"),
    )
    for one, label, colour, dash in kinds:
        drawable = None if one is None else one.series.get((name, symbol))
        if drawable is not None:
            traces += lines(drawable.blob, label, colour, dash=dash)
    return traces


def _postures(pair: Pair) -> Panel | None:
    one = pair.gated
    if one is None:
        return None
    scopes = [subject for subject in one.strips if subject != ACCOUNT_SCOPE and ":" in subject]
    rows: list[str] = []
    traces: list[Trace] = []
    for subject in (ACCOUNT_SCOPE, *scopes[: SCOPES_DRAWN_MAX - 1]):
        if subject in one.strips:
            row = escape(subject[:SCOPE_CHARACTERS_MAX])
            rows.append(row)
            traces += bars(one.strips[subject], row, palette.POSTURES)
    if not rows:
        return None
    return _rows("Posture of the gate", rows, traces)


def _tier(pair: Pair, symbol: str) -> Panel | None:
    if pair.gated is None or symbol not in pair.gated.strips:
        return None
    traces = bars(pair.gated.strips[symbol], "tier", palette.TIERS)
    return _rows(f"Liquidity tier of {escape(symbol)}", ["tier"], traces)


def _events(pair: Pair, symbol: str) -> Panel | None:
    one = pair.gated or pair.bare
    traces: list[Trace] = []
    for subject in ("", symbol):
        if one is not None and subject in one.events:
            traces += event_marks(one.events[subject], "events", EVENTS)
    return _rows("Events", ["events"], traces) if traces else None


def _rows(title: str, rows: list[str], traces: list[Trace]) -> Panel:
    px = _ROW_PX * len(rows)
    return Panel(title=title, unit="", px=px, traces=traces, rows=rows, legend_above=True)


def _price(one: Distilled | None, symbol: str, label: str) -> Panel | None:
    if one is None or ("price", symbol) not in one.series:
        return None
    price = one.series["price", symbol]
    traces = lines(price.blob, "middle of the quotes", palette.GREY)
    if symbol in one.marks:
        traces += order_marks(one.marks[symbol])
    title = f"Price of {escape(symbol)} and what became of each order, {label}{_source(price)}"
    return Panel(
        title=title, unit=_price_unit(symbol), px=230, traces=traces, cut=_cut(price.cut, "money")
    )


def _position(pair: Pair, symbol: str) -> Panel | None:
    traces = _each_line(pair, "position", symbol)
    if not traces:
        return None
    return Panel(title=f"Position in {escape(symbol)}", unit="units", px=90, traces=traces)


def _spread(pair: Pair, symbol: str) -> Panel | None:
    drawable = _first(pair, "spread", symbol)
    if drawable is None:
        return None
    traces = lines(drawable.blob, "spread", palette.BLACK)
    log = drawable.highest > LOG_FROM * drawable.lowest
    title = f"Spread, of the middle{' (logarithmic)' if log else ''}{_source(drawable)}"
    return Panel(title=title, unit="%", px=110, traces=traces, log=log, from_zero=not log)


def _depth(pair: Pair, symbol: str) -> Panel | None:
    drawable = _first(pair, "depth", symbol)
    if drawable is None:
        return None
    traces = lines(drawable.blob, "displayed size", palette.BLACK)
    title = f"Depth: displayed on both sides, all levels that the tape tells{_source(drawable)}"
    cut = _cut(drawable.cut, "units")
    return Panel(title=title, unit="units", px=110, traces=traces, cut=cut, from_zero=True)


def _score(pair: Pair, symbol: str) -> Panel | None:
    traces: list[Trace] = []
    source = ""
    for name, label, colour, dash in (
        ("calibrated", "calibrated", palette.BLUE, "solid"),
        ("score", "plain", palette.ORANGE, "dot"),
    ):
        drawable = _first(pair, name, symbol)
        if drawable is not None:
            traces += lines(drawable.blob, label, colour, dash=dash)
            source = _source(drawable)
    if not traces:
        return None
    title = f"Liquidity score{source}"
    return Panel(title=title, unit="of 100", px=130, traces=traces, between=(0, 100))


def _source(drawable: Drawable) -> str:
    """What a panel's title adds where the record has no quotes."""
    return DERIVED if drawable.derived else ""


def _first(pair: Pair, name: str, symbol: str) -> Drawable | None:
    """The market is the same with the gate and without."""
    found = (one.series.get((name, symbol)) for one in pair.each())
    return next((drawable for drawable in found if drawable is not None), None)


def _cut(cut: int, unit: str) -> int:
    return -(-cut // DIVISORS[unit])


def _on(panel: Panel, at: int) -> list[Trace]:
    """A panel's traces on its own vertical axis, in its own legend, each name in it once."""
    number = "" if at == 0 else str(at + 1)
    names: dict[object, None] = {}
    placed: list[Trace] = []
    for trace in panel.traces:
        axes = {"xaxis": "x", "yaxis": f"y{number}", "legend": f"legend{number}"}
        again = {"showlegend": False} if trace.get("name") in names else {}
        placed.append({**trace, **axes, **again})
        if "name" in trace:
            names[trace["name"]] = None
    return placed


def _layout(pair: Pair, panels: list[Panel]) -> dict[str, object]:
    height_px = sum(panel.px + _TITLE_PX for panel in panels) + _BELOW_PX
    drawn_px = height_px - _BELOW_PX
    layout: dict[str, object] = {
        "height": height_px,
        "margin": {"l": 118, "r": 168, "t": 0, "b": _BELOW_PX},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": palette.BLACK},
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "bgcolor": "#ffffff", "font": {"size": 12}},
        "barmode": "overlay",
        "bargap": 0.12,
        "dragmode": "zoom",
        "shapes": [_trip_line(at_ns) for at_ns in _trips(pair)],
    }
    annotations: list[object] = []
    top_px = 0
    for at, panel in enumerate(panels):
        number = "" if at == 0 else str(at + 1)
        top_px += _TITLE_PX
        above, below = drawn_px - top_px, drawn_px - top_px - panel.px
        top_px += panel.px
        layout[f"yaxis{number}"] = panel.axis(_part(below, drawn_px), _part(above, drawn_px))
        layout[f"legend{number}"] = panel.legend(_part(above, drawn_px))
        annotations.append(_title(panel, _part(above, drawn_px)))
    last = "" if len(panels) == 1 else str(len(panels))
    layout["xaxis"] = _time_axis(pair, last)
    layout["annotations"] = annotations
    return layout


def _part(px: int, of_px: int) -> float:
    return px / of_px


def _trips(pair: Pair) -> tuple[int, ...]:
    return () if pair.gated is None else pair.gated.trips_ns[:TRIPS_DRAWN_MAX]


def _trip_line(at_ns: int) -> dict[str, object]:
    line = {"color": palette.BLACK, "width": 1, "dash": "dot"}
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": at_ns,
        "x1": at_ns,
        "y0": 0,
        "y1": 1,
        "line": line,
    }


def _title(panel: Panel, top: float) -> dict[str, object]:
    beyond = f" (axis cut at {panel.cut:,}: zoom out to see all)" if panel.cut else ""
    return {
        "text": f"<b>{panel.title}</b>{beyond}",
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": top,
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 12},
    }


def _time_axis(pair: Pair, last: str) -> dict[str, object]:
    return {
        "type": "date",
        "anchor": f"y{last}",
        "title": {"text": zone_name(pair.ran()), "font": {"size": 12}},
        "showgrid": True,
        "gridcolor": palette.GRID,
        "linecolor": palette.GREY,
        "ticks": "outside",
        "hoverformat": "%Y-%m-%d %H:%M:%S.%L",
        "showspikes": True,
        "spikemode": "across",
        "spikesnap": "cursor",
        "spikethickness": 1,
        "spikedash": "solid",
        "spikecolor": palette.GREY,
    }
