"""A disk that hangs whole, with each write and sync, stops none of the guardian's acts."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from fuseboard.brokers.alpaca_requests import AlpacaRequests
from fuseboard.guardian import acting, killing
from fuseboard.guardian.killing import killed, runs_no_more
from fuseboard.guardian.orders import Place
from fuseboard.guardian.serving import Guardian
from fuseboard.halts.block import Slot
from fuseboard.halts.heartbeats import (
    Beat,
    Heart,
    HeartbeatFile,
    Phase,
    boot_ns,
    process_seen,
)
from fuseboard.halts.register import HaltsRegister, RegisterUnwritable
from fuseboard.rescue import disk
from fuseboard.rescue.disk import Disk
from fuseboard.rescue.journal import GuardianJournal, read_lines
from fuseboard.vocabulary.effects import LatchHalt, ReadLeg
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import (
    BrokerPosition,
    LegRead,
    Moment,
    PositionsSeen,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.e2e.processes import EXCHANGE_KEY, EXCHANGE_SECRET, until
from tests.e2e.truth import nothing_twice, positions_of
from tests.guardian.scene import MISSED, Heard, Scene

KEYS = {"ALPACA_API_KEY": EXCHANGE_KEY, "ALPACA_SECRET_KEY": EXCHANGE_SECRET}
CALLS = ("write", "pwrite", "fsync", "fdatasync")
RUN_NS = 77


class HungDisk:
    """From `hang` on no write to a folder, and no sync there, returns before the test is over."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder = folder.resolve()
        self._patch = patch
        self._over = threading.Event()
        self.calls: list[str] = []

    def hang(self) -> None:
        for name in CALLS:
            self._patch.setattr(os, name, self._hung(name, getattr(os, name)))
        self._patch.setattr(Path, "write_text", lambda *_more: self._never("write_text"))

    def _hung(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(descriptor: int, *more: Any) -> Any:
            if self._folder in Path(f"/proc/self/fd/{descriptor}").resolve().parents:
                self._never(name)
            return real(descriptor, *more)

        return call

    def _never(self, name: str) -> None:
        self.calls.append(name)
        self._over.wait()
        raise OSError(f"{name}: the test is over")

    def end(self) -> None:
        self._over.set()


@pytest.fixture
def hung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HungDisk]:
    monkeypatch.setattr(disk, "WAIT_S_MAX", 0.2)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    made = HungDisk(tmp_path, monkeypatch)
    try:
        yield made
    finally:
        made.end()


def sleeper() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


def beat_of(pid: int) -> Beat:
    seen = process_seen(pid)
    assert seen is not None
    return Beat(Phase.RUNNING, pid, seen.start_ticks, RUN_NS, boot_ns(), 1)


def guard(scene: Scene, looked: Callable[[], None] = lambda: None) -> Guardian:
    """A guardian of its own life, which ends once it has dealt with the gateway."""
    file = HeartbeatFile(scene.place.heartbeat_file)
    guardian = Guardian(scene.place, file, KEYS, [scene.heard], looked=looked)
    guardian._watch.dealt_with = lambda: guardian._stop(0, None)  # type: ignore[method-assign]
    return guardian


