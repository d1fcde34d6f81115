"""A small kernel, a broker, a journal and a register in memory: worlds around the real runtime."""

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence

from fuseboard.runtime.budget import Budget
from fuseboard.runtime.intake import Intake, IntakeLimits
from fuseboard.runtime.lockstep import LockstepEventLoop
from fuseboard.runtime.loop import Loop, LoopLimits
from fuseboard.runtime.outlet import Outlet, OutletLimits
from fuseboard.runtime.submits import SubmitLimits
from fuseboard.runtime.watermark import Watermark
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.doors import BrokerFact, BrokerUnavailable, RegisterBusy, Throttled
from fuseboard.vocabulary.effects import (
    AnswerCancel,
    AnswerOperator,
    AnswerOrder,
    CancelOrder,
    ClearHalt,
    Effect,
    FindOrder,
    LatchHalt,
    ReadLeg,
    SubmitOrder,
)
from fuseboard.vocabulary.inputs import (
    AccountSeen,
    CancelRefused,
    CancelRequested,
    ForeignOrderSeen,
    Input,
    LegRead,
    LegReadFailed,
    Moment,
    OrderNotSent,
    OrderRequested,
    OrderSent,
    OrderUnknown,
    PositionsSeen,
    SubmitOutcome,
)
from fuseboard.vocabulary.market_inputs import QuoteSeen, TradeSeen
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.records import Record
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen

MILLISECOND_NS = 1_000_000
START = Moment(1_000 * 1_000_000_000, 1_700_000_000 * 1_000_000_000)


def order_requested(number: int, symbol: str = "AAPL", request: int = 0) -> OrderRequested:
    return OrderRequested(
        request=request or number,
        strategy="dip",
        client_order_id=f"o{number}",
        symbol=symbol,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=1_000_000_000,
    )


def submit_order(
    order_id: str,
    *,
    symbol: str = "AAPL",
    side: Side = Side.BUY,
    raises: bool = True,
    epoch: int = 0,
    intent: Intent = Intent.OPEN,
) -> SubmitOrder:
    return SubmitOrder(
        order_id=order_id,
        wire_id=f"fb-12345678-{order_id}",
        symbol=symbol,
        side=side,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=1_000_000_000,
        intent=intent,
        raises_exposure=raises,
        halt_epoch=epoch,
    )


def close_order(order_id: str, *, symbol: str = "AAPL") -> SubmitOrder:
    return submit_order(order_id, symbol=symbol, raises=False, intent=Intent.PLAN)


def quote(symbol: str, bid: int, ask: int, event_ns: int = 0) -> QuoteSeen:
    return QuoteSeen(
        symbol=symbol,
        bid_nanos=bid,
        ask_nanos=ask,
        bid_size_nanos=1,
        ask_size_nanos=1,
        event_ns=event_ns,
        bid_low_nanos=bid,
        ask_high_nanos=ask,
    )


def trade(symbol: str, price: int, event_ns: int = 0) -> TradeSeen:
    return TradeSeen(
        symbol=symbol,
        price_nanos=price,
        size_nanos=1,
        event_ns=event_ns,
        low_nanos=price,
        high_nanos=price,
    )


def halt_requested(request: int = 1) -> OperatorHaltRequested:
    return OperatorHaltRequested(
        request=request, operator="ann", reason="test", scope="account", level=HaltLevel.HALT
    )


def reset_requested(request: int = 1) -> OperatorResetRequested:
    return OperatorResetRequested(request=request, operator="ann", reason="ok", scope="account")


