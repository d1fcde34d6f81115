"""What is judged of one order alone is said once when an order passes at 80 % of it or more."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from fuseboard.core import judging, order_limits
from fuseboard.core.book import Order
from fuseboard.core.checks.quick import worst_if_passed
from fuseboard.core.checks.table import TABLE
from fuseboard.core.kernel import Kernel
from fuseboard.core.order_limits import QUIET_NS, ROWS, SAID_EVERY_NS
from fuseboard.core.state import Turn
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordShaping
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Severity, Side
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.liquidity.market import LIMITS, WIDE, LiquidDesk, of
from tests.core.liquidity.test_shaping import ask
from tests.core.test_known_failures import Desk, denied, submitted
from tests.core.test_limits import asked, desk
from tests.core.test_nearness_rows import texts
from tests.core.test_overrides import verified
from tests.core.test_quick import moments
from tests.core.test_replacing import Replacing
from tests.core.test_throttles import restarted

PAIR = "BTC/USD"
"""It has no tick: a price may be one nano-unit beside another."""


def quoted(at: Desk, price: int = 100) -> None:
    """The pair is quoted at this price on both sides, and so much of it trades in a day."""
    at.quote_nanos(PAIR, price * NANOS, price * NANOS)
    at.take(
        facts.MeasureReported(
            request=0,
            name="avg_daily_volume",
            value=1_000 * NANOS,
            event_ns=at.now_ns,
            symbol=PAIR,
        )
    )


def pair(policy: Policy | None = None, **limits: Any) -> Desk:
    at = desk(policy, **limits)
    quoted(at)
    return at


def bought(
    at: Desk, quantity: int = NANOS, price: int = 100 * NANOS, **changed: Any
) -> tuple[fx.Effect, ...]:
    """An order of the pair that passes."""
    effects = asked(at, PAIR, quantity=quantity, price=price, **changed)
    assert submitted(effects), denied(effects)
    return effects


class Story(Struct, frozen=True):
    """An order at exactly four fifths of a limit, one that is a nano-unit below, and one beyond."""

    limits: dict[str, Any]
    at: dict[str, Any]
    under: dict[str, Any]
    beyond: dict[str, Any]
    reason: Reason
    said: str
    quote: int = 100


STORIES = {
    "order_quantity_nanos_max": Story(
        limits={"order_quantity_nanos_max": 10 * NANOS},
        at={"quantity": 8 * NANOS},
        under={"quantity": 8 * NANOS - 1},
        beyond={"quantity": 10 * NANOS + 1},
        reason=Reason.ORDER_QUANTITY,
        said="the quantity of {} is 8, 80.00% of its limit 10 (max_order_quantity): near",
    ),
    "order_value_nanos_max": Story(
        limits={"order_value_nanos_max": 1_000 * NANOS},
        at={"quantity": 8 * NANOS},
        under={"quantity": 8 * NANOS - 1},
        beyond={"quantity": 10 * NANOS + 1},
        reason=Reason.ORDER_VALUE,
        said=(
            "the value of {} is 800.00 USD, 80.00% of its limit 1,000.00 USD"
            " (max_order_value): near"
        ),
    ),
    "order_volume_share_nanos_max": Story(
        limits={"order_volume_share_nanos_max": NANOS // 10},
        at={"quantity": 80 * NANOS},
        under={"quantity": 80 * NANOS - 1},
        beyond={"quantity": 100 * NANOS + 1},
        reason=Reason.LIQUIDITY,
        said=(
            "against the average daily volume the quantity of {} is 80, 80.00% of its limit 100"
            " (max_order_adv): near"
        ),
    ),
    "price_collar_nanos": Story(
        limits={"price_collar_nanos": NANOS // 20},
        at={"price": 104 * NANOS},
        under={"price": 104 * NANOS - 1},
        beyond={"price": 105 * NANOS + 1},
        reason=Reason.PRICE_COLLAR,
        said=(
            "the limit price of {} is beyond the quote by 4 USD, 80.00% of its limit 5 USD"
            " (price_collar): near"
        ),
    ),
    "the collar of a sell": Story(
        limits={"price_collar_nanos": NANOS // 20},
        at={"price": 96 * NANOS, "side": Side.SELL},
        under={"price": 96 * NANOS + 1, "side": Side.SELL},
        beyond={"price": 95 * NANOS - 1, "side": Side.SELL},
        reason=Reason.PRICE_COLLAR,
        said=(
            "the limit price of {} is beyond the quote by 4 USD, 80.00% of its limit 5 USD"
            " (price_collar): near"
        ),
    ),
    "price_floor_nanos": Story(
        limits={"price_floor_nanos": 80 * NANOS},
        at={"price": 100 * NANOS},
        under={"price": 100 * NANOS + 1},
        beyond={"price": 80 * NANOS - 1},
        reason=Reason.PRICE_FLOOR,
        said=(
            "the price floor under {} is 80 USD, 80.00% of the price 100 USD (price_floor): near"
        ),
        quote=110,
    ),
}


def test_each_row_has_a_story_here() -> None:
    assert sorted(row.field for row in ROWS) == sorted(
        at for at in STORIES if at.endswith(("_nanos", "_max"))
    )


def story(name: str) -> None:
    """The order below is not said, the one at four fifths is, the second one is not."""
    at, told = pair(**STORIES[name].limits), STORIES[name]
    quoted(at, told.quote)
    assert texts(bought(at, **told.under)) == []
    effects = bought(at, **told.at)
    (alert,) = of(effects, fx.RaiseAlert)
    assert (alert.severity, alert.code) == (Severity.INFO, Reason.LIMIT_NEAR)
    assert alert.scope == "strategy:alpha"
    (order,) = submitted(effects)
    which = f"order {order.wire_id} in {PAIR}"
    assert alert.text == f"alpha: {told.said.format(which)}"
    assert effects.index(alert) < effects.index(order)
    assert texts(bought(at, **told.at)) == [], "once"
    beyond = asked(at, PAIR, **{"price": 100 * NANOS, **told.beyond})
    assert denied(beyond) == [told.reason]
    assert texts(beyond) == []


def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything goes by the table."""
    monkeypatch.setattr(judging, "worst_if_passed", lambda *_: None)


