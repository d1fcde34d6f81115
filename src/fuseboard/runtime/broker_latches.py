"""The way of the broker's own latches: beside everything else, bounded, in nobody's way.

What is wanted later replaces what was wanted before, so a suspension that the broker did not take
yet is never sent after the close that took it back. Setting a latch waits for an ordinary turn of
the request budget, behind every close; taking one back has protection's share, because a close
needs it. What the broker does not take within the time is given up, and people are paged.
"""

import asyncio
from collections.abc import Callable

from msgspec import Struct, structs

from fuseboard.runtime.crew import Crew
from fuseboard.runtime.gate import SECOND_NS, Gate
from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.doors import BrokerLatches, BrokerUnavailable, Throttled

LATCH_REQUESTS = 2
"""What the configuration was, and the change."""


class LatchLimits(Struct, frozen=True, kw_only=True):
    """Bounds of latching at the broker."""

    latch_ns_max: int = 60 * SECOND_NS
    """How long the broker is asked for one latch."""
    latch_again_ns: int = SECOND_NS


class BrokerLatchLine:
    """What is wanted of the broker's latches; `failed` is told what was given up, and why."""

    def __init__(
        self,
        *,
        latches: BrokerLatches,
        gate: Gate,
        crew: Crew,
        failed: Callable[[str], None],
        limits: LatchLimits,
    ) -> None:
        self.limits = limits
        self._latches = latches
        self._gate = gate
        self._crew = crew
        self._failed = failed
        self._wanted: LatchBroker | None = None
        self._why = ""
        self._is_at_work = False

    def want(self, wanted: LatchBroker) -> None:
        """Set or take back what is named, soon; never waits."""
        self._wanted = _merged(self._wanted, wanted)
        if not self._is_at_work:
            self._is_at_work = True
            self._crew.start(self._work())

    async def _work(self) -> None:
        try:
            while self._wanted is not None:
                await self._within_the_time()
        finally:
            self._is_at_work = False

    async def _within_the_time(self) -> None:
        self._why = "no turn of the request budget came"
        try:
            async with asyncio.timeout(self.limits.latch_ns_max / SECOND_NS):
                while (wanted := self._wanted) is not None:
                    await self._try(wanted)
        except TimeoutError:
            given_up, self._wanted = self._wanted, None
            if given_up is not None:
                self._failed(f"{_says(given_up)}: given up, {self._why}")

    async def _try(self, wanted: LatchBroker) -> None:
        """One try; what was wanted meanwhile is next."""
        takes_back = wanted.suspend_trade is False
        for _ in range(LATCH_REQUESTS):  # one by one: a budget may leave no two at once
            await self._gate.turn(protective=takes_back)
        if self._wanted is not wanted:
            return
        try:
            await self._latches.latch(wanted)
        except Throttled as refusal:
            self._why = str(refusal)
            self._gate.throttled(refusal)
            return
        except BrokerUnavailable as failure:
            self._why = str(failure)
            await asyncio.sleep(self.limits.latch_again_ns / SECOND_NS)
            return
        self._gate.accepted()
        if self._wanted is wanted:
            self._wanted = None


def _merged(older: LatchBroker | None, newer: LatchBroker) -> LatchBroker:
    """Both, the newer where they differ."""
    if older is None:
        return newer
    named = {name: value for name, value in structs.asdict(newer).items() if value is not None}
    return structs.replace(older, **named)


def _says(wanted: LatchBroker) -> str:
    both = {"no_shorting": wanted.no_shorting, "suspend_trade": wanted.suspend_trade}
    named = [
        f"{name} {'set' if value else 'taken back'}"
        for name, value in both.items()
        if value is not None
    ]
    return f"the broker's own latches ({', '.join(named)})"
