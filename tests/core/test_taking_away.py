"""Foreign orders that come after a halt go where the halt would have cancelled them, and are told.

A halt judges what works together; so is what comes after it, whoever's is there.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core import taking_away
from fuseboard.core.kernel import Kernel
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.by_hand import HAND, ByHand, by_hand, cancelled, fill_by_hand, told
from tests.core.test_known_failures import submitted
from tests.core.test_stops import stop as strategys_stop


def stop(shares: int = 10, number: int = 1) -> facts.ForeignOrderSeen:
    return by_hand(Side.SELL, shares, limit=None, stop=240, broker_id=f"h{number}")


def leaving(shares: int = 10, number: int = 1) -> facts.ForeignOrderSeen:
    return by_hand(Side.SELL, shares, limit=300, broker_id=f"h{number}")


# --- judged together ------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [HaltLevel.HALT, HaltLevel.FREEZE])
@pytest.mark.parametrize("scope", ["account", "symbol:AAPL"])
def test_stops_that_come_after_a_halt_stay_as_far_as_something_is_held(
    level: HaltLevel, scope: str
) -> None:
    desk = ByHand(held=10)
    desk.halts(level, scope)
    assert cancelled(desk.take(stop(6, 1))) == []
    assert cancelled(desk.take(stop(5, 2))) == ["h2"], "alone it would fit"
    assert cancelled(desk.take(stop(4, 3))) == [], "what is asked to go does not count"
    assert cancelled(desk.take(stop(1, 4))) == ["h4"]


def test_a_strategys_stop_that_a_halt_keeps_counts() -> None:
    desk = ByHand()
    desk.buys(10)
    strategys_stop(desk, 10)
    assert desk.halts() == []
    assert cancelled(desk.take(stop())) == ["h1"]


def test_a_stop_beside_an_exit_by_hand_that_stays_is_one_too_many() -> None:
    desk = ByHand(held=10)
    desk.halts()
    assert cancelled(desk.take(leaving(7, 1))) == []
    assert cancelled(desk.take(stop(4, 2))) == ["h2"]
    assert cancelled(desk.take(stop(3, 3))) == []


def test_what_works_on_the_other_side_or_elsewhere_takes_no_stop_away() -> None:
    desk = ByHand()
    desk.buys(10)
    desk.order(Side.BUY, NANOS, strategy="beta")
    desk.take(by_hand(Side.SELL, 10, broker_id="msft", symbol="MSFT"))
    desk.order(Side.SELL, NANOS)
    desk.halts(HaltLevel.FLATTEN, "strategy:alpha")  # what alpha works is asked to go first
    assert cancelled(desk.take(stop())) == []


def test_a_stop_that_comes_beside_a_plans_close_is_one_too_many() -> None:
    desk = ByHand(held=10)
    desk.halts(HaltLevel.FLATTEN)
    (leg,) = [effect for effect in desk.said if isinstance(effect, fx.ReadLeg)]
    effects = desk.take(
        facts.LegRead(
            trip=leg.trip, symbol="AAPL", attempt=leg.attempt, position_nanos=10 * NANOS,
            against_nanos=0,
        )
    )  # fmt: skip
    assert submitted(effects)
    assert cancelled(desk.take(stop())) == ["h1"]


COMES = st.lists(
    st.tuples(st.sampled_from([stop, leaving]), st.integers(1, 12)), min_size=1, max_size=8
)


@given(before=COMES, after=COMES, held=st.integers(0, 12))
def test_whatever_comes_after_a_halt_what_stays_takes_no_position_through_zero(
    before: list[tuple[object, int]], after: list[tuple[object, int]], held: int
) -> None:
    desk = ByHand(held=held)
    for number, (kind, shares) in enumerate([*before, *after]):
        if number == len(before):
            desk.halts()
        desk.take(kind(shares, number))  # type: ignore[operator]
    book = desk.kernel._state.book
    stays = [order for order in book.working_orders() if not order.cancel_wanted]
    for order in stays:
        shares = order.quantity_nanos // NANOS
        assert order.broker_order_id is not None
        desk.take(fill_by_hand(shares, shares, broker_id=order.broker_order_id, final=True))
    assert desk.position() >= 0


# --- killed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["account", "symbol:AAPL"])
@pytest.mark.parametrize("comes", [stop(), leaving(), by_hand()])
def test_in_a_killed_scope_everything_that_is_adopted_goes_and_after_a_start_too(
    scope: str, comes: facts.ForeignOrderSeen
) -> None:
    desk = ByHand(held=10)
    desk.halts(HaltLevel.KILL, scope)
    effects = desk.take(comes)
    assert cancelled(effects) == ["h1"]
    assert "KILLED: nothing stays" in told(effects)[0]
    assert cancelled(desk.comes_back()) == ["h1"]
    assert cancelled(desk.take(comes)) == [], "it is asked for already"


def kept_in_a_kill(desk: ByHand) -> None:
    """A state of a release that kept what came after a kill."""
    desk.halts(HaltLevel.KILL)
    desk.take(stop())
    desk.kernel._state.book.orders[HAND].cancel_wanted = False


def test_a_start_takes_away_what_an_older_state_kept_in_a_killed_scope() -> None:
    desk = ByHand(held=10)
    kept_in_a_kill(desk)
    assert cancelled(desk.comes_back()) == ["h1"]


def test_a_start_leaves_in_a_halt_what_the_halt_left() -> None:
    desk = ByHand(held=10)
    desk.take(stop())
    desk.halts()
    assert cancelled(desk.comes_back()) == []
    assert cancelled(desk.take(stop())) == [], "told of again, it reduces still"


def test_a_kill_of_another_scope_leaves_it() -> None:
    desk = ByHand(held=10)
    desk.halts(HaltLevel.KILL, "symbol:MSFT")
    assert cancelled(desk.take(stop())) == []


def test_one_that_was_given_up_and_works_again_is_judged_again() -> None:
    desk = ByHand(held=10)
    desk.take(stop())
    desk.take(facts.OrderNotSent(order_id=HAND, reason=Reason.NEVER_ARRIVED))
    desk.halts()
    desk.take(stop(number=2))
    effects = desk.take(stop())
    assert cancelled(effects) == ["h1"], "another protects by now"
    assert "still works: cancelled, because account is HALTED" in told(effects)[0]


# --- told -----------------------------------------------------------------------------------------


def test_people_hear_of_each_one_and_why_it_goes_or_stays() -> None:
    desk = ByHand(held=10)
    desk.halts()
    (text,) = told(desk.take(stop(10, 1)))
    assert text == (
        "AAPL: order by-hand-h1 at the broker was not placed through the gateway: adopted;"
        " it stays, because it reduces, and account is HALTED"
    )
    (text,) = told(desk.take(stop(10, 2)))
    assert text == (
        "AAPL: order by-hand-h2 at the broker was not placed through the gateway: adopted;"
        " cancelled, because account is HALTED, and beside what works there it opens"
    )


def test_a_flood_is_told_one_by_one_up_to_a_number_and_then_as_a_number() -> None:
    desk = ByHand(held=1)
    desk.halts()
    texts = []
    for number in range(taking_away.TOLD_MAX + 5):
        texts += told(desk.take(by_hand(shares=1, broker_id=f"h{number}")))
    assert len(texts) == taking_away.TOLD_MAX
    desk.take(stop(1, 99))
    assert desk.kernel.snapshot() == Kernel.restored(desk.kernel.snapshot()).snapshot()
    (text,) = [text for text in told(desk.passes(61)) if "more foreign orders" in text]
    assert "stopped: 5 of them are cancelled, the others reduce" in text
    assert text.startswith("6 ")
    assert "more foreign" not in " ".join(told(desk.passes(61))), "once"
    texts = []
    for number in range(taking_away.TOLD_MAX + 5):
        texts += told(desk.take(by_hand(shares=1, broker_id=f"later{number}")))
    assert len(texts) == taking_away.TOLD_MAX, "a new minute"


def test_where_nothing_is_stopped_they_are_told_once_a_minute_as_before() -> None:
    desk = ByHand()
    assert told(desk.take(by_hand(shares=1, broker_id="h1")))
    assert not told(desk.take(by_hand(shares=1, broker_id="h2")))
