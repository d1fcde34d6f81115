"""Repeats of requests that carry no client order id.

Clients send the same order again when they did not get an answer, and by default without an id of
their own. The id that we mint for such a request is therefore remembered until its answer was
delivered; the same request by the same key then gets the same id, and the kernel answers with the
same order. Once an answer was delivered, the same request is a new order.
"""

import time
from collections.abc import Callable

RequestMark = tuple[str, str, str, bytes]
"""Key id, method, target and body: what makes two requests the same."""


class Attempt:
    """The id of one request and what became of its answers."""

    __slots__ = ("client_order_id", "open_count", "seen_ns")

    def __init__(self, client_order_id: str, seen_ns: int) -> None:
        self.client_order_id = client_order_id
        self.open_count = 1
        self.seen_ns = seen_ns


class Repeats:
    """At most `repeats_max` unanswered requests, each for `window_ns` after it was last seen.

    A request that is still being answered never expires. An entry is never pushed out by another:
    a full table refuses instead, because forgetting one could double an order.
    """

    def __init__(
        self,
        *,
        repeats_max: int,
        window_ns: int,
        mint: Callable[[], str],
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._repeats_max = repeats_max
        self._window_ns = window_ns
        self._mint = mint
        self._clock_ns = clock_ns
        self._attempts: dict[RequestMark, Attempt] = {}

    def begin(self, mark: RequestMark) -> str | None:
        """The client order id for this request: a new one, or that of the request it repeats.

        None when the table is full. Each `begin` that gave an id is ended by one `end`.
        """
        now_ns = self._clock_ns()
        attempt = self._attempts.get(mark)
        if attempt is not None and self._alive(attempt, now_ns):
            attempt.open_count += 1
            attempt.seen_ns = now_ns
            return attempt.client_order_id
        if attempt is not None:
            del self._attempts[mark]
        if len(self._attempts) >= self._repeats_max:
            self._sweep(now_ns)
            if len(self._attempts) >= self._repeats_max:
                return None
        attempt = Attempt(self._mint(), now_ns)
        self._attempts[mark] = attempt
        return attempt.client_order_id

    def end(self, mark: RequestMark, client_order_id: str, *, delivered: bool) -> None:
        """The answer was delivered to a connection that still stood, or it was not."""
        attempt = self._attempts.get(mark)
        if attempt is None or attempt.client_order_id != client_order_id:
            return
        if delivered:
            del self._attempts[mark]
            return
        attempt.open_count -= 1
        attempt.seen_ns = self._clock_ns()

    def __len__(self) -> int:
        return len(self._attempts)

    def _alive(self, attempt: Attempt, now_ns: int) -> bool:
        return attempt.open_count > 0 or now_ns - attempt.seen_ns <= self._window_ns

    def _sweep(self, now_ns: int) -> None:
        ended = [m for m, a in self._attempts.items() if not self._alive(a, now_ns)]
        for mark in ended:
            del self._attempts[mark]
