"""The journal's unit: one input with its moment and the effects it caused."""

import msgspec
from msgspec import Struct

from fuseboard.vocabulary.effects import Effect
from fuseboard.vocabulary.inputs import Input, Moment


class Record(Struct, frozen=True, gc=False):
    """One step of the kernel. `sequence` starts at 1 and has no gaps."""

    sequence: int
    moment: Moment
    input: Input
    effects: tuple[Effect, ...]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def encoded_record(record: Record) -> bytes:
    """The canonical bytes: one line of JSON, fields in declaration order, no newline."""
    return _encoder.encode(record)


def decoded_record(line: bytes) -> Record:
    """The record of one line; raises `msgspec.DecodeError` (also on a wrong shape)."""
    return _decoder.decode(line)
