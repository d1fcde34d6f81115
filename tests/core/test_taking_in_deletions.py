"""Each safeguard of adopted foreign orders, taken out: the test that notices."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from msgspec import structs

from fuseboard.core import (
    adoption,
    book,
    cash,
    comparing,
    draining,
    drop_copy,
    foreign,
    gauges,
    giving_way,
    halting,
    hygiene,
    orders,
    outgoing,
    stops,
    taking_away,
    taking_in,
)
from fuseboard.core.measures import recording
from fuseboard.vocabulary.orders import OrderStatus, Side
from fuseboard.vocabulary.postures import HaltLevel
from tests.core import test_taking_away as away
from tests.core import test_taking_in as tests
from tests.core.by_hand import by_hand
from tests.deletion import assert_pinned

strange = partial(tests.test_what_cannot_be_read_is_left_and_told)
stops_after_a_halt = partial(
    away.test_stops_that_come_after_a_halt_stay_as_far_as_something_is_held,
    HaltLevel.HALT,
    "account",
)
after_a_kill = partial(
    away.test_in_a_killed_scope_everything_that_is_adopted_goes_and_after_a_start_too, "account"
)
CUTS: tuple[tuple[Callable[..., Any], str, str, Callable[[], object]], ...] = (
    # what is adopted at all
    (
        foreign.foreign_order_seen,
        "not fact.ours_by_prefix and _is_adopted(turn, fact)",
        "_is_adopted(turn, fact)",
        tests.test_an_order_with_our_prefix_is_a_twins_whatever_the_policy_says,
    ),
    (
        foreign.fill_reported,
        "elif fact.order_id != foreign_order_id(fact.broker_order_id):",
        "else:",
        tests.test_facts_of_an_order_that_is_not_adopted_change_nothing,
    ),
    (
        foreign.fill_reported,
        "fact.order_id != foreign_order_id(fact.broker_order_id)",
        "not fact.order_id.startswith('foreign-')",
        tests.test_a_twin_cannot_pass_for_a_stranger,
    ),
    (
        foreign._is_adopted,
        "return ended",
        "return False",
        tests.test_an_order_that_ended_unseen_and_unfilled_is_nothing,
    ),
    (
        taking_in.hindrance,
        "fact.side is None or ",
        "",
        partial(strange, structs.replace(by_hand(), side=None)),
    ),
    (
        taking_in.hindrance,
        "not 0 < size < NUMBERS_MAX",
        "not 0 < size",
        partial(strange, structs.replace(by_hand(), quantity_nanos=10**15 * 10**9)),
    ),
    (
        taking_in.hindrance,
        " or fact.symbol == UNNAMED",
        "",
        partial(strange, structs.replace(by_hand(), symbol="?")),
    ),
    (
        taking_in.hindrance,
        ">= FOREIGN_ORDERS_MAX",
        ">= 10**9",
        tests.test_a_flood_fills_neither_the_book_nor_memory,
    ),
    (
        book.Book.close,
        "len(self.closed_foreign) > CLOSED_FOREIGN_MAX",
        "False",
        tests.test_closed_ones_are_forgotten_and_crowd_out_none_of_ours,
    ),
    (
        book.Book._kept_closed,
        "is_foreign_order_id(order_id)",
        "False",
        tests.test_closed_ones_are_forgotten_and_crowd_out_none_of_ours,
    ),
    (
        taking_in._wait_for_comparison,
        "len(waiting) >= FOREIGN_ORDERS_MAX",
        "False",
        tests.test_what_had_filled_waits_for_a_bounded_number,
    ),
    (
        taking_in.known,
        "order.status in NEVER_THERE and ",
        "order.closed() and ",
        tests.test_one_that_the_broker_no_longer_knows_and_shows_again_counts_again,
    ),
    # counted
    (
        gauges.asked_by_gauges,
        "if state.foreign.unpriced:",
        "if False:",
        tests.test_an_order_at_no_known_price_leaves_only_reductions_until_there_is_one,
    ),
    (
        taking_in.price_when_due,
        "order.worst_price_nanos = price_nanos",
        "pass",
        tests.test_an_order_at_no_known_price_leaves_only_reductions_until_there_is_one,
    ),
    (
        taking_in.tell_limits,
        "if not passed:",
        "if True:",
        tests.test_what_passes_a_limit_is_told_and_lets_nothing_but_reductions_through,
    ),
    (
        taking_in.tell_limits,
        "turn.boot_ns - told_ns < LIMITS_TOLD_EVERY_NS",
        "False",
        tests.test_what_passes_a_limit_is_told_and_lets_nothing_but_reductions_through,
    ),
    # booked
    (
        orders.take_fill,
        "if is_foreign_order_id(order.order_id):",
        "if False:",
        tests.test_a_single_strategy_holds_what_the_account_holds,
    ),
    (
        book.Book._shares,
        "if is_foreign_order_id(order.order_id):",
        "if False:",
        tests.test_what_it_sells_is_nobodys_first_and_then_the_holders_at_the_mark,
    ),
    (
        giving_way.give_way,
        "if before_nanos * signed_nanos >= 0:",
        "if False:",
        tests.test_a_strategy_on_the_other_side_keeps_what_it_holds,
    ),
    (
        giving_way.give_way,
        "if nobodys_nanos * left_nanos < 0:",
        "if False:",
        tests.test_what_it_sells_is_nobodys_first_and_then_the_holders_at_the_mark,
    ),
    (
        recording.note_fill,
        "if is_foreign_order_id(order.order_id):",
        "if False:",
        tests.test_no_trade_of_a_strategy_has_a_result_by_it,
    ),
    (
        cash.cash_read,
        " or (difference_attos and _may_be_foreign(turn))",
        "",
        tests.test_a_fee_that_may_be_a_fill_on_its_way_is_not_taken_before_the_books_are_compared,
    ),
    (
        taking_in._missing,
        "_sum_nanos(state, told) == gap_nanos",
        "False",
        tests.test_fills_that_cancel_each_other_out_are_booked_by_the_feeds_word,
    ),
    (
        taking_in._missing,
        "_sum_nanos(state, [*told, *some]) == gap_nanos",
        "_sum_nanos(state, some) == gap_nanos",
        tests.test_what_the_feed_tells_is_lacking_and_of_the_rest_the_newest,
    ),
    (
        comparing.positions_seen,
        "drop_copy.read(turn)",
        "pass",
        tests.test_what_the_feed_tells_is_lacking_and_of_the_rest_the_newest,
    ),
    (
        drop_copy._missing,
        "ask_foreign(turn)",
        "pass",
        tests.test_fills_that_cancel_each_other_out_are_booked_by_the_feeds_word,
    ),
    (
        drop_copy._missing,
        "may_be_foreign or ",
        "",
        tests.test_fills_that_cancel_each_other_out_are_booked_by_the_feeds_word,
    ),
    (
        taking_in._agreed,
        "at.agreed >= AGREED_TWICE",
        "True",
        tests.test_a_comparison_that_is_older_than_the_fill_forgets_nothing,
    ),
    (
        taking_in._agreed,
        "at.agreed += 1",
        "pass",
        tests.test_what_had_filled_and_was_in_our_positions_is_not_booked_again,
    ),
    (
        taking_in._missing,
        "for some in (others, new, *newest):",
        "for some in (others,):",
        tests.test_what_was_in_and_what_was_not_are_told_apart,
    ),
    (
        taking_in._book,
        "order.filled_quantity_nanos -= at.quantity_nanos",
        "pass",
        tests.test_what_had_filled_unseen_is_booked_once_the_broker_holds_it,
    ),
    (
        comparing.positions_seen,
        "may_have_moved |= taking_in.adopts(turn)",
        "pass",
        tests.test_a_strangers_fill_may_be_on_its_way_when_positions_are_read,
    ),
    (
        comparing.positions_seen,
        "ask_foreign(turn)",
        "pass",
        tests.test_what_came_filled_and_went_unseen_is_asked_for_where_positions_differ,
    ),
    # cancelled
    (
        stops.reduces,
        "if order.strategy:",
        "if True:",
        tests.test_a_stop_placed_by_hand_that_protects_stays_in_a_halt_and_goes_in_a_kill,
    ),
    (
        foreign._is_adopted,
        "taking_away.judge(turn, order)",
        "False",
        tests.test_what_opens_in_a_halted_scope_goes_and_what_reduces_stays,
    ),
    (
        foreign._is_adopted,
        "taking_away.judge_again(turn, turn.state.book.orders[order_id])",
        "pass",
        away.test_one_that_was_given_up_and_works_again_is_judged_again,
    ),
    (
        taking_away._why_unwanted,
        "protects if order.intent is Intent.OPEN else reduces",
        "protects",
        tests.test_what_opens_in_a_halted_scope_goes_and_what_reduces_stays,
    ),
    (
        taking_away._why_unwanted,
        "_kept(turn, order)",
        "{}",
        stops_after_a_halt,
    ),
    (
        taking_away._why_unwanted,
        "_kept(turn, order)",
        "{}",
        away.test_whatever_comes_after_a_halt_what_stays_takes_no_position_through_zero,
    ),
    (
        taking_away._why_unwanted,
        "_tightest(turn, order.symbol)[1] is _KILLED",
        "False",
        partial(after_a_kill, by_hand(Side.SELL, 10)),
    ),
    (
        taking_away._kept,
        " and other.side is order.side",
        "",
        away.test_what_works_on_the_other_side_or_elsewhere_takes_no_stop_away,
    ),
    (
        taking_away._kept,
        " and not other.cancel_wanted",
        "",
        stops_after_a_halt,
    ),
    (
        taking_away.node_started,
        "order.cancel_wanted = True",
        "pass",
        away.test_a_start_takes_away_what_an_older_state_kept_in_a_killed_scope,
    ),
    (
        taking_away.node_started,
        " and _tightest(turn, order.symbol)[1] is _KILLED",
        "",
        away.test_a_start_leaves_in_a_halt_what_the_halt_left,
    ),
    (
        taking_away.judge_again,
        "order.closed() or order.cancel_wanted",
        "order.closed()",
        partial(after_a_kill, by_hand(Side.SELL, 10)),
    ),
    (
        taking_away._tell,
        "foreign.told < TOLD_MAX",
        "True",
        away.test_a_flood_is_told_one_by_one_up_to_a_number_and_then_as_a_number,
    ),
    (
        taking_away.tell_when_due,
        "foreign.told_since_boot_ns = None",
        "pass",
        away.test_a_flood_is_told_one_by_one_up_to_a_number_and_then_as_a_number,
    ),
    (
        hygiene.began_to_work,
        "if is_foreign_order_id(order.order_id):",
        "if False:",
        tests.test_it_has_no_time_out,
    ),
    (
        draining.drain_requested,
        "spares_foreign=not closes",
        "spares_foreign=False",
        tests.test_an_orderly_stop_leaves_it_unless_everything_is_closed,
    ),
    (
        halting.cancel_scope,
        "if spares_foreign and is_foreign_order_id(order.order_id):",
        "if is_foreign_order_id(order.order_id):",
        partial(tests.test_a_halt_of_its_scope_cancels_it, HaltLevel.HALT, "account"),
    ),
    (
        adoption._take,
        "taking_in.follow_policy(turn)",
        "pass",
        tests.test_a_policy_that_leaves_keeps_what_was_adopted_and_one_that_cancels_takes_it_away,
    ),
    # found
    (
        outgoing.find,
        "if is_foreign else",
        "if False else",
        partial(
            tests.test_a_start_finds_what_became_of_it_before_the_books_are_compared,
            OrderStatus.CANCELED,
            4,
        ),
    ),
)


@pytest.mark.no_cover
@pytest.mark.parametrize("number", range(len(CUTS)), ids=lambda at: f"{CUTS[at][0].__name__}-{at}")
def test_a_safeguard_that_is_taken_out_is_noticed(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, text, instead, test = CUTS[number]
    assert_pinned(monkeypatch, function, text, instead, test)
