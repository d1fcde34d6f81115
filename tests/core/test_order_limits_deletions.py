"""Take one part of the soft limits of one order out, and see that a test notices."""

from collections.abc import Callable

import pytest

from fuseboard.core import judging, order_limits, replacing
from fuseboard.core.checks.quick import _mark, _more, _priced, worst_if_passed
from fuseboard.vocabulary.money import NANOS
from tests.core import test_order_limits as of
from tests.core import test_order_limits_moved as moved
from tests.core.test_nearness_rows import texts
from tests.deletion import fails, without


def test_an_order_that_passes_quickly_is_said_without_leaving_the_quick_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judging, "judge", None)
    for name, told in of.STORIES.items():
        at = of.pair(**told.limits)
        of.quoted(at, told.quote)
        assert len(texts(of.bought(at, **told.at))) == 1, name


def both_ways() -> None:
    for name in of.STORIES:
        of.story(name)
    with pytest.MonkeyPatch.context() as patch:
        of.slowly(patch)
        for name in of.STORIES:
            of.story(name)


def by_table() -> None:
    with pytest.MonkeyPatch.context() as patch:
        of.slowly(patch)
        of.test_it_is_said_again_only_after_an_hour_without_an_order_near_it()


def stale() -> None:
    """What one order was near is not looked at with the next."""
    at = of.pair(order_quantity_nanos_max=10 * NANOS, price_collar_nanos=NANOS // 20)
    of.bought(at, 9 * NANOS)
    of.bought(at, price=104 * NANOS)
    assert at.kernel._turn.near_fields == ["price_collar_nanos"]


@pytest.mark.parametrize(
    ("part", "text", "instead", "test"),
    [
        (order_limits.passed, "order.intent is Intent.OPEN", "True",
         of.test_a_reduction_is_asked_by_none_of_these_limits_and_is_near_none),
        (order_limits.passed, "row.check not in skips", "True",
         of.test_a_replacement_is_said_like_any_order_and_a_calmer_one_is_judged_by_no_limit),
        (order_limits.passed_quickly, "None if turn.policy.checks_off else ", "",
         of.test_orders_that_a_check_did_not_judge_do_not_keep_it_from_being_said_again),
        (order_limits.passed_quickly, "turn.boot_ns - known.near_boot_ns < QUIET_NS", "True",
         of.test_it_is_said_again_only_after_an_hour_without_an_order_near_it),
        (order_limits.passed_quickly, "known.least <= getattr(limits, field)", "True",
         moved.test_an_order_near_a_limit_that_a_person_tightened_is_said_once),
        (order_limits.passed_quickly, " <= known.most", "",
         moved.test_an_order_near_a_floor_that_a_person_raised_is_said_once),
        (order_limits.passed_quickly, "known.near_boot_ns = turn.boot_ns", "pass",
         of.test_it_is_said_again_only_after_an_hour_without_an_order_near_it),
        (order_limits._look, " or row.check in turn.policy.checks_off", "",
         of.test_a_check_that_is_switched_off_has_no_soft_limit),
        (order_limits._look, "0 < used <= whole", "0 < used",
         of.test_an_order_that_two_people_let_pass_a_limit_is_not_near_it),
        (order_limits._look, "NEAR_CLEAR_PERCENT * whole", "80 * whole", by_table),
        (order_limits._look, "100 * used < NEAR_PERCENT * whole", "False", both_ways),
        (order_limits._look, "known.near_boot_ns = turn.boot_ns", "pass", by_table),
        (order_limits._look, "every.get(order.strategy) or {}", "every.get('', {})", by_table),
        (order_limits._is_news, "is_other and ", "", by_table),
        (order_limits._is_news, "known.least <= limit", "True",
         moved.test_an_order_near_a_limit_that_a_person_tightened_is_said_once),
        (order_limits._is_news, "limit <= known.most", "limit",
         moved.test_an_order_near_a_floor_that_a_person_raised_is_said_once),
        (order_limits._is_news, " and turn.boot_ns - known.said_boot_ns >= SAID_EVERY_NS", "",
         moved.test_a_posture_that_halves_a_limit_is_said_when_the_minute_is_over),
        (order_limits._is_news, "_is_quiet(turn, known) or", "",
         of.test_it_is_said_again_only_after_an_hour_without_an_order_near_it),
        (order_limits._said_now, " and not _is_quiet(turn, known)", "",
         moved.test_what_was_said_in_an_hour_that_is_over_is_forgotten),
        (order_limits._said_now, "min(known.least, limit)", "limit",
         moved.test_a_dynamic_limit_that_goes_in_and_out_is_said_at_either_end_once),
        (order_limits._said_now, "max(known.most, limit)", "limit",
         moved.test_a_dynamic_limit_that_goes_in_and_out_is_said_at_either_end_once),
        (order_limits.node_started, "min(known.near_boot_ns, turn.boot_ns)", "known.near_boot_ns",
         of.test_what_was_said_survives_a_restart_and_an_earlier_clock_counts_the_hour_anew),
        (order_limits.node_started, "min(known.said_boot_ns, turn.boot_ns)", "known.said_boot_ns",
         moved.test_an_earlier_clock_counts_the_minute_anew),
        (order_limits._beyond_quote, " or (order.asked and order.asked.limit_price_nanos is None)",
         "", of.test_a_price_that_liquidity_gave_an_order_is_no_price_of_its_strategy),
        (judging.order_requested, "turn.near_order is order", "False", both_ways),
        (judging.order_requested, "order_limits.passed(", "(", both_ways),
        (replacing._accept, "order_limits.passed(", "(",
         of.test_a_replacement_is_said_like_any_order_and_a_calmer_one_is_judged_by_no_limit),
        (_mark, "turn.near_fields = []", "pass", stale),
        (worst_if_passed, "bounds.order_nanos_near", "10**30", both_ways),
        (worst_if_passed, "bounds.order_attos_near", "10**40", both_ways),
        (_priced, "(limit_nanos - ask_nanos) * _HUNDRED_NANOS", "-1", both_ways),
        (_priced, "(bid_nanos - limit_nanos) * _HUNDRED_NANOS", "-1", both_ways),
        (_more, "lowest_nanos <= bounds.floor_nanos_near", "False", both_ways),
        (_more, '_mark(turn, order, "order_volume_share_nanos_max")', "pass", both_ways),
    ],
)  # fmt: skip
def test_without_a_part_of_it_a_test_fails(
    monkeypatch: pytest.MonkeyPatch,
    part: Callable[..., object],
    text: str,
    instead: str,
    test: Callable[[], object],
) -> None:
    test()
    without(monkeypatch, part, text, instead)
    assert fails(test), "nothing noticed"
