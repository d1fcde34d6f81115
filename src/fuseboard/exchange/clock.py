"""The exchange's clock: the tape's time, driven by a monotonic clock at a chosen speed."""

from collections.abc import Callable

from fuseboard.vocabulary.money import NANOS


class TapeClock:
    """Stands at `start_ns` until `start`, then runs `speed_nanos` / 10^9 times as fast."""

    def __init__(self, *, start_ns: int, speed_nanos: int, monotonic_ns: Callable[[], int]) -> None:
        if speed_nanos <= 0:
            raise ValueError("the speed of a tape must be above 0")
        self._start_ns = start_ns
        self._speed_nanos = speed_nanos
        self._monotonic_ns = monotonic_ns
        self._started_ns: int | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started."""
        return self._started_ns is not None

    def start(self) -> None:
        """Let it run; nothing happens when it runs already."""
        if self._started_ns is None:
            self._started_ns = self._monotonic_ns()

    def now_ns(self) -> int:
        """The tape's time now; never goes back."""
        if self._started_ns is None:
            return self._start_ns
        elapsed_ns = self._monotonic_ns() - self._started_ns
        return self._start_ns + elapsed_ns * self._speed_nanos // NANOS

    def wall_ns_until(self, at_ns: int) -> int | None:
        """How long from now until the tape's time is `at_ns`; None while it stands."""
        if self._started_ns is None:
            return None
        return max(at_ns - self.now_ns(), 0) * NANOS // self._speed_nanos
