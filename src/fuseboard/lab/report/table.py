"""The table of all results, and how each was made, as HTML with everything escaped."""

import shlex
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from fuseboard.lab.report.distilled import Distilled
from fuseboard.lab.report.pairs import Chapter
from fuseboard.lab.result import Liquidation, TrialResult
from fuseboard.vocabulary.money import (
    NANOS,
    rounded_half_up,
    shown_money,
    shown_percent,
    text_from_nanos,
)

ABSENT: Final = "–"
DIGEST_SHOWN: Final = 12
_HEAD: Final = """<thead><tr><th class="words" rowspan="2">tape</th>
<th class="words" rowspan="2">strategy</th><th class="words" rowspan="2">gate</th>
<th rowspan="2">capital kept</th><th rowspan="2">worst drawdown</th><th colspan="5">orders</th>
<th rowspan="2">trips</th><th rowspan="2">tier changes an hour, of a symbol</th>
<th colspan="2">liquidation: slippage</th><th rowspan="2">signals over 1 ms</th></tr>
<tr><th>asked for</th><th>allowed</th><th>of these resized</th><th>denied</th>
<th>rejected by exchange</th><th>against arrival</th><th>all at once</th></tr></thead>"""


def figures_table(chapters: Sequence[Chapter]) -> str:
    """Every result in a row; protected and not below each other."""
    rows = "\n".join(row for chapter in chapters for row in _rows(chapter))
    return f'<div class="wide"><table id="figures">{_HEAD}<tbody>\n{rows}\n</tbody></table></div>'


def _rows(chapter: Chapter) -> Iterator[str]:
    places = {one.digest: pair.name for pair in reversed(chapter.pairs) for one in pair.each()}
    policies = {one.result.ran.policy_digest for one in chapter.results}
    for at, one in enumerate(chapter.results):
        ran = one.result.ran
        kind = "gated" if ran.protected else "bare"
        tape = f'<a href="#{chapter.name}">{escape(ran.tape)}</a>' if at == 0 else ""
        place = places.get(one.digest, chapter.name)
        strategy = f'<a href="#{place}">{escape(ran.strategy)}</a>'
        gate = "yes" if ran.protected else "no"
        if ran.protected and len(policies) > 1:
            gate = f"{escape(ran.policy)} <code>{ran.policy_digest[:6]}</code>"
        cells = "".join(f"<td>{cell}</td>" for cell in cells_of(one.result))
        yield (
            f'<tr class="{kind}{" first" if at == 0 else ""}" data-digest="{escape(one.digest)}">'
            f'<th scope="row" class="words">{tape}</th><td class="words">{strategy}</td>'
            f'<td class="words">{gate}</td>{cells}</tr>'
        )


def cells_of(result: TrialResult) -> tuple[str, ...]:
    """The numbers of a row, in the order of the table's head."""
    figures, orders = result.figures, result.figures.orders
    gated = result.ran.protected
    hourly = rounded_half_up(figures.tier_changes_an_hour_nanos * 10, NANOS)
    slippage, at_once = slippages(figures.liquidations)
    return (
        _percent(figures.capital_kept_nanos),
        _percent(figures.worst_drawdown_nanos),
        f"{orders.submitted:,}",
        f"{orders.allowed:,}",
        f"{orders.resized:,}" if gated else ABSENT,
        f"{orders.denied:,}" if gated else ABSENT,
        f"{orders.rejected:,}",
        f"{figures.trips:,}" if gated else ABSENT,
        f"{hourly // 10}.{hourly % 10}" if figures.tier_ns else ABSENT,
        slippage,
        at_once,
        f"{result.signals.slow:,}",
    )


def slippages(liquidations: Sequence[Liquidation]) -> tuple[str, str]:
    """Of all liquidations of a trial, by their value at the trip, rounded against the trader."""
    traded = [each for each in liquidations if any(leg.closed_nanos for leg in each.symbols)]
    value = sum(each.arrival_value_nanos for each in traded)
    if not value:
        return ABSENT, ABSENT
    lost = sum(each.slippage_nanos * each.arrival_value_nanos for each in traded)
    at_once = sum(each.at_once_slippage_nanos * each.arrival_value_nanos for each in traded)
    return _percent(-(-lost // value)), _percent(-(-at_once // value))


def _percent(nanos: int) -> str:
    return shown_percent(nanos).replace("%", " %")


def provenance_table(results: Sequence[Distilled]) -> str:
    """How each result was made, and how it is made again."""
    rows = "\n".join(_provenance(one.result) for one in results)
    head = (
        '<thead><tr><th class="words">result</th><th class="words">policy</th>'
        '<th class="words">release</th><th>seed</th><th>equity, USD</th>'
        '<th class="words">made again by</th></tr></thead>'
    )
    return f'<div class="wide"><table id="made">{head}<tbody>\n{rows}\n</tbody></table></div>'


def _provenance(result: TrialResult) -> str:
    ran = result.ran
    digest, policy = escape(result.digest[:DIGEST_SHOWN]), escape(ran.policy_digest[:DIGEST_SHOWN])
    named = f"{escape(ran.policy)} <code>{policy}</code>" if ran.protected else "none"
    return (
        f"<tr><td class='words'><code>{digest}</code></td>"
        f"<td class='words'>{named}</td>"
        f"<td class='words'><code>{escape(result.release)}</code></td><td>{ran.seed}</td>"
        f"<td>{shown_money(ran.equity_nanos)}</td>"
        f"<td class='words'><code>{escape(command_of(result))}</code></td></tr>"
    )


def command_of(result: TrialResult) -> str:
    """The command that makes a result again; what is as by default is left away."""
    ran = result.ran
    words = ["fuseboard", "lab", "run", "--tape", ran.tape]
    words += ["--policy", result.policy_file or "POLICY.yaml", "--strategy", ran.strategy]
    if ran.strategy_name != ran.strategy:
        words += ["--as", ran.strategy_name]
    if not ran.protected:
        words.append("--unprotected")
    words += ["--equity", text_from_nanos(ran.equity_nanos), "--seed", str(ran.seed)]
    words += ["--slice-ms", str(ran.slice_ns // 1_000_000)]
    words += ["--latency-ms", str(ran.latency_ns // 1_000_000)]
    return shlex.join(words)
