"""Foreign orders that a policy adopts are the account's: counted, booked, cancelled, compared."""

import pytest
from msgspec import structs

from fuseboard.core.book import CLOSED_FOREIGN_MAX
from fuseboard.core.kernel import Kernel
from fuseboard.core.state import FOREIGN_ORDERS_MAX
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import canonical_text, digest_of
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import DrainRule
from fuseboard.vocabulary.copy_inputs import WorkingOrder, WorkingSeen
from fuseboard.vocabulary.market_inputs import TradingHalted
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen
from tests.core.by_hand import (
    ADOPTS,
    HAND,
    READS,
    ByHand,
    by_hand,
    cancelled,
    end_by_hand,
    fill_by_hand,
    halted,
    told,
)
from tests.core.compared import PRICE, policy_of
from tests.core.test_known_failures import SECOND, denied, submitted


class Fed(ByHand):
    """A desk whose broker has an activity feed."""

    has_feed = True

    def __init__(self) -> None:
        super().__init__()
        self.feed()

    def feed_again(self) -> None:
        """Half a minute later the feed is asked, and answers; the books agree."""
        self.passes(30)
        self.compares(0)
        self.feed()


# --- counted --------------------------------------------------------------------------------------


def test_an_order_placed_by_hand_is_the_accounts_and_is_told() -> None:
    desk = ByHand()
    effects = desk.take(by_hand())
    (shown,) = [effect for effect in effects if isinstance(effect, fx.PublishOrder)]
    assert (shown.order_id, shown.strategy, shown.status) == (HAND, "", OrderStatus.WORKING)
    assert "not placed through the gateway: adopted" in told(effects)[0]
    assert desk.working() == [HAND]
    assert not desk.take(by_hand()), "it is known"
    assert not halted(desk)


def test_new_orders_are_judged_with_it() -> None:
    desk = ByHand()
    desk.take(by_hand(shares=2_000))  # 500,000 USD of 1,000,000
    assert denied(desk.order(Side.BUY, 2_001 * NANOS)) == [Reason.GROSS_EXPOSURE]
    assert submitted(desk.order(Side.BUY, 2_000 * NANOS))


def test_it_ends_and_counts_no_more() -> None:
    desk = ByHand()
    desk.take(by_hand(shares=4_000))
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.GROSS_EXPOSURE]
    desk.take(end_by_hand())
    assert not desk.working()
    assert submitted(desk.order(Side.BUY, NANOS))


def test_what_passes_a_limit_is_told_and_lets_nothing_but_reductions_through() -> None:
    desk = ByHand(held=100)
    desk.account()
    effects = desk.take(by_hand(shares=6_000))
    assert any(
        "gross_exposure is 1525000 at worst, its limit 1025000" in text for text in told(effects)
    ), told(effects)
    assert any("only reductions pass" in text for text in told(effects))
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.GROSS_EXPOSURE]
    assert submitted(desk.order(Side.SELL, 100 * NANOS, strategy="alpha"))
    again = desk.take(by_hand(shares=6_000, broker_id="h2"))
    assert not told(again), "at most once a minute"


def test_what_passes_no_limit_and_what_reduces_is_not_told_as_passing() -> None:
    desk = ByHand(held=100)
    assert not any("limit" in text for text in told(desk.take(by_hand(shares=10))))
    desk.take(by_hand(shares=6_000, broker_id="h2"))
    desk.passes(61)
    assert not told(desk.take(by_hand(Side.SELL, 10, broker_id="h3")))[1:]


def test_an_order_at_no_known_price_leaves_only_reductions_until_there_is_one() -> None:
    desk = ByHand()
    effects = desk.take(by_hand(shares=1_000, limit=None, symbol="MSFT"))
    assert any("reductions only until one is" in text for text in told(effects))
    assert desk.posture() is Posture.REDUCE_ONLY
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.POSTURE_REDUCE_ONLY]
    desk.quote("MSFT", 900)
    desk.passes(1)
    assert desk.posture() is Posture.OPEN
    # 1,000 at 900 and a tenth beyond is 990,011 USD of 1,000,000.
    assert denied(desk.order(Side.BUY, 40 * NANOS)) == [Reason.GROSS_EXPOSURE]
    assert submitted(desk.order(Side.BUY, 39 * NANOS))


