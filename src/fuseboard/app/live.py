"""What must be true before real money is traded: limits written out, and a drill that passed."""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.policy.loader import Loaded
from fuseboard.policy.summary import required_on_defaults

DRILL_AGE_NS_MAX: Final = 30 * 24 * 3600 * 1_000_000_000
DRILLS_MAX: Final = 10_000
CLOCK_SKEW_NS_MAX: Final = 60 * 1_000_000_000
_DRILL: Final = (
    "a drill writes its evidence there, dated and with its result; the command that runs one is not"
    " part of this release"
)


class Drill(Struct, frozen=True):
    """The evidence of one drill: `drills/*.json` in the state directory."""

    passed: bool
    ended_ns: int
    """Wall time, nanoseconds since 1970."""


def must_be_ready_for_live(loaded: Loaded, state: StateDirectory, now_ns: int) -> None:
    """Raises `StateRefused` until required limits are written out and a recent drill has passed."""
    missing = required_on_defaults(loaded)
    if missing:
        raise StateRefused(
            "--live needs these limits written out in the policy, not left to their defaults:"
            f" {', '.join(missing)} (see `fuseboard policy check`)"
        )
    _must_have_drilled(state.path / "drills", now_ns)


def _must_have_drilled(folder: Path, now_ns: int) -> None:
    """The newest drill passed, within 30 days; one that cannot be read is refused, not skipped."""
    files = sorted(folder.glob("*.json"))[-DRILLS_MAX:] if folder.is_dir() else []
    drills = [_drill(file) for file in files]
    if not drills:
        raise StateRefused(f"--live needs a drill that passed, in {folder}: {_DRILL}")
    newest = max(drills, key=lambda drill: drill.ended_ns)
    if newest.ended_ns > now_ns + CLOCK_SKEW_NS_MAX:
        raise StateRefused(f"a drill in {folder} is dated in the future: look at the clock")
    if not newest.passed:
        raise StateRefused(f"--live needs a drill that passed: the newest in {folder} did not")
    if now_ns - newest.ended_ns > DRILL_AGE_NS_MAX:
        days = (now_ns - newest.ended_ns) // (DRILL_AGE_NS_MAX // 30)
        raise StateRefused(
            f"--live needs a drill of the last 30 days: the newest in {folder} is {days} days old;"
            f" {_DRILL}"
        )


def _drill(file: Path) -> Drill:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Drill)
    except (OSError, msgspec.MsgspecError) as error:
        raise StateRefused(f"the drill {file} cannot be read: {error}") from error
