"""Alpaca's orders and positions, request by request: what a gateway and a guardian both need.

What a submit came to, by what the broker did:

| the broker | outcome |
|---|---|
| nothing: no connection, or refused at the socket | `OrderNotSent` BROKER_UNREACHABLE, HALT_EPOCH |
| 2xx with our order | `OrderSent` |
| 429 | `Throttled` |
| 4xx that says our client order id is taken | looked up: `OrderSent`, else `OrderUnknown` |
| likewise, by an order that is final and older | `OrderNotSent` CLIENT_ORDER_ID_REUSED |
| any other 4xx but 408 and 499 | `OrderNotSent` BROKER_REJECTED |
| everything else, and silence | `OrderUnknown` |
"""

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote

import msgspec
from msgspec import Struct

from fuseboard.brokers.alpaca_session import AlpacaSession, is_absent, raise_if_throttled
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.effects import CancelOrder, FindOrder, ReadLeg, SubmitOrder
from fuseboard.vocabulary.inputs import (
    UNNAMED,
    BrokerPosition,
    CancelRefused,
    LegRead,
    LegReadFailed,
    OrderNotSent,
    OrderSent,
    OrderUnknown,
    PositionsSeen,
    SubmitOutcome,
)
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, Intent, Side
from fuseboard.vocabulary.reasons import Reason
from fuseboard.wire.alpaca_errors import read_error
from fuseboard.wire.alpaca_orders import SeenOrder, ShapeUnknown, seen_order
from fuseboard.wire.alpaca_values import (
    decoded_json,
    nanos_of_number,
    nanos_rounded,
    ns_from_rfc3339,
    rfc3339_from_ns,
)
from fuseboard.wire.http_client import AnswerLost, HttpAnswer, NotWritten, WriteRefused

_ID_TAKEN = re.compile(r"client_order_id.*(unique|exist|duplicate)", re.IGNORECASE | re.DOTALL)
_IN_DOUBT_4XX = frozenset({408, 499})
_SPELLINGS_MAX = 10_000
OLDER_NS_MIN = 30 * NANOS
"""An order that has our id is another, older one if it was submitted so long before a time that the
broker had told by the time of our request. What a network doubles, and what we repeat for a 429
within four seconds, is younger; whoever uses an id anew that our book forgot sent 60,000 orders
since. Plans repeat their ids on purpose: theirs are always their own.
"""
_CRYPTO = "crypto"


_QUOTED_IN = ("USDT", "USDC", "USD", "BTC")
"""What Alpaca's crypto pairs are quoted in, the longer ones first."""


class _Cancelled(Struct, frozen=True):
    """What became of one order when all were to be cancelled."""

    id: str
    status: int


