"""The roll of a session, at which references begin anew, and its open: the calendar's resets.

Rolling loosens, so it needs two clocks. The calendar's word comes as `SessionRolled`, stamped by
our clock; the broker's clock must have been read recently and agree with ours. Until it does, every
reference stays, nothing is reset, and people are told once. A node that was down when the session
began rolls when it has started and compared its books.

A session begins when the one before has closed, hours or days before it opens. What the policy lets
the calendar reset waits for the open, by the same two clocks and the broker's word that it is open;
what trips between the close and the open has tripped in this session, and waits for the next open.
A node that was down over the open resets once it knows that the session is open; one that was down
over all of it, at the next one's.
"""

from fuseboard.core import gate
from fuseboard.core.fuses.confirmation import BOOKS_SOURCE
from fuseboard.core.halting import publish_postures
from fuseboard.core.measures import symbols
from fuseboard.core.measures.recording import equity_of
from fuseboard.core.periods import CLOCK_WAIT_NS_MAX, Period
from fuseboard.core.resets import reset_by_calendar, resettable
from fuseboard.core.state import Turn
from fuseboard.core.valuation import evaluate
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, symbol_scope
from fuseboard.vocabulary.inputs import BrokerClockSeen, SessionRolled
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason


def session_rolled(turn: Turn, fact: SessionRolled) -> None:
    """The calendar says that a session has begun. Only forward: an older date changes nothing."""
    state = turn.state
    period = state.period
    newest = period.session if period.pending is None else period.pending.session
    if fact.session < newest:
        return
    if fact.session == newest:
        if fact.session == period.session:  # the same day: another calendar has other hours
            period.calendar = fact.calendar
            period.open_ns, period.close_ns = fact.open_ns, fact.close_ns
        return
    period.pending, period.pending_boot_ns = fact, turn.boot_ns
    period.late = not state.reconciled
    period.alerted = False
    roll_when_agreed(turn)


def broker_clock_seen(turn: Turn, fact: BrokerClockSeen) -> None:
    """A second opinion on the time: a session that waited for it may begin."""
    period = turn.state.period
    period.broker_ahead_ns = fact.wall_ns - turn.wall_ns
    period.broker_read_boot_ns = turn.boot_ns
    period.read_wall_ns = turn.wall_ns
    period.broker_is_open = fact.is_open
    gate.judge_sessions(turn)
    judge_clocks(turn)
    if period.clocks_apart and not period.differs(turn.boot_ns, turn.wall_ns):
        period.clocks_apart = False
        publish_postures(turn)
        turn.alert(Severity.INFO, Reason.CLOCKS_DISAGREE, "the broker's clock agrees with ours")
    roll_when_agreed(turn)


def judge_clocks(turn: Turn) -> None:
    """Clocks that differ open nothing; only a reading of the broker's that agrees ends it.

    Durations are unharmed: they count in boot time.
    """
    period = turn.state.period
    if period.clocks_apart or not period.differs(turn.boot_ns, turn.wall_ns):
        return
    period.clocks_apart = True
    publish_postures(turn)
    apart = period.apart_says(turn.boot_ns, turn.wall_ns)
    text = f"{apart}: reductions only until they agree; whose is wrong, `fuseboard status` may say"
    turn.alert(Severity.WARNING, Reason.CLOCKS_DISAGREE, text)


def node_started(turn: Turn) -> None:
    """What was known of clocks and of equity before is from another time."""
    period = turn.state.period
    period.broker_read_boot_ns = period.broker_is_open = None
    period.late = True
    scopes = [*turn.state.courses, *map(symbol_scope, turn.state.symbols.courses)]
    period.resumed_attos = {scope: equity_of(turn, scope) for scope in scopes}
    if period.pending is not None:
        period.pending_boot_ns = turn.boot_ns


def roll_when_agreed(turn: Turn) -> None:
    """Begin the pending session once the books are compared and the clocks agree."""
    state = turn.state
    period = state.period
    if not state.reconciled:
        return
    if period.pending is None:
        reset_when_open(turn)
        return
    doubt = period.doubt(turn.boot_ns, turn.wall_ns)
    if not doubt:
        _roll(turn, period, period.pending)
        return
    period.late = True
    waited = turn.boot_ns - period.pending_boot_ns >= CLOCK_WAIT_NS_MAX
    if not period.alerted and (waited or period.broker_read_boot_ns is not None):
        period.alerted = True
        text = (
            f"session {period.pending.session} has not begun: {doubt};"
            " references stay, and nothing is reset"
        )
        turn.alert(Severity.WARNING, Reason.CLOCKS_DISAGREE, text)
    if not period.alerted:
        turn.wake(period.pending_boot_ns + CLOCK_WAIT_NS_MAX)


