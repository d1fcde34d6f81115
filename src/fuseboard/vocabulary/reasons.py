"""Reason codes: why an order was denied, not sent, or a scope was halted. Stable, for machines.

A code is part of the product's interface: it may be added, never renamed. `docs/vocabulary.md`
lists each with its sentence.
"""

from enum import Enum


class Reason(Enum):
    """The value is the code that clients and the journal see; `SENTENCES` says it in words."""

    ALLOWED = "allowed"
    KEY_UNKNOWN = "key_unknown"
    STRATEGY_UNKNOWN = "strategy_unknown"
    MALFORMED = "malformed"
    NUMBER_REFUSED = "number_refused"
    UNSUPPORTED = "unsupported"
    CLIENT_ORDER_ID_REUSED = "client_order_id_reused"
    INTAKE_FULL = "intake_full"
    THROTTLED = "throttled"
    SYMBOL_UNKNOWN = "symbol_unknown"
    SYMBOLS_FULL = "symbols_full"
    NOT_RECONCILED = "not_reconciled"
    POSTURE_REDUCE_ONLY = "posture_reduce_only"
    POSTURE_HALTED = "posture_halted"
    POSTURE_KILLED = "posture_killed"
    NOT_A_REDUCTION = "not_a_reduction"
    ORDER_RATE = "order_rate"
    MESSAGE_RATE = "message_rate"
    DAILY_ORDERS = "daily_orders"
    WORKING_ORDERS_FULL = "working_orders_full"
    RESTRICTED = "restricted"
    NOT_PERMITTED = "not_permitted"
    TICK = "tick"
    LOT = "lot"
    QUOTE_MISSING = "quote_missing"
    PRICE_COLLAR = "price_collar"
    PRICE_FLOOR = "price_floor"
    ORDER_QUANTITY = "order_quantity"
    ORDER_VALUE = "order_value"
    LIQUIDITY = "liquidity"
    LIQUIDITY_TIER = "liquidity_tier"
    LIQUIDITY_SPREAD = "liquidity_spread"
    DUPLICATE = "duplicate"
    SESSION_CLOSED = "session_closed"
    SELF_MATCH = "self_match"
    OPPOSITE_STRATEGY = "opposite_strategy"
    MAX_POSITION = "max_position"
    SECTOR = "sector"
    POSITIONS = "positions"
    GROSS_EXPOSURE = "gross_exposure"
    NET_EXPOSURE = "net_exposure"
    LEVERAGE = "leverage"
    BUYING_POWER = "buying_power"
    MAINTENANCE_MARGIN = "maintenance_margin"
    CUSTOM_CHECK = "custom_check"
    UNKNOWN_VALUE = "unknown_value"
    ORDER_UNKNOWN = "order_unknown"
    ORDER_NOT_CANCELABLE = "order_not_cancelable"
    ORDER_NOT_REPLACEABLE = "order_not_replaceable"
    # Why a replacement that was accepted is not sent.
    REPLACED_ENDED = "replaced_ended"
    REPLACED_TOO_LATE = "replaced_too_late"
    # Why a decided order's bytes did not leave, or left without effect.
    HALT_EPOCH = "halt_epoch"
    ANNIHILATED = "annihilated"
    RATE_LIMITED = "rate_limited"
    REDUCTION_UNANSWERED = "reduction_unanswered"
    BROKER_REJECTED = "broker_rejected"
    BROKER_UNREACHABLE = "broker_unreachable"
    NEVER_ARRIVED = "never_arrived"
    OUTCOME_LATE = "outcome_late"
    # What the market did to a limit, without an order.
    LIMIT_NEAR = "limit_near"
    LIMIT_PASSED = "limit_passed"
    # What is odd about market data.
    PRICE_ANOMALY = "price_anomaly"
    VOLUME_ANOMALY = "volume_anomaly"
    DATA_GAP = "data_gap"
    # Why a scope halts or tightens.
    TRADING_HALTED = "trading_halted"
    FEED_DEAD = "feed_dead"
    DATA_STALE = "data_stale"
    DATA_MISSING = "data_missing"
    UNVALUED = "unvalued"
    SPLIT = "split"
    DIVIDEND = "dividend"
    DRAWDOWN = "drawdown"
    DRAWDOWN_UNCONFIRMED = "drawdown_unconfirmed"
    EQUITY_JUMP = "equity_jump"
    BREAKER = "breaker"
    BREAKER_UNKNOWN = "breaker_unknown"
    CLOCKS_DISAGREE = "clocks_disagree"
    SESSION_ROLLED = "session_rolled"
    POSITION_MISMATCH = "position_mismatch"
    DISCREPANCY = "discrepancy"
    COMPARISON_LATE = "comparison_late"
    FOREIGN_ORDER = "foreign_order"
    OPERATOR = "operator"
    INTRUDER = "intruder"
    REGISTER_UNREADABLE = "register_unreadable"
    REGISTER_LATCHED = "register_latched"
    RESTORED = "restored"
    REGISTER_ROLLED_BACK = "register_rolled_back"
    JOURNAL_ROLLED_BACK = "journal_rolled_back"
    HISTORY_DAMAGED = "history_damaged"
    JOURNAL_DAMAGED = "journal_damaged"
    JOURNAL_HANGS = "journal_hangs"
    RECOVERY = "recovery"
    NODE_FAULT = "node_fault"
    GUARDIAN = "guardian"
    GUARDIAN_MISSING = "guardian_missing"
    DRAINING = "draining"
    RESETS_EXHAUSTED = "resets_exhausted"
    TRIPS_EXHAUSTED = "trips_exhausted"
    REPEATED_EXECUTIONS = "repeated_executions"
    STRATEGY_LOST = "strategy_lost"
    DYNAMIC_LIMIT = "dynamic_limit"
    POLICY = "policy"
    ALERTS_LATE = "alerts_late"
    BACKUP = "backup"
    DRILL = "drill"


