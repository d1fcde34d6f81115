"""The drop copy: the broker's activity feed, compared with our own record of fills.

Theory of operation. Every fill that our book takes and every execution that the feed tells is
noted under the broker's order id (`Apart`): how much, and what it cost. When both sides have come
to the same, nothing is kept. What stays apart is judged:

- The feed knows more than we do. The stream may be a moment behind, so half a second passes; then
  it is a discrepancy, and the broker is asked for the order (`FindOrder`), the way in which a lost
  stream is caught up with. Only if the order itself says so does our book take the fill: two of the
  broker's records against our gap are the proof. Of an order that is not ours nothing is taken.
- We know more than the feed. It lags, so a reading that began half a minute after our fill decides.
- As much, and at another price. It is a discrepancy at once.

A person's reset takes positions over as the broker had them, and with them what a stranger filled
until then. Where the feed tells such a fill only after the reset it is counted already: nothing
differs, and people are told. Both times are the broker's: its clock as it was told before that
reading was asked for, and the execution's own, which must be older by `TAKEN_NS`. Without one of
them, of a symbol that was not taken over, of an order that may be ours, nothing is counted so.

The feed is read from before the newest execution of the last reading on, and ids that were seen
are passed over: an execution that is told late, or twice under its id, is counted once. A first
reading only takes the place to begin at.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from fuseboard.core import discrepancies
from fuseboard.core.apart import Apart, Taken
from fuseboard.core.book import Order
from fuseboard.core.discrepancies import Difference
from fuseboard.core.outgoing import ask_foreign, find
from fuseboard.core.state import Turn
from fuseboard.vocabulary.copy_inputs import Execution, ExecutionsSeen
from fuseboard.vocabulary.effects import ReadExecutions
from fuseboard.vocabulary.money import NANOS, nanos_from_attos, text_from_nanos
from fuseboard.vocabulary.orders import OrderStatus, Severity, Side
from fuseboard.vocabulary.reasons import Reason

SOURCE: Final = "activity feed"
TOO_MANY: Final = "fills that wait"
SETTLE_NS: Final = NANOS // 2
"""How far the order stream may be behind the feed."""
LAG_NS: Final = 30 * NANOS
"""How far the feed may be behind the order stream."""
UNKNOWN_NS: Final = 10 * NANOS
"""How long an order whose id the broker has not told us may explain an execution of nobody's."""
SILENT_NS: Final = 300 * NANOS
SILENT: Final = "silent"
TAKEN_NS: Final = 2 * NANOS
"""By how much an execution must be older than the broker's clock at a reading to be in it: a second
in which positions may lag behind fills, and one because of which neither time need be exact."""
TAKEN_FOR_NS: Final = 300 * NANOS
"""How long after a reset the feed may tell what that took over."""
TAKEN_MAX: Final = 1_000
TAKEN_NAMED_MAX: Final = 3
APART_MAX: Final = 10_000
FINDS_MAX: Final = 50
"""Orders asked for after one judging; the others follow with the next."""
NO_FEED: Final = "the broker tells no account activities: fills have no second source"
NOT_TOLD: Final = "the activity feed does not tell a fill that we have"
OTHER_COST: Final = "a fill cost something else by the activity feed"
ROUNDING_NANOS: Final = NANOS // 100
"""How far a broker's average price may be rounded."""


def node_started(turn: Turn) -> None:
    """Read on from where the last run stopped."""
    copy = turn.state.copy
    copy.asking, copy.absent = False, False
    if copy.known:
        read(turn)


def read(turn: Turn) -> None:
    """Ask for the feed, unless that is under way; the first time for the place to begin at."""
    copy = turn.state.copy
    if copy.asking:
        return
    copy.asking = True
    copy.asked = copy.after if copy.known else None
    copy.asked_boot_ns = turn.boot_ns
    turn.out.append(ReadExecutions(after=copy.asked))


def judge_silence(turn: Turn, *, counts: bool) -> None:
    """A question that is unanswered for long, be it the first: there is no second source. A broker
    that said that it has none is not waited for, and what has ceased does not fall silent.
    """
    copy, standing = turn.state.copy, turn.state.discrepancies.get(SOURCE)
    if not copy.asking or copy.absent or turn.boot_ns - copy.asked_boot_ns < SILENT_NS:
        return
    if standing is None or standing.theirs == SILENT:
        what = f"the activity feed has not answered for {SILENT_NS // NANOS} s"
        discrepancies.found(turn, [_unread(what, theirs=SILENT, counts=counts)])


