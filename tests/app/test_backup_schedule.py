"""The running gateway takes the backups that its policy asks for, and says when one is missing."""

import os
import time
from pathlib import Path

import pytest

from fuseboard.app import backup_schedule
from fuseboard.app.backup import backups_of, taken
from fuseboard.app.backup_schedule import BackupSchedule
from fuseboard.control.state_directory import StateDirectory
from fuseboard.halts.heartbeats import boot_ns
from fuseboard.policy.loader import policy_from_yaml
from fuseboard.policy.rules import BackupRule
from tests.app.command_line import CommandLine
from tests.app.lived import halt, live

MINUTE_NS = 60 * 10**9


class Said:
    """A pager that remembers."""

    def __init__(self) -> None:
        self.alerts: list[tuple[str, str]] = []

    def page(self, severity: str, code: str, scope: str, text: str) -> None:
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
        assert "ended with status" in it.said.alerts[-1][1]
    it.look(2)
    assert it.made() == 1
    assert it.said.alerts[-1] == ("info", "backups are made again")
    assert len(it.said.alerts) == 3


def test_a_backup_from_the_future_is_none_and_a_stop_ends_what_is_under_way(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Scheduled(fuseboard, RULE)
    taken(it.state, it.state.path / "backups")
    it.wall_shift_ns = -1_000 * MINUTE_NS
    asked = instead(monkeypatch, "exec sleep 60")
    it.schedule.look()
    assert len(asked) == 1
    pid = it.schedule._pid
    assert "LATE" not in it.schedule.says()
    it.schedule.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
