"""One fixture: a folder with real processes, all of them gone when the test is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import World, world


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made
