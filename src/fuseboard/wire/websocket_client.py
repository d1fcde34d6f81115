"""A WebSocket that is connected again for ever: exponential backoff with full jitter."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping

from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

logger = logging.getLogger(__name__)
Session = Callable[[ClientConnection, Callable[[], None]], Awaitable[None]]
Died = Callable[[str], object]
_DOUBLINGS_MAX = 16


class StreamRefused(Exception):
    """The other side does not let us in, or does not speak as it should."""


class StreamLimits(Struct, frozen=True, kw_only=True):
    """How one stream is kept. Waits before attempt n are drawn from [0, first_wait_s * 2^n]."""

    open_s_max: float = 5.0
    first_wait_s: float = 0.25
    wait_s_max: float = 30.0
    message_bytes_max: int = 1 << 20
    frames_queued_max: int = 256
    ping_s: float = 10.0
    pong_s_max: float = 10.0


class _Connect(connect):
    """Never follows a redirect: the first thing that we send is a key."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class StreamTask:
    """The task that keeps a stream: it never returns by itself.

    If it fails, whoever takes what it reads did, or we did: a fault of ours that `died` is told
    once, in words; without `died`, `stop` raises it.
    """

    def __init__(self, name: str, died: Died | None) -> None:
        self._name = name
        self._died = died
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Begin it, once."""
        assert self._task is None
        self._task = asyncio.create_task(work, name=self._name)
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """End it; raises what it failed with, if nobody was told."""
        task, self._task = self._task, None
        if task is None or (task.done() and self._died is not None):
            return
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled():
                raise  # It was us who were cancelled.

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            logger.critical("%s is no longer read", self._name, exc_info=failure)
            if self._died is not None:
                self._died(f"{self._name} died: {type(failure).__name__}: {failure}")


async def kept_connected(
    url: str,
    session: Session,
    *,
    lost: Callable[[], None],
    headers: Mapping[str, str] | None = None,
    limits: StreamLimits | None = None,
    uniform: Callable[[float, float], float] = random.uniform,
) -> None:
    """Connect, run the session until it ends or fails, call `lost`, wait, again; until cancelled.

    The session calls what it is given once it is settled: the next wait starts small again.
    """
    limits = limits or StreamLimits()
    attempt = 0

    def settled() -> None:
        nonlocal attempt
        attempt = 0

    while True:
        try:
            async with _Connect(
                url,
                additional_headers=headers,
                open_timeout=limits.open_s_max,
                close_timeout=1.0,
                ping_interval=limits.ping_s,
                ping_timeout=limits.pong_s_max,
                max_size=limits.message_bytes_max,
                max_queue=limits.frames_queued_max,
                compression=None,
                proxy=None,
            ) as connection:
                await session(connection, settled)
            logger.warning("the stream %s ended", url)
        except (OSError, TimeoutError, WebSocketException, StreamRefused) as failure:
            logger.warning("the stream %s was lost: %s", url, failure or type(failure).__name__)
        lost()
        ceiling = min(limits.wait_s_max, limits.first_wait_s * 2**attempt)
        attempt = min(attempt + 1, _DOUBLINGS_MAX)
        await asyncio.sleep(uniform(0, ceiling))
