"""Orders and cancels on their way, with faults: no answer, a late one, a full intake, no client."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from fuseboard.gateway.limits import GatewayLimits
from fuseboard.gateway.orders import OrderDesk
from fuseboard.vocabulary.effects import AnswerDenied, AnswerOrder
from fuseboard.vocabulary.inputs import OrderRequested
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason
from tests.gateway.calls import Called, asked, opened, running_here
from tests.gateway.scripted import Gateway

SOON = GatewayLimits(answer_wait_s=0.1, watch_wait_s=0.05, settle_wait_s=0.05)
BODY = b'{"symbol":"AAPL","qty":5,"side":"buy","type":"market","time_in_force":"day"}'
NAMED = BODY[:-1] + b',"client_order_id":"mine"}'


def _run(
    test: Callable[[Gateway], Awaitable[None]], limits: GatewayLimits | None = None
) -> Gateway:
    async def run() -> Gateway:
        async with running_here(limits) as gateway:
            await test(gateway)
            return gateway

    return asyncio.run(run())


def test_a_late_answer_becomes_200_pending_under_the_id_the_order_will_have() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.is_silent = True
        answer = await asked(gateway, "POST", "/v2/orders", NAMED)
        assert answer.status == 200
        order = answer.object()
        assert order["status"] == "pending_new"
        assert [each["id"] for each in (await asked(gateway, "GET", "/v2/orders")).list()] == [
            order["id"]
        ]
        gateway.loop.answer(gateway.loop.placed()[0])
        read = await asked(gateway, "GET", f"/v2/orders/{order['id']}")
        assert read.object()["status"] == "new"

    _run(test, SOON)


def test_an_order_shown_as_pending_and_then_denied_is_shown_and_streamed_as_rejected() -> None:
    async def test(gateway: Gateway) -> None:
        async with opened(gateway, "/stream", authorize=True) as stream:
            gateway.loop.is_silent = True
            pending = (await asked(gateway, "POST", "/v2/orders", NAMED)).object()
            request = gateway.loop.placed()[0].request
            denial = AnswerDenied(request=request, strategy="one", reason=Reason.ORDER_RATE)
            gateway.door.apply(denial)
            update = await stream.next_object()
            assert update["data"]["event"] == "rejected"
            assert update["data"]["order"]["id"] == pending["id"]
            read = await asked(gateway, "GET", f"/v2/orders/{pending['id']}")
            assert read.object()["status"] == "rejected"

    _run(test, SOON)


def test_a_late_denial_never_overwrites_what_the_kernel_has_published_since() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.is_silent = True
        pending = (await asked(gateway, "POST", "/v2/orders", NAMED)).object()
        fact = gateway.loop.placed()[0]
        view = gateway.door.views.order("one", pending["id"])
        assert view is not None
        gateway.door.apply(structs.replace(view, status=OrderStatus.WORKING, wire_id="sent"))
        gateway.door.apply(
            AnswerDenied(request=fact.request, strategy="one", reason=Reason.ORDER_RATE)
        )
        read = await asked(gateway, "GET", f"/v2/orders/{pending['id']}")
        assert read.object()["status"] == "new"

    _run(test, SOON)


def test_with_too_many_late_answers_new_orders_are_denied_and_not_offered() -> None:
    limits = GatewayLimits(answer_wait_s=0.05, late_orders_max=1)

    async def test(gateway: Gateway) -> None:
        gateway.loop.is_silent = True
        assert (await asked(gateway, "POST", "/v2/orders", BODY)).status == 200
        second = await asked(gateway, "POST", "/v2/orders", BODY)
        assert second.status == 403
        assert second.object()["reason"] == "intake_full"
        assert len(gateway.loop.placed()) == 1

    _run(test, limits)


def test_callers_beyond_the_bound_are_denied_at_once() -> None:
    limits = GatewayLimits(orders_waiting_max=2)

    async def test(gateway: Gateway) -> None:
        gateway.loop.is_silent = True
        names = [BODY[:-1] + b',"client_order_id":"%d"}' % n for n in range(3)]
        waiting = [asyncio.create_task(asked(gateway, "POST", "/v2/orders", n)) for n in names[:2]]
        while len(gateway.loop.placed()) < 2:
            await asyncio.sleep(0)
        third = await asked(gateway, "POST", "/v2/orders", names[2])
        assert (third.status, third.object()["reason"]) == (403, "intake_full")
        for fact in gateway.loop.placed():
            gateway.loop.answer(fact)
        assert [(await each).status for each in waiting] == [200, 200]

    _run(test, limits)


def test_an_order_waits_for_its_symbols_first_watch_but_not_for_ever() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.feed.silent = True
        answer = await asked(gateway, "POST", "/v2/orders", BODY)
        assert answer.status == 200
        assert gateway.feed.watched == ["AAPL"]

    _run(test, SOON)


def test_a_symbol_that_cannot_be_watched_is_left_to_the_kernel_and_asked_again() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.feed.unavailable = True
        assert (await asked(gateway, "POST", "/v2/orders", BODY)).status == 200
        gateway.feed.unavailable = False
        assert (await asked(gateway, "POST", "/v2/orders", BODY)).status == 200
        assert (await asked(gateway, "POST", "/v2/orders", BODY)).status == 200
        assert gateway.feed.watched == ["AAPL", "AAPL"]

    _run(test, SOON)


# --- repeats -------------------------------------------------------------------------------------


def test_a_request_repeated_after_its_connection_was_lost_is_the_same_order() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.is_silent = True
        await asked(gateway, "POST", "/v2/orders", BODY, hang_up=True)
        while not gateway.loop.placed():
            await asyncio.sleep(0)
        gateway.loop.is_silent = False
        gateway.loop.answer(gateway.loop.placed()[0])
        await asyncio.sleep(0.02)
        again = (await asked(gateway, "POST", "/v2/orders", BODY)).object()
        ids = [fact.client_order_id for fact in gateway.loop.placed()]
        assert ids == [again["client_order_id"]] * 2
        assert len(gateway.loop.orders) == 1

    _run(test)


def test_identical_orders_that_wait_at_once_are_as_many_orders() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.is_silent = True
        all_of_them = [
            asyncio.create_task(asked(gateway, "POST", "/v2/orders", BODY)) for _ in range(16)
        ]
        while len(gateway.loop.placed()) < 16:
            await asyncio.sleep(0)
        for fact in gateway.loop.placed():
            gateway.loop.answer(fact)
        ids = {(await each).object()["id"] for each in all_of_them}
        assert len(ids) == len(gateway.loop.orders) == 16

    _run(test)


def test_retries_of_callers_that_hung_up_attach_to_their_orders_and_no_more() -> None:
    """Two that hung up while waiting, one that waits on, two retries: three orders."""

    async def test(gateway: Gateway) -> None:
        gateway.loop.is_silent = True
        hung = (asked(gateway, "POST", "/v2/orders", BODY, hang_up=True) for _ in range(2))
        await asyncio.gather(*hung)
        while len(gateway.loop.placed()) < 2:
            await asyncio.sleep(0)
        others = [asyncio.create_task(asked(gateway, "POST", "/v2/orders", BODY)) for _ in range(3)]
        while len(gateway.loop.placed()) < 5:
            await asyncio.sleep(0)
        for fact in gateway.loop.placed():
            gateway.loop.answer(fact)
        answered = {(await each).object()["client_order_id"] for each in others}
        asked_ids = [fact.client_order_id for fact in gateway.loop.placed()]
        assert asked_ids[0] != asked_ids[1]
        assert len(answered) == len(gateway.loop.orders) == 3
        assert set(asked_ids[:2]) < answered

    _run(test)


def test_an_answered_request_sent_again_is_a_second_order() -> None:
    async def test(gateway: Gateway) -> None:
        first = (await asked(gateway, "POST", "/v2/orders", BODY)).object()
        second = (await asked(gateway, "POST", "/v2/orders", BODY)).object()
        assert first["id"] != second["id"]
        third = (await asked(gateway, "POST", "/v2/orders", BODY, key=gateway.two)).object()
        assert third["id"] not in {first["id"], second["id"]}

    _run(test)


def test_the_same_request_by_another_key_is_never_a_repeat() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.is_silent = True
        await asked(gateway, "POST", "/v2/orders", BODY, hang_up=True)
        second_key = gateway.keys.mint("one")
        for key in (gateway.two, second_key):
            await asked(gateway, "POST", "/v2/orders", BODY, key=key, hang_up=True)
        ids = [fact.client_order_id for fact in gateway.loop.placed()]
        assert len(set(ids)) == len(ids) == 3

    _run(test, SOON)


def test_a_request_that_failed_inside_the_gateway_is_a_repeat_only_within_the_window() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.breaks = True
        assert (await asked(gateway, "POST", "/v2/orders", BODY)).status == 500
        gateway.loop.breaks = False
        await asked(gateway, "POST", "/v2/orders", BODY)
        ids = [fact.client_order_id for fact in gateway.loop.placed()]
        assert len(set(ids)) == len(ids) == 2

    _run(test, GatewayLimits(repeat_window_ns=0))


def test_a_named_order_sent_twice_is_answered_with_the_same_order() -> None:
    async def test(gateway: Gateway) -> None:
        first = (await asked(gateway, "POST", "/v2/orders", NAMED)).object()
        second = (await asked(gateway, "POST", "/v2/orders", NAMED)).object()
        assert first["id"] == second["id"]
        other = (await asked(gateway, "POST", "/v2/orders", NAMED, key=gateway.two)).object()
        assert other["id"] != first["id"]

    _run(test)


def test_a_close_repeated_after_a_lost_answer_is_the_same_close() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.fills = True
        await asked(gateway, "POST", "/v2/orders", BODY)
        gateway.loop.fills = False
        gateway.loop.is_silent = True
        await asked(gateway, "DELETE", "/v2/positions/AAPL", hang_up=True)
        while len(gateway.loop.placed()) < 2:
            await asyncio.sleep(0)
        repeated = asyncio.create_task(asked(gateway, "DELETE", "/v2/positions/AAPL"))
        while len(gateway.loop.placed()) < 3:
            await asyncio.sleep(0)
        for fact in gateway.loop.placed()[1:]:
            gateway.loop.answer(fact)
        answer = await repeated
        assert answer.status == 200
        closes = [o for o in gateway.loop.orders.values() if o.side is Side.SELL]
        assert [order.order_id for order in closes] == [answer.object()["id"]]

    _run(test)


# --- cancels -------------------------------------------------------------------------------------


def test_a_cancel_waits_out_a_full_intake_and_is_then_taken() -> None:
    async def test(gateway: Gateway) -> None:
        order = (await asked(gateway, "POST", "/v2/orders", NAMED)).object()
        gateway.loop.is_full = True
        cancel = asyncio.create_task(asked(gateway, "DELETE", f"/v2/orders/{order['id']}"))
        await asyncio.sleep(0.05)
        assert not cancel.done()
        gateway.loop.is_full = False
        assert (await cancel).status == 204

    _run(test)


def test_a_cancel_that_the_intake_never_takes_says_so() -> None:
    async def test(gateway: Gateway) -> None:
        order = (await asked(gateway, "POST", "/v2/orders", NAMED)).object()
        gateway.loop.is_full = True
        answer = await asked(gateway, "DELETE", f"/v2/orders/{order['id']}")
        assert (answer.status, answer.object()["reason"]) == (403, "intake_full")

    _run(test, SOON)


def test_cancels_beyond_the_bound_of_waiting_callers_still_reach_the_intake() -> None:
    limits = GatewayLimits(cancels_waiting_max=1, answer_wait_s=0.3)

    async def test(gateway: Gateway) -> None:
        ids = [(await asked(gateway, "POST", "/v2/orders", BODY)).object()["id"] for _ in range(4)]
        gateway.loop.is_silent = True
        answer = await asked(gateway, "DELETE", "/v2/orders")
        assert sorted(gateway.loop.cancelled()) == sorted(ids)
        assert {row["status"] for row in answer.list()} == {200}

    _run(test, limits)


def test_cancelling_everything_reaches_an_order_that_is_not_answered_yet() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.is_silent = True
        placing = asyncio.create_task(asked(gateway, "POST", "/v2/orders", NAMED))
        while not gateway.loop.placed():
            await asyncio.sleep(0)
        cancelling = asyncio.create_task(asked(gateway, "DELETE", "/v2/orders"))
        while not gateway.loop.cancelled():
            await asyncio.sleep(0)
        for fact in gateway.loop.inputs:
            gateway.loop.answer(fact)
        order = (await placing).object()
        assert [row["id"] for row in (await cancelling).list()] == [order["id"]]
        assert gateway.loop.orders[order["id"]].status is OrderStatus.CANCELED

    _run(test)


def test_an_unanswered_cancel_of_a_working_order_counts_as_taken() -> None:
    async def test(gateway: Gateway) -> None:
        order = (await asked(gateway, "POST", "/v2/orders", NAMED)).object()
        gateway.loop.is_silent = True
        assert (await asked(gateway, "DELETE", f"/v2/orders/{order['id']}")).status == 204
        assert (await asked(gateway, "DELETE", "/v2/orders/unknown")).status == 404

    _run(test, SOON)


# --- closing -------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["1", "2", "3.5", "100%", "50%", "7", ""]), max_size=6))
@settings(max_examples=25)
def test_closes_sent_at_once_never_ask_for_more_than_is_held(closes: list[str]) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.fills = True
        await asked(gateway, "POST", "/v2/orders", BODY.replace(b'"qty":5', b'"qty":7'))
        gateway.loop.fills = False
        targets = []
        for close in closes:
            name, _, amount = ("percentage", "", close[:-1]) if "%" in close else ("qty", "", close)
            targets.append(f"/v2/positions/AAPL?{name}={amount}" if close else "/v2/positions/AAPL")
        answers = await asyncio.gather(*(asked(gateway, "DELETE", each) for each in targets))
        assert {answer.status for answer in answers} <= {200, 403}
        # Identical closes that wait at the same time are one close: the same id, counted once.
        sells = {o.client_order_id: o for o in gateway.loop.placed() if o.side is Side.SELL}
        assert sum(order.quantity_nanos for order in sells.values()) <= 7 * NANOS
        accepted = {answer.object()["id"] for answer in answers if answer.status == 200}
        assert len(accepted) == len(sells)

    _run(test)


@pytest.mark.parametrize(
    ("held", "query", "quantity"),
    [
        ("3", "percentage=50", "1"),
        ("2.5", "percentage=50", "1.25"),
        ("3", "percentage=33.4", "1"),
        ("3", "qty=0.5", "0.5"),
    ],
)
def test_a_share_of_whole_shares_is_whole_and_of_a_fraction_is_exact(
    held: str, query: str, quantity: str
) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.fills = True
        body = BODY.replace(b'"qty":5', b'"qty":"%s"' % held.encode())
        await asked(gateway, "POST", "/v2/orders", body)
        closed = (await asked(gateway, "DELETE", f"/v2/positions/AAPL?{query}")).object()
        assert (closed["qty"], closed["side"], closed["type"]) == (quantity, "sell", "market")

    _run(test)


@pytest.mark.parametrize(
    "query", ["qty=1&percentage=2", "qty=-1", "qty=NaN", "qty=1e3", "percentage=101", "qty=0"]
)
def test_a_close_that_is_not_understood_closes_nothing(query: str) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.fills = True
        await asked(gateway, "POST", "/v2/orders", BODY)
        answer = await asked(gateway, "DELETE", f"/v2/positions/AAPL?{query}")
        assert (answer.status, answer.object()["code"]) == (422, 42210000)
        assert len(gateway.loop.placed()) == 1

    _run(test)


def test_a_share_too_small_for_one_share_closes_nothing() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.fills = True
        await asked(gateway, "POST", "/v2/orders", BODY)
        assert (await asked(gateway, "DELETE", "/v2/positions/AAPL?percentage=1")).status == 422

    _run(test)


# --- isolation -----------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["one", "two"]), st.sampled_from(["buy", "sell", "cancel", "close"])
        ),
        max_size=12,
    )
)
@settings(max_examples=25)
def test_whatever_two_strategies_do_neither_sees_or_moves_what_is_the_others(
    steps: list[tuple[str, str]],
) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.fills = True
        pairs = {"one": gateway.one, "two": gateway.two}
        for turn, (strategy, action) in enumerate(steps):
            gateway.loop.fills = turn % 2 == 0
            key = pairs[strategy]
            before = {o.order_id: o for o in gateway.loop.orders.values()}
            if action in {"buy", "sell"}:
                body = BODY.replace(b"buy", action.encode())
                await asked(gateway, "POST", "/v2/orders", body, key=key)
            elif action == "cancel":
                await asked(gateway, "DELETE", "/v2/orders", key=key)
            else:
                await asked(gateway, "DELETE", "/v2/positions?cancel_orders=true", key=key)
            for order_id, order in before.items():
                if order.strategy != strategy:
                    assert gateway.loop.orders[order_id] is order
        for strategy, key in pairs.items():
            listed = (await asked(gateway, "GET", "/v2/orders?status=all", key=key)).list()
            mine = {o.order_id for o in gateway.loop.orders.values() if o.strategy == strategy}
            assert {order["id"] for order in listed} == mine
            for order_id in gateway.loop.orders.keys() - mine:
                read = await asked(gateway, "GET", f"/v2/orders/{order_id}", key=key)
                assert read.status == 404
            held = (await asked(gateway, "GET", "/v2/positions", key=key)).list()
            amount = gateway.loop.positions.get((strategy, "AAPL"), 0)
            assert sum(int(each["qty"]) for each in held) * NANOS == amount

    _run(test)


def test_request_numbers_are_never_given_twice_across_orders_and_cancels() -> None:
    async def test(gateway: Gateway) -> None:
        for _ in range(3):
            order = (await asked(gateway, "POST", "/v2/orders", BODY)).object()
            await asked(gateway, "DELETE", f"/v2/orders/{order['id']}")
        numbers = [fact.request for fact in gateway.loop.inputs]  # type: ignore[union-attr]
        assert len(numbers) == len(set(numbers)) == 6

    _run(test)


def test_an_answer_for_an_order_too_old_to_be_shown_says_that_the_id_was_used() -> None:
    async def test(gateway: Gateway) -> None:
        desk: OrderDesk = gateway.door._orders
        gateway.loop.is_silent = True
        order = OrderRequested(
            request=0,
            strategy="one",
            client_order_id="long-ago",
            symbol="AAPL",
            side=Side.BUY,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            quantity_nanos=NANOS,
        )
        placing = asyncio.create_task(desk.place(order))
        while not gateway.loop.placed():
            await asyncio.sleep(0)
        request = gateway.loop.placed()[0].request
        gateway.door.apply(AnswerOrder(request=request, order_id="forgotten", repeated=True))
        outcome = await placing
        assert isinstance(outcome, AnswerDenied)
        assert outcome.reason is Reason.CLIENT_ORDER_ID_REUSED

    _run(test)


def test_denials_never_use_a_status_that_a_client_sends_again() -> None:
    async def test(gateway: Gateway) -> None:
        seen: dict[str, Called] = {}
        for reason in Reason:
            gateway.loop.deny = AnswerDenied(request=0, strategy="", reason=reason)
            seen[reason.value] = await asked(gateway, "POST", "/v2/orders", BODY)
        assert {answer.status for answer in seen.values()} == {403, 404, 422}
        for name, answer in seen.items():
            body = answer.object()
            assert body["reason"] == name
            if answer.status == 403:
                assert body["code"] == 40310000
                assert "orders are rejected by user request" in body["message"]
            else:
                assert body["code"] in {42210000, 40010001, 40410000}

    _run(test, GatewayLimits(denials_a_second_max=1_000))


def test_a_pending_order_whose_cancel_came_first_is_not_listed_as_cancelled() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.is_silent = True
        placing = asyncio.create_task(asked(gateway, "POST", "/v2/orders", NAMED))
        while not gateway.loop.placed():
            await asyncio.sleep(0)
        cancelling = asyncio.create_task(asked(gateway, "DELETE", "/v2/orders"))
        while not gateway.loop.cancelled():
            await asyncio.sleep(0)
        for fact in reversed(gateway.loop.inputs):
            gateway.loop.answer(fact)
        assert (await placing).object()["status"] == "new"
        assert (await cancelling).list() == []

    _run(test)


def test_an_order_that_is_shown_and_still_unanswered_holds_its_quantity_once() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.fills = True
        await asked(gateway, "POST", "/v2/orders", BODY)
        gateway.loop.fills, gateway.loop.is_silent = False, True
        sell = BODY.replace(b"buy", b"sell").replace(b'"qty":5', b'"qty":2')
        selling = asyncio.create_task(asked(gateway, "POST", "/v2/orders", sell))
        while len(gateway.loop.placed()) < 2:
            await asyncio.sleep(0)
        fact = gateway.loop.placed()[1]
        bought = next(iter(gateway.loop.orders.values()))
        gateway.door.apply(
            structs.replace(
                bought,
                order_id="shown",
                client_order_id=fact.client_order_id,
                side=Side.SELL,
                quantity_nanos=2 * NANOS,
                filled_quantity_nanos=0,
                status=OrderStatus.SUBMITTING,
                event="",
            )
        )
        gateway.loop.is_silent = False
        assert (await asked(gateway, "DELETE", "/v2/positions/AAPL?qty=4")).status == 403
        assert (await asked(gateway, "DELETE", "/v2/positions/AAPL?qty=3")).status == 200
        gateway.loop.answer(fact)
        await selling

    _run(test)


def test_a_close_repeated_after_it_was_decided_is_answered_with_it_and_not_offered_again() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.fills = True
        await asked(gateway, "POST", "/v2/orders", BODY)
        gateway.loop.fills, gateway.loop.is_silent = False, True
        await asked(gateway, "DELETE", "/v2/positions/AAPL", hang_up=True)
        gateway.loop.answer(gateway.loop.placed()[1])
        await asyncio.sleep(0.02)
        again = await asked(gateway, "DELETE", "/v2/positions/AAPL")
        assert again.status == 200
        assert again.object()["client_order_id"] == gateway.loop.placed()[1].client_order_id
        assert len(gateway.loop.placed()) == 2

    _run(test)


def test_closing_everything_waits_until_the_cancels_are_final() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.loop.fills = True
        await asked(gateway, "POST", "/v2/orders", BODY)
        gateway.loop.fills = False
        await asked(gateway, "POST", "/v2/orders", BODY.replace(b"buy", b"sell"))
        gateway.loop.cancels_take_s = 0.05
        rows = (await asked(gateway, "DELETE", "/v2/positions?cancel_orders=True")).list()
        assert [(row["symbol"], row["status"], row["body"]["qty"]) for row in rows] == [
            ("AAPL", 200, "5")
        ]

    _run(test)


def test_symbols_beyond_the_bound_are_not_watched_and_their_orders_are_left_to_the_kernel() -> None:
    async def test(gateway: Gateway) -> None:
        for symbol in (b"AAPL", b"MSFT"):
            answer = await asked(gateway, "POST", "/v2/orders", BODY.replace(b"AAPL", symbol))
            assert answer.status == 200
        assert gateway.feed.watched == ["AAPL"]

    _run(test, GatewayLimits(symbols_max=1))