def test_a_hung_disk_stops_neither_the_kill_nor_the_cancels_nor_the_closes_and_doubles_none(
    scene: Scene, hung: HungDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.send("AAPL", 10, "buy")
    scene.send("TSLA", 4, "sell")
    scene.send("AAPL", 1, "buy", limit_price="1.00")
    text = msgspec.json.encode(scene.orders(timeout_ns=NANOS // 5))
    scene.place.orders_file.write_bytes(text)
    gateway = sleeper()
    with closing(HeartbeatFile(scene.place.heartbeat_file)) as beats:
        beats.write(Heart.GATEWAY, beat_of(gateway.pid))
    hung.hang()
    assert guard(scene).serve() == 0
    assert gateway.wait(10) == -signal.SIGKILL
    assert scene.exchange.positions() == {}
    assert scene.exchange.state()["working_orders"] == 0
    closes = [each.client_order_id for each in scene.ours()]
    assert len(closes) == 2
    assert hung.calls == ["pwrite", "pwrite"], "a beat and the latch; all else is behind them"
    assert not read_lines(scene.place.journal_file)
    said = "\n".join(scene.heard.texts)
    assert f"the disk hangs: {scene.place.register_file} is not latched on it" in said
    assert "all that was to be closed is flat; the disk hangs: " in scene.heard.texts[-1]
    (acts,) = (at for at, each in enumerate(scene.heard.texts) if "the guardian acts" in each)
    assert scene.heard.ages_ns[acts] >= disk.WAIT_S_MAX * NANOS, "it waited once for that disk"
    assert scene.heard.ages_ns[-1] == 0, "what is said when it is done happened just now"

    # The next guardian finds no note, and what the first had sent reaches the broker a moment
    # later than its own look.
    held = {"AAPL": 10 * NANOS, "TSLA": -4 * NANOS}
    late = list(held)
    real = AlpacaRequests.leg_read, AlpacaRequests.positions

    async def positions(broker: AlpacaRequests) -> PositionsSeen:
        if not late:
            return await real[1](broker)
        shown = [
            BrokerPosition(
                symbol=symbol,
                quantity_nanos=held[symbol],
                price_nanos=NANOS,
                average_price_nanos=NANOS,
            )
            for symbol in late
        ]
        return PositionsSeen(positions=tuple(shown))

    async def leg_read(broker: AlpacaRequests, leg: ReadLeg) -> LegRead:
        if leg.symbol not in late:
            return await real[0](broker, leg)
        late.remove(leg.symbol)
        return LegRead(
            trip=leg.trip, symbol=leg.symbol, attempt=leg.attempt,
            position_nanos=held[leg.symbol], against_nanos=0, found=None,
        )  # fmt: skip

    monkeypatch.setattr(AlpacaRequests, "positions", positions)
    monkeypatch.setattr(AlpacaRequests, "leg_read", leg_read)
    assert guard(scene, lambda: hung._never("what became of its alerts")).serve() == 0
    assert hung.calls[2:] == ["pwrite", "what became of its alerts"]
    nothing_twice(scene.ledger())
    assert positions_of(scene.ledger()) == {}
    assert [each.client_order_id for each in scene.ours()] == closes
    assert not late


NEVER = f"""
import os, sys, threading
from pathlib import Path
def never(*_):
    threading.Event().wait()
said = os.write
for name in {CALLS!r}:
    setattr(os, name, never)
os.write = lambda at, data: said(at, data) if at == 2 else never()  # the pipe to the test
from fuseboard.guardian.process import main
sys.exit(main(Path(sys.argv[1])))
"""


def test_a_guardian_that_starts_on_a_hung_disk_kills_and_says_so(tmp_path: Path) -> None:
    gateway, place = sleeper(), Place(tmp_path)
    nowhere = cast("Scene", SimpleNamespace(exchange=SimpleNamespace(url="http://127.0.0.1:1")))
    orders = Scene.orders(nowhere, timeout_ns=NANOS // 5)
    place.orders_file.write_bytes(msgspec.json.encode(orders))
    with closing(HeartbeatFile(place.heartbeat_file)) as beats:
        beats.write(Heart.GATEWAY, beat_of(gateway.pid))
    guardian = subprocess.Popen(
        [sys.executable, "-c", NEVER, place.state],
        stderr=subprocess.PIPE,
        env={**os.environ, **KEYS},
        text=True,
    )
    assert guardian.stderr is not None
    said = next(line for line in guardian.stderr if "the guardian acts" in line)
    assert f"process {gateway.pid} is dead" in said
    assert gateway.wait(10) == -signal.SIGKILL
    guardian.kill()
    guardian.communicate()


def test_a_latch_is_seen_by_every_process_before_the_disk_says_that_it_has_it(
    tmp_path: Path, hung: HungDisk
) -> None:
    file = tmp_path / "halts.register"
    HaltsRegister.create(file)

    class Syncless:
        pwrite = staticmethod(os.pwrite)

        @staticmethod
        def fdatasync(_descriptor: int) -> None:
            hung._never("fdatasync")

    halt = LatchHalt(
        scope=ACCOUNT_SCOPE, level=HaltLevel.KILL, reason=Reason.GUARDIAN, trip="", halt_epoch=0,
        detail="",
    )  # fmt: skip
    with closing(HaltsRegister(file, Slot.GATEWAY)) as gateway:
        assert not gateway.halted()
        with closing(HaltsRegister(file, Slot.GUARDIAN, files=Syncless())) as guardian:

            def latch() -> None:
                with suppress(RegisterUnwritable):
                    guardian.latch(halt, Moment(boot_ns(), 1))

            writing = threading.Thread(target=latch)
            writing.start()
            until(lambda: hung.calls, "it waits for the disk")
            assert gateway.halted()
            assert writing.is_alive()
            hung.end()
            writing.join(10)


def test_a_disk_is_waited_for_once_until_it_has_caught_up(
    hung: HungDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    it = Disk("of a test", calls_max=3)
    assert it.do(lambda: done.append(1))
    assert it.is_idle()
    assert not it.do(lambda: hung._never("write"))
    monkeypatch.setattr(disk, "WAIT_S_MAX", 600.0)
    assert not any(it.do(lambda: done.append(2)) for _ in range(4)), "nobody waits any more"
    assert (it.behind(), it.dropped, it.is_idle()) == (5, 1, False)
    hung.end()
    until(it.is_idle, "it catches up")
    assert it.do(lambda: done.append(3)), "and is waited for again"
    assert done == [1, 2, 2, 2, 3]
    it.close()


def test_a_fault_in_a_call_ends_neither_the_thread_nor_what_is_asked_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def faulty() -> None:
        raise RuntimeError("can't start new thread")

    done: list[int] = []
    it = Disk("of a test")
    assert not it.do(faulty)
    assert it.do(lambda: done.append(1))
    assert (done, it.is_idle()) == ([1], True)
    assert "can't start new thread" in caplog.text
    it.close()


def test_a_call_that_the_disk_refused_is_not_done(tmp_path: Path) -> None:
    it = Disk("of a test")
    assert not it.do((tmp_path / "none").unlink)
    assert it.is_idle(), "it is over all the same"
    assert it.do(tmp_path.stat), "and the next one is told apart from it"
    it.do((tmp_path / "none").unlink)
    it.close()
    assert not it._thread.is_alive()


def test_a_beat_that_the_disk_refused_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = HeartbeatFile(tmp_path / "heartbeats")
    guardian = Guardian(Place(tmp_path), file, KEYS, [])
    assert guardian._beat(Phase.ACTING)

    def refused(*_more: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", refused)
        assert not guardian._beat(Phase.ACTING)
    guardian._journal.close()
    guardian._beats.close()
    file.close()


def test_a_disk_that_hangs_is_asked_once_to_note_what_became_of_the_alerts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "WAIT_S_MAX", 0.05)
    answers = threading.Event()
    behind: list[int] = []

    def looked() -> None:
        answers.wait()

    def pause(_seconds: float) -> None:
        behind.append(guardian._journal.disk.behind())
        guardian._stopping = len(behind) == 20

    file = HeartbeatFile(tmp_path / "heartbeats")
    guardian = Guardian(Place(tmp_path), file, KEYS, [], pause=pause, looked=looked)
    assert guardian._looks() == 0
    answers.set()
    guardian._journal.close()
    guardian._beats.close()
    file.close()
    assert behind == [1] * 20, "what the guardian writes when it acts has room"


def test_a_history_that_cannot_start_costs_its_line_and_not_the_latch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(acting, "HaltsHistory", full)
    place, journal, heard = Place(tmp_path), GuardianJournal(tmp_path / "journal"), Heard()
    HaltsRegister.create(place.register_file)
    nowhere = cast("Scene", SimpleNamespace(exchange=SimpleNamespace(url="http://127.0.0.1:1")))
    acts = acting.Acts(
        place=place,
        orders=Scene.orders(nowhere),
        key=(EXCHANGE_KEY, EXCHANGE_SECRET),
        run_ns=RUN_NS,
        journal=journal,
        page=lambda severity, text, **_age: heard.page(severity.value, "", "", text),
    )
    acts.secure(MISSED, None)
    journal.close()
    with closing(HaltsRegister(place.register_file, Slot.GATEWAY)) as register:
        assert [latch.level for latch in register.latched()] == [HaltLevel.KILL]
    assert not any("not latched" in text for text in heard.texts)


STUCK = """
import logging
from fuseboard.guardian.process import _end_log, _log_apart
from fuseboard.rescue import disk
disk.WAIT_S_MAX = 0.2
stop = _log_apart()
for number in range(100):
    logging.getLogger("x").warning("a fault")
_end_log(disk.Disk("last words"), stop)
"""


def test_a_guardian_ends_where_standard_error_takes_nothing() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    for size in (4_096, 1):
        with suppress(BlockingIOError):
            while True:
                os.write(write, b"x" * size)
    os.set_blocking(write, True)
    try:
        done = subprocess.run([sys.executable, "-c", STUCK], stderr=write, timeout=60, check=False)
        assert done.returncode == 0
    finally:
        os.close(read)
        os.close(write)


def test_a_killed_process_that_only_waits_for_a_device_counts_as_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alive = sleeper()
    beat = beat_of(alive.pid)
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *_: None)
    monkeypatch.setattr(killing, "DEAD_S_MAX", 0.3)
    monkeypatch.setattr(killing, "LOOK_S", 0.1)
    until(lambda: "S" in states(alive.pid), "it sleeps")
    told: list[str] = []
    monkeypatch.setattr(killing, "SLOW_S", 0.01)
    assert "is still there" in killed(beat, lambda: told.append("slow")), "a sleep can end"
    assert told == ["slow"], "said once, while it is waited for"
    monkeypatch.setattr(killing, "_RUNS_NO_MORE", (b"Z", b"X", b"S"))
    assert killed(beat) == ""
    alive.kill()
    alive.wait()
    assert not runs_no_more(alive.pid), "of what is not there nothing is known"


def states(pid: int) -> str:
    seen = process_seen(pid)
    return "" if seen is None else seen.state
