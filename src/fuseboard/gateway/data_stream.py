"""The market-data stream: one connection upstream, fanned out to every strategy that subscribes.

Market data is not attributed and not checked here; it only has to be authenticated and bounded.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from fuseboard.gateway.doors import MarketDoor
from fuseboard.gateway.keys import Keys
from fuseboard.gateway.limits import GatewayLimits
from fuseboard.gateway.sessions import Caller, caller_of_pair
from fuseboard.gateway.trade_stream import KILLED_REASON, POLICY_VIOLATION, TRY_AGAIN_LATER
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.wire.alpaca_stream import (
    AUTHENTICATED,
    GREETING,
    MSGPACK_CONTENT_TYPE,
    StreamMalformed,
    credentials_of,
    decoded_command,
    encoded_messages,
)
from fuseboard.wire.websocket_server import WebSocketSession

STOCK_PATH = re.compile(r"/v2/[a-z_]{1,32}")
OTHER_PATHS = re.compile(r"/v1beta[0-9]/.{1,64}")
CHANNELS = {
    "trades": "t",
    "quotes": "q",
    "bars": "b",
    "updatedBars": "u",
    "dailyBars": "d",
    "statuses": "s",
    "lulds": "l",
    "corrections": "c",
    "cancelErrors": "x",
    "orderbooks": "o",
}
"""Order books of stocks are the simulated exchange's, each a full one: nobody comes too late for
the first. Where the broker has none a subscription is refused.
"""
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./_-]{0,31}", re.ASCII)

Message = dict[str, Any]
Topic = tuple[str, str]
"""A message's `T` and `S`."""


class _Subscriber:
    """One authenticated session and what it subscribes to, in the order it asked."""

    __slots__ = ("as_msgpack", "caller", "session", "topics")

    def __init__(self, session: WebSocketSession, caller: Caller) -> None:
        self.session = session
        self.caller = caller
        self.as_msgpack = _wants_msgpack(session)
        self.topics: dict[Topic, None] = {}

    def subscription(self) -> Message:
        """What the client is told after each change: every channel, also the empty ones."""
        told: Message = {"T": "subscription"}
        for channel, kind in CHANNELS.items():
            told[channel] = [symbol for held, symbol in self.topics if held == kind]
        return told


