"""Every limit that has a level has a row of nearness, each row says it, and passed means reduce."""

from collections.abc import Iterable

import msgspec
import pytest
from msgspec import Struct

from fuseboard.core import nearness, order_limits, rates
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import LossRule, StrategyRule
from fuseboard.policy.sections_limits import LIMITS
from fuseboard.policy.shapes import Value
from fuseboard.policy.summary import SPECIAL
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action, Reference
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderStatus, Side
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import Desk, denied, submitted
from tests.core.test_nearness import NEAR, PASSED, ask, policy, quote_at, said
from tests.core.test_operators import CALM

WIDE = msgspec.structs.replace(CALM.limits, gross_exposure_nanos_max=4 * NANOS)


class Story(Struct, frozen=True):
    """How a price alone brings what is held to one limit: the first price at which it is said."""

    limit: int | None
    held: int
    cash: int
    near: int
    passed: int
    reason: Reason
    multiplier: int = 4


# Short 400 with 300,000 in cash: exposure is 400 p and equity 300,000 - 400 p.
SHORT = {"held": -400, "cash": 300_000, "near": 334, "passed": 376}
# Long 250 with 400,000 in cash: exposure is 250 p and equity 400,000 + 250 p.
LONG = {"held": 250, "cash": 400_000}
BY_PRICE = {
    "gross_exposure_nanos_max": Story(limit=NANOS, **SHORT, reason=Reason.GROSS_EXPOSURE),
    "leverage_nanos_max": Story(limit=NANOS, **SHORT, reason=Reason.LEVERAGE),
    "maintenance_margin_nanos_min": Story(
        limit=NANOS, **SHORT, reason=Reason.MAINTENANCE_MARGIN
    ),
    "": Story(limit=None, **SHORT, reason=Reason.BUYING_POWER, multiplier=1),
    "net_exposure_nanos_min": Story(
        limit=-NANOS // 5, held=-400, cash=1_000_000, near=345, passed=417,
        reason=Reason.NET_EXPOSURE,
    ),
    "net_exposure_nanos_max": Story(
        limit=NANOS // 5, **LONG, near=305, passed=401, reason=Reason.NET_EXPOSURE
    ),
    "position_value_nanos_max": Story(
        limit=100_000 * NANOS, **LONG, near=320, passed=401, reason=Reason.MAX_POSITION
    ),
    "position_fraction_nanos_max": Story(
        limit=NANOS // 2, **LONG, near=1_067, passed=1_601, reason=Reason.MAX_POSITION
    ),
    "sector_fraction_nanos_max": Story(
        limit=NANOS // 2, **LONG, near=1_067, passed=1_601, reason=Reason.SECTOR
    ),
}  # fmt: skip
BY_COUNT = ("positions_max", "working_orders_max", "daily_orders_max")
LOSSES_KEY = "loss_limits"
NOTHING_IS_NEAR = {
    "duplicate_window_ns": "an order is like another one or is not",
    "order_rate_kills": "no number",
}
"""Fields of `Limits` that have no soft limit, and why."""


def with_limit(field: str, limit: int | None, limits: Limits = WIDE) -> Policy:
    changed = {field: limit} if field else {}
    return msgspec.structs.replace(
        policy(msgspec.structs.replace(limits, **changed)),
        sectors={"AAPL": "tech", "TSLA": "tech"},
    )


def texts(effects: Iterable[fx.Effect]) -> list[str]:
    """What people are told of limits."""
    codes = (Reason.LIMIT_NEAR, Reason.LIMIT_PASSED)
    return [e.text for e in effects if isinstance(e, fx.RaiseAlert) and e.code in codes]


# --- the table against the policy's fields ---


def test_each_limit_of_a_policy_has_a_soft_limit_or_a_reason_why_nothing_is_near_it() -> None:
    levels = [row.field for row in nearness.ROWS if row.field]
    rated = [*rates.WINDOWS, *rates.WINDOWS.values()]
    of_orders = [row.field for row in order_limits.ROWS]
    every = [*levels, *rated, *of_orders, *NOTHING_IS_NEAR]
    assert sorted(every) == sorted(Limits.__struct_fields__), "each once"
    assert all(reason for reason in NOTHING_IS_NEAR.values())
    assert all(bool(row.field) is not bool(row.elsewhere) for row in nearness.ROWS)


