"""`execution.reconciliation`; what of `execution.order_settings` and `slippage` is enforced."""

from typing import Any, Final

from fuseboard.policy import unit_table as unit
from fuseboard.policy import units
from fuseboard.policy.data_rules import ReconciliationRules
from fuseboard.policy.limits import SECOND_NS
from fuseboard.policy.reading import Reading
from fuseboard.policy.shapes import Items, Shape, Unit, Value

EVERY_NS_MIN: Final = 5 * SECOND_NS
EVERY_NS_MAX: Final = 86_400 * SECOND_NS
MISMATCH: Final = unit.words(
    "notify", "reduce_only", "halt", synonyms={"alert": "notify", "halt_trading": "halt"}
)
_WORDS: Final = {"hourly": 3_600 * SECOND_NS, "daily": EVERY_NS_MAX}
_SAID: Final = "a duration from 5s to 1d, or hourly or daily"


EVERY: Final = unit.every(_SAID, _WORDS, least_ns=EVERY_NS_MIN, most_ns=EVERY_NS_MAX)


def _always(text: str) -> bool:
    if text != "true":
        raise units.Refused("books are always compared before the first order: leave it out")
    return True


ALWAYS: Final = Unit("`true`", _always, {"enum": [True, "true"]})
RECONCILIATION: Final[dict[str, Shape]] = {
    "enabled": Value(
        unit.FLAG,
        ("scheduled",),
        "Whether orders, positions, cash and fills are compared on a schedule. At a start, after a"
        " lost stream and after a trip they always are.",
        "reconciliation",
        default="yes",
    ),
    "every": Value(
        EVERY,
        ("every_ns",),
        "How often.",
        "reconciliation",
        aliases=("interval", "frequency", "schedule"),
    ),
    "at": Items(
        Value(unit.CLOCK),
        "times of day",
        24,
        "Also at these times, in the time zone of the session's calendar.",
    ),
    "at_start": Value(
        ALWAYS,
        (),
        "Before the first order the books are always compared: `true` is the only answer.",
        "reconciliation",
        aliases=("on_startup",),
        default="yes",
    ),
    "tolerance": Value(
        unit.SHARE,
        ("tolerance_nanos",),
        "How far a position may differ, as a share of the larger side.",
        "reconciliation",
        aliases=("position_tolerance",),
    ),
    "cash_tolerance": Value(
        unit.MONEY,
        ("cash_tolerance_nanos",),
        "How far cash may differ in 24 hours and be taken for fees; never more than"
        " `equity_jump_limit`.",
        "reconciliation",
    ),
    "mismatch_action": Value(
        MISMATCH,
        ("mismatch_action",),
        "What a difference that nothing explains does.",
        "reconciliation",
        aliases=("on_mismatch", "action", "discrepancy_action"),
    ),
    "foreign_orders": Value(
        unit.words("leave", "cancel", "adopt", synonyms={"alert": "leave"}),
        ("foreign_orders",),
        "What is done to working orders that were not placed through the gateway: they are left"
        " uncounted, cancelled, or adopted (the account's own: counted in its limits, their fills"
        " booked, cancelled by a halt). People are told; one with a gateway's prefix halts the"
        " account instead.",
        "reconciliation",
    ),
    "auto_correct": Value(
        unit.FLAG,
        ("auto_correct",),
        "Whether our book takes the broker's positions by itself; else a person's reset does.",
        "reconciliation",
    ),
}


def reconciliation_of(reading: Reading, values: dict[str, Any]) -> ReconciliationRules:
    """How our books are compared with the broker's."""
    path = "execution.reconciliation"
    filled = reading.fields(values, path, RECONCILIATION, "reconciliation")
    if "at" in values:
        reading.set_line("reconciliation.at", f"{path}.at")
        filled["at"] = tuple(sorted(dict.fromkeys(values["at"])))
    return ReconciliationRules(**filled)


def left_for_later(execution: dict[str, Any]) -> dict[str, Any]:
    """What these two sections say and nothing enforces yet, by its path."""
    found: dict[str, Any] = {}
    settings = dict(execution.get("order_settings", {}))
    settings.pop("timeout", None)
    if settings.get("timeout_action") == "cancel":  # another one is cancelled for, too
        del settings["timeout_action"]
    if settings:
        found["execution.order_settings"] = settings
    slippage = dict(execution.get("slippage", {}))
    slippage.pop("max_bps", None)
    if slippage:
        found["execution.slippage"] = slippage
    return found
