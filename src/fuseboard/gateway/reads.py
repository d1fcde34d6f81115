"""Reads that are passed on to the broker: an allow-list, a small cache, a budget.

The strategy's key stays here and the broker's key never comes back: only the method, a path of the
list and the query go out; only status and body return. Trading-host reads cost the
same requests a minute that cancels and closes need, so strategies share a small part of them.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from fuseboard.gateway.denials import UNAVAILABLE, URI_TOO_LONG
from fuseboard.gateway.doors import ReadDoor
from fuseboard.gateway.limits import GatewayLimits
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.wire.alpaca_errors import TOO_MANY_REQUESTS, error_answer
from fuseboard.wire.http_messages import Response

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
TARGET_BYTES_MAX = 4_096
CACHED_BODY_BYTES_MAX = 64 << 10

_NAME = r"[A-Za-z0-9._:-]+"
_TRADING_PATHS: tuple[tuple[re.Pattern[str], int], ...] = (
    # The clock is hardly kept: a simulated session may run many times faster than the wall.
    (re.compile(r"/v2/clock"), SECOND_NS // 10),
    (re.compile(r"/v2/calendar"), MINUTE_NS),
    (re.compile(r"/v2/account/portfolio/history"), SECOND_NS),
    (re.compile(rf"/v2/assets(/{_NAME}){{0,2}}"), MINUTE_NS),
)
_DATA_PATHS = re.compile(
    rf"/v2/stocks(/{_NAME}){{1,3}}"
    rf"|/v1beta3/crypto(/{_NAME}){{1,3}}"
    rf"|/v1beta1/(options|screener|corporate-actions)(/{_NAME}){{1,4}}"
    r"|/v1beta1/news|/v1/corporate-actions"
)


class _Kept(Struct, frozen=True):
    response: Response
    until_ns: int


class Budget:
    """A token bucket of `a_minute_max` reads; a quarter of a minute's worth may come at once."""

    def __init__(self, a_minute_max: int) -> None:
        self._a_minute_max = a_minute_max
        self._most = max(a_minute_max // 4, 1) * MINUTE_NS
        self._tokens = self._most
        self._at_ns: int | None = None

    def take(self, now_ns: int) -> bool:
        """Whether one more read may go out now."""
        if self._at_ns is not None:
            earned = max(now_ns - self._at_ns, 0) * self._a_minute_max
            self._tokens = min(self._most, self._tokens + earned)
        self._at_ns = now_ns
        if self._tokens < MINUTE_NS:
            return False
        self._tokens -= MINUTE_NS
        return True


class Reads:
    """Passes allowed reads on, at most `reads_waiting_max` at a time."""

    def __init__(
        self,
        broker: ReadDoor,
        limits: GatewayLimits,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._broker = broker
        self._limits = limits
        self._clock_ns = clock_ns
        self._waiting_count = 0
        self._kept: dict[str, _Kept] = {}
        self.trading = Budget(limits.trading_reads_a_minute_max)
        self._data = Budget(limits.data_reads_a_minute_max)

    async def read(self, path: str, query: Mapping[str, str]) -> Response | None:
        """The broker's answer to a GET; None when the path is not one of the list."""
        keep_ns = _keep_ns(path)
        if keep_ns is None:
            return None
        target = quote(path, safe="/:")
        if query:
            target = f"{target}?{urlencode(query)}"
        if len(target) > TARGET_BYTES_MAX:
            return error_answer(
                414, URI_TOO_LONG, f"the request target is longer than {TARGET_BYTES_MAX}"
            )
        kept = self._kept.get(target)
        if kept is not None and self._clock_ns() < kept.until_ns:
            return kept.response
        budget = self.trading if keep_ns else self._data
        if self._waiting_count >= self._limits.reads_waiting_max or not budget.take(
            self._clock_ns()
        ):
            # Nothing was sent, and a read may be repeated: here 429 is the right answer.
            refusal = error_answer(
                429, TOO_MANY_REQUESTS, "too many reads; orders are not affected"
            )
            return msgspec.structs.replace(refusal, headers=(("retry-after", "1"),))
        response = await self._fetched(target)
        if keep_ns and response.status == 200:
            self._keep(target, _Kept(response, self._clock_ns() + keep_ns))
        return response

    async def _fetched(self, target: str) -> Response:
        self._waiting_count += 1
        try:
            async with asyncio.timeout(self._limits.read_wait_s):
                answer = await self._broker.fetch("GET", target)
        except (BrokerUnavailable, TimeoutError) as failure:
            return error_answer(503, UNAVAILABLE, f"the broker did not answer this read: {failure}")
        finally:
            self._waiting_count -= 1
        if answer.status == 401:
            return error_answer(
                503, UNAVAILABLE, "the broker does not accept the gateway's own key"
            )
        if not 200 <= answer.status < 300 and not 400 <= answer.status < 600:
            return error_answer(
                503, UNAVAILABLE, f"the broker answered this read with {answer.status}"
            )
        return Response(answer.status, answer.body)

    def _keep(self, target: str, kept: _Kept) -> None:
        if len(kept.response.body) > CACHED_BODY_BYTES_MAX:
            return
        if target not in self._kept and len(self._kept) >= self._limits.reads_cached_max:
            del self._kept[next(iter(self._kept))]
        self._kept[target] = kept


def _keep_ns(path: str) -> int | None:
    """How long an answer is kept; 0 for market data, None for a path that is not allowed."""
    if ".." in path:
        return None
    for pattern, keep_ns in _TRADING_PATHS:
        if pattern.fullmatch(path):
            return keep_ns
    return 0 if _DATA_PATHS.fullmatch(path) else None
