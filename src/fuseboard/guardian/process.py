"""The guardian's process: one per state directory, beating before it has loaded anything else.

What it needs to act is loaded right after its first beat, not when it is needed: a machine in
trouble may not be able to load it then.
"""

import atexit
import fcntl
import logging
import os
import queue
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from fuseboard.halts.heartbeats import Heart, HeartbeatFile, Phase, own_beat
from fuseboard.halts.hidden import hide_this_process
from fuseboard.rescue.disk import Disk

LOCK_NAME: Final = "guardian.lock"
LOG_LINES_MAX: Final = 1_000


class GuardianRefused(Exception):
    """The guardian cannot serve this state directory; the message says what to do."""


def guard(state: Path, since: int = 0, environment: Mapping[str, str] = os.environ) -> int:
    """Guard a state directory until a gateway ends in order, or a signal; the exit code.

    `since` is the gateway run that this guardian was started for, 0 when for any.

    Raises `GuardianRefused` when another guardian runs or the directory is none.
    """
    hide_this_process()  # it holds the broker's key
    if not state.is_dir():
        raise GuardianRefused(f"there is no state in {state}: make it with `fuseboard init`")
    lock = guardian_lock(state)
    try:
        file = HeartbeatFile(state / "heartbeats")
        Disk("first beat").do(partial(_beat_once, file))
        from fuseboard.alerts.console import ConsolePager
        from fuseboard.alerts.outward import WebhookRefused, outward_pagers
        from fuseboard.alerts.slow_doors import SlowDoors
        from fuseboard.guardian.alerts_told import AlertsTold
        from fuseboard.guardian.orders import Place
        from fuseboard.guardian.serving import Guardian
        from fuseboard.halts.systemd import systemd_notify

        try:
            outward = outward_pagers(environment)
        except WebhookRefused as refused:
            raise GuardianRefused(str(refused)) from refused
        console, place, stop_log = ConsolePager(), Place(state), _log_apart()
        told = AlertsTold(place.alerts_file, outward)
        SlowDoors([console.lines, *outward], [console, *outward]).watch()
        try:
            return Guardian(
                place,
                file,
                environment,
                [console, *outward],
                since=since,
                looked=told.note,
                tell=systemd_notify(environment),
            ).serve()
        finally:
            for door in outward:
                door.close()
            last = Disk("last words")
            last.do(told.note)
            _end_log(last, stop_log)
            console.close()
    finally:
        os.close(lock)


def guardian_lock(state: Path) -> int:
    """Become the one guardian; the descriptor holds the lock until it closes.

    Raises `GuardianRefused` when another one watches.
    """
    descriptor = os.open(state / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise GuardianRefused(f"another guardian watches {state}") from None
    return descriptor


def _beat_once(file: HeartbeatFile) -> None:
    """The first beat of the guardian's life: it begins, and watches nobody yet."""
    file.write(Heart.GUARDIAN, own_beat(Phase.STARTING, run_ns=time.time_ns(), iteration=0))


def _log_apart() -> Callable[[], None]:
    """Traces go to standard error, a file on the disk, from a thread of their own; how it ends."""
    from logging.handlers import QueueHandler, QueueListener

    lines: queue.Queue[object] = queue.Queue(LOG_LINES_MAX)
    logging.getLogger().addHandler(QueueHandler(lines))
    listener = QueueListener(lines, logging.StreamHandler())
    listener.start()
    return listener.stop


def _end_log(last: Disk, stop: Callable[[], None]) -> None:
    """Nor does the interpreter's end wait for a standard error that takes nothing."""
    if not last.do(stop):
        logging.raiseExceptions = False
        atexit.unregister(logging.shutdown)


def main(state: Path, since: int = 0) -> int:
    """`fuseboard guardian`: guard, or say why not."""
    try:
        return guard(state, since)
    except (GuardianRefused, OSError) as refused:
        sys.stderr.write(f"fuseboard guardian: {refused}\n")
        return 1
