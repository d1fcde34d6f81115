"""Orders that are gone, and guardians that only begin: neither passes for a watch."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fuseboard.app import guardian_link
from fuseboard.app.guardian_link import COMING_S_MAX, MISSING_S, GuardianLink
from fuseboard.guardian import serving
from fuseboard.guardian.orders import OrdersUnusable, Place
from fuseboard.guardian.process import _beat_once
from fuseboard.guardian.serving import Guardian
from fuseboard.halts.heartbeats import Beat, Heart, HeartbeatFile, Phase, process_seen
from fuseboard.halts.register import HaltsRegister
from tests.guardian.test_one_writer import DEAD, KEYS, ORDERS, Told, link_of


class Watching:
    """A guardian in a state directory whose gateway is long dead, look by look."""

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder)
        HaltsRegister.create(self.place.register_file)
        self.beats = HeartbeatFile(self.place.heartbeat_file)
        self.told: list[str] = []
        self.acted: list[str] = []
        self.guardian = Guardian(self.place, self.beats, KEYS, [Told(self.told)], pause=self.once)

    def once(self, _s: float) -> None:
        self.guardian._stopping = True

    def look(self) -> Phase:
        """One look; what it beats then."""
        self.guardian._stopping = False
        assert self.guardian._looks() == 0
        beat = self.beats.read(Heart.GUARDIAN)
        assert beat is not None
        return beat.phase

    def is_written(self) -> None:
        self.place.orders_file.write_bytes(msgspec.json.encode(ORDERS))


@pytest.fixture
def it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watching]:
    made = Watching(tmp_path)

    class Acting:
        def __init__(self, **_parts: Any) -> None: ...

        def secure(self, *_seen: Any) -> bool:
            made.acted.append("secured")
            return True

        async def act(self, *, may_close: bool) -> None: ...

    monkeypatch.setattr(serving, "Acts", Acting)
    yield made
    made.guardian._journal.close()
    made.beats.close()


def test_a_gateway_at_work_without_orders_is_paged_once_and_is_no_watch_until_they_come(
    it: Watching,
) -> None:
    assert it.look() is Phase.STARTING, "nobody has begun"
    for phase in (Phase.STARTING, Phase.STOPPED):
        it.beats.write(Heart.GATEWAY, DEAD._replace(phase=phase, run_ns=7))
        assert it.look() is Phase.STARTING
        assert not it.told, "one that starts is about to write them, and one that ended needs none"
    it.beats.write(Heart.GATEWAY, DEAD)
    assert [it.look(), it.look()] == [Phase.STARTING] * 2
    (told,) = it.told
    assert told.startswith("page guardian account: ")
    assert "guardian.json is gone: nobody acts if the gateway dies" in told
    it.is_written()
    assert it.look() is Phase.RUNNING
    it.look()
    assert it.acted == ["secured"], "it was dead all along"


def test_without_orders_the_end_of_a_gateway_that_was_seen_is_the_guardians_too(
    it: Watching,
) -> None:
    it.beats.write(Heart.GATEWAY, DEAD)
    it.look()
    it.beats.write(Heart.GATEWAY, DEAD._replace(iteration=10))
    it.look()
    it.beats.write(Heart.GATEWAY, DEAD._replace(phase=Phase.STOPPED, iteration=11))
    it.guardian._stopping = False
    assert it.guardian._looks() == 0
    assert not it.guardian._stopping, "it stood down by itself"


@pytest.mark.parametrize("damage", [None, b"", b"{}"])
def test_orders_that_are_lost_while_it_watches_stand_as_they_were(
    it: Watching, damage: bytes | None
) -> None:
    it.is_written()
    it.beats.write(Heart.GATEWAY, DEAD)
    assert it.look() is Phase.RUNNING
    if damage is None:
        it.place.orders_file.unlink()
    else:
        it.place.orders_file.write_bytes(damage)
    assert it.look() is Phase.RUNNING
    assert it.acted == ["secured"]


def test_damaged_orders_end_a_guardian_that_knows_no_others(it: Watching) -> None:
    it.place.orders_file.write_bytes(b"{}")
    with pytest.raises(OrdersUnusable, match="start the gateway"):
        it.look()


@dataclass
class Linked:
    """A gateway's link in a time that the test sets, and what people were told."""

    link: GuardianLink
    beats: HeartbeatFile
    told: list[str]
    now_s: float = 1_000.0

    def monotonic(self) -> float:
        return self.now_s

    def time_ns(self) -> int:
        return 1

    def after(self, seconds: float, *, phase: Phase | None = None, pid: int = 0) -> list[str]:
        """What is said at a look that much later; with a phase, at a new beat of a guardian."""
        self.now_s += seconds
        if phase is not None:
            seen = process_seen(os.getpid())
            assert seen is not None
            beat = Beat(phase, pid or os.getpid(), seen.start_ticks, 1, int(self.now_s * 1e9), 1)
            self.beats.write(Heart.GUARDIAN, beat)
        self.told.clear()
        self.link._look()
        return list(self.told)


