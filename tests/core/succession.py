"""Replacements as the shadow knows them: from inputs and effects alone, apart from the kernel."""

from msgspec import Struct

from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.orders import TERMINAL_STATUSES


class Promise(Struct):
    """An accepted replacement that has not been sent."""

    old_id: str
    total: int
    shown: fx.PublishOrder


class Promises:
    """Which replacements wait, and for which order."""

    def __init__(self) -> None:
        self.waiting: dict[str, Promise] = {}

    def by_old(self) -> dict[str, Promise]:
        return {promise.old_id: promise for promise in self.waiting.values()}

    def take(self, fact: facts.Input, effect: fx.Effect, old_quantity: int) -> Promise | None:
        """The promise that this effect made, if it made one."""
        if not isinstance(effect, fx.PublishOrder) or not effect.replaces:
            return None
        if effect.status in TERMINAL_STATUSES:
            self.waiting.pop(effect.order_id, None)
        elif isinstance(fact, facts.ReplaceRequested) and effect.order_id not in self.waiting:
            asked = fact.quantity_nanos
            total = old_quantity if asked is None else asked
            promise = self.waiting[effect.order_id] = Promise(effect.replaces, total, effect)
            return promise
        return None
