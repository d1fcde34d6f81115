"""Circuit breakers: the policy's conditions are judged, and move their fuses.

Judged once at the end of each step whose input could have changed one of their measures. Before
the books are compared nothing is judged: the account is halted then anyway.
"""

from typing import Any, Final

from fuseboard.core import roster, watchlist
from fuseboard.core.doubts import ask_broker, benefit_of, in_doubt
from fuseboard.core.fuses.confirmation import BOOKS_SOURCE, BROKER_SOURCE
from fuseboard.core.fuses.machine import FuseEvent, FuseState
from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.core.halting import apply, publish_postures, settle, trip
from fuseboard.core.measures import symbols
from fuseboard.core.measures.recording import equity_of
from fuseboard.core.measures.values import PRIOR, VALUES, Reading, reading_of
from fuseboard.core.state import Turn
from fuseboard.core.valuation import blind
from fuseboard.core.watchlist import Watched
from fuseboard.policy.conditions import Verdict, places_that_tell
from fuseboard.policy.shown import duration
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.catalogue import MEASURES, Unit
from fuseboard.vocabulary.dividend_facts import DividendsSeen
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, symbol_scope
from fuseboard.vocabulary.measured import Value, shown_nanos, shown_value
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import CashMoved, DividendSaid
from fuseboard.vocabulary.orders import Intent, Severity
from fuseboard.vocabulary.reasons import Reason

TIME_JUDGED_EVERY_NS: Final = NANOS
"""How often conditions are judged that time alone can change."""
_ORDERS = watchlist.ORDER
_OUTCOMES = watchlist.OUTCOME | watchlist.ORDER
_TRADES: Final = watchlist.ANYTHING & ~(watchlist.TIME | watchlist.EQUITY)
_TOPICS_OF: Final[dict[type[Any], int]] = {
    facts.OrderRequested: _ORDERS,
    facts.CancelRequested: _ORDERS,
    facts.OrderSent: _OUTCOMES | watchlist.FILL,
    facts.OrderNotSent: _OUTCOMES,
    facts.OrderUnknown: _OUTCOMES,
    facts.OrderWorking: _OUTCOMES,
    facts.OrderEnded: _OUTCOMES | watchlist.FILL,
    facts.CancelRefused: _OUTCOMES,
    facts.LegReadFailed: _OUTCOMES,
    facts.FillReported: _OUTCOMES | watchlist.FILL,
    facts.TimeAdvanced: watchlist.TIME,
    facts.AccountSeen: watchlist.READ | watchlist.EQUITY,
    facts.PositionsSeen: watchlist.ANYTHING,
    facts.PolicyAdopted: watchlist.ANYTHING,
    CashMoved: watchlist.ANYTHING,
    DividendSaid: watchlist.ANYTHING,
    DividendsSeen: watchlist.ANYTHING,
    facts.SessionRolled: watchlist.ANYTHING,
    facts.BrokerClockSeen: watchlist.ANYTHING,
    facts.MeasureReported: watchlist.READ,
}


def judge_after(turn: Turn, fact: facts.Input) -> None:
    """An input was folded: judge every breaker that it can have changed."""
    state = turn.state
    topics = _TOPICS_OF.get(type(fact), 0)
    if turn.equity_source:
        topics |= watchlist.EQUITY
    if not topics & turn.watchlist.topics or not state.reconciled:
        return
    if turn.watchlist.each_symbol and topics & _TRADES:
        _follow_symbols(turn, fact)
    if turn.watchlist.rates_of and isinstance(fact, facts.OrderRequested):
        for effect in turn.out:
            if isinstance(effect, SubmitOrder) and effect.intent is Intent.OPEN:
                symbols.order_asked(turn, fact.symbol)
    source = turn.equity_source or BOOKS_SOURCE
    moved = False
    for fuse in list(state.breakers.values()):
        watched = turn.watchlist.breakers.get(fuse.rule.name)
        if watched is None or not watched.topics & topics or fuse.latched():
            continue
        if fuse.breach.source and isinstance(fact, facts.PolicyAdopted):
            continue  # no figure of it is new: it is neither confirmed nor withdrawn
        seen = source
        if watched.own_marks and source != BOOKS_SOURCE and fuse.scope != symbol_scope(source):
            if topics == watchlist.EQUITY:
                continue  # another symbol's mark says nothing of it, and confirms nothing
            seen = BOOKS_SOURCE
        before = fuse.breach.source
        moved = _judge(turn, fuse, watched, seen) or moved
        began = fuse.breach.source and not before  # by this fact: it cannot confirm itself
        if isinstance(fact, facts.AccountSeen) and fuse.scope == ACCOUNT_SCOPE and not began:
            equity_attos = fact.equity_nanos * NANOS + state.dividends.owed.get("", 0)
            moved = _judge_by_broker(turn, fuse, watched, equity_attos) or moved
        if watched.topics & watchlist.TIME or fuse.failing_boot_ns is not None:
            turn.wake(turn.boot_ns + TIME_JUDGED_EVERY_NS)
    if moved:
        publish_postures(turn)
        settle(turn)


