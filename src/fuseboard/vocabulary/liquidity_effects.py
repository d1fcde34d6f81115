"""Effects that tell of liquidity: evidence of tiers, and of what they made of orders."""

from fuseboard.vocabulary.act import Act
from fuseboard.vocabulary.orders import OrderType


class RecordTier(Act, frozen=True, tag=True):
    """Evidence that the liquidity tier of a symbol changed, by which score and what was not known.

    Scores are basis points of the scale; `score` is the one that the tier follows.
    """

    symbol: str
    before: str
    after: str
    score: int
    plain_score: int
    calibrated_score: int
    spread_nanos: int = 0
    """As a fraction of the middle, rounded up; with the next two as of the last usable book."""
    imbalance_nanos: int = 0
    """-1 only asks, 1 only bids."""
    volatility_nanos: int = 0
    """Realised in the last minute, as a fraction."""
    absent: tuple[str, ...] = ()
    """Components of the score that are not known."""
    policy: str = ""


class RecordLiquidity(Act, frozen=True, tag=True):
    """How liquid a symbol was since this was told last: once a minute, and when its tier changes.

    `score_ns` is the sum of its scores, in basis points of the scale, each times how long it held.
    """

    symbol: str
    tier: str
    """Its tier in that time, but for `silent_ns` of it."""
    after: str
    """Its tier from now on."""
    since_wall_ns: int
    """Since when."""
    score: int
    span_ns: int = 0
    """How long it was heard."""
    silent_ns: int = 0
    """How long it was silent: EMERGENCY, and a score of 0."""
    score_ns: int = 0
    silent: bool = False
    """Whether it is silent now: EMERGENCY, whatever its gauge says."""


class RecordExit(Act, frozen=True, tag=True):
    """Evidence of what one close of a plan takes, of what is open and of what is shown.

    `shown_nanos` is the size of the top levels on the side taken, `participation_nanos` the part of
    it that may be taken, with what earlier tries added. `uncapped` says why nothing caps it.
    """

    trip: str
    symbol: str
    attempt: int
    tier: str
    open_nanos: int
    quantity_nanos: int
    shown_nanos: int = 0
    participation_nanos: int = 0
    uncapped: str = ""


class RecordShaping(Act, frozen=True, tag=True):
    """Evidence that an order is sent otherwise than it was asked for, by its symbol's tier."""

    order_id: str
    strategy: str
    symbol: str
    tier: str
    asked_quantity_nanos: int
    quantity_nanos: int
    asked_type: OrderType
    order_type: OrderType
    asked_limit_nanos: int | None = None
    limit_price_nanos: int | None = None
