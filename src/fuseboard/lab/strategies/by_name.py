"""Finds a strategy by what a person types: `dip-buyer`, `momentum`, `market-maker`, `hold`."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct, structs

from fuseboard.lab.strategies.dip_buyer import DipBuyer, DipBuyerParameters
from fuseboard.lab.strategies.hold import Hold, HoldParameters
from fuseboard.lab.strategies.market_maker import MarketMaker, MarketMakerParameters
from fuseboard.lab.strategies.momentum import Momentum, MomentumParameters
from fuseboard.lab.strategy import Strategy, Terms


class StrategyUnknown(ValueError):
    """No strategy has that name; the message lists those that there are."""


class Chosen(Struct, frozen=True, kw_only=True):
    """A strategy with its parameters: `make` builds one that has seen nothing yet."""

    name: str
    parameters: dict[str, int]
    make: Callable[[Terms], Strategy]


_KINDS: Final[dict[str, tuple[Callable[..., Strategy], Struct]]] = {
    "dip-buyer": (DipBuyer, DipBuyerParameters()),
    "momentum": (Momentum, MomentumParameters()),
    "market-maker": (MarketMaker, MarketMakerParameters()),
    "hold": (Hold, HoldParameters()),
}
NAMES: Final = tuple(_KINDS)


def strategy_by_name(name: str, parameters: Struct | None = None) -> Chosen:
    """The strategy of a name, with its own parameters where none are given.

    Raises `StrategyUnknown`.
    """
    if name not in _KINDS:
        raise StrategyUnknown(f"{name!r} is no strategy of the lab: use {', '.join(NAMES)}")
    kind, own = _KINDS[name]
    chosen = own if parameters is None else parameters
    return Chosen(
        name=name,
        parameters=structs.asdict(chosen),
        make=lambda terms: kind(terms, chosen),
    )
