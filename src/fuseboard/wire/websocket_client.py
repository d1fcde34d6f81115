"""A WebSocket that is connected again for ever: exponential backoff with full jitter."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

logger = logging.getLogger(__name__)
Session = Callable[[ClientConnection, Callable[[], None]], Awaitable[None]]
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
