"""Every check says its numbers on a pass too, and explaining changes nothing."""

import pytest
from msgspec.structs import replace

from fuseboard.core.checks.table import TABLE
from fuseboard.core.explaining import Explained
from fuseboard.policy.limits import Limits
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import CheckRule, StrategyRule
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.market_inputs import BookSeen, QuoteSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from tests.core.test_known_failures import Desk
from tests.core.test_limits import asked, desk, only

FULL = Policy(
    restricted=("XOM",),
    sectors={"AAPL": "tech"},
    strategies=(StrategyRule(name="alpha", capital_nanos=NANOS, symbols=("AAPL",)),),
    checks=(CheckRule(name="own", condition="order_price < 300"),),
    liquidity=LiquidityRules(enabled=True),
)
EVERYTHING = {
    "order_volume_share_nanos_max": NANOS,
    "price_floor_nanos": NANOS,
    "messages_max": 50,
    "daily_orders_max": 50,
    "duplicate_window_ns": NANOS,
    "position_value_nanos_max": NANOS**2,
    "position_fraction_nanos_max": NANOS,
    "sector_fraction_nanos_max": NANOS,
    "positions_max": 5,
    "net_exposure_nanos_min": -NANOS,
    "net_exposure_nanos_max": NANOS,
    "leverage_nanos_max": 3 * NANOS,
    "maintenance_margin_nanos_min": NANOS // 10,
}


def request(price: int = 250, side: Side = Side.BUY, quantity: int = 1) -> facts.OrderRequested:
    return facts.OrderRequested(
        request=1,
        strategy="alpha",
        client_order_id="why",
        symbol="AAPL",
        side=side,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=quantity * NANOS,
        limit_price_nanos=price * NANOS,
    )


def explained(at: Desk, fact: facts.OrderRequested) -> dict[str, Explained]:
    before = at.kernel.digest()
    found = at.kernel.explained(facts.Moment(at.now_ns, at.now_ns), fact)
    assert at.kernel.digest() == before, "explaining changed the state"
    return {line.check: line for line in found}


def full() -> Desk:
    at = desk(FULL, **EVERYTHING)
    at.take(
        facts.MeasureReported(
            request=0, name="avg_daily_volume", value=NANOS, event_ns=at.now_ns, symbol="AAPL"
        )
    )
    return at


def test_every_check_of_the_table_runs_and_says_its_numbers_when_it_passes() -> None:
    lines = explained(full(), request())
    assert list(lines) == [*(row.name for row in TABLE), "own"]
    for line in lines.values():
        assert line.verdict == ("skipped" if line.check == "session" else "passed"), line
        if line.check == "session":
            continue
        if line.check != "reconciled":
            assert line.observed, line
            assert line.limit, line
    assert (lines["order_value"].observed, lines["order_value"].limit) == ("250", "1000000000")
    assert lines["leverage"].limit == "3000000"
    assert lines["leverage"].fields == ("limits.leverage_nanos_max",)


@pytest.mark.parametrize("changed", [{}, EVERYTHING])
def test_every_limit_that_a_check_names_is_one_of_the_policys(changed: dict[str, int]) -> None:
    names = [name for row in TABLE for name in row.needs]
    assert set(names) <= set(Limits.__struct_fields__)
    assert set(changed) <= set(names)


def test_the_denial_is_the_line_that_denied_and_later_ones_are_said_to_be_not_reached() -> None:
    at = desk(FULL, **EVERYTHING)
    fact = request(price=280)
    denial = only(asked(at, price=280 * NANOS))
    lines = explained(at, fact)
    line = lines[denial.checks[-1]]
    assert (line.verdict, line.observed, line.limit) == ("denied", denial.observed, denial.limit)
    after = list(lines)[list(lines).index(line.check) + 1 :]
    after = [name for name in after if lines[name].verdict != "skipped"]
    assert after
    assert all("not reached" in lines[name].why for name in after)


def test_a_reduction_says_what_it_skips_and_a_policy_what_it_does_not_set() -> None:
    at = desk(FULL, held=100, **EVERYTHING)
    lines = explained(at, request(side=Side.SELL))
    assert lines["restricted_list"].why == "a proven reduction is not asked"
    assert lines["tick"].verdict == "passed"
    plain = explained(desk(Policy(checks_off=("self_match",))), request())
    assert plain["sector"].why == "the policy does not set it"
    assert plain["self_match"].why == "the policy switches it off"


def test_what_cannot_be_understood_is_explained_as_such() -> None:
    lines = explained(desk(FULL), request(quantity=-1))
    assert list(lines) == ["parse"]
    assert lines["parse"].verdict == "denied"


def test_a_usable_book_beside_a_quote_that_is_too_wide_is_denied_and_not_priced_by() -> None:
    at = Desk(Policy(liquidity=LiquidityRules(enabled=True)))
    bids, asks = ((100 * NANOS, NANOS),), ((100 * NANOS, NANOS),)
    at.take(BookSeen(symbol="MSFT", bids=bids, asks=asks, event_ns=0))
    at.take(
        QuoteSeen(
            symbol="MSFT", bid_nanos=100 * NANOS, ask_nanos=900 * NANOS, bid_size_nanos=NANOS,
            ask_size_nanos=NANOS, event_ns=0, bid_low_nanos=100 * NANOS, ask_high_nanos=900 * NANOS,
        )
    )  # fmt: skip
    at.now_ns += 10 * NANOS  # for so long its spread would count for the book's
    at.take(BookSeen(symbol="MSFT", bids=bids, asks=asks, event_ns=0))
    line = explained(at, replace(request(), symbol="MSFT"))["liquidity_tier"]
    assert line.verdict == "denied"
    assert line.observed.endswith("no good quote")
