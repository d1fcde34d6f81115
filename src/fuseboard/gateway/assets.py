"""What the broker calls a symbol: its asset id, exchange and class, learned once and kept."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from fuseboard.gateway.doors import ReadDoor
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.wire.alpaca import asset_id_of

ASK_AGAIN_NS = 60_000_000_000

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


class AssetBook:
    """Asset facts of at most `symbols_max` symbols; each is asked at most once a minute."""

    def __init__(
        self,
        broker: ReadDoor,
        *,
        symbols_max: int,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._broker = broker
        self._symbols_max = symbols_max
        self._clock_ns = clock_ns
        self._known: dict[str, AssetFacts] = {}
        self._asked_ns: dict[str, int] = {}

    def facts(self, symbol: str) -> AssetFacts:
        """What is known now, without asking."""
        return self._known.get(symbol) or unlearned(symbol)

    async def learn_all(self, symbols: Iterable[str]) -> None:
        """Learn several at once; returns when each was answered or has failed."""
        await asyncio.gather(*(self.learn(symbol) for symbol in symbols))

    async def learn(self, symbol: str) -> None:
        """Ask the broker unless the symbol is known or was asked within the last minute."""
        if symbol in self._known:
            return
        now_ns = self._clock_ns()
        asked_ns = self._asked_ns.get(symbol)
        if asked_ns is not None and now_ns - asked_ns < ASK_AGAIN_NS:
            return
        if asked_ns is None and len(self._asked_ns) >= self._symbols_max:
            return
        self._asked_ns[symbol] = now_ns
        try:
            answer = await self._broker.fetch("GET", f"/v2/assets/{symbol}")
            if answer.status != 200:
                return
            body = msgspec.json.decode(answer.body, type=_AssetBody)
            facts = AssetFacts(str(uuid.UUID(body.id)), body.exchange, body.asset_class)
        except (BrokerUnavailable, msgspec.DecodeError, ValueError) as failure:
            log.warning("the asset %s could not be read: %s", symbol, failure)
            return
        self._known[symbol] = facts