class SmallKernel:
    """Allows every order, cancels on request, halts and resets; `script` may answer first."""

    def __init__(
        self, script: Callable[[Moment, Input], tuple[Effect, ...] | None] | None = None
    ) -> None:
        self.script = script
        self.epoch = 0
        self.steps = 0
        self.seen: list[Input] = []
        self.moments: list[Moment] = []
        self.broker_ids: dict[str, str] = {}
        self.cancelling: set[str] = set()

    def step(self, moment: Moment, fact: Input) -> tuple[Effect, ...]:
        self.steps += 1
        self.seen.append(fact)
        self.moments.append(moment)
        if self.script is not None:
            scripted = self.script(moment, fact)
            if scripted is not None:
                return scripted
        return self._answered(fact)

    def _answered(self, fact: Input) -> tuple[Effect, ...]:
        if isinstance(fact, OrderRequested):
            order_id = fact.client_order_id
            return (
                submit_order(order_id, symbol=fact.symbol, epoch=self.epoch),
                AnswerOrder(request=fact.request, order_id=order_id),
            )
        if isinstance(fact, CancelRequested):
            self.cancelling.add(fact.order_id)
            return (
                CancelOrder(
                    order_id=fact.order_id, broker_order_id=self.broker_ids.get(fact.order_id)
                ),
                AnswerCancel(request=fact.request, order_id=fact.order_id, reason=Reason.ALLOWED),
            )
        if isinstance(fact, OperatorHaltRequested):
            self.epoch += 1
            return (
                AnswerOperator(request=fact.request, accepted=True, message="halted"),
                self.latch(),
            )
        if isinstance(fact, OperatorResetRequested):
            return (
                ClearHalt(
                    scope="account", halt_epoch=self.epoch, operator="ann", reason=fact.reason
                ),
            )
        if isinstance(fact, OrderSent):
            self.broker_ids[fact.order_id] = fact.broker_order_id
            if fact.order_id in self.cancelling and fact.status is OrderStatus.WORKING:
                return (CancelOrder(order_id=fact.order_id, broker_order_id=fact.broker_order_id),)
        return ()

    def latch(self) -> LatchHalt:
        return LatchHalt(
            scope="account",
            level=HaltLevel.HALT,
            reason=Reason.OPERATOR,
            trip="",
            halt_epoch=self.epoch,
            detail="",
        )

    def snapshot(self) -> bytes:
        return str(self.steps).encode()

    def digest(self) -> str:
        return hashlib.sha256(self.snapshot()).hexdigest()

    def outcomes(self) -> dict[str, list[Input]]:
        """The outcome inputs of each submit, in the order in which the kernel saw them."""
        by_order: dict[str, list[Input]] = {}
        for fact in self.seen:
            if isinstance(fact, OrderSent | OrderNotSent | OrderUnknown):
                by_order.setdefault(fact.order_id, []).append(fact)
        return by_order


class HeldJournal:
    """A journal whose disk the test moves: `sync` makes records durable, `fail` never will."""

    def __init__(self, watermark: Watermark, *, instant: bool) -> None:
        self.watermark = watermark
        self.instant = instant
        self.records: list[Record] = []
        self.refuses: Exception | None = None

    def append(self, records: Sequence[Record]) -> None:
        if self.refuses is not None:
            raise self.refuses
        for record in records:
            last = self.records[-1].sequence if self.records else 0
            assert record.sequence == last + 1
            self.records.append(record)
        if self.instant:
            self.sync()

    def sync(self, sequence: int | None = None) -> None:
        last = self.records[-1].sequence if self.records else 0
        self.watermark.durable(last if sequence is None else sequence)

    def fail(self) -> None:
        self.watermark.failed(OSError(28, "no space left on device"))

    def close(self) -> None:
        pass


class MemoryRegister:
    """A register whose every write is told to `story`; another slot may halt by itself."""

    def __init__(self, story: list[str]) -> None:
        self.story = story
        self.latched: dict[str, LatchHalt] = {}
        self.other_slot = False
        self.busy_times = 0
        self.broken = False

    def latch(self, halt: LatchHalt, moment: Moment) -> None:
        if self.broken:
            raise OSError(5, "input/output error")
        assert moment.boot_ns > 0
        self.latched[halt.scope] = halt
        self.story.append(f"latch {halt.scope} {halt.halt_epoch}")

    def clear(
        self, scope: str, halt_epoch: int, moment: Moment, *, operator: str, reason: str
    ) -> None:
        assert moment.boot_ns > 0
        assert operator or reason or halt_epoch >= 0
        if self.busy_times:
            self.busy_times -= 1
            raise RegisterBusy("another writer")
        self.latched.pop(scope, None)
        self.story.append(f"clear {scope} {halt_epoch}")

    def halts(self, strategy: str, symbol: str) -> bool:
        asked = ("account", f"strategy:{strategy}", f"symbol:{symbol}")
        return self.other_slot or any(scope in self.latched for scope in asked)

    def halted(self) -> bool:
        return bool(self.latched) or self.other_slot


