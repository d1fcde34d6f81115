"""A person's halt without a gateway: the register is latched by a process apart.

The latch stands in the machine's memory at once, where every process sees it, and then waits for
the disk. On a disk that hangs that lasts for ever, and a process that it holds cannot be ended. So
another process writes, in a session of its own and with nothing of the caller's terminal; the
caller waits for it for a bounded time, looks what can be seen, and says what is not on the disk.
The other one goes on trying.
"""

import fcntl
import os
import select
import sqlite3
import time
import warnings
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Final

from fuseboard.control.asked import AskedRefused, HaltAsked, OperatorAnswer, halt_of
from fuseboard.control.state_directory import StateDirectory
from fuseboard.halts.block import Slot
from fuseboard.halts.history import HaltChange, append
from fuseboard.halts.register import HaltsRegister, RegisterUnwritable
from fuseboard.halts.renewal import why_no_register
from fuseboard.runtime.clock import machine_boot_ns
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

DURABLE_S_MAX: Final = 2.0
"""How long a halt that every process sees is waited for until it is on the disk."""
SEEN_S_MAX: Final = 8.0
"""How long one that nobody sees is waited for: another writer may hold the lock for five."""
LOOK_S: Final = 0.1
DESCRIPTORS_MAX: Final = 65_536
LATCHED: Final = b"latched\n"
NOTED: Final = b"noted\n"
UNCHECKED: Final = (
    "without the gateway nobody looks whether anything has this name: mind its spelling"
)
NOBODY_CANCELS: Final = (
    "nobody cancels or closes meanwhile: what works at the broker may fill, and positions stay"
    " (`fuseboard status` has our record of them): `fuseboard rescue` cancels and closes, or start"
    " the gateway"
)


def offline_halt(state: StateDirectory, asked: HaltAsked, *, why: str) -> OperatorAnswer:
    """Latch the register from outside. `why` says what the gateway is doing instead.

    A gateway that runs all the same reads it before each send; the next start comes up halted.
    Raises `RegisterUnwritable`.
    """
    try:
        fact = halt_of(asked, 0)
    except AskedRefused as refusal:
        return OperatorAnswer(accepted=False, message=str(refusal))
    halt = LatchHalt(
        scope=fact.scope,
        level=fact.level,
        reason=Reason.OPERATOR,
        trip="",
        halt_epoch=0,
        detail=f"{fact.operator}: {fact.reason or 'no reason given'}",
    )
    comes_up = "is halted" if fact.scope == ACCOUNT_SCOPE else f"has {fact.scope} halted"
    message = (
        f"{why}; {fact.scope} is latched in the register: nothing new is sent, and the next start"
        f" {comes_up}"
    )
    if not state.is_running():
        message += f"; {NOBODY_CANCELS}"
    if fact.level is HaltLevel.FLATTEN:
        message += f"; {_closes(state)}"
    notes = [] if fact.scope == ACCOUNT_SCOPE else [UNCHECKED]
    apart = _Apart(state, halt)
    try:
        apart.wait()
    except RegisterUnwritable as failure:
        raise RegisterUnwritable(f"{why}; {failure}. {_by_hand(state)}") from failure
    if not apart.is_seen:
        return OperatorAnswer(accepted=False, message=f"{why}; {_unseen(state)}")
    if not apart.is_latched:
        notes.append(
            "the disk hangs: the latch is in this machine's memory, for every process to see, and"
            f" not on the disk within {DURABLE_S_MAX:g} s. It is lost where the machine is"
            " restarted before; a process of its own waits for the disk"
        )
    elif not apart.is_noted:
        notes.append(
            f"{state.history_file.name} does not have its line (a slow disk, or another writer)"
        )
    return OperatorAnswer(accepted=True, message=message, note="; ".join(notes))


def _closes(state: StateDirectory) -> str:
    """Who carries out a flattening that stands in the register alone."""
    if state.is_running() and not state.gateway_file.exists():
        # A start makes a halt of a flattening that it finds, once it serves it takes one up.
        return "a gateway starts: look whether it closes; else ask for the flattening again"
    if state.is_running():  # it takes the register's levels up, this one too
        return (
            "it is closed as soon as the gateway goes on; after a restart it is not: ask for the"
            " flattening again then"
        )
    return "it closes nothing by itself: ask for it again when it runs, or `fuseboard rescue` now"


def _unseen(state: StateDirectory) -> str:
    return (
        f"the disk hangs: nothing is latched within {SEEN_S_MAX:g} s, though a process of its own"
        f" goes on trying. {_kill(state)}"
    )


