"""The pages that are drawn from the kernel's tables say what the tables say now."""

import importlib.util
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from fuseboard.core.checks.posture import ADMITTED
from fuseboard.vocabulary.orders import Intent
from fuseboard.vocabulary.postures import Posture

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def _maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_core_pages", DOCS / "make_core_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["fuse-machine.md", "checks.md", "liquidity.md"])
def test_the_page_is_current(page: str) -> None:
    written = (DOCS / page).read_text()
    assert written == _maker().PAGES[page](), "run: python docs/make_core_pages.py"


def test_a_tighter_posture_never_admits_more_and_none_holds_back_a_cancel_or_a_plan() -> None:
    postures = sorted(Posture)
    for looser, tighter in pairwise(postures):
        assert set(ADMITTED[tighter]) <= set(ADMITTED[looser])
    for admitted in ADMITTED.values():
        assert {Intent.PLAN, Intent.CANCEL} <= set(admitted)
