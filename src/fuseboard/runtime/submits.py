"""The way of a submit from the outlet to the socket; each has exactly one outcome.

Two lines. Protective orders (a plan's closes) start at once, bounded in number, with the budget's
reserve. Ordinary orders wait in a bounded line that protection overtakes, and start in the order
they were decided in. Nobody waits for another's answer, but one: what is decided after a reduction,
on the same side of its symbol, stands beside the line until that is answered (`reductions`).
Whoever else needs one order to arrive before the next waits for its answer, as with the broker
itself. An ordinary order that could not start within `order_wait_ns_max` is stale: it is not sent.

What an order is allowed is asked again at the socket, after every wait.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum
from functools import partial

from msgspec import Struct

from fuseboard.runtime.bulk_cancels import BulkCancels
from fuseboard.runtime.crew import Crew
from fuseboard.runtime.gate import SECOND_NS, Gate
from fuseboard.runtime.reductions import Reductions
from fuseboard.vocabulary.doors import Broker, Clock, Throttled
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.inputs import OrderNotSent, OrderUnknown, SubmitOutcome
from fuseboard.vocabulary.orders import Intent
from fuseboard.vocabulary.reasons import Reason


class SubmitLimits(Struct, frozen=True, kw_only=True):
    """Bounds of the way to the broker."""

    orders_waiting_max: int = 4_096
    orders_in_flight_max: int = 128
    """At 100 ms there and back, 1,000 orders a second have 100 under way."""
    protective_in_flight_max: int = 16
    order_attempts_max: int = 5
    """How often an ordinary order is tried when the broker says 429."""
    order_wait_ns_max: int = 4 * SECOND_NS
    """How long an ordinary order may wait for its turn and the request budget: less than its
    caller is made to wait (5 s), so that what was not sent is denied and not shown as pending."""


class Stage(Enum):
    """How far a submit has come."""

    WAITING = "waiting"
    """In line, or waiting for the budget: no call was made, a cancel annihilates it."""
    CALLING = "calling"
    """The broker's adapter has it; its bytes have not left."""
    LEFT = "left"
    """Its bytes may have left: a cancel has to wait for the broker's id."""


class _Submit:
    __slots__ = ("annihilated", "deadline_ns", "order", "refused", "shown", "stage", "task")

    def __init__(self, order: SubmitOrder, deadline_ns: int) -> None:
        self.order = order
        self.deadline_ns = deadline_ns
        self.stage = Stage.WAITING
        self.annihilated = False
        self.shown = False
        """The broker's stream has told of the order, before the answer to the call."""
        self.refused: Reason | None = None
        self.task: asyncio.Task[None] | None = None


