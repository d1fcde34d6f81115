"""The broker's request limit: so many requests in each minute of one account."""

from msgspec import Struct

WINDOW_NS = 60_000_000_000


class Admission(Struct, frozen=True):
    """Whether a request is admitted, how many more are, and how long until the window ends."""

    admitted: bool
    remaining: int
    resets_in_s: int


class RequestLimit:
    """Fixed windows of one minute that begin with the first request after the last one ended."""

    def __init__(self, requests_per_minute: int) -> None:
        self.requests_per_minute = requests_per_minute
        self._window_ns: int | None = None
        self._used = 0

    def admit(self, now_ns: int) -> Admission:
        """Count one request at a monotonic time."""
        if self._window_ns is None or now_ns >= self._window_ns + WINDOW_NS:
            self._window_ns = now_ns
            self._used = 0
        resets_in_s = -(-(self._window_ns + WINDOW_NS - now_ns) // 1_000_000_000)
        if self._used >= self.requests_per_minute:
            return Admission(admitted=False, remaining=0, resets_in_s=resets_in_s)
        self._used += 1
        remaining = self.requests_per_minute - self._used
        return Admission(admitted=True, remaining=remaining, resets_in_s=resets_in_s)
