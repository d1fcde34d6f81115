"""A broker that says 429 and "wait a minute", and a cancel that must not wait that long."""

import asyncio
import random
import time
from pathlib import Path

import pytest

from fuseboard.brokers.alpaca import AlpacaBroker
from fuseboard.brokers.alpaca_session import AlpacaOptions
from fuseboard.runtime.budget import Budget
from fuseboard.runtime.cancels import CancelLimits, CancelLine
from fuseboard.runtime.clock import SystemClock
from fuseboard.runtime.crew import Crew
from fuseboard.runtime.gate import Gate
from fuseboard.vocabulary.effects import CancelOrder
from fuseboard.vocabulary.inputs import Moment
from tests.exchange.serving import Served, served


async def cancelled(exchange: Served, *, refusals: int) -> float:
    """Seconds until an order is cancelled that was asked for while the exchange answers 429."""
    placed = exchange.order(type="limit", limit_price="1", client_order_id="resting").json()
    clock = SystemClock(Moment(0, 0))
    broker = AlpacaBroker(
        AlpacaOptions(base_url=exchange.url, key_id="PKTEST", secret="secret", instance="12345678")
    )
    gate = Gate(
        Budget(requests_a_minute=200, reserved=50, randbelow=random.Random(1).randrange), clock
    )
    failures: list[str] = []
    cancels = CancelLine(
        broker=broker,
        gate=gate,
        crew=Crew(failures.append),
        clock=clock,
        refused=lambda refused: failures.append(str(refused)),
        limits=CancelLimits(),
    )
    exchange.fault(too_many_requests=refusals)
    began = time.monotonic()
    cancels.cancel(CancelOrder(order_id="o1", broker_order_id=placed["id"]))
    while len(cancels):
        await asyncio.sleep(0.01)
        assert time.monotonic() - began < 30, "the cancel waits as long as it was told"
    took_s = time.monotonic() - began
    gate.close()
    await broker.stop()
    assert failures == []
    assert exchange.get(f"/v2/orders/{placed['id']}")["status"] in {"canceled", "pending_cancel"}
    return took_s


@pytest.mark.parametrize("refusals", [1, 3])
def test_a_cancel_is_tried_again_within_the_pause_that_the_broker_asked_for(
    tmp_path: Path, refusals: int
) -> None:
    with served(tmp_path) as exchange:
        asked = exchange.call("GET", "/v2/account")
        assert "Retry-After" not in asked.headers
        exchange.fault(too_many_requests=1)
        refused = exchange.call("GET", "/v2/account")
        assert int(refused.headers["Retry-After"]) > 40, "what the broker asks for"
        took_s = asyncio.run(cancelled(exchange, refusals=refusals))
        assert refusals * 0.5 <= took_s < 20
