"""Cash that no fill explains: fees are adopted within a bound, the rest is a question.

The books' cash moves by fills. Whatever else moves it (fees, interest, a deposit, an error of ours)
shows as a difference from the broker's own figure, which is read on a schedule. What a person says
about it is believed once the broker's cash shows it: a slip, or a lie, would move every mark.

A difference that stays while nothing moves is no report on its way: a fill that we were never told
of, or somebody else's. The books are compared for it at once, not when a minute is over.
"""

from typing import Final

from fuseboard.core import dividends, nearness
from fuseboard.core.discrepancies import end_cash, show
from fuseboard.core.doubts import DISAGREEMENTS
from fuseboard.core.fuses.confirmation import DAY_NS
from fuseboard.core.halting import publish_postures
from fuseboard.core.measures.recording import equity_of, note_cash_agrees, note_fee
from fuseboard.core.outgoing import read_account
from fuseboard.core.rebasing import rebase_marks
from fuseboard.core.state import (
    CashAdopted,
    CashApart,
    CashClaim,
    Discrepancy,
    State,
    Turn,
)
from fuseboard.vocabulary.evidence_effects import RecordCash
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.money import NANOS, nanos_from_attos, shown_money, text_from_nanos
from fuseboard.vocabulary.operator_inputs import CashMoved
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

ADOPTED_A_DAY_NANOS: Final = NANOS
"""What may be adopted in 24 hours without an explanation, as a share of `equity_jump_limit`."""
ADOPTIONS_MAX: Final = 256
"""Adoptions kept one by one; of more, the two oldest count as one that is as new as the newer."""
CONFIRM_NS_MAX: Final = 4 * NANOS
"""How long the broker's cash may take to show what a person said; their answer waits for it."""
ASK_AGAIN_NS: Final = NANOS
TOLERANCE_NANOS: Final = NANOS // 100
"""How far, as a share of what was said to move, the broker's figure may be off: a transfer's fee.
Never more than one adoption may be."""
APART_NS: Final = 2 * NANOS
"""How long readings must show the same difference before the books are compared for it."""


def cash_read(turn: Turn) -> bool:
    """The broker's cash was read: whether ours changed by it, so that equity is to be judged."""
    state = turn.state
    account = state.book.account
    quiet = state.quiet_since_read and not state.book.working
    difference_attos = state.broker_cash_attos - account.cash_attos
    _compare_when_apart(turn, difference_attos)
    if state.claim is not None and _confirmed(turn, state.claim, difference_attos, quiet=quiet):
        return True
    if not quiet or (difference_attos and _may_be_foreign(turn)):
        return False
    if difference_attos == 0:
        _agree(turn)
        return False
    if dividends.paid(turn, difference_attos):
        _agree(turn)
        return True
    adopted_attos, most_attos = _adopted_today(turn), _most_attos(turn)
    day_most_attos = most_attos * ADOPTED_A_DAY_NANOS // NANOS
    size_attos = abs(difference_attos)
    if size_attos <= most_attos and adopted_attos + size_attos <= day_most_attos:
        if state.claim is not None:  # what a person said may explain it: not adopted yet
            return False
        _adopt(turn, difference_attos, adopted_attos + size_attos, day_most_attos)
        return True
    state.equity_disagreements += 1
    if state.equity_disagreements == DISAGREEMENTS:
        shown = shown_money(nanos_from_attos(difference_attos))
        text = f"the broker's cash differs from ours by {shown} USD and nothing explains it:"
        text += " reductions only until it is (`fuseboard cash` says what moved)"
        if size_attos <= most_attos:
            text += f"; {shown_money(nanos_from_attos(adopted_attos))} USD were adopted in 24 hours"
        turn.alert(Severity.PAGE, Reason.EQUITY_JUMP, text)
        state.cash_apart = Discrepancy(
            subject="cash",
            source="account",
            code=Reason.EQUITY_JUMP,
            what=text,
            ours=text_from_nanos(nanos_from_attos(account.cash_attos)),
            theirs=text_from_nanos(nanos_from_attos(state.broker_cash_attos)),
            since_wall_ns=turn.wall_ns,
        )
        show(turn, state.cash_apart)
        publish_postures(turn)
    return False


