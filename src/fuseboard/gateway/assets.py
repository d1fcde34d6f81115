"""What the broker calls a symbol: its asset id, exchange and class, learned once and kept."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from fuseboard.gateway.doors import ReadDoor
from fuseboard.gateway.reads import Budget
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.wire.alpaca import asset_id_of
from fuseboard.wire.alpaca_errors import NOT_FOUND, read_error

ASK_AGAIN_NS = 60_000_000_000
LISTED_FROM = 4

log = logging.getLogger(__name__)


class AssetFacts(Struct, frozen=True):
    """The part of an asset that positions and orders show."""

    id: str
    exchange: str
    asset_class: str


class _AssetBody(Struct, frozen=True):
    id: str
    asset_class: str = msgspec.field(name="class")
    exchange: str = ""


def unlearned(symbol: str) -> AssetFacts:
    """What is shown until the broker has answered: an id that is the symbol's own and stable."""
    asset_class = "crypto" if "/" in symbol else "us_equity"
    return AssetFacts(asset_id_of(symbol), "", asset_class)


class _Named(Struct, frozen=True):
    symbol: str = ""


class AssetBook:
    """Asset facts of at most `symbols_max` symbols; each is asked at most once a minute."""

    def __init__(
        self,
        broker: ReadDoor,
        *,
        symbols_max: int,
        budget: Budget,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._broker = broker
        self._symbols_max = symbols_max
        self._budget = budget
        self._clock_ns = clock_ns
        self._known: dict[str, AssetFacts] = {}
        self._bodies: dict[str, msgspec.Raw] = {}
        # Symbols that were asked for in vain, and whether the broker said that there is none.
        self._asked: dict[str, tuple[int, bool]] = {}

    def facts(self, symbol: str) -> AssetFacts:
        """What is known now, without asking."""
        return self._known.get(symbol) or unlearned(symbol)

    def is_absent(self, symbol: str) -> bool:
        """Whether the broker said, within the last minute, that there is no such asset."""
        at_ns, absent = self._asked.get(symbol, (0, False))
        return absent and self._clock_ns() - at_ns < ASK_AGAIN_NS

    def body(self, symbol: str) -> msgspec.Raw | None:
        """The asset as the broker described it when it was learned; None when it was not."""
        return self._bodies.get(symbol)

    async def learn_all(self, symbols: Iterable[str]) -> None:
        """Learn several at once; returns when each was answered or has failed.

        From `LISTED_FROM` on, the broker is asked for its whole list: one read instead of many.
        """
        unlearned = [each for each in dict.fromkeys(symbols) if self._may_ask(each)]
        if len(unlearned) >= LISTED_FROM and await self._learn_from_list(unlearned):
            unlearned = [each for each in unlearned if each not in self._known]
        await asyncio.gather(*(self.learn(symbol) for symbol in unlearned))

    async def learn(self, symbol: str) -> None:
        """Ask the broker, unless the symbol is known, was asked within the last minute, or the
        budget of reads is used up.
        """
        if not self._may_ask(symbol) or not self._budget.take(self._clock_ns()):
            return
        self._note(symbol, absent=False)
        try:
            answer = await self._broker.fetch("GET", f"/v2/assets/{symbol}")
            if answer.status == 200:
                self._keep(symbol, msgspec.Raw(answer.body))
            elif answer.status == 404 and read_error(answer.body).code == NOT_FOUND:
                self._note(symbol, absent=True)
        except (BrokerUnavailable, msgspec.DecodeError, ValueError) as failure:
            log.warning("the asset %s could not be read: %s", symbol, failure)

    def _may_ask(self, symbol: str) -> bool:
        if symbol in self._known or len(self._known) >= self._symbols_max:
            return False
        asked = self._asked.get(symbol)
        return asked is None or self._clock_ns() - asked[0] >= ASK_AGAIN_NS

    async def _learn_from_list(self, symbols: list[str]) -> bool:
        """Learn what is on the broker's list of active assets; False when there is no list."""
        if not self._budget.take(self._clock_ns()):
            return False
        try:
            answer = await self._broker.fetch("GET", "/v2/assets?status=active")
            if answer.status != 200:
                return False
            wanted = set(symbols)
            for raw in msgspec.json.decode(answer.body, type=list[msgspec.Raw]):
                symbol = msgspec.json.decode(raw, type=_Named).symbol
                if symbol in wanted:
                    self._keep(symbol, raw.copy())
        except (BrokerUnavailable, msgspec.DecodeError, ValueError) as failure:
            log.warning("the list of assets could not be read: %s", failure)
            return False
        return True

    def _note(self, symbol: str, *, absent: bool) -> None:
        """The symbol was asked for; the oldest such note goes when there are too many."""
        self._asked.pop(symbol, None)
        if len(self._asked) >= self._symbols_max:
            del self._asked[next(iter(self._asked))]
        self._asked[symbol] = (self._clock_ns(), absent)

    def _keep(self, symbol: str, raw: msgspec.Raw) -> None:
        """Keep an asset's facts. Raises `msgspec.DecodeError` or `ValueError` for what is none."""
        body = msgspec.json.decode(raw, type=_AssetBody)
        facts = AssetFacts(str(uuid.UUID(body.id)), body.exchange, body.asset_class)
        self._asked.pop(symbol, None)
        if len(self._known) < self._symbols_max:
            self._known[symbol], self._bodies[symbol] = facts, raw
