"""A second opinion: judges the kernel by its inputs and effects alone, with its own arithmetic."""

from msgspec import Struct

from fuseboard.policy.policy import Policy, policy_from_canonical
from fuseboard.policy.rules import BreakerRule, LossRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import identifiers
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import ResetRule
from fuseboard.vocabulary.evidence_effects import RecordPlan, RecordPolicy, RecordTransition
from fuseboard.vocabulary.market_inputs import QuoteSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorResetRequested
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, Intent, Side
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.records import Record
from tests.core.succession import Promise, Promises

LATCHED = ("TRIGGERED", "COOLING_DOWN", "REDUCE_ONLY", "HALTED", "KILLED", "RECOVERY")
CENT_ATTOS = NANOS * NANOS // 100
"""The broker's average prices are rounded: equity is known to a cent only."""
NEW_RISK_REASONS = (
    Reason.POSTURE_REDUCE_ONLY,
    Reason.ORDER_RATE,
    Reason.QUOTE_MISSING,
    Reason.PRICE_COLLAR,
    Reason.ORDER_QUANTITY,
    Reason.ORDER_VALUE,
    Reason.OPPOSITE_STRATEGY,
    Reason.MAX_POSITION,
    Reason.GROSS_EXPOSURE,
    Reason.BUYING_POWER,
)


class Broken(AssertionError):
    """A law does not hold; the message begins with its number."""


def holds(law: str, condition: bool, what: str) -> None:
    if not condition:
        raise Broken(f"law {law}: {what}")


class ShadowOrder(Struct):
    order_id: str
    strategy: str
    symbol: str
    side: Side
    intent: Intent
    quantity: int
    price: int
    own_price: int = 0
    """What it says itself, whatever the quote."""
    filled: int = 0
    cost: int = 0
    closed: bool = False
    in_doubt: bool = False
    cancel_wanted: bool = False

    def open(self) -> int:
        return 0 if self.closed else self.quantity - self.filled


