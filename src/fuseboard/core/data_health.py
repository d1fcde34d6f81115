"""The state of market data as a whole: a feed that is dead, quotes too old, too few good ones, and
something held that neither prices nor the broker's equity value.

Gauges: each tightens the account as the policy says and lets go by itself once it was well for
`WELL_NS`. With the action `halt` data that goes bad while the market is open halts the account
besides, by a latch that a named person resets (law 2); what has yet to come after a start, or is
gone while the market is closed, asks for HALTED as long as it is so. A quiet symbol is not stale
while its feed is heard: its age is judged against the policy's own limit for one symbol. One that
its exchange has halted is halted, not stale.
"""

from typing import Final

from fuseboard.core import standing
from fuseboard.core.checks import session
from fuseboard.core.halting import latch_scope, publish_postures
from fuseboard.core.hygiene import cancel_openings
from fuseboard.core.liquidity import watching
from fuseboard.core.market import DataDoubt, FeedTimes
from fuseboard.core.outgoing import ACCOUNT_READ_EVERY_NS
from fuseboard.core.state import State, Turn
from fuseboard.policy.shown import duration
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.market_inputs import FeedHeard
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

FEEDS_MAX: Final = 16
WELL_NS: Final = NANOS
JUDGED_EVERY_NS: Final = NANOS
_AWAITED: Final = (Reason.DATA_STALE.value, Reason.DATA_MISSING.value)
"""What no start can have before the first quotes."""
UNVALUED_NS: Final = 2 * ACCOUNT_READ_EVERY_NS
"""How long what is held may be without a good price and without the broker's own equity."""


def feed_heard(turn: Turn, fact: FeedHeard) -> None:
    """A feed is alive; from its first word on its silence counts."""
    state = turn.state
    if fact.feed not in state.feeds and len(state.feeds) >= FEEDS_MAX:
        return
    watching.feed_heard(state, fact)
    first = fact.feed not in state.feeds
    silent_ns = turn.boot_ns - state.feeds.get(fact.feed, turn.boot_ns)
    if silent_ns > turn.policy.data.heartbeat_ns_max:
        standing.feed_returned(turn, fact.feed)
    state.feeds[fact.feed] = turn.boot_ns
    if not fact.real_time:
        state.feed_times.pop(fact.feed, None)
    elif fact.feed not in state.feed_times:
        state.feed_times[fact.feed] = FeedTimes()
    if first:
        turn.wake(turn.boot_ns + turn.policy.data.heartbeat_ns_max + 1)
    if state.data_doubts:
        judge(turn)


def node_started(turn: Turn) -> None:
    """Nothing was heard yet, and nothing is known to be dead; no quote prices anything either."""
    turn.state.feeds, turn.state.data_doubts = {}, {}
    turn.state.data_awaited = dict.fromkeys(_AWAITED)
    watching.node_started(turn)


def judge(turn: Turn) -> None:
    """Look at feeds, at what is held and at what is watched, and follow what is found."""
    state, rules = turn.state, turn.policy.data
    unvalued = _unvalued(turn)
    if not (state.feeds or state.data_doubts or unvalued or _asks(turn)):
        return
    changed = _follow(turn, Reason.FEED_DEAD, _dead(turn))
    changed = _follow(turn, Reason.UNVALUED, unvalued) or changed
    stale = _stale(turn) if rules.stale_action != "deny" else ""
    changed = _follow(turn, Reason.DATA_STALE, stale) or changed
    changed = _follow(turn, Reason.DATA_MISSING, _missing(turn)) or changed
    if changed:
        publish_postures(turn)
    if state.data_doubts or _asks(turn):
        turn.wake(turn.boot_ns + JUDGED_EVERY_NS)


def _asks(turn: Turn) -> bool:
    """Whether the policy asks for more than each order's own check of its quote."""
    rules = turn.policy.data
    return rules.assets_min > 0 or rules.stale_action != "deny"


def _dead(turn: Turn) -> str:
    most_ns = turn.policy.data.heartbeat_ns_max
    dead = [name for name, heard in turn.state.feeds.items() if turn.boot_ns - heard > most_ns]
    return f"no word from {', '.join(dead)} for more than {duration(most_ns)}" if dead else ""


def _stale(turn: Turn) -> str:
    """Which of what is held has no price that is young enough, by its own limit."""
    state, most_ns = turn.state, turn.policy.data.quote_age_ns_max
    stale = []
    for symbol in state.book.held():
        at = state.instruments.get(symbol)
        latest_ns = 0 if at is None else max(at.quoted_boot_ns, at.traded_boot_ns)
        if turn.boot_ns - latest_ns > most_ns and symbol not in state.trading_halts:
            stale.append(symbol)
    return f"no recent price of {', '.join(stale[:10])}" if stale else ""