SENTENCES: dict[Reason, str] = {
    Reason.ALLOWED: "every check that applies passed",
    Reason.KEY_UNKNOWN: "the key pair is not one of this gateway's",
    Reason.STRATEGY_UNKNOWN: "the policy does not name this strategy",
    Reason.MALFORMED: "the request could not be understood",
    Reason.NUMBER_REFUSED: "a number is not a plain finite decimal",
    Reason.UNSUPPORTED: "this kind of order or asset is not supported by the gateway",
    Reason.CLIENT_ORDER_ID_REUSED: "this client order id belongs to a different order",
    Reason.INTAKE_FULL: "the gateway has more requests waiting than it accepts",
    Reason.THROTTLED: "the strategy is denied so often that the gateway denies the rest itself",
    Reason.SYMBOL_UNKNOWN: "the broker knows no such symbol",
    Reason.SYMBOLS_FULL: "the strategy names more new or unknown symbols than the gateway accepts",
    Reason.NOT_RECONCILED: "the gateway has not finished comparing its books with the broker",
    Reason.POSTURE_REDUCE_ONLY: "trading is reduce-only: the order would raise exposure",
    Reason.POSTURE_HALTED: "trading is halted",
    Reason.POSTURE_KILLED: "trading is killed",
    Reason.NOT_A_REDUCTION: "it says that it closes a position, and it would open or grow one",
    Reason.ORDER_RATE: "too many orders in the rate window",
    Reason.MESSAGE_RATE: "too many messages in the rate window",
    Reason.DAILY_ORDERS: "too many orders in this session",
    Reason.WORKING_ORDERS_FULL: "too many orders are working",
    Reason.RESTRICTED: "the symbol is on the restricted list: it may only be reduced",
    Reason.NOT_PERMITTED: "the policy does not let this strategy trade the symbol",
    Reason.TICK: "the price is not a multiple of the tick",
    Reason.LOT: "a short sale is of whole shares",
    Reason.QUOTE_MISSING: "no valid quote is known for the symbol",
    Reason.PRICE_COLLAR: "the price is too far from the quote",
    Reason.PRICE_FLOOR: "the symbol trades, or would be bought, under the price floor",
    Reason.ORDER_QUANTITY: "the quantity is above the limit for one order",
    Reason.ORDER_VALUE: "the value is above the limit for one order",
    Reason.LIQUIDITY: (
        "the quantity is too large a part of the average daily volume, or that is unknown"
    ),
    Reason.LIQUIDITY_TIER: (
        "liquidity is too low, or not known, for an order of this kind in the symbol"
    ),
    Reason.LIQUIDITY_SPREAD: "the spread is wider than the symbol's liquidity tier allows",
    Reason.DUPLICATE: "an order like it was accepted a moment ago",
    Reason.SESSION_CLOSED: "the session that the order is for is closed",
    Reason.SELF_MATCH: "it would trade against a working order of the same account",
    Reason.OPPOSITE_STRATEGY: "another strategy holds the opposite side of the symbol",
    Reason.MAX_POSITION: "the position would be above its limit, working orders counted",
    Reason.SECTOR: "the sector would be above its limit, or the symbol has none",
    Reason.POSITIONS: "too many symbols would be held, working orders counted",
    Reason.GROSS_EXPOSURE: "gross exposure would be above its limit, working orders counted",
    Reason.NET_EXPOSURE: "net exposure would be outside its limits, working orders counted",
    Reason.LEVERAGE: "leverage would be above its limit, working orders counted",
    Reason.BUYING_POWER: "buying power is too small, working orders counted",
    Reason.MAINTENANCE_MARGIN: (
        "too little equity would be left for the exposure, working orders counted"
    ),
    Reason.CUSTOM_CHECK: "a check of the policy does not hold",
    Reason.UNKNOWN_VALUE: "a check of the policy cannot be judged: a value is missing or too old",
    Reason.ORDER_UNKNOWN: "no such order of this strategy",
    Reason.ORDER_NOT_CANCELABLE: "the order is already final",
    Reason.ORDER_NOT_REPLACEABLE: "the order cannot be replaced as it now is",
    Reason.REPLACED_ENDED: "the order to be replaced filled or ended before it was cancelled",
    Reason.REPLACED_TOO_LATE: "the order to be replaced took too long to become final",
    Reason.HALT_EPOCH: "a halt came between the decision and the send",
    Reason.ANNIHILATED: "cancelled before it was sent",
    Reason.RATE_LIMITED: "the broker's request limit was reached",
    Reason.REDUCTION_UNANSWERED: (
        "an earlier order that reduces the position was not answered in time"
    ),
    Reason.BROKER_REJECTED: "the broker rejected it",
    Reason.BROKER_UNREACHABLE: "the broker could not be reached",
    Reason.NEVER_ARRIVED: "the broker does not know the order",
    Reason.OUTCOME_LATE: "what became of an order that was in doubt, or had been given up",
    Reason.LIMIT_NEAR: "what is held or done has come near a limit",
    Reason.LIMIT_PASSED: "what is held has passed a limit by price alone: only reductions pass",
    Reason.PRICE_ANOMALY: "a price moved by more standard deviations than the policy allows",
    Reason.VOLUME_ANOMALY: "a trade was many times larger than usual",
    Reason.DATA_GAP: "a symbol was silent for long",
    Reason.TRADING_HALTED: "the exchange has halted trading: only reductions and cancels pass",
    Reason.FEED_DEAD: "the market data feed is silent: nothing can be priced",
    Reason.DATA_STALE: "the quotes of something that is held are too old",
    Reason.DATA_MISSING: "too few of the watched symbols have good quotes",
    Reason.SPLIT: "what is held was split: quantity and price changed, its worth did not",
    Reason.DIVIDEND: "a dividend is said, paid, or was not: what is owed of it counts as equity",
    Reason.UNVALUED: "what is held has no good price, and the broker does not tell its worth",
    Reason.DRAWDOWN: "the drawdown limit was reached",
    Reason.DRAWDOWN_UNCONFIRMED: "a drawdown breach was neither confirmed nor withdrawn in time",
    Reason.EQUITY_JUMP: "equity moved without an explanation",
    Reason.BREAKER: "a circuit breaker's condition holds",
    Reason.BREAKER_UNKNOWN: "a circuit breaker's condition cannot be judged: a value is missing",
    Reason.CLOCKS_DISAGREE: "the broker's clock differs from ours, or agrees to no new session",
    Reason.SESSION_ROLLED: "a new session began",
    Reason.POSITION_MISMATCH: "the broker's positions differ from ours",
    Reason.DISCREPANCY: "the broker's record of orders or fills differs from ours",
    Reason.COMPARISON_LATE: "the books could not be compared with the broker's for too long",
    Reason.FOREIGN_ORDER: "an order with our prefix is not in our book: a twin or a rollback",
    Reason.OPERATOR: "an operator asked for it",
    Reason.INTRUDER: "a process of a strategy used the operators' socket",
    Reason.REGISTER_UNREADABLE: "the halts register is absent or unreadable",
    Reason.REGISTER_LATCHED: "the halts register holds a halt",
    Reason.RESTORED: "the state was restored from a backup",
    Reason.REGISTER_ROLLED_BACK: "the halts register is older than what is known of it",
    Reason.JOURNAL_ROLLED_BACK: "the journal is older than the halts register",
    Reason.HISTORY_DAMAGED: "the history of the halts register is not what was written",
    Reason.JOURNAL_DAMAGED: "the journal cannot be read: what was decided is not known",
    Reason.JOURNAL_HANGS: "the journal's disk takes nothing: nothing new leaves before it does",
    Reason.RECOVERY: "what the recovery after a kill found",
    Reason.NODE_FAULT: "the node found a fault in itself",
    Reason.GUARDIAN: "the guardian found the gateway dead, stopped or hung and took over",
    Reason.GUARDIAN_MISSING: "no guardian watches the gateway",
    Reason.DRAINING: "the gateway is stopping in order: only cancels pass",
    Reason.RESETS_EXHAUSTED: "too many resets in 24 hours",
    Reason.TRIPS_EXHAUSTED: "too many trips in 24 hours",
    Reason.REPEATED_EXECUTIONS: (
        "too many executions of one symbol and side: a person re-arms the strategy"
    ),
    Reason.STRATEGY_LOST: "a strategy is gone: its orders are cancelled until it is back",
    Reason.DYNAMIC_LIMIT: "a dynamic limit began or ceased to hold",
    Reason.POLICY: "the policy in force changed, or a change of it was refused",
    Reason.ALERTS_LATE: "a door takes alerts later than five seconds after what they tell",
    Reason.BACKUP: "a backup of the state failed or is late",
    Reason.DRILL: "a drill tests the alerts; nothing happened",
}
