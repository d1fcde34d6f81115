"""A journal that hangs is paged by the gateway itself, with or without a guardian."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fuseboard.halts.heartbeats import HeartbeatFile
from fuseboard.journal.file import create_journal
from fuseboard.journal.writer import CommitThread
from fuseboard.runtime import disk_wait
from fuseboard.runtime.disk_wait import LOOK_NS_MAX, WAITED_NS_MAX, DiskWait
from fuseboard.runtime.pulse import Pulse
from fuseboard.runtime.watermark import Watermark
from fuseboard.vocabulary.orders import Severity
from tests.guardian.test_one_writer import Both
from tests.runtime.test_with_real_parts import RealNode

LOOKS = WAITED_NS_MAX // LOOK_NS_MAX
"""So many looks, as far apart as one may count, are as long as records may wait."""


class Disk:
    """Looks at a journal, one after the other."""

    def __init__(self) -> None:
        self.told: list[tuple[Severity, str]] = []
        self.wait = DiskWait(lambda severity, text: self.told.append((severity, text)))
        self.now_ns = 10**15

    def look(self, sequence: int, durable: int, *, times: int = 1, every_ns: int = 0) -> int:
        """How often people were told until now."""
        for _ in range(times):
            self.now_ns += every_ns or LOOK_NS_MAX
            self.wait.look(sequence, durable, self.now_ns)
        return len(self.told)


def test_records_that_wait_too_long_are_paged_once_and_that_it_goes_on_is_said() -> None:
    disk = Disk()
    assert disk.look(8, 7) == 0
    assert disk.look(9, 7, times=LOOKS - 1) == 0
    assert disk.look(9, 7) == 1
    assert disk.look(12, 7, times=100) == 1, "once"
    severity, text = disk.told[0]
    assert severity is Severity.PAGE
    assert text.startswith("the journal has written nothing for 5.0 s and 2 records wait: ")
    assert disk.look(12, 9) == 2, "it moves, though something waits"
    assert disk.told[1] == (Severity.WARNING, "the journal goes on, after 55.0 s")
    assert disk.look(12, 9, times=LOOKS + 1) == 3, "and another time"


def test_a_journal_that_moves_or_has_nothing_to_do_is_not_paged() -> None:
    disk = Disk()
    assert disk.look(5, 5, times=10 * LOOKS) == 0
    for durable in range(5, 5 + 10 * LOOKS):
        assert disk.look(10_000, durable, times=LOOKS // 2) == 0


def test_time_before_records_were_given_does_not_count() -> None:
    disk = Disk()
    assert disk.look(5, 5, times=LOOKS) == 0
    assert disk.look(6, 5, times=LOOKS) == 0
    assert disk.look(6, 5) == 1


def test_time_in_which_the_process_did_not_run_does_not_count() -> None:
    disk = Disk()
    assert disk.look(8, 7, times=LOOKS, every_ns=3_600 * WAITED_NS_MAX) == 0
    assert disk.look(8, 7, times=2) == 1


def test_a_gateway_without_a_guardian_pages_a_commit_that_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_wait, "WAITED_NS_MAX", 200_000_000)
    create_journal(tmp_path / "journal", "12345678", 1)
    let_go = threading.Event()
    told: list[tuple[Severity, str]] = []

    def held(turn: Callable[[bool], bool]) -> CommitThread:
        return CommitThread(lambda waits: let_go.wait() and turn(waits))

    def pulse(watermark: Watermark) -> Pulse:
        return Pulse(
            beats,
            run_ns=1,
            durable=lambda: watermark.sequence,
            intake=lambda: 0,
            oldest_call_age_ns=lambda: 0,
            disk=DiskWait(lambda severity, text: told.append((severity, text))),
        )

    async def main() -> None:
        serving = asyncio.create_task(node.serve(range(1, 2)))
        try:
            async with asyncio.timeout(30):
                while not told and not serving.done():
                    await asyncio.sleep(0.01)
            assert not node.shown.effects, "nobody was answered"
        finally:
            let_go.set()
            await serving

    with closing(HeartbeatFile(tmp_path / "heartbeats")) as beats:
        node = RealNode(tmp_path / "journal", commits=held, pulse=pulse)
        asyncio.run(main())
    assert told[0][0] is Severity.PAGE
    assert node.shown.effects


def test_the_gateways_pulse_pages_by_every_door(tmp_path: Path) -> None:
    both = Both(tmp_path)
    try:
        disk = both.link.pulse(
            durable=lambda: 0, intake=lambda: 0, oldest_call_age_ns=lambda: 0
        )._disk
        assert disk is not None
        for look in range(LOOKS + 2):
            disk.look(1, 0, look * LOOK_NS_MAX)
        assert [line[:28] for line in both.told] == ["page journal_hangs account: "]
    finally:
        both.close()
