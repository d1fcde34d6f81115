"""One HTTP/1.1 connection of the server, as an asyncio protocol.

Theory of operation. Bytes are fed to a `RequestReader` in pieces; each complete request goes to the
end of its queue, and so does a refusal, after which nothing is read any more. One request at a time
is taken from the front and answered, so pipelined answers come in order. When the queue is full, or
the peer does not read our answers, we stop reading: the peer's own buffers then hold the rest.
Deadlines are plain numbers (`math.inf` when off) which the server's one sweeping timer compares
with the clock, so that a request costs no timer of its own.

A peer that has closed its side is gone: handlers that run are not interrupted, because what they
do may be half done at a broker, but their answers count as not delivered.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from fuseboard.wire.http_messages import (
    HttpLimits,
    Request,
    Response,
    error_response,
    response_bytes,
)
from fuseboard.wire.http_reader import PIECE_BYTES_MAX, RequestReader
from fuseboard.wire.unix_peer import unix_peer
from fuseboard.wire.websocket_server import Handshake

_FAULT = error_response(500, "the request failed inside the server")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
logger = logging.getLogger(__name__)

RequestHandler = Callable[[Request], Response | Awaitable[Response]]


class ConnectionOwner(Protocol):
    """What a connection needs from the server it belongs to."""

    handle: RequestHandler
    limits: HttpLimits

    def opened(self, connection: "HttpConnection") -> bool:
        """Whether there is room for one more; if so it is counted."""

    def closed(self, connection: "HttpConnection") -> None:
        """The connection is gone."""

    def task_started(self, task: asyncio.Future[Response]) -> None:
        """A handler runs on; `task_done` will follow."""

    def task_done(self, task: asyncio.Future[Response]) -> None:
        """A handler's task is done."""

    def upgrade(self, connection: "HttpConnection", handshake: Handshake) -> Response | None:
        """Take the transport over for a WebSocket, or say why not."""


