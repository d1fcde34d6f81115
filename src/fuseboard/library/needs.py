"""What a policy asks of the program that holds a guard: measures that only it can tell.

A measure that nobody tells is unknown, and unknown denies new risk. In the gateway broker and feed
tell it; behind a guard there is neither, so the guard says what is missing and how it is told.
"""

from collections.abc import Iterable
from typing import Final

from fuseboard.policy.conditions.condition import condition_from_text
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary.catalogue import MEASURES

SIZES: Final = "sizes"
"""What the score of liquidity is made of, where the policy measures it."""
WAYS: Final[dict[str, str]] = {
    "maintenance_margin": "account(..., maintenance_margin=...): what the broker wants kept",
    "buying_power": "account(..., buying_power=...)",
    "max_position_divergence": "compared(): the broker still holds what was told last",
    "vix": 'report("vix", ...)',
    "avg_daily_volume": 'report("avg_daily_volume", ..., symbol=...)',
    "liquidity_score": 'report("liquidity_score", ...)',
    SIZES: "quote(..., bid_size=..., ask_size=...) and trade(...)",
}
"""By measure, the call that tells it; every other one follows from orders, fills and quotes."""


def asked_by(policy: Policy) -> tuple[str, ...]:
    """The names of `WAYS` that a policy's decisions rest on, in its own order."""
    texts = [(rule.condition, False) for rule in policy.breakers]
    texts += [(rule.condition, False) for rule in policy.dynamic_limits]
    texts += [(rule.condition, True) for rule in policy.checks]
    names: dict[str, None] = {}
    for text, of_order in texts:
        names.update(dict.fromkeys(condition_from_text(text, order=of_order).names))
    if policy.limits.order_volume_share_nanos_max is not None:
        names["avg_daily_volume"] = None
    if policy.liquidity.enabled or "quote_size" in names:
        names.pop("liquidity_score", None)
        names[SIZES] = None
    return tuple(name for name in names if name in WAYS)


def missing(asked: Iterable[str], told_boot_ns: dict[str, int], boot_ns: int) -> tuple[str, ...]:
    """What of this was never told, or too long ago to be good, each with the call that tells it."""
    return tuple(
        f"{name}: {WAYS[name]}" for name in asked if _is_missing(name, told_boot_ns, boot_ns)
    )


def _is_missing(name: str, told_boot_ns: dict[str, int], boot_ns: int) -> bool:
    if name not in told_boot_ns:
        return True
    age_ns_max = MEASURES[name].age_ns_max if name in MEASURES else None
    return age_ns_max is not None and boot_ns - told_boot_ns[name] > age_ns_max
