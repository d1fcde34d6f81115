"""A halt and its reset while an order of another scope is on its way to the socket: it is refused.

The register is clear again when the bytes could leave, and nobody cancelled the order: only the
halt epoch knows that it was decided before.
"""

import asyncio
from pathlib import Path

import pytest
from msgspec import structs

from fuseboard.runtime.lockstep import LockstepEventLoop
from fuseboard.runtime.outlet import Outlet
from fuseboard.simulation.crashes import Doors
from fuseboard.simulation.machine import Machine
from fuseboard.simulation.network import CALM, Line
from fuseboard.simulation.run import POLICY
from fuseboard.simulation.world import MILLI_NS, SECOND_NS, World
from fuseboard.vocabulary.effects import AnswerDenied
from fuseboard.vocabulary.inputs import Input, Moment, OrderRequested
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from tests.deletion import without

SCOPE = "strategy:beta"
ORDER = OrderRequested(
    request=1,
    strategy="alpha",
    client_order_id="late",
    symbol="AAA",
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    time_in_force=TimeInForce.DAY,
    quantity_nanos=NANOS,
    limit_price_nanos=99 * NANOS,
)
HALT = OperatorHaltRequested(
    request=2, operator="bob", reason="a drill", scope=SCOPE, level=HaltLevel.HALT
)
RESET = OperatorResetRequested(request=3, operator="ann", reason="looked at it", scope=SCOPE)


class Scene:
    """One gateway in calm weather; each submit's connection takes a second to be found."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch) -> None:
        self.world = World(0)
        self.machine = Machine(
            self.world, "late", doors=Doors(lambda: None), policy=POLICY, weather=CALM, home=home
        )
        submit = Line.submit

        async def late(line: Line, order: object, still_allowed: object) -> object:
            await asyncio.sleep(1)
            return await submit(line, order, still_allowed)  # type: ignore[arg-type]

        patch.setattr(Line, "submit", late)
        self._at(2_000, structs.replace(ORDER, request=9, client_order_id="asks for quotes"))
        self._at(3_000, ORDER)
        self._at(3_200, HALT)
        self._at(3_500, RESET)
        self.world.after(6 * SECOND_NS, self._stop)
        loop = LockstepEventLoop(Moment(self.world.now_ns, self.world.wall_ns()), self.world)
        try:
            loop.run_until_complete(self.machine.live(6 * SECOND_NS))
        finally:
            loop.close()
            self.machine.disk.close()

    def _at(self, milli: int, fact: Input) -> None:
        self.world.after(milli * MILLI_NS, lambda: self._offer(fact))

    def _offer(self, fact: Input) -> None:
        assert self.machine.process is not None, "it serves"
        self.machine.process.intake.offer(fact)

    def _stop(self) -> None:
        assert self.machine.process is not None, "it serves"
        self.machine.process.loop.request_stop()


def test_a_reset_does_not_let_out_what_was_decided_before_the_halt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Scene(tmp_path, monkeypatch).machine
    assert machine.memory.broken == []
    assert machine.memory.postures[SCOPE][0] is Posture.OPEN, "it was reset"
    assert machine.line.started == []
    denied = {
        told.request: told.reason for told in machine.memory.told if isinstance(told, AnswerDenied)
    }
    assert denied[ORDER.request] is Reason.HALT_EPOCH


def test_without_the_epoch_at_the_send_it_leaves_and_law_5_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, Outlet._may_leave, "order.halt_epoch >= self._halt_epoch and ")
    machine = Scene(tmp_path, monkeypatch).machine
    (broken,) = machine.memory.broken
    assert broken.startswith("law 5: ")
    assert len(machine.line.started) == 1
