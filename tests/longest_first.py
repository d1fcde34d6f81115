"""The order in which several workers run the tests: what takes longest begins first, on each.

pytest-xdist cuts the collected list into one stretch for each worker, and who is done steals from
the end of the longest. In the order of names a worker could meet a file of half a minute when the
others have nothing left. `slowest.txt` has what the slowest files took; all others follow as they
are.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

SLOWEST = Path(__file__).with_name("slowest.txt")

Test = TypeVar("Test")


def slowest() -> list[str]:
    """The files that take longest, the longest first, as paths below this directory."""
    return [line.split()[1] for line in SLOWEST.read_text().splitlines() if line[:1].isdigit()]


def stretches(count: int, workers: int) -> list[int]:
    """How many tests each worker is given at the start."""
    sizes: list[int] = []
    for left in range(workers, 0, -1):
        sizes.append((count - sum(sizes)) // left)
    return sizes


def longest_first(
    tests: list[Test], file_of: Callable[[Test], str], files: list[str], workers: int
) -> list[Test]:
    """The same tests: in each stretch its share of `files`, in their order, then the others."""
    by_file: dict[str, list[Test]] = {name: [] for name in files}
    others: list[Test] = []
    for test in tests:
        by_file.get(file_of(test), others).append(test)
    dealt = [name for name in files if by_file[name]]
    sizes = stretches(len(tests), workers)
    firsts: list[list[Test]] = []
    for worker, size in enumerate(sizes):
        own = [test for name in dealt[worker::workers] for test in by_file[name]]
        firsts.append(own[:size])
        others = own[size:] + others
    ordered: list[Test] = []
    for own, size in zip(firsts, sizes, strict=True):
        room = size - len(own)
        ordered += own + others[:room]
        others = others[room:]
    return ordered
