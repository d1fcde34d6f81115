"""How often the broker may be asked: a token bucket with a reserve that only protection may use.

Two promises, each a property test:

- *To the broker*: in any 60 seconds at most `requests_a_minute + burst_max` requests start, and an
  ordinary request starts only while the last 60 seconds, itself included, hold at most
  `requests_a_minute - reserved`. So even a broker that counts a strict window has `reserved`
  requests left for protection when ordinary traffic has used all it may.
- *To protection*: it is never behind an ordinary request, and ordinary requests never take the
  bucket below `reserved`. While a refusal of the broker (429) pauses everyone, one protective call
  may try every `PROBE_NS_MAX` or sooner; the first answer that is no 429 ends the pause for
  protection, and ordinary requests wait as long as the broker asked.

Alpaca documents 429 with `X-RateLimit-Reset` (the time at which its window ends) and exponential
backoff, "ideally" not before that time: one request a second is what a cancel is worth.

Time is passed in, and so is chance. Integers throughout: a request costs `MINUTE_NS` units, and
each nanosecond refills `requests_a_minute` units.
"""

from collections import deque
from collections.abc import Callable

MINUTE_NS = 60 * 1_000_000_000
PAUSE_NS_MIN = 50 * 1_000_000
PAUSE_NS_MAX = 60 * 1_000_000_000
PROBE_NS_MAX = 1_000_000_000
"""During a pause, protection tries once in this time, after at least half of it."""
BACKOFF_DOUBLINGS_MAX = 7


def jittered_ns(
    attempt: int, *, first_ns: int, longest_ns: int, randbelow: Callable[[int], int]
) -> int:
    """Exponential backoff with full jitter: at least `PAUSE_NS_MIN`, at most `longest_ns`."""
    ceiling = min(longest_ns, first_ns << min(attempt, BACKOFF_DOUBLINGS_MAX))
    return max(PAUSE_NS_MIN, randbelow(ceiling + 1))


class Ticket:
    """One waiting call to the broker, which will make `requests` requests."""

    __slots__ = ("protective", "requests")

    def __init__(self, *, protective: bool, requests: int = 1) -> None:
        self.protective = protective
        self.requests = requests