class MemoryBroker:
    """A broker with seeded delays and faults. `written` is what reached its socket."""

    def __init__(self, story: list[str], seed: int = 0, *, faults_percent: int = 0) -> None:
        self.story = story
        self.random = random.Random(seed)
        self.faults_percent = faults_percent
        self.before_socket_ms = 0
        self.after_socket_ms = 1
        self.written: list[SubmitOrder] = []
        self.cancels: list[CancelOrder] = []
        self.bulk_cancels = 0
        self.bulk_ms = 1
        self.bulk_faults: list[str] = []
        self.list_ms = 1
        """How long the list of what works takes."""
        self.working: dict[str, str] = {}
        self.strangers: dict[str, str] = {}
        """Wire id to broker order id of what others placed; all at once takes them away, too."""
        self.in_flight = 0
        self.in_flight_most = 0
        self.throttles = 0
        self.calls = 0
        self.call_times_ns: list[int] = []
        self.loses: set[str] = set()
        """Order ids whose answer is lost after they arrived."""
        self.finds = 0
        self.asked_since: list[int] = []
        self.asked_foreign: list[int] = []
        self.foreign_ended: list[ForeignOrderSeen] = []
        self.timed: list[bool] = []
        self.absent_until_find = 0
        self.unavailable = 0
        self.deliver: Callable[[BrokerFact], None] = lambda _fact: None

    async def start(self, deliver: Callable[[BrokerFact], None]) -> None:
        self.deliver = deliver

    async def stop(self) -> None:
        pass

    def _faulty(self) -> bool:
        return self.random.randrange(100) < self.faults_percent

    async def _sleep(self, milliseconds: int) -> None:
        extra = self.random.randrange(20) if self.faults_percent else 0
        await asyncio.sleep((milliseconds + extra) / 1_000)

    def _throttle(self) -> None:
        self.calls += 1
        if self.throttles:
            self.throttles -= 1
            raise Throttled(None)

    async def submit(self, order: SubmitOrder, still_allowed: Callable[[], bool]) -> SubmitOutcome:
        self._throttle()
        self.in_flight += 1
        self.in_flight_most = max(self.in_flight_most, self.in_flight)
        try:
            await self._sleep(self.before_socket_ms)
            if self._faulty():
                raise Throttled(self.random.choice([None, MILLISECOND_NS]))
            if self._faulty():
                return OrderNotSent(order_id=order.order_id, reason=Reason.BROKER_UNREACHABLE)
            if not still_allowed():
                return OrderNotSent(order_id=order.order_id, reason=Reason.HALT_EPOCH)
            self.written.append(order)
            self.story.append(f"write {order.order_id}")
            self.working[order.order_id] = f"b-{order.order_id}"
            await self._sleep(self.after_socket_ms)
        finally:
            self.in_flight -= 1
        if order.order_id in self.loses or self._faulty():
            return OrderUnknown(order_id=order.order_id, detail="no answer")
        return self.sent(order.order_id)

    def sent(self, order_id: str) -> OrderSent:
        status = OrderStatus.WORKING if order_id in self.working else OrderStatus.CANCELED
        return OrderSent(order_id=order_id, broker_order_id=f"b-{order_id}", status=status)

    async def cancel(self, order: CancelOrder) -> CancelRefused | None:
        self._throttle()
        self.cancels.append(order)
        self.story.append(f"cancel {order.broker_order_id}")
        await self._sleep(1)
        ours = [each for each, theirs in self.working.items() if theirs == order.broker_order_id]
        if not ours:
            return CancelRefused(order_id=order.order_id, reason=Reason.ORDER_NOT_CANCELABLE)
        del self.working[ours[0]]
        return None

    async def cancel_all(self) -> Sequence[str]:
        self._throttle()
        self.bulk_cancels += 1
        self.story.append("cancel all")
        await self._sleep(self.bulk_ms)
        fault = self.bulk_faults.pop(0) if self.bulk_faults else ""
        if fault == "nothing was done":
            raise BrokerUnavailable("503")
        if fault == "too many requests":
            raise Throttled(None)
        self.strangers.clear()
        taken = list(self.working.values())
        if fault == "it took a part":
            taken = taken[::2]
        for order_id in [each for each, theirs in self.working.items() if theirs in taken]:
            del self.working[order_id]
        if fault == "the answer was lost":
            raise BrokerUnavailable("no answer in time")
        return taken

    async def find(self, order: FindOrder) -> SubmitOutcome:
        self._throttle()
        self.finds += 1
        await self._sleep(1)
        if self.unavailable:
            self.unavailable -= 1
            return OrderUnknown(order_id=order.order_id, detail="not reachable")
        if order.order_id in self.working and self.finds > self.absent_until_find:
            return self.sent(order.order_id)
        return OrderNotSent(order_id=order.order_id, reason=Reason.NEVER_ARRIVED)

    async def read_leg(self, leg: ReadLeg) -> LegRead | LegReadFailed:
        self._throttle()
        await self._sleep(1)
        return LegRead(
            trip=leg.trip, symbol=leg.symbol, attempt=leg.attempt, position_nanos=5, against_nanos=0
        )

    async def account(self) -> AccountSeen:
        self._throttle()
        await self._sleep(1)
        if self.unavailable:
            self.unavailable -= 1
            raise BrokerUnavailable("not reachable")
        return AccountSeen(
            cash_nanos=1, equity_nanos=1, last_equity_nanos=1, multiplier=1, shorting_enabled=False
        )

    async def positions(self, *, timed: bool = False) -> PositionsSeen:
        self._throttle()
        await self._sleep(5)
        self.timed.append(timed)
        return PositionsSeen(positions=(), after_broker_ns=7 if timed else 0)

    async def orders_since(self, wall_ns: int) -> OrdersSinceSeen:
        self._throttle()
        await self._sleep(1)
        self.asked_since.append(wall_ns)
        return OrdersSinceSeen(orders=())

    async def foreign_since(self, wall_ns: int) -> Sequence[ForeignOrderSeen]:
        self._throttle()
        self.asked_foreign.append(wall_ns)
        return list(self.foreign_ended)

    async def executions(self, after: str | None) -> ExecutionsSeen:
        self._throttle()
        await self._sleep(1)
        if self.unavailable:
            self.unavailable -= 1
            raise BrokerUnavailable("not reachable")
        return ExecutionsSeen(after=after, newest="e-1")

    async def foreign_orders(self, known: Callable[[str], bool]) -> Sequence[ForeignOrderSeen]:
        self._throttle()
        await self._sleep(self.list_ms)
        return [
            ForeignOrderSeen(
                wire_id=f"fb-12345678-{order_id}",
                broker_order_id=broker_order_id,
                symbol="AAPL",
                ours_by_prefix=True,
            )
            for order_id, broker_order_id in self.working.items()
            if not known(f"fb-12345678-{order_id}")
        ] + [
            ForeignOrderSeen(
                wire_id=wire_id, broker_order_id=theirs, symbol="AAPL", ours_by_prefix=False
            )
            for wire_id, theirs in self.strangers.items()
            if not known(wire_id)
        ]


