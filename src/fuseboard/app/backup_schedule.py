"""Backups that the policy asks for, taken beside the running gateway by a process of their own.

The gateway only looks at the clock, starts `fuseboard backup` and reads how it ended: copying,
hashing and the trial restore are another process's work, which stands back for the processor. A
backup that fails pages and is tried again; one that is late pages once.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from fuseboard.alerts.outward import COMMAND_NAME, WEBHOOK_NAME
from fuseboard.app.backup import backups_of
from fuseboard.control.state_directory import StateDirectory
from fuseboard.guardian.orders import KEY_NAMES
from fuseboard.halts.heartbeats import boot_ns
from fuseboard.policy.rules import BackupRule
from fuseboard.vocabulary.doors import Pager
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

LOOK_S: Final = 1.0
RETRY_NS: Final = 60 * 1_000_000_000
"""After a failure, unless backups are more often than that."""
RUN_NS_MAX: Final = 2 * 3600 * 1_000_000_000
"""A backup that takes longer is ended, and has failed."""
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
        self._instance = state.identity().instance
        self._log_file = state.path / "backup.log"
        self._good_since_ns = since_boot_ns()
        """By boot time, as all that lasts here; when a backup was taken is wall time."""
        self._pid = 0
        self._started_ns = 0
        self._again_ns = 0
        self._late = False
        self._known: tuple[Path, int] = (Path(), -1)
        self._newest_ns = 0

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Start a backup that is due, take note of one that ended, say when it is late."""
        if self._policy_digest() != self._followed:  # another policy was adopted
            self._rule, self._followed = self._present_rule(), self._policy_digest()
        rule = self._rule
        if self._pid:
            self._follow(rule)
        if not rule.enabled:
            return
        now_ns = self._boot_ns()
        age_ns = self._now_ns() - self._newest(rule)
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
        newest_ns = self._newest(rule)
        if not newest_ns:
            return f"none yet, to {self._folder(rule)}"
        age_s = (self._now_ns() - newest_ns) // 1_000_000_000
        return f"{age_s} s old{', LATE' if self._late else ''}, in {self._folder(rule)}"

    def stop(self) -> None:
        """End a backup that is under way: what it wrote does not look like one."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0

    # --- its parts -------------------------------------------------------------------------------

    def _folder(self, rule: BackupRule) -> Path:
        return self._state.path / rule.path

    def _newest(self, rule: BackupRule) -> int:
        """When the newest backup was taken, wall time; the folder is read when it has changed."""
        folder = self._folder(rule)
        try:
            seen = (folder, folder.stat().st_mtime_ns)
        except OSError:
            return 0
        if seen != self._known:
            backups = backups_of(folder, self._instance)
            self._newest_ns = backups[-1][1].taken_ns if backups else 0
            self._known = seen
        return self._newest_ns

    def _start(self, rule: BackupRule, now_ns: int) -> None:
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
            self._pid = os.posix_spawn(
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
        self._started_ns = now_ns

    def _follow(self, rule: BackupRule) -> None:
        """Take the exit code of the one that is under way, if it ended."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        now_ns = self._boot_ns()
        if pid == 0:
            if now_ns - self._started_ns < RUN_NS_MAX:
                return
            self.stop()
            status = -1
        self._pid = 0
        if status == 0:
            self._good_since_ns = self._started_ns
            self._again_ns = self._started_ns + rule.every_ns
            if self._late:
                self._late = False
                self._page("backups are made again", Severity.INFO)
            return
        self._again_ns = now_ns + min(RETRY_NS, rule.every_ns)
        said = self._log_file.read_text(errors="replace").strip().splitlines()
        why = said[-1] if said else f"it ended with status {status}"
        self._page(why.removeprefix("fuseboard backup: "))

    def _page(self, text: str, severity: Severity = Severity.PAGE) -> None:
        for pager in self._pagers:
            pager.page(severity.value, Reason.BACKUP.value, ACCOUNT_SCOPE, text)
