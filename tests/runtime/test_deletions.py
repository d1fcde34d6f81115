"""Delete the wait for the disk, or the epoch check at the socket: a test that pins it fails.

The rest of the list is in `tests/core/test_deletions.py`.
"""

from collections.abc import Callable
from typing import Any

import pytest

from fuseboard.runtime.hold import Hold
from fuseboard.runtime.loop import Loop
from fuseboard.runtime.outlet import Outlet
from fuseboard.runtime.submits import SubmitLine
from tests.deletion import assert_pinned
from tests.runtime import test_loop as loop
from tests.runtime import test_outlet as outlet

Row = tuple[Callable[..., Any], str, str, Callable[[], object]]
ONLY_NEWER = (
    outlet.test_after_a_halt_only_the_new_epoch_and_reductions_leave_and_a_halted_register_stops_all
)
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


def _name(row: Row) -> str:
    function, text, instead, _ = row
    return f"{function.__qualname__}: {text.strip()} -> {instead}"


@pytest.mark.parametrize("row", [*THE_WAIT_FOR_THE_DISK, *THE_EPOCH_CHECK], ids=_name)
def test_without_this_line_the_test_that_pins_it_fails(
    monkeypatch: pytest.MonkeyPatch, row: Row
) -> None:
    assert_pinned(monkeypatch, *row)
