"""Callers who wait for the kernel, by request number. Every wait ends: by an answer or by time."""

import asyncio
import itertools
from collections.abc import Callable, Iterator

from fuseboard.vocabulary.effects import AnswerCancel, AnswerDenied, AnswerOrder
from fuseboard.vocabulary.inputs import OrderRequested

Answer = AnswerOrder | AnswerDenied | AnswerCancel


class Waiting:
    """One caller. `future` becomes the answer, or None when the wait was over first."""

    __slots__ = ("deadline_s", "future", "order", "request")

    def __init__(self, request: int, future: "asyncio.Future[Answer | None]", deadline_s: float):
        self.request = request
        self.future = future
        self.deadline_s = deadline_s
        self.order: OrderRequested | None = None


class Answers:
    """Waiting callers of one kind, at most `waiting_max`, each for `wait_s` seconds.

    `numbers` gives request numbers; who shares the kernel shares it. All on one event loop.
    """

    def __init__(
        self,
        *,
        waiting_max: int,
        wait_s: float,
        numbers: Callable[[], int] | None = None,
    ) -> None:
        self._waiting_max = waiting_max
        self._wait_s = wait_s
        self._numbers = numbers or itertools.count(1).__next__
        # In order of opening, and each waits equally long: the first is always the next to end.
        self._waiting: dict[int, Waiting] = {}
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> Waiting | None:
        """A new waiting caller; None when `waiting_max` already wait."""
        if len(self._waiting) >= self._waiting_max:
            return None
        loop = asyncio.get_running_loop()
        waiting = Waiting(self._numbers(), loop.create_future(), loop.time() + self._wait_s)
        assert waiting.request not in self._waiting, "a request number was given twice"
        self._waiting[waiting.request] = waiting
        if self._timer is None:
            self._timer = loop.call_at(waiting.deadline_s, self._expire)
        return waiting

    def resolve(self, answer: Answer) -> bool:
        """Hand an answer to its caller; False when nobody waits for it any more."""
        waiting = self._waiting.pop(answer.request, None)
        if waiting is None or waiting.future.done():
            return False
        waiting.future.set_result(answer)
        return True

    def forget(self, waiting: Waiting) -> None:
        """The caller waits no longer. Idempotent."""
        self._waiting.pop(waiting.request, None)

    def orders_of(self, strategy: str) -> Iterator[OrderRequested]:
        """Orders of a strategy that were offered and are not yet answered."""
        for waiting in self._waiting.values():
            if waiting.order is not None and waiting.order.strategy == strategy:
                yield waiting.order

    def close(self) -> None:
        """End every wait now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for waiting in self._waiting.values():
            if not waiting.future.done():
                waiting.future.set_result(None)
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._waiting)

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._waiting:
            request, waiting = next(iter(self._waiting.items()))
            if waiting.deadline_s > loop.time():
                self._timer = loop.call_at(waiting.deadline_s, self._expire)
                return
            del self._waiting[request]
            if not waiting.future.done():
                waiting.future.set_result(None)
