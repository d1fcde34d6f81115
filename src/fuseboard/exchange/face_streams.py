"""The exchange's streams: `trade_updates` on /stream, market data on every other path.

Like Alpaca's, they have no memory: what happens while nobody listens is not repeated.
"""

from collections.abc import Callable, Mapping, Sequence

from fuseboard.exchange.face_data import Message, bar_of, book_of, quote_of, status_of, trade_of
from fuseboard.exchange.faults import Faults
from fuseboard.exchange.halts import StatusTold
from fuseboard.exchange.orders import OrderEvent
from fuseboard.exchange.running import MarketEvent
from fuseboard.exchange.shapes import update_shape
from fuseboard.feeds.tapes.tape import TapeKind, TapeQuote, TapeTrade
from fuseboard.wire import alpaca
from fuseboard.wire.alpaca_stream import (
    AUTHENTICATED,
    AUTHORIZED,
    GREETING,
    MSGPACK_CONTENT_TYPE,
    UNAUTHORIZED,
    StreamMalformed,
)
from fuseboard.wire.http_server import WebSocketSession

SESSIONS_MAX = 64
"""Of each kind of stream."""
MESSAGES_A_FRAME_MAX = 500
CHANNELS = ("trades", "quotes", "bars", "statuses", "lulds", "orderbooks")
"""Price bands (`lulds`) are taken and never sent: the tapes have none. `orderbooks`, which Alpaca
has for crypto only, are sent of every tape that has levels, each a full one, before its quote."""
_CHANNEL_OF = {"t": "trades", "q": "quotes", "b": "bars", "s": "statuses", "o": "orderbooks"}
Authenticates = Callable[[str, str], bool]


class Streams:
    """Holds the sessions and sends each what it asked for."""

    def __init__(
        self, kind: TapeKind, faults: Callable[[], Faults], allowed: Authenticates
    ) -> None:
        self._kind = kind
        self._faults = faults
        self._allowed = allowed
        self._updates: list[WebSocketSession] = []
        self._data: dict[WebSocketSession, DataSession] = {}

    async def run(self, session: WebSocketSession) -> None:
        """Serve one WebSocket until it closes."""
        if session.path.rstrip("/") == "/stream":
            await self._run_updates(session)
        else:
            await self._run_data(session)

    # --- trade_updates ---------------------------------------------------------------------------

    async def _run_updates(self, session: WebSocketSession) -> None:
        authorized = False
        try:
            while (received := await session.receive()) is not None:
                try:
                    command = alpaca.decoded_command(received)
                except StreamMalformed:
                    session.close(1007, "not a command")
                    return
                credentials = alpaca.credentials_of(command)
                if credentials is not None:
                    authorized = self._allowed(*credentials)
                    _send_update(session, AUTHORIZED if authorized else UNAUTHORIZED)
                    if not authorized:
                        return
                elif authorized and isinstance(command, dict) and command.get("action") == "listen":
                    self._listen(session, command)
        finally:
            if session in self._updates:
                self._updates.remove(session)

    def _listen(self, session: WebSocketSession, command: dict[str, object]) -> None:
        data = command.get("data")
        asked = data.get("streams") if isinstance(data, dict) else None
        wanted = isinstance(asked, list) and "trade_updates" in asked
        if session in self._updates:
            self._updates.remove(session)
        if wanted:
            if len(self._updates) >= SESSIONS_MAX:
                session.close(1013, "too many sessions")
                return
            self._updates.append(session)
        _send_update(session, alpaca.listening(["trade_updates"] if wanted else []))

    def send_orders(self, events: Sequence[OrderEvent]) -> None:
        """Tell every listener what happened to orders, in order."""
        for event in events:
            message = update_shape(event, self._kind)
            for _ in range(self._times_told(event)):
                for session in list(self._updates):
                    _send_update(session, message)

    def _times_told(self, event: OrderEvent) -> int:
        faults = self._faults()
        if faults.takes("drop_stream_events"):
            return 0
        if event.fill is None:
            return 1
        return 0 if faults.takes("hide_fills") else 1 + faults.takes("repeat_fills")

    def drop_updates(self) -> int:
        """Drop every connection of `trade_updates`; returns how many there were."""
        sessions = list(self._updates)
        for session in sessions:
            session.abort()
        return len(sessions)

    # --- market data -----------------------------------------------------------------------------

    async def _run_data(self, session: WebSocketSession) -> None:
        as_msgpack = session.headers.get("content-type", "") == MSGPACK_CONTENT_TYPE
        data = DataSession(session, as_msgpack=as_msgpack)
        data.send(GREETING)
        try:
            while (received := await session.receive()) is not None:
                try:
                    command = alpaca.decoded_command(received)
                except StreamMalformed:
                    data.send(_error(400, "invalid syntax"))
                    continue
                credentials = alpaca.credentials_of(command)
                if credentials is not None:
                    if not self._allowed(*credentials):
                        data.send(_error(402, "auth failed"))
                        return
                    if session not in self._data and len(self._data) >= SESSIONS_MAX:
                        data.send(_error(406, "connection limit exceeded"))
                        return
                    self._data[session] = data
                    data.send(AUTHENTICATED)
                elif session not in self._data:
                    data.send(_error(401, "not authenticated"))
                elif isinstance(command, dict):
                    data.obey(command)
        finally:
            self._data.pop(session, None)

    def send_market(self, events: Sequence[MarketEvent]) -> None:
        """Send what the tape showed to whoever subscribed to it."""
        sessions = [data for data in self._data.values() if data.wants_any()]
        if not sessions:
            return
        with_books = any(data.wants_books() for data in sessions)
        messages = [m for event in events for m in _messages(event, with_books=with_books)]
        for data in sessions:
            wanted = [message for message in messages if data.wants(message)]
            for start in range(0, len(wanted), MESSAGES_A_FRAME_MAX):
                data.send(wanted[start : start + MESSAGES_A_FRAME_MAX])


