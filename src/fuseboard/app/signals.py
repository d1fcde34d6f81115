"""The signals that stop a node in order: TERM, INT, and HUP, which a closed terminal sends."""

import asyncio
import os
import signal
import stat
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

STANDARD_DESCRIPTORS: Final = (1, 2)


def obey_signals(stopping: asyncio.Event, hurry: asyncio.Event) -> None:
    """From now on TERM, INT and HUP stop in order, and a second TERM or INT hurries.

    A closed terminal may send HUP more than once, which hurries nothing. Who has it ignored, as
    `nohup` does, is not stopped by it.
    """
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopping.is_set():
            hurry.set()
        stopping.set()

    def hung_up() -> None:
        stopping.set()
        leave_terminal(STANDARD_DESCRIPTORS)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, hung_up)


def leave_terminal(descriptors: Iterable[int]) -> None:
    """Let what is still said there go nowhere: a write to a terminal that is gone fails.

    Files and pipes stay as they are, and so does what was closed from the start.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for descriptor in descriptors:
            with suppress(OSError):
                if stat.S_ISCHR(os.fstat(descriptor).st_mode):
                    os.dup2(nowhere, descriptor)
    finally:
        os.close(nowhere)
