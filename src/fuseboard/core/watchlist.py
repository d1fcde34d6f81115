"""What the policy's conditions need, found once when a policy is adopted.

A breaker is judged only after an input that can change one of its measures, so a policy without
breakers costs nothing, and one with breakers costs what they look at.
"""

from typing import Final

from msgspec import Struct

from fuseboard.policy.conditions import Condition, condition_from_text
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary.catalogue import COURSES, MEASURES

EQUITY: Final = 1
FILL: Final = 2
OUTCOME: Final = 4
ORDER: Final = 8
TIME: Final = 16
READ: Final = 32
ANYTHING: Final = 63
"""What changes measures: marks and money, fills, outcomes of submits, requests, time passing, and
what is read or reported."""
TOPICS: Final[dict[str, int]] = {
    "equity": EQUITY,
    "cash": EQUITY | READ,
    "buying_power": READ | TIME,
    "daily_pnl": EQUITY,
    "weekly_pnl": EQUITY,
    "monthly_pnl": EQUITY,
    "drawdown": EQUITY,
    "rolling_drawdown": EQUITY,
    "gross_exposure": EQUITY,
    "net_exposure": EQUITY,
    "leverage": EQUITY | ORDER | OUTCOME,
    "maintenance_margin": EQUITY | READ | TIME,
    "max_position_divergence": READ | TIME,
    "positions": FILL | READ,
    "working_orders": ORDER | OUTCOME | FILL,
    "order_rate": ORDER | TIME,
    "messages": ORDER | TIME,
    "daily_orders": ORDER | TIME,
    "reject_rate": OUTCOME,
    "error_count_1h": OUTCOME | TIME,
    "consecutive_losses": FILL | READ,
    "fill_quality": FILL,
    "sharpe": EQUITY,
    "liquidity_score": READ | TIME,
    "liquidity_tier": TIME,
    "vix": READ | TIME,
}
"""Which of them change each STATE measure of the catalogue."""
REPORTED: Final = (
    "buying_power",
    "maintenance_margin",
    "liquidity_score",
    "liquidity_tier",
    "vix",
)
"""Each value of these is one report of somebody else: one alone neither closes nor kills."""
_PEAKS: Final = ("drawdown", "rolling_drawdown")
_OF_A_SYMBOL: Final = "symbol:"
EVERY: Final = "*"
EVERY_SYMBOL: Final = _OF_A_SYMBOL + EVERY


class Watched(Struct, frozen=True):
    """One breaker's condition, and which inputs can change what it says."""

    condition: Condition
    topics: int
    reported: bool
    """Whether one of its measures rests on one report of somebody else."""
    own_marks: bool
    """Whether it is a symbol's, and no other symbol's marks change what it says."""


class Watchlist(Struct, frozen=True):
    """The compiled conditions of one policy."""

    breakers: dict[str, Watched]
    """By the rule's name."""
    topics: int
    """Of any breaker; 0 without one."""
    tracks_peaks: bool
    """Whether some condition looks at a drawdown."""
    scores_fills: bool
    """Whether some condition looks at the quality of fills."""
    courses_of: dict[str, None] = {}
    """The symbols whose profit and loss some condition looks at; `*`: each that is traded."""
    rates_of: dict[str, None] = {}
    """The same of those whose rate of orders one looks at."""
    each_symbol: bool = False
    """Whether some breaker is for each symbol."""


def watchlist_of(policy: Policy) -> Watchlist:
    """Compile a policy's breakers; raises `ConditionRefused` when one cannot be."""
    breakers: dict[str, Watched] = {}
    names: dict[str, None] = {}
    courses_of: dict[str, None] = {}
    rates_of: dict[str, None] = {}
    every = 0
    for rule in policy.breakers:
        condition = condition_from_text(rule.condition, order=False)
        topics = 0
        for name in condition.names:
            topics |= TOPICS[name]
        reported = any(name in REPORTED for name in condition.names)
        of_courses = any(name in COURSES for name in condition.names)
        equities = [name for name in condition.names if MEASURES[name].equity]
        is_symbol = rule.scope.startswith(_OF_A_SYMBOL)
        own_marks = is_symbol and of_courses and all(name in COURSES for name in equities)
        breakers[rule.name] = Watched(condition, topics, reported, own_marks)
        if is_symbol and of_courses:
            courses_of[rule.scope.removeprefix(_OF_A_SYMBOL)] = None
        if is_symbol and "order_rate" in condition.names:
            rates_of[rule.scope.removeprefix(_OF_A_SYMBOL)] = None
        names |= dict.fromkeys(condition.names)
        every |= topics
    for limit in policy.dynamic_limits:
        names |= dict.fromkeys(condition_from_text(limit.condition, order=False).names)
    for check in policy.checks:
        names |= dict.fromkeys(condition_from_text(check.condition, order=True).names)
    each_symbol = any(rule.scope == EVERY_SYMBOL for rule in policy.breakers)
    return Watchlist(
        breakers,
        every | ORDER | FILL | READ if each_symbol else every,
        any(name in names for name in _PEAKS),
        "fill_quality" in names,
        courses_of,
        rates_of,
        each_symbol,
    )


NOTHING: Final = Watchlist({}, 0, tracks_peaks=False, scores_fills=False)
