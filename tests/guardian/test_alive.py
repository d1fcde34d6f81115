"""Systemd hears of each look of the guardian and of each step of its acts, and of nothing else."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from fuseboard.app import guardian_link
from fuseboard.guardian.orders import Orders, Place, key_mark
from fuseboard.guardian.serving import Guardian
from fuseboard.halts.heartbeats import Beat, Heart, HeartbeatFile, Phase, boot_ns
from fuseboard.halts.register import HaltsRegister
from fuseboard.rescue.journal import read_lines
from fuseboard.vocabulary.money import NANOS
from tests.e2e.processes import EXCHANGE_KEY, EXCHANGE_SECRET, FUSEBOARD, Running, until
from tests.guardian.scene import Heard

ALIVE, READY = b"WATCHDOG=1", b"READY=1"
NOBODY = "http://127.0.0.1:1"


class Systemd:
    """A datagram socket as systemd's, and all that came in on it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._door.bind(str(file))
        self._door.settimeout(30)

    def hears(self) -> bytes:
        """The next word; fails the test when none comes."""
        return self._door.recv(100)

    def forgets(self) -> None:
        """What came until now is let go of."""
        self._door.setblocking(False)
        with suppress(BlockingIOError):
            while self._door.recv(100):
                pass
        self._door.settimeout(30)

    def close(self) -> None:
        self._door.close()


@contextmanager
def guarding(place: Place, systemd: Systemd) -> Iterator[Running]:
    """A guardian's process for a gateway's run 1 and all later ones."""
    running = Running(
        place.state.parent, "guardian",
        *FUSEBOARD, "guardian", "--state", place.state, "--run", "1",
        ALPACA_API_KEY=EXCHANGE_KEY, ALPACA_SECRET_KEY=EXCHANGE_SECRET,
        NOTIFY_SOCKET=str(systemd.file),
    )  # fmt: skip
    try:
        yield running
    finally:
        running.kill()


def missed_gateway(place: Place) -> None:
    """The state directory of a gateway whose process is gone, and whose broker answers nobody."""
    HaltsRegister.create(place.register_file)
    orders = Orders(
        instance="abcd1234",
        account="default",
        base_url=NOBODY,
        data_url=NOBODY,
        key_mark=key_mark(EXCHANGE_KEY),
        timeout_ns=NANOS // 5,
        flatten=True,
        close_collar_nanos=NANOS // 100,
        close_collar_nanos_max=NANOS // 10,
        close_wait_ns=NANOS,
        close_attempts_max=4,
        absent_after_ns=NANOS,
    )
    place.orders_file.write_bytes(msgspec.json.encode(orders))
    beats = HeartbeatFile(place.heartbeat_file)
    beats.write(Heart.GATEWAY, Beat(Phase.RUNNING, os.getpid(), 1, 2, boot_ns(), 1))
    beats.close()


def test_systemd_hears_of_looks_and_while_it_acts_of_each_step(tmp_path: Path) -> None:
    place = Place(tmp_path / "state")
    place.state.mkdir()
    systemd = Systemd(tmp_path / "notify")
    with guarding(place, systemd) as guardian:
        assert systemd.hears() == READY
        assert [systemd.hears() for _ in range(3)] == [ALIVE] * 3, "it looks, and finds nobody"
        missed_gateway(place)
        until(lambda: "killed" in [at.act for at in read_lines(place.journal_file)], "it acts")
        systemd.forgets()
        assert [systemd.hears() for _ in range(3)] == [ALIVE] * 3, "the broker is asked again"
        assert "done" not in [at.act for at in read_lines(place.journal_file)]
        guardian.must_run()
    systemd.close()


def test_acts_that_stand_still_are_told_by_silence(tmp_path: Path) -> None:
    class Still:
        async def act(self, *, may_close: bool) -> None:
            assert not may_close
            await asyncio.sleep(0.3)

    told: list[str] = []
    place = Place(tmp_path)
    guardian = Guardian(place, HeartbeatFile(place.heartbeat_file), {}, [Heard()], tell=told.append)
    assert asyncio.run(guardian._acted(cast("Any", Still()), may_close=False, is_told=True))
    assert told == []


def test_a_guardian_that_a_gateway_starts_does_not_speak_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, str]] = []

    def spawned(_file: str, _words: object, environment: dict[str, str], **_more: object) -> int:
        started.append(environment)
        return 1

    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setattr(os, "posix_spawn", spawned)
    link: Any = object.__new__(guardian_link.GuardianLink)
    link._starts, link._run_ns, link._place = 0, 1, Place(tmp_path)
    link._broker = type("Keys", (), {"key_id": "k", "secret": "s"})
    link._spawn()
    assert [each["NOTIFY_SOCKET"] for each in started] == [""]
