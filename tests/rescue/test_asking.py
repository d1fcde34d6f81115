"""Asking the broker again: how often, how long, and what is heard of it meanwhile."""

import asyncio
import time
from itertools import pairwise
from typing import Any

import pytest

from fuseboard.rescue.asking import Asking, NoKey, OutOfTime
from fuseboard.vocabulary.doors import BrokerUnavailable, KeyRefused, Throttled
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


def raised(refused: NoKey) -> None:
    raise refused


@pytest.mark.parametrize("other", [BrokerUnavailable("no connection"), Throttled(1), "done"])
def test_only_a_key_that_each_answer_refuses_for_long_is_refused(
    monkeypatch: pytest.MonkeyPatch, other: Exception | str
) -> None:
    """A good key was refused for a moment by brokers, all day long."""
    monkeypatch.setattr("fuseboard.rescue.asking.REFUSED_S", 0.2)
    monkeypatch.setattr("fuseboard.rescue.asking.PAUSE_S_MAX", 0.06)
    others, calls = 3, 0
    last_s = time.monotonic()

    async def call() -> None:
        nonlocal others, last_s, calls
        calls += 1
        if others and time.monotonic() - last_s > 0.1:
            others, last_s = others - 1, time.monotonic()
            if isinstance(other, Exception):
                raise other
            return
        raise KeyRefused("/v2/orders: 401 unauthorized")

    async def main() -> None:
        asking = Asking(seconds_max=60, told=lambda _why: None, key_refused=raised)
        while True:
            await asking.answer(call)

    with pytest.raises(NoKey, match="401") as refused:
        asyncio.run(main())
    assert others == 0
    assert time.monotonic() - last_s >= 0.2
    assert calls > 6
    assert refused.value.says() == "the broker refuses the key: /v2/orders: 401 unauthorized"


def test_who_has_no_other_key_goes_on_asking_with_a_refused_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fuseboard.rescue.asking.REFUSED_S", 0.1)
    heard: list[NoKey] = []
    began_s = time.monotonic()

    async def call() -> str:
        if time.monotonic() - began_s < 0.4:
            raise KeyRefused("401")
        return "done"

    asking = Asking(seconds_max=60, told=lambda _why: None, key_refused=heard.append)
    assert asyncio.run(asking.answer(call)) == "done"
    assert heard
