"""One seed, from an empty account to its verdict."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from fuseboard.policy.data_rules import ReconciliationRules
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import DisconnectRule, LossRule, StrategyRule
from fuseboard.runtime.lockstep import LockstepEventLoop
from fuseboard.simulation import laws
from fuseboard.simulation.crashes import Crashed, Doors
from fuseboard.simulation.disk import Faults
from fuseboard.simulation.machine import Machine
from fuseboard.simulation.memory import Broken
from fuseboard.simulation.network import CALM, ROUGH, STORM
from fuseboard.simulation.people import People
from fuseboard.simulation.stranger import Stranger
from fuseboard.simulation.world import MILLI_NS, SECOND_NS, World
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.money import NANOS

TRADING_NS: Final = 20 * SECOND_NS
QUIET_NS: Final = 14 * SECOND_NS
"""Without faults, at the end: whatever was in doubt has an answer by then."""
TWIN_QUIET_NS: Final = 75 * SECOND_NS
"""With a second gateway or a stranger: longer than the time between two comparisons."""
CRASHES_MAX: Final = 4
DOORS_BETWEEN_CRASHES_MAX: Final = 700
JUMPS_S: Final = (-3_600, -5, 5, 90, 86_400)
INSTANCES: Final = ("simulone", "simultwo")
POLICY: Final = Policy(
    name="simulation",
    limits=Limits(
        order_quantity_nanos_max=400 * NANOS,
        order_value_nanos_max=40_000 * NANOS,
        position_fraction_nanos_max=NANOS * 7 // 10,
        gross_exposure_nanos_max=NANOS,
        order_rate_max=50,
    ),
    disconnect=DisconnectRule(enabled=True),
    losses=(
        LossRule(
            limit_nanos=NANOS // 50,
            warning_nanos=NANOS // 100,
            warning_clear_nanos=NANOS // 200,
            cooldown_ns=2 * SECOND_NS,
            resets_a_day_max=50,
            trips_a_day_max=50,
        ),
    ),
    strategies=(
        StrategyRule(
            name="alpha",
            capital_nanos=50_000 * NANOS,
            losses=(
                LossRule(
                    limit_nanos=NANOS // 50,
                    cooldown_ns=SECOND_NS,
                    resets_a_day_max=50,
                    trips_a_day_max=50,
                ),
            ),
        ),
        StrategyRule(name="beta", capital_nanos=50_000 * NANOS),
    ),
)
ADOPTING: Final = structs.replace(
    POLICY, reconciliation=ReconciliationRules(foreign_orders="adopt")
)


class Report(Struct, frozen=True, kw_only=True):
    """What one seed came to. `broken` is empty when every law held."""

    seed: int
    doors: int
    crashes: tuple[tuple[int, str], ...]
    records: int
    starts: int
    faults: int
    accepted: int
    twin: bool
    by_hand: int
    """What a stranger asked for at the exchange."""
    broken: tuple[str, ...]

    def repeat(self) -> str:
        """The command that runs the same seed again, with its first crash where it was."""
        crash = f" --crash {self.crashes[0][0]}" if self.crashes else ""
        stranger = " --stranger" if self.by_hand else ""
        return f"python -m fuseboard.simulation --seed {self.seed}{crash}{stranger}"


def run_seed(seed: int, *, crash: int | None = None, stranger: bool = False) -> Report:
    """Run one seed; `crash`: die at this door first, and at no other (0: at none). `stranger`:
    somebody trades by hand, and the policy adopts that.
    """
    with tempfile.TemporaryDirectory(prefix="fuseboard-simulation-", dir=_memory_disk()) as home:
        simulation = _Simulation(seed, crash, Path(home), stranger=stranger)
        try:
            simulation.run()
        finally:
            simulation.close()
        return simulation.report()


def _memory_disk() -> str | None:
    """Where files cost nothing, if there is such a place."""
    place = Path("/dev/shm")  # noqa: S108 - a private directory is made in it
    return str(place) if place.is_dir() else None


class _Simulation:
    def __init__(self, seed: int, crash: int | None, home: Path, *, stranger: bool) -> None:
        self.world = World(seed)
        self._chance = self.world.chance("plan")
        self._crashes_left = self._chance.randrange(CRASHES_MAX + 1)
        self._only_crash = crash
        self.doors = Doors(self._next_gap)
        self.weather = self._chance.choice((CALM, ROUGH, ROUGH, STORM))
        self.twin = self._chance.randrange(20) == 0 and not stranger
        self.stranger = Stranger(self.world, ends_ns=TRADING_NS) if stranger else None
        policy = ADOPTING if stranger else POLICY
        self.ends_ns = TRADING_NS + (TWIN_QUIET_NS if self.twin or stranger else QUIET_NS)
        names = INSTANCES if self.twin else INSTANCES[:1]
        self.machines = [
            Machine(
                self.world,
                name,
                doors=self.doors,
                policy=policy,
                weather=self.weather,
                home=home,
            )
            for name in names
        ]
        self.observer = laws.Observer(self.world, self.machines, policy, self.stranger)
        self.people = [
            People(self.world, machine, begins_ns=index * 6 * SECOND_NS + 1, ends_ns=TRADING_NS)
            for index, machine in enumerate(self.machines)
        ]
        self.broken: list[str] = []
        self._plan_faults()

    def run(self) -> None:
        """Live until the end, through every crash; then judge."""
        try:
            while self.world.now_ns < self.ends_ns:
                self._segment()
            if self.doors.dead:
                self.doors.arm()
            self.broken += laws.judge(self.world, self.machines, by_hand=self.stranger is not None)
        except Exception as failure:  # whatever it is, the seed has found something
            self.broken.append(f"{type(failure).__name__}: {failure}")
            raise Broken("\n".join(self._all_broken())) from failure

    def report(self) -> Report:
        """The verdict."""
        records = sum(machine.records for machine in self.machines)
        return Report(
            seed=self.world.seed,
            doors=self.doors.passed,
            crashes=tuple(self.doors.crashed_at),
            records=records,
            starts=sum(machine.starts for machine in self.machines),
            faults=sum(machine.faults for machine in self.machines),
            accepted=self.observer.accepted,
            twin=self.twin,
            by_hand=0 if self.stranger is None else self.stranger.asked,
            broken=tuple(self._all_broken()),
        )

    def close(self) -> None:
        """Let go of the disks."""
        for machine in self.machines:
            machine.disk.close()

    def _all_broken(self) -> list[str]:
        return [*self.broken, *(text for each in self.machines for text in each.memory.broken)]

    # --- time, in pieces from one crash to the next ----------------------------------------------

    def _segment(self) -> None:
        world = self.world
        loop = LockstepEventLoop(Moment(world.now_ns, world.wall_ns()), world)
        loop.set_exception_handler(lambda _loop, _context: None)  # what was cut off is not news
        try:
            asyncio.set_event_loop(loop)
            loop.run_until_complete(self._live())
        except Crashed:
            for machine in self.machines:
                machine.die()
        finally:
            _take_down(loop)
        if self.doors.dead and world.now_ns < self.ends_ns:
            world.pass_until(world.now_ns + self._chance.randrange(1, 4_000) * SECOND_NS // 1_000)
            self.doors.arm()

    async def _live(self) -> None:
        lives = [machine.live(self.ends_ns) for machine in self.machines]
        await asyncio.gather(*lives)

    # --- what goes wrong when --------------------------------------------------------------------

    def _next_gap(self) -> int | None:
        if self._only_crash is not None:
            gap, self._only_crash = self._only_crash, 0
            return gap or None
        if self._crashes_left == 0:
            return None
        self._crashes_left -= 1
        return self._chance.randrange(1, DOORS_BETWEEN_CRASHES_MAX)

    def _plan_faults(self) -> None:
        world, chance = self.world, self._chance
        if chance.random() < 0.6:
            ticks, fall = chance.randrange(4, 10), chance.choice((4, 8, 15)) * NANOS // 1_000
            self._sometime(lambda: world.crash_market(ticks, fall))
        for machine in self.machines:
            self._plan_faults_of(machine)
        world.after(TRADING_NS, self._quiet)
        world.after(self.ends_ns, self._stop)

    def _plan_faults_of(self, machine: Machine) -> None:
        chance = self._chance
        for _ in range(chance.randrange(3)):
            away_ns = chance.randrange(1, 3_000) * MILLI_NS
            self._sometime(partial(machine.line.disconnect, away_ns))
        for _ in range(chance.randrange(3)):
            self._sometime(partial(machine.jump_wall, chance.choice(JUMPS_S) * SECOND_NS))
        if chance.random() < 0.3:
            kind = chance.choice(("full", "sync_fails", "write_fails"))
            self._sometime(partial(machine.disk.fail, kind))

    def _sometime(self, happen: Callable[[], None]) -> None:
        self.world.after(self._chance.randrange(2_000, 19_000) * MILLI_NS, happen)

    def _quiet(self) -> None:
        """From now on nothing goes wrong any more."""
        self.doors.calm()
        self.world.hold_market()
        for machine in self.machines:
            machine.line.weather = CALM
            machine.disk.faults = Faults()

    def _stop(self) -> None:
        for machine in self.machines:
            if machine.process is not None:
                machine.process.loop.request_stop()


def _take_down(loop: LockstepEventLoop) -> None:
    """End what a dead process left in the loop; its doors do nothing any more."""
    try:
        for _ in range(3):
            left = asyncio.all_tasks(loop)
            if not left:
                break
            for task in left:
                task.cancel()
            with suppress(Crashed):
                loop.run_until_complete(asyncio.wait(left))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
