"""When the kernel wants to be woken: each part keeps its deadlines in the state."""

from fuseboard.core import (
    breakers,
    cash,
    closes,
    consent,
    data_health,
    dynamic,
    hygiene,
    nearness,
    quotes,
    rates,
    trading_halts,
    valuation,
)
from fuseboard.core.liquidity import telling
from fuseboard.core.state import Turn


def wake_for_what_is_next(turn: Turn) -> None:
    """Ask for the earliest time at which something is due. Each deadline is in the state."""
    state = turn.state
    for due_boot_ns in (
        valuation.next_deadline(state),
        trading_halts.next_deadline(state),
        data_health.next_deadline(turn),
        quotes.next_deadline(turn),
        breakers.next_deadline(turn),
        cash.next_deadline(state),
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
    ):
        if due_boot_ns:
            turn.wake(due_boot_ns)
