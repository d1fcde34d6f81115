"""The status of a node as one document: what `fuseboard status --json` prints."""

from msgspec import Struct

from fuseboard.control.board import AlertLine, Board, FuseLine, OrderLine, PolicyLine, ResetLine
from fuseboard.control.statistics import StatisticsLines, statistics_of
from fuseboard.runtime.meter import Measured
from fuseboard.vocabulary.disconnect_facts import PublishLost
from fuseboard.vocabulary.effects import PublishDiscrepancy, PublishPosition, PublishPosture
from fuseboard.vocabulary.evidence_effects import RecordOverride
from fuseboard.vocabulary.liquidity_effects import RecordTier
from fuseboard.vocabulary.money import NANOS, shown_money, text_from_nanos
from fuseboard.vocabulary.reset_effects import RecordRecovery, RecordReset
from fuseboard.vocabulary.wall_time import shown_utc


class PostureLine(Struct, frozen=True, kw_only=True):
    """One scope that is tighter than OPEN."""

    scope: str
    posture: str
    reason: str
    next_reset_wall_ns: int = 0
    """From when it may be reset again; 0 unless it was reset too often in a day."""


class PositionLine(Struct, frozen=True, kw_only=True):
    """One position; `strategy` is empty for the account's own."""

    strategy: str
    symbol: str
    quantity: str
    average_price: str


class PlanLine(Struct, frozen=True, kw_only=True):
    """One liquidation plan."""

    trip: str
    stage: str
    symbols: tuple[str, ...]
    cancelled: int
    closed: int
    errors: int
    duration_ns: int
    left: tuple[str, ...]


class DiscrepancyLine(Struct, frozen=True, kw_only=True):
    """One thing in which our record and the broker's differ, and since when (wall time, ns)."""

    subject: str
    source: str
    what: str
    ours: str
    theirs: str
    since_ns: int
    adopted: bool = False
    """Our record took what was proven; the next comparison has to agree."""


class Status(Struct, frozen=True, kw_only=True):
    """Everything an operator sees. Money in nano-units where the name says so."""

    about: dict[str, str]
    running: bool
    posture: str
    postures: tuple[PostureLine, ...]
    fuses: tuple[FuseLine, ...]
    working: int
    """How many orders are not final."""
    orders: tuple[OrderLine, ...]
    """These orders, where they were asked for."""
    positions: tuple[PositionLine, ...]
    plans: tuple[PlanLine, ...]
    alerts: tuple[AlertLine, ...]
    allowed: int
    denied: dict[str, int]
    measured: Measured
    equities_nanos: tuple[int, ...]
    durable_sequence: int
    policy: PolicyLine = PolicyLine()
    """The policy in force."""
    dynamic_limits: tuple[str, ...] = ()
    """The dynamic limits that hold, by name."""
    liquidity: tuple[str, ...] = ()
    """The symbols whose liquidity was last told to be less than NORMAL, in words."""
    statistics: StatisticsLines | None = None
    """What was sent and skipped, and how liquid it was; by symbol where orders were asked for."""
    shaped: int = 0
    """Orders that were sent smaller or otherwise priced than they were asked for."""
    overrides: tuple[str, ...] = ()
    """The overrides that are open, in words."""
    resets_wanted: tuple[RecordReset, ...] = ()
    """The resets that wait for a second person."""
    recoveries: tuple[RecordRecovery, ...] = ()
    """The recoveries since this start, one a scope, each with its checks."""
    discrepancies: tuple[DiscrepancyLine, ...] = ()
    """What our record and the broker's do not agree on."""
    compared_wall_ns: int = 0
    """When our record was last compared with the broker's, wall time; 0: not known, or never."""
    halt_epoch: int | None = None
    """The number of the newest halt, of whatever scope: a reset names it, and a later one refuses
    the reset; None: not known."""
    resets: tuple[ResetLine, ...] = ()
    """The last reset of each scope since this start, the oldest first."""
    history: tuple[str, ...] = ()
    """The register's last changes, the oldest first, when they were read."""
    lost: tuple[str, ...] = ()
    """The strategies that are lost, in words."""
    dividends: tuple[str, ...] = ()
    """What is owed of dividends until their cash comes, and whether announcements are read."""
    halt_file: str = ""
    """The path of the file HALT while it is there: it halts the account."""
    journal_lost: str = ""
    """Why our record cannot be read: then nothing of it is here, only what the register holds."""
    before_start: str = ""
    """The command without which a start is refused; empty: none."""
    recorded_wall_ns: int = 0
    """Without a gateway: the time of our last record, which may be older than the broker's truth;
    0 when there is none."""
    register: tuple[str, ...] = ()
    """What the halts register holds, when it was read instead of a running gateway."""
    not_taken_up: tuple[str, ...] = ()
    """What the halts register on disk holds and the running gateway does not show."""
    unanswered: str = ""
    """Why a gateway that runs does not answer: then only what the register holds is here."""


