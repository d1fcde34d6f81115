"""Equity: quotes and trades move marks, marks move equity, and equity is judged by the fuses.

Our own equity is cash plus positions at validated marks. The broker's figure, read on a schedule
and at once when a breach wants confirming, is the second source.
"""

from typing import Final

from fuseboard.core import cash, dividends, doubts, drop_copy, nearness
from fuseboard.core.fuses.confirmation import BOOKS_SOURCE, BROKER_SOURCE
from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.fuse import Fuse
from fuseboard.core.fuses.machine import FuseEvent
from fuseboard.core.halting import apply, publish_postures, settle, trip
from fuseboard.core.measures.recording import equity_of, see_equity
from fuseboard.core.outgoing import ACCOUNT_READ_EVERY_NS, read_account
from fuseboard.core.state import State, Turn
from fuseboard.policy.shown import duration, shown
from fuseboard.vocabulary.catalogue import MEASURES
from fuseboard.vocabulary.effects import PublishEquity
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import AccountSeen
from fuseboard.vocabulary.money import NANOS, nanos_from_attos, shown_percents_apart
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

EQUITY_PUBLISHED_EVERY_NS: Final = NANOS // 10


def marked(turn: Turn, symbol: str, mark_nanos: int) -> None:
    """A symbol has a new mark: value by it, and judge what it moved."""
    book = turn.state.book
    if symbol in turn.state.dividends.watched:
        dividends.priced(turn, symbol, mark_nanos)
    moved = book.account.mark(symbol, mark_nanos)
    for ledger in book.strategies.values():
        moved = ledger.mark(symbol, mark_nanos) or moved
    if moved:
        evaluate(turn, symbol)
        nearness.moved(turn)


def filled(turn: Turn, symbol: str) -> None:
    """A fill moved cash and position; a symbol that had no mark is valued at its instrument's."""
    instrument = turn.state.instruments.get(symbol)
    if instrument is not None and instrument.mark_nanos:
        turn.state.book.account.mark(symbol, instrument.mark_nanos)
        for ledger in turn.state.book.strategies.values():
            ledger.mark(symbol, instrument.mark_nanos)
    turn.state.published_boot_ns = turn.boot_ns - EQUITY_PUBLISHED_EVERY_NS  # shown at once
    evaluate(turn, BOOKS_SOURCE)
    nearness.moved(turn)


def evaluate(turn: Turn, source: str) -> None:
    """Let every drawdown fuse judge the present equity."""
    state = turn.state
    if not state.reconciled:
        return
    turn.equity_source = source
    if turn.watchlist.tracks_peaks and not doubts.may_be_split(state):
        see_equity(turn, source)
    for fuse in state.drawdowns.values():
        _watched(turn, fuse, source)
    _publish_equity(turn)


def _watched(turn: Turn, fuse: DrawdownFuse, source: str) -> None:
    before = fuse.breach.source
    equity_attos = equity_of(turn, fuse.scope)
    if equity_attos > fuse.mark_attos and fuse.watching() and doubts.may_be_split(turn.state):
        return
    if (
        before == BROKER_SOURCE
        and fuse.watching()
        and equity_attos > fuse.floor_attos
        and blind(turn)
    ):
        return  # what we cannot see does not withdraw what the broker says
    event = fuse.watch(equity_attos, source, turn.boot_ns)
    if event is not None and not (event is FuseEvent.BREACHED and doubts.doubtful(turn, fuse)):
        _moved(turn, fuse, event)
    if fuse.breach.source != before:
        _breach_changed(turn, fuse)


def begin_breaches(turn: Turn) -> None:
    """Limits changed and no figure did: what now breaches begins to; nothing is withdrawn."""
    if turn.state.reconciled:
        for fuse in turn.state.drawdowns.values():
            if fuse.watching() and fuse.breaches() and not fuse.breach.source:
                _watched(turn, fuse, BOOKS_SOURCE)


def _moved(turn: Turn, fuse: DrawdownFuse, event: FuseEvent) -> None:
    if event is FuseEvent.BREACHED:
        trip(turn, fuse)
        settle(turn)
        return
    if event is FuseEvent.MARKED:
        reference_attos = fuse.equity_attos
        if fuse.scope == ACCOUNT_SCOPE and fuse.generation in (1, turn.state.generation_min):
            reference_attos = max(reference_attos, turn.state.prior_close_attos)
        if reference_attos <= 0:
            return  # nothing to lose a fraction of: no reference yet
        fuse.take_mark(reference_attos)
    apply(turn, fuse, event)
    publish_postures(turn)
    if event is FuseEvent.WARNED:
        mark_attos = fuse.mark_attos
        lost_attos, limit_nanos = mark_attos - fuse.equity_attos, fuse.rule.limit_nanos
        lost, _ = shown_percents_apart(
            lost_attos * NANOS, limit_nanos * mark_attos, mark_attos * NANOS
        )
        limit = shown("limit_nanos", limit_nanos)
        text = f"{fuse.name}: {lost} is lost, the limit is {limit}: new risk is halved"
        turn.alert(Severity.WARNING, Reason.DRAWDOWN, text, fuse.scope)


def _breach_changed(turn: Turn, fuse: DrawdownFuse) -> None:
    """A breach began (ask the broker, the second source, and set the time limit) or withdrew."""
    publish_postures(turn)
    if fuse.breach.source and fuse.watching():
        turn.wake(fuse.breach.began_boot_ns + fuse.rule.confirm_ns_max)
        if fuse.breach.source != BROKER_SOURCE or blind(turn):
            doubts.ask_broker(turn)


def _publish_equity(turn: Turn) -> None:
    state = turn.state
    if turn.boot_ns - state.published_boot_ns < EQUITY_PUBLISHED_EVERY_NS:
        return
    state.published_boot_ns = turn.boot_ns
    publish_fuses(turn)


