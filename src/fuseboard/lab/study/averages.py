"""What the study's trials come to together: capital kept, false positives, detection."""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from fuseboard.lab.result import Figures, Orders
from fuseboard.lab.study.rows import Study, StudyRow, TapeRow
from fuseboard.lab.study.tapes import Grain, Kind
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason

Which = Callable[[TapeRow], bool]
GROUPS: dict[str, Which] = {
    "recorded trades and quotes": lambda tape: tape.recorded and tape.grain is not Grain.BARS,
    "recorded bars": lambda tape: tape.recorded and tape.grain is Grain.BARS,
    "generated": lambda tape: not tape.recorded,
}
"""Tapes of a kind are averaged in these groups, never over them."""


def tells_spread(tape: TapeRow) -> bool:
    """Whether a tape can say what liquidity was: the spread of bars is the reader's own."""
    return tape.grain not in (Grain.BARS, Grain.DAILY)


class Pair(Struct, frozen=True, kw_only=True):
    """One tape and strategy, with the gate and without."""

    tape: TapeRow
    strategy: str
    gate: StudyRow
    bare: StudyRow

    def figures(self) -> tuple[Figures, Figures]:
        """With the gate, without."""
        assert self.gate.figures is not None
        assert self.bare.figures is not None
        return self.gate.figures, self.bare.figures


class Kept(Struct, frozen=True, kw_only=True):
    """Of several pairs: capital kept and worst drawdown, fractions in nano-units."""

    pairs: int
    gate_nanos: int
    """On average."""
    bare_nanos: int
    gate_lowest_nanos: int
    bare_lowest_nanos: int
    gate_reached: int
    """How many kept what is to be kept."""
    bare_reached: int
    gate_drawdown_nanos: int
    """On average."""
    bare_drawdown_nanos: int
    gate_drawdown_worst_nanos: int
    bare_drawdown_worst_nanos: int
    cost_money: int
    """How many kept less with the gate than without."""


class FalsePositives(Struct, frozen=True, kw_only=True):
    """Of calm tapes, with the gate."""

    trials: int
    submitted: int
    skipped: int
    cut: int
    taken_back: int
    denied_otherwise: int
    trips: int
    mean_nanos: int
    """The share of orders that liquidity denied or cut, of each trial that asked, on average."""
    over: int
    """How many trials have a higher share than what is to be kept under."""
    asking: int
    """How many trials asked for an order."""
    cautious_ns: int
    tight_ns: int
    """All symbols' time in DEFENSIVE or worse, each tape once."""
    measured_ns: int

    @property
    def orders_nanos(self) -> int:
        """The share of orders that liquidity denied or cut."""
        return part(self.skipped + self.cut, self.submitted)

    @property
    def taken_back_nanos(self) -> int:
        """The share of orders that the gate took back, their time over, though nobody asked."""
        return part(self.taken_back, self.submitted)

    @property
    def time_nanos(self) -> int:
        """The share of time in DEFENSIVE or worse."""
        return part(self.tight_ns, self.measured_ns)

    @property
    def cautious_nanos(self) -> int:
        """The share of time in CAUTIOUS."""
        return part(self.cautious_ns, self.measured_ns)


def pairs_of(
    study: Study, kind: Kind, which: Which = lambda _tape: True, *, left_takes: bool = False
) -> list[Pair]:
    """The pairs of a kind that both have figures, in order; `left_takes` is of the gate."""
    rows = {
        (row.tape, row.strategy, row.protected): row
        for row in study.rows
        if row.figures and row.left_takes is (row.protected and left_takes)
        if row.equity_nanos == study.equity_nanos
    }
    found = []
    for tape in study.tapes:
        if tape.kind is not kind or not which(tape):
            continue
        for strategy in dict.fromkeys(row.strategy for row in study.rows):
            gate, bare = (rows.get((tape.name, strategy, way)) for way in (True, False))
            if gate is not None and bare is not None:
                found.append(Pair(tape=tape, strategy=strategy, gate=gate, bare=bare))
    return found


