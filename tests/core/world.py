"""A small world around the kernel: an outlet, a register, a disk that lags, and a broker.

Nothing here knows the core's book: the broker keeps its own ledger, which is the truth, and
`shadow.py` judges the kernel's decisions from inputs and effects alone. Each method is one thing
that may happen; `choice` picks where. The same methods serve Hypothesis and seeded runs.
"""

from collections.abc import Callable
from random import Random

import msgspec

from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of, policy_from_canonical
from fuseboard.policy.rules import LossRule, StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.market_inputs import QuoteSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.orders import Intent, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.records import Record, decoded_record, encoded_record
from tests.core.broker import ModelBroker
from tests.core.shadow import Broken, Shadow, holds

SYMBOLS = ("AAA", "BBB")
STRATEGIES = ("alpha", "beta")
SECOND = NANOS
START = facts.Moment(SECOND, 1_700_000_000 * SECOND)
POLICY = Policy(
    name="laws",
    limits=Limits(
        order_quantity_nanos_max=900 * NANOS,
        order_value_nanos_max=60_000 * NANOS,
        position_fraction_nanos_max=NANOS * 7 // 10,
        gross_exposure_nanos_max=NANOS,
        order_rate_max=50,
    ),
    losses=(
        LossRule(
            limit_nanos=NANOS // 50,
            warning_nanos=NANOS // 100,
            warning_clear_nanos=NANOS // 200,
            cooldown_ns=2 * SECOND,
            resets_a_day_max=50,
            trips_a_day_max=50,
        ),
    ),
    strategies=(
        StrategyRule(
            name="alpha",
            capital_nanos=50_000 * NANOS,
            losses=(
                LossRule(
                    limit_nanos=NANOS // 50,
                    cooldown_ns=SECOND,
                    resets_a_day_max=50,
                    trips_a_day_max=50,
                ),
            ),
        ),
        StrategyRule(name="beta", capital_nanos=50_000 * NANOS),
    ),
)