@pytest.fixture
def linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Linked]:
    """One whose guardian is expected by the policy, and started by others."""
    told: list[str] = []
    link = link_of(tmp_path, told, [], lambda: False, expected=True)
    with closing(link), closing(HeartbeatFile(Place(tmp_path).heartbeat_file)) as beats:
        made = Linked(link, beats, told)
        monkeypatch.setattr(guardian_link, "time", made)
        link._moved_at = made.now_s
        yield made


MISSING = "page guardian_missing account: the guardian is missing: nobody acts if this gateway dies"


def test_a_guardian_of_others_that_never_comes_is_missed_after_a_minute(linked: Linked) -> None:
    assert linked.after(COMING_S_MAX - 1) == []
    assert linked.link.says() == "none"
    assert linked.after(1) == [MISSING]
    assert linked.link.says().startswith("MISSING")
    assert linked.after(COMING_S_MAX) == [], "once"
    back = linked.after(1, phase=Phase.RUNNING)
    assert back == [f"info guardian account: the guardian is back: pid {os.getpid()}"]
    assert linked.link.says() == "watches"


def test_the_first_beat_of_a_guardian_is_no_watch(linked: Linked) -> None:
    _beat_once(linked.beats)
    assert linked.link.says() == "none"
    assert linked.after(0, phase=Phase.RUNNING) == []
    assert linked.link.says() == "watches"


def test_one_that_only_ever_begins_is_missed_and_is_not_back_before_it_watches(
    linked: Linked,
) -> None:
    assert linked.after(0, phase=Phase.RUNNING) == []
    gone = 999_999
    assert linked.after(2, phase=Phase.STARTING, pid=gone) == []
    assert linked.after(MISSING_S - 2, phase=Phase.STARTING, pid=gone) == [MISSING]
    assert linked.after(1, phase=Phase.STARTING) == [], "it begins again"
    assert linked.link.says().startswith("MISSING")


def test_one_that_lives_and_begins_has_a_minute_to_read_what_it_needs(linked: Linked) -> None:
    assert linked.after(0, phase=Phase.RUNNING) == []
    assert linked.after(MISSING_S, phase=Phase.STARTING) == []
    assert linked.after(COMING_S_MAX - MISSING_S, phase=Phase.STARTING) == [MISSING]


def test_orders_that_are_gone_or_changed_are_written_again_and_said_once_each_time(
    linked: Linked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Place(tmp_path).orders_file
    linked.link._write_orders()
    written = file.read_bytes()
    linked.link._keep_orders()
    assert not linked.told
    for damage in (None, b"", written[:-1]):
        linked.told.clear()
        file.unlink()
        if damage is not None:
            file.write_bytes(damage)
        linked.link._keep_orders()
        linked.link._keep_orders()
        assert file.read_bytes() == written
        (told,) = linked.told
        assert told.endswith("guardian.json, are gone or were changed; they are written again")

    def refused(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(guardian_link, "write_atomically", refused)
    file.unlink()
    linked.told.clear()
    linked.link._keep_orders()
    linked.link._keep_orders()
    (told,) = linked.told
    assert "cannot be written (No space left on device): no guardian that begins can act" in told
