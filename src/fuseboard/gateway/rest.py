"""Alpaca's REST as strategies call it: who may, which route, which answer.

Everything is answered from the views or by the kernel; a few reads are passed on to the broker.
What is not here is 404 in Alpaca's shape; what we do not model is refused by name.
"""

import re
import uuid
from collections.abc import Awaitable, Callable

from msgspec import json

from fuseboard.gateway import shapes
from fuseboard.gateway.assets import AssetBook
from fuseboard.gateway.closing import CloseAsked, ClosingDesk, Held
from fuseboard.gateway.connections import Connections
from fuseboard.gateway.denials import (
    UNAVAILABLE,
    denied,
    denied_here,
    json_response,
    not_found,
    unauthorized,
    unprocessable,
)
from fuseboard.gateway.door_denials import DoorDenials
from fuseboard.gateway.keys import Keys
from fuseboard.gateway.orders import OrderDesk, Outcome
from fuseboard.gateway.portfolio import PATH as PORTFOLIO_PATH
from fuseboard.gateway.portfolio import Portfolio
from fuseboard.gateway.presence import Presence
from fuseboard.gateway.queries import QueryRefused, close_asked, flag, order_filter
from fuseboard.gateway.reads import Reads
from fuseboard.gateway.repeats import Repeats
from fuseboard.gateway.sessions import Caller, caller_of
from fuseboard.gateway.views import Views
from fuseboard.gateway.watchlist_routes import PREFIX as WATCHLISTS
from fuseboard.gateway.watchlist_routes import WatchlistRoutes
from fuseboard.vocabulary.effects import AnswerDenied, PublishOrder, PublishPosition
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.reasons import Reason
from fuseboard.wire.alpaca_errors import FORBIDDEN, NOT_FOUND, RISK_PHRASE, error_answer
from fuseboard.wire.http_messages import Request, Response

Answering = Response | Awaitable[Response]

_ORDER = re.compile(r"/v2/orders/([^/]{1,64})")
_POSITION = re.compile(r"/v2/positions/([A-Za-z0-9._-]{1,40}(?:/[A-Za-z0-9]{1,20})?)")
_EXERCISE = re.compile(r"/v2/positions/.+/(do-not-)?exercise")
_NO_ANNOUNCEMENTS = (
    "fuseboard does not serve corporate action announcements, which Alpaca has deprecated:"
    " read /v1/corporate-actions with the market-data client"
)
_SETTINGS = "account settings belong to the operator; strategies may read them"


