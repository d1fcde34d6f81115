"""How near what is held is to its limits: alerts, when prices, fills or orders bring it there.

A limit is *near* from its soft limit on, and *passed* when what is held exceeds it (law 6). Each
is said once for a limit and what it is of, and again only after the measure was well below.
Nothing is denied here: the checks judge each order in the worst case, and a limit that was passed
denies whatever raises exposure, in any symbol it counts, while proven reductions are not asked.
A loss is only ever near here: at its limit the fuse trips.

One table (`ROWS`): every limit that has a level has a row; rates are in `core.rates`, limits of one
order alone in `core.order_limits`, and the table's test says why each other limit has none. Working
orders do not count in exposure, because they are no news to whoever sent them.

What moves equity moves every share of it, so all is judged together, and that at most once in
`JUDGED_EVERY_NS`: the first mark or fill after it at once, the rest when it is over. A level that
is passed and left again between two judgements is not said; the checks judge by it all the same.
"""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from fuseboard.core.state import State, Turn
from fuseboard.policy.keys import KEYS
from fuseboard.policy.limits import NEAR_CLEAR_PERCENT, NEAR_PERCENT, Limits
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, symbol_scope
from fuseboard.vocabulary.money import (
    ATTOS,
    NANOS,
    shown_money_apart,
    shown_percents_apart,
    shown_share,
)
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

PASSED_CLEAR_PERCENT: Final = 95
JUDGED_EVERY_NS: Final = NANOS // 4
AT_LIMIT: Final = "it trips once a second price, or the broker's equity, agrees"


class Level(Struct, frozen=True, gc=False):
    """How much of one limit is used, of one scope; both in the unit of the row."""

    scope: str
    measured: int
    limit: int
    what: str = ""
    """What the limit is of where the scope does not say it: a sector, a fuse."""
    mark_attos: int = 0
    """Of a loss: both are fractions of it, undivided."""


class Row(Struct, frozen=True, kw_only=True):
    """One limit of the table."""

    name: str
    """In words; `{}` is what a level is of."""
    levels: Callable[[Turn, int], Iterator[Level]]
    """Those that may be near, and perhaps others; by the limit, 0 where it is no field."""
    field: str = ""
    """Of `Limits`; empty: it is of another part of the policy, or the broker's."""
    elsewhere: str = ""
    """How a policy file, or a person, calls it where it is no field."""
    said: Callable[[Level], tuple[str, str]]
    """What is used, and the limit, in words."""
    passed: str = "passed: only reductions are allowed"
    """What it means that the limit is passed; empty: that is somebody else's to say."""

    def key(self) -> str:
        """How a policy file calls it; which end of a range it is, the name says."""
        return KEYS[Limits][self.field].partition(" ")[0] if self.field else self.elsewhere


def _money(level: Level) -> tuple[str, str]:
    """Of nano-units of atto-units, so that a fraction of equity stays undivided."""
    used, limit = shown_money_apart(level.measured, level.limit, ATTOS * NANOS)
    return f"{used} USD", f"{limit} USD"


def _of_equity(measure: Callable[[State], int]) -> Callable[[Turn, int], Iterator[Level]]:
    """The levels of a limit on the account that is a fraction of equity."""

    def levels(turn: Turn, limit: int) -> Iterator[Level]:
        equity_attos = turn.state.book.account.equity_attos()
        yield Level(ACCOUNT_SCOPE, measure(turn.state) * NANOS, limit * equity_attos)

    return levels


def _count(measure: Callable[[State], int]) -> Callable[[Turn, int], Iterator[Level]]:
    """The levels of a limit on the account that counts."""

    def levels(turn: Turn, limit: int) -> Iterator[Level]:
        yield Level(ACCOUNT_SCOPE, measure(turn.state), limit)

    return levels


def _net_short(turn: Turn, limit: int) -> Iterator[Level]:
    """The lower end of net exposure, turned around: how far short, of how far is allowed."""
    account = turn.state.book.account
    yield Level(ACCOUNT_SCOPE, -account.value_attos * NANOS, -limit * account.equity_attos())


