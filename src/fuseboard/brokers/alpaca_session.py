"""Asking Alpaca over HTTP: the account's key on each request, one bound on time, honest errors."""

import re
import time
from contextlib import suppress

import msgspec
from msgspec import Struct

from fuseboard.vocabulary.doors import BrokerUnavailable, KeyRefused, Throttled
from fuseboard.vocabulary.money import NANOS
from fuseboard.wire.alpaca_errors import is_error, read_error
from fuseboard.wire.alpaca_orders import SeenOrder, ShapeUnknown, listed_order
from fuseboard.wire.alpaca_values import decoded_json
from fuseboard.wire.http_client import AnswerLost, ClientLimits, HttpAnswer, HttpClient, NotWritten

PAGE_ORDERS_MAX = 500
PAGES_MAX = 40
OWN_PATHS = frozenset({"/v2/account", "/v2/orders", "/v2/positions"})
"""What every key of an account may read: a 403 there is no word on what was asked for."""
DATA_PATHS = ("/v2/stocks/", "/v1beta1/", "/v1beta3/", "/v1/")
_SECONDS = re.compile(r"(\d{1,6})(?:\.\d*)?", re.ASCII)
_UNIX_SECONDS = re.compile(r"\d{9,11}", re.ASCII)


class AlpacaOptions(Struct, frozen=True, kw_only=True):
    """One account at one Alpaca-compatible broker. `instance` is in each wire id of ours."""

    base_url: str
    key_id: str
    secret: str
    instance: str
    data_url: str = ""
    """Where market data is read; empty means `base_url`."""
    timeout_s: float = 5.0
    connections_max: int = 16

    def __repr__(self) -> str:
        return f"AlpacaOptions(base_url={self.base_url!r}, instance={self.instance!r})"


class AlpacaSession:
    """The trading host and the data host of one account."""

    def __init__(self, options: AlpacaOptions) -> None:
        limits = ClientLimits(connections_max=options.connections_max)
        self.trading = HttpClient(options.base_url, limits=limits)
        self.data = HttpClient(options.data_url or options.base_url, limits=limits)
        self.timeout_s = options.timeout_s
        self.headers = {
            "APCA-API-KEY-ID": options.key_id,
            "APCA-API-SECRET-KEY": options.secret,
            "Accept": "application/json",
        }

    async def close(self) -> None:
        """Close every connection."""
        await self.trading.close()
        await self.data.close()

    async def fetch(self, method: str, target: str) -> HttpAnswer:
        """One read-only request, market data from the data host. Raises `BrokerUnavailable`."""
        if method != "GET":
            raise ValueError("only reading is passed through")
        client = self.data if target.startswith(DATA_PATHS) else self.trading
        try:
            return await client.request("GET", target, self.headers, timeout_s=self.timeout_s)
        except (NotWritten, AnswerLost) as failure:
            raise BrokerUnavailable(str(failure)) from failure

    async def read(self, target: str) -> object | None:
        """The decoded body of a read; None when the broker says there is no such thing.

        Raises `Throttled` and `BrokerUnavailable`, of a key that is refused `KeyRefused`.
        """
        answer = await self.fetch("GET", target)
        raise_if_throttled(answer)
        if is_absent(answer):
            return None
        if answer.status != 200:
            path, said = target.partition("?")[0], read_error(answer.body).message
            failure = KeyRefused if refuses_key(path, answer) else BrokerUnavailable
            raise failure(f"{path}: {answer.status} {said}")
        try:
            return decoded_json(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            raise BrokerUnavailable(f"the answer is not JSON: {wrong}") from wrong

    async def open_orders(self, *, symbol: str | None = None) -> list[SeenOrder]:
        """Every working order, page by page, oldest first; each page overlaps the one before. One
        that cannot be read is among them, without a side.

        Raises `BrokerUnavailable` when the pages do not come to an end.
        """
        only = f"&symbols={symbol}" if symbol is not None else ""
        base = f"/v2/orders?status=open&limit={PAGE_ORDERS_MAX}&direction=asc&nested=false{only}"
        found: dict[str, SeenOrder] = {}
        after = ""
        for _ in range(PAGES_MAX):
            orders = await self._orders(base + after)
            fresh = {order.id: order for order in orders if order.id not in found}
            found |= fresh
            if len(orders) < PAGE_ORDERS_MAX:
                return list(found.values())
            timed = _last_timed(orders)
            if not fresh or timed is None:
                break
            after = f"&after={timed.just_before_submitted()}"
        raise BrokerUnavailable(f"more than {len(found)} working orders, and the list has no end")

    async def newest_orders(self, since_wall_ns: int) -> tuple[list[SeenOrder], bool]:
        """Orders of any status, newest first, back to a time or to the list's end; whether it
        got there within `PAGES_MAX` pages. Raises as `open_orders` does.

        Times are the broker's: of one whose clock is a tape's these are the newest page or two.
        """
        base = f"/v2/orders?status=all&limit={PAGE_ORDERS_MAX}&direction=desc&nested=false"
        found: dict[str, SeenOrder] = {}
        until = ""
        for _ in range(PAGES_MAX):
            page = await self._orders(base + until)
            fresh = {order.id: order for order in page if order.id not in found}
            found |= fresh
            if len(page) < PAGE_ORDERS_MAX or not fresh:
                return list(found.values()), len(page) < PAGE_ORDERS_MAX
            timed = _last_timed(page)
            if timed is None:
                break
            if timed.submitted_ns() < since_wall_ns:
                return list(found.values()), True
            until = f"&until={timed.just_after_submitted()}"
        return list(found.values()), False

    async def _orders(self, target: str) -> list[SeenOrder]:
        page = await self.read(target)
        if not isinstance(page, list):
            raise BrokerUnavailable("the list of orders is not a list")
        return [listed_order(entry) for entry in page]


def _last_timed(page: list[SeenOrder]) -> SeenOrder | None:
    """The last order of a page that says when it was submitted; None: no other page is asked."""
    for order in reversed(page):
        with suppress(ShapeUnknown):
            order.submitted_ns()
            return order
    return None


def raise_if_throttled(answer: HttpAnswer) -> None:
    """Raise `Throttled` on 429, with what the broker asks us to wait.

    `Retry-After` in seconds, else what is left until `X-RateLimit-Reset`, which Alpaca documents
    as the Unix time in seconds at which its window ends.
    """
    if answer.status != 429:
        return
    seconds = _SECONDS.fullmatch(answer.headers.get("retry-after", ""))
    if seconds is not None:
        raise Throttled((int(seconds[1]) + ("." in seconds[0])) * NANOS)
    reset = _UNIX_SECONDS.fullmatch(answer.headers.get("x-ratelimit-reset", ""))
    left_ns = 0 if reset is None else int(reset[0]) * NANOS - time.time_ns()
    raise Throttled(left_ns if left_ns > 0 else None)


def refuses_key(path: str, answer: HttpAnswer) -> bool:
    """Whether the trading host refuses our key to a read, in its own shape: not one request, not a
    plan without that market data, nor a proxy on the way.
    """
    if not is_error(answer.body) or path.startswith(DATA_PATHS):
        return False
    return answer.status == 401 or (answer.status == 403 and path in OWN_PATHS)


def is_absent(answer: HttpAnswer) -> bool:
    """Whether the broker itself says "no such thing": a 404 in its own shape, not a stray one."""
    return answer.status == 404 and 40_400_000 <= read_error(answer.body).code < 40_500_000