def test_one_at_no_known_price_that_ends_leaves_no_trace() -> None:
    desk = ByHand()
    desk.take(by_hand(limit=None, symbol="MSFT"))
    desk.take(end_by_hand())
    desk.passes(1)
    assert desk.posture() is Posture.OPEN


# --- booked ---------------------------------------------------------------------------------------


def test_its_fills_move_position_and_cash_and_are_no_difference() -> None:
    desk = ByHand()
    desk.take(by_hand())
    cash_attos = desk.kernel._state.book.account.cash_attos
    desk.take(fill_by_hand(4, 4))
    assert desk.position() == 4
    desk.take(fill_by_hand(6, 10, price_nanos=251 * NANOS, final=True))
    assert (desk.position(), desk.working()) == (10, [])
    paid = cash_attos - desk.kernel._state.book.account.cash_attos
    assert paid == (4 * 250 + 6 * 251) * NANOS * NANOS
    desk.compares(10)
    desk.passes(30)
    desk.compares(10)
    assert not halted(desk)


def test_a_repeated_fill_and_a_late_one_count_once() -> None:
    desk = ByHand()
    desk.take(by_hand())
    for fact in (fill_by_hand(6, 10, final=True), fill_by_hand(4, 4), fill_by_hand(6, 10)):
        desk.take(fact)
    assert desk.position() == 10
    desk.take(end_by_hand(so_far=10))
    assert desk.position() == 10


def test_facts_of_an_order_that_is_not_adopted_change_nothing() -> None:
    desk = ByHand(policy_of("halt"))
    desk.take(by_hand())
    before = desk.kernel.digest()
    moment = facts.Moment(desk.now_ns, desk.now_ns)
    unheard = fill_by_hand(4, 4, broker_id="h7")
    for fact in (fill_by_hand(4, 4), end_by_hand(so_far=4), unheard):
        assert not desk.kernel.step(moment, fact)
    assert desk.kernel.digest() == before
    assert not halted(desk)


def test_a_twin_cannot_pass_for_a_stranger() -> None:
    desk = ByHand()
    desk.take(structs.replace(fill_by_hand(4, 4), broker_order_id="b9"))
    assert halted(desk)


def test_an_order_with_our_prefix_is_a_twins_whatever_the_policy_says() -> None:
    desk = ByHand()
    desk.take(structs.replace(by_hand(), wire_id="fb-other123-x", ours_by_prefix=True))
    assert halted(desk)
    assert not desk.working()


def test_what_it_buys_is_nobodys_and_no_strategys_profit() -> None:
    desk = ByHand()
    desk.buys(10, "alpha")
    desk.buys(5, "beta")
    cash = {name: at.cash_attos for name, at in desk.kernel._state.book.strategies.items()}
    desk.take(by_hand(shares=20, limit=260))
    desk.take(fill_by_hand(20, 20, price_nanos=260 * NANOS, final=True))
    assert (desk.position(), desk.position("alpha"), desk.position("beta")) == (35, 10, 5)
    assert cash == {name: at.cash_attos for name, at in desk.kernel._state.book.strategies.items()}


def test_what_it_sells_is_nobodys_first_and_then_the_holders_at_the_mark() -> None:
    desk = ByHand()
    desk.buys(10, "alpha")
    desk.buys(5, "beta")
    desk.take(by_hand(shares=4))
    desk.take(fill_by_hand(4, 4, final=True))
    equity = {n: at.equity_attos() for n, at in desk.kernel._state.book.strategies.items()}
    desk.take(by_hand(Side.SELL, 16, broker_id="h2", limit=200))
    desk.take(fill_by_hand(16, 16, broker_id="h2", price_nanos=200 * NANOS, final=True))
    assert (desk.position(), desk.position("alpha"), desk.position("beta")) == (3, 0, 3)
    assert equity == {n: at.equity_attos() for n, at in desk.kernel._state.book.strategies.items()}


def test_a_strategy_on_the_other_side_keeps_what_it_holds() -> None:
    desk = ByHand(policy_of("halt", foreign_orders="adopt", off=("opposite_strategy",)))
    desk.buys(10, "alpha")
    desk.buys(4, "beta", Side.SELL)
    desk.take(by_hand(shares=1))
    desk.take(fill_by_hand(1, 1, final=True))
    assert (desk.position(), desk.position("alpha"), desk.position("beta")) == (7, 10, -4)