def _follow_symbols(turn: Turn, fact: facts.Input) -> None:
    """A rule is for each symbol: what was just traded or taken in has a fuse from now on."""
    state = turn.state
    if isinstance(fact, facts.OrderRequested) and fact.symbol in state.symbols.followed:
        return
    if symbols.follow_traded(turn):
        roster.follow(turn)
        symbols.begin(turn)


def _judge(turn: Turn, fuse: RuleFuse, watched: Watched, source: str) -> bool:
    """Judge one breaker by our own numbers; whether anything changed."""
    verdict = _verdict(fuse, watched, reading_of(turn, fuse.scope))
    if verdict is Verdict.UNKNOWN:
        return _unknown(turn, fuse)
    moved, fuse.unknown = fuse.unknown, False
    if fuse.state is FuseState.ARMED:
        apply(turn, fuse, FuseEvent.MARKED)
    before = fuse.breach.source, fuse.breach.unconfirmed
    if verdict is Verdict.HOLDS:
        if fuse.rule.action is Action.NOTIFY:
            _notify(turn, fuse)
        event = fuse.holds(source, turn.boot_ns, equity=watched.condition.uses_equity)
    elif fuse.breach.source == BROKER_SOURCE and watched.condition.uses_equity and blind(turn):
        event = None  # what we cannot see does not withdraw what the broker says
    else:
        event = fuse.fails(turn.boot_ns)
    if event is FuseEvent.BREACHED and not _agreed(turn, fuse, watched):
        fuse.breach.begin(source, turn.boot_ns)
        event = None
    _breach_changed(turn, fuse, before[0])
    if event is FuseEvent.BREACHED and _doubtful(turn, fuse, watched):
        event = None
    return (
        _moved(turn, fuse, event)
        or moved
        or before != (fuse.breach.source, fuse.breach.unconfirmed)
    )


def _agreed(turn: Turn, fuse: RuleFuse, watched: Watched) -> bool:
    """Whether the reports before the last ones say so too; one bad report must not sell an account.

    To halt, one is enough.
    """
    if not watched.reported or fuse.rule.action not in (Action.FLATTEN, Action.KILL):
        return True
    reading = reading_of(turn, fuse.scope)
    values = [PRIOR.get(name, VALUES[name])(reading) for name in watched.condition.names]
    return watched.condition.judge(values) is Verdict.HOLDS


def _doubtful(turn: Turn, fuse: RuleFuse, watched: Watched) -> bool:
    """Whether a breach of equity may come from books that are in doubt: see `doubts`."""
    if not watched.condition.uses_equity or not in_doubt(turn.state):
        return False
    if fuse.scope == ACCOUNT_SCOPE:
        return fuse.breach.source != BROKER_SOURCE
    benefit_attos = benefit_of(turn.state, fuse.scope)
    if benefit_attos is None:
        return True
    equity_attos = equity_of(turn, fuse.scope) + benefit_attos
    values = [
        VALUES[name](reading_of(turn, fuse.scope, equity_attos)) for name in watched.condition.names
    ]
    return watched.condition.judge(values) is not Verdict.HOLDS


