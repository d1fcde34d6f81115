"""The trading REST of the exchange: orders, positions, account, assets, clock, calendar."""

from datetime import date

import msgspec
from msgspec import Raw, Struct

from fuseboard.exchange.account import PositionView
from fuseboard.exchange.activities import activities_asked
from fuseboard.exchange.calendar import (
    MarketHours,
    new_york_time,
    trading_days,
)
from fuseboard.exchange.orders import Order, Refusal, Ticket
from fuseboard.exchange.rules import MALFORMED, NOT_FOUND, unprocessable
from fuseboard.exchange.running import RunningExchange
from fuseboard.exchange.shapes import (
    account_shape,
    asset_shape,
    order_shape,
    position_shape,
    refusal_response,
    refusal_shape,
)
from fuseboard.feeds.tapes.tape import TapeKind
from fuseboard.vocabulary.money import NANOS, NumberRefused, nanos_from_text
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.wire import alpaca
from fuseboard.wire.alpaca_portfolio import HistoryRefused, history_asked, history_object
from fuseboard.wire.alpaca_values import nanos_of_raw
from fuseboard.wire.http_server import Request, Response

ORDERS_LISTED_DEFAULT = 50
ORDERS_LISTED_MAX = 500
CALENDAR_DAYS_MAX = 4_000
_REPLACEABLE = {"qty", "time_in_force", "limit_price", "stop_price", "client_order_id"}
_fields_decoder = msgspec.json.Decoder(dict[str, Raw])


class _Configuration(Struct, frozen=True):
    """The latches of a PATCH of the account's configuration; None is not named."""

    no_shorting: bool | None = None
    suspend_trade: bool | None = None


