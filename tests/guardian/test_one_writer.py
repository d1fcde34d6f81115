"""One writer to the broker: a gateway that starts and a guardian that misses the one before it."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fuseboard.app.broker_choice import BrokerKeys
from fuseboard.app.broker_latching import BrokerLatching
from fuseboard.app.guardian_link import GuardianLink
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.guardian import serving
from fuseboard.guardian.orders import Orders, Place, key_mark
from fuseboard.guardian.serving import Guardian
from fuseboard.halts.block import Slot
from fuseboard.halts.heartbeats import Beat, Heart, HeartbeatFile, Phase, process_seen
from fuseboard.halts.register import HaltsRegister
from fuseboard.rescue import disk
from fuseboard.rescue.journal import GuardianJournal, read_lines
from tests.e2e.processes import until

DEAD = Beat(Phase.RUNNING, 999_999, 1, 77, 5, 9)
ORDERS = Orders(
    instance="abcd1234", account="default", base_url="", data_url="", key_mark=key_mark("A"),
    timeout_ns=1, flatten=True, close_collar_nanos=1, close_collar_nanos_max=1, close_wait_ns=1,
    close_attempts_max=1, close_within_ns=1,
    absent_after_ns=1,
)  # fmt: skip
KEYS = {"ALPACA_API_KEY": "A", "ALPACA_SECRET_KEY": "s"}


class Told:
    """A pager that keeps what it is told."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def page(self, severity: str, reason: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        self._told.append(f"{severity} {reason} {scope}: {text}")


def link_of(
    folder: Path, told: list[str], said: list[str], is_halted: Callable[[], bool], **whose: bool
) -> GuardianLink:
    """A gateway's link, before it has a pulse."""
    broker = BrokerKeys(base_url="", data_url="", data_stream_url="", key_id="A", secret="s")
    return GuardianLink(
        StateDirectory(folder),
        wanted=whose.get("wanted", False),
        expected=whose.get("expected", False),
        orders=lambda: ORDERS,
        policy_digest=lambda: "",
        broker=broker,
        latching=BrokerLatching(Place(folder), broker=broker, instance="", is_halted=is_halted),
        pagers=[Told(told)],
        say=said.append,
    )


class Both:
    """A guardian that has missed a gateway, and the next gateway's link; `who` is at the broker."""

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder)
        self.place.orders_file.write_bytes(msgspec.json.encode(ORDERS))
        self.beats = HeartbeatFile(self.place.heartbeat_file)
        self.beats.write(Heart.GATEWAY, DEAD)
        HaltsRegister.create(self.place.register_file)
        self.register = HaltsRegister(self.place.register_file, Slot.GATEWAY)
        self.who: list[str] = []
        self.told: list[str] = []
        self.said: list[str] = []
        self.wrote: list[str] = []
        self.guardian = Guardian(self.place, self.beats, KEYS, [], pause=lambda _s: None)
        is_halted = partial(self.register.halts, "", "")
        self.link = link_of(folder, self.told, self.said, is_halted)
        self.link.pulse(durable=lambda: 0, intake=lambda: 0, oldest_call_age_ns=lambda: 0)
        self.gateway = threading.Thread(target=self._start)

    def _start(self) -> None:
        assert asyncio.run(self.link.claim(asyncio.Event()))
        self.at_the_broker("gateway", leaves=False)

    def begin_gateway(self) -> None:
        """The next gateway starts, as far as it comes at once."""
        self.gateway.start()
        until(lambda: self.phase() is Phase.STARTING, "it says that it starts")

    def at_the_broker(self, name: str, *, leaves: bool) -> None:
        self.who.append(name)
        assert len(self.who) == 1, f"{self.who} are at the broker together"
        self.wrote.append(name)
        if leaves:
            self.gateway.join(0.3)  # as long as it takes a gateway that does not wait
            self.who.remove(name)

    def phase(self) -> Phase:
        beat = self.beats.read(Heart.GATEWAY)
        assert beat is not None
        return beat.phase

    def look(self) -> None:
        """One look of the guardian's: it misses the gateway once its time is over."""
        self.guardian._stopping = False

        def once(_s: float) -> None:
            self.guardian._stopping = True

        self.guardian._pause = once
        assert self.guardian._looks() == 0

    def close(self) -> None:
        if self.gateway.ident:
            self.gateway.join(10)
        assert not self.gateway.is_alive()
        self.link.close()
        self.register.close()
        self.guardian._journal.close()
        self.beats.close()


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    made = Both(tmp_path)

    class Acting:
        def __init__(self, **_parts: Any) -> None: ...

        def secure(self, *_seen: Any) -> bool:
            if not made.gateway.ident:
                made.begin_gateway()
            return True

        async def act(self, *, may_close: bool) -> None:
            made.at_the_broker("guardian", leaves=True)

    monkeypatch.setattr(serving, "Acts", Acting)
    yield made
    made.close()