def _judge_by_broker(turn: Turn, fuse: RuleFuse, watched: Watched, equity_attos: int) -> bool:
    """Judge one breaker of the account by the broker's equity: a second source."""
    latches = fuse.rule.action not in (Action.NOTIFY, Action.REDUCE)
    if not watched.condition.uses_equity or not latches or not fuse.watching():
        return False
    verdict = _verdict(fuse, watched, reading_of(turn, fuse.scope, equity_attos))
    if verdict is Verdict.UNKNOWN:
        return False
    before = fuse.breach.source
    confirmed = fuse.breach.report_by_broker(
        turn.boot_ns, breaches=verdict is Verdict.HOLDS, blind=blind(turn)
    )
    trips = confirmed and _agreed(turn, fuse, watched)
    _breach_changed(turn, fuse, before)
    event = FuseEvent.BREACHED if trips else None
    return _moved(turn, fuse, event) or before != fuse.breach.source


def _verdict(fuse: RuleFuse, watched: Watched, reading: Reading) -> Verdict:
    names = watched.condition.names
    values = [VALUES[name](reading) for name in names]
    verdict = watched.condition.judge(values)
    if verdict is not Verdict.FAILS:
        places = places_that_tell(watched.condition, values, verdict)
        shown = (_shown(name, value, places) for name, value in zip(names, values, strict=True))
        fuse.said = f"{watched.condition.text} ({', '.join(shown)})"
    return verdict


def _shown(name: str, value: Value, places: int) -> str:
    if value is None:
        return f"{name} unknown"
    unit = MEASURES[name].unit
    if unit is Unit.FRACTION:
        return f"{name} {shown_value(name, value, places, 100)}%"
    if unit is Unit.DURATION:
        return f"{name} {duration(shown_nanos(name, value))}"
    return f"{name} {shown_value(name, value, places)}{' USD' if unit is Unit.MONEY else ''}"


def _unknown(turn: Turn, fuse: RuleFuse) -> bool:
    if fuse.unknown:
        return False
    fuse.unknown = True
    does = "" if fuse.rule.action is Action.NOTIFY else ": reductions only until it can"
    text = f"{fuse.name} cannot be judged: {fuse.said}{does}"
    turn.alert(Severity.WARNING, Reason.BREAKER_UNKNOWN, text, fuse.scope)
    return True


def _notify(turn: Turn, fuse: RuleFuse) -> None:
    if not fuse.notified:
        fuse.notified = True
        turn.alert(Severity.WARNING, Reason.BREAKER, f"{fuse.name}: {fuse.said}", fuse.scope)


def _breach_changed(turn: Turn, fuse: RuleFuse, before: str) -> None:
    """A breach began: ask the broker, the second source, and set the time limit."""
    if fuse.breach.source and fuse.breach.source != before:
        turn.wake(fuse.breach.began_boot_ns + fuse.rule.confirm_ns_max)
        may_tell = fuse.breach.source != BROKER_SOURCE or blind(turn)
        if fuse.scope == ACCOUNT_SCOPE and not before and may_tell:
            ask_broker(turn)


def _moved(turn: Turn, fuse: RuleFuse, event: FuseEvent | None) -> bool:
    if event is None:
        return False
    if event is FuseEvent.BREACHED:
        trip(turn, fuse)
        return True
    apply(turn, fuse, event, reason=Reason.BREAKER.value)
    if event is FuseEvent.WARNED:
        text = f"{fuse.name}: {fuse.said}: new risk is halved"
        turn.alert(Severity.WARNING, Reason.BREAKER, text, fuse.scope)
    return True


def next_deadline(turn: Turn) -> int:
    """When time may have changed a verdict; 0 when it changes none."""
    state = turn.state
    if not state.reconciled:
        return 0
    for fuse in state.breakers.values():
        watched = turn.watchlist.breakers.get(fuse.rule.name)
        timed = watched is not None and watched.topics & watchlist.TIME
        if not fuse.latched() and (timed or fuse.failing_boot_ns is not None):
            return turn.boot_ns + TIME_JUDGED_EVERY_NS
    return 0
