"""A cash dividend is no loss on its ex-date and no gain when its cash comes (law 12).

Its cash comes days or weeks after the price fell by it. Between the two, what a holder is owed (or
a short position owes) is part of equity, as in a custodian's books, so that no mark has to move:
equity itself does not. Why, and not a rebase of the marks: ADR 0020.

A word must not hide a real loss. What counts is the rate at most, and no more than the price has
really fallen by since the last one before the ex-date, until that day is over; a rate of a quarter
of the price or more is not believed; and what the broker's cash does not show a week after it was
payable is taken back, as a loss. What came beyond what counted is a deposit: marks rebase by it.
"""

from typing import Final

from fuseboard.core.dividend import Dividend, dividend_of, key_of
from fuseboard.core.doubts import SPLIT_PARTS
from fuseboard.core.fuses.confirmation import DAY_NS
from fuseboard.core.measures import symbols
from fuseboard.core.measures.recording import equity_of
from fuseboard.core.rebasing import rebase_marks
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.dividend_facts import Announced, PublishDividends
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, strategy_scope, symbol_scope
from fuseboard.vocabulary.money import NANOS, nanos_from_attos, shown_money, text_from_nanos
from fuseboard.vocabulary.operator_inputs import DividendSaid
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

DIVIDENDS_MAX: Final = 1_000
"""How many may be known at a time."""
PRICE_PARTS: Final = 4
"""A rate of this part of the price or more: exchanges set such an ex-date after the payment."""
PAYABLE_NS_MAX: Final = 180 * DAY_NS
"""How long after its ex-date a dividend may be payable."""
UNPAID_NS: Final = 7 * DAY_NS
"""How long after it was payable the cash may take."""
FALL_NS_MIN: Final = 3_600 * NANOS
"""A price that is first seen after its ex-date is over may fall for this long."""
CLOSE_PARTS: Final = 100
"""How far, as a part of it, the cash may be off what is due to be known by its amount."""
NET_PARTS: Final = 2
"""The least part of what is due that may come: the rest was withheld as tax, and is lost."""


# --- what is said of one --------------------------------------------------------------------------


def dividend_said(turn: Turn, fact: DividendSaid) -> None:
    """A person says a dividend, says it otherwise, or takes it back (a rate of 0)."""
    refusal = _refusal(turn, fact)
    if refusal:
        turn.answer(fact.request, accepted=False, message=refusal)
        return
    dividends = turn.state.dividends
    key = key_of(fact)
    at, late = dividends.known.get(key), turn.wall_ns >= fact.ex_ns
    if fact.rate_nanos == 0:
        dividends.end(key, until_ns=fact.payable_ns + UNPAID_NS)
    elif at is not None:
        at.announced = False
        at.say_again(fact)
    else:
        at = dividends.known[key] = dividend_of(fact, announced=False)
        dividends.passed_over.pop(key, None)
        if late and goes_ex(turn, key, at):  # where the price was before it, nobody can tell now
            at.counted_nanos, at.until_ns, at.closed = at.rate_nanos, turn.wall_ns, True
    counted(turn)
    rate = text_from_nanos(fact.rate_nanos)
    text = f"{fact.symbol}: a dividend of {rate} a share, ex {fact.ex_date}: {fact.why}"
    turn.alert(Severity.INFO, Reason.DIVIDEND, text, symbol_scope(fact.symbol))
    turn.answer(fact.request, accepted=True, message=text)
    turn.wake(next_deadline(turn) or turn.boot_ns)


def _refusal(turn: Turn, fact: DividendSaid) -> str:
    """Why what a person says of a dividend cannot be; empty when it can."""
    state = turn.state
    known = state.dividends.known.get(key_of(fact))
    if not state.reconciled:
        return "the books have not been compared with the broker's yet: try again"
    if fact.rate_nanos == 0:
        return "" if known is not None else "no such dividend is known: nothing to take back"
    if known is None and turn.wall_ns >= fact.ex_ns and not held(state, fact.symbol):
        return f"{fact.symbol} went ex already and nothing of it is held"
    return impossible(turn, fact, is_new=known is None)


def impossible(turn: Turn, said: DividendSaid | Announced, *, is_new: bool) -> str:
    """Why such a dividend cannot be, whoever says it; empty when it can."""
    if said.payable_ns < said.ex_ns or said.payable_ns - said.ex_ns > PAYABLE_NS_MAX:
        return "a dividend is payable on its ex-date or in the half year after it: a slip?"
    if turn.wall_ns >= said.payable_ns + UNPAID_NS:
        return "it was payable over a week ago: its cash has come, or is a question for the broker"
    price_nanos = _price_nanos(turn.state, said.symbol)
    if price_nanos and said.rate_nanos * PRICE_PARTS >= price_nanos:
        shown = shown_money(price_nanos)
        return (
            f"that is a quarter of its price of {shown} or more: a slip? (such a one goes ex late)"
        )
    if is_new and len(turn.state.dividends.known) >= DIVIDENDS_MAX:
        return f"{DIVIDENDS_MAX} dividends are known already: take some back"
    return ""


