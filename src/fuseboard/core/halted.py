"""What is kept of a halt: its number and author, and what it found on its way."""

from msgspec import Struct


class OpenEnd(Struct):
    """Of an order that people were told of while its end was not known: what they were told."""

    told: str
    begun_boot_ns: int
    listed: bool


class LastHalt(Struct, frozen=True):
    """The newest halt of a scope that is not cleared: its number, and by whom or what."""

    halt_epoch: int
    detail: str
