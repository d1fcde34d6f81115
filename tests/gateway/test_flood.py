"""One strategy that floods: with denied orders, or with symbols that nobody knows."""

import asyncio
from collections.abc import Awaitable, Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from fuseboard.gateway.door_denials import DoorDenials
from fuseboard.gateway.flood import SECOND_NS, Flood, FloodLimits
from fuseboard.gateway.limits import GatewayLimits
from fuseboard.vocabulary.effects import AnswerDenied, PublishPosition
from fuseboard.vocabulary.inputs import RequestsDenied, RequestsThrottled
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason
from tests.gateway.calls import Called, asked, running_here
from tests.gateway.scripted import Gateway

BODY = b'{"symbol":"AAPL","qty":5,"side":"buy","type":"market","time_in_force":"day"}'
SELL = BODY.replace(b'"buy"', b'"sell"')
DENIAL = AnswerDenied(request=0, strategy="", reason=Reason.ORDER_VALUE, checks=("order_value",))
LIMITS = GatewayLimits(denials_a_second_max=1)
A_SECOND_MAX = 3


def _run(
    test: Callable[[Gateway], Awaitable[None]], limits: GatewayLimits | None = None
) -> Gateway:
    async def run() -> Gateway:
        async with running_here(limits) as gateway:
            await test(gateway)
            return gateway

    return asyncio.run(run())


def _reason(answer: Called) -> tuple[int, str]:
    return answer.status, answer.object()["reason"]


async def _flooded(gateway: Gateway, body: bytes = BODY) -> None:
    """Deny the strategy until the door does it by itself."""
    gateway.loop.deny = DENIAL
    for _ in range(20):
        if _reason(await asked(gateway, "POST", "/v2/orders", body)) == (403, "throttled"):
            return
    raise AssertionError("the flood was never held back")


def test_a_flood_of_denied_orders_is_denied_by_the_door_and_noted_once() -> None:
    async def test(gateway: Gateway) -> None:
        await _flooded(gateway)
        notes = [each for each in gateway.loop.inputs if isinstance(each, RequestsThrottled)]
        assert notes == [RequestsThrottled(strategy="one", count=1, a_second_max=1)]
        placed = len(gateway.loop.placed())
        answers = [await asked(gateway, "POST", "/v2/orders", BODY) for _ in range(3)]
        throttled = [each for each in answers if _reason(each) == (403, "throttled")]
        assert throttled
        assert "orders are rejected by user request" in throttled[0].object()["message"]
        assert len(gateway.loop.placed()) == placed + 3 - len(throttled)
        assert [each for each in gateway.loop.inputs if isinstance(each, RequestsThrottled)] == (
            notes
        ), "one note a period"

    _run(test, LIMITS)


def test_a_flood_leaves_the_other_strategy_and_every_cancel_alone() -> None:
    async def test(gateway: Gateway) -> None:
        mine = (await asked(gateway, "POST", "/v2/orders", BODY)).object()
        await _flooded(gateway)
        gateway.loop.deny = None
        assert (await asked(gateway, "POST", "/v2/orders", BODY, key=gateway.two)).status == 200
        assert (await asked(gateway, "DELETE", f"/v2/orders/{mine['id']}")).status == 204

    _run(test, LIMITS)


def test_an_order_that_is_known_is_answered_as_it_is_however_its_strategy_floods() -> None:
    named = BODY[:-1] + b',"client_order_id":"mine"}'

    async def test(gateway: Gateway) -> None:
        first = (await asked(gateway, "POST", "/v2/orders", named)).object()
        await _flooded(gateway)
        again = await asked(gateway, "POST", "/v2/orders", named)
        assert (again.status, again.object()["id"]) == (200, first["id"])

    _run(test, LIMITS)


def test_a_flood_of_entries_does_not_shut_the_exit_and_one_of_exits_is_bounded_too() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.fills = True
        assert (await asked(gateway, "POST", "/v2/orders", BODY)).status == 200
        await _flooded(gateway)
        too_large = SELL.replace(b":5,", b":6,")
        assert _reason(await asked(gateway, "POST", "/v2/orders", too_large)) == (403, "throttled")
        exit_ = await asked(gateway, "POST", "/v2/orders", SELL)
        assert _reason(exit_) == (403, "order_value"), "it reached the kernel"
        await _flooded(gateway, SELL)

    # So slow that no allowance comes back while the test runs.
    _run(test, GatewayLimits(denials_a_second_max=1))


def test_a_note_that_the_intake_does_not_take_is_given_with_the_next_denial() -> None:
    limits = FloodLimits(a_second_max=1, note_every_ns=10 * SECOND_NS)
    clock = [0]
    flood = Flood(limits, clock_ns=lambda: clock[0])
    assert flood.note_due("one") == 1
    assert flood.note_due("one") == 2
    flood.noted("one")
    assert flood.note_due("one") is None
    clock[0] = 10 * SECOND_NS
    assert flood.note_due("one") == 2


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, SECOND_NS), st.booleans()), max_size=200))
def test_denials_never_pass_the_rate_and_the_allowance_comes_back(
    steps: list[tuple[int, bool]],
) -> None:
    clock = [0]
    flood = Flood(
        FloodLimits(a_second_max=A_SECOND_MAX, note_every_ns=1), clock_ns=lambda: clock[0]
    )
    count = {False: 0, True: 0}
    for step, is_reduction in steps:
        clock[0] += step
        if not flood.is_over("one", is_reduction=is_reduction):
            flood.denied("one", is_reduction=is_reduction)
            count[is_reduction] += 1
        allowed = A_SECOND_MAX + clock[0] * A_SECOND_MAX // SECOND_NS
        assert count[is_reduction] <= allowed
    assert not flood.is_over("two", is_reduction=False)
    clock[0] += 2 * SECOND_NS
    assert not flood.is_over("one", is_reduction=False)
    assert not flood.is_over("one", is_reduction=True)
    assert not flood.is_counting


