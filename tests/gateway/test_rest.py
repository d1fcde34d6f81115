"""Routes, authentication, queries and reads, called by hand."""

import asyncio
import base64
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.gateway.assets import AssetBook
from fuseboard.gateway.limits import GatewayLimits
from fuseboard.gateway.orders import Node
from fuseboard.gateway.queries import QueryRefused, order_filter
from fuseboard.gateway.reads import Budget, Reads
from fuseboard.vocabulary.inputs import RequestsDenied
from fuseboard.vocabulary.reasons import Reason
from fuseboard.wire.http_messages import HttpLimits
from fuseboard.wire.http_server import Response
from tests.gateway.calls import asked, running_here
from tests.gateway.scripted import Answer, Gateway, ReadingBroker

BODY = b'{"symbol":"AAPL","qty":5,"side":"buy","type":"market","time_in_force":"day"}'


def _run(test: Callable[[Gateway], Awaitable[None]], limits: GatewayLimits | None = None) -> None:
    async def run() -> None:
        async with running_here(limits) as gateway:
            await test(gateway)

    asyncio.run(run())


def _basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_a_caller_is_known_by_headers_or_by_basic_authorization_and_else_unauthorized() -> None:
    async def test(gateway: Gateway) -> None:
        key_id, secret = gateway.one
        good = [
            {"apca-api-key-id": key_id, "apca-api-secret-key": secret},
            _basic(f"{key_id}:{secret}"),
        ]
        bad = [
            {},
            {"apca-api-key-id": key_id},
            {"apca-api-key-id": key_id, "apca-api-secret-key": gateway.two[1]},
            {"apca-api-key-id": "x" * 5000, "apca-api-secret-key": secret},
            _basic(key_id),
            _basic(f"{key_id}:{secret}x"),
            {"authorization": "Basic ?"},
            {"authorization": f"Bearer {secret}"},
        ]
        for headers in good:
            assert (await asked(gateway, "GET", "/v2/orders", headers=headers)).status == 200
        for headers in bad:
            for method, target in [("POST", "/v2/orders"), ("GET", "/v2/clock"), ("GET", "/x")]:
                answer = await asked(gateway, method, target, BODY, headers=headers)
                assert answer.status == 401
                assert answer.object()["message"] == "unauthorized"
        assert gateway.loop.inputs == []
        assert gateway.broker.asked == []

    _run(test)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("PATCH", "/v2/watchlists", 404),
        ("GET", "/v2/watchlists/unknown", 404),
        ("GET", "/v2/watchlistsx", 404),
        ("POST", "/v2/orders/x", 404),
        ("GET", "/v3/clock", 404),
        ("POST", "/v2/clock", 404),
        ("GET", "/v2/corporate_actions/announcements", 404),
        ("GET", "/v2/corporate_actions/announcements/1", 404),
        ("GET", "/v2/options/contracts", 422),
        ("GET", "/v2/account/activities", 404),
        ("GET", "/v2/stocks/../account", 404),
        ("GET", "/v2/assets/%2e%2e/account", 404),
        ("GET", "/v2/stocks/AAPL%3Fx=1/quotes", 404),
        ("GET", "/v2/stocks/AAPL%0d%0aX/quotes", 404),
        ("DELETE", "/v2/assets/AAPL", 404),
        ("POST", "/v2/positions/AAPL/exercise", 422),
        ("PATCH", "/v2/account/configurations", 403),
    ],
)
def test_what_is_not_for_strategies_is_refused_and_never_reaches_the_broker(
    method: str, target: str, status: int
) -> None:
    async def test(gateway: Gateway) -> None:
        answer = await asked(gateway, method, target, BODY)
        assert answer.status == status
        assert {"code", "message"} <= answer.object().keys()
        assert gateway.broker.asked == []
        noted = RequestsDenied(strategy="one", reason=Reason.UNSUPPORTED, count=1)
        assert gateway.loop.inputs == ([noted] if target.endswith("/exercise") else [])

    _run(test)


def test_the_list_of_orders_is_filtered_by_its_query_and_a_wrong_query_is_refused() -> None:
    async def test(gateway: Gateway) -> None:
        ids = [(await asked(gateway, "POST", "/v2/orders", BODY)).object()["id"] for _ in range(3)]
        for query, expected in [
            ("", ids[::-1]),
            ("?direction=asc&nested=True", ids),
            ("?limit=1", ids[2:]),
            ("?status=closed", []),
            ("?symbols=MSFT,XOM", []),
            ("?symbols=msft,aapl&side=buy&status=all", ids[::-1]),
            ("?side=sell", []),
            ("?after=2010-05-07T00:00:00%2B00:00", []),
            ("?until=2010-05-07", ids[::-1]),
            ("?after=2010-05-06T10:00:00-04:00&until=2010-05-06T14:00:00.000000003Z", ids[:0:-1]),
            (f"?before_order_id={ids[1]}", ids[:1]),
            ("?asset_class=crypto", []),
        ]:
            listed = (await asked(gateway, "GET", f"/v2/orders{query}")).list()
            assert [order["id"] for order in listed] == expected, query
        for query in ["status=x", "limit=0", "limit=-1", "limit=٣", "after=noon", "direction=up"]:
            answer = await asked(gateway, "GET", f"/v2/orders?{query.replace('٣', '%D9%A3')}")
            assert (answer.status, answer.object()["code"]) == (422, 42210000)

    _run(test)