def test_a_gateway_that_starts_none_says_whether_an_earlier_guardian_watches(both: Both) -> None:
    me = process_seen(os.getpid())
    assert me is not None
    for pid, phase, watches in (
        (os.getpid(), Phase.RUNNING, True),
        (os.getpid(), Phase.STOPPED, False),
        (os.getpid(), Phase.STARTING, False),
        (999_999, Phase.RUNNING, False),
    ):
        both.beats.write(Heart.GUARDIAN, Beat(phase, pid, me.start_ticks, 1, 1, 1))
        both.link.start()
        assert ("an earlier one still watches" in both.said[-1]) == watches
        assert ("stays if this gateway dies" in both.said[-1]) != watches
        assert both.link.says() == ("watches" if watches else "none")


def test_a_gateway_that_starts_while_the_guardian_acts_waits_until_it_is_done(both: Both) -> None:
    both.look()
    both.look()  # it is missed; the next one starts when the guardian has begun to act
    both.gateway.join(10)
    assert both.wrote == ["guardian", "gateway"]


def test_a_guardian_that_finds_a_gateway_starting_leaves_the_broker_to_it(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    both.look()
    real = HeartbeatFile.write

    def write(file: HeartbeatFile, heart: Heart, beat: Beat) -> None:
        if beat.phase is Phase.ACTING and not both.gateway.ident:
            both.begin_gateway()  # between the guardian's look and its word that it acts
        real(file, heart, beat)

    monkeypatch.setattr(HeartbeatFile, "write", write)
    both.look()
    both.gateway.join(10)
    assert both.wrote == ["gateway"]
    assert [line.act for line in read_lines(both.place.journal_file)] == ["left"]
    both.look()
    assert both.guardian._watch.run_ns == both.link._run_ns, "the new one is watched"


def test_a_guardian_whose_beat_a_hung_disk_holds_leaves_the_broker_to_who_begins(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    ended: list[str] = []
    real = HeartbeatFile.write

    def write(file: HeartbeatFile, heart: Heart, beat: Beat) -> None:
        if beat.phase is Phase.ACTING:
            answers.wait()
        real(file, heart, beat)

    async def act(_acts: object, *, may_close: bool) -> None:
        try:
            await asyncio.sleep(0)  # the disk answers the gateway first
            both.begin_gateway()
            await asyncio.sleep(600)
        finally:
            ended.append("the acts")

    monkeypatch.setattr(disk, "WAIT_S_MAX", 0.1)
    monkeypatch.setattr(HeartbeatFile, "write", write)
    monkeypatch.setattr("fuseboard.guardian.serving.Acts.secure", lambda *_seen: True)
    monkeypatch.setattr("fuseboard.guardian.serving.Acts.act", act)
    both.look()
    try:
        both.look()
    finally:
        answers.set()
    both.gateway.join(10)
    assert ended == ["the acts"]
    assert both.wrote == ["gateway"]
    assert [line.act for line in read_lines(both.place.journal_file)] == ["left"]
    assert DEAD.run_ns not in both.guardian._watch._done, "nobody has dealt with it yet"


def test_a_start_that_cannot_say_so_is_refused(both: Both) -> None:
    writable = both.link._file._descriptor
    both.link._file._descriptor = os.open(both.place.heartbeat_file, os.O_RDONLY)
    os.close(writable)
    with pytest.raises(StateRefused, match="does not take our heartbeat"):
        asyncio.run(both.link.claim(asyncio.Event()))
    assert both.beats.read(Heart.GATEWAY) == DEAD


def test_a_start_tells_what_the_guardian_did_once_and_again_when_its_note_is_damaged(
    both: Both,
) -> None:
    with closing(GuardianJournal(both.place.journal_file)) as journal:
        journal.write("missed", run_ns=1, detail="no progress")
    note = both.place.state / "guardian.reported"
    told: list[int] = []
    for damage in (None, None, b"garbage", b"\xff\xfe", b""):
        if damage is not None:
            note.write_bytes(damage)
        both.told.clear()
        both.link.start()
        told.append(len(both.told))
    assert told == [1, 0, 1, 1, 1]