def kept_of(pairs: Sequence[Pair], target_nanos: int) -> Kept | None:
    """Of these pairs; None of none."""
    if not pairs:
        return None
    both = [pair.figures() for pair in pairs]
    gates = [gate for gate, _ in both]
    bares = [bare for _, bare in both]

    def reached(figures: Iterable[Figures]) -> int:
        return sum(each.capital_kept_nanos >= target_nanos for each in figures)

    return Kept(
        pairs=len(pairs),
        gate_nanos=sum(each.capital_kept_nanos for each in gates) // len(gates),
        bare_nanos=sum(each.capital_kept_nanos for each in bares) // len(bares),
        gate_lowest_nanos=min(each.capital_kept_nanos for each in gates),
        bare_lowest_nanos=min(each.capital_kept_nanos for each in bares),
        gate_reached=reached(gates),
        bare_reached=reached(bares),
        gate_drawdown_nanos=sum(each.worst_drawdown_nanos for each in gates) // len(gates),
        bare_drawdown_nanos=sum(each.worst_drawdown_nanos for each in bares) // len(bares),
        gate_drawdown_worst_nanos=max(each.worst_drawdown_nanos for each in gates),
        bare_drawdown_worst_nanos=max(each.worst_drawdown_nanos for each in bares),
        cost_money=sum(gate.capital_kept_nanos < bare.capital_kept_nanos for gate, bare in both),
    )


def with_more_cash(study: Study, strategy: str, which: Which) -> list[StudyRow]:
    """The trials of a strategy on calm tapes that began with more than the study's own cash."""
    tapes = [tape.name for tape in study.tapes if tape.kind is Kind.CALM and which(tape)]
    return [
        row
        for row in study.rows
        if row.figures and row.equity_nanos > study.equity_nanos
        if row.strategy == strategy and row.tape in tapes
    ]


def false_positives(rows: Sequence[StudyRow], target_nanos: int) -> FalsePositives:
    """Of these trials of calm tapes. A tape's tiers count once, whatever traded on it."""
    gates = [row.figures for row in rows if row.figures is not None]
    once = {row.tape: row.figures for row in rows if row.figures is not None}.values()
    orders = [each.orders for each in gates]
    shares = [
        part(each.skipped + each.resized, each.submitted) for each in orders if each.submitted
    ]
    return FalsePositives(
        trials=len(gates),
        submitted=sum(each.submitted for each in orders),
        skipped=sum(each.skipped for each in orders),
        cut=sum(each.resized for each in orders),
        taken_back=sum(each.taken_back for each in orders),
        denied_otherwise=sum(denied_otherwise(each) for each in orders),
        trips=sum(each.trips for each in gates),
        mean_nanos=sum(shares) // len(shares) if shares else 0,
        over=sum(share > target_nanos for share in shares),
        asking=len(shares),
        cautious_ns=sum(each.tier_ns.get("CAUTIOUS", 0) for each in once),
        tight_ns=sum(tight_ns(each) for each in once),
        measured_ns=sum(sum(each.tier_ns.values()) for each in once),
    )


def denied_otherwise(orders: Orders) -> int:
    """Orders that a check denied which is not liquidity's; not those that their own cancel met."""
    return orders.denied - orders.skipped - orders.denials.get(Reason.ANNIHILATED.value, 0)


def tight_ns(figures: Figures) -> int:
    """Time in DEFENSIVE or worse."""
    return sum(figures.tier_ns.get(tier, 0) for tier in ("DEFENSIVE", "EMERGENCY"))


def delays_of(pair: Pair, since_ns: int) -> dict[str, int]:
    """How long after a time each signal came, and the `first` of them; in ns.

    What held before the deterioration is none: see `held_before`.
    """
    detection = pair.gate.detection
    if detection is None or not since_ns or not detection.first_ns:
        return {}
    delays = {name: at_ns - since_ns for name, at_ns in detection.first_ns.items()}
    return {**delays, "first": min(delays.values())}


def held_before(pair: Pair) -> tuple[str, ...]:
    """Which signals the beginning of the deterioration met already: luck, and no detection."""
    detection = pair.gate.detection
    if detection is None:
        return ()
    tripped = ("trip",) if detection.earlier["trip"] else ()
    return (*detection.held, *tripped)


def first_delays(pairs: Iterable[Pair], *, visible: bool) -> list[int]:
    """The first signal's delay of each pair that had one, in order of size."""
    found = []
    for pair in pairs:
        looked = pair.tape.judged
        assert looked is not None
        delays = delays_of(pair, looked.visible_ns if visible else looked.began_ns)
        if delays:
            found.append(delays["first"])
    return sorted(found)


def part(of: int, whole: int) -> int:
    """A fraction in nano-units, 0 of nothing."""
    return of * NANOS // whole if whole else 0
