"""The door with a real adapter, a real feed and the simulated exchange behind it."""

import asyncio
from pathlib import Path

from fuseboard.brokers.alpaca import AlpacaBroker
from fuseboard.brokers.alpaca_session import AlpacaOptions
from fuseboard.exchange.process import ExchangeOptions, serve
from fuseboard.feeds.alpaca import AlpacaFeed, AlpacaFeedOptions
from fuseboard.gateway.doors import IntakeDoor
from fuseboard.runtime.intake import Intake
from fuseboard.vocabulary.inputs import OrderRequested
from fuseboard.vocabulary.market_inputs import MarketFact, QuoteSeen, TradeSeen
from fuseboard.wire.alpaca import decoded_messages
from tests.gateway.calls import asked, opened
from tests.gateway.scripted import NODE, Gateway

KEY = ("BROKERKEY", "brokersecret")
BODY = b'{"symbol":"AAPL","qty":5,"side":"buy","type":"market","time_in_force":"day"}'


def satisfied(intake: Intake) -> IntakeDoor:
    """Checked by the type checker: the loop's intake is what the door asks for."""
    return intake


async def _port(file: Path) -> int:
    async with asyncio.timeout(20):
        while not file.exists():
            await asyncio.sleep(0.01)
    return int(file.read_text())


def test_reads_watches_and_data_come_through_adapter_and_feed_from_the_exchange(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        file = tmp_path / "port"
        options = ExchangeOptions(tape="normal", port_file=file, key_pairs=dict([KEY]))
        exchange = asyncio.create_task(serve(options))
        port = await _port(file)
        url, socket = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/v2/iex"
        broker = AlpacaBroker(
            AlpacaOptions(base_url=url, key_id=KEY[0], secret=KEY[1], instance=NODE.instance)
        )
        feed = AlpacaFeed(
            AlpacaFeedOptions(stream_url=socket, data_url=url, key_id=KEY[0], secret=KEY[1])
        )
        gateway = Gateway(broker=broker, market=feed)

        def deliver(fact: MarketFact) -> None:
            gateway.loop.inputs.append(fact)
            if isinstance(fact, QuoteSeen | TradeSeen):
                gateway.door.apply(fact)

        await feed.start(deliver)
        gateway.port = await gateway.door.start()
        try:
            await _exercise(gateway)
        finally:
            await gateway.door.stop()
            await feed.stop()
            await broker.stop()
            exchange.cancel()
            await asyncio.gather(exchange, return_exceptions=True)

    asyncio.run(run())


async def _exercise(gateway: Gateway) -> None:
    for target in (
        "/v2/clock",
        "/v2/assets/AAPL",
        "/v2/calendar?start=2010-05-06&end=2010-05-06",
        "/v2/stocks/quotes/latest?symbols=AAPL",
    ):
        assert (await asked(gateway, "GET", target)).status == 200, target
    assert (await asked(gateway, "GET", "/sim/state")).status == 404
    assert (await asked(gateway, "POST", "/v2/orders", BODY)).status == 200
    kinds = [type(fact) for fact in gateway.loop.inputs]
    assert QuoteSeen in kinds[: kinds.index(OrderRequested)], "a first order finds a quote"
    async with opened(gateway, "/v2/iex") as stream:
        await stream.next()
        key_id, secret = gateway.one
        await stream.send({"action": "auth", "key": key_id, "secret": secret})
        await stream.next()
        await stream.send({"action": "subscribe", "quotes": ["AAPL"]})
        await stream.next()
        quote = decoded_messages(await stream.next())[0]
        assert (quote["T"], quote["S"]) == ("q", "AAPL")
