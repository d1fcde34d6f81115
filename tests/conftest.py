"""What all tests share: Hypothesis profiles, the soak switch, the older clients' interpreter.

`HYPOTHESIS_PROFILE` chooses the profile: `default` (random, remembers failures), `ci` (the same
examples each time; chosen by itself when `CI` is set) or `soak` (as many examples as
`FUSEBOARD_SEEDS` says; only then do tests marked `soak` run).

Tests marked `no_cover` (pytest-cov) run without coverage's tracing, which doubles their time: they
go thousands of times through lines that others go through once, or through a part that they broke.
"""

import gc
import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.longest_first import longest_first, slowest

ROOT = Path(__file__).resolve().parent.parent
SEEDS = int(os.environ.get("FUSEBOARD_SEEDS", "2000"))
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default")

# A busy machine must not fail a property: no deadline, no complaint about slow generation.
_SLOW_IS_FINE = [HealthCheck.too_slow]
settings.register_profile(
    "default", deadline=None, max_examples=60, suppress_health_check=_SLOW_IS_FINE
)
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=60,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=_SLOW_IS_FINE,
)
settings.register_profile(
    "soak",
    deadline=None,
    max_examples=SEEDS,
    print_blob=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink),
    suppress_health_check=_SLOW_IS_FINE,
)
settings.load_profile(PROFILE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = longest_first(items, _file_of, slowest(), workers)
    if PROFILE == "soak":
        return
    for item in items:
        if item.get_closest_marker("soak") is not None:
            item.add_marker(pytest.mark.skip(reason="many seeds: runs with `make soak`"))


def _file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0].removeprefix("tests/")


def pytest_collection_finish() -> None:
    """What is there now stays to the end: the garbage collector need not look at it each time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Take the tracer away where `no_cover` says so.

    pytest-cov 7 starts two collectors in a worker of pytest-xdist; pausing one resumes the other.
    """
    tracer = sys.gettrace()
    if tracer is None or item.get_closest_marker("no_cover") is None:
        return (yield)
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


@pytest.fixture(scope="session")
def legacy_python() -> Path:
    """The interpreter that has alpaca-trade-api and ccxt (`make clients`)."""
    python = ROOT / ".venv-legacy" / "bin" / "python"
    if not python.exists():
        if os.environ.get("CI"):
            pytest.fail("the older clients are not installed: run `make clients`")
        pytest.skip("the older clients are not installed: run `make clients`")
    return python


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Where real market data lies; it is never part of the project."""
    place = Path(os.environ.get("FUSEBOARD_DATA", ROOT.parent / "shared" / "data"))
    if not place.is_dir():
        pytest.skip(f"no market data at {place}: set FUSEBOARD_DATA")
    return place
