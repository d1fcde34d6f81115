"""The rolling breaker: losses are measured from the highest equity of the last so many sessions."""

from collections.abc import Callable
from decimal import Decimal
from time import monotonic

from fuseboard.core.fuses.machine import FuseState
from fuseboard.core.fuses.window import PeakWindow
from fuseboard.library.breaker import DrawdownCircuitBreaker
from fuseboard.library.equity import decimal_of


class RollingDrawdownCircuitBreaker(DrawdownCircuitBreaker):
    """A `DrawdownCircuitBreaker` whose mark forgets what is older than `window_days` sessions.

    The mark is the highest equity of the present session and of the last `window_days` closed
    ones (a policy's `rolling: {days: 30}` counts the present one among its 30). Sessions end when
    the caller says so (`close_session`), at a cost that does not grow
    with the window. Closing sessions before the first `evaluate` seeds the history: it judges
    nothing, and the first equity is then judged against it.
    """

    __slots__ = ("_window",)

    def __init__(
        self,
        max_drawdown: Decimal,
        cooldown_seconds: float = 300.0,
        on_trigger: Callable[[], object] | None = None,
        window_days: int = 30,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(max_drawdown, cooldown_seconds, on_trigger, clock=clock)
        if isinstance(window_days, bool) or not isinstance(window_days, int) or window_days < 1:
            raise ValueError(f"window_days {window_days!r} must be a whole number from 1 on")
        self._window = PeakWindow(days=window_days)

    def close_session(self, equity: Decimal | int) -> None:
        """The session ends with this equity, which is judged, and a new one begins at it.

        Raises as `evaluate` does; then nothing has changed and the session is still open.
        """
        close = decimal_of(equity)
        if close <= 0 and self._fuse.state is FuseState.ARMED:
            raise ValueError(f"a close of {close} leaves no drawdown to measure")
        figure = self._figure(close)
        with self._lock:
            armed = self._fuse.state is FuseState.ARMED
            tripped = False if armed or self._fuse.latched() else self._judge(figure)
            self._roll(figure.above_attos)
        if tripped:
            self._tell()

    def _roll(self, close_attos: int) -> None:
        self._window.push(max(self._peak_attos, close_attos))
        self._peak_attos = close_attos
        mark_attos = self._window.peak()
        assert mark_attos is not None, "a session has just been pushed"
        if not self._fuse.latched():  # a trip keeps the mark that it was measured from
            self._fuse.take_mark(mark_attos)
        self._look_closely()

    def _forget(self) -> None:
        super()._forget()
        self._window.forget()