def test_each_row_is_shown_by_a_story_here() -> None:
    fields = [row.field for row in nearness.ROWS if row.key() != LOSSES_KEY]
    assert sorted(fields) == sorted([*BY_PRICE, *BY_COUNT])


@pytest.mark.parametrize("row", [row for row in nearness.ROWS if row.field], ids=lambda r: r.field)
def test_each_row_names_the_key_that_a_policy_file_writes(row: nearness.Row) -> None:
    shape = LIMITS[row.key()]
    fields = shape.fields if isinstance(shape, Value) else SPECIAL[row.key()]
    assert row.field in fields


# --- each row ---


@pytest.mark.parametrize("field", BY_PRICE)
def test_a_price_alone_brings_a_limit_near_and_past_and_then_only_reductions_pass(
    field: str,
) -> None:
    story = BY_PRICE[field]
    desk = Desk(
        with_limit(field, story.limit),
        cash=story.cash,
        held=story.held,
        multiplier=story.multiplier,
    )
    desk.quote("TSLA", 100)
    key = next(row.key() for row in nearness.ROWS if row.field == field and row.key() != LOSSES_KEY)
    assert said(quote_at(desk, "AAPL", story.near - 1)) == []
    (text,) = texts(quote_at(desk, "AAPL", story.near))
    assert f"({key}): near" in text
    assert said(quote_at(desk, "AAPL", story.passed - 1)) == []
    ((code, _),) = said(quote_at(desk, "AAPL", story.passed))
    assert code == PASSED
    of_symbol = story.reason is Reason.MAX_POSITION
    more = Side.BUY if story.held > 0 else Side.SELL
    for symbol in ("AAPL",) if of_symbol else ("AAPL", "TSLA"):
        price = story.passed if symbol == "AAPL" else 100
        assert denied(ask(desk, symbol, more, 1, price)) == [story.reason], symbol
    less = Side.SELL if story.held > 0 else Side.BUY
    (order,) = submitted(ask(desk, "AAPL", less, abs(story.held), story.passed))
    assert order.intent is Intent.REDUCE


@pytest.mark.parametrize("field", BY_COUNT)
def test_orders_bring_a_count_near_its_limit_and_the_next_reading_says_so(field: str) -> None:
    desk = Desk(with_limit(field, 5))
    symbols = ("AAPL", "S1", "S2", "S3")
    for symbol in symbols:
        desk.quote(symbol, 100)
    desk.quote("AAPL", 100)
    for number, symbol in enumerate(symbols, 1):
        desk.now_ns += nearness.JUDGED_EVERY_NS
        assert said(desk.account()) == [], number
        assert submitted(ask(desk, symbol, Side.BUY, 1, 100))
    desk.now_ns += nearness.JUDGED_EVERY_NS
    (text,) = texts(desk.account())
    assert "is 4, 80.00% of its limit 5 " in text


def loss(name: str, reference: Reference, window_days: int = 0) -> LossRule:
    return LossRule(
        name=name,
        reference=reference,
        window_days=window_days,
        limit_nanos=NANOS // 10,
        action=Action.HALT,
    )


def test_every_loss_of_the_account_and_of_a_strategy_is_near_from_four_fifths_of_its_limit() -> (
    None
):
    losses = (
        loss("drawdown", Reference.SESSION_PEAK),
        loss("daily_loss", Reference.SESSION_OPEN),
        loss("weekly_loss", Reference.WEEK_OPEN),
        loss("monthly_loss", Reference.MONTH_OPEN),
        loss("rolling_drawdown", Reference.ROLLING_PEAK, 30),
        loss("peak_drawdown", Reference.PEAK),
    )
    alpha = StrategyRule(
        name="alpha", capital_nanos=100_000 * NANOS, losses=(loss("drawdown", Reference.PEAK),)
    )
    rules = msgspec.structs.replace(policy(WIDE), losses=losses, strategies=(alpha,))
    desk = Desk(rules, cash=100_000, multiplier=4)
    (order,) = submitted(ask(desk, "AAPL", Side.BUY, 400, 250))
    desk.take(
        facts.OrderSent(
            order_id=order.order_id,
            broker_order_id="b1",
            status=OrderStatus.FILLED,
            filled_quantity_nanos=400 * NANOS,
            filled_price_nanos=250 * NANOS,
        )
    )
    assert texts(quote_at(desk, "AAPL", 231)) == [], "7.6 %"
    near = texts(quote_at(desk, "AAPL", 230))
    tail = "is 8.00%, 80.00% of its limit 10.00% (loss_limits): near"
    names = [rule.name.replace("_", " ") for rule in losses]
    assert near == [*(f"{name} {tail}" for name in names), f"alpha: drawdown {tail}"]
    assert said(quote_at(desk, "AAPL", 220)) == [], "a trip is the fuse's to say"