def _unvalued(turn: Turn) -> str:
    """What is held, told prices of which none is good, while the broker's equity is not told."""
    symbols = [symbol for symbol, due_ns in _unvalued_from(turn.state) if due_ns <= turn.boot_ns]
    if not symbols:
        return ""
    held = ", ".join(symbols[:10])
    return (
        f"no good price of {held} for {duration(UNVALUED_NS)}, and no equity from the broker:"
        " what is lost is not known"
    )


def _unvalued_from(state: State) -> list[tuple[str, int]]:
    """From when on each symbol that is held and in doubt is valued by nothing."""
    if not state.reconciled:
        return []
    told_ns = state.figures_boot_ns or 0
    found = [(symbol, state.instruments.get(symbol)) for symbol in state.book.held()]
    return [
        (symbol, max(at.doubt_boot_ns, told_ns) + UNVALUED_NS)
        for symbol, at in found
        if at is not None and at.doubt_boot_ns
    ]


def _missing(turn: Turn) -> str:
    state, rules = turn.state, turn.policy.data
    if rules.assets_min == 0:
        return ""
    good = sum(
        symbol in state.trading_halts
        or (not at.excluded and not at.suspect_nanos and at.priced(rules, turn.boot_ns))
        for symbol, at in state.instruments.items()
    )
    if good >= rules.assets_min:
        return ""
    return f"{good} symbols have good quotes, the policy wants {rules.assets_min}"


def _follow(turn: Turn, reason: Reason, text: str) -> bool:
    """Begin, continue or end one doubt; whether postures may have changed."""
    doubts = turn.state.data_doubts
    known = doubts.get(reason.value)
    if not text and turn.state.reconciled and _came(turn.state):
        turn.state.data_awaited.pop(reason.value, None)
    if text and known is None:
        doubt = doubts[reason.value] = DataDoubt(text)
        doubt.halted = _halted(turn, reason, text)
        if not doubt.halted:
            turn.alert(Severity.WARNING, reason, text)
        return True
    if text and known is not None:
        known.text, known.well_boot_ns = text, None
        return _halted_since_open(turn, reason, known)
    if known is not None and known.well_boot_ns is None:
        known.well_boot_ns = turn.boot_ns
    elif known is not None and turn.boot_ns - (known.well_boot_ns or 0) >= WELL_NS:
        del doubts[reason.value]
        turn.alert(Severity.INFO, reason, f"over: {known.text}")
        return True
    return False


def _came(state: State) -> bool:
    """Whether what is held, and not halted by its exchange, was quoted since the start: until then
    its data has yet to come.
    """
    held = [symbol for symbol in state.book.held() if symbol not in state.trading_halts]
    known = [state.instruments.get(symbol) for symbol in held]
    return all(at is not None and at.bid_nanos > 0 for at in known)


def _action(turn: Turn, reason: Reason) -> str:
    rules = turn.policy.data
    return rules.missing_action if reason is Reason.DATA_MISSING else rules.stale_action


def _may_be_gone(turn: Turn, reason: Reason) -> bool:
    """Whether nobody can have this data now: the first has yet to come, or the market is closed."""
    return reason.value in turn.state.data_awaited or bool(session.closed(turn, turn.state.period))


def _halted(turn: Turn, reason: Reason, text: str) -> bool:
    """Whether the action is `halt` and the account was halted until a person resets it; either way
    it takes away what would raise exposure.
    """
    if _action(turn, reason) != "halt":
        return False
    if _may_be_gone(turn, reason):
        cancel_openings(turn)
        return False
    latch_scope(turn, ACCOUNT_SCOPE, HaltLevel.HALT, reason, detail=text)
    return True


def _halted_since_open(turn: Turn, reason: Reason, doubt: DataDoubt) -> bool:
    """Data that was gone overnight and does not come back with the market halts like any other, as
    soon as it is older than the policy's age in the open market.
    """
    if doubt.halted or _action(turn, reason) != "halt":
        return False
    if _may_be_gone(turn, reason):
        doubt.open_boot_ns = None
        return False
    if doubt.open_boot_ns is None:
        doubt.open_boot_ns = turn.boot_ns
    if turn.boot_ns - doubt.open_boot_ns <= turn.policy.data.quote_age_ns_max:
        return False
    doubt.halted = _halted(turn, reason, doubt.text)
    return doubt.halted


def next_deadline(turn: Turn) -> int:
    """When to look again; 0 when nothing asks for it."""
    state = turn.state
    if state.data_doubts or (_asks(turn) and state.reconciled):
        return turn.boot_ns + JUDGED_EVERY_NS
    due = [due_ns for _, due_ns in _unvalued_from(state)]
    silent_ns = _first_silence(state, turn.policy.data.heartbeat_ns_max)
    due_ns = min([*due, silent_ns] if silent_ns else due, default=0)
    return max(due_ns, turn.boot_ns + 1) if due_ns else 0


def _first_silence(state: State, most_ns: int) -> int:
    return min((heard + most_ns + 1 for heard in state.feeds.values()), default=0)
