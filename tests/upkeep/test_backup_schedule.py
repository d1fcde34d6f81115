"""The running gateway takes the backups that its policy asks for, and says when one is missing."""

import errno
import os
import signal
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fuseboard.control.state_directory import StateDirectory
from fuseboard.halts.heartbeats import boot_ns
from fuseboard.policy.loader import policy_from_yaml
from fuseboard.policy.rules import BackupRule
from fuseboard.upkeep import backup_schedule
from fuseboard.upkeep.backup import NEWEST_NAME, Newest, backups_of
from fuseboard.upkeep.backup_schedule import BackupSchedule
from tests.app.command_line import CommandLine
from tests.app.lived import halt, live

MINUTE_NS = 60 * 10**9


class Said:
    """A pager that remembers."""

    def __init__(self) -> None:
        self.alerts: list[tuple[str, str]] = []

    def page(self, severity: str, code: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        assert (code, scope) == ("backup", "account")
        self.alerts.append((severity, text))


class Scheduled:
    """A schedule on a state with a past; its clock stands until it is moved."""

    def __init__(self, fuseboard: CommandLine, rule: BackupRule) -> None:
        assert fuseboard.on_state("init").code == 0
        self.state = StateDirectory(fuseboard.state)
        live(self.state, halt("strategy:alpha"))
        self.rule = rule
        self.said = Said()
        self.shift_ns = 0
        self.wall_shift_ns = 0
        self.schedule = BackupSchedule(
            self.state,
            rule=lambda: self.rule,
            policy_digest=lambda: str(self.rule),
            pagers=[self.said],
            now_ns=lambda: time.time_ns() + self.shift_ns + self.wall_shift_ns,
            since_boot_ns=lambda: boot_ns() + self.shift_ns,
        )

    def made(self) -> int:
        return len(backups_of(self.state.path / self.rule.path, self.state.identity().instance))

    def note(self) -> None:
        """As a backup leaves it that was taken just now."""
        folder = str(self.state.path / self.rule.path)
        newest = Newest(folder=folder, name="b", taken_ns=time.time_ns())
        (self.state.path / NEWEST_NAME).write_bytes(msgspec.json.encode(newest))
        self.schedule._newest_ns = self.schedule._read_newest(self.rule)

    def look(self, minutes: int = 0) -> None:
        """Look, and wait until what that began has ended."""
        self.shift_ns += minutes * MINUTE_NS
        self.schedule.look()
        if self.schedule._pid:
            os.waitid(os.P_PID, self.schedule._pid, os.WEXITED | os.WNOWAIT)
            self.schedule._follow(self.rule)


def instead(monkeypatch: pytest.MonkeyPatch, script: str) -> list[list[str]]:
    """A shell's script runs where `fuseboard backup` would; the words that were asked for."""
    asked: list[list[str]] = []
    real = os.posix_spawn

    def spawn(path: str, words: list[str], environment: object, **more: object) -> int:
        asked.append(words[3:])
        return int(real("/bin/sh", ["sh", "-c", script], {}, **more))  # type: ignore[arg-type]

    monkeypatch.setattr(backup_schedule.os, "posix_spawn", spawn)  # type: ignore[attr-defined]
    return asked


RULE = BackupRule(enabled=True, every_ns=10 * MINUTE_NS, copies=2)


def test_backups_are_taken_when_they_are_due_and_given_up_by_retention(
    fuseboard: CommandLine,
) -> None:
    it = Scheduled(fuseboard, RULE)
    assert it.schedule.says() == f"none yet, to {it.state.path / 'backups'}"
    it.look()
    assert it.made() == 1
    it.look(9)
    assert it.made() == 1
    assert it.schedule.says().endswith(f"s old, in {it.state.path / 'backups'}")
    for minutes in (2, 11, 11):
        it.look(minutes)
        assert it.made() == 2
    assert it.said.alerts == []


def test_what_the_policy_says_reaches_the_command(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = f"backup: {{every: hourly, path: {tmp_path}/elsewhere, retention: 2y, keep: 7}}"
    it = Scheduled(fuseboard, policy_from_yaml(text, "p").backup)
    asked = instead(monkeypatch, "exit 0")
    it.look()
    assert asked[0][3:] == [
        *("--to", f"{tmp_path}/elsewhere", "--copies", "7", "--scheduled"),
        *("--retention-days", "730"),
    ]
    it.rule = policy_from_yaml("backup: {verify: false}", "p").backup
    it.look(61)
    assert asked[1][3:] == [
        *("--to", str(it.state.path / "backups"), "--copies", "30", "--scheduled"),
        "--unverified",
    ]


def test_a_policy_without_the_section_asks_for_none(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = instead(monkeypatch, "exit 0")
    for text in ("name: x", "backup: {enabled: false, every: 1h}"):
        assert not policy_from_yaml(text, "p").backup.enabled
    it = Scheduled(fuseboard, BackupRule())
    it.look()
    it.look(10_000)
    assert (asked, it.said.alerts) == ([], [])
    assert it.schedule.says() == "none: the policy asks for none"


def test_a_failed_backup_pages_its_reason_and_is_tried_again(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Scheduled(fuseboard, RULE)
    asked = instead(monkeypatch, "echo 'fuseboard backup: the backup failed: no space'; exit 1")
    it.look()
    assert it.said.alerts == [("page", "the backup failed: no space")]
    it.look()
    assert len(asked) == 1
    it.look(1)
    assert len(asked) == 2
    it.wall_shift_ns = -100 * MINUTE_NS
    it.look(2)
    assert len(asked) == 3, "a clock that goes back does not end the tries"


def test_a_late_backup_pages_once_until_one_is_made(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Scheduled(fuseboard, RULE)
    with monkeypatch.context() as patched:
        instead(patched, "exec sleep 60")
        it.schedule.look()
        for _ in range(30):
            it.shift_ns += MINUTE_NS
            it.schedule.look()
        assert [text for _, text in it.said.alerts] == [
            f"no backup for 1200 s: see {it.state.path / 'backup.log'}"
        ]
        it.shift_ns += backup_schedule.RUN_NS_MAX
        it.schedule.look()
        assert it.said.alerts[-1] == ("page", "a backup took longer than 7200 s, and was ended")
        os.waitid(os.P_PID, it.schedule._pid, os.WEXITED | os.WNOWAIT)
    it.look(2)
    assert it.made() == 1
    assert it.said.alerts[-1] == ("info", "backups are made again")
    assert len(it.said.alerts) == 3


def test_a_backup_from_the_future_is_none_and_a_stop_ends_what_is_under_way(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Scheduled(fuseboard, RULE)
    it.note()
    it.wall_shift_ns = -1_000 * MINUTE_NS
    asked = instead(monkeypatch, "exec sleep 60")
    it.schedule.look()
    assert len(asked) == 1
    pid = it.schedule._pid
    assert "LATE" not in it.schedule.says()
    it.schedule.stop()
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL


def test_the_gateway_neither_looks_at_the_target_nor_waits_for_a_backup_that_cannot_die(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Scheduled(fuseboard, RULE)
    it.note()
    target, real = it.state.path / "backups", os.stat

    def stat(path: Any, *more: Any, **options: Any) -> Any:
        assert not str(path).startswith(str(target)), "a target that hangs would hang trading"
        return real(path, *more, **options)

    def waitpid(pid: int, options: int) -> tuple[int, int]:
        assert options == os.WNOHANG, "a process in the kernel's hands does not die"
        return 0, 0

    asked = instead(monkeypatch, "exec sleep 60")
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", stat)
        patched.setattr(os, "waitpid", waitpid)
        patched.setattr(os, "scandir", stat)
        it.shift_ns += 11 * MINUTE_NS
        it.schedule.look()
        assert it.schedule.says().endswith(f"s old, in {target}")
        pid = it.schedule._pid
        for _ in range(3):
            it.shift_ns += backup_schedule.RUN_NS_MAX
            it.schedule.look()
        it.schedule.stop()
    assert (len(asked), it.schedule._pid) == (1, pid), "no second one beside it"
    ended = [text for _, text in it.said.alerts if "was ended" in text]
    assert len(ended) == 1
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    it.schedule.look()
    assert len(asked) == 2
    it.schedule.stop()
    os.waitpid(it.schedule._pid, 0)


def test_a_new_run_knows_the_newest_backup_of_its_own_target_only(
    fuseboard: CommandLine, tmp_path: Path
) -> None:
    it = Scheduled(fuseboard, RULE)
    it.note()

    def says(rule: BackupRule) -> str:
        schedule = BackupSchedule(
            it.state, rule=lambda: rule, policy_digest=lambda: "", pagers=[it.said]
        )
        return schedule.says()

    assert says(RULE).endswith(f"s old, in {it.state.path / 'backups'}")
    elsewhere = BackupRule(enabled=True, every_ns=1, path=str(tmp_path))
    assert says(elsewhere) == f"none yet, to {tmp_path}"
    (it.state.path / NEWEST_NAME).write_text("{")
    assert says(RULE).startswith("none yet")


def test_what_the_system_refuses_is_a_backup_that_failed_and_not_the_end_of_backups(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Scheduled(fuseboard, RULE)

    def refused(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    for name, minutes in (("open", 0), ("posix_spawn", 2)):
        with monkeypatch.context() as patched:
            patched.setattr(backup_schedule.os, name, refused)  # type: ignore[attr-defined]
            it.look(minutes)
        assert it.said.alerts.pop()[1] == (
            "a backup could not be started: [Errno 24] Too many open files"
        )
        assert it.said.alerts == []
    with monkeypatch.context() as patched:
        instead(patched, "exit 3")
        patched.setattr(Path, "open", refused)
        it.look(2)
    assert it.said.alerts.pop()[1] == "it ended with status 768"
    instead(monkeypatch, "head -c 200000 /dev/zero; exit 3")
    it.look(2)
    assert it.said.alerts.pop()[1] == "\0" * backup_schedule.LOG_BYTES_MAX
