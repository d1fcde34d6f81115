"""Our books against the broker's: positions and working orders, and what a difference does.

At a start, after a lost stream, after a trip and on the policy's schedule. Positions are read with
nothing of ours in flight. A difference while orders are working may be a report on its way: it is
looked at again before it is believed.
"""

from typing import Final

from fuseboard.core import (
    data_health,
    discrepancies,
    doubts,
    drop_copy,
    guardian_closes,
    holdings,
    nearness,
    plan,
    quotes,
    recovering,
    sessions,
    splits,
    taking_in,
)
from fuseboard.core.book import Order
from fuseboard.core.closes import ONGOING_STAGES, UNREAD, unread_subject
from fuseboard.core.discrepancies import Difference
from fuseboard.core.fuses.confirmation import BOOKS_SOURCE
from fuseboard.core.halting import publish_postures, settle
from fuseboard.core.measures.recording import begin_courses, note_comparison
from fuseboard.core.outgoing import admit, ask_foreign, await_comparison, find, read_account
from fuseboard.core.state import State, Turn
from fuseboard.core.valuation import evaluate
from fuseboard.core.waking import wake_for_what_is_next
from fuseboard.policy.shown import duration
from fuseboard.vocabulary.copy_inputs import WorkingSeen
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import (
    UNNAMED,
    BrokerPosition,
    PositionsSeen,
    TimeOfDayReached,
)
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.orders import OrderStatus, Severity
from fuseboard.vocabulary.reasons import Reason

POSITIONS: Final = "positions"
ORDERS: Final = "working orders"
MORE_ORDERS: Final = "more working orders"
COMPARISONS_MAX: Final = 5
"""How often books that differ are compared again while orders are working."""
COMPARE_AGAIN_NS: Final = NANOS
SEEN_TWICE_NS: Final = 3 * NANOS
"""A position that differs is read again with the next account that is read after so long: by then
what explains it is older than the broker's clock (`drop_copy.TAKEN_NS`), and told by its feed."""
LATE_AFTER: Final = 2
"""After how many of the policy's `every` a comparison that was asked for and not done is late."""
LATE_NS_MIN: Final = 30 * NANOS
"""Not before this, however short `every` is: a bot that never rests is read at rest only rarely."""


def node_started(turn: Turn) -> None:
    """What differed is shown to a gateway that starts with nothing; orders are looked at anew."""
    for subject in [it.subject for it in turn.state.discrepancies.values() if it.source == ORDERS]:
        del turn.state.discrepancies[subject]
    cash_apart = turn.state.cash_apart
    for at in [*turn.state.discrepancies.values(), *([cash_apart] if cash_apart else [])]:
        discrepancies.show(turn, at)


def find_all(turn: Turn, orders: list[Order]) -> None:
    """Find these orders at the broker; when the last one is found, the books are compared."""
    turn.state.unresolved = {order.order_id: None for order in orders}
    await_comparison(turn)
    for order in orders:
        find(turn, order)
    if not orders:
        read_account(turn, positions=True)


def time_of_day_reached(turn: Turn, fact: TimeOfDayReached) -> None:
    """A time of day of the policy: the next reading of the account compares the books, too.

    Whose clock says so does not matter: a comparison that comes at a wrong time loosens nothing.
    """
    turn.state.compare_asked = True
    await_comparison(turn)


def compare_when_due(turn: Turn) -> None:
    """After a comparison that differed while orders were working: find these, compare again."""
    due_boot_ns = turn.state.compare_again_boot_ns
    if due_boot_ns and turn.boot_ns >= due_boot_ns:
        turn.state.compare_again_boot_ns = 0
        find_all(turn, answered_orders(turn.state))


def judge_lateness(turn: Turn) -> None:
    """Tighten and page once when none of the comparisons that were asked for has been done."""
    state, since_boot_ns = turn.state, turn.state.uncompared_boot_ns
    late_ns = max(LATE_AFTER * turn.policy.reconciliation.every_ns, LATE_NS_MIN)
    if state.comparison_late or not (state.reconciled and since_boot_ns):
        return
    if turn.boot_ns - since_boot_ns < late_ns:
        return
    state.comparison_late = True
    text = (
        f"the books could not be compared with the broker's for {duration(late_ns)}: positions or"
        " working orders were not read, or never at rest; reductions only until one is done"
    )
    turn.alert(Severity.PAGE, Reason.COMPARISON_LATE, text)
    publish_postures(turn)


