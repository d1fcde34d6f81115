"""Watchlists: named lists of symbols that a strategy keeps. They decide nothing here.

Each strategy has its own and sees no other's. They are kept in a file that is replaced whole at
each change, so a change that was answered is there after a crash.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from fuseboard.halts.whole_file import write_atomically

NAME_CHARACTERS_MAX = 64
SYMBOLS_MAX = 200
LISTS_OF_A_STRATEGY_MAX = 50
LISTS_MAX = 1_000
FILE_BYTES_MAX = 16 << 20

log = logging.getLogger(__name__)


class WatchlistRefused(ValueError):
    """The change is not possible; the message says why."""


class WatchlistsUnusable(Exception):
    """The file cannot be read or written; the message says what to do. Nothing was changed."""


class Watchlist(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One list; symbols in the order in which they were added, each once."""

    id: str
    strategy: str
    name: str
    symbols: tuple[str, ...]
    created_ns: int
    updated_ns: int


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    lists: tuple[Watchlist, ...]


class Watchlists:
    """The watchlists of one gateway; `path` None keeps them in memory only."""

    def __init__(self, path: Path | None, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._wall_ns = wall_ns
        self._changing = asyncio.Lock()
        self._unusable = ""
        self._lists: dict[str, Watchlist] = {}
        try:
            self._lists = _read(path) if path is not None else {}
        except (OSError, msgspec.DecodeError, ValueError) as error:
            # Trading does not hang on it: the gateway runs, and watchlists say what is wrong.
            log.exception("the watchlists cannot be read")
            self._unusable = f"{path} cannot be read ({error}): restore it, or remove it"

    def of(self, strategy: str) -> list[Watchlist]:
        """The strategy's lists, oldest first. Raises `WatchlistsUnusable`."""
        self._must_be_usable()
        return [each for each in self._lists.values() if each.strategy == strategy]

    def one(self, strategy: str, list_id: str) -> Watchlist | None:
        """A list of this strategy; None also when it is another's. Raises `WatchlistsUnusable`."""
        self._must_be_usable()
        found = self._lists.get(list_id)
        return found if found is not None and found.strategy == strategy else None

    def named(self, strategy: str, name: str) -> Watchlist | None:
        """A list of this strategy by its name. Raises `WatchlistsUnusable`."""
        return next((each for each in self.of(strategy) if each.name == name), None)

    async def create(self, strategy: str, name: str, symbols: list[str]) -> Watchlist:
        """A new list. Raises `WatchlistRefused` and `WatchlistsUnusable`."""
        async with self._changing:
            held = self.of(strategy)
            if len(held) >= LISTS_OF_A_STRATEGY_MAX or len(self._lists) >= LISTS_MAX:
                raise WatchlistRefused(f"there are {len(held)} watchlists: delete one first")
            now_ns = self._wall_ns()
            made = Watchlist(
                id=str(uuid.uuid4()),
                strategy=strategy,
                name=self._free_name(strategy, name),
                symbols=_checked(symbols),
                created_ns=now_ns,
                updated_ns=now_ns,
            )
            await self._keep(self._lists | {made.id: made})
            return made

    async def change(
        self,
        strategy: str,
        list_id: str,
        *,
        name: str | None = None,
        symbols: Callable[[tuple[str, ...]], list[str]] | None = None,
    ) -> Watchlist | None:
        """Rename a list, or change its symbols by a function of those it has; None: no such list.

        Raises `WatchlistRefused` and `WatchlistsUnusable`.
        """
        async with self._changing:
            held = self.one(strategy, list_id)
            if held is None:
                return None
            changed = structs.replace(
                held,
                name=held.name if name in {None, held.name} else self._free_name(strategy, name),
                symbols=held.symbols if symbols is None else _checked(symbols(held.symbols)),
                updated_ns=self._wall_ns(),
            )
            await self._keep(self._lists | {list_id: changed})
            return changed

    async def delete(self, strategy: str, list_id: str) -> bool:
        """Forget a list; False when there is none. Raises `WatchlistsUnusable`."""
        async with self._changing:
            if self.one(strategy, list_id) is None:
                return False
            await self._keep({key: each for key, each in self._lists.items() if key != list_id})
            return True

    def _free_name(self, strategy: str, name: str | None) -> str:
        if name is None or not name.strip() or len(name) > NAME_CHARACTERS_MAX:
            raise WatchlistRefused(f"a watchlist has a name of 1 to {NAME_CHARACTERS_MAX} letters")
        if self.named(strategy, name) is not None:
            raise WatchlistRefused("watchlist name must be unique")
        return name

    def _must_be_usable(self) -> None:
        if self._unusable:
            raise WatchlistsUnusable(self._unusable)

    async def _keep(self, lists: dict[str, Watchlist]) -> None:
        """Make the change durable, then visible."""
        if self._path is not None:
            raw = msgspec.json.encode(_File(version=1, lists=tuple(lists.values())))
            try:
                await asyncio.to_thread(write_atomically, self._path, raw)
            except OSError as error:
                raise WatchlistsUnusable(f"{self._path} cannot be written: {error}") from error
        self._lists = lists


def _checked(symbols: list[str]) -> tuple[str, ...]:
    once = tuple(dict.fromkeys(symbols))
    if len(once) > SYMBOLS_MAX:
        raise WatchlistRefused(f"a watchlist has at most {SYMBOLS_MAX} symbols")
    return once


def _read(path: Path) -> dict[str, Watchlist]:
    """The lists of a file; none when there is no file."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return {}
    if len(raw) > FILE_BYTES_MAX:
        raise ValueError(f"it is larger than {FILE_BYTES_MAX} bytes")
    held = msgspec.json.decode(raw, type=_File)
    if held.version != 1:
        raise ValueError(f"it has version {held.version}, this release reads version 1")
    return {each.id: each for each in held.lists}
