"""What `make run` says at its end, as a person reads it in a narrow terminal."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from examples.first_light import Sandbox, outcome
from fuseboard.vocabulary.reasons import Reason


def test_the_outcome_breaks_no_line_in_eighty_columns(tmp_path: Path) -> None:
    (tmp_path / "output.log").write_text("buy 1\nrefused to buy: no\n")
    alone, guarded = (Sandbox(name, tmp_path, equity=123_456.78) for name in ("alone", "Fuseboard"))
    denied = {reason.value: 1_000 + number for number, reason in enumerate(Reason)}
    rejected = denied["broker_rejected"]
    told = StringIO()
    Console(file=told, width=80).print(
        outcome(alone, guarded, {"denied": denied, "allowed": 12_345})
    )
    lines = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in told.getvalue().split("\n")
    ]
    assert ["denied by Fuseboard", "", str(sum(denied.values()) - rejected)] in lines
    assert ["posture_reduce_only", "", str(denied["posture_reduce_only"])] in lines
    assert ["refused by the exchange", "1", str(rejected)] in lines
    assert all(len(line) == 3 and line[2] for line in lines if line)
