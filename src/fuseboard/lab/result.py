"""What a trial came to: the file that `fuseboard lab run --out` writes and `lab report` reads.

Prices, sizes and money are nano-units (1 = 10^9), scores basis points of the scale (10,000 = 100),
times UTC nanoseconds since 1970 by the tape's clock, durations nanoseconds. Fractions (drawdown,
slippage, capital kept, spread) are nano-units too. Everything here is bounded: `Series.points_max`,
`BANDS_MAX`, `MARKS_MAX`; what does not fit is merged or counted, never silently left out.
"""

import hashlib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs

from fuseboard.vocabulary.orders import Side

FORMAT: Final = 1
POINTS_MAX: Final = 2_000
BANDS_MAX: Final = 2_000
MARKS_MAX: Final = 2_000
SYMBOLS_DRAWN_MAX: Final = 8
"""Of so many symbols of a tape, the first ones, there are series."""


class ResultUnreadable(ValueError):
    """A file is no trial's result; the message says why and what to do."""


class Ran(Struct, frozen=True, kw_only=True):
    """What ran: with the same of everything here a trial comes to the same digest."""

    tape: str
    """As it was asked for."""
    tape_name: str
    tape_describes: str
    tape_kind: str
    """`us_equity` or `crypto`."""
    sampled: bool
    """Whether the tape lacks events by construction."""
    symbols: tuple[str, ...]
    open_ns: int
    close_ns: int
    policy: str
    """Its name; `policy_digest` is that of its canonical text."""
    policy_digest: str
    """Of the policy as its file says it."""
    policy_ran_digest: str
    """Of the policy as it ran: the file's with the data limits that the tape asks for."""
    strategy: str
    strategy_name: str
    """Which of the policy's strategies the gate took it for."""
    parameters: dict[str, int]
    protected: bool
    """Whether the gate stood between strategy and exchange."""
    equity_nanos: int
    """Cash at the beginning."""
    seed: int
    slice_ns: int
    """Events of so much tape time are conflated, as by an intake that is looked at so often."""
    latency_ns: int
    """From the request of an order or cancel until it is in the exchange's book."""
    quote_age_ns_max: int
    """How old a quote may be: the policy's own, or more where the tape's cadence asks for it."""
    left_takes: bool = False
    """Whether the rest of a limit order that arrived at the far side went on taking."""


