"""Statistics as text for people."""

from typing import Final

from fuseboard.control.render import fuse_line, printable, table, utc
from fuseboard.control.statistics import CountsLine, PeriodLine, StatisticsLines, TierLine
from fuseboard.control.status import Status
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.wall_time import shown_span

SYMBOLS_SHOWN_MAX: Final = 50
_TIERS: Final = tuple(tier.name for tier in Tier)


def stats_text(status: Status, now_wall_ns: int) -> str:
    """Both periods, the tiers of the moment and the breakers."""
    found = status.statistics
    if not status.running or found is None:
        return "the gateway does not run: its statistics are kept, and shown while it runs"
    parts = [_period(f"since {utc(found.start.began_wall_ns)}", found.start)]
    if found.session.began_wall_ns != found.start.began_wall_ns:
        began = utc(found.session.began_wall_ns)
        parts.append(_period(f"in this session, since {began}", found.session))
    parts.append(_tiers(found, now_wall_ns))
    parts.append("\n".join(printable(f"breaker   {fuse_line(fuse)}") for fuse in status.fuses))
    return "\n\n".join(part for part in parts if part)


def _period(what: str, at: PeriodLine) -> str:
    head = ["symbol", "submitted", "skipped", "skip rate", "emergencies", "average score", *_TIERS]
    rows = [_row(line) for line in at.lines[: SYMBOLS_SHOWN_MAX + 1]]
    said = f"{what}: the account was stopped {_times(at.account_latches)}"
    text = f"{said}\n{table(head, rows, numbers=range(1, len(head)))}"
    more = len(at.lines) - len(rows)
    text += f"\nand {more} more: see --json" if more > 0 else ""
    why = ", ".join(f"{reason} {count}" for reason, count in at.reasons.items())
    return f"{text}\nskipped for: {why}" if why else text


def _row(line: CountsLine) -> list[str]:
    return [
        line.symbol or "(all)",
        str(line.submitted),
        str(line.skipped),
        line.skip_rate or "-",
        str(line.emergencies),
        line.average_score or "-",
        *(shown_span(line.tiers_ns[tier]) if tier in line.tiers_ns else "-" for tier in _TIERS),
    ]


def _tiers(found: StatisticsLines, now_wall_ns: int) -> str:
    if not found.tiers:
        return "liquidity is not measured: the policy has no such section, or nothing was heard"
    worst = sorted(found.tiers, key=lambda at: (-Tier[at.tier], at.symbol))
    head = ("symbol", "tier now", "for", "score")
    rows = [_now(at, now_wall_ns) for at in worst[:SYMBOLS_SHOWN_MAX]]
    text = table(head, rows, numbers=(2, 3))
    more = len(worst) - len(rows)
    return f"{text}\nand {more} more: see --json" if more > 0 else text


def _now(at: TierLine, now_wall_ns: int) -> list[str]:
    tier = f"{at.tier} (silent)" if at.silent else at.tier
    return [at.symbol, tier, shown_span(now_wall_ns - at.since_wall_ns), at.score]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