class Unanswerable(Exception):
    """A request that is refused; carries the answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class TradingFace:
    """Answers requests under /v2 that are not market data; the exchange is caught up already."""

    def __init__(self, running: RunningExchange, *, seed: int) -> None:
        self._running = running
        self._exchange = running.exchange
        self._kind = running.tape.kind
        self._seed = seed
        self._created_ns = running.exchange.now_ns
        self._clock_hours = MarketHours(always=False)

    def answer(self, request: Request) -> Response:
        """The answer to one request."""
        method, rest = request.method, request.path.removeprefix("/v2/").rstrip("/")
        head, _, tail = rest.partition("/")
        try:
            if head == "orders":
                return self._orders(method, tail, request)
            if head == "orders:by_client_order_id" and method == "GET":
                return self._by_client_order_id(request.query.get("client_order_id", ""))
            if head == "positions":
                return self._positions(method, tail, request.query)
            if method == "GET":
                return self._read(rest, request.query)
            if rest == "account/configurations" and method == "PATCH":
                return self._configure(request.body)
        except Unanswerable as refused:
            return refusal_response(refused.refusal)
        except (NumberRefused, msgspec.DecodeError, ValueError) as wrong:
            return alpaca.error_answer(422, MALFORMED, str(wrong))
        return _not_found(f"endpoint not found: {method} {request.path}")

    # --- orders ----------------------------------------------------------------------------------

    def _orders(self, method: str, order_id: str, request: Request) -> Response:
        now_ns = self._exchange.now_ns
        if not order_id:
            if method == "POST":
                return self._submit(request.body)
            if method == "GET":
                return _json([order_shape(o, self._kind) for o in self._listed(request.query)])
            if method == "DELETE":
                return self._cancel_all()
        elif method == "GET":
            order = self._exchange.orders_by_id.get(order_id)
            if order is None:
                return _not_found(f"order not found for {order_id}")
            return _json(order_shape(order, self._kind))
        elif method == "DELETE":
            taken = self._exchange.cancel(now_ns, order_id)
            return refusal_response(taken) if isinstance(taken, Refusal) else Response(204)
        elif method == "PATCH":
            return self._replace(order_id, request.body)
        return _not_found(f"endpoint not found: {method} {request.path}")

    def _submit(self, body: bytes) -> Response:
        try:
            order = alpaca.parsed_order_body(body)
        except alpaca.OrderBodyRefused as refused:
            return refusal_response(unprocessable(refused.message))
        ticket = Ticket(
            client_order_id=order.client_order_id or self._exchange.minted_client_order_id(),
            symbol=order.symbol,
            side=order.side,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            quantity_nanos=order.quantity_nanos,
            limit_price_nanos=order.limit_price_nanos,
            stop_price_nanos=order.stop_price_nanos,
            extended_hours=order.extended_hours,
        )
        return self._order_response(self._exchange.submit(self._exchange.now_ns, ticket))

    def _order_response(self, order: Order | Refusal) -> Response:
        if isinstance(order, Refusal):
            return refusal_response(order)
        return _json(order_shape(order, self._kind))

    def _replace(self, order_id: str, body: bytes) -> Response:
        raw = _fields_decoder.decode(body or b"{}")
        fields = {name: value for name, value in raw.items() if bytes(value).strip() != b"null"}
        unknown = sorted(set(fields) - _REPLACEABLE)
        if unknown:
            raise Unanswerable(unprocessable(f"{unknown[0]} cannot be replaced"))

        def amount(name: str) -> int | None:
            return nanos_of_raw(fields[name]) if name in fields else None

        def text(name: str) -> str | None:
            return msgspec.json.decode(fields[name], type=str) if name in fields else None

        wanted_time = text("time_in_force")
        return self._order_response(
            self._exchange.replace(
                self._exchange.now_ns,
                order_id,
                client_order_id=text("client_order_id") or self._exchange.minted_client_order_id(),
                quantity_nanos=amount("qty"),
                limit_price_nanos=amount("limit_price"),
                stop_price_nanos=amount("stop_price"),
                time_in_force=None if wanted_time is None else TimeInForce(wanted_time),
            )
        )

    def _by_client_order_id(self, client_order_id: str) -> Response:
        order = self._exchange.order_by_client_order_id(client_order_id)
        if order is None:
            return _not_found(f"order not found for {client_order_id}")
        return _json(order_shape(order, self._kind))

    def _listed(self, query: dict[str, str]) -> list[Order]:
        """Orders as the list's filters ask; newest first unless `direction=asc`."""
        wanted = query.get("status") or "open"
        if wanted not in ("open", "closed", "all"):
            raise Unanswerable(unprocessable("status must be open, closed or all"))
        limit = int(query.get("limit") or ORDERS_LISTED_DEFAULT)
        if not 0 < limit <= ORDERS_LISTED_MAX:
            raise Unanswerable(unprocessable(f"limit must be between 1 and {ORDERS_LISTED_MAX}"))
        symbols = {each for each in query.get("symbols", "").split(",") if each}
        side = query.get("side") or None
        after_ns = _time(query, "after")
        until_ns = _time(query, "until")
        open_only = wanted == "open"
        orders = (
            self._exchange.open_orders()
            if open_only
            else list(self._exchange.orders_by_id.values())
        )
        if query.get("direction", "desc") != "asc":
            orders.reverse()
        found: list[Order] = []
        for order in orders:
            if (
                (wanted == "closed" and not order.is_final)
                or (symbols and order.ticket.symbol not in symbols)
                or (side is not None and order.ticket.side.value != side)
                or (after_ns is not None and order.created_ns <= after_ns)
                or (until_ns is not None and order.created_ns > until_ns)
            ):
                continue
            found.append(order)
            if len(found) == limit:
                break
        return found

    def _cancel_all(self) -> Response:
        now_ns = self._exchange.now_ns
        results: list[dict[str, object]] = []
        for order in self._exchange.open_orders():
            taken = self._exchange.cancel(now_ns, order.order_id)
            refused = isinstance(taken, Refusal)
            results.append({"id": order.order_id, "status": 422 if refused else 200})
        return _json(results, status=207)

    # --- positions -------------------------------------------------------------------------------

    def _positions(self, method: str, name: str, query: dict[str, str]) -> Response:
        if not name:
            if method == "GET":
                shapes = [position_shape(p, self._kind) for p in self._exchange.positions()]
                return _json(shapes)
            if method == "DELETE":
                return self._close_all(cancel=query.get("cancel_orders", "").lower() == "true")
            return _not_found(f"endpoint not found: {method} /v2/positions")
        position = self._position(name)
        if position is None:
            return _not_found("position does not exist")
        if method == "GET":
            return _json(position_shape(position, self._kind))
        if method == "DELETE":
            return self._order_response(self._close(position, _part_of(position, query)))
        return _not_found(f"endpoint not found: {method} /v2/positions/{name}")

    def _position(self, name: str) -> PositionView | None:
        for position in self._exchange.positions():
            if name in (position.symbol, alpaca.asset_id_of(position.symbol)):
                return position
        return None

    def _close(self, position: PositionView, quantity_nanos: int) -> Order | Refusal:
        is_long = position.quantity_nanos > 0
        crypto = self._kind is TapeKind.CRYPTO
        ticket = Ticket(
            client_order_id=self._exchange.minted_client_order_id(),
            symbol=position.symbol,
            side=Side.SELL if is_long else Side.BUY,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.GTC if crypto else TimeInForce.DAY,
            quantity_nanos=quantity_nanos,
        )
        return self._exchange.submit(self._exchange.now_ns, ticket)

    def _close_all(self, *, cancel: bool) -> Response:
        if cancel:
            self._cancel_all()
        results: list[dict[str, object]] = []
        for position in self._exchange.positions():
            order = self._close(position, abs(position.quantity_nanos))
            if isinstance(order, Refusal):
                status, body = order.http_status, refusal_shape(order)
            else:
                status, body = 200, order_shape(order, self._kind)
            results.append({"symbol": position.symbol, "status": status, "body": body})
        return _json(results, status=207)

    # --- what is only read -----------------------------------------------------------------------

    def _read(self, rest: str, query: dict[str, str]) -> Response:
        if rest == "account":
            view = self._exchange.account()
            return _json(account_shape(view, seed=self._seed, created_ns=self._created_ns))
        if rest == "account/configurations":
            return self._configuration()
        if rest == "account/activities" or rest.startswith("account/activities/"):
            named = rest.removeprefix("account/activities").strip("/")
            return _json(activities_asked(self._exchange.activities, named, query))
        if rest == "account/portfolio/history":
            return self._portfolio_history(query)
        if rest == "assets":
            wanted = query.get("asset_class") or self._kind.value
            symbols = self._running.tape.symbols if wanted == self._kind.value else ()
            return _json([self._asset(symbol) for symbol in symbols])
        if rest.startswith("assets/"):
            name = rest.removeprefix("assets/")
            for symbol in self._running.tape.symbols:
                if name in (symbol, alpaca.asset_id_of(symbol)):
                    return _json(self._asset(symbol))
            return _not_found(f"asset not found for {name}")
        if rest == "clock":
            return self._clock()
        if rest == "calendar":
            return self._calendar(query)
        return _not_found(f"endpoint not found: GET /v2/{rest}")

    def _configuration(self) -> Response:
        view = self._exchange.account()
        return _json(
            alpaca.configuration_object(
                no_shorting=view.no_shorting,
                suspend_trade=view.suspend_trade,
                multiplier=view.multiplier,
            )
        )

    def _configure(self, body: bytes) -> Response:
        """Take the owner's latches; what else a PATCH names stays as the process has it."""
        asked = msgspec.json.decode(body or b"{}", type=_Configuration)
        self._exchange.configure(
            self._exchange.now_ns, no_shorting=asked.no_shorting, suspend_trade=asked.suspend_trade
        )
        return self._configuration()

    def _asset(self, symbol: str) -> dict[str, object]:
        shortable = self._exchange.config.shorting_enabled and self._kind is TapeKind.US_EQUITY
        return asset_shape(symbol, self._kind, shortable=shortable)

    def _clock(self) -> Response:
        """The clock of the stock market; where the tape is crypto its market is always open."""
        now_ns, hours = self._exchange.now_ns, self._clock_hours
        return _json(
            alpaca.clock_object(
                now_ns=now_ns,
                is_open=self._exchange.hours.always or hours.is_open(now_ns),
                next_open_ns=hours.next_open_ns(now_ns),
                next_close_ns=hours.current_or_next(now_ns).close_ns,
            )
        )

    def _calendar(self, query: dict[str, str]) -> Response:
        today = new_york_time(self._exchange.now_ns).date()
        start = _day(query.get("start")) or today.replace(month=1, day=1)
        end = _day(query.get("end")) or today.replace(month=12, day=31)
        days = [
            alpaca.calendar_object(
                session.day,
                opens=f"{new_york_time(session.open_ns):%H:%M}",
                closes=f"{new_york_time(session.close_ns):%H:%M}",
            )
            for session in trading_days(start, end, days_max=CALENDAR_DAYS_MAX)
        ]
        return _json(days)

    def _portfolio_history(self, query: dict[str, str]) -> Response:
        """Equity by the minute of the tape's time."""
        try:
            asked = history_asked(query, self._exchange.now_ns)
        except HistoryRefused as wrong:
            return refusal_response(unprocessable(str(wrong)))
        return _json(history_object(self._running.equity, asked))


def _json(value: object, *, status: int = 200) -> Response:
    return Response(status, alpaca.json_bytes(value))


def _not_found(message: str) -> Response:
    return alpaca.error_answer(404, NOT_FOUND, message)


def _time(query: dict[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    return alpaca.ns_from_rfc3339(text if "T" in text or " " in text else f"{text}T00:00:00Z")


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def _part_of(position: PositionView, query: dict[str, str]) -> int:
    """How much of a position to close: `qty`, `percentage`, or all of it."""
    whole = abs(position.quantity_nanos)
    if query.get("qty"):
        return nanos_from_text(query["qty"])
    if query.get("percentage"):
        return whole * nanos_from_text(query["percentage"]) // (100 * NANOS)
    return whole