def _price_nanos(state: State, symbol: str) -> int:
    """Its price as last seen; 0 when it never was."""
    instrument = state.instruments.get(symbol)
    return 0 if instrument is None else instrument.mark_nanos


def held(state: State, symbol: str) -> dict[str, int]:
    """What each ledger holds of a symbol, where it holds any."""
    ledgers = {"": state.book.account, **state.book.strategies}
    found = {name: ledger.positions.get(symbol) for name, ledger in ledgers.items()}
    return {name: at.quantity_nanos for name, at in found.items() if at and at.quantity_nanos}


def counted(turn: Turn) -> None:
    """What is known changed: count what is owed of it, and show that."""
    dividends = turn.state.dividends
    dividends.count()
    lines = dividends.lines()
    if lines != dividends.shown:
        dividends.shown = lines
        show(turn)


def show(turn: Turn) -> None:
    """Show what is owed, and whether announcements can be read."""
    dividends = turn.state.dividends
    turn.out.append(PublishDividends(owed=dividends.shown, unread=dividends.unread))


def node_started(turn: Turn) -> None:
    """Show a gateway that starts with nothing what there is."""
    if turn.state.dividends.shown or turn.state.dividends.unread:
        show(turn)


# --- the ex-date ----------------------------------------------------------------------------------


def turn_ex(turn: Turn, symbol: str) -> None:
    """Something moves what is held of a symbol: who holds it from its ex-date on is told before."""
    dividends = turn.state.dividends
    for key in dividends.watched.get(symbol, []):
        at = dividends.known[key]
        if not at.is_ex and turn.wall_ns >= at.ex_ns:
            goes_ex(turn, key, at)
    counted(turn)


def goes_ex(turn: Turn, key: str, at: Dividend) -> bool:
    """From now on it is owed to who holds now; whether anybody does and it is believed."""
    state = turn.state
    at.held, at.is_ex = held(state, at.symbol), True
    at.reference_nanos = state.book.account.position(at.symbol).mark_nanos
    believed = at.rate_nanos * PRICE_PARTS < at.reference_nanos
    if not at.held or not believed:
        state.dividends.end(key, until_ns=at.payable_ns + UNPAID_NS)
    if at.held and not believed:
        text = f"{at.symbol}: {text_from_nanos(at.rate_nanos)} a share is a quarter of its price or"
        text += " more: what it falls by is a loss until a person says what is paid"
        turn.alert(Severity.PAGE, Reason.DIVIDEND, text, symbol_scope(at.symbol))
    return bool(at.held) and believed


def priced(turn: Turn, symbol: str, mark_nanos: int) -> None:
    """A price is about to count: what it fell by because of a dividend is owed from now on."""
    turn_ex(turn, symbol)
    dividends = turn.state.dividends
    moved = False
    for key in dividends.watched.get(symbol, []):
        at = dividends.known[key]
        if not at.is_ex:
            continue
        if not at.until_ns:
            at.until_ns = max(at.ex_ns + DAY_NS, turn.wall_ns + FALL_NS_MIN)
        if turn.wall_ns < at.until_ns and not _may_be_split(turn.state, at, mark_nanos):
            moved = at.fall_to(mark_nanos) or moved
    if moved:
        counted(turn)


def _may_be_split(state: State, at: Dividend, mark_nanos: int) -> bool:
    """Whether the price moved by as much as a split besides, and positions were not read since."""
    with_nanos, before_nanos = mark_nanos + at.rate_nanos, at.reference_nanos
    least_nanos, most_nanos = min(with_nanos, before_nanos), max(with_nanos, before_nanos)
    is_far = SPLIT_PARTS * least_nanos <= (SPLIT_PARTS - 1) * most_nanos
    return is_far and at.symbol in state.jumped


def split(turn: Turn, symbol: str, *, new: int, old: int) -> None:
    """What is held was split: so is what is owed for it."""
    for at in turn.state.dividends.known.values():
        if at.symbol == symbol:
            at.split(new, old)
    counted(turn)


# --- the cash -------------------------------------------------------------------------------------


def paid(turn: Turn, difference_attos: int) -> bool:
    """Whether cash that nothing else explains is a dividend's; then it is no longer owed."""
    state = turn.state
    if not state.dividends.known or state.positions_apart:
        return False
    found = _paid_by(turn, difference_attos)
    left_attos = difference_attos
    for key in found:
        last = key == found[-1]
        came_attos = left_attos if last else state.dividends.known[key].due_attos()
        left_attos -= came_attos
        _settle(turn, key, came_attos)
    return bool(found)