class MemoryFeed:
    def __init__(self) -> None:
        self.watched: list[str] = []
        self.fails = 0

    async def start(self, deliver: Callable[[QuoteSeen | TradeSeen], None]) -> None:
        self.deliver = deliver

    async def stop(self) -> None:
        pass

    async def watch(self, symbol: str) -> None:
        if self.fails:
            self.fails -= 1
            raise BrokerUnavailable("no connection")
        self.watched.append(symbol)


class Shown:
    """A view and a pager that remember."""

    def __init__(self, story: list[str]) -> None:
        self.story = story
        self.effects: list[Effect] = []
        self.submits: list[SubmitOrder] = []
        self.pages: list[tuple[str, str, str, str]] = []
        self.ages_ns: list[int] = []

    def apply(self, effect: Effect) -> None:
        if isinstance(effect, SubmitOrder):
            self.submits.append(effect)
        else:
            self.effects.append(effect)
        self.story.append(type(effect).__name__)

    def page(self, severity: str, code: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        self.pages.append((severity, code, scope, text))
        self.ages_ns.append(age_ns)
        self.story.append(f"page {code}")


ONE_AT_A_TIME = OutletLimits(submits=SubmitLimits(orders_in_flight_max=1))


class Node:
    """The real intake, loop and outlet over memory; needs a running `LockstepEventLoop`."""

    def __init__(
        self,
        clock: LockstepEventLoop,
        *,
        kernel: SmallKernel | None = None,
        seed: int = 0,
        faults_percent: int = 0,
        instant: bool = True,
        requests_a_minute: int = 1_000_000,
        loop_limits: LoopLimits | None = None,
        outlet_limits: OutletLimits | None = None,
        intake_limits: IntakeLimits | None = None,
    ) -> None:
        self.clock = clock
        self.story: list[str] = []
        self.kernel = kernel or SmallKernel()
        self.intake = Intake(intake_limits)
        self.watermark = Watermark()
        self.journal = HeldJournal(self.watermark, instant=instant)
        self.register = MemoryRegister(self.story)
        self.broker = MemoryBroker(self.story, seed, faults_percent=faults_percent)
        self.feed = MemoryFeed()
        self.shown = Shown(self.story)
        self.snapshots: list[tuple[int, bytes, str]] = []
        chance = random.Random(seed + 1)
        self.outlet = Outlet(
            broker=self.broker,
            feed=self.feed,
            register=self.register,
            intake=self.intake,
            clock=clock,
            budget=Budget(
                requests_a_minute=requests_a_minute,
                reserved=requests_a_minute // 4,
                randbelow=chance.randrange,
            ),
            views=(self.shown,),
            pagers=(self.shown,),
            randbelow=chance.randrange,
            limits=outlet_limits,
        )
        self.loop = Loop(
            kernel=self.kernel,
            clock=clock,
            intake=self.intake,
            journal=self.journal,
            watermark=self.watermark,
            outlet=self.outlet,
            save_snapshot=lambda *snapshot: self.snapshots.append(snapshot),
            limits=loop_limits,
        )

    async def __aenter__(self) -> "Node":
        await self.outlet.start()
        self.running = asyncio.create_task(self.loop.run())
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        await self.outlet.stop()

    async def pass_ms(self, milliseconds: int) -> None:
        await asyncio.sleep(milliseconds / 1_000)

    def offer(self, *facts: Input) -> None:
        for fact in facts:
            assert self.intake.offer(fact)
