"""`depth-collapse-2010`: a generated book of several levels that collapses as on 6 May 2010.

It is not market data. No public tape has the levels of that day; here are some that thin as the
record says, lose a side, and come back. `depth-calm` is the same market on a day on which nothing
of that happens, for false alarms.

Sources, as in `flash_crash_2010.py`, whose index is taken over:
[R] "Findings regarding the market events of May 6, 2010", staffs of the CFTC and the SEC,
    30 September 2010.
[C] Chosen by us, because the record gives no number, or none of single stocks' levels.
"""

from msgspec import Struct

from fuseboard.feeds.tapes.deep_books import DeepCourse, deep_tape
from fuseboard.feeds.tapes.flash_crash_2010 import INDEX, SESSION, at
from fuseboard.feeds.tapes.generated import WHOLE, Points
from fuseboard.feeds.tapes.tape import Tape
from fuseboard.feeds.tapes.times import SECOND_NS

_HUNDREDTH = WHOLE // 100


class Collapse(Struct, frozen=True, kw_only=True):
    """The parameters of the day. Paths of depth are in hundredths of a percent of a whole book."""

    quote_gap_ns: int = SECOND_NS // 2
    """[C] a book of each symbol twice a second: the monitor's ten seconds hold twenty."""
    depth: Points = (
        (at("14:32:00"), WHOLE),  # [R] the large sell program begins
        (at("14:41:00"), 3_500),  # [C] a point on the way down
        (at("14:45:28"), _HUNDREDTH),  # [R] the E-mini's buy side: less than 1 % of the morning's
        (at("14:45:33"), _HUNDREDTH),  # [R] its pause of five seconds
        (at("14:48:30"), 400),  # [C]
        (at("15:00:00"), 6_000),  # [R] most securities trade near their values again; size [C]
        (at("15:10:00"), 8_000),  # [C]
    )
    """Of the index fund, and of each stock before its own crisis."""
    spread: Points = (
        (at("14:32:00"), 2),
        (at("14:44:00"), 12),
        (at("14:45:28"), 60),
        (at("14:50:00"), 25),
        (at("15:05:00"), 3),
    )
    """[C] hundredths of a percent; of the index fund, and three times as much for stocks."""
    step: Points = (
        (at("14:32:00"), 1),
        (at("14:45:28"), 40),
        (at("15:05:00"), 1),
    )
    """[C] between two levels, hundredths of a percent."""
    trades: Points = (
        (at("14:32:00"), 1_500),
        (at("14:45:00"), 6_000),  # [R] volume rose as prices fell; how far is [C]
        (at("15:05:00"), 2_000),
    )
    """Thousandths of a print a quote."""
    bids_gone_ns: int = at("14:47:30")
    """[C] the stock that is hit worst has no bid from then on but stubs; the record has such trades
    from about 14:45 to 15:00."""
    stub: tuple[int, int] = (at("14:47:40"), at("14:48:10"))
    """[R] trades were executed at a cent or less; [C] when, and for how long."""
    bids_back_ns: int = at("14:49:30")
    """[C] its bid side is as deep as its ask side again."""
    fund_shares: int = 8_000
    stock_shares: int = 1_500
    """[C] a level of a whole book."""
    worst_own: Points = (
        (at("14:45:00"), WHOLE),
        (at("14:47:30"), 7_500),
        (at("14:48:10"), 7_000),
        (at("14:50:00"), 9_700),
        (at("15:00:00"), WHOLE),
    )
    other_own: Points = (
        (at("14:45:00"), WHOLE),
        (at("14:47:00"), 8_800),
        (at("14:52:00"), 9_850),
        (at("15:00:00"), WHOLE),
    )
    """A stock against the index, in hundredths of a percent. [R] many fell far more than the index
    in the minutes after 14:45, and most were back by 15:00; [C] how far these did."""
    noise: Points = (
        (at("14:32:00"), 200),
        (at("14:45:00"), 1_200),
        (at("15:05:00"), 300),
    )
    """[C] the largest step of a price, in hundredths of a hundredth of a percent."""
    calm_depth: int = 8_000
    """[C] of a whole book: every other five minutes of the calm day."""
    calm_lull: tuple[int, int] = (at("14:42:00"), at("14:52:00"))
    """[C] when a third as much is traded on the calm day."""