def _margin(turn: Turn, limit: int) -> Iterator[Level]:
    """The equity that what is held needs, of the equity there is."""
    account = turn.state.book.account
    yield Level(ACCOUNT_SCOPE, account.held_attos * limit, account.equity_attos() * NANOS)


def _buying_power(turn: Turn, _limit: int) -> Iterator[Level]:
    """What the broker lends, where that is less than the policy allows."""
    multiplier = turn.state.multiplier
    if multiplier * NANOS < turn.active.limits.gross_exposure_nanos_max:
        account = turn.state.book.account
        equity = multiplier * NANOS * account.equity_attos()
        yield Level(ACCOUNT_SCOPE, account.held_attos * NANOS, equity)


def _of_symbols(turn: Turn, limit: int) -> Iterator[Level]:
    least_attos = max(1, NEAR_CLEAR_PERCENT * limit // (100 * NANOS))
    for symbol, position in turn.state.book.account.positions.items():
        if position.held_attos >= least_attos:
            yield Level(symbol_scope(symbol), position.held_attos * NANOS, limit)


def _values(turn: Turn, limit: int) -> Iterator[Level]:
    return _of_symbols(turn, limit * ATTOS)


def _fractions(turn: Turn, limit: int) -> Iterator[Level]:
    return _of_symbols(turn, limit * turn.state.book.account.equity_attos())


def _sectors(turn: Turn, limit: int) -> Iterator[Level]:
    account = turn.state.book.account
    held: dict[str, int] = {}
    for position in account.positions.values():
        if position.sector and position.held_attos:
            held[position.sector] = held.get(position.sector, 0) + position.held_attos
    limit_attos = limit * account.equity_attos()
    for sector, attos in held.items():
        yield Level(ACCOUNT_SCOPE, attos * NANOS, limit_attos, sector)


def _losses(turn: Turn, _limit: int) -> Iterator[Level]:
    """What each fuse that watches has lost of its mark, undivided."""
    for fuse in turn.state.drawdowns.values():
        mark_attos, rule = fuse.mark_attos, fuse.rule
        if mark_attos > 0 and fuse.watching():
            name = rule.name.replace("_", " ")
            lost = (mark_attos - fuse.equity_attos) * NANOS
            yield Level(fuse.scope, lost, mark_attos * rule.limit_nanos, name, mark_attos)


def _percent(level: Level) -> tuple[str, str]:
    return shown_percents_apart(level.measured, level.limit, level.mark_attos * NANOS)


def _counted(level: Level) -> tuple[str, str]:
    return str(level.measured), str(level.limit)


ROWS: Final = (
    Row(
        name="gross exposure",
        field="gross_exposure_nanos_max",
        levels=_of_equity(lambda state: state.book.account.held_attos),
        said=_money,
    ),
    Row(
        name="net exposure",
        field="net_exposure_nanos_max",
        levels=_of_equity(lambda state: state.book.account.value_attos),
        said=_money,
    ),
    Row(
        name="net short exposure",
        field="net_exposure_nanos_min",
        levels=_net_short,
        said=_money,
    ),
    Row(
        name="leverage: gross exposure",
        field="leverage_nanos_max",
        levels=_of_equity(lambda state: state.book.account.held_attos),
        said=_money,
    ),
    Row(
        name="margin: the equity that positions need",
        field="maintenance_margin_nanos_min",
        levels=_margin,
        said=_money,
    ),
    Row(
        name="buying power: gross exposure",
        elsewhere="the broker's margin multiplier",
        levels=_buying_power,
        said=_money,
    ),
    Row(
        name="position value",
        field="position_value_nanos_max",
        levels=_values,
        said=_money,
    ),
    Row(
        name="position as a share of equity",
        field="position_fraction_nanos_max",
        levels=_fractions,
        said=_money,
    ),
    Row(
        name="exposure of sector {}",
        field="sector_fraction_nanos_max",
        levels=_sectors,
        said=_money,
    ),
    Row(
        name="symbols held or ordered",
        field="positions_max",
        levels=_count(lambda state: state.book.account.occupied),
        said=_counted,
    ),
    Row(
        name="working orders",
        field="working_orders_max",
        levels=_count(lambda state: len(state.book.working)),
        said=_counted,
    ),
    Row(
        name="orders of this session",
        field="daily_orders_max",
        levels=_count(lambda state: state.throttles.daily_orders),
        said=_counted,
        passed="passed: only reductions are allowed until the next session",
    ),
    Row(name="{}", elsewhere="loss_limits", levels=_losses, said=_percent, passed=""),
)


def watched_rows(limits: Limits) -> tuple[int, ...]:
    """The rows that these limits limit: what `Turn.watched` holds."""
    return tuple(
        index
        for index, row in enumerate(ROWS)
        if not row.field or getattr(limits, row.field) is not None
    )


def follow(turn: Turn) -> None:
    """A policy or other limits came into force: watch them, and judge everything."""
    turn.watched = watched_rows(turn.active.limits)
    judge(turn)


def moved(turn: Turn) -> None:
    """A mark, a fill or a reading moved something: judge, now or when a judgement is due again."""
    state = turn.state
    if turn.boot_ns >= state.near_due_boot_ns:
        judge(turn)
    elif not state.near_waits:
        state.near_waits = True
        turn.wake(state.near_due_boot_ns)


def judge_when_due(turn: Turn) -> None:
    """Time passed: judge what moved since the last judgement."""
    if turn.state.near_waits and turn.boot_ns >= turn.state.near_due_boot_ns:
        judge(turn)


def next_deadline(state: State) -> int:
    """When what moved is judged; 0 when nothing did."""
    return state.near_due_boot_ns if state.near_waits else 0


def node_started(turn: Turn) -> None:
    """Nothing waits: all is judged once the books are compared, by a clock that may be another."""
    turn.state.near_due_boot_ns, turn.state.near_waits = 0, False


def judge(turn: Turn) -> None:
    """Judge every limit of the table; books that are not compared say nothing."""
    state, limits = turn.state, turn.active.limits
    if not state.reconciled:
        return
    state.near_due_boot_ns, state.near_waits = turn.boot_ns + JUDGED_EVERY_NS, False
    near: dict[str, bool] = {}
    for index in turn.watched:
        row = ROWS[index]
        for level in row.levels(turn, getattr(limits, row.field, 0)):
            measured, limit = level.measured, level.limit
            if measured > limit or 100 * measured >= NEAR_CLEAR_PERCENT * limit > 0:
                _judge_close(turn, row, level, near)
    state.near = near  # what was near and is not among them is well below: it may be said again


def _judge_close(turn: Turn, row: Row, level: Level, near: dict[str, bool]) -> None:
    """Take one level that is near, was, or may have been."""
    key = f"{row.name.format(level.what)} of {level.scope}"
    was_near, was_passed = key in turn.state.near, turn.state.near.get(key, False)
    measured, limit = level.measured, level.limit
    passed = measured > limit
    if was_passed and not passed:
        passed = 100 * measured >= PASSED_CLEAR_PERCENT * limit
    is_near = was_near or passed or 100 * measured >= NEAR_PERCENT * limit
    if is_near:
        near[key] = passed
    if passed and not was_passed and row.passed:
        _alert(turn, row, level, passed=True)
    elif is_near and not was_near:
        _alert(turn, row, level, passed=False)


def _alert(turn: Turn, row: Row, level: Level, *, passed: bool) -> None:
    measured, limit = level.measured, level.limit
    share = shown_share(measured, limit) if limit > 0 else "more than all"
    used_shown, limit_shown = row.said(level)
    what = row.passed if passed else "near"
    if measured >= limit and not row.passed:
        what = AT_LIMIT
    where = level.scope.partition(":")[2]
    head = f"{where}: " if where else ""
    name = row.name.format(level.what)
    text = f"{head}{name} is {used_shown}, {share} of its limit {limit_shown} ({row.key()}): {what}"
    severity = Severity.WARNING if passed else Severity.INFO
    code = Reason.LIMIT_PASSED if passed else Reason.LIMIT_NEAR
    turn.alert(severity, code, text, level.scope)
