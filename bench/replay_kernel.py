"""Replay: encoded journal lines to kernel steps, the effects compared byte for byte.

    python bench/replay_kernel.py

The records are made by a kernel in this run: 40 quotes for each order, and for each order its
outcome and two fills, over 50 symbols that are all held.
"""

import gc
import statistics
import time
from collections.abc import Callable

from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.runtime.build import build
from fuseboard.runtime.replay import replay_lines
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.market_inputs import QuoteSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.records import Record, encoded_record

ORDERS = 5_000
QUOTES_AN_ORDER = 40
SYMBOLS = 50
ROUNDS = 5


class Recording:
    """A kernel that hands on what it folds."""

    def __init__(self, keep: Callable[[Record], None]) -> None:
        self.kernel = Kernel()
        self.keep = keep
        self.count = 0
        self.kinds: dict[str, int] = {}

    def take(self, fact: facts.Input) -> Record:
        at = NANOS + 1_000_000 * self.count
        moment = facts.Moment(at, 1_700_000_000 * NANOS + at)
        self.count += 1
        record = Record(self.count, moment, fact, self.kernel.step(moment, fact))
        self.keep(record)
        kind = type(fact).__name__
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        return record


def start(recording: Recording) -> None:
    limits = Limits(order_rate_max=100_000, order_rate_window_ns=1)
    text = canonical_text(Policy(limits=limits))
    recording.take(facts.PolicyAdopted(text=text, digest=digest_of(text), operator="bench"))
    recording.take(facts.NodeStarted(instance="benchben", account="A1", release=build()))
    recording.take(facts.BrokerStreamChanged(connected=True))
    recording.take(
        facts.AccountSeen(
            cash_nanos=10**8 * NANOS,
            equity_nanos=10**8 * NANOS,
            last_equity_nanos=10**8 * NANOS,
            multiplier=1,
            shorting_enabled=True,
        )
    )
    recording.take(facts.PositionsSeen(positions=()))


def quote(number: int) -> QuoteSeen:
    bid = 100 * NANOS + number % 7 * NANOS // 100
    return QuoteSeen(
        symbol=f"S{number % SYMBOLS}",
        bid_nanos=bid,
        ask_nanos=bid + NANOS // 100,
        bid_size_nanos=100 * NANOS,
        ask_size_nanos=100 * NANOS,
        event_ns=1_700_000_000 * NANOS + number,
        bid_low_nanos=bid,
        ask_high_nanos=bid + NANOS // 100,
        count=3,
    )


def trade(recording: Recording, number: int) -> None:
    record = recording.take(
        facts.OrderRequested(
            request=number + 1,
            strategy="alpha",
            client_order_id=f"order-{number}",
            symbol=f"S{number % SYMBOLS}",
            side=Side.BUY if number // SYMBOLS % 2 == 0 else Side.SELL,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            quantity_nanos=10 * NANOS,
            limit_price_nanos=100 * NANOS,
        )
    )
    order = record.effects[-1]
    assert isinstance(order, SubmitOrder), record.effects
    broker_id = f"b{number}"
    recording.take(
        facts.OrderSent(
            order_id=order.order_id, broker_order_id=broker_id, status=OrderStatus.WORKING
        )
    )
    for filled in (4, 10):
        recording.take(
            facts.FillReported(
                order_id=order.order_id,
                broker_order_id=broker_id,
                quantity_nanos=(4 if filled == 4 else 6) * NANOS,
                price_nanos=100 * NANOS,
                filled_quantity_nanos=filled * NANOS,
                filled_price_nanos=100 * NANOS,
                final=filled == 10,
            )
        )


def session(recording: Recording, orders: int) -> None:
    """A start, a quote for each symbol, then orders with the quotes between them."""
    start(recording)
    for number in range(SYMBOLS):
        recording.take(quote(number))
    for number in range(orders):
        for step in range(QUOTES_AN_ORDER):
            recording.take(quote(number * QUOTES_AN_ORDER + step))
        trade(recording, number)


def main() -> None:
    lines: list[bytes] = []
    recording = Recording(lambda record: lines.append(encoded_record(record)))
    session(recording, ORDERS)
    digest = recording.kernel.digest()
    mix = ", ".join(f"{count:,} {kind}" for kind, count in recording.kinds.items() if count > 99)
    print(f"{len(lines):,} records, {sum(map(len, lines)) // len(lines)} bytes each: {mix}")
    gc.collect()
    gc.freeze()
    rates = []
    for _ in range(ROUNDS):
        kernel = Kernel()
        began = time.perf_counter()
        verdict = replay_lines(lines, kernel)
        rates.append(len(lines) / (time.perf_counter() - began))
        assert verdict.ok, verdict.difference
        assert kernel.digest() == digest
    print(
        f"replayed and compared: {statistics.median(rates):,.0f} inputs/s"
        f" [{min(rates):,.0f}..{max(rates):,.0f}] over {ROUNDS} rounds, same digest each time;"
        " garbage collector on, what was there before frozen"
    )


if __name__ == "__main__":
    main()