class StrategyRest:
    """The REST side of the door. `handle` answers one request."""

    def __init__(
        self,
        *,
        keys: Keys,
        views: Views,
        orders: OrderDesk,
        closing: ClosingDesk,
        repeats: Repeats,
        reads: Reads,
        assets: AssetBook,
        connections: Connections,
        presence: Presence,
        denials: DoorDenials,
        portfolio: Portfolio,
        watchlists: WatchlistRoutes,
        account: str,
    ) -> None:
        self._keys = keys
        self._views = views
        self._orders = orders
        self._closing = closing
        self._repeats = repeats
        self._reads = reads
        self._assets = assets
        self._connections = connections
        self._presence = presence
        self._denials = denials
        self._watchlists = watchlists
        self._account = account
        self._routes: dict[tuple[str, str], Callable[[Caller, Request], Answering]] = {
            ("POST", "/v2/orders"): self._place,
            ("GET", "/v2/orders"): self._list_orders,
            ("DELETE", "/v2/orders"): self._cancel_all,
            ("GET", "/v2/orders:by_client_order_id"): self._order_by_client_id,
            ("GET", "/v2/positions"): self._list_positions,
            ("DELETE", "/v2/positions"): self._close_all,
            ("GET", "/v2/account"): self._show_account,
            ("GET", "/v2/account/configurations"): self._show_configuration,
            ("PATCH", "/v2/account/configurations"): self._refuse_configuration,
            ("GET", PORTFOLIO_PATH): lambda _, request: portfolio.history(request),
        }

    def handle(self, request: Request) -> Answering:
        """The answer to one request, at once where nothing has to be waited for."""
        caller = caller_of(self._keys, request.headers)
        if caller is None:
            return unauthorized()
        self._connections.note(caller.strategy, request.link)
        self._presence.requested(caller.strategy)
        route = self._routes.get((request.method, request.path))
        if route is not None:
            return route(caller, request)
        if found := _ORDER.fullmatch(request.path):
            return self._one_order(caller, request, found.group(1))
        if _EXERCISE.fullmatch(request.path) or request.path.startswith("/v2/options"):
            if request.method != "GET":
                self._denials.note(caller.strategy, Reason.UNSUPPORTED)
            return unprocessable("fuseboard does not support options", Reason.UNSUPPORTED)
        if found := _POSITION.fullmatch(request.path):
            return self._one_position(caller, request, found.group(1))
        if request.path.startswith(WATCHLISTS):
            return self._watchlist(caller, request)
        if request.path.startswith("/v2/corporate_actions"):
            return not_found(_NO_ANNOUNCEMENTS)
        if request.method == "GET":
            return self._read(request)
        return _no_route(request)

    async def _watchlist(self, caller: Caller, request: Request) -> Response:
        response = await self._watchlists.answer(caller.strategy, request)
        return _no_route(request) if response is None else response

    async def _read(self, request: Request) -> Response:
        response = await self._reads.read(request.path, request.query)
        return _no_route(request) if response is None else response

    # --- orders ---------------------------------------------------------------------------------

    def _place(self, caller: Caller, request: Request) -> Answering:
        parsed = shapes.order_asked(request.body, strategy=caller.strategy)
        if isinstance(parsed, AnswerDenied):
            return self._outcome(parsed)
        if parsed.client_order_id:
            return self._placed(self._orders.place(parsed))

        def run(client_order_id: str) -> Awaitable[Response]:
            order = shapes.with_client_order_id(parsed, client_order_id)
            return self._placed(self._orders.place(order))

        return self._once(caller, request, run)

    async def _placed(self, placing: Awaitable[Outcome]) -> Response:
        return self._outcome(await placing)

    def _outcome(self, outcome: Outcome) -> Response:
        if isinstance(outcome, AnswerDenied):
            # A denial of the kernel's has its request's number; a flood has notes of its own.
            if outcome.request == 0 and outcome.reason is not Reason.THROTTLED:
                self._denials.note(outcome.strategy, outcome.reason)
            return denied(outcome)
        return json_response(self._order_body(outcome))

    async def _once(
        self, caller: Caller, request: Request, run: Callable[[str], Awaitable[Response]]
    ) -> Response:
        """Run a request without an id of its own, under the id of the request it repeats."""
        mark = (caller.key_id, request.method, request.target, request.body)
        attempt = self._repeats.begin(mark, request.link)
        if attempt is None:
            self._denials.note(caller.strategy, Reason.INTAKE_FULL)
            return denied_here(Reason.INTAKE_FULL)
        answered = False
        try:
            response = await run(attempt.client_order_id)
            answered = True
        finally:
            if not answered:
                self._repeats.end(attempt, delivered=False)

        def delivered(arrived: bool) -> None:
            self._repeats.end(attempt, delivered=arrived)

        return Response(response.status, response.body, response.headers, delivered=delivered)

    def _list_orders(self, caller: Caller, request: Request) -> Response:
        try:
            wanted = order_filter(request.query)
        except QueryRefused as refused:
            return unprocessable(str(refused))
        listed = self._views.orders(caller.strategy, wanted)
        return json_response([self._order_body(order) for order in listed])

    def _order_by_client_id(self, caller: Caller, request: Request) -> Response:
        client_order_id = request.query.get("client_order_id", "")
        order = self._views.order_by_client_id(caller.strategy, client_order_id)
        if order is None:
            return not_found(f"order not found for client order id {client_order_id[:128]}")
        return json_response(self._order_body(order))

    def _one_order(self, caller: Caller, request: Request, order_id: str) -> Answering:
        if request.method == "DELETE":
            return self._cancel(caller, order_id)
        if request.method not in {"GET", "PATCH"}:
            return _no_route(request)
        order = self._views.order(caller.strategy, order_id)
        if order is None:
            return not_found(f"order not found for {order_id}")
        if request.method == "PATCH":
            return self._replace(caller, request, order)
        return json_response(self._order_body(order))

    def _replace(self, caller: Caller, request: Request, old: PublishOrder) -> Answering:
        asked = shapes.replacement_asked(
            request.body, strategy=caller.strategy, order_id=old.order_id
        )
        if isinstance(asked, AnswerDenied):
            return self._outcome(asked)
        if asked.client_order_id:
            return self._placed(self._orders.replace(old, asked))

        def run(client_order_id: str) -> Awaitable[Response]:
            named = shapes.with_client_order_id(asked, client_order_id)
            return self._placed(self._orders.replace(old, named))

        return self._once(caller, request, run)

    async def _cancel(self, caller: Caller, order_id: str) -> Response:
        reason = await self._orders.cancel(caller.strategy, order_id)
        return self._cancel_response(caller, order_id, reason)

    def _cancel_response(self, caller: Caller, order_id: str, reason: Reason) -> Response:
        if reason is Reason.ALLOWED:
            return Response(204)
        if reason is Reason.ORDER_UNKNOWN:
            return not_found(f"order not found for {order_id}")
        if reason is Reason.ORDER_NOT_CANCELABLE:
            order = self._views.order(caller.strategy, order_id)
            status = "final" if order is None else f'in "{shapes.status_word(order)}" state'
            return unprocessable(f"order is already {status}", reason)
        return denied_here(reason, "the cancel was not taken in; send it again")

    async def _cancel_all(self, caller: Caller, request: Request) -> Response:
        results = await self._orders.cancel_all(caller.strategy)
        rows: list[dict[str, object]] = []
        for order_id, reason in results.items():
            response = self._cancel_response(caller, order_id, reason)
            row: dict[str, object] = {"id": order_id, "status": response.status}
            if response.body:
                row["body"] = json.decode(response.body)
            else:
                row["status"] = 200
            rows.append(row)
        return json_response(rows, 207)

    def _order_body(self, order: PublishOrder) -> dict[str, object]:
        return shapes.order_body(order, self._assets.facts(order.symbol))

    # --- positions ------------------------------------------------------------------------------

    async def _list_positions(self, caller: Caller, request: Request) -> Response:
        positions = self._views.positions(caller.strategy)
        await self._assets.learn_all([each.symbol for each in positions])
        return json_response([self._position_body(each) for each in positions])

    def _one_position(self, caller: Caller, request: Request, name: str) -> Answering:
        position = self._position(caller, name)
        if request.method not in {"GET", "DELETE"}:
            return _no_route(request)
        if position is None:
            return not_found("position does not exist")
        if request.method == "GET":
            return self._show_position(position)
        try:
            asked = close_asked(request.query)
        except QueryRefused as refused:
            self._denials.note(caller.strategy, Reason.NUMBER_REFUSED)
            return unprocessable(str(refused), Reason.NUMBER_REFUSED)
        return self._once(caller, request, lambda minted: self._close(position, asked, minted))

    async def _show_position(self, position: PublishPosition) -> Response:
        await self._assets.learn_all([position.symbol])
        return json_response(self._position_body(position))

    def _position(self, caller: Caller, name: str) -> PublishPosition | None:
        """The caller's position by symbol or by asset id."""
        found = self._views.position(caller.strategy, name)
        if found is None and _is_uuid(name):
            held = self._views.positions(caller.strategy)
            found = next((p for p in held if self._assets.facts(p.symbol).id == name), None)
        return found

    async def _close(
        self, position: PublishPosition, asked: CloseAsked, client_order_id: str
    ) -> Response:
        return self._closed(await self._closing.close(position, asked, client_order_id))

    async def _close_everything(
        self, caller: Caller, client_order_id: str, *, cancel_orders: bool
    ) -> Response:
        closed = await self._closing.close_all(
            caller.strategy, client_order_id, cancel_orders=cancel_orders
        )
        rows = []
        for position, outcome in closed:
            response = self._closed(outcome)
            body = json.decode(response.body)
            rows.append({"symbol": position.symbol, "status": response.status, "body": body})
        return json_response(rows, 207)

    def _close_all(self, caller: Caller, request: Request) -> Answering:
        try:
            cancel_orders = flag(request.query, "cancel_orders")
        except QueryRefused as refused:
            return unprocessable(str(refused))
        return self._once(
            caller,
            request,
            lambda minted: self._close_everything(caller, minted, cancel_orders=cancel_orders),
        )

    def _closed(self, outcome: Outcome | Held | None) -> Response:
        if outcome is None:
            return unprocessable("there is nothing to close in this position")
        if not isinstance(outcome, Held):
            return self._outcome(outcome)
        available = text_from_nanos(outcome.existing_nanos - outcome.held_nanos)
        asked = text_from_nanos(outcome.asked_nanos)
        return error_answer(
            403,
            FORBIDDEN,
            f"insufficient qty available for order (requested: {asked}, available: {available});"
            f" {RISK_PHRASE}: fuseboard: working orders hold the rest",
            available=available,
            existing_qty=text_from_nanos(outcome.existing_nanos),
            held_for_orders=text_from_nanos(outcome.held_nanos),
            symbol=outcome.symbol,
        )

    def _position_body(self, position: PublishPosition) -> dict[str, object]:
        return shapes.position_body(
            position,
            self._assets.facts(position.symbol),
            price_nanos=self._views.price_nanos(position.symbol),
            held_nanos=self._views.held_nanos(
                position.strategy, position.symbol, shapes.closing_side(position)
            ),
        )

    # --- the account ----------------------------------------------------------------------------

    def _show_account(self, caller: Caller, request: Request) -> Response:
        body = shapes.account_body(self._views, caller.strategy, self._account)
        return _account_unread() if body is None else json_response(body)

    def _show_configuration(self, caller: Caller, request: Request) -> Response:
        body = shapes.configuration_body(self._views, caller.strategy)
        return _account_unread() if body is None else json_response(body)

    def _refuse_configuration(self, caller: Caller, request: Request) -> Response:
        return error_answer(403, FORBIDDEN, f"{RISK_PHRASE}: fuseboard: {_SETTINGS}")


def _account_unread() -> Response:
    return error_answer(503, UNAVAILABLE, "the broker's account has not been read yet; ask again")


def _no_route(request: Request) -> Response:
    told = f"fuseboard has no {request.method[:16]} {request.path[:100]}"
    return error_answer(404, NOT_FOUND, told)


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
