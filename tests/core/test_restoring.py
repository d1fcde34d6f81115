"""A kernel that is older than what the broker knows, by a backup or by an older copy of its state,
repeats no id of what it has lost, and is halted (laws 3 and 7).
"""

from msgspec import structs

from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen, PastOrder, Restored
from tests.core.test_ids import closed, flatten, ids_of_a_close, read_in
from tests.core.test_known_failures import Desk, denied, submitted

RESTORED = Restored(
    backup="b1", operator="ann", reason="disk", at_wall_ns=2_000_000_000 * NANOS, last_wall_ns=7
)


def started(
    desk: Desk,
    restored: Restored | None,
    *,
    last_wall_ns: int = 0,
    guardian_sent: tuple[str, ...] = (),
) -> tuple[fx.Effect, ...]:
    """A start up to its comparison, as `Desk.start` does it, with what a restore left."""
    begun = desk.take(
        facts.NodeStarted(
            instance="deskdesk",
            account="A1",
            release="0",
            restored=restored,
            last_wall_ns=last_wall_ns,
            guardian_sent=guardian_sent,
        )
    )
    desk.take(facts.BrokerStreamChanged(connected=True))
    desk.account()
    compared(desk)
    desk.quote("AAPL", 250)
    return begun


def compared(desk: Desk) -> None:
    """The broker's positions are read."""
    held = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=desk.held * NANOS,
        average_price_nanos=250 * NANOS,
        price_nanos=250 * NANOS,
    )
    desk.take(facts.PositionsSeen(positions=(held,) if desk.held else ()))


def answered(desk: Desk, fact: OrdersSinceSeen) -> tuple[fx.Effect, ...]:
    """The broker's answer to what was sent since; positions, which it waits for, are read after."""
    effects = desk.take(fact)
    assert fx.ReadAccount(positions=True) in effects
    compared(desk)
    return effects


def reset(desk: Desk) -> fx.AnswerOperator:
    effects = desk.take(
        OperatorResetRequested(
            request=91, operator="ann", reason="seen", scope="account", rebase=False
        )
    )
    (answer,) = [effect for effect in effects if isinstance(effect, fx.AnswerOperator)]
    return answer


def seen(*orders: fx.SubmitOrder, complete: bool = True) -> OrdersSinceSeen:
    past = [
        PastOrder(wire_id=each.wire_id, broker_order_id=f"b{number}", symbol=each.symbol)
        for number, each in enumerate(orders)
    ]
    return OrdersSinceSeen(orders=tuple(past), complete=complete)


def test_a_restored_state_is_halted_and_asks_until_the_broker_has_said_what_it_had_since() -> None:
    desk = Desk()
    for restored in (RESTORED, None):  # a crash before the answer: the next start asks again
        begun = started(desk, restored)
        asked = [effect for effect in begun if isinstance(effect, fx.ReadOrdersSince)]
        assert asked == [fx.ReadOrdersSince(wall_ns=7)]
        assert desk.kernel._state.postures["account"] is Posture.HALTED
        assert not reset(desk).accepted
    (latch,) = [e for e in started(Desk(), RESTORED) if isinstance(e, fx.LatchHalt)]
    assert (latch.reason, latch.detail) == (Reason.RESTORED, "restored from b1 by ann: disk")
    answered(desk, seen())
    assert reset(desk).accepted
    assert not [e for e in started(desk, None) if isinstance(e, fx.ReadOrdersSince)]


