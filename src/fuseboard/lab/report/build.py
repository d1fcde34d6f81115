"""From files of results to one page, within a stated size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from fuseboard.lab.report.distilled import distilled
from fuseboard.lab.report.figure import blobs_of, figure, height_px
from fuseboard.lab.report.packing import Pack
from fuseboard.lab.report.page import Contents, PlacedFigure, page
from fuseboard.lab.report.pairs import RESULTS_MAX, Chapter, Pair, chapters, in_order
from fuseboard.lab.report.plotting import plotly_script
from fuseboard.lab.result import ResultUnreadable, read_result

PAGE_BYTES_MAX: Final = 10_000_000
_FIGURE_BYTES: Final = 300
"""Of a page's text for one figure or the name of one left out, at most about."""


class Report(Struct, frozen=True, kw_only=True):
    """A page and what is in it."""

    html: str
    results: int
    tapes: int
    plots: int
    left_out: int
    """Plots for which there was no room."""


def report(paths: Sequence[Path], *, command: str, bytes_max: int = PAGE_BYTES_MAX) -> Report:
    """The page of these results. Raises `ResultUnreadable` and `PlottingMissing`."""
    if len(paths) > RESULTS_MAX:
        raise ResultUnreadable(
            f"{len(paths)} results are more than the {RESULTS_MAX} of one page: make several"
        )
    script = plotly_script()
    pack = Pack()
    results = in_order([distilled(read_result(path), pack) for path in paths])
    library = pack.add_text(script.encode())
    parts = chapters(results)
    contents = Contents(
        chapters=parts, figures={}, left_out={}, library=library, blobs=(library,), command=command
    )
    placed = _placed(parts, pack, bytes_max - len(page(contents, pack).encode()))
    contents = structs.replace(
        contents,
        figures=placed.figures,
        left_out={name: tuple(symbols) for name, symbols in placed.left_out.items()},
        blobs=tuple(sorted({library, *placed.blobs})),
    )
    return Report(
        html=page(contents, pack),
        results=len(results),
        tapes=len(parts),
        plots=sum(len(each) for each in placed.figures.values()),
        left_out=sum(len(each) for each in placed.left_out.values()),
    )


class _Placed(Struct):
    figures: dict[str, dict[str, PlacedFigure]]
    left_out: dict[str, list[str]]
    blobs: dict[str, None]


def _placed(parts: Sequence[Chapter], pack: Pack, room: int) -> _Placed:
    """As many figures as there is room for: each pair's first symbol before any one's second."""
    pairs = [pair for chapter in parts for pair in chapter.pairs]
    most = max((len(pair.symbols()) for pair in pairs), default=0)
    placed = _Placed({}, {}, {})
    for rank in range(most):
        for pair in pairs:
            if rank < len(pair.symbols()):
                room -= _place(pair, pair.symbols()[rank], pack, placed, room)
    return placed


def _place(pair: Pair, symbol: str, pack: Pack, placed: _Placed, room: int) -> int:
    """How much room a figure took; 0 when it had none."""
    drawn = figure(pair, symbol)
    name = pack.add(drawn)
    needed = [blob for blob in (name, *blobs_of(drawn)) if blob not in placed.blobs]
    size = _FIGURE_BYTES + sum(pack.size(blob) for blob in needed)
    if size > room:
        placed.left_out.setdefault(pair.name, []).append(symbol)
        return 0
    placed.blobs.update(dict.fromkeys(needed))
    of_pair = placed.figures.setdefault(pair.name, {})
    of_pair[symbol] = PlacedFigure(blob=name, px=height_px(drawn))
    return size
