"""Asking the broker again and again: protection does not give up at the first silence."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from fuseboard.vocabulary.doors import BrokerUnavailable, KeyRefused, Throttled

PAUSE_S_MIN: Final = 0.05
PAUSE_S_MAX: Final = 5.0
DOUBLINGS_MAX: Final = 7
PROBE_S_MAX: Final = 1.0
"""Between two calls while the broker answers 429, as the gateway's protection: no close waits for a
minute because the gateway had used it up.
"""
REFUSED_S: Final = 3.0
"""A key that each answer refuses for so long is refused: good ones are for a moment, too."""
REFUSED_DOUBLINGS_MAX: Final = 4
"""So that who asks with it hears of it within a second more, and not after the longest pause."""
NEWS_AFTER_S: Final = 60.0
Answer = TypeVar("Answer")


class OutOfTime(Exception):
    """The broker was asked for as long as it makes sense; the message says what it said last."""

    def says(self) -> str:
        """In words for people."""
        return f"the broker does not answer: {self}"


class NoKey(OutOfTime):
    """The broker refuses the key, and not for a moment."""

    def says(self) -> str:
        """In words for people."""
        return f"the broker refuses the key: {self}"


class Asking:
    """Repeats calls that certainly may be repeated, until a deadline of this process's clock.

    `told` hears why it is not over yet, after `NEWS_AFTER_S`, then after twice that and so on;
    `moved` that a call came back, or that it is looked again. `key_refused` hears each time
    that the key is refused by now, and may raise it.
    Exponential backoff with full jitter; after a 429 one call at a time asks whether that is over.
    """

    def __init__(
        self,
        *,
        seconds_max: float,
        told: Callable[[str], None],
        moved: Callable[[], None] = lambda: None,
        key_refused: Callable[[NoKey], None] = lambda _why: None,
    ) -> None:
        self._told = told
        self._key_refused = key_refused
        self._refused_since = 0.0  # the key, by each answer since; 0 when it is not
        self._moved = moved
        self._ends = time.monotonic() + seconds_max
        self._news_s = NEWS_AFTER_S
        self._news_at = time.monotonic() + self._news_s
        self._quiet_until = 0.0
        self._is_refused = False

    async def answer(
        self,
        call: Callable[[], Awaitable[Answer]],
        failed: Callable[[str], None] = lambda _why: None,
    ) -> Answer:
        """The call's answer; `failed` hears each time why there is none. Raises `OutOfTime`."""
        attempt = 0
        while True:
            quiet_s = self._quiet_until - time.monotonic()
            if quiet_s > 0:
                await asyncio.sleep(quiet_s)
                continue
            if self._is_refused:
                self._quiet_until = time.monotonic() + PROBE_S_MAX  # for all others
            try:
                answer = await call()
            except Throttled as refused:
                asked_s = (refused.retry_after_ns or 0) / 1e9
                self._quiet_until = time.monotonic() + min(asked_s or PROBE_S_MAX, PROBE_S_MAX)
                self._is_refused = True
                why, self._refused_since = str(refused) or "too many requests", 0.0
            except KeyRefused as refused:
                why, attempt = str(refused), min(attempt, REFUSED_DOUBLINGS_MAX)
                self._judge_key(why)
            except BrokerUnavailable as unavailable:
                why, self._refused_since = str(unavailable), 0.0
            else:
                self._quiet_until, self._is_refused = 0.0, False
                self._refused_since = 0.0
                self._moved()
                return answer
            failed(why)
            await self.pause(attempt, why=why)
            attempt += not self._is_refused

    def _judge_key(self, why: str) -> None:
        now_s = time.monotonic()
        self._refused_since = self._refused_since or now_s
        if now_s - self._refused_since >= REFUSED_S:
            self._key_refused(NoKey(why))

    async def answer_within(
        self, seconds_max: float, call: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """As `answer`, for what nothing may wait for any longer. Raises `OutOfTime`."""
        said = ["it does not answer"]
        try:
            async with asyncio.timeout(seconds_max):
                return await self.answer(call, said.append)
        except TimeoutError as late:
            raise OutOfTime(f"{said[-1]}, for {seconds_max:g} s") from late

    async def pause(self, attempt: int, *, why: str) -> None:
        """Wait before asking again. Raises `OutOfTime` with `why` once the time is over."""
        self._moved()
        if time.monotonic() >= self._ends:
            raise OutOfTime(why)
        if time.monotonic() >= self._news_at:
            self._news_s *= 2
            self._news_at += self._news_s
            self._told(why)
        ceiling = min(PAUSE_S_MAX, PAUSE_S_MIN * 2 ** min(attempt, DOUBLINGS_MAX))
        await asyncio.sleep(max(PAUSE_S_MIN, random.uniform(0, ceiling)))  # noqa: S311 - no secret
