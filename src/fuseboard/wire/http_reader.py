"""Reading requests from bytes: HTTP/1.1 through llhttp, without a socket and without a clock.

`feed` takes bytes and leaves what became of them in `arrived`: requests, WebSocket handshakes, or
one refusal, after which the reader is `over` and takes nothing more.
"""

from collections import deque

import httptools
from msgspec import Struct

from fuseboard.wire.http_messages import (
    HttpLimits,
    Link,
    Request,
    RequestMalformed,
    Response,
    error_response,
    request_of,
)
from fuseboard.wire.websocket_server import Handshake

PIECE_BYTES_MAX = 16_384


class Arrival(Struct, frozen=True):
    """Something to be answered, and whether the connection must close after the answer."""

    item: Request | Response | Handshake
    close: bool


class RequestReader:
    """The requests of one connection. `arrived` is emptied from the left by whoever answers."""

    def __init__(self, limits: HttpLimits, peer: str, link: Link | None = None) -> None:
        self.arrived: deque[Arrival] = deque()
        self.over = False
        self.early = b""
        """After a handshake: the bytes that came behind it."""
        self.begun_count = 0
        self._limits = limits
        self._peer = peer
        self._link = link
        self._parser = httptools.HttpRequestParser(self)
        self._begin_message()
        self.in_message = False

    @property
    def continue_owed(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body."""
        return self._continue_asked and self._head_complete and not self.over

    def continue_said(self) -> None:
        """The client has been told to go on."""
        self._continue_asked = False

    def feed(self, piece: bytes) -> None:
        """Read at most `PIECE_BYTES_MAX` bytes."""
        was_in_head = self.in_message and not self._head_complete
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            if self._fault is not None:
                self.refuse(self._fault)
            self.early = piece[upgrade.args[0] :]
            self.over = True
            return
        except httptools.HttpParserError as wrong:
            self.refuse(error_response(400, f"the request cannot be understood: {wrong}"))
            return
        if was_in_head and not self._head_complete:
            # llhttp holds a field without an end back: count what came, not what it gave us.
            self._head_bytes_raw += len(piece)
            if self._head_bytes_raw > self._limits.header_bytes_max + PIECE_BYTES_MAX:
                self.refuse(_head_too_large(self._limits))
        if self._fault is not None:
            self.refuse(self._fault)

    def refuse(self, refusal: Response) -> None:
        """Answer this after everything before it, and read nothing more."""
        if not self.over:
            self.over = True
            self.arrived.append(Arrival(refusal, close=True))

    # --- called by the parser ------------------------------------------------------------------

    def _begin_message(self) -> None:
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._head_bytes = 0
        self._head_bytes_raw = 0
        self._body_bytes = 0
        self._head_complete = False
        self._continue_asked = False
        self.in_message = True
        self._fault: Response | None = None

    def on_message_begin(self) -> None:
        """The first byte of a request came."""
        if self._fault is None and not self.over:
            self._begin_message()
            self.begun_count += 1

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
                self._continue_asked = value.lower() == b"100-continue"

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._continue_asked = False
        self._body_bytes += len(part)
        if self._body_bytes > self._limits.body_bytes_max:
            self._fault = self._fault or _body_too_large(self._limits)
        else:
            self._body.append(part)

    def on_message_complete(self) -> None:
        """The request is complete: it waits for its turn."""
        if self._fault is not None or self.over:
            return
        self.in_message = False
        self._continue_asked = False
        try:
            request = request_of(
                method=self._parser.get_method(),
                target=self._target,
                fields=self._fields,
                body=b"".join(self._body),
                peer=self._peer,
                link=self._link,
            )
        except RequestMalformed as wrong:
            self._fault = error_response(400, str(wrong))
            return
        if request.method == "HEAD":
            self._fault = error_response(405, "HEAD is not supported")
            return
        wants_upgrade = self._parser.should_upgrade()
        if wants_upgrade and request.headers.get("upgrade", "").lower() == "websocket":
            self.arrived.append(Arrival(Handshake(request, self._fields), close=True))
        else:
            # llhttp cannot read on after an upgrade that we do not follow (h2c): close instead.
            keep = self._parser.should_keep_alive() and not wants_upgrade
            old = self._parser.get_http_version() != "1.1"
            self.arrived.append(Arrival(request, close=old or not keep))


def _head_too_large(limits: HttpLimits) -> Response:
    return error_response(
        431,
        f"the request head is larger than {limits.header_bytes_max} bytes"
        f" or has more than {limits.header_fields_max} fields",
    )


def _body_too_large(limits: HttpLimits) -> Response:
    return error_response(413, f"the request body is larger than {limits.body_bytes_max} bytes")