class DataStreams:
    """All market-data sessions; bounded in number, per key, and in what each subscribes to."""

    def __init__(
        self,
        keys: Keys,
        market: MarketDoor,
        limits: GatewayLimits,
        is_killed: Callable[[str], bool],
    ) -> None:
        self._keys = keys
        self._is_killed = is_killed
        self._market = market
        self._limits = limits
        self._open_count = 0
        self._counts: dict[str, int] = {}
        self._by_topic: dict[Topic, dict[_Subscriber, None]] = {}
        self._upstream: dict[Topic, None] = {}
        self._subscribers: dict[_Subscriber, None] = {}

    async def run(self, session: WebSocketSession) -> None:
        """Serve one session until it is closed."""
        if self._open_count >= self._limits.data_sessions_max:
            session.close(TRY_AGAIN_LATER, "too many data sessions")
            return
        self._open_count += 1
        try:
            _send(session, GREETING)
            if STOCK_PATH.fullmatch(session.path) is None:
                _refuse(session, 409, "insufficient subscription")
                return
            caller = await self._authenticated(session)
            if caller is not None:
                await self._serve(_Subscriber(session, caller))
        finally:
            self._open_count -= 1

    def publish(self, messages: list[Message]) -> None:
        """Send each message to every session that subscribes to it, encoded once an encoding.

        One that its encoding does not hold is passed over.
        """
        for message in messages:
            topic = (str(message.get("T", "")), str(message.get("S", "")))
            encoded: dict[bool, bytes | str] = {}
            for subscriber in tuple(self._by_topic.get(topic, ())):
                if not self._keys.is_live(subscriber.caller.key_id):
                    subscriber.session.close(POLICY_VIOLATION, "the key was revoked")
                    continue
                form = subscriber.as_msgpack
                if form not in encoded:
                    encoded[form] = _encoded(message, as_msgpack=form)
                if encoded[form]:
                    subscriber.session.send(encoded[form])

    def disconnect(self, strategy: str) -> None:
        """Close every session of a strategy that was killed."""
        for subscriber in tuple(self._subscribers):
            if subscriber.caller.strategy == strategy:
                subscriber.session.close(POLICY_VIOLATION, KILLED_REASON)

    def strategies(self) -> list[str]:
        """Every strategy with a session."""
        return list(dict.fromkeys(each.caller.strategy for each in self._subscribers))

    async def _authenticated(self, session: WebSocketSession) -> Caller | None:
        try:
            async with asyncio.timeout(self._limits.authorization_wait_s):
                message = await session.receive()
        except TimeoutError:
            _refuse(session, 404, "auth timeout")
            return None
        pair = credentials_of(_command(message))
        caller = None if pair is None else caller_of_pair(self._keys, *pair)
        if caller is None:
            _refuse(session, 402, "auth failed")
            return None
        if self._is_killed(caller.strategy):
            await asyncio.sleep(self._limits.killed_pause_s)
            _refuse(session, 402, f"auth failed: {KILLED_REASON}")
            return None
        if self._counts.get(caller.key_id, 0) >= self._limits.sessions_of_a_key_max:
            _refuse(session, 406, "connection limit exceeded")
            return None
        _send(session, AUTHENTICATED)
        return caller

    async def _serve(self, subscriber: _Subscriber) -> None:
        key_id = subscriber.caller.key_id
        self._counts[key_id] = self._counts.get(key_id, 0) + 1
        self._subscribers[subscriber] = None
        try:
            while (message := await subscriber.session.receive()) is not None:
                await self._obey(subscriber, _command(message))
        finally:
            self._forget(subscriber, list(subscriber.topics))
            del self._subscribers[subscriber]
            self._counts[key_id] -= 1
            if not self._counts[key_id]:
                del self._counts[key_id]

    async def _obey(self, subscriber: _Subscriber, asked: Message) -> None:
        action = asked.get("action")
        topics = _topics(asked)
        if action == "auth":
            _error(subscriber.session, 403, "already authenticated")
            return
        if action not in {"subscribe", "unsubscribe"} or topics is None:
            _error(subscriber.session, 400, "invalid syntax")
            return
        if action == "unsubscribe":
            self._forget(subscriber, topics)
        else:
            known = subscriber.topics
            if len(known.keys() | set(topics)) > self._limits.stream_symbols_max:
                _error(subscriber.session, 405, "symbol limit exceeded")
                return
            if not await self._carried(topics):
                _error(subscriber.session, 500, "internal error: no market data now")
                return
            for topic in topics:
                known[topic] = None
                self._by_topic.setdefault(topic, {})[subscriber] = None
        _send(subscriber.session, [subscriber.subscription()])

    async def _carried(self, topics: list[Topic]) -> bool:
        """Have the upstream carry what it does not carry yet; False when it cannot."""
        missing = [topic for topic in topics if topic not in self._upstream]
        if len(self._upstream) + len(missing) > self._limits.symbols_max * len(CHANNELS):
            return False
        try:
            async with asyncio.timeout(self._limits.watch_wait_s):
                for channel, kind in CHANNELS.items():
                    symbols = [symbol for held, symbol in missing if held == kind]
                    if symbols:
                        await self._market.subscribe(channel, symbols)
        except (BrokerUnavailable, OSError, TimeoutError):
            return False
        self._upstream.update(dict.fromkeys(missing))
        return True

    def _forget(self, subscriber: _Subscriber, topics: list[Topic]) -> None:
        for topic in topics:
            subscriber.topics.pop(topic, None)
            subscribers = self._by_topic.get(topic)
            if subscribers is not None:
                subscribers.pop(subscriber, None)
                if not subscribers:
                    del self._by_topic[topic]


def _wants_msgpack(session: WebSocketSession) -> bool:
    content_type = session.headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower() == MSGPACK_CONTENT_TYPE


def _encoded(message: Message, *, as_msgpack: bool) -> bytes | str:
    """Nothing for a message that the encoding does not hold: the market's stream goes on."""
    try:
        return encoded_messages([message], as_msgpack=as_msgpack)
    except StreamMalformed:
        return b""


def _send(session: WebSocketSession, messages: list[Message]) -> None:
    session.send(encoded_messages(messages, as_msgpack=_wants_msgpack(session)))


def _error(session: WebSocketSession, code: int, told: str) -> None:
    _send(session, [{"T": "error", "code": code, "msg": told}])


def _refuse(session: WebSocketSession, code: int, told: str) -> None:
    _error(session, code, told)
    session.close(POLICY_VIOLATION, told)


def _command(message: str | bytes | None) -> Message:
    """The command of a frame; empty for anything that is not one."""
    if message is None:
        return {}
    try:
        asked = decoded_command(message)
    except StreamMalformed:
        return {}
    return asked if isinstance(asked, dict) else {}


def _topics(asked: Message) -> list[Topic] | None:
    """What a command names; None when something in it is not a symbol of a known channel.

    `*` is not a symbol: everything at once has no bound.
    """
    topics: list[Topic] = []
    for channel, symbols in asked.items():
        if channel == "action" or symbols is None or symbols == []:
            continue
        if channel not in CHANNELS or not isinstance(symbols, list):
            return None
        for symbol in symbols:
            if not isinstance(symbol, str) or _SYMBOL.fullmatch(symbol) is None:
                return None
            topics.append((CHANNELS[channel], symbol))
    return topics
