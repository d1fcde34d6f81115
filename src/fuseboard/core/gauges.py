"""What exchanges' halts, market data and comparisons ask of scopes: gauges, never latches."""

from fuseboard.core.state import Turn
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, symbol_scope
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import Reason


def asked_by_gauges(turn: Turn) -> list[tuple[str, Posture, Reason]]:
    """Scope, posture and reason of each gauge that tightens now."""
    state, rules, market = turn.state, turn.policy.data, turn.policy.market
    asked: list[tuple[str, Posture, Reason]] = []
    if market.enabled:
        for symbol, halt in state.trading_halts.items():
            if market.symbol_halts or not symbol or halt.level:
                scope = symbol_scope(symbol) if symbol else ACCOUNT_SCOPE
                asked.append((scope, Posture.REDUCE_ONLY, Reason.TRADING_HALTED))
    for code in state.data_doubts:
        reason = Reason(code)
        action = rules.missing_action if reason is Reason.DATA_MISSING else rules.stale_action
        posture = Posture.HALTED if action == "halt" else Posture.REDUCE_ONLY
        asked.append((ACCOUNT_SCOPE, posture, reason))
    if state.discrepancies and turn.policy.reconciliation.mismatch_action != "notify":
        first = next(iter(state.discrepancies.values()))
        asked.append((ACCOUNT_SCOPE, Posture.REDUCE_ONLY, first.code))
    if state.foreign.unpriced:
        asked.append((ACCOUNT_SCOPE, Posture.REDUCE_ONLY, Reason.UNVALUED))
    if state.comparison_late:
        asked.append((ACCOUNT_SCOPE, Posture.REDUCE_ONLY, Reason.COMPARISON_LATE))
    if state.period.clocks_apart:
        asked.append((ACCOUNT_SCOPE, Posture.REDUCE_ONLY, Reason.CLOCKS_DISAGREE))
    return asked
