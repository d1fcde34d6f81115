"""What is told of liquidity for statistics: a minute's sums of each symbol, and its silence.

Each symbol is told when its tier changes and, else, once a minute while it is heard. When one falls
silent it is told once; who looks for that sleeps until the first symbol may have been silent for
too long, a second at least.
"""

from typing import Final

from fuseboard.core.liquidity.monitor import Liquidity
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordLiquidity
from fuseboard.vocabulary.money import NANOS

AGAIN_NS: Final = 60 * NANOS
LOOKS_EVERY_NS: Final = NANOS


def record(turn: Turn, symbol: str, at: Liquidity, before: Tier) -> None:
    """Tell what was summed since the last time, in which it was in the tier `before`."""
    at.tally(turn.boot_ns)
    at.silent = silent = _is_silent(turn, symbol, at)
    since_boot_ns = max(at.began_boot_ns, at.stale_boot_ns if silent else at.gauge.since_boot_ns)
    turn.out.append(
        RecordLiquidity(
            symbol=symbol,
            tier=before.name,
            after=at.gauge.tier.name,
            since_wall_ns=turn.wall_ns - (turn.boot_ns - since_boot_ns),
            score=0 if silent else at.score,
            span_ns=at.span_ns,
            silent_ns=at.silent_ns,
            score_ns=at.score_ns,
            silent=silent,
        )
    )
    at.span_ns = at.silent_ns = at.score_ns = 0
    at.told_again_boot_ns = 0 if silent else turn.boot_ns + AGAIN_NS
    state = turn.state
    if not silent and not state.silence_due_boot_ns:
        state.silence_due_boot_ns = max(at.stale_boot_ns, turn.boot_ns) + 1
        turn.wake(state.silence_due_boot_ns)


def look_for_silence(turn: Turn) -> None:
    """Tell which symbols were not heard for too long, and say when to look again."""
    state = turn.state
    if not state.silence_due_boot_ns or turn.boot_ns < state.silence_due_boot_ns:
        return
    state.silence_due_boot_ns, due_boot_ns = 0, 0
    for symbol, at in state.liquidity.items():
        if at.silent:
            continue
        if _is_silent(turn, symbol, at):
            record(turn, symbol, at, at.gauge.tier)
        elif at.seen_boot_ns or at.stale_boot_ns:
            due_boot_ns = min(due_boot_ns or at.stale_boot_ns + 1, at.stale_boot_ns + 1)
    if due_boot_ns:
        state.silence_due_boot_ns = max(due_boot_ns, turn.boot_ns + LOOKS_EVERY_NS)


def next_deadline(state: State) -> int:
    """When to look for silence; 0: nothing is watched."""
    return state.silence_due_boot_ns


def _is_silent(turn: Turn, symbol: str, at: Liquidity) -> bool:
    """As `watching.stale`: one that its exchange has halted is not silent."""
    return turn.boot_ns > at.stale_boot_ns and not turn.state.stands_still(symbol)
