"""The guardian's watching loop: a look at the gateway ten times a second, and the acts on a miss.

It serves gateway run after gateway run: a new run in the heartbeat file is a new gateway to watch.
It ends when a gateway ends in order, or when it is told to by a signal. It beats itself, and the
gateway watches that. Systemd is told of each look, and while it acts of each answer and each wait
that is over: a guardian that hangs is killed, and the next one begins the same acts again.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from fuseboard.guardian.acting import Acts
from fuseboard.guardian.orders import Orders, OrdersUnusable, Place, key_for, read_orders
from fuseboard.guardian.watching import Finding, Kind, Watch, What
from fuseboard.halts.heartbeats import (
    Beat,
    Heart,
    HeartbeatFile,
    Phase,
    boot_ns,
    own_beat,
    process_seen,
)
from fuseboard.halts.replaying import replay_says
from fuseboard.halts.systemd import ALIVE, READY
from fuseboard.rescue.disk import Disk
from fuseboard.rescue.journal import GuardianJournal, done_runs, read_lines
from fuseboard.vocabulary.doors import Pager
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

log = logging.getLogger(__name__)

LOOK_S: Final = 0.1
ACTING_BEAT_S: Final = 0.1
FAULTS_MAX: Final = 5
"""Faults of ours after which we end; each but the last begins the same acts again."""
FAULT_PAUSE_S: Final = 1.0


class Guardian:
    """The watching loop of one process."""

    def __init__(
        self,
        place: Place,
        file: HeartbeatFile,
        environment: Mapping[str, str],
        pagers: Sequence[Pager],
        *,
        since: int = 0,
        pause: Callable[[float], None] = time.sleep,
        looked: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = lambda _words: None,
    ) -> None:
        self._place = place
        self._environment = environment
        self._pagers = pagers
        self._pause = pause
        self._looked = looked
        self._tell = tell
        self._file = file
        self._journal = GuardianJournal(place.journal_file)
        self._beats = Disk("guardian beats", calls_max=1)  # one that is late makes room for none
        self._watch = Watch(done=done_runs(read_lines(place.journal_file)), since=since)
        self._began_ns = time.time_ns()
        self._iteration = 0
        self._stopping = False
        self._orders: Orders | None = None
        self._is_unarmed = False
        self._acts: Acts | None = None

    def serve(self) -> int:
        """Look until it is over; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._tell(READY)
        try:
            return self._looks_on()
        except OrdersUnusable as unusable:
            self._page(Severity.PAGE, f"the guardian ends: {unusable}")
            return 1
        finally:
            self._beat(Phase.STOPPED)
            self._journal.close()
            self._beats.do(self._file.close)
            self._beats.close()

    def _looks_on(self) -> int:
        """Look again after a fault of ours: what it broke off begins again, under the same ids."""
        for _ in range(FAULTS_MAX):
            try:
                return self._looks()
            except OrdersUnusable:
                raise
            except Exception as fault:  # the outermost place: nobody acts behind us
                log.exception("a fault of the guardian's own")
                self._failed(fault)
            self._pause(FAULT_PAUSE_S)
        said = f"the guardian ends after {FAULTS_MAX} faults of its own"
        self._page(Severity.PAGE, f"{said}: look at the broker, then start it again")
        return 1

    def _failed(self, fault: Exception) -> None:
        """Say a fault of ours, and what is open where it broke off our acts."""
        said = f"a fault of the guardian's own: {type(fault).__name__}: {fault}"
        self._journal.write("fault", run_ns=self._watch.run_ns, detail=said)
        is_open = "nothing was being done at the broker"
        if self._acts is not None:
            try:
                is_open = asyncio.run(self._acts.says_open())
            except Exception as again:  # the same fault may be in the reads
                log.exception("what is open cannot be read")
                is_open = f"what is open cannot be read ({again!r}): look at the broker"
        self._page(Severity.PAGE, f"{said}; {is_open}")

    def _looks(self) -> int:
        while not self._stopping:
            if not self._place.state.is_dir():
                raise OrdersUnusable(f"{self._place.state} is gone: there is nothing to guard")
            beat = self._file.read(Heart.GATEWAY)  # first: who serves has written our orders
            orders = self._known_orders(beat)
            process = None if beat is None else process_seen(beat.pid)
            timeout_ns = 0 if orders is None else orders.timeout_ns  # without, nothing is judged
            finding = self._watch.look(beat, process, boot_ns(), timeout_ns)
            if finding.what is What.STOOD_DOWN:
                return 0
            if orders is not None:
                self._judge(finding, beat, orders, key_for(orders, self._environment))
            self._beat(Phase.STARTING if orders is None else Phase.RUNNING)
            self._tell(ALIVE)
            if self._journal.disk.is_idle():
                self._journal.disk.do(self._looked)
            self._pause(LOOK_S)
        return 0

    def _known_orders(self, beat: Beat | None) -> Orders | None:
        """What the gateway wrote last, also where that is gone or damaged since. None: it never
        wrote any, which is said where one is at work all the same.
        """
        try:
            self._orders = read_orders(self._place) or self._orders
        except OrdersUnusable:
            if self._orders is None:
                raise
        serves = beat is not None and beat.phase not in (Phase.STARTING, Phase.STOPPED)
        if self._orders is None and serves and not self._is_unarmed:
            self._is_unarmed = True
            said = f"{self._place.orders_file} is gone: nobody acts if the gateway dies"
            self._page(Severity.PAGE, f"{said}; it writes it anew at once, or at its next start")
        return self._orders

    def _judge(
        self, finding: Finding, beat: Beat | None, orders: Orders, key: tuple[str, str]
    ) -> None:
        """Say what is worth saying, and act on a miss."""
        run_ns = self._watch.run_ns
        if finding.what is What.LATE:
            self._journal.write("late", run_ns=run_ns, detail=finding.says())
            replays = f"; {it}" if (it := replay_says(self._place.state)) else ""
            said = f"{finding.says()}{replays}; it is taken over if that goes on"
            self._page(Severity.WARNING, said)
        elif finding.what is What.BACK:
            act = "restarted" if finding.kind is Kind.AGAIN else "false alarm"
            self._journal.write(act, run_ns=run_ns, detail=finding.says())
            self._page(Severity.WARNING, f"{act}: {finding.says()}")
        elif finding.what is What.MISSED:
            is_told = self._beat(Phase.ACTING)  # before the look: see `GuardianLink.claim`
            if self._is_another(run_ns):
                self._leave(run_ns)
                return
            acts = self._acts = Acts(
                place=self._place,
                orders=orders,
                key=key,
                run_ns=run_ns,
                journal=self._journal,
                page=self._page,
                moved=partial(self._tell, ALIVE),
            )
            dead = acts.secure(finding, beat)
            if asyncio.run(self._acted(acts, may_close=dead, is_told=is_told)):
                self._watch.dealt_with()
            else:
                self._leave(run_ns)
            self._acts = None

    def _is_another(self, run_ns: int) -> bool:
        present = self._file.read(Heart.GATEWAY)
        return present is not None and present.run_ns != run_ns

    def _leave(self, run_ns: int) -> None:
        said = "another gateway begins: the broker and what works there are left to it"
        self._journal.write("left", run_ns=run_ns, detail=said)
        self._page(Severity.WARNING, said)

    async def _acted(self, acts: Acts, *, may_close: bool, is_told: bool) -> bool:
        """Act, beating meanwhile; a signal breaks it off: the next guardian begins again. False:
        another gateway begins. It cannot begin on a disk that hangs; once our beat has reached
        that disk (`is_told`), whoever begins later sees us.
        """
        acting = asyncio.create_task(acts.act(may_close=may_close))
        is_ours = True
        while not acting.done():
            was_told, is_told = is_told, self._beat(Phase.ACTING) or is_told
            is_ours = is_ours and (was_told or not self._is_another(self._watch.run_ns))
            if self._stopping or not is_ours:
                acting.cancel()
            await asyncio.wait([acting], timeout=ACTING_BEAT_S)
        with suppress(asyncio.CancelledError):
            acting.result()
        return is_ours

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _beat(self, phase: Phase) -> bool:
        """Whether it was done: where the disk takes none, the gateway misses us, and says so."""
        self._iteration += 1
        beat = own_beat(phase, run_ns=self._began_ns, iteration=self._iteration)
        return self._beats.do(partial(self._file.write, Heart.GUARDIAN, beat))

    def _page(self, severity: Severity, text: str, age_ns: int = 0) -> None:
        said = (severity.value, Reason.GUARDIAN.value, ACCOUNT_SCOPE, text)
        for pager in self._pagers:
            pager.page(*said, age_ns=age_ns)
