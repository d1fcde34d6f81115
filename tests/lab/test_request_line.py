"""What waits for the broker's request budget without the gate: bounded, each request made once."""

from fuseboard.lab.request_line import LIMITS, RequestLine
from fuseboard.lab.strategy import Place
from fuseboard.runtime.budget import MINUTE_NS, Budget
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side


class Told:
    """A line whose broker takes `orders` at once and `reserved` cancels more."""

    def __init__(self, *, orders: int, reserved: int) -> None:
        self.submitted: list[str] = []
        self.cancelled: list[str] = []
        self.stale: list[tuple[str, int]] = []
        budget = Budget(
            requests_a_minute=orders + reserved, reserved=reserved, randbelow=lambda _below: 0
        )
        self.line = RequestLine(
            budget,
            submit=lambda place, _at_ns: self.submitted.append(place.own_id),
            cancel=lambda own_id, _at_ns: self.cancelled.append(own_id),
            stale=lambda place, at_ns: self.stale.append((place.own_id, at_ns)),
        )

    def place(self, own_id: str, at_ns: int = 0) -> None:
        self.line.place(
            Place(own_id=own_id, symbol="AAA", side=Side.BUY, quantity_nanos=NANOS), at_ns
        )


def test_orders_leave_in_order_and_what_waited_too_long_is_stale_when_its_time_is_over() -> None:
    told = Told(orders=2, reserved=1)
    for own_id in ("a", "b", "c"):
        told.place(own_id)
    told.place("d", NANOS)
    assert told.submitted == ["a", "b"]
    for deadline_ns in (LIMITS.order_wait_ns_max, NANOS + LIMITS.order_wait_ns_max):
        assert told.line.due_ns() == deadline_ns
        told.line.wake(deadline_ns)
    assert told.stale == [("c", 4 * NANOS), ("d", 5 * NANOS)]
    assert told.line.due_ns() is None
    told.place("e", MINUTE_NS - NANOS)
    told.line.wake(MINUTE_NS)
    assert told.submitted == ["a", "b", "e"]


def test_more_orders_than_may_wait_are_stale_at_once() -> None:
    told = Told(orders=1, reserved=1)
    for number in range(LIMITS.orders_waiting_max + 2):
        told.place(str(number))
    assert told.submitted == ["0"]
    assert told.stale == [(str(LIMITS.orders_waiting_max + 1), 0)]


def test_a_cancel_overtakes_orders_and_one_that_waits_is_not_made_twice() -> None:
    told = Told(orders=1, reserved=1)
    told.place("a")
    told.place("b")
    for own_id in ("a", "x", "x", "b"):
        told.line.cancel(own_id, 0)
    assert told.cancelled == ["a"], "the reserve"
    told.line.annihilated("b")
    told.line.wake(10 * MINUTE_NS)
    told.line.wake(20 * MINUTE_NS)
    assert told.cancelled == ["a", "x", "b"]
    assert told.line.annihilated("b") is None
    assert told.submitted == ["a"]
