"""Liquidity: what one quote, one book and one trade cost, against lists rebuilt each time.

    python bench/liquidity.py

Depth is known after 240 s, velocity after 10: until then an update does less.
`monitor alone` is one update of the score with both depths, velocity, both walks and the tier;
`whole step` is `Kernel.step(QuoteSeen)` under a policy that measures liquidity, and without. Each
is measured after so many seconds of history at 1,000 updates a second: the cost may not grow. The
peer keeps its 300 s of depths and its trades in lists, drops what is too old and sums them anew at
each update, as it is usually written; it scores the same numbers in floats and prices one level.
"""

import gc
import statistics
import time
from collections.abc import Callable
from functools import partial
from random import Random

from fuseboard.core.kernel import Kernel
from fuseboard.core.liquidity.monitor import Liquidity, new_liquidity
from fuseboard.core.liquidity.tiers import Gauge, edges_of
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.market_inputs import BookSeen, QuoteSeen
from fuseboard.vocabulary.money import NANOS

STEP_NS = NANOS // 1_000
HISTORIES = (1_000, 30_000, 300_000, 600_000)
PEER_HISTORIES = (1_000, 30_000)
SAMPLES = 3_000
ROUNDS = 5
RULES = LiquidityRules(enabled=True)
EDGES = edges_of(RULES)
CENT = NANOS // 100


class Peer:
    """Depth and velocity from lists that are rebuilt at each update."""

    def __init__(self) -> None:
        self.depths: list[tuple[float, float]] = []
        self.trades: list[float] = []

    def update(self, now: float, bid: float, ask: float, size: float) -> float:
        self.depths.append((now, size))
        self.depths = [(at, depth) for at, depth in self.depths if now - at <= 300]
        self.trades.append(now)
        self.trades = [at for at in self.trades if now - at <= 10]
        average = sum(depth for _, depth in self.depths) / len(self.depths)
        middle = (bid + ask) / 2
        spread = max(0.0, 1 - (ask - bid) / middle / 0.05)
        depth = min(1.0, size / average / 2)
        velocity = min(1.0, len(self.trades) / 10 / 10)
        impact = max(0.0, 1 - (ask - middle) / middle / 0.1)
        return 100 * (0.3 * spread + 0.3 * depth + 0.2 * velocity + 0.2 * impact)


def prices(random: Random) -> tuple[int, int, int]:
    half = random.randrange(1, 4)
    return 25_000 - half, 25_000 + half, random.randrange(50, 400)


def levels(random: Random, count: int) -> tuple[BookSeen, ...]:
    made = []
    for _ in range(200):
        bid, ask, size = prices(random)
        made.append(
            BookSeen(
                symbol="AAPL",
                bids=tuple(((bid - n) * CENT, size * NANOS // 20) for n in range(count)),
                asks=tuple(((ask + n) * CENT, size * NANOS // 20) for n in range(count)),
                event_ns=0,
            )
        )
    return tuple(made)


def monitored(history: int, count: int) -> list[int]:
    random = Random(1)
    books = levels(random, count)
    at: Liquidity = new_liquidity(0, 0, Gauge())
    now_ns, times, clock = 0, [], time.perf_counter_ns
    for number in range(history + SAMPLES):
        now_ns += STEP_NS
        book = books[number % 200]
        began = clock()
        if number % 3 == 0:
            at.traded(1, now_ns)
        at.book(book.bids, book.asks, now_ns, 120 * NANOS)
        at.judge(RULES, now_ns)
        at.gauge.follow(at.score, EDGES, now_ns, RULES.dwell_ns)
        if number >= history:
            times.append(clock() - began)
    return times


def rebuilt(history: int) -> list[int]:
    random, peer, clock, times = Random(1), Peer(), time.perf_counter_ns, []
    now = history / 1_000
    peer.depths = [(n / 1_000, float(random.randrange(50, 400))) for n in range(history)]
    peer.trades = [n / 1_000 for n in range(max(0, history - 3_333), history)]
    for _ in range(200):
        now += 0.001
        bid, ask, size = prices(random)
        began = clock()
        peer.update(now, bid / 100, ask / 100, float(size))
        times.append(clock() - began)
    return times


def stepped(history: int, *, measures: bool) -> list[int]:
    random, kernel = Random(1), Kernel()
    text = canonical_text(Policy(liquidity=LiquidityRules(enabled=measures)))
    moment = facts.Moment(NANOS, NANOS)
    kernel.step(moment, facts.PolicyAdopted(text=text, digest=digest_of(text), operator="bench"))
    kernel.step(moment, facts.NodeStarted(instance="benchben", account="A1", release="0"))
    quotes = []
    for _ in range(200):
        bid, ask, size = (number * CENT for number in prices(random))
        quotes.append(
            QuoteSeen(
                symbol="AAPL",
                bid_nanos=bid,
                ask_nanos=ask,
                bid_size_nanos=size * 100,
                ask_size_nanos=size * 100,
                event_ns=0,
                bid_low_nanos=bid,
                ask_high_nanos=ask,
            )
        )
    times, clock, step = [], time.perf_counter_ns, kernel.step
    for number in range(history + SAMPLES):
        at_ns = NANOS + number * STEP_NS
        at = facts.Moment(at_ns, at_ns)
        began = clock()
        step(at, quotes[number % 200])
        if number >= history:
            times.append(clock() - began)
    return times


def report(name: str, history: int, measure: Callable[[], list[int]]) -> None:
    medians, p99s = [], []
    for _ in range(ROUNDS):
        gc.collect()
        gc.freeze()
        gc.disable()
        times = sorted(measure())
        gc.enable()
        gc.unfreeze()
        medians.append(times[len(times) // 2])
        p99s.append(times[len(times) * 99 // 100])
    print(
        f"{name:<34} {history:>8,} {statistics.median(medians) / 1000:>9.2f}"
        f" {f'[{min(medians) / 1000:.2f}..{max(medians) / 1000:.2f}]':>18}"
        f" {statistics.median(p99s) / 1000:>9.2f}"
    )


def main() -> None:
    print(f"{ROUNDS} rounds of {SAMPLES:,} updates after a history, in µs; collector off")
    print(f"{'what':<34} {'history':>8} {'median':>9} {'[min..max]':>18} {'p99':>9}")
    for count in (1, 10):
        for history in HISTORIES:
            name = f"monitor alone, {count} level{'s' if count > 1 else ''} a side"
            report(name, history, partial(monitored, history, count))
    for history in PEER_HISTORIES:
        report("lists rebuilt, 1 level", history, partial(rebuilt, history))
    for measures in (False, True):
        word = "with" if measures else "without"
        report(f"whole step of a quote, {word}", 1_000, partial(stepped, 1_000, measures=measures))


if __name__ == "__main__":
    main()
