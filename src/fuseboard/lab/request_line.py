"""Where the orders and cancels of a strategy without the gate wait for the broker's request budget.

The same rules as with the gate (`runtime/submits.py`, `runtime/cancels.py`), so that a trial with
the gate and one without differ in the gate and not in what the broker would have taken: a cancel
may use the reserve and overtakes orders, orders start in the order they were wanted in, and one
that could not start within `order_wait_ns_max` is not sent.
"""

from collections.abc import Callable
from typing import Final

from fuseboard.lab.strategy import Place
from fuseboard.runtime.budget import Budget, Ticket
from fuseboard.runtime.submits import SubmitLimits

LIMITS: Final = SubmitLimits()


class _Order(Ticket):
    __slots__ = ("deadline_ns", "place")

    def __init__(self, place: Place, deadline_ns: int) -> None:
        super().__init__(protective=False)
        self.place = place
        self.deadline_ns = deadline_ns


class _Cancel(Ticket):
    __slots__ = ("own_id",)

    def __init__(self, own_id: str) -> None:
        super().__init__(protective=True)
        self.own_id = own_id


class RequestLine:
    """`submit` and `cancel` get what may start now; `stale` gets an order that is not sent."""

    def __init__(
        self,
        budget: Budget,
        *,
        submit: Callable[[Place, int], None],
        cancel: Callable[[str, int], None],
        stale: Callable[[Place, int], None],
    ) -> None:
        self._budget = budget
        self._submit = submit
        self._cancel = cancel
        self._stale = stale
        self._orders: dict[str, _Order] = {}
        """What waits, by its own id, the oldest first."""
        self._cancels: dict[str, None] = {}
        self._now_ns = 0

    def place(self, place: Place, at_ns: int) -> None:
        """An order wants to leave; it is stale at once where too many wait."""
        if len(self._orders) >= LIMITS.orders_waiting_max:
            self._stale(place, at_ns)
            return
        order = _Order(place, at_ns + LIMITS.order_wait_ns_max)
        self._orders[place.own_id] = order
        self._budget.ask(order)
        self.wake(at_ns)

    def annihilated(self, own_id: str) -> Place | None:
        """Take an order out that waits; None when it does not."""
        order = self._orders.pop(own_id, None)
        if order is None:
            return None
        self._budget.withdraw(order)
        return order.place

    def cancel(self, own_id: str, at_ns: int) -> None:
        """A cancel wants to leave; one that waits already is not sent twice."""
        if own_id in self._cancels:
            return
        self._cancels[own_id] = None
        self._budget.ask(_Cancel(own_id))
        self.wake(at_ns)

    def wake(self, now_ns: int) -> None:
        """Time has passed: what waited too long is stale, what may start starts."""
        self._now_ns = now_ns
        late = [order for order in self._orders.values() if order.deadline_ns <= now_ns]
        for order in late:
            self.annihilated(order.place.own_id)
            self._stale(order.place, now_ns)
        for ticket in self._budget.granted(now_ns):
            if isinstance(ticket, _Order):
                del self._orders[ticket.place.own_id]
                self._submit(ticket.place, now_ns)
            elif isinstance(ticket, _Cancel):
                del self._cancels[ticket.own_id]
                self._cancel(ticket.own_id, now_ns)

    def due_ns(self) -> int | None:
        """When `wake` next has something to do; None while nothing waits."""
        wait_ns = self._budget.wait_ns(self._now_ns)
        if wait_ns is None:
            return None
        due_ns = self._now_ns + wait_ns
        oldest = next(iter(self._orders.values()), None)
        return due_ns if oldest is None else min(due_ns, oldest.deadline_ns)
