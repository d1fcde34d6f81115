"""A leg whose symbol is halted: it stands still, people are told, the market may be asked.

Theory of operation. While an exchange's halt stands a leg sends nothing and spends no attempt; the
exchange's word of the resumption lets it go on at once. That word is said once, and the streams
repeat nothing to who comes later. So of a halt that was told before this start, or before its feed
was dead for a while, the end may have been missed. New risk waits for the exchange's word then, or
for a person's. An exit does not: after `ASKS_AFTER_NS`, in which the stream may still say it, a leg
asks the market with a close like any other, sized by the broker's answer, and again after as long
as that has lasted, after `ASKS_EVERY_NS_MAX` at most. A refusal is no fault then: the halt goes on.
What fills of it proves that the symbol trades, and closes go on as they do without a halt. A new
word of a halt ends the asking.

People are told once, after the time that a plan should take, that it stands still; each start tells
them anew.
"""

from collections.abc import Iterable
from typing import Final

from fuseboard.core import trying
from fuseboard.core.closes import DONE_STAGES, ONGOING_STAGES, work
from fuseboard.core.legs import Leg, Plan
from fuseboard.core.liquidity import watching
from fuseboard.core.market import TradingHalt, halts_of
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.identifiers import feed_of, symbol_scope
from fuseboard.vocabulary.market_effects import RecordTradingHalt
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

HALT: Final = "halt"
"""What a leg waits for that stands still."""
HALTED: Final = "the exchange has halted trading"
MISSED: Final = f"{HALTED}, and its resumption may have been missed"
LOOK_EVERY_NS: Final = 10 * NANOS
ASKS_AFTER_NS: Final = 10 * NANOS
ASKS_EVERY_NS_MAX: Final = 300 * NANOS


# --- what may have been missed -------------------------------------------------------------------


def node_started(turn: Turn) -> None:
    """Nobody listened while the node was down: each halt that stands may be over."""
    _missed(turn, turn.state.trading_halts.values())


def feed_returned(turn: Turn, feed: str) -> None:
    """The same of a feed that was dead for a while, and of the symbols that it tells."""
    halts = turn.state.trading_halts
    _missed(turn, [halt for symbol, halt in halts.items() if feed_of(symbol) == feed])
    for leg in _open_legs(turn.state):
        resting = leg.stage == "working" and not leg.deadline_boot_ns
        if resting and feed_of(leg.symbol) == feed and not is_told_of(turn, leg):
            leg.deadline_boot_ns = turn.boot_ns + ASKS_AFTER_NS
            turn.wake(leg.deadline_boot_ns)


def _missed(turn: Turn, halts: Iterable[TradingHalt]) -> None:
    for halt in halts:
        if not halt.resumed:
            halt.missed_boot_ns = max(turn.boot_ns, 1)


def _missed_boot_ns(state: State, symbol: str) -> int:
    """Since when the end of all that halts a symbol may have been missed; 0: it was not."""
    halts = halts_of(state.trading_halts, symbol).values()
    missed = [halt.missed_boot_ns for halt in halts if halt.stops_exits()]
    return max(missed) if missed and all(missed) else 0


# --- standing ------------------------------------------------------------------------------------


def stands(turn: Turn, leg: Leg) -> bool:
    """Whether nothing of a leg is sent now: its symbol is halted, and it does not ask yet."""
    if not turn.state.stands_still(leg.symbol):
        return False
    missed_boot_ns = _missed_boot_ns(turn.state, leg.symbol)
    asks_boot_ns = max(missed_boot_ns + ASKS_AFTER_NS, leg.asks_boot_ns)
    return not missed_boot_ns or turn.boot_ns < asks_boot_ns


def is_told_of(turn: Turn, leg: Leg) -> bool:
    """Whether its symbol is halted for certain: what the market answers tells nothing."""
    state = turn.state
    return state.stands_still(leg.symbol) and not _missed_boot_ns(state, leg.symbol)


def stand(turn: Turn, leg: Leg) -> None:
    """Wait for the exchange's resumption, at the cost of no attempt."""
    leg.stage, leg.waits_for = "waiting", HALT
    leg.why = HALTED if is_told_of(turn, leg) else MISSED
    leg.stood_boot_ns = leg.stood_boot_ns or turn.boot_ns
    leg.deadline_boot_ns = turn.boot_ns + LOOK_EVERY_NS
    turn.wake(leg.deadline_boot_ns)


