"""Statistics: what was sent and skipped, how liquid it was, since counting began and in a session.

Fed by durable effects; `statistics_kept` carries them over a restart. Liquidity comes a minute late
at most where nothing changes. A session's counts begin when it rolls, or with the first of all
where that was later. Silence counts as EMERGENCY; while no gateway runs nothing is counted.
"""

from typing import Final

from msgspec import Struct

from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordLiquidity
from fuseboard.vocabulary.money import NANOS, shown_percent, text_from_nanos
from fuseboard.vocabulary.orders import OrderStatus

SYMBOLS_MAX: Final = 10_000
"""As many as the kernel watches; what comes beyond counts in the sum of all only."""
ALL: Final = ""
_EMERGENCY: Final = Tier.EMERGENCY.name
_NOT_KNOWN_YET: Final = (OrderStatus.SUBMITTING, OrderStatus.IN_DOUBT)


class Counts(Struct, kw_only=True):
    """What was counted of one symbol, or of all of them."""

    submitted: int = 0
    skipped: int = 0
    """Denied, or cut to nothing."""
    emergencies: int = 0
    """How often it fell into EMERGENCY, silence included."""
    tiers_ns: dict[str, int] = {}
    """How long it was in each tier."""
    score_ns: int = 0
    """The sum of its scores, in basis points of the scale, each times how long it held."""

    def skip_rate_nanos(self) -> int | None:
        """Skipped of all that was asked for, rounded up; None before the first order."""
        asked = self.submitted + self.skipped
        return -(-self.skipped * NANOS // asked) if asked else None

    def average_points(self) -> int | None:
        """The time-weighted average score in basis points, rounded down; None: not measured."""
        span_ns = sum(self.tiers_ns.values())
        return self.score_ns // span_ns if span_ns else None


class Statistics(Struct, kw_only=True):
    """The counts of one period, by symbol and, under `""`, of all."""

    began_wall_ns: int = 0
    account_latches: int = 0
    """How often a fuse or a latch stopped the account."""
    symbols: dict[str, Counts] = {}
    reasons: dict[str, int] = {}
    """How often each reason was why something was skipped."""

    def of(self, symbol: str) -> list[Counts]:
        """The counts that something of a symbol goes to."""
        found = [self.symbols.setdefault(ALL, Counts())]
        if symbol and (symbol in self.symbols or len(self.symbols) <= SYMBOLS_MAX):
            found.append(self.symbols.setdefault(symbol, Counts()))
        return found


class TierNow(Struct, frozen=True, kw_only=True):
    """The present tier of a symbol, since when, and its score in basis points of the scale."""

    tier: str
    since_wall_ns: int
    score: int
    silent: bool


class Counting(Struct, kw_only=True, forbid_unknown_fields=True):
    """Both periods, and the tiers of the moment."""

    start: Statistics
    """Since counting began."""
    session: Statistics
    now: dict[str, TierNow] = {}
    awaited: dict[str, str] = {}
    """The symbol of each order that was sent, until more of it is known."""

    def session_began(self, wall_ns: int) -> None:
        """Another session: its counts begin."""
        self.session = Statistics(began_wall_ns=wall_ns)

    def submitted(self, order_id: str, symbol: str) -> None:
        """A strategy's order was given to be sent."""
        self.awaited[order_id] = symbol
        for counts in self._both(symbol):
            counts.submitted += 1

    def heard(self, order_id: str, status: OrderStatus) -> None:
        """What became of an order; one that turns out never to have left was not sent."""
        if status in _NOT_KNOWN_YET:
            return
        symbol = self.awaited.pop(order_id, None)
        if symbol is None or status is not OrderStatus.NOT_SENT:
            return
        for counts in self._both(symbol):
            counts.submitted = max(counts.submitted - 1, 0)  # the session may have begun since

    def skipped(self, reason: str, symbol: str, count: int = 1) -> None:
        """So many were denied."""
        for counts in self._both(symbol):
            counts.skipped += count
        for period in (self.start, self.session):
            period.reasons[reason] = period.reasons.get(reason, 0) + count

    def account_latched(self) -> None:
        """Something stopped the account."""
        self.start.account_latches += 1
        self.session.account_latches += 1

    def liquidity(self, told: RecordLiquidity) -> None:
        """What became of a symbol since it was told last, and its present tier."""
        before = self.now.get(told.symbol)
        if before is None and len(self.now) >= SYMBOLS_MAX:
            return
        tier = _EMERGENCY if told.silent else told.after
        fell = tier == _EMERGENCY and (before is None or before.tier != tier)
        for counts in self._both(told.symbol):
            counts.emergencies += fell
            counts.score_ns += told.score_ns
            for name, span_ns in ((told.tier, told.span_ns), (_EMERGENCY, told.silent_ns)):
                if span_ns:
                    counts.tiers_ns[name] = counts.tiers_ns.get(name, 0) + span_ns
        since_ns = told.since_wall_ns
        if before is not None and before.tier == tier:
            since_ns = before.since_wall_ns
        self.now[told.symbol] = TierNow(
            tier=tier, since_wall_ns=since_ns, score=told.score, silent=told.silent
        )

    def _both(self, symbol: str) -> list[Counts]:
        return [*self.start.of(symbol), *self.session.of(symbol)]


def counting_from(wall_ns: int) -> Counting:
    """Nothing counted yet, from now on."""
    return Counting(
        start=Statistics(began_wall_ns=wall_ns), session=Statistics(began_wall_ns=wall_ns)
    )


class CountsLine(Struct, frozen=True, kw_only=True):
    """One symbol's counts in a period as people read them; the sum of all under `""`."""

    symbol: str
    submitted: int
    skipped: int
    skip_rate: str
    """Empty before the first order."""
    emergencies: int
    average_score: str
    """Of 100, weighted by time; empty where nothing is measured."""
    tiers_ns: dict[str, int]


class PeriodLine(Struct, frozen=True, kw_only=True):
    """A period: since counting began, or this session."""

    began_wall_ns: int
    account_latches: int
    lines: tuple[CountsLine, ...]
    reasons: dict[str, int] = {}
    """How often each reason was why something was skipped, the most frequent first."""


class TierLine(Struct, frozen=True, kw_only=True):
    """The present tier of a symbol; EMERGENCY while it is silent."""

    symbol: str
    tier: str
    since_wall_ns: int
    score: str
    silent: bool


class StatisticsLines(Struct, frozen=True, kw_only=True):
    """What `fuseboard stats` shows."""

    start: PeriodLine
    session: PeriodLine
    tiers: tuple[TierLine, ...]


def statistics_of(counting: Counting, *, symbols: bool) -> StatisticsLines:
    """The counts as a document; without its symbols, which may be many, the sums alone."""
    tiers = counting.now if symbols else {}
    return StatisticsLines(
        start=_period(counting.start, symbols=symbols),
        session=_period(counting.session, symbols=symbols),
        tiers=tuple(
            TierLine(
                symbol=symbol,
                tier=at.tier,
                since_wall_ns=at.since_wall_ns,
                score=shown_points(at.score),
                silent=at.silent,
            )
            for symbol, at in sorted(tiers.items())
        ),
    )


def shown_points(points: int) -> str:
    """A score of 100, from basis points of the scale."""
    return text_from_nanos(points * NANOS // 100)


def _period(statistics: Statistics, *, symbols: bool) -> PeriodLine:
    known = statistics.symbols or {ALL: Counts()}
    return PeriodLine(
        began_wall_ns=statistics.began_wall_ns,
        account_latches=statistics.account_latches,
        lines=tuple(
            _line(symbol, counts)
            for symbol, counts in sorted(known.items())
            if symbols or symbol == ALL
        ),
        reasons=dict(sorted(statistics.reasons.items(), key=lambda at: (-at[1], at[0]))),
    )


def _line(symbol: str, counts: Counts) -> CountsLine:
    rate, average = counts.skip_rate_nanos(), counts.average_points()
    return CountsLine(
        symbol=symbol,
        submitted=counts.submitted,
        skipped=counts.skipped,
        skip_rate="" if rate is None else shown_percent(rate),
        emergencies=counts.emergencies,
        average_score="" if average is None else shown_points(average),
        tiers_ns=dict(counts.tiers_ns),
    )
