"""The end of a trial: what was written down becomes its result."""

from typing import Final

from fuseboard.lab.result import Figures, Ran, SymbolFigures, Took, TrialResult
from fuseboard.lab.stage import Stage
from fuseboard.runtime.build import build
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason

SKIPS: Final = frozenset(
    {Reason.LIQUIDITY.value, Reason.LIQUIDITY_TIER.value, Reason.LIQUIDITY_SPREAD.value}
)
"""Codes by which liquidity denies."""
_HOUR_NS: Final = 3_600 * NANOS


def concluded(stage: Stage, ran: Ran, *, inputs: int, took: Took) -> TrialResult:
    """The result of a stage whose world is over, without its digest."""
    chronicle = stage.chronicle
    chronicle.postures.end(stage.ended_ns)
    chronicle.tiers.end(stage.ended_ns)
    symbols = tuple(_symbol(stage, symbol) for symbol in stage.tape.symbols)
    return TrialResult(
        ran=ran,
        figures=_figures(stage, symbols, inputs),
        symbols=symbols,
        series=chronicle.series(),
        postures=chronicle.postures.bands(),
        postures_left_out=chronicle.postures.left_out,
        tiers=chronicle.tiers.bands(),
        tiers_left_out=chronicle.tiers.left_out,
        marks=chronicle.marks.marks(),
        marks_left_out=chronicle.marks.left_out,
        ledger_digest=stage.ledger.digest(),
        release=build(),
        signals=stage.signals.times(),
        took=took,
    )


def _figures(stage: Stage, symbols: tuple[SymbolFigures, ...], inputs: int) -> Figures:
    chronicle = stage.chronicle
    first_nanos, last_nanos = chronicle.first_equity_nanos, chronicle.last_equity_nanos()
    changes = sum(chronicle.tier_changes.values())
    measured = [each for each in symbols if each.tier_ns]
    measured_ns = sum(sum(each.tier_ns.values()) for each in measured)
    tier_ns: dict[str, int] = {}
    for each in measured:
        for tier, spent_ns in each.tier_ns.items():
            tier_ns[tier] = tier_ns.get(tier, 0) + spent_ns
    return Figures(
        equity_first_nanos=first_nanos,
        equity_last_nanos=last_nanos,
        capital_kept_nanos=last_nanos * NANOS // first_nanos,
        worst_drawdown_nanos=chronicle.worst_drawdown_nanos,
        worst_drawdown_ns=chronicle.worst_drawdown_ns,
        orders=chronicle.orders(SKIPS),
        tier_changes=changes,
        tier_changes_an_hour_nanos=changes * _HOUR_NS * NANOS // measured_ns if measured_ns else 0,
        tier_ns=tier_ns,
        emergencies=chronicle.emergencies,
        posture_ns=chronicle.postures.spent_ns(ACCOUNT_SCOPE),
        trips=chronicle.trips,
        first_trip_ns=chronicle.first_trip_ns,
        liquidations=stage.liquidating.outcomes(),
        events=chronicle.events,
        inputs=inputs,
    )


def _symbol(stage: Stage, symbol: str) -> SymbolFigures:
    chronicle = stage.chronicle
    quotes, trades = chronicle.market_of(symbol)
    seen = chronicle.scores.get(symbol)
    average = lowest = 0
    if seen is not None:
        left_ns = stage.ended_ns - seen.since_ns
        known_ns = seen.known_ns + left_ns
        points_ns = seen.point_ns + seen.value * left_ns
        average, lowest = points_ns // known_ns if known_ns else seen.value, seen.lowest
    return SymbolFigures(
        symbol=symbol,
        quotes=quotes,
        trades=trades,
        tier_changes=chronicle.tier_changes[symbol],
        tier_falls=chronicle.tier_falls[symbol],
        tier_ns=chronicle.tiers.spent_ns(symbol),
        score_average=average,
        score_lowest=lowest,
    )
