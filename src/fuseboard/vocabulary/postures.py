"""Postures: how much a scope may still do. Tighter is greater, so the tightest is the maximum."""

from enum import IntEnum


class Posture(IntEnum):
    """What a scope is allowed; the order is the tightness."""

    OPEN = 0
    REDUCED = 1
    REDUCE_ONLY = 2
    HALTED = 3
    KILLED = 4


class HaltLevel(IntEnum):
    """How hard a halt is. `FREEZE` also stops plans; only a person asks for it."""

    HALT = 1
    FLATTEN = 2
    KILL = 3
    FREEZE = 4
