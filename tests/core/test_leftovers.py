"""What a plan could not close is paged by name, as many as one message holds."""

from fuseboard.core import closes
from fuseboard.core.legs import Plan
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.market_inputs import TradingHalted
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.postures import HaltLevel
from tests.core.compared import policy_of
from tests.core.test_known_failures import Desk, accept, submitted
from tests.core.test_operators import asked, closing


def test_a_page_names_ten_leftovers_and_counts_the_others_which_the_record_has() -> None:
    turn = Desk().kernel._turn
    for count, more in ((10, ""), (45, "; and 35 more: `fuseboard status` lists all")):
        plan = Plan(
            trip="t#1",
            scope="account",
            stage="closing",
            began_boot_ns=0,
            deadline_boot_ns=0,
            orders=dict.fromkeys(f"o{number}" for number in range(count)),
        )
        turn.out = []
        closes.finish(turn, plan, "ended")
        (recorded,) = [effect for effect in turn.out if isinstance(effect, RecordPlan)]
        (page,) = [effect for effect in turn.out if isinstance(effect, fx.RaiseAlert)]
        assert len(recorded.left) == count
        assert page.text.count("is not known to be cancelled") == closes.LEFT_SAID_MAX
        assert page.text.endswith(f"order o9 is not known to be cancelled{more}")


def flattening(desk: Desk) -> str:
    """The trip of a flatten that has not read what is held yet."""
    effects = desk.take(asked(HaltLevel.FLATTEN))
    (plan,) = {effect.trip for effect in effects if isinstance(effect, RecordPlan)}
    return plan


def left(effects: tuple[fx.Effect, ...]) -> tuple[str, ...]:
    (recorded,) = [e for e in effects if isinstance(e, RecordPlan) and e.stage == "frozen"]
    (page,) = [e for e in effects if isinstance(e, fx.RaiseAlert) and "liquidation" in e.text]
    assert all(each in page.text for each in recorded.left)
    return recorded.left


def test_what_an_exchange_halted_before_it_was_read_is_left_as_it_is_held() -> None:
    desk = Desk(held=100)
    desk.take(TradingHalted(symbol="AAPL", code="P LUDP", event_ns=100))
    flattening(desk)
    frozen = left(desk.take(asked(HaltLevel.FREEZE)))
    assert frozen == ("AAPL 100 the exchange has halted trading",)


def test_a_freeze_leaves_what_the_close_that_filled_in_part_has_not_taken() -> None:
    desk = Desk(held=100)
    close = closing(desk)
    part = facts.FillReported(
        order_id=close.order_id,
        broker_order_id="b1",
        quantity_nanos=30 * NANOS,
        price_nanos=250 * NANOS,
        filled_quantity_nanos=30 * NANOS,
        filled_price_nanos=250 * NANOS,
        final=False,
    )
    desk.take(part)
    assert left(desk.take(asked(HaltLevel.FREEZE))) == ("AAPL 70 frozen",)


def test_a_plan_that_is_frozen_while_it_still_cancels_is_not_flat() -> None:
    desk = Desk(held=100)
    (order,) = submitted(desk.order(Side.BUY, NANOS))
    accept(desk, order, "b1")
    flattening(desk)
    cancelling = f"order {order.order_id} is not known to be cancelled"
    assert left(desk.take(asked(HaltLevel.FREEZE))) == ("AAPL 100 frozen", cancelling)


def test_of_a_strategys_plan_its_own_share_is_left() -> None:
    desk = Desk(policy_of("notify"), held=100)
    (bought,) = submitted(desk.order(Side.BUY, 10 * NANOS))
    accept(desk, bought, "b1")
    desk.take(
        facts.OrderEnded(
            order_id=bought.order_id,
            broker_order_id="b1",
            status=OrderStatus.FILLED,
            filled_quantity_nanos=10 * NANOS,
            filled_price_nanos=250 * NANOS,
        )
    )
    desk.take(asked(HaltLevel.FLATTEN, "strategy:alpha"))
    own = desk.kernel._state.book.strategies["alpha"].positions["AAPL"].quantity_nanos
    assert left(desk.take(asked(HaltLevel.FREEZE, "strategy:alpha"))) == (
        f"AAPL {own // NANOS} frozen",
    )
