"""A tape in slices: what happens within one is seen together, as by an intake that lags so much.

Slices lie on a grid that begins with the trial. A slice's events carry their own times; everything
that follows from them is at its end. Empty slices are skipped.
"""

from collections.abc import Iterator

from fuseboard.feeds.tapes.tape import TapeEvent


class Slices:
    """The slices of one pass over a tape's events, in time order."""

    def __init__(self, events: Iterator[TapeEvent], *, began_ns: int, slice_ns: int) -> None:
        self._events = events
        self._began_ns = began_ns
        self._slice_ns = slice_ns
        self._next = next(events, None)

    @property
    def next_end_ns(self) -> int | None:
        """When the next slice that holds an event ends; None after the last."""
        return None if self._next is None else self.end_after(self._next.at_ns)

    def end_after(self, at_ns: int) -> int:
        """The end of the slice that holds a time."""
        passed_ns = at_ns - self._began_ns
        return self._began_ns + (passed_ns // self._slice_ns + 1) * self._slice_ns

    def until(self, end_ns: int) -> Iterator[TapeEvent]:
        """The events before a time, each taken as it is asked for."""
        event, events = self._next, self._events
        while event is not None and event.at_ns < end_ns:
            yield event
            event = next(events, None)
        self._next = event
