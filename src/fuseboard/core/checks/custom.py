"""A check of the policy's own: the order passes when its condition holds; unknown denies."""

from collections.abc import Callable
from typing import Final

from fuseboard.core.checks.active import Finding, Row
from fuseboard.core.checks.proposal import Proposal
from fuseboard.core.checks.volume import volume_nanos
from fuseboard.core.measures.values import value_of
from fuseboard.policy.conditions import (
    Condition,
    Verdict,
    all_hold,
    condition_from_text,
    places_that_tell,
)
from fuseboard.policy.rules import CheckRule
from fuseboard.vocabulary.catalogue import MEASURES, Place
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, symbol_scope
from fuseboard.vocabulary.measured import Value, shown_value
from fuseboard.vocabulary.orders import Intent, Side
from fuseboard.vocabulary.reasons import SENTENCES, Reason

_BUY: Final = Side.BUY
OF_SYMBOL: Final = ("liquidity_score", "liquidity_tier")
"""State that an order's check asks of its symbol, not of the account."""


def custom_row(rule: CheckRule) -> Row:
    """The row of one check of the policy's own. Raises `ConditionRefused`."""
    condition = condition_from_text(rule.condition, order=True)
    readers = tuple(map(_reader, condition.names))

    def found(proposal: Proposal) -> Finding:
        return _found(rule, condition, [read(proposal) for read in readers])

    return Row(
        name=rule.name,
        passes=_passes((condition,)),
        found=found,
        intents=(Intent.OPEN,),
        fields=(f"checks[{rule.name}]",),
        overridable=True,
        own=True,
        quick=True,
    )


def passes_all(rules: tuple[CheckRule, ...]) -> tuple[Callable[[Proposal], bool], ...]:
    """The comparison of all checks of the policy's own in one function; empty without any.

    Raises `ConditionRefused`.
    """
    conditions = tuple(condition_from_text(rule.condition, order=True) for rule in rules)
    return (_passes(conditions),) if conditions else ()


def _passes(conditions: tuple[Condition, ...]) -> Callable[[Proposal], bool]:
    names = {name: None for condition in conditions for name in condition.names}
    readers = {name: _reader(name) for name in names}
    return all_hold([condition.tree for condition in conditions], readers)


def _reader(name: str) -> Callable[[Proposal], Value]:
    """What reads the value of a name, looked up once."""
    of_order = OF_ORDER.get(name)
    if of_order is not None:
        return of_order
    if name in OF_SYMBOL:
        return lambda proposal: value_of(proposal.turn, name, symbol_scope(proposal.order.symbol))
    return lambda proposal: value_of(proposal.turn, name, ACCOUNT_SCOPE)


def _found(rule: CheckRule, condition: Condition, values: list[Value]) -> Finding:
    verdict = condition.judge(values)
    places = places_that_tell(condition, values, verdict)
    pairs = zip(condition.names, values, strict=True)
    shown = ", ".join(f"{name} = {_shown(name, value, places)}" for name, value in pairs)
    if verdict is Verdict.UNKNOWN:
        message = f"{SENTENCES[Reason.UNKNOWN_VALUE]}: {rule.name}"
        return Finding(Reason.UNKNOWN_VALUE, shown, condition.text, message)
    message = f"{rule.name}: {rule.message or SENTENCES[Reason.CUSTOM_CHECK]}"
    return Finding(Reason.CUSTOM_CHECK, shown, condition.text, message)


def _shown(name: str, value: Value, places: int) -> str:
    return "unknown" if value is None else shown_value(name, value, places)


# --- what an order and its symbol say ------------------------------------------------------------


def _order_price(proposal: Proposal) -> int | None:
    price_nanos = proposal.order.limit_price_nanos
    if price_nanos is not None:
        return price_nanos
    return _ask(proposal) if proposal.order.side is _BUY else _bid(proposal)


