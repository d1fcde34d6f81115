"""Take one safeguard out of the shipped code: the default seeds notice, each by a law.

What is taken out: the syncs, the halt epoch and the register's reading at the socket, the clamp of
a close and the proof of a reduction, what waits behind one, the derivation of a close's id, the
question after an order in doubt and the time for which "not found" counts as on its way, and what a
strategy that is lost would leave working.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from fuseboard.core import disconnects, exposure, orders, plan
from fuseboard.halts.register import HaltsRegister
from fuseboard.journal import file as journal_file
from fuseboard.runtime.outlet import Outlet
from fuseboard.runtime.questions import Questions
from fuseboard.runtime.submits import SubmitLine
from fuseboard.simulation.run import run_seed
from fuseboard.vocabulary import identifiers
from tests.deletion import without

pytestmark = pytest.mark.no_cover  # what only a broken part runs is not covered

SEEDS = 200


class Cut(NamedTuple):
    """One safeguard to take out."""

    name: str
    function: Callable[..., Any]
    text: str
    instead: str
    law: str
    """How what is found begins, at least in one seed."""
    first: int = 0
    """The seed that is tried first: one that noticed when this was written."""


CUTS = (
    Cut(
        "the cancels of a strategy that is lost",
        disconnects._lose,
        "orders = cancel_scope(turn, scope, HaltLevel.HALT, again=False)",
        "orders = []",
        "lost strategy: ",
        first=11,
    ),
    Cut(
        "the journal's fsync",
        journal_file._become_durable,
        'database.execute("PRAGMA synchronous=FULL")\n'
        '    database.execute("PRAGMA fullfsync=ON")\n'
        '    level = database.execute("PRAGMA synchronous").fetchone()[0]',
        'database.execute("PRAGMA synchronous=OFF"); level = 2',
        "law 7: told",
        first=1,
    ),
    Cut(
        "the register's fsync",
        HaltsRegister._write,
        "self._files.fdatasync(self._descriptor)",
        "pass",
        "law 7: the latch",
        first=34,
    ),
    Cut(
        "the epoch at the send",
        Outlet._may_leave,
        "order.halt_epoch >= self._halt_epoch and ",
        "",
        "law 5",
        first=7,
    ),
    Cut(
        "the register at the send",
        Outlet._may_leave,
        " and not self._register.halts(\n        order.strategy, order.symbol\n    )",
        "",
        "law 5",
        first=7,
    ),
    Cut(
        "the question at the socket",
        SubmitLine._call,
        "not self._allowed(submit.order)",
        "False",
        "law 5",
        first=140,
    ),
    Cut(
        "the clamp of a close",
        plan._size_and_send,
        "position_nanos - fact.against_nanos - hidden_nanos",
        "position_nanos",
        "law 4",
        first=1858,
    ),
    Cut(
        "the proof of a reduction",
        exposure.intent_of,
        "if order.quantity_nanos > position.reducible_nanos(order.side):\n"
        "        return _OPEN\n"
        "    own = book.strategy(strategy).position(order.symbol).reducible_nanos(order.side)\n"
        "    return _REDUCE if order.quantity_nanos <= own else _OPEN",
        "return _REDUCE",
        "law 4",
    ),
    Cut(
        "the wait behind a reduction",
        SubmitLine.submit,
        "elif ahead := self._reductions.before(order):",
        "elif ahead := []:",
        "law 4",
        first=7918,
    ),
    Cut(
        "the derivation of a close's id",
        identifiers.close_client_order_id,
        '{attempt}"',
        "{attempt}/{__import__('time').time_ns()}\"",
        "law 9",
        first=8,
    ),
    Cut(
        "the question after an order in doubt",
        orders.order_unknown,
        "find(turn, order)",
        "pass",
        "law 3: the plan",
        first=55,
    ),
    Cut(
        "the time for which not found counts as on its way",
        Questions._find,
        "waited_ns >= order.absent_after_ns",
        "True",
        "law 3: fb-",
        first=15,
    ),
)


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.name.replace(" ", "-"))
def test_without_it_a_law_is_seen_to_break(monkeypatch: pytest.MonkeyPatch, cut: Cut) -> None:
    without(monkeypatch, cut.function, cut.text, cut.instead)
    for seed in (cut.first, *range(SEEDS)):
        try:
            broken = run_seed(seed).broken
        except AssertionError as failure:
            broken = tuple(str(failure).splitlines())
        if any(text.startswith(cut.law) for text in broken):
            return
    pytest.fail(f"{SEEDS} seeds do not miss {cut.name}")
