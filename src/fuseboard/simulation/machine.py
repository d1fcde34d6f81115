"""One gateway on its machine: the shipped parts, put together over the world's doors.

A `Machine` outlives its processes. It has a disk, a way to the exchange, and clocks of its own: its
boot time starts again when the power comes back, its wall clock jumps. A `Process` is one run of
the gateway: recovery, journal, register, loop and outlet are what `fuseboard run` uses.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from fuseboard.halts.block import SLOTS, Slot
from fuseboard.halts.register import HaltsRegister, RegisterUnwritable
from fuseboard.journal.file import create_journal
from fuseboard.journal.writer import JournalWriter
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.runtime.budget import Budget
from fuseboard.runtime.build import build
from fuseboard.runtime.bulk_cancels import BulkLimits
from fuseboard.runtime.clock import SystemClock
from fuseboard.runtime.intake import Intake
from fuseboard.runtime.loop import Loop, LoopLimits, NodeStopped
from fuseboard.runtime.outlet import Outlet, OutletLimits
from fuseboard.runtime.recovery import restored
from fuseboard.runtime.register_watch import RegisterWatch
from fuseboard.runtime.watermark import Watermark
from fuseboard.simulation.crashes import Crashed, Doors
from fuseboard.simulation.disk import Disk, Faults
from fuseboard.simulation.memory import Memory
from fuseboard.simulation.network import Line, Weather
from fuseboard.simulation.world import MILLI_NS, SECOND_NS, START_WALL_NS, World
from fuseboard.vocabulary.effects import LatchHalt, SubmitOrder
from fuseboard.vocabulary.inputs import (
    LatchedScope,
    Moment,
    NodeStarted,
    PolicyAdopted,
    RegisterEpochs,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.records import Record

ACCOUNT: Final = "A1"
STRATEGIES: Final = ("alpha", "beta")
JOURNAL: Final = "journal.db"
REGISTER: Final = "halts"
LIMITS: Final = LoopLimits(snapshot_every_records=150)
GATEWAY_READS_A_MINUTE: Final = 20


class Machine:
    """One host with a gateway's state; `memory` is what people and strategies were told by it."""

    def __init__(
        self,
        world: World,
        instance: str,
        *,
        doors: Doors,
        policy: Policy,
        weather: Weather,
        home: Path,
    ) -> None:
        self.world = world
        self.instance = instance
        self.policy = policy
        self.doors = doors
        self.memory = Memory()
        self.process: Process | None = None
        self.starts = 0
        self.faults = 0
        self.records = 0
        self.chance = world.chance(f"machine of {instance}")
        self._boot_began_ns = -self.chance.randrange(1, 1_000) * SECOND_NS
        self._wall_ahead_ns = 0
        self.line = Line(world, instance, doors, weather)
        self.line.on_start = self._judge_start
        self.disk = Disk(instance, doors, world.chance(f"disk of {instance}"), home)
        create_journal(self.path(JOURNAL), instance, START_WALL_NS)
        HaltsRegister.create(self.path(REGISTER))
        self.disk.adopt()

    def path(self, name: str) -> Path:
        """Where a file now is."""
        return self.disk.directory / name

    def boot_ns(self) -> int:
        """The machine's boot clock."""
        return self.world.now_ns - self._boot_began_ns

    def wall_ns(self) -> int:
        """The machine's idea of the time of day."""
        return self.world.wall_ns() + self._wall_ahead_ns

    def jump_wall(self, by_ns: int) -> None:
        """Somebody set the clock."""
        self._wall_ahead_ns += by_ns

    def latch_from_outside(self, halt: LatchHalt) -> None:
        """Another process writes a halt into the register."""
        register = HaltsRegister(self.path(REGISTER), Slot.OPERATOR, files=self.disk)
        try:
            register.latch(halt, Moment(self.boot_ns(), self.wall_ns()))
            self.memory.latched[halt.scope] = halt.halt_epoch
        except RegisterUnwritable:
            pass  # its caller is told that it failed
        finally:
            register.close()

    async def live(self, until_ns: int) -> None:
        """Run the gateway, and again after each fault, until its orderly stop."""
        while self.world.now_ns < until_ns:
            process = self.process = Process(self)
            self.starts += 1
            try:
                await process.serve()
            except NodeStopped:
                self.faults += 1
            else:
                return
            finally:
                self.process = None
                self.line.cut()
            if self.doors.dead:
                raise Crashed("the machine died while its gateway was stopping")
            self.disk.faults = Faults()
            await asyncio.sleep(self.chance.randrange(200, 3_000) / 1_000)

    def die(self) -> None:
        """The process is killed, or the machine loses power."""
        power = self.chance.random() < 0.6
        self.process = None
        self.line.cut()
        self.disk.lose(power=power)
        if power:
            self._boot_began_ns = self.world.now_ns - self.chance.randrange(1, 30) * SECOND_NS

    def _judge_start(self, order: SubmitOrder) -> None:
        """Law 5, asked at the socket by somebody else: was this order decided after every halt of
        this run, and does the register halt it now?
        """
        if order.raises_exposure:
            newest = 0 if self.process is None else self.process.register.newest_epoch
            late = f"{order.order_id} starts although it was decided before a halt"
            self.memory.holds("5", order.halt_epoch >= newest, late)
            register = HaltsRegister(self.path(REGISTER), Slot.OPERATOR, files=self.disk)
            halted = register.halts(order.strategy, order.symbol)
            register.close()
            self.memory.holds("5", not halted, f"{order.order_id} starts although it is halted")