@pytest.mark.parametrize("by_table", [False, True], ids=["quick", "table"])
@pytest.mark.parametrize("name", STORIES)
def test_an_order_at_four_fifths_of_a_limit_is_said_and_one_just_below_is_not(
    monkeypatch: pytest.MonkeyPatch, name: str, by_table: bool
) -> None:
    if by_table:
        slowly(monkeypatch)
    story(name)


def test_a_symbol_that_trades_near_the_floor_is_said_whatever_is_paid_or_asked_for_it() -> None:
    for side, price in ((Side.SELL, 130 * NANOS), (Side.SELL, None), (Side.BUY, None)):
        at = pair(price_floor_nanos=80 * NANOS)
        effects = asked(at, PAIR, side, price=price)
        assert submitted(effects)
        assert len(texts(effects)) == 1, (side, price)


def test_an_order_within_the_quote_is_at_no_part_of_its_collar() -> None:
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(2):
            for collar in (0, NANOS // 20):
                at = pair(price_collar_nanos=collar)
                assert texts(bought(at, price=90 * NANOS)) == []
                assert texts(bought(at, price=100 * NANOS)) == []
            slowly(patch)


def test_a_reduction_is_asked_by_none_of_these_limits_and_is_near_none() -> None:
    at = desk(held=100, order_quantity_nanos_max=100 * NANOS, price_floor_nanos=240 * NANOS)
    effects = asked(at, side=Side.SELL, quantity=90 * NANOS, price=245 * NANOS)
    assert submitted(effects)
    assert texts(effects) == []


def test_a_check_that_is_switched_off_has_no_soft_limit() -> None:
    off = Policy(checks_off=("price_floor",))
    assert texts(bought(pair(off, price_floor_nanos=90 * NANOS))) == []
    assert len(texts(bought(pair(price_floor_nanos=90 * NANOS)))) == 1


def adopt(at: Desk, policy: Policy) -> None:
    text = canonical_text(policy)
    at.take(facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="agreed"))
    assert at.kernel.policy_digest() == digest_of(text)


