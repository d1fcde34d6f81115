"""Results in order, and protected beside unprotected where all else is the same."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.lab.report.distilled import ORDER_KINDS, Distilled
from fuseboard.lab.result import Ran

RESULTS_MAX: Final = 1_000


class Pair(Struct, frozen=True, kw_only=True):
    """One strategy over one tape: with the gate, without it, or both."""

    name: str
    """Of its place in the page."""
    gated: Distilled | None
    bare: Distilled | None

    def each(self) -> tuple[Distilled, ...]:
        """Those that are there, the gate's first."""
        return tuple(one for one in (self.gated, self.bare) if one is not None)

    def ran(self) -> Ran:
        """What both have in common: tape, strategy, parameters, equity, slice."""
        return self.each()[0].result.ran

    def symbols(self) -> tuple[str, ...]:
        """Those that can be drawn, the ones with the most orders and fills first."""
        busy: dict[str, int] = {}
        for one in self.each():
            for symbol in one.symbols():
                counts = one.marks[symbol].counts if symbol in one.marks else {}
                busy[symbol] = busy.get(symbol, 0) + sum(counts.get(k, 0) for k in ORDER_KINDS)
        return tuple(sorted(busy, key=lambda symbol: -busy[symbol]))


class Chapter(Struct, frozen=True, kw_only=True):
    """One tape."""

    name: str
    """Of its place in the page."""
    ran: Ran
    pairs: tuple[Pair, ...]
    results: tuple[Distilled, ...]


def in_order(results: Sequence[Distilled]) -> list[Distilled]:
    """Whatever order they were given in; what was given twice once."""
    once = {one.digest: one for one in results}
    return sorted(once.values(), key=lambda one: (_order(one.result.ran), one.digest))


def chapters(results: Sequence[Distilled]) -> tuple[Chapter, ...]:
    """By tape, results `in_order`. An unprotected one stands beside every policy it belongs to."""
    tapes: dict[tuple[object, ...], list[Distilled]] = {}
    for one in results:
        tapes.setdefault(_tape(one.result.ran), []).append(one)
    found: list[Chapter] = []
    pairs = 0
    for at, ones in enumerate(tapes.values(), start=1):
        paired = _pairs(ones, pairs)
        pairs += len(paired)
        found.append(
            Chapter(name=f"tape-{at}", ran=ones[0].result.ran, pairs=paired, results=tuple(ones))
        )
    return tuple(found)


def _pairs(ones: list[Distilled], before: int) -> tuple[Pair, ...]:
    alike: dict[tuple[object, ...], list[Distilled]] = {}
    for one in ones:
        alike.setdefault(_conditions(one.result.ran), []).append(one)
    found: list[tuple[Distilled | None, Distilled | None]] = []
    for group in alike.values():
        gated = [one for one in group if one.result.ran.protected]
        bare = [one for one in group if not one.result.ran.protected]
        found += [(one, _beside(one, bare)) for one in gated]
        if not gated:
            found += [(None, one) for one in bare[:1]]
    return tuple(
        Pair(name=f"plot-{before + at}", gated=gated, bare=bare)
        for at, (gated, bare) in enumerate(found, start=1)
    )


def _beside(gated: Distilled, bare: list[Distilled]) -> Distilled | None:
    """Without a gate the policy does nothing, so any will do; the same one if it is there."""
    policy = gated.result.ran.policy_digest
    same = [one for one in bare if one.result.ran.policy_digest == policy]
    return next(iter([*same, *bare]), None)


def _tape(ran: Ran) -> tuple[object, ...]:
    return ran.tape, ran.open_ns, ran.close_ns, ran.seed, ran.symbols


def _conditions(ran: Ran) -> tuple[object, ...]:
    parameters = msgspec.json.encode(ran.parameters, order="deterministic")
    return ran.strategy, parameters, ran.equity_nanos, ran.slice_ns, ran.latency_ns


def _order(ran: Ran) -> tuple[object, ...]:
    return (
        *_tape(ran),
        *_conditions(ran),
        ran.policy,
        ran.policy_digest,
        ran.strategy_name,
        not ran.protected,
    )
