"""A desk whose broker takes orders by hand, too, under a policy that adopts them."""

from fuseboard.core.kernel import Kernel
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.foreign_inputs import ForeignTerms
from fuseboard.vocabulary.identifiers import foreign_order_id
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from tests.core.compared import PRICE, Compared, policy_of

ADOPTS = policy_of("halt", foreign_orders="adopt")
HAND = "foreign-h1"
READS = fx.ReadAccount(positions=True, timed=True)
"""All is compared, by the broker's clock."""
LATER = 2**62
"""A wall time after every comparison of a test."""


def by_hand(
    side: Side = Side.BUY,
    shares: int = 10,
    *,
    broker_id: str = "h1",
    limit: int | None = 250,
    stop: int | None = None,
    symbol: str = "AAPL",
    filled: int = 0,
    price: int = 250,
    ended: OrderStatus | None = None,
    ended_ns: int = LATER,
) -> facts.ForeignOrderSeen:
    """An order that somebody placed at the broker, as the broker tells it."""
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    if stop is not None:
        kind = OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    return facts.ForeignOrderSeen(
        wire_id=f"by-hand-{broker_id}",
        broker_order_id=broker_id,
        symbol=symbol,
        ours_by_prefix=False,
        side=side,
        quantity_nanos=shares * NANOS,
        terms=ForeignTerms(
            order_type=kind,
            time_in_force=TimeInForce.GTC,
            limit_price_nanos=None if limit is None else limit * NANOS,
            stop_price_nanos=None if stop is None else stop * NANOS,
            filled_quantity_nanos=filled * NANOS,
            filled_price_nanos=price * NANOS if filled else 0,
            ended=ended,
            ended_wall_ns=0 if ended is None else ended_ns,
        ),
    )


def fill_by_hand(
    shares: int,
    so_far: int,
    *,
    broker_id: str = "h1",
    price_nanos: int = PRICE,
    final: bool = False,
) -> facts.FillReported:
    return facts.FillReported(
        order_id=foreign_order_id(broker_id),
        broker_order_id=broker_id,
        quantity_nanos=shares * NANOS,
        price_nanos=price_nanos,
        filled_quantity_nanos=so_far * NANOS,
        filled_price_nanos=price_nanos,
        final=final,
    )


def end_by_hand(
    status: OrderStatus = OrderStatus.CANCELED, so_far: int = 0, broker_id: str = "h1"
) -> facts.OrderEnded:
    return facts.OrderEnded(
        order_id=foreign_order_id(broker_id),
        broker_order_id=broker_id,
        status=status,
        filled_quantity_nanos=so_far * NANOS,
        filled_price_nanos=PRICE if so_far else 0,
    )


class ByHand(Compared):
    """A desk without an activity feed; `held` shares are held by hand from before."""

    has_feed = False

    def __init__(self, policy: Policy | None = None, *, held: int = 0) -> None:
        super().__init__(policy or ADOPTS, held=held, feed=False)
        self.compares(held)

    def working(self) -> list[str]:  # type: ignore[override]
        """The ids of what works, oldest first."""
        return list(self.kernel._state.book.working)

    def position(self, strategy: str = "", symbol: str = "AAPL") -> int:
        """Whole shares of the account, or of a strategy."""
        book = self.kernel._state.book
        ledger = book.strategies[strategy] if strategy else book.account
        at = ledger.positions.get(symbol)
        return 0 if at is None else at.quantity_nanos // NANOS

    def buys(self, shares: int, strategy: str = "alpha", side: Side = Side.BUY) -> None:
        """A strategy's order, filled whole."""
        self.requests += 1
        effects = self.order(side, shares * NANOS, strategy=strategy)
        (order,) = [effect for effect in effects if isinstance(effect, fx.SubmitOrder)]
        self.filled(order, f"b{self.requests}", shares)

    def compares(self, shares: int, *, strangers: tuple[facts.ForeignOrderSeen, ...] = ()) -> None:
        """A reading of the broker: what it works that we do not know, and what it holds."""
        for each in strangers:
            self.take(each)
        held = facts.BrokerPosition(
            symbol="AAPL",
            quantity_nanos=shares * NANOS,
            average_price_nanos=PRICE,
            price_nanos=PRICE,
        )
        positions = (held,) if shares else ()
        self.take(facts.PositionsSeen(positions=positions, after_broker_ns=self.now_ns))

    def halts(self, level: HaltLevel = HaltLevel.HALT, scope: str = "account") -> list[str | None]:
        """A person halts; the broker's ids of what is cancelled."""
        self.requests += 1
        effects = self.take(
            OperatorHaltRequested(
                request=self.requests, operator="ann", reason="drill", scope=scope, level=level
            )
        )
        return cancelled(effects)

    def comes_back(self) -> tuple[fx.Effect, ...]:
        """The gateway dies and starts again: what the start says."""
        self.kernel = Kernel.restored(self.kernel.snapshot())
        return self.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))


def cancelled(effects: tuple[fx.Effect, ...]) -> list[str | None]:
    return [effect.broker_order_id for effect in effects if isinstance(effect, fx.CancelOrder)]


def halted(desk: Compared) -> bool:
    return any(isinstance(effect, fx.LatchHalt) for effect in desk.said)


def told(effects: tuple[fx.Effect, ...] | list[fx.Effect]) -> list[str]:
    return [effect.text for effect in effects if isinstance(effect, fx.RaiseAlert)]
