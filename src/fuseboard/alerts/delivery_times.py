"""How long alerts take from what they are about until a door has taken them (RTS 6 Art. 16)."""

from typing import Final

from fuseboard.vocabulary.money import NANOS

IN_TIME_NS: Final = 5 * NANOS
"""Five seconds after its event an alert is to be with people."""


class DeliveryTimes:
    """Of one door, since the start: how many alerts it took, the slowest, how many came too late.

    A time runs from the event (the boot time of the input that the kernel decided it on, or the
    moment at which somebody else had something to tell) until the door has taken the alert. Its
    user lets one thread in at a time.
    """

    def __init__(self) -> None:
        self.count = 0
        self.slowest_ns = 0
        self.late = 0

    def took(self, span_ns: int) -> None:
        """One more alert was taken, so long after its event."""
        self.count += 1
        self.slowest_ns = max(self.slowest_ns, span_ns)
        self.late += span_ns > IN_TIME_NS

    def says(self) -> str:
        """For the status; empty before the first."""
        if not self.count:
            return ""
        slowest = f"slowest {shown_s(self.slowest_ns)} after its event"
        return f"{slowest}, {self.late} later than {IN_TIME_NS // NANOS} s"


def shown_s(span_ns: int) -> str:
    """A time in seconds and whole milliseconds, rounded up: what is late looks so."""
    millis = -(-span_ns // 1_000_000)
    return f"{millis // 1_000}.{millis % 1_000:03d} s"