class DataSession:
    """One market-data session: its encoding and what it subscribed to."""

    def __init__(self, session: WebSocketSession, *, as_msgpack: bool) -> None:
        self._session = session
        self._as_msgpack = as_msgpack
        self._subscribed: dict[str, list[str]] = {channel: [] for channel in CHANNELS}

    def send(self, messages: list[Message]) -> None:
        """Send messages in one frame."""
        self._session.send(alpaca.encoded_messages(messages, as_msgpack=self._as_msgpack))

    def obey(self, command: dict[str, object]) -> None:
        """Subscribe or unsubscribe, and answer with what is subscribed now."""
        action = command.get("action")
        if action not in ("subscribe", "unsubscribe"):
            self.send(_error(400, "invalid syntax"))
            return
        for channel in CHANNELS:
            asked = command.get(channel)
            for symbol in asked if isinstance(asked, list) else ():
                if action == "unsubscribe":
                    if symbol in self._subscribed[channel]:
                        self._subscribed[channel].remove(symbol)
                elif isinstance(symbol, str) and symbol not in self._subscribed[channel]:
                    self._subscribed[channel].append(symbol)
        self.send([{"T": "subscription", **self._subscribed}])

    def wants_any(self) -> bool:
        """Whether anything is subscribed."""
        return any(self._subscribed.values())

    def wants_books(self) -> bool:
        """Whether any order book is subscribed: they are the costly messages."""
        return bool(self._subscribed["orderbooks"])

    def wants(self, message: Message) -> bool:
        """Whether this message is subscribed."""
        symbols = self._subscribed[_CHANNEL_OF[message["T"]]]
        return message["S"] in symbols or "*" in symbols


def _messages(event: MarketEvent, *, with_books: bool) -> list[Message]:
    if isinstance(event, TapeQuote):
        told = with_books and (event.bids or event.asks)
        return [book_of(event), quote_of(event)] if told else [quote_of(event)]
    if isinstance(event, StatusTold):
        return [status_of(event)]
    first, second = event
    if isinstance(first, int):
        assert isinstance(second, TapeTrade)
        return [trade_of(first, second)]
    assert not isinstance(second, TapeTrade)
    return [bar_of(first, second)]


def _send_update(session: WebSocketSession, message: Mapping[str, object]) -> None:
    """The paper endpoint sends JSON in binary frames, and so do we."""
    session.send(alpaca.json_bytes(message))


def _error(code: int, message: str) -> list[Message]:
    return [{"T": "error", "code": code, "msg": message}]
