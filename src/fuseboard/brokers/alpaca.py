"""Alpaca behind the `Broker` door: any Alpaca-compatible base URL, one account."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec import structs

from fuseboard.brokers.alpaca_activities import read_executions
from fuseboard.brokers.alpaca_dividends import read_dividends
from fuseboard.brokers.alpaca_foreign import foreign_order
from fuseboard.brokers.alpaca_requests import AlpacaRequests
from fuseboard.brokers.alpaca_session import (
    AlpacaOptions,
    AlpacaSession,
)
from fuseboard.brokers.alpaca_trades import TradeStream
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.dividend_facts import DividendsSeen
from fuseboard.vocabulary.doors import BrokerFact, BrokerUnavailable
from fuseboard.vocabulary.effects import CancelOrder, FindOrder, ReadLeg, SubmitOrder
from fuseboard.vocabulary.identifiers import is_fuseboard_wire_id
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    BrokerClockSeen,
    CancelRefused,
    ForeignOrderSeen,
    LegRead,
    LegReadFailed,
    PositionsSeen,
    SubmitOutcome,
)
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen, PastOrder
from fuseboard.wire.alpaca_values import (
    nanos_rounded,
    ns_from_rfc3339,
)
from fuseboard.wire.http_client import HttpAnswer
from fuseboard.wire.websocket_client import Died, StreamLimits


class AlpacaBroker:
    """Implements `vocabulary.doors.Broker`, and `fetch` for the gateway's read-only requests."""

    def __init__(
        self,
        options: AlpacaOptions,
        stream_limits: StreamLimits | None = None,
        died: Died | None = None,
    ) -> None:
        self._session = AlpacaSession(options)
        self._stream = TradeStream(options, stream_limits, died)
        self._requests = AlpacaRequests(self._session)

    async def start(self, deliver: Callable[[BrokerFact], None]) -> None:
        """Connect the order stream; its facts come until `stop`."""
        self._stream.start(deliver)

    async def stop(self) -> None:
        """Close every connection."""
        try:
            await self._stream.stop()
        finally:
            await self._session.close()

    async def fetch(self, method: str, target: str) -> HttpAnswer:
        """One read-only request with our key. Raises `BrokerUnavailable`."""
        return await self._session.fetch(method, target)

    # --- orders and positions: see `alpaca_requests` -------------------------------------------

    async def submit(self, order: SubmitOrder, still_allowed: Callable[[], bool]) -> SubmitOutcome:
        """Send one order. Raises `Throttled`."""
        return await self._requests.submit(order, still_allowed)

    async def find(self, order: FindOrder) -> SubmitOutcome:
        """One look by wire id. Raises `Throttled`."""
        return await self._requests.find(order)

    async def cancel(self, order: CancelOrder) -> CancelRefused | None:
        """Ask to cancel by broker order id. Raises `Throttled`."""
        return await self._requests.cancel(order)

    async def cancel_all(self) -> Sequence[str]:
        """Ask to cancel everything. Raises `BrokerUnavailable` and `Throttled`."""
        return await self._requests.cancel_all()

    async def read_leg(self, leg: ReadLeg) -> LegRead | LegReadFailed:
        """What sizes a protective close. Raises `Throttled`."""
        return await self._requests.read_leg(leg)

    async def positions(self, *, timed: bool = False) -> PositionsSeen:
        """All positions; when `timed`, after a look at the clock, which need not be told. Raises
        `BrokerUnavailable` and `Throttled`.
        """
        told_ns = 0
        if timed:
            with suppress(BrokerUnavailable):
                told_ns = (await self.clock()).wall_ns
        seen = await self._requests.positions()
        return structs.replace(seen, after_broker_ns=told_ns)

    # --- reads ---------------------------------------------------------------------------------

    async def account(self) -> AccountSeen:
        """The account. Raises `BrokerUnavailable` and `Throttled`."""
        entry = await self._session.read("/v2/account")
        if not isinstance(entry, dict):
            raise BrokerUnavailable("there is no account")
        try:
            return AccountSeen(
                cash_nanos=nanos_rounded(entry.get("cash")),
                equity_nanos=nanos_rounded(entry.get("equity")),
                last_equity_nanos=nanos_rounded(entry.get("last_equity")),
                multiplier=int(str(entry.get("multiplier"))),
                shorting_enabled=entry.get("shorting_enabled") is True,
                maintenance_margin_nanos=_nanos_if_there(entry, "maintenance_margin"),
                buying_power_nanos=_nanos_if_there(entry, "buying_power"),
            )
        except ValueError as wrong:
            raise BrokerUnavailable(f"the account cannot be read: {wrong}") from wrong

    async def clock(self) -> BrokerClockSeen:
        """The clock. Raises `BrokerUnavailable` and `Throttled`."""
        entry = await self._session.read("/v2/clock")
        if not isinstance(entry, dict) or not isinstance(entry.get("timestamp"), str):
            raise BrokerUnavailable("the clock tells no time")
        try:
            wall_ns = ns_from_rfc3339(entry["timestamp"])
        except ValueError as wrong:
            raise BrokerUnavailable(f"the clock cannot be read: {wrong}") from wrong
        self._requests.time_told(wall_ns)
        return BrokerClockSeen(wall_ns=wall_ns, is_open=entry.get("is_open") is True)

    async def executions(self, after: str | None) -> ExecutionsSeen:
        """The activity feed from an id on. Raises `BrokerUnavailable` and `Throttled`."""
        return await read_executions(self._session, after, self._requests.spelled)

    async def dividends(self, symbols: Sequence[str], wall_ns: int) -> DividendsSeen:
        """Cash dividends announced of symbols. Raises `BrokerUnavailable` and `Throttled`."""
        return await read_dividends(self._session, symbols, wall_ns)

    async def foreign_orders(self, known: Callable[[str], bool]) -> Sequence[ForeignOrderSeen]:
        """Working orders whose wire id is not known. Raises `BrokerUnavailable`, `Throttled`."""
        return [
            foreign_order(order)
            for order in await self._session.open_orders()
            if not known(order.client_order_id)
        ]

    async def foreign_since(self, wall_ns: int) -> Sequence[ForeignOrderSeen]:
        """Foreign orders that ended, after a part was filled, since a time and, of the same page,
        before: each tells when. Raises as above.
        """
        orders, _ = await self._session.newest_orders(wall_ns)
        seen = [foreign_order(order) for order in orders if order.filled_quantity_nanos]
        return [order for order in seen if order.terms is not None and order.terms.ended]

    async def orders_since(self, wall_ns: int) -> OrdersSinceSeen:
        """Orders with a Fuseboard's prefix, newest first. Raises as `foreign_orders` does."""
        orders, complete = await self._session.newest_orders(wall_ns)
        return OrdersSinceSeen(
            orders=tuple(
                PastOrder(
                    wire_id=order.client_order_id, broker_order_id=order.id, symbol=order.symbol
                )
                for order in orders
                if is_fuseboard_wire_id(order.client_order_id)
            ),
            complete=complete,
        )


def _nanos_if_there(entry: dict[str, object], key: str) -> int | None:
    """A figure that not every broker gives. Raises `ValueError` when it is no number."""
    value = entry.get(key)
    return None if value is None else nanos_rounded(value)


__all__ = ["AlpacaBroker", "AlpacaOptions"]
