"""One HTTP/1.1 connection of the server, as an asyncio protocol.

Theory of operation. Bytes are fed to llhttp (through httptools) in pieces; each complete request
goes to the end of `_waiting`, and so does a refusal, after which nothing is parsed any more. One
request at a time is taken from the front and answered, so pipelined answers come in order. When
`_waiting` is full, or the peer does not read our answers, we stop reading: the peer's own buffers
then hold the rest. Deadlines are plain numbers (`math.inf` when off) which the server's one
sweeping timer compares with the clock, so that a request costs no timer of its own.

A peer that has closed its side is gone: handlers that run are not interrupted, because what they
do may be half done at a broker, but their answers count as not delivered.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

import httptools

from fuseboard.wire.http_messages import (
    HttpLimits,
    Request,
    RequestMalformed,
    Response,
    error_response,
    request_of,
    response_bytes,
)
from fuseboard.wire.websocket_server import Handshake

_PIECE_BYTES_MAX = 16_384
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
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request | Response | Handshake, bool]] = deque()
        self._running: asyncio.Future[Response] | None = None
        self._close_after_running = False
        self._unparsed = b""
        self._reading = True
        self._writable = True
        self._parsing_over = False
        self._draining = False
        self._lost = False
        self._receive_by = math.inf
        self._answer_by = math.inf
        self._idle_by = math.inf
        self._stalled_by = math.inf
        self._linger_by = math.inf
        self.transport: asyncio.Transport
        self.peer = ""
        self._begin_message()
        self._in_message = False

    # --- the transport's side ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless the server is full."""
        # uvloop's transports do what asyncio.Transport does but are not of that class.
        self.transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.peer = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "unix"
        if self._owner.opened(self):
            self._idle_by = self._loop.time() + self._limits.idle_s_max
        else:
            self._parsing_over = True
            full = error_response(503, "the server has too many connections")
            self.transport.write(response_bytes(full, close=True))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was not begun; what runs goes on, undelivered."""
        self._lost = True
        self._parsing_over = True
        self._waiting.clear()
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
        if self._parsing_over:  # Refused, or a WebSocket client that did not wait for our answer.
            return
        if self._unparsed or not self._reading:
            self._unparsed += data
        else:
            self._parse(data)
            self._advance()

    # --- reading -------------------------------------------------------------------------------

    def _parse(self, data: bytes) -> None:
        """Feed the parser until the data is used up, the queue is full or parsing is over."""
        for start in range(0, len(data), _PIECE_BYTES_MAX):
            piece = data[start : start + _PIECE_BYTES_MAX]
            was_in_head = self._in_message and not self._head_complete
            try:
                self._parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                if self._fault is not None:
                    self._refuse(self._fault)
                self._unparsed = data[start + upgrade.args[0] :]
                self._parsing_over = True
                return
            except httptools.HttpParserError as wrong:
                self._refuse(error_response(400, f"the request cannot be understood: {wrong}"))
                return
            if was_in_head and not self._head_complete:
                # llhttp holds a field without an end back: count what came, not what it gave us.
                self._head_bytes_raw += len(piece)
                if self._head_bytes_raw > self._limits.header_bytes_max + _PIECE_BYTES_MAX:
                    self._refuse(_head_too_large(self._limits))
            if self._fault is not None:
                self._refuse(self._fault)
            if self._parsing_over:
                return
            if len(self._waiting) >= self._limits.requests_queued_max:
                self._unparsed = data[start + len(piece) :]
                self._stop_reading()
                return

    def _stop_reading(self) -> None:
        self._reading = False
        self._receive_by = math.inf
        self.transport.pause_reading()

    def _resume_reading(self) -> None:
        """Read on once half the queue is free; what was left unparsed goes first."""
        if self._parsing_over or 2 * len(self._waiting) > self._limits.requests_queued_max:
            return
        self._reading = True
        data, self._unparsed = self._unparsed, b""
        if data:
            self._parse(data)
        if self._reading and not self._parsing_over:
            self.transport.resume_reading()
            if self._in_message:
                self._receive_by = self._loop.time() + self._limits.receive_s_max

    def _refuse(self, refusal: Response) -> None:
        """Answer this after everything before it, and read nothing more."""
        if not self._parsing_over:
            self._parsing_over = True
            self._receive_by = math.inf
            self._waiting.append((refusal, True))

    # --- called by the parser ------------------------------------------------------------------

    def _begin_message(self) -> None:
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._head_bytes = 0
        self._head_bytes_raw = 0
        self._body_bytes = 0
        self._head_complete = False
        self._continue_owed = False
        self._in_message = True
        self._fault: Response | None = None

    def on_message_begin(self) -> None:
        """The first byte of a request came."""
        if self._fault is None and not self._parsing_over:
            self._begin_message()
            self._idle_by = math.inf
            self._receive_by = self._loop.time() + self._limits.receive_s_max

    def on_url(self, part: bytes) -> None:
        """A part of the request target."""
        self._target += part
        self._count_head(len(part))

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """One field of the head, or of the trailer, which is counted and dropped."""
        self._count_head(len(name) + len(value or b""))
        if not self._head_complete:
            self._fields.append((name, value or b""))
        if len(self._fields) > self._limits.header_fields_max:
            self._fault = self._fault or _head_too_large(self._limits)

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._limits.header_bytes_max:
            self._fault = self._fault or _head_too_large(self._limits)

    def on_headers_complete(self) -> None:
        """The head is complete: judge the announced size before the body comes."""
        self._head_complete = True
        for name, value in self._fields:
            lowered = name.lower()
            if lowered == b"content-length":
                if int(value) > self._limits.body_bytes_max:  # llhttp has checked its digits.
                    self._fault = self._fault or _body_too_large(self._limits)
            elif lowered == b"expect":
                self._continue_owed = value.lower() == b"100-continue"

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._continue_owed = False
        self._body_bytes += len(part)
        if self._body_bytes > self._limits.body_bytes_max:
            self._fault = self._fault or _body_too_large(self._limits)
        else:
            self._body.append(part)

    def on_message_complete(self) -> None:
        """The request is complete: it waits for its turn."""
        if self._fault is not None or self._parsing_over:
            return
        self._in_message = False
        self._continue_owed = False
        self._receive_by = math.inf
        try:
            request = request_of(
                method=self._parser.get_method(),
                target=self._target,
                fields=self._fields,
                body=b"".join(self._body),
                peer=self.peer,
            )
        except RequestMalformed as wrong:
            self._fault = error_response(400, str(wrong))
            return
        if request.method == "HEAD":
            self._fault = error_response(405, "HEAD is not supported")
            return
        wants_upgrade = self._parser.should_upgrade()
        if wants_upgrade and request.headers.get("upgrade", "").lower() == "websocket":
            self._waiting.append((Handshake(request, self._fields), True))
        else:
            # llhttp cannot read on after an upgrade that we do not follow (h2c): close instead.
            keep = self._parser.should_keep_alive() and not wants_upgrade
            old = self._parser.get_http_version() != "1.1"
            self._waiting.append((request, old or not keep))

    # --- answering -----------------------------------------------------------------------------

    def _advance(self) -> None:
        """Answer what waits, in order, as far as possible without waiting ourselves."""
        while self._waiting and self._running is None and self._writable:
            if self.transport.is_closing():
                return
            item, close = self._waiting.popleft()
            if isinstance(item, Request):
                self._answer(item, close=close)
            elif isinstance(item, Handshake):
                self._upgrade(item)
            else:
                self._write(item, close=True)
            if not self._reading:
                self._resume_reading()
        if self._running is None and not self._waiting and not self.transport.is_closing():
            self._rest()

    def _rest(self) -> None:
        """Nothing waits for an answer: say 100 Continue if owed, or start being idle."""
        if self._continue_owed and not self._parsing_over and self._head_complete:
            self._continue_owed = False
            self.transport.write(_CONTINUE)
        if not self._in_message and not self._parsing_over:
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
        logger.error("a request from %s was not answered in time", self.peer)
        self._write(self._limits.late, close=self._close_after_running)
        if self._lost:
            self._owner.closed(self)
        else:
            self._advance()

    def _write(self, response: Response, *, close: bool) -> None:
        if self.transport.is_closing():
            _tell(response, delivered=False)
            return
        close = close or (self._draining and not self._waiting)
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
        self._parsing_over = True
        self._waiting.clear()
        self._unparsed = b""
        self._receive_by = self._idle_by = math.inf
        self._linger_by = self._loop.time() + self._limits.linger_s_max
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if not self._reading:
            self._reading = True
            self.transport.resume_reading()

    def _upgrade(self, handshake: Handshake) -> None:
        handshake.early = self._unparsed
        self._unparsed = b""
        refusal = self._owner.upgrade(self, handshake)
        if refusal is not None:
            self._write(refusal, close=True)

    # --- the server's side ---------------------------------------------------------------------

    def sweep(self, now: float) -> None:
        """Act on deadlines that have passed."""
        if now >= self._answer_by:
            self._late()
        if now >= self._receive_by:
            self._refuse(error_response(408, "the request did not arrive in time"))
            self._advance()
        if now >= self._idle_by:
            self.transport.close()
        if now >= self._stalled_by or now >= self._linger_by:
            self.transport.abort()

    def drain(self) -> None:
        """Answer what has arrived, take nothing more, close."""
        self._draining = True
        if self._running is None and not self._waiting and not self.transport.is_closing():
            self.transport.close()


def _tell(response: Response, *, delivered: bool) -> None:
    if response.delivered is not None:
        response.delivered(delivered)


def _head_too_large(limits: HttpLimits) -> Response:
    return error_response(
        431,
        f"the request head is larger than {limits.header_bytes_max} bytes"
        f" or has more than {limits.header_fields_max} fields",
    )


def _body_too_large(limits: HttpLimits) -> Response:
    return error_response(413, f"the request body is larger than {limits.body_bytes_max} bytes")
