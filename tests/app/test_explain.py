"""`fuseboard explain` on a journal that a whole loop wrote."""

from pathlib import Path

import pytest

from fuseboard.core.checks.table import TABLE
from fuseboard.journal.reader import records
from fuseboard.vocabulary.effects import AnswerDenied, SubmitOrder
from fuseboard.vocabulary.inputs import OrderRequested
from tests.app.command_line import CommandLine


@pytest.fixture
def journal(fuseboard: CommandLine) -> Path:
    path = fuseboard.folder / "demo.db"
    assert fuseboard("demo", "crash", "--ticks", "30", "--journal", path).code == 0
    return path


def test_an_order_is_explained_by_either_of_its_ids(fuseboard: CommandLine, journal: Path) -> None:
    explained = 0
    for record in list(records(journal)):
        fact = record.input
        if not isinstance(fact, OrderRequested):
            continue
        done = fuseboard("explain", fact.client_order_id, "--journal", journal, "--json")
        told = done.json()
        assert (done.code, told["sequence"]) == (0, record.sequence)
        assert [line["check"] for line in told["checks"]] == [row.name for row in TABLE]
        denials = [line["check"] for line in told["checks"] if line["verdict"] == "denied"]
        (answer,) = [e for e in record.effects if isinstance(e, SubmitOrder | AnswerDenied)]
        if isinstance(answer, SubmitOrder):
            assert denials == []
            assert told["order_id"] == answer.order_id
            assert fuseboard("explain", answer.order_id, "--journal", journal, "--json") == done
            assert fuseboard("explain", answer.wire_id, "--journal", journal, "--json") == done
        else:
            assert denials[0] == answer.checks[-1]
        explained += 1
    assert explained > 1


def test_it_reads_as_lines_with_numbers_and_fields(fuseboard: CommandLine, journal: Path) -> None:
    orders = [at.input for at in records(journal) if isinstance(at.input, OrderRequested)]
    done = fuseboard("explain", orders[0].client_order_id, "--journal", journal)
    assert done.code == 0
    (line,) = [line for line in done.out.splitlines() if " order_value " in line]
    assert line.startswith("  passed   order_value")
    assert "[limits.order_value_nanos_max]" in line


def test_an_order_that_nobody_knows_is_said_to_be_unknown(
    fuseboard: CommandLine, journal: Path
) -> None:
    assert "no order 'nobody' was decided" in fuseboard.refused(
        "explain", "nobody", "--journal", journal
    )
