"""Writes the page: words for a newcomer, the table, a chapter for each tape, how it was made."""

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Final

from msgspec import Struct

from fuseboard.lab.report.distilled import Distilled
from fuseboard.lab.report.packing import Pack
from fuseboard.lab.report.pairs import Chapter, Pair
from fuseboard.lab.report.table import cells_of, figures_table, provenance_table
from fuseboard.lab.report.zones import clock, span
from fuseboard.lab.result import SYMBOLS_DRAWN_MAX, Liquidation, TrialResult
from fuseboard.vocabulary.money import (
    NANOS,
    rounded_half_up,
    shown_money,
    shown_percent,
    text_from_nanos,
)

DENIALS_SHOWN_MAX: Final = 12
LIQUIDATIONS_SHOWN_MAX: Final = 8
SYMBOLS_NAMED_MAX: Final = 12
_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
    " img-src data: blob:; form-action 'none'; base-uri 'none'"
)
"""What the page may load: nothing that is not in it."""


class PlacedFigure(Struct, frozen=True, kw_only=True):
    """The blob of a figure, and its height."""

    blob: str
    px: int


class Contents(Struct, frozen=True, kw_only=True):
    """What stands in a page."""

    chapters: tuple[Chapter, ...]
    figures: dict[str, dict[str, PlacedFigure]]
    """By pair and symbol."""
    left_out: dict[str, tuple[str, ...]]
    """By pair: symbols for which the page had no room."""
    library: str
    """The blob of the script that draws."""
    blobs: tuple[str, ...]
    """All that is needed, in the order of their names."""
    command: str
    """That makes the page again."""


def page(contents: Contents, pack: Pack) -> str:
    """The whole HTML."""
    results = [one for chapter in contents.chapters for one in chapter.results]
    packed = json.dumps({name: pack.blob(name) for name in contents.blobs}, indent=0)
    body = "\n".join(_chapter(chapter, contents) for chapter in contents.chapters)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fuseboard lab: {escape(_headline(contents, results))}</title>
<style>
{_static("page.css")}</style>
</head>
<body data-library="{contents.library}">
<h1>Fuseboard lab: what the gate was worth</h1>
<p>{escape(_headline(contents, results))}</p>
{_static("intro.html")}
<h2>All results</h2>
{figures_table(contents.chapters)}
<p><button type="button" id="open-all">open all plots</button>
<button type="button" id="close-all">close all plots</button>
<button type="button" id="draw-all">draw all plots, for paper</button>
<span id="state" role="status"></span></p>
<noscript><p><strong>The plots are drawn by a script in this page, which is switched off here.
Nothing is loaded from any network.</strong></p></noscript>
{body}
<h2 id="how">How each result was made</h2>
<p>The same release, tape and policy give the same digest: only times by the stopwatch differ.
A policy has the digest of what its file says. This page:
<code>{escape(contents.command)}</code></p>
{provenance_table(results)}
<script type="application/json" id="packed">{packed}</script>
<script>
{_static("page.js")}</script>
</body>
</html>
"""


def _static(name: str) -> str:
    return (files("fuseboard.lab.report") / name).read_text(encoding="utf-8")


def _headline(contents: Contents, results: Sequence[Distilled]) -> str:
    tapes, trials = len(contents.chapters), len(results)
    return (
        f"{trials} trial{'' if trials == 1 else 's'} over {tapes} tape{'' if tapes == 1 else 's'}"
    )


def _chapter(chapter: Chapter, contents: Contents) -> str:
    ran = chapter.ran
    named = ", ".join(ran.symbols[:SYMBOLS_NAMED_MAX])
    more = len(ran.symbols) - SYMBOLS_NAMED_MAX
    symbols = f"{named} and {more} more" if more > 0 else named
    sampled = (
        " The tape is sampled: it lacks events that the market had, so quotes may be as old as"
        f" {ran.quote_age_ns_max // NANOS} s before the gate calls them stale."
        if ran.sampled
        else ""
    )
    plots = "\n".join(_plot(pair, contents, first=pair.name == "plot-1") for pair in chapter.pairs)
    return f"""<section id="{chapter.name}">