class Shadow:
    """Positions, orders, marks and latches as inputs and effects tell them."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.orders: dict[str, ShadowOrder] = {}
        self.ids: dict[str, dict[str, None]] = {}
        self.positions: dict[tuple[str, str], int] = {}
        self.cash_attos: int | None = None
        self.broker_cash_attos = 0
        self.marks: dict[str, int] = {}
        self.quotes: dict[str, tuple[int, int]] = {}
        self.quote_marks: dict[str, int] = {}
        self.suspects: dict[str, int] = {}
        self.multiplier = 1
        self.fuses: dict[str, tuple[str, str]] = {}
        self.postures: dict[str, Posture] = {}
        self.trips: dict[tuple[str, int], None] = {}
        self.generations: dict[str, int] = {}
        self.plans: dict[str, RecordPlan] = {}
        self.clocks_agree = False
        self.promises = Promises()

    # --- what tests ask -------------------------------------------------------------------------

    def working(self) -> list[ShadowOrder]:
        return [order for order in self.orders.values() if not order.closed]

    def in_doubt(self) -> list[ShadowOrder]:
        return [order for order in self.working() if order.in_doubt]

    def held(self, symbol: str, strategy: str = "") -> int:
        return self.positions.get((strategy, symbol), 0)

    def client_ids(self, strategy: str) -> dict[str, None]:
        return self.ids.get(strategy, {})

    def plans_running(self) -> list[str]:
        return [t for t, plan in self.plans.items() if plan.stage in {"cancelling", "closing"}]

    def ended_flat(self) -> list[RecordPlan]:
        return [plan for plan in self.plans.values() if plan.stage == "ended" and not plan.left]

    def strategy_of(self, plan: RecordPlan) -> str:
        scope = plan.trip.partition(":")[2].rpartition("#")[0]
        return scope.removeprefix("strategy:") if scope.startswith("strategy:") else ""

    # --- folding --------------------------------------------------------------------------------

    def take(self, record: Record, *, judge: bool) -> None:
        fact = record.input
        self._fact(fact)
        if isinstance(fact, facts.BrokerClockSeen):
            self.clocks_agree = abs(fact.wall_ns - record.moment.wall_ns) <= 10 * NANOS
        elif isinstance(fact, facts.NodeStarted):
            self.clocks_agree = False
        if isinstance(fact, facts.PositionsSeen):
            self._adoption(fact, record.effects)
        for effect in record.effects:
            if isinstance(effect, fx.SubmitOrder):
                order = self._proposed(effect)
                promise = self.promises.waiting.pop(order.order_id, None)
                if judge:
                    self._judge_submit(order, promise)
                    self._judge_id(effect.client_order_id, effect.order_id, order)
                assert order.order_id not in self.orders, "law 3: one id, two orders"
                self.orders[order.order_id] = order
                self.ids.setdefault(effect.strategy, {})[effect.client_order_id] = None
            elif isinstance(effect, fx.CancelOrder):
                if effect.order_id in self.orders:
                    self._cancelled(self.orders[effect.order_id], fact)
            elif isinstance(effect, fx.PublishOrder) and effect.replaces:
                old = self.orders.get(effect.replaces)
                self.promises.take(fact, effect, old.quantity if old else 0)
            elif isinstance(effect, fx.PublishPosition) and effect.strategy:
                # Who of several holds what the account's own closes sold is the kernel's to say.
                self.positions[effect.strategy, effect.symbol] = effect.quantity_nanos
            elif isinstance(effect, fx.PublishPosture):
                self._judge_adopted(effect, fact)
                self.postures[effect.scope] = effect.posture
                loose = self.latched(effect.scope) and effect.posture < Posture.REDUCE_ONLY
                holds("2", not loose, f"{effect.scope} is latched and shows {effect.posture.name}")
            elif isinstance(effect, RecordPolicy):
                if isinstance(fact, facts.PolicyAdopted) and effect.accepted:
                    self.policy = policy_from_canonical(fact.text)
            elif isinstance(effect, RecordTransition):
                self._transition(effect, fact)
            elif isinstance(effect, RecordPlan):
                self.plans[effect.trip] = effect
            elif isinstance(effect, fx.AnswerDenied) and judge:
                self._judge_denial(fact, effect)

    def _fact(self, fact: facts.Input) -> None:
        if isinstance(fact, QuoteSeen):
            self._quote(fact)
        elif isinstance(fact, facts.AccountSeen):
            self.broker_cash_attos = fact.cash_nanos * NANOS
            self.multiplier = fact.multiplier
            if self.cash_attos is None:
                self.cash_attos = self.broker_cash_attos
        elif isinstance(
            fact,
            facts.OrderSent
            | facts.OrderNotSent
            | facts.OrderUnknown
            | facts.OrderWorking
            | facts.FillReported
            | facts.OrderEnded,
        ):
            order = self.orders.get(fact.order_id)
            if order is not None:
                self._order_fact(order, fact)

    def _order_fact(self, order: ShadowOrder, fact: facts.Input) -> None:
        order.in_doubt = isinstance(fact, facts.OrderUnknown)
        if isinstance(fact, facts.OrderNotSent):
            order.closed = True
        if isinstance(fact, facts.OrderSent | facts.FillReported | facts.OrderEnded):
            total = fact.filled_quantity_nanos
            new = total - order.filled
            if new > 0:
                cost = total * fact.filled_price_nanos - order.cost
                if isinstance(fact, facts.FillReported) and fact.quantity_nanos == new:
                    cost = new * fact.price_nanos
                self._fill(order, new, cost)
            if isinstance(fact, facts.OrderSent):
                order.closed = order.closed or fact.status in TERMINAL_STATUSES
            if isinstance(fact, facts.OrderEnded):
                order.closed = True

    def _fill(self, order: ShadowOrder, new: int, cost: int) -> None:
        order.filled += new
        order.cost += cost
        order.closed = order.closed or order.filled == order.quantity
        sign = 1 if order.side is Side.BUY else -1
        assert self.cash_attos is not None
        self.cash_attos -= sign * cost
        for strategy in {"": None, order.strategy: None}:
            key = (strategy, order.symbol)
            self.positions[key] = self.positions.get(key, 0) + sign * new
        mark = self.quote_marks.get(order.symbol) or cost // new
        self.marks[order.symbol] = mark

    def _quote(self, fact: QuoteSeen) -> None:
        self.quotes[fact.symbol] = (fact.bid_nanos, fact.ask_nanos)
        mark = (fact.bid_nanos + fact.ask_nanos) // 2
        known = self.quote_marks.get(fact.symbol)
        if known and abs(mark - known) * 10 > known:
            suspect = self.suspects.get(fact.symbol)
            self.suspects[fact.symbol] = mark
            if not suspect or abs(mark - suspect) * 10 > suspect:
                return
        self.suspects.pop(fact.symbol, None)
        self.quote_marks[fact.symbol] = self.marks[fact.symbol] = mark

    def _adoption(self, fact: facts.PositionsSeen, effects: tuple[fx.Effect, ...]) -> None:
        prices = {position.symbol: position.price_nanos for position in fact.positions}
        for effect in effects:
            if isinstance(effect, fx.PublishPosition) and not effect.strategy:
                self.positions["", effect.symbol] = effect.quantity_nanos
                if effect.symbol in prices:
                    self.marks[effect.symbol] = prices[effect.symbol]
            elif isinstance(effect, fx.LatchHalt) and effect.reason is Reason.POSITION_MISMATCH:
                self.cash_attos = self.broker_cash_attos

    def _cancelled(self, order: ShadowOrder, fact: facts.Input) -> None:
        """A plan takes its own closes back, when they are late; nobody else but a freeze does."""
        order.cancel_wanted = True
        if order.intent is Intent.PLAN:
            level = getattr(fact, "level", None)  # to flatten again also does what is due
            halted = level is HaltLevel.HALT or level is HaltLevel.KILL
            other = isinstance(
                fact,
                facts.BrokerStreamChanged
                | QuoteSeen
                | facts.AccountSeen
                | facts.CancelRequested
                | facts.OrderRequested,
            )
            holds("14", not (halted or other), f"{fact} takes a close back")

    def _judge_adopted(self, effect: fx.PublishPosture, fact: facts.Input) -> None:
        """A policy that nobody answers for loosens no scope."""
        if isinstance(fact, facts.PolicyAdopted) and not (fact.reason and fact.operator):
            known = self.postures.get(effect.scope, Posture.OPEN)
            holds("2", effect.posture >= known, f"{effect.scope}: {effect} by {fact.operator}")

    def _transition(self, effect: RecordTransition, fact: facts.Input) -> None:
        before, after = effect.before in LATCHED, effect.after in LATCHED
        person = isinstance(fact, OperatorResetRequested) and bool(fact.operator.strip())
        recovered = effect.before == "RECOVERY" and isinstance(fact, facts.PositionsSeen)
        loosened = before and not after
        recovered = recovered or self._by_calendar(effect)
        holds("2", not loosened or person or recovered, f"{effect.fuse} loosened by {fact}")
        generation = self.generations.setdefault(effect.fuse, 1)
        holds("3", effect.generation == generation, f"{effect.fuse}#{effect.generation}?")
        armed_again = effect.event in {"RESET", "REBASED", "RECOVERY_PASSED"}
        if armed_again and effect.after != "RECOVERY":
            holds("3", person or recovered, f"{effect.fuse} is armed again by {fact}")
            self.generations[effect.fuse] += 1
        if effect.event == "BREACHED":
            trip = (effect.fuse, effect.generation)
            holds("3", trip not in self.trips, f"{trip} trips twice")
            self.trips[trip] = None
        self.fuses[effect.fuse] = (effect.scope, effect.after)
        if loosened:
            self.plans.pop(f"{effect.fuse}#{effect.generation}", None)

    def _by_calendar(self, effect: RecordTransition) -> bool:
        """Whether the calendar may reset this: its rule says so, it stopped by itself, and the
        broker's clock agrees that the day is another.
        """
        rules: list[LossRule | BreakerRule] = [*self.policy.losses, *self.policy.breakers]
        rules += [rule for strategy in self.policy.strategies for rule in strategy.losses]
        named = [rule.name for rule in rules if rule.reset is ResetRule.NEXT_TRADING_DAY]
        stopped = (
            effect.before in {"COOLING_DOWN", "REDUCE_ONLY", "HALTED"} and effect.event == "RESET"
        )
        by_calendar = effect.operator.startswith("calendar:") and effect.fuse.split(":")[0] in named
        return by_calendar and stopped and self.clocks_agree

    # --- judging --------------------------------------------------------------------------------

    def latched(self, scope: str) -> bool:
        return any(at == scope and state in LATCHED for at, state in self.fuses.values())

    def _proposed(self, effect: fx.SubmitOrder) -> ShadowOrder:
        _, ask = self.quotes.get(effect.symbol, (0, 0))
        price = self._price(effect, ask)
        strategy = effect.strategy
        if effect.intent is Intent.PLAN:
            price = effect.limit_price_nanos or 0
            scope = effect.client_order_id.removeprefix("close/").partition(":")[2]
            if scope.startswith("strategy:"):
                strategy = scope.removeprefix("strategy:").partition("#")[0]
        return ShadowOrder(
            effect.order_id, strategy, effect.symbol, effect.side, effect.intent,
            effect.quantity_nanos, price, self._price(effect, 0),
        )  # fmt: skip

    def _price(self, effect: fx.SubmitOrder, ask: int) -> int:
        limit, stop = effect.limit_price_nanos, effect.stop_price_nanos or 0
        if effect.side is Side.SELL:
            return max(limit or 0, stop, ask)
        if limit is not None:
            return limit
        return -(-max(ask, stop) * (NANOS + NANOS // 10) // NANOS)

    def _judge_submit(self, order: ShadowOrder, promise: Promise | None = None) -> None:
        instead_of = None if promise is None else self.orders[promise.old_id]
        if promise is not None and instead_of is not None:
            holds("3", instead_of.closed, f"{order.order_id} is sent while the old order works")
            both = instead_of.filled + order.quantity
            holds("6", both == promise.total, f"{order.order_id} is not what was left")
        scopes = ("account", f"strategy:{order.strategy}", f"symbol:{order.symbol}")
        if order.intent is Intent.OPEN:
            for scope in scopes:
                holds("5", not self.latched(scope), f"new risk in {scope}, which is latched")
            if instead_of is None or not self._reduces_risk(order, instead_of):
                self._judge_worst(order)
        elif order.intent is Intent.REDUCE:
            proven = self._reduces(order.strategy, order.symbol, order.side, order.quantity)
            holds("4", proven, f"{order.order_id} is not proven to reduce")
        elif order.strategy:
            own = self._reduces(order.strategy, order.symbol, order.side, order.quantity, own=True)
            holds("4", own, f"{order.order_id} closes more than is {order.strategy}'s own")

    def _judge_id(self, client_order_id: str, order_id: str, order: ShadowOrder) -> None:
        """A close's id says its trip, symbol and attempt, and nothing else goes into it."""
        if order.intent is not Intent.PLAN:
            return
        trips = [trip for trip in self.plans if client_order_id.startswith(f"close/{trip}/")]
        attempt = client_order_id.rpartition("/")[2]
        derived = f"close/{trips[0]}/{order.symbol}/{attempt}" if trips else ""
        holds("3", client_order_id == derived and attempt.isdigit(), f"{client_order_id}?")
        ours = identifiers.order_id(
            instance="testtest", account="A1", strategy="", client_order_id=client_order_id
        )
        holds("3", order_id == ours, f"{order_id} is not derived from {client_order_id}")

    def _reduces(
        self, strategy: str, symbol: str, side: Side, quantity: int, *, own: bool = False
    ) -> bool:
        for ledger in (strategy,) if own else ("", strategy):
            held = self.held(symbol, ledger) * (-1 if side is Side.BUY else 1)
            working = sum(
                max(order.open(), self._promised(order))
                for order in self.working()
                if order.symbol == symbol
                and order.side is side
                and (not ledger or order.strategy == ledger)
            )
            if quantity > held - working:
                return False
        return True

    def _reduces_risk(self, order: ShadowOrder, old: ShadowOrder) -> bool:
        """Whether a replacement's worst case is within what the old order's was when it ended.

        Then it keeps the price that the old one was judged at: the quote may have moved since.
        """
        if old.intent is not Intent.OPEN or order.quantity > old.quantity - old.filled:
            return False
        if order.own_price > old.price:
            return False
        order.price = min(order.price, old.price)
        return True

    def _judge_worst(self, order: ShadowOrder) -> None:
        limits = self.policy.limits
        holds("6", order.quantity <= limits.order_quantity_nanos_max, "too many")
        value = order.quantity * order.price
        holds("6", value <= limits.order_value_nanos_max * NANOS, "too dear")
        everything = [*self.working(), order]
        symbols = {o.symbol: None for o in everything} | {s: None for _, s in self.positions}
        worst = {symbol: self.worst_attos(symbol, everything) for symbol in symbols}
        equity = self.equity_attos() + CENT_ATTOS
        fraction = limits.position_fraction_nanos_max
        assert fraction is not None
        fits = worst[order.symbol] * NANOS <= fraction * equity
        holds("6", fits, f"{order.symbol} may reach {worst[order.symbol]} of {equity}")
        gross = sum(worst.values())
        most = limits.gross_exposure_nanos_max * equity
        holds("6", gross * NANOS <= most, f"gross may reach {gross} of {equity}")
        holds("6", gross <= self.multiplier * equity, "beyond buying power")

    def equity_attos(self) -> int:
        assert self.cash_attos is not None
        return self.cash_attos + sum(
            held * self.marks.get(symbol, 0)
            for (strategy, symbol), held in self.positions.items()
            if not strategy
        )

    def worst_attos(self, symbol: str, orders: list[ShadowOrder]) -> int:
        """Each side on its own: all its orders fill, the cheapest close what is held against it."""
        held, mark = self.held(symbol), self.marks.get(symbol, 0)
        worst = abs(held * mark)
        orders = [self._dearer(order) for order in orders]
        for side, sign in ((Side.BUY, 1), (Side.SELL, -1)):
            of_side = [o for o in orders if o.symbol == symbol and o.side is side and o.open()]
            closing = max(0, -sign * held)
            reached = max(0, sign * held) * mark
            for order in sorted(of_side, key=lambda o: o.price):
                closes = min(closing, order.open())
                closing -= closes
                reached += (order.open() - closes) * order.price
            worst = max(worst, reached)
        return worst

    def _promised(self, order: ShadowOrder) -> int:
        """What may fill of the one that waits to replace a working order; 0 when none does."""
        promise = self.promises.by_old().get(order.order_id)
        return 0 if promise is None or order.closed else promise.total - order.filled

    def _dearer(self, order: ShadowOrder) -> ShadowOrder:
        """An order, or the one that waits to replace it: whichever may cost more."""
        promise = self.promises.by_old().get(order.order_id)
        if promise is None or order.closed:
            return order
        shown = promise.shown
        price = shown.limit_price_nanos or order.price
        left = self._promised(order)
        if left * price <= order.open() * order.price:
            return order
        return ShadowOrder("", order.strategy, order.symbol, order.side, order.intent, left, price)

    def _judge_denial(self, fact: facts.Input, denial: fx.AnswerDenied) -> None:
        if not isinstance(fact, facts.OrderRequested):
            return
        if denial.reason not in NEW_RISK_REASONS or self.plans_running():
            return
        proven = self._reduces(fact.strategy, fact.symbol, fact.side, fact.quantity_nanos)
        holds("13", not proven, f"an exit is trapped: {denial.reason} {denial.observed}")


__all__ = ["Broken", "Shadow", "ShadowOrder", "holds"]
