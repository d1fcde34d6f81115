"""The door: one port that a strategy takes for its broker.

Requests become inputs to the intake; effects at the durable watermark become answers, views and
stream messages. The composition root gives the doors and has every durable effect applied here.
"""

import itertools
import uuid
from collections.abc import Callable

from fuseboard.gateway import shapes
from fuseboard.gateway.assets import AssetBook
from fuseboard.gateway.closing import ClosingDesk
from fuseboard.gateway.connections import Connections
from fuseboard.gateway.data_stream import OTHER_PATHS, STOCK_PATH, DataStreams
from fuseboard.gateway.door_denials import DoorDenials
from fuseboard.gateway.doors import IntakeDoor, MarketDoor, ReadDoor
from fuseboard.gateway.keys import Keys
from fuseboard.gateway.limits import GatewayLimits
from fuseboard.gateway.orders import Node, OrderDesk
from fuseboard.gateway.portfolio import Portfolio
from fuseboard.gateway.presence import Presence
from fuseboard.gateway.reads import Reads
from fuseboard.gateway.repeats import Repeats
from fuseboard.gateway.rest import StrategyRest
from fuseboard.gateway.symbols import SymbolWatch
from fuseboard.gateway.trade_stream import PATHS, POLICY_VIOLATION, TradeStreams
from fuseboard.gateway.views import ViewFact, Views
from fuseboard.gateway.watchlist_routes import WatchlistRoutes
from fuseboard.gateway.watchlists import Watchlists
from fuseboard.vocabulary.effects import (
    AnswerCancel,
    AnswerDenied,
    AnswerOrder,
    Effect,
    PublishEquity,
    PublishOrder,
    PublishPosture,
    SubmitOrder,
)
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, strategy_scope
from fuseboard.vocabulary.inputs import AccountSeen
from fuseboard.vocabulary.postures import Posture
from fuseboard.wire.http_messages import HttpLimits
from fuseboard.wire.http_server import HttpServer, WebSocketSession
from fuseboard.wire.websocket_server import WebSocketLimits

LOOPBACK = "127.0.0.1"


