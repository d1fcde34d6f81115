"""A trial with the gate: the shipped loop in lock-step with the tape's time."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence

from fuseboard.core.kernel import Kernel
from fuseboard.exchange.direct import DirectFeed
from fuseboard.feeds.tapes.tape import Tape, TapeQuote
from fuseboard.lab.gated import ACCOUNT, INSTANCE, GatedDesk
from fuseboard.lab.memory_register import MemoryRegister
from fuseboard.lab.resting import DAY_NS, Resting
from fuseboard.lab.stage import Stage
from fuseboard.lab.tape_calendar import ExchangeClock, calendar_of, times_to_compare
from fuseboard.lab.world import World
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.runtime.budget import Budget
from fuseboard.runtime.build import build
from fuseboard.runtime.intake import Intake
from fuseboard.runtime.lockstep import InstantJournal, LockstepEventLoop, run_lockstep
from fuseboard.runtime.loop import Loop
from fuseboard.runtime.outlet import Outlet
from fuseboard.runtime.sessions import SessionSchedule
from fuseboard.runtime.times_of_day import TimesTold
from fuseboard.runtime.watermark import Watermark
from fuseboard.vocabulary.identifiers import feed_of
from fuseboard.vocabulary.inputs import Moment, NodeStarted, PolicyAdopted
from fuseboard.vocabulary.market_inputs import FeedHeard
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.records import Record

Keep = Callable[[Record], None]


def play_protected(
    stage: Stage, policy: Policy, strategy: str, keep: Keep | None, *, leaps: bool = True
) -> int:
    """Play the stage to its end; how many inputs the kernel folded.

    Of a tape of more than a day time leaps where nothing can happen (`lab/resting.py`), if it may.

    Raises what the strategy raised, as `StrategyFailed`, and `NodeStopped`.
    """
    session = stage.tape.session
    leaps = leaps and session.close_ns - session.open_ns > DAY_NS
    start = Moment(NANOS, stage.began_ns)
    agenda = _TapeTime(start)
    node = _Node(stage, policy, strategy, keep or _forget, agenda, leaps=leaps)
    return run_lockstep(start, node.run, agenda)


class _TapeTime:
    """The world as the event loop's agenda: time stops where a slice ends."""

    def __init__(self, start: Moment) -> None:
        self._start = start
        self._now_ns = start.wall_ns
        self._world: World | None = None
        self._over: asyncio.Future[None] | None = None
        self._resting: Resting | None = None

    def begin(
        self, world: World, over: "asyncio.Future[None]", resting: Resting | None = None
    ) -> None:
        """From now on the tape plays; `over` is done when it has."""
        self._world, self._over, self._resting = world, over, resting

    def due_in_ns(self) -> int | None:
        """How long until a slice ends."""
        due_ns = None if self._world is None else self._world.due_ns()
        return None if due_ns is None else due_ns - self._now_ns

    def leap_ns(self) -> int:
        """How far time may leap over readings that would say nothing new; 0: not at all."""
        due_in_ns = None if self._resting is None else self.due_in_ns()
        if self._resting is None or due_in_ns is None:
            return 0
        passed_ns = self._now_ns - self._start.wall_ns
        return self._resting.leap_ns(
            Moment(self._start.boot_ns + passed_ns, self._now_ns), due_in_ns
        )

    def pass_ns(self, passed_ns: int) -> None:
        """Time has passed; what the strategy raises ends the run."""
        self._now_ns += passed_ns
        world = self._world
        if world is None:
            return
        self._world = None  # what is raised must not be raised again while the loop is taken down
        world.pass_to(self._now_ns)
        if not world.over:
            self._world = world
        elif self._over is not None:
            self._over.set_result(None)


