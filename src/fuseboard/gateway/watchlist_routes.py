"""The routes of watchlists, as Alpaca's clients call them: by id, and by name."""

import re
import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

from fuseboard.gateway.assets import AssetBook
from fuseboard.gateway.denials import (
    UNAVAILABLE,
    json_response,
    not_found,
    unprocessable,
)
from fuseboard.gateway.reads import Budget
from fuseboard.gateway.watchlists import (
    SYMBOLS_MAX,
    Watchlist,
    WatchlistRefused,
    Watchlists,
    WatchlistsUnusable,
)
from fuseboard.wire.alpaca import rfc3339_from_ns
from fuseboard.wire.alpaca_errors import TOO_MANY_REQUESTS, error_answer
from fuseboard.wire.http_messages import Request, Response

PREFIX = "/v2/watchlists"
_BY_NAME = re.compile(rf"{PREFIX}:by_name(?:/(?P<symbol>.{{1,40}}))?")
_BY_ID = re.compile(rf"{PREFIX}/(?P<id>[^/]{{1,64}})(?:/(?P<symbol>.{{1,40}}))?")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./_-]{0,31}", re.ASCII)


class _Created(Struct, frozen=True):
    name: str
    symbols: list[str] | None = None


class _Updated(Struct, frozen=True):
    name: str | None = None
    symbols: list[str] | None = None


class _Added(Struct, frozen=True):
    symbol: str


class _Answered(Exception):
    """The request is answered already, by a refusal."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class WatchlistRoutes:
    """Answers every request under `/v2/watchlists`."""

    def __init__(
        self,
        *,
        lists: Watchlists,
        assets: AssetBook,
        account_id: str,
        changes_a_minute_max: int,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._lists = lists
        self._assets = assets
        self._account_id = account_id
        self._changes_a_minute_max = changes_a_minute_max
        self._clock_ns = clock_ns
        self._budgets: dict[str, Budget] = {}

    async def answer(self, strategy: str, request: Request) -> Response | None:
        """The answer to a request of a strategy; None when there is no such route."""
        try:
            if request.method != "GET":
                self._must_have_budget(strategy)
            return await self._routed(strategy, request)
        except _Answered as answered:
            return answered.response
        except WatchlistRefused as refused:
            return unprocessable(str(refused))
        except WatchlistsUnusable as unusable:
            return error_answer(503, UNAVAILABLE, f"watchlists cannot be used: {unusable}")
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            return unprocessable(f"the body is not what this route takes: {wrong}")

    async def _routed(self, strategy: str, request: Request) -> Response | None:
        if request.path == PREFIX:
            return await self._collection(strategy, request)
        found = _BY_NAME.fullmatch(request.path)
        if found is not None:
            held = self._lists.named(strategy, request.query.get("name", ""))
        else:
            found = _BY_ID.fullmatch(request.path)
            if found is None:
                return None
            held = self._lists.one(strategy, found["id"])
        if held is None:
            return not_found("watchlist not found")
        if found["symbol"] is not None:
            return await self._remove(held, found["symbol"]) if request.method == "DELETE" else None
        return await self._member(held, request)

    async def _collection(self, strategy: str, request: Request) -> Response | None:
        if request.method == "GET":
            return json_response([self._body(each) for each in self._lists.of(strategy)])
        if request.method != "POST":
            return None
        asked = msgspec.json.decode(request.body, type=_Created)
        symbols = await self._known(asked.symbols or [])
        made = await self._lists.create(strategy, asked.name, symbols)
        return await self._shown(made)

    async def _member(self, held: Watchlist, request: Request) -> Response | None:
        if request.method == "GET":
            return await self._shown(held)
        if request.method == "DELETE":
            await self._lists.delete(held.strategy, held.id)
            return Response(204)
        if request.method == "PUT":
            asked = msgspec.json.decode(request.body, type=_Updated)
            fresh = None if asked.symbols is None else await self._known(asked.symbols)
            return await self._changed(
                held, lambda had: [*had] if fresh is None else fresh, asked.name
            )
        if request.method == "POST":
            (symbol,) = await self._known([msgspec.json.decode(request.body, type=_Added).symbol])
            return await self._changed(held, lambda had: [*had, symbol])
        return None

    async def _remove(self, held: Watchlist, name: str) -> Response:
        symbol = name.upper()
        if symbol not in held.symbols:
            return not_found(f"{symbol} is not in this watchlist")
        return await self._changed(held, lambda had: [each for each in had if each != symbol])

    async def _changed(
        self,
        held: Watchlist,
        symbols: Callable[[tuple[str, ...]], list[str]],
        name: str | None = None,
    ) -> Response:
        changed = await self._lists.change(held.strategy, held.id, name=name, symbols=symbols)
        return not_found("watchlist not found") if changed is None else await self._shown(changed)

    async def _known(self, names: list[str]) -> list[str]:
        """The symbols, each known to the broker; otherwise the refusal is raised."""
        if len(names) > SYMBOLS_MAX:
            raise WatchlistRefused(f"a watchlist has at most {SYMBOLS_MAX} symbols")
        symbols = [name.upper() for name in names]
        for symbol in symbols:
            if _SYMBOL.fullmatch(symbol) is None:
                raise WatchlistRefused(f"{symbol[:40]!r} is not a symbol")
        await self._assets.learn_all(symbols)
        for symbol in symbols:
            if self._assets.is_absent(symbol):
                raise _Answered(not_found(f"asset not found for {symbol}"))
            if self._assets.body(symbol) is None:
                raise _Answered(_unread(symbol))
        return symbols

    async def _shown(self, held: Watchlist) -> Response:
        """A list with its assets, as the broker describes them. An asset that the broker no longer
        has is left out; one that could not be read makes the whole answer fail.
        """
        await self._assets.learn_all(held.symbols)
        assets = []
        for symbol in held.symbols:
            body = self._assets.body(symbol)
            if body is not None:
                assets.append(body)
            elif not self._assets.is_absent(symbol):
                return _unread(symbol)
        return json_response(self._body(held) | {"assets": assets})

    def _body(self, held: Watchlist) -> dict[str, object]:
        return {
            "id": held.id,
            "account_id": self._account_id,
            "name": held.name,
            "created_at": rfc3339_from_ns(held.created_ns),
            "updated_at": rfc3339_from_ns(held.updated_ns),
        }

    def _must_have_budget(self, strategy: str) -> None:
        budget = self._budgets.setdefault(strategy, Budget(self._changes_a_minute_max))
        if not budget.take(self._clock_ns()):
            # Nothing was done, and the same request may come again: here 429 is right.
            refusal = error_answer(429, TOO_MANY_REQUESTS, "too many changes of watchlists")
            raise _Answered(msgspec.structs.replace(refusal, headers=(("retry-after", "1"),)))


def _unread(symbol: str) -> Response:
    told = f"the asset {symbol} cannot be read from the broker now; ask again"
    return error_answer(503, UNAVAILABLE, told)
