"""The policy: every number the kernel decides by, frozen, with a digest of its canonical text.

Fractions are nano-units (1 = 10^9, so 5 % is 50_000_000), money and quantities are nano-units,
durations are nanoseconds. Defaults are the safe values that hold where a policy file is silent.
"""

import hashlib

import msgspec
from msgspec import Struct
from msgspec.structs import replace

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
PERCENT_NANOS = 10_000_000


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits judged before each order, in the worst case: working orders count as filled."""

    order_quantity_nanos_max: int = 10_000 * 1_000_000_000
    order_value_nanos_max: int = 100_000 * 1_000_000_000
    price_collar_nanos: int = 5 * PERCENT_NANOS
    """How far a limit price may be beyond the quote's far side, as a fraction of it."""
    order_rate_max: int = 100
    order_rate_window_ns: int = SECOND_NS
    working_orders_max: int = 20_000
    position_value_nanos_max: int | None = None
    position_fraction_nanos_max: int | None = None
    """Largest position of one symbol as a fraction of equity."""
    gross_exposure_nanos_max: int = 100 * PERCENT_NANOS
    """Largest sum of absolute positions as a fraction of equity."""


class DrawdownRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When equity has fallen this far from its high-water mark, and what happens then."""

    limit_nanos: int = 5 * PERCENT_NANOS
    warning_nanos: int | None = None
    warning_clear_nanos: int | None = None
    cooldown_ns: int = 5 * MINUTE_NS
    flatten: bool = True
    """False: the trip halts and cancels, and closes nothing."""
    confirm_ns_max: int = SECOND_NS
    """An unconfirmed breach older than this asks for REDUCE_ONLY."""
    resets_a_day_max: int = 3
    trips_a_day_max: int = 5


class StrategyRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One strategy that may trade, and the capital its own drawdown is measured on."""

    name: str
    capital_nanos: int
    drawdown: DrawdownRule | None = None


class DataRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which quotes are good enough to price by."""

    spread_nanos_max: int = 1 * PERCENT_NANOS
    jump_nanos_max: int = 10 * PERCENT_NANOS
    """A mark that moves further than this in one step waits for a second one that agrees."""
    quote_age_ns_max: int = 2 * MINUTE_NS
    equity_jump_nanos_max: int = 1 * PERCENT_NANOS
    """Largest unexplained difference between our equity and the broker's, of the broker's."""


class ExecutionRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How protective orders are worked and how often the broker may be asked."""

    requests_a_minute: int = 200
    protected_share_nanos: int = 25 * PERCENT_NANOS
    """The share of the request budget that only protection may use."""
    cancel_wait_ns: int = 2 * SECOND_NS
    close_collar_nanos: int = 1 * PERCENT_NANOS
    """How far beyond the quote the first close may trade; each further attempt doubles it."""
    close_wait_ns: int = 2 * SECOND_NS
    close_attempts_max: int = 6
    absent_after_ns: int = 5 * SECOND_NS
    """How long "not found" counts as still on its way to the broker."""


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole policy of one account."""

    name: str = "default"
    limits: Limits = Limits()
    drawdown: DrawdownRule = DrawdownRule()
    strategies: tuple[StrategyRule, ...] = ()
    """Empty: any strategy with a key may trade."""
    data: DataRules = DataRules()
    execution: ExecutionRules = ExecutionRules()


def canonical_text(policy: Policy) -> str:
    """The one text of a policy: JSON with every field, in declaration order."""
    return msgspec.json.encode(policy).decode()


def policy_from_canonical(text: str) -> Policy:
    """The policy of a canonical text; raises `msgspec.ValidationError` on anything else."""
    return msgspec.json.decode(text, type=Policy)


def digest_of(text: str) -> str:
    """Hex SHA-256 of a canonical text: the name of a policy in every record of evidence."""
    return hashlib.sha256(text.encode()).hexdigest()


def reduced(limits: Limits) -> Limits:
    """The limits in posture REDUCED: new risk is halved and the collar is tightened by half."""
    return replace(
        limits,
        order_quantity_nanos_max=limits.order_quantity_nanos_max // 2,
        order_value_nanos_max=limits.order_value_nanos_max // 2,
        price_collar_nanos=limits.price_collar_nanos // 2,
        position_value_nanos_max=_half(limits.position_value_nanos_max),
        position_fraction_nanos_max=_half(limits.position_fraction_nanos_max),
        gross_exposure_nanos_max=limits.gross_exposure_nanos_max // 2,
    )


def _half(limit: int | None) -> int | None:
    return None if limit is None else limit // 2
