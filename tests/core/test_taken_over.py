"""What a person's reset took over with a position is no news when the activity feed tells it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core import drop_copy
from fuseboard.core.kernel import Kernel
from fuseboard.core.outgoing import ACCOUNT_READ_EVERY_NS
from fuseboard.policy.policy import canonical_text, digest_of
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.orders import Severity, Side
from fuseboard.vocabulary.postures import Posture
from tests.core.compared import Compared, policy_of, stages
from tests.core.test_known_failures import SECOND

BROKER_NS = 1_000_000 * NANOS
"""The broker's clock before the positions were read that the reset takes over; no clock of ours."""
OLD_NS = BROKER_NS - drop_copy.TAKEN_NS
"""The newest execution that is surely in them."""


def reset(desk: Compared) -> tuple[fx.Effect, ...]:
    desk.answers = False  # the positions were read: these stand
    return desk.take(
        OperatorResetRequested(request=9, operator="ann", reason="seen", scope="account")
    )


def taken_over(*, held: int = 3, after_broker_ns: int = BROKER_NS) -> Compared:
    """A stranger bought; the positions were read; a person has reset before the feed told of it."""
    desk = Compared()
    desk.positions(held, after_broker_ns=after_broker_ns)
    assert desk.standing() == ["position AAPL"]
    reset(desk)
    assert desk.standing() == []
    assert desk.held_nanos() == held * NANOS
    return desk


def told_later(desk: Compared) -> tuple[list[str], list[str]]:
    """What stands, and what people were told, once the feed was read and it had its time."""
    before = len(desk.said)
    desk.reading()
    desk.passes(11)
    said = [at for at in desk.said[before:] if isinstance(at, fx.RaiseAlert)]
    return desk.standing(), [at.text for at in said if at.severity is Severity.INFO]


def test_a_fill_that_the_reset_took_over_is_told_and_wants_no_second_reset() -> None:
    desk = taken_over()
    desk.tells("twin", 3, event_ns=OLD_NS)
    standing, said = told_later(desk)
    assert standing == []
    assert desk.posture() is Posture.OPEN
    assert said == [
        "the reset took over fills that the activity feed tells only now: AAPL buy 3, order twin"
    ]
    assert desk.kernel._state.copy.apart == {}
    assert desk.held_nanos() == 3 * NANOS, "it is in the position already"


def test_the_same_over_a_restart() -> None:
    desk = taken_over()
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.tells("twin", 3, event_ns=OLD_NS)
    assert told_later(desk)[0] == []


def test_a_fill_that_the_feed_told_within_the_half_second_before_is_taken_over_too() -> None:
    desk = Compared()
    desk.tells("twin", 3, event_ns=OLD_NS)
    desk.passes(30)
    desk.positions(3, after_broker_ns=BROKER_NS)
    desk.feed()
    assert desk.standing() == ["position AAPL"], "half a second is not over"
    reset(desk)
    desk.passes(2)
    assert desk.standing() == []
    assert desk.posture() is Posture.OPEN


@pytest.mark.parametrize(
    ("why", "event_ns", "symbol", "clock_ns"),
    [
        ("it was executed after the reading", BROKER_NS + 1, "AAPL", BROKER_NS),
        ("in the same second", BROKER_NS, "AAPL", BROKER_NS),
        ("less than the margin before it", OLD_NS + 1, "AAPL", BROKER_NS),
        ("a position that nobody took over", OLD_NS, "TSLA", BROKER_NS),
        ("the broker told no clock", OLD_NS, "AAPL", 0),
    ],
)
def test_a_fill_that_may_not_be_in_it_is_a_discrepancy_as_ever(
    why: str, event_ns: int, symbol: str, clock_ns: int
) -> None:
    desk = taken_over(after_broker_ns=clock_ns)
    desk.tells("twin", 3, event_ns=event_ns, symbol=symbol)
    assert told_later(desk) == (["fill twin"], []), why
    assert desk.posture() is Posture.REDUCE_ONLY


def test_a_part_of_an_order_that_came_later_keeps_all_of_it_apart() -> None:
    desk = taken_over()
    desk.tells("twin", 3, event_ns=OLD_NS)
    desk.tells("twin", 4, filled=7, event_ns=BROKER_NS + 1)
    assert told_later(desk)[0] == ["fill twin"]


