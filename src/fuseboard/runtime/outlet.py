"""The one way out: every effect leaves here, and every outcome comes back through the intake.

What protects leaves first and is done synchronously where it can be: a latch is in the register
and the halt epoch is raised before the next effect is looked at. An order that raises exposure is
judged again at the socket, after every wait: it needs the present halt epoch and a register that
does not halt. The outlet knows no other rule.

`seal` and `cancel_everything` are the fault path's: they trust nobody, not even the kernel.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from msgspec import Struct

from fuseboard.runtime.broker_latches import BrokerLatchLine, LatchLimits
from fuseboard.runtime.budget import Budget
from fuseboard.runtime.bulk_cancels import BulkCancels, BulkLimits
from fuseboard.runtime.cancels import CancelLimits, CancelLine
from fuseboard.runtime.crew import Crew
from fuseboard.runtime.gate import SECOND_NS, Gate
from fuseboard.runtime.intake import Intake
from fuseboard.runtime.ports import Views
from fuseboard.runtime.questions import QuestionLimits, Questions
from fuseboard.runtime.settling import Settling
from fuseboard.runtime.submits import SubmitLimits, SubmitLine
from fuseboard.runtime.sweep import cancel_until_none
from fuseboard.runtime.working import WorkingOrders
from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.doors import (
    Broker,
    BrokerLatches,
    Clock,
    Feed,
    Pager,
    Register,
    RegisterBusy,
)
from fuseboard.vocabulary.effects import (
    CancelOrder,
    ClearHalt,
    Effect,
    FindOrder,
    LatchHalt,
    PublishOrder,
    RaiseAlert,
    ReadAccount,
    ReadExecutions,
    ReadLeg,
    ReadOrdersSince,
    StopNode,
    SubmitOrder,
    WakeAt,
)
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, is_foreign_order_id
from fuseboard.vocabulary.inputs import (
    FillReported,
    Input,
    Moment,
    OrderEnded,
    OrderNotSent,
    OrderSent,
    OrderUnknown,
    OrderWorking,
)
from fuseboard.vocabulary.market_effects import WatchSymbol
from fuseboard.vocabulary.market_inputs import MarketFact
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, OrderStatus, Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

CLEAR_AGAIN_S = 0.1


class OutletLimits(Struct, frozen=True, kw_only=True):
    """The outlet's bounds, one part for each line."""

    submits: SubmitLimits = SubmitLimits()
    cancels: CancelLimits = CancelLimits()
    bulk: BulkLimits = BulkLimits()
    questions: QuestionLimits = QuestionLimits()
    latches: LatchLimits = LatchLimits()
    wire_ids_max: int = 131_072
    """How many of our orders' wire ids are kept, to know a stranger's order."""
    fault_cancel_ns_max: int = 10 * SECOND_NS
    """How long the fault path tries to cancel everything."""


