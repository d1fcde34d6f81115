"""The streams of the broker and of the market stop the node when the task behind one fails."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from fuseboard.app import node
from fuseboard.app.broker_choice import BrokerKeys
from fuseboard.app.outside import BooksWanted, outside
from fuseboard.brokers import alpaca_trades
from fuseboard.core.kernel import Kernel
from fuseboard.feeds import alpaca
from fuseboard.feeds.alpaca_both import AlpacaFeeds
from fuseboard.gateway.presence import Presence
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.policy import Policy, canonical_text, digest_of, policy_from_canonical
from fuseboard.runtime.intake import Intake
from fuseboard.vocabulary.evidence_effects import RecordPolicy
from fuseboard.vocabulary.inputs import Moment, PolicyAdopted

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


def in_force(kernel: Kernel) -> Policy:
    known = kernel.policy_again()
    assert known is not None
    return policy_from_canonical(known.text)


def tells_books(feed: AlpacaFeeds) -> list[bool]:
    return [stream._tells_books for stream in (feed._stocks, feed._crypto)]


def test_books_are_asked_for_exactly_while_the_policy_in_force_measures_liquidity() -> None:
    kernel, moment = Kernel(), Moment(1, 1)
    _, feed = outside(KEYS, "instance", lambda _fault: None)
    view = BooksWanted(feed, lambda: in_force(kernel))

    def adopted(name: str, *, measures: bool, operator: str) -> list[bool]:
        text = canonical_text(Policy(name=name, liquidity=LiquidityRules(enabled=measures)))
        fact = PolicyAdopted(
            text=text, digest=digest_of(text), operator=operator, reason=operator and "a test"
        )
        for effect in kernel.step(moment, fact):
            view.apply(effect)
        return tells_books(feed)

    assert tells_books(feed) == [False, False]
    assert adopted("plain", measures=False, operator="ann") == [False, False]
    assert adopted("measures", measures=True, operator="ann") == [False, True]
    assert adopted("looser, of nobody", measures=False, operator="") == [False, True]
    assert adopted("plain", measures=False, operator="ann") == [False, False]


def test_the_node_tells_its_feed_of_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "Outlet", SimpleNamespace)
    here: Any = object.__new__(node.Node)
    policy = Policy(liquidity=LiquidityRules(enabled=True))
    here._kernel = Kernel()
    here._options = SimpleNamespace(policy=policy)
    here._register = here._clock = here._board = here._latching = None
    here._alerts = SimpleNamespace(pagers=[])
    broker, feed = outside(KEYS, "instance", lambda _fault: None)
    door: Any = SimpleNamespace(apply=None, presence=Presence(Intake()))
    (view,) = [
        view
        for view in here._outlet(Intake(), broker, feed, door, None).views
        if isinstance(view, BooksWanted)
    ]
    assert tells_books(feed) == [False, False]
    told: dict[str, Any] = {"name": "", "digest": "", "before": "", "operator": "", "reason": ""}
    view.apply(RecordPolicy(**told, accepted=True, since_wall_ns=0))
    assert tells_books(feed) == [False, True]
