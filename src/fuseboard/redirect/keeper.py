"""Keeps one strategy: starts it, passes its exit code on, and leaves nothing of it behind.

    python -I -S keeper.py PIPE COMMAND...

It holds the reading end of a pipe whose other end only Fuseboard holds. A line with a number asks
it to stop the strategy within that many milliseconds. When the pipe closes without a word,
Fuseboard is dead, however it died, and the strategy is stopped as well. Stopping is TERM to
everything that the strategy has started, then KILL.

On Linux nothing escapes: the keeper adopts orphaned descendants (PR_SET_CHILD_SUBREAPER), and the
strategy itself dies if the keeper is killed (PR_SET_PDEATHSIG). Elsewhere descendants that leave
the process group are not found, and a killed keeper leaves the strategy running without a gateway,
which means without a way to the broker. It imports nothing of Fuseboard, to start fast.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE_S_WHEN_ORPHANED = 2.0
KILL_S_MAX = 5.0
POLL_S = 0.02
COMMANDS_BYTES_MAX = 64
PROCESSES = Path("/proc")
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
NOT_FOUND = 127
NOT_EXECUTABLE = 126


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


class Kept:
    """One strategy and all that descends from it."""

    def __init__(self, command: list[str]) -> None:
        keeper = os.getpid()

        def die_with_the_keeper() -> None:
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != keeper:
                os._exit(1)

        self.process = subprocess.Popen(  # noqa: S603 - the command is what the person typed
            command,
            start_new_session=True,
            preexec_fn=die_with_the_keeper,  # noqa: PLW1509 - the keeper has one thread
        )
        self.exit_code: int | None = None

    def reap(self) -> None:
        """Take the exit codes of all children that have ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.process.pid:
                self.exit_code = os.waitstatus_to_exitcode(status)

    def descendants(self) -> list[int]:
        """Every living descendant of this process, the strategy's whole family."""
        children: dict[int, list[int]] = {}
        for stat in PROCESSES.glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # It ended while we looked.
                state, parent = stat.read_bytes().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    children.setdefault(int(parent), []).append(int(stat.parent.name))
        found = [os.getpid()]
        for pid in found:
            found.extend(children.get(pid, []))
        return found[1:]

    def alive(self) -> bool:
        """Whether the strategy or anything of its family still runs."""
        self.reap()
        if self.exit_code is None or self.descendants():
            return True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, 0)
            return sys.platform != "linux"
        return False

    def send(self, number: int) -> None:
        """Send a signal to the process group and to every descendant outside it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)
        for pid in self.descendants():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getpgid(pid) != self.process.pid:
                    os.kill(pid, number)

    def end(self, grace_s: float) -> None:
        """TERM, wait at most `grace_s`, KILL until nothing is left or `KILL_S_MAX` has passed."""
        self.send(signal.SIGTERM)
        by = time.monotonic() + grace_s
        while self.alive() and time.monotonic() < by:
            time.sleep(POLL_S)
        by = time.monotonic() + KILL_S_MAX
        while self.alive() and time.monotonic() < by:
            self.send(signal.SIGKILL)
            time.sleep(POLL_S)


def _not_stopped(_number: int, _frame: object) -> None:
    """Go on."""


def _asked_to_stop(pipe: int) -> float:
    """How long the strategy has to end by itself, in seconds."""
    asked = os.read(pipe, COMMANDS_BYTES_MAX).split(b"\n")[0]
    return int(asked) / 1000 if asked.isdigit() else GRACE_S_WHEN_ORPHANED


def main(arguments: list[str]) -> int:
    """Keep the command of the arguments until it ends or is to end; its exit code."""
    pipe, command = int(arguments[0]), arguments[1:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Only the pipe stops a keeper, or KILL. SIG_IGN would be inherited by the strategy.
        signal.signal(number, _not_stopped)
    os.set_inheritable(pipe, False)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        kept = Kept(command)
    except OSError as error:
        sys.stderr.write(f"fuseboard: cannot start {command[0]}: {error.strerror}\n")
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    grace_s = GRACE_S_WHEN_ORPHANED
    while kept.exit_code is None:
        readable, _, _ = select.select([pipe], [], [], POLL_S)
        if readable:
            grace_s = _asked_to_stop(pipe)
            break
        kept.reap()
    kept.end(grace_s)
    code = kept.exit_code
    return 1 if code is None else 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