class Outlet:
    """One account's way out. Build and use it in the event loop; `stop` ends all its tasks."""

    def __init__(
        self,
        *,
        broker: Broker,
        feed: Feed,
        register: Register,
        intake: Intake,
        clock: Clock,
        budget: Budget,
        views: Sequence[Views],
        pagers: Sequence[Pager],
        randbelow: Callable[[int], int],
        limits: OutletLimits | None = None,
        latches: BrokerLatches | None = None,
    ) -> None:
        self.limits = limits or OutletLimits()
        self._broker = broker
        self._feed = feed
        self._register = register
        self._intake = intake
        self._views = tuple(views)
        self._pagers = tuple(pagers)
        self._randbelow = randbelow
        self._clock = clock
        self._gate = Gate(budget, clock)
        self._crew = Crew(intake.fail)
        self._working = WorkingOrders()
        self._wire_ids: dict[str, None] = {}
        self._halt_epoch = 0
        self._latched_epoch: dict[str, int] = {}
        self._sealed = False
        self._holds_new_risk = False
        self._moves = 0
        self._cancels = CancelLine(
            broker=broker,
            gate=self._gate,
            crew=self._crew,
            clock=clock,
            refused=self._deliver,
            limits=self.limits.cancels,
        )
        bulk = self._new_bulk()
        self._cancels.ask_for_many_with(bulk)
        self._submits = SubmitLine(
            broker=broker,
            gate=self._gate,
            crew=self._crew,
            clock=clock,
            allowed=self._may_leave,
            unwanted=self._cancels.is_wanted,
            bulk=bulk,
            report=self._deliver,
            limits=self.limits.submits,
        )
        self._settling = Settling(self._submits)
        self._questions = self._new_questions(clock)
        self._latches = latches
        self._latch_line = self._new_latch_line()
        self._ways = self._laid_ways()

    def hold_new_risk(self) -> None:
        """From now on nothing that raises exposure leaves: the node stops in order.

        Nothing is latched, and there is no way back but another start.
        """
        self._holds_new_risk = True
        self._submits.refuse_disallowed()

    async def start(self) -> None:
        """Connect broker and feed; their facts go to the intake from now on."""
        await self._broker.start(self._deliver)
        await self._feed.start(self._deliver_market)

    async def stop(self) -> None:
        """End every task and close broker and feed."""
        self._gate.close()
        await self._crew.stop()
        self._gate.close()
        await self._feed.stop()
        await self._broker.stop()

    def _new_questions(self, clock: Clock) -> Questions:
        return Questions(
            broker=self._broker,
            feed=self._feed,
            gate=self._gate,
            crew=self._crew,
            clock=clock,
            protective=self._cancels.awaits,
            at_rest=self._at_rest,
            known=self._wire_ids.__contains__,
            working=self._working.all,
            compared=self._working.compared,
            halt_epoch=lambda: self._halt_epoch,
            report=self._deliver,
            randbelow=self._randbelow,
            limits=self.limits.questions,
        )

    def _new_bulk(self) -> BulkCancels:
        return BulkCancels(
            broker=self._broker,
            gate=self._gate,
            clock=self._clock,
            may=lambda: self._sealed or self._holds_new_risk or self._register.halts("", ""),
            hurries=lambda: self._sealed or self._holds_new_risk,
            is_wanted=lambda it: self._cancels.wants(it) or (self._sealed and it.ours_by_prefix),
            spares=lambda: not all(map(self._cancels.is_wanted, self._submits.started_ids())),
            limits=self.limits.bulk,
        )

    def _new_latch_line(self) -> BrokerLatchLine | None:
        """None where the broker has no latches of its own."""
        if self._latches is None:
            return None
        return BrokerLatchLine(
            latches=self._latches,
            gate=self._gate,
            crew=self._crew,
            failed=partial(self._page, Severity.PAGE, Reason.BROKER_UNREACHABLE),
            limits=self.limits.latches,
        )

    def oldest_call_age_ns(self) -> int:
        """How long the oldest submit has waited for the broker's answer; for the heartbeat."""
        return self._submits.oldest_call_age_ns()

    # --- what the loop calls ---------------------------------------------------------------------

    def leave(self, effect: Effect, moment: Moment) -> None:
        """Let one effect out. What nobody here acts on is for the views."""
        assert not self._sealed, "nothing leaves after a fault"
        way = self._ways.get(type(effect))
        if way is not None:
            way(effect, moment)
        else:
            self._show(effect)

    async def settled(self, scope: str) -> tuple[str, ...]:
        """Wait, at most 2 s, until what had started is answered; the ids of what is in doubt."""
        return await self._settling.settled(scope)

    def annihilate(self, order_id: str) -> None:
        """Report a submit that never came here: it was cancelled while it was held."""
        self._deliver(OrderNotSent(order_id=order_id, reason=Reason.ANNIHILATED))

    def seal(self, detail: str, moment: Moment) -> None:
        """A fault: latch, page, refuse what has not left, start cancelling what works.

        Each of these is done whatever becomes of the others.
        """
        self._sealed = True
        halt = LatchHalt(
            scope=ACCOUNT_SCOPE,
            level=HaltLevel.KILL,
            reason=Reason.NODE_FAULT,
            trip="",
            halt_epoch=0,  # later than every reset that the register knows of
            detail=detail,
        )
        with ExitStack() as acts:  # runs them from the last to the first
            acts.callback(self._page, Severity.PAGE, Reason.NODE_FAULT, detail)
            acts.callback(self._cancel_known)
            acts.callback(self._submits.refuse_disallowed)
            acts.callback(self._latch, halt, moment)

    async def cancel_everything(self) -> None:
        """After `seal`: cancel what works by our table, then what the broker says, until it says
        twice that none of ours is left or the time is over. People are told which.
        """
        left = "the broker was not asked"
        try:
            async with asyncio.timeout(self.limits.fault_cancel_ns_max / SECOND_NS):
                await cancel_until_none(
                    broker=self._broker,
                    gate=self._gate,
                    cancels=self._cancels,
                    submits=self._submits,
                    randbelow=self._randbelow,
                )
            left = ""
        except TimeoutError:
            left = f"not confirmed in time; by our table {len(self._working)} orders may work"
        finally:
            text = f"cancelled after a fault: {left or 'the broker holds no order of ours'}"
            self._page(Severity.PAGE if left else Severity.INFO, Reason.NODE_FAULT, text)

    # --- the ways --------------------------------------------------------------------------------

    def _laid_ways(self) -> dict[type, Callable[..., None]]:
        return {
            SubmitOrder: self._submit,
            CancelOrder: self._cancel,
            FindOrder: self._find,
            ReadLeg: self._read_leg,
            ReadAccount: lambda read, _moment: self._questions.read_account(read),
            ReadOrdersSince: lambda read, _moment: self._questions.read_orders_since(read),
            ReadExecutions: lambda read, _moment: self._questions.read_executions(read),
            WatchSymbol: lambda watch, _moment: self._questions.watch(watch.symbol),
            LatchHalt: self._latch_and_show,
            LatchBroker: self._latch_broker,
            ClearHalt: self._clear,
            RaiseAlert: self._alert,
            PublishOrder: self._publish_order,
            WakeAt: _is_the_loops,
            StopNode: _is_the_loops,
        }

    def _submit(self, order: SubmitOrder, _moment: Moment) -> None:
        self._remember_wire_id(order.wire_id)
        self._working.sent(order.order_id, order.side, order.quantity_nanos)
        self._show(order)  # it is the order's first view
        if self._may_leave(order):
            self._submits.submit(order)
        else:
            self._deliver(OrderNotSent(order_id=order.order_id, reason=Reason.HALT_EPOCH))

    def _cancel(self, order: CancelOrder, _moment: Moment) -> None:
        if self._submits.annihilate(order.order_id):
            return
        broker_order_id = order.broker_order_id or self._working.broker_order_id(order.order_id)
        self._cancels.cancel(CancelOrder(order_id=order.order_id, broker_order_id=broker_order_id))
        if self._cancels.is_wanted(order.order_id):
            self._questions.promote(order.order_id)

    def _find(self, order: FindOrder, _moment: Moment) -> None:
        self._remember_wire_id(order.wire_id)
        self._questions.find(order)

    def _read_leg(self, leg: ReadLeg, _moment: Moment) -> None:
        self._remember_wire_id(leg.wire_id)
        self._questions.read_leg(leg)

    def _latch_and_show(self, halt: LatchHalt, moment: Moment) -> None:
        self._latch(halt, moment)
        self._submits.refuse_disallowed()

    def _latch(self, halt: LatchHalt, moment: Moment) -> None:
        """The epoch first, because that cannot fail; then the register, durably."""
        self._halt_epoch = max(self._halt_epoch, halt.halt_epoch)
        latched = self._latched_epoch.get(halt.scope, 0)
        self._latched_epoch[halt.scope] = max(latched, halt.halt_epoch)
        self._register.latch(halt, moment)

    def _clear(self, clear: ClearHalt, moment: Moment) -> None:
        """Lift a latch, unless a newer one overtook the disk while the reset waited for it."""
        if self._latched_epoch.get(clear.scope, 0) > clear.halt_epoch:
            return
        try:
            self._register.clear(
                clear.scope,
                clear.halt_epoch,
                moment,
                operator=clear.operator,
                reason=clear.reason,
            )
        except RegisterBusy:  # still latched, which is safe: come back when the writer is done
            self._crew.start(self._clear_later(clear, moment))
            return
        if self._latches is not None:
            self._latches.cleared()

    def _latch_broker(self, wanted: LatchBroker, _moment: Moment) -> None:
        if self._latch_line is not None:
            self._latch_line.want(wanted)

    async def _clear_later(self, clear: ClearHalt, moment: Moment) -> None:
        await asyncio.sleep(CLEAR_AGAIN_S)
        self._clear(clear, moment)

    def _alert(self, alert: RaiseAlert, moment: Moment) -> None:
        age_ns = self._clock.now().boot_ns - moment.boot_ns
        said = (alert.severity.value, alert.code.value, alert.scope, alert.text)
        for pager in self._pagers:
            pager.page(*said, age_ns=age_ns)

    def _publish_order(self, order: PublishOrder, _moment: Moment) -> None:
        self._remember_wire_id(order.wire_id)
        if is_foreign_order_id(order.order_id):
            self._working.adopted(order)
        elif not order.event and order.status not in TERMINAL_STATUSES:  # what an earlier run sent
            self._working.sent(order.order_id, order.side, order.quantity_nanos)
        if order.status is not OrderStatus.SUBMITTING and order.status is not OrderStatus.IN_DOUBT:
            self._submits.answered(order.order_id)
        self._show(order)

    def _show(self, effect: Effect) -> None:
        for view in self._views:
            view.apply(effect)

    def _page(self, severity: Severity, code: Reason, text: str) -> None:
        with ExitStack() as pages:
            for pager in self._pagers:
                pages.callback(pager.page, severity.value, code.value, ACCOUNT_SCOPE, text)

    # --- judging and learning --------------------------------------------------------------------

    def _may_leave(self, order: SubmitOrder) -> bool:
        """The last word, asked at the socket (DESIGN law 5)."""
        if self._sealed:
            return False
        if not order.raises_exposure:
            return True
        if self._holds_new_risk:
            return False
        return order.halt_epoch >= self._halt_epoch and not self._register.halts(
            order.strategy, order.symbol
        )

    def _deliver(self, fact: Input) -> None:
        """Learn from a fact of the broker, and pass it on to the kernel."""
        self._working.note(fact)
        self._settling.note(fact)
        if isinstance(fact, OrderSent | OrderWorking | FillReported):
            self._moves += 1
            broker_order_id = self._working.broker_order_id(fact.order_id)
            if broker_order_id is not None:
                self._learned(fact.order_id, broker_order_id)
            elif not is_foreign_order_id(fact.order_id):  # one of which the table has yet to hear
                self._cancels.forget(fact.order_id)
        elif isinstance(fact, OrderEnded | OrderNotSent):
            self._moves += 1
            self._cancels.forget(fact.order_id)
        elif isinstance(fact, OrderUnknown):
            self._moves += 1
        self._intake.offer(fact)

    def _deliver_market(self, fact: MarketFact) -> None:
        self._intake.offer(fact)

    def _learned(self, order_id: str, broker_order_id: str) -> None:
        if self._sealed:
            self._cancels.cancel(CancelOrder(order_id=order_id, broker_order_id=broker_order_id))
        else:
            self._cancels.known(order_id, broker_order_id)

    def _at_rest(self) -> int | None:
        """A number that changes when our orders move; None while a submit is in flight."""
        return None if len(self._submits) else self._moves + self._submits.started

    def _remember_wire_id(self, wire_id: str) -> None:
        self._wire_ids.pop(wire_id, None)
        self._wire_ids[wire_id] = None
        if len(self._wire_ids) > self.limits.wire_ids_max:
            del self._wire_ids[next(iter(self._wire_ids))]

    # --- the fault path --------------------------------------------------------------------------

    def _cancel_known(self) -> None:
        for order_id, broker_order_id in self._working.all():
            self._cancels.cancel(CancelOrder(order_id=order_id, broker_order_id=broker_order_id))


def _is_the_loops(effect: Effect, _moment: Moment) -> None:
    raise AssertionError(f"{type(effect).__name__} is the loop's own business")
