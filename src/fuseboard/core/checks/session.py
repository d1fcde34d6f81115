"""Session: outside its regular hours an order that is for today only is denied (RTS 6 Art. 8).

Judged once a session is known, by its hours and our clock, and by the broker's clock while its last
word is recent and no older than the session: either may say closed. Before anything is known there
is nothing to judge by, and an account whose calendar cannot be loaded trades by its broker's rules.
An order that asks for extended hours passes where the policy lets it, and a limit order that is
good till cancelled waits at the broker. Crypto pairs have no hours.
"""

from typing import Final

from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.core.periods import Period
from fuseboard.core.state import Turn
from fuseboard.vocabulary.orders import OrderType, TimeInForce
from fuseboard.vocabulary.reasons import Reason

_MARKET: Final = OrderType.MARKET
_GTC: Final = TimeInForce.GTC


def passes(proposal: Proposal) -> bool:
    """Whether the session is open, or the order is one that may wait or trade outside it."""
    period = proposal.turn.state.period
    if not period.session and period.broker_is_open is not False:
        return True
    return not closed(proposal.turn, period) or _may_wait(proposal)


def closed(turn: Turn, period: Period) -> str:
    """Who says that the session is closed; empty when nobody does."""
    if period.session and not period.open_ns <= turn.wall_ns < period.close_ns:
        return "by its calendar"
    recent = period.broker_says_closed(turn.boot_ns, turn.wall_ns)
    return "by the broker's clock" if recent else ""


def _may_wait(proposal: Proposal) -> bool:
    order = proposal.order
    if "/" in order.symbol:
        return True
    if order.extended_hours and proposal.turn.policy.session.extended_hours:
        return True
    return order.time_in_force is _GTC and order.order_type is not _MARKET


def found(proposal: Proposal) -> Finding:
    """Whether the session is open, and which."""
    period = proposal.turn.state.period
    why = closed(proposal.turn, period)
    limit = f"session {period.session} open" if period.session else "an open session"
    return Finding(Reason.SESSION_CLOSED, f"closed {why}" if why else "open or unknown", limit)
