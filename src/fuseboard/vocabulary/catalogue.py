"""The measures: every name that a condition of a policy may use, with its unit, source and age.

One table, `CATALOGUE`; `docs/measures.md` is drawn from it. A measure that is missing, warming up
or older than its maximum is no number: a condition over it is unknown, which denies new risk and
alerts, and never flattens or kills.
"""

from enum import Enum

from msgspec import Struct

from fuseboard.vocabulary.money import NANOS

_SECOND_NS = 1_000_000_000
_MINUTE_NS = 60 * _SECOND_NS
_DAY_NS = 24 * 60 * _MINUTE_NS


class Unit(Enum):
    """What a measure's integer counts; `SCALE` says how many of it make one."""

    MONEY = "money"
    PRICE = "price"
    QUANTITY = "quantity"
    FRACTION = "fraction"
    COUNT = "count"
    DURATION = "duration"
    SCORE = "score"


SCALE: dict[Unit, int] = {
    Unit.MONEY: NANOS,
    Unit.PRICE: NANOS,
    Unit.QUANTITY: NANOS,
    Unit.FRACTION: NANOS,
    Unit.COUNT: 1,
    Unit.DURATION: _SECOND_NS,
    Unit.SCORE: NANOS,
}
"""How many of a unit's integers make one: nanos of a dollar, a share, a whole or a point; one of a
count; nanoseconds of a second."""


class Place(Enum):
    """Where a measure has a value."""

    ORDER = "order"
    STATE = "state"


ACCOUNT_ONLY = ("account",)
WITH_STRATEGIES = ("account", "strategy")
EVERY_SCOPE = ("account", "strategy", "symbol")


class Measure(Struct, frozen=True, kw_only=True):
    """One name of the condition language."""

    name: str
    unit: Unit
    about: str
    source: str
    """Which inputs feed it, in words."""
    place: Place = Place.STATE
    """`ORDER`: only the checks of an order know it. `STATE`: known everywhere."""
    warm_up: str = "none"
    """What must have been seen before it is a number, in words."""
    age_ns_max: int | None = None
    """Older than this it is no number. None: it cannot age, or `data.validation.max_age` rules."""
    equity: bool = False
    """Derived from marks: a breach over it is confirmed by two marks before it trips anything."""
    scopes: tuple[str, ...] = EVERY_SCOPE
    """The kinds of scope that it is known on: a breaker on another one is refused."""
    good_until: str = ""
    """What must be known before it can be bad: what is missing of our own history counts as good.
    Empty: nothing of the sort."""


COURSES = ("daily_pnl", "weekly_pnl", "monthly_pnl", "drawdown", "rolling_drawdown", "sharpe")
"""Profit and loss since a session: a symbol's in parts of the account's equity at its opening."""
_QUOTES = "QuoteSeen, when validated; never older than `data.validation.max_age`"
_MARKS = "QuoteSeen and TradeSeen of what is held, FillReported, CashMoved"
_FILLS = "FillReported"
_REQUEST = "OrderRequested"
_READ = "AccountSeen"