def _by_hand(state: StateDirectory) -> str:
    if not state.is_running():
        with suppress(OSError):
            if why_no_register(state.register_file):
                return (
                    "It is no halts register any more: `fuseboard run` makes it again and comes up"
                    " halted, ask again then; until then cancel at the broker what works there"
                )
        return "Start no gateway, and cancel at the broker what works there"
    return _kill(state)


def _kill(state: StateDirectory) -> str:
    return (
        f"Kill the gateway (`kill -9`, its id is in {state.gateway_file}) and cancel at the broker"
    )


class _Apart:
    """The process that latches, and what it came to by now. Where the machine has no room for
    another process this one latches.
    """

    def __init__(self, state: StateDirectory, halt: LatchHalt) -> None:
        self._state = state
        self._halt = halt
        self.is_seen = self.is_latched = self.is_noted = False
        self._said = b""
        with closing(self._register()) as register:
            self._before = register.counters().get(Slot.OPERATOR, 0)
        self._words = -1
        try:
            self._words, write = os.pipe()
            self._pid = self._forked(write)
        except OSError:  # no process, no memory or no descriptor is left: nobody else can do it
            self._words = -1
            self._write(self._hear)
            return
        if self._pid == 0:
            try:
                self._latch(write)
            finally:
                os._exit(0)
        os.close(write)

    def wait(self) -> None:
        """Until it is done, or the time is over. Raises `RegisterUnwritable` as it met it."""
        if self._words >= 0:
            self._listen()
        self.is_seen = self.is_latched or self._can_be_seen()
        if not self.is_latched and self._said:
            raise RegisterUnwritable(self._said.decode())

    def _forked(self, write: int) -> int:
        try:
            with warnings.catch_warnings():  # of threads that the caller may have: it needs none
                warnings.simplefilter("ignore", DeprecationWarning)
                return os.fork()
        except OSError:
            os.close(self._words)
            os.close(write)
            raise

    def _listen(self) -> None:
        began_s = time.monotonic()
        with os.fdopen(self._words, "rb", buffering=0) as words:
            while not self._is_late(time.monotonic() - began_s):
                if not select.select([words], [], [], LOOK_S)[0]:
                    continue
                new = words.read(1_000)
                self._hear(new)
                if not new:
                    with suppress(ChildProcessError):  # SIGCHLD is ignored: nobody has to
                        os.waitpid(self._pid, 0)
                    fault = b"the process that was to latch the register ended by a fault"
                    self._said = self._said or fault
                    break

    def _hear(self, word: bytes) -> None:
        self._said += word
        self.is_latched = self._said.startswith(LATCHED)
        self.is_noted = NOTED in self._said

    def _is_late(self, waited_s: float) -> bool:
        if waited_s < DURABLE_S_MAX:
            return False
        return waited_s >= SEEN_S_MAX or self.is_latched or self._can_be_seen()

    def _can_be_seen(self) -> bool:
        with closing(self._register()) as register:
            return any(
                latch.slot is Slot.OPERATOR
                and latch.counter > self._before
                and latch.scope in {self._halt.scope, ACCOUNT_SCOPE}
                for latch in register.latched()
            )

    def _register(self) -> HaltsRegister:
        return HaltsRegister(self._state.register_file, Slot.OPERATOR)

    def _latch(self, write: int) -> None:
        """In the process apart, whose words go to `write`."""
        os.setsid()  # what ends the caller's terminal does not end it
        words = fcntl.fcntl(write, fcntl.F_DUPFD_CLOEXEC, 3)
        os.closerange(0, words)  # nobody's terminal or pipe is kept open
        os.closerange(words + 1, DESCRIPTORS_MAX)
        for _ in range(3):
            os.open(os.devnull, os.O_RDWR)

        def say(word: bytes) -> None:
            with suppress(OSError):  # nobody waits any more: what is left is done all the same
                os.write(words, word)

        self._write(say)

    def _write(self, say: Callable[[bytes], None]) -> None:
        """Latch, say so, note it, say so."""

        def told(change: HaltChange) -> None:
            say(LATCHED)
            with suppress(sqlite3.Error, OSError):  # it is evidence, and never holds back a latch
                append(self._state.history_file, change)
                say(NOTED)

        file = self._state.register_file
        try:
            with closing(HaltsRegister(file, Slot.OPERATOR, told=told)) as register:
                register.latch(self._halt, Moment(machine_boot_ns(), time.time_ns()))
        except RegisterUnwritable as error:
            say(str(error).encode())