class Process:
    """One run of the gateway. Raises what a start raises."""

    def __init__(self, machine: Machine) -> None:
        world, disk, doors = machine.world, machine.disk, machine.doors
        self._machine = machine
        path = machine.path(JOURNAL)
        came_back = restored(path, disk.connect)
        recovered = came_back.recovered
        self._last = recovered.last_moment
        watermark = Watermark(recovered.last_sequence)
        self._journal = JournalWriter(
            path,
            last_sequence=recovered.last_sequence,
            last_chain=recovered.last_chain,
            durable=watermark.durable,
            failed=watermark.failed,
            release=build(),
            connect=disk.connect,
            files=disk,
            commits=lambda turn: WorldCommits(machine, turn),
        )
        self._clock = SystemClock(
            recovered.last_moment, boot_ns=machine.boot_ns, wall_ns=machine.wall_ns
        )
        register = HaltsRegister(machine.path(REGISTER), Slot.GATEWAY, lifts=SLOTS, files=disk)
        self.register = RememberedRegister(register, machine.memory)
        self.intake = Intake()
        jitter = world.chance(f"jitter of {machine.instance} {machine.starts}").randrange
        execution = machine.policy.execution
        self._outlet = Outlet(
            broker=machine.line,
            feed=machine.line.feed,
            register=self.register,
            intake=self.intake,
            clock=self._clock,
            budget=Budget(
                requests_a_minute=execution.requests_a_minute - GATEWAY_READS_A_MINUTE,
                reserved=execution.requests_a_minute * execution.protected_share_nanos // NANOS,
                randbelow=jitter,
            ),
            views=[machine.memory],
            pagers=[machine.memory],
            randbelow=jitter,
            limits=OutletLimits(bulk=_bulk_limits(world)),
        )
        self.loop = Loop(
            kernel=came_back.kernel,
            clock=self._clock,
            intake=self.intake,
            journal=DooredJournal(self._journal, doors),
            watermark=watermark,
            outlet=self._outlet,
            last=recovered.last_moment,
            save_snapshot=self._save_snapshot,
            limits=LIMITS,
        )
        self._read = register

    async def serve(self) -> None:
        """Run to the orderly stop. Raises `NodeStopped` for a fault."""
        started = self._offer_start()
        watch = RegisterWatch(self._read, self.intake.offer, started=started)
        await self._outlet.start()
        watching = asyncio.create_task(watch.run())
        try:
            await self.loop.run()
        finally:
            watching.cancel()
            if not self._machine.doors.dead:
                await self._outlet.stop()
                self._journal.close()
            self.register.close()

    def _offer_start(self) -> NodeStarted:
        """As `fuseboard run` does, from the register as it is; what was told."""
        policy = canonical_text(self._machine.policy)
        self.intake.offer(PolicyAdopted(text=policy, digest=digest_of(policy), operator="start"))
        latched, unreadable = self.register.at_start()
        started = NodeStarted(
            instance=self._machine.instance,
            account=ACCOUNT,
            release=build(),
            strategies=STRATEGIES,
            latched=latched,
            register_unreadable=unreadable,
            register_epochs=self.register.epochs(),
            last_wall_ns=0 if self._last is None else self._last.wall_ns,
        )
        self.intake.offer(started)
        return started

    def _save_snapshot(self, sequence: int, body: bytes, digest: str) -> None:
        self._journal.snapshot(sequence, body, digest, policy_digest="")