def _done(turn: Turn, halt_epoch: int | None) -> None:
    """A comparison that began under this halt epoch came to its end, whatever it found."""
    state = turn.state
    was_late = state.comparison_late
    state.compared_wall_ns = turn.wall_ns
    began_epoch = state.halt_epoch if halt_epoch is None else halt_epoch
    state.compared_epoch = max(state.compared_epoch, began_epoch)
    state.uncompared_boot_ns, state.comparison_late = 0, False
    if was_late:
        text = "over: the books are compared with the broker's again"
        turn.alert(Severity.INFO, Reason.COMPARISON_LATE, text)
        publish_postures(turn)


def answered_orders(state: State) -> list[Order]:
    """The working orders whose submit has an outcome; for the others it is on its way."""
    orders = state.book.working_orders()
    return [order for order in orders if order.status is not OrderStatus.SUBMITTING]


# --- positions ------------------------------------------------------------------------------------


def positions_seen(turn: Turn, fact: PositionsSeen) -> None:
    """The broker's positions, read with nothing of ours in flight: adopt, or compare."""
    state = turn.state
    if not state.account_known or state.unresolved:
        return
    if state.lost_since_wall_ns:  # whether our book is an older copy is asked first
        state.compare_asked = True
        return
    if not state.ever_reconciled:
        guardian_closes.counted(turn)
        for position in fact.positions:
            holdings.adopt(turn, position)
        state.ever_reconciled = True
    for position in fact.positions:
        quotes.broker_price_seen(turn, position.symbol, position.price_nanos)
    _find_missing(turn, fact.missing)
    differences = _differences(turn, fact)
    if state.foreign.unplaced and taking_in.place(turn, fact, differences):
        differences = _differences(turn, fact)
    _judge_unread(turn, fact.unread)
    may_have_moved = bool(state.book.working) or not state.quiet_since_read
    may_have_moved |= taking_in.adopts(turn)  # a stranger's order, which nobody told of yet
    if differences and may_have_moved and state.comparisons < COMPARISONS_MAX:
        if taking_in.adopts(turn):
            ask_foreign(turn)
            if state.copy.known:  # which of them we lack, the activity feed may tell
                drop_copy.read(turn)
        state.comparisons += 1  # something may have filled whose report is on its way
        state.compare_again_boot_ns = turn.boot_ns + COMPARE_AGAIN_NS
        turn.wake(state.compare_again_boot_ns)
        return
    differences = splits.but_splits(turn, differences)
    state.comparisons, state.compare_again_boot_ns = 0, 0
    _done(turn, fact.halt_epoch)
    if not differences:
        state.foreign.agreed_ns = fact.after_broker_ns
    was_reconciled, state.reconciled = state.reconciled, True
    note_comparison(turn, differences, whole=not fact.unread)
    _judged(turn, fact, differences)
    doubts.positions_read(state)
    if len(state.strategies) == 1:
        admit(turn, state.strategies[0])
    begin_courses(turn)
    recovering.finish(turn, differences)
    if differences or not was_reconciled:
        nearness.judge(turn)
    sessions.roll_when_agreed(turn)
    if not was_reconciled:
        _reconciled(turn)


def _judged(turn: Turn, fact: PositionsSeen, differences: list[BrokerPosition]) -> None:
    """Say what differs; take it over where the policy, or a plan that is closing it, says so.

    What was known to differ and cannot be read now differs still, as it was last read.
    """
    state = turn.state
    ours = {at.symbol: _held_nanos(turn, at.symbol) for at in differences}
    kept = {at.symbol: at for at in state.positions_apart.values() if _is_unread(fact, at.symbol)}
    state.positions_apart = kept | {at.symbol: at for at in differences}
    symbols = [at.symbol for at in differences]
    drop_copy.positions_compared(turn, symbols, clock_ns=fact.after_broker_ns)
    corrects = turn.policy.reconciliation.auto_correct
    scopes = [at.scope for at in state.plans.values() if at.stage in ONGOING_STAGES]
    for scope in [ACCOUNT_SCOPE] if corrects else scopes:
        holdings.take_over(turn, scope)
    found: list[Difference] = []
    for at in differences:
        own, theirs = text_from_nanos(ours[at.symbol]), text_from_nanos(at.quantity_nanos)
        found.append(
            Difference(
                subject=holdings.subject_of(at.symbol),
                source=POSITIONS,
                code=Reason.POSITION_MISMATCH,
                what=f"{at.symbol}: the broker holds {theirs}, our book {own}",
                ours=own,
                theirs=theirs,
                at_once=True,
                until_reset=not corrects and at.symbol not in state.positions_apart,
            )
        )
    discrepancies.found(turn, found)
    but = {at.subject: None for at in found}
    for known in state.discrepancies.values():
        if known.source == POSITIONS and _is_unread(fact, holdings.symbol_of(known.subject)):
            but[known.subject] = None
    discrepancies.agreed(turn, POSITIONS, but=but)
    for symbol in state.positions_apart:  # a reset takes it over as it stands by then
        standing = state.discrepancies.get(holdings.subject_of(symbol))
        if standing is not None and turn.wall_ns - standing.since_wall_ns < SEEN_TWICE_NS:
            state.compare_asked = True


