"""Records and journals for the tests of this room."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fuseboard.journal.file import create_journal
from fuseboard.journal.recovery import recover
from fuseboard.journal.writer import JournalWriter
from fuseboard.vocabulary.effects import AnswerDenied, PublishPosition
from fuseboard.vocabulary.inputs import Moment, OrderRequested, TimeAdvanced
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.records import Record, encoded_record

INSTANCE = "abcd1234"
WAIT_SECONDS_MAX = 30.0


def record(sequence: int) -> Record:
    """A record of its sequence alone: big, small, with and without effects."""
    moment = Moment(boot_ns=sequence * 1_000, wall_ns=1_700_000_000_000_000_000 + sequence)
    if sequence % 3 == 0:
        return Record(sequence, moment, TimeAdvanced(), ())
    order = OrderRequested(
        request=sequence,
        strategy="dip",
        client_order_id=f"line\nbreak “{sequence}”",
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=sequence * 1_000_000_000,
        limit_price_nanos=250_000_000_000,
    )
    denied = AnswerDenied(
        request=sequence, strategy="dip", reason=Reason.PRICE_COLLAR, checks=("posture", "collar")
    )
    position = PublishPosition(
        strategy="dip", symbol="AAPL", quantity_nanos=sequence, average_price_nanos=1
    )
    return Record(sequence, moment, order, (denied, position)[: sequence % 3])


def records_between(first: int, last: int) -> list[Record]:
    return [record(sequence) for sequence in range(first, last + 1)]


def lines_between(first: int, last: int) -> list[bytes]:
    return [encoded_record(record(sequence)) for sequence in range(first, last + 1)]


class Watermark:
    """Where the writer's callbacks arrive; a test can wait for them."""

    def __init__(self) -> None:
        self.sequence = 0
        self.commits: list[int] = []
        self.failures: list[BaseException] = []
        self._changed = threading.Condition()

    def durable(self, sequence: int) -> None:
        with self._changed:
            self.sequence = sequence
            self.commits.append(sequence)
            self._changed.notify_all()

    def failed(self, error: BaseException) -> None:
        with self._changed:
            self.failures.append(error)
            self._changed.notify_all()

    def wait_for(self, sequence: int) -> None:
        with self._changed:
            reached = self._changed.wait_for(
                lambda: self.sequence >= sequence or bool(self.failures), WAIT_SECONDS_MAX
            )
        assert reached, f"{sequence} did not become durable"
        assert not self.failures, self.failures

    def wait_for_failure(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: bool(self.failures), WAIT_SECONDS_MAX)


@contextmanager
def writing(
    path: Path, *, queue_records_max: int = 20_000, commit_records_max: int = 1_000
) -> Iterator[tuple[JournalWriter, Watermark]]:
    """A writer at the end of a journal, which is made when there is none."""
    if not path.exists():
        create_journal(path, INSTANCE, 1_700_000_000_000_000_000)
    recovered = recover(path)
    watermark = Watermark()
    watermark.sequence = recovered.last_sequence
    writer = JournalWriter(
        path,
        last_sequence=recovered.last_sequence,
        last_chain=recovered.last_chain,
        durable=watermark.durable,
        failed=watermark.failed,
        release="1.0",
        queue_records_max=queue_records_max,
        commit_records_max=commit_records_max,
    )
    try:
        yield writer, watermark
    finally:
        writer.close()


def written(path: Path, sizes: Sequence[int], *, snapshots: bool = False) -> int:
    """Append commits of these sizes, one after the other; returns the last sequence."""
    with writing(path) as (writer, watermark):
        last = watermark.sequence
        for size in sizes:
            writer.append(records_between(last + 1, last + size))
            last += size
            watermark.wait_for(last)
            if snapshots:
                writer.snapshot(last, state_at(last), f"digest {last}")
    return last


def state_at(sequence: int) -> bytes:
    return (b"state %d " % sequence) * 700
