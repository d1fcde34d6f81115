"""An orderly stop's first steps, before the loop has folded any of it, and its last words."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fuseboard.app.drain import Drain, DrainLimits
from fuseboard.control.board import Board
from fuseboard.runtime.budget import Budget
from fuseboard.runtime.clock import SystemClock
from fuseboard.runtime.intake import Intake
from fuseboard.runtime.outlet import Outlet
from fuseboard.vocabulary.actions import DrainRule
from fuseboard.vocabulary.doors import BrokerUnavailable, Throttled
from fuseboard.vocabulary.effects import PublishOrder, PublishPosition
from fuseboard.vocabulary.evidence_effects import RecordDrain
from fuseboard.vocabulary.inputs import BrokerPosition, DrainRequested, PositionsSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus
from tests.gateway.calls import asked, running_here
from tests.gateway.scripted import Gateway
from tests.runtime.worlds import (
    START,
    MemoryBroker,
    MemoryFeed,
    MemoryRegister,
    close_order,
    submit_order,
)


def ended(order_id: str) -> PublishOrder:
    sent = submit_order(order_id)
    return PublishOrder(
        order_id=order_id, wire_id=sent.wire_id, broker_order_id=f"b-{order_id}",
        client_order_id=order_id, strategy="alpha", symbol=sent.symbol, side=sent.side,
        order_type=sent.order_type, time_in_force=sent.time_in_force,
        quantity_nanos=sent.quantity_nanos, filled_quantity_nanos=0, filled_price_nanos=0,
        status=OrderStatus.CANCELED, intent=sent.intent, created_ns=0, updated_ns=0,
    )  # fmt: skip


ORDER = b'{"symbol":"AAPL","qty":5,"side":"buy","type":"market","time_in_force":"day"}'


async def no_strategy() -> None:
    pass


class Stopping:
    """A drain over a real door, outlet and intake. No loop runs: nothing of it is ever folded."""

    def __init__(
        self,
        gateway: Gateway,
        rule: DrainRule = DrainRule.CANCEL,
        limits: DrainLimits | None = None,
    ) -> None:
        self.watched = False
        self.gateway = gateway
        self.paged: list[str] = []
        self.broker = MemoryBroker([])
        self.intake = Intake()
        self.board = Board()
        self.hurry = asyncio.Event()
        self.began = asyncio.Event()
        chance = random.Random(1).randrange
        self.outlet = Outlet(
            broker=self.broker, feed=MemoryFeed(), register=MemoryRegister([]), intake=self.intake,
            clock=SystemClock(None), views=(), pagers=(), randbelow=chance,
            budget=Budget(requests_a_minute=1_000_000, reserved=250_000, randbelow=chance),
        )  # fmt: skip
        self.drain = Drain(
            rule=rule, door=gateway.door, outlet=self.outlet, intake=self.intake,
            board=self.board, broker=self.broker, serving=asyncio.Future(), hurry=self.hurry,
            say=lambda _text: self.began.set(), page=self.paged.append, limits=limits,
            is_watched=lambda: self.watched,
        )  # fmt: skip

    @asynccontextmanager
    async def begun(self) -> AsyncIterator[None]:
        """Within the first step's wait for the disk, which a second signal ends afterwards."""

        running = asyncio.create_task(self.drain.run(no_strategy))
        try:
            await self.began.wait()
            yield
            assert DrainRequested(rule=DrainRule.CANCEL) in self.intake.take(10)
            assert self.board.drain is None, "nobody has folded it"
        finally:
            self.hurry.set()
            await running


@asynccontextmanager
async def stopping(
    rule: DrainRule = DrainRule.CANCEL, limits: DrainLimits | None = None
) -> AsyncIterator[Stopping]:
    async with running_here() as gateway:
        made = Stopping(gateway, rule, limits)
        await made.outlet.start()
        try:
            yield made
        finally:
            await made.outlet.stop()


def test_the_door_takes_no_new_order_before_the_stop_is_folded() -> None:
    async def main() -> None:
        async with stopping() as stop:
            gateway = stop.gateway
            assert (await asked(gateway, "POST", "/v2/orders", ORDER)).status == 200
            async with stop.begun():
                with pytest.raises(ConnectionRefusedError):
                    await asked(gateway, "POST", "/v2/orders", ORDER)
            assert len(gateway.loop.placed()) == 1

    asyncio.run(main())


def test_what_waits_for_the_socket_does_not_leave_before_the_stop_is_folded() -> None:
    async def main() -> None:
        async with stopping() as stop:
            stop.broker.before_socket_ms = 50
            stop.outlet.leave(submit_order("o1"), START)
            while not stop.broker.in_flight:
                await asyncio.sleep(0)
            async with stop.begun():
                stop.outlet.leave(submit_order("o2"), START)
                stop.outlet.leave(close_order("c1"), START)
                while stop.broker.in_flight or not stop.broker.written:
                    await asyncio.sleep(0.01)
                assert [order.order_id for order in stop.broker.written] == ["c1"]

    asyncio.run(main())


def test_a_step_that_was_not_waited_for_is_paged_with_what_is_left() -> None:
    async def main() -> None:
        async with stopping() as stop:
            stop.broker.working["o1"] = "b-o1"
            async with stop.begun():
                pass
            (paged,) = stop.paged
            assert paged.startswith("the stop is over, nobody watches what is left: hurried: did")
            left = "orders 1 (AAPL fb-12345678-o1); positions none"
            assert paged.endswith(f"end every plan; still open at the broker: {left}")

    asyncio.run(main())


HELD = PositionsSeen(
    positions=(
        BrokerPosition(
            symbol="TSLA", quantity_nanos=4 * NANOS, average_price_nanos=1, price_nanos=1
        ),
    )
)


