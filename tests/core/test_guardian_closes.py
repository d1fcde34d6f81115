"""What the guardian closed while no gateway ran is in the book of the next one, once."""

import pytest
from msgspec import convert, json, structs

from fuseboard.core.kernel import Kernel
from fuseboard.policy.policy import digest_of
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.guardian_inputs import GuardianClose, Sender
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_ids import flatten, ids_of_a_close, read_in
from tests.core.test_known_failures import Desk, submitted

HELD = facts.BrokerPosition(
    symbol="AAPL",
    quantity_nanos=10 * NANOS,
    average_price_nanos=250 * NANOS,
    price_nanos=250 * NANOS,
)


def close_of(
    trip: str, attempt: int = 1, *, at: int = 5 * NANOS, shares: int = 10
) -> GuardianClose:
    client, ours, wire = ids_of_a_close(trip, "AAPL", attempt)
    return GuardianClose(
        at_wall_ns=at,
        trip=trip,
        order_id=ours,
        wire_id=wire,
        client_order_id=client,
        symbol="AAPL",
        side=Side.SELL,
        quantity_nanos=shares * NANOS,
        limit_price_nanos=245 * NANOS,
    )


def node(*closes: GuardianClose) -> facts.NodeStarted:
    return facts.NodeStarted(instance="deskdesk", account="A1", release="0", guardian_closes=closes)


def found(close: GuardianClose, filled: int, status: OrderStatus) -> facts.OrderSent:
    return facts.OrderSent(
        order_id=close.order_id,
        broker_order_id=f"at-broker-{close.order_id[:4]}",
        status=status,
        filled_quantity_nanos=filled * NANOS,
        filled_price_nanos=249 * NANOS if filled else 0,
    )


def looked_for(effects: tuple[fx.Effect, ...]) -> list[str]:
    return [effect.order_id for effect in effects if isinstance(effect, fx.FindOrder)]


def compared(desk: Desk, holds: int) -> tuple[fx.Effect, ...]:
    """The end of a start: stream, account, positions; what came of the comparison."""
    desk.take(facts.BrokerStreamChanged(connected=True))
    desk.cash, desk.held = desk.cash + 249 * (desk.held - holds), holds
    desk.account(desk.cash + holds * 249)
    held = (structs.replace(HELD, quantity_nanos=holds * NANOS),) if holds else ()
    return desk.take(facts.PositionsSeen(positions=held))


def differences(effects: tuple[fx.Effect, ...]) -> list[str]:
    return [
        at.what for at in effects if isinstance(at, fx.PublishDiscrepancy) and at.stage == "found"
    ]


def cancelled(effects: tuple[fx.Effect, ...]) -> list[str | None]:
    return [at.broker_order_id for at in effects if isinstance(at, fx.CancelOrder)]


def holds(desk: Desk) -> int:
    return desk.kernel._state.book.account.position("AAPL").quantity_nanos


def test_a_position_that_the_guardian_closed_is_no_difference_and_its_order_is_looked_for() -> None:
    desk = Desk(held=10)
    close = close_of("guardian#7")
    sent_again = structs.replace(close, at_wall_ns=close.at_wall_ns + 1)  # in doubt: the same id
    begun = desk.take(node(close, sent_again))
    assert looked_for(begun) == [close.order_id]
    (told,) = [at.text for at in begun if isinstance(at, fx.RaiseAlert)]
    assert told.startswith("the guardian closed AAPL while no gateway ran")
    desk.take(found(close, 10, OrderStatus.FILLED))
    assert differences(compared(desk, 0)) == []
    assert holds(desk) == 0
    assert desk.kernel._state.reconciled


def test_the_books_are_not_compared_before_the_broker_has_said_what_became_of_it() -> None:
    desk = Desk(held=10)
    close = close_of("guardian#7")
    desk.take(node(close))
    stream = desk.take(facts.BrokerStreamChanged(connected=True))
    assert looked_for(stream) == [close.order_id], "again, as for every order in doubt"
    compared(desk, 0)
    assert not desk.kernel._state.reconciled
    desk.take(found(close, 10, OrderStatus.FILLED))
    assert differences(compared(desk, 0)) == []
    assert desk.kernel._state.reconciled


