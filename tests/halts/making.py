"""Halts for the tests of this room."""

import os
from pathlib import Path

import pytest

from fuseboard.halts.block import Slot
from fuseboard.halts.register import HaltsRegister
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

MOMENT = Moment(boot_ns=5, wall_ns=1_700_000_000_000_000_000)
LATER = 2**62
"""A halt epoch above any that a register comes to by itself."""


def halt(
    scope: str = "account",
    epoch: int = 1,
    *,
    level: HaltLevel = HaltLevel.HALT,
    trip: str = "drawdown#1",
    detail: str = "5.10 %",
) -> LatchHalt:
    return LatchHalt(
        scope=scope,
        level=level,
        reason=Reason.DRAWDOWN,
        trip=trip,
        halt_epoch=epoch,
        detail=detail,
    )


def made(tmp_path: Path) -> Path:
    path = tmp_path / "halts.register"
    HaltsRegister.create(path)
    return path


def halted(path: Path) -> bool:
    """What a process that just opened the register sees."""
    register = HaltsRegister(path, Slot.OPERATOR)
    try:
        return register.halted()
    finally:
        register.close()


def scopes(register: HaltsRegister) -> list[tuple[str, str]]:
    return [(latch.slot.name, latch.scope) for latch in register.latched()]


def read_only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """From now on the folder's file system says that nothing can be written to it."""
    told = os.statvfs(folder)
    values = [*told[:8], told.f_flag | os.ST_RDONLY, *told[9:]]
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(values))
