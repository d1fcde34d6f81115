"""A halt at the simulated exchange reaches the kernel by the real feed, and so does its end."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from fuseboard.feeds.alpaca import AlpacaFeedOptions
from fuseboard.feeds.alpaca_both import AlpacaFeeds
from fuseboard.policy.rules import MarketBreakers
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary.inputs import TimeAdvanced
from fuseboard.vocabulary.market_effects import RecordTradingHalt
from fuseboard.vocabulary.market_inputs import FeedHeard, MarketFact
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, denied
from tests.core.test_operators import CALM, asked
from tests.exchange.serving import Served, served

PATIENCE_S = 20.0
DELAY_NS = 60 * SECOND
POLICY = msgspec.structs.replace(CALM, market=MarketBreakers(resume_delay_ns=DELAY_NS))


class Fed:
    """A desk that the real feed feeds from a served exchange."""

    def __init__(self) -> None:
        self.desk = Desk(POLICY, held=100)
        self.evidence: list[RecordTradingHalt] = []
        self.kinds: list[type[MarketFact]] = []
        self.reads = 0
        self.changed = asyncio.Event()

    def deliver(self, fact: MarketFact) -> None:
        self.kinds.append(type(fact))
        effects = self.desk.take(fact)
        self.evidence += [e for e in effects if isinstance(e, RecordTradingHalt)]
        self.reads += sum(isinstance(e, fx.ReadLeg) for e in effects)
        self.changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def stages(self, symbol: str = "AAPL") -> list[tuple[str, str]]:
        return [(each.stage, each.code) for each in self.evidence if each.symbol == symbol]

    def buys(self) -> list[Reason]:
        return denied(self.desk.order(Side.BUY, NANOS))


def options_of(exchange: Served) -> AlpacaFeedOptions:
    return AlpacaFeedOptions(
        stream_url=f"ws://127.0.0.1:{exchange.port}/v2/iex",
        data_url=exchange.url,
        key_id="PKTEST",
        secret="secret",
        real_time=False,
    )


async def ask(exchange: Served, what: str, **body: object) -> None:
    answer = await asyncio.to_thread(exchange.call, "POST", f"/sim/{what}", json=body)
    assert answer.status_code == 200, answer.text


async def _story(exchange: Served, options: AlpacaFeedOptions) -> None:
    fed = Fed()
    feed = AlpacaFeeds(options)
    await feed.start(fed.deliver)
    try:
        await feed.watch("AAPL")
        await fed.until(lambda: FeedHeard in fed.kinds)
        await until_subscribed(exchange, fed)
        assert fed.buys() == [Reason.TRADING_HALTED]
        fed.desk.take(asked(HaltLevel.FLATTEN, "symbol:AAPL"))
        assert fed.reads == 0, "the close waits"
        await ask(exchange, "resume", symbol="AAPL")
        await fed.until(lambda: ("resumed", "T LUDP") in fed.stages())
        assert fed.reads == 1, "and goes on with the resumption"
        await ask(exchange, "halt", level=1)
        await fed.until(lambda: ("halted", "H MWC1") in fed.stages(""))
        await ask(exchange, "resume")
        await fed.until(lambda: ("resumed", "T MWCQ") in fed.stages(""))
        fed.desk.now_ns += DELAY_NS
        fed.deliver(FeedHeard(feed="stocks", real_time=False))
        effects = fed.desk.take(TimeAdvanced())
        let_on = [e.operator for e in effects if isinstance(e, RecordTradingHalt)]
        assert let_on == ["exchange", "exchange"]
    finally:
        await feed.stop()


async def until_subscribed(exchange: Served, fed: Fed) -> None:
    """The subscription has no answer here: halt until a halt is told."""
    for _ in range(100):
        await ask(exchange, "halt", symbol="AAPL")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await fed.until(lambda: ("halted", "P LUDP") in fed.stages())
            return
    raise AssertionError("no halt was told")


def test_halts_of_the_exchange_reach_the_kernel_by_the_feed(tmp_path: Path) -> None:
    with served(tmp_path) as exchange:
        asyncio.run(_story(exchange, options_of(exchange)))
