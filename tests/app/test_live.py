"""Real money is not traded before limits are written out and a drill has passed."""

import json
from pathlib import Path

import pytest

from fuseboard.app.live import DRILL_AGE_NS_MAX, must_be_ready_for_live
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.policy.loader import Loaded, read_policy
from fuseboard.policy.policy import canonical_text, digest_of
from fuseboard.policy.starter import default_policy_text
from tests.app.command_line import CommandLine

NOW_NS = 1_763_000_000 * 10**9
WRITTEN = read_policy(default_policy_text(), "p")


DIGEST = digest_of(canonical_text(WRITTEN.policy))


def drilled(
    folder: Path, *, passed: bool, age_ns: int, name: str = "a", digest: str = DIGEST
) -> StateDirectory:
    (folder / "drills").mkdir(exist_ok=True)
    body = {
        "passed": passed,
        "ended_ns": NOW_NS - age_ns,
        "policy_digest": digest,
        "what": "anything else",
    }
    (folder / "drills" / f"{name}.json").write_text(json.dumps(body))
    return StateDirectory(folder)


def test_limits_that_must_exist_are_written_out(tmp_path: Path) -> None:
    state = drilled(tmp_path, passed=True, age_ns=0)
    must_be_ready_for_live(WRITTEN, state, NOW_NS)
    for key in ("max_order_quantity", "max_order_value", "price_collar", "order_rate"):
        without = "\n".join(
            line for line in default_policy_text().splitlines() if f" {key}: " not in line
        )
        loaded: Loaded = read_policy(without, "p")
        with pytest.raises(StateRefused, match=rf"written out in the policy.*: {key} "):
            must_be_ready_for_live(loaded, state, NOW_NS)


def test_a_recent_drill_has_passed(tmp_path: Path) -> None:
    with pytest.raises(StateRefused, match="needs a drill that passed"):
        must_be_ready_for_live(WRITTEN, StateDirectory(tmp_path), NOW_NS)
    state = drilled(tmp_path, passed=True, age_ns=DRILL_AGE_NS_MAX)
    must_be_ready_for_live(WRITTEN, state, NOW_NS)
    with pytest.raises(StateRefused, match=r"with this policy in .* is 30 days old"):
        must_be_ready_for_live(WRITTEN, state, NOW_NS + 1)
    drilled(tmp_path, passed=False, age_ns=DRILL_AGE_NS_MAX - 1, name="b")
    with pytest.raises(StateRefused, match=r"the newest in .* did not"):
        must_be_ready_for_live(WRITTEN, state, NOW_NS)
    drilled(tmp_path, passed=True, age_ns=0, name="c")
    must_be_ready_for_live(WRITTEN, state, NOW_NS)


def test_a_drill_with_another_policy_is_none_and_one_that_failed_counts_for_all(
    tmp_path: Path,
) -> None:
    state = drilled(tmp_path, passed=True, age_ns=5, digest="f" * 64)
    with pytest.raises(StateRefused, match=r"needs a drill with this policy .* `fuseboard drill"):
        must_be_ready_for_live(WRITTEN, state, NOW_NS)
    drilled(tmp_path, passed=True, age_ns=6, name="b")
    must_be_ready_for_live(WRITTEN, state, NOW_NS)
    drilled(tmp_path, passed=False, age_ns=4, name="c", digest="f" * 64)
    with pytest.raises(StateRefused, match=r"the newest in .* did not"):
        must_be_ready_for_live(WRITTEN, state, NOW_NS)


def test_a_drill_that_says_nothing_or_comes_from_the_future_is_refused(tmp_path: Path) -> None:
    state = drilled(tmp_path, passed=True, age_ns=-61 * 10**9)
    with pytest.raises(StateRefused, match="in the future"):
        must_be_ready_for_live(WRITTEN, state, NOW_NS)
    for body in ("", "{}", '{"passed": "true", "ended_ns": 1}', '{"passed": true}'):
        (tmp_path / "drills" / "a.json").write_text(body)
        with pytest.raises(StateRefused, match="cannot be read"):
            must_be_ready_for_live(WRITTEN, state, NOW_NS)


def test_the_command_refuses_before_anything_is_asked_or_started(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> str:
        monkeypatch.setenv("ALPACA_API_KEY", "PK1")  # each run forgets the secrets it has read
        monkeypatch.setenv("ALPACA_SECRET_KEY", "very-secret")
        monkeypatch.setenv("ALPACA_BASE_URL", "https://api.alpaca.markets")
        return fuseboard.refused("run", "--state", fuseboard.state, "--live")

    assert fuseboard.on_state("init").code == 0
    assert "needs a drill that passed" in refused()
    (fuseboard.state / "policy.yaml").write_text("name: bare")
    assert "needs these limits written out" in refused()
