"""The desk with the gate: intents are requests to the intake, and what the strategy is told comes
from the outlet's answers and views, as it would from a gateway.
"""

from collections.abc import Callable
from typing import Final

from fuseboard.exchange.direct import DirectBroker, DirectFeed
from fuseboard.exchange.exchange import Exchange
from fuseboard.exchange.halts import StatusTold
from fuseboard.exchange.orders import OrderEvent
from fuseboard.feeds.tapes.tape import TapeQuote, TapeTrade
from fuseboard.lab.chronicle import Chronicle
from fuseboard.lab.desk import Outcome, never_placed, used_twice
from fuseboard.lab.liquidating import Liquidating
from fuseboard.lab.signals import StrategyFailed
from fuseboard.lab.strategy import Cancel, End, Fill, Place
from fuseboard.runtime.intake import Intake
from fuseboard.vocabulary.effects import (
    AnswerDenied,
    AnswerOrder,
    Effect,
    PublishOrder,
    PublishPosture,
    SubmitOrder,
)
from fuseboard.vocabulary.evidence_effects import RecordPlan, RecordTransition
from fuseboard.vocabulary.identifiers import (
    ACCOUNT_SCOPE,
    OrderIds,
    order_id_of_wire_id,
    strategy_scope,
    symbol_scope,
    trip_id,
)
from fuseboard.vocabulary.inputs import CancelRequested, OrderRequested
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordLiquidity, RecordShaping, RecordTier
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, Intent, OrderStatus, TimeInForce
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import SENTENCES, Reason

INSTANCE: Final = "lab00000"
ACCOUNT: Final = "lab"
_NOT_FILLED: Final = TERMINAL_STATUSES - {OrderStatus.FILLED}
_AT_ONCE: Final = (TimeInForce.IOC, TimeInForce.FOK)
_HOW: Final = {OrderStatus.EXPIRED: "expired", OrderStatus.CANCELED: "canceled"}


