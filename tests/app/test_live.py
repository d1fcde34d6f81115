"""Real money is not traded before limits are written out, a drill has passed, and a door pages."""

import json
import socket
from pathlib import Path

import pytest

from fuseboard.alerts.outward import COMMAND_NAME, WEBHOOK_NAME, door_marks
from fuseboard.app.live import DRILL_AGE_NS_MAX, must_be_ready_for_live
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.policy.loader import Loaded, read_policy
from fuseboard.policy.starter import default_policy_text
from fuseboard.runtime.build import whole_build
from tests.app.command_line import CommandLine

NOW_NS = 1_763_000_000 * 10**9
WRITTEN = read_policy(default_policy_text(), "p")
TOLD = {COMMAND_NAME: "/bin/true"}


def drilled(
    folder: Path, *, passed: bool, age_ns: int, name: str = "a", **other: object
) -> StateDirectory:
    (folder / "drills").mkdir(exist_ok=True)
    body = {
        "passed": passed,
        "ended_ns": NOW_NS - age_ns,
        "release": whole_build(),
        "host": socket.gethostname(),
        "alert_doors": door_marks(TOLD),
        "what": "anything else",
        **other,
    }
    (folder / "drills" / f"{name}.json").write_text(json.dumps(body))
    return StateDirectory(folder)


def test_limits_that_must_exist_are_written_out(tmp_path: Path) -> None:
    state = drilled(tmp_path, passed=True, age_ns=0)
    must_be_ready_for_live(WRITTEN, state, TOLD, NOW_NS)
    for key in ("max_order_quantity", "max_order_value", "price_collar", "order_rate"):
        without = "\n".join(
            line for line in default_policy_text().splitlines() if f" {key}: " not in line
        )
        loaded: Loaded = read_policy(without, "p")
        with pytest.raises(StateRefused, match=rf"written out in the policy.*: {key} "):
            must_be_ready_for_live(loaded, state, TOLD, NOW_NS)


def test_a_recent_drill_has_passed(tmp_path: Path) -> None:
    with pytest.raises(StateRefused, match="needs a drill that passed"):
        must_be_ready_for_live(WRITTEN, StateDirectory(tmp_path), TOLD, NOW_NS)
    state = drilled(tmp_path, passed=True, age_ns=DRILL_AGE_NS_MAX)
    must_be_ready_for_live(WRITTEN, state, TOLD, NOW_NS)
    with pytest.raises(StateRefused, match=r"of this release and machine in .* is 30 days old"):
        must_be_ready_for_live(WRITTEN, state, TOLD, NOW_NS + 1)
    drilled(tmp_path, passed=False, age_ns=DRILL_AGE_NS_MAX - 1, name="b")
    with pytest.raises(StateRefused, match=r"the newest in .* did not"):
        must_be_ready_for_live(WRITTEN, state, TOLD, NOW_NS)
    drilled(tmp_path, passed=True, age_ns=0, name="c")
    must_be_ready_for_live(WRITTEN, state, TOLD, NOW_NS)


@pytest.mark.parametrize("other", [{"release": "0.1.0"}, {"host": "elsewhere"}])
def test_a_drill_of_another_release_or_machine_is_none_and_one_that_failed_counts_for_all(
    tmp_path: Path, other: dict[str, str]
) -> None:
    state = drilled(tmp_path, passed=True, age_ns=5, **other)
    with pytest.raises(StateRefused, match=r"a drill of this release \(.* `fuseboard drill"):
        must_be_ready_for_live(WRITTEN, state, TOLD, NOW_NS)
    drilled(tmp_path, passed=True, age_ns=6, name="b")
    must_be_ready_for_live(WRITTEN, state, TOLD, NOW_NS)
    drilled(tmp_path, passed=False, age_ns=4, name="c", **other)
    with pytest.raises(StateRefused, match=r"the newest in .* did not"):
        must_be_ready_for_live(WRITTEN, state, TOLD, NOW_NS)


def test_a_drill_that_says_nothing_or_comes_from_the_future_is_refused(tmp_path: Path) -> None:
    state = drilled(tmp_path, passed=True, age_ns=-61 * 10**9)
    with pytest.raises(StateRefused, match="in the future"):
        must_be_ready_for_live(WRITTEN, state, TOLD, NOW_NS)
    for body in ("", "{}", '{"passed": "true", "ended_ns": 1}', '{"passed": true}'):
        (tmp_path / "drills" / "a.json").write_text(body)
        with pytest.raises(StateRefused, match="cannot be read"):
            must_be_ready_for_live(WRITTEN, state, TOLD, NOW_NS)


def test_without_a_door_that_took_the_test_alert_nothing_starts(tmp_path: Path) -> None:
    state = drilled(tmp_path, passed=True, age_ns=5)
    for nobody in ({}, {WEBHOOK_NAME: "", COMMAND_NAME: " "}):
        with pytest.raises(StateRefused, match=f"somebody to page: set {WEBHOOK_NAME} or"):
            must_be_ready_for_live(WRITTEN, state, nobody, NOW_NS)
    webhook = {WEBHOOK_NAME: "https://pager.example/secret"}
    must_be_ready_for_live(WRITTEN, state, {**webhook, **TOLD}, NOW_NS)
    for untried in (webhook, {COMMAND_NAME: "/bin/false"}):
        with pytest.raises(StateRefused, match=r"took the test alert .* none did") as refused:
            must_be_ready_for_live(WRITTEN, state, untried, NOW_NS)
        assert "secret" not in str(refused.value)
    drilled(tmp_path, passed=True, age_ns=4, name="b", alert_doors=())
    with pytest.raises(StateRefused, match=r"took the test alert .* none did"):
        must_be_ready_for_live(WRITTEN, state, TOLD, NOW_NS)


def test_the_evidence_of_an_earlier_form_asks_for_another_drill(tmp_path: Path) -> None:
    state = drilled(tmp_path, passed=True, age_ns=5)
    body = {"passed": True, "ended_ns": NOW_NS, "policy_digest": "f" * 64, "format": 1}
    body |= {"release": "0.1.0", "host": socket.gethostname()}
    (tmp_path / "drills" / "a.json").write_text(json.dumps(body))
    with pytest.raises(StateRefused, match="are of others"):
        must_be_ready_for_live(WRITTEN, state, TOLD, NOW_NS)


def test_the_command_refuses_before_anything_is_asked_or_started(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused() -> str:
        monkeypatch.setenv("ALPACA_API_KEY", "PK1")  # each run forgets the secrets it has read
        monkeypatch.setenv("ALPACA_SECRET_KEY", "very-secret")
        monkeypatch.setenv("ALPACA_BASE_URL", "https://api.alpaca.markets")
        monkeypatch.delenv(WEBHOOK_NAME, raising=False)
        return fuseboard.refused("run", "--state", fuseboard.state, "--live")

    assert fuseboard.on_state("init").code == 0
    monkeypatch.delenv(COMMAND_NAME, raising=False)
    assert "needs somebody to page" in refused()
    monkeypatch.setenv(COMMAND_NAME, "/bin/true")
    assert "needs a drill that passed" in refused()
    (fuseboard.state / "policy.yaml").write_text("name: bare")
    assert "needs these limits written out" in refused()
