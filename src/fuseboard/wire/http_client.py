"""A small pooled HTTP/1.1 client whose errors say whether bytes had left.

`NotWritten`: certainly nothing reached the other side. `AnswerLost`: bytes left and no complete
answer came, so it may have acted. Nothing is ever sent twice: a pooled connection that turns out
closed before a byte was written is replaced, and that is all.
"""

import asyncio
import re
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

import httptools
from msgspec import Struct

_TARGET = re.compile(r"/[!-~]*", re.ASCII)
_FIELD_NAME = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
_FIELD_VALUE = re.compile(r"[ -~]*", re.ASCII)


class NotWritten(Exception):
    """No byte of the request left: no connection, no room in the pool in time, or refused."""


class WriteRefused(NotWritten):
    """`before_write` said no at the socket."""


class AnswerLost(Exception):
    """Bytes of the request left, and no complete answer came back."""


class HttpAnswer(Struct, frozen=True):
    """One complete answer; header names are lower-case. Redirects are answers like others."""

    status: int
    headers: dict[str, str]
    body: bytes


class ClientLimits(Struct, frozen=True, kw_only=True):
    """What one client uses. A pooled connection idle for `idle_s_max` is not used again."""

    connections_max: int = 16
    waiting_max: int = 1024
    idle_s_max: float = 15.0
    answer_bytes_max: int = 32 << 20
    header_fields_max: int = 200


class HttpClient:
    """Speaks to one origin (`http://host:port` or `https://host`), verified TLS for https."""

    def __init__(
        self,
        origin: str,
        *,
        limits: ClientLimits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or parts.hostname is None:
            raise ValueError(f"{origin!r} is not an http or https address")
        if parts.path not in {"", "/"} or parts.query or parts.username is not None:
            raise ValueError(f"{origin!r} is more than a scheme, a host and a port")
        self._host = parts.hostname
        self._secure = parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self._tls = (tls or ssl.create_default_context()) if self._secure else None
        self._host_field = parts.netloc
        self._limits = limits or ClientLimits()
        self._idle: list[_Link] = []
        self._links: set[_Link] = set()
        self._connecting = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    async def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float = 5.0,
        *,
        before_write: Callable[[], bool] | None = None,
    ) -> HttpAnswer:
        """One request, one answer, within `timeout_s`. Raises `NotWritten` or `AnswerLost`.

        `before_write` is asked in the same moment in which the bytes are given to the socket: no
        other code runs in between.
        """
        data = self._request_bytes(method, target, headers or {}, body)
        deadline = asyncio.get_running_loop().time() + timeout_s
        link = await self._obtained(deadline)
        try:
            allowed = before_write is None or before_write()
        except BaseException:
            self._release(link)
            raise
        if not allowed:
            self._release(link)
            raise WriteRefused("refused at the socket")
        answer = link.send(data)
        try:
            async with asyncio.timeout_at(deadline):
                return await answer
        except TimeoutError as late:
            raise AnswerLost(f"no answer to {method} within {timeout_s:g} s") from late
        finally:
            self._release(link)

    async def close(self) -> None:
        """Close every connection; requests under way end as lost or not written."""
        self._closed = True
        self._wake(len(self._waiting))
        links = list(self._links)
        for link in links:
            link.transport.abort()
        for link in links:
            await link.gone.wait()

    # --- the pool ------------------------------------------------------------------------------

    async def _obtained(self, deadline: float) -> "_Link":
        """A link that is open and free, by the deadline."""
        try:
            async with asyncio.timeout_at(deadline):
                while not self._closed:
                    link = self._pooled()
                    if link is None and self._open_count() < self._limits.connections_max:
                        link = await self._connected()
                    if link is not None and link.is_usable():
                        return link
                    if link is None:
                        await self._room()
        except TimeoutError as late:
            raise NotWritten("no connection in time") from late
        except OSError as failed:  # ssl.SSLError is one.
            raise NotWritten(f"no connection to {self._host_field}: {failed}") from failed
        raise NotWritten("the client is closed")

    def _pooled(self) -> "_Link | None":
        """The link used last, if it is still good."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            link = self._idle.pop()
            if link.is_usable() and now - link.idle_since < self._limits.idle_s_max:
                return link
            link.transport.abort()
        return None

    def _open_count(self) -> int:
        return len(self._links) + self._connecting

    async def _connected(self) -> "_Link":
        self._connecting += 1
        try:
            transport, link = await asyncio.get_running_loop().create_connection(
                lambda: _Link(self._limits, self._lost),
                self._host,
                self._port,
                ssl=self._tls,
                server_hostname=self._host if self._secure else None,
            )
        except BaseException:
            self._wake(1)
            raise
        finally:
            self._connecting -= 1
        if self._closed:
            transport.abort()
        if not link.gone.is_set():
            self._links.add(link)
        return link

    async def _room(self) -> None:
        """Wait until a link is free or gone."""
        if len(self._waiting) >= self._limits.waiting_max:
            raise NotWritten("too many requests wait for a connection")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self._wake(1)  # The place was given to us and we do not take it.
            raise
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def _wake(self, count: int) -> None:
        while count > 0 and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                count -= 1

    def _release(self, link: "_Link") -> None:
        """Back into the pool if it can be used again; otherwise it goes."""
        if link.is_usable() and not self._closed:
            link.idle_since = asyncio.get_running_loop().time()
            self._idle.append(link)
            self._wake(1)
        else:
            link.transport.abort()

    def _lost(self, link: "_Link") -> None:
        self._links.discard(link)
        if link in self._idle:
            self._idle.remove(link)
        self._wake(1)

    def _request_bytes(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> bytes:
        """The request's bytes; raises `ValueError` for what would break its framing."""
        if _FIELD_NAME.fullmatch(method) is None or _TARGET.fullmatch(target) is None:
            raise ValueError(f"{method[:20]!r} {target[:80]!r} is not a request line")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host_field}"]
        if body or method not in {"GET", "DELETE"}:
            lines.append(f"Content-Length: {len(body)}")
        for name, value in headers.items():
            if _FIELD_NAME.fullmatch(name) is None or _FIELD_VALUE.fullmatch(value) is None:
                raise ValueError(f"{name[:40]!r} is not a header that can be sent")
            lines.append(f"{name}: {value}")
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body


