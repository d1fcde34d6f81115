"""A limit of one order that moves is said at each new end, once, and at most once a minute."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fuseboard.core.order_limits import QUIET_NS, SAID_EVERY_NS
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.postures import Posture
from tests.core.test_dynamic_limits import later, rule, vix
from tests.core.test_known_failures import Desk
from tests.core.test_nearness_rows import texts
from tests.core.test_order_limits import adopt, begin_again, bought, pair, slowly, wait


def with_limit(at: Desk, shares: int, policy: Policy | None = None) -> None:
    """A person adopts another limit of an order's quantity."""
    rules = policy or at.kernel._turn.policy
    limits = replace(rules.limits, order_quantity_nanos_max=shares * NANOS)
    adopt(at, replace(rules, limits=limits))


def tightened_by_a_person() -> None:
    at = pair(order_quantity_nanos_max=100 * NANOS)
    assert len(texts(bought(at, 90 * NANOS))) == 1
    wait(at, QUIET_NS // 4)
    assert texts(bought(at, 45 * NANOS)) == []
    with_limit(at, 50)
    (text,) = texts(bought(at, 49 * NANOS))
    assert "is 49, 98.00% of its limit 50 " in text
    for _ in range(20):
        wait(at, QUIET_NS // 2)
        assert texts(bought(at, 49 * NANOS)) == [], "once"


def test_an_order_near_a_limit_that_a_person_tightened_is_said_once() -> None:
    tightened_by_a_person()
    with pytest.MonkeyPatch.context() as patch:
        slowly(patch)
        tightened_by_a_person()


def test_an_order_near_a_floor_that_a_person_raised_is_said_once() -> None:
    at = pair(price_floor_nanos=80 * NANOS)
    assert len(texts(bought(at))) == 1
    wait(at, SAID_EVERY_NS)
    rules = at.kernel._turn.policy
    adopt(at, replace(rules, limits=replace(rules.limits, price_floor_nanos=90 * NANOS)))
    assert len(texts(bought(at))) == 1
    assert texts(bought(at)) == []


def said_of_a_storm_that_comes_and_goes(*weathers: tuple[int, int]) -> list[str]:
    """The limits told of while the index and the orders go to and fro for an hour."""
    storm = rule("storm", "vix > 30", order_quantity_nanos_max=50 * NANOS)
    at = pair(Policy(dynamic_limits=(storm,)), order_quantity_nanos_max=100 * NANOS)
    told: list[str] = []
    for points, shares in weathers * 30:
        vix(at, points)
        later(at, 1)
        wait(at, 11 * NANOS)
        later(at, 0)
        wait(at, SAID_EVERY_NS)
        at.take(facts.PositionsSeen(positions=()))
        told += texts(bought(at, shares * NANOS))
    return [text.partition(" (")[0].split()[-1] for text in told]


def test_a_dynamic_limit_that_goes_in_and_out_is_said_at_either_end_once() -> None:
    calm, storm = (20, 90), (31, 45)
    assert said_of_a_storm_that_comes_and_goes(calm, storm) == ["100", "50"]
    assert said_of_a_storm_that_comes_and_goes(storm, calm) == ["50", "100"]


def test_a_posture_that_halves_a_limit_is_said_when_the_minute_is_over() -> None:
    at = pair(order_quantity_nanos_max=10 * NANOS)
    assert len(texts(bought(at, 9 * NANOS))) == 1
    for gap_ns, news in ((SAID_EVERY_NS - NANOS, 0), (NANOS, 1)):
        wait(at, gap_ns)
        at.kernel._state.postures = {"strategy:alpha": Posture.REDUCED}
        assert len(texts(bought(at, 5 * NANOS))) == news


def test_what_was_said_in_an_hour_that_is_over_is_forgotten() -> None:
    at = pair(order_quantity_nanos_max=10 * NANOS)
    for shares in (10, 100):
        with_limit(at, shares)
        wait(at, SAID_EVERY_NS)
        assert len(texts(bought(at, shares * NANOS))) == 1
    wait(at, QUIET_NS)
    assert len(texts(bought(at, 100 * NANOS))) == 1
    with_limit(at, 10)
    wait(at, SAID_EVERY_NS)
    assert len(texts(bought(at, 10 * NANOS))) == 1, "said before that hour"


def test_an_earlier_clock_counts_the_minute_anew() -> None:
    at = pair(order_quantity_nanos_max=10 * NANOS)
    at.now_ns += 30 * QUIET_NS
    wait(at, 0)
    assert len(texts(bought(at, 9 * NANOS))) == 1
    at.now_ns = NANOS  # the machine was started anew
    begin_again(at)
    with_limit(at, 5)
    wait(at, SAID_EVERY_NS)
    assert len(texts(bought(at, 5 * NANOS))) == 1


MOVES = st.lists(
    st.tuples(
        st.sampled_from((10, 20, 40, 50, 100)),
        st.sampled_from((Fraction(1, 2), Fraction(3, 4), Fraction(4, 5), Fraction(1))),
        st.sampled_from((NANOS, SAID_EVERY_NS // 2, SAID_EVERY_NS, QUIET_NS // 2, QUIET_NS)),
    ),
    max_size=25,
)


@given(MOVES)
def test_any_moves_of_a_limit_are_said_as_an_independent_model_says_them(
    moves: list[tuple[int, Fraction, int]],
) -> None:
    at, slow = (pair(order_quantity_nanos_max=100 * NANOS) for _ in range(2))
    policy = at.kernel._turn.policy
    ends: list[int] = []  # the limits that were said since it was quiet
    said_ns = near_ns = at.now_ns - 10 * QUIET_NS
    for limit, share, gap_ns in moves:
        for each in (at, slow):
            with_limit(each, limit, policy)
            wait(each, gap_ns)
        if at.now_ns - near_ns >= QUIET_NS:
            ends = []
        quantity = int(share * limit * NANOS)
        effects = bought(at, quantity)
        with pytest.MonkeyPatch.context() as patch:
            slowly(patch)
            assert bought(slow, quantity) == effects
        is_new = not ends or not min(ends) <= limit <= max(ends)
        may_say = not ends or at.now_ns - said_ns >= SAID_EVERY_NS
        is_said = share >= Fraction(4, 5) and is_new and may_say
        assert bool(texts(effects)) is is_said, (limit, share)
        if is_said:
            ends.append(limit)
            said_ns = at.now_ns
        if is_said or (share >= Fraction(3, 4) and ends and not (is_new and may_say)):
            near_ns = at.now_ns
    assert at.kernel.digest() == slow.kernel.digest()
