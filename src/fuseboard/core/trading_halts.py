"""Exchanges' halts: single symbols (limit-up limit-down) and the whole market (NYSE rule 7.12).

While an exchange has halted a symbol, new risk in it is denied and what works of it is cancelled;
reductions and cancels pass, and the legs of plans wait without spending their attempts. Only the
exchange's own resumption ends that: at once for plans, after the policy's `resume_delay` for new
risk. A quote, a lost feed, a restart or time alone end nothing. A market-wide level 3 lasts until
a later session opens. A halt whose resumption was missed is let on by a named person, by a reset of
its scope. Levels are told by exchanges; nothing is guessed from an index of ours.
"""

from typing import Final

from fuseboard.core import plan
from fuseboard.core.halting import publish_postures
from fuseboard.core.hygiene import cancel_openings
from fuseboard.core.liquidity import watching
from fuseboard.core.market import TradingHalt
from fuseboard.core.state import State, Turn
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, symbol_scope
from fuseboard.vocabulary.market_effects import RecordTradingHalt
from fuseboard.vocabulary.market_inputs import TradingHalted, TradingResumed
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

HALTS_MAX: Final = 10_000
MARKET: Final = ""
UNTIL_NEXT_SESSION: Final = 3
"""The market-wide level after which trading ends for the day."""


def trading_halted(turn: Turn, fact: TradingHalted) -> None:
    """An exchange halted a symbol; a market-wide level halts the market with it."""
    if fact.level and fact.symbol:
        _halt(turn, MARKET, fact)
    symbol = fact.symbol
    if symbol not in turn.state.trading_halts and len(turn.state.trading_halts) >= HALTS_MAX:
        symbol = MARKET  # too many to tell apart: the tighter one serves
    _halt(turn, symbol, fact)
    publish_postures(turn)


def _halt(turn: Turn, symbol: str, fact: TradingHalted) -> None:
    halts = turn.state.trading_halts
    known = halts.get(symbol)
    level = fact.level
    if known is not None:
        if fact.event_ns < known.event_ns:
            return  # older news than what is known
        if not known.resumed:  # halted on: the tighter level counts
            known.event_ns, known.level = fact.event_ns, max(known.level, level)
            known.missed_boot_ns, known.traded = 0, False
            return
    halts[symbol] = TradingHalt(code=fact.code, level=level, event_ns=fact.event_ns)
    _record(turn, symbol, "halted")
    if symbol == MARKET or not level:
        what = symbol or "the market"
        text = f"the exchange halted {what} ({fact.code})"
        turn.alert(Severity.WARNING, Reason.TRADING_HALTED, text, _scope(symbol))
    cancel_openings(turn, symbol)


def trading_resumed(turn: Turn, fact: TradingResumed) -> None:
    """The exchange trades again: plans go on at once, new risk after the policy's delay."""
    halts = turn.state.trading_halts
    known = halts.get(fact.symbol)
    market_wide = known is not None and known.level > 0
    for symbol in (fact.symbol, MARKET) if market_wide and fact.symbol else (fact.symbol,):
        halt = halts.get(symbol)
        if halt is None or halt.resumed or fact.event_ns < halt.event_ns:
            continue
        if halt.level >= UNTIL_NEXT_SESSION and not _later_session(turn, halt):
            continue
        halt.code, halt.event_ns = fact.code, fact.event_ns
        _resume(turn, symbol, halt)
    plan.trading_resumed(turn)


def _resume(turn: Turn, symbol: str, halt: TradingHalt) -> None:
    watching.trading_resumed(turn, symbol)
    halt.resumed = True
    halt.due_boot_ns = turn.boot_ns + turn.policy.market.resume_delay_ns
    _record(turn, symbol, "resumed")
    turn.wake(halt.due_boot_ns)


def _later_session(turn: Turn, halt: TradingHalt) -> bool:
    """Whether a session that began after the halt is open by now."""
    open_ns = turn.state.period.open_ns
    return halt.event_ns < open_ns <= turn.wall_ns


def let_on_when_due(turn: Turn) -> None:
    """Let new risk on where the exchange resumed and the delay is over: recorded as such."""
    state = turn.state
    if not state.trading_halts:
        return
    let_on = False
    for symbol, halt in list(state.trading_halts.items()):
        by_calendar = halt.level >= UNTIL_NEXT_SESSION and not halt.resumed
        if by_calendar and _later_session(turn, halt):
            halt.code = f"calendar:{state.period.calendar}"
            _resume(turn, symbol, halt)
        if halt.resumed and turn.boot_ns >= halt.due_boot_ns:
            operator = halt.code if halt.code.startswith("calendar:") else "exchange"
            _let_on(turn, symbol, operator, "resumed, and the delay is over")
            let_on = True
    plan.trading_resumed(turn)
    if let_on:
        publish_postures(turn)


def _let_on(turn: Turn, symbol: str, operator: str, reason: str) -> None:
    _record(turn, symbol, "let_on", operator, reason)
    del turn.state.trading_halts[symbol]
    text = f"{symbol or 'the market'} trades again: new risk is let on by {operator}"
    turn.alert(Severity.INFO, Reason.TRADING_HALTED, text, _scope(symbol))


def halts_scope(state: State, scope: str) -> bool:
    """Whether an exchange's halt stands on exactly this scope."""
    return _symbol(scope) in state.trading_halts


def let_on_by_person(turn: Turn, scope: str, operator: str, reason: str) -> None:
    """A named person says that the exchange trades again: its word was missed."""
    if halts_scope(turn.state, scope):
        watching.trading_resumed(turn, _symbol(scope) or MARKET)
        _let_on(turn, _symbol(scope) or MARKET, operator, reason)
        plan.trading_resumed(turn)
        publish_postures(turn)


def next_deadline(state: State) -> int:
    """The earliest time at which new risk may be let on; 0 when nothing waits for time."""
    halts = state.trading_halts.values()
    return min((halt.due_boot_ns for halt in halts if halt.resumed), default=0)


def _symbol(scope: str) -> str | None:
    """The key of a scope's halt; None for scopes that no exchange halts."""
    if scope == ACCOUNT_SCOPE:
        return MARKET
    kind, _, symbol = scope.partition(":")
    return symbol if kind == "symbol" else None


def _scope(symbol: str) -> str:
    return symbol_scope(symbol) if symbol else ACCOUNT_SCOPE


def _record(turn: Turn, symbol: str, stage: str, operator: str = "", reason: str = "") -> None:
    halt = turn.state.trading_halts[symbol]
    turn.out.append(
        RecordTradingHalt(
            symbol=symbol,
            stage=stage,
            code=halt.code,
            level=halt.level,
            event_ns=halt.event_ns,
            operator=operator,
            reason=reason,
        )
    )
