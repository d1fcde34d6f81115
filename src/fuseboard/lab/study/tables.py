"""The tables of docs/flash-crash-study.md, from the study's results."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from fuseboard.lab.result import Figures
from fuseboard.lab.study.averages import (
    GROUPS,
    FalsePositives,
    Kept,
    Pair,
    delays_of,
    denied_otherwise,
    false_positives,
    first_delays,
    held_before,
    kept_of,
    pairs_of,
    part,
    tells_spread,
    tight_ns,
    with_more_cash,
)
from fuseboard.lab.study.days import days, records
from fuseboard.lab.study.detection import SIGNALS
from fuseboard.lab.study.rows import LARGER, LARGER_PLAYED, Study, TapeRow, results_digest
from fuseboard.lab.study.shown import NOTHING, hourly, percent, span, table, times_of
from fuseboard.lab.study.tapes import LEFT_OUT, Kind

KEPT_NANOS: Final = 940_000_000
FALSE_NANOS: Final = 32_000_000
DETECTED_NS: Final = 8_700_000_000
"""What is to be beaten."""
_DIGITS: Final = 16


def tables(study: Study) -> dict[str, str]:
    """Each table by the name that its markers have."""
    return {
        "targets": "\n".join(_targets(study)),
        "tapes": "\n".join(_tapes(study)),
        "crash": "\n".join(_crash(study)),
        "rest": "\n".join(_rest(study)),
        "detection": "\n".join(_detection(study)),
        "calm": "\n".join(_calm(study)),
        "days": "\n".join(days(study)),
        "run": "\n".join(_run(study)),
    }


# --- against the targets -------------------------------------------------------------------------


def _targets(study: Study) -> Iterator[str]:
    yield from table(
        ("what", "target", *GROUPS),
        (
            ("capital kept on crash days, average", "94 %", *_kepts(study, _average)),
            ("the lowest", NOTHING, *_kepts(study, _lowest)),
            ("trials that kept 94 %", "all", *_kepts(study, _reached)),
            ("worst drawdown, average", NOTHING, *_kepts(study, _drawdown)),
            ("the worst", NOTHING, *_kepts(study, _worst)),
            ("trials in which the gate cost money", NOTHING, *_kepts(study, _cost)),
            ("calm days: orders that liquidity denied or cut", "3.2 %", *_falses(study, _pooled)),
            *(
                (f"of `{name}`'s orders", "3.2 %", *_falses(study, _pooled, name))
                for name in dict.fromkeys(row.strategy for row in study.rows)
            ),
            *(
                (f"of `{name}`'s with {LARGER} times the cash", "3.2 %", *_larger(study, name))
                for name in LARGER_PLAYED
            ),
            ("mean of the trials' shares", "3.2 %", *_falses(study, _mean)),
            ("taken back, their time over", NOTHING, *_falses(study, _taken_back)),
            *(
                (f"of `{name}`'s orders taken back", NOTHING, *_falses(study, _taken_back, name))
                for name in dict.fromkeys(row.strategy for row in study.rows)
            ),
            ("calm days: time in DEFENSIVE or worse", "3.2 %", *_falses(study, _tight)),
            ("calm days: time in CAUTIOUS", NOTHING, *_falses(study, _cautious)),
            ("calm days: trips", NOTHING, *_falses(study, _trips)),
            ("first signal after the beginning, median", "8.7 s", *_firsts(study, visible=False)),
            ("first signal after it was visible, median", "8.7 s", *_firsts(study, visible=True)),
        ),
    )
    yield ""
    yield "With the gate → without. A trial is a tape and a strategy."


def _kepts(study: Study, shown: Callable[[Kept], str]) -> Iterator[str]:
    for which in GROUPS.values():
        kept = kept_of(pairs_of(study, Kind.CRASH, which), KEPT_NANOS)
        yield NOTHING if kept is None else shown(kept)


def _average(kept: Kept) -> str:
    return f"{percent(kept.gate_nanos)} → {percent(kept.bare_nanos)}"


def _lowest(kept: Kept) -> str:
    return f"{percent(kept.gate_lowest_nanos)} → {percent(kept.bare_lowest_nanos)}"


def _reached(kept: Kept) -> str:
    return f"{kept.gate_reached} → {kept.bare_reached} of {kept.pairs}"


def _drawdown(kept: Kept) -> str:
    return f"{percent(kept.gate_drawdown_nanos)} → {percent(kept.bare_drawdown_nanos)}"


def _worst(kept: Kept) -> str:
    return f"{percent(kept.gate_drawdown_worst_nanos)} → {percent(kept.bare_drawdown_worst_nanos)}"


def _cost(kept: Kept) -> str:
    return f"{kept.cost_money} of {kept.pairs}"


def _falses(
    study: Study, shown: Callable[[FalsePositives], str], strategy: str = ""
) -> Iterator[str]:
    for which in GROUPS.values():
        pairs = [
            pair for pair in pairs_of(study, Kind.CALM, which) if strategy in ("", pair.strategy)
        ]
        told = shown is _trips or any(tells_spread(pair.tape) for pair in pairs)
        gates = [pair.gate for pair in pairs]
        yield shown(false_positives(gates, FALSE_NANOS)) if gates and told else NOTHING


def _larger(study: Study, strategy: str) -> Iterator[str]:
    for which in GROUPS.values():
        rows = with_more_cash(study, strategy, which)
        yield _pooled(false_positives(rows, FALSE_NANOS)) if rows else NOTHING


def _pooled(found: FalsePositives) -> str:
    return f"{percent(found.orders_nanos)} of {found.submitted:,}"


def _taken_back(found: FalsePositives) -> str:
    return f"{percent(found.taken_back_nanos)} of {found.submitted:,}"


def _mean(found: FalsePositives) -> str:
    return f"{percent(found.mean_nanos)}; {found.over} of {found.asking} trials over"


def _tight(found: FalsePositives) -> str:
    return percent(found.time_nanos) if found.measured_ns else NOTHING


def _cautious(found: FalsePositives) -> str:
    return percent(found.cautious_nanos) if found.measured_ns else NOTHING


def _trips(found: FalsePositives) -> str:
    return f"{found.trips} in {found.trials}"


def _firsts(study: Study, *, visible: bool) -> Iterator[str]:
    for which in GROUPS.values():
        pairs = [pair for pair in pairs_of(study, Kind.CRASH, which) if _fell(pair.tape)]
        if not pairs:
            yield NOTHING
            continue
        delays = first_delays(pairs, visible=visible)
        within = sum(delay <= DETECTED_NS for delay in delays)
        half = len(pairs) // 2
        middle = span(delays[half]) if half < len(delays) else "never"
        before = sum(bool(held_before(pair)) for pair in pairs)
        yield f"{middle}; {within} of {len(pairs)} within, {before} had a signal before"


# --- tapes ---------------------------------------------------------------------------------------


def _tapes(study: Study) -> Iterator[str]:
    yield from table(
        ("tape", "kind", "grain", "events", "deepest fall", "began", "visible", "ended"),
        [
            *(
                _tape(at)
                for at in study.tapes
                if at.judged is not None and at.kind is not Kind.DAYS
            ),
            *records(study),
        ],
    )
    absent = [tape for tape in study.tapes if tape.judged is None]
    for tape in absent:
        yield ""
        yield f"Left out: `{tape.name}`: {tape.absent.split('/')[-1]}."
    for name, why in LEFT_OUT.items():
        yield ""
        yield f"Not played: {name}: {why}."


def _tape(tape: TapeRow) -> tuple[str, ...]:
    looked = tape.judged
    assert looked is not None
    events = f"{looked.quotes + looked.trades:,}"
    fall = percent(looked.deepest_nanos)
    of = tape.kind.value, tape.grain.value
    return (f"`{tape.name}`", *of, events, fall, *times_of(tape, looked))


# --- crash days ----------------------------------------------------------------------------------

_CRASH: Final = (
    "strategy",
    "kept",
    "worst drawdown",
    "asked",
    "allowed",
    "cut",
    "denied",
    "by liquidity",
    "trips",
    "tier changes an hour",
    "closing cost",
    "all at once",
)


def _crash(study: Study) -> Iterator[str]:
    for kind in (Kind.CRASH, Kind.BEFORE):
        for tape, pairs in _by_tape(pairs_of(study, kind)):
            yield f"**`{tape.name}`** ({tape.kind.value}, {tape.grain.value})"
            yield ""
            yield from table(_CRASH, (_crash_row(pair) for pair in pairs))
            yield ""
    yield from _failures(study)


def _crash_row(pair: Pair) -> tuple[str, ...]:
    gate, bare = pair.figures()
    orders = gate.orders
    return (
        pair.strategy,
        _kept(pair),
        f"{percent(gate.worst_drawdown_nanos)} → {percent(bare.worst_drawdown_nanos)}",
        f"{orders.submitted:,} → {bare.orders.submitted:,}",
        f"{orders.allowed:,} → {bare.orders.allowed:,}",
        f"{orders.resized:,}",
        f"{orders.denied + orders.rejected:,} → {bare.orders.denied + bare.orders.rejected:,}",
        f"{orders.skipped:,}",
        f"{gate.trips:,}",
        hourly(gate) if tells_spread(pair.tape) else NOTHING,
        *_closing(gate),
    )


def _closing(figures: Figures) -> tuple[str, str]:
    """What closing cost of what was closed, of its value at the trip; what all at once would."""
    legs = [leg for each in figures.liquidations for leg in each.symbols]
    closed = [leg for leg in legs if leg.closed_nanos and leg.arrival_nanos]
    if not closed:
        return NOTHING, NOTHING
    value = sum(leg.closed_nanos * leg.arrival_nanos for leg in closed)
    lost = sum(leg.closed_nanos * leg.arrival_nanos * leg.slippage_nanos for leg in closed)
    filled = [leg for leg in legs if leg.at_once_filled_nanos and leg.arrival_nanos]
    at_once = sum(leg.at_once_filled_nanos * leg.arrival_nanos for leg in filled)
    at_once_lost = sum(
        leg.at_once_filled_nanos * leg.arrival_nanos * leg.at_once_slippage_nanos for leg in filled
    )
    left = sum(len(each.left) for each in figures.liquidations)
    unsold = f", {left} left open" if left else ""
    shown = f"{percent(-(-lost // value))}{unsold}"
    return shown, percent(-(-at_once_lost // at_once)) if at_once else NOTHING


def _failures(study: Study) -> Iterator[str]:
    for row in study.rows:
        if row.error:
            way = "with the gate" if row.protected else "without"
            yield f"**Failed**: `{row.tape}`, {row.strategy}, {way}: {row.error}"
            yield ""


# --- what is left of a limit order ---------------------------------------------------------------


def _rest(study: Study) -> Iterator[str]:
    yield from table(
        ("crash days", "what is left", "kept, average", "the lowest", "worst drawdown, average"),
        (row for name in GROUPS for row in _rest_rows(study, name)),
    )
    yield ""
    yield from table(
        ("tape", "strategy", "kept: rests", "kept: takes", "closing: rests", "closing: takes"),
        _rest_trials(study),
    )


def _rest_rows(study: Study, name: str) -> Iterator[tuple[str, ...]]:
    taking = pairs_of(study, Kind.CRASH, GROUPS[name], left_takes=True)
    both = [(pair.tape.name, pair.strategy) for pair in taking]
    resting = [
        pair
        for pair in pairs_of(study, Kind.CRASH, GROUPS[name])
        if (pair.tape.name, pair.strategy) in both
    ]
    for pairs, way in ((resting, "rests at its price"), (taking, "goes on taking")):
        kept = kept_of(pairs, KEPT_NANOS)
        if kept is not None:
            yield name, way, _average(kept), _lowest(kept), _drawdown(kept)


def _rest_trials(study: Study) -> Iterator[tuple[str, ...]]:
    taking = {
        (pair.tape.name, pair.strategy): pair
        for pair in pairs_of(study, Kind.CRASH, left_takes=True)
    }
    for pair in pairs_of(study, Kind.CRASH):
        other = taking.get((pair.tape.name, pair.strategy))
        if other is None:
            continue
        closings = [_closing(each.figures()[0])[0] for each in (pair, other)]
        if closings != [NOTHING, NOTHING]:
            yield f"`{pair.tape.name}`", pair.strategy, _kept(pair), _kept(other), *closings


def _kept(pair: Pair) -> str:
    gate, bare = pair.figures()
    return f"{percent(gate.capital_kept_nanos)} → {percent(bare.capital_kept_nanos)}"


# --- detection -----------------------------------------------------------------------------------


def _detection(study: Study) -> Iterator[str]:
    pairs = [pair for pair in pairs_of(study, Kind.CRASH) if _fell(pair.tape)]
    yield from table(
        ("tape", "strategy", "before", *SIGNALS, "first", "first, since visible"),
        (_detected(pair) for pair in pairs),
    )
    silent = [tape for tape in study.tapes if tape.kind is Kind.CRASH and not _fell(tape)]
    names = ", ".join(f"`{tape.name}`" for tape in silent if tape.judged is not None)
    if names:
        yield ""
        yield f"No fall of 3 % within 30 minutes, so nothing to detect by the rule: {names}."


def _detected(pair: Pair) -> tuple[str, ...]:
    looked = pair.tape.judged
    assert looked is not None
    since = delays_of(pair, looked.began_ns)
    visible = delays_of(pair, looked.visible_ns)
    cells = [span(since[name]) if name in since else NOTHING for name in (*SIGNALS, "first")]
    last = span(visible["first"]) if visible else "never"
    before = ", ".join(held_before(pair)) or NOTHING
    return f"`{pair.tape.name}`", pair.strategy, before, *cells, last


# --- calm days -----------------------------------------------------------------------------------

_CALM: Final = (
    "tape",
    "strategy",
    "kept",
    "worst drawdown",
    "asked",
    "allowed",
    "cut",
    "denied by liquidity",
    "taken back",
    "denied otherwise",
    "trips",
    "tier changes an hour",
    "CAUTIOUS",
    "DEFENSIVE or worse",
)


def _calm(study: Study) -> Iterator[str]:
    yield from table(_CALM, (_calm_row(pair) for pair in pairs_of(study, Kind.CALM)))


def _calm_row(pair: Pair) -> tuple[str, ...]:
    gate, bare = pair.figures()
    orders = gate.orders
    whole_ns = sum(gate.tier_ns.values())
    tiers = (
        hourly(gate),
        percent(part(gate.tier_ns.get("CAUTIOUS", 0), whole_ns)),
        percent(part(tight_ns(gate), whole_ns)),
    )
    return (
        f"`{pair.tape.name}`",
        pair.strategy,
        _kept(pair),
        f"{percent(gate.worst_drawdown_nanos)} → {percent(bare.worst_drawdown_nanos)}",
        f"{orders.submitted:,}",
        f"{orders.allowed:,}",
        f"{orders.resized:,}",
        f"{orders.skipped:,}",
        f"{orders.taken_back:,}",
        f"{denied_otherwise(orders) + orders.rejected:,}",
        f"{gate.trips:,}",
        *(tiers if tells_spread(pair.tape) else (NOTHING,) * len(tiers)),
    )


# --- the run -------------------------------------------------------------------------------------


def _run(study: Study) -> Iterator[str]:
    played = sum(row.figures is not None for row in study.rows)
    there = sum(tape.judged is not None for tape in study.tapes)
    yield (
        f"{played:,} trials of {there} tapes, policy `{study.policy}`"
        f" ({study.policy_digest[:_DIGITS]}), build {study.build}, seed {study.seed}. Digest of all"
        f" results: {results_digest(study)[:_DIGITS]}."
    )


# --- words ---------------------------------------------------------------------------------------


def _fell(tape: TapeRow) -> bool:
    return tape.judged is not None and bool(tape.judged.began_ns)


def _by_tape(pairs: Iterable[Pair]) -> Iterator[tuple[TapeRow, list[Pair]]]:
    found: dict[str, list[Pair]] = {}
    for pair in pairs:
        found.setdefault(pair.tape.name, []).append(pair)
    for group in found.values():
        yield group[0].tape, group