class _Link(asyncio.Protocol):
    """One connection: at most one request on it at a time."""

    def __init__(self, limits: ClientLimits, lost: Callable[["_Link"], None]) -> None:
        self._limits = limits
        self._lost = lost
        self._answer: asyncio.Future[HttpAnswer] | None = None
        self._reusable = True
        self.transport: asyncio.Transport
        self.gone = asyncio.Event()
        self.idle_since = 0.0

    def is_usable(self) -> bool:
        """Whether a request may be written now."""
        return self._reusable and self._answer is None and not self.transport.is_closing()

    def send(self, data: bytes) -> asyncio.Future[HttpAnswer]:
        """Write a request; the future becomes its answer or raises `AnswerLost`."""
        assert self.is_usable()
        self._parser = httptools.HttpResponseParser(self)
        self._start_answer()
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return self._answer

    def _start_answer(self) -> None:
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._fields = 0

    def _fail(self, why: str) -> None:
        self._reusable = False
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(AnswerLost(why))
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; uvloop's is not of asyncio's class."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever was awaited is lost."""
        self._fail(f"the connection was lost: {exc}" if exc else "the connection was closed")
        self.gone.set()
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; bytes that nobody asked for end the connection."""
        if self._answer is None:
            self._fail("unasked bytes came")
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as wrong:
            self._fail(f"the answer cannot be understood: {wrong}")

    def on_message_begin(self) -> None:
        """An answer begins; a second one to the same request spoils the connection."""
        if self._answer is None:
            self._reusable = False

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """One field of the answer's head."""
        self._fields += 1
        text = (value or b"").decode("latin-1")
        self._count(len(name) + len(text))
        if self._fields <= self._limits.header_fields_max:
            self._headers[name.lower().decode("latin-1")] = text

    def on_body(self, part: bytes) -> None:
        """A part of the answer's body."""
        self._count(len(part))
        self._body.append(part)

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._limits.answer_bytes_max:
            self._body.clear()
            self._fail(f"the answer is larger than {self._limits.answer_bytes_max} bytes")

    def on_message_complete(self) -> None:
        """The answer is complete, unless it was only an interim one (100 Continue)."""
        status = self._parser.get_status_code()
        if status < 200:
            self._start_answer()
            return
        answer, self._answer = self._answer, None
        # An answer to a request that is not all written yet leaves the connection unusable.
        if not self._parser.should_keep_alive() or self.transport.get_write_buffer_size():
            self._reusable = False
        if answer is not None and not answer.done():
            answer.set_result(HttpAnswer(status, self._headers, b"".join(self._body)))
        else:
            self._reusable = False