def still_stands(turn: Turn, plan: Plan, leg: Leg) -> bool:
    """Whether a leg that waits does so for its exchange, and goes on with it; people are told."""
    if leg.waits_for != HALT:
        return False
    _tell_if_long(turn, plan, leg)
    if stands(turn, leg):
        return True
    leg.waits_for = ""
    if not leg.asks_boot_ns:
        leg.opened_boot_ns = turn.boot_ns
    trying.time_again(turn, leg)
    return False


def _tell_if_long(turn: Turn, plan: Plan, leg: Leg) -> None:
    """Page once that a plan stands still."""
    if plan.told_standing or turn.boot_ns < leg.stood_boot_ns + trying.should_ns(turn):
        return
    plan.told_standing = True
    legs = [other for other in plan.legs.values() if other.waits_for == HALT]
    symbols = ", ".join(other.symbol for other in legs)
    asks = "" if is_told_of(turn, leg) else ": it asks the market now and then, by a close"
    own = [other.symbol for other in legs if other.symbol in turn.state.trading_halts]
    reset = f" (`fuseboard reset --scope {symbol_scope(own[0])}`)" if own else ""
    text = (
        f"the liquidation of {plan.trip} stands still with {symbols}, because {leg.why}{asks};"
        f" it goes on when the exchange resumes, or a person says that it has{reset}, or freezes it"
    )
    turn.alert(Severity.PAGE, plan.reason, text, plan.scope)


# --- asking, and going on ------------------------------------------------------------------------


def sent(turn: Turn, leg: Leg) -> None:
    """A close goes out; where it asks a market, the next one waits as long as that has lasted."""
    if not turn.state.stands_still(leg.symbol):
        return
    lasted_ns = turn.boot_ns - _missed_boot_ns(turn.state, leg.symbol)
    leg.asks_boot_ns = turn.boot_ns + min(max(lasted_ns, ASKS_AFTER_NS), ASKS_EVERY_NS_MAX)


def answered(turn: Turn, leg: Leg, *, filled_nanos: int) -> None:
    """A close that asked the market is final: no fault is counted, and a fill is its answer."""
    if not leg.asks_boot_ns or not turn.state.stands_still(leg.symbol):
        return
    leg.faults = 0
    if filled_nanos:
        _trades(turn, leg)


def _trades(turn: Turn, leg: Leg) -> None:
    """It trades: exits go on, while new risk still waits for the exchange, or a person."""
    symbol = leg.symbol
    watching.trading_resumed(turn, symbol)
    for halted, halt in halts_of(turn.state.trading_halts, symbol).items():
        if not halt.stops_exits():
            continue
        halt.traded = True
        turn.out.append(
            RecordTradingHalt(
                symbol=halted,
                stage="traded",
                code=halt.code,
                level=halt.level,
                event_ns=halt.event_ns,
            )
        )
    text = (
        f"{symbol} trades, though its resumption was not heard: a close was filled, and closes go"
        " on; new risk waits for the exchange's word, or a person's reset"
    )
    turn.alert(Severity.WARNING, Reason.TRADING_HALTED, text, symbol_scope(symbol))
    go_on(turn)
    turn.wake(turn.boot_ns)


def go_on(turn: Turn) -> None:
    """Legs that stood still go on where their symbols trade again; what they asked is forgotten."""
    for leg in _open_legs(turn.state):
        if turn.state.stands_still(leg.symbol):
            continue
        if leg.asks_boot_ns:  # what a halted market did not take widens no collar
            leg.tries, leg.rests = 0, False
        leg.stood_boot_ns = leg.asks_boot_ns = 0
        if leg.stage == "waiting" and leg.waits_for == HALT:
            trying.time_again(turn, leg)
            leg.waits_for, leg.opened_boot_ns = "", turn.boot_ns
            leg.reads, leg.deadline_boot_ns = 0, turn.boot_ns
        elif leg.stage == "working" and not leg.deadline_boot_ns:
            order = turn.state.book.orders[leg.order_id]
            if not order.cancel_wanted:
                trying.time_again(turn, leg)
                work(turn, leg, order)
    for plan in turn.state.plans.values():
        plan.told_standing &= any(leg.stood_boot_ns for leg in plan.legs.values())


def resume(plan: Plan) -> None:
    """After a restart: who stands still does so anew, and people are told so."""
    plan.told_standing = False
    for leg in plan.legs.values():
        leg.stood_boot_ns = leg.asks_boot_ns = 0


def _open_legs(state: State) -> list[Leg]:
    return [
        leg
        for plan in state.plans.values()
        if plan.stage in ONGOING_STAGES
        for leg in plan.legs.values()
        if leg.stage not in DONE_STAGES
    ]
