"""When the kernel wants to be woken: each part keeps its deadlines in the state."""

from typing import Final

from fuseboard.core import (
    breakers,
    cash,
    closes,
    consent,
    cooldowns,
    data_health,
    dividends,
    dynamic,
    hygiene,
    nearness,
    quotes,
    rates,
    sessions,
    taking_away,
    taking_in,
    trading_halts,
    valuation,
)
from fuseboard.core.closes import ONGOING_STAGES
from fuseboard.core.fuses.machine import FuseState
from fuseboard.core.liquidity import telling
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.orders import OrderStatus

NEVER_BOOT_NS: Final = 2**63 - 1
_RESTING: Final = (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED)


def wake_for_what_is_next(turn: Turn) -> None:
    """Ask for the earliest time at which something is due. Each deadline is in the state."""
    for due_boot_ns in (valuation.next_deadline(turn.state), *_deadlines_but_reading(turn)):
        if due_boot_ns:
            turn.wake(due_boot_ns)


def rests_until(turn: Turn) -> int:
    """Until when, boot time, readings of the broker that say what the last ones said change
    nothing; not after the present while something is under way that may.
    """
    state = turn.state
    if _is_busy(state):
        return turn.boot_ns
    held = [state.instruments.get(symbol) for symbol in state.book.held()]
    blind_after_ns = turn.policy.data.quote_age_ns_max
    blind = [
        due_boot_ns
        for at in held
        if at is not None
        for due_boot_ns in [max(at.quoted_boot_ns, at.traded_boot_ns) + blind_after_ns + 1]
        if due_boot_ns > turn.boot_ns
    ]
    due = [due_boot_ns for due_boot_ns in _deadlines_but_reading(turn) if due_boot_ns]
    return min([*due, *blind], default=NEVER_BOOT_NS)


def _is_busy(state: State) -> bool:
    """Whether anything is under way that a reading counts for, or that waits for an answer."""
    apart = state.discrepancies or state.cash_apart or state.apart or state.equity_disagreements
    return bool(
        not state.reconciled
        or any(
            order.cancel_wanted or order.status not in _RESTING
            for order in state.book.working_orders()
        )
        or state.unresolved
        or state.comparisons
        or state.foreign.unplaced
        or state.compare_asked
        or state.period.pending
        or state.recoveries
        or apart
        or any(plan.stage in ONGOING_STAGES for plan in state.plans.values())
        or any(fuse.breach.source or fuse.state is FuseState.TRIGGERED for fuse in state.tripping())
    )


def _deadlines_but_reading(turn: Turn) -> tuple[int, ...]:
    """Every part's but that of the account's reading; 0 where nothing is due."""
    state = turn.state
    return (
        trading_halts.next_deadline(state),
        sessions.next_deadline(turn),
        data_health.next_deadline(turn),
        quotes.next_deadline(turn),
        breakers.next_deadline(turn),
        cash.next_deadline(state),
        dividends.next_deadline(turn),
        closes.next_deadline(state),
        state.cancel_again_boot_ns,
        state.compare_again_boot_ns,
        state.copy.judge_boot_ns,
        hygiene.next_deadline(state),
        telling.next_deadline(state),
        dynamic.next_deadline(state),
        nearness.next_deadline(state),
        rates.next_deadline(turn),
        consent.next_deadline(turn),
        taking_away.next_deadline(turn),
        taking_in.next_deadline(turn),
        cooldowns.next_deadline(turn),
    )
