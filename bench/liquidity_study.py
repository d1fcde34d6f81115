"""What tier the market was in and when: recorded tapes through the monitor, crash days and calm.

    python bench/liquidity_study.py

Reads the tapes of FUSEBOARD_DATA, which the product does not ship; what is not there is said and
left out. A tape's own time is the clock. What a tape does not have is declared as a feed would:
a sample of trades lacks `trades`, quotes that are derived from trades lack `sizes` and `spread`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from fuseboard.core.liquidity.impact import Levels
from fuseboard.core.liquidity.monitor import NO_SIZES, NO_SPREAD, NO_TRADES, new_liquidity
from fuseboard.core.liquidity.tiers import Gauge, edges_of
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.tape import TapeKind, TapeQuote, TapeTrade, TapeUnreadable
from fuseboard.feeds.tapes.times import NEW_YORK
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.money import NANOS

RULES: Final = LiquidityRules(enabled=True)
STALE_NS: Final = 120 * NANOS
SHOWN_MAX: Final = 6
BOOK_GAP_NS: Final = NANOS // 100
TAPES: Final = (
    "us-equity-2010-05-06:AAPL@09:30-16:00",
    "us-equity-2010-05-06:PG@09:30-16:00",
    "us-equity-2010-05-06:IBM@09:30-16:00",
    "us-equity-2010-05-05:AAPL@09:30-16:00",
    "us-equity-2010-04-14:AAPL@09:30-16:00",
    "us-equity-2010-08-11:AAPL@09:30-16:00",
    "us-equity-2010-04-14:PG@09:30-16:00",
    "crypto-2025-10-10:ATOMUSD_PERP",
    "crypto-2025-10-10:DOGE-USD",
    "lobster-amzn-2012-06-21",
)
GENERATED: Final = {
    "depth-collapse-2010": ("SPY", "AAPL", "ACN"),
    "depth-calm": ("SPY", "AAPL", "ACN"),
    "open-2015": ("SPY", "RSP", "JPM"),
    "open-calm": ("SPY", "RSP", "JPM"),
}
"""No market data: books of ten levels, symbol by symbol."""
Event = tuple[int, Levels, Levels, int]
"""Time, bids, asks, trades; no bids and asks: only trades."""


def of_tape(name: str, symbol: str = "") -> tuple[Iterator[Event], int, TapeKind]:
    """What the monitor is told, of one symbol if it is named; full books are conflated to one in
    `BOOK_GAP_NS`.
    """
    tape = tape_by_name(name)
    lacks = NO_TRADES if tape.cadence.sampled else 0
    if tape.kind is TapeKind.CRYPTO:
        lacks |= NO_SIZES | NO_SPREAD

    def read() -> Iterator[Event]:
        last_ns = 0
        for event in tape.read():
            if symbol and event.symbol != symbol:
                continue
            if isinstance(event, TapeTrade):
                yield event.at_ns, (), (), 1
            elif isinstance(event, TapeQuote) and event.bids and event.asks:
                if event.at_ns - last_ns >= BOOK_GAP_NS:
                    last_ns = event.at_ns
                    yield event.at_ns, event.bids, event.asks, 0
            elif isinstance(event, TapeQuote):
                bids = ((event.bid_nanos, event.bid_size_nanos),)
                yield event.at_ns, bids, ((event.ask_nanos, event.ask_size_nanos),), 0

    return read(), lacks, tape.kind


def study(name: str, events: Iterator[Event], lacks: int, kind: TapeKind) -> None:
    edges, at = edges_of(RULES), None
    spent = dict.fromkeys(Tier, 0)
    first_ns = last_ns = 0
    lowest, moves = 10_001, []
    for now_ns, bids, asks, trades in events:
        if at is None:
            at, first_ns, last_ns = new_liquidity(now_ns, lacks, Gauge()), now_ns, now_ns
        spent[at.gauge.tier] += now_ns - last_ns
        last_ns = now_ns
        if trades:
            at.traded(trades, now_ns)
        else:
            at.book(bids, asks, now_ns, STALE_NS)
        if not at.seen_boot_ns:  # as the gate: before its first book a symbol is not judged
            continue
        at.judge(RULES, now_ns)
        before = at.gauge.tier
        if at.gauge.follow(at.score, edges, now_ns, RULES.dwell_ns):
            scores = at.plain, at.calibrated, at.spread_nanos()
            moves.append((now_ns, before, at.gauge.tier, *scores))
        lowest = min(lowest, at.score)
    if at is None:
        print(f"\n{name}: empty")
        return
    zone = NEW_YORK if kind is TapeKind.US_EQUITY else UTC
    hours = max(1, last_ns - first_ns) / (3_600 * NANOS)
    whole_ns = max(1, last_ns - first_ns)
    parts = ", ".join(f"{tier.name} {100 * ns / whole_ns:.2f} %" for tier, ns in spent.items())
    print(f"\n{name}: {hours:.1f} h, {len(moves)} changes ({len(moves) / hours:.1f} an hour),")
    print(f"  lowest score {lowest / 100:.2f}; {parts}")
    falls = [move for move in moves if move[2] > move[1]]
    for moved in sorted(falls, key=lambda move: (-move[2], move[0]))[:SHOWN_MAX]:
        now_ns, before, after, plain, calibrated, spread = moved
        clock = datetime.fromtimestamp(now_ns // NANOS, tz=zone).time()
        print(
            f"  {clock} {before.name} -> {after.name}: plain {plain / 100:.2f},"
            f" calibrated {calibrated / 100:.2f}, spread {spread * 100 / NANOS:.2f} %"
        )


def main() -> None:
    for name in TAPES:
        try:
            study(name, *of_tape(name))
        except TapeUnreadable as missing:
            print(f"\n{name}: left out: {missing}")
    for name, symbols in GENERATED.items():
        for symbol in symbols:
            study(f"{name} {symbol}", *of_tape(name, symbol))


if __name__ == "__main__":
    main()