def _compare_when_apart(turn: Turn, difference_attos: int) -> None:
    """Ask for positions, once, when cash has differed by the same for too long to be on its way."""
    state, apart = turn.state, turn.state.apart
    if difference_attos == 0:
        state.apart = None
    elif apart is None or apart.attos != difference_attos:
        state.apart = CashApart(attos=difference_attos, since_boot_ns=turn.boot_ns)
    elif not apart.compared and turn.boot_ns - apart.since_boot_ns >= APART_NS:
        apart.compared = True
        read_account(turn, positions=True)


def _may_be_foreign(turn: Turn) -> bool:
    """Whether a fill of a foreign order that is on its way may explain the difference: it is no fee
    before the books were compared for it.
    """
    apart, state = turn.state.apart, turn.state
    if turn.policy.reconciliation.foreign_orders != "adopt":
        return False
    return apart is None or not apart.compared or bool(state.uncompared_boot_ns)


def _agree(turn: Turn) -> None:
    note_cash_agrees(turn.state)
    if turn.state.equity_disagreements:
        turn.state.equity_disagreements = 0
        end_cash(turn, "resolved")
        publish_postures(turn)


def _most_attos(turn: Turn) -> int:
    """The largest difference that one reading may adopt."""
    account = turn.state.book.account
    base_attos = max(account.cash_attos + account.value_attos, 0)
    most_attos = turn.policy.data.equity_jump_nanos_max * base_attos // NANOS
    tolerance_nanos = turn.policy.reconciliation.cash_tolerance_nanos
    return most_attos if tolerance_nanos is None else min(most_attos, tolerance_nanos * NANOS)


def _adopted_today(turn: Turn) -> int:
    """What was adopted within the last 24 hours, in either direction."""
    kept = [each for each in turn.state.adopted if turn.boot_ns - each.boot_ns < DAY_NS]
    turn.state.adopted = kept
    return sum(abs(each.attos) for each in kept)


def _adopt(turn: Turn, difference_attos: int, day_attos: int, day_most_attos: int) -> None:
    """Take the broker's cash for ours, and leave the evidence."""
    state = turn.state
    state.book.account.cash_attos += difference_attos
    adopted = [*state.adopted, CashAdopted(attos=difference_attos, boot_ns=turn.boot_ns)]
    if len(adopted) > ADOPTIONS_MAX:
        first, second = adopted[:2]
        both = abs(first.attos) + abs(second.attos)
        adopted[:2] = [CashAdopted(attos=both, boot_ns=max(first.boot_ns, second.boot_ns))]
    state.adopted = adopted
    if difference_attos < 0:
        note_fee(turn, -difference_attos)
    turn.out.append(
        RecordCash(
            difference_nanos=nanos_from_attos(difference_attos),
            day_nanos=nanos_from_attos(day_attos),
            day_nanos_max=nanos_from_attos(day_most_attos),
        )
    )
    _agree(turn)


# --- what a person says ---------------------------------------------------------------------------


def cash_moved(turn: Turn, fact: CashMoved) -> None:
    """A person says that money moved: it waits until the broker's cash shows it, or is refused."""
    refusal = _refusal(turn, fact.amount_nanos * NANOS)
    if refusal:
        turn.answer(fact.request, accepted=False, message=refusal)
        return
    turn.state.claim = CashClaim(
        request=fact.request,
        amount_nanos=fact.amount_nanos,
        why=fact.why,
        began_boot_ns=turn.boot_ns,
        ask_boot_ns=turn.boot_ns,
    )
    advance(turn)


