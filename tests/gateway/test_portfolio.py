"""Portfolio histories: the broker's own where it has them, else the minutes that we saw."""

import asyncio
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.gateway.portfolio import MINUTE_NS, EquityMinutes
from fuseboard.vocabulary.effects import PublishEquity
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.money import NANOS
from fuseboard.wire.alpaca import json_bytes, ns_from_rfc3339
from fuseboard.wire.alpaca_portfolio import (
    DAY_NS,
    HistoryAsked,
    HistoryRefused,
    history_asked,
    history_object,
)
from tests.gateway.calls import asked, running_here
from tests.gateway.scripted import Answer, RunningGateway, running

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py uses websockets.legacy.
    from alpaca.trading.client import TradingClient
    from alpaca.trading.requests import GetPortfolioHistoryRequest

TARGET = "/v2/account/portfolio/history"
NOON_NS = ns_from_rfc3339("2010-05-06T12:00:00-04:00")


@pytest.fixture
def gateway() -> Iterator[RunningGateway]:
    with running() as started:
        yield started


def _client(gateway: RunningGateway) -> Any:
    return TradingClient(*gateway.one, url_override=gateway.url)


def _equity(nanos: int) -> PublishEquity:
    return PublishEquity(
        fuse="drawdown",
        scope=ACCOUNT_SCOPE,
        state="MONITORING",
        generation=1,
        equity_nanos=nanos,
        mark_nanos=nanos,
        drawdown_nanos=0,
        cash_nanos=nanos,
    )


def test_the_brokers_own_figures_are_passed_on_with_the_query_as_it_was(
    gateway: RunningGateway,
) -> None:
    figures = {"timestamp": [1], "equity": [Decimal("99.5")], "profit_loss": [-1]}
    more = {"profit_loss_pct": [None], "base_value": 100, "timeframe": "15Min"}
    gateway.broker.answers[f"{TARGET}?period=1W&timeframe=15Min"] = Answer(
        200, json_bytes(figures | more)
    )
    history = _client(gateway).get_portfolio_history(
        GetPortfolioHistoryRequest(period="1W", timeframe="15Min")
    )
    assert (history.equity, history.timeframe, history.base_value) == ([99.5], "15Min", 100)


def test_without_the_brokers_figures_what_the_gateway_saw_is_shown_to_alpaca_py(
    gateway: RunningGateway,
) -> None:
    gateway.call(gateway.show_account)
    gateway.call(lambda: gateway.door.apply(_equity(101_000 * NANOS)))
    now = datetime.now(UTC)
    history = _client(gateway).get_portfolio_history(
        GetPortfolioHistoryRequest(timeframe="1Min", start=now - timedelta(hours=1))
    )
    assert history.equity[-1] == 101_000
    assert abs(history.timestamp[-1] - now.timestamp()) < 300
    assert history.timeframe == "1Min"
    assert ("GET", TARGET) in {(m, t.partition("?")[0]) for m, t in gateway.broker.asked}


@pytest.mark.parametrize(
    "query",
    ["period=1X", "period=0D", "timeframe=2Min", "start=yesterday", "date_end=2010-13-01",
     "start=2010-05-06&end=2010-05-07&period=1D", "start=2010-05-07&end=2010-05-06",
     "pnl_reset=never", "extended_hours=maybe", "end=2010-05-06&date_end=2010-05-06"],
)  # fmt: skip
def test_a_history_that_cannot_be_understood_is_refused_and_asks_nobody(query: str) -> None:
    async def run() -> None:
        async with running_here() as gateway:
            answer = await asked(gateway, "GET", f"{TARGET}?{query}")
            assert answer.status == 422
            assert gateway.broker.asked == []

    asyncio.run(run())


def test_the_usual_timeframe_follows_the_length_and_a_period_reaches_from_either_end() -> None:
    def timeframe(**query: str) -> str:
        return history_asked(query, NOON_NS).timeframe

    assert [timeframe(period=p) for p in ("1D", "1W", "29D", "1M", "1A")] == [
        "1Min", "15Min", "15Min", "1D", "1D",
    ]  # fmt: skip
    assert timeframe() == "1D"
    asked_ = history_asked({"period": "2D", "start": "2010-05-06T00:00:00Z"}, NOON_NS)
    assert asked_.end_ns - asked_.start_ns == 2 * DAY_NS
    day = history_asked({"period": "1D", "date_end": "2010-05-06"}, NOON_NS)
    assert day.end_ns == ns_from_rfc3339("2010-05-07T00:00:00-04:00")


