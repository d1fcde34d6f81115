"""Which fuses there are: the ones that the policy in force asks for, and those that must stay.

A fuse is known by its rule's name and its scope. One that the policy no longer asks for goes into
retirement: it is judged no more, and keeps its generation, its counts and, as long as its session
lasts, its mark, so that the same fuse may come back and repeats no trip id. Some do not go yet:

- a latched one, under its old name, until a person resets it;
- one of a strategy that the policy no longer names, while that strategy holds or works anything
  or the fuse tightens it. It may only reduce, and it is measured on the capital that it had.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias, TypeVar

from fuseboard.core.fuses.drawdown import DrawdownFuse
from fuseboard.core.fuses.machine import FuseEvent
from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.core.measures import symbols
from fuseboard.core.measures.recording import capital_nanos_of, equity_of
from fuseboard.core.state import State, Turn
from fuseboard.core.watchlist import EVERY_SYMBOL
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import BreakerRule, LossRule
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, strategy_scope, symbol_scope
from fuseboard.vocabulary.money import NANOS, shown_money, shown_percent
from fuseboard.vocabulary.postures import Posture

RETIRED_MAX: Final = 1_000
"""Retired fuses of each kind. The oldest is forgotten, and new ones begin above its generation."""
EVERY_STRATEGY: Final = "strategy:*"
Fuse = TypeVar("Fuse", DrawdownFuse, RuleFuse)
Named: TypeAlias = tuple[Mapping[str, object], ...]
"""Fuses by their names: those in force, then the retired."""


def follow(turn: Turn) -> None:
    """Make the fuses that the policy asks for, give each its rule, and retire the others."""
    state = turn.state
    symbols.follow_traded(turn)
    for name, (scope, loss) in _wanted_losses(turn).items():
        known = state.drawdowns.get(name)
        if known is None:
            known = state.drawdowns[name] = _drawdown(state, name, scope, loss)
        known.adopt_rule(loss)
    for name, (scope, rule) in _wanted_breakers(turn).items():
        fuse = state.breakers.get(name)
        if fuse is None:
            fuse = state.breakers[name] = _breaker(state, name, scope, rule)
        fuse.rule = rule
    retire(turn)


def retire(turn: Turn) -> None:
    """Retire what the policy does not ask for and nothing keeps."""
    state = turn.state
    losses, breakers = _wanted_losses(turn), _wanted_breakers(turn)
    for name, fuse in list(state.drawdowns.items()):
        if name not in losses and not _stays(turn, fuse):
            _retired(state, state.drawdowns, state.retired_drawdowns, fuse)
    for name, breaker in list(state.breakers.items()):
        if name not in breakers and not (_stays(turn, breaker) and _named(turn, breaker)):
            _retired(state, state.breakers, state.retired_breakers, breaker)
    kept = {fuse.scope: None for fuse in [*state.tripping(), *state.marked()]}
    state.former_capitals = {
        name: capital
        for name, capital in state.former_capitals.items()
        if strategy_scope(name) in kept
    }


def asked_for(turn: Turn) -> dict[str, None]:
    """The names of the fuses that the policy in force asks for."""
    return dict.fromkeys([*_wanted_losses(turn), *_wanted_breakers(turn)])


def would_close(turn: Turn, policy: Policy) -> list[str]:
    """The fuses that do not breach now and would under `policy`, and then close what is held."""
    asked = {(ACCOUNT_SCOPE, rule.name): rule for rule in policy.losses}
    for strategy in policy.strategies:
        scope = strategy_scope(strategy.name)
        asked |= {(scope, rule.name): rule for rule in strategy.losses}
    closes = []
    for fuse in turn.state.drawdowns.values():
        rule = asked.get((fuse.scope, fuse.rule.name))
        if rule is None or rule.action is not Action.FLATTEN or not fuse.watching():
            continue
        floor = fuse.mark_attos * (NANOS - rule.limit_nanos)
        if fuse.equity_attos * NANOS <= floor and not fuse.breaches():
            closes.append(f"{fuse.name}: {shown_percent(fuse.drawdown_nanos())} is lost")
    return closes + _lost_capitals(turn, policy)


def _lost_capitals(turn: Turn, policy: Policy) -> list[str]:
    """The strategies whose capital would be no more than what they have lost: every limit of theirs
    is passed then, because a drawdown of nothing cannot be kept.
    """
    lost = []
    for rule in policy.strategies:
        before_nanos = capital_nanos_of(turn, rule.name)
        equity_attos = equity_of(turn, strategy_scope(rule.name))
        profit_attos = equity_attos - (before_nanos or 0) * NANOS
        was_sound = before_nanos is None or equity_attos > 0
        if was_sound and profit_attos + rule.capital_nanos * NANOS <= 0:
            lost.append(
                f"{rule.name}: it has lost {shown_money(-profit_attos // NANOS)},"
                f" and its capital would be {shown_money(rule.capital_nanos)}"
            )
    return lost


def change_capitals(turn: Turn, policy: Policy) -> None:
    """Before `policy` comes into force: strategies whose capital changes keep their drawdowns.

    Their marks rebase by the ratio of equity, rounded up. A strategy that goes is measured on the
    capital that it had, as long as its fuses stay.
    """
    state = turn.state
    before = {rule.name: rule.capital_nanos for rule in turn.policy.strategies}
    before = {**state.former_capitals, **before}
    after = {rule.name: rule.capital_nanos for rule in policy.strategies}
    gone = [name for name in before if name not in after]
    equities = {name: equity_of(turn, strategy_scope(name)) for name in before}
    state.former_capitals = {name: before[name] for name in gone}
    state.former_tags = {
        name: tags
        for name, tags in turn.gate.tags.items()
        if after and name not in after and name in state.book.strategies
    }
    turn.policy = policy
    for name, before_attos in equities.items():
        scope = strategy_scope(name)
        after_attos = equity_of(turn, scope)
        if name not in after or after[name] == before[name] or min(before_attos, after_attos) <= 0:
            continue
        for fuse in state.marked():
            if fuse.scope == scope:
                fuse.rebase_by_ratio(before_attos=before_attos, after_attos=after_attos)
        if scope in state.courses:
            state.courses[scope].rebase_by_ratio(before_attos=before_attos, after_attos=after_attos)


def _wanted_losses(turn: Turn) -> dict[str, tuple[str, LossRule]]:
    """Every drawdown fuse that the policy asks for: its name to its scope and rule."""
    state, policy = turn.state, turn.policy
    asked = [(ACCOUNT_SCOPE, rule) for rule in policy.losses]
    for strategy in policy.strategies:
        asked += [(strategy_scope(strategy.name), rule) for rule in strategy.losses]
    mine: Named = (state.drawdowns, state.retired_drawdowns)
    taken: Named = (state.breakers, state.retired_breakers)
    wanted: dict[str, tuple[str, LossRule]] = {}
    for scope, rule in asked:
        wanted[_name(rule.name, scope, "loss", mine=mine, taken=taken)] = (scope, rule)
    return wanted


def _wanted_breakers(turn: Turn) -> dict[str, tuple[str, BreakerRule]]:
    state = turn.state
    mine: Named = (state.breakers, state.retired_breakers)
    taken: Named = (state.drawdowns, state.retired_drawdowns)
    wanted: dict[str, tuple[str, BreakerRule]] = {}
    for rule in turn.policy.breakers:
        for scope in _scopes(turn, rule):
            name = _name(rule.name, scope, "breaker", mine=mine, taken=taken)
            wanted[name] = (scope, rule)
    return wanted


def _name(rule: str, scope: str, kind: str, *, mine: Named, taken: Named) -> str:
    """A fuse keeps its name; a new one takes a name that no fuse of the other kind has."""
    plain, marked = f"{rule}:{scope}", f"{rule} ({kind}):{scope}"
    for fuses in mine:
        for name in (plain, marked):
            if name in fuses:
                return name
    return marked if any(plain in fuses for fuses in taken) else plain


def _scopes(turn: Turn, rule: BreakerRule) -> list[str]:
    if rule.scope == EVERY_SYMBOL:
        return [symbol_scope(symbol) for symbol in turn.state.symbols.followed]
    if rule.scope != EVERY_STRATEGY:
        return [rule.scope]
    names = [strategy.name for strategy in turn.policy.strategies]
    if not names:  # those with a key at the start, and those that came since
        names = list(dict.fromkeys([*turn.state.strategies, *turn.state.book.strategies]))
    return [strategy_scope(name) for name in names]


def _named(turn: Turn, fuse: RuleFuse) -> bool:
    """Whether a rule of this name is in force, if only for others; what is latched needs none."""
    return fuse.latched() or any(rule.name == fuse.rule.name for rule in turn.policy.breakers)


def _stays(turn: Turn, fuse: DrawdownFuse | RuleFuse) -> bool:
    """Whether a fuse that the policy does not ask for must stay all the same."""
    kind, _, name = fuse.scope.partition(":")
    named = turn.policy.strategies
    if fuse.latched():
        return True
    if kind != "strategy" or not named or any(rule.name == name for rule in named):
        return False
    book = turn.state.book
    ledger = book.strategies.get(name)
    holds = ledger is not None and any(at.quantity_nanos for at in ledger.positions.values())
    works = book.working_orders(strategy=name)
    return holds or bool(works) or fuse.posture() is not Posture.OPEN


def _drawdown(state: State, name: str, scope: str, rule: LossRule) -> DrawdownFuse:
    """A new fuse, or the same one back: with its mark, where that is of the same reference."""
    fuse = state.retired_drawdowns.pop(name, None)
    if fuse is None:
        return DrawdownFuse(name=name, scope=scope, rule=rule, generation=state.generation_min)
    if fuse.rule.reference is not rule.reference:
        fuse.move(FuseEvent.REBASED)
    return fuse


def _breaker(state: State, name: str, scope: str, rule: BreakerRule) -> RuleFuse:
    fuse = state.retired_breakers.pop(name, None)
    if fuse is None:
        return RuleFuse(name=name, scope=scope, rule=rule, generation=state.generation_min)
    return fuse


def _retired(state: State, active: dict[str, Fuse], retired: dict[str, Fuse], fuse: Fuse) -> None:
    del active[fuse.name]
    retired[fuse.name] = fuse
    if len(retired) > RETIRED_MAX:
        oldest = retired.pop(next(iter(retired)))
        state.generation_min = max(state.generation_min, oldest.generation + 1)
