"""A thin HTTP/1.1 server with WebSockets on the same port: one protocol object per connection.

It promises: answers in order, every limit named in `HttpLimits`, errors always as JSON, never a
redirect, never a status that makes Alpaca's clients send an order again (429, 504) of its own.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from fuseboard.wire.http_connection import HttpConnection, RequestHandler
from fuseboard.wire.http_messages import (
    HttpLimits,
    Request,
    RequestMalformed,
    Response,
    error_response,
)
from fuseboard.wire.websocket_server import (
    Handshake,
    WebSocketLimits,
    WebSocketSession,
    opened_session,
)

__all__ = [
    "HttpLimits",
    "HttpServer",
    "Request",
    "RequestHandler",
    "RequestMalformed",
    "Response",
    "WebSocketLimits",
    "WebSocketSession",
    "error_response",
]

_BACKLOG = 512
_ACCEPT_TURNS = 2
"""Turns of the loop from an accepted socket to `connection_made`."""
_SWEEP_S_MAX = 0.5
_NEW_PART = 4
"""Above one in so many places, connections without a whole request yet make room first."""
_LOOK_PART = 32
"""One look at all connections finds at most one in so many to close: it costs a millisecond."""


class HttpServer:
    """Listens, owns the connections, and runs the one timer that holds their deadlines.

    `handle` answers a request, directly (the fast path) or by an awaitable. `websocket` is run as
    a task for each WebSocket; without it an upgrade is answered 404.
    """

    def __init__(
        self,
        handle: RequestHandler,
        websocket: Callable[[WebSocketSession], Awaitable[None]] | None = None,
        limits: HttpLimits | None = None,
        websocket_limits: WebSocketLimits | None = None,
    ) -> None:
        self.handle = handle
        self.limits = limits or HttpLimits()
        self._tasks: set[asyncio.Future[Response]] = set()
        self._websocket = websocket
        self._websocket_limits = websocket_limits or WebSocketLimits()
        self._connections: set[HttpConnection] = set()
        self._leaving: deque[tuple[float, HttpConnection]] = deque()
        self._sessions: set[WebSocketSession] = set()
        self._listeners: list[asyncio.Server] = []
        self._bound: list[socket.socket] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._stopping = False
        self._gone = asyncio.Event()

    def bind(self, host: str, port: int) -> None:
        """Take the address, so that nobody else can; who connects waits until `start`.

        Raises `OSError` when it cannot be had.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, *_, address in dict.fromkeys(found):
            bound = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
            self._bound.append(bound)

    async def start(self, host: str, port: int) -> int:
        """Listen, at what was bound before or else here; returns the port really bound (`port` 0
        picks a free one).
        """
        loop = asyncio.get_running_loop()
        if not self._bound:
            self.bind(host, port)
        bound: int = self._bound[0].getsockname()[1]
        while self._bound:
            listener = await loop.create_server(
                lambda: HttpConnection(self), sock=self._bound.pop(0), backlog=_BACKLOG
            )
            self._listening(listener)
        return bound

    async def start_unix(self, path: Path) -> None:
        """Listen on a Unix socket; a dead socket file at `path` is replaced."""
        loop = asyncio.get_running_loop()
        _remove_dead_socket(path)
        listener = await loop.create_unix_server(
            lambda: HttpConnection(self), str(path), backlog=_BACKLOG
        )
        self._listening(listener)

    def stop_listening(self) -> None:
        """Take no new connection; those that are open are served on."""
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            for listening in listener.sockets:
                loop.remove_reader(listening)
            # A turn later: asyncio loses, open, what it has accepted for a server that is closed.
            loop.call_soon(listener.close)

    async def stop(self) -> None:
        """Stop listening, answer what has arrived within `drain_s_max`, close everything."""
        self._stopping = True
        self.stop_listening()
        while self._bound:
            self._bound.pop().close()
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)
        for session in list(self._sessions):
            session.close(1001, "the server is stopping")
        for connection in list(self._connections):
            connection.drain()
        self._check_gone()
        try:
            await asyncio.wait_for(self._gone.wait(), self.limits.drain_s_max)
        except TimeoutError:
            await self._abort()
        for listener in self._listeners:
            await listener.wait_closed()
        self._listeners.clear()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    async def _abort(self) -> None:
        """Drop what did not end by itself."""
        for connection in list(self._connections):
            connection.transport.abort()
        for session in list(self._sessions):
            session.abort()
        for task in list(self._tasks):
            task.cancel()
        sessions = [session.task for session in self._sessions if session.task is not None]
        await asyncio.gather(*self._tasks, *sessions, return_exceptions=True)

    def _listening(self, listener: asyncio.Server) -> None:
        self._listeners.append(listener)
        if self._sweeper is None:
            self._sweep()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self._connections):
            connection.sweep(now)
        shortest = min(
            self.limits.receive_s_max,
            self.limits.answer_s_max,
            self.limits.linger_s_max,
            self.limits.idle_s_max,
        )
        self._sweeper = loop.call_later(min(_SWEEP_S_MAX, shortest / 4), self._sweep)

    def _check_gone(self) -> None:
        if self._connections or self._sessions or self._tasks:
            self._gone.clear()
        else:
            self._gone.set()

    # --- what connections ask of their owner ---------------------------------------------------

    def opened(self, connection: HttpConnection) -> bool:
        """Whether there is room for one more connection, made if need be; if so it is counted.

        A full server closes the connection that has been quiet longest, so that leaked ones turn
        nobody away. It refuses only where each of the others has a request under way. One that is
        made while the server stops is closed at once.
        """
        if self._stopping:
            self._connections.add(connection)
            connection.drain()
            return True
        if len(self._connections) + len(self._sessions) >= self.limits.connections_max:
            leaving = self._next_leaving()
            if leaving is None:
                return False
            self._connections.discard(leaving)
            leaving.transport.abort()
        self._connections.add(connection)
        return True

    def _next_leaving(self) -> HttpConnection | None:
        """The next connection to close for room; one look at all of them serves several times."""
        for looked_again in (False, True):
            while self._leaving:
                since, each = self._leaving.popleft()
                if each in self._connections and each.quiet_since() == since:
                    return each
            if not looked_again:
                self._leaving.extend(self._longest_quiet())
        return None

    def _longest_quiet(self) -> list[tuple[float, HttpConnection]]:
        """Whom to close for room, next first: new ones, as long as those are many, else any."""
        most = self.limits.connections_max
        quiet = [(since, at) for at in self._connections if (since := at.quiet_since()) is not None]
        new = [at for at in quiet if at[1].is_new]
        over = len(new) - most // _NEW_PART
        found = sorted(new if over > 0 else quiet, key=lambda at: at[0])
        return found[: max(min(most // _LOOK_PART, over if over > 0 else most), 1)]

    def closed(self, connection: HttpConnection) -> None:
        """The connection is gone and none of its requests runs."""
        self._connections.discard(connection)
        self._check_gone()

    def task_started(self, task: asyncio.Future[Response]) -> None:
        """Hold a handler's task until it is done."""
        self._tasks.add(task)

    def task_done(self, task: asyncio.Future[Response]) -> None:
        """A handler's task is done."""
        self._tasks.discard(task)
        self._check_gone()

    def upgrade(self, connection: HttpConnection, handshake: Handshake) -> Response | None:
        """Hand the transport to a WebSocket session, or return the refusal."""
        if self._websocket is None:
            return error_response(404, "there is no WebSocket here")
        session = opened_session(handshake, self._websocket_limits, self._session_closed)
        if isinstance(session, Response):
            return session
        self._connections.discard(connection)
        self._sessions.add(session)
        session.take_over(connection.transport, handshake.early, self._websocket)
        return None

    def _session_closed(self, session: WebSocketSession) -> None:
        self._sessions.discard(session)
        self._check_gone()


def _remove_dead_socket(path: Path) -> None:
    """Remove a socket file that nobody listens on, as a killed process leaves it."""
    if path.is_socket():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            answered = probe.connect_ex(str(path)) == 0
        if not answered:
            path.unlink()
