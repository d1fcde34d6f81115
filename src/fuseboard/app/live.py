"""What must be true before real money is traded: limits written out, a drill that passed, a door
through which somebody is paged.
"""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.alerts.outward import COMMAND_NAME, WEBHOOK_NAME, door_marks
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.policy.loader import Loaded
from fuseboard.policy.summary import required_on_defaults
from fuseboard.runtime.build import whole_build

DRILL_AGE_NS_MAX: Final = 30 * 24 * 3600 * 1_000_000_000
DRILLS_MAX: Final = 10_000
CLOCK_SKEW_NS_MAX: Final = 60 * 1_000_000_000
_DRILL: Final = "run `fuseboard drill --state {state}`, which takes about a minute"


class Drill(Struct, frozen=True):
    """The evidence of one drill: `drills/*.json` in the state directory."""

    passed: bool
    ended_ns: int
    """Wall time, nanoseconds since 1970."""
    release: str
    host: str
    alert_doors: tuple[str, ...] = ()
    """The doors that took the test alert."""


def must_be_ready_for_live(
    loaded: Loaded, state: StateDirectory, environment: Mapping[str, str], now_ns: int
) -> None:
    """Raises `StateRefused` until required limits are written out, and a recent drill of this
    release on this machine has passed, whose test alert a door took that is still set.
    """
    missing = required_on_defaults(loaded)
    if missing:
        raise StateRefused(
            "--live needs these limits written out in the policy, not left to their defaults:"
            f" {', '.join(missing)} (see `fuseboard policy check`)"
        )
    doors = door_marks(environment)
    if not doors:
        raise StateRefused(
            f"--live needs somebody to page: set {WEBHOOK_NAME} or {COMMAND_NAME}, then"
            f" {_DRILL.format(state=state.path)}"
        )
    _must_have_drilled(state.path, doors, now_ns)


def _must_have_drilled(state: Path, doors: tuple[str, ...], now_ns: int) -> None:
    """The newest drill passed, and the newest of this release and machine did within 30 days.

    One that cannot be read is refused, not skipped.
    """
    folder, how = state / "drills", _DRILL.format(state=state)
    files = sorted(folder.glob("*.json"))[-DRILLS_MAX:] if folder.is_dir() else []
    drills = sorted((_drill(file) for file in files), key=lambda drill: drill.ended_ns)
    if not drills:
        raise StateRefused(f"--live needs a drill that passed, and {folder} has none: {how}")
    if drills[-1].ended_ns > now_ns + CLOCK_SKEW_NS_MAX:
        raise StateRefused(f"a drill in {folder} is dated in the future: look at the clock")
    if not drills[-1].passed:
        raise StateRefused(
            f"--live needs a drill that passed, and the newest in {folder} did not: read its"
            f" report, then {how}"
        )
    here = (whole_build(), socket.gethostname())
    same = [drill for drill in drills if drill.passed and (drill.release, drill.host) == here]
    if not same:
        raise StateRefused(
            f"--live needs a drill of this release ({here[0]}) on this machine ({here[1]}), and"
            f" those in {folder} are of others: {how}"
        )
    newest = same[-1]
    if now_ns - newest.ended_ns > DRILL_AGE_NS_MAX:
        days = (now_ns - newest.ended_ns) // (DRILL_AGE_NS_MAX // 30)
        raise StateRefused(
            f"--live needs a drill of the last 30 days, and the newest of this release and machine"
            f" in {folder} is {days} days old: {how}"
        )
    if not set(newest.alert_doors) & set(doors):
        raise StateRefused(
            f"--live needs an alert door that took the test alert of the newest drill, and of"
            f" those that are set now ({', '.join(doors)}) none did: with the same {WEBHOOK_NAME}"
            f" and {COMMAND_NAME}, {how}"
        )


def _drill(file: Path) -> Drill:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Drill)
    except (OSError, msgspec.MsgspecError) as error:
        raise StateRefused(
            f"the drill {file} cannot be read ({error}): move it away, and drill again"
        ) from error