def test_a_single_strategy_holds_what_the_account_holds() -> None:
    desk = ByHand()
    desk.buys(10)
    desk.take(by_hand(shares=20, limit=260))
    desk.take(fill_by_hand(20, 20, price_nanos=260 * NANOS, final=True))
    assert (desk.position(), desk.position("alpha")) == (30, 30)


def test_no_trade_of_a_strategy_has_a_result_by_it() -> None:
    desk = ByHand()
    desk.buys(10, "alpha")
    desk.buys(5, "beta")
    scores = desk.kernel._state.scores
    before = {name: (at.losses, list(at.results_attos)) for name, at in scores.items()}
    desk.take(by_hand(Side.SELL, 15, limit=200))
    desk.take(fill_by_hand(15, 15, price_nanos=200 * NANOS, final=True))
    assert {name: (at.losses, at.results_attos) for name, at in scores.items()} == before


def test_a_fee_that_may_be_a_fill_on_its_way_is_not_taken_before_the_books_are_compared() -> None:
    desk = ByHand()
    desk.buys(10)
    desk.compares(10)
    desk.cash -= 2_500 + 250  # one more share, of which nobody has told us yet
    for _ in range(3):
        desk.now_ns += 5 * SECOND
        desk.account()
    account = desk.kernel._state.book.account
    assert account.cash_attos == (1_000_000 - 2_500) * NANOS * NANOS
    asked = [e for e in desk.said if e == READS]
    assert asked, "the books are compared for it"
    desk.compares(10)
    desk.account()
    assert account.cash_attos == (1_000_000 - 2_750) * NANOS * NANOS, "nothing is held for it"


# --- first seen when a part was filled -----------------------------------------------------------


def test_the_stream_may_tell_a_whole_fill_before_anything_else() -> None:
    desk = ByHand()
    desk.take(by_hand(limit=None))  # as it stood before the fill
    desk.take(fill_by_hand(10, 10, final=True))
    assert (desk.position(), desk.working()) == (10, [])
    desk.compares(10)
    assert not halted(desk)


def test_what_had_filled_unseen_is_booked_once_the_broker_holds_it() -> None:
    desk = ByHand(held=5)
    desk.take(by_hand(filled=4))
    assert desk.position() == 5
    desk.compares(9)
    assert desk.position() == 9
    paid = 1_000_000 * NANOS * NANOS - desk.kernel._state.book.account.cash_attos
    assert paid == 4 * 250 * NANOS * NANOS
    desk.take(fill_by_hand(6, 10, final=True))
    assert (desk.position(), desk.working()) == (15, [])
    at = desk.kernel._state.book.account.position("AAPL")
    assert (at.buying_nanos, at.buying_attos) == (0, 0)
    assert not halted(desk)


def test_what_had_filled_and_was_in_our_positions_is_not_booked_again() -> None:
    desk = ByHand(held=9)
    desk.take(by_hand(filled=4))
    for _ in range(3):
        desk.compares(9)
    assert desk.position() == 9
    assert not desk.kernel._state.foreign.unplaced
    assert not halted(desk)


def test_a_comparison_that_is_older_than_the_fill_forgets_nothing() -> None:
    desk = ByHand(held=5)
    desk.compares(5, strangers=(by_hand(filled=4),))
    desk.compares(9)
    assert desk.position() == 9
    assert not halted(desk)


def test_what_was_in_and_what_was_not_are_told_apart() -> None:
    desk = ByHand(held=5)
    desk.compares(5, strangers=(by_hand(filled=2),))
    desk.compares(8, strangers=(by_hand(broker_id="h2", filled=3),))
    assert desk.position() == 8
    assert not halted(desk)


def test_a_difference_of_another_size_is_a_difference() -> None:
    desk = ByHand(held=5)
    desk.take(by_hand(filled=4))
    for _ in range(6):
        desk.take(OrdersSinceSeen(orders=()))
        desk.compares(10)
        desk.passes(1)
        desk.take(facts.OrderSent(order_id=HAND, broker_order_id="h1", status=OrderStatus.WORKING))
    assert desk.position() == 5
    assert halted(desk)


