"""What reading a tape has found in it: counted by kind, each with the first example."""

from enum import Enum

from msgspec import Struct


class FindingKind(Enum):
    """What can be wrong with a record that can still be read. Only `left_out` is not passed on."""

    LATE = "late"
    """An event older than one before it, within what the tape allows: put in its place."""
    CROSSED = "crossed"
    """A quote whose bid is above its ask."""
    LOCKED = "locked"
    """A quote whose bid is its ask."""
    ONE_SIDED = "one_sided"
    """A quote without a bid or without an ask."""
    JUMP = "jump"
    """A print further from the symbol's last than the tape's `jump_percent`."""
    BEYOND_QUOTE = "beyond_quote"
    """A print above the recorded ask that stood, or below the bid."""
    GAP = "gap"
    """Nothing of a symbol for longer than the tape's cadence lets expect."""
    OUTSIDE = "outside"
    """An event outside the hours that the tape says it covers."""
    LEFT_OUT = "left_out"
    """A row or an event that cannot be passed on: the example says why."""
    DISAGREES = "disagrees"
    """Two parts of the record that tell of the same thing tell different things."""


class Finding(Struct, frozen=True, kw_only=True):
    """One kind: how often, and its first example. A row of 0: the record has no rows."""

    kind: FindingKind
    count: int
    first_row: int
    first_at_ns: int
    first_says: str


class TapeChecked(Struct, frozen=True, kw_only=True):
    """What one pass over a tape has read and found."""

    quotes: int
    trades: int
    halts: int
    first_ns: int
    last_ns: int
    findings: tuple[Finding, ...]

    def count_of(self, kind: FindingKind) -> int:
        """How often a kind was found."""
        return sum(each.count for each in self.findings if each.kind is kind)


class Findings:
    """Collects what one pass finds. A reader keeps `file` and `row` at what it reads."""

    __slots__ = ("_by_kind", "file", "first_ns", "halts", "last_ns", "quotes", "row", "trades")

    def __init__(self) -> None:
        self.file = ""
        self.row = 0
        self.quotes = 0
        self.trades = 0
        self.halts = 0
        self.first_ns = 0
        self.last_ns = 0
        self._by_kind: dict[FindingKind, Finding] = {}

    def note(self, kind: FindingKind, at_ns: int, says: str = "") -> None:
        """One more of a kind at the present row. `says` is kept for the first only."""
        known = self._by_kind.get(kind)
        if known is not None:
            first_row, first_at_ns, says = known.first_row, known.first_at_ns, known.first_says
        else:
            first_row, first_at_ns = self.row, at_ns
        self._by_kind[kind] = Finding(
            kind=kind,
            count=1 if known is None else known.count + 1,
            first_row=first_row,
            first_at_ns=first_at_ns,
            first_says=says,
        )

    def place(self) -> str:
        """Where the reader is, for a message: `FILE, line 12`."""
        if not self.row:
            return self.file or "the tape"
        return f"{self.file or 'the tape'}, line {self.row}"

    def told(self) -> TapeChecked:
        """What was found so far, in the order of `FindingKind`."""
        found = [self._by_kind[kind] for kind in FindingKind if kind in self._by_kind]
        return TapeChecked(
            quotes=self.quotes,
            trades=self.trades,
            halts=self.halts,
            first_ns=self.first_ns,
            last_ns=self.last_ns,
            findings=tuple(found),
        )
