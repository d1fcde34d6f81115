"""The exchange's HTTP and WebSocket door: keys, request limit, faults, and who answers what."""

import asyncio
import base64
import binascii
import hmac
import time
from collections.abc import Mapping, Sequence

from fuseboard.exchange.face_data import DataFace, is_data_path
from fuseboard.exchange.face_simulation import SimulationFace
from fuseboard.exchange.face_streams import Streams
from fuseboard.exchange.face_trading import TradingFace
from fuseboard.exchange.faults import LATE_S
from fuseboard.exchange.orders import OrderEvent
from fuseboard.exchange.request_limit import Admission, RequestLimit
from fuseboard.exchange.running import RunningExchange
from fuseboard.wire import alpaca
from fuseboard.wire.alpaca_errors import INTERNAL, NOT_FOUND, TOO_MANY_REQUESTS
from fuseboard.wire.http_connection import HttpConnection
from fuseboard.wire.http_server import HttpServer, Request, Response
from fuseboard.wire.websocket_server import Handshake

UNAUTHORIZED = Response(401, b'{"message": "unauthorized"}')
SERVER_ERROR = alpaca.error_answer(500, INTERNAL, "internal server error occurred")


class ExchangeServer(HttpServer):
    """An HTTP server that can also drop the connection a request came on: brokers do."""

    def __init__(self, face: "Face") -> None:
        super().__init__(face.handle, face.streams.run)
        self._by_peer: dict[str, HttpConnection] = {}

    def opened(self, connection: HttpConnection) -> bool:
        """Count the connection and remember it by its peer."""
        taken = super().opened(connection)
        if taken:
            self._by_peer[_peer_of(connection)] = connection
        return taken

    def closed(self, connection: HttpConnection) -> None:
        """Forget the connection."""
        self._by_peer.pop(_peer_of(connection), None)
        super().closed(connection)

    def upgrade(self, connection: HttpConnection, handshake: Handshake) -> Response | None:
        """Forget the connection when it becomes a WebSocket."""
        refusal = super().upgrade(connection, handshake)
        if refusal is None:
            self._by_peer.pop(_peer_of(connection), None)
        return refusal

    def drop(self, peer: str) -> None:
        """Drop a connection without a word."""
        connection = self._by_peer.get(peer)
        if connection is not None:
            connection.transport.abort()


def _peer_of(connection: HttpConnection) -> str:
    """The peer's name as requests have it."""
    host, port, *_ = connection.transport.get_extra_info("peername")
    return f"{host}:{port}"


class Face:
    """Answers every request of one running exchange."""

    def __init__(
        self,
        running: RunningExchange,
        *,
        key_pairs: Mapping[str, str],
        requests_per_minute: int,
        seed: int,
    ) -> None:
        self._running = running
        self._key_pairs = dict(key_pairs)
        self._trading_limit = RequestLimit(requests_per_minute)
        self._data_limit = RequestLimit(requests_per_minute)
        self._trading = TradingFace(running, seed=seed)
        self._data = DataFace(running)
        self._simulation = SimulationFace(running)
        self.streams = Streams(running.tape.kind, lambda: self._simulation.faults, self.is_allowed)
        self.server = ExchangeServer(self)
        running.on_orders = self._tell_orders
        running.on_market = self.streams.send_market

    def is_allowed(self, key_id: str, secret: str) -> bool:
        """Whether it is one of the account's key pairs."""
        known = self._key_pairs.get(key_id, "")
        return bool(known) and hmac.compare_digest(known.encode(), secret.encode())

    def handle(self, request: Request) -> Response | asyncio.Future[Response]:
        """Answer one request; what it caused is told on the streams before the answer leaves."""
        if request.path.startswith("/sim/"):
            self._running.catch_up()
            return self._simulation.answer(request, self.streams)
        if not self.is_allowed(*_credentials(request.headers)):
            return UNAUTHORIZED
        is_data = is_data_path(request.path)
        limit = self._data_limit if is_data else self._trading_limit
        admission = limit.admit(time.monotonic_ns())
        response = self._admitted(request, admission, is_data=is_data)
        return self._delayed(_with_limit_headers(response, limit, admission))

    def _admitted(self, request: Request, admission: Admission, *, is_data: bool) -> Response:
        faults = self._simulation.faults
        if not admission.admitted or faults.takes("too_many_requests"):
            return alpaca.error_answer(429, TOO_MANY_REQUESTS, "rate limit exceeded")
        if faults.takes("server_error"):
            return SERVER_ERROR
        if faults.takes("refuse_key"):
            return UNAUTHORIZED
        self._running.catch_up()
        if is_data:
            return self._data.answer(request)
        if not request.path.startswith("/v2/"):
            return alpaca.error_answer(404, NOT_FOUND, f"endpoint not found: {request.path}")
        if (request.method, request.path) == ("POST", "/v2/orders"):
            return self._order(request)
        response = self._trading.answer(request)
        self._running.tell_orders()
        return response

    def _tell_orders(self, events: Sequence[OrderEvent]) -> None:
        """Tell the stream; where the activities are to lie, they do from now on."""
        faults, activities = self._simulation.faults, self._running.exchange.activities
        for event in events:
            if event.fill is not None and faults.takes("hide_activities"):
                activities.hide(event.fill.execution_id)
            elif event.fill is not None and faults.takes("late_activities"):
                left_out = activities.hide(event.fill.execution_id)
                asyncio.get_running_loop().call_later(LATE_S, activities.show, left_out)
            elif event.fill is not None and faults.takes("repeat_activities"):
                activities.repeat(event.fill.execution_id)
        self.streams.send_orders(events)

    def _order(self, request: Request) -> Response:
        faults = self._simulation.faults
        if faults.takes("drop_before_accept"):
            self.server.drop(request.peer)
            return SERVER_ERROR
        response = self._trading.answer(request)
        self._running.tell_orders()
        if response.status == 200:
            if faults.takes("drop_after_accept"):
                self.server.drop(request.peer)
            elif faults.takes("server_error_after_accept"):
                return SERVER_ERROR
        return response

    def _delayed(self, response: Response) -> Response | asyncio.Future[Response]:
        delay_ms = self._simulation.faults.delay_ms
        if delay_ms == 0:
            return response
        return asyncio.ensure_future(asyncio.sleep(delay_ms / 1_000, response))


def _credentials(headers: Mapping[str, str]) -> tuple[str, str]:
    """Key id and secret of Alpaca's headers, or of Basic authorization as data clients use it."""
    if "apca-api-key-id" in headers:
        return headers["apca-api-key-id"], headers.get("apca-api-secret-key", "")
    kind, _, encoded = headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        key_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return key_id, secret


def _with_limit_headers(response: Response, limit: RequestLimit, admission: Admission) -> Response:
    """The headers by which Alpaca tells how many requests are left."""
    headers = [
        ("X-RateLimit-Limit", str(limit.requests_per_minute)),
        ("X-RateLimit-Remaining", str(admission.remaining)),
        ("X-RateLimit-Reset", str(int(time.time()) + admission.resets_in_s)),
    ]
    if response.status == 429:
        headers.append(("Retry-After", str(admission.resets_in_s)))
    return Response(response.status, response.body, tuple(headers), response.content_type)
