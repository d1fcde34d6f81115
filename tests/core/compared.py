"""A desk whose broker also has an activity feed: kernels for the tests of comparisons."""

from collections.abc import Iterable

from fuseboard.core.kernel import Kernel
from fuseboard.policy.data_rules import ExecutionRules, ReconciliationRules
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.copy_inputs import Execution, ExecutionsSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.postures import Posture
from tests.core.test_known_failures import SECOND, Desk, submitted

PRICE = 250 * NANOS


def policy_of(
    action: str = "reduce_only",
    *,
    auto_correct: bool = False,
    tolerance_nanos: int = 0,
    cash_tolerance_nanos: int | None = None,
    timeout_ns: int | None = None,
    scheduled: bool = True,
    every_ns: int = 30 * SECOND,
    foreign_orders: str = "leave",
    off: tuple[str, ...] = (),
) -> Policy:
    return Policy(
        checks_off=off,
        limits=Limits(order_value_nanos_max=NANOS**2),
        execution=ExecutionRules(order_timeout_ns=timeout_ns),
        reconciliation=ReconciliationRules(
            mismatch_action=action,
            auto_correct=auto_correct,
            tolerance_nanos=tolerance_nanos,
            cash_tolerance_nanos=cash_tolerance_nanos,
            scheduled=scheduled,
            every_ns=every_ns,
            foreign_orders=foreign_orders,
        ),
    )


class Compared(Desk):
    """A desk with the effects of every step, and a broker that tells its executions."""

    has_feed = True

    def __init__(self, policy: Policy | None = None, *, held: int = 0, feed: bool = True) -> None:
        self.said: list[fx.Effect] = []
        self.told: list[Execution] = []
        super().__init__(policy or policy_of(), held=held)
        if feed:
            self.feed()

    def take(self, fact: facts.Input) -> tuple[fx.Effect, ...]:
        effects = super().take(fact)
        self.said += effects
        return effects

    def passes(self, seconds: int) -> list[fx.Effect]:
        """Time passes second by second; what it caused."""
        before = len(self.said)
        for _ in range(seconds):
            self.now_ns += SECOND
            self.take(facts.TimeAdvanced())
        return self.said[before:]

    def asked(self) -> fx.ReadExecutions:
        """What the feed was last asked for."""
        return [effect for effect in self.said if isinstance(effect, fx.ReadExecutions)][-1]

    def feed(self, **changes: object) -> tuple[fx.Effect, ...]:
        """The broker's answer to what was asked, from all that it tells."""
        after = self.asked().after
        ids = [each.execution for each in self.told]
        start = ids.index(after) + 1 if after else 0
        page = tuple(self.told[start:])
        newest = ids[-1] if ids else ""
        answer: dict[str, object] = {"after": after, "newest": newest, "executions": page}
        return self.take(ExecutionsSeen(**{**answer, **changes}))  # type: ignore[arg-type]

    def reading(self) -> tuple[fx.Effect, ...]:
        """Half a minute later the feed is asked, and answers."""
        before = len(self.said)
        self.passes(30)
        asked = [e for e in self.said[before:] if isinstance(e, fx.ReadExecutions)]
        assert len(asked) == 1, "once in half a minute"
        return self.feed()

    def tells(
        self, broker_id: str, shares: int, *, filled: int | None = None, price_nanos: int = PRICE,
        side: Side = Side.BUY, name: str = "", symbol: str = "AAPL", event_ns: int = 0,
    ) -> None:  # fmt: skip
        """The feed holds one more execution from now on."""
        self.told.append(
            Execution(
                execution=name or f"e{len(self.told):04d}",
                broker_order_id=broker_id,
                symbol=symbol,
                side=side,
                quantity_nanos=shares * NANOS,
                price_nanos=price_nanos,
                filled_quantity_nanos=(shares if filled is None else filled) * NANOS,
                event_ns=event_ns or self.now_ns,
            )
        )

    def working(self, broker_id: str, shares: int = 10, side: Side = Side.BUY) -> fx.SubmitOrder:
        """An order of ours that works at the broker."""
        (order,) = submitted(self.order(side, shares * NANOS))
        status = OrderStatus.WORKING
        self.take(
            facts.OrderSent(order_id=order.order_id, broker_order_id=broker_id, status=status)
        )
        return order

    def filled(
        self, order: fx.SubmitOrder, broker_id: str, shares: int, *, so_far: int | None = None,
        price_nanos: int = PRICE,
    ) -> tuple[fx.Effect, ...]:  # fmt: skip
        """The order stream tells a fill."""
        total = shares if so_far is None else so_far
        return self.take(
            facts.FillReported(
                order_id=order.order_id,
                broker_order_id=broker_id,
                quantity_nanos=shares * NANOS,
                price_nanos=price_nanos,
                filled_quantity_nanos=total * NANOS,
                filled_price_nanos=price_nanos,
                final=total * NANOS == order.quantity_nanos,
            )
        )

    def found(self, order: fx.SubmitOrder, broker_id: str, shares: int) -> tuple[fx.Effect, ...]:
        """The broker's answer to a question about an order: so much of it is filled."""
        whole = shares * NANOS == order.quantity_nanos
        return self.take(
            facts.OrderSent(
                order_id=order.order_id,
                broker_order_id=broker_id,
                status=OrderStatus.FILLED if whole else OrderStatus.WORKING,
                filled_quantity_nanos=shares * NANOS,
                filled_price_nanos=PRICE if shares else 0,
            )
        )

    def positions(self, shares: int, *, after_broker_ns: int = 0) -> tuple[fx.Effect, ...]:
        """The broker says that it holds so many shares."""
        at = facts.BrokerPosition(
            symbol="AAPL",
            quantity_nanos=shares * NANOS,
            average_price_nanos=PRICE,
            price_nanos=PRICE,
        )
        seen = facts.PositionsSeen(
            positions=(at,) if shares else (), after_broker_ns=after_broker_ns
        )
        return self.take(seen)

    def held_nanos(self) -> int:
        return self.kernel._state.book.account.position("AAPL").quantity_nanos

    def posture(self) -> Posture:
        return self.kernel._state.postures.get("account", Posture.OPEN)

    def standing(self) -> list[str]:
        return list(self.kernel._state.discrepancies)

    def restarted(self) -> None:
        """The node dies and comes back from a snapshot, compared and connected."""
        self.kernel = Kernel.restored(self.kernel.snapshot())
        self.start()

    def start(self, latched: tuple[facts.LatchedScope, ...] = ()) -> None:
        super().start(latched)


def stages(effects: Iterable[fx.Effect]) -> list[tuple[str, str]]:
    return [(e.stage, e.subject) for e in effects if isinstance(e, fx.PublishDiscrepancy)]


def finds(effects: Iterable[fx.Effect]) -> list[str]:
    return [effect.order_id for effect in effects if isinstance(effect, fx.FindOrder)]


def latched(effects: Iterable[fx.Effect]) -> bool:
    return any(isinstance(effect, fx.LatchHalt) for effect in effects)
