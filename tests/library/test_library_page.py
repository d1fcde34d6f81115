"""docs/library.md says what happens: every block of it runs."""

import doctest
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BLOCKS_MIN = 5


def test_every_block_of_the_page_does_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = ROOT / "docs" / "library.md"
    text = page.read_text(encoding="utf-8")
    assert text.count("```python") >= BLOCKS_MIN
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert not said, "".join(said)
    assert len(test.examples) > BLOCKS_MIN
