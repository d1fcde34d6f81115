"""A quote of something held: what it costs in the kernel with 10, 100 and 500 symbols held.

    python bench/marks.py

Every limit that has a level is set, so that each judgement of nearness looks at all of them. Quotes
come 1 ms apart and move the mark by a cent: most are folded between two judgements, every 250th is
judged. The median is the former, "judged" the median of the latter.
"""

import gc
import statistics
import time

from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.market_inputs import QuoteSeen
from fuseboard.vocabulary.money import NANOS

HELD = (10, 100, 500)
QUOTES = 20_000
POLICY = Policy(
    limits=Limits(
        order_rate_max=10_000,
        position_value_nanos_max=10**6 * NANOS,
        position_fraction_nanos_max=NANOS // 2,
        sector_fraction_nanos_max=2 * NANOS,
        positions_max=1_000,
        gross_exposure_nanos_max=2 * NANOS,
        net_exposure_nanos_min=-NANOS,
        net_exposure_nanos_max=2 * NANOS,
        leverage_nanos_max=2 * NANOS,
        maintenance_margin_nanos_min=NANOS // 4,
        daily_orders_max=1_000_000,
    ),
    sectors={f"S{number}": f"sector {number % 10}" for number in range(max(HELD))},
)


def quote(number: int, symbols: int) -> QuoteSeen:
    middle = 100 * NANOS + (number // symbols % 10) * NANOS // 100
    return QuoteSeen(
        symbol=f"S{number % symbols}",
        bid_nanos=middle,
        ask_nanos=middle + NANOS // 50,
        bid_size_nanos=NANOS,
        ask_size_nanos=NANOS,
        event_ns=0,
        bid_low_nanos=middle,
        ask_high_nanos=middle + NANOS // 50,
    )


def ready(symbols: int) -> Kernel:
    """A kernel that holds 10 shares of each of so many symbols."""
    kernel, text = Kernel(), canonical_text(POLICY)
    held = tuple(
        facts.BrokerPosition(
            symbol=f"S{number}",
            quantity_nanos=10 * NANOS,
            average_price_nanos=100 * NANOS,
            price_nanos=100 * NANOS,
        )
        for number in range(symbols)
    )
    equity_nanos = 10**6 * NANOS
    first: tuple[facts.Input, ...] = (
        facts.PolicyAdopted(text=text, digest=digest_of(text), operator="bench"),
        facts.NodeStarted(instance="benchben", account="A1", release="0"),
        facts.BrokerStreamChanged(connected=True),
        facts.AccountSeen(
            cash_nanos=equity_nanos - symbols * 1_000 * NANOS,
            equity_nanos=equity_nanos,
            last_equity_nanos=equity_nanos,
            multiplier=1,
            shorting_enabled=True,
        ),
        facts.PositionsSeen(positions=held),
    )
    for fact in first:
        kernel.step(facts.Moment(NANOS, NANOS), fact)
    return kernel


def measure(symbols: int) -> list[int]:
    kernel = ready(symbols)
    asked = [
        (facts.Moment(at, at), quote(number, symbols))
        for number in range(QUOTES)
        for at in [2 * NANOS + number * NANOS // 1000]
    ]
    times: list[int] = []
    gc.collect()
    gc.freeze()
    gc.disable()
    step, clock = kernel.step, time.perf_counter_ns
    for at, fact in asked:
        began = clock()
        step(at, fact)
        times.append(clock() - began)
    gc.enable()
    gc.unfreeze()
    return times


def main() -> None:
    print(f"{QUOTES:,} quotes a row, 1 ms apart; garbage collector off; times in µs")
    print(f"{'held':>5} {'median':>8} {'mean':>8} {'p99':>8} {'judged':>8}")
    for symbols in HELD:
        times = measure(symbols)[symbols * 2 :]
        ordered = sorted(times)
        judged, p99 = ordered[-len(ordered) // 250 :], ordered[len(ordered) * 99 // 100]
        print(
            f"{symbols:>5} {statistics.median(times) / 1000:>8.2f}"
            f" {statistics.mean(times) / 1000:>8.2f} {p99 / 1000:>8.2f}"
            f" {statistics.median(judged) / 1000:>8.2f}"
        )


if __name__ == "__main__":
    main()
