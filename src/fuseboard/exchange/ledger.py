"""The exchange's own append-only record, one line of JSON an entry: the truth for tests.

Every accepted request, order event, fill and change of cash is one entry, numbered without gaps
from 1. The same seed and the same requests give the same bytes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from fuseboard.exchange.orders import Against, Status
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce


class LedgerDamaged(ValueError):
    """A line of a ledger cannot be read, or its number is not the next one."""


class Entry(Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """What all entries share: their number and the exchange's time."""

    sequence: int
    at_ns: int


class AccountOpened(Entry, frozen=True, tag=True):
    """The account began with this much cash."""

    cash_nanos: int
    seed: int


class CashMoved(Entry, frozen=True, tag=True):
    """Money was paid in (positive) or out: by the owner, else as a dividend of a symbol."""

    amount_nanos: int
    dividend_of: str = ""


class AccountConfigured(Entry, frozen=True, tag=True):
    """The owner set Alpaca's latches: no new shorts, no new orders at all."""

    no_shorting: bool
    suspend_trade: bool


class OrderAccepted(Entry, frozen=True, tag=True):
    """An order was taken in. `opens`: it may raise exposure; else it holds a part of a position."""

    order_id: str
    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity_nanos: int
    opens: bool
    limit_price_nanos: int | None = None
    stop_price_nanos: int | None = None
    replaces: str | None = None


class RequestRefused(Entry, frozen=True, tag=True):
    """A request was refused. `subject` is the client order id of an order, else the order id."""

    request: str
    subject: str
    http_status: int
    code: int
    message: str


class CancelTaken(Entry, frozen=True, tag=True):
    """A cancel was taken in; it takes effect after the latency."""

    order_id: str


class OrderArrived(Entry, frozen=True, tag=True):
    """An order reached the book."""

    order_id: str


class StopTriggered(Entry, frozen=True, tag=True):
    """A trade reached a stop price."""

    order_id: str


class OrderFilled(Entry, frozen=True, tag=True):
    """One execution. `filled_quantity_nanos` is cumulative, `position_nanos` is after it."""

    order_id: str
    execution_id: str
    symbol: str
    side: Side
    price_nanos: int
    quantity_nanos: int
    filled_quantity_nanos: int
    position_nanos: int
    against: Against


class CashChanged(Entry, frozen=True, tag=True):
    """Cash moved for an execution: its value, or its fee. Atto-units as text: they are long."""

    order_id: str
    why: str
    amount_attos: str
    cash_attos: str


class OrderEnded(Entry, frozen=True, tag=True):
    """An order became final."""

    order_id: str
    status: Status
    filled_quantity_nanos: int


class TradingStatus(Entry, frozen=True, tag=True):
    """Trading of a symbol halted (`H`, `P`) or resumed (`T`), and why."""

    symbol: str
    status: str
    reason: str


LedgerEntry = (
    AccountOpened
    | CashMoved
    | AccountConfigured
    | OrderAccepted
    | RequestRefused
    | CancelTaken
    | OrderArrived
    | StopTriggered
    | OrderFilled
    | CashChanged
    | OrderEnded
    | TradingStatus
)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(LedgerEntry)
EntryKind = Callable[..., LedgerEntry]
Recorder = Callable[[bytes], None]
"""Takes one line, without its newline."""


def encoded_entry(entry: LedgerEntry) -> bytes:
    """The canonical line of an entry, without a newline."""
    return _encoder.encode(entry)


def decoded_entry(line: bytes) -> LedgerEntry:
    """The entry of one line; raises `msgspec.DecodeError`."""
    entry: LedgerEntry = _decoder.decode(line)
    return entry


class LedgerFile:
    """Appends lines to a new file, each one flushed to the operating system before the next."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("xb", buffering=0)

    def record(self, line: bytes) -> None:
        """Append one line."""
        self._file.write(line + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def entries_of(lines: list[bytes]) -> list[LedgerEntry]:
    """The entries of lines; raises `LedgerDamaged` when one is wrong or missing."""
    entries: list[LedgerEntry] = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = decoded_entry(line)
        except msgspec.DecodeError as wrong:
            raise LedgerDamaged(f"line {number}: {wrong}") from wrong
        if entry.sequence != number:
            raise LedgerDamaged(f"line {number} has the number {entry.sequence}")
        entries.append(entry)
    return entries


def read_ledger(path: Path) -> list[LedgerEntry]:
    """All whole lines of a ledger file; a last line that is still being written is left out.

    Raises `LedgerDamaged` when a line is wrong or missing.
    """
    return entries_of(path.read_bytes().split(b"\n")[:-1])
