"""Measures that somebody outside reports: a volatility index, a liquidity score, daily volumes."""

from typing import Final

from fuseboard.core.state import INSTRUMENTS_MAX, Reported, Turn
from fuseboard.vocabulary.catalogue import MEASURES
from fuseboard.vocabulary.inputs import MeasureReported
from fuseboard.vocabulary.money import NANOS

REPORTABLE: Final = ("vix", "liquidity_score", "avg_daily_volume")
REPORTED_MAX: Final = 2 * INSTRUMENTS_MAX
AHEAD_NS_MAX: Final = 10 * NANOS
"""A value may be dated this much later than our own clock."""
_OF_A_SYMBOL: Final = ("avg_daily_volume",)


def measure_reported(turn: Turn, fact: MeasureReported) -> None:
    """Take a value from outside, or say what is wrong with it. An older one changes nothing."""
    refusal = _refusal(turn, fact)
    if not refusal:
        key = _key(fact.name, fact.symbol)
        known = turn.state.reported.get(key)
        if known is None or fact.event_ns >= known.event_ns:
            prior = _prior(known, fact)
            turn.state.reported[key] = Reported(fact.value, fact.event_ns, turn.boot_ns, prior)
        else:
            refusal = f"a newer value of {fact.name} is known already"
    message = refusal or f"{fact.name} {fact.symbol}".rstrip() + " taken"
    turn.answer(fact.request, accepted=not refusal, message=message)


def _prior(known: Reported | None, fact: MeasureReported) -> int | None:
    """The value before this one; a value of the same date is told again or mended, not new."""
    if known is None or fact.event_ns == known.event_ns:
        return None if known is None else known.prior
    age_ns_max = MEASURES[fact.name].age_ns_max
    too_old = age_ns_max is not None and fact.event_ns - known.event_ns > age_ns_max
    return None if too_old else known.value


def never_taken(name: str, symbol: str, value: int) -> str:
    """Why no value like this is ever taken, whoever reports it and when; empty when it may be."""
    if name not in REPORTABLE:
        return f"{name!r} is not reported from outside: use one of {', '.join(REPORTABLE)}"
    if name in _OF_A_SYMBOL and not symbol:
        return f"{name} is a symbol's: name it"
    if name == "vix" and symbol:
        return "vix is the market's: leave the symbol out"
    return f"{name} cannot be negative" if value < 0 else ""


def _refusal(turn: Turn, fact: MeasureReported) -> str:
    if what := never_taken(fact.name, fact.symbol, fact.value):
        return what
    if fact.event_ns - turn.wall_ns > AHEAD_NS_MAX:
        return "the value is dated in the future: look at the clocks"
    if len(turn.state.reported) >= REPORTED_MAX and _key(fact.name, fact.symbol) not in (
        turn.state.reported
    ):
        return f"more than {REPORTED_MAX} measures are reported"
    return ""


def reported_value(turn: Turn, name: str, symbol: str = "") -> int | None:
    """The last value reported, in the catalogue's scale; None when there is none or it is too old.

    It ages by both clocks: by its own date, and since it reached us.
    """
    known = turn.state.reported.get(_key(name, symbol))
    age_ns_max = MEASURES[name].age_ns_max
    if known is None or age_ns_max is None:
        return None if known is None else known.value
    age_ns = max(turn.wall_ns - known.event_ns, turn.boot_ns - known.boot_ns)
    return None if age_ns > age_ns_max else known.value


def prior_value(turn: Turn, name: str, symbol: str = "") -> int | None:
    """What was reported before the last value; None when there was nothing or it was too old."""
    known = turn.state.reported.get(_key(name, symbol))
    return None if known is None else known.prior


def _key(name: str, symbol: str) -> str:
    return f"{name} {symbol}" if symbol else name
