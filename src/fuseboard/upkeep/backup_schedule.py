"""Backups that the policy asks for, taken beside the running gateway by a process of their own.

The gateway only looks at the clock, starts `fuseboard backup` and reads how it ended, from a small
file in the state directory: copying, hashing, the trial restore and every look at the target are
another process's work, which stands back for the processor. So a target that does not answer, or
a process that cannot die, stops no trading. A backup that fails pages and is tried again; one that
is late pages once.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from fuseboard.alerts.outward import COMMAND_NAME, WEBHOOK_NAME
from fuseboard.control.state_directory import StateDirectory
from fuseboard.guardian.orders import KEY_NAMES
from fuseboard.halts.heartbeats import boot_ns
from fuseboard.policy.rules import BackupRule
from fuseboard.upkeep.backup import NEWEST_NAME, Newest
from fuseboard.vocabulary.doors import Pager
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

LOOK_S: Final = 1.0
RETRY_NS: Final = 60 * 1_000_000_000
"""After a failure, unless backups are more often than that."""
RUN_NS_MAX: Final = 2 * 3600 * 1_000_000_000
"""A backup that takes longer is ended, and has failed."""
LOG_BYTES_MAX: Final = 4_096
"""So much of the end of what a backup said is read."""
NEWEST_BYTES_MAX: Final = 16_384
LATE_AFTER: Final = 2
"""How many times as old as asked for the newest backup may be."""
_NOT_ITS_OWN: Final = (*KEY_NAMES, WEBHOOK_NAME, COMMAND_NAME)


class BackupSchedule:
    """One gateway run's backups, by the policy in force; `says` is for the status."""

    def __init__(
        self,
        state: StateDirectory,
        *,
        rule: Callable[[], BackupRule],
        policy_digest: Callable[[], str],
        pagers: Sequence[Pager],
        now_ns: Callable[[], int] = time.time_ns,
        since_boot_ns: Callable[[], int] = boot_ns,
    ) -> None:
        self._state = state
        self._present_rule = rule
        self._policy_digest = policy_digest
        self._rule, self._followed = rule(), policy_digest()
        self._pagers = pagers
        self._now_ns = now_ns
        self._boot_ns = since_boot_ns
        self._log_file = state.path / "backup.log"
        self._good_since_ns = since_boot_ns()
        """By boot time, as all that lasts here; when a backup was taken is wall time."""
        self._pid = 0
        self._is_ended = False
        """Whether the one under way was ended by us, and has only to be gone."""
        self._started_ns = 0
        self._again_ns = 0
        self._late = False
        self._newest_ns = self._read_newest(self._rule)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Start a backup that is due, take note of one that ended, say when it is late."""
        if self._policy_digest() != self._followed:  # another policy was adopted
            self._rule, self._followed = self._present_rule(), self._policy_digest()
            self._newest_ns = self._read_newest(self._rule)
        rule = self._rule
        if self._pid:
            self._follow(rule)
        if not rule.enabled:
            return
        now_ns = self._boot_ns()
        age_ns = self._now_ns() - self._newest_ns
        is_due = not 0 <= age_ns < rule.every_ns  # one from the future proves nothing
        if is_due and not self._pid and now_ns >= self._again_ns:
            self._start(rule, now_ns)
        silent_ns = now_ns - self._good_since_ns
        if silent_ns >= LATE_AFTER * rule.every_ns and not self._late:
            self._late = True
            self._page(f"no backup for {silent_ns // 1_000_000_000} s: see {self._log_file}")

    def says(self) -> str:
        """For the status: how old the newest backup is."""
        rule = self._rule
        if not rule.enabled:
            return "none: the policy asks for none"
        if not self._newest_ns:
            return f"none yet, to {self._folder(rule)}"
        age_s = (self._now_ns() - self._newest_ns) // 1_000_000_000
        return f"{age_s} s old{', LATE' if self._late else ''}, in {self._folder(rule)}"

    def stop(self) -> None:
        """End a backup that is under way, and wait for nothing: it may hang on a dead disk.

        What it wrote does not look like a backup.
        """
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._is_ended = True

    # --- its parts -------------------------------------------------------------------------------

    def _folder(self, rule: BackupRule) -> Path:
        return self._state.path / rule.path

    def _read_newest(self, rule: BackupRule) -> int:
        """When the newest backup was taken, wall time, as who took it noted; else 0."""
        try:
            with (self._state.path / NEWEST_NAME).open("rb") as file:
                newest = msgspec.json.decode(file.read(NEWEST_BYTES_MAX), type=Newest)
        except (OSError, msgspec.MsgspecError):
            return 0
        return newest.taken_ns if newest.folder == str(self._folder(rule)) else 0

    def _start(self, rule: BackupRule, now_ns: int) -> None:
        try:
            self._pid = self._spawned(rule)
        except OSError as error:  # a full disk, no descriptors, no memory
            self._failed(rule, now_ns, f"a backup could not be started: {error}")
            return
        self._started_ns, self._is_ended = now_ns, False

    def _spawned(self, rule: BackupRule) -> int:
        """The process id of a backup that was started. Raises `OSError`."""
        words = [sys.executable, "-m", "fuseboard", "backup", "--state", str(self._state.path)]
        words += ["--to", str(self._folder(rule)), "--copies", str(rule.copies), "--scheduled"]
        if rule.retention_days is not None:
            words += ["--retention-days", str(rule.retention_days)]
        if not rule.verify:
            words.append("--unverified")
        kept = {key: value for key, value in os.environ.items() if key not in _NOT_ITS_OWN}
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        log = os.open(self._log_file, flags, 0o600)
        try:
            return os.posix_spawn(
                sys.executable,
                words,
                kept,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
            )
        finally:
            os.close(log)

    def _follow(self, rule: BackupRule) -> None:
        """Take the exit code of the one that is under way, if it ended."""
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:  # it is gone, and nobody knows how it ended
            pid, status = self._pid, -1
        now_ns = self._boot_ns()
        if pid == 0:
            if now_ns - self._started_ns >= RUN_NS_MAX and not self._is_ended:
                self.stop()
                seconds = RUN_NS_MAX // 1_000_000_000
                self._failed(rule, now_ns, f"a backup took longer than {seconds} s, and was ended")
            return
        self._pid = 0
        self._newest_ns = self._read_newest(rule)
        if self._is_ended:
            return  # that was paged when it was ended
        if status != 0:
            self._failed(rule, now_ns, self._last_said() or f"it ended with status {status}")
            return
        self._good_since_ns = self._started_ns
        self._again_ns = self._started_ns + rule.every_ns
        if self._late:
            self._late = False
            self._page("backups are made again", Severity.INFO)

    def _failed(self, rule: BackupRule, now_ns: int, why: str) -> None:
        self._again_ns = now_ns + min(RETRY_NS, rule.every_ns)
        self._page(why)

    def _last_said(self) -> str:
        """The last line of the log; nothing when it says nothing, or cannot be read."""
        try:
            with self._log_file.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_BYTES_MAX))
                said = log.read(LOG_BYTES_MAX).decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return said[-1].removeprefix("fuseboard backup: ") if said else ""

    def _page(self, text: str, severity: Severity = Severity.PAGE) -> None:
        for pager in self._pagers:
            pager.page(severity.value, Reason.BACKUP.value, ACCOUNT_SCOPE, text)
