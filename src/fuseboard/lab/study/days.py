"""The table of tapes that are many days on end: one row for each strategy, in no average."""

from collections.abc import Iterator
from typing import Final

from fuseboard.lab.result import Orders
from fuseboard.lab.study.averages import Pair, pairs_of
from fuseboard.lab.study.rows import Study
from fuseboard.lab.study.shown import NOTHING, percent, table
from fuseboard.lab.study.tapes import Kind

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
    """The table, and what is to be known of its tapes."""
    pairs = pairs_of(study, Kind.DAYS)
    yield from table(_HEAD, (_row(pair) for pair in pairs))
    notes: dict[str, list[str]] = {}
    for tape in study.tapes:
        if tape.kind is Kind.DAYS and tape.note and tape.judged is not None:
            notes.setdefault(tape.note, []).append(f"`{tape.name}`")
    for note, names in notes.items():
        yield ""
        yield f"{', '.join(names)}: {note}."


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
        f"{orders.denied + orders.rejected:,} → {free.denied + free.rejected:,}",
        _most(orders),
        f"{gate.trips:,}",
    )


def _most(orders: Orders) -> str:
    """The reason that most denials of the gate had; of several the first by name."""
    most = min(orders.denials, key=lambda code: (-orders.denials[code], code), default="")
    return f"`{most}` {orders.denials[most]:,}" if most else NOTHING