def taken(turn: Turn, difference_attos: int) -> None:
    """The broker's cash is about to be taken as it stands, with whatever else moved it: what is
    payable and brings ours nearer to it has come, so that it does not count twice.
    """
    if paid(turn, difference_attos):
        return
    known, left_attos = turn.state.dividends.known, difference_attos
    for key in sorted(known, key=lambda key: abs(known[key].due_attos()), reverse=True):
        at, due_attos = known[key], known[key].due_attos()
        payable = at.is_ex and due_attos and turn.wall_ns >= at.payable_ns - DAY_NS
        if payable and abs(left_attos - due_attos) <= abs(left_attos):
            left_attos -= due_attos
            _settle(turn, key, due_attos)


def _paid_by(turn: Turn, difference_attos: int) -> list[str]:
    """Whose cash this is: by its amount one, or all; or one that is payable, less its tax."""
    known = turn.state.dividends.known
    due = {key: at.due_attos() for key, at in known.items() if at.is_ex and at.due_attos()}
    for keys in [*([key] for key in due), list(due)]:
        wanted_attos = sum(due[key] for key in keys)
        if wanted_attos:
            apart_attos = abs(difference_attos - wanted_attos)
            if apart_attos * CLOSE_PARTS <= abs(wanted_attos):
                return keys
    for key, wanted_attos in due.items():
        payable = turn.wall_ns >= known[key].payable_ns - DAY_NS
        alike = difference_attos * wanted_attos > 0
        came_attos = abs(difference_attos)
        enough = abs(wanted_attos) <= came_attos * NET_PARTS <= abs(wanted_attos) * NET_PARTS
        if payable and alike and enough:
            return [key]
    return []


def _settle(turn: Turn, key: str, came_attos: int) -> None:
    """Cash came: each ledger has its share; what did not count yet rebases its marks."""
    state = turn.state
    at = state.dividends.known[key]
    account_nanos = at.held.get("", 0)
    beyond: list[tuple[str, int, int]] = []
    for name, held_nanos in at.held.items():
        ledger = state.book.strategies.get(name) if name else state.book.account
        if ledger is None:
            continue
        share_attos = held_nanos * at.rate_nanos
        if account_nanos:
            share_attos = came_attos * held_nanos // account_nanos
        scope = strategy_scope(name) if name else ACCOUNT_SCOPE
        before_attos = equity_of(turn, scope)
        ledger.cash_attos += share_attos
        more_attos = share_attos - at.owed_attos(held_nanos)
        if not name:
            symbols.paid(state, at.symbol, share_attos - max(more_attos, 0))
        if more_attos > 0:
            beyond.append((scope, before_attos, before_attos + more_attos))
    owed_attos = at.owed_attos(account_nanos)
    state.dividends.end(key, until_ns=at.payable_ns + UNPAID_NS)
    counted(turn)
    for scope, before_attos, after_attos in beyond:
        rebase_marks(state, scope, before_attos=before_attos, after_attos=after_attos)
    came, owed = (shown_money(nanos_from_attos(attos)) for attos in (came_attos, owed_attos))
    text = f"{at.symbol}: the dividend of {at.ex_date} came: {came} USD; {owed} USD counted as owed"
    turn.alert(Severity.INFO, Reason.DIVIDEND, text, symbol_scope(at.symbol))


# --- time -----------------------------------------------------------------------------------------


def advance(turn: Turn) -> bool:
    """Do what is due; whether what is owed changed, so that equity is to be judged."""
    dividends = turn.state.dividends
    if not dividends.known:
        return False
    before = dividends.owed
    for key, at in list(dividends.known.items()):
        if not at.is_ex and turn.wall_ns >= at.ex_ns:
            goes_ex(turn, key, at)
        if at.until_ns and turn.wall_ns >= at.until_ns:
            at.closed = True
        if key in dividends.known and at.is_ex and turn.wall_ns >= _over_ns(at):
            _end(turn, key, at)
    counted(turn)
    return dividends.owed != before


def _over_ns(at: Dividend) -> int:
    """When it ends by itself. Where nobody's cash moves (strategies' own positions that offset each
    other), what they owe each other is paid when it is payable.
    """
    return at.payable_ns + (UNPAID_NS if at.held.get("", 0) else 0)


def _end(turn: Turn, key: str, at: Dividend) -> None:
    account_nanos = at.held.get("", 0)
    if not account_nanos:
        _settle(turn, key, 0)
        return
    owed = shown_money(nanos_from_attos(at.owed_attos(account_nanos)))
    turn.state.dividends.end(key, until_ns=at.payable_ns + UNPAID_NS)
    text = (
        f"{at.symbol}: the broker's cash does not show the dividend of {at.ex_date} a week after it"
        f" was payable: {owed} USD no longer count as owed; ask the broker"
    )
    turn.alert(Severity.PAGE, Reason.DIVIDEND, text, symbol_scope(at.symbol))


def next_deadline(turn: Turn) -> int:
    """When a dividend goes ex, its price's time is over, or it is; 0 when none waits."""
    due: list[int] = []
    for at in turn.state.dividends.known.values():
        due.append(_over_ns(at) if at.is_ex else at.ex_ns)
        if at.until_ns and not at.closed:
            due.append(at.until_ns)
    return turn.boot_ns + max(0, min(due) - turn.wall_ns) if due else 0
