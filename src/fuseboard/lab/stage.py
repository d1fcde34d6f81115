"""What a trial runs on: the options, the exchange, the strategy, and what is written down."""

from collections.abc import Callable

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
from fuseboard.lab.terms import TrialTerms
from fuseboard.lab.world import Progress, World
from fuseboard.policy.policy import Policy


class TrialImpossible(ValueError):
    """What was asked for cannot be run; the message says what to do."""


class TrialOptions(Struct, frozen=True, kw_only=True):
    """What is run."""

    tape: str
    """As it was asked for: only written down."""
    policy: Policy
    chosen: Chosen
    protected: bool = True
    terms: TrialTerms = TrialTerms()

    @property
    def strategy_name(self) -> str:
        """Whom the gate takes the strategy for."""
        return self.terms.strategy_name or self.chosen.name


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
        self.terms = options.terms
        self.began_ns = tape.session.open_ns - options.terms.slice_ns
        self.ended_ns = self.began_ns
        self.ledger = LedgerHash()
        self.exchange = Exchange(
            _config(tape, options.terms), start_ns=self.began_ns, record=self.ledger.record
        )
        self.chronicle = Chronicle(
            tape,
            cash_nanos=options.terms.equity_nanos,
            began_ns=self.began_ns,
        )
        self.liquidating = Liquidating()
        known = Terms(
            symbols=tape.symbols,
            equity_nanos=options.terms.equity_nanos,
            shares=not self.exchange.hours.always,
        )
        self.signals = Signals(options.chosen.make(known), stopwatch_ns)
        self._progress = progress

    def world(self, desk: Desk) -> World:
        """The world around a desk."""
        return World(
            slices=Slices(self.tape.read(), began_ns=self.began_ns, slice_ns=self.terms.slice_ns),
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


def _config(tape: Tape, terms: TrialTerms) -> ExchangeConfig:
    plain = config_for(tape, cash_nanos=terms.equity_nanos, seed=terms.seed)
    return structs.replace(plain, latency_ns=terms.latency_ns, left_takes=terms.left_takes)
