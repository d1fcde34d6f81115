"""No worker of the tests meets a long file when the others have nothing left."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.longest_first import longest_first, slowest, stretches

TESTS = Path(__file__).resolve().parent.parent


def test_the_slowest_files_are_there() -> None:
    assert [name for name in slowest() if not (TESTS / name).is_file()] == []
    assert len(set(slowest())) == len(slowest())


@given(
    files=st.lists(st.sampled_from("abcdefgh"), max_size=60),
    slow=st.lists(st.sampled_from("abcdefgh"), max_size=8, unique=True),
    workers=st.integers(1, 5),
)
def test_every_test_stays_and_each_worker_begins_with_what_is_slow(
    files: list[str], slow: list[str], workers: int
) -> None:
    tests = [(name, number) for number, name in enumerate(files)]
    ordered = longest_first(tests, lambda test: test[0], slow, workers)
    assert sorted(ordered) == sorted(tests)
    sizes = stretches(len(tests), workers)
    assert sum(sizes) == len(tests)
    assert max(sizes) - min(sizes) <= 1
    present = [name for name in slow if name in files]
    for worker, size in enumerate(sizes):
        own = ordered[sum(sizes[:worker]) :][:size]
        mine = [test for name in present[worker::workers] for test in tests if test[0] == name]
        assert own[: len(mine)] == mine[:size]


def test_what_is_named_nowhere_keeps_its_order() -> None:
    assert longest_first([3, 1, 2], str, [], 2) == [3, 1, 2]