_OF_AN_ORDER = (
    Measure(
        name="order_price",
        unit=Unit.PRICE,
        about="the order's limit price; without one, the far side of the quote",
        source=f"{_REQUEST}, QuoteSeen",
        place=Place.ORDER,
    ),
    Measure(
        name="order_size",
        unit=Unit.QUANTITY,
        about="the order's quantity",
        source=_REQUEST,
        place=Place.ORDER,
    ),
    Measure(
        name="order_value",
        unit=Unit.MONEY,
        about="quantity times worst price",
        source=f"{_REQUEST}, QuoteSeen",
        place=Place.ORDER,
    ),
    Measure(
        name="price",
        unit=Unit.PRICE,
        about="the symbol's present price: the middle of the last good quote, else the last trade",
        source="QuoteSeen, TradeSeen; never older than `data.validation.max_age`",
        place=Place.ORDER,
        warm_up="one good quote or one trade",
    ),
    Measure(
        name="last_price",
        unit=Unit.PRICE,
        about="the symbol's last trade, else its mark",
        source="TradeSeen, QuoteSeen; never older than `data.validation.max_age`",
        place=Place.ORDER,
        warm_up="one trade or one good quote",
    ),
    Measure(
        name="bid",
        unit=Unit.PRICE,
        about="the bid of the last good quote",
        source=_QUOTES,
        place=Place.ORDER,
        warm_up="one good quote",
    ),
    Measure(
        name="ask",
        unit=Unit.PRICE,
        about="the ask of the last good quote",
        source=_QUOTES,
        place=Place.ORDER,
        warm_up="one good quote",
    ),
    Measure(
        name="spread",
        unit=Unit.FRACTION,
        about="ask less bid, as a fraction of their middle",
        source=_QUOTES,
        place=Place.ORDER,
        warm_up="one good quote",
    ),
    Measure(
        name="quote_size",
        unit=Unit.QUANTITY,
        about="the quantity displayed on the side that the order would trade with",
        source=_QUOTES,
        place=Place.ORDER,
        warm_up="one good quote with sizes",
    ),
    Measure(
        name="avg_daily_volume",
        unit=Unit.QUANTITY,
        about="the symbol's average daily volume",
        source="MeasureReported",
        place=Place.ORDER,
        warm_up="one value",
        age_ns_max=7 * _DAY_NS,
    ),
    Measure(
        name="data_age",
        unit=Unit.DURATION,
        about="time since the symbol's last quote or trade",
        source="QuoteSeen, TradeSeen",
        place=Place.ORDER,
        warm_up="one quote or one trade",
    ),
    Measure(
        name="position_size",
        unit=Unit.QUANTITY,
        about="what the account holds of the symbol now, negative when short",
        source=_FILLS,
        place=Place.ORDER,
    ),
    Measure(
        name="position_value",
        unit=Unit.MONEY,
        about="what the account holds of the symbol now at its mark, negative when short",
        source=_MARKS,
        place=Place.ORDER,
        warm_up="a mark of the symbol when it is held",
        equity=True,
    ),
    Measure(
        name="max_order_value",
        unit=Unit.MONEY,
        about="the policy's limit for the value of one order",
        source="PolicyAdopted",
        place=Place.ORDER,
    ),
    Measure(
        name="max_order_size",
        unit=Unit.QUANTITY,
        about="the policy's limit for the quantity of one order",
        source="PolicyAdopted",
        place=Place.ORDER,
    ),
)
_OF_THE_ACCOUNT = (
    Measure(
        name="equity",
        unit=Unit.MONEY,
        about="cash and positions at their marks",
        source=_MARKS,
        warm_up="a mark of each held symbol",
        equity=True,
        scopes=WITH_STRATEGIES,
    ),
    Measure(
        name="cash",
        unit=Unit.MONEY,
        about="cash, negative when borrowed",
        source="AccountSeen, FillReported, CashMoved",
        scopes=WITH_STRATEGIES,
    ),
    Measure(
        name="buying_power",
        unit=Unit.MONEY,
        about="the broker's buying power, as last read",
        source=_READ,
        age_ns_max=_MINUTE_NS,
        scopes=ACCOUNT_ONLY,
    ),
    Measure(
        name="daily_pnl",
        unit=Unit.FRACTION,
        about="profit since the session opened, as a fraction of its opening equity",
        source=_MARKS,
        warm_up="the session's opening equity",
        equity=True,
    ),
    Measure(
        name="weekly_pnl",
        unit=Unit.FRACTION,
        about="profit since the week's first session opened, as a fraction of its opening equity",
        source=_MARKS,
        warm_up="the week's opening equity",
        equity=True,
    ),
    Measure(
        name="monthly_pnl",
        unit=Unit.FRACTION,
        about="profit since the month's first session opened, as a fraction of its opening equity",
        source=_MARKS,
        warm_up="the month's opening equity",
        equity=True,
    ),
    Measure(
        name="drawdown",
        unit=Unit.FRACTION,
        about="fall of equity from the session's mark, as a fraction of the mark",
        source=_MARKS,
        warm_up="one mark",
        equity=True,
    ),
    Measure(
        name="rolling_drawdown",
        unit=Unit.FRACTION,
        about="fall of equity from its highest in the last 30 sessions, as a fraction of it",
        source=f"{_MARKS}; equity at each session's close",
        warm_up="one mark",
        equity=True,
    ),
    Measure(
        name="gross_exposure",
        unit=Unit.FRACTION,
        about="sum of absolute positions, as a fraction of equity",
        source=_MARKS,
        warm_up="a mark of each held symbol",
        equity=True,
    ),
    Measure(
        name="net_exposure",
        unit=Unit.FRACTION,
        about="long less short positions, as a fraction of equity",
        source=_MARKS,
        warm_up="a mark of each held symbol",
        equity=True,
    ),
    Measure(
        name="leverage",
        unit=Unit.FRACTION,
        about="gross positions and working orders in the worst case, as a fraction of equity",
        source=f"{_MARKS}, {_REQUEST}",
        warm_up="a mark of each held symbol",
        equity=True,
    ),
    Measure(
        name="maintenance_margin",
        unit=Unit.FRACTION,
        about="equity over the broker's maintenance requirement: below 1 the broker liquidates",
        source=_READ,
        warm_up="one read; with nothing required it counts as 1,000,000",
        age_ns_max=_MINUTE_NS,
        equity=True,
        scopes=ACCOUNT_ONLY,
    ),
    Measure(
        name="max_position_divergence",
        unit=Unit.FRACTION,
        about="largest difference between our position and the broker's, of the larger of the two",
        source="PositionsSeen",
        warm_up="one comparison of positions",
        age_ns_max=10 * _MINUTE_NS,
        scopes=ACCOUNT_ONLY,
    ),
)
_OF_TRADING = (
    Measure(
        name="positions",
        unit=Unit.COUNT,
        about="symbols held",
        source=_FILLS,
    ),
    Measure(
        name="working_orders",
        unit=Unit.COUNT,
        about="orders that are not final",
        source="OrderRequested, OrderWorking, OrderEnded, FillReported",
    ),
    Measure(
        name="order_rate",
        unit=Unit.COUNT,
        about="orders asked for in the last second",
        source=_REQUEST,
    ),
    Measure(
        name="messages",
        unit=Unit.COUNT,
        about="orders and cancels asked for in the last second",
        source="OrderRequested, CancelRequested",
        scopes=ACCOUNT_ONLY,
    ),
    Measure(
        name="daily_orders",
        unit=Unit.COUNT,
        about="orders accepted since the session opened",
        source=_REQUEST,
        scopes=ACCOUNT_ONLY,
    ),
    Measure(
        name="reject_rate",
        unit=Unit.FRACTION,
        about="share of the last 100 submits that the broker rejected",
        source="OrderSent, OrderNotSent, OrderEnded",
        warm_up="none: submits that are not there yet count as taken",
        good_until="there are submits; those missing of 100 count as taken",
    ),
    Measure(
        name="error_count_1h",
        unit=Unit.COUNT,
        about="errors in the last hour: rejects, orders in doubt, reads and cancels that failed",
        source="OrderNotSent, OrderUnknown, CancelRefused, LegReadFailed",
    ),
    Measure(
        name="consecutive_losses",
        unit=Unit.COUNT,
        about="closed trades that lost, net of fees, one after the other, of the last 100",
        source=_FILLS,
    ),
    Measure(
        name="fill_quality",
        unit=Unit.SCORE,
        about="average of the last 50 fills: 100 within allowed slippage, else 100 less the bps",
        source=_FILLS,
        warm_up="none: fills that are not there yet count 100",
        good_until="there are fills; those missing of 50 count 100",
    ),
    Measure(
        name="sharpe",
        unit=Unit.SCORE,
        about="annualised Sharpe ratio of the last 252 sessions' returns, no riskless rate",
        source=f"{_MARKS}; equity at each session's close",
        warm_up="none: before 20 returns it counts as 1000",
        good_until="20 returns are known",
    ),
)
_OF_THE_MARKET = (
    Measure(
        name="liquidity_score",
        unit=Unit.SCORE,
        about="0 (nothing to trade with) to 100; beyond a symbol: the lowest of what is held",
        source="QuoteSeen, BookSeen, TradeSeen; MeasureReported, whichever is lower",
        warm_up="one quote, or one value; without a policy that measures it, only what is reported",
        age_ns_max=_MINUTE_NS,
    ),
    Measure(
        name="liquidity_tier",
        unit=Unit.COUNT,
        about="0 NORMAL, 1 CAUTIOUS, 2 DEFENSIVE, 3 EMERGENCY; beyond a symbol: of what is held",
        source="QuoteSeen, BookSeen, TradeSeen",
        warm_up="one quote, under a policy that measures liquidity",
    ),
    Measure(
        name="vix",
        unit=Unit.SCORE,
        about="the CBOE volatility index, in points",
        source="MeasureReported",
        warm_up="one value",
        age_ns_max=4 * _DAY_NS,
    ),
)

CATALOGUE: tuple[Measure, ...] = (
    *_OF_AN_ORDER,
    *_OF_THE_ACCOUNT,
    *_OF_TRADING,
    *_OF_THE_MARKET,
)
MEASURES: dict[str, Measure] = {measure.name: measure for measure in CATALOGUE}
ALIASES: dict[str, str] = {
    "order_quantity": "order_size",
    "mtd_return": "monthly_pnl",
    "max_divergence": "max_position_divergence",
}
"""Other spellings that people use, each with its one canonical name."""