def test_an_order_that_filled_and_ended_unseen_is_booked_where_the_broker_holds_it() -> None:
    desk = ByHand(held=5)
    effects = desk.take(by_hand(filled=4, ended=OrderStatus.CANCELED))
    assert not desk.working()
    assert not cancelled(effects)
    assert READS in effects
    desk.compares(9)
    assert (desk.position(), desk.working()) == (9, [])
    order = desk.kernel._state.book.orders[HAND]
    assert (order.status, order.filled_quantity_nanos) == (OrderStatus.CANCELED, 4 * NANOS)
    assert not halted(desk)


def test_an_order_that_ended_unseen_and_unfilled_is_nothing() -> None:
    for policy in (ADOPTS, policy_of("halt"), policy_of("halt", foreign_orders="cancel")):
        desk = ByHand(policy)
        assert not desk.take(by_hand(ended=OrderStatus.CANCELED))


def test_a_strangers_fill_may_be_on_its_way_when_positions_are_read() -> None:
    desk = ByHand(held=5)
    desk.compares(15)
    assert not halted(desk), "it is looked at again"
    desk.take(by_hand())
    desk.take(fill_by_hand(10, 10, final=True))
    desk.passes(1)
    desk.compares(15)
    assert not halted(desk)


# --- cancelled, replaced -------------------------------------------------------------------------


@pytest.mark.parametrize("level", [HaltLevel.HALT, HaltLevel.FLATTEN, HaltLevel.KILL])
@pytest.mark.parametrize("scope", ["account", "symbol:AAPL"])
def test_a_halt_of_its_scope_cancels_it(level: HaltLevel, scope: str) -> None:
    desk = ByHand()
    desk.take(by_hand())
    assert desk.halts(level, scope) == ["h1"]
    again = [e for e in desk.passes(2) if isinstance(e, fx.CancelOrder)]
    assert again, "until it is gone"
    desk.take(end_by_hand())
    assert not [e for e in desk.passes(3) if isinstance(e, fx.CancelOrder)]


@pytest.mark.parametrize("scope", ["strategy:alpha", "symbol:MSFT"])
def test_a_halt_of_another_scope_leaves_it(scope: str) -> None:
    desk = ByHand()
    desk.buys(1)
    desk.take(by_hand())
    assert desk.halts(HaltLevel.HALT, scope) == []


def test_a_stop_placed_by_hand_that_protects_stays_in_a_halt_and_goes_in_a_kill() -> None:
    desk = ByHand(held=10)
    desk.take(by_hand(Side.SELL, 10, limit=None, stop=240))
    desk.take(by_hand(Side.SELL, 1, limit=None, stop=240, broker_id="h2"))
    assert desk.halts() == ["h2"], "only as far as something is held"
    assert list(desk.kernel._state.book.strategies) == [], "no strategy comes of it"
    assert "h1" in desk.halts(HaltLevel.KILL)


def test_a_liquidation_takes_it_away_and_closes_what_it_filled() -> None:
    desk = ByHand(held=10)
    desk.take(by_hand(Side.SELL, 4))
    assert desk.halts(HaltLevel.FLATTEN) == ["h1"]
    effects = desk.take(fill_by_hand(1, 1))
    effects += desk.take(end_by_hand(so_far=1))
    (leg,) = [e for e in effects if isinstance(e, fx.ReadLeg)]
    effects = desk.take(
        facts.LegRead(
            trip=leg.trip, symbol="AAPL", attempt=leg.attempt, position_nanos=9 * NANOS,
            against_nanos=0,
        )
    )  # fmt: skip
    (close,) = submitted(effects)
    assert close.quantity_nanos == 9 * NANOS


def test_where_an_exchange_halts_trading_what_opens_goes_and_what_reduces_stays() -> None:
    desk = ByHand(held=10)
    desk.take(by_hand())
    desk.take(by_hand(Side.SELL, 10, broker_id="h2"))
    assert cancelled(desk.take(TradingHalted(symbol="AAPL", code="T1", event_ns=1))) == ["h1"]


def test_a_strategy_proves_no_reduction_of_what_is_being_sold_by_hand() -> None:
    desk = ByHand(held=10)
    desk.take(by_hand(Side.SELL, 4))
    desk.take(facts.BrokerStreamChanged(connected=False))  # reductions only
    assert denied(desk.order(Side.SELL, 7 * NANOS)) == [Reason.POSTURE_REDUCE_ONLY]
    assert submitted(desk.order(Side.SELL, 6 * NANOS))