def test_orders_that_a_check_did_not_judge_do_not_keep_it_from_being_said_again() -> None:
    at = pair(price_floor_nanos=90 * NANOS)
    assert len(texts(bought(at))) == 1
    rules = at.kernel._turn.policy
    adopt(at, replace(rules, checks_off=("price_floor",)))
    for _ in range(4):
        wait(at, QUIET_NS // 2)
        assert texts(bought(at)) == []
    adopt(at, rules)
    assert len(texts(bought(at))) == 1


def test_limits_that_a_posture_halves_are_near_at_half_of_what_they_were() -> None:
    at = pair(order_quantity_nanos_max=10 * NANOS)
    assert texts(bought(at, 4 * NANOS)) == []
    at.kernel._state.postures = {"strategy:alpha": Posture.REDUCED}
    (text,) = texts(bought(at, 4 * NANOS))
    assert "is 4, 80.00% of its limit 5 " in text
    at.kernel._state.postures = {}
    assert texts(bought(at, 4 * NANOS)) == []
    wait(at, SAID_EVERY_NS)
    (text,) = texts(bought(at, 8 * NANOS))
    assert "is 8, 80.00% of its limit 10 " in text, "a looser limit is another one"
    for posture, quantity in ((Posture.REDUCED, 5), (Posture.OPEN, 10)) * 3:
        wait(at, SAID_EVERY_NS)
        at.kernel._state.postures = {"strategy:alpha": posture}
        assert texts(bought(at, quantity * NANOS)) == []


# --- once ---


def wait(at: Desk, time_ns: int) -> None:
    at.now_ns += time_ns
    quoted(at)


def test_it_is_said_again_only_after_an_hour_without_an_order_near_it() -> None:
    at = pair(order_quantity_nanos_max=100 * NANOS)
    quiet_ns = QUIET_NS - NANOS
    assert len(texts(bought(at, 90 * NANOS))) == 1
    for _ in range(30):
        wait(at, quiet_ns)
        assert texts(bought(at, 75 * NANOS)) == [], "three quarters of it are not well below"
    wait(at, quiet_ns)
    assert texts(bought(at, 80 * NANOS)) == []
    wait(at, quiet_ns)
    assert texts(bought(at, 75 * NANOS - 1)) == []
    wait(at, 2 * NANOS)
    assert texts(bought(at, 79 * NANOS)) == [], "quiet, and not near"
    assert len(texts(bought(at, 80 * NANOS))) == 1


def test_strategies_and_limits_are_told_apart() -> None:
    at = pair(order_quantity_nanos_max=10 * NANOS, price_collar_nanos=NANOS // 20)
    told = [
        *texts(bought(at, 8 * NANOS)),
        *texts(bought(at, 8 * NANOS, strategy="beta")),
        *texts(bought(at, 8 * NANOS, 104 * NANOS)),
        *texts(bought(at, 10 * NANOS, 105 * NANOS, strategy="beta")),
    ]
    heads = [text.partition(" of order")[0] for text in told]
    assert heads == [
        "alpha: the quantity",
        "beta: the quantity",
        "alpha: the limit price",
        "beta: the limit price",
    ]


def test_a_policy_that_loosens_a_limit_makes_it_another_one_and_the_same_again_does_not() -> None:
    for field, before, after, quantity, price in (
        ("order_quantity_nanos_max", 10 * NANOS, 100 * NANOS, 80 * NANOS, 100 * NANOS),
        ("price_floor_nanos", 90 * NANOS, 80 * NANOS, NANOS, 100 * NANOS),
    ):
        limits: dict[str, Any] = {field: before}
        at = pair(**limits)
        assert len(texts(bought(at, 9 * NANOS))) == 1
        rules = at.kernel._turn.policy
        for limit, news in ((before, 0), (after, 1)):
            adopt(at, replace(rules, limits=replace(rules.limits, **{field: limit})))
            wait(at, SAID_EVERY_NS)
            size = quantity if news else 9 * NANOS
            assert len(texts(bought(at, size, price))) == news, (field, limit)


def test_limits_of_more_strategies_than_are_kept_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(order_limits, "NEAR_MAX", 3)
    at = pair(order_quantity_nanos_max=10 * NANOS)
    for number in range(6):
        assert len(texts(bought(at, 9 * NANOS, strategy=f"s{number}"))) == 1
    assert len(at.kernel._state.near_orders) == 3
    assert texts(bought(at, 9 * NANOS, strategy="s5")) == [], "the newest are kept"


def begin_again(at: Desk) -> None:
    """A restart from the snapshot, until the books are compared."""
    restarted(at)
    at.start()
    for order in at.kernel._state.book.working_orders():
        at.take(
            facts.OrderSent(
                order_id=order.order_id, broker_order_id="b", status=OrderStatus.WORKING
            )
        )
    at.take(facts.PositionsSeen(positions=()))
    quoted(at)


def test_what_was_said_survives_a_restart_and_an_earlier_clock_counts_the_hour_anew() -> None:
    at = pair(order_quantity_nanos_max=10 * NANOS)
    at.now_ns += 30 * QUIET_NS
    quoted(at)
    assert len(texts(bought(at, 9 * NANOS))) == 1
    begin_again(at)
    assert texts(bought(at, 9 * NANOS)) == []
    at.now_ns = NANOS  # the machine was started anew
    begin_again(at)
    wait(at, QUIET_NS - NANOS)
    assert texts(bought(at, 9 * NANOS)) == []
    at.now_ns = NANOS
    begin_again(at)
    wait(at, QUIET_NS)
    assert len(texts(bought(at, 9 * NANOS))) == 1


# --- what else lets an order pass, or changes it ---


def test_an_order_that_two_people_let_pass_a_limit_is_not_near_it() -> None:
    at = desk(order_value_nanos_max=1_000 * NANOS, order_quantity_nanos_max=12 * NANOS)
    verified(at)
    effects = asked(at, quantity=10 * NANOS)
    assert submitted(effects)
    (text,) = texts(effects)
    assert "quantity" in text, "2,500 USD of 1,000"


def shaping(quantity: int, **limits: Any) -> LiquidDesk:
    rules = replace(LIMITS, order_quantity_nanos_max=quantity * NANOS, **limits)
    return LiquidDesk(Policy(limits=rules, losses=(), data=WIDE)).at(Tier.DEFENSIVE)


def test_an_order_that_liquidity_cuts_is_looked_at_as_it_goes_out() -> None:
    effects = ask(shaping(10), shares=10)
    assert [order.quantity_nanos for order in submitted(effects)] == [7 * NANOS]
    assert texts(effects) == [], "7 of 10"
    (text,) = texts(ask(shaping(8), shares=8))
    assert "is 7, 87.50% of its limit 8 " in text


def test_a_price_that_liquidity_gave_an_order_is_no_price_of_its_strategy() -> None:
    collar: dict[str, Any] = {
        "price_collar_nanos": NANOS * 55 // 10_000
    }  # a tier's offset is 50 of these
    effects = ask(shaping(100, **collar), shares=1)
    assert len(of(effects, RecordShaping)) == 1
    assert texts(effects) == []
    assert len(texts(ask(shaping(100, **collar), shares=1, price=25_607))) == 1


def test_a_replacement_is_said_like_any_order_and_a_calmer_one_is_judged_by_no_limit() -> None:
    at = Replacing()
    at.works("old", 100)
    (text,) = texts(at.replace("old", "new", quantity=320))
    assert "is 80,000.00 USD, 80.00% of its limit 100,000.00 USD " in text
    assert texts(at.ended("old")) == []
    at = Replacing()
    at.works("old", 12)
    at.at_most_ten()
    effects = at.replace("old", "new", quantity=8)
    assert not denied(effects)
    assert texts(effects) == []
    at.works("other", 8)
    assert len(at.kernel._state.near_orders) == 1


# --- against the checks, the table and an independent model ---


@pytest.mark.no_cover
@given(moments())
def test_each_row_measures_what_its_check_judges(moment: tuple[Turn, Order]) -> None:
    turn, order = moment
    instrument = turn.state.instruments["AAPL"]
    proposal = judging.proposed(turn, order, instrument)
    limits = proposal.limits  # halved where the moment is REDUCED
    passes = {row.name: row.passes for row in TABLE}
    for row in ROWS:
        limit = getattr(limits, row.field)
        if limit is not None:
            used, whole = row.used(turn, order, instrument, limit)
            assert (used <= whole) is passes[row.check](proposal), row.field


@pytest.mark.no_cover
@given(moments())
def test_what_is_near_is_marked_by_the_quick_pass(moment: tuple[Turn, Order]) -> None:
    turn, order = moment
    instrument, at = turn.state.instruments["AAPL"], turn.state.liquidity.get("AAPL")
    if worst_if_passed(turn, order, instrument, at, "") is not None:
        order_limits.passed(turn, order, instrument, turn.active.limits)
        assert not turn.out or turn.near_order is order


ASKED = st.lists(
    st.tuples(
        st.sampled_from((NANOS, 70 * NANOS, 75 * NANOS - 1, 75 * NANOS, 80 * NANOS - 1, 80 * NANOS,
                         100 * NANOS, 101 * NANOS)),
        st.sampled_from((99, 100, 103, 104, 105)),
        st.sampled_from(("alpha", "beta")),
        st.sampled_from((0, NANOS, QUIET_NS // 2, QUIET_NS - NANOS, QUIET_NS)),
    ),
    max_size=25,
)  # fmt: skip


@given(ASKED)
def test_the_table_a_restored_kernel_and_the_quick_pass_say_the_same(
    orders: list[tuple[int, int, str, int]],
) -> None:
    limits: dict[str, Any] = {
        "order_quantity_nanos_max": 100 * NANOS,
        "order_value_nanos_max": 10_100 * NANOS,
        "order_volume_share_nanos_max": NANOS // 10,
        "price_floor_nanos": 79 * NANOS,
        "price_collar_nanos": NANOS // 20,
    }
    quick, slow, restored = pair(**limits), pair(**limits), pair(**limits)
    for quantity, price, strategy, gap_ns in orders:
        for at in (quick, slow, restored):
            wait(at, gap_ns)
        restarted(restored)
        changed: dict[str, Any] = {
            "quantity": quantity,
            "price": price * NANOS,
            "strategy": strategy,
        }
        expected = asked(quick, PAIR, **changed)
        assert asked(restored, PAIR, **changed) == expected
        with pytest.MonkeyPatch.context() as patch:
            slowly(patch)
            assert asked(slow, PAIR, **changed) == expected
    assert quick.kernel.digest() == slow.kernel.digest() == restored.kernel.digest()


@given(ASKED)
def test_any_orders_are_said_as_an_independent_model_says_them(
    orders: list[tuple[int, int, str, int]],
) -> None:
    at = pair(order_quantity_nanos_max=100 * NANOS, price_collar_nanos=NANOS // 20)
    last: dict[tuple[str, str], int] = {}
    for quantity, price, strategy, gap_ns in orders:
        wait(at, gap_ns)
        effects = asked(at, PAIR, quantity=quantity, price=price * NANOS, strategy=strategy)
        shares = {"quantity": Fraction(quantity, 100 * NANOS), "price": Fraction(price - 100, 5)}
        assert bool(submitted(effects)) is all(share <= 1 for share in shares.values())
        expected = []
        for name, share in shares.items() if submitted(effects) else ():
            known_ns = last.get((strategy, name))
            still = known_ns is not None and at.now_ns - known_ns < QUIET_NS
            if share >= Fraction(4, 5) and not still:
                expected.append(name)
            if share >= Fraction(4, 5) or (still and share >= Fraction(3, 4)):
                last[strategy, name] = at.now_ns
        assert [text.split(" of order")[0].split()[-1] for text in texts(effects)] == expected


def test_nothing_that_is_near_asks_for_a_wake() -> None:
    at = pair(order_quantity_nanos_max=10 * NANOS)
    effects = bought(at, 9 * NANOS)
    assert texts(effects)
    assert not of(effects, fx.WakeAt)
    assert Kernel.restored(at.kernel.snapshot()).digest() == at.kernel.digest()