class WorldCommits:
    """The journal's turns as steps of the world: a little after something was queued."""

    def __init__(self, machine: Machine, turn: Callable[[bool], bool]) -> None:
        self._machine = machine
        self._turn = turn
        self._life = machine.disk.life
        self._due = False
        self._over = False

    def queued(self) -> None:
        """Take a turn soon, one for all that is queued until then."""
        if not self._due and not self._over:
            self._due = True
            chance = self._machine.chance
            delay_ns = chance.randrange(1, 8) * MILLI_NS
            if chance.randrange(50) == 0:
                delay_ns += chance.randrange(400) * MILLI_NS
            self._machine.world.after(delay_ns, self._take_turn)

    def join(self) -> None:
        """Take turns until there is nothing more to write."""
        while not self._over:
            self._over = not self._turn(False)

    def _take_turn(self) -> None:
        self._due = False
        if self._over or not self._machine.disk.is_of_this_life(self._life):
            return
        self._machine.doors.at("before a commit")
        self._over = not self._turn(False)
        self._machine.doors.at("after a commit")


class DooredJournal:
    """The journal, with a door before and after each append."""

    def __init__(self, journal: JournalWriter, doors: Doors) -> None:
        self._journal = journal
        self._doors = doors

    def append(self, records: Sequence[Record]) -> None:
        """Append."""
        self._doors.at("before an append")
        self._journal.append(records)
        self._doors.at("after an append")

    def close(self) -> None:
        """Close."""
        self._journal.close()


class RememberedRegister:
    """The register; the memory learns what was latched when the latch had returned."""

    def __init__(self, register: HaltsRegister, memory: Memory) -> None:
        self.newest_epoch = 0
        """The highest halt epoch that this run has latched."""
        self._register = register
        self._memory = memory

    def at_start(self) -> tuple[tuple[LatchedScope, ...], bool]:
        """What the file holds. Whatever was latched must still be in it (law 7)."""
        latched, unreadable = self._register.at_start()
        scopes = {at.scope for at in latched}
        for scope in self._memory.latched:
            kept = unreadable or scope in scopes
            self._memory.holds("7", kept, f"the latch of {scope} is gone after a restart")
        return latched, unreadable

    def epochs(self) -> RegisterEpochs | None:
        """As the file has them."""
        return self._register.epochs()

    def latch(self, halt: LatchHalt, moment: Moment) -> None:
        """Latch, then remember."""
        self._register.latch(halt, moment)
        self.newest_epoch = max(self.newest_epoch, halt.halt_epoch)
        self._memory.latched[halt.scope] = halt.halt_epoch

    def clear(
        self, scope: str, halt_epoch: int, moment: Moment, *, operator: str, reason: str
    ) -> None:
        """Forget, then clear: a crash in between may leave either."""
        self._memory.latched.pop(scope, None)
        self._register.clear(scope, halt_epoch, moment, operator=operator, reason=reason)

    def halts(self, strategy: str, symbol: str) -> bool:
        """As the file says."""
        return self._register.halts(strategy, symbol)

    def close(self) -> None:
        """Let go of the file."""
        self._register.close()


def _bulk_limits(world: World) -> BulkLimits:
    """In one world of four two orders are many: more seldom work at a time here. By a chance of its
    own, so that the seeds that are kept for other faults run as they ran when they were found.
    """
    return BulkLimits(orders_min=2 if world.chance("bulk cancels").randrange(4) == 0 else 8)
