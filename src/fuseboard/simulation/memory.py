"""What people, strategies and the network remember of a gateway, whatever the gateway forgets."""

from msgspec import Struct

from fuseboard.vocabulary.effects import (
    AnswerDenied,
    AnswerOperator,
    AnswerOrder,
    Effect,
    PublishPosture,
    SubmitOrder,
)
from fuseboard.vocabulary.evidence_effects import RecordPlan, RecordTransition
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason

KEPT = (
    AnswerDenied,
    AnswerOperator,
    AnswerOrder,
    PublishPosture,
    RecordPlan,
    RecordTransition,
    SubmitOrder,
)


class Broken(AssertionError):
    """A law does not hold; the message begins with its number."""


class Page(Struct, frozen=True):
    """One alert as it reached people."""

    at_ns: int
    severity: str
    code: str
    text: str


class Memory:
    """A view and a pager of the gateway that never dies. `broken` collects what must not be."""

    def __init__(self) -> None:
        self.told: list[Effect] = []
        self.orders: dict[int, str] = {}
        """Request to the order id of its answer."""
        self.answered: dict[int, None] = {}
        self.postures: dict[str, tuple[Posture, Reason]] = {}
        self.latched: dict[str, int] = {}
        """Scopes whose latch was durable when the gateway went on, and their halt epoch."""
        self.pages: list[Page] = []
        self.broken: list[str] = []
        self.now_ns = 0

    def apply(self, effect: Effect) -> None:
        """Take one effect that left."""
        if isinstance(effect, KEPT):
            self.told.append(effect)
        if isinstance(effect, AnswerOrder):
            self.orders[effect.request] = effect.order_id
        if isinstance(effect, AnswerOrder | AnswerDenied | AnswerOperator):
            self.answered[effect.request] = None
        elif isinstance(effect, PublishPosture):
            self.postures[effect.scope] = (effect.posture, effect.reason)

    def page(self, severity: str, code: str, scope: str, text: str, *, age_ns: int = 0) -> None:
        """Take one alert."""
        del scope, age_ns
        self.pages.append(Page(self.now_ns, severity, code, text))

    def holds(self, law: str, condition: bool, what: str) -> None:
        """Note a law that does not hold; the run goes on, and fails at its end."""
        if not condition:
            self.broken.append(f"law {law}: {what}")
