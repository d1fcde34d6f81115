"""A folder with real processes, all of them gone when the test is; bots serve test after test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import Bots, World, world
from tests.guardian.scene import Scene, standing


@pytest.fixture(scope="session")
def bots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bots]:
    made = Bots(tmp_path_factory.mktemp("bots"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with standing(tmp_path) as made:
        yield made


@pytest.fixture
def here(tmp_path: Path, bots: Bots) -> Iterator[World]:
    with world(tmp_path, bots) as made:
        yield made