def test_a_window_shows_its_last_equity_and_profit_begins_anew_each_day() -> None:
    day_ns = DAY_NS
    samples = [
        (NOON_NS - day_ns, 90 * NANOS),
        (NOON_NS, 100 * NANOS),
        (NOON_NS + MINUTE_NS, 99 * NANOS),
        (NOON_NS + 5 * MINUTE_NS, 108 * NANOS),
    ]
    query = {"timeframe": "5Min", "start": "2010-05-06", "end": "2010-05-07"}
    shown = history_object(samples, history_asked(query, NOON_NS))
    assert shown["timestamp"] == [NOON_NS // NANOS, NOON_NS // NANOS + 300]
    assert shown["equity"] == [99, 108]
    assert shown["profit_loss"] == [9, 18], "from the close of the day before"
    assert shown["profit_loss_pct"] == [Decimal("0.1"), Decimal("0.2")]
    assert shown["base_value"] == 90
    daily = history_object(samples, history_asked({"timeframe": "1D"}, NOON_NS + day_ns))
    assert (daily["equity"], daily["profit_loss"]) == ([90, 108], [0, 18])


MINUTES = st.lists(st.tuples(st.integers(1, 3_000), st.integers(1, 10**6)), max_size=60)


@given(MINUTES, st.sampled_from(["1Min", "5Min", "15Min", "1H", "1D"]), st.booleans())
def test_every_series_is_ordered_within_its_range_and_adds_up(
    steps: list[tuple[int, int]], timeframe: str, resets: bool
) -> None:
    at_ns, samples = NOON_NS, []
    for minutes, equity in steps:
        at_ns += minutes * MINUTE_NS
        samples.append((at_ns, equity * NANOS))
    asked_ = HistoryAsked(
        start_ns=NOON_NS, end_ns=NOON_NS + 30 * DAY_NS, timeframe=timeframe, resets_daily=resets
    )
    shown: Any = history_object(samples, asked_)
    times = shown["timestamp"]
    assert times == sorted(set(times))
    within = [equity for at, equity in samples if at <= asked_.end_ns]
    assert set(shown["equity"]) <= {Decimal(each) / NANOS for each in within}
    assert len({len(shown[name]) for name in ("timestamp", "equity", "profit_loss")}) == 1
    if within:
        assert shown["equity"][-1] * NANOS == within[-1]
        assert shown["base_value"] * NANOS == within[0]
        if not resets:
            gains = [equity - shown["base_value"] for equity in shown["equity"]]
            assert shown["profit_loss"] == gains
    else:
        assert shown["base_value"] is None


@given(st.text(max_size=12), st.sampled_from(["period", "timeframe", "start", "end", "date_end"]))
def test_no_text_in_a_query_does_anything_but_ask_or_be_refused(text: str, name: str) -> None:
    try:
        asked_ = history_asked({name: text}, NOON_NS)
    except HistoryRefused:
        return
    assert asked_.start_ns <= asked_.end_ns


def test_of_each_minute_the_last_equity_is_kept_and_of_minutes_so_many() -> None:
    clock = [NOON_NS]
    minutes = EquityMinutes(minutes_max=2, wall_ns=lambda: clock[0])
    minutes.see(1)
    minutes.see(2)
    clock[0] += MINUTE_NS
    minutes.see(3)
    clock[0] -= 30 * MINUTE_NS
    minutes.see(4)
    assert minutes.marks() == [(NOON_NS, 2), (NOON_NS + MINUTE_NS, 4)]
    clock[0] = NOON_NS + 2 * MINUTE_NS
    minutes.see(5)
    assert minutes.marks() == [(NOON_NS + MINUTE_NS, 4), (NOON_NS + 2 * MINUTE_NS, 5)]


def test_nothing_after_the_end_is_shown_and_a_worthless_base_has_no_percentage() -> None:
    samples = [(NOON_NS, 0), (NOON_NS + MINUTE_NS, NANOS), (NOON_NS + 2 * MINUTE_NS, 2 * NANOS)]
    asked_ = HistoryAsked(
        start_ns=NOON_NS, end_ns=NOON_NS + MINUTE_NS, timeframe="1Min", resets_daily=False
    )
    shown = history_object(samples, asked_)
    assert (shown["equity"], shown["profit_loss"]) == ([0, 1], [0, 1])
    assert shown["profit_loss_pct"] == [None, None]
