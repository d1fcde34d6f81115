"""How large the guardian and the way out are, and what they load: as the page says."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src" / "fuseboard"
(PAGE,) = (ROOT / "docs" / "adr").glob("0019-the-guardian-*.md")
LINES_MAX = {"guardian": 887, "rescue": 1_180}
FILES = {room: sorted((SOURCE / room).glob("*.py")) for room in LINES_MAX}
EACH = [path for files in FILES.values() for path in files]


def imported(path: Path) -> set[str]:
    """The files of ours that a file imports, without their ending."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fuseboard."):
            place = (node.module or "").removeprefix("fuseboard.").replace(".", "/")
            below = [f"{place}/{name.name}" for name in node.names]
            found.update([at for at in below if (SOURCE / f"{at}.py").is_file()] or [place])
        elif isinstance(node, ast.Import):
            ours = [name.name for name in node.names if name.name.startswith("fuseboard")]
            assert not ours, f"{path.name}: import {ours} by `from`, so that this test sees it"
    return found


def loaded() -> set[str]:
    """All files of ours that the guardian loads."""
    reached = {f"guardian/{path.stem}" for path in FILES["guardian"]}
    new = set(reached)
    while new:
        new = {each for at in new for each in imported(SOURCE / f"{at}.py")} - reached
        reached |= new
    return reached


def lines_of(room: str) -> int:
    return sum(len(path.read_text().splitlines()) for path in FILES[room])


@pytest.mark.parametrize("room", LINES_MAX)
def test_the_guardian_and_the_way_out_stay_one_afternoons_reading_each(room: str) -> None:
    assert lines_of(room) < LINES_MAX[room]


def test_the_page_says_both_numbers_as_they_are() -> None:
    said = re.search(
        r"\*\*([\d,]+) lines\*\* are the guardian, and \*\*([\d,]+)\*\*", PAGE.read_text()
    )
    assert said
    guardian, both = (int(each.replace(",", "")) for each in said.groups())
    assert (guardian, both) == (lines_of("guardian"), lines_of("guardian") + lines_of("rescue"))


@pytest.mark.parametrize("path", [each for each in EACH if each.stem != "__init__"])
def test_the_page_says_why_each_file_is_there(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert re.search(rf"^\| `{path.name}` \| {lines} \| .+ \|$", PAGE.read_text(), re.MULTILINE)


def test_the_page_names_all_that_the_guardian_loads_beside_the_two() -> None:
    named = set(re.findall(r"`((?:alerts|brokers|halts|wire)/\w+)`", PAGE.read_text()))
    beside = {at for at in loaded() if not at.startswith(("guardian/", "rescue/", "vocabulary/"))}
    assert beside == named