<h2>{escape(ran.tape)}</h2>
<p><strong>{escape(ran.tape_describes)}.</strong> {escape(symbols)}; {span(ran)}.{sampled}
Seen in slices of {ran.slice_ns // 1_000_000} ms; {ran.latency_ns // 1_000_000} ms from an order's
request to the book.</p>
{plots}
</section>"""


def _plot(pair: Pair, contents: Contents, *, first: bool) -> str:
    figures = contents.figures.get(pair.name, {})
    ran = pair.ran()
    parameters = ", ".join(_parameter(*each) for each in sorted(ran.parameters.items()))
    buttons = "".join(
        f'<button type="button" data-figure="{drawn.blob}" aria-pressed="{str(at == 0).lower()}">'
        f"{escape(symbol)}</button>"
        for at, (symbol, drawn) in enumerate(figures.items())
    )
    place = (
        f'<div class="choice" role="group" aria-label="symbol">{buttons}</div>'
        f'<div class="place" style="min-height: {next(iter(figures.values())).px}px"></div>'
        if figures
        else ""
    )
    return f"""<details class="plot" id="{pair.name}"{" open" if first else ""}>
<summary>{escape(ran.strategy)}: <span>{_in_short(pair)}</span></summary>
<p class="note">Parameters: {escape(parameters) or "none"}.</p>
{"".join(_told(one.result) for one in pair.each())}
{place}
{_left_out(pair, contents)}
</details>"""


def _parameter(name: str, value: int) -> str:
    """`_nanos` and `_ns` last in a name are its unit."""
    if name.endswith("_ns"):
        return f"{name.removesuffix('_ns')} {text_from_nanos(value)} s"
    if name.endswith("_nanos"):
        return f"{name.removesuffix('_nanos')} {text_from_nanos(value)}"
    return f"{name} {value:,}"


def _in_short(pair: Pair) -> str:
    parts = []
    for one in pair.each():
        which = "with the gate" if one.result.ran.protected else "without"
        kept, worst = cells_of(one.result)[:2]
        parts.append(f"{kept} kept, worst drawdown {worst} {which}")
    return "; ".join(parts)


def _told(result: TrialResult) -> str:
    ran, figures = result.ran, result.figures
    parts: list[str] = []
    denials = list(figures.orders.denials.items())
    if denials:
        shown = ", ".join(
            f"{escape(code)} {count:,}" for code, count in denials[:DENIALS_SHOWN_MAX]
        )
        more = len(denials) - DENIALS_SHOWN_MAX
        parts.append(f"not let through: {shown}" + (f", {more} more reasons" if more > 0 else ""))
    closings = [_closing(result, each) for each in figures.liquidations[:LIQUIDATIONS_SHOWN_MAX]]
    more = len(figures.liquidations) - LIQUIDATIONS_SHOWN_MAX
    parts += [*closings, *([f"{more} liquidations more"] if more > 0 else [])]
    for count, what in (
        (result.marks_left_out, "marks"),
        (result.postures_left_out, "changes of posture"),
        (result.tiers_left_out, "changes of tier"),
    ):
        if count:
            parts.append(f"{count:,} {what} came after the last that the result holds")
    if not parts:
        return ""
    which = f"With the gate, policy {escape(ran.policy)}" if ran.protected else "Without the gate"
    return f"<p>{which}: {'; '.join(parts)}.</p>"


def _closing(result: TrialResult, each: Liquidation) -> str:
    value, began = shown_money(each.arrival_value_nanos), clock(result.ran, each.began_ns)
    if not each.ended_ns:
        return f"{escape(each.trip)} at {began}: {value} USD to close, not over when the tape ended"
    tenths = rounded_half_up(each.ended_ns - each.began_ns, NANOS // 10)
    left = f", left open: {escape('; '.join(each.left))}" if each.left else ""
    slippage = shown_percent(each.slippage_nanos)
    at_once = shown_percent(each.at_once_slippage_nanos)
    return (
        f"{escape(each.trip)} at {began}: {value} USD closed in {tenths // 10}.{tenths % 10} s,"
        f" slippage {slippage} (all at once {at_once}){left}"
    )


def _left_out(pair: Pair, contents: Contents) -> str:
    ran = pair.ran()
    parts: list[str] = []
    beyond = len(ran.symbols) - len(pair.symbols())
    if beyond > 0:
        parts.append(
            f"{beyond} of the tape's {len(ran.symbols)} symbols: a result holds series of at most"
            f" {SYMBOLS_DRAWN_MAX}, and of none without a price"
        )
    unplaced = contents.left_out.get(pair.name, ())
    if unplaced:
        parts.append(
            f"{escape(', '.join(unplaced))}: the page has no more room;"
            " a report of fewer results has"
        )
    measured = any(
        ("score", symbol) in one.series for one in pair.each() for symbol in pair.symbols()
    )
    if not measured:
        parts.append("scores and tiers: no policy here measures liquidity")
    if pair.gated is None or pair.bare is None:
        other = "with the gate" if pair.gated is None else "without the gate"
        parts.append(f"the same {other}: there is no such result among these")
    return f'<p class="note">Not drawn: {"; ".join(parts)}.</p>' if parts else ""
