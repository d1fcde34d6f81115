"""`data.validation`, `data.anomaly_detection` and the keys of `execution` that are enforced."""

from typing import Any, Final

from fuseboard.policy import unit_table as unit
from fuseboard.policy.data_rules import DataRules, ExecutionRules
from fuseboard.policy.limits import MINUTE_NS
from fuseboard.policy.reading import Reading
from fuseboard.policy.shapes import Shape, Unit, Value
from fuseboard.vocabulary.money import NANOS, shown_percent

STALE_ACTION: Final = unit.words(
    "deny",
    "reduce_only",
    "halt",
    synonyms={
        "reject": "deny",
        "halt_trading": "halt",
        "halt_new_trades": "deny",
        "exclude": "deny",
    },
)
VALIDATION: Final[dict[str, Shape]] = {
    "max_spread": Value(
        unit.SHARE, ("spread_nanos_max",), "Quotes with a wider spread price nothing.", "quotes"
    ),
    "max_age": Value(
        unit.at_least(unit.DURATION, "100ms"),
        ("quote_age_ns_max",),
        "Quotes that are older price nothing.",
        "check quote",
    ),
    "max_arrival": Value(
        unit.DURATION,
        ("arrival_ns_max",),
        "A quote that took longer from its exchange to us prices nothing.",
        "quotes",
        ("max_latency", "max_delay"),
    ),
    "heartbeat": Value(
        unit.at_least(unit.DURATION, "100ms"),
        ("heartbeat_ns_max",),
        "A feed that says nothing at all for longer is dead, and everything is stale.",
        "quotes",
        ("feed_heartbeat",),
    ),
    "stale_action": Value(
        STALE_ACTION,
        ("stale_action",),
        "What stale data does: deny new risk in the symbol, reduce_only the account while it is"
        " stale, or halt it until a person resets.",
        "quotes",
    ),
    "min_assets": Value(
        unit.COUNT,
        ("assets_min",),
        "How many of the watched symbols must have good quotes.",
        "quotes",
    ),
    "missing_action": Value(
        STALE_ACTION,
        ("missing_action",),
        "What happens under `min_assets`; `halt` stays until a person resets.",
        "quotes",
    ),
    "price_change_limit": Value(
        unit.SHARE,
        ("jump_nanos_max",),
        "A price that moves further in one step waits for a second one that agrees.",
        "quotes",
    ),
    "price_check_action": Value(
        unit.words("exclude"),
        ("price_check_action",),
        "What happens to such a price: it is excluded.",
        "quotes",
    ),
    "equity_jump_limit": Value(
        unit.SHARE,
        ("equity_jump_nanos_max",),
        "How far our equity may differ from the broker's without an explanation.",
        "fuse drawdown",
    ),
}
GAP: Final = Unit(
    "a duration such as `1m`, or `true` for one minute",
    lambda text: MINUTE_NS if text == "true" else unit.DURATION.read(text),
    {"anyOf": [unit.DURATION.schema, {"const": True}]},
)
ANOMALIES: Final[dict[str, Shape]] = {
    "price_change": Value(
        unit.DEVIATIONS,
        ("price_change_deviations",),
        "A price change of more standard deviations is an anomaly.",
        "quotes",
    ),
    "volume_spike": Value(
        unit.TIMES,
        ("volume_spike_nanos",),
        "A volume of more than so many times the average is an anomaly.",
        "quotes",
    ),
    "gaps": Value(
        GAP, ("gap_ns_max",), "A longer silence of a symbol is reported.", "quotes", ("gap",)
    ),
}
EXECUTION: Final[dict[str, Shape]] = {
    "requests_per_minute": Value(
        unit.COUNT, ("requests_a_minute",), "The broker's request budget.", "request budget"
    ),
    "protected_share": Value(
        unit.SHARE,
        ("protected_share_nanos",),
        "The share of the request budget that only protection may use.",
        "request budget",
    ),
    "close_collar": Value(
        unit.SHARE,
        ("close_collar_nanos",),
        "How far beyond the quote the first close may trade; each that takes nothing doubles it.",
        "plan",
    ),
    "close_collar_max": Value(
        unit.SHARE,
        ("close_collar_nanos_max",),
        "How far beyond the quote any close may trade, unless its first may trade further.",
        "plan",
    ),
    "close_wait": Value(
        unit.at_least(unit.DURATION, "100ms"),
        ("close_wait_ns",),
        "How long a close may work before the next.",
        "plan",
    ),
    "close_attempts": Value(
        unit.COUNT,
        ("close_attempts_max",),
        "How many closes in a row the broker may refuse or end before the rest is left to people.",
        "plan",
    ),
    "close_within": Value(
        unit.at_least(unit.DURATION, "1s"),
        ("close_within_ns",),
        "For so long the market is asked again for what it does not take; then people are paged.",
        "plan",
    ),
    "cancel_wait": Value(
        unit.DURATION, ("cancel_wait_ns",), "How long a plan waits for its cancels.", "plan"
    ),
    "absent_after": Value(
        unit.DURATION,
        ("absent_after_ns",),
        'How long "not found" counts as still on its way to the broker.',
        "in doubt",
    ),
}
ORDER_TIMEOUT: Final[dict[str, Shape]] = {
    "timeout": Value(
        unit.SECONDS,
        ("order_timeout_ns",),
        "How long a strategy's order may work until it is cancelled; stops wait for their price.",
        "order timeout",
        aliases=("timeout_seconds", "order_timeout"),
    ),
}
ALLOWED_SLIPPAGE: Final[dict[str, Shape]] = {
    "max_bps": Value(
        unit.BPS,
        ("slippage_nanos_max",),
        "A fill worse than expected by more than this counts against `fill_quality`.",
        "measure fill_quality",
        ("max_slippage_bps", "limit_bps"),
    ),
}


def data_of(reading: Reading, validation: dict[str, Any], anomalies: dict[str, Any]) -> DataRules:
    """Which market data is good enough."""
    filled = reading.fields(validation, "data.validation", VALIDATION, "data")
    filled.update(reading.fields(anomalies, "data.anomaly_detection", ANOMALIES, "data"))
    return DataRules(**filled)


def execution_of(reading: Reading, values: dict[str, Any]) -> ExecutionRules:
    """The budget leaves at least one request a minute for strategies and one for protection."""
    filled = reading.fields(values, "execution", EXECUTION, "execution")
    settings = values.get("order_settings", {})
    filled |= reading.fields(settings, "execution.order_settings", ORDER_TIMEOUT, "execution")
    slippage = values.get("slippage", {})
    filled |= reading.fields(slippage, "execution.slippage", ALLOWED_SLIPPAGE, "execution")
    rules = ExecutionRules(**filled)
    if rules.close_collar_nanos_max < rules.close_collar_nanos:
        path = "execution.close_collar_max"
        what = (
            f"no close may trade {shown_percent(rules.close_collar_nanos)} beyond the quote"
            f" (`close_collar`) when the most is {shown_percent(rules.close_collar_nanos_max)}"
        )
        reading.refuse_key(path if path in reading.entries else "execution.close_collar", what)
    protected = rules.requests_a_minute * rules.protected_share_nanos // NANOS
    if not 0 < protected < rules.requests_a_minute:
        path = "execution.protected_share"
        path = path if path in reading.entries else "execution"
        share = shown_percent(rules.protected_share_nanos)
        what = (
            f"{share} of {rules.requests_a_minute} requests a minute must leave at least one"
            " for protection and one for strategies"
        )
        if path == "execution":
            reading.refuse(reading.entries[path].value, "execution.protected_share", what)
        else:
            reading.refuse_key(path, what)
    return rules