def publish_fuses(turn: Turn) -> None:
    """Show every drawdown fuse as it now is."""
    for fuse in turn.state.drawdowns.values():
        _publish(
            turn,
            fuse,
            equity_nanos=nanos_from_attos(fuse.equity_attos),
            mark_nanos=nanos_from_attos(fuse.mark_attos),
            drawdown_nanos=fuse.drawdown_nanos(),
        )


def publish_unmarked(turn: Turn) -> None:
    """Show the state of every fuse that has no mark: breakers and latches."""
    for fuse in [*turn.state.breakers.values(), *turn.state.latches.values()]:
        _publish(turn, fuse, equity_nanos=0, mark_nanos=0, drawdown_nanos=0)


def _publish(
    turn: Turn, fuse: Fuse, *, equity_nanos: int, mark_nanos: int, drawdown_nanos: int
) -> None:
    turn.out.append(
        PublishEquity(
            fuse=fuse.name,
            scope=fuse.scope,
            state=fuse.state.value,
            generation=fuse.generation,
            equity_nanos=equity_nanos,
            mark_nanos=mark_nanos,
            drawdown_nanos=drawdown_nanos,
            cash_nanos=nanos_from_attos(turn.state.book.account.cash_attos),
        )
    )


def account_seen(turn: Turn, fact: AccountSeen) -> None:
    """The broker's own figures: adopted when nothing is in flight, compared, and judged."""
    state = turn.state
    state.multiplier = max(1, fact.multiplier)
    equity_attos, cash_attos = fact.equity_nanos * NANOS, fact.cash_nanos * NANOS
    state.broker_cash_attos = cash_attos
    _keep_figures(turn, fact)
    state.prior_close_attos = fact.last_equity_nanos * NANOS
    if not state.account_known:
        state.account_known = True
        state.book.account.cash_attos = cash_attos
        return
    if not state.reconciled:
        return
    in_breach = [name for name, fuse in state.drawdowns.items() if fuse.breach.source]
    if cash.cash_read(turn):
        evaluate(turn, BOOKS_SOURCE)
    cannot_tell = blind(turn)
    owed_attos = state.dividends.owed.get("", 0)  # the broker counts a dividend as it is paid
    for name, fuse in state.drawdowns.items():
        if fuse.scope == ACCOUNT_SCOPE:
            before = fuse.breach.source
            if before and name not in in_breach:
                continue  # this reading began it by our books: it is no second source
            event = fuse.watch_broker(equity_attos + owed_attos, turn.boot_ns, blind=cannot_tell)
            if event is not None:
                _moved(turn, fuse, event)
            if fuse.breach.source != before:
                _breach_changed(turn, fuse)
    nearness.moved(turn)


def _keep_figures(turn: Turn, fact: AccountSeen) -> None:
    """Keep the broker's own figures, and those before them while they are no older than a figure
    may be.
    """
    state, read_boot_ns = turn.state, turn.state.figures_boot_ns
    for_ns = None if read_boot_ns is None else turn.boot_ns - read_boot_ns
    margin, power = state.maintenance_nanos, state.buying_power_nanos
    state.prior_maintenance_nanos = margin if _lasts("maintenance_margin", for_ns) else None
    state.prior_buying_power_nanos = power if _lasts("buying_power", for_ns) else None
    state.maintenance_nanos = fact.maintenance_margin_nanos
    state.buying_power_nanos = fact.buying_power_nanos
    state.figures_boot_ns = turn.boot_ns


def _lasts(name: str, for_ns: int | None) -> bool:
    age_ns_max = MEASURES[name].age_ns_max
    return for_ns is not None and (age_ns_max is None or for_ns <= age_ns_max)


def blind(turn: Turn) -> bool:
    """Whether something is held that nothing values now."""
    instruments, rules = turn.state.instruments, turn.policy.data
    for symbol in turn.state.book.held():
        instrument = instruments.get(symbol)
        if instrument is None or instrument.blind(rules, turn.boot_ns):
            return True
    return False


def read_when_due(turn: Turn) -> None:
    """Read the broker's account on its schedule, once the books have been compared."""
    state = turn.state
    if state.reconciled and turn.boot_ns >= state.read_boot_ns + ACCOUNT_READ_EVERY_NS:
        rules = turn.policy.reconciliation
        late = turn.boot_ns - state.compared_boot_ns >= rules.every_ns
        compares = state.compare_asked or (rules.scheduled and late)
        read_account(turn, positions=compares)
        drop_copy.judge_silence(turn, counts=compares)
        if compares:
            drop_copy.read(turn)


def next_deadline(state: State) -> int:
    """When an unconfirmed breach becomes too old, or the account is read; 0 when neither waits."""
    wanted = [state.read_boot_ns + ACCOUNT_READ_EVERY_NS] if state.reconciled else []
    wanted += [
        fuse.breach.overdue_boot_ns(fuse.rule.confirm_ns_max)
        for fuse in state.tripping()
        if fuse.watching()
    ]
    return min((at for at in wanted if at), default=0)


def check_confirmations(turn: Turn) -> None:
    """Breaches that nobody confirmed or withdrew in time ask for REDUCE_ONLY."""
    late = [
        fuse
        for fuse in turn.state.tripping()
        if fuse.grows_old(turn.boot_ns, fuse.rule.confirm_ns_max)
    ]
    for fuse in late:
        old = duration(fuse.rule.confirm_ns_max)
        text = (
            f"{fuse.name}: a breach is {old} old and no second source confirms it:"
            " reductions only until one does, or until it is over"
        )
        turn.alert(Severity.PAGE, Reason.DRAWDOWN_UNCONFIRMED, text, fuse.scope)
    if late:
        publish_postures(turn)
