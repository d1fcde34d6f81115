"""Announcements are asked for at a start, for what becomes held, and before each session."""

import asyncio
from collections.abc import Sequence

from fuseboard.runtime.clock import SteppedClock
from fuseboard.runtime.dividends import DividendLimits, DividendSchedule
from fuseboard.vocabulary.dividend_facts import DividendsSeen
from fuseboard.vocabulary.doors import BrokerUnavailable, Throttled
from fuseboard.vocabulary.inputs import Moment

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


class Outside:
    """A broker that may not answer, an account, and what the kernel is told."""

    def __init__(self) -> None:
        self.clock = SteppedClock(Moment(HOUR, 1_000 * HOUR))
        self.held: list[str] = []
        self.failure: Exception | None = None
        self.asked: list[tuple[str, ...]] = []
        self.told: list[DividendsSeen] = []
        self.schedule = DividendSchedule(
            held=lambda: self.held, broker=self, clock=self.clock, offer=self.offer
        )

    async def dividends(self, symbols: Sequence[str], wall_ns: int) -> DividendsSeen:
        assert wall_ns == self.clock.now().wall_ns
        self.asked.append(tuple(symbols))
        if self.failure is not None:
            raise self.failure
        return DividendsSeen(symbols=tuple(symbols))

    def offer(self, fact: DividendsSeen) -> bool:
        self.told.append(fact)
        return True

    def after(self, duration_ns: int) -> list[tuple[str, ...]]:
        """What is asked for when so much time has passed."""
        self.clock.advance_to(self.clock.now().boot_ns + duration_ns)
        self.asked.clear()
        asyncio.run(self.schedule.look())
        return list(self.asked)


def test_what_is_held_or_becomes_held_is_asked_for_at_once_and_every_few_hours() -> None:
    outside = Outside()
    assert outside.after(0) == [], "nothing is held"
    outside.held = ["AAPL"]
    assert outside.after(SECOND) == [("AAPL",)]
    assert outside.after(SECOND) == []
    outside.held = ["AAPL", "KO"]
    assert outside.after(SECOND) == [("AAPL", "KO")]
    outside.held = ["KO"]
    assert outside.after(4 * HOUR - SECOND) == []
    assert outside.after(SECOND) == [("KO",)]
    assert [fact.symbols for fact in outside.told] == [("AAPL",), ("AAPL", "KO"), ("KO",)]


def test_a_broker_that_does_not_answer_is_asked_again_and_the_kernel_told_once() -> None:
    outside = Outside()
    outside.held = ["AAPL"]
    outside.failure = BrokerUnavailable("no answer")
    assert outside.after(0) == [("AAPL",)]
    assert outside.after(59 * SECOND) == [], "not at once, and not faster for what becomes held"
    for _ in range(2 * DividendLimits().failures_max):
        outside.failure = Throttled(None)
        assert outside.after(60 * SECOND) == [("AAPL",)]
    (told,) = outside.told
    assert "cannot be asked for" in told.problem
    outside.failure = None
    assert outside.after(60 * SECOND) == [("AAPL",)]
    assert outside.told[1:] == [DividendsSeen(symbols=("AAPL",))]
    assert outside.after(60 * SECOND) == []
