"""Where calls to the broker wait for the request budget."""

import asyncio

from fuseboard.runtime.budget import Budget, Ticket
from fuseboard.vocabulary.doors import Clock, Throttled

SECOND_NS = 1_000_000_000


class _Turn(Ticket):
    """A ticket with somebody waiting for it."""

    __slots__ = ("granted",)

    def __init__(self, *, protective: bool, requests: int) -> None:
        super().__init__(protective=protective, requests=requests)
        self.granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Gate:
    """The request budget for asyncio: `await turn(...)` before each call to the broker."""

    def __init__(self, budget: Budget, clock: Clock) -> None:
        self._budget = budget
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None

    async def turn(
        self, *, protective: bool, requests: int = 1, wait_ns_max: int | None = None
    ) -> bool:
        """Wait until the call may start; False when that took longer than `wait_ns_max`."""
        turn = _Turn(protective=protective, requests=requests)
        self._budget.ask(turn)
        self._grant()
        if turn.granted.done():
            return True
        try:
            async with asyncio.timeout(None if wait_ns_max is None else wait_ns_max / SECOND_NS):
                await turn.granted
        except TimeoutError:
            return False
        finally:
            self._budget.withdraw(turn)
            self._grant()
        return True

    def throttled(self, refusal: Throttled) -> None:
        """The broker said 429: no turn comes before the pause is over, but protection's probes."""
        self._budget.throttled(self._clock.now().boot_ns, refusal.retry_after_ns)

    def accepted(self) -> None:
        """The broker answered anything but 429."""
        if self._budget.accepted():
            self._grant()

    def close(self) -> None:
        """Grant nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _grant(self) -> None:
        now_ns = self._clock.now().boot_ns
        for ticket in self._budget.granted(now_ns):
            assert isinstance(ticket, _Turn)
            if not ticket.granted.done():
                ticket.granted.set_result(None)
        self.close()
        wait_ns = self._budget.wait_ns(now_ns)
        if wait_ns is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wait_ns / SECOND_NS, self._grant)
