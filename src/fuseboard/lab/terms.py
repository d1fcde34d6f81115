"""The terms of a trial: what is the same for one trial, for all of a sweep and for a study."""

from typing import Final

from msgspec import Struct

from fuseboard.vocabulary.money import NANOS

SLICE_NS: Final = NANOS // 100
LATENCY_NS: Final = NANOS // 100


class TrialTerms(Struct, frozen=True, kw_only=True):
    """Under what a trial is run, whatever its tape, strategy and policy. Nano-units, times ns."""

    strategy_name: str = ""
    """Whom the gate takes the strategy for. Empty: its own name."""
    equity_nanos: int = 100_000 * NANOS
    seed: int = 1
    slice_ns: int = SLICE_NS
    latency_ns: int = LATENCY_NS
    left_takes: bool = False
    """Whether the rest of a limit order that arrives at the far side goes on taking, at the prices
    of later quotes, as that of a market order does; else it rests and trades at its own price."""