def test_a_loss_that_tripped_between_two_judgements_is_not_said_to_be_near() -> None:
    rules = msgspec.structs.replace(
        policy(WIDE), losses=(loss("daily_loss", Reference.SESSION_OPEN),)
    )
    desk = Desk(rules, cash=0, held=400)
    desk.now_ns += nearness.JUDGED_EVERY_NS
    effects = [*desk.quote("AAPL", 250), *desk.quote("AAPL", 225), *desk.quote("AAPL", 225)]
    assert any(isinstance(effect, fx.LatchHalt) for effect in effects)
    desk.now_ns += nearness.JUDGED_EVERY_NS
    assert texts([*effects, *desk.take(facts.TimeAdvanced())]) == []


def test_a_loss_at_its_limit_that_waits_for_confirmation_says_so() -> None:
    rules = msgspec.structs.replace(
        policy(WIDE), losses=(loss("daily_loss", Reference.SESSION_OPEN),)
    )
    desk = Desk(rules, cash=0, held=400)
    desk.now_ns += nearness.JUDGED_EVERY_NS
    (text,) = texts(desk.quote("AAPL", 225))
    assert text.endswith(f"100.00% of its limit 10.00% (loss_limits): {nearness.AT_LIMIT}")


# --- all are judged together, and not for each mark ---


def test_a_symbol_whose_share_rises_because_another_one_falls_is_said_too() -> None:
    rules = with_limit("position_fraction_nanos_max", NANOS // 2)
    desk = Desk(rules, cash=100_000, held=250, multiplier=4)
    desk.quote("TSLA", 100)
    (order,) = submitted(ask(desk, "TSLA", Side.BUY, 700, 100))
    desk.now_ns += nearness.JUDGED_EVERY_NS
    effects = desk.take(
        facts.OrderSent(
            order_id=order.order_id,
            broker_order_id="b1",
            status=OrderStatus.FILLED,
            filled_quantity_nanos=700 * NANOS,
            filled_price_nanos=100 * NANOS,
        )
    )
    assert said(effects) == [(NEAR, "symbol:TSLA")], "70,000 of 162,500, AAPL has 62,500"
    assert said(quote_at(desk, "TSLA", 92)) == []
    assert said(quote_at(desk, "TSLA", 91)) == [(NEAR, "symbol:AAPL")], "62,500 of 156,200"


def test_marks_between_two_judgements_are_judged_together_when_the_next_is_due() -> None:
    desk = Desk(with_limit("position_value_nanos_max", 100_000 * NANOS), held=250)
    desk.now_ns += nearness.JUDGED_EVERY_NS
    assert said(desk.quote("AAPL", 260)) == []
    judged_ns = desk.now_ns
    effects = [*desk.quote("AAPL", 280), *desk.quote("AAPL", 300), *desk.quote("AAPL", 325)]
    assert said(effects) == []
    state = desk.kernel._state
    assert nearness.next_deadline(state) == judged_ns + nearness.JUDGED_EVERY_NS
    assert 0 < state.next_wake_boot_ns <= judged_ns + nearness.JUDGED_EVERY_NS
    desk.now_ns = judged_ns + nearness.JUDGED_EVERY_NS - NANOS // 1000
    assert said(desk.take(facts.TimeAdvanced())) == [(NEAR, "symbol:AAPL")]


def test_a_restart_with_an_earlier_clock_judges_as_soon_as_the_books_are_compared() -> None:
    desk = Desk(with_limit("position_value_nanos_max", 100_000 * NANOS), held=250)
    desk.now_ns += 3_600 * NANOS
    quote_at(desk, "AAPL", 300)
    desk.now_ns = NANOS
    desk.start()
    assert said(quote_at(desk, "AAPL", 330)) == [(NEAR, "symbol:AAPL")]
