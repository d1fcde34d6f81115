"""`fuseboard lab` as a person types it."""

from pathlib import Path

import msgspec
import pytest

from fuseboard.cli import main
from fuseboard.lab.result import read_result
from fuseboard.lab.sweep import TrialRow

POLICY = """\
name: study
safety:
  loss_limits:
    drawdown: {hard: 4%, action: [flatten_positions], cooldown: 5m}
liquidity: {enabled: true}
"""
TAPE = "flash-crash@14:43-14:46"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def told(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["lab", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_run_says_what_was_left_and_writes_result_and_journal(
    policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, journal = tmp_path / "result.json", tmp_path / "journal.db"
    words = ("run", "--tape", TAPE, "--policy", policy, "--strategy", "hold")
    code, said, complaint = told(capsys, *words, "--out", out, "--journal", journal)
    assert (code, complaint) == (0, "")
    lines = {line.split()[0]: line for line in said.splitlines() if line[:1].strip()}
    assert "a reconstruction of 6 May 2010" in lines["tape"]
    assert "protected by the policy 'study'" in lines["strategy"]
    assert "% kept: 100,000.00 became" in lines["capital"]
    assert lines["trips"].startswith("trips      1, the first at 14:4")
    assert "drawdown:account#1" in lines["closing"]
    result = read_result(out)
    assert (result.figures.trips, result.ran.tape) == (1, TAPE)
    assert main(["verify", "--journal", str(journal)]) == 0
    assert main(["replay", "--journal", str(journal)]) == 0
    code, _, complaint = told(capsys, *words, "--journal", journal)
    assert code == 1
    assert "a journal is never overwritten" in complaint
    code, said, _ = told(capsys, *words, "--unprotected", "--json")
    assert code == 0
    assert not msgspec.json.decode(said)["ran"]["protected"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--tape", "no-such", "--strategy", "hold"), "'no-such' is no tape: use one of"),
        (
            ("--tape", TAPE, "--strategy", "hold", "--unprotected", "--journal", "j.db"),
            "without the gate there is no journal",
        ),
        (("--tape", TAPE, "--strategy", "hold", "--out", "no/r.json"), "there is no folder no"),
        (("--tape", TAPE, "--strategy", "hold", "--slice-ms", "0"), "slice must be above 0"),
    ],
)
def test_what_cannot_be_run_is_refused_with_what_to_do(
    words: tuple[str, ...], says: str, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, complaint = told(capsys, "run", "--policy", policy, *words)
    assert code == 1
    assert says in complaint


def test_a_sweep_runs_every_combination_in_processes_and_a_failure_is_its_exit_code(
    policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.write_text(f"{POLICY}strategies: [{{name: hold, capital: 100000}}]\n")
    out = tmp_path / "sweep.json"
    strategies = ("--strategy", "hold", "--strategy", "momentum")
    words = ("sweep", "--tape", TAPE, *strategies, "--policy", policy, "--unprotected")
    sets = ("--set", "losses.drawdown.hard=3%,50%")
    code, said, _ = told(capsys, *words, *sets, "--jobs", "2", "--out", out)
    assert code == 1
    rows = msgspec.json.decode(out.read_bytes(), type=list[TrialRow])
    asked = [(row.strategy, tuple(row.values.values())) for row in rows]
    each = ((), ("3%",), ("50%",))
    assert asked == [(name, values) for name in ("hold", "momentum") for values in each]
    assert [row.figures.trips for row in rows if row.figures] == [0, 1, 0, 0]
    assert [bool(row.error) for row in rows] == [False] * 4 + [True] * 2
    assert "hard 3%" in said
    assert "2 of 6 trials failed" in said
    assert "the policy names the strategies hold" in said


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("hardd=4%", "no value of a policy is called 'hardd'"),
        ("drawdown.hard", "sets nothing: write it as KEY=VALUE,VALUE"),
        ("drawdown.hard=400%", "'400%' is not above 0% and at most 100%"),
        ("warning=1%", "may be safety.loss_limits"),
        ("drawdown.hard=" + ",".join(["3%"] * 1_001), "these are 1,001 policies, at most 1,000"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_before_anything_runs(
    setting: str, says: str, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.write_text("name: bare\n")
    words = ("sweep", "--tape", TAPE, "--strategy", "hold", "--policy", policy)
    code, _, complaint = told(capsys, *words, "--set", setting)
    assert code == 1
    assert says in complaint
