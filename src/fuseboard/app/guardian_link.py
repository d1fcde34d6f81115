"""The gateway's side of the guardian: its orders, its start, a watch on it, what it left behind.

The guardian outlives the gateway: it is started in a session of its own. The two watch each other;
when the guardian is missing, people are told once and it is started again a few times.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from fuseboard.app.broker_choice import BrokerKeys
from fuseboard.app.broker_latching import BrokerLatching
from fuseboard.control.state_directory import (
    Identity,
    StateDirectory,
    StateRefused,
)
from fuseboard.guardian.alerts_told import alerts_told
from fuseboard.guardian.orders import KEY_NAMES, Orders, Place, key_mark
from fuseboard.halts.heartbeats import Beat, Heart, HeartbeatFile, Phase, process_seen
from fuseboard.halts.systemd import READY, SOCKET_NAME, STOPPING, systemd_notify
from fuseboard.halts.whole_file import write_atomically
from fuseboard.policy.policy import Policy
from fuseboard.rescue.journal import read_lines
from fuseboard.runtime.disk_wait import DiskWait
from fuseboard.runtime.pulse import Pulse
from fuseboard.vocabulary.doors import BrokerUnavailable, Pager, Throttled
from fuseboard.vocabulary.guardian_inputs import NAMED
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

LOOK_S: Final = 0.5
MISSING_S: Final = 5.0
"""How long the guardian may be without progress before people are told."""
COMING_S_MAX: Final = 60.0
"""How long one that others start may take to come, and one that has begun to watch."""
STARTS_MAX: Final = 4
WATCHING: Final = (Phase.RUNNING, Phase.ACTING)
"""Phases of a guardian's that are a watch: one that only ever begins is none."""
BUSY_S_MAX: Final = 60.0
"""How long a start waits for a guardian that is at work at the broker."""
BUSY_LOOK_S: Final = 0.1
LINES_SHOWN_MAX: Final = 20


def guardian_is_wanted(policy: Policy) -> bool:
    """Whether the policy has a dead man."""
    return policy.kill_switch.enabled and "watchdog" in policy.kill_switch.methods


def orders_of(policy: Policy, identity: Identity, broker: BrokerKeys) -> Orders:
    """What the guardian needs of the policy."""
    execution = policy.execution
    return Orders(
        instance=identity.instance,
        account=identity.account,
        base_url=broker.base_url,
        data_url=broker.data_url,
        key_mark=key_mark(broker.key_id),
        timeout_ns=policy.kill_switch.watchdog_timeout_ns,
        flatten=policy.kill_switch.watchdog_flattens,
        close_collar_nanos=execution.close_collar_nanos,
        close_collar_nanos_max=execution.close_collar_nanos_max,
        close_wait_ns=execution.close_wait_ns,
        close_attempts_max=execution.close_attempts_max,
        close_within_ns=execution.close_within_ns,
        absent_after_ns=execution.absent_after_ns,
        cancel_wait_ns=execution.cancel_wait_ns,
    )


def guardian_without_gateway(state: StateDirectory) -> str:
    """Whether a guardian lives while no gateway runs; nothing is written for it."""
    path = Place(state.path).heartbeat_file
    if not path.exists():
        return "none runs"
    file = HeartbeatFile(path, only_reads=True)
    try:
        beat = file.read(Heart.GUARDIAN)
    finally:
        file.close()
    if beat is None or beat.phase is Phase.STOPPED or not _lives(beat):
        return "none runs"
    return f"runs (pid {beat.pid})"


def guardian_alerted(place: Place) -> dict[str, str]:
    """For the status, a line of its own: what became of the guardian's alerts, if it has doors."""
    told = alerts_told(place.alerts_file)
    return {"alerted": told} if told else {}


def _is_busy(beat: Beat | None) -> bool:
    return beat is not None and beat.phase is Phase.ACTING and _lives(beat)


def _lives(beat: Beat) -> bool:
    seen = process_seen(beat.pid)
    return seen is not None and seen.start_ticks == beat.start_ticks and seen.state not in "ZX"


