"""What was decided and may not leave yet: records wait here until the disk has them."""

from collections import deque
from collections.abc import Iterator

from fuseboard.vocabulary.effects import OVERTAKING, Effect, SubmitOrder
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.records import Record

_OVERTAKING = frozenset(OVERTAKING)


class Hold:
    """Held effects in sequence. A submit that is still held can be annihilated by a cancel."""

    def __init__(self) -> None:
        self._records: deque[Record] = deque()
        self._submits: dict[str, SubmitOrder] = {}

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: Record) -> None:
        """Hold a record's effects, but those that have overtaken the disk."""
        for effect in record.effects:
            if type(effect) is SubmitOrder:
                assert effect.order_id not in self._submits, f"{effect.order_id} submitted twice"
                self._submits[effect.order_id] = effect
        self._records.append(record)

    def annihilate(self, order_id: str) -> bool:
        """Take a held submit out for good; False when none is held under this id."""
        return self._submits.pop(order_id, None) is not None

    def released(self, sequence: int) -> Iterator[tuple[Moment, Effect]]:
        """Let go, in order, of every effect whose record is durable at `sequence`."""
        while self._records and self._records[0].sequence <= sequence:
            record = self._records.popleft()
            for effect in record.effects:
                if type(effect) in _OVERTAKING:
                    continue
                if type(effect) is SubmitOrder and not self.annihilate(effect.order_id):
                    continue
                yield record.moment, effect