class Series(Struct, frozen=True, kw_only=True):
    """One quantity over time, in buckets of equal length that begin at `began_ns`.

    A bucket that saw nothing is left out: `index` says which one each point is. `low` and `high`
    are the extremes inside the bucket, `last` its last value.

    `name`: `equity` of the account; of each symbol drawn `price` (the middle), `spread` (of the
    middle), `depth` (units displayed on both sides, all levels told), `score` (plain) and
    `calibrated`, both only where the policy measures liquidity; `position` (units, negative short).
    """

    name: str
    symbol: str
    """Empty for the account's."""
    unit: str
    """`money`, `fraction`, `units` (all in nano-units) or `points` (basis points)."""
    began_ns: int
    bucket_ns: int
    index: tuple[int, ...]
    last: tuple[int, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    points_max: int = POINTS_MAX
    derived: bool | UnsetType = UNSET
    """True: it comes of quotes that the record does not have. Else nothing is written of it."""


class Band(Struct, frozen=True, kw_only=True):
    """From `since_ns` until the next band of its `subject` this held."""

    subject: str
    """A scope such as `account` or `strategy:NAME` for postures; a symbol for tiers."""
    since_ns: int
    value: str
    """OPEN, REDUCED, REDUCE_ONLY, HALTED, KILLED; NORMAL, CAUTIOUS, DEFENSIVE, EMERGENCY."""
    code: str = ""
    """The posture's reason."""
    score: int = 0
    """By which a tier changed, in basis points."""


class Mark(Struct, frozen=True, kw_only=True):
    """Something that happened at one time; `count` of the same kind were merged into it.

    `kind`: `allowed`, `resized`, `denied`, `rejected` (by the exchange), `refused` (the intake was
    full), `canceled`; `fill`, `plan_fill` (of a liquidation); `trip`, `plan` (a stage: `text`),
    `transition` of a fuse (`text`), `alert`, `halt`, `resume` of the exchange.
    """

    at_ns: int
    """Of the last one that was merged."""
    kind: str
    symbol: str = ""
    side: Side | None = None
    quantity_nanos: int = 0
    """Sum of those that were merged."""
    price_nanos: int = 0
    """Of the last one; 0 where there is none."""
    code: str = ""
    """The reason's code of a denial."""
    text: str = ""
    """Of the last one."""
    count: int = 1


class Orders(Struct, frozen=True, kw_only=True):
    """What became of the orders that the strategy asked for. Each is counted in one of them.

    `submitted` = `allowed` + `denied` + `rejected` + `refused` + `unanswered` (the tape ended
    first); `resized` are those of the allowed that were cut; `repriced` those that kept their size
    and were given another type or limit; `taken_back` those that the gate cancelled before they
    were filled though nothing was stopped: their time was over, or the symbol fell into EMERGENCY;
    `skipped` those of the denied that liquidity denied.
    """

    submitted: int = 0
    allowed: int = 0
    resized: int = 0
    repriced: int = 0
    taken_back: int = 0
    denied: int = 0
    rejected: int = 0
    refused: int = 0
    unanswered: int = 0
    skipped: int = 0
    cancels: int = 0
    fills: int = 0
    denials: dict[str, int] = {}
    """By code, the most frequent first."""


class SymbolFigures(Struct, frozen=True, kw_only=True):
    """One symbol: what the tape told of it, and its liquidity where the policy measures it."""

    symbol: str
    quotes: int
    trades: int
    tier_changes: int = 0
    tier_falls: int = 0
    """Of those the ones to a tighter tier."""
    tier_ns: dict[str, int] = {}
    """Time in each tier, from the first tier that is known to the tape's end."""
    score_average: int = 0
    """Over time, of the score that the tier follows; 0 where none was seen."""
    score_lowest: int = 0


class LiquidatedSymbol(Struct, frozen=True, kw_only=True):
    """How one symbol was closed. Slippage is of the arrival value: positive is money lost.

    `arrival_nanos` is the middle at the trip. `at_once_nanos` is the average price that one market
    order for all of it would have got at the trip, from what the tape displayed then and, as the
    exchange fills what is left of a market order, from each later quote.
    """

    symbol: str
    quantity_nanos: int
    """Held at the trip, negative when short."""
    closed_nanos: int
    arrival_nanos: int
    average_nanos: int
    """Of the plan's fills; 0 when there was none."""
    at_once_nanos: int
    at_once_filled_nanos: int
    slippage_nanos: int
    at_once_slippage_nanos: int


class Liquidation(Struct, frozen=True, kw_only=True):
    """One trip's plan. `proceeds_nanos` is what its fills brought (negative: cost)."""

    trip: str
    scope: str
    began_ns: int
    ended_ns: int
    """0 when it had not ended when the tape did."""
    symbols: tuple[LiquidatedSymbol, ...]
    arrival_value_nanos: int
    proceeds_nanos: int
    slippage_nanos: int
    """Of the arrival value of what was closed, over all symbols; positive is money lost."""
    at_once_slippage_nanos: int
    left: tuple[str, ...] = ()


class Figures(Struct, frozen=True, kw_only=True):
    """The trial in numbers. Fractions are rounded against the trader."""

    equity_first_nanos: int
    equity_last_nanos: int
    """At the middle of the last quotes, as the whole equity series."""
    capital_kept_nanos: int
    worst_drawdown_nanos: int
    """From a peak of the marked equity to a later trough, of the peak."""
    worst_drawdown_ns: int
    """When that trough was."""
    orders: Orders
    tier_changes: int
    tier_changes_an_hour_nanos: int
    """Of one symbol on average."""
    tier_ns: dict[str, int]
    emergencies: int
    """How often a symbol fell to EMERGENCY."""
    posture_ns: dict[str, int]
    """Time in each posture of the account."""
    trips: int
    first_trip_ns: int
    """0 when nothing tripped."""
    liquidations: tuple[Liquidation, ...]
    events: int
    """Of the tape."""
    inputs: int
    """That the kernel folded; 0 when unprotected."""


class SignalTimes(Struct, frozen=True, kw_only=True):
    """How long calls into the strategy took by the stopwatch, in ns. Never part of the digest."""

    calls: int = 0
    p50_ns: int = 0
    p99_ns: int = 0
    longest_ns: int = 0
    slow: int = 0
    """Calls longer than 1 ms."""


class Took(Struct, frozen=True, kw_only=True):
    """How long the trial itself took. Never part of the digest."""

    wall_ns: int = 0
    events_a_second: int = 0


class TrialResult(Struct, frozen=True, kw_only=True):
    """One trial, whole. `digest` covers all from `format` to `ledger_digest`."""

    format: int = FORMAT
    ran: Ran
    figures: Figures
    symbols: tuple[SymbolFigures, ...]
    series: tuple[Series, ...]
    postures: tuple[Band, ...]
    postures_left_out: int
    tiers: tuple[Band, ...]
    tiers_left_out: int
    marks: tuple[Mark, ...]
    marks_left_out: int
    ledger_digest: str
    """Hex SHA-256 of the exchange's ledger, line by line: every order, fill and move of cash."""
    policy_file: str = ""
    """The policy's file as it was asked for: only to say how the trial is made again."""
    release: str = ""
    """The build that ran it."""
    signals: SignalTimes = SignalTimes()
    took: Took = Took()
    digest: str = ""


def digest_of(result: TrialResult) -> str:
    """Hex SHA-256 of everything that is the same each time."""
    measured = {"release": "", "policy_file": "", "signals": SignalTimes(), "took": Took()}
    same = structs.replace(result, digest="", **measured)
    return hashlib.sha256(msgspec.json.encode(same)).hexdigest()


def sealed(result: TrialResult) -> TrialResult:
    """The result with its digest."""
    return structs.replace(result, digest=digest_of(result))


def encoded(result: TrialResult) -> bytes:
    """The file of a result."""
    return msgspec.json.encode(result)


def read_result(path: Path) -> TrialResult:
    """The result in a file. Raises `ResultUnreadable` when it is none, or was changed."""
    try:
        result = msgspec.json.decode(path.read_bytes(), type=TrialResult)
    except OSError as error:
        raise ResultUnreadable(f"{path} cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ResultUnreadable(
            f"{path} is no result of `fuseboard lab run --out`: {error}"
        ) from error
    if result.format != FORMAT:
        raise ResultUnreadable(
            f"{path} has the format {result.format}, this release reads {FORMAT}: run it again"
        )
    if result.digest != digest_of(result):
        raise ResultUnreadable(f"{path} was changed after it was written: run the trial again")
    return result
