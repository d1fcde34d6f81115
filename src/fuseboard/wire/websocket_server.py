"""The server's side of a WebSocket: `websockets`' sans-I/O protocol on the HTTP server's transport.

A session never lets a peer eat memory: what it sends us is bounded in size and number (we stop
reading when the reader of the session is behind), and what it does not read is bounded in bytes
(beyond that the session is closed with 1013 and what is sent later goes nowhere).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from msgspec import Struct
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as UpgradeRequest
from websockets.protocol import CLOSED, OPEN
from websockets.server import ServerProtocol

from fuseboard.wire.http_messages import Request, Response, error_response

TRY_AGAIN_LATER = 1013
logger = logging.getLogger(__name__)
# The sans-I/O protocol logs each refused handshake with a traceback; we answer it instead.
_protocol_logger = logging.getLogger(f"{__name__}.protocol")
_protocol_logger.setLevel(logging.CRITICAL)


class WebSocketLimits(Struct, frozen=True, kw_only=True):
    """What one session accepts. A peer that is silent for `ping_s + pong_s_max` is dead."""

    message_bytes_max: int = 1 << 20
    inbound_messages_max: int = 256
    outbound_bytes_max: int = 4 << 20
    ping_s: float = 20.0
    pong_s_max: float = 20.0
    close_s_max: float = 2.0


class Handshake:
    """An upgrade request in its turn: the request, its raw fields, and bytes that came early."""

    def __init__(self, request: Request, fields: list[tuple[bytes, bytes]]) -> None:
        self.request = request
        self.fields = fields
        self.early = b""

    def head_bytes(self) -> bytes:
        """The request head as the sans-I/O protocol wants to read it."""
        lines = [b"GET %s HTTP/1.1" % self.request.target.encode("latin-1")]
        lines += [b"%s: %s" % field for field in self.fields]
        return b"\r\n".join([*lines, b"", b""])


class WebSocketSession(asyncio.Protocol):
    """One open WebSocket. `path`, `query`, `headers` and `peer` are those of its upgrade."""

    def __init__(
        self,
        request: Request,
        protocol: ServerProtocol,
        limits: WebSocketLimits,
        closed: Callable[["WebSocketSession"], None],
    ) -> None:
        self.path = request.path
        self.query = request.query
        self.headers = request.headers
        self.peer = request.peer
        self.task: asyncio.Task[None] | None = None
        self._protocol = protocol
        self._limits = limits
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._inbound: deque[str | bytes] = deque()
        self._arrived = asyncio.Event()
        self._partial = bytearray()
        self._partial_is_text = False
        self._reading = True
        self._heard = True
        self._transport: asyncio.Transport
        self._ping_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        self._lost = False

    # --- for whoever runs the session ------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether `send` still reaches the peer's transport."""
        return self._protocol.state is OPEN and not self._transport.is_closing()

    async def receive(self) -> str | bytes | None:
        """The next whole message (text as str, binary as bytes); None once closed."""
        while not self._inbound:
            if self._lost or self._protocol.state is not OPEN:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        message = self._inbound.popleft()
        if not self._reading and 2 * len(self._inbound) <= self._limits.inbound_messages_max:
            self._reading = True
            if not self._transport.is_closing():
                self._transport.resume_reading()
        return message

    def send(self, data: str | bytes) -> bool:
        """Hand a message to the transport without waiting; False when the session is closed.

        A peer that is behind by more than `outbound_bytes_max` is closed with 1013.
        """
        if not self.is_open:
            return False
        size = len(data) + self._transport.get_write_buffer_size()
        if size > self._limits.outbound_bytes_max:
            self.close(TRY_AGAIN_LATER, "the client reads too slowly")
            return False
        if isinstance(data, str):
            self._protocol.send_text(data.encode())
        else:
            self._protocol.send_binary(data)
        self._flush()
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake; the transport goes after `close_s_max` at the latest."""
        if self._lost:
            return
        try:
            self._protocol.send_close(code, reason)
        except InvalidState:
            return  # Closing already.
        self._flush()
        self._close_soon()
        self._arrived.set()

    def abort(self) -> None:
        """Drop the connection and cancel the session's task."""
        self._transport.abort()
        if self.task is not None:
            self.task.cancel()

    # --- for the server ------------------------------------------------------------------------

    def take_over(
        self,
        transport: asyncio.Transport,
        early: bytes,
        run: Callable[["WebSocketSession"], Awaitable[None]],
    ) -> None:
        """Send the handshake's answer and begin."""
        self._transport = transport
        transport.set_protocol(self)
        self._flush()
        if not transport.is_reading():
            transport.resume_reading()
        if early:
            self.data_received(early)
        self._ping_timer = self._loop.call_later(self._limits.ping_s, self._ping)
        self.task = self._loop.create_task(self._run(run))

    async def _run(self, run: Callable[["WebSocketSession"], Awaitable[None]]) -> None:
        """Run the session to its end; a failure of it is logged and closes with 1011."""
        try:
            await run(self)
        except Exception:  # Whatever a session does wrong ends that session only.
            logger.exception("the WebSocket session on %s failed", self.path)
            self.close(1011, "the session failed inside the server")
        else:
            self.close(1000)
        finally:
            self.task = None
            self._check_gone()

    # --- the transport's side ------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take what came; the protocol answers control frames."""
        self._heard = True
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take_frame(event)
        self._flush()
        self._follow_state()

    def eof_received(self) -> bool:
        """The peer has closed its side, so we close ours."""
        self._protocol.receive_eof()
        self._flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake the reader, which finds the session closed."""
        self._lost = True
        self._protocol.receive_eof()
        for timer in (self._ping_timer, self._close_timer):
            if timer is not None:
                timer.cancel()
        self._arrived.set()
        if self.task is not None:  # A task that does not look at its session ends all the same.
            self._loop.call_later(self._limits.close_s_max, self.task.cancel)
        self._check_gone()

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode not in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            return  # Control frames are answered by the protocol.
        if frame.opcode is not Opcode.CONT:
            self._partial_is_text = frame.opcode is Opcode.TEXT
        self._partial += frame.data
        if not frame.fin:
            return
        whole = bytes(self._partial)
        self._partial.clear()
        if self._partial_is_text:
            try:
                self._inbound.append(whole.decode())
            except UnicodeDecodeError:
                self._protocol.fail(1007, "text that is not UTF-8")
                return
        else:
            self._inbound.append(whole)
        self._arrived.set()
        if self._reading and len(self._inbound) >= self._limits.inbound_messages_max:
            self._reading = False
            self._transport.pause_reading()

    def _flush(self) -> None:
        """Write what the protocol wants sent; control frames count against the bound too."""
        transport = self._transport
        for data in self._protocol.data_to_send():
            if transport.is_closing():
                return
            if data:
                transport.write(data)
            elif transport.can_write_eof():
                transport.write_eof()
        if transport.get_write_buffer_size() > 2 * self._limits.outbound_bytes_max:
            transport.abort()

    def _follow_state(self) -> None:
        """Once the closing handshake has begun, readers are woken and the transport goes soon."""
        if self._protocol.state is not OPEN:
            self._arrived.set()
            self._close_soon()

    def _close_soon(self) -> None:
        if self._protocol.state is CLOSED:
            self._transport.close()
        elif self._close_timer is None:
            self._close_timer = self._loop.call_later(
                self._limits.close_s_max, self._transport.abort
            )

    def _ping(self) -> None:
        """Ping a silent peer; drop it when it stays silent. Unread messages prove it alive."""
        self._ping_timer = None
        if not self.is_open:
            return
        if self._heard or not self._reading:
            self._heard = False
            self._protocol.send_ping(b"")
            self._flush()
            wait = self._limits.ping_s if not self._reading else self._limits.pong_s_max
            self._ping_timer = self._loop.call_later(wait, self._ping)
            return
        logger.warning("the WebSocket peer %s is dead", self.peer)
        self._transport.abort()

    def _check_gone(self) -> None:
        if self._lost and self.task is None:
            self._closed(self)


def opened_session(
    handshake: Handshake,
    limits: WebSocketLimits,
    closed: Callable[[WebSocketSession], None],
) -> WebSocketSession | Response:
    """A session for a good handshake, ready to `take_over`; the refusal for a bad one."""
    protocol = ServerProtocol(max_size=limits.message_bytes_max, logger=_protocol_logger)
    protocol.receive_data(handshake.head_bytes())
    events = protocol.events_received()
    if protocol.handshake_exc is not None or not isinstance(events[0], UpgradeRequest):
        return error_response(400, f"the WebSocket handshake is wrong: {protocol.handshake_exc}")
    answer = protocol.accept(events[0])
    if answer.status_code != 101:
        return error_response(
            answer.status_code, f"the WebSocket handshake is wrong: {protocol.handshake_exc}"
        )
    protocol.send_response(answer)
    return WebSocketSession(handshake.request, protocol, limits, closed)
