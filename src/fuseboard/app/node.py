"""The node: every room of one running gateway, put together. The only file that knows them all."""

import asyncio
import gc
import os
import secrets
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

from fuseboard.app.adopting import adoption_at_start
from fuseboard.app.alert_doors import AlertDoors
from fuseboard.app.broker_choice import account_of
from fuseboard.app.broker_latching import BrokerLatching
from fuseboard.app.calendar_choice import calendar_of, times_to_compare
from fuseboard.app.drain import Drain, drain_rule
from fuseboard.app.guardian_link import GuardianLink, guardian_is_wanted, orders_of
from fuseboard.app.kill_ways import halt_file_of, operator_keys_of
from fuseboard.app.lost_register import usable_register
from fuseboard.app.node_options import NodeOptions, port_refused
from fuseboard.app.outside import GATEWAY_READS_A_MINUTE, outside, policy_views, strategies_door
from fuseboard.app.ready import tell_ready
from fuseboard.app.replaying import replayed
from fuseboard.app.shown import ShownBroker, ShownFeed
from fuseboard.app.signals import obey_signals
from fuseboard.app.starting import flattens_not_begun, node_started
from fuseboard.app.supervised import Supervised
from fuseboard.app.tape_end import tell_tape_end
from fuseboard.app.tape_time import tell_dividends, tell_sessions, tell_times_of_day
from fuseboard.app.time_ahead import time_about, told_at_start
from fuseboard.brokers.alpaca import AlpacaBroker
from fuseboard.control.board import Board
from fuseboard.control.operator_api import OperatorApi
from fuseboard.control.state_directory import Identity
from fuseboard.control.statistics_kept import KeptStatistics
from fuseboard.feeds.alpaca_both import AlpacaFeeds
from fuseboard.gateway.door import LOOPBACK, GatewayDoor
from fuseboard.gateway.keys import Keys
from fuseboard.guardian.orders import Orders, Place
from fuseboard.halts.block import SLOTS, Slot
from fuseboard.halts.history import HaltsHistory
from fuseboard.halts.register import HaltsRegister
from fuseboard.journal.writer import JournalWriter
from fuseboard.policy.policy import Policy, policy_from_canonical, tags_of
from fuseboard.runtime.beside import begun_beside
from fuseboard.runtime.budget import Budget
from fuseboard.runtime.build import build
from fuseboard.runtime.clock import SystemClock
from fuseboard.runtime.halt_file import HaltFile
from fuseboard.runtime.intake import Intake
from fuseboard.runtime.loop import Loop, NodeStopped
from fuseboard.runtime.meter import MeteredKernel
from fuseboard.runtime.outlet import Outlet
from fuseboard.runtime.register_watch import RegisterWatch
from fuseboard.runtime.watermark import Watermark
from fuseboard.upkeep.backup_schedule import BackupSchedule
from fuseboard.upkeep.restore import restored_since
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import NodeStarted
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

FAULTED: Final = 3
SWITCH_INTERVAL_S: Final = 0.0002
"""How soon the journal's thread gets the interpreter back from a busy loop."""


