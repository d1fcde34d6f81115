"""What must be true before real money is traded: limits written out, and a drill that passed."""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.policy.loader import Loaded
from fuseboard.policy.policy import canonical_text, digest_of
from fuseboard.policy.summary import required_on_defaults

DRILL_AGE_NS_MAX: Final = 30 * 24 * 3600 * 1_000_000_000
DRILLS_MAX: Final = 10_000
CLOCK_SKEW_NS_MAX: Final = 60 * 1_000_000_000
_DRILL: Final = "run `fuseboard drill --state {state}`, which takes about a minute"


class Drill(Struct, frozen=True):
    """The evidence of one drill: `drills/*.json` in the state directory."""

    passed: bool
    ended_ns: int
    """Wall time, nanoseconds since 1970."""
    policy_digest: str


def must_be_ready_for_live(loaded: Loaded, state: StateDirectory, now_ns: int) -> None:
    """Raises `StateRefused` until required limits are written out and a recent drill has passed."""
    missing = required_on_defaults(loaded)
    if missing:
        raise StateRefused(
            "--live needs these limits written out in the policy, not left to their defaults:"
            f" {', '.join(missing)} (see `fuseboard policy check`)"
        )
    _must_have_drilled(state.path, digest_of(canonical_text(loaded.policy)), now_ns)


def _must_have_drilled(state: Path, policy_digest: str, now_ns: int) -> None:
    """The newest drill passed, and one with this policy did within 30 days.

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
    same = [drill for drill in drills if drill.policy_digest == policy_digest and drill.passed]
    if not same:
        raise StateRefused(
            f"--live needs a drill with this policy (digest {policy_digest[:16]}), and those in"
            f" {folder} are of others: {how}"
        )
    if now_ns - same[-1].ended_ns > DRILL_AGE_NS_MAX:
        days = (now_ns - same[-1].ended_ns) // (DRILL_AGE_NS_MAX // 30)
        raise StateRefused(
            f"--live needs a drill of the last 30 days, and the newest with this policy in {folder}"
            f" is {days} days old: {how}"
        )


def _drill(file: Path) -> Drill:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Drill)
    except (OSError, msgspec.MsgspecError) as error:
        raise StateRefused(
            f"the drill {file} cannot be read ({error}): move it away, and drill again"
        ) from error
