"""The way of an order and of a cancel: offered to the intake, then the kernel's answer, in time.

An order that was taken in is never answered with an error of ours: when the answer is late the
caller is shown the order as pending, under the id it will have. If the kernel denies it after all,
the view and the stream then say `rejected`.
"""

import asyncio
import time
from collections.abc import Callable, Iterable

from msgspec import Struct, structs

from fuseboard.gateway.answers import Answers, Waiting
from fuseboard.gateway.doors import IntakeDoor
from fuseboard.gateway.flood import Flood, FloodLimits
from fuseboard.gateway.limits import GatewayLimits
from fuseboard.gateway.symbols import SymbolWatch
from fuseboard.gateway.views import Views, first_view
from fuseboard.vocabulary import identifiers
from fuseboard.vocabulary.effects import (
    AnswerCancel,
    AnswerDenied,
    AnswerOrder,
    PublishOrder,
)
from fuseboard.vocabulary.inputs import (
    CancelRequested,
    OrderRequested,
    ReplaceRequested,
    RequestsThrottled,
)
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, Intent, OrderStatus, Side
from fuseboard.vocabulary.reasons import Reason

OFFER_AGAIN_S = 0.01

Outcome = PublishOrder | AnswerDenied


class Node(Struct, frozen=True, kw_only=True):
    """Whose orders these are: what our order ids are derived from."""

    instance: str
    account: str


