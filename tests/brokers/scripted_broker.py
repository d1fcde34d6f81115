"""A broker that does what a test says: one answer per request, and a `/stream` it can speak on."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fuseboard.brokers.alpaca import AlpacaBroker, AlpacaOptions
from fuseboard.vocabulary.doors import BrokerFact
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.identifiers import order_id, wire_id
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderType, Side, TimeInForce
from fuseboard.wire.http_server import HttpLimits, HttpServer, Request, Response, WebSocketSession
from fuseboard.wire.websocket_client import StreamLimits

INSTANCE = "abcd1234"
PATIENCE_S = 20.0
OURS = order_id(instance=INSTANCE, account="a", strategy="s", client_order_id="c")
WIRE = wire_id(instance=INSTANCE, order_id=OURS)
QUICK = StreamLimits(open_s_max=2.0, first_wait_s=0.01, wait_s_max=0.05)
Answer = Response | Callable[[Request], Response | Awaitable[Response]]

ORDER = SubmitOrder(
    order_id=OURS,
    wire_id=WIRE,
    symbol="AAPL",
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.DAY,
    quantity_nanos=NANOS // 10,
    intent=Intent.OPEN,
    raises_exposure=True,
    halt_epoch=0,
    limit_price_nanos=199_250_000_001,
)


def order_entry(**changes: Any) -> dict[str, Any]:
    return {
        "id": "b-1",
        "client_order_id": WIRE,
        "symbol": "AAPL",
        "side": "buy",
        "status": "accepted",
        "qty": "10",
        "filled_qty": "0",
        "filled_avg_price": None,
        "submitted_at": "2026-01-02T15:00:00.000000001Z",
        **changes,
    }


def answer(status: int, value: Any, **headers: str) -> Response:
    return Response(status, json.dumps(value).encode(), tuple(headers.items()))


def error(status: int, code: int, message: str) -> Response:
    return answer(status, {"code": code, "message": message})


class ScriptedBroker:
    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[Request] = []
        self.sessions: list[WebSocketSession] = []
        self.heard: list[Any] = []
        self.authorized = True
        self.arrived = asyncio.Event()

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        self.requests.append(request)
        scripted = self.answers.get(f"{request.method} {request.path}")
        if scripted is None:
            return error(404, 40_410_000, "nothing here")
        return scripted if isinstance(scripted, Response) else scripted(request)

    async def stream(self, session: WebSocketSession) -> None:
        assert session.path == "/stream"
        self.heard.append(json.loads(await session.receive() or "null"))
        status = "authorized" if self.authorized else "unauthorized"
        data = {"status": status, "action": "authenticate"}
        session.send(json.dumps({"stream": "authorization", "data": data}))
        if (message := await session.receive()) is None:
            return
        self.heard.append(json.loads(message))
        listening = {"stream": "listening", "data": {"streams": ["trade_updates"]}}
        session.send(json.dumps(listening).encode())
        self.sessions.append(session)
        self.arrived.set()
        await session.receive()

    def update(self, event: str, order: dict[str, Any], **data: Any) -> None:
        message = {"stream": "trade_updates", "data": {"event": event, "order": order, **data}}
        self.sessions[-1].send(json.dumps(message).encode())


class Facts:
    """Facts as they come, and a way to wait for the next ones."""

    def __init__(self) -> None:
        self.seen: list[BrokerFact] = []
        self._came = asyncio.Event()

    def __call__(self, fact: BrokerFact) -> None:
        self.seen.append(fact)
        self._came.set()

    async def taken(self, count: int) -> list[BrokerFact]:
        """Exactly this many facts, removed."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.seen) < count:
                self._came.clear()
                await self._came.wait()
        taken, self.seen = self.seen[:count], self.seen[count:]
        return taken


@asynccontextmanager
async def broker_against(script: ScriptedBroker, **options: Any) -> Any:
    server = HttpServer(script.handle, script.stream, limits=HttpLimits(drain_s_max=0.1))
    port = await server.start("127.0.0.1", 0)
    broker = AlpacaBroker(
        AlpacaOptions(
            **{
                "base_url": f"http://127.0.0.1:{port}",
                "key_id": "key",
                "secret": "secret",
                "instance": INSTANCE,
                "timeout_s": 2.0,
                **options,
            }
        ),
        QUICK,
    )
    try:
        yield broker
    finally:
        await broker.stop()
        await server.stop()