# --- what both sides say ------------------------------------------------------------------------


def note_fill(
    turn: Turn, order: Order, *, filled_nanos: int, cost_attos: int, rounded: bool
) -> None:
    """Our book took a fill. `rounded`: an average price said what it cost."""
    if not turn.state.copy.known:
        return
    key = order.broker_order_id or order.order_id
    at = _apart(turn, key, order.symbol, order.side)
    at.order_id = order.order_id
    at.ours_nanos += filled_nanos
    at.ours_attos += cost_attos
    at.ours_boot_ns = turn.boot_ns
    if rounded:
        at.rounded_nanos = order.filled_quantity_nanos
    _settle(turn, key, at)


def executions_seen(turn: Turn, fact: ExecutionsSeen) -> None:
    """The feed answered: note what is new of it, and judge what stays apart."""
    copy = turn.state.copy
    if not copy.asking or fact.after != copy.asked:
        return
    copy.asking = False
    if fact.problem:
        _unreadable(turn, fact.problem)
        return
    if not copy.known:
        _begin(turn, fact)
        return
    passed_over = dict(copy.seen)
    for execution in fact.executions:
        if execution.execution not in passed_over:
            passed_over[execution.execution] = None
            _told(turn, execution)
    copy.seen = {execution.execution: None for execution in fact.executions}
    copy.after, copy.newest = fact.newest if fact.more else copy.newest, fact.newest
    if fact.more:
        read(turn)
        return
    judge(turn, read_to_its_end=True)
    discrepancies.agreed(turn, SOURCE, but=_standing(turn))


def _begin(turn: Turn, fact: ExecutionsSeen) -> None:
    """From here on all is compared. What was executed before is taken as both sides have it."""
    state = turn.state
    copy = state.copy
    copy.known, copy.absent = True, False
    copy.after = copy.newest = fact.newest
    copy.seen = {execution.execution: None for execution in fact.executions}
    copy.apart.clear()
    told = {each.broker_order_id: each.filled_quantity_nanos for each in fact.executions}
    for order in list(state.book.orders.values()):
        key = order.broker_order_id or ""
        if key in told and told[key] != order.filled_quantity_nanos:
            at = _apart(turn, key, order.symbol, order.side)
            at.order_id, at.has_costs = order.order_id, False
            at.ours_nanos, at.theirs_nanos = order.filled_quantity_nanos, told[key]
            at.ours_boot_ns = at.theirs_boot_ns = turn.boot_ns
    discrepancies.agreed(turn, SOURCE, but=_standing(turn))


def _standing(turn: Turn) -> dict[str, None]:
    """What this reading does not end: what is apart, and what was and never came to agree.

    A note is lost with the place in the feed, or when there are too many: only a person ends its
    discrepancy. That the feed cannot be read is over when it is.
    """
    state = turn.state
    standing = {_subject(key): None for key in state.copy.apart}
    for at in state.discrepancies.values():
        if at.source == SOURCE and at.subject != SOURCE and not at.healed:
            standing[at.subject] = None
    return standing


def _told(turn: Turn, execution: Execution) -> None:
    key = execution.broker_order_id
    at = _apart(turn, key, execution.symbol, execution.side)
    at.theirs_nanos += execution.quantity_nanos
    at.theirs_attos += execution.quantity_nanos * execution.price_nanos
    at.theirs_boot_ns = turn.boot_ns
    at.theirs_event_ns = max(at.theirs_event_ns, execution.event_ns)
    _settle(turn, key, at)


def _apart(turn: Turn, key: str, symbol: str, side: Side) -> Apart:
    """The note of an order; the oldest is forgotten, and said, when there are too many."""
    apart = turn.state.copy.apart
    at = apart.get(key)
    if at is None:
        if len(apart) >= APART_MAX:
            del apart[next(iter(apart))]
            what = f"fills of more than {APART_MAX} orders wait for the activity feed"
            kept = str(APART_MAX)
            behind = Difference(
                subject=TOO_MANY, source=SOURCE, what=what, ours=kept, theirs="behind"
            )
            discrepancies.found(turn, [behind])
        at = apart[key] = Apart(symbol=symbol, side=side)
    return at


def _settle(turn: Turn, key: str, at: Apart) -> None:
    """Forget a note on which both sides agree."""
    if at.ours_nanos == at.theirs_nanos and not _costs_differ(at):
        del turn.state.copy.apart[key]
        discrepancies.healed(turn, _subject(key))