def test_what_was_under_way_at_once_is_paid_back_before_the_next_is_let_through() -> None:
    clock = [0]
    flood = Flood(FloodLimits(a_second_max=10, note_every_ns=1), clock_ns=lambda: clock[0])
    for _ in range(110):
        flood.denied("one", is_reduction=False)
    clock[0] = 10 * SECOND_NS
    assert flood.is_over("one", is_reduction=False)
    clock[0] += SECOND_NS // 10
    assert not flood.is_over("one", is_reduction=False)


# --- what the door denies by itself ---------------------------------------------------------------


def test_what_the_door_denies_is_noted_by_strategy_and_reason_and_conflated() -> None:
    bad = (b"{", BODY.replace(b":5,", b':"NaN",'), BODY.replace(b'"qty":5', b'"notional":"100"'))

    async def test(gateway: Gateway) -> None:
        reasons = []
        for body in [bad[0], *bad, *bad]:
            answer = await asked(gateway, "POST", "/v2/orders", body)
            assert answer.status == 422
            reasons.append(Reason(answer.object()["reason"]))
        assert (await asked(gateway, "POST", "/v2/orders", b"{", key=gateway.two)).status == 422
        first = RequestsDenied(strategy="one", reason=reasons[0], count=1)
        assert gateway.loop.inputs == [first], "one note a period"
        await gateway.door.stop()
        notes = [each for each in gateway.loop.inputs if isinstance(each, RequestsDenied)]
        told = {(it.strategy, it.reason): 0 for it in notes}
        for it in notes:
            told[it.strategy, it.reason] += it.count
        wanted = {("one", each): reasons.count(each) for each in reasons}
        assert told == {**wanted, ("two", reasons[0]): 1}

    _run(test, GatewayLimits(door_denials_note_every_s=600.0))


def test_counts_are_noted_when_their_second_is_over_and_kept_while_the_intake_is_full() -> None:
    class Full:
        open = False

        def __init__(self) -> None:
            self.taken: list[object] = []

        def offer(self, fact: object) -> bool:
            if self.open:
                self.taken.append(fact)
            return self.open

    async def run() -> None:
        intake = Full()
        denials = DoorDenials(intake, every_s=0.01)
        denials.note("one", Reason.MALFORMED)
        denials.note("one", Reason.MALFORMED)
        intake.open = True
        await asyncio.sleep(0.1)
        assert intake.taken == [RequestsDenied(strategy="one", reason=Reason.MALFORMED, count=2)]
        denials.close()
        assert len(intake.taken) == 1

    asyncio.run(run())


# --- symbols -------------------------------------------------------------------------------------


def _order(symbol: str) -> bytes:
    return BODY.replace(b"AAPL", symbol.encode())


def test_a_symbol_that_the_broker_does_not_know_takes_no_room_and_no_turn() -> None:
    async def test(gateway: Gateway) -> None:
        answer = await asked(gateway, "POST", "/v2/orders", _order("NOSUCH"))
        assert _reason(answer) == (422, "symbol_unknown")
        again = await asked(gateway, "POST", "/v2/orders", _order("NOSUCH"))
        assert _reason(again) == (422, "symbol_unknown")
        assert gateway.loop.inputs == [
            RequestsDenied(strategy="one", reason=Reason.SYMBOL_UNKNOWN, count=1)
        ]
        assert gateway.feed.watched == []
        assert gateway.broker.asked == [("GET", "/v2/assets/NOSUCH")], "asked once a minute"

    _run(test)


def test_a_strategy_that_guesses_symbols_is_refused_without_asking_and_no_other_is() -> None:
    async def test(gateway: Gateway) -> None:
        for number in range(5):
            await asked(gateway, "POST", "/v2/orders", _order(f"NO{number}"))
        assert len(gateway.broker.asked) == 2
        refused = await asked(gateway, "POST", "/v2/orders", BODY)
        assert _reason(refused) == (403, "symbols_full")
        assert (await asked(gateway, "POST", "/v2/orders", BODY, key=gateway.two)).status == 200
        assert (await asked(gateway, "POST", "/v2/orders", BODY)).status == 200, "watched by now"

    _run(test, GatewayLimits(unknown_symbols_a_minute_max=2))


def test_a_strategy_brings_in_so_many_symbols_and_its_exit_is_never_refused() -> None:
    async def test(gateway: Gateway) -> None:
        assert (await asked(gateway, "POST", "/v2/orders", BODY)).status == 200
        refused = await asked(gateway, "POST", "/v2/orders", _order("MSFT"))
        assert _reason(refused) == (403, "symbols_full")
        held = PublishPosition(
            strategy="one", symbol="MSFT", quantity_nanos=5 * NANOS, average_price_nanos=NANOS
        )
        gateway.door.apply(held)
        gateway.broker.answers.clear()
        out = SELL.replace(b"AAPL", b"MSFT")
        assert (await asked(gateway, "POST", "/v2/orders", out)).status == 200

    _run(test, GatewayLimits(symbols_of_a_strategy_max=1))


def test_a_broker_that_cannot_be_asked_leaves_the_order_to_the_kernel() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.broker.unavailable = True
        assert (await asked(gateway, "POST", "/v2/orders", BODY)).status == 200
        assert gateway.feed.watched == ["AAPL"]

    _run(test)
