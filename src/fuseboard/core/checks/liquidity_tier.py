"""Liquidity tier: nothing opens where the other side is gone; what opens is cut to its measure.

The tier, and the spread as it now is, decide whether anything opens. Size and price are no reason
to deny: an order that passes is resized and re-priced (`core.liquidity.shaping`). A replacement is
denied where it would be, because the order that it replaces would be lost for it.
"""

from typing import Final

from fuseboard.core.book import Order
from fuseboard.core.checks.proposal import Finding, Proposal
from fuseboard.core.checks.tick import CENT_NANOS
from fuseboard.core.liquidity.monitor import Liquidity
from fuseboard.core.liquidity.shaping import Shape, is_left_behind, opening_shape
from fuseboard.core.liquidity.watching import POINT_NANOS
from fuseboard.core.market import Instrument
from fuseboard.core.state import Turn
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.money import (
    NANOS,
    shown_percent,
    shown_percents_apart,
    text_from_nanos,
)
from fuseboard.vocabulary.orders import OrderType, Side
from fuseboard.vocabulary.reasons import Reason

_BUY: Final = Side.BUY
_DEFENSIVE: Final = Tier.DEFENSIVE


def passes(proposal: Proposal) -> bool:
    """Whether the tier lets anything open, the spread is within it, and something is left."""
    turn, order = proposal.turn, proposal.order
    tiers, at = turn.liquidity, turn.state.liquidity.get(order.symbol)
    if tiers is None or at is None or not at.bids or turn.boot_ns > at.stale_boot_ns:
        return False
    rules = tiers.of_tier[at.gauge.tier]
    if rules is None:
        return False
    if not proposal.instrument.priced(turn.policy.data, turn.boot_ns):
        return False  # no price to shape by, though the book is usable
    spread_nanos, twice_middle = at.widest()
    if 2 * spread_nanos * NANOS > rules.spread_nanos_max * twice_middle:
        return False
    shape = opening_shape(order, at, rules, proposal.instrument)
    return shape.quantity_nanos > 0 and (order.succession is None or shape.keeps(order))


def keeps(
    turn: Turn, order: Order, value_attos: int, instrument: Instrument, at: Liquidity | None
) -> bool:
    """Whether the tier surely lets an order that opens and is priced pass, and as it is.

    False says nothing. What is bounded by the quote and its offset is compared before the edge is
    rounded to the tick: a price in whole cents is on every tick, so rounding cannot pass it.
    """
    tiers, limit_nanos = turn.liquidity, order.limit_price_nanos
    if tiers is None or at is None or not at.bids or turn.boot_ns > at.stale_boot_ns:
        return False
    rules = tiers.of_tier[at.gauge.tier]
    if (
        rules is None
        or limit_nanos is None
        or limit_nanos % CENT_NANOS
        or order.stop_price_nanos is not None
        or value_attos > rules.order_value_nanos_max * NANOS
    ):
        return False
    bid_nanos, ask_nanos = at.bids[0][0], at.asks[0][0]
    spread_nanos, twice_middle = ask_nanos - bid_nanos, at.twice_middle
    if at.quote_spread_nanos:
        spread_nanos, twice_middle = at.widest()
    if 2 * spread_nanos * NANOS > rules.spread_nanos_max * twice_middle:
        return False
    if order.side is _BUY:
        if instrument.ask_nanos < ask_nanos:
            ask_nanos = instrument.ask_nanos
        beyond = limit_nanos > ask_nanos
        if beyond and limit_nanos * NANOS > ask_nanos * (NANOS + rules.offset_nanos):
            return False
    else:
        if instrument.bid_nanos > bid_nanos:
            bid_nanos = instrument.bid_nanos
        beyond = limit_nanos < bid_nanos
        if beyond and limit_nanos * NANOS < bid_nanos * (NANOS - rules.offset_nanos):
            return False
    binds_each_alone = not at.levels and at.gauge.tier is not _DEFENSIVE
    return binds_each_alone or opening_shape(order, at, rules, instrument).keeps(order)


def found(proposal: Proposal) -> Finding:
    """The tier with score and spread, and what becomes of the order; what the tier allows."""
    turn, order = proposal.turn, proposal.order
    tiers, at = turn.liquidity, turn.state.liquidity.get(order.symbol)
    if tiers is None or at is None:
        return Finding(Reason.LIQUIDITY_TIER, "no liquidity is known", "a measured market")
    tier = at.gauge.tier
    if not at.bids or turn.boot_ns > at.stale_boot_ns:
        why = "no usable book"
        return Finding(Reason.LIQUIDITY_TIER, f"{tier.name}: {why}", "a two-sided book")
    spread = at.spread_nanos()
    rules = tiers.of_tier[tier]
    if rules is None:
        observed = f"{tier.name}, {_score(at)}, spread {shown_percent(spread)}"
        return Finding(Reason.LIQUIDITY_TIER, observed, "nothing opens in this tier")
    spread_shown, most_shown = shown_percents_apart(spread, rules.spread_nanos_max, NANOS)
    observed = f"{tier.name}, {_score(at)}, spread {spread_shown}"
    limit = (
        f"{text_from_nanos(rules.order_value_nanos_max)} USD, spread"
        f" {most_shown}, offset {shown_percent(rules.offset_nanos)}"
    )
    if spread > rules.spread_nanos_max:
        return Finding(Reason.LIQUIDITY_SPREAD, observed, limit)
    if not proposal.instrument.priced(turn.policy.data, turn.boot_ns):
        return Finding(Reason.QUOTE_MISSING, f"{observed}: no good quote", limit)
    shape = opening_shape(order, at, rules, proposal.instrument)
    if _lacks_price(proposal, at, shape):
        why = "the latest quote is not good, and the book has left the last good one behind"
        return Finding(Reason.QUOTE_MISSING, f"{observed}: {why}", limit)
    if not shape.keeps(order):
        taken_nanos = at.taken_asks_nanos if order.side is _BUY else at.taken_bids_nanos
        if taken_nanos:
            observed += f", {text_from_nanos(taken_nanos)} sent to take already"
        observed = f"{observed}: {_change(proposal, shape)}"
    return Finding(Reason.LIQUIDITY_TIER, observed, limit)


def _score(at: Liquidity) -> str:
    """The score by which the tier is judged, and what is absent of it."""
    score = "unknown" if at.unknown else text_from_nanos(at.score * POINT_NANOS)
    absent = at.points.absent()
    return f"score {score} without {', '.join(absent)}" if absent else f"score {score}"


def _lacks_price(proposal: Proposal, at: Liquidity, shape: Shape) -> bool:
    """Whether nothing is left of an order because it would need a price that is an old one's."""
    order, edge_nanos = proposal.order, shape.limit_price_nanos
    if shape.quantity_nanos or edge_nanos is None or order.stop_price_nanos is not None:
        return False
    if edge_nanos == order.limit_price_nanos:
        return False
    return is_left_behind(at, proposal.instrument, edge_nanos, buys=order.side is _BUY)


def _change(proposal: Proposal, shape: Shape) -> str:
    """What becomes of an order, in words."""
    order = proposal.order
    size = f"{text_from_nanos(order.quantity_nanos)} -> {text_from_nanos(shape.quantity_nanos)}"
    return f"{size}, {_priced(order.order_type, order.limit_price_nanos)} -> " + _priced(
        shape.order_type, shape.limit_price_nanos
    )


def _priced(order_type: OrderType, limit_nanos: int | None) -> str:
    price = "" if limit_nanos is None else f" {text_from_nanos(limit_nanos)}"
    return f"{order_type.value}{price}"
