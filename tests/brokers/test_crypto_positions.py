"""A crypto pair has one name: a process that has sent nothing yet reads it as orders spell it."""

import asyncio

import pytest

from fuseboard.vocabulary.inputs import PositionsSeen
from tests.brokers.scripted_broker import ScriptedBroker, answer, broker_against


def seen(symbol: str, asset_class: str) -> str:
    entry = {
        "symbol": symbol, "asset_class": asset_class, "side": "long", "qty": "1",
        "avg_entry_price": "1", "current_price": "60000",
    }  # fmt: skip

    script = ScriptedBroker()
    script.answers = {"GET /v2/positions": answer(200, [entry])}

    async def main() -> PositionsSeen:
        async with broker_against(script) as broker:
            seen: PositionsSeen = await broker.positions()
            return seen

    (position,) = asyncio.run(main()).positions
    return position.symbol


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("BTCUSD", "BTC/USD"),
        ("ETHBTC", "ETH/BTC"),
        ("ETHUSDT", "ETH/USDT"),
        ("USDTUSD", "USDT/USD"),
        ("BTC/USD", "BTC/USD"),
        ("USD", "USD"),
        ("ABCXYZ", "ABCXYZ"),
    ],
)
def test_a_pair_without_its_slash_is_named_as_its_orders_are(symbol: str, pair: str) -> None:
    assert seen(symbol, "crypto") == pair


def test_a_share_keeps_its_name_whatever_it_ends_in() -> None:
    assert seen("XUSD", "us_equity") == "XUSD"
