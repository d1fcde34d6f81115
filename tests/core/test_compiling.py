"""A policy is compiled once for each text; what comes back judges by the same as before."""

import pytest
from msgspec.structs import replace

from fuseboard.core import compiling
from fuseboard.core.kernel import Kernel
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary.money import NANOS
from tests.core.test_adoption import by_ann
from tests.core.test_dynamic_limits import PANIC, STORM, calm, vix


@pytest.mark.parametrize("points", [20, 31, 51])
def test_a_kernel_that_comes_back_judges_by_what_the_dynamic_limits_left(points: int) -> None:
    desk = calm(STORM, PANIC)
    vix(desk, points)
    before, after = desk.kernel._turn, Kernel.restored(desk.kernel.snapshot())._turn
    for one, other in (
        (before.active, after.active),
        (before.reduced_active, after.reduced_active),
    ):
        assert one.limits == other.limits
        assert one.opening == other.opening
        assert one.reducing == other.reducing
        assert one.others == other.others
    assert before.watched == after.watched
    assert before.watchlist == after.watchlist
    assert before.gate.tags == after.gate.tags


def test_kernels_of_one_policy_share_what_is_frozen_and_have_bounds_of_their_own() -> None:
    desk = calm(STORM)
    one, other = (Kernel.restored(desk.kernel.snapshot())._turn for _ in range(2))
    assert one.policy is other.policy
    for mine, theirs in (
        (one.active, other.active),
        (one.reduced_active, other.reduced_active),
    ):
        mine.bounds.follow(7 * NANOS, 1)
        assert theirs.bounds.equity_attos is None
    again = Kernel.restored(desk.kernel.snapshot())._turn
    assert again.active.bounds.equity_attos is None


def test_an_empty_text_is_no_policy_though_a_state_without_one_has_the_default() -> None:
    assert Kernel()._turn.policy == Policy()
    nothing = replace(by_ann(Policy()), text="", digest=digest_of(""))
    assert "this is no policy" in Kernel().adoption_refusal(nothing)


def test_only_so_many_texts_are_remembered() -> None:
    for number in range(compiling.POLICIES_MAX + 1):
        compiling.compiled(canonical_text(Policy(name=f"p{number}")))
    assert compiling.compiled.cache_info().currsize == compiling.POLICIES_MAX
