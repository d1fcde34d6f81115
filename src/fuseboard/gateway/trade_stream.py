"""The `trade_updates` stream: each strategy is told what happens to its own orders.

There is no replay, as at Alpaca: a client that was away reads its orders again. A client that does
not read is closed by the session's own bound rather than kept.
"""

import asyncio
from collections.abc import Callable, Iterable

from fuseboard.gateway.keys import Keys
from fuseboard.gateway.limits import GatewayLimits
from fuseboard.gateway.presence import Presence
from fuseboard.gateway.sessions import Caller, caller_of_pair
from fuseboard.wire.alpaca_stream import (
    AUTHORIZED,
    UNAUTHORIZED,
    StreamMalformed,
    credentials_of,
    decoded_command,
    listening,
)
from fuseboard.wire.alpaca_values import json_bytes
from fuseboard.wire.websocket_server import WebSocketSession

STREAM = "trade_updates"
PATHS = ("/stream", "/stream/")

POLICY_VIOLATION = 1008
KILLED_REASON = "trading is killed; a reset lets you connect again"
NOT_UNDERSTOOD = 1003
TRY_AGAIN_LATER = 1013


class _Listener:
    """One authorized session."""

    __slots__ = ("caller", "is_listening", "session")

    def __init__(self, session: WebSocketSession, caller: Caller) -> None:
        self.session = session
        self.caller = caller
        self.is_listening = False


class TradeStreams:
    """All `trade_updates` sessions; bounded in number, and per key."""

    def __init__(
        self,
        keys: Keys,
        limits: GatewayLimits,
        is_killed: Callable[[str], bool],
        presence: Presence,
    ) -> None:
        self._keys = keys
        self._presence = presence
        self._is_killed = is_killed
        self._limits = limits
        self._open_count = 0
        self._listeners: dict[str, list[_Listener]] = {}

    async def run(self, session: WebSocketSession) -> None:
        """Serve one session until it is closed."""
        if self._open_count >= self._limits.trade_sessions_max:
            session.close(TRY_AGAIN_LATER, "too many trade_updates sessions")
            return
        self._open_count += 1
        try:
            caller = await self._authorized(session)
            if caller is not None:
                await self._serve(session, caller)
        finally:
            self._open_count -= 1

    def is_wanted(self, strategy: str) -> bool:
        """Whether anybody listens to this strategy's orders."""
        return any(each.is_listening for each in self._listeners.get(strategy, ()))

    def publish(self, strategy: str, update: dict[str, object]) -> None:
        """Send one `trade_updates` message to every session of the strategy that listens."""
        message = json_bytes(update)
        for listener in tuple(self._listeners.get(strategy, ())):
            if not listener.is_listening:
                continue
            if self._keys.is_live(listener.caller.key_id):
                listener.session.send(message)
            else:
                listener.session.close(POLICY_VIOLATION, "the key was revoked")

    def disconnect(self, strategy: str) -> None:
        """Close every session of a strategy that was killed."""
        for listener in tuple(self._listeners.get(strategy, ())):
            listener.session.close(POLICY_VIOLATION, KILLED_REASON)

    def strategies(self) -> list[str]:
        """Every strategy with a session."""
        return list(self._listeners)

    async def _authorized(self, session: WebSocketSession) -> Caller | None:
        """The caller by the first message; the first frame we send is the authorization."""
        try:
            async with asyncio.timeout(self._limits.authorization_wait_s):
                message = await session.receive()
        except TimeoutError:
            session.close(POLICY_VIOLATION, "no authorization came")
            return None
        pair = credentials_of(_decoded(message))
        caller = None if pair is None else caller_of_pair(self._keys, *pair)
        if caller is not None and self._is_killed(caller.strategy):
            await asyncio.sleep(self._limits.killed_pause_s)  # Some clients try again at once.
            session.send(json_bytes(UNAUTHORIZED))
            session.close(POLICY_VIOLATION, KILLED_REASON)
            return None
        is_full = caller is not None and self._count(caller) >= self._limits.sessions_of_a_key_max
        is_authorized = caller is not None and not is_full
        session.send(json_bytes(AUTHORIZED if is_authorized else UNAUTHORIZED))
        if is_full:
            session.close(TRY_AGAIN_LATER, "too many sessions with this key")
            return None
        if caller is None:
            session.close(POLICY_VIOLATION, "unauthorized")
        return caller

    async def _serve(self, session: WebSocketSession, caller: Caller) -> None:
        listener = _Listener(session, caller)
        listeners = self._listeners.setdefault(caller.strategy, [])
        listeners.append(listener)
        self._presence.stream_opened(caller.strategy)
        try:
            while (message := await session.receive()) is not None:
                asked = _decoded(message)
                if not asked:
                    session.close(NOT_UNDERSTOOD, "the message is not a JSON object")
                    return
                if asked.get("action") == "listen":
                    listener.is_listening = STREAM in _streams(asked)
                    streams = [STREAM] if listener.is_listening else []
                    session.send(json_bytes(listening(streams)))
        finally:
            listeners.remove(listener)
            if not listeners:
                self._listeners.pop(caller.strategy, None)
            self._presence.stream_closed(caller.strategy)

    def _count(self, caller: Caller) -> int:
        listeners = self._listeners.get(caller.strategy, ())
        return sum(each.caller.key_id == caller.key_id for each in listeners)


def _decoded(message: str | bytes | None) -> dict[str, object]:
    """The JSON object of a message; empty for anything else."""
    if message is None:
        return {}
    try:
        asked = decoded_command(message)
    except StreamMalformed:
        return {}
    return asked if isinstance(asked, dict) else {}


def _streams(asked: dict[str, object]) -> Iterable[object]:
    data = asked.get("data")
    streams = data.get("streams") if isinstance(data, dict) else None
    return streams if isinstance(streams, list) else ()