PARAMETERS = Collapse()
FLAT: Points = ((0, WHOLE),)
RAMP_NS = 120 * SECOND_NS


def depth_collapse_2010(seed: int) -> Tape:
    """14:25 to 15:10: an index fund and three stocks, ten levels a side."""
    return deep_tape(
        name="depth-collapse-2010",
        describes="a generated book of ten levels that collapses as on 6 May 2010; no market data",
        courses=courses_of(PARAMETERS),
        session=SESSION,
        quote_gap_ns=PARAMETERS.quote_gap_ns,
        seed=seed,
    )


def depth_calm(seed: int) -> Tape:
    """The same hours and symbols on a quiet day, with a lull of ten minutes in the trading."""
    return deep_tape(
        name="depth-calm",
        describes="a generated book of ten levels on a calm day with a lull; no market data",
        courses=calm_courses(PARAMETERS),
        session=SESSION,
        quote_gap_ns=PARAMETERS.quote_gap_ns,
        seed=seed,
    )


def courses_of(day: Collapse) -> tuple[DeepCourse, ...]:
    """The symbols of the collapse. Prices are those of `flash_crash_2010.py`, or rounded [C]."""
    gone: Points = (
        (day.bids_gone_ns - 60 * SECOND_NS, WHOLE),
        (day.bids_gone_ns, 0),
        (day.stub[1], 0),
        (day.bids_back_ns, WHOLE),
    )
    wide = tuple((when, 3 * spread) for when, spread in day.spread)

    def stock(symbol: str, cents: int, own: Points, bid_depth: Points = FLAT) -> DeepCourse:
        return DeepCourse(
            symbol=symbol,
            prior_close_cents=cents,
            start_cents=cents,
            shares=day.stock_shares,
            level=INDEX,
            own_level=own,
            spread=wide,
            step=day.step,
            depth=day.depth,
            bid_depth=bid_depth,
            stub=None if bid_depth is FLAT else day.stub,
            trades=day.trades,
            noise=day.noise,
        )

    fund = DeepCourse(
        symbol="SPY",
        prior_close_cents=116_00,
        start_cents=115_00,
        shares=day.fund_shares,
        level=INDEX,
        spread=day.spread,
        step=day.step,
        depth=day.depth,
        trades=day.trades,
        noise=day.noise,
    )
    return (
        fund,
        stock("AAPL", 242_00, day.other_own),
        stock("ACN", 41_00, day.worst_own, gone),
        stock("PG", 61_00, day.other_own),
    )


def calm_courses(day: Collapse) -> tuple[DeepCourse, ...]:
    """The symbols on a calm day: sizes breathe, trading has a lull, nothing else. All [C]."""
    depth: Points = tuple(
        (SESSION.open_ns + minute * 60 * SECOND_NS, day.calm_depth if minute // 5 % 2 else WHOLE)
        for minute in range(0, 46, 5)
    )
    lull: Points = (
        (day.calm_lull[0] - RAMP_NS, day.trades[0][1]),
        (day.calm_lull[0], day.trades[0][1] // 3),
        (day.calm_lull[1], day.trades[0][1] // 3),
        (day.calm_lull[1] + RAMP_NS, day.trades[0][1]),
    )
    prices = (("SPY", 115_00), ("AAPL", 242_00), ("ACN", 41_00), ("PG", 61_00))
    return tuple(
        DeepCourse(
            symbol=symbol,
            prior_close_cents=cents,
            start_cents=cents,
            shares=day.fund_shares if symbol == "SPY" else day.stock_shares,
            level=FLAT,
            spread=((0, day.spread[0][1] * (1 if symbol == "SPY" else 3)),),
            depth=depth,
            trades=lull,
        )
        for symbol, cents in prices
    )