class Budget:
    """The request budget of one account, with its two waiting lines."""

    def __init__(
        self,
        *,
        requests_a_minute: int,
        reserved: int,
        randbelow: Callable[[int], int],
        burst_max: int | None = None,
    ) -> None:
        self.requests_a_minute = requests_a_minute
        self.reserved = reserved
        self.burst_max = requests_a_minute if burst_max is None else burst_max
        if not 0 < reserved < self.burst_max or reserved >= requests_a_minute:
            raise ValueError(f"a reserve of {reserved} leaves nothing of {self.burst_max} requests")
        self._randbelow = randbelow
        self._units = self.burst_max * MINUTE_NS
        self._refilled_ns: int | None = None
        self._recent: deque[tuple[int, int]] = deque()
        self._recent_requests = 0
        self._protective: deque[Ticket] = deque()
        self._ordinary: deque[Ticket] = deque()
        self._paused_until_ns = 0
        self._probe_at_ns: int | None = None
        """When protection tries next, None while no pause holds it."""
        self._probed = False
        """Whether a probe is under way since the last refusal."""
        self._refusals = 0

    def ask(self, ticket: Ticket) -> None:
        """Put a call in its line; `granted` will say when it may start."""
        ordinary_max = min(self.burst_max, self.requests_a_minute) - self.reserved
        requests_max = self.burst_max if ticket.protective else ordinary_max
        if not 0 < ticket.requests <= requests_max:
            raise ValueError(f"{ticket.requests} requests at once, the most is {requests_max}")
        (self._protective if ticket.protective else self._ordinary).append(ticket)

    def withdraw(self, ticket: Ticket) -> None:
        """The caller gave up; nothing happens when the ticket was granted already."""
        line = self._protective if ticket.protective else self._ordinary
        if ticket in line:
            line.remove(ticket)

    def granted(self, now_ns: int) -> list[Ticket]:
        """The calls that start now, protection first; they count as made."""
        self._advance(now_ns)
        tickets: list[Ticket] = []
        for line in (self._protective, self._ordinary):
            while line and self._delay_ns(line[0], now_ns) == 0:
                ticket = line.popleft()
                self._units -= ticket.requests * MINUTE_NS
                self._recent.append((now_ns, ticket.requests))
                self._recent_requests += ticket.requests
                tickets.append(ticket)
                if ticket.protective and self._probe_at_ns is not None:
                    self._probed = True
                    self._probe_later(now_ns)
            if line:  # who waits at the head also holds up the line behind it
                break
        return tickets

    def wait_ns(self, now_ns: int) -> int | None:
        """How long until `granted` can have something new; None when nobody waits."""
        line = self._protective or self._ordinary
        if not line:
            return None
        self._advance(now_ns)
        return self._delay_ns(line[0], now_ns)

    def throttled(self, now_ns: int, retry_after_ns: int | None) -> None:
        """The broker said 429: everyone pauses, as long as it asked and at least our backoff."""
        backoff_ns = jittered_ns(
            self._refusals,
            first_ns=4 * PAUSE_NS_MIN,
            longest_ns=PAUSE_NS_MAX,
            randbelow=self._randbelow,
        )
        self._refusals += 1
        pause_ns = max(backoff_ns, min(retry_after_ns or 0, PAUSE_NS_MAX))
        self._paused_until_ns = max(self._paused_until_ns, now_ns + pause_ns)
        self._probed = False
        if self._probe_at_ns is None or self._probe_at_ns <= now_ns:
            self._probe_later(now_ns)

    def accepted(self) -> bool:
        """The broker answered anything but 429: the next refusal backs off from the start.

        After a probe, protection is not held up any more; whether that is so since now.
        """
        self._refusals = 0
        if not self._probed:
            return False
        self._probed, self._probe_at_ns = False, None
        return True

    def _probe_later(self, now_ns: int) -> None:
        half_ns = PROBE_NS_MAX // 2
        self._probe_at_ns = now_ns + half_ns + self._randbelow(half_ns + 1)

    def _delay_ns(self, ticket: Ticket, now_ns: int) -> int:
        """How long until this ticket, at the head of its line, may start."""
        held_ns = self._paused_until_ns - now_ns
        if held_ns <= 0:
            self._probed, self._probe_at_ns = False, None
        if ticket.protective:
            held_ns = 0 if self._probe_at_ns is None else min(held_ns, self._probe_at_ns - now_ns)
        return max(held_ns, self._lacking_ns(ticket, now_ns), 0)

    def _advance(self, now_ns: int) -> None:
        if self._refilled_ns is not None:
            passed_ns = max(0, now_ns - self._refilled_ns)
            refilled = self._units + passed_ns * self.requests_a_minute
            self._units = min(self.burst_max * MINUTE_NS, refilled)
        self._refilled_ns = now_ns
        while self._recent and self._recent[0][0] <= now_ns - MINUTE_NS:
            self._recent_requests -= self._recent.popleft()[1]

    def _lacking_ns(self, ticket: Ticket, now_ns: int) -> int:
        """How long until bucket and window have room for this ticket."""
        kept = 0 if ticket.protective else self.reserved
        lacking_units = (kept + ticket.requests) * MINUTE_NS - self._units
        lacking_ns = max(0, -(-lacking_units // self.requests_a_minute))
        if ticket.protective:
            return lacking_ns
        too_many = self._recent_requests + ticket.requests + self.reserved - self.requests_a_minute
        for started_ns, requests in self._recent:
            if too_many <= 0:
                break
            too_many -= requests
            lacking_ns = max(lacking_ns, started_ns + MINUTE_NS - now_ns)
        return lacking_ns
