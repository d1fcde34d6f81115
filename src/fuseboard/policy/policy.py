"""The policy: every number the kernel decides by, frozen, with a digest of its canonical text.

Defaults are the safe values that hold where a policy file is silent.
"""

import hashlib

import msgspec
from msgspec import Struct

from fuseboard.policy.data_rules import DataRules, ExecutionRules, ReconciliationRules
from fuseboard.policy.limits import DynamicLimit, Limits
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.rules import (
    BackupRule,
    BreakerRule,
    CheckRule,
    DisconnectRule,
    KillSwitch,
    LossRule,
    MarketBreakers,
    ResetRules,
    SessionRule,
    StrategyRule,
)
from fuseboard.vocabulary.identifiers import TAG_KINDS


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole policy of one account."""

    name: str = "default"
    session: SessionRule = SessionRule()
    strategies: tuple[StrategyRule, ...] = ()
    """Empty: any strategy with a key may trade."""
    checks_off: tuple[str, ...] = ()
    """Built-in checks that are on by default and that the policy switches off by name."""
    checks: tuple[CheckRule, ...] = ()
    limits: Limits = Limits()
    dynamic_limits: tuple[DynamicLimit, ...] = ()
    restricted: tuple[str, ...] = ()
    """Symbols that may only be reduced."""
    sectors: dict[str, str] = {}
    """Symbol to sector; with a sector limit, a symbol of no sector may not be opened."""
    losses: tuple[LossRule, ...] = (LossRule(),)
    breakers: tuple[BreakerRule, ...] = ()
    market: MarketBreakers = MarketBreakers()
    kill_switch: KillSwitch = KillSwitch()
    disconnect: DisconnectRule = DisconnectRule()
    """For every strategy without a rule of its own."""
    resets: ResetRules = ResetRules()
    data: DataRules = DataRules()
    execution: ExecutionRules = ExecutionRules()
    reconciliation: ReconciliationRules = ReconciliationRules()
    liquidity: LiquidityRules = LiquidityRules()
    backup: BackupRule = BackupRule()
    later: dict[str, str] = {}
    """Sections that are validated and not yet enforced: the path and its canonical text."""


def tags_of(policy: Policy) -> dict[str, tuple[str, ...]]:
    """The scopes of each tagged strategy's tags, such as `desk:equities`."""
    tags = {
        rule.name: tuple(
            f"{kind}:{name}"
            for kind, name in zip(TAG_KINDS, (rule.trader, rule.desk, rule.client), strict=True)
            if name
        )
        for rule in policy.strategies
    }
    return {strategy: scopes for strategy, scopes in tags.items() if scopes}


def own_disconnects(policy: Policy) -> dict[str, DisconnectRule]:
    """By strategy, the rules that stand in place of the account's."""
    rules = {rule.name: rule.disconnect for rule in policy.strategies}
    return {strategy: rule for strategy, rule in rules.items() if rule is not None}


def canonical_text(policy: Policy) -> str:
    """The one text of a policy: JSON with every field, in declaration order."""
    return msgspec.json.encode(policy).decode()


def policy_from_canonical(text: str) -> Policy:
    """The policy of a canonical text; raises `msgspec.ValidationError` on anything else."""
    return msgspec.json.decode(text, type=Policy)


def digest_of(text: str) -> str:
    """Hex SHA-256 of a canonical text: the name of a policy in every record of evidence."""
    return hashlib.sha256(text.encode()).hexdigest()
