"""What a trial counts of liquidity: orders that the gate took back, and the time of a silence."""

from msgspec import structs

from fuseboard.lab.result import TrialResult
from fuseboard.lab.strategy import Cancel, Intent, Place
from fuseboard.lab.trial import run_trial
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from tests.lab.markets import LOOSE, Scripted, chosen_of, options, quote, tape_of

MEASURED = structs.replace(LOOSE, liquidity=LiquidityRules(enabled=True))
SECONDS = 100
"""Longer than a tier lets an order work."""


def limit(own_id: str, price: int, quantity: int = 5) -> Place:
    return Place(
        symbol="AAA",
        own_id=own_id,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=quantity * NANOS,
        limit_price_nanos=price * NANOS,
    )


def played(
    *answers: list[Intent], then: int = 1_000, after_s: int = 20, policy: Policy = MEASURED
) -> TrialResult:
    """A quote a second, at another price after a while."""
    prices = [1_000 if second < after_s else then for second in range(SECONDS)]
    events = [quote(at * NANOS, bid, bid + 1, size=20) for at, bid in enumerate(prices)]
    return run_trial(tape_of(events), options(chosen_of(Scripted(answers)), policy))


def test_an_opening_whose_time_is_over_was_taken_back() -> None:
    orders = played([limit("rests", 999)]).figures.orders
    assert (orders.allowed, orders.fills, orders.taken_back) == (1, 0, 1)


def test_what_its_owner_cancelled_was_not() -> None:
    orders = played([limit("own", 999)], [Cancel(own_id="own")]).figures.orders
    assert (orders.allowed, orders.fills, orders.taken_back) == (1, 0, 0)


def test_what_the_exchange_ended_by_its_kind_was_not() -> None:
    at_once = structs.replace(limit("ioc", 999), time_in_force=TimeInForce.IOC)
    orders = played([at_once]).figures.orders
    assert (orders.allowed, orders.taken_back) == (1, 0)


def test_what_a_trip_cancelled_was_not() -> None:
    strict = structs.replace(MEASURED, losses=(LossRule(limit_nanos=NANOS // 1_000),))
    result = played([limit("held", 1_001, 10)], [limit("rests", 900)], then=950, policy=strict)
    assert (result.figures.trips, result.figures.orders.taken_back) == (1, 0)


def test_time_in_which_nothing_was_heard_counts_as_emergency() -> None:
    heard = [quote(at * NANOS, 1_000, 1_001, size=20) for at in range(60)]
    later = [quote((360 + at) * NANOS, 1_000, 1_001, size=20) for at in range(10)]
    nobody = chosen_of(Scripted([]))
    result = run_trial(tape_of([*heard, *later]), options(nobody, MEASURED))
    assert result.figures.tier_ns["EMERGENCY"] >= (360 - 60 - 120 - 2) * NANOS