def test_what_opens_in_a_halted_scope_goes_and_what_reduces_stays() -> None:
    desk = ByHand(held=10)
    desk.halts()
    assert cancelled(desk.take(by_hand())) == ["h1"]
    assert cancelled(desk.take(by_hand(Side.SELL, 10, broker_id="h2"))) == []


def test_a_start_that_has_not_compared_yet_cancels_nothing() -> None:
    desk = ByHand()
    desk.comes_back()
    assert desk.posture() is Posture.HALTED
    assert cancelled(desk.take(by_hand())) == []


def test_it_has_no_time_out() -> None:
    desk = ByHand(policy_of("halt", timeout_ns=SECOND, foreign_orders="adopt"))
    desk.take(by_hand())
    desk.take(fill_by_hand(1, 1))
    desk.take(by_hand(limit=None, stop=251, broker_id="h2"))
    desk.take(fill_by_hand(1, 1, broker_id="h2"))  # it has triggered
    (ours,) = submitted(desk.order(Side.BUY, NANOS))
    desk.take(
        facts.OrderSent(order_id=ours.order_id, broker_order_id="b1", status=OrderStatus.WORKING)
    )
    gone = {e.broker_order_id for e in desk.passes(5) if isinstance(e, fx.CancelOrder)}
    assert gone == {"b1"}


def test_an_orderly_stop_leaves_it_unless_everything_is_closed() -> None:
    for rule, gone in ((DrainRule.CANCEL, []), (DrainRule.LEAVE, []), (DrainRule.FLATTEN, ["h1"])):
        desk = ByHand()
        desk.take(by_hand())
        assert cancelled(desk.take(facts.DrainRequested(rule=rule))) == gone


def test_a_strategy_cannot_touch_it() -> None:
    desk = ByHand()
    desk.buys(1)
    desk.take(by_hand())
    effects = desk.take(facts.CancelRequested(request=9, strategy="alpha", order_id=HAND))
    assert not cancelled(effects)
    assert [e.reason for e in effects if isinstance(e, fx.AnswerCancel)] == [Reason.ORDER_UNKNOWN]


def test_replaced_by_hand_the_old_one_ends_and_the_new_one_is_adopted() -> None:
    desk = ByHand()
    desk.take(by_hand())
    desk.take(fill_by_hand(3, 3))
    desk.take(by_hand(shares=7, broker_id="h2", limit=251))
    desk.take(end_by_hand(so_far=3))
    assert desk.working() == ["foreign-h2"]
    desk.take(fill_by_hand(7, 7, broker_id="h2", final=True))
    assert desk.position() == 10


# --- compared, found, come back ------------------------------------------------------------------


def test_it_is_compared_and_found_by_the_brokers_own_id() -> None:
    desk = ByHand()
    desk.take(by_hand())
    effects = desk.take(facts.PositionsSeen(positions=(), missing=(HAND,)))
    (find,) = [e for e in effects if isinstance(e, fx.FindOrder)]
    assert (find.broker_order_id, find.wire_id) == ("h1", "by-hand-h1")
    larger = WorkingOrder(order_id=HAND, side=Side.BUY, quantity_nanos=11 * NANOS)
    effects = desk.take(WorkingSeen(differing=(larger,)))
    (found,) = [e for e in effects if isinstance(e, fx.PublishDiscrepancy)]
    assert (found.ours, found.theirs) == ("buy 10", "buy 11")


@pytest.mark.parametrize(
    ("status", "filled"),
    [(OrderStatus.PARTIALLY_FILLED, 4), (OrderStatus.FILLED, 10), (OrderStatus.CANCELED, 4)],
)
def test_a_start_finds_what_became_of_it_before_the_books_are_compared(
    status: OrderStatus, filled: int
) -> None:
    desk = ByHand()
    desk.take(by_hand())
    effects = desk.comes_back()
    finds = [e for e in effects if isinstance(e, fx.FindOrder)]
    assert [(find.order_id, find.broker_order_id) for find in finds] == [(HAND, "h1")]
    desk.take(facts.BrokerStreamChanged(connected=True))
    effects = desk.take(
        facts.OrderSent(
            order_id=HAND, broker_order_id="h1", status=status,
            filled_quantity_nanos=filled * NANOS, filled_price_nanos=PRICE,
        )
    )  # fmt: skip
    assert READS in effects
    desk.account()
    desk.compares(filled)
    assert desk.position() == filled
    assert desk.posture() is Posture.OPEN
    assert not halted(desk)