def test_each_close_counts_once_over_starts_and_over_the_book_s_memory() -> None:
    desk = Desk(held=10)
    first, second = close_of("guardian#7"), close_of("guardian#7", 2, at=6 * NANOS, shares=4)
    desk.take(node(first, second))
    desk.take(found(first, 6, OrderStatus.CANCELED))
    desk.take(found(second, 4, OrderStatus.FILLED))
    compared(desk, 0)
    assert holds(desk) == 0
    for order_id in (first.order_id, second.order_id):  # as when ten thousand more have closed
        del desk.kernel._state.book.closed[order_id]
        del desk.kernel._state.book.orders[order_id]
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    assert looked_for(desk.take(node(first, second))) == []
    assert differences(compared(desk, 0)) == []
    assert holds(desk) == 0


def test_a_close_that_never_arrived_leaves_the_position_as_it_is() -> None:
    desk = Desk(held=10)
    close = close_of("guardian#7")
    desk.take(node(close))
    desk.take(facts.OrderNotSent(order_id=close.order_id, reason=Reason.NEVER_ARRIVED))
    assert differences(compared(desk, 10)) == []
    assert holds(desk) == 10 * NANOS


def test_what_the_guardian_did_not_write_down_stays_a_difference() -> None:
    desk = Desk(held=10)
    desk.take(node())
    assert differences(compared(desk, 0)) == ["AAPL: the broker holds 0, our book 10"]


def test_a_book_that_was_never_compared_takes_the_positions_and_not_the_closes_too() -> None:
    desk = Desk.__new__(Desk)
    desk.kernel, desk.now_ns, desk.multiplier, desk.cash, desk.held = Kernel(), NANOS, 1, 10_000, 4
    ready = Desk()
    desk.take(facts.PolicyAdopted(text=ready.text, digest=digest_of(ready.text), operator="start"))
    assert looked_for(desk.take(node(close_of("guardian#7")))) == []
    assert differences(compared(desk, 4)) == []
    assert holds(desk) == 4 * NANOS
    assert looked_for(desk.take(node(close_of("guardian#7")))) == []


def test_a_plan_that_the_guardian_went_on_with_finds_its_attempt_and_ends_flat() -> None:
    desk = Desk(held=10)
    trip = read_in(flatten(desk)).trip
    close = close_of(trip)
    assert looked_for(desk.take(node(close))) == [close.order_id]
    desk.take(found(close, 10, OrderStatus.FILLED))
    ended = compared(desk, 0)
    read = read_in(ended)
    leg = facts.LegRead(
        trip=trip,
        symbol="AAPL",
        attempt=read.attempt,
        position_nanos=0,
        against_nanos=0,
        found=found(close, 10, OrderStatus.FILLED),
    )
    after = desk.take(leg)
    again = read_in(after)
    assert (again.attempt, submitted(after)) == (2, [])
    end = desk.take(structs.replace(leg, attempt=2, found=None))
    (plan,) = [each for each in end if isinstance(each, RecordPlan)]
    assert (plan.stage, plan.left) == ("ended", ())


@pytest.mark.parametrize("status", [OrderStatus.FILLED, OrderStatus.CANCELED, None])
def test_a_symbol_that_the_plan_did_not_hold_may_have_been_closed_under_its_trip(
    status: OrderStatus | None,
) -> None:
    desk = Desk(held=10)
    trip = read_in(flatten(desk)).trip
    _, ours, wire = ids_of_a_close(trip, "TSLA", 1)
    late = structs.replace(close_of(trip), symbol="TSLA", order_id=ours, wire_id=wire)
    desk.take(node(late))
    if status is None:
        desk.take(facts.OrderNotSent(order_id=ours, reason=Reason.NEVER_ARRIVED))
    else:
        desk.take(found(late, 4 if status is OrderStatus.FILLED else 0, status))
    compared(desk, 10)
    assert desk.kernel._state.reconciled


