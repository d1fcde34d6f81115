"""The streams of the broker and of the market stop the node when the task behind one fails."""

import asyncio

import pytest

from fuseboard.app.broker_choice import BrokerKeys
from fuseboard.app.outside import outside
from fuseboard.brokers import alpaca_trades
from fuseboard.feeds import alpaca
from fuseboard.runtime.intake import Intake

KEYS = BrokerKeys(
    base_url="http://127.0.0.1:1",
    data_url="http://127.0.0.1:1",
    data_stream_url="ws://127.0.0.1:1/v2/iex",
    key_id="key",
    secret="secret",
)


@pytest.mark.parametrize(
    ("dies", "name"),
    [
        ("/stream", "the order stream"),
        ("/v2/iex", "the data stream stocks"),
        ("/crypto/us", "the data stream crypto"),
    ],
)
def test_a_stream_whose_task_fails_stops_the_node(
    monkeypatch: pytest.MonkeyPatch, dies: str, name: str
) -> None:
    async def kept_connected(url: str, *_: object, **__: object) -> None:
        if url.endswith(dies):
            raise KeyError("no such order")
        await asyncio.Event().wait()

    for room in (alpaca_trades, alpaca):
        monkeypatch.setattr(room, "kept_connected", kept_connected)
    intake = Intake()

    async def main() -> None:
        broker, feed = outside(KEYS, "instance", intake.fail)
        await feed.subscribe("bars", ["BTC/USD"])  # the crypto stream is kept from the first pair
        await broker.start(lambda fact: None)
        await feed.start(lambda fact: None)
        for _ in range(2):  # it fails, it is told
            await asyncio.sleep(0)
        await feed.stop()
        await broker.stop()

    asyncio.run(main())
    assert intake.fault == f"{name} died: KeyError: 'no such order'"