def test_one_that_the_broker_no_longer_knows_and_shows_again_counts_again() -> None:
    desk = ByHand()
    desk.take(by_hand())
    desk.take(facts.OrderNotSent(order_id=HAND, reason=Reason.NEVER_ARRIVED))
    assert not desk.working()
    desk.take(by_hand())
    assert desk.working() == [HAND]
    desk.take(end_by_hand())
    desk.take(by_hand())
    assert not desk.working(), "a list that is older than its end says nothing"


def test_what_came_filled_and_went_unseen_is_asked_for_where_positions_differ() -> None:
    desk = ByHand(held=5)
    compared_ns = desk.kernel.compared_wall_ns()
    before = len(desk.said)
    desk.compares(9)
    asked = [e for e in desk.said[before:] if isinstance(e, fx.ReadOrdersSince)]
    assert asked == [fx.ReadOrdersSince(wall_ns=compared_ns, foreign=True)]
    desk.compares(9)
    assert desk.position() == 5, "nothing is compared before the answer"
    effects = desk.take(by_hand(filled=4, ended=OrderStatus.FILLED, shares=4))
    assert READS in (*effects, *desk.take(OrdersSinceSeen(orders=())))
    desk.compares(9)
    assert desk.position() == 9
    assert not halted(desk)
    left = ByHand(policy_of("halt"), held=5)
    left.compares(9)
    assert halted(left), "nobody asks where foreign orders are left"


def test_fills_that_cancel_each_other_out_are_booked_by_the_feeds_word() -> None:
    desk = Fed()
    desk.tells("h1", 4)
    desk.tells("h2", 4, side=Side.SELL, price_nanos=251 * NANOS)
    before = len(desk.said)
    desk.feed_again()
    desk.passes(1)
    asked = [e for e in desk.said[before:] if isinstance(e, fx.ReadOrdersSince)]
    assert [ask.foreign for ask in asked] == [True]
    assert not [e for e in desk.said if isinstance(e, fx.PublishDiscrepancy)], "not at once"
    desk.take(by_hand(shares=4, filled=4, ended=OrderStatus.FILLED))
    desk.take(by_hand(Side.SELL, 4, filled=4, price=251, broker_id="h2", ended=OrderStatus.FILLED))
    desk.take(OrdersSinceSeen(orders=()))
    desk.compares(0)
    gained = desk.kernel._state.book.account.cash_attos - 1_000_000 * NANOS * NANOS
    assert gained == 4 * NANOS * NANOS
    assert not desk.kernel._state.copy.apart, "the feed agrees"
    assert desk.posture() is Posture.OPEN


def test_what_the_feed_tells_is_lacking_and_of_the_rest_the_newest() -> None:
    desk = Fed()
    desk.tells("h1", 4)
    desk.feed_again()
    assert not [e for e in desk.said if isinstance(e, fx.ReadOrdersSince)], "the stream may lag"
    seen = (by_hand(shares=4, filled=4), by_hand(Side.SELL, 1, filled=1, broker_id="h2"))
    for fact in (*seen, by_hand(shares=8, filled=8, broker_id="h3")):
        assert fact.terms is not None
        terms = structs.replace(fact.terms, ended=OrderStatus.FILLED, ended_wall_ns=desk.now_ns)
        desk.take(structs.replace(fact, terms=terms))
    asked = len(desk.said)
    desk.compares(12)
    assert desk.position() == 12
    assert list(desk.kernel._state.foreign.unplaced) == ["foreign-h2"]
    assert not [e for e in desk.said[asked:] if isinstance(e, fx.ReadOrdersSince)]
    desk.compares(13)
    asks = [e for e in desk.said[asked:] if isinstance(e, fx.ReadExecutions)]
    assert asks, "where they differ the feed is asked, too"


