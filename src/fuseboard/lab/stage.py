"""What a trial runs on: the options, the exchange, the strategy, and what is written down."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct, structs

from fuseboard.exchange.config import ExchangeConfig, config_for
from fuseboard.exchange.exchange import Exchange
from fuseboard.feeds.tapes.tape import Tape, TapeQuote
from fuseboard.lab.chronicle import Chronicle
from fuseboard.lab.desk import Desk
from fuseboard.lab.ledger_hash import LedgerHash
from fuseboard.lab.liquidating import Liquidating
from fuseboard.lab.signals import Signals
from fuseboard.lab.slices import Slices
from fuseboard.lab.strategies.by_name import Chosen
from fuseboard.lab.strategy import Terms
from fuseboard.lab.world import Progress, World
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary.money import NANOS

SLICE_NS: Final = NANOS // 100
LATENCY_NS: Final = NANOS // 100


class TrialImpossible(ValueError):
    """What was asked for cannot be run; the message says what to do."""


class TrialOptions(Struct, frozen=True, kw_only=True):
    """What is run. Money is nano-units, times ns; `strategy_name` is whom the gate takes it for."""

    tape: str
    """As it was asked for: only written down."""
    policy: Policy
    chosen: Chosen
    protected: bool = True
    strategy_name: str = ""
    """Empty: the strategy's own name."""
    equity_nanos: int = 100_000 * NANOS
    seed: int = 1
    slice_ns: int = SLICE_NS
    latency_ns: int = LATENCY_NS
    left_takes: bool = False
    """Whether the rest of a limit order that arrives at the far side goes on taking, at the prices
    of later quotes, as that of a market order does; else it rests and trades at its own price."""


class Stage:
    """What both kinds of trial share: exchange, strategy, and what is written down."""

    def __init__(
        self,
        tape: Tape,
        options: TrialOptions,
        stopwatch_ns: Callable[[], int],
        progress: Progress,
    ) -> None:
        self.tape = tape
        self.options = options
        self.began_ns = tape.session.open_ns - options.slice_ns
        self.ended_ns = self.began_ns
        self.ledger = LedgerHash()
        self.exchange = Exchange(
            _config(tape, options), start_ns=self.began_ns, record=self.ledger.record
        )
        self.chronicle = Chronicle(
            tape,
            cash_nanos=options.equity_nanos,
            began_ns=self.began_ns,
        )
        self.liquidating = Liquidating()
        terms = Terms(
            symbols=tape.symbols,
            equity_nanos=options.equity_nanos,
            shares=not self.exchange.hours.always,
        )
        self.signals = Signals(options.chosen.make(terms), stopwatch_ns)
        self._progress = progress

    def world(self, desk: Desk) -> World:
        """The world around a desk."""
        return World(
            slices=Slices(self.tape.read(), began_ns=self.began_ns, slice_ns=self.options.slice_ns),
            exchange=self.exchange,
            desk=desk,
            signals=self.signals,
            chronicle=self.chronicle,
            liquidating=self.liquidating,
            began_ns=self.began_ns,
            progress=self._progress,
        )

    def quotes(self) -> dict[str, TapeQuote]:
        """The last quote of each symbol."""
        return self.chronicle.quotes()


def _config(tape: Tape, options: TrialOptions) -> ExchangeConfig:
    plain = config_for(tape, cash_nanos=options.equity_nanos, seed=options.seed)
    return structs.replace(plain, latency_ns=options.latency_ns, left_takes=options.left_takes)