def test_orders_that_the_book_has_lost_halt_and_their_ids_are_never_used_again() -> None:
    desk = Desk()
    (kept,) = submitted(desk.order(Side.BUY, NANOS, name="kept"))
    desk.take(facts.OrderNotSent(order_id=kept.order_id, reason=Reason.BROKER_REJECTED))
    backup = desk.kernel.snapshot()
    (lost,) = submitted(desk.order(Side.BUY, NANOS, name="lost"))
    desk.kernel = Kernel.restored(backup)
    started(desk, RESTORED)
    stranger = structs.replace(lost, wire_id="fb-othernod-" + lost.order_id[:-1] + "z")
    told = answered(desk, seen(lost, kept, stranger))
    said = [e for e in told if isinstance(e, fx.LatchHalt)]
    assert [halt.reason for halt in said] == [Reason.FOREIGN_ORDER]
    assert f": 1 of our orders there are not in our book: AAPL {lost.wire_id}" in said[0].detail
    assert kept.wire_id not in said[0].detail
    assert reset(desk).accepted
    assert denied(desk.order(Side.BUY, NANOS, name="lost")) == [Reason.CLIENT_ORDER_ID_REUSED]
    assert denied(desk.order(Side.SELL, 2 * NANOS, name="lost")) == [Reason.CLIENT_ORDER_ID_REUSED]
    replaced = desk.take(
        facts.ReplaceRequested(
            request=92,
            strategy="alpha",
            order_id=kept.order_id,
            client_order_id="lost",
            quantity_nanos=2 * NANOS,
        )
    )
    assert denied(replaced) == [Reason.CLIENT_ORDER_ID_REUSED]
    assert submitted(desk.order(Side.BUY, NANOS, name="new"))


def test_a_list_that_has_no_end_is_said() -> None:
    desk = Desk()
    started(desk, RESTORED)
    (halt,) = [e for e in answered(desk, seen(complete=False)) if isinstance(e, fx.LatchHalt)]
    assert "was not read to its end" in halt.detail


def test_no_close_after_a_restore_has_the_id_of_a_close_that_was_lost() -> None:
    desk = Desk(held=100)
    backup = desk.kernel.snapshot()
    first = closed(desk, read_in(flatten(desk))).wire_id
    # However often the lost state was reset and tripped, no number of it is used again.
    lost = [ids_of_a_close(f"latch:account#{number}", "AAPL", 1)[2] for number in range(1, 6)]
    assert first in lost
    desk.kernel = Kernel.restored(backup)
    started(desk, RESTORED)
    answered(desk, seen())
    assert reset(desk).accepted
    again = closed(desk, read_in(flatten(desk))).wire_id
    assert again not in lost
    trips = [fuse.trip() for fuse in desk.kernel._state.fuses()]
    assert all(int(trip.rpartition("#")[2]) >= 2_000_000_000 for trip in trips)


def test_a_scope_that_is_first_halted_after_a_restore_is_numbered_anew_too() -> None:
    desk = Desk(held=100)
    started(desk, RESTORED)
    answered(desk, seen())
    assert reset(desk).accepted
    close = closed(desk, read_in(flatten(desk, "symbol:AAPL")))
    assert close.wire_id != ids_of_a_close("latch:symbol:AAPL#1", "AAPL", 1)[2]


def test_a_trip_that_the_register_still_holds_goes_on_under_its_own_id() -> None:
    desk = Desk(held=100)
    backup = desk.kernel.snapshot()
    (fuse,) = desk.kernel._state.drawdowns.values()
    held = facts.LatchedScope(
        scope="account",
        level=HaltLevel.HALT,
        reason=Reason.DRAWDOWN,
        trip=fuse.trip(),
        halt_epoch=9,
    )
    desk.kernel = Kernel.restored(backup)
    desk.take(
        facts.NodeStarted(
            instance="deskdesk", account="A1", release="0", latched=(held,), restored=RESTORED
        )
    )
    assert list(desk.kernel._state.plans) == [held.trip]
    (fuse,) = desk.kernel._state.drawdowns.values()
    assert fuse.trip() == held.trip


# --- an older copy of the whole state, which nothing here can know --------------------------------


