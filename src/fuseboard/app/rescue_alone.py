"""Nobody else is at the broker while a person's rescue is: gateway, guardian, another state.

The locks of both are held to the end, so that neither begins meanwhile. They are taken on a disk
that became read-only, too: a lock needs no room. A guardian that has dealt with the gateway's last
run has nothing more to do while no new one can begin; one that acts, or is about to, is left to it.
"""

import fcntl
import os
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from fuseboard.control.client import GatewayUnreachable, OperatorClient
from fuseboard.control.state_directory import (
    LOCK_ATTEMPTS_MAX,
    StateDirectory,
    StateRefused,
)
from fuseboard.guardian.killing import killed
from fuseboard.guardian.orders import Place
from fuseboard.guardian.process import LOCK_NAME as GUARDIANS_LOCK_NAME
from fuseboard.halts.heartbeats import Beat, Heart, HeartbeatFile, Phase, process_seen
from fuseboard.rescue.journal import done_runs, read_lines
from fuseboard.upkeep.restore import SYSTEMD_STOP

LOCK_NAME: Final = "rescue.lock"
PAUSE_S: Final = 0.05
"""Between two tries of a lock: who only looks whether a gateway runs holds it for a moment."""


class Alone:
    """Who may act on one state directory; `look` refuses, `end_gateway` kills where it may."""

    def __init__(self, state: StateDirectory, held: ExitStack, *, kills: bool) -> None:
        self._state = state
        self._place = Place(state.path)
        self._held = held
        self._kills = kills
        self._is_gateways = False
        """Whether a gateway holds its lock."""

    def look(self) -> None:
        """Take what nobody holds. Raises `StateRefused` where somebody is, or may soon be, at work
        at the broker, but for a gateway that is to be killed.
        """
        if not self._take(self._state.path / LOCK_NAME):
            raise StateRefused(f"another rescue is at work on {self._state.path}: wait for its end")
        self._is_gateways = not self._take(self._state.lock_file)
        is_guarded = not self._take(self._state.path / GUARDIANS_LOCK_NAME)
        gateway, guardian = self._beats()
        if self._is_gateways and not self._kills:
            raise StateRefused(self._runs(is_guarded=is_guarded))
        if is_guarded and (self._is_gateways or self._is_needed(gateway, guardian)):
            raise StateRefused(self._left_to(guardian))
        if self._is_gateways and gateway is None:
            raise StateRefused(
                f"the heartbeat of the gateway on {self._state.path} cannot be read, so it cannot"
                f" be killed safely: `kill -9` the process that {self._state.gateway_file} names,"
                " then try again"
            )

    def end_gateway(self) -> str:
        """Kill a gateway that was found, and see it dead; what was done, empty where none runs.

        Raises `StateRefused` where it lives on, or another process holds its lock.
        """
        if not self._is_gateways:
            return ""
        gateway, _ = self._beats()
        alive = "its heartbeat is gone" if gateway is None else killed(gateway)
        if alive or gateway is None:
            raise StateRefused(f"{alive}: nothing was cancelled or closed beside it")
        seen = process_seen(gateway.pid)
        # One that waits for a disk keeps its lock, and runs no more.
        waits = seen is not None and seen.start_ticks == gateway.start_ticks
        if not self._take(self._state.lock_file) and not waits:
            raise StateRefused(
                f"process {gateway.pid} is dead, and another one holds {self._state.lock_file}"
                f" (`fuser {self._state.lock_file}`): it may be a new gateway, which comes up"
                f" killed; `fuseboard status --state {self._state.path}`"
            )
        return f"process {gateway.pid} is dead"

    def run_ns(self) -> int:
        """The gateway's last run; 0 where none is known."""
        gateway, _ = self._beats()
        return 0 if gateway is None else gateway.run_ns

    def _take(self, lock: Path) -> bool:
        """Whether nobody else has the lock: then it is ours until the end."""
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            try:
                descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:  # nobody was ever here, and nobody can come
                return True
        for attempt in range(LOCK_ATTEMPTS_MAX):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(PAUSE_S if attempt < LOCK_ATTEMPTS_MAX - 1 else 0)
            else:
                self._held.callback(os.close, descriptor)
                return True
        os.close(descriptor)
        return False

    def _beats(self) -> tuple[Beat | None, Beat | None]:
        """The last of the gateway's and of the guardian's."""
        try:
            with closing(HeartbeatFile(self._place.heartbeat_file, only_reads=True)) as file:
                return file.read(Heart.GATEWAY), file.read(Heart.GUARDIAN)
        except OSError:
            return None, None

    def _is_needed(self, gateway: Beat | None, guardian: Beat | None) -> bool:
        """Whether a guardian that runs acts, or will for the gateway's last run."""
        if guardian is not None and guardian.phase is Phase.ACTING:
            return True
        if gateway is None or gateway.phase is Phase.STOPPED:
            return False
        return gateway.run_ns not in done_runs(read_lines(self._place.journal_file))

    def _runs(self, *, is_guarded: bool) -> str:
        at = self._state.path
        try:
            OperatorClient(self._state.socket_file).status(with_orders=False)
        except GatewayUnreachable:
            soon = "; the guardian that watches it acts after its timeout" if is_guarded else ""
            return f"a gateway runs on {at} and does not answer: --kill-gateway ends it first{soon}"
        return (
            f"a gateway runs on {at} and answers: `fuseboard halt --level flatten --state {at}`"
            " closes everything through it; --kill-gateway does without it"
        )

    def _left_to(self, guardian: Beat | None) -> str:
        name = self._place.journal_file
        by_hand = "" if guardian is None else f" with `kill {guardian.pid}`"
        return (
            f"a guardian watches {self._state.path} and acts, or would as soon as the gateway is"
            f" gone: two at the broker would not know of each other. Wait until {name} ends with a"
            f" new `done`, or stop it{by_hand} (under systemd with `{SYSTEMD_STOP}`); then try"
            " again: what it has begun goes on under the same ids"
        )
