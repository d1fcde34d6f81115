"""Recovery after a kill: what is looked at before KILLED fuses arm again, each with its outcome.

A person starts it, the broker is asked, and one comparison decides: every check passes, or the
scope is KILLED as before. Which checks ran and what each found is evidence, and is shown.
"""

from typing import Final

from fuseboard.core import roster
from fuseboard.core.closes import UNREAD, ongoing
from fuseboard.core.fuses.machine import FuseEvent, FuseState
from fuseboard.core.halting import apply, publish_postures
from fuseboard.core.outgoing import read_account
from fuseboard.core.rearming import accept_difference, arm_again, clear, fuses_of
from fuseboard.core.state import Recovery, Turn
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import BrokerPosition
from fuseboard.vocabulary.money import nanos_from_attos, shown_money, text_from_nanos
from fuseboard.vocabulary.orders import OrderStatus, Severity
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.reset_effects import RecordRecovery, RecoveryCheck

STARTED: Final = "recovery started"
SHOWN_MAX: Final = 10
"""How many orders or positions a check names."""
_UNANSWERED: Final = (OrderStatus.SUBMITTING, OrderStatus.IN_DOUBT)


def begin(turn: Turn, scope: str, *, operator: str, reason: str) -> None:
    """A person starts a scope's recovery: the broker is asked for its account and positions."""
    state = turn.state
    if scope == ACCOUNT_SCOPE:
        accept_difference(turn, operator=operator, reason=reason)
    recovery = state.recoveries[scope] = Recovery(scope=scope, operator=operator, reason=reason)
    _record(turn, recovery, "started", ())
    publish_postures(turn)
    read_account(turn, positions=True)


def finish(turn: Turn, differences: list[BrokerPosition]) -> None:
    """The books are compared: what was in recovery arms again, or stays killed."""
    state = turn.state
    begun = [fuse.scope for fuse in state.fuses() if fuse.state is FuseState.RECOVERY]
    for scope in dict.fromkeys([*state.recoveries, *begun]):
        recovery = state.recoveries.pop(scope, None)
        if recovery is None:  # begun by a release that kept no record of who did
            recovery = Recovery(scope=scope, operator="", reason="")
        checks = _checks(turn, scope, differences)
        passed = all(check.passed for check in checks)
        event = FuseEvent.RECOVERY_PASSED if passed else FuseEvent.RECOVERY_FAILED
        for fuse in fuses_of(state, scope):
            if fuse.state is not FuseState.RECOVERY:
                continue
            apply(turn, fuse, event, operator=recovery.operator, reason=recovery.reason)
            if passed:
                arm_again(state, fuse)
        _record(turn, recovery, "passed" if passed else "failed", checks)
        if passed:
            clear(turn, scope, operator=recovery.operator, reason="recovery passed")
        else:
            _tell(turn, scope, checks)
    roster.retire(turn)
    publish_postures(turn)


def _checks(turn: Turn, scope: str, differences: list[BrokerPosition]) -> tuple[RecoveryCheck, ...]:
    state = turn.state
    working = state.book.working_orders()
    unanswered = [order.order_id for order in working if order.status in _UNANSWERED]
    differing = [
        f"{at.symbol}: the broker holds {text_from_nanos(at.quantity_nanos)}" for at in differences
    ]
    differing += [at.what for at in state.discrepancies.values() if at.source == UNREAD]
    plans = [
        fuse.trip()
        for fuse in fuses_of(state, scope)
        if fuse.state is FuseState.RECOVERY and ongoing(state, fuse.trip())
    ]
    again = [
        f"{fuse.name} was killed again"
        for fuse in fuses_of(state, scope)
        if fuse.state is FuseState.KILLED
    ]
    cash = shown_money(nanos_from_attos(state.broker_cash_attos))
    cash_agrees = state.equity_disagreements <= 1
    stream = "connected" if state.stream_connected else "lost: fills would go unseen"
    return (
        _check("orders", unanswered, f"{len(working)} working, each found at the broker"),
        _check("positions", differing, f"{len(state.book.held())} held, as the broker has them"),
        RecoveryCheck(
            "cash", cash_agrees, f"the broker has {cash}" + ("" if cash_agrees else ", we do not")
        ),
        RecoveryCheck("order stream", state.stream_connected, stream),
        _check("plans", plans, "none is at work"),
        _check("halts", again, "nothing was killed since the recovery began"),
    )


def _check(name: str, wrong: list[str], well: str) -> RecoveryCheck:
    more = f" and {len(wrong) - SHOWN_MAX} more" if len(wrong) > SHOWN_MAX else ""
    return RecoveryCheck(name, not wrong, "; ".join(wrong[:SHOWN_MAX]) + more if wrong else well)


def _record(turn: Turn, recovery: Recovery, stage: str, checks: tuple[RecoveryCheck, ...]) -> None:
    turn.out.append(
        RecordRecovery(
            scope=recovery.scope,
            stage=stage,
            operator=recovery.operator,
            reason=recovery.reason,
            wall_ns=turn.wall_ns,
            checks=checks,
            policy=turn.state.policy_digest,
        )
    )


def _tell(turn: Turn, scope: str, checks: tuple[RecoveryCheck, ...]) -> None:
    failed = "; ".join(f"{check.name}: {check.said}" for check in checks if not check.passed)
    text = f"the recovery of {scope} failed, it stays KILLED: {failed}"
    turn.alert(Severity.WARNING, Reason.RECOVERY, text, scope)