@pytest.mark.parametrize("is_open", ["nothing", "orders", "positions", "unknown"])
@pytest.mark.parametrize("rule", DrainRule)
def test_what_a_stop_leaves_pages_where_the_policy_does_not_want_it_left(
    rule: DrainRule, is_open: str
) -> None:
    """A stop that cancels keeps stops that reduce; one that leaves keeps all."""

    async def held(*, timed: bool = False) -> PositionsSeen:
        if is_open == "unknown":
            raise BrokerUnavailable("no connection")
        return HELD

    async def main() -> tuple[str, list[str]]:
        async with stopping(rule) as stop:
            if is_open in ("positions", "unknown"):
                stop.broker.positions = held  # type: ignore[method-assign]
            if is_open == "orders":
                stop.broker.working["o1"] = "b-o1"
            stop.drain.limits = DrainLimits(asked_s_max=1.0)
            stop.board.apply(RecordDrain(rule=rule, cancelled=()))
            stop.board.apply(submit_order("o7"))
            for strategy in ("", "alpha"):
                stop.board.apply(
                    PublishPosition(
                        strategy=strategy, symbol="TSLA", quantity_nanos=4 * NANOS,
                        average_price_nanos=1,
                    )
                )  # fmt: skip
            return await stop.drain.run(no_strategy), stop.paged

    said, paged = asyncio.run(main())
    words = {
        "nothing": "orders none; positions none",
        "orders": "orders 1 (AAPL fb-12345678-o1); positions none",
        "positions": "orders none; positions 1 (TSLA 4)",
        "unknown": (
            "unknown, it could not be asked (no connection); by our record:"
            " orders 1 (AAPL o7 submitting); positions 1 (TSLA 4)"
        ),
    }
    assert said == f"still open at the broker: {words[is_open]}"
    pages = is_open == "unknown" or (rule is DrainRule.FLATTEN and is_open != "nothing")
    assert paged == [f"the stop is over, nobody watches what is left: {said}"] * pages


@pytest.mark.parametrize("lost", ["refused", "throttled", "silent"])
def test_an_answer_that_is_lost_is_asked_for_again_in_the_time_for_it(lost: str) -> None:
    asked_for = 0

    async def held(*, timed: bool = False) -> PositionsSeen:
        nonlocal asked_for
        asked_for += 1
        if asked_for > 1:
            return PositionsSeen(positions=())
        if lost == "throttled":
            raise Throttled(None)
        if lost == "refused":
            raise BrokerUnavailable("no connection")
        await asyncio.sleep(60)
        raise AssertionError("nobody waits that long")

    async def main() -> tuple[str, list[str]]:
        async with stopping(DrainRule.FLATTEN) as stop:
            stop.drain.limits = DrainLimits(asked_s_max=3.0)
            stop.broker.positions = held  # type: ignore[method-assign]
            stop.board.apply(RecordDrain(rule=DrainRule.FLATTEN, cancelled=()))
            return await stop.drain.run(no_strategy), stop.paged

    said, paged = asyncio.run(main())
    assert said == "still open at the broker: orders none; positions none"
    assert (asked_for, paged) == (2, [])


def test_the_last_line_and_the_page_say_what_a_person_froze() -> None:
    async def held(*, timed: bool = False) -> PositionsSeen:
        return HELD

    async def main() -> tuple[str, list[str]]:
        async with stopping(DrainRule.FLATTEN) as stop:
            stop.broker.positions = held  # type: ignore[method-assign]
            frozen = ("account frozen by Ada: left open",)
            stop.board.apply(RecordDrain(rule=DrainRule.FLATTEN, cancelled=(), frozen=frozen))
            return await stop.drain.run(no_strategy), stop.paged

    said, paged = asyncio.run(main())
    assert said.endswith("positions 1 (TSLA 4); account frozen by Ada: left open")
    assert paged == [f"the stop is over, nobody watches what is left: {said}"]


QUICK = DrainLimits(cancel_s_max=1.0, cancel_idle_s_max=0.3)


async def stop_with(stop: Stopping, orders: int, each_s: float) -> float:
    """A stop that cancels so many orders, of which one ends after the other; how long it took."""
    names = [f"o{number}" for number in range(orders)]
    for name in names:
        stop.board.apply(submit_order(name))
    stop.board.apply(RecordDrain(rule=DrainRule.CANCEL, cancelled=tuple(names)))
    clock = asyncio.get_running_loop().time
    began = clock()
    running = asyncio.create_task(stop.drain.run(no_strategy))
    for name in names:
        await asyncio.wait([running], timeout=each_s)
        stop.board.apply(ended(name))
    await running
    return clock() - began


@pytest.mark.parametrize(
    ("orders", "each_s", "why"),
    [
        (5, 0.15, ""),  # slower than the idle time in all, and none as late as that
        (3, 0.5, "could not confirm every cancel within 0.3 s"),
        (30, 0.15, "could not confirm every cancel within 1 s"),
    ],
)
@pytest.mark.parametrize("watched", [True, False])
def test_cancels_are_waited_for_while_one_after_the_other_is_confirmed_but_not_for_ever(
    orders: int, each_s: float, why: str, watched: bool
) -> None:
    async def main() -> None:
        async with stopping(limits=QUICK) as stop:
            stop.watched = watched
            await stop_with(stop, orders, each_s)
            assert stop.drain.leaves_orders is bool(why)
            who = "the guardian cancels what works" if watched else "nobody watches what is left"
            starts = f"the stop is over, {who}: {why}" if why else ""
            assert [page[: len(starts)] for page in stop.paged] == [starts] * bool(why)

    asyncio.run(main())