def _fresh(proposal: Proposal) -> bool:
    turn = proposal.turn
    return proposal.instrument.priced(turn.policy.data, turn.boot_ns)


def _bid(proposal: Proposal) -> int | None:
    return proposal.instrument.bid_nanos if _fresh(proposal) else None


def _ask(proposal: Proposal) -> int | None:
    return proposal.instrument.ask_nanos if _fresh(proposal) else None


def _last_trade(proposal: Proposal) -> int | None:
    instrument, turn = proposal.instrument, proposal.turn
    age_ns = turn.boot_ns - instrument.traded_boot_ns
    if not instrument.last_trade_nanos or age_ns > turn.policy.data.quote_age_ns_max:
        return None
    return instrument.last_trade_nanos


def _price(proposal: Proposal) -> int | None:
    """In half nano-units: the middle of two prices."""
    if _fresh(proposal):
        return proposal.instrument.bid_nanos + proposal.instrument.ask_nanos
    trade_nanos = _last_trade(proposal)
    return None if trade_nanos is None else trade_nanos * 2


def _last_price(proposal: Proposal) -> int | None:
    instrument, turn = proposal.instrument, proposal.turn
    boot_ns, rules = turn.boot_ns, turn.policy.data
    if (
        instrument.last_trade_nanos
        and boot_ns - instrument.traded_boot_ns <= rules.quote_age_ns_max
    ):
        return instrument.last_trade_nanos
    return instrument.mark_nanos or None if instrument.priced(rules, boot_ns) else None


def _spread(proposal: Proposal) -> Value:
    if not _fresh(proposal):
        return None
    bid_nanos, ask_nanos = proposal.instrument.bid_nanos, proposal.instrument.ask_nanos
    return 2 * (ask_nanos - bid_nanos), ask_nanos + bid_nanos


def _data_age(proposal: Proposal) -> int | None:
    instrument = proposal.instrument
    latest_boot_ns = max(instrument.quoted_boot_ns, instrument.traded_boot_ns)
    return proposal.turn.boot_ns - latest_boot_ns if latest_boot_ns else None


def _quote_size(proposal: Proposal) -> int | None:
    instrument = proposal.instrument
    if not _fresh(proposal):
        return None
    size_nanos = (
        instrument.ask_size_nanos if proposal.order.side is _BUY else instrument.bid_size_nanos
    )
    return size_nanos if size_nanos > 0 else None


def _avg_daily_volume(proposal: Proposal) -> int | None:
    return volume_nanos(proposal.turn, proposal.order.symbol)


def _order_size(proposal: Proposal) -> int | None:
    return proposal.order.quantity_nanos


def _order_value(proposal: Proposal) -> int | None:
    return proposal.value_attos if proposal.order.worst_price_nanos else None


def _position_size(proposal: Proposal) -> int | None:
    return proposal.position.quantity_nanos


def _position_value(proposal: Proposal) -> int | None:
    position = proposal.position
    if position.quantity_nanos and not position.mark_nanos:
        return None
    return position.quantity_nanos * position.mark_nanos


def _max_order_value(proposal: Proposal) -> int | None:
    return proposal.limits.order_value_nanos_max


def _max_order_size(proposal: Proposal) -> int | None:
    return proposal.limits.order_quantity_nanos_max


OF_ORDER: Final[dict[str, Callable[[Proposal], Value]]] = {
    "order_price": _order_price,
    "order_size": _order_size,
    "order_value": _order_value,
    "price": _price,
    "last_price": _last_price,
    "bid": _bid,
    "ask": _ask,
    "spread": _spread,
    "quote_size": _quote_size,
    "avg_daily_volume": _avg_daily_volume,
    "data_age": _data_age,
    "position_size": _position_size,
    "position_value": _position_value,
    "max_order_value": _max_order_value,
    "max_order_size": _max_order_size,
}
assert {name for name, at in MEASURES.items() if at.place is Place.ORDER} == OF_ORDER.keys(), (
    "the catalogue names other measures of an order"
)
