"""One close: less what works against it, not twice in doubt, written down before it is sent."""

import asyncio
import time
from collections.abc import Callable
from typing import cast

import pytest

from fuseboard.brokers.alpaca_protection import AlpacaProtection, Touch
from fuseboard.brokers.alpaca_requests import AlpacaRequests
from fuseboard.rescue import closing
from fuseboard.rescue.asking import Asking, NoKey
from fuseboard.rescue.closing import Close
from fuseboard.rescue.journal import TOOK_NOTHING
from fuseboard.rescue.outcome import Left
from fuseboard.rescue.terms import Terms
from fuseboard.vocabulary.doors import KeyRefused
from fuseboard.vocabulary.effects import FindOrder, ReadLeg, SubmitOrder
from fuseboard.vocabulary.guardian_inputs import GuardianClose
from fuseboard.vocabulary.identifiers import close_ids
from fuseboard.vocabulary.inputs import (
    LegRead,
    OrderNotSent,
    OrderSent,
    OrderUnknown,
    SubmitOutcome,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus
from fuseboard.vocabulary.reasons import Reason

TERMS = Terms(
    instance="abcd1234", account="default", base_url="", data_url="",
    close_collar_nanos=NANOS // 100, close_collar_nanos_max=NANOS // 10, close_wait_ns=NANOS,
    close_attempts_max=3, close_within_ns=60 * NANOS, absent_after_ns=NANOS // 4,
)  # fmt: skip


class Venue:
    """A broker with one position: it fills what it takes, or leaves the first sends in doubt."""

    def __init__(self, *, held: int, against: int = 0, doubts: int = 0) -> None:
        self.held_nanos = held * NANOS
        self.against_nanos = against * NANOS
        self.doubts = doubts
        self.filled: dict[str, int] = {}
        self.events: list[tuple[str, str]] = []
        self.sent: list[tuple[float, int]] = []
        self.nothing: list[str] = []

    async def leg_read(self, leg: ReadLeg) -> LegRead:
        return LegRead(
            trip=leg.trip,
            symbol=leg.symbol,
            attempt=leg.attempt,
            position_nanos=self.held_nanos,
            against_nanos=self.against_nanos,
            found=self._found(leg.order_id),
        )

    def _found(self, order_id: str) -> OrderSent | None:
        quantity_nanos = self.filled.get(order_id)
        if quantity_nanos is None:
            return None
        return OrderSent(
            order_id=order_id,
            broker_order_id="b",
            status=OrderStatus.FILLED,
            filled_quantity_nanos=quantity_nanos,
            filled_price_nanos=NANOS,
        )

    async def submit(self, order: SubmitOrder, _allowed: Callable[[], bool]) -> SubmitOutcome:
        self.events.append(("sent", order.order_id))
        self.sent.append((time.monotonic(), order.quantity_nanos))
        if self.doubts:
            self.doubts -= 1
            return OrderUnknown(order_id=order.order_id, detail="no answer came")
        self.filled[order.order_id] = order.quantity_nanos
        self.held_nanos -= order.quantity_nanos + self.against_nanos  # the other one fills too
        self.against_nanos = 0
        found = self._found(order.order_id)
        assert found is not None
        return found

    async def find(self, order: FindOrder) -> SubmitOutcome:
        assert order.order_id not in self.filled, "what is filled is not looked for"
        return OrderNotSent(order_id=order.order_id, reason=Reason.NEVER_ARRIVED)

    async def last_found(
        self, find: Callable[[int], FindOrder], known: tuple[int, OrderSent], *, most: int
    ) -> tuple[int, OrderSent]:
        return await AlpacaRequests.last_found(cast("AlpacaRequests", self), find, known, most=most)

    async def touch(self, _symbol: str) -> Touch:
        return Touch(100 * NANOS, 101 * NANOS)

    def note(self, act: str, *, detail: str, close: GuardianClose | None = None) -> None:
        if act == TOOK_NOTHING:
            self.nothing.append(detail)
        elif close is not None:
            self.events.append(("written", close.order_id))

    def close(self, asking: Callable[[], Asking] | None = None) -> Left:
        async def main() -> Left:
            return await Close(
                trip="guardian#7",
                symbol="AAPL",
                held_nanos=10 * NANOS,
                valued_nanos=99 * NANOS,
                terms=TERMS,
                broker=cast("AlpacaRequests", self),
                protection=cast("AlpacaProtection", self),
                asking=asking() if asking else Asking(seconds_max=20, told=lambda _why: None),
                room=asyncio.Semaphore(1),
                note=self.note,
            ).run()

        return asyncio.run(main())


def test_a_close_is_less_what_already_works_against_the_position() -> None:
    venue = Venue(held=10, against=4)
    assert venue.close().left_nanos == 0
    assert [quantity_nanos for _, quantity_nanos in venue.sent] == [6 * NANOS]
    assert venue.held_nanos == 0, "never through zero"


def test_a_close_in_doubt_is_sent_again_only_when_the_doubt_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(closing, "READS_MAX", 0)  # a doubt has its own end, it costs no reads
    venue = Venue(held=10, doubts=1)
    assert venue.close().left_nanos == 0
    (first_s, _), (second_s, _) = venue.sent
    assert second_s - first_s >= TERMS.absent_after_ns / 1e9
    assert len({order_id for _, order_id in venue.events}) == 1, "it is the same close"


def test_a_close_is_written_down_before_it_is_sent() -> None:
    venue = Venue(held=10)
    venue.close()
    ((first, written), (second, sent)) = venue.events
    assert (first, second) == ("written", "sent")
    assert written == sent


class Tried(Venue):
    """A broker that has earlier attempts of the trip, the gateway's; the last may still work."""

    def __init__(self, *, attempts: int, works: bool = False) -> None:
        super().__init__(held=10)
        self.asked = 0
        self.earlier = [attempt_id(number) for number in range(1, attempts + 1)]
        self.working = self.earlier[-1:] if works else []

    async def leg_read(self, leg: ReadLeg) -> LegRead:
        self.asked += 3
        return await super().leg_read(leg)

    def _found(self, order_id: str) -> OrderSent | None:
        if order_id not in self.earlier:
            return super()._found(order_id)
        works = order_id in self.working
        status = OrderStatus.WORKING if works else OrderStatus.CANCELED
        return OrderSent(order_id=order_id, broker_order_id="e", status=status)

    async def find(self, order: FindOrder) -> SubmitOutcome:
        self.asked += 1
        found = self._found(order.order_id)
        return found or OrderNotSent(order_id=order.order_id, reason=Reason.NEVER_ARRIVED)

    async def cancel(self, broker_order_id: str) -> None:
        assert broker_order_id == "e"
        self.working = []


def attempt_id(number: int) -> str:
    at = {"trip": "guardian#7", "symbol": "AAPL"}
    return close_ids(instance="abcd1234", account="default", **at, attempt=number)[1]


@pytest.mark.parametrize("attempts", [0, 1, 2, 3, 120, 1_998])
def test_earlier_attempts_are_stepped_over_with_a_few_questions(attempts: int) -> None:
    venue = Tried(attempts=attempts)
    assert venue.close().left_nanos == 0
    assert [sent for what, sent in venue.events if what == "sent"] == [attempt_id(attempts + 1)]
    assert venue.asked <= 9 + 2 * attempts.bit_length()


def test_a_thousand_attempts_are_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "ATTEMPTS_SEEN_MAX", 5)
    venue = Tried(attempts=9)
    assert (venue.close().left_nanos, venue.events) == (10 * NANOS, [])


def test_the_last_of_the_earlier_attempts_is_waited_for() -> None:
    venue = Tried(attempts=9, works=True)
    assert venue.close().left_nanos == 0
    assert not venue.working, "it was taken back after its time"
    assert [sent for what, sent in venue.events if what == "sent"] == [attempt_id(10)]


def test_a_key_that_is_refused_meanwhile_ends_a_close_without_the_market_s_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fuseboard.rescue.asking.REFUSED_S", 0.2)

    class Refusing(Venue):
        async def leg_read(self, leg: ReadLeg) -> LegRead:
            raise KeyRefused("/v2/orders: 401 unauthorized")

    def raised(refused: NoKey) -> None:
        raise refused

    venue = Refusing(held=10)
    left = venue.close(lambda: Asking(seconds_max=60, told=print, key_refused=raised))
    assert left == Left(
        symbol="AAPL",
        left_nanos=10 * NANOS,
        why="the broker refuses the key: /v2/orders: 401 unauthorized",
    )
    assert venue.sent == []
