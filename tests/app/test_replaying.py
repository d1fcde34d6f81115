"""A start that replays a long journal is told of: to people, to systemd, to who asks for status."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fuseboard.app import replaying
from fuseboard.app.kept_journal import keep_journal
from fuseboard.app.replaying import START_S, Replaying, replayed
from fuseboard.control.state_directory import Identity, StateDirectory
from fuseboard.guardian.orders import Place
from fuseboard.guardian.serving import Guardian
from fuseboard.guardian.watching import Finding, Kind, What
from fuseboard.halts.heartbeats import HeartbeatFile
from fuseboard.halts.register import HaltsRegister
from fuseboard.halts.replaying import NOTE, forget_replay, note_replay, replay_says
from fuseboard.lab.demo import DemoOptions, run_demo
from fuseboard.policy.starter import default_policy_text
from fuseboard.runtime import recovery
from tests.app.command_line import CommandLine
from tests.guardian.test_one_writer import KEYS, ORDERS, Told


@pytest.fixture
def state(fuseboard: CommandLine) -> Iterator[StateDirectory]:
    """A state with a journal; each record is told of, as it were late."""
    made = StateDirectory(fuseboard.state)
    made.path.mkdir()
    records = run_demo(DemoOptions(scene="normal", ticks=20), lambda _line: None).records
    keep_journal(made.journal_file, records)
    HaltsRegister.create(made.register_file)
    made.policy_file.write_text(default_policy_text())
    made.finish(Identity(instance="demo0000", account="demo", created_ns=1))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replaying, "SAID_EVERY_S", 0)
        patched.setattr(recovery, "TOLD_EVERY", 1)
        yield made


def test_people_and_systemd_hear_of_a_long_replay_each_few_seconds_and_of_a_short_one_never() -> (
    None
):
    now_s, said, told, noted = [100.0], list[str](), list[str](), list[tuple[int, int]]()

    def note(record: int, last: int) -> None:
        noted.append((record, last))

    here = Replaying(said.append, note=note, notify=told.append, clock_s=lambda: now_s[0])
    for number in range(80):  # a second for eight steps
        here.told(1_000 + 25_000 * number, 4_000_000)
        now_s[0] += 0.125
    assert said == [
        "replaying the journal: record 601,000 of 4,000,000, 16 s more",
        "replaying the journal: record 1,201,000 of 4,000,000, 13 s more",
        "replaying the journal: record 1,801,000 of 4,000,000, 10 s more",
    ]
    assert told == [f"EXTEND_TIMEOUT_USEC={START_S * 10**6}"] * 3
    assert noted == [(at, 4_000_000) for at in (601_000, 1_201_000, 1_801_000)]


def test_a_start_notes_its_replay_while_it_lasts(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    heard: list[str] = []
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as systemd:
        systemd.bind(str(tmp_path / "n"))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))

        def say(_text: str) -> None:
            heard.append(replay_says(state.path))
            heard.append(systemd.recv(100).decode())

        last = replayed(state, say).recovered.last_sequence
    assert len(heard) == 2 * last
    assert heard[:2] == [
        f"a gateway that starts (pid {os.getpid()}) replays its journal, record 1 of {last:,}",
        "EXTEND_TIMEOUT_USEC=180000000",
    ]
    assert not (state.path / NOTE).exists()


def test_the_status_of_a_gateway_that_replays_says_so_and_how_far_it_is(
    fuseboard: CommandLine, state: StateDirectory
) -> None:
    lock = state.lock()
    try:
        note_replay(state.path, 5_000, 36_000_000)
        said = fuseboard.refused("status", "--state", state.path)
        assert "replays its journal, record 5,000 of 36,000,000: it answers nobody before" in said
        assert fuseboard.on_state("halt", "--operator", "Ada").code == 0, "the register takes it"
        shown = fuseboard.on_state("status").out
        assert "posture   HALTED" in shown
        assert f"gateway   a gateway that starts (pid {os.getpid()}) replays its journal" in shown
    finally:
        os.close(lock)


def test_a_note_that_a_killed_start_left_is_nobodys(state: StateDirectory) -> None:
    left = (
        "import os, signal, sys; from pathlib import Path;"
        " from fuseboard.halts.replaying import note_replay;"
        " note_replay(Path(sys.argv[1]), 1, 2); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", left, str(state.path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (state.path / NOTE).exists()
    assert replay_says(state.path) == ""
    (state.path / NOTE).write_bytes(b"{")
    assert replay_says(state.path) == ""


def test_the_status_without_a_gateway_tells_of_its_own_replay_beside_the_answer(
    fuseboard: CommandLine, state: StateDirectory
) -> None:
    done = fuseboard.on_state("status", "--json")
    assert done.json()["running"] is False, "what is told of is no part of the answer"
    assert done.err.startswith("replaying the journal: record 1 of ")


def test_the_guardians_warning_of_a_gateway_that_is_late_says_that_the_next_one_replays(
    state: StateDirectory,
) -> None:
    told: list[str] = []
    place = Place(state.path)
    guardian = Guardian(place, HeartbeatFile(place.heartbeat_file), KEYS, [Told(told)])
    late = Finding(What.LATE, Kind.GONE, 5 * 10**9)
    note_replay(state.path, 5_000, 36_000_000)
    guardian._judge(late, None, ORDERS, ("", ""))
    forget_replay(state.path)
    guardian._judge(late, None, ORDERS, ("", ""))
    replays, alone = told
    assert "replays its journal, record 5,000 of 36,000,000; it is taken over if" in replays
    assert "no progress for 5.0 s; it is taken over if" in alone
