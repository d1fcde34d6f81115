"""The loop: intake → kernel → journal → outlet, one input at a time, in one thread.

Theory of operation. The kernel runs ahead of the disk, and nobody may see it. A turn takes a batch
from the intake, folds each input, lets the overtaking effects (`RaiseAlert`, `LatchHalt`,
`CancelOrder`) leave at once, alerts first because they wait for nothing, gives the batch to the
journal, and holds all other effects. When the journal's thread says how far the disk has come, the
held effects up to there leave, in sequence. How far the kernel may run ahead is bounded; when the
disk lags, nothing more is taken.

Any exception in a turn (a failed assertion of the kernel, a failed commit, a view that throws) and
any fault reported to the intake ends in the **fault path**: what is held never leaves, the
register is latched, the outlet sealed, the fault journaled if the journal still works, people
paged, and everything that may work at the broker is cancelled for a bounded time. Then `run`
raises `NodeStopped`. A restart replays the durable prefix; nothing is retried here.
"""

import asyncio
import hashlib
import heapq
from collections.abc import Callable
from contextlib import ExitStack

from msgspec import Struct

from fuseboard.halts.heartbeats import Phase
from fuseboard.runtime.hold import Hold
from fuseboard.runtime.intake import Intake
from fuseboard.runtime.ports import Exit, Kernel
from fuseboard.runtime.pulse import BEAT_EVERY_S, Pulse
from fuseboard.runtime.watermark import Watermark
from fuseboard.vocabulary.doors import Clock, Journal
from fuseboard.vocabulary.effects import (
    OVERTAKING,
    CancelOrder,
    Effect,
    RaiseAlert,
    StopNode,
    WakeAt,
)
from fuseboard.vocabulary.inputs import Input, Moment, NodeFaulted, TimeAdvanced
from fuseboard.vocabulary.records import Record

SECOND_NS = 1_000_000_000
DETAIL_CHARACTERS_MAX = 1_000
_OVERTAKING = frozenset(OVERTAKING)


class NodeStopped(Exception):
    """The node stopped itself for a fault; the message says which."""


class CommitFailed(Exception):
    """The journal could not make records durable; a commit is never retried."""


class FaultReported(Exception):
    """A part of the node reported a fault of ours."""


class KernelStopped(Exception):
    """The kernel asked for the node to stop."""


class LoopLimits(Struct, frozen=True, kw_only=True):
    """The loop's bounds."""

    batch_records_max: int = 256
    """Inputs folded in one turn, before sockets and timers have theirs."""
    undurable_records_max: int = 4_096
    """How far the kernel may run ahead of the disk."""
    undurable_acts_max: int = 256
    """What operators ask for beyond that: a disk that hangs must not keep a halt out."""
    snapshot_every_records: int = 50_000
    wakes_max: int = 65_536
    """Different times at which the kernel may wait to be woken."""
    drain_ns_max: int = 5 * SECOND_NS
    """How long an orderly stop, or the kernel's own, waits for the disk."""


