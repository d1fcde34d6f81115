"""A rescue asks a market again as the kernel does, and leaves nobody waiting for one symbol."""

import asyncio
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fuseboard.brokers.alpaca_protection import AlpacaProtection
from fuseboard.brokers.alpaca_requests import AlpacaRequests
from fuseboard.core import trying as core
from fuseboard.core.legs import Leg, Plan
from fuseboard.core.state import Turn
from fuseboard.policy.data_rules import ExecutionRules
from fuseboard.policy.policy import Policy
from fuseboard.rescue import closing
from fuseboard.rescue.asking import Asking
from fuseboard.rescue.closing import Close
from fuseboard.rescue.outcome import Left
from fuseboard.rescue.terms import Terms
from fuseboard.rescue.trying import Trying
from fuseboard.vocabulary import trying
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.effects import FindOrder, ReadLeg, SubmitOrder
from fuseboard.vocabulary.inputs import (
    LegRead,
    OrderNotSent,
    OrderSent,
    OrderUnknown,
    SubmitOutcome,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason
from tests.rescue.test_closing import TERMS, Venue

BEGAN_NS = 1_000 * NANOS
ENDS = (OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED)


@given(
    closes=st.lists(
        st.tuples(
            st.sampled_from(ENDS),
            st.sampled_from((0, NANOS)),
            st.booleans(),
            st.booleans(),
            st.booleans(),
            st.integers(0, 400 * NANOS),
        ),
        max_size=100,
    )
)
def test_a_rescue_tries_a_close_again_as_the_kernel_does(
    closes: list[tuple[OrderStatus, int, bool, bool, bool, int]],
) -> None:
    rules = ExecutionRules()
    terms = structs.replace(
        TERMS,
        close_attempts_max=rules.close_attempts_max,
        close_within_ns=rules.close_within_ns,
    )
    now = SimpleNamespace(boot_ns=BEGAN_NS, policy=Policy(execution=rules), liquidity=None)
    turn = cast("Turn", now)
    plan = Plan(
        trip="x#1", scope="account", stage="closing", began_boot_ns=BEGAN_NS, deadline_boot_ns=0,
        orders={},
    )  # fmt: skip
    leg = Leg(symbol="AAPL")
    it = Trying(BEGAN_NS)
    for status, filled_nanos, taken_back, at_once, is_away, took_ns in closes:
        if is_away:
            core.time_again(turn, leg)
            it.since_ns = now.boot_ns
        over = core.why_over(turn, plan, leg)
        assert bool(it.why_over(terms, now.boot_ns)) == bool(over)
        assert (it.why_over(terms, now.boot_ns) == trying.FAULTS) == (over == trying.FAULTS)
        if over:
            return
        leg.attempt, leg.turns, leg.sent_boot_ns = leg.attempt + 1, leg.turns + 1, now.boot_ns
        it.sent_boot_ns = now.boot_ns
        now.boot_ns += took_ns
        next_ns = core.answered(
            turn,
            plan,
            leg,
            status=status,
            filled_nanos=filled_nanos,
            taken_back=taken_back,
            at_once=at_once,
        )
        it_next_ns = trying.answered(
            it,
            status,
            filled_nanos,
            now_ns=now.boot_ns,
            since_ns=it.since_ns,
            taken_back=taken_back,
            at_once=at_once,
        )
        assert (it_next_ns, it.tries) == (next_ns, leg.tries)
        assert (it.rests, it.rests_only) == (leg.rests, leg.rests_only)
        now.boot_ns = next_ns


class Thin(Venue):
    """A broker whose market takes nothing: a close works until it is cancelled; or it refuses."""

    def __init__(self, *, refuses: bool = False) -> None:
        super().__init__(held=10)
        self.refuses = refuses
        self.prices_nanos: list[int] = []
        self.ids: list[str] = []
        self.cancelled: set[str] = set()

    async def submit(self, order: SubmitOrder, _allowed: Callable[[], bool]) -> SubmitOutcome:
        assert order.side is Side.SELL
        assert order.limit_price_nanos is not None
        self.prices_nanos.append(order.limit_price_nanos)
        self.ids.append(order.client_order_id)
        if order.time_in_force is TimeInForce.IOC:
            self.cancelled.add(order.order_id)
        if self.refuses:
            return OrderNotSent(
                order_id=order.order_id, reason=Reason.BROKER_REJECTED, message="not today"
            )
        return self._seen(order.order_id)

    def _seen(self, order_id: str) -> OrderSent:
        status = OrderStatus.CANCELED if order_id in self.cancelled else OrderStatus.WORKING
        return OrderSent(order_id=order_id, broker_order_id=order_id, status=status)

    async def find(self, order: FindOrder) -> SubmitOutcome:
        return self._seen(order.order_id)

    async def cancel(self, broker_order_id: str) -> None:
        self.cancelled.add(broker_order_id)


async def closed(
    venue: Venue,
    symbol: str,
    terms: Terms,
    room: asyncio.Semaphore,
    asking: Asking | None = None,
) -> Left:
    return await Close(
        trip="guardian#7",
        symbol=symbol,
        held_nanos=venue.held_nanos,
        valued_nanos=99 * NANOS,
        terms=terms,
        broker=cast("AlpacaRequests", venue),
        protection=cast("AlpacaProtection", venue),
        asking=asking or Asking(seconds_max=60, told=lambda _why: None),
        room=room,
        note=venue.note,
    ).run()


def test_a_thin_market_is_asked_until_its_time_is_over_within_the_collar_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def at_once(_asking: Asking, _attempt: int, *, why: str) -> None:
        assert why
        await asyncio.sleep(0)

    clock = itertools.count(BEGAN_NS, NANOS // 100)  # each look at it takes a hundredth
    monkeypatch.setattr(closing, "boot_ns", lambda: next(clock))
    monkeypatch.setattr(Asking, "pause", at_once)
    terms = structs.replace(TERMS, close_wait_ns=NANOS // 10, close_within_ns=20 * NANOS)
    thin, liquid, ended = Thin(), Venue(held=4), list[str]()

    async def one(venue: Venue, symbol: str, room: asyncio.Semaphore) -> Left:
        left = await closed(venue, symbol, terms, room)
        ended.append(symbol)
        return left

    async def both() -> tuple[Left, Left]:
        room = asyncio.Semaphore(1)
        return await asyncio.gather(one(thin, "AAPL", room), one(liquid, "TSLA", room))

    left, flat = asyncio.run(both())
    assert (flat.left_nanos, ended) == (0, ["TSLA", "AAPL"])
    assert left.left_nanos == 10 * NANOS
    assert left.why.startswith("the market did not take it within ")
    assert len(thin.prices_nanos) > terms.close_attempts_max, "what the market answers is no fault"
    collars = [100 - price_nanos // NANOS for price_nanos in thin.prices_nanos]
    assert collars[:10:2] == [1, 2, 4, 8, 10]
    assert set(collars[10::2]) <= {10}
    assert set(collars[1::2]) == {0}, "what the market did not take rests at its price"
    assert thin.nothing == thin.ids


class Lost(Thin):
    """No answer to a send arrives: a close is found, at work for so many looks, then ended."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks_max = looks
        self._ending: dict[str, int] = {}
        """How often each close that ends by its kind may still be seen at work."""
        self._there: set[str] = set()

    async def submit(self, order: SubmitOrder, allowed: Callable[[], bool]) -> SubmitOutcome:
        await super().submit(order, allowed)
        self._there.add(order.order_id)
        if order.time_in_force is TimeInForce.IOC:
            self.cancelled.discard(order.order_id)
            self._ending[order.order_id] = self._looks_max
        return OrderUnknown(order_id=order.order_id, detail="no answer came")

    def _seen(self, order_id: str) -> OrderSent:
        if order_id in self._ending:
            self._ending[order_id] -= 1
            if self._ending[order_id] < 0:
                self.cancelled.add(order_id)
        return super()._seen(order_id)

    async def find(self, order: FindOrder) -> SubmitOutcome:
        if order.order_id in self._there:
            return self._seen(order.order_id)
        return OrderNotSent(order_id=order.order_id, reason=Reason.NEVER_ARRIVED)

    async def leg_read(self, leg: ReadLeg) -> LegRead:
        read = await super().leg_read(leg)
        found = self._seen(leg.order_id) if leg.order_id in self._there else None
        return structs.replace(read, found=found)


@pytest.mark.parametrize("looks", [0, 2])
def test_a_close_whose_answer_was_lost_counts_as_what_it_was(
    looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(_asking: Asking, _attempt: int, *, why: str) -> None:
        assert why
        await asyncio.sleep(0)

    clock = itertools.count(BEGAN_NS, NANOS // 100)
    monkeypatch.setattr(closing, "boot_ns", lambda: next(clock))
    monkeypatch.setattr(Asking, "pause", at_once)
    terms = structs.replace(TERMS, close_wait_ns=NANOS // 10, close_within_ns=20 * NANOS)
    lost = Lost(looks)
    left = asyncio.run(closed(lost, "AAPL", terms, asyncio.Semaphore(1)))
    assert left.why.startswith("the market did not take it within "), left
    collars = [100 - price_nanos // NANOS for price_nanos in lost.prices_nanos]
    assert collars[:10] == [1, 0, 2, 0, 4, 0, 8, 0, 10, 0]


def test_a_position_that_the_broker_does_not_tell_again_is_said_to_be_open() -> None:
    class Silent(Venue):
        async def leg_read(self, leg: ReadLeg) -> LegRead:
            raise BrokerUnavailable("no connection")

    asking = Asking(seconds_max=0.0, told=lambda _why: None)
    left = asyncio.run(closed(Silent(held=10), "AAPL", TERMS, asyncio.Semaphore(1), asking))
    assert left.says() == "AAPL: 10 left, the broker does not answer: no connection"


def test_closes_that_the_broker_refuses_in_a_row_are_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trying, "PAUSE_NS", 0)
    thin = Thin(refuses=True)
    left = asyncio.run(closed(thin, "AAPL", TERMS, asyncio.Semaphore(1)))
    assert len(thin.ids) == TERMS.close_attempts_max
    assert left.left_nanos == 10 * NANOS
    assert left.why == (
        "the broker refuses its closes, or ends them (the broker rejected it: not today)"
    )
    assert len(set(thin.prices_nanos)) == 1, "a refusal widens nothing"
