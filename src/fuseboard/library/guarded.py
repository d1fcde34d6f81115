"""What stands behind a guard's calls: the kernel, one lock, and what is said after its release."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from fuseboard.core.book import CLOSED_ORDERS_MAX
from fuseboard.core.drop_copy import NO_FEED
from fuseboard.core.kernel import Kernel
from fuseboard.library import needs
from fuseboard.library.policies import halting
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary import effects as acts
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.copy_inputs import ExecutionsSeen
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.orders import Severity

INSTANCE: Final = "library0"
_WAKES_MAX: Final = 100
"""How many due wake-ups one call follows; more can only mean that one asks for itself."""
_log = logging.getLogger("fuseboard.library")


class GuardAlert(Struct, frozen=True):
    """What a guard tells people: a trip, a halt, a doubt of what it was told."""

    code: str
    """The reason's code, as the gateway's alerts have it."""
    scope: str
    severity: str
    """`INFO`, `WARNING` or `PAGE`."""
    text: str


class Filled(Struct):
    """What the program has reported of one allowed order."""

    quantity_nanos: int
    filled_nanos: int = 0


class Guarded:
    """A kernel that one call at a time is told something; what it says is said after the call."""

    def __init__(
        self,
        policy: Policy,
        *,
        on_alert: Callable[[GuardAlert], None] | None = None,
        boot_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._on_alert = on_alert
        self._boot_ns, self._wall_ns = boot_ns, wall_ns
        self._lock = threading.Lock()
        self._kernel = Kernel()
        self._moment = facts.Moment(0, 0)
        self._wake_boot_ns = 0
        self._requests = 0
        self._broken = False
        self._orders: dict[str, Filled] = {}
        """What was allowed and is not known to be final; the policy bounds how many there are."""
        self._closed: dict[str, Filled] = {}
        """What is final, the newest: a fill may be told after a cancel."""
        self._cancels: dict[str, None] = {}
        self._held: dict[str, facts.BrokerPosition] = {}
        """The positions as last shown, or as told before the first account."""
        self._told: dict[str, facts.BrokerPosition] = {}
        """Of the positions that were told since, those that the book has not taken over."""
        self._posture = "HALTED"
        self._account_told = False
        self._feed_asked: acts.ReadExecutions | None = None
        self._asked = needs.asked_by(policy)
        self._told_boot_ns: dict[str, int] = {}
        """When what only the program can tell was told last."""
        self._alerts: list[GuardAlert] = []
        """Of the call that is under way."""
        text = canonical_text(halting(policy))
        self._step(facts.PolicyAdopted(text=text, digest=digest_of(text), operator="library"))
        self._step(facts.NodeStarted(instance=INSTANCE, account="library", release="library"))
        self._step(facts.BrokerStreamChanged(connected=True))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One call: alone while it lasts; what it has to say is said after it."""
        alerts: list[GuardAlert] = []
        try:
            with self._lock:
                try:
                    yield
                finally:
                    alerts, self._alerts = self._alerts, alerts
        finally:
            for alert in alerts:
                self._say(alert)

    def _say(self, alert: GuardAlert) -> None:
        level = logging.INFO if alert.severity == Severity.INFO.name else logging.WARNING
        _log.log(level, "%s %s: %s", alert.code, alert.scope, alert.text)
        if self._on_alert is None:
            return
        try:
            self._on_alert(alert)
        except Exception:  # noqa: BLE001 - it is the program's own, and what was decided stands
            _log.exception("on_alert failed")

    # --- under the lock ----------------------------------------------------------------------

    def _was_told(self, name: str, *, was: bool = True) -> None:
        if was:
            self._told_boot_ns[name] = self._moment.boot_ns

    def _compare(self) -> None:
        held = tuple({**self._held, **self._told}.values())
        self._tell(facts.PositionsSeen(positions=held))
        self._was_told("max_position_divergence")

    def _known(self, order_id: str) -> Filled:
        known = self._orders.get(order_id) or self._closed.get(order_id)
        if known is None:
            raise KeyError(f"{order_id!r} is no order that this guard allowed")
        return known

    def _close(self, order_id: str) -> None:
        known = self._orders.pop(order_id, None)
        self._cancels.pop(order_id, None)
        if known is not None:
            self._closed[order_id] = known
            if len(self._closed) > CLOSED_ORDERS_MAX:
                del self._closed[next(iter(self._closed))]

    def _answer(self, fact: facts.Input) -> acts.AnswerOperator:
        answers = [it for it in self._tell(fact) if isinstance(it, acts.AnswerOperator)]
        assert len(answers) == 1, "a person is always answered, once"
        return answers[0]

    def _tell(self, fact: facts.Input) -> tuple[acts.Effect, ...]:
        if self._broken:
            raise RuntimeError("the guard failed before: make a new one and find out why")
        return self._step(fact)

    def _step(self, fact: facts.Input) -> tuple[acts.Effect, ...]:
        """Do what has become due, then this; a failure inside leaves a guard that denies all."""
        self._wake()
        return self._fold(fact)

    def _wake(self) -> None:
        known = self._moment
        boot_ns = max(known.boot_ns, self._boot_ns())
        self._moment = facts.Moment(boot_ns, max(known.wall_ns, self._wall_ns()))
        for _ in range(_WAKES_MAX):
            if self._broken or not self._wake_boot_ns or boot_ns < self._wake_boot_ns:
                return
            self._wake_boot_ns = 0
            self._fold(facts.TimeAdvanced())

    def _fold(self, fact: facts.Input) -> tuple[acts.Effect, ...]:
        self._broken = True
        effects = self._kernel.step(self._moment, fact)
        for effect in effects:
            self._note(effect)
        self._broken = False
        feed, self._feed_asked = self._feed_asked, None
        if feed is not None:  # there is none behind a guard: what is known is what it is told
            self._fold(ExecutionsSeen(after=feed.after, newest="", problem="absent"))
        return effects

    def _note(self, effect: acts.Effect) -> None:
        match effect:
            case acts.WakeAt():
                self._wake_boot_ns = effect.boot_ns
            case acts.PublishPosture() if effect.scope == ACCOUNT_SCOPE:
                self._posture = effect.posture.name
            case acts.CancelOrder():
                self._cancels[effect.order_id] = None
            case acts.PublishPosition() if not effect.strategy:
                self._told.pop(effect.symbol, None)
                self._held[effect.symbol] = facts.BrokerPosition(
                    symbol=effect.symbol,
                    quantity_nanos=effect.quantity_nanos,
                    average_price_nanos=effect.average_price_nanos,
                    price_nanos=0,
                )
            case acts.ReadExecutions():
                self._feed_asked = effect
            case acts.RaiseAlert() if effect.text != NO_FEED:
                code, severity = effect.code.value, effect.severity.name
                self._alerts.append(GuardAlert(code, effect.scope, severity, effect.text))
            case _:
                pass  # a gateway's outlet or its views would act on it
