"""Short markets for the lab's tests: made up, a minute or two long."""

import json
import re
from collections.abc import Sequence
from datetime import date, time

from msgspec import Struct

from fuseboard.feeds.tapes.generated import Course, generated_tape
from fuseboard.feeds.tapes.tape import Cadence, Session, Tape, TapeEvent, TapeKind, TapeQuote
from fuseboard.feeds.tapes.times import new_york_ns
from fuseboard.lab.stage import TrialOptions
from fuseboard.lab.strategies.by_name import Chosen, strategy_by_name
from fuseboard.lab.strategies.dip_buyer import DipBuyerParameters
from fuseboard.lab.strategies.hold import HoldParameters
from fuseboard.lab.strategies.market_maker import MarketMakerParameters
from fuseboard.lab.strategies.momentum import MomentumParameters
from fuseboard.lab.strategy import End, Fill, Intent, Quote, Strategy, Terms, Trade
from fuseboard.policy.data_rules import ExecutionRules
from fuseboard.policy.limits import Limits
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary.money import NANOS

OPENS_NS = new_york_ns(date(2025, 6, 2), time(10))
LOOSE = Policy(
    name="loose",
    checks_off=("duplicate", "self_match"),
    limits=Limits(
        order_quantity_nanos_max=10**6 * NANOS,
        order_value_nanos_max=10**8 * NANOS,
        price_collar_nanos=NANOS * 9 // 10,
        order_rate_max=10_000,
        gross_exposure_nanos_max=100 * NANOS,
    ),
    losses=(LossRule(limit_nanos=NANOS * 99 // 100),),
    execution=ExecutionRules(requests_a_minute=100_000),
)
LIQUID = Policy(
    name="liquid",
    losses=(LossRule(limit_nanos=NANOS // 50, cooldown_ns=5 * NANOS),),
    liquidity=LiquidityRules(enabled=True),
)
STRICT = Policy(name="strict", losses=(LossRule(limit_nanos=NANOS // 50, cooldown_ns=5 * NANOS),))


def crash(seed: int = 1, *, seconds: int = 60, floor: int = 8_500) -> Tape:
    """Two shares that fall by 15 % in the middle third, with quotes five times a second."""
    third_ns = seconds * NANOS // 3
    level = (
        (OPENS_NS, 10_000),
        (OPENS_NS + third_ns, 10_000),
        (OPENS_NS + 2 * third_ns, floor),
        (OPENS_NS + 3 * third_ns, 9_500),
    )
    courses = tuple(
        Course(symbol=symbol, prior_close_cents=cents, start_cents=cents, level=level)
        for symbol, cents in (("AAA", 100_00), ("BBB", 40_00))
    )
    return generated_tape(
        name="crash",
        describes="a made-up fall",
        courses=courses,
        session=Session(open_ns=OPENS_NS, close_ns=OPENS_NS + seconds * NANOS),
        quote_gap_ns=NANOS // 5,
        seed=seed,
    )


def tape_of(
    events: Sequence[TapeEvent],
    *,
    kind: TapeKind = TapeKind.US_EQUITY,
    sampled: bool = False,
    symbols: tuple[str, ...] = ("AAA",),
) -> Tape:
    """A tape of these events."""
    gap_ns = NANOS
    return Tape(
        name="by hand",
        describes="made by hand",
        kind=kind,
        symbols=symbols,
        cadence=Cadence(typical_gap_ns=gap_ns, largest_gap_ns=gap_ns, sampled=sampled),
        session=Session(open_ns=events[0].at_ns, close_ns=events[-1].at_ns),
        prior_close_nanos={},
        read=lambda: iter(events),
    )


def quote(
    after_ns: int, bid: int, ask: int, *, symbol: str = "AAA", size: int = 1_000
) -> TapeQuote:
    """A quote so long after the opening, in whole units of money."""
    return TapeQuote(
        symbol=symbol,
        at_ns=OPENS_NS + after_ns,
        bid_nanos=bid * NANOS,
        ask_nanos=ask * NANOS,
        bid_size_nanos=size * NANOS,
        ask_size_nanos=size * NANOS,
    )


def modest(name: str) -> Chosen:
    """A strategy that ships, with parameters that fit a minute and never use up the account."""
    parameters: dict[str, Struct] = {
        "dip-buyer": DipBuyerParameters(stake_nanos=NANOS // 100),
        "momentum": MomentumParameters(window_ns=3 * NANOS, patience_ns=NANOS),
        "market-maker": MarketMakerParameters(),
        "hold": HoldParameters(),
    }
    return strategy_by_name(name, parameters[name])


def options(
    chosen: Chosen | str, policy: Policy = LOOSE, *, protected: bool = True
) -> TrialOptions:
    """What a test asks for."""
    if isinstance(chosen, str):
        chosen = modest(chosen)
    return TrialOptions(tape="test", policy=policy, chosen=chosen, protected=protected)


class Scripted:
    """Answers its n-th quote with the n-th of its answers; remembers what it was told."""

    def __init__(self, answers: Sequence[Sequence[Intent]]) -> None:
        self.told: list[Quote | Trade | Fill | End] = []
        self._answers = list(answers)

    def on_quote(self, quote: Quote) -> Sequence[Intent]:
        self.told.append(quote)
        return self._answers.pop(0) if self._answers else ()

    def on_trade(self, trade: Trade) -> Sequence[Intent]:
        self.told.append(trade)
        return ()

    def on_fill(self, fill: Fill) -> Sequence[Intent]:
        self.told.append(fill)
        return ()

    def on_end(self, end: End) -> Sequence[Intent]:
        self.told.append(end)
        return ()


def chosen_of(strategy: Strategy) -> Chosen:
    """A strategy that was made by hand, by the name that tests use."""

    def make(terms: Terms) -> Strategy:
        del terms
        return strategy

    return Chosen(name="scripted", parameters={}, make=make)


def blobs(page: str) -> dict[str, str]:
    """The blobs of a report's page, as they stand in it."""
    found = re.search(
        r'<script type="application/json" id="packed">(.*?)</script>', page, re.DOTALL
    )
    assert found is not None
    held: dict[str, str] = json.loads(found[1])
    return held
