"""docs/controls.md names tests that exist, and checks that the table has."""

import ast
import re
from pathlib import Path

from fuseboard.core.checks.table import TABLE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "controls.md").read_text()
ELSEWHERE = {"repeated_executions", "trade_updates"}
"""Names that the page gives in the second column and that are no checks."""


def defined() -> set[str]:
    names: set[str] = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(node.name)
    return names


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(test_[a-z0-9_]+)`", PAGE)
    assert len(named) > 50
    assert not set(named) - defined()


def test_every_row_names_a_test_or_says_that_nothing_answers() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
    for row in rows:
        if "shown by" not in row:
            assert "`test_" in row or "| none:" in row, row


def test_every_check_that_the_page_names_is_one_of_the_table() -> None:
    known = {row.name for row in TABLE} | ELSEWHERE
    words = re.findall(r"`([a-z_]+)`", PAGE)
    named = {word for word in words if not word.startswith("test_")}
    assert named <= known, named - known
    assert known - ELSEWHERE - named <= {"reconciled", "quote", "price_floor", "working_orders"}
