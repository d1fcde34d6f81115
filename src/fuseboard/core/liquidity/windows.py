"""Windows over time that cost the same however much went through them: rings of buckets.

A bucket is one whole multiple of its width since boot. A window of n buckets covers the present
one, which is not full yet, and the n - 1 before it; that of `Recent` has one more, and reaches into
it as far as n buckets are long. Times are boot nanoseconds.

None is a struct, nor is what they are parts of: an update sets many fields, which takes a struct
four times as long.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Count:
    """How much was counted within a window."""

    width_ns: int
    buckets: list[int]
    at: int = 0
    """The number of the present bucket."""
    total: int = 0

    def follow(self, now_ns: int) -> int:
        """Let go of what has left the window; what is in it now."""
        at = now_ns // self.width_ns
        passed = at - self.at
        if passed > 0:
            buckets, length = self.buckets, len(self.buckets)
            if passed >= length:
                self.buckets, self.total = [0] * length, 0
            else:
                for number in range(self.at + 1, at + 1):
                    slot = number % length
                    self.total -= buckets[slot]
                    buckets[slot] = 0
            self.at = at
        return self.total

    def add(self, amount: int, now_ns: int) -> None:
        """Count an amount now."""
        self.follow(now_ns)
        self.buckets[self.at % len(self.buckets)] += amount
        self.total += amount


@dataclass(slots=True)
class Recent:
    """How many there were in the last `span_ns`, now included: the oldest bucket counts by the part
    of it that is still within.
    """

    count: Count
    span_ns: int
    firsts_ns: list[int]
    lasts_ns: list[int]
    """When the first and the last of each bucket came; of an empty one they are older."""

    def add(self, amount: int, now_ns: int) -> None:
        """So many came now."""
        if amount:
            count = self.count
            count.add(amount, now_ns)
            slot = count.at % len(count.buckets)
            if count.buckets[slot] == amount:
                self.firsts_ns[slot] = now_ns
            self.lasts_ns[slot] = now_ns

    def within(self, now_ns: int) -> int:
        """Exact but for what lies between the first and the last of the oldest bucket: those are
        thought evenly spread. Rounded down.
        """
        count = self.count
        total = count.follow(now_ns)
        slot = (count.at + 1) % len(count.buckets)
        oldest = count.buckets[slot]
        from_ns = now_ns - self.span_ns + 1
        if from_ns <= self.firsts_ns[slot]:
            return total
        since_ns = self.lasts_ns[slot] - from_ns
        if since_ns < 0:
            return total - oldest
        # The last is within, and of those before it as many as have their even distance there.
        before = (oldest - 1) * since_ns // (self.lasts_ns[slot] - self.firsts_ns[slot])
        return total - oldest + 1 + before


@dataclass(slots=True)
class Average:
    """What a number was on average over a window, each value weighed by how long it stood.

    A value stands until the next one, at most until it is stale; other time is left out.
    """

    width_ns: int
    areas: list[int]
    spans_ns: list[int]
    at: int = 0
    area: int = 0
    """The sum over the window of each value times how long it stood."""
    span_ns: int = 0
    """How long values stood within the window."""
    value: int = 0
    counted_ns: int = 0
    """Up to when the present value is counted."""
    stale_ns: int = 0
    """When the present value is stale."""
    least: int = 0
    least_at: int = -1
    """What `least_of` found, and in which span it was asked."""

    def put(self, value: int, now_ns: int, stale_ns: int) -> None:
        """A new value stands from now on, until `stale_ns` at most."""
        self.follow(now_ns)
        self.value, self.stale_ns = value, stale_ns

    def cease(self, now_ns: int) -> None:
        """No value stands any more."""
        self.follow(now_ns)
        self.stale_ns = now_ns

    def follow(self, now_ns: int) -> None:
        """Count the present value up to now, and let go of what has left the window."""
        at, end_ns = now_ns // self.width_ns, self.stale_ns
        if end_ns > now_ns:
            end_ns = now_ns
        if at != self.at:
            self._roll(at, end_ns)
        span_ns = end_ns - self.counted_ns
        if span_ns > 0:
            self._count(span_ns)
        self.counted_ns = now_ns

    def at_now(self, now_ns: int) -> tuple[int, int]:
        """Area and span as `follow` would leave them; within a bucket nothing is written."""
        if now_ns // self.width_ns != self.at:
            self.follow(now_ns)
        end_ns = min(now_ns, self.stale_ns)
        span_ns = end_ns - self.counted_ns
        if span_ns <= 0:
            return self.area, self.span_ns
        return self.area + self.value * span_ns, self.span_ns + span_ns

    def least_of(self, length: int) -> int:
        """The least average of a span of so many buckets that is over, of the spans that the window
        still has whole; rounded down. They begin at multiples of their length since boot. Looked
        for once in each; 0: nothing stood.
        """
        present = self.at // length
        if self.least_at != present:
            self.least, self.least_at = self._least(present, length), present
        return self.least

    def _least(self, present: int, length: int) -> int:
        areas, spans_ns, whole = self.areas, self.spans_ns, len(self.areas)
        found: int | None = None
        for number in range(present - whole // length + 1, present):
            slots = [slot % whole for slot in range(number * length, (number + 1) * length)]
            span_ns = sum([spans_ns[slot] for slot in slots])
            if span_ns:
                average = sum([areas[slot] for slot in slots]) // span_ns
                if found is None or average < found:
                    found = average
        return found or 0

    def spans_from(self, span_ns: int) -> int:
        """From when on values may have stood for so long within the window; not before."""
        return self.counted_ns + span_ns - self.span_ns

    def _roll(self, at: int, end_ns: int) -> None:
        """Go on to another bucket: what stood is counted into each that was passed."""
        length = len(self.areas)
        if at - self.at > length:
            self._forget(at - length)
        while self.at < at:
            edge_ns = (self.at + 1) * self.width_ns
            span_ns = min(edge_ns, end_ns) - self.counted_ns
            if span_ns > 0:
                self._count(span_ns)
                self.counted_ns += span_ns
            self.at += 1
            slot = self.at % length
            self.area -= self.areas[slot]
            self.span_ns -= self.spans_ns[slot]
            self.areas[slot] = self.spans_ns[slot] = 0

    def _count(self, span_ns: int) -> None:
        """The present value stood for so long, within the present bucket."""
        areas, area = self.areas, self.value * span_ns
        slot = self.at % len(areas)
        areas[slot] += area
        self.spans_ns[slot] += span_ns
        self.area += area
        self.span_ns += span_ns

    def _forget(self, at: int) -> None:
        """Longer than the window since the last value: begin one bucket before it, empty.

        What stood until then is counted into that bucket, which leaves with the walk's last step.
        """
        self.areas, self.spans_ns = [0] * len(self.areas), [0] * len(self.areas)
        self.area = self.span_ns = 0
        self.at = at


def count_of(length: int, width_ns: int, now_ns: int) -> Count:
    """An empty window of so many buckets, from now on."""
    return Count(width_ns, [0] * length, now_ns // width_ns)


def recent_of(length: int, width_ns: int, now_ns: int) -> Recent:
    """The same for the last so many widths, to the nanosecond."""
    count = count_of(length + 1, width_ns, now_ns)
    return Recent(count, length * width_ns, [0] * (length + 1), [0] * (length + 1))


def average_of(length: int, width_ns: int, now_ns: int) -> Average:
    """The same for an average."""
    return Average(
        width_ns, [0] * length, [0] * length, now_ns // width_ns, counted_ns=now_ns, stale_ns=now_ns
    )
