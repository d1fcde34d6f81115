"""Imbalance: which side of what is shown is larger. Reported, and no part of the score."""

from fuseboard.vocabulary.money import NANOS


def imbalance_nanos(bid_nanos: int, ask_nanos: int) -> int:
    """From -1 (only asks) to 1 (only bids) in nano-units, towards zero; 0 without sizes."""
    both = bid_nanos + ask_nanos
    if both <= 0:
        return 0
    magnitude = abs(bid_nanos - ask_nanos) * NANOS // both
    return magnitude if bid_nanos >= ask_nanos else -magnitude