def on_tick(price: int) -> int:
    """A price in whole cents."""
    return price - price % (NANOS // 100)


class World:
    """One account from its first start. `kernel` is None while the node is down."""

    def __init__(self, policy: Policy = POLICY, past: int = 0) -> None:
        """`past` shares of each symbol are held from before, and belong to no strategy."""
        self.policy = policy
        self.boot_ns, self.wall_ns = START.boot_ns, START.wall_ns
        self.broker = ModelBroker(dict.fromkeys(SYMBOLS, 100 * NANOS))
        self.broker.positions = dict.fromkeys(SYMBOLS, past) if past else {}
        self.trade_suspended = False
        """Whether the broker refuses every order, because we said so."""
        self.broker.cash_attos -= past * sum(self.broker.prices.values())
        self.log: list[Record] = []
        self.durable = 0
        self.disk_lags = False
        self.register: dict[str, fx.LatchHalt] = {}
        self.requests = 0
        self.client_ids = 0
        self.owed: dict[int, None] = {}
        self.snapshot = Kernel().snapshot()
        self.kernel: Kernel
        self.start(crashed=False)

    # --- the node ----------------------------------------------------------------------------

    def start(self, *, crashed: bool) -> None:
        """Restore what is durable, and start with what the register holds."""
        self.kernel = Kernel()
        self.shadow = Shadow(self.policy)
        for record in self.log:
            again = self.kernel.step(record.moment, record.input)
            holds("9", again == record.effects, f"{record.sequence} does not replay")
            self.shadow.take(record, judge=False)
        in_force = self.kernel.policy_again()
        if in_force is not None:
            self.policy = policy_from_canonical(in_force.text)
        self.snapshot = self.kernel.snapshot()
        holds("9", Kernel.restored(self.snapshot).snapshot() == self.snapshot, "snapshot differs")
        self.released = len(self.log)
        self.line: list[tuple[int, fx.SubmitOrder]] = []
        """Released submits that have not started, with the record that decided each."""
        self.dropped: dict[str, None] = {}
        """Submits that were cancelled before they left."""
        self.remembered: dict[str, None] = {}
        self.known_ids: dict[str, str] = {}
        self.questions: list[tuple[int, fx.Effect]] = []
        self.feed_asked: fx.ReadExecutions | None = None
        self.arriving: list[tuple[facts.Input, ...]] = []
        self.wakes: list[int] = []
        self.epoch = 0
        self.last_latch: dict[str, int] = {}
        self.uncompared: dict[str, None] = {}
        """The scopes that were halted after the broker's positions were last read."""
        self.owed = {}
        self.connected = False
        self.broker.streaming = False
        self.broker.reports.clear()
        text = canonical_text(self.policy)
        self.take(facts.PolicyAdopted(text=text, digest=digest_of(text), operator="start"))
        latched = tuple(
            facts.LatchedScope(
                scope=halt.scope,
                level=halt.level,
                reason=halt.reason,
                trip=halt.trip,
                halt_epoch=halt.halt_epoch,
            )
            for halt in self.register.values()
        )
        before = dict(self.register)
        self.take(
            facts.NodeStarted(
                instance="testtest",
                account="A1",
                release="0",
                latched=latched,
                strategies=STRATEGIES,
            )
        )
        for scope, halt in before.items():
            if scope in self.register:
                posture = self.shadow.postures.get(scope, Posture.OPEN)
                holds("7", posture >= Posture.REDUCE_ONLY, f"{scope} starts {posture.name}: {halt}")

    def crash(self, lost: int) -> None:
        """Kill the node: the last `lost` records beyond the durable ones never were."""
        kept = max(self.durable, len(self.log) - lost)
        del self.log[kept:]
        self.durable = len(self.log)
        self.disk_lags = False
        self.start(crashed=True)

    def take(self, fact: facts.Input) -> tuple[fx.Effect, ...]:
        """Fold one input, check what can be checked at once, let out what may leave."""
        moment = facts.Moment(self.boot_ns, self.wall_ns)
        effects = self.kernel.step(moment, fact)
        record = Record(len(self.log) + 1, moment, fact, effects)
        again = Kernel.restored(self.snapshot)
        read = decoded_record(encoded_record(record))
        holds("9", again.step(read.moment, read.input) == effects, f"{fact} from its snapshot")
        self.snapshot = self.kernel.snapshot()
        holds("9", again.snapshot() == self.snapshot, f"{fact} leads to another state")
        self.log.append(record)
        self.shadow.take(record, judge=True)
        if isinstance(fact, facts.OrderRequested | facts.CancelRequested | facts.ReplaceRequested):
            self.owed[fact.request] = None
        for effect in effects:
            if isinstance(effect, fx.WakeAt) and isinstance(fact, facts.TimeAdvanced):
                holds("10", effect.boot_ns > self.boot_ns, "woken, it asks for the past: it spins")
            self._overtake(effect)
        self._check_answers(effects)
        if not self.disk_lags:
            self.commit()
        return effects

    def _overtake(self, effect: fx.Effect) -> None:
        if isinstance(effect, fx.LatchHalt):
            self.register[effect.scope] = effect
            self.epoch = max(self.epoch, effect.halt_epoch)
            self.last_latch[effect.scope] = len(self.log)
            self.uncompared[effect.scope] = None
        elif isinstance(effect, fx.CancelOrder):
            self._cancel(effect)

    def _cancel(self, effect: fx.CancelOrder) -> None:
        """Annihilate what is held; what has been released goes on, and the epoch must stop it."""
        for record in self.log[self.released :]:
            for held in record.effects:
                if isinstance(held, fx.SubmitOrder) and held.order_id == effect.order_id:
                    self._annihilate(held)
                    return
        known = effect.broker_order_id or self.known_ids.get(effect.order_id)
        if known is None:
            self.remembered[effect.order_id] = None
        else:
            self.broker.ask_cancel(effect.order_id, known)

    def _annihilate(self, order: fx.SubmitOrder) -> None:
        self.dropped[order.order_id] = None
        self.arriving.append(
            (facts.OrderNotSent(order_id=order.order_id, reason=Reason.ANNIHILATED),)
        )

    def commit(self) -> None:
        """The disk catches up: what was held leaves, in sequence."""
        self.durable = len(self.log)
        while self.released < self.durable:
            record = self.log[self.released]
            self.released += 1
            for effect in record.effects:
                self._leave(record, effect)
        asked, self.feed_asked = self.feed_asked, None
        if asked is not None:
            self.take(ExecutionsSeen(after=asked.after, newest="", problem="absent"))

    def _leave(self, record: Record, effect: fx.Effect) -> None:
        if isinstance(effect, fx.SubmitOrder):
            # A newer halt stops it at the socket, and keeps the suspension that a reset would lift.
            stopped = effect.raises_exposure and effect.halt_epoch < self.epoch
            free = stopped or not self.trade_suspended
            holds("13", free, f"{effect.order_id}: we suspended trading")
            if effect.order_id not in self.dropped:
                self.line.append((record.sequence, effect))
        elif isinstance(effect, fx.ClearHalt):
            halt = self.register.get(effect.scope)
            if halt is not None and halt.halt_epoch <= effect.halt_epoch:
                del self.register[effect.scope]
            if ACCOUNT_SCOPE not in self.register:
                self.trade_suspended = False
        elif isinstance(effect, LatchBroker):
            if effect.suspend_trade is not None:
                self.trade_suspended = effect.suspend_trade and ACCOUNT_SCOPE in self.register
        elif isinstance(effect, fx.FindOrder | fx.ReadLeg | fx.ReadAccount):
            self._ask(effect)
        elif isinstance(effect, fx.ReadExecutions):
            self.feed_asked = effect
        elif isinstance(effect, fx.WakeAt):
            if effect.boot_ns not in self.wakes:
                self.wakes.append(effect.boot_ns)
            holds("10", len(self.wakes) < 200, "wake-ups pile up")
        elif isinstance(effect, fx.AnswerOrder | fx.AnswerDenied | fx.AnswerCancel):
            self.owed.pop(effect.request, None)

    def _ask(self, question: fx.FindOrder | fx.ReadLeg | fx.ReadAccount) -> None:
        if isinstance(question, fx.ReadAccount):
            for index, (asked_ns, other) in enumerate(self.questions):
                if isinstance(other, fx.ReadAccount):
                    both = fx.ReadAccount(
                        positions=question.positions or other.positions,
                        timed=question.timed or other.timed,
                    )
                    self.questions[index] = (asked_ns, both)
                    return
        if all(other != question for _, other in self.questions):
            self.questions.append((self.boot_ns, question))

    def _check_answers(self, effects: tuple[fx.Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, fx.AnswerOrder | fx.AnswerDenied | fx.AnswerCancel):
                held = [
                    other
                    for record in self.log[self.released : -1]
                    for other in record.effects
                    if isinstance(other, fx.AnswerOrder | fx.AnswerDenied | fx.AnswerCancel)
                    and other.request == effect.request
                ]
                once = effect.request in self.owed and not held
                holds("answers", once, f"request {effect.request} is answered twice")

    # --- strategies and people ----------------------------------------------------------------

    def order(self, choice: int, *, quantity: int, limited: bool, stop: bool = False) -> None:
        """A strategy asks for an order."""
        symbol = SYMBOLS[choice % 2]
        side = (Side.BUY, Side.SELL, Side.BUY)[choice // 2 % 3]
        price = self.broker.prices[symbol]
        offset = (-1, 0, 1)[choice // 8 % 3] * price // 200
        kind = OrderType.LIMIT if limited else OrderType.MARKET
        if stop:
            kind = OrderType.STOP
        self.requests += 1
        self.client_ids += 1
        request = facts.OrderRequested(
            request=self.requests,
            strategy=STRATEGIES[choice // 4 % 2],
            client_order_id=f"c{self.client_ids}",
            symbol=symbol,
            side=side,
            order_type=kind,
            time_in_force=TimeInForce.DAY,
            quantity_nanos=quantity * NANOS,
            limit_price_nanos=on_tick(price + offset) if kind is OrderType.LIMIT else None,
            stop_price_nanos=on_tick(price * 99 // 100) if stop else None,
        )
        self.last_request = request
        self.take(request)

    def repeat(self) -> None:
        """The last request comes again: another caller, the same client order id."""
        if self.client_ids:
            self.requests += 1
            again = msgspec.structs.replace(self.last_request, request=self.requests)
            known = again.client_order_id in self.shadow.client_ids(again.strategy)
            effects = self.take(again)
            twice = [e for e in effects if isinstance(e, fx.SubmitOrder)]
            holds("3", not (twice and known), "a repeat became a second order")

    def cancel(self, choice: int) -> None:
        """A strategy cancels one of its orders; nothing may hold that back (law 13)."""
        mine = [order for order in self.shadow.working() if order.intent is not Intent.PLAN]
        if not mine:
            return
        order = mine[choice % len(mine)]
        self.requests += 1
        effects = self.take(
            facts.CancelRequested(
                request=self.requests, strategy=order.strategy, order_id=order.order_id
            )
        )
        went = any(isinstance(e, fx.CancelOrder) and e.order_id == order.order_id for e in effects)
        holds("13", went, f"the cancel of {order.order_id} was held back")

    def replace(self, choice: int, *, quantity: int | None = None, change: int = 0) -> None:
        """A strategy replaces one of its orders: in size, in price (in half percents), or both."""
        mine = [order for order in self.shadow.working() if order.intent is not Intent.PLAN]
        if not mine:
            return
        known = [order for order in mine if f"fb-testtest-{order.order_id}" in self.broker.orders]
        fresh = [order for order in known if not order.cancel_wanted]
        mine = fresh if fresh and choice % 8 else mine
        order = mine[choice % len(mine)]
        taken = self.broker.orders.get(f"fb-testtest-{order.order_id}")
        limit = None if taken is None else taken.order.limit_price_nanos
        stop = None if taken is None else taken.order.stop_price_nanos
        self.requests += 1
        self.client_ids += 1
        size = None if quantity is None else quantity * NANOS
        asked = facts.ReplaceRequested(
            request=self.requests,
            strategy=order.strategy,
            order_id=order.order_id,
            client_order_id=f"c{self.client_ids}",
            quantity_nanos=size,
            limit_price_nanos=None if limit is None else limit + change * limit // 200,
            stop_price_nanos=None if stop is None else stop + change * stop // 200,
        )
        effects = self.take(asked)
        sent = [e for e in effects if isinstance(e, fx.SubmitOrder)]
        holds("6", not sent, "a replacement is sent before the old order is final")
        if choice % 3 == 0:
            self.requests += 1
            again = self.take(msgspec.structs.replace(asked, request=self.requests))
            moved = [e for e in again if isinstance(e, fx.CancelOrder | fx.SubmitOrder)]
            answers = [type(e) for e in [*effects, *again] if isinstance(e, fx.AnswerOrder)]
            holds("3", not moved or not answers, "a repeated replacement did something")

    def halt(self, choice: int) -> None:
        """A person halts a scope."""
        self.requests += 1
        scope = ("account", "strategy:alpha", "symbol:AAA")[choice % 3]
        level = (HaltLevel.HALT, HaltLevel.FLATTEN, HaltLevel.FLATTEN, HaltLevel.KILL)[
            choice // 3 % 4
        ]
        self.take(
            OperatorHaltRequested(
                request=self.requests, operator="ann", reason="drill", scope=scope, level=level
            )
        )

    def freeze(self, choice: int) -> None:
        """A person stops the plans of a scope, their closes too."""
        self.requests += 1
        scope = ("account", "strategy:alpha", "symbol:AAA")[choice % 3]
        self.take(
            OperatorHaltRequested(
                request=self.requests,
                operator="ann",
                reason="stop that",
                scope=scope,
                level=HaltLevel.FREEZE,
            )
        )

    def reset(self, choice: int, *, rebase: bool, named: bool = True) -> None:
        """A person (or nobody) resets a scope, mostly once the broker has told what it holds."""
        if choice % 8:
            for at, (_, question) in enumerate(self.questions):
                if isinstance(question, fx.ReadAccount):
                    self.answer(at)
                    break
        self.requests += 1
        scope = ("account", "strategy:alpha", "symbol:AAA")[choice % 3]
        operator = "bob" if named else "  "
        older = scope in self.uncompared
        effects = self.take(
            OperatorResetRequested(
                request=self.requests,
                operator=operator,
                reason="looked at it",
                scope=scope,
                rebase=rebase,
            )
        )
        if any(isinstance(effect, fx.ClearHalt) for effect in effects):
            holds(
                "2",
                not older or scope != ACCOUNT_SCOPE,
                f"{scope} is reset on books that were compared before its halt",
            )
        if not named:
            refused = [e for e in effects if isinstance(e, fx.AnswerOperator) and not e.accepted]
            holds("2", bool(refused), "a reset without a name was taken")

    # --- the market ------------------------------------------------------------------------------

    def quote(self, choice: int, *, change_percent: int) -> None:
        """A symbol's price moves, and one good quote says so."""
        symbol = SYMBOLS[choice % 2]
        price = max(40 * NANOS, self.broker.prices[symbol] * (100 + change_percent) // 100)
        self.broker.prices[symbol] = price
        self.take(self._quote(symbol))

    def _quote(self, symbol: str) -> QuoteSeen:
        price, half = self.broker.prices[symbol], NANOS // 50
        return QuoteSeen(
            symbol=symbol,
            bid_nanos=price - half,
            ask_nanos=price + half,
            bid_size_nanos=NANOS,
            ask_size_nanos=NANOS,
            event_ns=self.wall_ns,
            bid_low_nanos=price - half,
            ask_high_nanos=price + half,
        )

    # --- the way to the broker ----------------------------------------------------------------

    def send(self, choice: int, fate: str) -> None:
        """The outlet starts a submit: `taken`, `refused`, `silent` (arrived, no answer), `late`
        (no answer, arrives later) or `lost` (no answer, never arrives).
        """
        if not self.line:
            return
        # The real outlet keeps one symbol's orders in order.
        order = self.line[choice % len(self.line)][1]
        index = next(i for i, (_, o) in enumerate(self.line) if o.symbol == order.symbol)
        decided, order = self.line.pop(index)
        if order.raises_exposure and order.halt_epoch < self.epoch:
            self._arrive(facts.OrderNotSent(order_id=order.order_id, reason=Reason.HALT_EPOCH))
            return
        for scope in ("account", f"strategy:{order.strategy}", f"symbol:{order.symbol}"):
            after = decided < self.last_latch.get(scope, 0)
            holds("5", not (order.raises_exposure and after), f"{order.symbol} starts after a halt")
        if order.intent is Intent.PLAN:
            holds("3", self.durable >= decided, "a close left before its record was durable")
        if fate == "refused":
            reason = Reason.BROKER_REJECTED
            self._arrive(facts.OrderNotSent(order_id=order.order_id, reason=reason))
        elif fate == "unreachable":
            reason = Reason.BROKER_UNREACHABLE
            self._arrive(facts.OrderNotSent(order_id=order.order_id, reason=reason))
        elif fate == "taken":
            taken = self.broker.place(order, self.boot_ns)
            self._arrive(self.broker.sent(taken))
        else:
            if fate == "silent":
                self.broker.place(order, self.boot_ns)
            elif fate == "late":
                self.broker.coming.append((self.boot_ns, order))
            self._arrive(facts.OrderUnknown(order_id=order.order_id, detail="no answer"))

    def _arrive(self, *bundle: facts.Input) -> None:
        self.arriving.append(bundle)

    def answer(self, choice: int, *, fails: bool = False) -> None:
        """The broker answers one question."""
        if not self.questions:
            return
        asked_ns, question = self.questions[choice % len(self.questions)]
        if isinstance(question, fx.FindOrder):
            found = self.broker.find(question.wire_id)
            if found is not None:
                self._arrive(found)
            elif self.boot_ns >= asked_ns + question.absent_after_ns:
                reason = Reason.NEVER_ARRIVED
                self._arrive(facts.OrderNotSent(order_id=question.order_id, reason=reason))
            else:
                return
        elif isinstance(question, fx.ReadLeg) and fails:
            self._arrive(
                facts.LegReadFailed(
                    trip=question.trip,
                    symbol=question.symbol,
                    attempt=question.attempt,
                    detail="no answer",
                )
            )
        elif isinstance(question, fx.ReadLeg):
            self._arrive(self.broker.leg(question))
        elif isinstance(question, fx.ReadAccount):
            if question.positions and not self._at_rest():
                return
            account = self.broker.account()
            if question.positions:  # the real door reads again when orders moved meanwhile
                self.questions.remove((asked_ns, question))
                self.take(account)
                self.uncompared.clear()
                self.take(self.broker.positions_seen())
                return
            self._arrive(account)
        self.questions.remove((asked_ns, question))

    def _at_rest(self) -> bool:
        return not self.line and not self.broker.coming

    def deliver(self, choice: int, *, twice: bool = False) -> None:
        """One report arrives: any of those on their way, perhaps not for the last time."""
        reports = [*self.arriving, *((report,) for report in self.broker.reports)]
        if not reports:
            return
        bundle = reports[choice % len(reports)]
        if bundle in self.arriving:
            self.arriving.remove(bundle)
        elif not twice:
            self.broker.reports.remove(bundle[0])  # type: ignore[arg-type]
        for fact in bundle:
            self._learn(fact)
            self.take(fact)

    def _learn(self, fact: facts.Input) -> None:
        if isinstance(fact, facts.OrderSent | facts.OrderWorking | facts.FillReported):
            self.known_ids[fact.order_id] = fact.broker_order_id
            if fact.order_id in self.remembered:
                del self.remembered[fact.order_id]
                self.broker.ask_cancel(fact.order_id, fact.broker_order_id)

    def connect(self, *, connected: bool) -> None:
        """The order stream comes or goes; what it would have said meanwhile is lost."""
        if connected != self.connected:
            self.connected = connected
            self.broker.streaming = connected
            if not connected:
                self.broker.reports.clear()
            self.take(facts.BrokerStreamChanged(connected=connected))

    def wait(self, milliseconds: int) -> None:
        """Time passes, in steps no longer than to the next wish to be woken."""
        until_ns = self.boot_ns + milliseconds * SECOND // 1000
        while self.boot_ns < until_ns:
            due = [at for at in self.wakes if at <= until_ns]
            target_ns = max(self.boot_ns, min(due, default=until_ns))
            if not due and target_ns == self.boot_ns:
                break
            self._move_to(target_ns)
            if due:
                self.wakes = [at for at in self.wakes if at > self.boot_ns]
                self.take(facts.TimeAdvanced())
            elif target_ns == until_ns:
                break

    def _move_to(self, boot_ns: int) -> None:
        self.wall_ns += boot_ns - self.boot_ns
        self.boot_ns = boot_ns
        bound_ns = self.policy.execution.absent_after_ns
        while self.broker.coming and self.broker.coming[0][0] + bound_ns // 2 <= boot_ns:
            _, order = self.broker.coming.pop(0)
            self.broker.place(order, boot_ns)

    # --- rest ----------------------------------------------------------------------------------

    def quiesce(self, seconds: int = 200) -> None:
        """Everything answers, prices stand still, closes fill: what has to end must end."""
        self.disk_lags = False
        self.commit()
        self.connect(connected=True)
        for _ in range(seconds):
            for _ in range(400):
                if not self._step_to_rest():
                    break
            else:
                raise Broken("law 10: the node and the broker never come to rest")
            if self._ended():
                break
            self.wait(1000)
            for symbol in SYMBOLS:
                self.take(self._quote(symbol))
        self.check_rest()

    def _step_to_rest(self) -> bool:
        if self.broker.cancels:
            self.cancel_next(0)
        elif self.line:
            self.send(0, "taken")
        elif self.arriving or self.broker.reports:
            self.deliver(0)
        elif any(not self._waits(question) for question in self.questions):
            at = [self._waits(question) for question in self.questions].index(False)
            self.answer(at)
        else:
            return self.broker.fill_plans()
        return True

    def cancel_next(self, choice: int) -> None:
        """One cancel reaches the broker, or comes too late there."""
        refused = self.broker.cancel_next(choice)
        if refused is not None:
            self._arrive(refused)

    def _waits(self, asked: tuple[int, fx.Effect]) -> bool:
        asked_ns, question = asked
        if isinstance(question, fx.FindOrder):
            absent = self.broker.find(question.wire_id) is None
            return absent and self.boot_ns < asked_ns + question.absent_after_ns
        return isinstance(question, fx.ReadAccount) and not self._at_rest()

    def _ended(self) -> bool:
        return not (
            self.questions
            or self.broker.coming
            or self.shadow.plans_running()
            or any(order.cancel_wanted for order in self.shadow.working())
            or self.shadow.in_doubt()
            or any(self.shadow.held(s) != self.broker.held(s) for s in SYMBOLS)
        )

    def check_rest(self) -> None:
        """What must be true once nothing is on its way."""
        holds("14", not self.shadow.plans_running(), f"never ends: {self.shadow.plans_running()}")
        holds("13", not self.shadow.in_doubt(), "an order stays in doubt")
        holds("answers", not self.owed, f"requests {list(self.owed)} are never answered")
        for symbol in SYMBOLS:
            ours, theirs = self.shadow.held(symbol), self.broker.held(symbol)
            holds("6", ours == theirs, f"{symbol}: the books say {ours}, the broker {theirs}")
        for plan in self.shadow.ended_flat():
            strategy = self.shadow.strategy_of(plan)
            for symbol in plan.symbols:
                left = self.shadow.held(symbol, strategy) if strategy else self.broker.held(symbol)
                holds("14", left == 0, f"{plan.trip} says flat, {symbol} holds {left}")


def random_step(world: World, random: Random, *, replaces: bool = False) -> None:
    """One seeded thing that happens; weights make trips and crashes common enough."""
    n = random.randrange(1 << 20)
    steps: list[tuple[int, Callable[[], None]]] = [
        (
            18,
            lambda: world.order(
                n, quantity=random.choice((1, 50, 200, 450)), limited=random.random() < 0.8
            ),
        ),
        (2, lambda: world.order(n, quantity=random.choice((50, 200)), limited=False, stop=True)),
        (3, world.repeat),
        (4, lambda: world.cancel(n)),
        (
            30,
            lambda: world.send(
                n,
                random.choice(
                    ("taken",) * 6 + ("refused", "silent", "late", "lost", "unreachable")
                ),
            ),
        ),
        (24, lambda: world.answer(n, fails=random.random() < 0.1)),
        (50, lambda: world.deliver(n, twice=random.random() < 0.1)),
        (20, lambda: world.broker.fill(n, parts=random.choice((1, 1, 2, 3)))),
        (8, lambda: world.cancel_next(n)),
        (12, lambda: world.quote(n, change_percent=random.choice((-4, -3, -2, -1, 0, 1, 2, 3)))),
        (12, lambda: world.wait(random.choice((1, 200, 1000, 2500, 7000)))),
        (2, lambda: world.halt(n)),
        (1, lambda: world.freeze(n)),
        (12, lambda: world.reset(n, rebase=random.random() < 0.3, named=random.random() < 0.9)),
        (1, lambda: world.crash(random.randrange(5))),
        (1, lambda: world.connect(connected=False)),
        (9, lambda: world.connect(connected=True)),
        (2, lambda: setattr(world, "disk_lags", not world.disk_lags)),
        (10, world.commit),
    ]
    if replaces:
        sizes = (None, 25, 100, 300)
        steps += [
            (
                8,
                lambda: world.replace(
                    n, quantity=random.choice(sizes), change=random.choice((-1, 0, 1))
                ),
            ),
            (6, lambda: world.cancel_next(n)),
        ]
    weights = [weight for weight, _ in steps]
    random.choices([step for _, step in steps], weights)[0]()


def begun(policy: Policy = POLICY, past: int = 0) -> World:
    """A world after its first start: compared, connected and quoted."""
    world = World(policy, past)
    world.connect(connected=True)
    for symbol in SYMBOLS:
        world.take(world._quote(symbol))
    for _ in range(20):
        if not world._step_to_rest():
            break
    return world


def run(seed: int, steps: int, policy: Policy = POLICY, *, replaces: bool = False) -> World:
    """A seeded run to its rest; raises `Broken` when a law is broken on the way."""
    random = Random(seed)
    world = begun(policy, (0, 0, 150, -150)[seed % 4] * NANOS)
    for _ in range(steps):
        random_step(world, random, replaces=replaces)
    world.quiesce()
    return world


__all__ = ["World", "begun", "random_step", "run"]
