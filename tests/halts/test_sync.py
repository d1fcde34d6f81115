"""A halt is said to be in the register only after the disk was made to take it."""

import os
from pathlib import Path

import pytest

from fuseboard.halts.block import Slot
from fuseboard.halts.register import HaltsRegister
from tests.deletion import fails, without
from tests.halts.making import MOMENT, halt, made


def _story(path: Path) -> list[str]:
    """What one latch does, in order. The real calls are made; they are only listened to."""
    story: list[str] = []
    written, synced = os.pwrite, os.fdatasync

    def write(descriptor: int, raw: bytes, offset: int) -> int:
        story.append("write")
        return written(descriptor, raw, offset)

    def sync(descriptor: int) -> None:
        story.append("sync")
        synced(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwrite", write)
        patch.setattr(os, "fdatasync", sync)
        register = HaltsRegister(path, Slot.GATEWAY, told=lambda _change: story.append("told"))
        register.latch(halt(), MOMENT)
        register.close()
    return story


def _told_after_the_sync(path: Path) -> None:
    story = _story(path)
    assert story.count("told") == 1
    before = story[: story.index("told")]
    assert "write" in before
    assert before[-1] == "sync", f"what was written last may be lost: {story}"


def test_a_latch_is_told_after_its_bytes_were_forced_to_the_disk(tmp_path: Path) -> None:
    _told_after_the_sync(made(tmp_path))


def test_without_the_sync_that_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without(monkeypatch, HaltsRegister._write, "self._files.fdatasync(self._descriptor)", "pass")
    assert fails(lambda: _told_after_the_sync(made(tmp_path))), "nothing noticed"
