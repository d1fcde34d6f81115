"""How one account at one exchange is set up."""

from collections.abc import Mapping

from msgspec import Struct

from fuseboard.exchange.dividends import DividendSet
from fuseboard.feeds.tapes.tape import Tape, TapeKind
from fuseboard.vocabulary.money import NANOS


class ExchangeConfig(Struct, frozen=True, kw_only=True):
    """One account at one exchange. Amounts are nano-units, `latency_ns` is the tape's time."""

    kind: TapeKind
    symbols: tuple[str, ...]
    prior_close_nanos: Mapping[str, int] = {}
    cash_nanos: int = 100_000 * NANOS
    multiplier: int = 2
    shorting_enabled: bool = True
    latency_ns: int = 0
    fee_per_share_nanos: int = 0
    fee_basis_points: int = 0
    seed: int = 1
    dividends: tuple[DividendSet, ...] = ()
    left_takes: bool = False
    """Whether the rest of a limit order that arrives at the far side goes on taking: `book.py`."""


def config_for(tape: Tape, *, cash_nanos: int = 100_000 * NANOS, seed: int = 1) -> ExchangeConfig:
    """The configuration that a tape asks for, else the defaults."""
    return ExchangeConfig(
        kind=tape.kind,
        symbols=tape.symbols,
        prior_close_nanos=tape.prior_close_nanos,
        cash_nanos=cash_nanos,
        multiplier=2 if tape.kind is TapeKind.US_EQUITY else 1,
        shorting_enabled=tape.kind is TapeKind.US_EQUITY,
        seed=seed,
    )