class GuardianLink:
    """One gateway run's link. `take_over` before the loop turns, `start` when it serves, `run`
    beside it; `stopped` when it ended in order, so that the guardian stands down. A guardian is
    `wanted` where it is ours to start, `expected` where the policy has one, whoever starts it.
    """

    def __init__(
        self,
        state: StateDirectory,
        *,
        wanted: bool,
        expected: bool,
        orders: Callable[[], Orders],
        policy_digest: Callable[[], str],
        broker: BrokerKeys,
        latching: BrokerLatching,
        pagers: Sequence[Pager],
        say: Callable[[str], None],
    ) -> None:
        self._place = Place(state.path)
        self._wanted = wanted
        self._expected = expected
        self._present_orders = orders
        self._policy_digest = policy_digest
        self._orders, self._followed = orders(), policy_digest()
        self._broker = broker
        self._latching = latching
        self._pagers = pagers
        self._say = say
        self._file = HeartbeatFile(self._place.heartbeat_file)
        self._pulse: Pulse | None = None
        self._notify = systemd_notify(os.environ)
        self._run_ns = time.time_ns()
        self._starts = 0
        self._progress = 0
        self._moved_at = time.monotonic()
        self._has_beaten = False
        self._missing = False
        self._orders_lost = False

    def pulse(
        self,
        *,
        durable: Callable[[], int],
        intake: Callable[[], int],
        oldest_call_age_ns: Callable[[], int],
    ) -> Pulse:
        """The loop's heartbeat; it is silent before `take_over`."""
        self._pulse = Pulse(
            self._file,
            run_ns=self._run_ns,
            durable=durable,
            intake=intake,
            oldest_call_age_ns=oldest_call_age_ns,
            notify=self._notify,
            disk=DiskWait(self._tell_disk),
        )
        return self._pulse

    async def is_idle(self, stopping: asyncio.Event) -> bool:
        """Wait until no guardian is at work at the broker; False: told to stop first, and said.

        One writer to the broker at a time: a gateway that starts meanwhile would be the second. One
        that begins right after the look is kept away by `claim` alone. Raises `StateRefused`
        when one stays at work.
        """
        ends = time.monotonic() + BUSY_S_MAX
        while _is_busy(beat := self._file.read(Heart.GUARDIAN)):
            if time.monotonic() >= ends:
                assert beat is not None, "who is busy has beaten"
                raise StateRefused(
                    f"the guardian (pid {beat.pid}) still cancels and closes at the broker: see"
                    f" {self._place.log_file}, and start again when it is done"
                )
            if stopping.is_set():
                self._say("stopped by a signal: a guardian is at work at the broker, nothing began")
                return False
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), BUSY_LOOK_S)
        return True

    async def take_over(self, stopping: asyncio.Event, bind: Callable[[], None]) -> bool:
        """Claim the broker once no guardian is at work; False: told to stop first. What can be
        refused is done by `bind`, before the first heartbeat. Raises as `is_idle` and `claim`.
        """
        if not await self.is_idle(stopping):
            return False
        bind()
        return await self.claim(stopping)

    async def claim(self, stopping: asyncio.Event) -> bool:
        """Become the one writer to the broker, and missed from now on; False: told to stop first.

        We say that we start, then look whether the guardian acts; it says that it acts, then looks
        whether somebody starts, and leaves it to them. So whichever comes first, not both go on.
        Raises `StateRefused` and `OSError`; then, and told to stop, the heartbeat is the earlier
        run's as it was.
        """
        assert self._pulse is not None, "who takes over has a pulse"
        before = self._file.read(Heart.GATEWAY)
        self._pulse.say(Phase.STARTING)
        beat = self._file.read(Heart.GATEWAY)
        if beat is None or beat.run_ns != self._run_ns:
            raise StateRefused(
                f"{self._place.heartbeat_file} does not take our heartbeat, so no guardian can see"
                " us: look at the disk"
            )
        is_ours = False
        try:
            if await self.is_idle(stopping):
                self._write_orders()
                is_ours = True
        finally:
            if not is_ours and before is None:
                self._pulse.say(Phase.STOPPED)
            elif not is_ours and before is not None:
                self._file.write(Heart.GATEWAY, before)
        return is_ours

    def start(self) -> None:
        """The gateway serves: tell systemd, start a guardian if it is ours to start."""
        self._notify(READY)
        self._report()
        self._moved_at = time.monotonic()
        if self._wanted:
            self._spawn()
            self._say(f"a guardian watches this gateway (log: {self._place.log_file})")
        elif self._watcher() is None:
            self._say("no guardian is started: what works at the broker stays if this gateway dies")
        else:
            self._say("no guardian is started, and an earlier one still watches: it acts if we die")

    async def run(self) -> None:
        """Look for ever: at the guardian, and at the broker's latches that a reset has to lift."""
        while True:
            await self._latching.next_look(LOOK_S)
            self._look()
            if self._policy_digest() != self._followed:  # another policy was adopted
                self._orders, self._followed = self._present_orders(), self._policy_digest()
                self._write_orders()
            self._keep_orders()
            if self._latching.is_to_be_lifted():
                await self._lift()
            if self._latching.is_to_be_looked_at():
                await self._look_at_broker()

    def stopped(self) -> None:
        """The gateway ended in order, and leaves nothing to cancel."""
        self._notify(STOPPING)
        if self._pulse is not None:
            self._pulse.say(Phase.STOPPED)

    def is_watched(self) -> bool:
        """Whether a guardian is there that acts when we end without a word."""
        return self._watcher() is not None

    def says(self) -> str:
        """For the status: who watches."""
        if self._missing or self._watcher() is None:
            is_missed = self._missing or self._wanted
            return "MISSING: nobody acts if this gateway dies" if is_missed else "none"
        return "watches"

    def about(self) -> dict[str, str]:
        """For the status: as `guardian_alerted`, and what the broker itself refuses."""
        return {**guardian_alerted(self._place), **self._latching.about()}

    def close(self) -> None:
        """Let go of the heartbeat file."""
        self._file.close()

    # --- its parts -------------------------------------------------------------------------------

    def _write_orders(self) -> None:
        write_atomically(self._place.orders_file, msgspec.json.encode(self._orders))

    def _keep_orders(self) -> None:
        """See that a guardian which begins now finds its orders as they were written."""
        wanted, present = msgspec.json.encode(self._orders), b""
        with suppress(OSError):
            present = self._place.orders_file.read_bytes()
        if present == wanted:
            self._orders_lost = False
            return
        again = "they are written again"
        try:
            self._write_orders()
        except OSError as error:
            again = f"they cannot be written ({error.strerror}): no guardian that begins can act"
        if not self._orders_lost:
            self._orders_lost = True
            said = f"the guardian's orders, {self._place.orders_file}, are gone or were changed"
            self._page(Severity.PAGE, f"{said}; {again}")

    def _spawn(self) -> None:
        """A guardian of its own session; where one runs already, the new one ends by itself."""
        self._starts += 1
        log = os.open(
            self._place.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        keys = dict(zip(KEY_NAMES, (self._broker.key_id, self._broker.secret), strict=True))
        try:
            self._pid = os.posix_spawn(
                sys.executable,
                (
                    *(sys.executable, "-m", "fuseboard", "guardian"),
                    *("--state", str(self._place.state), "--run", str(self._run_ns)),
                ),
                {**os.environ, SOCKET_NAME: "", **keys},  # systemd waits for our words, not for its
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsid=True,
            )
        finally:
            os.close(log)

    def _look(self) -> None:
        """Judge the guardian's own heartbeat; say once that it is missing, and once that it is
        back.
        """
        if self._starts:
            self._reap()
        beat = self._watcher()
        now = time.monotonic()
        if beat is not None and beat.beat_ns != self._progress:
            self._progress, self._moved_at, self._has_beaten = beat.beat_ns, now, True
            if self._missing:
                self._missing = False
                self._page(Severity.INFO, f"the guardian is back: pid {beat.pid}")
            return
        soon = (self._wanted or self._has_beaten) and not self._is_coming()
        late = now - self._moved_at >= (MISSING_S if soon else COMING_S_MAX)
        if not late or self._missing or not (self._expected or self._has_beaten):
            return
        self._missing = True
        self._page(Severity.PAGE, "the guardian is missing: nobody acts if this gateway dies")
        if self._wanted and self._starts < STARTS_MAX:
            self._spawn()

    def _watcher(self) -> Beat | None:
        """The beat of a guardian that lives and watches or acts; None without one."""
        beat = self._file.read(Heart.GUARDIAN)
        if beat is None or beat.phase not in WATCHING or not _lives(beat):
            return None
        return beat

    def _is_coming(self) -> bool:
        """Whether one has begun, and reads what it needs."""
        beat = self._file.read(Heart.GUARDIAN)
        return beat is not None and beat.phase is Phase.STARTING and _lives(beat)

    def _reap(self) -> None:
        """Take the exit code of a guardian of ours that ended, so that it is gone."""
        try:
            os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            return

    def _report(self) -> None:
        """Show what a guardian, or a rescue, did since the last start that showed it."""
        shown = self._place.state / "guardian.reported"
        lines = read_lines(self._place.journal_file)
        newest = 0
        with suppress(OSError, ValueError):  # told twice is better than a start that fails
            newest = int(shown.read_bytes())
        news = [line for line in lines if line.wall_ns > newest]
        for line in news[-LINES_SHOWN_MAX:]:
            severity = (
                Severity.WARNING if line.act in {"missed", "done", "restarted"} else Severity.INFO
            )
            self._page(severity, f"{NAMED[line.by]}, {line.act}: {line.detail}")
        if news:
            write_atomically(shown, str(news[-1].wall_ns).encode())

    async def _lift(self) -> None:
        """A person has reset the account: the broker's own latches go back to what they were."""
        try:
            lifted = await self._latching.lift()
        except (BrokerUnavailable, Throttled) as error:
            self._page(Severity.WARNING, f"the broker's own latches are not lifted yet: {error}")
            await asyncio.sleep(MISSING_S)
        else:
            if lifted:
                self._page(Severity.INFO, "the broker's own latches are as before they were set")

    async def _look_at_broker(self) -> None:
        """Say what the broker refuses by a setting of its account that we do not know as ours."""
        try:
            news = await self._latching.look()
        except (BrokerUnavailable, Throttled):
            return  # that it does not answer is said elsewhere; it is asked again
        if news is not None:
            self._tell(news.severity, Reason.BROKER_REJECTED, news.text)

    def _tell_disk(self, severity: Severity, text: str) -> None:
        self._tell(severity, Reason.JOURNAL_HANGS, text)

    def _page(self, severity: Severity, text: str) -> None:
        self._tell(severity, Reason.GUARDIAN_MISSING if self._missing else Reason.GUARDIAN, text)

    def _tell(self, severity: Severity, code: Reason, text: str) -> None:
        for pager in self._pagers:
            pager.page(severity.value, code.value, ACCOUNT_SCOPE, text)
