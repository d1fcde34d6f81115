"""The gate: what an accepted order costs in the kernel, with 10, 1,000 and 10,000 orders working.

    python bench/gate.py

Prints the whole step (`kernel.step(OrderRequested)` to effects: ids hashed, order judged, counted,
`SubmitOrder` made), the identity alone (hashing our order id), and the decision alone (what
the checks read gathered, and all of them passed). Each order of a round is new, so the book grows
by the round's size; between rounds it is restored. The garbage collector is off while a round is
measured, and what was there before is frozen.
"""

import gc
import statistics
import time
from collections.abc import Callable
from unittest.mock import patch

from fuseboard.core import judging
from fuseboard.core.book import Order
from fuseboard.core.checks.quick import worst_if_passed
from fuseboard.core.kernel import Kernel
from fuseboard.core.liquidity.monitor import Liquidity
from fuseboard.core.market import Instrument
from fuseboard.core.state import Turn
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.identifiers import OrderIds
from fuseboard.vocabulary.market_inputs import QuoteSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce

WORKING = (10, 1_000, 10_000)
ROUNDS = 9
ORDERS = 2_000
POLICY = Policy(
    limits=Limits(
        order_rate_max=100,
        order_rate_window_ns=1,
        working_orders_max=100_000,
        position_value_nanos_max=10**12 * NANOS,
        position_fraction_nanos_max=NANOS,
    )
)
MOMENT = facts.Moment(NANOS, NANOS)


def moment(number: int) -> facts.Moment:
    return facts.Moment(NANOS + 1_000 * number, NANOS + 1_000 * number)


def request(number: int, symbols: int) -> facts.OrderRequested:
    return facts.OrderRequested(
        request=number,
        strategy="alpha",
        client_order_id=f"order-{number}",
        symbol=f"S{number % symbols}",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=NANOS,
        limit_price_nanos=100 * NANOS,
    )


def ready(working: int, symbols: int = 50) -> bytes:
    """The snapshot of a kernel with so many orders working."""
    kernel = Kernel()
    text = canonical_text(POLICY)
    first: tuple[facts.Input, ...] = (
        facts.PolicyAdopted(text=text, digest=digest_of(text), operator="bench"),
        facts.NodeStarted(instance="benchben", account="A1", release="0"),
        facts.BrokerStreamChanged(connected=True),
        facts.AccountSeen(
            cash_nanos=10**10 * NANOS,
            equity_nanos=10**10 * NANOS,
            last_equity_nanos=10**10 * NANOS,
            multiplier=1,
            shorting_enabled=True,
        ),
        facts.PositionsSeen(positions=()),
        *(
            QuoteSeen(
                symbol=f"S{number}",
                bid_nanos=100 * NANOS - NANOS // 100,
                ask_nanos=100 * NANOS,
                bid_size_nanos=NANOS,
                ask_size_nanos=NANOS,
                event_ns=0,
                bid_low_nanos=100 * NANOS - NANOS // 100,
                ask_high_nanos=100 * NANOS,
            )
            for number in range(symbols)
        ),
    )
    for fact in first:
        kernel.step(MOMENT, fact)
    for number in range(working):
        effects = kernel.step(moment(number), request(number, symbols))
        assert isinstance(effects[-1], SubmitOrder), effects
    return kernel.snapshot()


def whole_step(snapshot: bytes, first: int, symbols: int = 50) -> list[int]:
    kernel = Kernel.restored(snapshot)
    asked = [(moment(n), request(n, symbols)) for n in range(first, first + ORDERS)]
    times: list[int] = []
    gc.collect()
    gc.freeze()
    gc.disable()
    step, clock = kernel.step, time.perf_counter_ns
    for at, fact in asked:
        began = clock()
        effects = step(at, fact)
        times.append(clock() - began)
        assert type(effects[-1]) is SubmitOrder
    gc.enable()
    gc.unfreeze()
    return times


def decision(snapshot: bytes, first: int, symbols: int = 50) -> list[int]:
    """The quick pass alone, its numbers gathered, on what a real order led to."""
    kernel = Kernel.restored(snapshot)
    gathered: list[tuple[Turn, Order, Instrument, Liquidity | None, str]] = []

    def keep(
        turn: Turn, order: Order, instrument: Instrument, at: Liquidity | None, like: str
    ) -> int | None:
        gathered.append((turn, order, instrument, at, like))
        return worst_if_passed(turn, order, instrument, at, like)

    with patch.object(judging, "worst_if_passed", keep):
        kernel.step(moment(first), request(first, symbols))
    clock, (asked,) = time.perf_counter_ns, gathered
    turn, order, instrument, at, like = asked
    times = []
    for _ in range(ORDERS):
        began = clock()
        worst_if_passed(turn, order, instrument, at, like)
        times.append(clock() - began)
    assert worst_if_passed(turn, order, instrument, at, like) is not None
    return times


def identity(snapshot: bytes, first: int) -> list[int]:
    """Our id of an order, from its client order id."""
    del snapshot
    ids, clock = OrderIds(instance="benchben", account="A1"), time.perf_counter_ns
    times = []
    for number in range(first, first + ORDERS):
        name = f"order-{number}"
        began = clock()
        ids.order_id("alpha", name)
        times.append(clock() - began)
    return times


def clock_cost() -> int:
    clock = time.perf_counter_ns
    times = []
    for _ in range(10_000):
        began = clock()
        times.append(clock() - began)
    return int(statistics.median(times))


def report(name: str, measure: Callable[[bytes, int], list[int]], overhead: int) -> None:
    for working in WORKING:
        snapshot = ready(working)
        medians, p99s, worst = [], [], 0
        for _ in range(ROUNDS):
            times = sorted(measure(snapshot, working))
            medians.append(times[len(times) // 2] - overhead)
            p99s.append(times[len(times) * 99 // 100] - overhead)
            worst = max(worst, times[-1])
        print(
            f"{name:<14} {working:>7,} {statistics.median(medians) / 1000:>10.2f}"
            f" {f'[{min(medians) / 1000:.2f}..{max(medians) / 1000:.2f}]':>16}"
            f" {statistics.median(p99s) / 1000:>8.2f} {worst / 1000:>12.1f}"
        )


def main() -> None:
    overhead = clock_cost()
    print(
        f"{ROUNDS} rounds of {ORDERS:,} accepted orders, the clock's own {overhead} ns taken off,"
    )
    print("garbage collector off and frozen while measuring; times in µs")
    head = ("what", "working", "median", "[min..max]", "p99", "worst stall")
    print(f"{head[0]:<14} {head[1]:>7} {head[2]:>10} {head[3]:>16} {head[4]:>8} {head[5]:>12}")
    report("identity alone", identity, overhead)
    report("decision alone", decision, overhead)
    report("whole step", whole_step, overhead)


if __name__ == "__main__":
    main()
