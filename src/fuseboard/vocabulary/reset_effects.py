"""Effects that tell how a scope is let go again: who asked, who confirmed, what was checked."""

from msgspec import Struct

from fuseboard.vocabulary.act import Act


class RecordReset(Act, frozen=True, tag=True):
    """Evidence of a reset that takes two people: `requested`, `confirmed`, `lapsed` or `void`.

    `void`: something was halted after it was asked for. `second` is who confirmed.
    """

    scope: str
    stage: str
    operator: str
    via: str
    reason: str
    rebase: bool
    asked_wall_ns: int
    lapses_wall_ns: int
    """When it lapses by the wall clock: for showing; boot time decides."""
    second: str = ""
    second_via: str = ""
    policy: str = ""


class RecoveryCheck(Struct, frozen=True, gc=False):
    """One thing that a recovery looked at, and what it found."""

    name: str
    passed: bool
    said: str


class RecordRecovery(Act, frozen=True, tag=True):
    """Evidence of a recovery's stage: `started`, `passed` or `failed`, with each of its checks."""

    scope: str
    stage: str
    operator: str
    reason: str
    wall_ns: int
    checks: tuple[RecoveryCheck, ...] = ()
    policy: str = ""
