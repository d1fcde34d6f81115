"""How soon the gate said that something is wrong: four signals, read from its own journal.

`tier`: a symbol that fell is DEFENSIVE or EMERGENCY. `spread`: a quote of one is wider than its
tier lets anything open at, or has one side. `loss`: the warning of a loss rule, or its alert at
80 % of the limit. `trip`: a fuse went to TRIGGERED. See docs/flash-crash-study.md.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from fuseboard.lab.study.deterioration import TapeJudged
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.effects import Effect, RaiseAlert
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordTier
from fuseboard.vocabulary.market_inputs import BookSeen, QuoteSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.records import Record

SIGNALS: Final = ("tier", "spread", "loss", "trip")
LOSS_KEY: Final = "(loss_limits)"
"""How an alert near a limit names the limits of losses."""


class Detection(Struct, frozen=True, kw_only=True):
    """When each signal first held, by name, between beginning and end of the deterioration.

    A signal that did not has no entry; `earlier` counts how often each began before that, on a
    tape that did not fall at any time; `held` are those that the beginning met, which are none of
    its signals: whoever always cries wolf has not seen one.
    """

    first_ns: dict[str, int]
    earlier: dict[str, int]
    held: tuple[str, ...] = ()


class Watching:
    """One trial's signals; `keep` is given each record of its journal."""

    def __init__(self, tape: TapeJudged, rules: LiquidityRules) -> None:
        self._began_ns, self._ended_ns = tape.began_ns, tape.ended_ns
        self._fell = {each.symbol: None for each in tape.fell} or dict.fromkeys(tape.symbols)
        self._rules = rules
        self._caps = {
            Tier.NORMAL: rules.normal.spread_nanos_max,
            Tier.CAUTIOUS: rules.cautious.spread_nanos_max,
            Tier.DEFENSIVE: rules.defensive.spread_nanos_max,
            Tier.EMERGENCY: 0,
        }
        self._tiers = dict.fromkeys(tape.symbols, Tier.CAUTIOUS)
        self._holds: dict[tuple[str, str], bool] = {}
        """What last was, by signal and symbol."""
        self._first_ns: dict[str, int] = {}
        self._earlier = dict.fromkeys(SIGNALS, 0)
        self._entered = False
        self._held: dict[str, None] = {}
        self._ways: dict[type, Callable[..., None]] = {
            RecordTier: self._tier,
            RecordTransition: self._transition,
            RaiseAlert: self._alert,
        }

    def keep(self, record: Record) -> None:
        """One record, in order."""
        at_ns, fact = record.moment.wall_ns, record.input
        if not self._entered and self._began_ns and at_ns >= self._began_ns:
            self._enter()
        for effect in record.effects:
            self._effect(effect, at_ns)
        if not self._rules.enabled:
            return
        if isinstance(fact, QuoteSeen):
            self._spread(fact.symbol, fact.bid_nanos, fact.ask_nanos, at_ns)
        elif isinstance(fact, BookSeen):
            bid_nanos = fact.bids[0][0] if fact.bids else 0
            ask_nanos = fact.asks[0][0] if fact.asks else 0
            self._spread(fact.symbol, bid_nanos, ask_nanos, at_ns)

    def detection(self) -> Detection:
        """What was seen."""
        return Detection(
            first_ns={name: self._first_ns[name] for name in SIGNALS if name in self._first_ns},
            earlier=self._earlier,
            held=tuple(name for name in SIGNALS if name in self._held),
        )

    def _effect(self, effect: Effect, at_ns: int) -> None:
        way = self._ways.get(type(effect))
        if way is not None:
            way(effect, at_ns)

    def _tier(self, effect: RecordTier, at_ns: int) -> None:
        self._tiers[effect.symbol] = Tier[effect.after]
        self._see("tier", effect.symbol, Tier[effect.after] >= Tier.DEFENSIVE, at_ns)

    def _transition(self, effect: RecordTransition, at_ns: int) -> None:
        if effect.after == "TRIGGERED":
            self._happened("trip", at_ns)
        elif effect.after == "WARNING":
            self._happened("loss", at_ns)

    def _alert(self, effect: RaiseAlert, at_ns: int) -> None:
        if effect.code is Reason.LIMIT_NEAR and LOSS_KEY in effect.text:
            self._happened("loss", at_ns)

    def _spread(self, symbol: str, bid_nanos: int, ask_nanos: int, at_ns: int) -> None:
        if bid_nanos > ask_nanos > 0:
            return  # crossed: it says nothing, and ends nothing that held
        denies = not bid_nanos or not ask_nanos
        if not denies:
            cap_nanos = self._caps[self._tiers[symbol]]
            twice_nanos = bid_nanos + ask_nanos
            denies = 2 * (ask_nanos - bid_nanos) * NANOS > cap_nanos * twice_nanos
        self._see("spread", symbol, denies, at_ns)

    def _see(self, signal: str, symbol: str, holds: bool, at_ns: int) -> None:
        """A signal that lasts holds, or does not."""
        key = signal, symbol
        if self._holds.get(key, False) == holds:
            return
        self._holds[key] = holds
        if holds and symbol in self._fell:
            self._happened(signal, at_ns)

    def _happened(self, signal: str, at_ns: int) -> None:
        if not self._began_ns or at_ns < self._began_ns:
            self._earlier[signal] += 1
        elif at_ns <= self._ended_ns:
            self._first_ns.setdefault(signal, at_ns)

    def _enter(self) -> None:
        """The deterioration begins: what already holds is no signal of it."""
        self._entered = True
        for (signal, symbol), holds in self._holds.items():
            if holds and symbol in self._fell:
                self._held[signal] = None