class SubmitLine:
    """Submits under way. `report` gets each one's outcome, once.

    `allowed` says whether an order may leave now; it is asked at the socket. `unwanted` says
    whether a cancel waits for an order id. `bulk` holds back what has not started while everything
    is cancelled at once. `started` counts the calls made to the broker.
    """

    def __init__(
        self,
        *,
        broker: Broker,
        gate: Gate,
        crew: Crew,
        clock: Clock,
        allowed: Callable[[SubmitOrder], bool],
        unwanted: Callable[[str], bool],
        bulk: BulkCancels,
        report: Callable[[SubmitOutcome], None],
        limits: SubmitLimits,
    ) -> None:
        self.limits = limits
        self.started = 0
        self._broker = broker
        self._gate = gate
        self._crew = crew
        self._clock = clock
        self._allowed = allowed
        self._unwanted = unwanted
        self._bulk = bulk
        self._report = report
        self._under_way: dict[str, _Submit] = {}
        self._ended = asyncio.Event()
        self._called_ns: dict[str, int] = {}
        self._ordinary: deque[_Submit] = deque()
        self._orders_in_flight = 0
        self._reductions = Reductions()
        self._beside_line = 0
        self._protective: deque[_Submit] = deque()
        self._protective_in_flight = 0

    def __len__(self) -> int:
        return len(self._under_way)

    def submit(self, order: SubmitOrder) -> None:
        """Take an order; it leaves when its turn comes."""
        assert order.order_id not in self._under_way, f"{order.order_id} submitted twice"
        deadline_ns = self._clock.now().boot_ns + self.limits.order_wait_ns_max
        submit = _Submit(order, deadline_ns)
        if _is_protective(order):
            self._protective.append(submit)
        elif len(self._ordinary) + self._beside_line >= self.limits.orders_waiting_max:
            self._report(_not_sent(order, Reason.RATE_LIMITED))
            return
        elif ahead := self._reductions.before(order):
            self._beside_line += 1
            submit.task = self._crew.start(self._wait_behind(submit, ahead), self._left_beside)
        else:
            self._ordinary.append(submit)
        self._under_way[order.order_id] = submit
        self._start_next()

    def answered(self, order_id: str) -> None:
        """Our book knows what became of an order: whoever waits behind it may go."""
        self._reductions.answered(order_id)

    def stage(self, order_id: str) -> Stage | None:
        """How far an order has come; None when it is not under way here."""
        submit = self._under_way.get(order_id)
        return None if submit is None else submit.stage

    def oldest_call_age_ns(self) -> int:
        """How long the oldest call to the broker has waited for its answer; 0 without one."""
        for called_ns in self._called_ns.values():
            return self._clock.now().boot_ns - called_ns
        return 0

    def annihilate(self, order_id: str) -> bool:
        """Stop an order whose bytes have not left; False when they have, or it is not here."""
        submit = self._under_way.get(order_id)
        if submit is None or submit.stage is Stage.LEFT:
            return False
        submit.annihilated = True
        if submit.stage is Stage.WAITING:
            self._finish(submit, _not_sent(submit.order, Reason.ANNIHILATED))
            if submit.task is not None:
                submit.task.cancel()
        return True

    def refuse_disallowed(self) -> None:
        """A halt came: what waits and is no longer allowed has its outcome now, not at its turn."""
        for submit in list(self._under_way.values()):
            if submit.stage is Stage.WAITING and not self._allowed(submit.order):
                self._finish(submit, _not_sent(submit.order, Reason.HALT_EPOCH))
                if submit.task is not None:
                    submit.task.cancel()

    def started_orders(self) -> list[SubmitOrder]:
        """The orders whose call to the broker has begun, and of which it has said nothing yet."""
        return [submit.order for submit in self._under_way.values() if _has_started(submit)]

    def started_ids(self) -> list[str]:
        """Their ids."""
        return [order.order_id for order in self.started_orders()]

    def has_started(self, order_id: str) -> bool:
        """Whether the call for an order has begun and the broker has said nothing of it yet."""
        submit = self._under_way.get(order_id)
        return submit is not None and _has_started(submit)

    def shown(self, order_id: str) -> None:
        """The broker's stream tells of an order: it is there, whenever the answer comes."""
        submit = self._under_way.get(order_id)
        if submit is None or submit.shown:
            return
        submit.shown = True
        self._ended.set()
        if submit.stage is Stage.WAITING:  # refused for the rate, and taken all the same
            self._finish(submit, _taken_though_refused(submit.order))
            if submit.task is not None:
                submit.task.cancel()

    async def next_outcome(self) -> None:
        """Wait until the broker says something of another order that has started."""
        self._ended.clear()
        await self._ended.wait()

    # --- the lines -------------------------------------------------------------------------------

    def _start_next(self) -> None:
        while self._protective and (
            self._protective_in_flight < self.limits.protective_in_flight_max
        ):
            submit = self._protective.popleft()
            if submit.order.order_id in self._under_way:
                self._protective_in_flight += 1
                submit.task = self._crew.start(
                    self._send(submit), partial(self._protective_ended, submit)
                )
        while self._ordinary and self._orders_in_flight < self.limits.orders_in_flight_max:
            submit = self._ordinary.popleft()
            if submit.order.order_id in self._under_way:
                self._orders_in_flight += 1
                submit.task = self._crew.start(
                    self._send(submit), partial(self._order_ended, submit)
                )

    async def _wait_behind(self, submit: _Submit, reductions: list[str]) -> None:
        """Join the line once the reductions ahead are answered: a slow one holds up nobody else."""
        wait_ns = submit.deadline_ns - self._clock.now().boot_ns
        if await self._reductions.are_answered(reductions, wait_ns):
            self._ordinary.append(submit)
            self._start_next()
        else:
            self._finish(submit, _not_sent(submit.order, Reason.REDUCTION_UNANSWERED))

    def _left_beside(self) -> None:
        self._beside_line -= 1

    def _protective_ended(self, submit: _Submit) -> None:
        self._protective_in_flight -= 1
        self._account_for(submit)
        self._start_next()

    def _order_ended(self, submit: _Submit) -> None:
        self._orders_in_flight -= 1
        self._account_for(submit)
        self._start_next()

    def _account_for(self, submit: _Submit) -> None:
        """A task that crashed or was stopped left its order without an outcome: it is in doubt."""
        order_id = submit.order.order_id
        if self._under_way.get(order_id) is submit:
            detail = "the call to the broker was broken off"
            self._finish(submit, OrderUnknown(order_id=order_id, detail=detail))

    # --- one submit ------------------------------------------------------------------------------

    async def _send(self, submit: _Submit) -> None:
        protective = _is_protective(submit.order)
        attempts = 0
        while True:
            if not await self._turn(submit, protective) or not await self._bulk_is_over(submit):
                self._finish(submit, _not_sent(submit.order, Reason.RATE_LIMITED))
                return
            try:
                outcome = await self._call(submit)
            except Throttled as refusal:
                self._gate.throttled(refusal)
                if submit.shown:  # the network doubled the call: one was refused, one was taken
                    self._finish(submit, _taken_though_refused(submit.order))
                    return
                submit.stage = Stage.WAITING
                self._ended.set()
                attempts += 1
                if submit.annihilated or self._unwanted(submit.order.order_id):
                    self._finish(submit, _not_sent(submit.order, Reason.ANNIHILATED))
                    return
                if not protective and attempts >= self.limits.order_attempts_max:
                    self._finish(submit, _not_sent(submit.order, Reason.RATE_LIMITED))
                    return
            else:
                self._gate.accepted()
                self._finish(submit, outcome)
                return

    async def _turn(self, submit: _Submit, protective: bool) -> bool:
        if protective:
            return await self._gate.turn(protective=True)
        wait_ns = submit.deadline_ns - self._clock.now().boot_ns
        return wait_ns > 0 and await self._gate.turn(protective=False, wait_ns_max=wait_ns)

    async def _bulk_is_over(self, submit: _Submit) -> bool:
        """Wait while everything is being cancelled; False when an order is stale after that, or
        could be taken away still. A plan's close is sent then: the plan closes anew.
        """
        waited = await self._bulk.waited()
        if _is_protective(submit.order):
            return True
        is_stale = waited and self._clock.now().boot_ns >= submit.deadline_ns
        return not is_stale and not self._bulk.is_unanswered()

    async def _call(self, submit: _Submit) -> SubmitOutcome:
        def still_allowed() -> bool:
            if submit.annihilated:
                submit.refused = Reason.ANNIHILATED
            elif not self._allowed(submit.order):
                submit.refused = Reason.HALT_EPOCH
            else:
                submit.stage = Stage.LEFT
                return True
            return False

        submit.stage = Stage.CALLING
        self.started += 1
        self._called_ns[submit.order.order_id] = self._clock.now().boot_ns
        try:
            outcome = await self._broker.submit(submit.order, still_allowed)
        finally:
            del self._called_ns[submit.order.order_id]
        assert outcome.order_id == submit.order.order_id
        if submit.stage is Stage.LEFT:
            return outcome
        # It never left, so the only possible outcome is that; the reason is ours where we refused.
        assert isinstance(outcome, OrderNotSent), "the adapter wrote without asking at the socket"
        return outcome if submit.refused is None else _not_sent(submit.order, submit.refused)

    def _finish(self, submit: _Submit, outcome: SubmitOutcome) -> None:
        finished = self._under_way.pop(submit.order.order_id)
        assert finished is submit, f"{submit.order.order_id} has a second outcome"
        self._report(outcome)
        self._ended.set()


def _has_started(submit: _Submit) -> bool:
    return submit.stage is not Stage.WAITING and not submit.shown


def _is_protective(order: SubmitOrder) -> bool:
    """A plan's order, which closes: it may use the reserve and overtakes ordinary orders."""
    return order.intent is Intent.PLAN and not order.raises_exposure


def _taken_though_refused(order: SubmitOrder) -> OrderUnknown:
    detail = "the broker refused it for the rate of requests, and its stream shows it"
    return OrderUnknown(order_id=order.order_id, detail=detail)


def _not_sent(order: SubmitOrder, reason: Reason) -> OrderNotSent:
    return OrderNotSent(order_id=order.order_id, reason=reason)
