from collections.abc import Iterator

import msgspec
import pytest

from fuseboard.runtime.replay import replay, replay_lines
from fuseboard.vocabulary.inputs import CancelRequested, Input, Moment, NodeFaulted
from fuseboard.vocabulary.records import Record, encoded_record
from tests.runtime.worlds import SmallKernel, halt_requested, order_requested, quote


def _facts() -> Iterator[Input]:
    for number in range(1, 60):
        yield order_requested(number)
        yield quote("A", number, number + 1)
        yield CancelRequested(request=number, strategy="dip", order_id=f"o{number}")
    yield halt_requested()


def _recorded(after: int = 0) -> list[Record]:
    kernel = SmallKernel()
    records = []
    for sequence, fact in enumerate(_facts(), after + 1):
        moment = Moment(sequence, sequence)
        records.append(Record(sequence, moment, fact, kernel.step(moment, fact)))
    return records


def test_records_and_lines_replay_to_the_same_bytes() -> None:
    records = _recorded()
    kernel = SmallKernel()
    verdict = replay(records, kernel)
    assert verdict.ok
    assert (verdict.records, verdict.sequence) == (len(records), len(records))
    assert verdict.moment == records[-1].moment
    assert kernel.steps == len(records)
    lines = [encoded_record(record) for record in records]
    assert replay_lines(lines, SmallKernel()) == verdict
    tail = [encoded_record(record) for record in _recorded(after=100)]
    assert replay_lines(tail, SmallKernel(), after=100).sequence == 100 + len(tail)


@pytest.mark.parametrize("position", [0, 50, 177])
def test_the_first_difference_is_reported_and_ends_the_replay(position: int) -> None:
    records = _recorded()
    assert len(records) == 178
    wrong = records[position]
    changed = wrong.effects[:-1] if wrong.effects else records[0].effects
    records[position] = Record(wrong.sequence, wrong.moment, wrong.input, changed)
    for verdict in (
        replay(records, SmallKernel()),
        replay_lines([encoded_record(record) for record in records], SmallKernel()),
    ):
        assert not verdict.ok
        assert verdict.difference is not None
        assert verdict.difference.sequence == position + 1
        assert verdict.difference.what == "the effects differ"
        assert verdict.difference.recorded == msgspec.json.encode(changed)
        assert verdict.difference.derived == msgspec.json.encode(wrong.effects)
        assert verdict.records == position


def test_a_missing_record_and_a_moment_that_goes_back_are_differences() -> None:
    records = _recorded()
    gap = replay(records[:10] + records[11:], SmallKernel())
    assert gap.difference is not None
    assert gap.difference.what == "record 11 is missing: 12 follows 10"
    back = Record(5, Moment(3, 5), records[4].input, records[4].effects)
    wrong = replay([*records[:4], back], SmallKernel())
    assert wrong.difference is not None
    assert wrong.difference.what == "its moment goes back"


def test_the_record_of_a_fault_is_folded_and_has_no_effects_to_compare() -> None:
    class Faulting(SmallKernel):
        def step(self, moment: Moment, fact: Input) -> tuple[object, ...]:  # type: ignore[override]
            self.steps += 1
            return (self.latch(),) if isinstance(fact, NodeFaulted) else ()

    fault = Record(1, Moment(1, 1), NodeFaulted(detail="disk"), ())
    kernel = Faulting()
    assert replay([fault], kernel).ok  # type: ignore[arg-type]
    assert kernel.steps == 1
    with_others = Record(1, Moment(1, 1), NodeFaulted(detail="disk"), _recorded()[0].effects)
    assert not replay([with_others], Faulting()).ok  # type: ignore[arg-type]


def test_a_line_that_is_no_record_raises() -> None:
    with pytest.raises(msgspec.DecodeError):
        replay_lines([b'{"sequence":1}'], SmallKernel())