def _refusal(turn: Turn, amount_attos: int) -> str:
    """Why what a person says cannot be; empty when it can."""
    state = turn.state
    if not state.reconciled:
        return "the books have not been compared with the broker's yet: try again"
    if state.claim is not None:
        return "an earlier movement still waits for the broker's cash: try again"
    before_attos = state.book.account.cash_attos + state.book.account.value_attos
    if before_attos <= 0 or before_attos + amount_attos <= 0:
        return "this would leave no equity: a slip?"
    return ""


def _confirmed(turn: Turn, claim: CashClaim, difference_attos: int, *, quiet: bool) -> bool:
    """Whether the broker's cash shows what was said; then marks rebase by it."""
    state = turn.state
    amount_attos = claim.amount_nanos * NANOS
    tolerance_attos = min(abs(amount_attos) * TOLERANCE_NANOS // NANOS, _most_attos(turn))
    newest = state.adopted[-1] if state.adopted and _adopted_today(turn) else None
    if abs(difference_attos - amount_attos) <= tolerance_attos:
        seen_attos, claim.seen_attos = claim.seen_attos, state.book.account.cash_attos
        if not quiet and seen_attos != claim.seen_attos:
            return False  # a fill on its way may look like it: a second reading must agree
        if quiet and dividends.paid(turn, difference_attos):
            state.claim = None
            _agree(turn)
            text = "that was a dividend, which was known: marks stay where they are"
            turn.answer(claim.request, accepted=True, message=text)
            return True
        _accept(turn, claim, amount_attos, in_books=False)
        return True
    if difference_attos == 0 and newest is not None and newest.attos == amount_attos:
        state.adopted = state.adopted[:-1]  # it came before the word for it, and was small
        _accept(turn, claim, amount_attos, in_books=True)
        return True
    claim.seen_attos = None
    return False


def _accept(turn: Turn, claim: CashClaim, amount_attos: int, *, in_books: bool) -> None:
    """The ledger takes it, and every stored mark rebases by the ratio of equity."""
    state = turn.state
    account = state.book.account
    equity_attos = equity_of(turn, ACCOUNT_SCOPE)
    before_attos = equity_attos - amount_attos if in_books else equity_attos
    after_attos = before_attos + amount_attos
    state.claim = None
    if before_attos <= 0 or after_attos <= 0:
        turn.answer(claim.request, accepted=False, message="this would leave no equity: a slip?")
        return
    if not in_books:
        account.cash_attos += amount_attos
    rebase_marks(state, ACCOUNT_SCOPE, before_attos=before_attos, after_attos=after_attos)
    text = f"{shown_money(claim.amount_nanos)} USD moved: {claim.why}"
    turn.alert(Severity.INFO, Reason.EQUITY_JUMP, text)
    _agree(turn)
    publish_postures(turn)
    turn.answer(claim.request, accepted=True, message=text)
    nearness.judge(turn)


def advance(turn: Turn) -> None:
    """Ask the broker again for what a person said, or refuse it when its time is over."""
    state = turn.state
    claim = state.claim
    if claim is None:
        return
    if turn.boot_ns - claim.began_boot_ns >= CONFIRM_NS_MAX:
        state.claim = None
        apart_attos = state.broker_cash_attos - state.book.account.cash_attos
        text = (
            f"the broker's cash does not show {shown_money(claim.amount_nanos)} USD: it differs"
            f" from ours by {shown_money(nanos_from_attos(apart_attos))} USD; say it again once it"
            " does"
        )
        turn.answer(claim.request, accepted=False, message=text)
        return
    if turn.boot_ns >= claim.ask_boot_ns:
        claim.ask_boot_ns = turn.boot_ns + ASK_AGAIN_NS
        read_account(turn, positions=False)
    turn.wake(next_deadline(state))


def next_deadline(state: State) -> int:
    """When the broker is asked again, or what was said is refused; 0 when nothing waits."""
    claim = state.claim
    return 0 if claim is None else min(claim.ask_boot_ns, claim.began_boot_ns + CONFIRM_NS_MAX)


def node_started(turn: Turn) -> None:
    """The node starts: whoever asked before is not waiting any more, and the books are compared."""
    turn.state.claim = None
    turn.state.apart = None
