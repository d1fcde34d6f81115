"""How large the guardian is and what it loads: as the page of the decision says."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src" / "fuseboard"
(PAGE,) = (ROOT / "docs" / "adr").glob("*-the-guardian-*.md")
LINES_MAX = 1_805
FILES = sorted((SOURCE / "guardian").glob("*.py"))


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
    reached = {f"guardian/{path.stem}" for path in FILES}
    new = set(reached)
    while new:
        new = {each for at in new for each in imported(SOURCE / f"{at}.py")} - reached
        reached |= new
    return reached


def test_the_guardian_stays_one_afternoons_reading() -> None:
    assert sum(len(path.read_text().splitlines()) for path in FILES) < LINES_MAX


@pytest.mark.parametrize("path", [each for each in FILES if each.stem != "__init__"])
def test_the_page_says_why_each_file_is_there(path: Path) -> None:
    assert re.search(rf"^\| `{path.name}` \| \d+ \| .+ \|$", PAGE.read_text(), re.MULTILINE)


def test_the_page_names_all_that_the_guardian_loads_beside_itself() -> None:
    named = set(re.findall(r"`((?:alerts|brokers|halts|wire)/\w+)`", PAGE.read_text()))
    beside = {at for at in loaded() if not at.startswith(("guardian/", "vocabulary/"))}
    assert beside == named
