"""Delete a safeguard's own line, and see that the test which pins it fails.

The four of which a project like this must not lose a line: the wait for the disk and the epoch
check (`tests/runtime/test_deletions.py`), the reduce-only clamp in all its parts, and the
derivation of ids. A row whose text no longer stands in the code fails too: then bring it along.
"""

from collections.abc import Callable
from typing import Any

import pytest

from fuseboard.core import (
    closes,
    exposure,
    halting,
    judging,
    orders,
    outgoing,
    plan,
    rearming,
    replacing,
    stops,
)
from fuseboard.core.position import Position
from fuseboard.vocabulary import identifiers
from fuseboard.vocabulary.orders import Side
from tests.core import test_epochs as epochs
from tests.core import test_ids as named
from tests.core import test_known_failures as known
from tests.core import test_owners as owners
from tests.core import test_reduce_only as clamp
from tests.deletion import assert_pinned

Row = tuple[Callable[..., Any], str, str, Callable[[], object]]


def _unseen(held: int, side: Side) -> Callable[[], None]:
    return lambda: clamp.test_an_order_that_the_broker_may_not_show_yet_counts_against_the_close(
        held, side
    )


def _parts() -> None:
    named.test_parts_that_join_to_the_same_text_are_different_ids(("a", "bc"), ("ab", "c"))


THE_CLAMP: tuple[Row, ...] = (
    (plan._size_and_send, " - hidden_nanos", "", _unseen(1_000, Side.SELL)),
    (plan._size_and_send, " - hidden_nanos", "", _unseen(-1_000, Side.BUY)),
    (
        plan._size_and_send,
        " - fact.against_nanos",
        "",
        clamp.test_an_order_that_the_broker_shows_counts_once_and_one_on_the_other_side_not_at_all,
    ),
    (
        plan._size_and_send,
        "open_nanos = min(open_nanos, own.reducible_nanos(side))",
        "pass",
        clamp.test_a_strategys_plan_closes_its_own_share_and_no_more,
    ),
    (
        plan._size_and_send,
        "own.reducible_nanos(side)",
        "abs(own.quantity_nanos)",
        clamp.test_a_strategys_plan_leaves_room_for_its_own_orders_on_their_way,
    ),
    (
        plan._size_and_send,
        "min(open_nanos, own.reducible_nanos(side))",
        "own.reducible_nanos(side)",
        clamp.test_a_strategys_plan_closes_no_more_than_the_broker_holds,
    ),
    (
        plan._size_and_send,
        "max(0, position_nanos - fact.against_nanos - hidden_nanos)",
        "position_nanos - fact.against_nanos - hidden_nanos",
        lambda: clamp.test_nothing_is_closed_while_all_of_it_works_already(1_400),
    ),
    (
        plan.leg_read,
        "elif leg.moves != account.position(leg.symbol).moves:",
        "elif False:",
        clamp.test_an_answer_from_before_an_order_moved_sizes_nothing,
    ),
    (
        closes.unseen_nanos,
        "order.side is side and ",
        "",
        clamp.test_an_order_that_the_broker_shows_counts_once_and_one_on_the_other_side_not_at_all,
    ),
    (
        closes.unseen_nanos,
        " and order.broker_order_id is None",
        "",
        clamp.test_an_order_that_the_broker_shows_counts_once_and_one_on_the_other_side_not_at_all,
    ),
    (
        exposure.intent_of,
        "order.quantity_nanos > position.reducible_nanos(order.side)",
        "False",
        clamp.test_a_sale_that_shrinks_the_strategys_but_grows_the_accounts_position_is_no_reduction,
    ),
    (
        exposure.intent_of,
        "order.quantity_nanos > position.reducible_nanos(order.side)",
        "False",
        clamp.test_a_sale_that_takes_the_account_through_zero_is_no_reduction,
    ),
    (
        exposure.intent_of,
        "position.reducible_nanos(order.side)",
        "abs(position.quantity_nanos)",
        clamp.test_what_already_works_against_the_account_is_not_reduced_twice,
    ),
    (
        exposure.intent_of,
        "_REDUCE if order.quantity_nanos <= own else _OPEN",
        "_REDUCE",
        clamp.test_a_strategy_reduces_its_own_share_and_not_its_neighbours,
    ),
    (
        Position.reducible_nanos,
        " - self.selling_nanos",
        "",
        clamp.test_a_strategy_reduces_its_own_share_and_not_its_neighbours,
    ),
    (
        Position.reducible_nanos,
        " - self.buying_nanos",
        "",
        clamp.test_a_short_is_reduced_by_buying_no_more_than_is_short_orders_counted,
    ),
    (
        judging.intent_now,
        "state.plans and reserves(state, fact.symbol)",
        "False",
        clamp.test_while_a_plan_closes_a_symbol_nobody_else_reduces_it,
    ),
    (
        stops.reduces,
        "kept > held_nanos or ",
        "",
        clamp.test_stops_that_a_halt_keeps_are_together_no_larger_than_the_accounts_position,
    ),
    (
        stops.reduces,
        " or kept_own > own_nanos",
        "",
        clamp.test_stops_that_a_halt_keeps_are_together_no_larger_than_the_strategys_own_share,
    ),
)
THE_IDS: tuple[Row, ...] = (
    (
        plan._ids,
        "attempt=leg.attempt",
        "attempt=1",
        named.test_the_next_attempt_has_the_next_id_and_the_same_trip,
    ),
    (
        plan._ids,
        "trip=plan.trip",
        "trip=plan.scope",
        named.test_two_kernels_with_different_pasts_derive_the_same_ids_for_the_same_close,
    ),
    (
        plan._ids,
        "close_client_order_id(trip=plan.trip, symbol=leg.symbol, attempt=leg.attempt)",
        'f"close/{plan.trip}/{leg.symbol}/{leg.attempt}/{turn.boot_ns}"',
        named.test_the_ids_of_a_close_survive_a_restart,
    ),
    *(
        (
            identifiers.close_client_order_id,
            part,
            "",
            named.test_another_scope_symbol_or_attempt_is_another_id,
        )
        for part in ("/{trip}", "/{symbol}", "/{attempt}")
    ),
    (
        identifiers.OrderIds.order_id,
        " + client_order_id.encode()",
        "",
        named.test_another_scope_symbol_or_attempt_is_another_id,
    ),
    (
        identifiers.OrderIds.order_id,
        " + _part(strategy)",
        "",
        named.test_another_scope_symbol_or_attempt_is_another_id,
    ),
    (
        identifiers.OrderIds.__init__,
        "_part(instance) + ",
        "",
        named.test_another_scope_symbol_or_attempt_is_another_id,
    ),
    (
        identifiers.OrderIds.__init__,
        " + _part(account)",
        "",
        named.test_another_scope_symbol_or_attempt_is_another_id,
    ),
    (identifiers._part, 'len(raw).to_bytes(4, "big") + ', "", _parts),
    (
        identifiers.trip_id,
        "#{generation}",
        "",
        named.test_only_a_reset_begins_the_next_generation,
    ),
    (
        rearming.arm_again,
        "fuse.generation = max(fuse.generation + 1, state.generation_min)",
        "pass",
        named.test_only_a_reset_begins_the_next_generation,
    ),
    (
        halting.latch_scope,
        "if latch is None and len(",
        "if latch is not None:\n        latch.generation += 1\n    if latch is None and len(",
        named.test_only_a_reset_begins_the_next_generation,
    ),
    (
        judging.order_requested,
        "known is not None",
        "False",
        known.test_a_retry_does_not_become_a_second_order,
    ),
)