def status_of(
    board: Board,
    measured: Measured,
    *,
    about: dict[str, str],
    durable_sequence: int,
    with_orders: bool = True,
    halt_file: str = "",
    compared_wall_ns: int = 0,
    halt_epoch: int | None = None,
) -> Status:
    """The board as a document; without its orders, which may be many, it is cheap."""
    return Status(
        about=about,
        running=True,
        posture=board.posture().name,
        postures=tuple(_posture(at) for at in board.postures.values()),
        fuses=tuple(board.fuses.values()),
        working=board.working_count(),
        orders=tuple(board.working()) if with_orders else (),
        positions=tuple(_position(at) for at in board.positions.values()),
        plans=tuple(
            PlanLine(
                trip=plan.trip,
                stage=plan.stage,
                symbols=plan.symbols,
                cancelled=plan.cancelled,
                closed=plan.closed,
                errors=plan.errors,
                duration_ns=plan.duration_ns,
                left=plan.left,
            )
            for plan in board.plans.values()
        ),
        alerts=tuple(board.alerts),
        allowed=board.allowed,
        denied=dict(board.denied),
        measured=measured,
        equities_nanos=tuple(board.equities),
        durable_sequence=durable_sequence,
        policy=board.policy,
        dynamic_limits=board.dynamic_limits,
        liquidity=(*_silent(board), *_less_than_normal(board)),
        statistics=statistics_of(board.counting, symbols=with_orders),
        shaped=board.shaped,
        overrides=tuple(_override_text(at) for at in board.overrides.values()),
        resets_wanted=tuple(board.resets_wanted.values()),
        recoveries=tuple(board.recoveries.values()),
        resets=tuple(board.resets.values()),
        discrepancies=tuple(_discrepancy(at) for at in board.discrepancies.values()),
        lost=tuple(map(_lost_text, board.lost.values())),
        dividends=_dividends(board),
        halt_file=halt_file,
        compared_wall_ns=compared_wall_ns,
        halt_epoch=halt_epoch,
    )


def _posture(at: PublishPosture) -> PostureLine:
    return PostureLine(
        scope=at.scope,
        posture=at.posture.name,
        reason=at.reason.value,
        next_reset_wall_ns=at.next_reset_wall_ns,
    )


def _position(at: PublishPosition) -> PositionLine:
    return PositionLine(
        strategy=at.strategy,
        symbol=at.symbol,
        quantity=text_from_nanos(at.quantity_nanos),
        average_price=text_from_nanos(at.average_price_nanos),
    )


def _discrepancy(at: PublishDiscrepancy) -> DiscrepancyLine:
    return DiscrepancyLine(
        subject=at.subject,
        source=at.source,
        what=at.what,
        ours=at.ours,
        theirs=at.theirs,
        since_ns=at.since_wall_ns,
        adopted=at.stage == "adopted",
    )


def _lost_text(at: PublishLost) -> str:
    kept = f", {at.kept} that protect stay" if at.kept else ""
    since = shown_utc(at.since_wall_ns)
    return f"{at.strategy} since {since}, {at.why}: {at.cancelled} orders cancelled{kept}"


def _dividends(board: Board) -> tuple[str, ...]:
    shown = board.dividends
    owed = [
        f"{at.symbol}: {shown_money(at.owed_nanos)} USD are owed for the dividend of {at.ex_date},"
        f" payable {shown_utc(at.payable_wall_ns)[:10]}"
        for at in shown.owed
    ]
    unread = [f"announcements are not read: {shown.unread}"] if shown.unread else []
    return (*owed, *unread)


def _silent(board: Board) -> list[str]:
    """The symbols of which nothing is heard: EMERGENCY, whatever was told before."""
    return [
        f"{symbol} is {at.tier}: nothing was heard of it for too long"
        for symbol, at in board.counting.now.items()
        if at.silent
    ]


def _less_than_normal(board: Board) -> list[str]:
    now = board.counting.now
    tiers = board.tiers.values()
    return [_tier_text(at) for at in tiers if at.symbol not in now or not now[at.symbol].silent]


def _tier_text(at: RecordTier) -> str:
    score, plain = (text_from_nanos(points * NANOS // 100) for points in (at.score, at.plain_score))
    absent = f", not known: {', '.join(at.absent)}" if at.absent else ""
    unknown = "spread" in at.absent and "depth" in at.absent
    scores = "unknown" if unknown else f"{score} (plain {plain})"
    return f"{at.symbol} is {at.after}: score {scores}{absent}"


def _override_text(at: RecordOverride) -> str:
    quantity = text_from_nanos(at.quantity_nanos_max)
    price = at.worst_price_nanos
    worst = "" if price is None else f" at no worse price than {text_from_nanos(price)}"
    verified = f"verified by {at.verified_by}" if at.verified_by else "not verified"
    return (
        f"{at.override}: {at.strategy} may {at.side.value} up to {quantity} {at.symbol}{worst}"
        f" past {at.check}, asked by {at.asked_by} ({at.reason}), {verified}"
    )