def _costs_differ(at: Apart) -> bool:
    apart_attos = abs(at.ours_attos - at.theirs_attos)
    return at.has_costs and apart_attos > at.rounded_nanos * ROUNDING_NANOS


# --- judging --------------------------------------------------------------------------------------


class Ours(Struct, frozen=True):
    """Our orders as one judging needs them: looked through once, however much stays apart."""

    by_broker_id: dict[str | None, Order]
    unanswered: dict[tuple[str, Side], None]
    """Symbol and side of orders of which the broker has not told us its id: each may be it."""


def judge_when_due(turn: Turn) -> None:
    """What the feed alone told has had its time."""
    due_boot_ns = turn.state.copy.judge_boot_ns
    if due_boot_ns and turn.boot_ns >= due_boot_ns:
        judge(turn, read_to_its_end=False)


def judge(turn: Turn, *, read_to_its_end: bool) -> None:
    """Look at all that stays apart. Before the books are compared nothing can be said of it."""
    copy = turn.state.copy
    copy.judge_boot_ns = 0
    if not turn.state.reconciled:
        return
    found: list[Difference] = []
    wanted: list[Order] = []
    taken: list[str] = []
    ours: Ours | None = None
    for key, at in copy.apart.items():
        if at.theirs_nanos > at.ours_nanos:
            ours = ours or _ours(turn)
            if _is_taken(turn, key, at, ours):
                taken.append(key)
                continue
            _missing(turn, key, at, ours, found, wanted, counts=read_to_its_end)
        elif at.ours_nanos > at.theirs_nanos:
            if read_to_its_end and copy.asked_boot_ns - at.ours_boot_ns >= LAG_NS:
                found.append(_differs(key, at, NOT_TOLD, counts=True))
        else:
            found.append(_differs(key, at, OTHER_COST, counts=read_to_its_end, costs=True))
    _counted(turn, taken)
    discrepancies.found(turn, found)
    for order in wanted[:FINDS_MAX]:
        find(turn, order)


def _missing(
    turn: Turn,
    key: str,
    at: Apart,
    ours: Ours,
    found: list[Difference],
    wanted: list[Order],
    *,
    counts: bool,
) -> None:
    """The feed knows more: once that had its time it is found, and its order wanted."""
    state = turn.state
    settled_boot_ns = due_boot_ns = at.theirs_boot_ns + SETTLE_NS
    order = _order(turn, key, at, ours)
    may_be_foreign = turn.policy.reconciliation.foreign_orders == "adopt"
    if order is None and (may_be_foreign or (at.symbol, at.side) in ours.unanswered):
        due_boot_ns = at.theirs_boot_ns + UNKNOWN_NS
    if order is None and may_be_foreign and turn.boot_ns >= settled_boot_ns:
        state.compare_asked = True  # it filled and went unseen: what it was is asked for
        ask_foreign(turn)
    if turn.boot_ns < due_boot_ns:
        asks_first = may_be_foreign and turn.boot_ns < settled_boot_ns
        next_boot_ns = settled_boot_ns if asks_first else due_boot_ns
        waits = state.copy.judge_boot_ns
        state.copy.judge_boot_ns = min(waits, next_boot_ns) if waits else next_boot_ns
        turn.wake(state.copy.judge_boot_ns)
    elif order is None:
        what = "the activity feed tells a fill of an order that is not in our book"
        found.append(_differs(key, at, what, counts=counts))
    else:
        if state.stream_connected:
            what = "the activity feed tells a fill that we do not have"
            found.append(_differs(key, at, what, counts=counts))
        wanted.append(order)


def _is_taken(turn: Turn, key: str, at: Apart, ours: Ours) -> bool:
    """Whether a stranger's fill is in a position that a reset took over, see the head."""
    taken = turn.state.copy.taken.get(at.symbol)
    if taken is None or at.ours_nanos or not at.theirs_event_ns or at.order_id:
        return False
    if turn.policy.reconciliation.foreign_orders == "adopt":  # it may be booked by its order yet
        return False
    if _order(turn, key, at, ours) is not None or (at.symbol, at.side) in ours.unanswered:
        return False
    told_after_ns = at.theirs_boot_ns - taken.boot_ns  # before the reset, where it was not judged
    is_told_in_time = -UNKNOWN_NS <= told_after_ns < TAKEN_FOR_NS
    return is_told_in_time and at.theirs_event_ns + TAKEN_NS <= taken.read_ns