class HttpConnection(asyncio.Protocol):
    """Reads requests from one transport, has them handled, writes the answers in order."""

    def __init__(self, owner: ConnectionOwner) -> None:
        self._owner = owner
        self._limits = owner.limits
        self._loop = asyncio.get_running_loop()
        self._running: asyncio.Future[Response] | None = None
        self._close_after_running = False
        self._unparsed = b""
        self._reading = True
        self._writable = True
        self._draining = False
        self._lost = False
        self._receive_by = math.inf
        self._answer_by = math.inf
        self._idle_by = math.inf
        self._stalled_by = math.inf
        self._linger_by = math.inf
        self.transport: asyncio.Transport
        self._reader: RequestReader

    # --- the transport's side ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless the server is full."""
        # uvloop's transports do what asyncio.Transport does but are not of that class.
        self.transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        name = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else unix_peer(self.transport)
        self._reader = RequestReader(self._limits, name, self)
        if self._owner.opened(self):
            self._idle_by = self._loop.time() + self._limits.idle_s_max
        else:
            self._reader.over = True
            full = error_response(503, "the server has too many connections")
            self.transport.write(response_bytes(full, close=True))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was not begun; what runs goes on, undelivered."""
        self._lost = True
        self._reader.over = True
        self._reader.arrived.clear()
        self._unparsed = b""
        self._receive_by = self._idle_by = self._stalled_by = self._linger_by = math.inf
        if self._running is None:
            self._owner.closed(self)

    def pause_writing(self) -> None:
        """The peer is slow to read: answer nothing more until it has."""
        self._writable = False
        self._stalled_by = self._loop.time() + self._limits.write_stall_s_max

    def resume_writing(self) -> None:
        """The peer has read: go on."""
        self._writable = True
        self._stalled_by = math.inf
        self._advance()

    def data_received(self, data: bytes) -> None:
        """Parse what came and answer what can be answered now."""
        if self._reader.over:  # Refused, or a WebSocket client that did not wait for our answer.
            return
        if self._unparsed or not self._reading:
            self._unparsed += data
        else:
            self._parse(data)
            self._advance()

    # --- reading -------------------------------------------------------------------------------

    def _parse(self, data: bytes) -> None:
        """Feed the reader until the data is used up, the queue is full or reading is over."""
        reader = self._reader
        for start in range(0, len(data), PIECE_BYTES_MAX):
            begun_count = reader.begun_count
            reader.feed(data[start : start + PIECE_BYTES_MAX])
            if reader.over:
                reader.early += data[start + PIECE_BYTES_MAX :]
                self._receive_by = math.inf
                return
            if not reader.in_message:
                self._receive_by = math.inf
            elif reader.begun_count != begun_count:
                self._receive_by = self._loop.time() + self._limits.receive_s_max
                self._idle_by = math.inf
            if len(reader.arrived) >= self._limits.requests_queued_max:
                self._unparsed = data[start + PIECE_BYTES_MAX :]
                self._stop_reading()
                return

    def _stop_reading(self) -> None:
        self._reading = False
        self._receive_by = math.inf
        self.transport.pause_reading()

    def _resume_reading(self) -> None:
        """Read on once half the queue is free; what was left unparsed goes first."""
        if self._reader.over or 2 * len(self._reader.arrived) > self._limits.requests_queued_max:
            return
        self._reading = True
        data, self._unparsed = self._unparsed, b""
        if data:
            self._parse(data)
        if self._reading and not self._reader.over:
            self.transport.resume_reading()
            if self._reader.in_message:
                self._receive_by = self._loop.time() + self._limits.receive_s_max

    # --- answering -----------------------------------------------------------------------------

    def _advance(self) -> None:
        """Answer what waits, in order, as far as possible without waiting ourselves."""
        while self._reader.arrived and self._running is None and self._writable:
            if self.transport.is_closing():
                return
            arrival = self._reader.arrived.popleft()
            item = arrival.item
            if isinstance(item, Request):
                self._answer(item, close=arrival.close)
            elif isinstance(item, Handshake):
                self._upgrade(item)
            else:
                self._write(item, close=True)
            if not self._reading:
                self._resume_reading()
        if self._running is None and not self._reader.arrived and not self.transport.is_closing():
            self._rest()

    def _rest(self) -> None:
        """Nothing waits for an answer: say 100 Continue if owed, or start being idle."""
        if self._reader.continue_owed:
            self._reader.continue_said()
            self.transport.write(_CONTINUE)
        if not self._reader.in_message and not self._reader.over:
            if self._draining:
                self.transport.close()
            elif self._idle_by == math.inf:
                self._idle_by = self._loop.time() + self._limits.idle_s_max

    def _answer(self, request: Request, *, close: bool) -> None:
        self._idle_by = math.inf
        try:
            result = self._owner.handle(request)
        except Exception:  # Whatever a handler does wrong is logged, and answered as our fault.
            logger.exception("the handler of %s %s failed", request.method, request.path)
            self._write(_FAULT, close=close)
            return
        if isinstance(result, Response):
            self._write(result, close=close)
            return
        self._running = asyncio.ensure_future(result)
        self._owner.task_started(self._running)
        self._close_after_running = close
        self._answer_by = self._loop.time() + self._limits.answer_s_max
        self._running.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Future[Response]) -> None:
        """A handler's task is done; if it was too late, its answer was given already."""
        self._owner.task_done(task)
        response = _FAULT
        if task.cancelled():
            response = error_response(503, "the server is stopping")
        elif (failure := task.exception()) is not None:
            logger.error("a request handler failed", exc_info=failure)
        else:
            response = task.result()
        if task is not self._running:
            _tell(response, delivered=False)
            return
        self._running = None
        self._answer_by = math.inf
        self._write(response, close=self._close_after_running)
        if self._lost:
            self._owner.closed(self)
        else:
            self._advance()

    def _late(self) -> None:
        """The handler did not answer in time: answer for it, then cancel it."""
        task, self._running = self._running, None
        self._answer_by = math.inf
        assert task is not None
        task.cancel()
        logger.error("a request was not answered in time")
        self._write(self._limits.late, close=self._close_after_running)
        if self._lost:
            self._owner.closed(self)
        else:
            self._advance()

    def _write(self, response: Response, *, close: bool) -> None:
        if self.transport.is_closing():
            _tell(response, delivered=False)
            return
        close = close or (self._draining and not self._reader.arrived)
        try:
            data = response_bytes(response, close=close)
        except ValueError:
            logger.exception("an answer could not be written")
            _tell(response, delivered=False)
            response = _FAULT
            data = response_bytes(response, close=close)
        self.transport.write(data)
        _tell(response, delivered=True)
        if close:
            self._linger()

    def _linger(self) -> None:
        """Close our side and drop what still comes, so that a reset cannot eat the answer."""
        self._reader.over = True
        self._reader.arrived.clear()
        self._unparsed = b""
        self._receive_by = self._idle_by = math.inf
        self._linger_by = self._loop.time() + self._limits.linger_s_max
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if not self.transport.is_reading():
            self.transport.resume_reading()

    def _upgrade(self, handshake: Handshake) -> None:
        handshake.early = self._reader.early
        refusal = self._owner.upgrade(self, handshake)
        if refusal is not None:
            self._write(refusal, close=True)

    # --- the server's side ---------------------------------------------------------------------

    @property
    def is_new(self) -> bool:
        """Whether no whole request has come over this connection yet."""
        return self._reader.begun_count == self._reader.in_message

    def quiet_since(self) -> float | None:
        """Since when nothing but the peer is waited for; None while a request is under way.

        Half a first request is not one: of a connection that is new it is the start of that half.
        """
        reader = self._reader
        if self._running is not None or reader.arrived or reader.over or self._unparsed:
            return None
        if not reader.in_message:
            return self._idle_by - self._limits.idle_s_max
        return self._receive_by - self._limits.receive_s_max if self.is_new else None

    def sweep(self, now: float) -> None:
        """Act on deadlines that have passed."""
        if now >= self._answer_by:
            self._late()
        if now >= self._receive_by:
            self._receive_by = math.inf
            self._reader.refuse(error_response(408, "the request did not arrive in time"))
            self._advance()
        if now >= self._idle_by:
            self.transport.close()
        if now >= self._stalled_by or now >= self._linger_by:
            self.transport.abort()

    @property
    def is_open(self) -> bool:
        """Whether an answer could still be written."""
        return not (self._lost or self.transport.is_closing())

    def drain(self) -> None:
        """Answer what has arrived, take nothing more, close."""
        self._draining = True
        if self._running is None and not self._reader.arrived and not self.transport.is_closing():
            self.transport.close()


def _tell(response: Response, *, delivered: bool) -> None:
    if response.delivered is not None:
        response.delivered(delivered)
