"""Adopted orders where people, or a plan, have stopped what opens: which go, and who hears of it.

Theory of operation. A halt judges what works together: it keeps the stops that, taken together, are
no larger than what is held, and a kill keeps nothing (`core.stops`). What is told of after it is
judged as it would have been: beside all that works there already and stays, not alone; else ten
stops that each fit would take the position through zero while nothing may open. In a killed scope
everything that is adopted goes, when it is told of and again at a start. Elsewhere what reduces
stays, for exits are not trapped.

People are told of each, and why it goes. Bounded: `TOLD_MAX` a minute, then how many more.
"""

from typing import Final

from fuseboard.core.book import Order
from fuseboard.core.closes import reserves
from fuseboard.core.outgoing import cancel
from fuseboard.core.state import Turn
from fuseboard.core.stops import protects, reduces
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, is_foreign_order_id, symbol_scope
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, Severity
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason

TOLD_MAX: Final = 10
"""Alerts in `TOLD_EVERY_NS`; what is beyond them is told as a number."""
TOLD_EVERY_NS: Final = 60 * NANOS
_KILLED: Final = Posture.KILLED


def judge(turn: Turn, order: Order) -> bool:
    """An order was just adopted: cancel it where it may not stay, and say so. Whether it was told:
    where nothing is stopped, it is not.
    """
    stopped = _stopped(turn, order.symbol)
    if not stopped:
        return False
    why = _why_unwanted(turn, order)
    if why:
        cancel(turn, order)
    done = f"cancelled, because {why}" if why else f"it stays, because it reduces, and {stopped}"
    text = f"{order.symbol}: order {order.wire_id} at the broker was not placed through the"
    _tell(turn, f"{text} gateway: adopted; {done}", goes=bool(why))
    return True


def judge_again(turn: Turn, order: Order) -> None:
    """One that was adopted before is told of again: what may not stay, and is not asked to go, goes
    now: it was given up as never there, or what it reduced is gone.
    """
    if order.closed() or order.cancel_wanted or not is_foreign_order_id(order.order_id):
        return
    why = _why_unwanted(turn, order)
    if why:
        cancel(turn, order)
        text = f"{order.symbol}: the adopted foreign order {order.wire_id} still works"
        _tell(turn, f"{text}: cancelled, because {why}", goes=True)


def node_started(turn: Turn) -> None:
    """Nothing that was adopted stays where a scope is killed: a start asks for all cancels that are
    wanted, and these are among them from now on.
    """
    for order in turn.state.book.working_orders():
        if is_foreign_order_id(order.order_id) and _tightest(turn, order.symbol)[1] is _KILLED:
            order.cancel_wanted = True


def _tightest(turn: Turn, symbol: str) -> tuple[str, Posture]:
    """Of the account and the symbol, which is held tightest by a fuse of its own, and how."""
    scopes = (ACCOUNT_SCOPE, symbol_scope(symbol))
    found = (ACCOUNT_SCOPE, Posture.OPEN)
    for fuse in turn.state.fuses():
        if fuse.scope in scopes and fuse.posture() > found[1]:
            found = (fuse.scope, fuse.posture())
    return found


def _stopped(turn: Turn, symbol: str) -> str:
    """What stops all that opens in a symbol, in words; empty where nothing does."""
    scope, posture = _tightest(turn, symbol)
    if posture >= Posture.HALTED:
        return f"{scope} is {posture.name}"
    return f"{symbol} is being closed" if reserves(turn.state, symbol) else ""


def _why_unwanted(turn: Turn, order: Order) -> str:
    """Why an adopted order may not stay, in words; empty when it may."""
    stopped = _stopped(turn, order.symbol)
    if not stopped:
        return ""
    if _tightest(turn, order.symbol)[1] is _KILLED:
        return f"{stopped}: nothing stays"
    stays = protects if order.intent is Intent.OPEN else reduces
    if stays(turn.state.book, order, _kept(turn, order)):
        return ""
    return f"{stopped}, and beside what works there it opens"


def _kept(turn: Turn, order: Order) -> dict[tuple[str, str], int]:
    """What works on an order's side of its symbol beside it, and is not asked to go: all of it may
    fill. So may a replacement that waits; what it replaces is asked to go.
    """
    book, symbol = turn.state.book, order.symbol
    others = [*book.working_orders(symbol=symbol), *book.waiting_orders(symbol=symbol)]
    kept_nanos = sum(
        other.remaining_nanos()
        for other in others
        if other is not order and other.side is order.side and not other.cancel_wanted
    )
    return {("", symbol): kept_nanos}


# --- told -----------------------------------------------------------------------------------------


def _tell(turn: Turn, text: str, *, goes: bool) -> None:
    tell_when_due(turn)
    foreign = turn.state.foreign
    if foreign.told_since_boot_ns is None:
        foreign.told_since_boot_ns = turn.boot_ns
    if foreign.told < TOLD_MAX:
        foreign.told += 1
        turn.alert(Severity.WARNING, Reason.FOREIGN_ORDER, text)
        return
    foreign.untold += 1
    foreign.untold_cancelled += goes
    turn.wake(next_deadline(turn))


def tell_when_due(turn: Turn) -> None:
    """A minute is over: say how many there were beyond those that were told one by one."""
    foreign = turn.state.foreign
    since_ns = foreign.told_since_boot_ns
    if since_ns is None or turn.boot_ns - since_ns < TOLD_EVERY_NS:
        return
    if foreign.untold:
        text = f"{foreign.untold} more foreign orders were adopted where what opens is stopped:"
        text = f"{text} {foreign.untold_cancelled} of them are cancelled, the others reduce"
        turn.alert(Severity.WARNING, Reason.FOREIGN_ORDER, text)
    foreign.told_since_boot_ns = None
    foreign.told = foreign.untold = foreign.untold_cancelled = 0


def next_deadline(turn: Turn) -> int:
    """When the number of those that were not told one by one is told; 0 when all were."""
    foreign = turn.state.foreign
    if foreign.told_since_boot_ns is None or not foreign.untold:
        return 0
    return foreign.told_since_boot_ns + TOLD_EVERY_NS
