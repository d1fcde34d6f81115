"""The end of the fault path: cancelling until the broker says that nothing of ours works."""

import asyncio
from collections.abc import Callable

from fuseboard.runtime.budget import jittered_ns
from fuseboard.runtime.cancels import CancelLine
from fuseboard.runtime.gate import SECOND_NS, Gate
from fuseboard.runtime.submits import SubmitLine
from fuseboard.vocabulary.doors import Broker, BrokerUnavailable, Throttled
from fuseboard.vocabulary.effects import CancelOrder
from fuseboard.vocabulary.inputs import ForeignOrderSeen

CLEAN_READS = 2
"""How many reads in a row must show none: an order in flight may arrive after the first."""


async def cancel_until_none(
    *,
    broker: Broker,
    gate: Gate,
    cancels: CancelLine,
    submits: SubmitLine,
    randbelow: Callable[[int], int],
) -> None:
    """Cancel every working order with our prefix until two reads show none; the caller bounds
    the time. Orders of which our own table knows nothing (a restart, a lost stream) are included.
    """
    clean_reads = 0
    attempt = 0
    while True:
        if not len(cancels) and not len(submits):
            ours = await _orders_of_ours(broker, gate)
            clean_reads = clean_reads + 1 if ours == [] else 0
            if clean_reads == CLEAN_READS:
                return
            for order in ours or ():
                cancels.cancel(
                    CancelOrder(order_id=order.wire_id, broker_order_id=order.broker_order_id)
                )
        pause_ns = jittered_ns(
            attempt, first_ns=SECOND_NS // 10, longest_ns=SECOND_NS, randbelow=randbelow
        )
        await asyncio.sleep(pause_ns / SECOND_NS)
        attempt += 1


async def _orders_of_ours(broker: Broker, gate: Gate) -> list[ForeignOrderSeen] | None:
    """Every working order with our prefix; None when the broker could not be asked."""
    await gate.turn(protective=True)
    try:
        orders = await broker.foreign_orders(lambda _wire_id: False)
    except Throttled as refusal:
        gate.throttled(refusal)
        return None
    except BrokerUnavailable:
        return None
    return [order for order in orders if order.ours_by_prefix]