class OrderDesk:
    """Takes orders and cancels of authenticated strategies to the kernel and back."""

    def __init__(
        self,
        *,
        node: Node,
        intake: IntakeDoor,
        views: Views,
        symbols: SymbolWatch,
        limits: GatewayLimits,
        numbers: Callable[[], int],
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._node = node
        self._intake = intake
        self._views = views
        self._symbols = symbols
        self._limits = limits
        self._numbers = numbers
        self._wall_ns = wall_ns
        self._orders = Answers(
            waiting_max=limits.orders_waiting_max, wait_s=limits.answer_wait_s, numbers=numbers
        )
        self._cancels = Answers(
            waiting_max=limits.cancels_waiting_max, wait_s=limits.answer_wait_s, numbers=numbers
        )
        self._late: dict[int, PublishOrder] = {}
        self._flood = Flood(
            FloodLimits(
                a_second_max=limits.denials_a_second_max,
                note_every_ns=limits.denials_note_every_ns,
            )
        )

    # --- orders ---------------------------------------------------------------------------------

    async def place(self, order: OrderRequested) -> Outcome:
        """Offer an order once its symbol is watched, and wait for the answer.

        The order's own `request` is replaced by a number that nobody else has.
        """
        if not self._symbols.is_watched(order.symbol):
            if self._views.position(order.strategy, order.symbol) is not None:
                await self._symbols.ready(order.symbol)  # The way out is not to be shut.
            else:
                reason = await self._symbols.admitted(order.symbol, order.strategy)
                if reason is not Reason.ALLOWED:
                    return AnswerDenied(request=0, strategy=order.strategy, reason=reason)
        return await self.finish(self.begin(order))

    async def replace(self, old: PublishOrder, asked: ReplaceRequested) -> Outcome:
        """Offer the replacement of an order that is shown as `old`, and wait for the answer."""
        return await self.finish(self.begin(_whole(old, asked), asked))

    def begin(
        self, order: OrderRequested, replacing: ReplaceRequested | None = None
    ) -> Waiting | AnswerDenied:
        """Offer an order now, without waiting for anything; or what it replaces and how."""
        if self._flood.is_counting and self._held_back(order):
            return AnswerDenied(request=0, strategy=order.strategy, reason=Reason.THROTTLED)
        if len(self._late) >= self._limits.late_orders_max:
            return _full(order)
        waiting = self._orders.open()
        if waiting is None:
            return _full(order)
        waiting.order = structs.replace(order, request=waiting.request)
        fact = waiting.order if replacing is None else replacing
        if not self._intake.offer(structs.replace(fact, request=waiting.request)):
            self._orders.forget(waiting)
            return _full(order)
        return waiting

    async def finish(self, begun: Waiting | AnswerDenied) -> Outcome:
        """The answer to an order that was begun: the order as it is now, or its denial."""
        if isinstance(begun, AnswerDenied):
            return begun
        order = begun.order
        assert order is not None, "only an order that was offered can be answered"
        try:
            answer = await begun.future
        finally:
            self._orders.forget(begun)
        if isinstance(answer, AnswerDenied):
            self._flood.denied(order.strategy, is_reduction=self._reduces(order))
            return answer
        if isinstance(answer, AnswerOrder):
            shown = self._views.order(order.strategy, answer.order_id)
            if shown is not None:
                return shown
            # Too old to be shown: that the id was used before is all that can be said.
            return AnswerDenied(
                request=answer.request,
                strategy=order.strategy,
                reason=Reason.CLIENT_ORDER_ID_REUSED,
            )
        return self._promise(order)

    def _held_back(self, order: OrderRequested) -> bool:
        """Whether a strategy that floods is denied this order by the door; counts and notes it.

        An order that is known already is only asked about again, and is answered as it is.
        """
        strategy = order.strategy
        if not self._flood.is_over(strategy, is_reduction=self._reduces(order)):
            return False
        if self._views.order_by_client_id(strategy, order.client_order_id) is not None:
            return False
        if self.asked(strategy, order.client_order_id) is not None:
            return False
        count = self._flood.note_due(strategy)
        if count is not None:
            note = RequestsThrottled(
                strategy=strategy, count=count, a_second_max=self._limits.denials_a_second_max
            )
            if self._intake.offer(note):
                self._flood.noted(strategy)
        return True

    def _reduces(self, order: OrderRequested | PublishOrder) -> bool:
        """Whether the order, by what is shown, only makes the strategy's position smaller."""
        held = self._views.position(order.strategy, order.symbol)
        if held is None or (held.quantity_nanos > 0) is (order.side is Side.BUY):
            return False
        return order.quantity_nanos <= abs(held.quantity_nanos)

    def asked(self, strategy: str, client_order_id: str) -> OrderRequested | None:
        """An order that was offered under this id and is not answered yet."""
        waiting = self._orders.orders_of(strategy)
        return next((o for o in waiting if o.client_order_id == client_order_id), None)

    def pending(self, strategy: str) -> list[OrderRequested]:
        """The strategy's orders that were offered and are not answered yet."""
        return list(self._orders.orders_of(strategy))

    def _promise(self, order: OrderRequested) -> PublishOrder:
        """What the caller is shown when the answer is late; the view shows the same."""
        our_id = self._order_id(order)
        known = self._views.order(order.strategy, our_id)
        if known is not None:
            return known
        promised = first_view(
            order, order_id=our_id, wire_id="", intent=Intent.OPEN, at_ns=self._wall_ns()
        )
        self._late[order.request] = promised
        self._views.promise(promised)
        return promised

    def _order_id(self, order: OrderRequested) -> str:
        return identifiers.order_id(
            instance=self._node.instance,
            account=self._node.account,
            strategy=order.strategy,
            client_order_id=order.client_order_id,
        )

    # --- cancels --------------------------------------------------------------------------------

    async def cancel(self, strategy: str, order_id: str) -> Reason:
        """Ask the kernel to cancel; `ALLOWED` when the cancel was taken."""
        results = await self.cancel_each(strategy, [order_id])
        return results[order_id]

    async def cancel_all(self, strategy: str) -> dict[str, Reason]:
        """Cancel every open order of the strategy, and those whose answer is still to come."""
        pending = [self._order_id(order) for order in self.pending(strategy)]
        shown = [order.order_id for order in self._views.open_orders(strategy)]
        results = await self.cancel_each(strategy, dict.fromkeys([*shown, *pending]))
        # A pending order may have been denied, or its cancel may have come before it.
        return {
            order_id: reason
            for order_id, reason in results.items()
            if reason is not Reason.ORDER_UNKNOWN or order_id in shown
        }

    async def cancel_each(self, strategy: str, order_ids: Iterable[str]) -> dict[str, Reason]:
        """Offer all cancels before waiting for any; all of them end within one wait."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._limits.answer_wait_s
        begun = [(each, self._begin_cancel(strategy, each)) for each in order_ids]
        results: dict[str, Reason] = {}
        for order_id, waiting in begun:
            again = waiting
            while again is Reason.INTAKE_FULL and loop.time() < until_s:
                await asyncio.sleep(OFFER_AGAIN_S)
                again = self._begin_cancel(strategy, order_id)
            results[order_id] = await self._finish_cancel(strategy, order_id, again)
        return results

    def _begin_cancel(self, strategy: str, order_id: str) -> Waiting | Reason:
        """Offer one cancel. With too many waiting it is offered all the same, unanswered."""
        waiting = self._cancels.open()
        request = self._numbers() if waiting is None else waiting.request
        if self._intake.offer(
            CancelRequested(request=request, strategy=strategy, order_id=order_id)
        ):
            return self._as_shown(strategy, order_id) if waiting is None else waiting
        if waiting is not None:
            self._cancels.forget(waiting)
        return Reason.INTAKE_FULL

    async def _finish_cancel(self, strategy: str, order_id: str, begun: Waiting | Reason) -> Reason:
        if isinstance(begun, Reason):
            return begun
        try:
            answer = await begun.future
        finally:
            self._cancels.forget(begun)
        if isinstance(answer, AnswerCancel | AnswerDenied):
            return answer.reason
        return self._as_shown(strategy, order_id)

    def _as_shown(self, strategy: str, order_id: str) -> Reason:
        """What the view says about a cancel that was taken in and is not answered in time."""
        order = self._views.order(strategy, order_id)
        if order is None:
            return Reason.ORDER_UNKNOWN
        final = order.status in TERMINAL_STATUSES
        return Reason.ORDER_NOT_CANCELABLE if final else Reason.ALLOWED

    # --- answers from the kernel ----------------------------------------------------------------

    def resolve(self, answer: AnswerOrder | AnswerDenied | AnswerCancel) -> PublishOrder | None:
        """Hand an answer on. Returns the order that was promised and is now rejected, if any."""
        if self._orders.resolve(answer) or self._cancels.resolve(answer):
            return None
        promised = self._late.pop(answer.request, None)
        if promised is None or not isinstance(answer, AnswerDenied):
            return None
        self._flood.denied(promised.strategy, is_reduction=self._reduces(promised))
        shown = self._views.order(promised.strategy, promised.order_id)
        if shown is not promised:
            return None  # The kernel has published the order since: it knows better.
        return structs.replace(
            promised,
            status=OrderStatus.REJECTED,
            updated_ns=self._wall_ns(),
            event="rejected",
        )

    def close(self) -> None:
        """End every wait: nothing more will be answered."""
        self._orders.close()
        self._cancels.close()


def _whole(old: PublishOrder, asked: ReplaceRequested) -> OrderRequested:
    """The order that a replacement leads to: what it names, else what the old one has."""
    quantity, limit, stop = asked.quantity_nanos, asked.limit_price_nanos, asked.stop_price_nanos
    whole = old.quantity_nanos if quantity is None else quantity
    return OrderRequested(
        request=0,
        strategy=asked.strategy,
        client_order_id=asked.client_order_id,
        symbol=old.symbol,
        side=old.side,
        order_type=old.order_type,
        time_in_force=asked.time_in_force or old.time_in_force,
        quantity_nanos=max(whole - old.filled_quantity_nanos, 0),
        limit_price_nanos=old.limit_price_nanos if limit is None else limit,
        stop_price_nanos=old.stop_price_nanos if stop is None else stop,
        extended_hours=old.extended_hours,
    )


def _full(order: OrderRequested) -> AnswerDenied:
    return AnswerDenied(request=0, strategy=order.strategy, reason=Reason.INTAKE_FULL)
