"""Asking the broker again: how often, how long, and what is heard of it meanwhile."""

import asyncio
import time
from itertools import pairwise
from typing import Any

import pytest

from fuseboard.rescue.asking import Asking, OutOfTime
from fuseboard.vocabulary.doors import BrokerUnavailable, Throttled
from fuseboard.vocabulary.money import NANOS


def test_a_refusal_for_the_rate_is_waited_out_and_the_time_to_ask_has_an_end() -> None:
    told: list[str] = []
    answers: list[Exception | str] = [
        Throttled(NANOS // 5),
        BrokerUnavailable("no connection"),
        "done",
    ]

    async def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def never() -> str:
        raise BrokerUnavailable("no connection")

    began = time.monotonic()
    assert asyncio.run(Asking(seconds_max=60, told=told.append).answer(call)) == "done"
    assert time.monotonic() - began >= 0.2
    with pytest.raises(OutOfTime, match="no connection"):
        asyncio.run(Asking(seconds_max=0.3, told=told.append).answer(never))
    assert told == []


def test_after_a_429_one_call_at_a_time_asks_again_however_long_the_broker_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The gateway may have used the minute up: a close that waits for it comes too late."""
    probe_s, callers, more = 0.05, 8, 4
    monkeypatch.setattr("fuseboard.rescue.asking.PROBE_S_MAX", probe_s)
    asked_s: list[float] = []

    async def call() -> str:
        asked_s.append(time.monotonic())
        is_refused = len(asked_s) <= callers + more
        await asyncio.sleep(0)  # the way there and back
        if is_refused:
            raise Throttled(3_600 * NANOS)
        return "done"

    async def all_of_them() -> list[str]:
        asking = Asking(seconds_max=60, told=lambda _text: None)
        return await asyncio.gather(*(asking.answer(call) for _ in range(callers)))

    assert asyncio.run(all_of_them()) == ["done"] * callers
    probes_s = asked_s[callers - 1 : callers + more + 1]
    assert min(after - before for before, after in pairwise(probes_s)) >= probe_s * 0.9


def test_only_a_call_that_came_back_and_a_wait_that_is_over_are_steps() -> None:
    steps: list[str] = []
    answers: list[Any] = [BrokerUnavailable("no"), "yes"]

    async def called() -> str:
        steps.append("called")
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    async def never() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        asking = Asking(seconds_max=60, told=lambda _why: None, moved=lambda: steps.append("moved"))
        assert await asking.answer(called) == "yes"
        assert steps == ["called", "moved", "called", "moved"]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking.answer(never), 0.05)
        assert len(steps) == 4

    asyncio.run(main())