class GatedDesk:
    """The gateway's part of one strategy, in process; a view and a pager of the outlet."""

    def __init__(
        self,
        *,
        strategy: str,
        intake: Intake,
        exchange: Exchange,
        feed: DirectFeed,
        chronicle: Chronicle,
        liquidating: Liquidating,
        quotes: Callable[[], dict[str, TapeQuote]],
        now_ns: Callable[[], int],
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._strategy = strategy
        self._ids = OrderIds(instance=INSTANCE, account=ACCOUNT)
        self._intake = intake
        self.broker = DirectBroker(exchange, INSTANCE, now_ns, hears=self._hear)
        self._feed = feed
        self._chronicle = chronicle
        self._liquidating = liquidating
        self._quotes = quotes
        self._now_ns = now_ns
        self._requests = 0
        self._asked: dict[int, Place] = {}
        self._places: dict[str, Place] = {}
        """By our order id; taken out when the order is over, so that its end is told once."""
        self._unanswered: dict[str, None] = {}
        self._used: dict[str, None] = {}
        self._own: dict[str, None] = {}
        """All our order ids: every other order at the exchange is a plan's."""
        self._shaped: dict[str, RecordShaping] = {}
        self._sent_nanos: dict[str, int] = {}
        self._cancelled: dict[str, None] = {}
        """Orders that the strategy asked to cancel."""
        self._stopped: dict[str, None] = {}
        """Scopes whose posture keeps anything from opening."""
        self._ways: dict[type, Callable[..., None]] = {
            SubmitOrder: self._submitted,
            AnswerOrder: self._allowed,
            AnswerDenied: self._denied,
            PublishOrder: self._published,
            RecordShaping: self._reshaped,
            RecordTier: self._tier,
            RecordLiquidity: self._silence,
            RecordPlan: self._plan,
            RecordTransition: self._transition,
            PublishPosture: self._posture,
        }

    # --- what the world tells --------------------------------------------------------------------

    def show_quote(self, quote: TapeQuote) -> None:
        """To the feed."""
        self._feed.show_quote(quote)

    def show_trade(self, trade: TapeTrade) -> None:
        """To the feed."""
        self._feed.show_trade(trade)

    def show_status(self, told: StatusTold) -> None:
        """To the feed."""
        self._feed.show_status(told)

    def pump(self) -> None:
        """To the broker's stream."""
        self.broker.pump()

    def _hear(self, event: OrderEvent) -> None:
        order_id = order_id_of_wire_id(INSTANCE, event.order.ticket.client_order_id)
        self._chronicle.order_event(event, plan=order_id not in self._own)

    # --- what the strategy wants -----------------------------------------------------------------

    def place(self, place: Place, at_ns: int) -> None:
        """Ask the gate."""
        if place.own_id in self._used:
            raise StrategyFailed(used_twice(place))
        self._used[place.own_id] = None
        self._chronicle.count("submitted")
        self._requests += 1
        order_id = self._ids.order_id(self._strategy, place.own_id)
        self._own[order_id] = None
        taken = self._intake.offer(
            OrderRequested(
                request=self._requests,
                strategy=self._strategy,
                client_order_id=place.own_id,
                symbol=place.symbol,
                side=place.side,
                order_type=place.order_type,
                time_in_force=place.time_in_force,
                quantity_nanos=place.quantity_nanos,
                limit_price_nanos=place.limit_price_nanos,
                stop_price_nanos=place.stop_price_nanos,
            )
        )
        if taken:
            self._asked[self._requests] = place
            self._places[order_id] = place
            self._unanswered[order_id] = None
            return
        text = "the intake is full: too many orders wait"
        code = Reason.RATE_LIMITED.value
        self._chronicle.denied(place, at_ns, "refused", code=code, text=text)
        self._end(place, "denied", code=code, message=text)

    def cancel(self, cancel: Cancel, at_ns: int) -> None:
        """Ask the gate to cancel."""
        del at_ns
        if cancel.own_id not in self._used:
            raise StrategyFailed(never_placed(cancel))
        self._chronicle.count("cancels")
        self._requests += 1
        order_id = self._ids.order_id(self._strategy, cancel.own_id)
        self._cancelled[order_id] = None
        self._intake.offer(
            CancelRequested(request=self._requests, strategy=self._strategy, order_id=order_id)
        )

    # --- what the gate says ----------------------------------------------------------------------

    def apply(self, effect: Effect) -> None:
        """One effect that left."""
        way = self._ways.get(type(effect))
        if way is not None:
            way(effect)

    def page(self, severity: str, code: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        """One alert."""
        del age_ns
        self._chronicle.note(self._now_ns(), "alert", code=code, text=f"{severity} {scope}: {text}")

    def _submitted(self, order: SubmitOrder) -> None:
        if order.strategy == self._strategy:
            self._sent_nanos[order.order_id] = order.limit_price_nanos or 0

    def _reshaped(self, shaping: RecordShaping) -> None:
        if shaping.order_id in self._places:
            self._shaped[shaping.order_id] = shaping

    def _allowed(self, answer: AnswerOrder) -> None:
        place = self._asked.pop(answer.request, None)
        if place is None:
            return
        self._unanswered.pop(answer.order_id, None)
        shaping = self._shaped.pop(answer.order_id, None)
        price_nanos = self._sent_nanos.pop(answer.order_id, 0)
        at_ns = self._now_ns()
        if shaping is not None and shaping.quantity_nanos < shaping.asked_quantity_nanos:
            self._chronicle.count("allowed")
            self._chronicle.placed(place, at_ns, "resized", price_nanos=price_nanos)
            return
        if shaping is not None:
            self._chronicle.count("repriced")
        self._chronicle.placed(place, at_ns, "allowed", price_nanos=price_nanos)

    def _denied(self, answer: AnswerDenied) -> None:
        place = self._asked.pop(answer.request, None)
        if place is None:
            return
        order_id = self._ids.order_id(self._strategy, place.own_id)
        self._unanswered.pop(order_id, None)
        self._places.pop(order_id, None)
        self._shaped.pop(order_id, None)
        self._sent_nanos.pop(order_id, None)
        how = "rejected" if answer.reason is Reason.BROKER_REJECTED else "denied"
        text = answer.message or SENTENCES.get(answer.reason, "")
        if answer.observed:
            text = f"{text} ({answer.observed}; limit {answer.limit})"
        code = answer.reason.value
        self._chronicle.denied(place, self._now_ns(), how, code=code, text=text)
        self._end(place, how, code=code, message=text)

    def _published(self, order: PublishOrder) -> None:
        if order.fill_quantity_nanos:
            self._filled(order)
            return
        if order.strategy != self._strategy or order.status not in _NOT_FILLED:
            return
        place = self._places.get(order.order_id)
        if place is None or order.order_id in self._unanswered:
            return  # its denial is told by the answer
        del self._places[order.order_id]
        if self._was_taken_back(order):
            self._chronicle.count("taken_back")
        how = _HOW.get(order.status, "canceled")
        self._end(place, how, filled_nanos=order.filled_quantity_nanos)

    def _was_taken_back(self, order: PublishOrder) -> bool:
        """Whether the gate ended an opening before it was filled, which nobody else did."""
        if order.status is not OrderStatus.CANCELED or order.intent is not Intent.OPEN:
            return False
        at_once = order.time_in_force in _AT_ONCE  # the exchange ends what is left of those
        scopes = ACCOUNT_SCOPE, strategy_scope(self._strategy), symbol_scope(order.symbol)
        stopped = any(scope in self._stopped for scope in scopes)
        return not at_once and not stopped and order.order_id not in self._cancelled

    def _filled(self, order: PublishOrder) -> None:
        is_plan = order.intent is Intent.PLAN
        if is_plan:
            self._liquidating.filled(order)
        elif order.strategy != self._strategy:
            return
        whole = order.filled_quantity_nanos >= order.quantity_nanos
        if whole:
            self._places.pop(order.order_id, None)
        self.outcomes.append(
            Fill(
                symbol=order.symbol,
                at_ns=order.updated_ns,
                own_id="" if is_plan else order.client_order_id,
                side=order.side,
                quantity_nanos=order.fill_quantity_nanos,
                price_nanos=order.fill_price_nanos,
                position_nanos=order.position_nanos,
                whole=whole,
            )
        )

    def _end(
        self, place: Place, how: str, *, code: str = "", message: str = "", filled_nanos: int = 0
    ) -> None:
        self.outcomes.append(
            End(
                symbol=place.symbol,
                at_ns=self._now_ns(),
                own_id=place.own_id,
                how=how,
                code=code,
                message=message,
                filled_nanos=filled_nanos,
            )
        )

    # --- what is written down --------------------------------------------------------------------

    def _tier(self, tier: RecordTier) -> None:
        at_ns = self._now_ns()
        self._chronicle.tier(tier.symbol, at_ns, tier.before, tier.after, tier.score)

    def _silence(self, told: RecordLiquidity) -> None:
        """A symbol that falls silent is in EMERGENCY until it is heard, and then changes tier."""
        if told.silent:
            self._chronicle.tiers.change(told.symbol, self._now_ns(), Tier.EMERGENCY.name)

    def _posture(self, shown: PublishPosture) -> None:
        if shown.posture >= Posture.REDUCE_ONLY:
            self._stopped[shown.scope] = None
        else:
            self._stopped.pop(shown.scope, None)
        at_ns, code = self._now_ns(), shown.reason.value
        self._chronicle.postures.change(shown.scope, at_ns, shown.posture.name, code=code)

    def _transition(self, at: RecordTransition) -> None:
        text = f"{at.fuse} on {at.scope}: {at.before} -> {at.after}"
        if at.after != "TRIGGERED":
            self._chronicle.note(self._now_ns(), "transition", code=at.fuse, text=text)
            return
        self._liquidating.tripped(trip_id(fuse=at.fuse, generation=at.generation), at.scope)
        self._chronicle.tripped(self._now_ns(), at.fuse, text)

    def _plan(self, plan: RecordPlan) -> None:
        at_ns, valuing = self._now_ns(), self._chronicle.valuing
        text = f"{plan.trip}: {plan.stage}"
        self._chronicle.note(at_ns, "plan", code=plan.stage, text=text)
        self._liquidating.stage(
            plan,
            at_ns,
            positions=valuing.positions,
            quotes=self._quotes(),
            marks=valuing.marks,
        )