def test_snapshot_and_replay_hold_it() -> None:
    desk = ByHand(held=5)
    inputs: list[facts.Input] = [
        by_hand(),
        by_hand(filled=4, broker_id="h2"),
        by_hand(limit=None, symbol="MSFT", broker_id="h3"),
        by_hand(filled=2, broker_id="h4", ended=OrderStatus.CANCELED),
        fill_by_hand(4, 4),
        facts.PositionsSeen(positions=()),
    ]
    copy = Kernel.restored(desk.kernel.snapshot())
    for fact in inputs:
        moment = facts.Moment(desk.now_ns, desk.now_ns)
        assert copy.step(moment, fact) == desk.kernel.step(moment, fact)
        again = Kernel.restored(copy.snapshot())
        assert again.snapshot() == copy.snapshot()
        copy = again
    assert copy.digest() == desk.kernel.digest()


# --- policies, bounds -----------------------------------------------------------------------------


def adopt_policy(desk: ByHand, foreign_orders: str) -> tuple[fx.Effect, ...]:
    text = canonical_text(policy_of("halt", foreign_orders=foreign_orders))
    return desk.take(
        facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="why")
    )


def test_a_policy_that_leaves_keeps_what_was_adopted_and_one_that_cancels_takes_it_away() -> None:
    desk = ByHand()
    desk.take(by_hand())
    assert cancelled(adopt_policy(desk, "leave")) == []
    desk.take(fill_by_hand(4, 4))
    assert desk.position() == 4
    desk.take(by_hand(broker_id="h2"))
    assert desk.working() == [HAND], "others are left from now on"
    assert cancelled(adopt_policy(desk, "cancel")) == ["h1"]


@pytest.mark.parametrize(
    "strange",
    [
        structs.replace(by_hand(), side=None),
        structs.replace(by_hand(), quantity_nanos=None),
        structs.replace(by_hand(), quantity_nanos=0),
        structs.replace(by_hand(), quantity_nanos=10**15 * NANOS),
        structs.replace(by_hand(), terms=None),
        structs.replace(by_hand(), symbol=facts.UNNAMED),
        by_hand(limit=-1),
    ],
)
def test_what_cannot_be_read_is_left_and_told(strange: facts.ForeignOrderSeen) -> None:
    desk = ByHand()
    effects = desk.take(strange)
    assert not desk.working()
    assert "left, not adopted, because" in told(effects)[0]
    assert not halted(desk)


def test_a_flood_fills_neither_the_book_nor_memory() -> None:
    desk = ByHand(policy_of("halt", foreign_orders="adopt"))
    for number in range(FOREIGN_ORDERS_MAX):
        desk.take(by_hand(shares=1, limit=1, broker_id=f"h{number}"))
    desk.passes(61)
    effects = desk.take(by_hand(shares=1, broker_id="one too many"))
    assert "1000 foreign orders are adopted already" in told(effects)[0]
    assert len(desk.working()) == FOREIGN_ORDERS_MAX
    desk.take(end_by_hand(broker_id="h0"))
    desk.take(by_hand(shares=1, limit=1, broker_id="the next"))
    assert len(desk.working()) == FOREIGN_ORDERS_MAX


def test_closed_ones_are_forgotten_and_crowd_out_none_of_ours() -> None:
    desk = ByHand()
    desk.buys(1)
    (ours,) = desk.kernel._state.book.closed
    for number in range(CLOSED_FOREIGN_MAX + 5):
        desk.take(by_hand(shares=1, limit=1, broker_id=f"h{number}"))
        desk.take(end_by_hand(broker_id=f"h{number}"))
    book = desk.kernel._state.book
    assert list(book.closed) == [ours]
    assert len(book.closed_foreign) == CLOSED_FOREIGN_MAX
    assert len(book.orders) == CLOSED_FOREIGN_MAX + 1
    assert not book.forgotten


def test_what_had_filled_waits_for_a_bounded_number() -> None:
    desk = ByHand()
    for number in range(FOREIGN_ORDERS_MAX + 5):
        desk.take(by_hand(filled=1, broker_id=f"h{number}", ended=OrderStatus.CANCELED))
    assert len(desk.kernel._state.foreign.unplaced) == FOREIGN_ORDERS_MAX


def test_an_order_type_of_a_stop_is_counted_at_its_stop() -> None:
    desk = ByHand(policy_of("halt", foreign_orders="adopt"))
    desk.take(by_hand(shares=1_000, limit=None, stop=500))
    order = desk.kernel._state.book.orders[HAND]
    assert order.order_type is OrderType.STOP
    assert order.worst_price_nanos == 550 * NANOS
    assert Limits().gross_exposure_nanos_max == NANOS