STAMPED = epochs.test_an_order_carries_the_epoch_of_its_decision_and_each_halt_makes_the_next
THE_EPOCH: tuple[Row, ...] = (
    (halting._latch_register, "turn.state.halt_epoch += 1", "pass", STAMPED),
    (outgoing.submit, "turn.state.halt_epoch", "0", STAMPED),
    (outgoing.submit, "order.intent is _OPEN", "False", STAMPED),
    (
        outgoing.submit,
        "order.intent is _OPEN",
        "True",
        epochs.test_a_reduction_is_not_stopped_by_an_epoch,
    ),
)
THE_OWNER: tuple[Row, ...] = (
    (
        orders.cancel_requested,
        " or order.strategy != fact.strategy",
        "",
        owners.test_a_strategy_cannot_cancel_anothers_order,
    ),
    (
        orders.cancel_requested,
        " or order.intent is Intent.PLAN",
        "",
        owners.cancel_by_owner_of_a_plan,
    ),
    (
        replacing.replace_requested,
        " or old.strategy != fact.strategy",
        "",
        owners.test_a_strategy_cannot_replace_anothers_order,
    ),
    (
        replacing.replace_requested,
        " or old.intent is Intent.PLAN",
        "",
        owners.cancel_by_owner_of_a_plan,
    ),
)


def _name(row: Row) -> str:
    function, text, _, test = row
    return f"{function.__qualname__}: {text.strip()} - {getattr(test, '__name__', '')}"


@pytest.mark.parametrize("row", [*THE_CLAMP, *THE_IDS, *THE_EPOCH, *THE_OWNER], ids=_name)
def test_without_this_line_the_test_that_pins_it_fails(
    monkeypatch: pytest.MonkeyPatch, row: Row
) -> None:
    assert_pinned(monkeypatch, *row)
