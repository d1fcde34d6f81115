"""What the register tells of the gateway's liquidations: whose ids are taken, what stays open."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from fuseboard.halts.block import Latched, Slot
from fuseboard.halts.register import HaltsRegister
from fuseboard.rescue.rescuing import Wanted
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, symbol_scope
from fuseboard.vocabulary.postures import HaltLevel


class Trips(NamedTuple):
    """By their scope: the trips of what the gateway was closing and nobody froze, and who froze
    what nobody asked to close since.
    """

    begun: Mapping[str, str]
    frozen: Mapping[str, str]


def gateways_trips(register_file: Path) -> Trips:
    """What the register tells now."""
    with closing(HaltsRegister(register_file, Slot.GUARDIAN)) as register:
        latched = register.latched()
    frozen = {at.scope: at.detail.partition(":")[0] for at in latched if _is_frozen(at, latched)}
    begun = {}
    for latch in latched:
        trip = latch.flattening() if latch.slot is Slot.GATEWAY else ""
        if trip and not frozen.keys() & {ACCOUNT_SCOPE, latch.scope}:
            begun[latch.scope] = trip
    return Trips(begun, frozen)


def _is_frozen(latch: Latched, latched: tuple[Latched, ...]) -> bool:
    """Whether a person froze it, and no flattening came later."""
    return (latch.level is HaltLevel.FREEZE and not latch.plan_trip) and not any(
        at.level is HaltLevel.FLATTEN
        and at.scope in (ACCOUNT_SCOPE, latch.scope)
        and at.halt_epoch > latch.halt_epoch
        for at in latched
    )


def shares_frozen(frozen: Mapping[str, str]) -> str:
    """Who froze which strategies and tags, for people; empty where nobody did."""
    of = (ACCOUNT_SCOPE, symbol_scope(""))
    shares = [f"{at} frozen by {who}" for at, who in frozen.items() if not at.startswith(of)]
    said = "; ".join(shares)
    return f"{said}: what is its share is not known here, all is left open" if said else ""


def all_but_frozen(trip: str, frozen: Mapping[str, str]) -> Wanted:
    """Everything but what a person froze. A strategy's or tag's share is not known here: where one
    is frozen, nothing is closed.
    """
    if shares := shares_frozen(frozen):
        return Wanted(kept=shares)
    of = symbol_scope("")
    symbols = tuple(scope.removeprefix(of) for scope in frozen if scope.startswith(of))
    kept = [symbol_scope(symbol) for symbol in symbols]
    if ACCOUNT_SCOPE in frozen:
        trip, kept = "", [ACCOUNT_SCOPE]
    said = "; ".join(f"{scope} frozen by {frozen[scope]}: left open" for scope in kept)
    return Wanted(trip=trip, kept=said, frozen=symbols)
