"""docs/vocabulary.md says what the code says: nothing missing, nothing extra, nothing stale."""

import re
from pathlib import Path
from typing import get_args

import pytest

from docs import make_vocabulary
from fuseboard.vocabulary import effects, inputs, orders, postures, reasons
from fuseboard.vocabulary.act import Act
from fuseboard.vocabulary.fact import Fact

PAGE = make_vocabulary.PAGE.read_text()


def words_under(heading: str) -> list[str]:
    """The words in the first column of the table under a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \| \S", section, flags=re.MULTILINE)


def test_the_page_is_not_stale() -> None:
    assert make_vocabulary.drawn(PAGE) == PAGE, "docs/vocabulary.md is stale: run `make docs`"


EXPECTED = {
    "Inputs": [kind.__name__ for kind in get_args(inputs.Input)],
    "Effects": [kind.__name__ for kind in get_args(effects.Effect)],
    "Reasons": [reason.value for reason in reasons.Reason],
    "Postures": [posture.name for posture in postures.Posture],
    "Levels of a halt": [level.name for level in postures.HaltLevel],
    "Statuses of an order": [status.name for status in orders.OrderStatus],
    "Intents of an order": [intent.name for intent in orders.Intent],
    "Severities of an alert": [severity.name for severity in orders.Severity],
    "Rooms": list(make_vocabulary.rooms()),
}


@pytest.mark.parametrize("heading", EXPECTED)
def test_each_word_is_listed_once_with_a_sentence(heading: str) -> None:
    assert words_under(heading) == EXPECTED[heading]
    assert len(EXPECTED[heading]) >= 3


def test_every_fact_and_act_of_the_code_is_in_its_union() -> None:
    facts = {kind.__name__ for kind in Fact.__subclasses__()}
    acts = {kind.__name__ for kind in Act.__subclasses__()}
    assert facts == set(EXPECTED["Inputs"])
    assert acts == set(EXPECTED["Effects"])
    assert set(effects.OVERTAKING) <= set(get_args(effects.Effect))


def test_a_missing_an_extra_and_a_changed_row_each_make_the_page_stale() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| `OrderRequested`"))
    for damage in ("", f"{row}\n{row}", row.replace("asks", "begs")):
        damaged = PAGE.replace(row, damage)
        assert damaged != PAGE
        assert make_vocabulary.drawn(damaged) == PAGE


def test_the_first_sentence_is_taken_whole() -> None:
    assert make_vocabulary.first_sentence("One thing,\n    two lines. Then more.") == (
        "One thing, two lines"
    )
    assert make_vocabulary.first_sentence("Only this.") == "Only this"
    assert make_vocabulary.first_sentence("Head\n\nRest.") == "Head"
    assert make_vocabulary.first_sentence(None) == ""


def test_rooms_are_those_of_the_import_contract() -> None:
    contract = (Path(make_vocabulary.ROOT) / "pyproject.toml").read_text()
    layers = contract.split("layers = [")[1].split("\n]")[0]
    placed = set(re.findall(r"[a-z_]+", " ".join(re.findall(r'"([^"]+)"', layers))))
    rooms = {name.removesuffix("/").removesuffix(".py") for name in make_vocabulary.rooms()}
    assert rooms <= placed
