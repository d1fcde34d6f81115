"""Repeats of requests that carry no client order id.

Clients send the same order again when they got no answer, and by default without an id of their
own. The id that we mint for such a request is its only link to that second attempt, so it is kept
until its answer was delivered. A request is a repeat when, and only when, an identical one by the
same key was *lost* before: its connection closed before its answer was written, at most `window_ns`
ago or with the answer still to come. Then it takes that id over, and the kernel answers with the
same order. An attempt whose connection stands is nobody's to repeat: identical orders that are
under way at once are as many orders. One lost attempt is repeated once; if that repeat is lost too,
the next one takes over in turn.

What cannot be known: a peer that vanished without closing (its machine or the network died) has a
connection that looks open. A retry over a new connection, before the old one is noticed dead, is
then a new order. The other choice, to take any identical order for a repeat, would silently drop
orders that a strategy means; a doubled one is at least counted by every limit and shown. Whoever
must not be doubled gives the order an id of its own. In the same way an answer counts as delivered
once it is handed to a connection that stands, though the peer may not live to read it.
"""

import time
from collections.abc import Callable

from fuseboard.wire.http_messages import Link

RequestMark = tuple[str, str, str, bytes]
"""Key id, method, target and body: what makes two requests the same."""


class Attempt:
    """One request under an id, from `begin` to `end`; `ended_ns` is set when it was lost."""

    __slots__ = ("client_order_id", "ended_ns", "link", "mark")

    def __init__(self, mark: RequestMark, client_order_id: str, link: Link | None) -> None:
        self.mark = mark
        self.client_order_id = client_order_id
        self.link = link
        self.ended_ns: int | None = None

    def is_lost(self) -> bool:
        """Whether its answer was not, and will not be, delivered."""
        return self.ended_ns is not None or (self.link is not None and not self.link.is_open)


class Repeats:
    """At most `repeats_max` attempts whose answer was not delivered, each for `window_ns`.

    An attempt that is still being answered never expires. An entry is never pushed out by another:
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
        # By mark, then by id: the attempt that holds the id now. Oldest first.
        self._attempts: dict[RequestMark, dict[str, Attempt]] = {}
        self._count = 0

    def begin(self, mark: RequestMark, link: Link | None) -> Attempt | None:
        """The attempt of this request: under a new id, or that of the oldest lost one like it.

        None when the table is full. Each attempt that was given is ended by one `end`.
        """
        now_ns = self._clock_ns()
        self._expire(mark, now_ns)
        alike = self._attempts.get(mark, {})
        lost = next((each for each in alike.values() if each.is_lost()), None)
        if lost is not None:
            attempt = Attempt(mark, lost.client_order_id, link)
            # It keeps its place: if lost again, it is again the oldest.
            alike[lost.client_order_id] = attempt
            return attempt
        if self._count >= self._repeats_max:
            for each in list(self._attempts):
                self._expire(each, now_ns)
            if self._count >= self._repeats_max:
                return None
        attempt = Attempt(mark, self._mint(), link)
        self._attempts.setdefault(mark, {})[attempt.client_order_id] = attempt
        self._count += 1
        return attempt

    def end(self, attempt: Attempt, *, delivered: bool) -> None:
        """The answer was delivered to a connection that still stood, or it was not.

        The end of an attempt whose id another one has taken over changes nothing.
        """
        alike = self._attempts.get(attempt.mark, {})
        if alike.get(attempt.client_order_id) is not attempt:
            return
        if delivered:
            self._forget(attempt)
        else:
            attempt.ended_ns = self._clock_ns()

    def __len__(self) -> int:
        return self._count

    def _expire(self, mark: RequestMark, now_ns: int) -> None:
        for each in list(self._attempts.get(mark, {}).values()):
            if each.ended_ns is not None and now_ns - each.ended_ns > self._window_ns:
                self._forget(each)

    def _forget(self, attempt: Attempt) -> None:
        alike = self._attempts[attempt.mark]
        del alike[attempt.client_order_id]
        self._count -= 1
        if not alike:
            del self._attempts[attempt.mark]