class Node:
    """One running gateway. `serve` runs it to its end and gives the exit code. `say` raises
    nothing and waits for nobody who reads.
    """

    def __init__(self, options: NodeOptions, say: Callable[[str], None]) -> None:
        self._options, self._say = options, say
        self._state = options.state
        self._identity: Identity = options.state.identity()
        self._lock = options.state.lock()
        self._account_lock = account_of(options.broker, options.state)
        options.state.gateway_file.unlink(missing_ok=True)  # one that was killed serves no more
        self._made_again = usable_register(options.state)
        self._calendar = calendar_of(options.policy.session, self._state.path / "calendars")
        self._keys = Keys(self._state.keys_file)
        self._strategy = Supervised(options.command, options.strategy, self._keys)
        came_back = replayed(self._state, say)
        recovered = came_back.recovered
        self._kernel = came_back.kernel
        self._adopted = adoption_at_start(
            came_back.kernel, options.policy, options.policy_file, options.person
        )
        self._restored = restored_since(options.state, came_back.kernel.restored_wall_ns())
        self._meter = MeteredKernel(came_back.kernel)
        self._watermark = Watermark(recovered.last_sequence)
        self._journal = JournalWriter(
            self._state.journal_file,
            last_sequence=recovered.last_sequence,
            last_chain=recovered.last_chain,
            durable=self._watermark.durable,
            failed=self._watermark.failed,
            release=build(),
        )
        self._clock = SystemClock(recovered.last_moment)
        self._last, self._refused_snapshots = recovered.last_moment, recovered.refused
        self._history = HaltsHistory(self._state.history_file)
        self._register = HaltsRegister(
            self._state.register_file,
            Slot.GATEWAY,
            lifts=SLOTS,
            told=self._history.note,
            tags=tags_of(options.policy),
        )
        now_ns = self._clock.now().wall_ns
        self._statistics = KeptStatistics(self._state, recovered.last_sequence, wall_ns=now_ns)
        self._board = Board(lambda: self._clock.now().wall_ns, self._statistics.counting)
        self._alerts = AlertDoors(self._state.log_file, self._board)
        self._latching = BrokerLatching(
            Place(self._state.path),
            broker=options.broker,
            instance=self._identity.instance,
            is_halted=partial(self._register.halts, "", ""),
        )
        self._guardian, self._backups = self._new_guardian(), self._new_backups()
        self._stopping, self._hurry = asyncio.Event(), asyncio.Event()
        self._ended_in_order, self._last_line = False, ""

    def _new_guardian(self) -> GuardianLink:
        return GuardianLink(
            self._state,
            wanted=self._options.guardian and guardian_is_wanted(self._options.policy),
            expected=guardian_is_wanted(self._options.policy),
            orders=self._guardians_orders,
            policy_digest=self._kernel.policy_digest,
            broker=self._options.broker,
            latching=self._latching,
            pagers=self._alerts.pagers,
            say=self._say,
        )

    def _new_backups(self) -> BackupSchedule:
        return BackupSchedule(
            self._state,
            rule=lambda: self._in_force().backup,
            policy_digest=self._kernel.policy_digest,
            pagers=self._alerts.pagers,
        )

    def _in_force(self) -> Policy:
        """The policy in force; before the first one is adopted, the one that is asked for."""
        known = self._kernel.policy_again()
        return self._options.policy if known is None else policy_from_canonical(known.text)

    def _guardians_orders(self) -> Orders:
        return orders_of(self._in_force(), self._identity, self._options.broker)

    async def serve(self) -> int:
        """Run until a signal, the supervised strategy's end, or a fault."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        intake = Intake()
        broker, feed = outside(self._options.broker, self._identity.instance, intake.fail)
        presence = self._strategy.presence(intake, self._kernel.strategies_at_work())
        door = strategies_door(self._state, self._keys, intake, broker, feed, presence)
        api = OperatorApi(
            intake=intake,
            board=self._board,
            meter=self._meter,
            waited=lambda: intake.waited,
            about=self._about,
            known=self._kernel,
            watermark=lambda: self._watermark.sequence,
            settled=lambda scope: outlet.settled(scope),  # noqa: PLW0108 - it is made below
            keys=operator_keys_of(self._state, self._options.policy.kill_switch),
            keeper=self._strategy.pid,
            halt_file=partial(halt_file_of, self._state),
            page=partial(self._alerts.tell, Severity.PAGE, Reason.INTRUDER),
        )
        outlet = self._outlet(intake, broker, feed, door, api)
        loop = self._loop(intake, outlet)
        obey_signals(self._stopping, self._hurry)
        gc.collect()
        gc.freeze()
        beside: list[asyncio.Task[None]] = []
        try:
            if not await self._guardian.take_over(self._stopping, partial(self._bind, door, api)):
                return 0
            started = self._offer_start(intake)
            serving = asyncio.create_task(loop.run())
            beside = self._beside(intake, broker, started, door)
            await outlet.start()
            port = await door.start(self._options.host, self._options.port)
            self._say_ready(port, await self._control(api, port))
            self._guardian.start()
            drain = self._drain(door, outlet, intake, broker, serving)
            code = await self._until_stopped(serving, loop, port, drain)
        except NodeStopped as fault:
            return self._faulted(fault)
        except OSError:
            if self._watermark.failure is None:
                raise
            await asyncio.wait([serving])  # it latches and cancels: the disk failed it too
            return self._faulted(serving.exception())
        else:
            self._ended_in_order = not drain.leaves_orders
            return code
        finally:
            for task in beside:
                task.cancel()
            await self._strategy.stop()
            await door.stop()
            await api.stop()
            await outlet.stop()
            self._close()
            if self._last_line:
                self._say(self._last_line)

    def _faulted(self, fault: BaseException | None) -> int:
        self._say(f"the node stopped itself: {fault}")
        return FAULTED

    def _drain(
        self,
        door: GatewayDoor,
        outlet: Outlet,
        intake: Intake,
        broker: AlpacaBroker,
        serving: "asyncio.Task[None]",
    ) -> Drain:
        return Drain(
            rule=drain_rule(self._options.policy.kill_switch),
            door=door,
            outlet=outlet,
            intake=intake,
            board=self._board,
            broker=broker,
            serving=serving,
            hurry=self._hurry,
            say=self._say,
            page=partial(self._alerts.tell, Severity.PAGE, Reason.DRAINING),
            is_watched=self._guardian.is_watched,
        )

    def _loop(self, intake: Intake, outlet: Outlet) -> Loop:
        def save_snapshot(sequence: int, body: bytes, digest: str) -> None:
            policy_digest = self._kernel.policy_digest()  # asked in the loop, between two steps
            self._journal.snapshot(sequence, body, digest, policy_digest=policy_digest)
            self._statistics.save(loop.released)

        loop = Loop(
            kernel=self._meter,
            clock=self._clock,
            intake=intake,
            journal=self._journal,
            watermark=self._watermark,
            outlet=outlet,
            last=self._last,
            save_snapshot=save_snapshot,
            pulse=self._guardian.pulse(
                durable=lambda: self._watermark.sequence,
                intake=intake.__len__,
                oldest_call_age_ns=outlet.oldest_call_age_ns,
            ),
        )
        return loop

    def _beside(
        self, intake: Intake, broker: AlpacaBroker, started: NodeStarted, door: GatewayDoor
    ) -> "list[asyncio.Task[None]]":
        """What runs beside the loop and offers it facts, or watches who watches us.

        What protects stops the node when it dies; backups and the tape's end are only told.
        """
        watch = RegisterWatch(self._register, intake.offer, started=started)
        halt_file = HaltFile(self._state.halt_file, self._register, intake.offer)
        halt_file.look()  # one that lies there already halts before the first order
        work = {
            "the watch over the halts register": watch.run(),
            "the watch over the guardian": self._guardian.run(),
            "the watch over who is connected": door.presence.run(),
            "the watch over the file HALT": halt_file.run(),
        }
        speed = self._options.tape_speed_nanos
        if self._options.sessions or speed:
            work["the telling of sessions"] = tell_sessions(
                calendar=self._calendar,
                broker=broker,
                clock=self._clock,
                tape_speed_nanos=speed,
                offer=intake.offer,
                tell=partial(self._alerts.tell, Severity.WARNING, Reason.CLOCKS_DISAGREE),
            )
        work["the telling of times of day"] = tell_times_of_day(
            lambda: times_to_compare(self._options.policy.session, self._in_force()),
            broker=broker,
            clock=self._clock,
            tape_speed_nanos=speed,
            offer=intake.offer,
        )
        tasks = [begun_beside(each, name=name, died=intake.fail) for name, each in work.items()]
        page = partial(self._alerts.tell, Severity.PAGE, Reason.ALERTS_LATE)
        tasks.append(
            begun_beside(self._alerts.watch(), name="the watch over slow doors", died=page)
        )
        page = partial(self._alerts.tell, Severity.PAGE, Reason.BACKUP)
        schedule = "the schedule of backups (none is made until the gateway is started again)"
        tasks.append(begun_beside(self._backups.run(), name=schedule, died=page))
        if self._options.sessions or speed:
            page = partial(self._alerts.tell, Severity.PAGE, Reason.DIVIDEND)
            reading = tell_dividends(self._kernel.held, broker, self._clock, speed, intake.offer)
            tasks.append(begun_beside(reading, name="the reading of dividends", died=page))
        if self._options.plays_tape:
            tell = partial(self._alerts.tell, Severity.WARNING, Reason.FEED_DEAD)
            tape = tell_tape_end(self._options.broker.base_url, tell)
            name = "the watch over the tape"
            tasks.append(begun_beside(tape, name=name, died=tell, may_end=True))
        return tasks

    def _outlet(
        self,
        intake: Intake,
        broker: AlpacaBroker,
        feed: AlpacaFeeds,
        door: GatewayDoor,
        api: OperatorApi,
    ) -> Outlet:
        execution = self._options.policy.execution
        return Outlet(
            broker=ShownBroker(broker, door.apply),
            feed=ShownFeed(feed, door.apply),
            register=self._register,
            intake=intake,
            clock=self._clock,
            budget=Budget(
                requests_a_minute=execution.requests_a_minute - GATEWAY_READS_A_MINUTE,
                reserved=execution.requests_a_minute * execution.protected_share_nanos // NANOS,
                randbelow=secrets.randbelow,
            ),
            views=[door, self._board, api, *policy_views(feed, door, self._in_force)],
            pagers=self._alerts.pagers,
            randbelow=secrets.randbelow,
            latches=self._latching,
        )

    def _bind(self, door: GatewayDoor, api: OperatorApi) -> None:
        """Take the ports. A refusal leaves the heartbeat alone: whoever is missed stays missed."""
        host, port, option = self._options.host, self._options.port, "--port"
        try:
            door.bind(host, port)
            if self._options.control_port is not None:
                host, port, option = LOOPBACK, self._options.control_port, "--control-port"
                api.bind(port)
        except OSError as error:
            raise port_refused(error, f"{host}:{port}", option) from error

    async def _control(self, api: OperatorApi, port: int) -> int | None:
        """Open the operators' doors; the port of who has a key, None where none is wanted."""
        wanted = self._options.control_port
        return await api.start(self._state.socket_file, wanted, strategies_port=port)

    def _offer_start(self, intake: Intake) -> NodeStarted:
        intake.offer(self._adopted)
        started = node_started(
            self._register,
            self._history,
            identity=self._identity,
            strategies=self._strategy.names(),
            restored=self._restored,
            guardian=Place(self._state.path).journal_file,
            last=self._last,
            warn=partial(self._alerts.tell, Severity.WARNING, Reason.HISTORY_DAMAGED),
        )
        intake.offer(started)
        for text in [*self._made_again, *flattens_not_begun(started, self._kernel)]:
            self._alerts.tell(Severity.PAGE, Reason.REGISTER_LATCHED, text)
        for text in told_at_start(self._clock.now().wall_ns, self._clock.ahead_ns()):
            self._alerts.tell(Severity.PAGE, Reason.CLOCKS_DISAGREE, text)
        return started

    async def _until_stopped(
        self, serving: "asyncio.Task[None]", loop: Loop, port: int, drain: Drain
    ) -> int:
        """Wait for the first of: a fault, a signal, the strategy's end; then stop in order."""
        stopping = asyncio.create_task(self._stopping.wait())
        may_start = asyncio.create_task(self._strategy.may_start(self._board.is_reconciled))
        await asyncio.wait([serving, stopping, may_start], return_when=asyncio.FIRST_COMPLETED)
        may_start.cancel()
        is_over = serving.done() or stopping.done()
        strategy = None if is_over else await self._strategy.start(port)
        waits = [stopping] if strategy is None else [stopping, strategy]
        await asyncio.wait([serving, *waits], return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            if not wait.done():
                wait.cancel()
        if serving.done():
            await serving
        code, ended = 0, ""
        if strategy is not None and strategy.done() and not strategy.cancelled():
            code, ended = strategy.result(), self._strategy.name
            self._say(f"the strategy ended with exit code {code}")
        self._stopping.set()  # from now on a signal is the second one
        self._last_line = await drain.run(self._strategy.stop, ended=ended)
        loop.request_stop()
        await serving
        self._say(f"stopped in order: {self._watermark.sequence} records are durable")
        return code

    def _say_ready(self, port: int, control: int | None) -> None:
        for refused in self._refused_snapshots:
            self._alerts.console.page("warning", Reason.NODE_FAULT.value, ACCOUNT_SCOPE, refused)
        tell_ready(
            self._options,
            account=self._identity.account,
            digest=self._adopted.digest,
            port=port,
            control=control,
            say=self._say,
        )

    def _about(self) -> dict[str, str]:
        return {
            "account": self._identity.account,
            "instance": self._identity.instance,
            "broker": self._options.broker_says,
            "state": str(self._state.path),
            "guardian": self._guardian.says(),
            "backup": self._backups.says(),
            **time_about(self._clock.now().wall_ns, self._clock.ahead_ns()),
            **self._alerts.about(),
            **self._guardian.about(),
        }

    def _close(self) -> None:
        if self._ended_in_order:
            self._guardian.stopped()
        self._backups.stop()
        self._guardian.close()
        self._journal.close()
        self._statistics.close()
        self._history.close()
        self._alerts.close()
        self._state.gateway_file.unlink(missing_ok=True)
        self._state.socket_file.unlink(missing_ok=True)
        self._account_lock.close()
        os.close(self._lock)