class Loop:
    """One node's loop. Everything comes in by the constructor, so demo and simulation use it too.

    `pulse` is beaten by each turn of `run`, at least every `BEAT_EVERY_S`, also when nothing comes.
    `watermark` is what the journal was given to report to; it starts at the last durable sequence,
    and `last` is that record's moment. `run` serves until `request_stop` or a fault; `settle` does
    the same in lock-step, without an event loop. `released` is the last record whose effects left.
    """

    def __init__(
        self,
        *,
        kernel: Kernel,
        clock: Clock,
        intake: Intake,
        journal: Journal,
        watermark: Watermark,
        outlet: Exit,
        last: Moment | None = None,
        save_snapshot: Callable[[int, bytes, str], object] | None = None,
        pulse: Pulse | None = None,
        limits: LoopLimits | None = None,
    ) -> None:
        self.limits = limits or LoopLimits()
        self.sequence = self.released = watermark.sequence
        self._kernel = kernel
        self._clock = clock
        self._intake = intake
        self._journal = journal
        self._watermark = watermark
        self._outlet = outlet
        self._moment = last or Moment(0, 0)
        self._save_snapshot = save_snapshot
        self._pulse = pulse
        self._snapshot_sequence = self.sequence
        self._hold = Hold()
        self._unwritten: list[Record] = []
        self._wakes: list[int] = []
        self._wanted: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._broken = False
        self._stop: KernelStopped | None = None
        self._takes_left: int | None = None
        self._drain_until_ns: int | None = None

    # --- the outside ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until `request_stop`; raises `NodeStopped` after the fault path has run."""
        self._watermark.attach(asyncio.get_running_loop(), self._intake.nudge)
        try:
            while not self._finished():
                moved = self.turn()
                if self._pulse is not None:
                    self._pulse.turned(self.sequence)
                if moved:
                    await asyncio.sleep(0)
                else:
                    self._set_timer()
                    await self._intake.arrived()
            self._snapshot()
            self._beat(Phase.STOPPING)
        except Exception as fault:  # noqa: BLE001 - whatever it is stops the node, as NodeStopped
            self._beat(Phase.FAULTED)
            detail = _described(fault)
            try:
                self._seal(fault, detail)
            finally:
                try:
                    await self._outlet.cancel_everything()
                finally:
                    raise NodeStopped(detail) from fault
        finally:
            self._watermark.detach()
            self._cancel_timer()

    def request_stop(self) -> None:
        """Stop in order: fold what waits now, let the disk catch up, release, snapshot, return."""
        self._takes_left = len(self._intake)
        self._begin_drain()

    def settle(self, turns_max: int) -> int:
        """Turn until nothing moves; the number of turns. For lock-step: raises what a turn raises.

        The caller moves the clock to `next_wake_ns` and settles again.
        """
        for turns in range(turns_max):
            if not self.turn():
                return turns
        raise FaultReported(f"the loop did not come to rest within {turns_max} turns")

    @property
    def next_wake_ns(self) -> int | None:
        """The earliest boot time at which the kernel wants to be woken."""
        return self._wakes[0] if self._wakes else None

    @property
    def moment(self) -> Moment:
        """The moment of the last input."""
        return self._moment

    # --- one turn ------------------------------------------------------------------------------

    def turn(self) -> bool:
        """Release what is durable, fold one batch; whether anything moved.

        After a turn that raised there is no further one: what is held never leaves.
        """
        assert not self._broken, "the loop is broken: a turn raised"
        self._broken = True
        moved = self._turned()
        self._broken = False
        return moved

    def _turned(self) -> bool:
        if self._watermark.failure is not None:
            raise CommitFailed("the journal failed") from self._watermark.failure
        if self._intake.fault is not None:
            raise FaultReported(self._intake.fault)
        released = self._release()
        if self._stop is not None:
            self._stop_when_durable(self._stop)
            return released > 0
        self._wake_kernel()
        ahead = self.sequence - self._watermark.sequence
        facts = self._intake.take(self._room(ahead)) or self._intake.take_acts(self._rest(ahead))
        if facts:
            self._fold(facts)
        return bool(facts) or released > 0

    def _room(self, ahead: int) -> int:
        """How many inputs may be folded now, that far ahead of the disk."""
        left = max(0, self.limits.undurable_records_max - ahead)
        room = min(self.limits.batch_records_max, left)
        return room if self._takes_left is None else min(room, self._takes_left)

    def _rest(self, ahead: int) -> int:
        """How many of the operators' acts may be folded where nothing else may."""
        bound = self.limits.undurable_records_max + self.limits.undurable_acts_max
        assert 0 <= ahead <= bound
        return bound - ahead if self._takes_left is None else min(bound - ahead, self._takes_left)

    def _fold(self, facts: list[Input]) -> None:
        if self._takes_left is not None:
            self._takes_left -= len(facts)
        for fact in facts:
            moment = self._stamped()
            effects = self._kernel.step(moment, fact)
            self.sequence += 1
            record = Record(self.sequence, moment, fact, effects)
            self._unwritten.append(record)
            self._hold.add(record)
            urgent = [effect for effect in effects if type(effect) in _OVERTAKING]
            for effect in sorted(urgent, key=_waits):
                self._overtake(effect, moment)
            for effect in effects:
                if type(effect) is StopNode:
                    self._stop = KernelStopped(effect.detail)
            if self._stop is not None:
                self._begin_drain()
                break  # the kernel's last word: what else was taken is not folded
        self._write()
        if self.sequence - self._snapshot_sequence >= self.limits.snapshot_every_records:
            self._snapshot()

    def _overtake(self, effect: Effect, moment: Moment) -> None:
        if type(effect) is CancelOrder and self._hold.annihilate(effect.order_id):
            self._outlet.annihilate(effect.order_id)
        else:
            self._outlet.leave(effect, moment)

    def _release(self) -> int:
        """Let go of what is durable; how many records, also of those without effects."""
        held, durable = len(self._hold), self._watermark.sequence
        for moment, effect in self._hold.released(durable):
            if type(effect) is WakeAt:
                self._want_wake(effect.boot_ns)
            elif type(effect) is not StopNode:
                self._outlet.leave(effect, moment)
        self.released = durable
        return held - len(self._hold)

    def _write(self) -> None:
        if self._unwritten:
            self._journal.append(self._unwritten)
            self._unwritten = []  # only now: a refused batch is still to be written

    def _snapshot(self) -> None:
        """The state after the last record that the journal was given, if there is a newer one."""
        if self._save_snapshot is not None and self.sequence > self._snapshot_sequence:
            state = self._kernel.snapshot()
            self._save_snapshot(self.sequence, state, hashlib.sha256(state).hexdigest())
            self._snapshot_sequence = self.sequence

    def _stamped(self) -> Moment:
        """The clock's moment, held where it would go back."""
        now, last = self._clock.now(), self._moment
        if now.boot_ns < last.boot_ns or now.wall_ns < last.wall_ns:
            now = Moment(max(now.boot_ns, last.boot_ns), max(now.wall_ns, last.wall_ns))
        self._moment = now
        return now

    # --- time ----------------------------------------------------------------------------------

    def _want_wake(self, boot_ns: int) -> None:
        if boot_ns in self._wanted:
            return
        assert len(self._wakes) < self.limits.wakes_max, "the kernel waits for too many times"
        self._wanted.add(boot_ns)
        heapq.heappush(self._wakes, boot_ns)

    def _wake_kernel(self) -> None:
        """All wake-ups that are due become one `TimeAdvanced`."""
        if not self._wakes or self._wakes[0] > self._clock.now().boot_ns:
            return
        now_ns = self._clock.now().boot_ns
        while self._wakes and self._wakes[0] <= now_ns:
            self._wanted.remove(heapq.heappop(self._wakes))
        self._intake.offer(TimeAdvanced())

    def _set_timer(self) -> None:
        self._cancel_timer()
        wanted = [at for at in (self.next_wake_ns, self._drain_until_ns) if at is not None]
        wait_s = None if self._pulse is None else BEAT_EVERY_S
        if wanted:
            until_s = max(0, min(wanted) - self._clock.now().boot_ns) / SECOND_NS
            wait_s = until_s if wait_s is None else min(until_s, wait_s)
        if wait_s is not None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._intake.nudge)

    def _beat(self, phase: Phase) -> None:
        if self._pulse is not None:
            self._pulse.say(phase)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- stopping ------------------------------------------------------------------------------

    def _begin_drain(self) -> None:
        self._drain_until_ns = self._clock.now().boot_ns + self.limits.drain_ns_max
        self._intake.nudge()

    def _drain_is_over(self) -> bool:
        assert self._drain_until_ns is not None
        return self._clock.now().boot_ns >= self._drain_until_ns

    def _finished(self) -> bool:
        """Whether an orderly stop is complete; a disk that does not catch up in time is a fault."""
        if self._takes_left is None or self._stop is not None:
            return False
        if self._drain_is_over():
            raise FaultReported("the journal did not catch up within the time to stop")
        return not self._hold and (self._takes_left == 0 or not self._intake)

    def _stop_when_durable(self, stop: KernelStopped) -> None:
        if self._watermark.sequence >= self.sequence or self._drain_is_over():
            raise stop

    def _seal(self, fault: Exception, detail: str) -> None:
        """The part of the fault path that cannot wait: every step runs, whatever the others do."""
        moment = self._stamped()
        with ExitStack() as last_acts:  # runs them from the last to the first
            if self._watermark.failure is None:
                last_acts.callback(self._record_fault, fault, moment, detail)
            last_acts.callback(self._outlet.seal, detail, moment)

    def _record_fault(self, fault: Exception, moment: Moment, detail: str) -> None:
        """Journal what was folded, and the fault as the last input.

        The kernel is not asked any more, so the record has no effects; replay folds it for its
        state and compares nothing.
        """
        if not isinstance(fault, KernelStopped):
            self.sequence += 1
            self._unwritten.append(Record(self.sequence, moment, NodeFaulted(detail=detail), ()))
        self._write()


def _waits(effect: Effect) -> bool:
    """Whether it may have to wait for a disk, the register's: people are told before."""
    return type(effect) is not RaiseAlert


def _described(fault: Exception) -> str:
    """One line for people and the register: what happened, and what lay beneath it."""
    parts = [f"{type(fault).__name__}: {fault}"]
    if fault.__cause__ is not None:
        parts.append(f"{type(fault.__cause__).__name__}: {fault.__cause__}")
    return " <- ".join(parts).replace("\n", " ")[:DETAIL_CHARACTERS_MAX]
