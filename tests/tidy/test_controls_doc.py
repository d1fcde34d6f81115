"""docs/controls.md names tests that exist, and checks that the table has."""

import ast
import re
from pathlib import Path

from fuseboard.core.checks.table import TABLE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "controls.md").read_text()
ELSEWHERE = {"reduce_only", "repeated_executions", "trade_updates"}
"""Names that the page gives in the second column and that are no checks."""

DEMANDED = """\
RTS 6 Art. 8: limits set before deployment|RTS 6 Art. 8: session of the venue|RTS 6 Art. 10*: stress
RTS 6 Art. 12(1): cancel any or all|RTS 6 Art. 12(2): per trader, desk, client|RTS 6 Art. 12(3)
RTS 6 Art. 14*: continuity|RTS 6 Art. 15(1)(a): price collars |price collars over
RTS 6 Art. 15(1)(b): maximum order value|RTS 6 Art. 15(1)(c): maximum order volume
RTS 6 Art. 15(1)(d): maximum messages|RTS 6 Art. 15(2): a sent order|RTS 6 Art. 15(3): repeated
RTS 6 Art. 15(4): limits tied to capital|RTS 6 Art. 15(5): block per|RTS 6 Art. 15(6)*: overrides
RTS 6 Art. 16*: alerts within five seconds|RTS 6 Art. 16*: monitoring|RTS 6 Art. 17: reconcile
RTS 6 Art. 17(4)*: maximum long and short|RTS 6 Art. 18: access control|traceable users
RTS 6 Art. 18*: incident report|SEC 15c3-5*: capital thresholds|SEC 15c3-5*: erroneous orders
SEC 15c3-5*: duplicative orders|SEC 15c3-5*: restricted securities|authorised access
SEC 15c3-5*: immediate execution reports|SEC 15c3-5*: direct and exclusive control
SEC 15c3-5*: yearly review|FIA*: maximum order size|no limit set means block|FIA*: intraday position
FIA*: price tolerance|FIA*: cancel on disconnect|FIA*: kill switch|FIA*: volatility controls
FIA*: repeated executions|message throttles|FIA*: self-match prevention|FIA*: drop-copy
FIA*: post-trade credit|FIA*: conformance tests|Knight*: one of eight servers|no second review
Knight*: fills known elsewhere|Knight*: warnings that nobody treated|a monitor without alerts
no self-halt|Knight*: a capital limit linked to nothing|Knight*: the rollback made it worse
"""
"""What regulation, industry and the Knight report ask for, by the words that its row begins with or
has."""


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


def test_everything_that_is_asked_for_has_a_row() -> None:
    controls = [f"{line.split('|')[1].strip()} " for line in PAGE.splitlines() if "|" in line]
    wanted = [words for line in DEMANDED.splitlines() for words in line.split("|")]
    assert len(wanted) > 50
    assert [words for words in wanted if not any(words in row for row in controls)] == []


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
