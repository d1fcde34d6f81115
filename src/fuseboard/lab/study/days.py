"""The tables of tapes that are many days on end, in no average: of each record, and of some alone.

A record is played whole, each of its years or months a tape that begins with the study's cash.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from fuseboard.lab.result import Figures, Orders
from fuseboard.lab.study.averages import Pair, pairs_of
from fuseboard.lab.study.rows import Study, TapeRow
from fuseboard.lab.study.shown import NOTHING, percent, table, times_of
from fuseboard.lab.study.tapes import Kind, period_of, record_of

_OF_RECORDS: Final = (
    "record",
    "strategy",
    "tapes",
    "kept, mean",
    "the lowest",
    "worst drawdown",
    "the gate kept more",
    "less",
    "asked",
    "denied",
    "most of them for",
    "trips",
)
_HEAD: Final = (
    "tape",
    "strategy",
    "kept",
    "worst drawdown",
    "asked",
    "allowed",
    "cut",
    "denied",
    "most of them for",
    "trips",
)


def days(study: Study) -> Iterator[str]:
    """The tables, and what is to be known of their tapes."""
    pairs = pairs_of(study, Kind.DAYS)
    together: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        together.setdefault((record_of(pair.tape.name), pair.strategy), []).append(pair)
    yield from table(_OF_RECORDS, (_of_record(*at, of) for at, of in together.items()))
    yield ""
    yield "Each year or month is a tape of its own that begins with the study's cash; some of them:"
    yield ""
    yield from table(_HEAD, (_row(pair) for pair in pairs if pair.tape.alone))
    notes: dict[str, dict[str, None]] = {}
    for tape in study.tapes:
        if tape.kind is Kind.DAYS and tape.note and tape.judged is not None:
            notes.setdefault(tape.note, {})[f"`{record_of(tape.name)}`"] = None
    for note, names in notes.items():
        yield ""
        yield f"{', '.join(names)}: {note}."


def records(study: Study) -> Iterator[tuple[str, ...]]:
    """A row of the table of tapes for each record: all its events, and its deepest fall."""
    together: dict[str, list[TapeRow]] = {}
    for tape in study.tapes:
        if tape.kind is Kind.DAYS and tape.judged is not None:
            together.setdefault(record_of(tape.name), []).append(tape)
    for name, tapes in together.items():
        looked = [tape.judged for tape in tapes if tape.judged is not None]
        events = sum(each.quotes + each.trades for each in looked)
        deepest = max(looked, key=lambda each: each.deepest_nanos)
        tape = tapes[0]
        yield (
            f"`{name}`, {len(tapes)} tapes",
            tape.kind.value,
            tape.grain.value,
            f"{events:,}",
            percent(deepest.deepest_nanos),
            *times_of(tape, deepest),
        )


def _of_record(name: str, strategy: str, pairs: Sequence[Pair]) -> tuple[str, ...]:
    """All years or months of a record that a strategy has played."""
    gates, bares = zip(*(pair.figures() for pair in pairs), strict=True)
    kept = [
        (gate.capital_kept_nanos, bare.capital_kept_nanos)
        for gate, bare in zip(gates, bares, strict=True)
    ]
    means = [percent(sum(way) // len(way)) for way in zip(*kept, strict=True)]
    lowest = [_lowest(pairs, 0), _lowest(pairs, 1)]
    ways: tuple[tuple[Figures, ...], ...] = (gates, bares)
    drawdowns = [percent(max(each.worst_drawdown_nanos for each in way)) for way in ways]
    asked = [f"{sum(each.orders.submitted for each in way):,}" for way in ways]
    denied = [f"{sum(_denied(each.orders) for each in way):,}" for way in ways]
    denials: Counter[str] = Counter()
    for gate in gates:
        denials.update(gate.orders.denials)
    return (
        f"`{name}`",
        strategy,
        str(len(pairs)),
        " → ".join(means),
        " → ".join(lowest),
        " → ".join(drawdowns),
        str(sum(gate > bare for gate, bare in kept)),
        str(sum(gate < bare for gate, bare in kept)),
        " → ".join(asked),
        " → ".join(denied),
        _most(denials),
        f"{sum(gate.trips for gate in gates):,}",
    )


def _lowest(pairs: Sequence[Pair], way: int) -> str:
    """What was kept in the worst year or month, and which that was; of several the first."""
    kept = [(pair.figures()[way].capital_kept_nanos, pair.tape.name) for pair in pairs]
    least_nanos, name = min(kept, key=lambda each: each[0])
    return f"{percent(least_nanos)} ({period_of(name)})"


def _row(pair: Pair) -> tuple[str, ...]:
    gate, bare = pair.figures()
    orders, free = gate.orders, bare.orders
    return (
        f"`{pair.tape.name}`",
        pair.strategy,
        f"{percent(gate.capital_kept_nanos)} → {percent(bare.capital_kept_nanos)}",
        f"{percent(gate.worst_drawdown_nanos)} → {percent(bare.worst_drawdown_nanos)}",
        f"{orders.submitted:,} → {free.submitted:,}",
        f"{orders.allowed:,} → {free.allowed:,}",
        f"{orders.resized:,}",
        f"{_denied(orders):,} → {_denied(free):,}",
        _most(orders.denials),
        f"{gate.trips:,}",
    )


def _denied(orders: Orders) -> int:
    return orders.denied + orders.rejected


def _most(denials: dict[str, int]) -> str:
    """The reason that most denials of the gate had; of several the first by name."""
    most = min(denials, key=lambda code: (-denials[code], code), default="")
    return f"`{most}` {denials[most]:,}" if most else NOTHING
