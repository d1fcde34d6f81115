"""Rules for market data and for the outside world: what is good enough, how orders are worked."""

from msgspec import Struct

from fuseboard.policy.limits import MINUTE_NS, PERCENT_NANOS, SECOND_NS


class DataRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which quotes are good enough to price by."""

    spread_nanos_max: int = 1 * PERCENT_NANOS
    jump_nanos_max: int = 10 * PERCENT_NANOS
    """A mark that moves further than this in one step waits for a second one that agrees."""
    quote_age_ns_max: int = 2 * MINUTE_NS
    arrival_ns_max: int = 1 * SECOND_NS
    """A quote that took longer than this from its exchange to us prices nothing."""
    heartbeat_ns_max: int = 5 * SECOND_NS
    """A feed that says nothing at all for longer than this is dead, and everything is stale."""
    stale_action: str = "deny"
    """`deny` new risk in a stale symbol; `reduce_only` for the whole account; `halt` it."""
    assets_min: int = 0
    """How many of the watched symbols must have good quotes."""
    missing_action: str = "deny"
    price_check_action: str = "exclude"
    price_change_deviations: int | None = None
    """A price change of more than so many standard deviations is an anomaly, in nanos."""
    volume_spike_nanos: int | None = None
    """A trade volume of more than so many times the average is an anomaly, in nanos."""
    gap_ns_max: int | None = None
    """A silence of a symbol longer than this is reported as a gap."""
    equity_jump_nanos_max: int = 1 * PERCENT_NANOS
    """Largest unexplained difference between our equity and the broker's, of the broker's."""


class ExecutionRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How protective orders are worked and how often the broker may be asked."""

    requests_a_minute: int = 200
    protected_share_nanos: int = 25 * PERCENT_NANOS
    """The share of the request budget that only protection may use."""
    cancel_wait_ns: int = 2 * SECOND_NS
    close_collar_nanos: int = 1 * PERCENT_NANOS
    """How far beyond the quote the first close may trade; what takes nothing doubles it."""
    close_collar_nanos_max: int = 10 * PERCENT_NANOS
    """How far beyond the quote any close may trade, unless its first may trade further."""
    close_wait_ns: int = 2 * SECOND_NS
    close_attempts_max: int = 6
    """How many closes in a row may go wrong, the market aside, until what is left is left."""
    close_within_ns: int = 30 * MINUTE_NS
    """For so long a liquidation asks the market again for what it does not take."""
    absent_after_ns: int = 5 * SECOND_NS
    """How long "not found" counts as still on its way to the broker."""
    order_timeout_ns: int | None = None
    """How long a strategy's order may work until it is cancelled; stops wait for their price."""
    slippage_nanos_max: int = 10 * PERCENT_NANOS // 100
    """A fill worse than expected by more than this counts against the quality of fills."""


class ReconciliationRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How our books are compared with the broker's, and what a difference does."""

    scheduled: bool = True
    """At a start, after a lost stream and after a trip they are compared whatever this says."""
    every_ns: int = 30 * SECOND_NS
    at: tuple[str, ...] = ()
    """Times of day (`HH:MM`) at which they are compared as well, in the time zone of the session's
    calendar.
    """
    tolerance_nanos: int = 0
    """How far a position may differ, as a share of the larger side."""
    cash_tolerance_nanos: int | None = None
    """How far cash may differ in 24 hours and be taken for fees; `equity_jump_nanos_max` bounds
    it.
    """
    mismatch_action: str = "halt"
    """`notify` people; `reduce_only` while it differs; `halt` the account until a reset."""
    foreign_orders: str = "leave"
    """What is done to orders that were not placed through the gateway: `leave` them uncounted,
    `cancel` or `adopt` them.
    """
    auto_correct: bool = False
    """Whether our book takes the broker's positions by itself; else a person's reset does."""