def _counted(turn: Turn, keys: list[str]) -> None:
    """Fills that are in a position which a reset took over: they are said, and forgotten."""
    apart = turn.state.copy.apart
    said = []
    for key in keys:
        at = apart.pop(key)
        quantity = text_from_nanos(at.theirs_nanos)
        said.append(f"{at.symbol} {at.side.value} {quantity}, order {key}")
    if said:
        more = f"; and {len(said) - TAKEN_NAMED_MAX} more" * (len(said) > TAKEN_NAMED_MAX)
        text = f"the reset took over fills that the activity feed tells only now: {said[0]}"
        text = "; ".join([text, *said[1:TAKEN_NAMED_MAX]]) + more
        turn.alert(Severity.INFO, Reason.DISCREPANCY, text)


def _order(turn: Turn, key: str, at: Apart, ours: Ours) -> Order | None:
    """The order of ours that has this id at the broker."""
    known = turn.state.book.orders.get(at.order_id) or ours.by_broker_id.get(key)
    if known is not None:
        at.order_id = known.order_id
    return known


def _ours(turn: Turn) -> Ours:
    book = turn.state.book
    return Ours(
        by_broker_id={each.broker_order_id: each for each in reversed(book.orders.values())},
        unanswered={
            (order.symbol, order.side): None
            for order in book.working_orders()
            if order.status in (OrderStatus.SUBMITTING, OrderStatus.IN_DOUBT)
        },
    )


def _differs(key: str, at: Apart, what: str, *, counts: bool, costs: bool = False) -> Difference:
    """It in words. `counts`: a reading judges; a deadline between two is no comparison."""
    ours, theirs = text_from_nanos(at.ours_nanos), text_from_nanos(at.theirs_nanos)
    if costs:
        ours = text_from_nanos(nanos_from_attos(at.ours_attos))
        theirs = text_from_nanos(nanos_from_attos(at.theirs_attos))
    text = f"{at.symbol}: {what} ({at.side.value}, order {key}: ours {ours}, theirs {theirs})"
    return Difference(
        subject=_subject(key), source=SOURCE, what=text, ours=ours, theirs=theirs, counts=counts
    )


def _subject(key: str) -> str:
    return f"fill {key}"


def positions_compared(turn: Turn, seen: Iterable[str], *, clock_ns: int) -> None:
    """Positions were read and these differ; `clock_ns` is the broker's, 0 where it did not tell.

    Those that differed and were not seen this time differ as they were read before.
    """
    state = turn.state
    before = state.copy.read_ns
    state.copy.read_ns = {at: before.get(at, 0) for at in state.positions_apart}
    for symbol in seen:
        state.copy.read_ns[symbol] = clock_ns


def accept(turn: Turn, *, taken: Iterable[str]) -> None:
    """A person takes the broker's word for what is a discrepancy now, and these positions."""
    state = turn.state
    for symbol in taken:
        state.copy.taken.pop(symbol, None)
        read_ns = state.copy.read_ns.pop(symbol, 0)
        state.copy.taken[symbol] = Taken(read_ns=read_ns, boot_ns=turn.boot_ns)
    while len(state.copy.taken) > TAKEN_MAX:
        del state.copy.taken[next(iter(state.copy.taken))]
    for key in [key for key in state.copy.apart if _subject(key) in state.discrepancies]:
        del state.copy.apart[key]


# --- a feed that cannot be read -------------------------------------------------------------------


def _unread(what: str, *, theirs: str, counts: bool) -> Difference:
    return Difference(
        subject=SOURCE, source=SOURCE, what=what, ours="read", theirs=theirs, counts=counts
    )


def _unreadable(turn: Turn, problem: str) -> None:
    """The broker has no feed, or has forgotten our place in it: say so, and begin anew."""
    copy = turn.state.copy
    was_known, copy.known = copy.known, False
    copy.apart.clear()
    if problem == "lost":
        text = "the broker does not know our place in its activity feed: fills until now are"
        text = f"{text} not compared; from now on they are"
        turn.alert(Severity.WARNING, Reason.DISCREPANCY, text)
        read(turn)
        return
    if was_known:
        what = "the broker has ceased to tell account activities"
        discrepancies.found(turn, [_unread(what, theirs="absent", counts=True)])
    elif not copy.absent:
        turn.alert(Severity.WARNING, Reason.DISCREPANCY, NO_FEED)
        standing = turn.state.discrepancies.get(SOURCE)
        if standing is not None and standing.theirs == SILENT:  # it has spoken after all
            discrepancies.agreed(turn, SOURCE, but=_standing(turn))
    copy.absent = True
