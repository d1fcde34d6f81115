"""Every way in which a value of a policy file is written, with its JSON Schema.

JSON Schema sees what YAML makes of a text: `5` is a number, `5%` is a string. Where it cannot say
what the grammar says (a largest duration), the schema is the wider of the two, never the narrower.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any

from fuseboard.policy import units
from fuseboard.policy.calendar_names import CALENDARS
from fuseboard.policy.conditions import ConditionRefused, check_possible, condition_from_text
from fuseboard.policy.shapes import Unit
from fuseboard.policy.zone_names import ZONE_NAMES
from fuseboard.vocabulary.actions import Action, ConnectedBy, DrainRule, Reference, ResetRule

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9./_-]{0,31}", re.ASCII)
_SECRET = re.compile(r"\$\{([A-Z_][A-Z0-9_]{0,63})\}", re.ASCII)
_NOTIFY = re.compile(r"notify(_[a-z][a-z0-9_]{0,30})?", re.ASCII)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_ZONE = re.compile(r"[A-Za-z]+(/[A-Za-z0-9_+-]+){0,2}", re.ASCII)
_SCOPE = re.compile(
    r"account|strategy:\*|strategy:[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63}"
    r"|symbol:\*|symbol:[A-Z0-9][A-Z0-9./_-]{0,31}",
    re.ASCII,
)
_NUMBER = "[0-9]{1,15}(\\.[0-9]{1,9})?"
TEXT_CHARACTERS_MAX = 300


def _amount(pattern: str, most: int | None = None) -> dict[str, Any]:
    number: dict[str, Any] = {"type": "number", "exclusiveMinimum": 0}
    if most is not None:
        number["maximum"] = most
    return {"anyOf": [number, {"type": "string", "pattern": f"^({pattern})$"}]}


def _pattern(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^({pattern})$"}


def matching(pattern: str, expected: str) -> Callable[[str], str]:
    """A reader of texts that match a pattern; `expected` says which in words."""
    return _text(re.compile(pattern, re.ASCII), expected)


def _text(pattern: re.Pattern[str], expected: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise units.Refused(f"{text[:40]!r} is not {expected}")
        return text

    return read


def words(*known: str, synonyms: dict[str, str] | None = None) -> Unit:
    """One of the known words; a synonym is read as the word it stands for."""
    meant = {**{word: word for word in known}, **(synonyms or {})}

    def read(text: str) -> str:
        if text not in meant:
            near = difflib.get_close_matches(text[:80], list(meant), n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(meant)}"
            raise units.Refused(f"{text[:40]!r} is not known here; {hint}")
        return meant[text]

    return Unit(f"one of {', '.join(known)}", read, {"enum": list(meant)})


def whole(least: int, most: int) -> Unit:
    """A whole number within bounds."""

    def read(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) is None or not least <= int(text) <= most:
            raise units.Refused(f"{text[:40]!r} is not a whole number from {least} to {most}")
        return int(text)

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Unit(f"a whole number from {least} to {most}", read, schema)


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise units.Refused(f"{text[:40]!r} is not a name of at most 64 plain characters")
    return text


def _flag(text: str) -> bool:
    if text not in ("true", "false", "yes", "no", "on", "off"):
        raise units.Refused(f"{text[:40]!r} is not `true` or `false`")
    return text in ("true", "yes", "on")


def _free(text: str) -> str:
    if len(text) > TEXT_CHARACTERS_MAX or not text.isprintable():
        raise units.Refused(f"expected one line of at most {TEXT_CHARACTERS_MAX} characters")
    if "${" in text:
        raise units.Refused("`${NAME}` stands only where a secret is asked for")
    return text


def _secret(text: str) -> str:
    if _SECRET.fullmatch(text) is None:
        raise units.Refused(
            "a secret is never written into a policy: write the name of an environment variable,"
            " for example `${SLACK_URL}`"
        )
    return text


ACTION_WORDS: dict[str, Action] = {
    "halt": Action.HALT,
    "halt_trading": Action.HALT,
    "halt_new_trades": Action.HALT,
    "reduce": Action.REDUCE,
    "reduce_only": Action.REDUCE_ONLY,
    "close_only": Action.REDUCE_ONLY,
    "exits_only": Action.REDUCE_ONLY,
    "flatten": Action.FLATTEN,
    "flatten_positions": Action.FLATTEN,
    "kill": Action.KILL,
    "notify": Action.NOTIFY,
}


def _action(text: str) -> Action:
    if _NOTIFY.fullmatch(text) is not None:
        return Action.NOTIFY
    if text not in ACTION_WORDS:
        near = difflib.get_close_matches(text[:80], list(ACTION_WORDS), n=1)
        known = f"known: {', '.join(ACTION_WORDS)}, notify_SOMEBODY"
        hint = f"did you mean `{near[0]}`?" if near else known
        raise units.Refused(f"{text[:40]!r} is not an action; {hint}")
    return ACTION_WORDS[text]


def _calendar(text: str) -> str:
    if text in CALENDARS:
        return text
    near = difflib.get_close_matches(text[:40].upper(), CALENDARS, n=3)
    hint = f"; near are {', '.join(f'`{name}`' for name in near)}" if near else ""
    what = "a calendar of exchange_calendars such as `XNYS`, nor `24/7`"
    raise units.Refused(f"{text[:40]!r} is not {what}{hint}")


def _zone(text: str) -> str:
    if text in ZONE_NAMES:
        return text
    near = difflib.get_close_matches(text[:40], ZONE_NAMES, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else " such as `America/New_York`"
    raise units.Refused(f"{text[:40]!r} is not a time zone{hint}")


def _condition(*, order: bool) -> Callable[[str], str]:
    def read(text: str) -> str:
        try:
            condition = condition_from_text(text, order=order)
            check_possible(condition.tree)
        except ConditionRefused as refused:
            raise units.Refused(str(refused), refused.offset) from None
        return condition.text

    return read


_PERCENT = f"{_NUMBER} ?%"
_ONE = "[0-9]{1,9}"
_SPAN = f"{_ONE}(ms|s|m|h|d)"
NAME = Unit(
    "a name of at most 64 plain characters",
    _name,
    {"anyOf": [_pattern(_NAME.pattern), {"type": "number", "minimum": 0}]},
)
SYMBOL = Unit(
    "a symbol such as `AAPL` or `BTC/USD`",
    _text(_SYMBOL, "a symbol such as `AAPL` or `BTC/USD`"),
    {"anyOf": [_pattern(_SYMBOL.pattern), {"type": ["number", "boolean"]}]},
)
TEXT = Unit(
    "one line of text",
    _free,
    {"type": ["string", "number", "boolean"], "maxLength": TEXT_CHARACTERS_MAX},
)
PART = Unit(
    "a percent or fraction above 0 and at most 1: `10%` or `0.1`",
    units.part_nanos,
    _amount(f"{_PERCENT}|{_NUMBER}", 1),
    kind="fraction",
)
SHARE = Unit(
    "a percent or fraction above 0 and at most 100%: `5%` or `0.05`",
    units.share_nanos,
    {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            _pattern(f"{_PERCENT}|{_NUMBER}"),
        ]
    },
    kind="fraction",
)
LEVERAGE = Unit(
    "a multiple of equity above 0 and at most 10: `150%`, `1.5` or `1.5x`",
    units.leverage_nanos,
    _amount(f"{_PERCENT}|{_NUMBER}|{_NUMBER} ?x", 10),
    kind="fraction",
)
SECTOR = Unit(
    "a part or multiple of equity above 0 and at most 10: `30%`, `0.3` or `1.5x`",
    units.sector_nanos,
    {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            _pattern(f"{_PERCENT}|{_NUMBER}|{_NUMBER} ?x"),
        ]
    },
    kind="fraction",
)
SIGNED = Unit(
    "a signed multiple of equity: `-0.5`, `-50%` or `1.2`",
    units.signed_leverage_nanos,
    {
        "anyOf": [
            {"type": "number", "minimum": -10, "maximum": 10},
            _pattern(f"-?({_PERCENT}|{_NUMBER}|{_NUMBER} ?x)"),
        ]
    },
    kind="fraction",
)
MONEY = Unit(
    "money: `100000` or `100000 USD`",
    units.money_nanos,
    _amount(f"{_NUMBER}( USD)?"),
    kind="money",
)
PRICE = Unit(
    "a price: `1.00` or `1 USD`",
    units.money_nanos,
    _amount(f"{_NUMBER}( USD)?"),
    kind="money",
)
QUANTITY = Unit(
    "a quantity: `10000` or `0.5`",
    units.quantity_nanos,
    _amount(_NUMBER),
    kind="quantity",
)
DURATION = Unit(
    "a duration: `500ms`, `30s`, `5m`, `2h` or `1d`",
    units.duration_ns,
    _pattern(_SPAN),
    kind="duration",
)
SECONDS = Unit(
    "seconds or a duration: `30` or `30s`",
    units.seconds_ns,
    {"anyOf": [{"type": "integer", "minimum": 1}, _pattern(f"{_SPAN}|{_ONE}")]},
    kind="duration",
)


def at_least(unit: Unit, least: str) -> Unit:
    """The same duration; a shorter one, in which nothing can have happened yet, is an accident."""
    least_ns = units.duration_ns(least)

    def read(text: str) -> int:
        duration_ns = int(unit.read(text))
        if duration_ns < least_ns:
            raise units.Refused(f"{text[:40]!r} is under {least}, the shortest time allowed here")
        return duration_ns

    return Unit(f"{unit.says}, from {least} on", read, unit.schema, kind=unit.kind)


def every(
    says: str, meanings: Mapping[str, int | str], *, least_ns: int = 1, most_ns: int | None = None
) -> Unit:
    """How often: a duration within bounds, in nanoseconds, or a word, read as what it means."""
    longest_ns = units.DURATION_NS_MAX if most_ns is None else most_ns

    def read(text: str) -> int | str:
        if text in meanings:
            return meanings[text]
        try:
            every_ns = int(SECONDS.read(text))
        except units.Refused:
            every_ns = 0
        if not least_ns <= every_ns <= longest_ns:
            raise units.Refused(f"{text[:40]!r} is not {says}")
        return every_ns

    schema = {"anyOf": [SECONDS.schema, {"enum": list(meanings)}]}
    return Unit(says, read, schema, kind="duration")


COUNT = Unit(
    f"a whole number from 1 to {units.COUNT_MAX}",
    units.count,
    {"anyOf": [{"type": "integer", "minimum": 1, "maximum": units.COUNT_MAX}, _pattern(_ONE)]},
)
RATE = Unit(
    "how many in which time: `100/s`, `200/m` or `50/10s`",
    units.rate,
    _pattern(f"{_ONE}/({_ONE})?(ms|s|m|h|d)"),
)
TIMES = Unit(
    "a factor: `10x`",
    units.times_nanos,
    _amount(f"{_NUMBER}( ?x)?", 1000),
    kind="factor",
)
DEVIATIONS = Unit(
    "standard deviations: `5` or `5 sigma`",
    units.deviations_nanos,
    _amount(f"{_NUMBER}( ?(sigma|sd|std))?", 1000),
    kind="factor",
)
BPS = Unit(
    "basis points: `5` or `5 bps`",
    units.bps_nanos,
    _amount(f"{_NUMBER}( ?bps)?", 1000),
    kind="fraction",
)
FLAG = Unit("`true` or `false`", _flag, {"type": "boolean"})
ACTION = Unit(
    "an action: halt, reduce_only, reduce, flatten, kill, notify_SOMEBODY",
    _action,
    {"anyOf": [{"enum": list(ACTION_WORDS)}, _pattern(_NOTIFY.pattern)]},
)
RESET = Unit(
    "`manual` or `next_trading_day`",
    lambda text: ResetRule(words(*(rule.value for rule in ResetRule)).read(text)),
    {"enum": [rule.value for rule in ResetRule]},
)
DRAIN = Unit(
    "`cancel`, `flatten` or `leave`",
    lambda text: DrainRule(words(*(rule.value for rule in DrainRule)).read(text)),
    {"enum": [rule.value for rule in DrainRule]},
)
CONNECTED_BY = Unit(
    "`stream`, `requests` or `process`",
    lambda text: ConnectedBy(words(*(by.value for by in ConnectedBy)).read(text)),
    {"enum": [by.value for by in ConnectedBy]},
)
PEAKS = Unit(
    "`session_peak` or `peak`",
    lambda text: Reference(words("session_peak", "peak").read(text)),
    {"enum": ["session_peak", "peak"]},
)
SCOPE = Unit(
    "`account`, `strategy:NAME`, `strategy:*`, `symbol:NAME` or `symbol:*`",
    _text(_SCOPE, "a scope: `account`, `strategy:NAME`, `strategy:*`, `symbol:NAME` or `symbol:*`"),
    _pattern(_SCOPE.pattern.replace("*", "*")),
)
CONDITION = Unit(
    "a condition over the state, such as `daily_pnl < -0.03`",
    _condition(order=False),
    {"type": "string", "minLength": 1, "maxLength": 500},
)
ORDER_CONDITION = Unit(
    "a condition that an order must meet, such as `price > 1.0`",
    _condition(order=True),
    {"type": "string", "minLength": 1, "maxLength": 500},
)
SECRET = Unit(
    "a secret's name in the environment, such as `${SLACK_URL}`",
    _secret,
    _pattern(_SECRET.pattern),
    secret=True,
)
CLOCK = Unit(
    "a time of day: `17:00`",
    _text(_CLOCK, "a time of day such as `17:00`"),
    {"anyOf": [_pattern(_CLOCK.pattern), {"type": "integer", "minimum": 0, "maximum": 86_340}]},
)
ZONE = Unit(
    "a time zone: `America/New_York`",
    _zone,
    _pattern(_ZONE.pattern),
)
CALENDAR = Unit(
    "a calendar: `XNYS` or `24/7`",
    _calendar,
    {"enum": list(CALENDARS)},
)