class AlpacaRequests:
    """One account's orders and positions, over a session that its owner closes."""

    def __init__(self, session: AlpacaSession) -> None:
        self._session = session
        self._spellings: dict[str, str] = {}
        self._told_at = ""
        """The broker's own time as it last told it, with an order that it took or of its clock."""

    def time_told(self, wall_ns: int) -> None:
        """The broker's clock was read."""
        self._told_at = rfc3339_from_ns(wall_ns)

    # --- orders --------------------------------------------------------------------------------

    async def submit(self, order: SubmitOrder, still_allowed: Callable[[], bool]) -> SubmitOutcome:
        """Send one order; see the table at the head. Raises `Throttled`."""
        self._learn_spelling(order.symbol)
        session, told_at = self._session, self._told_at
        try:
            answer = await session.trading.request(
                "POST",
                "/v2/orders",
                session.headers | {"Content-Type": "application/json"},
                _order_body(order),
                session.timeout_s,
                before_write=still_allowed,
            )
        except WriteRefused:
            return OrderNotSent(order_id=order.order_id, reason=Reason.HALT_EPOCH)
        except NotWritten as failure:
            return OrderNotSent(
                order_id=order.order_id, reason=Reason.BROKER_UNREACHABLE, message=str(failure)
            )
        except AnswerLost as failure:
            return OrderUnknown(order_id=order.order_id, detail=str(failure))
        raise_if_throttled(answer)
        if 200 <= answer.status < 300:
            return self._took(order, answer)
        error = read_error(answer.body)
        if not 400 <= answer.status < 500 or answer.status in _IN_DOUBT_4XX:
            return OrderUnknown(
                order_id=order.order_id, detail=f"answered {answer.status} {error.message}"
            )
        if _ID_TAKEN.search(error.message):
            return await self._taken(order, told_at)
        return OrderNotSent(
            order_id=order.order_id,
            reason=Reason.BROKER_REJECTED,
            http_status=answer.status,
            broker_code=error.code,
            message=error.message,
        )

    def _took(self, order: SubmitOrder, answer: HttpAnswer) -> SubmitOutcome:
        seen = self._seen(order.order_id, order.wire_id, answer)
        if isinstance(seen, OrderUnknown):
            return seen
        self._told_at = seen.submitted_at or self._told_at
        return _sent(order.order_id, seen)

    async def _taken(self, order: SubmitOrder, told_at: str) -> SubmitOutcome:
        """The broker has our id already: an earlier send of this order arrived, or an order of long
        ago had it, whose fills our book has.
        """
        found = await self._look_up(order.order_id, order.wire_id)
        if isinstance(found, SeenOrder):
            if order.intent is not Intent.PLAN and _is_older(found, told_at):
                return OrderNotSent(
                    order_id=order.order_id,
                    reason=Reason.CLIENT_ORDER_ID_REUSED,
                    message=f"the broker had an order of this id at {found.submitted_at}",
                )
            return _sent(order.order_id, found)
        if isinstance(found, OrderNotSent):
            return OrderUnknown(
                order_id=order.order_id, detail="the broker says the id is taken and finds no order"
            )
        return found

    async def find(self, order: FindOrder) -> SubmitOutcome:
        """One look by wire id, or by the broker's. Raises `Throttled`."""
        found = await self._look_up(order.order_id, order.wire_id, order.broker_order_id)
        return _sent(order.order_id, found) if isinstance(found, SeenOrder) else found

    async def last_found(
        self,
        find: Callable[[int], FindOrder],
        known: tuple[int, OrderSent],
        *,
        most: int,
    ) -> tuple[int, OrderSent]:
        """The last of numbered orders that the broker has, of which one is known: ever further
        while one is there, then halfway back. One that still works ends the search. Raises
        `BrokerUnavailable` and `Throttled`.
        """
        (there, found), absent, step = known, most + 1, 1
        while found.status in TERMINAL_STATUSES and absent - there > 1:
            at = min(there + step, (there + absent) // 2)
            seen = await self.find(find(at))
            if isinstance(seen, OrderUnknown):
                raise BrokerUnavailable(seen.detail)
            if isinstance(seen, OrderSent):
                there, found = at, seen
            else:
                absent = at
            step *= 2
        return there, found

    async def _look_up(
        self, order_id: str, wire_id: str, broker_order_id: str = ""
    ) -> SeenOrder | OrderNotSent | OrderUnknown:
        target = f"/v2/orders:by_client_order_id?client_order_id={quote(wire_id, safe='')}"
        if broker_order_id:
            target = f"/v2/orders/{quote(broker_order_id, safe='')}"
        try:
            answer = await self._session.fetch("GET", target)
        except BrokerUnavailable as failure:
            return OrderUnknown(order_id=order_id, detail=str(failure))
        raise_if_throttled(answer)
        if is_absent(answer):
            # The look-up's 404 is no answer to the order: its caller must not read it as one.
            return OrderNotSent(order_id=order_id, reason=Reason.NEVER_ARRIVED)
        if answer.status != 200:
            return OrderUnknown(order_id=order_id, detail=f"the look-up answered {answer.status}")
        return self._seen(order_id, wire_id, answer)

    def _seen(self, order_id: str, wire_id: str, answer: HttpAnswer) -> SeenOrder | OrderUnknown:
        """The order of a good answer, or in doubt when it is not the one we meant."""
        try:
            seen = seen_order(decoded_json(answer.body))
        except (msgspec.DecodeError, UnicodeDecodeError, ShapeUnknown) as wrong:
            return OrderUnknown(order_id=order_id, detail=f"the answer makes no sense: {wrong}")
        if seen.client_order_id != wire_id:
            return OrderUnknown(order_id=order_id, detail="the answer is another order")
        self._learn_spelling(seen.symbol)
        return seen

    async def cancel(self, order: CancelOrder) -> CancelRefused | None:
        """Ask to cancel by broker order id. Raises `Throttled`."""
        if order.broker_order_id is None:
            return CancelRefused(
                order_id=order.order_id, reason=Reason.ORDER_UNKNOWN, message="no broker order id"
            )
        session = self._session
        target = f"/v2/orders/{quote(order.broker_order_id, safe='')}"
        try:
            answer = await session.trading.request(
                "DELETE", target, session.headers, timeout_s=session.timeout_s
            )
        except (NotWritten, AnswerLost) as failure:
            return CancelRefused(
                order_id=order.order_id, reason=Reason.BROKER_UNREACHABLE, message=str(failure)
            )
        raise_if_throttled(answer)
        if 200 <= answer.status < 300:
            return None
        if answer.status == 422 or is_absent(answer):
            reason = Reason.ORDER_NOT_CANCELABLE
        elif 400 <= answer.status < 500:
            reason = Reason.BROKER_REJECTED
        else:
            reason = Reason.BROKER_UNREACHABLE
        message = f"{answer.status} {read_error(answer.body).message}"
        return CancelRefused(order_id=order.order_id, reason=reason, message=message)

    async def cancel_all(self) -> Sequence[str]:
        """Ask to cancel every order that works; the ids of those whose cancel was taken, by the
        multi-status answer. Raises `BrokerUnavailable` and `Throttled`.
        """
        session = self._session
        try:
            answer = await session.trading.request(
                "DELETE", "/v2/orders", session.headers, timeout_s=session.timeout_s
            )
        except (NotWritten, AnswerLost) as failure:
            raise BrokerUnavailable(str(failure)) from failure
        raise_if_throttled(answer)
        if not 200 <= answer.status < 300:
            message = read_error(answer.body).message
            raise BrokerUnavailable(f"DELETE /v2/orders: {answer.status} {message}")
        try:
            entries = msgspec.json.decode(answer.body, type=list[_Cancelled])
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            raise BrokerUnavailable(f"DELETE /v2/orders: the answer: {wrong}") from wrong
        return [entry.id for entry in entries if 200 <= entry.status < 300]

    # --- reads ---------------------------------------------------------------------------------

    async def read_leg(self, leg: ReadLeg) -> LegRead | LegReadFailed:
        """As `leg_read`, or why not. Raises `Throttled`."""
        try:
            return await self.leg_read(leg)
        except BrokerUnavailable as failure:
            return LegReadFailed(
                trip=leg.trip, symbol=leg.symbol, attempt=leg.attempt, detail=str(failure)
            )

    async def leg_read(self, leg: ReadLeg) -> LegRead:
        """Working orders first, then the position, then the close itself.

        In this order a fill in between makes what is already working look larger, never smaller:
        the close that follows can be too small, but cannot go through zero.

        Raises `BrokerUnavailable` and `Throttled`.
        """
        self._learn_spelling(leg.symbol)
        orders = await self._session.open_orders(symbol=quote(leg.symbol, safe=""))
        position = await self._position(leg.symbol)
        unread = [each.id for each in orders if each.side is None and each.may_trade(leg.symbol)]
        if unread:
            said = f"{len(unread)} working orders cannot be read, the first is {unread[0]}"
            raise BrokerUnavailable(said)
        found = await self._look_up(leg.order_id, leg.wire_id)
        if isinstance(found, OrderUnknown):
            raise BrokerUnavailable(found.detail)
        return LegRead(
            trip=leg.trip,
            symbol=leg.symbol,
            attempt=leg.attempt,
            position_nanos=position,
            against_nanos=_against(position, leg.symbol, orders),
            found=_sent(leg.order_id, found) if isinstance(found, SeenOrder) else None,
        )

    async def _position(self, symbol: str) -> int:
        """Our position in a symbol, negative when short, 0 when the broker has none."""
        entry = await self._session.read(f"/v2/positions/{quote(_bare(symbol), safe='')}")
        if entry is None:
            return 0
        named = _position_symbol(entry)
        quantity_nanos = _position_nanos(entry)
        if _bare(named) != _bare(symbol):
            raise BrokerUnavailable(f"asked for {symbol}, answered with {named}")
        return quantity_nanos

    async def positions(self) -> PositionsSeen:
        """All positions, and the symbols of those that cannot be read. Raises
        `BrokerUnavailable` and `Throttled`.
        """
        entries = await self._session.read("/v2/positions")
        if not isinstance(entries, list):
            raise BrokerUnavailable("the list of positions is not a list")
        found: list[BrokerPosition] = []
        unread: dict[str, None] = {}
        for entry in entries:
            try:
                found.append(self._broker_position(entry))
            except BrokerUnavailable:
                unread[self._named(entry)] = None
        return PositionsSeen(positions=tuple(found), unread=tuple(unread))

    def spelled(self, symbol: str) -> str:
        """A symbol as our orders spell it, where the broker writes a pair without its slash."""
        return self._spellings.get(_bare(symbol), symbol)

    def _broker_position(self, entry: object) -> BrokerPosition:
        symbol = _position_symbol(entry)
        assert isinstance(entry, dict), "the line before checked"
        try:
            average = nanos_rounded(entry.get("avg_entry_price"))
            price = nanos_rounded(entry.get("current_price") or 0)
        except ValueError as wrong:
            raise BrokerUnavailable(f"the position in {symbol}: {wrong}") from wrong
        return BrokerPosition(
            quantity_nanos=_position_nanos(entry),
            symbol=self._named(entry),
            average_price_nanos=average,
            price_nanos=price,
        )

    def _named(self, entry: object) -> str:
        """A position's symbol as orders spell it; `UNNAMED` where the broker names none."""
        if not isinstance(entry, dict) or not isinstance(entry.get("symbol"), str):
            return UNNAMED
        symbol: str = entry["symbol"]
        named = _pair(symbol) if entry.get("asset_class") == _CRYPTO else symbol
        named = self._spellings.get(_bare(symbol), named)
        self._learn_spelling(named)
        return named or UNNAMED

    def _learn_spelling(self, symbol: str) -> None:
        """Remember `BTC/USD`: Alpaca writes the same pair `BTCUSD` in positions, which who has
        sent nothing yet knows by their asset class alone.
        """
        if "/" in symbol and len(self._spellings) < _SPELLINGS_MAX:
            self._spellings[_bare(symbol)] = symbol


def _sent(order_id: str, seen: SeenOrder) -> OrderSent:
    return OrderSent(
        order_id=order_id,
        broker_order_id=seen.id,
        status=seen.status,
        filled_quantity_nanos=seen.filled_quantity_nanos,
        filled_price_nanos=seen.filled_price_nanos,
    )


def _is_older(found: SeenOrder, told_at: str) -> bool:
    """Whether an order was submitted and final long before a time that the broker told; one whose
    time cannot be read was not.
    """
    if found.status not in TERMINAL_STATUSES or not told_at:
        return False
    try:
        return found.submitted_ns() < ns_from_rfc3339(told_at) - OLDER_NS_MIN
    except ValueError:  # `ShapeUnknown` among them
        return False


def _order_body(order: SubmitOrder) -> bytes:
    body = {
        "symbol": order.symbol,
        "qty": text_from_nanos(order.quantity_nanos),
        "side": order.side.value,
        "type": order.order_type.value,
        "time_in_force": order.time_in_force.value,
        "client_order_id": order.wire_id,
    }
    if order.limit_price_nanos is not None:
        body["limit_price"] = text_from_nanos(order.limit_price_nanos)
    if order.stop_price_nanos is not None:
        body["stop_price"] = text_from_nanos(order.stop_price_nanos)
    return msgspec.json.encode(body | ({"extended_hours": True} if order.extended_hours else {}))


def _position_symbol(entry: object) -> str:
    symbol = entry.get("symbol") if isinstance(entry, dict) else None
    if not isinstance(symbol, str) or not symbol:
        raise BrokerUnavailable("a position names no symbol")
    return symbol


def _position_nanos(entry: object) -> int:
    """How much of it is held, which needs no price; negative when short."""
    symbol = _position_symbol(entry)
    assert isinstance(entry, dict), "the line before checked"
    side = entry.get("side")
    try:
        quantity = nanos_of_number(entry.get("qty"))
    except ValueError as wrong:
        raise BrokerUnavailable(f"the position in {symbol}: {wrong}") from wrong
    if side not in {"long", "short"} or (side == "long" and quantity < 0):
        raise BrokerUnavailable(f"the position in {symbol} has no clear side")
    return -abs(quantity) if side == "short" else quantity


def _pair(symbol: str) -> str:
    """`BTC/USD` of `BTCUSD`; as it is where it ends in nothing that pairs are quoted in."""
    for quoted in _QUOTED_IN:
        base = symbol.removesuffix(quoted)
        if base not in {"", symbol} and "/" not in symbol:
            return f"{base}/{quoted}"
    return symbol


def _bare(symbol: str) -> str:
    return symbol.replace("/", "")


def _against(position_nanos: int, symbol: str, orders: list[SeenOrder]) -> int:
    """What the working orders on the other side will still take off a position.

    An order by notional value has no quantity: it counts as the whole position.
    """
    if position_nanos == 0:
        return 0
    reducing = Side.SELL if position_nanos > 0 else Side.BUY
    return sum(
        abs(position_nanos)
        if order.quantity_nanos is None
        else max(0, order.quantity_nanos - order.filled_quantity_nanos)
        for order in orders
        if order.side is reducing and _bare(order.symbol) == _bare(symbol)
    )