def _roll(turn: Turn, period: Period, begun: SessionRolled) -> None:
    state = turn.state
    week = begun.week_began > period.week_began
    month = begun.month_began > period.month_began
    late, first = period.late, not period.session
    period.calendar, period.session = begun.calendar, begun.session
    period.week_began, period.month_began = begun.week_began, begun.month_began
    period.open_ns, period.close_ns = begun.open_ns, begun.close_ns
    period.began_ns = begun.began_ns or turn.wall_ns
    # What was stopped before any session was known may be of this very day.
    period.resets_wait, period.open_told, period.cooling = not first, False, []
    period.pending, period.late, period.alerted = None, False, False
    state.throttles.session_rolled()
    gate.judge_sessions(turn)
    for scope, course in state.courses.items():
        course.roll(_opening_attos(turn, scope, late=late), week=week, month=month)
    openings_attos = {
        symbol: _opening_attos(turn, symbol_scope(symbol), late=late)
        for symbol in state.symbols.courses
    }
    symbols.roll(turn, openings_attos, week=week, month=month)
    for fuse in state.marked():
        fuse.roll(_opening_attos(turn, fuse.scope, late=late), week=week, month=month)
    period.resumed_attos = {}
    turn.alert(Severity.INFO, Reason.SESSION_ROLLED, f"session {begun.session} begins")
    evaluate(turn, BOOKS_SOURCE)
    reset_when_open(turn)
    if due_boot_ns := next_deadline(turn):
        turn.wake(due_boot_ns)


def reset_when_open(turn: Turn) -> None:
    """Reset, once, what the calendar may, as soon as the present session is known to be open; what
    still cools down then, when it has, in the same session's hours.
    """
    state = turn.state
    period = state.period
    waits = period.resets_wait or bool(period.cooling)
    if not waits or period.pending is not None or not state.reconciled:
        return
    if doubt := period.open_doubt(turn.boot_ns, turn.wall_ns):
        if period.resets_wait:
            _tell_of_wait(turn, period, doubt)
        return
    only, before_wall_ns = None if period.resets_wait else period.cooling, period.began_ns
    period.resets_wait = False
    period.cooling = reset_by_calendar(
        turn, period.calendar, period.session, before_wall_ns=before_wall_ns, only=only
    )


def _tell_of_wait(turn: Turn, period: Period, doubt: str) -> None:
    """Tell people, once, that the open has passed and the calendar's resets still wait."""
    waited = period.open_ns + CLOCK_WAIT_NS_MAX <= turn.wall_ns < period.close_ns
    if period.open_told or not waited:
        return
    waiting = [fuse.name for fuse in resettable(turn, before_wall_ns=period.began_ns)]
    period.open_told = True
    if waiting:
        text = (
            f"session {period.session} should be open: {doubt}; still halted: {', '.join(waiting)}"
        )
        turn.alert(Severity.WARNING, Reason.CLOCKS_DISAGREE, text)


def next_deadline(turn: Turn) -> int:
    """When people are told that the calendar's resets wait for longer; 0 where none do."""
    period = turn.state.period
    left_ns = period.open_ns + CLOCK_WAIT_NS_MAX - turn.wall_ns
    if not period.resets_wait or period.open_told or period.pending is not None or left_ns <= 0:
        return 0
    return turn.boot_ns + left_ns if resettable(turn, before_wall_ns=period.began_ns) else 0


def _opening_attos(turn: Turn, scope: str, *, late: bool) -> int:
    """The equity that a session begins with. What was lost while we were away counts.

    The account's is then at least the broker's equity at the prior close; a strategy's or a
    symbol's is at least what it was when we went down.
    """
    equity_attos = equity_of(turn, scope)
    if not late:
        return equity_attos
    if scope == ACCOUNT_SCOPE:
        return max(equity_attos, turn.state.prior_close_attos)
    return max(equity_attos, turn.state.period.resumed_attos.get(scope, equity_attos))