class _Node:
    """One node, put together over the lab's doors."""

    def __init__(
        self,
        stage: Stage,
        policy: Policy,
        strategy: str,
        keep: Keep,
        agenda: _TapeTime,
        *,
        leaps: bool,
    ) -> None:
        self._stage = stage
        self._policy = policy
        self._strategy = strategy
        self._keep = keep
        self._agenda = agenda
        self._leaps = leaps
        self._compared_at = times_to_compare(stage.exchange.hours, policy.reconciliation)

    async def run(self, clock: LockstepEventLoop) -> int:
        """Start, play, stop in order."""
        stage = self._stage
        kernel = Kernel()
        stage.chronicle.score_of = kernel.liquidity_seen
        stage.chronicle.follows_calibrated = self._policy.liquidity.calibrated
        intake = Intake()
        feed = DirectFeed()
        desk = GatedDesk(
            strategy=self._strategy,
            intake=intake,
            exchange=stage.exchange,
            feed=feed,
            chronicle=stage.chronicle,
            liquidating=stage.liquidating,
            quotes=stage.quotes,
            now_ns=lambda: clock.now().wall_ns,
        )
        outlet = self._outlet(desk, feed, intake, clock)
        watermark = Watermark()
        resting = self._resting(kernel) if self._leaps else None
        loop = Loop(
            kernel=kernel,
            clock=clock,
            intake=intake,
            journal=InstantJournal(watermark, self._keep if resting is None else resting.keep),
            watermark=watermark,
            outlet=outlet,
        )
        sessions = self._sessions(intake, clock)
        over = clock.create_future()
        world = stage.world(desk)
        self._agenda.begin(world, over, resting)
        await outlet.start()
        for symbol in stage.tape.symbols:
            await feed.watch(symbol)
        self._offer_start(intake)
        await _served(loop, [sessions.run(), *self._times(intake, clock)], over)
        await outlet.stop()
        stage.ended_ns = world.end()
        return loop.sequence

    def _outlet(
        self, desk: GatedDesk, feed: DirectFeed, intake: Intake, clock: LockstepEventLoop
    ) -> Outlet:
        chance = chance_of(self._stage)
        return Outlet(
            broker=desk.broker,
            feed=feed,
            register=MemoryRegister(),
            intake=intake,
            clock=clock,
            budget=budget_of(self._policy, chance),
            views=[desk],
            pagers=[desk],
            randbelow=chance.randrange,
        )

    def _resting(self, kernel: Kernel) -> Resting:
        return Resting(
            self._stage.exchange.hours,
            rests_until=kernel.rests_until_boot_ns,
            every_ns=self._policy.reconciliation.every_ns,
            times=self._compared_at,
            keep=self._keep,
        )

    def _times(self, intake: Intake, clock: LockstepEventLoop) -> list[Coroutine[None, None, None]]:
        """The telling of the policy's times of day, where it has some."""
        if not self._policy.reconciliation.at:
            return []
        told = TimesTold(lambda: self._compared_at, clock=clock, offer=intake.offer)
        return [told.run()]

    def _sessions(self, intake: Intake, clock: LockstepEventLoop) -> SessionSchedule:
        chronicle, exchange = self._stage.chronicle, self._stage.exchange
        return SessionSchedule(
            calendar=calendar_of(exchange.hours),
            broker=ExchangeClock(exchange, lambda: clock.now().wall_ns),
            clock=clock,
            offer=intake.offer,
            tell=lambda text: chronicle.note(clock.now().wall_ns, "alert", text=text),
        )

    def _offer_start(self, intake: Intake) -> None:
        text = canonical_text(self._policy)
        intake.offer(PolicyAdopted(text=text, digest=digest_of(text), operator="lab"))
        intake.offer(
            NodeStarted(
                instance=INSTANCE,
                account=ACCOUNT,
                release=build(),
                strategies=(self._strategy,),
            )
        )
        tape = self._stage.tape
        for name in dict.fromkeys(feed_of(symbol) for symbol in tape.symbols):
            intake.offer(FeedHeard(feed=name, real_time=False, lacks=lacks_of(tape)))


def budget_of(policy: Policy, chance: random.Random) -> Budget:
    """The broker's limit of requests, which binds with the gate and without."""
    execution = policy.execution
    return Budget(
        requests_a_minute=execution.requests_a_minute,
        reserved=execution.requests_a_minute * execution.protected_share_nanos // NANOS,
        randbelow=chance.randrange,
    )


def chance_of(stage: Stage) -> random.Random:
    """Jitter, repeatable on purpose."""
    return random.Random(stage.terms.seed)  # noqa: S311


def lacks_of(tape: Tape) -> tuple[str, ...]:
    """What of liquidity a tape cannot tell: the book of derived quotes, trades of a sample."""
    first = next((event for event in tape.read() if isinstance(event, TapeQuote)), None)
    lacks = []
    if first is not None and first.derived and not first.bids:
        lacks.append("sizes")
    if tape.cadence.sampled:
        lacks.append("trades")
    if first is not None and first.derived:
        lacks.append("spread")
    return tuple(lacks)


async def _served(
    loop: Loop, tellings: Sequence[Coroutine[None, None, None]], over: "asyncio.Future[None]"
) -> None:
    """Serve until the tape is over, or something has ended that must not."""
    serving = asyncio.create_task(loop.run())
    telling = [asyncio.create_task(each) for each in tellings]
    try:
        await asyncio.wait({serving, *telling, over}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in telling:
            task.cancel()
        loop.request_stop()
        await asyncio.wait({serving, *telling})
    for task in (serving, *telling):
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            raise fault


def _forget(record: Record) -> None:
    del record
