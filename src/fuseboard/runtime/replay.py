"""Replay: the loop with both doors closed. Folds the recorded inputs and compares what the kernel
says now with what it said then, byte for byte.
"""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from fuseboard.runtime.ports import Kernel
from fuseboard.vocabulary.inputs import Input, Moment, NodeFaulted
from fuseboard.vocabulary.records import Record

_encoder = msgspec.json.Encoder()


class Difference(Struct, frozen=True, kw_only=True):
    """The first record that does not replay: the effects as recorded and as derived, in JSON, or
    what is wrong with the record itself.
    """

    sequence: int
    recorded: bytes
    derived: bytes
    what: str


class ReplayVerdict(Struct, frozen=True, kw_only=True):
    """How far a replay came. `sequence` and `moment` are those of the last record that agreed."""

    records: int
    sequence: int
    moment: Moment | None
    difference: Difference | None

    @property
    def ok(self) -> bool:
        """Whether every record replayed to the same bytes."""
        return self.difference is None


class _Line(Struct, frozen=True, gc=False):
    """A record whose effects stay undecoded: they are only compared."""

    sequence: int
    moment: Moment
    input: Input
    effects: msgspec.Raw


_line_decoder = msgspec.json.Decoder(_Line)


def replay(records: Iterable[Record], kernel: Kernel, *, after: int = 0) -> ReplayVerdict:
    """Fold records that follow sequence `after` into `kernel`, up to the first difference."""
    lines = (
        (record.sequence, record.moment, record.input, _encoder.encode(record.effects))
        for record in records
    )
    return _replayed(lines, kernel, after)


def replay_lines(lines: Iterable[bytes], kernel: Kernel, *, after: int = 0) -> ReplayVerdict:
    """The same over encoded records, whose effects are never decoded. Raises
    `msgspec.DecodeError` for a line that is no record.
    """
    return _replayed(_read(lines), kernel, after)


def _read(lines: Iterable[bytes]) -> Iterator[tuple[int, Moment, Input, bytes]]:
    decode = _line_decoder.decode
    for line in lines:
        read = decode(line)
        yield read.sequence, read.moment, read.input, bytes(read.effects)


def _replayed(
    lines: Iterable[tuple[int, Moment, Input, bytes]], kernel: Kernel, after: int
) -> ReplayVerdict:
    step = kernel.step
    encode = _encoder.encode
    sequence = after
    boot_ns = wall_ns = 0
    last: Moment | None = None
    difference: Difference | None = None
    for number, moment, fact, recorded in lines:
        derived = b""
        what = ""
        if number != sequence + 1:
            what = f"record {sequence + 1} is missing: {number} follows {sequence}"
        elif moment.boot_ns < boot_ns or moment.wall_ns < wall_ns:
            what = "its moment goes back"
        else:
            derived = encode(step(moment, fact))
            # A node that faulted did not ask its kernel any more: the record has no effects.
            if derived != recorded and not (type(fact) is NodeFaulted and recorded == b"[]"):
                what = "the effects differ"
        if what:
            difference = Difference(sequence=number, recorded=recorded, derived=derived, what=what)
            break
        sequence, last = number, moment
        boot_ns, wall_ns = moment.boot_ns, moment.wall_ns
    return ReplayVerdict(
        records=sequence - after, sequence=sequence, moment=last, difference=difference
    )
