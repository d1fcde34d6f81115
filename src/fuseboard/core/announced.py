"""Dividends that the broker announces: believed as a person's word is, within narrower bounds.

They are read for what is held, so mostly long before the ex-date. One that is read later counts
only until trading opens on that day: from then on nobody can tell whether what is held now was held
before, nor what the price has fallen by already. What a person said of the same ex-date stands, and
what they took back stays away.
"""

from fuseboard.core.dividend import dividend_of, key_of
from fuseboard.core.dividends import (
    UNPAID_NS,
    counted,
    goes_ex,
    held,
    impossible,
    next_deadline,
    show,
)
from fuseboard.core.fuses.confirmation import DAY_NS
from fuseboard.core.state import Turn
from fuseboard.vocabulary.dividend_facts import Announced, DividendsSeen
from fuseboard.vocabulary.identifiers import symbol_scope
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason


def dividends_seen(turn: Turn, fact: DividendsSeen) -> None:
    """The broker's announcements were read, or cannot be: that is said once."""
    dividends = turn.state.dividends
    if fact.problem != dividends.unread:
        over, dividends.unread = not fact.problem, fact.problem
        text = "the broker's announcements of dividends are read again"
        if not over:
            text = f"{fact.problem}: the fall of an ex-date is a loss, unless `fuseboard dividend`"
            text += " says it; they are asked for again"
        turn.alert(Severity.INFO if over else Severity.WARNING, Reason.DIVIDEND, text)
        show(turn)
    if fact.problem:
        return
    known = dividends.passed_over.items()
    dividends.passed_over = {key: until for key, until in known if turn.wall_ns < until}
    _withdraw(turn, fact)
    for each in fact.dividends:
        _announced(turn, each)
    counted(turn)
    due_ns = next_deadline(turn)
    if due_ns:
        turn.wake(due_ns)


def _withdraw(turn: Turn, fact: DividendsSeen) -> None:
    """What the broker no longer announces, and was not ex yet, is not to be."""
    known = turn.state.dividends.known
    announced = {key_of(each): None for each in fact.dividends}
    asked = dict.fromkeys(fact.symbols)
    for key, at in list(known.items()):
        if at.announced and not at.is_ex and at.symbol in asked and key not in announced:
            del known[key]
            text = f"{at.symbol}: the dividend of {at.ex_date} is not announced any more"
            turn.alert(Severity.WARNING, Reason.DIVIDEND, text, symbol_scope(at.symbol))


def _announced(turn: Turn, each: Announced) -> None:
    dividends = turn.state.dividends
    key = key_of(each)
    at = dividends.known.get(key)
    if key in dividends.passed_over or (at is not None and not at.announced):
        return
    if at is not None and (at.rate_nanos, at.payable_ns) == (each.rate_nanos, each.payable_ns):
        return
    rate = text_from_nanos(each.rate_nanos)
    text = f"{each.symbol}: a dividend of {rate} a share, ex {each.ex_date}, is announced"
    problem = impossible(turn, each, is_new=at is None)
    late = at is None and turn.wall_ns >= each.ex_ns
    if not problem and late and turn.wall_ns >= each.open_ns:
        problem = "it was read after that day's trading began"
    if problem:
        dividends.end(key, until_ns=each.payable_ns + UNPAID_NS)
        if held(turn.state, each.symbol) and turn.wall_ns < each.ex_ns + DAY_NS:
            text += f", and is not counted: {problem}; a person may say it"
            turn.alert(Severity.WARNING, Reason.DIVIDEND, text, symbol_scope(each.symbol))
        return
    if at is None:
        at = dividends.known[key] = dividend_of(each, announced=True)
        if late and not goes_ex(turn, key, at):
            return
    at.say_again(each)
    turn.alert(Severity.INFO, Reason.DIVIDEND, text, symbol_scope(each.symbol))
