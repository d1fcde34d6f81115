"""Time never loosens: clocks that differ tighten until the broker's clock agrees again."""

import pytest

from fuseboard.core.kernel import Kernel
from fuseboard.core.periods import CLOCKS_APART_NS_MAX
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, denied, submitted

HOUR = 3_600 * SECOND


class Clocked(Desk):
    """A desk whose wall clock somebody can set, apart from its boot clock."""

    set_by_ns = 0

    def take(self, fact: facts.Input) -> tuple[fx.Effect, ...]:
        self.now_ns += SECOND // 1000
        return self.step(facts.Moment(self.now_ns, self.now_ns + self.set_by_ns), fact)

    def reads(self, ahead_ns: int = 0) -> tuple[fx.Effect, ...]:
        """The broker's clock, so far ahead of the true time, which is boot time here."""
        true_ns = self.now_ns + SECOND // 1000 + ahead_ns
        return self.take(facts.BrokerClockSeen(wall_ns=true_ns, is_open=True))

    def passes(self, seconds: int = 6) -> list[fx.Effect]:
        self.now_ns += seconds * SECOND
        return [*self.take(facts.TimeAdvanced()), *self.account()]

    def posture(self) -> Posture:
        return self.kernel._state.postures.get("account", Posture.OPEN)


def alerts(effects: list[fx.Effect] | tuple[fx.Effect, ...]) -> list[Reason]:
    return [effect.code for effect in effects if isinstance(effect, fx.RaiseAlert)]


@pytest.mark.parametrize("ahead_ns", [CLOCKS_APART_NS_MAX + 1, -CLOCKS_APART_NS_MAX - 1, -9 * HOUR])
def test_a_brokers_clock_that_differs_lets_nothing_open_until_it_agrees(ahead_ns: int) -> None:
    desk = Clocked(held=10)
    desk.agrees = True
    assert alerts(desk.reads(ahead_ns)) == [Reason.CLOCKS_DISAGREE]
    assert desk.posture() is Posture.REDUCE_ONLY
    assert denied(desk.order(Side.BUY, NANOS)) == [Reason.POSTURE_REDUCE_ONLY]
    assert submitted(desk.order(Side.SELL, NANOS)), "exits are not trapped"
    for _ in range(50):
        assert alerts(desk.passes()) == [], "said once"
    assert desk.posture() is Posture.REDUCE_ONLY, "time alone ends nothing"
    assert alerts(desk.reads(ahead_ns)) == []
    assert alerts(desk.reads(CLOCKS_APART_NS_MAX)) == [Reason.CLOCKS_DISAGREE]
    assert desk.posture() is Posture.OPEN
    desk.quote("AAPL", 250)
    assert submitted(desk.order(Side.BUY, NANOS, price=249))


@pytest.mark.parametrize("set_by_ns", [HOUR, -HOUR, CLOCKS_APART_NS_MAX + SECOND])
def test_a_wall_clock_that_is_set_shows_against_boot_time_before_the_broker_is_read_again(
    set_by_ns: int,
) -> None:
    desk = Clocked()
    desk.reads()
    desk.passes(600)
    assert desk.posture() is Posture.OPEN
    desk.set_by_ns = set_by_ns
    assert Reason.CLOCKS_DISAGREE in alerts(desk.passes())
    assert desk.posture() is Posture.REDUCE_ONLY
    desk.set_by_ns = 0
    desk.passes()
    assert desk.posture() is Posture.REDUCE_ONLY, "set back: the broker has to agree first"
    desk.reads()
    assert desk.posture() is Posture.OPEN


def test_a_restart_does_not_end_it_and_before_a_first_reading_there_is_nothing_to_differ() -> None:
    desk = Clocked()
    desk.set_by_ns = 5 * HOUR
    desk.passes()
    assert desk.posture() is Posture.OPEN, "the wall clock is known to be wrong by nobody"
    desk.reads()
    assert desk.posture() is Posture.REDUCE_ONLY
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.start()
    desk.quote("AAPL", 250)
    assert desk.posture() is Posture.REDUCE_ONLY
    desk.set_by_ns = 0
    desk.reads()
    assert desk.posture() is Posture.OPEN


def test_durations_count_in_boot_time_however_the_wall_clock_jumps() -> None:
    desk = Clocked()
    desk.take(
        OperatorHaltRequested(
            request=1, operator="ann", reason="out", scope="strategy:alpha", level=HaltLevel.HALT
        )
    )
    for set_by_ns in (365 * 24 * HOUR, -365 * 24 * HOUR):
        desk.set_by_ns = set_by_ns
        desk.passes()
    (order,) = submitted(desk.order(Side.BUY, NANOS, strategy="beta"))
    desk.take(facts.OrderUnknown(order_id=order.order_id, detail="no answer"))
    assert desk.kernel._state.postures["strategy:alpha"] is Posture.HALTED
    wakes = [e.boot_ns for e in desk.passes() if isinstance(e, fx.WakeAt)]
    assert all(desk.now_ns - SECOND < at < desk.now_ns + HOUR for at in wakes), "by boot time"


def test_a_jump_of_the_wall_clock_changes_no_wake_and_no_deadline() -> None:
    plain, jumped = Clocked(), Clocked()
    jumped.set_by_ns = 0
    for number in range(40):
        jumped.set_by_ns += (-1) ** number * number * HOUR
        for desk in (plain, jumped):
            desk.now_ns += SECOND
        ours = [e.boot_ns for e in plain.take(facts.TimeAdvanced()) if isinstance(e, fx.WakeAt)]
        theirs = [e.boot_ns for e in jumped.take(facts.TimeAdvanced()) if isinstance(e, fx.WakeAt)]
        assert ours == theirs