@given(
    st.dictionaries(
        st.sampled_from(
            ["status", "limit", "after", "until", "direction", "symbols", "side", "asset_class"]
        ),
        st.text(max_size=30),
    )
)
def test_no_query_of_a_list_does_anything_but_filter_or_be_refused(query: dict[str, str]) -> None:
    try:
        wanted = order_filter(query)
    except QueryRefused:
        return
    assert 1 <= wanted.limit <= 500


# --- reads ---------------------------------------------------------------------------------------


class SteppedClock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def test_a_read_is_kept_for_its_time_and_market_data_is_not() -> None:
    async def run() -> None:
        clock, broker = SteppedClock(), ReadingBroker()
        broker.answers["/v2/stocks/trades/latest?symbols=A"] = Answer(200, b"{}")
        reads = Reads(broker, GatewayLimits(), clock)
        for _ in range(3):
            await reads.read("/v2/assets/AAPL", {})
            await reads.read("/v2/stocks/trades/latest", {"symbols": "A"})
            clock.now_ns += 1
        assert [target for _, target in broker.asked].count("/v2/assets/AAPL") == 1
        assert len(broker.asked) == 4
        clock.now_ns += 60_000_000_000
        await reads.read("/v2/assets/AAPL", {})
        assert len(broker.asked) == 5

    asyncio.run(run())


def test_reads_beyond_their_budget_are_429_with_a_time_and_reach_nobody() -> None:
    async def run() -> None:
        clock, broker = SteppedClock(), ReadingBroker()
        reads = Reads(broker, GatewayLimits(trading_reads_a_minute_max=8), clock)
        answers = [await reads.read(f"/v2/assets/S{n}", {}) for n in range(5)]
        assert [answer.status for answer in answers if answer] == [404, 404, 429, 429, 429]
        assert len(broker.asked) == 2
        assert isinstance(answers[-1], Response)
        assert ("retry-after", "1") in answers[-1].headers

    asyncio.run(run())


def test_reads_that_wait_are_bounded() -> None:
    async def run() -> None:
        class SlowBroker(ReadingBroker):
            async def fetch(self, method: str, target: str) -> Answer:
                await release.wait()
                return await super().fetch(method, target)

        release, broker = asyncio.Event(), SlowBroker()
        reads = Reads(broker, GatewayLimits(reads_waiting_max=1))
        first = asyncio.create_task(reads.read("/v2/clock", {}))
        await asyncio.sleep(0)
        second = await reads.read("/v2/assets/AAPL", {})
        assert second is not None
        assert second.status == 429
        release.set()
        assert (answer := await first) is not None
        assert answer.status == 200
        third = await reads.read("/v2/assets/AAPL", {})
        assert third is not None
        assert third.status == 200

    asyncio.run(run())


@given(st.integers(1, 300), st.lists(st.integers(0, 2_000_000_000), max_size=120))
def test_a_budget_never_gives_more_than_its_minute_and_its_burst(
    a_minute_max: int, steps: list[int]
) -> None:
    budget = Budget(a_minute_max)
    now_ns, taken = 0, []
    for step in steps:
        now_ns += step
        if budget.take(now_ns):
            taken.append(now_ns)
    for first in taken:
        within = [at for at in taken if first <= at < first + 60_000_000_000]
        assert len(within) <= a_minute_max + max(a_minute_max // 4, 1)


def test_a_broker_that_does_not_answer_a_read_is_503_and_its_own_key_is_its_own_affair() -> None:
    async def test(gateway: Gateway) -> None:
        gateway.broker.unavailable = True
        assert (await asked(gateway, "GET", "/v2/clock")).status == 503
        gateway.broker.unavailable = False
        gateway.broker.answers["/v2/clock"] = Answer(401, b'{"message":"unauthorized"}')
        assert (await asked(gateway, "GET", "/v2/clock")).status == 503
        gateway.broker.answers["/v2/clock"] = Answer(302, b"")
        assert (await asked(gateway, "GET", "/v2/clock")).status == 503

    _run(test)


def test_an_asset_that_could_not_be_read_is_asked_again_only_after_a_minute() -> None:
    async def run() -> None:
        clock, broker = SteppedClock(), ReadingBroker()
        book = AssetBook(broker, symbols_max=2, budget=Budget(600), clock_ns=clock)
        broker.unavailable = True
        for _ in range(3):
            await book.learn("AAPL")
        assert len(broker.asked) == 1
        assert book.facts("AAPL").exchange == ""
        clock.now_ns += 60_000_000_000
        broker.unavailable = False
        await book.learn_all(["AAPL", "MSFT"])
        assert book.facts("AAPL").exchange == "NASDAQ"
        await book.learn("XOM")
        assert len(broker.asked) == 3  # XOM is beyond the bound

    asyncio.run(run())


def test_crypto_symbols_keep_their_slash_on_the_way_to_the_broker() -> None:
    async def test(gateway: Gateway) -> None:
        await asked(gateway, "GET", "/v2/assets/BTC/USD")
        assert gateway.broker.asked == [("GET", "/v2/assets/BTC/USD")]

    _run(test)


def test_a_door_whose_server_would_answer_before_it_does_is_not_built() -> None:
    gateway = Gateway()
    with pytest.raises(ValueError, match="answer_s_max"):
        type(gateway.door)(
            node=Node(instance="testtest", account="paper"),
            intake=gateway.loop,
            keys=gateway.keys,
            broker=gateway.broker,
            market=gateway.feed,
            http_limits=HttpLimits(answer_s_max=10.0),
        )