@pytest.mark.parametrize("reason", [Reason.BROKER_REJECTED, Reason.BROKER_UNREACHABLE])
def test_a_close_under_the_id_of_an_attempt_that_never_got_there_counts(reason: Reason) -> None:
    desk = Desk(held=10)
    read = read_in(flatten(desk))
    answer = facts.LegRead(
        trip=read.trip, symbol="AAPL", attempt=1, position_nanos=10 * NANOS, against_nanos=0
    )
    (ours,) = submitted(desk.take(answer))
    desk.take(facts.OrderNotSent(order_id=ours.order_id, reason=reason))
    close = close_of(read.trip, shares=9)  # priced and sized by what the guardian saw
    assert close.order_id == ours.order_id
    assert looked_for(desk.take(node(close))) == [close.order_id]
    book = desk.kernel._state.book
    counted, order = book.account.position("AAPL"), book.orders[close.order_id]
    assert counted.selling_nanos == 9 * NANOS
    assert order.status is OrderStatus.IN_DOUBT
    assert (order.limit_price_nanos, order.worst_price_nanos) == (245 * NANOS, 245 * NANOS)
    desk.take(found(close, 9, OrderStatus.FILLED))
    assert counted.selling_nanos == 0
    assert differences(compared(desk, 1)) == []
    assert holds(desk) == 1 * NANOS
    assert looked_for(desk.take(node(close))) == [], "once"


def test_an_attempt_that_was_sent_again_and_still_works_is_cancelled() -> None:
    desk = Desk(held=10)
    read = read_in(flatten(desk))
    answer = facts.LegRead(
        trip=read.trip, symbol="AAPL", attempt=1, position_nanos=10 * NANOS, against_nanos=0
    )
    desk.take(answer)
    close = structs.replace(close_of(read.trip), limit_price_nanos=None)  # no price was known
    refused = structs.replace(found(close, 0, OrderStatus.REJECTED), broker_order_id="refused")
    desk.take(refused)
    desk.take(node(close))
    order = desk.kernel._state.book.orders[close.order_id]
    assert (order.order_type, order.limit_price_nanos) == (OrderType.MARKET, None)
    sent = found(close, 0, OrderStatus.WORKING)
    assert cancelled(desk.take(sent)) == [sent.broker_order_id]


def test_an_attempt_of_ours_that_the_broker_held_stays_what_it_was() -> None:
    desk = Desk(held=10)
    read = read_in(flatten(desk))
    answer = facts.LegRead(
        trip=read.trip, symbol="AAPL", attempt=1, position_nanos=10 * NANOS, against_nanos=0
    )
    desk.take(answer)
    close = close_of(read.trip)
    desk.take(found(close, 10, OrderStatus.FILLED))
    assert looked_for(desk.take(node(close))) == []
    assert holds(desk) == 0


def test_a_close_that_still_works_is_cancelled_because_nobody_drives_it() -> None:
    desk = Desk(held=10)
    close = close_of("guardian#7")
    desk.take(node(close))
    sent = found(close, 0, OrderStatus.WORKING)
    assert cancelled(desk.take(sent)) == [sent.broker_order_id]
    compared(desk, 10)
    desk.take(found(close, 4, OrderStatus.CANCELED))
    assert (holds(desk), desk.kernel._state.book.working) == (6 * NANOS, {})


@pytest.mark.parametrize("first", [False, True])
def test_what_was_taken_from_the_broker_as_it_stood_is_never_closed_a_second_time(
    first: bool,
) -> None:
    desk = Desk(held=10)
    if first:  # a book that has never been compared
        desk.kernel._state.ever_reconciled = desk.kernel._state.reconciled = False
    desk.take(node())  # the guardian writes its close down a moment later
    close = close_of("guardian#7", at=desk.now_ns)
    compared(desk, 0)
    reset = OperatorResetRequested(request=9, operator="ann", reason="seen", scope="account")
    desk.take(reset)
    assert looked_for(desk.take(node(close))) == []


def test_the_alert_says_who_closed_what_and_old_closes_are_the_guardians() -> None:
    desk = Desk(held=10)
    by_guardian, by_rescue = close_of("guardian#7"), close_of("rescue#7", at=6 * NANOS)
    by_rescue = structs.replace(by_rescue, sent_by=Sender.RESCUE)
    old = json.decode(json.encode(by_guardian))
    del old["sent_by"]
    assert convert(old, GuardianClose) == by_guardian
    begun = desk.take(node(by_guardian, by_rescue))
    told = [
        (at.code, at.text.partition(" while ")[0]) for at in begun if isinstance(at, fx.RaiseAlert)
    ]
    assert told == [
        (Reason.GUARDIAN, "the guardian closed AAPL"),
        (Reason.OPERATOR, "a person's rescue closed AAPL"),
    ]
