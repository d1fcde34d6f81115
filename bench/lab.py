"""The lab's pace: quotes a second through the whole loop, and a day of a book.

    python bench/lab.py

Everything that a trial runs is measured: exchange, feed, conflation, kernel with liquidity on,
strategy, what is written down. The events are made before, so that no generator and no file is
measured. Times are this process's own CPU time, one core: what else the machine does is not in it.
"""

import gc
import time
from collections.abc import Sequence
from datetime import date
from datetime import time as wall_time
from random import Random
from typing import Final

from fuseboard.feeds.tapes.tape import (
    Cadence,
    Session,
    Tape,
    TapeEvent,
    TapeKind,
    TapeLevels,
    TapeQuote,
    TapeTrade,
)
from fuseboard.feeds.tapes.times import new_york_ns
from fuseboard.lab.result import TrialResult
from fuseboard.lab.stage import TrialOptions
from fuseboard.lab.strategies.by_name import NAMES, strategy_by_name
from fuseboard.lab.trial import run_trial
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side

OPENS_NS: Final = new_york_ns(date(2025, 6, 2), wall_time(9, 30))
DAY_NS: Final = 23_400 * NANOS
CENT_NANOS: Final = NANOS // 100
LOT_NANOS: Final = 100 * NANOS
POLICY: Final = Policy(liquidity=LiquidityRules(enabled=True))
DENSE_EVENTS: Final = 200_000
DENSE_SYMBOLS: Final = 10
DAY_EVENTS: Final = 100_000


def dense() -> Tape:
    """Ten shares, 20,000 quotes a second together: 200 in each slice of 10 ms."""
    random, events = Random(1), list[TapeEvent]()
    cents = [10_000 + 500 * at for at in range(DENSE_SYMBOLS)]
    step_ns = 50_000
    for count in range(DENSE_EVENTS):
        at = count % DENSE_SYMBOLS
        cents[at] += random.choice((-1, 0, 0, 0, 1))
        events.append(_quote(f"S{at}", OPENS_NS + count * step_ns, cents[at], random, levels=1))
    return _tape("dense", events, tuple(f"S{at}" for at in range(DENSE_SYMBOLS)))


def book_day() -> Tape:
    """One share's session: a book of five levels and its trades at random times, as recorded."""
    random, events, cents = Random(2), list[TapeEvent](), 20_000
    times = sorted(random.randrange(DAY_NS) for _ in range(DAY_EVENTS))
    for after_ns in times:
        at_ns = OPENS_NS + after_ns
        if random.randrange(15) == 0:
            price_nanos, size_nanos = cents * CENT_NANOS, random.randint(1, 5) * LOT_NANOS
            trade = TapeTrade(
                symbol="S0",
                at_ns=at_ns,
                price_nanos=price_nanos,
                size_nanos=size_nanos,
                aggressor=random.choice((Side.BUY, Side.SELL)),
            )
            events.append(trade)
            continue
        cents += random.choice((-1, 0, 0, 0, 0, 0, 1))
        events.append(_quote("S0", at_ns, cents, random, levels=5))
    return _tape("book day", events, ("S0",))


def _quote(symbol: str, at_ns: int, cents: int, random: Random, *, levels: int) -> TapeQuote:
    bids = _side(cents, -1, levels, random)
    asks = _side(cents + 1, 1, levels, random)
    return TapeQuote(
        symbol=symbol,
        at_ns=at_ns,
        bid_nanos=bids[0][0],
        ask_nanos=asks[0][0],
        bid_size_nanos=bids[0][1],
        ask_size_nanos=asks[0][1],
        bids=bids if levels > 1 else (),
        asks=asks if levels > 1 else (),
    )


def _side(cents: int, step: int, levels: int, random: Random) -> TapeLevels:
    return tuple(
        ((cents + step * at) * CENT_NANOS, random.randint(1, 30) * LOT_NANOS)
        for at in range(levels)
    )


def _tape(name: str, events: Sequence[TapeEvent], symbols: tuple[str, ...]) -> Tape:
    return Tape(
        name=name,
        describes="made up for measuring",
        kind=TapeKind.US_EQUITY,
        symbols=symbols,
        cadence=Cadence(typical_gap_ns=NANOS, largest_gap_ns=NANOS, sampled=False),
        session=Session(open_ns=OPENS_NS, close_ns=events[-1].at_ns),
        prior_close_nanos={},
        read=lambda: iter(events),
    )


def measured(tape: Tape, strategy: str, *, protected: bool) -> TrialResult:
    options = TrialOptions(
        tape=tape.name, policy=POLICY, chosen=strategy_by_name(strategy), protected=protected
    )
    gc.collect()
    return run_trial(tape, options, stopwatch_ns=time.process_time_ns)


def main() -> None:
    warm = dense()
    measured(warm, "hold", protected=True)
    for tape in (warm, book_day()):
        print(f"\n{tape.name}: {sum(1 for _ in tape.read()):,} events")
        for strategy in NAMES:
            for protected in (True, False):
                result = measured(tape, strategy, protected=protected)
                took, orders = result.took, result.figures.orders
                gate = "gate   " if protected else "no gate"
                print(
                    f"  {strategy:<13}{gate} {took.wall_ns / NANOS:6.2f} s of CPU,"
                    f" {took.events_a_second:>8,} events a second;"
                    f" {result.figures.inputs:>7,} inputs, {orders.submitted:>6,} orders"
                )


if __name__ == "__main__":
    main()
