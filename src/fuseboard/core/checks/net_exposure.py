"""Net exposure: the signed sum of positions as a fraction of equity, in both worst cases (law 6).

The highest: every working buy filled and no sell. The lowest: every working sell and no buy.
"""

from typing import Final

from fuseboard.core.checks.proposal import Finding, Proposal, found_attos
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.reasons import Reason

_BUY: Final = Side.BUY


def passes(proposal: Proposal) -> bool:
    """Whether both worst cases, with this order, are within their limits."""
    limits, equity_attos = proposal.limits, proposal.equity_attos
    lowest_attos, highest_attos = worst_attos(proposal)
    least, most = limits.net_exposure_nanos_min, limits.net_exposure_nanos_max
    if most is not None and highest_attos * NANOS > most * equity_attos:
        return False
    return least is None or lowest_attos * NANOS >= least * equity_attos


def worst_attos(proposal: Proposal) -> tuple[int, int]:
    """The lowest and the highest net value that can be reached."""
    account = proposal.turn.state.book.account
    lowest_attos = account.value_attos - account.selling_attos
    highest_attos = account.value_attos + account.buying_attos
    added_attos = proposal.value_attos
    if proposal.counted_attos > added_attos:
        added_attos = proposal.counted_attos
    if proposal.order.side is _BUY:
        return lowest_attos, highest_attos + added_attos
    return lowest_attos - added_attos, highest_attos


def found(proposal: Proposal) -> Finding:
    """The worst case on the side that denies, else on the order's side, and its limit."""
    limits, equity_attos = proposal.limits, proposal.equity_attos
    lowest_attos, highest_attos = worst_attos(proposal)
    least, most = limits.net_exposure_nanos_min, limits.net_exposure_nanos_max
    too_high = most is not None and highest_attos * NANOS > most * equity_attos
    too_low = least is not None and lowest_attos * NANOS < least * equity_attos
    of_buys = most is not None and proposal.order.side is Side.BUY
    if most is not None and (too_high or (not too_low and (of_buys or least is None))):
        return found_attos(Reason.NET_EXPOSURE, highest_attos, most * equity_attos // NANOS)
    least_attos = -(-(least or 0) * equity_attos // NANOS)
    return found_attos(Reason.NET_EXPOSURE, lowest_attos, least_attos)
