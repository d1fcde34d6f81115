"""What protection asks of Alpaca beyond single orders: everything cancelled in one request, the
account's own latches, a price to close at.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from fuseboard.brokers.alpaca_session import AlpacaOptions, AlpacaSession, raise_if_throttled
from fuseboard.vocabulary.doors import BrokerUnavailable, Throttled
from fuseboard.wire.alpaca_errors import read_error
from fuseboard.wire.alpaca_orders import SeenOrder
from fuseboard.wire.alpaca_values import nanos_rounded
from fuseboard.wire.http_client import AnswerLost, HttpAnswer, NotWritten

CONFIGURATION: Final = "/v2/account/configurations"
CANCELS_MAX: Final = 100
"""How many orders are cancelled one by one, before what works is read again."""
CANCELS_AT_ONCE_MAX: Final = 8


class BrokerLatches(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Alpaca's latches of the account: no new short sales, no new orders. None: not named."""

    no_shorting: bool | None = None
    suspend_trade: bool | None = None


class Touch(Struct, frozen=True):
    """The best bid and ask, in nano-units; 0 where that side is not quoted."""

    bid_nanos: int
    ask_nanos: int


class AlpacaProtection:
    """One account. Every call raises `Throttled` and `BrokerUnavailable`, and may be repeated."""

    def __init__(self, options: AlpacaOptions) -> None:
        self._session = AlpacaSession(options)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def working_orders(self) -> list[SeenOrder]:
        """Every working order of the account, whoever placed it."""
        return await self._session.open_orders()

    async def cancel_all(self) -> None:
        """Ask to cancel every working order; a read says what became of it."""
        await self._change("DELETE", "/v2/orders")

    async def try_to_cancel_all(self) -> None:
        """Ask once; that it was not taken is no error."""
        with suppress(BrokerUnavailable, Throttled):
            await self.cancel_all()

    async def cancel_working(self, working: Sequence[SeenOrder]) -> None:
        """Ask to cancel every working order; where the broker refuses that, as it may while one of
        them cannot be cancelled, each of these by its id, `CANCELS_MAX` at most. Raises
        `Throttled` alone: a read says what became of it.
        """
        try:
            await self.cancel_all()
        except BrokerUnavailable:
            ids = [each.id for each in working[:CANCELS_MAX]]
            for at in range(0, len(ids), CANCELS_AT_ONCE_MAX):
                asked = map(self.cancel, ids[at : at + CANCELS_AT_ONCE_MAX])
                for answer in await asyncio.gather(*asked, return_exceptions=True):
                    if answer is not None and not isinstance(answer, BrokerUnavailable):
                        raise answer from None

    async def working_or_cancelled(self) -> list[SeenOrder]:
        """Every working order. Where they cannot be had all are asked to be cancelled, which needs
        no list, and then it is said.
        """
        try:
            return await self.working_orders()
        except BrokerUnavailable:
            await self.try_to_cancel_all()
            raise

    async def cancel(self, broker_order_id: str) -> None:
        """Ask to cancel one order; that it is final already is no error."""
        target = f"/v2/orders/{quote(broker_order_id, safe='')}"
        await self._change("DELETE", target, final_is_fine=True)

    async def latches(self) -> BrokerLatches:
        """The account's latches as they are."""
        entry = await self._session.read(CONFIGURATION)
        try:
            return msgspec.convert(entry, BrokerLatches)
        except msgspec.ValidationError as wrong:
            raise BrokerUnavailable(f"the configuration cannot be read: {wrong}") from wrong

    async def latch(self, latches: BrokerLatches) -> None:
        """Set the latches that are named."""
        await self._change("PATCH", CONFIGURATION, msgspec.json.encode(latches))

    async def touch(self, symbol: str) -> Touch | None:
        """The latest quote of a symbol; None when there is none."""
        pairs = "/" in symbol
        path = "/v1beta3/crypto/us/latest/quotes" if pairs else "/v2/stocks/quotes/latest"
        entry = await self._session.read(f"{path}?symbols={quote(symbol, safe='')}")
        quotes = entry.get("quotes") if isinstance(entry, Mapping) else None
        found = quotes.get(symbol) if isinstance(quotes, Mapping) else None
        if not isinstance(found, Mapping):
            return None
        try:
            return Touch(nanos_rounded(found.get("bp") or 0), nanos_rounded(found.get("ap") or 0))
        except ValueError as wrong:
            raise BrokerUnavailable(f"the quote of {symbol}: {wrong}") from wrong

    async def _change(
        self, method: str, target: str, body: bytes = b"", *, final_is_fine: bool = False
    ) -> HttpAnswer:
        session = self._session
        headers = session.headers | ({"Content-Type": "application/json"} if body else {})
        try:
            answer = await session.trading.request(
                method, target, headers, body, timeout_s=session.timeout_s
            )
        except (NotWritten, AnswerLost) as failure:
            raise BrokerUnavailable(str(failure)) from failure
        raise_if_throttled(answer)
        final = final_is_fine and answer.status in {404, 422}
        if not final and not 200 <= answer.status < 300:
            message = read_error(answer.body).message
            raise BrokerUnavailable(f"{method} {target}: {answer.status} {message}")
        return answer
