"""Every bound of the door, named."""

from msgspec import Struct


class GatewayLimits(Struct, frozen=True, kw_only=True):
    """Waits are seconds, for asyncio; everything else is a count or nanoseconds."""

    answer_wait_s: float = 5.0
    """How long a caller waits for the kernel's answer before the order is shown as pending."""
    watch_wait_s: float = 2.0
    """How long a first order in a new symbol waits for its quote."""
    settle_wait_s: float = 3.0
    """How long closing with `cancel_orders` waits for the cancels to become final."""
    read_wait_s: float = 6.0
    """How long a read passed to the broker may take."""
    orders_waiting_max: int = 1_024
    cancels_waiting_max: int = 1_024
    late_orders_max: int = 4_096
    """Orders answered as pending whose real answer is still awaited."""
    repeats_max: int = 4_096
    repeat_window_ns: int = 10_000_000_000
    closed_orders_max: int = 5_000
    """Closed orders that one strategy can still read."""
    symbols_max: int = 2_000
    """Symbols watched, priced, or known by their asset."""
    symbols_of_a_strategy_max: int = 500
    """Symbols that one strategy may bring in, in the life of the process."""
    unknown_symbols_a_minute_max: int = 10
    """Symbols unknown to the broker that one strategy may ask about in a minute."""
    denials_a_second_max: int = 50
    """Denials by the kernel that one strategy may cause; the door denies what goes beyond."""
    denials_note_every_ns: int = 60_000_000_000
    door_denials_note_every_s: float = 1.0
    """How often the door's own denials are noted, for each strategy and reason."""
    equity_minutes_max: int = 10_080
    """Minutes whose equity is kept for portfolio histories: a week."""
    watchlist_changes_a_minute_max: int = 120
    """Changes of one strategy: each is a file replaced and synced."""
    reads_waiting_max: int = 32
    reads_cached_max: int = 1_024
    trading_reads_a_minute_max: int = 60
    """Assets, clock and calendar: they cost the same request budget that protection needs."""
    data_reads_a_minute_max: int = 150
    trade_sessions_max: int = 256
    data_sessions_max: int = 256
    sessions_of_a_key_max: int = 8
    authorization_wait_s: float = 10.0
    killed_pause_s: float = 1.0
    """How long a killed strategy waits for the refusal of a stream, so that it does not storm."""
    stream_symbols_max: int = 1_000
    """Symbols that one data session may subscribe to."""