class GatewayDoor:
    """Composes the gateway of one account.

    `numbers` gives request numbers, shared with whoever else offers requests to the same intake.
    Without `watchlists` they are kept in memory only.
    """

    def __init__(
        self,
        *,
        node: Node,
        intake: IntakeDoor,
        keys: Keys,
        broker: ReadDoor,
        market: MarketDoor,
        limits: GatewayLimits | None = None,
        http_limits: HttpLimits | None = None,
        numbers: Callable[[], int] | None = None,
        watchlists: Watchlists | None = None,
        presence: Presence | None = None,
        websocket_limits: WebSocketLimits | None = None,
    ) -> None:
        limits = limits or GatewayLimits()
        http_limits = http_limits or HttpLimits()
        _must_answer_first(limits, http_limits)
        self.views = Views(
            closed_orders_max=limits.closed_orders_max, symbols_max=limits.symbols_max
        )
        reads = Reads(broker, limits)
        self._assets = AssetBook(broker, symbols_max=limits.symbols_max, budget=reads.trading)
        self._symbols = SymbolWatch(market, self._assets, limits)
        self._orders = OrderDesk(
            node=node,
            intake=intake,
            views=self.views,
            symbols=self._symbols,
            limits=limits,
            numbers=numbers or itertools.count(1).__next__,
        )
        self._denials = DoorDenials(intake, every_s=limits.door_denials_note_every_s)
        self._connections = Connections()
        self.presence = presence or Presence(intake)
        self._portfolio = Portfolio(
            reads=reads, views=self.views, minutes_max=limits.equity_minutes_max
        )
        self._trades = TradeStreams(keys, limits, self.views.is_killed, self.presence)
        self._data = DataStreams(keys, market, limits, self.views.is_killed)
        rest = self._rest(node, keys, reads, limits, watchlists or Watchlists(None))
        self._server = HttpServer(
            rest.handle, self._stream, limits=http_limits, websocket_limits=websocket_limits
        )
        market.listen(self._data.publish)

    def _rest(
        self,
        node: Node,
        keys: Keys,
        reads: Reads,
        limits: GatewayLimits,
        watchlists: Watchlists,
    ) -> StrategyRest:
        return StrategyRest(
            keys=keys,
            views=self.views,
            orders=self._orders,
            closing=ClosingDesk(
                orders=self._orders, views=self.views, symbols=self._symbols, limits=limits
            ),
            repeats=_repeats(limits),
            reads=reads,
            assets=self._assets,
            connections=self._connections,
            presence=self.presence,
            denials=self._denials,
            portfolio=self._portfolio,
            watchlists=WatchlistRoutes(
                lists=watchlists,
                assets=self._assets,
                account_id=shapes.account_id(node.account),
                changes_a_minute_max=limits.watchlist_changes_a_minute_max,
            ),
            account=node.account,
        )

    def bind(self, host: str = LOOPBACK, port: int = 0) -> None:
        """Take the address; who connects waits until `start`. Raises `OSError`."""
        self._server.bind(host, port)

    async def start(self, host: str = LOOPBACK, port: int = 0) -> int:
        """Listen; returns the port really bound."""
        bound = await self._server.start(host, port)
        self.presence.begin()
        return bound

    def stop_accepting(self) -> None:
        """Take no new connection: over those that are open one may read and cancel."""
        self.presence.close()
        self._server.stop_listening()

    async def stop(self) -> None:
        """End every wait, answer what can be answered, close every connection."""
        self.presence.close()
        self._orders.close()
        await self._symbols.stop()
        await self._server.stop()
        self._denials.close()

    def apply(self, shown: Effect | ViewFact) -> None:
        """Take one durable effect, or a fact that is only shown. Never blocks."""
        if isinstance(shown, AnswerOrder | AnswerDenied | AnswerCancel):
            rejected = self._orders.resolve(shown)
            if rejected is not None:
                self.apply(rejected)
            return
        self.views.apply(shown)
        if isinstance(shown, SubmitOrder):
            self.presence.ordered(shown.strategy)
        if isinstance(shown, PublishEquity | AccountSeen):
            self._portfolio.see()
        if isinstance(shown, PublishPosture) and shown.posture >= Posture.KILLED:
            self._disconnect(shown.scope)
        if (
            isinstance(shown, PublishOrder)
            and shown.event
            and self._trades.is_wanted(shown.strategy)
        ):
            asset = self._assets.facts(shown.symbol)
            self._trades.publish(shown.strategy, shapes.update_body(shown, asset))

    def _disconnect(self, scope: str) -> None:
        """End every stream and connection of the strategies of a scope that was killed.

        New connections are taken: reading and cancelling stay possible, and an order is denied.
        """
        for part in (self._trades, self._data, self._connections):
            for strategy in part.strategies():
                if scope in {ACCOUNT_SCOPE, strategy_scope(strategy)}:
                    part.disconnect(strategy)

    async def _stream(self, session: WebSocketSession) -> None:
        if session.path in PATHS:
            await self._trades.run(session)
        elif STOCK_PATH.fullmatch(session.path) or OTHER_PATHS.fullmatch(session.path):
            await self._data.run(session)
        else:
            session.close(POLICY_VIOLATION, "there is no such stream")


def _minted() -> str:
    """A client order id for a request that has none."""
    return str(uuid.uuid4())


def _repeats(limits: GatewayLimits) -> Repeats:
    return Repeats(repeats_max=limits.repeats_max, window_ns=limits.repeat_window_ns, mint=_minted)


def _must_answer_first(limits: GatewayLimits, http_limits: HttpLimits) -> None:
    """Raise `ValueError` when the server's own late answer would come before the door's."""
    longest_s = limits.watch_wait_s + limits.settle_wait_s + 3 * limits.answer_wait_s
    if longest_s >= http_limits.answer_s_max:
        # For an order that may be on its way.
        raise ValueError(f"answers may take {longest_s} s: answer_s_max must be longer")
