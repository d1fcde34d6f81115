"""The market-data REST of the exchange: latest, historic and snapshots, from the tape so far."""

import re
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from fuseboard.exchange.calendar import new_york_time
from fuseboard.exchange.dividends import CORPORATE_ACTIONS
from fuseboard.exchange.halts import StatusTold
from fuseboard.exchange.history import MINUTE_NS, Bar, SymbolHistory, joined
from fuseboard.exchange.rules import MALFORMED, NOT_FOUND
from fuseboard.exchange.running import RunningExchange
from fuseboard.feeds.tapes.tape import TapeQuote, TapeTrade, shown_levels
from fuseboard.wire import alpaca
from fuseboard.wire.http_server import Request, Response

LISTED_DEFAULT = 1_000
LISTED_MAX = 10_000
_PREFIXES = re.compile(r"/(v2/stocks|v1beta[123]/crypto/[a-z0-9-]+)/(.+)")
_TIMEFRAME = re.compile(r"(\d{1,2})(Min|T|Hour|H|Day|D)", re.ASCII)
_DAY_NS = 1_440 * MINUTE_NS
_UNIT_NS = {
    "Min": MINUTE_NS,
    "T": MINUTE_NS,
    "Hour": 60 * MINUTE_NS,
    "H": 60 * MINUTE_NS,
    "Day": _DAY_NS,
    "D": _DAY_NS,
}
Message = dict[str, Any]


def quote_of(quote: TapeQuote) -> Message:
    """The data stream's quote."""
    return alpaca.quote_message(
        quote.symbol,
        bid_nanos=quote.bid_nanos,
        ask_nanos=quote.ask_nanos,
        bid_size_nanos=quote.bid_size_nanos,
        ask_size_nanos=quote.ask_size_nanos,
        at_ns=quote.at_ns,
    )


def book_of(quote: TapeQuote) -> Message:
    """The data stream's order book: always a full one."""
    bids, asks = shown_levels(quote)
    return alpaca.book_message(quote.symbol, bids=bids, asks=asks, at_ns=quote.at_ns, full=True)


def trade_of(trade_id: int, trade: TapeTrade) -> Message:
    """The data stream's trade."""
    return alpaca.trade_message(
        trade.symbol,
        price_nanos=trade.price_nanos,
        size_nanos=trade.size_nanos,
        at_ns=trade.at_ns,
        trade_id=trade_id,
    )


def bar_of(symbol: str, bar: Bar) -> Message:
    """The data stream's bar."""
    return alpaca.bar_message(
        symbol,
        open_nanos=bar.open_nanos,
        high_nanos=bar.high_nanos,
        low_nanos=bar.low_nanos,
        close_nanos=bar.close_nanos,
        volume_nanos=bar.volume_nanos,
        trades=bar.trades,
        average_price_nanos=bar.average_price_nanos,
        at_ns=bar.at_ns,
    )


def status_of(told: StatusTold) -> Message:
    """The data stream's trading status."""
    return alpaca.status_message(
        told.symbol, status=told.status, reason=told.reason, at_ns=told.at_ns
    )


def is_data_path(path: str) -> bool:
    """Whether a request is for market data."""
    return path == CORPORATE_ACTIONS or _PREFIXES.fullmatch(path) is not None


