"""Delete the wait for the disk, the epoch check at the socket, or what keeps a bulk cancel from
taking away what is to stay, or from holding the single cancels back: a test that pins it fails.

The rest of the list is in `tests/core/test_deletions.py`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from fuseboard.runtime.bulk_cancels import BulkCancels
from fuseboard.runtime.cancels import CancelLine
from fuseboard.runtime.hold import Hold
from fuseboard.runtime.loop import Loop
from fuseboard.runtime.outlet import Outlet
from fuseboard.runtime.submits import SubmitLine
from tests.deletion import assert_pinned
from tests.runtime import test_bulk_cancels as bulk
from tests.runtime import test_loop as loop
from tests.runtime import test_outlet as outlet

Row = tuple[Callable[..., Any], str, str, Callable[[], object]]
ONLY_NEWER = (
    outlet.test_after_a_halt_only_the_new_epoch_and_reductions_leave_and_a_halted_register_stops_all
)
A_LIST_HANGS = ("a halt", "the list")
THE_REQUEST = "the request"
NO_STOP_BETWEEN = bulk.test_no_stop_is_placed_while_a_request_without_an_answer_may_take_it_away
THE_WAIT_FOR_THE_DISK: tuple[Row, ...] = (
    (
        Hold.released,
        " and self._records[0].sequence <= sequence",
        "",
        loop.test_nothing_but_protection_leaves_before_the_disk_has_it,
    ),
    (
        Hold.released,
        "sequence <= sequence",
        "sequence <= sequence + 1",
        loop.test_held_effects_leave_in_sequence_and_only_up_to_the_watermark,
    ),
    (
        Loop._release,
        "self._watermark.sequence",
        "self.sequence",
        loop.test_nothing_but_protection_leaves_before_the_disk_has_it,
    ),
    (
        Loop._release,
        "type(effect) is WakeAt",
        "False",
        loop.test_a_wake_up_waits_for_the_disk_like_everything_else,
    ),
    (
        Loop._overtake,
        "self._hold.annihilate(effect.order_id)",
        "False",
        loop.test_a_cancel_annihilates_a_submit_that_is_still_held,
    ),
)
THE_EPOCH_CHECK: tuple[Row, ...] = (
    (Outlet._may_leave, "order.halt_epoch >= self._halt_epoch and ", "", ONLY_NEWER),
    (Outlet._may_leave, "order.halt_epoch >= self._halt_epoch", "False", ONLY_NEWER),
    (
        Outlet._may_leave,
        "not self._register.halts(\n        order.strategy, order.symbol\n    )",
        "True",
        ONLY_NEWER,
    ),
    (
        Outlet._may_leave,
        "if not order.raises_exposure:\n        return True",
        "pass",
        ONLY_NEWER,
    ),
    (
        Outlet._latch,
        "self._halt_epoch = max(self._halt_epoch, halt.halt_epoch)",
        "pass",
        ONLY_NEWER,
    ),
    (
        SubmitLine._call,
        "not self._allowed(submit.order)",
        "False",
        outlet.test_a_halt_between_release_and_socket_stops_the_bytes,
    ),
    (
        Outlet._latch_and_show,
        "self._submits.refuse_disallowed()",
        "pass",
        outlet.test_a_halt_gives_waiting_orders_their_outcome_at_once,
    ),
)

ALL_AT_ONCE: tuple[Row, ...] = (
    (
        BulkCancels._all_is_to_go,
        " and all(map(self._is_wanted, works))",
        "",
        partial(bulk.test_what_is_to_stay_is_not_taken_away_with_the_others, "a stop"),
    ),
    (
        BulkCancels._all_is_to_go,
        "self._spares()",
        "False",
        bulk.test_a_close_on_its_way_is_waited_for_and_then_spares_all_from_it,
    ),
    (
        BulkCancels._held,
        "self._holds_none.clear()",
        "pass",
        bulk.test_a_close_waits_until_it_is_answered_and_is_not_taken_away,
    ),
    (
        BulkCancels.is_worth,
        " and self._may()",
        "",
        bulk.test_a_strategy_that_cancels_all_it_has_cancels_one_by_one_while_the_account_trades,
    ),
    (
        SubmitLine._send,
        " or not await self._bulk_is_over(submit)",
        "",
        bulk.test_a_close_waits_until_it_is_answered_and_is_not_taken_away,
    ),
    (
        CancelLine._ask,
        "_drop(each)",
        "pass",
        bulk.test_a_hundred_orders_of_a_halted_account_are_cancelled_by_one_request,
    ),
    (
        BulkCancels._all_is_to_go,
        "asyncio.timeout_at(ends_at)",
        "asyncio.timeout_at(None)",
        partial(bulk.test_without_an_answer_the_single_cancels_wait_a_bounded_time, *A_LIST_HANGS),
    ),
    (
        BulkCancels._hold_none,
        "let_go()",
        "pass",
        partial(bulk.test_without_an_answer_a_fault_still_ends_with_nothing_working, THE_REQUEST),
    ),
    (
        BulkCancels._hold_none,
        "self._holds_none.set()",
        "pass",
        partial(bulk.test_a_close_waits_a_bounded_time_for_the_answer, 100),
    ),
    (
        BulkCancels.ask,
        "left_ns -= self._clock.now().boot_ns - began_ns",
        "pass",
        bulk.test_all_tries_together_hold_single_cancels_back_no_longer_than_one,
    ),
    (
        SubmitLine._bulk_is_over,
        " and not self._bulk.is_unanswered()",
        "",
        partial(NO_STOP_BETWEEN, 100),
    ),
    (
        CancelLine.forget,
        "_drop(self._under_way[order_id])",
        "pass",
        bulk.test_a_cancel_that_waits_for_its_turn_is_dropped_when_its_order_ends,
    ),
)


def _name(row: Row) -> str:
    function, text, instead, _ = row
    return f"{function.__qualname__}: {text.strip()} -> {instead}"


@pytest.mark.parametrize("row", [*THE_WAIT_FOR_THE_DISK, *THE_EPOCH_CHECK, *ALL_AT_ONCE], ids=_name)
def test_without_this_line_the_test_that_pins_it_fails(
    monkeypatch: pytest.MonkeyPatch, row: Row
) -> None:
    assert_pinned(monkeypatch, *row)