def test_a_fill_of_an_order_of_ours_is_never_counted_so() -> None:
    desk = Compared()
    order = desk.working("b1")
    desk.positions(10, after_broker_ns=BROKER_NS)
    for _ in range(6):  # with an order at work it is looked at again
        desk.passes(1)
        desk.found(order, "b1", 0)
        desk.positions(10, after_broker_ns=BROKER_NS)
    reset(desk)
    assert list(desk.kernel._state.copy.taken) == ["AAPL"]
    desk.tells("b1", 10, event_ns=OLD_NS)
    assert told_later(desk)[0] == ["fill b1"], "the order itself is asked, as ever"


def test_an_order_whose_id_is_not_known_yet_may_be_whose_it_is() -> None:
    desk = taken_over()
    desk.order(Side.BUY, 3 * NANOS)
    desk.tells("b1", 3, event_ns=OLD_NS)
    assert told_later(desk)[0] == ["fill b1"]


def test_what_the_feed_tells_minutes_after_the_reset_is_a_discrepancy_as_ever() -> None:
    desk = taken_over()
    for _ in range(drop_copy.TAKEN_FOR_NS // (30 * SECOND)):
        desk.reading()
    desk.tells("twin", 3, event_ns=OLD_NS)
    assert told_later(desk)[0] == ["fill twin"]


def test_what_may_be_booked_by_a_strangers_order_is_not_counted_beside_it() -> None:
    desk = taken_over()
    text = canonical_text(policy_of(foreign_orders="adopt"))
    desk.take(
        facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="by hand")
    )
    desk.tells("twin", 3, event_ns=OLD_NS)
    assert told_later(desk)[0] == ["fill twin"]


def test_a_policy_that_corrects_excuses_nothing() -> None:
    desk = Compared(policy_of(auto_correct=True))
    desk.positions(3, after_broker_ns=BROKER_NS)
    desk.tells("twin", 3, event_ns=OLD_NS)
    assert "fill twin" in told_later(desk)[0]


def test_a_position_that_differs_is_read_again_with_the_brokers_clock() -> None:
    desk = Compared()
    desk.positions(3)
    asked = [at for at in desk.passes(3) if isinstance(at, fx.ReadAccount)]
    asked += [at for at in desk.passes(3) if isinstance(at, fx.ReadAccount)]
    assert asked == [fx.ReadAccount(positions=True, timed=True)]
    desk.positions(3, after_broker_ns=BROKER_NS)
    assert ACCOUNT_READ_EVERY_NS >= drop_copy.TAKEN_NS, "by then a fill is older than the clock"
    again = [at for at in desk.passes(6) if isinstance(at, fx.ReadAccount)]
    assert [at.positions for at in again] == [False], "twice, and then on its schedule"
    reset(desk)
    desk.positions(3)
    asked = [at for at in desk.passes(31) if isinstance(at, fx.ReadAccount) and at.positions]
    assert asked == [fx.ReadAccount(positions=True)], "of what agrees no clock is asked for"


@given(st.integers(-4 * NANOS, NANOS), st.integers(0, 3), st.sampled_from(["AAPL", "TSLA"]))
def test_only_what_is_older_by_the_margin_and_of_the_symbol_is_counted(
    apart_ns: int, told: int, symbol: str
) -> None:
    desk = taken_over()
    for number in range(told):
        desk.tells(f"t{number}", 1, event_ns=BROKER_NS + apart_ns, symbol=symbol)
    standing, _ = told_later(desk)
    counted = symbol == "AAPL" and apart_ns <= -drop_copy.TAKEN_NS
    assert standing == ([] if counted else [f"fill t{number}" for number in range(told)])
    assert (desk.posture() is Posture.OPEN) == (not standing)


def test_no_more_positions_are_remembered_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_copy, "TAKEN_MAX", 1)
    desk = Compared()
    positions = tuple(
        facts.BrokerPosition(
            symbol=symbol, quantity_nanos=NANOS, average_price_nanos=NANOS, price_nanos=NANOS
        )
        for symbol in ("AAPL", "TSLA")
    )
    desk.take(facts.PositionsSeen(positions=positions, after_broker_ns=BROKER_NS))
    assert stages(reset(desk))
    assert list(desk.kernel._state.copy.taken) == ["TSLA"]
