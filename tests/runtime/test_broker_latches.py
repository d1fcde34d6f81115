"""The broker's own latches: bounded, in nobody's way, the last word wins."""

import asyncio
import random

import pytest

from fuseboard.runtime.broker_latches import LatchLimits
from fuseboard.runtime.budget import Budget
from fuseboard.runtime.intake import Intake
from fuseboard.runtime.lockstep import LockstepEventLoop, run_lockstep
from fuseboard.runtime.outlet import Outlet, OutletLimits
from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.doors import BrokerUnavailable, Throttled
from fuseboard.vocabulary.effects import ClearHalt, Effect
from fuseboard.vocabulary.inputs import Moment
from tests.runtime.worlds import START, MemoryBroker, MemoryFeed, MemoryRegister, Shown, close_order

NO_SHORTING = LatchBroker(no_shorting=True)
SUSPEND = LatchBroker(suspend_trade=True)
TAKE_BACK = LatchBroker(suspend_trade=False)
MOMENT = Moment(START.boot_ns, START.wall_ns)


class Latches:
    """A broker's latches, which fail as they are told to."""

    def __init__(self) -> None:
        self.taken: list[LatchBroker] = []
        self.asked = 0
        self.fails: list[Exception] = []
        self.fails_always: Exception | None = None
        self.slow_s = 0.0
        self.cleared_times = 0

    async def latch(self, wanted: LatchBroker) -> None:
        self.asked += 1
        await asyncio.sleep(self.slow_s)
        failure = self.fails.pop(0) if self.fails else self.fails_always
        if failure is not None:
            raise failure
        self.taken.append(wanted)

    def cleared(self) -> None:
        self.cleared_times += 1


class Way:
    """An outlet with a broker that has latches."""

    def __init__(self, clock: LockstepEventLoop, *, requests_a_minute: int = 1_000_000) -> None:
        self.story: list[str] = []
        self.latches = Latches()
        self.broker, self.shown = MemoryBroker(self.story), Shown(self.story)
        chance = random.Random(1).randrange
        self.outlet = Outlet(
            broker=self.broker, feed=MemoryFeed(), register=MemoryRegister(self.story),
            intake=Intake(), clock=clock, views=(), pagers=(self.shown,), randbelow=chance,
            budget=Budget(
                requests_a_minute=requests_a_minute, reserved=requests_a_minute // 4,
                randbelow=chance,
            ),
            limits=OutletLimits(latches=LatchLimits(latch_ns_max=5 * 10**9)),
            latches=self.latches,
        )  # fmt: skip

    def leave(self, *effects: Effect) -> None:
        for effect in effects:
            self.outlet.leave(effect, MOMENT)


def test_a_latch_is_asked_for_until_the_broker_takes_it() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        way = Way(clock)
        way.latches.fails = [BrokerUnavailable("lost"), Throttled(None)]
        way.leave(NO_SHORTING)
        await asyncio.sleep(4)
        assert way.latches.taken == [NO_SHORTING]
        assert way.shown.pages == []
        way.leave(SUSPEND)
        await asyncio.sleep(0.1)
        assert way.latches.taken == [NO_SHORTING, SUSPEND]
        await way.outlet.stop()

    run_lockstep(START, main)


def test_what_the_broker_does_not_take_in_time_is_given_up_and_paged() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        way = Way(clock)
        way.latches.fails_always = BrokerUnavailable("no such page")
        way.leave(NO_SHORTING)
        await asyncio.sleep(6)
        ((severity, _, _, text),) = way.shown.pages
        assert severity == "page"
        assert text == "the broker's own latches (no_shorting set): given up, no such page"
        asked = way.latches.asked
        await asyncio.sleep(10)
        assert way.latches.asked == asked
        way.latches.fails_always = None
        way.leave(SUSPEND)
        await asyncio.sleep(0.1)
        assert way.latches.taken == [SUSPEND]
        await way.outlet.stop()

    run_lockstep(START, main)


@pytest.mark.parametrize("slow_s", [0.0, 0.5])
def test_a_suspension_never_comes_after_the_close_that_took_it_back(slow_s: float) -> None:
    async def main(clock: LockstepEventLoop) -> None:
        way = Way(clock)
        way.latches.slow_s = slow_s
        way.latches.fails = [BrokerUnavailable("lost")]
        way.leave(NO_SHORTING, SUSPEND)
        await asyncio.sleep(0.1)
        way.leave(TAKE_BACK)
        await asyncio.sleep(4)
        assert way.latches.taken[-1].suspend_trade is False
        assert way.latches.taken[-1].no_shorting is True, "what was not taken yet is not forgotten"
        assert way.shown.pages == []
        await way.outlet.stop()

    run_lockstep(START, main)


def test_a_latch_takes_nothing_from_the_closes_and_they_do_not_wait_for_it() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        way = Way(clock, requests_a_minute=8)  # two of them are protection's own
        await way.outlet.start()
        way.leave(*(close_order(f"c{number}") for number in range(6)))
        await asyncio.sleep(0.1)
        way.leave(NO_SHORTING, *(close_order(f"c{number}") for number in range(6, 8)))
        await asyncio.sleep(1)
        assert len(way.broker.written) == 8
        assert way.latches.asked == 0
        way.leave(TAKE_BACK)
        await asyncio.sleep(1)
        assert way.latches.asked == 0, "nothing is left for anybody"
        await way.outlet.stop()

    run_lockstep(START, main)


@pytest.mark.parametrize(("wanted", "asked"), [(SUSPEND, 0), (TAKE_BACK, 1)])
def test_taking_back_has_protections_share(wanted: LatchBroker, asked: int) -> None:
    async def main(clock: LockstepEventLoop) -> None:
        way = Way(clock, requests_a_minute=8)
        await way.outlet.start()
        way.leave(*(close_order(f"c{number}") for number in range(6)))
        await asyncio.sleep(0.1)
        way.leave(wanted)
        await asyncio.sleep(1)
        assert way.latches.asked == asked
        await way.outlet.stop()

    run_lockstep(START, main)


def test_a_reset_that_reached_the_register_is_told_for_the_lifting() -> None:
    async def main(clock: LockstepEventLoop) -> None:
        way = Way(clock)
        way.leave(ClearHalt(scope="account", halt_epoch=1, operator="ann", reason="checked"))
        assert way.latches.cleared_times == 1
        await way.outlet.stop()

    run_lockstep(START, main)