def _reconciled(turn: Turn) -> None:
    """The first comparison since the start is done: all that waited for it goes on."""
    data_health.judge(turn)
    evaluate(turn, BOOKS_SOURCE)
    plan.resume(turn)
    settle(turn)
    drop_copy.judge(turn, read_to_its_end=False)
    drop_copy.read(turn)
    taking_in.tell_all_limits(turn)
    # The first reading's own wake may have passed while the broker was slow to answer.
    wake_for_what_is_next(turn)


def _held_nanos(turn: Turn, symbol: str) -> int:
    return turn.state.book.account.position(symbol).quantity_nanos


def _differences(turn: Turn, fact: PositionsSeen) -> list[BrokerPosition]:
    """The broker's positions that are not ours, as the broker has them; zero where it has none.

    What lies within the policy's tolerance, a share of the larger side, is no difference. One that
    cannot be read is none: see `_judge_unread`.
    """
    at_broker = {position.symbol: position for position in fact.positions}
    tolerance_nanos = turn.policy.reconciliation.tolerance_nanos
    for symbol in turn.state.book.held():
        if _is_unread(fact, symbol):
            continue
        at_broker.setdefault(
            symbol,
            BrokerPosition(symbol=symbol, quantity_nanos=0, average_price_nanos=0, price_nanos=0),
        )
    found = []
    for symbol, position in at_broker.items():
        own_nanos, theirs_nanos = _held_nanos(turn, symbol), position.quantity_nanos
        larger_nanos = max(abs(own_nanos), abs(theirs_nanos))
        if abs(own_nanos - theirs_nanos) * NANOS > tolerance_nanos * larger_nanos:
            found.append(position)
    return found


def _is_unread(fact: PositionsSeen, symbol: str) -> bool:
    """Whether this reading leaves open how much the broker holds of a symbol."""
    if symbol in fact.unread:
        return True
    return UNNAMED in fact.unread and all(at.symbol != symbol for at in fact.positions)


def _judge_unread(turn: Turn, symbols: tuple[str, ...]) -> None:
    """What the broker holds and cannot be read is never taken for flat: a person has to look."""
    found = [
        Difference(
            subject=unread_subject(symbol),
            source=UNREAD,
            code=Reason.POSITION_MISMATCH,
            what=f"{symbol}: the broker's position cannot be read; our book holds {own}",
            ours=own,
            theirs="?",
            at_once=True,
            pages=True,
        )
        for symbol in symbols
        for own in [text_from_nanos(_held_nanos(turn, symbol))]
    ]
    discrepancies.found(turn, found)
    discrepancies.agreed(turn, UNREAD, but={at.subject: None for at in found})


def _find_missing(turn: Turn, missing: tuple[str, ...]) -> None:
    """Nobody told us how these ended: the broker is asked for each, as for one in doubt."""
    book = turn.state.book
    for order_id in missing:
        if order_id in book.working:
            find(turn, book.orders[order_id])


# --- working orders -------------------------------------------------------------------------------


def working_seen(turn: Turn, fact: WorkingSeen) -> None:
    """What we sent against what the broker says that it works: another order is a discrepancy."""
    book = turn.state.book
    found: list[Difference] = []
    for seen in fact.differing:
        order = book.orders.get(seen.order_id)
        if order is None or order.closed():
            continue
        own = f"{order.side.value} {text_from_nanos(order.quantity_nanos)}"
        quantity = seen.quantity_nanos
        theirs = "?"
        if seen.side is not None:
            theirs = f"{seen.side.value} {'?' if quantity is None else text_from_nanos(quantity)}"
        if own != theirs:
            subject = f"order {order.order_id}"
            what = f"{order.symbol}: the broker works order {order.wire_id} as {theirs}, sent {own}"
            found.append(
                Difference(subject=subject, source=ORDERS, what=what, ours=own, theirs=theirs)
            )
    if fact.more:
        more = str(fact.more)
        what = f"working orders that differ from what was sent, beyond the named: {more}"
        found.append(
            Difference(subject=MORE_ORDERS, source=ORDERS, what=what, ours="as sent", theirs=more)
        )
    discrepancies.found(turn, found)
    if not fact.more:  # of what is not named nothing can be said to agree
        discrepancies.agreed(turn, ORDERS, but={at.subject: None for at in found})
