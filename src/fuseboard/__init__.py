"""Fuseboard: the safety layer between trading strategies and their brokers.

What a program that embeds it needs is here; each name is imported when it is first asked for, so
that `import fuseboard` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuseboard.library.breaker import BreakerState, DrawdownCircuitBreaker, ResetRefused
    from fuseboard.library.guard import Guard
    from fuseboard.library.guarded import GuardAlert
    from fuseboard.library.orders import Decision, OrderRequest
    from fuseboard.library.rolling import RollingDrawdownCircuitBreaker

__version__ = "0.1.0"
__all__ = [
    "BreakerState",
    "Decision",
    "DrawdownCircuitBreaker",
    "Guard",
    "GuardAlert",
    "OrderRequest",
    "ResetRefused",
    "RollingDrawdownCircuitBreaker",
]
_HOMES = {
    "BreakerState": "fuseboard.library.breaker",
    "DrawdownCircuitBreaker": "fuseboard.library.breaker",
    "Guard": "fuseboard.library.guard",
    "GuardAlert": "fuseboard.library.guarded",
    "Decision": "fuseboard.library.orders",
    "OrderRequest": "fuseboard.library.orders",
    "ResetRefused": "fuseboard.library.breaker",
    "RollingDrawdownCircuitBreaker": "fuseboard.library.rolling",
}


def __getattr__(name: str) -> object:
    """The public name, from the room where it lives."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    """The public names, also those that were not asked for yet."""
    return sorted({*globals(), *__all__})