def test_an_order_of_ours_that_an_older_copy_does_not_know_halts_and_its_id_is_spent() -> None:
    desk = Desk()
    copy = desk.kernel.snapshot()
    (lost,) = submitted(desk.order(Side.BUY, NANOS, name="lost"))
    desk.kernel = Kernel.restored(copy)
    begun = started(desk, None, last_wall_ns=9)
    assert fx.ReadOrdersSince(wall_ns=9) in begun
    assert desk.kernel._state.postures["account"] is Posture.HALTED, "it is asked before it opens"
    assert denied(desk.order(Side.BUY, NANOS, name="new")) == [Reason.NOT_RECONCILED]

    told = answered(desk, seen(lost))
    (halt,) = [e for e in told if isinstance(e, fx.LatchHalt)]
    assert (halt.reason, halt.scope) == (Reason.FOREIGN_ORDER, "account")
    assert halt.detail.startswith("the state is older than what the broker knows: 1 of our orders")
    assert desk.kernel._state.postures["account"] is Posture.HALTED
    assert reset(desk).accepted
    assert denied(desk.order(Side.BUY, NANOS, name="lost")) == [Reason.CLIENT_ORDER_ID_REUSED]
    assert submitted(desk.order(Side.BUY, NANOS, name="new"))


def test_a_state_that_the_broker_knows_nothing_newer_of_opens() -> None:
    desk = Desk()
    (known,) = submitted(desk.order(Side.BUY, NANOS, name="known"))
    desk.take(facts.OrderNotSent(order_id=known.order_id, reason=Reason.BROKER_REJECTED))
    stranger = structs.replace(known, wire_id="fb-othernod-" + known.order_id)
    for _ in range(2):
        started(desk, None, last_wall_ns=9)
        told = answered(desk, seen(known, stranger))
        assert not [e for e in told if isinstance(e, fx.LatchHalt)]
        assert "account" not in desk.kernel._state.postures


def test_an_older_copy_is_said_once_and_not_again_at_the_next_start() -> None:
    desk = Desk()
    copy = desk.kernel.snapshot()
    (lost,) = submitted(desk.order(Side.BUY, NANOS, name="lost"))
    desk.kernel = Kernel.restored(copy)
    started(desk, None, last_wall_ns=9)
    answered(desk, seen(lost))
    assert reset(desk).accepted
    started(desk, None, last_wall_ns=10)
    told = answered(desk, seen(lost))
    assert not [e for e in told if isinstance(e, fx.LatchHalt)]


def test_an_order_that_the_book_closed_so_long_ago_that_it_forgot_it_is_not_lost() -> None:
    desk = Desk()
    copy = desk.kernel.snapshot()
    (old,) = submitted(desk.order(Side.BUY, NANOS, name="old"))
    desk.kernel = Kernel.restored(copy)
    desk.kernel._state.book.forgotten[old.order_id] = None
    started(desk, None, last_wall_ns=9)
    told = answered(desk, seen(old))
    assert not [e for e in told if isinstance(e, fx.LatchHalt)]


def test_what_the_guardian_sent_while_no_gateway_ran_is_not_lost() -> None:
    desk = Desk()
    copy = desk.kernel.snapshot()
    (sent,) = submitted(desk.order(Side.BUY, NANOS, name="as the guardian's"))
    desk.kernel = Kernel.restored(copy)
    started(desk, None, last_wall_ns=9, guardian_sent=(sent.order_id,))
    told = answered(desk, seen(sent))
    assert not [e for e in told if isinstance(e, fx.LatchHalt)]


def test_no_close_of_an_older_copy_has_the_id_of_a_close_that_was_lost() -> None:
    desk = Desk(held=100)
    desk.now_ns = 2_000_000_000 * NANOS
    copy = desk.kernel.snapshot()
    first = closed(desk, read_in(flatten(desk)))
    desk.kernel = Kernel.restored(copy)
    started(desk, None, last_wall_ns=9)
    answered(desk, seen(first))
    assert reset(desk).accepted
    again = closed(desk, read_in(flatten(desk))).wire_id
    assert again not in [ids_of_a_close(f"latch:account#{n}", "AAPL", 1)[2] for n in range(1, 6)]
