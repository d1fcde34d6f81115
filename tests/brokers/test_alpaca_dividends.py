"""Dividends that Alpaca announces: its shape, its pages, and whatever else it may answer."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuseboard.brokers.alpaca_dividends import PAGES_MAX, PATH, SYMBOLS_MAX
from fuseboard.vocabulary.dividend_facts import Announced, DividendsSeen
from fuseboard.vocabulary.doors import BrokerUnavailable, Throttled
from fuseboard.vocabulary.money import NANOS
from fuseboard.wire.http_server import Request, Response
from tests.brokers.scripted_broker import ScriptedBroker, answer, broker_against, error

NOW_NS = 1_290_722_400 * NANOS
"""25 November 2010, 17:00 in New York."""
Answer = Response | Callable[[Request], Response]


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "id": "7f0e4c0e-0001",
        "symbol": "AAPL",
        "cusip": "037833100",
        "rate": 0.25,
        "special": False,
        "foreign": False,
        "process_date": "2010-12-01",
        "ex_date": "2010-11-29",
        "record_date": "2010-11-30",
        "payable_date": "2010-12-01",
        **changes,
    }


def page(*entries: Any, token: str | None = None) -> Response:
    actions = {"cash_dividends": list(entries)} if entries else {}
    return answer(200, {"corporate_actions": actions, "next_page_token": token})


def read(said: Answer, *symbols: str) -> tuple[DividendsSeen, list[Request]]:
    script = ScriptedBroker()
    script.answers = {f"GET {PATH}": said}

    async def scenario() -> DividendsSeen:
        async with broker_against(script) as broker:
            seen: DividendsSeen = await broker.dividends(symbols or ("AAPL",), NOW_NS)
            return seen

    return asyncio.run(scenario()), script.requests


def utc(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // NANOS, UTC).isoformat()


def test_an_announcement_is_read_with_its_dates_in_new_york() -> None:
    seen, (request,) = read(page(entry()))
    (told,) = seen.dividends
    assert (told.symbol, told.ex_date, told.rate_nanos) == ("AAPL", "2010-11-29", NANOS // 4)
    assert [utc(at) for at in (told.ex_ns, told.open_ns, told.payable_ns)] == [
        "2010-11-29T05:00:00+00:00",
        "2010-11-29T14:30:00+00:00",
        "2010-12-01T05:00:00+00:00",
    ]
    assert request.query == {
        "symbols": "AAPL",
        "types": "cash_dividend",
        "limit": "1000",
        "start": "2010-11-25",
        "end": "2011-05-24",
    }


def test_pages_are_read_to_their_end_and_an_announcement_that_is_on_two_counts_once() -> None:
    def pages(request: Request) -> Response:
        if "page_token" not in request.query:
            return page(entry(), token="t/1")
        assert request.query["page_token"] == "t/1"
        return page(entry(), entry(id="2", ex_date="2010-12-20", payable_date="2010-12-28"))

    seen, _ = read(pages)
    assert [at.ex_date for at in seen.dividends] == ["2010-11-29", "2010-12-20"]
    assert seen.dividends[0].rate_nanos == NANOS // 4
    endless, requests = read(page(entry(), token="again"))
    assert "pages" in endless.problem
    assert len(requests) == PAGES_MAX


def test_a_regular_and_a_special_dividend_of_one_date_are_one() -> None:
    special = entry(id="2", special=True, rate=1.5, payable_date="2010-12-03")
    ((told,), _) = (read(page(entry(), special))[0].dividends, None)
    assert told.rate_nanos == 1_750_000_000
    assert utc(told.payable_ns) == "2010-12-03T05:00:00+00:00"


def test_many_symbols_are_asked_for_in_parts_and_pairs_of_crypto_not_at_all() -> None:
    symbols = [f"S{number}" for number in range(SYMBOLS_MAX + 1)]
    seen, requests = read(page(), "BTC/USD", *symbols)
    assert [request.query["symbols"].split(",") for request in requests] == [
        symbols[:SYMBOLS_MAX],
        symbols[SYMBOLS_MAX:],
    ]
    assert seen == DividendsSeen(symbols=("BTC/USD", *symbols))
    assert read(page(), "BTC/USD") == (DividendsSeen(symbols=("BTC/USD",)), [])


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (error(403, 40310000, "subscription does not permit it"), "403 subscription"),
        (error(404, 40410000, "endpoint not found"), "404"),
        (answer(200, []), "no object"),
        (Response(200, b"<html>"), "not JSON"),
        (answer(200, {"corporate_actions": []}), "not a list"),
        (answer(200, {"corporate_actions": {"cash_dividends": {}}}), "not a list"),
        (page("text"), "no object"),
        (page(entry(rate="much")), "AAPL"),
        (page(entry(rate=-1)), "without a symbol or a rate"),
        (page(entry(rate=10**12)), "without a symbol or a rate"),
        (page(entry(symbol="")), "without a symbol or a rate"),
        (page(entry(ex_date="soon")), "AAPL"),
        (page(entry(ex_date="0001-01-01")), "no year"),
        (page(entry(payable_date=None, process_date=None)), "AAPL"),
    ],
)
def test_what_cannot_be_read_is_a_problem_and_no_dividend(said: Response, problem: str) -> None:
    seen, _ = read(said)
    assert problem in seen.problem
    assert seen.dividends == ()


def test_a_broker_that_is_not_there_or_busy_is_asked_again_by_who_asked() -> None:
    with pytest.raises(BrokerUnavailable):
        read(error(500, 50010000, "internal"))
    with pytest.raises(Throttled):
        read(error(429, 42910000, "rate limit exceeded"))


def test_what_is_payable_on_no_named_day_is_payable_when_it_is_processed() -> None:
    seen, _ = read(page(entry(payable_date=None)))
    assert utc(seen.dividends[0].payable_ns) == "2010-12-01T05:00:00+00:00"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(list(entry())), JSON, min_size=1), whole=JSON)
def test_whatever_is_answered_is_a_problem_or_announcements_that_can_be_kept(
    changes: dict[str, Any], whole: Any
) -> None:
    for said in (page(entry(**changes)), answer(200, whole)):
        seen, _ = read(said)
        for at in seen.dividends:
            assert isinstance(at, Announced)
            assert 0 < at.rate_nanos < 2**63
            assert 0 <= at.ex_ns < at.open_ns < 2**63