class DataFace:
    """Answers market-data requests; the exchange is caught up already."""

    def __init__(self, running: RunningExchange) -> None:
        self._running = running

    def answer(self, request: Request) -> Response:
        """The answer to one request."""
        match = _PREFIXES.fullmatch(request.path)
        actions = request.path == CORPORATE_ACTIONS
        if request.method != "GET" or (match is None and not actions):
            return _not_found(request)
        try:
            if match is None:
                now_ns = self._running.exchange.now_ns
                return _json(self._running.dividends.announced(request.query, now_ns))
            return self._route(match.group(2).split("/"), request)
        except ValueError as wrong:
            return alpaca.error_answer(400, MALFORMED, str(wrong))

    def _route(self, parts: list[str], request: Request) -> Response:
        query = request.query
        crypto = "/crypto/" in request.path
        if crypto and len(parts) == 2 and parts[0] == "latest":
            parts = [parts[1], "latest"]
        if parts == ["snapshots"]:
            shapes = {symbol: self._snapshot(symbol) for symbol in self._symbols(query)}
            return _json({"snapshots": shapes} if crypto else shapes)
        if len(parts) == 2 and parts[1] == "latest" and parts[0] in _LATEST:
            return self._latest(parts[0], self._symbols(query))
        if len(parts) == 1 and parts[0] in _LATEST:
            return self._historic(parts[0], self._symbols(query), query, single=None)
        # The older client asks for one symbol in the path.
        if len(parts) >= 2 and parts[0] in self._running.history:
            symbol, rest = parts[0], parts[1:]
            if rest == ["snapshot"]:
                return _json({"symbol": symbol, **self._snapshot(symbol)})
            if len(rest) == 2 and rest[1] == "latest" and rest[0] in _LATEST:
                latest = self._latest_of(rest[0], symbol)
                return _json({"symbol": symbol, rest[0].removesuffix("s"): latest})
            if len(rest) == 1 and rest[0] in _LATEST:
                return self._historic(rest[0], [symbol], query, single=symbol)
        return _not_found(request)

    def _symbols(self, query: dict[str, str]) -> list[str]:
        """The symbols asked for that the tape has; others are left out, as Alpaca does."""
        asked = [each.strip().upper() for each in query.get("symbols", "").split(",")]
        return [symbol for symbol in asked if symbol in self._running.history]

    def _latest(self, what: str, symbols: list[str]) -> Response:
        found = {symbol: self._latest_of(what, symbol) for symbol in symbols}
        return _json({what: {symbol: each for symbol, each in found.items() if each}})

    def _latest_of(self, what: str, symbol: str) -> Message | None:
        messages = _LATEST[what](symbol, self._running.history[symbol])
        return alpaca.rest_object(messages) if messages else None

    def _snapshot(self, symbol: str) -> dict[str, Message | None]:
        history = self._running.history[symbol]
        daily = _grouped(list(history.bars), _DAY_NS)
        return {
            "latestTrade": self._latest_of("trades", symbol),
            "latestQuote": self._latest_of("quotes", symbol),
            "minuteBar": self._latest_of("bars", symbol),
            "dailyBar": alpaca.rest_object(bar_of(symbol, daily[-1])) if daily else None,
            "prevDailyBar": None,
        }

    def _historic(
        self, what: str, symbols: list[str], query: dict[str, str], *, single: str | None
    ) -> Response:
        """A page of messages, symbol by symbol in one sequence, cut to `limit`."""
        limit = min(int(query.get("limit") or LISTED_DEFAULT), LISTED_MAX)
        first = int(query.get("page_token") or 0)
        if limit < 1 or first < 0:
            raise ValueError("limit and page_token must be positive")
        start_ns, end_ns = _time(query, "start"), _time(query, "end")
        everything: list[tuple[str, Message]] = []
        for symbol in sorted(symbols):
            messages = _messages(what, symbol, self._running.history[symbol], query)
            times = [message["t"] for message in messages]
            begin = 0 if start_ns is None else bisect_left(times, start_ns)
            end = len(times) if end_ns is None else bisect_left(times, end_ns + 1)
            part = messages[begin:end]
            if query.get("sort", "asc") == "desc":
                part.reverse()
            everything += [(symbol, message) for message in part]
        page = everything[first : first + limit]
        more = first + limit < len(everything)
        token = str(first + limit) if more else None
        grouped: dict[str, list[Message]] = {}
        for symbol, message in page:
            grouped.setdefault(symbol, []).append(alpaca.rest_object(message))
        if single is not None:
            one = grouped.get(single, [])
            return _json({"symbol": single, what: one, "next_page_token": token})
        return _json({what: grouped, "next_page_token": token})


def _messages(
    what: str, symbol: str, history: SymbolHistory, query: dict[str, str]
) -> list[Message]:
    if what == "quotes":
        return [quote_of(quote) for quote in history.quotes]
    if what == "trades":
        return [trade_of(number, trade) for number, trade in history.trades]
    match = _TIMEFRAME.fullmatch(query.get("timeframe", "1Min"))
    if match is None or int(match.group(1)) == 0:
        raise ValueError("timeframe must be such as 1Min, 5Min, 1Hour or 1Day")
    span_ns = int(match.group(1)) * _UNIT_NS[match.group(2)]
    return [bar_of(symbol, bar) for bar in _grouped(list(history.bars), span_ns)]


def _grouped(bars: list[Bar], span_ns: int) -> list[Bar]:
    """Minute bars joined into longer ones; days begin at midnight in New York."""
    groups: dict[int, list[Bar]] = {}
    for bar in bars:
        start_ns = bar.at_ns // span_ns * span_ns
        if span_ns >= _DAY_NS:
            moment = new_york_time(bar.at_ns)
            start_ns = bar.at_ns - (moment.hour * 60 + moment.minute) * MINUTE_NS
        groups.setdefault(start_ns, []).append(bar)
    return [joined(group, at_ns=start_ns) for start_ns, group in groups.items()]


_LATEST: dict[str, Callable[[str, SymbolHistory], Message | None]] = {
    "quotes": lambda _, history: quote_of(history.quotes[-1]) if history.quotes else None,
    "trades": lambda _, history: trade_of(*history.trades[-1]) if history.trades else None,
    "bars": lambda symbol, history: bar_of(symbol, history.bars[-1]) if history.bars else None,
}


def _time(query: dict[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    return alpaca.ns_from_rfc3339(text if "T" in text or " " in text else f"{text}T00:00:00Z")


def _json(value: object) -> Response:
    return Response(200, alpaca.json_bytes(value))


def _not_found(request: Request) -> Response:
    return alpaca.error_answer(
        404, NOT_FOUND, f"endpoint not found: {request.method} {request.path}"
    )
