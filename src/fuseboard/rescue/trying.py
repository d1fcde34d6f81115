"""What became of one symbol's closes, by the gateway's own rules. No I/O, no clock."""

from fuseboard.rescue.terms import Terms
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.trying import FAULTS


class Trying:
    """A `vocabulary.trying.Tried`. Times in nanoseconds of boot time."""

    def __init__(self, now_ns: int) -> None:
        self.tries = self.faults = 0
        self.rests = self.rests_only = False
        self.sent_boot_ns = self.taken_boot_ns = 0
        self.next_ns = now_ns
        """When the next close may be sent."""
        self.since_ns = now_ns
        """From when the market's time counts: what kept us from asking it costs none."""

    def why_over(self, terms: Terms, now_ns: int) -> str:
        """Why no further close is sent; empty: it goes on."""
        if self.faults >= terms.close_attempts_max:
            return FAULTS
        if self.sent_boot_ns and now_ns >= self.since_ns + terms.close_within_ns:
            minutes = terms.close_within_ns / (60 * NANOS)
            return f"the market did not take it within {minutes:g} minutes"
        return ""
