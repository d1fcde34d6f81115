"""Liquidity tiers: how much of the other side of a market is there. Tighter is greater."""

from enum import IntEnum


class Tier(IntEnum):
    """The tier of one symbol. A person's halt is a latch of its own, tighter than any of them."""

    NORMAL = 0
    CAUTIOUS = 1
    DEFENSIVE = 2
    EMERGENCY = 3
