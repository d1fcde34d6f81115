"""How often a tape's events come, measured in one pass with bounded memory."""

from collections.abc import Iterable

from msgspec import Struct

from fuseboard.feeds.tapes.tape import Cadence, Session, TapeUnreadable

FINE_BITS = 4
"""Gaps are counted in classes a sixteenth of their size wide."""


class Measured(Struct, frozen=True, kw_only=True):
    """The cadence of a tape and the hours from its first event to its last."""

    cadence: Cadence
    session: Session


def measured(times_ns: Iterable[int], *, sampled: bool) -> Measured:
    """What the event times of one symbol tell; a time before the last one seen counts as it.

    The typical gap is the smallest of the class that holds the median: at most a sixteenth under
    it. Zero gaps are left out. Raises `TapeUnreadable` with fewer than two different times.
    """
    classes: dict[tuple[int, int], list[int]] = {}
    first_ns = newest_ns = None
    largest_ns = count = 0
    for now_ns in times_ns:
        if newest_ns is None:
            first_ns = newest_ns = now_ns
        gap_ns = now_ns - newest_ns
        if gap_ns <= 0:
            continue
        newest_ns = now_ns
        count += 1
        largest_ns = max(largest_ns, gap_ns)
        coarse = max(gap_ns.bit_length() - FINE_BITS - 1, 0)
        counted = classes.setdefault((coarse, gap_ns >> coarse), [0, gap_ns])
        counted[0] += 1
        counted[1] = min(counted[1], gap_ns)
    if first_ns is None or newest_ns is None or not count:
        raise TapeUnreadable("the tape has fewer than two events: its cadence cannot be told")
    typical_ns = _median(list(classes.values()), count)
    return Measured(
        cadence=Cadence(
            typical_gap_ns=typical_ns, largest_gap_ns=largest_ns, sampled=sampled, known_gap_ns=0
        ),
        session=Session(open_ns=first_ns, close_ns=newest_ns),
    )


def measured_cadence(times_ns: Iterable[int], *, sampled: bool) -> Cadence:
    """The cadence alone: `measured`."""
    return measured(times_ns, sampled=sampled).cadence


def _median(classes: list[list[int]], count: int) -> int:
    left = count // 2
    for counted, smallest_ns in sorted(classes, key=lambda each: each[1]):
        if left < counted:
            return smallest_ns
        left -= counted
    raise AssertionError("the classes hold as many gaps as were counted")
