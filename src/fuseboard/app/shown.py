"""What the broker and the market say about themselves, shown to the gateway on its way in.

Account figures and prices are other people's facts, not our decisions: clients may read them
before they are durable here.
"""

from collections.abc import Callable, Sequence

from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.doors import Broker, BrokerFact, Feed
from fuseboard.vocabulary.effects import CancelOrder, FindOrder, ReadLeg, SubmitOrder
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    CancelRefused,
    ForeignOrderSeen,
    LegRead,
    LegReadFailed,
    PositionsSeen,
    SubmitOutcome,
)
from fuseboard.vocabulary.market_inputs import MarketFact, QuoteSeen, TradeSeen
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen

Show = Callable[[AccountSeen | PositionsSeen | QuoteSeen | TradeSeen], None]


class ShownFeed:
    """A feed whose facts are shown as they come."""

    def __init__(self, feed: Feed, show: Show) -> None:
        self._feed = feed
        self._show = show

    async def start(self, deliver: Callable[[MarketFact], None]) -> None:
        """Start the feed."""

        def shown(fact: MarketFact) -> None:
            if isinstance(fact, QuoteSeen | TradeSeen):
                self._show(fact)
            deliver(fact)

        await self._feed.start(shown)

    async def stop(self) -> None:
        """Stop the feed."""
        await self._feed.stop()

    async def watch(self, symbol: str) -> None:
        """Watch a symbol."""
        await self._feed.watch(symbol)


class ShownBroker:
    """A broker whose account and positions are shown as they are read."""

    def __init__(self, broker: Broker, show: Show) -> None:
        self._broker = broker
        self._show = show

    async def start(self, deliver: Callable[[BrokerFact], None]) -> None:
        """Start the broker's stream."""
        await self._broker.start(deliver)

    async def stop(self) -> None:
        """Stop the broker."""
        await self._broker.stop()

    async def submit(self, order: SubmitOrder, still_allowed: Callable[[], bool]) -> SubmitOutcome:
        """Send one order."""
        return await self._broker.submit(order, still_allowed)

    async def cancel(self, order: CancelOrder) -> CancelRefused | None:
        """Cancel one order."""
        return await self._broker.cancel(order)

    async def cancel_all(self) -> Sequence[str]:
        """Cancel everything that works."""
        return await self._broker.cancel_all()

    async def find(self, order: FindOrder) -> SubmitOutcome:
        """Look for one order."""
        return await self._broker.find(order)

    async def read_leg(self, leg: ReadLeg) -> LegRead | LegReadFailed:
        """Read what a close needs."""
        return await self._broker.read_leg(leg)

    async def account(self) -> AccountSeen:
        """Read and show the account."""
        seen = await self._broker.account()
        self._show(seen)
        return seen

    async def positions(self, *, timed: bool = False) -> PositionsSeen:
        """Read and show the positions."""
        seen = await self._broker.positions(timed=timed)
        self._show(seen)
        return seen

    async def executions(self, after: str | None) -> ExecutionsSeen:
        """Read the activity feed."""
        return await self._broker.executions(after)

    async def foreign_orders(self, known: Callable[[str], bool]) -> Sequence[ForeignOrderSeen]:
        """Look for orders that are not ours."""
        return await self._broker.foreign_orders(known)

    async def orders_since(self, wall_ns: int) -> OrdersSinceSeen:
        """Look for orders with a Fuseboard's prefix, final ones too."""
        return await self._broker.orders_since(wall_ns)

    async def foreign_since(self, wall_ns: int) -> Sequence[ForeignOrderSeen]:
        """Look for foreign orders that ended."""
        return await self._broker.foreign_since(wall_ns)
