"""The heartbeat file: what is read is what was written last, or before it, whatever is torn."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuseboard.halts.heartbeats import (
    BLOCK_BYTES,
    BLOCKS_PER_SLOT,
    FILE_BYTES,
    Beat,
    Heart,
    HeartbeatFile,
    Phase,
    process_seen,
)
from fuseboard.runtime.pulse import BEAT_EVERY_NS, Pulse

WORDS = st.integers(0, 2**64 - 1)
BEATS = st.builds(
    Beat,
    st.sampled_from(list(Phase)),
    st.integers(1, 2**31),
    *[WORDS] * 8,
)


@given(beats=st.lists(BEATS, min_size=1, max_size=5), other=BEATS)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_newest_beat_is_read_also_by_another_opener(
    tmp_path: Path, beats: list[Beat], other: Beat
) -> None:
    path = tmp_path / "heartbeats"
    path.unlink(missing_ok=True)
    for beat in beats:
        file = HeartbeatFile(path)  # each as after a restart
        file.write(Heart.GATEWAY, beat)
        file.write(Heart.GUARDIAN, other)
        file.close()
    assert path.stat().st_size == FILE_BYTES
    reader = HeartbeatFile(path)
    assert reader.read(Heart.GATEWAY) == beats[-1]
    assert reader.read(Heart.GUARDIAN) == other
    reader.close()


@given(one=BEATS, two=BEATS, at=st.integers(0, FILE_BYTES - 1), bit=st.integers(0, 7))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_block_is_never_believed(
    tmp_path: Path, one: Beat, two: Beat, at: int, bit: int
) -> None:
    path = tmp_path / "heartbeats"
    path.unlink(missing_ok=True)
    file = HeartbeatFile(path)
    file.write(Heart.GATEWAY, one)
    file.write(Heart.GATEWAY, two)
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1 << bit
    descriptor = os.open(path, os.O_WRONLY)
    os.pwrite(descriptor, raw, 0)
    os.close(descriptor)
    found = file.read(Heart.GATEWAY)
    file.close()
    assert found in (one, two)
    newest_block = BLOCK_BYTES * (2 % BLOCKS_PER_SLOT)
    if not newest_block <= at < newest_block + BLOCK_BYTES:
        assert found == two


def test_an_empty_file_has_no_beat(tmp_path: Path) -> None:
    file = HeartbeatFile(tmp_path / "heartbeats")
    assert file.read(Heart.GATEWAY) is None
    file.close()


def test_a_pulse_beats_when_it_is_due_and_tells_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [BEAT_EVERY_NS]
    monkeypatch.setattr("fuseboard.runtime.pulse.boot_ns", lambda: now[0])
    said: list[str] = []
    file = HeartbeatFile(tmp_path / "heartbeats")
    pulse = Pulse(
        file,
        run_ns=7,
        durable=lambda: 3,
        intake=lambda: 2,
        oldest_call_age_ns=lambda: 5,
        notify=said.append,
    )
    for sequence in range(1, 4):
        pulse.turned(sequence)
    first = file.read(Heart.GATEWAY)
    assert first is not None
    assert (first.iteration, first.sequence, first.beat_ns) == (1, 1, BEAT_EVERY_NS)
    assert (first.durable, first.intake, first.oldest_call_age_ns) == (3, 2, 5)
    now[0] += BEAT_EVERY_NS
    pulse.turned(4)
    second = file.read(Heart.GATEWAY)
    assert second is not None
    assert (second.iteration, second.sequence) == (4, 4)
    assert said == ["WATCHDOG=1"] * 2
    pulse.say(Phase.STOPPED)
    last = file.read(Heart.GATEWAY)
    assert last is not None
    assert (last.phase, last.sequence, last.pid) == (Phase.STOPPED, 4, os.getpid())
    file.close()


def test_a_process_is_seen_with_its_state_and_its_start() -> None:
    seen = process_seen(os.getpid())
    assert seen is not None
    assert seen.state in "RS"
    assert seen.start_ticks > 0
    assert process_seen(2**22 + 1) is None
