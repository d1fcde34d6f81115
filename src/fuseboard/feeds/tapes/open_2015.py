"""`open-2015`: a generated open with delayed stocks and halted funds, as on 24 August 2015.

It is not market data. `open-calm` is an ordinary open of the same symbols, for false alarms.

Sources:
[N] "Equity Market Volatility on August 24, 2015", research note of the SEC's Division of Trading
    and Markets, December 2015: 1,278 pauses by limit-up limit-down in 471 securities, most of them
    exchange-traded products, and funds that traded far under the value of their baskets.
[L] The plan to address extraordinary market volatility (limit-up limit-down) as of that year: bands
    of 5 % of the mean of five minutes for the first tier above 3 dollars, doubled from 9:30 to
    9:45; fifteen seconds at a band pause trading for five minutes.
[D] Daily prices of the day as published, rounded here.
[C] Chosen by us, because the record gives no number, or none that we are sure of.
"""

from datetime import date, time, timedelta

from msgspec import Struct

from fuseboard.feeds.tapes.deep_books import DeepCourse, PriceBands, deep_tape
from fuseboard.feeds.tapes.generated import WHOLE, Points
from fuseboard.feeds.tapes.tape import Session, Tape
from fuseboard.feeds.tapes.times import SECOND_NS, day_ns_of_text, new_york_ns

DAY = date(2015, 8, 24)
_MIDNIGHT_NS = new_york_ns(DAY, time(12)) - timedelta(hours=12).seconds * SECOND_NS


def at(wall: str) -> int:
    """UTC ns of a New York wall time of the day."""
    return _MIDNIGHT_NS + day_ns_of_text(wall)


SESSION = Session(open_ns=at("09:30:00"), close_ns=at("10:15:00"))


class Open(Struct, frozen=True, kw_only=True):
    """The parameters of the day. Levels are in hundredths of a percent of the prior close."""

    quote_gap_ns: int = SECOND_NS // 2
    """[C] a book of each symbol twice a second."""
    index: Points = (
        (at("09:30:00"), 9_480),  # [D] the index fund opens about 5 % down
        (at("09:35:00"), 9_220),  # [D] its low, about 8 % down; the minute is [C]
        (at("09:42:00"), 9_450),  # [C]
        (at("10:00:00"), 9_620),  # [C]
        (at("10:15:00"), 9_680),  # [C]
    )
    fund_own: Points = (
        (at("09:30:00"), 9_900),
        (at("09:31:00"), 9_700),
        (at("09:32:00"), 7_800),
        (at("09:38:00"), 7_700),
        (at("09:39:00"), 6_300),
        (at("09:45:30"), 6_200),
        (at("09:46:30"), 7_700),
        (at("09:53:00"), 7_800),
        (at("09:54:00"), 9_500),
        (at("10:10:00"), 9_950),
    )
    """A fund against its basket, which is the index. [N] far under it; [C] how far and when."""
    other_fund_own: Points = (
        (at("09:30:00"), 9_950),
        (at("09:33:00"), 9_800),
        (at("09:34:00"), 7_900),
        (at("09:43:00"), 7_600),
        (at("09:44:00"), 9_200),
        (at("10:00:00"), 9_900),
    )
    """A second fund, against the same basket. [C]"""
    bands: PriceBands = PriceBands(width=1_000)
    """[L] 5 % doubled; [C] here until the end of the tape."""
    delayed_ns: tuple[int, ...] = (at("09:36:00"), at("09:41:00"))
    """[C] when the delayed stocks open. [N] many opened late."""
    depth: Points = (
        (at("09:30:00"), 800),
        (at("09:35:00"), 300),
        (at("09:45:00"), 1_000),
        (at("10:00:00"), 4_000),
        (at("10:15:00"), 7_000),
    )
    """[C] of a whole book, hundredths of a percent."""
    spread: Points = ((at("09:30:00"), 60), (at("09:40:00"), 40), (at("10:15:00"), 6))
    """[C] of funds and stocks, hundredths of a percent; a tenth of it for the index fund."""
    trades: Points = ((at("09:30:00"), 4_000), (at("10:15:00"), 2_000))
    """[C] thousandths of a print a quote."""
    shares: int = 2_000
    """[C] at a level of a whole book; four times as many for the index fund."""
    noise: Points = ((at("09:30:00"), 800), (at("10:15:00"), 300))
    """[C] the largest step of a price, in hundredths of a hundredth of a percent."""
    calm_spread: Points = ((at("09:30:00"), 12), (at("09:35:00"), 5))
    calm_depth: Points = ((at("09:30:00"), 5_000), (at("09:40:00"), WHOLE))
    calm_trades: Points = ((at("09:30:00"), 3_000), (at("09:50:00"), 1_500))
    """[C] of the ordinary open, in the units above."""


PARAMETERS = Open()
# [D] rounded closes of 21 August 2015 for the index fund; [C] round numbers for the others.
CLOSES = (("SPY", 197_80), ("RSP", 76_00), ("DVY", 75_00), ("JPM", 63_00), ("GE", 25_00))


def open_2015(seed: int) -> Tape:
    """9:30 to 10:15: an index fund, two funds that are paused again and again, two late stocks."""
    return deep_tape(
        name="open-2015",
        describes="a generated open as of 24 August 2015, late and with pauses; no market data",
        courses=courses_of(PARAMETERS),
        session=SESSION,
        quote_gap_ns=PARAMETERS.quote_gap_ns,
        seed=seed,
    )


def open_calm(seed: int) -> Tape:
    """The same hours and symbols at an ordinary open: thin and wide at first, then not."""
    return deep_tape(
        name="open-calm",
        describes="a generated ordinary open of a calm day; no market data",
        courses=calm_courses(PARAMETERS),
        session=SESSION,
        quote_gap_ns=PARAMETERS.quote_gap_ns,
        seed=seed,
    )


def courses_of(day: Open) -> tuple[DeepCourse, ...]:
    """The symbols of the day."""
    late = dict(zip(("JPM", "GE"), day.delayed_ns, strict=True))
    own = {"RSP": day.fund_own, "DVY": day.other_fund_own}
    courses = []
    for symbol, close_cents in CLOSES:
        index_fund = symbol == "SPY"
        spread = tuple((when, each // 10 if index_fund else each) for when, each in day.spread)
        courses.append(
            DeepCourse(
                symbol=symbol,
                prior_close_cents=close_cents,
                start_cents=close_cents,
                shares=day.shares * (4 if index_fund else 1),
                level=day.index,
                own_level=own.get(symbol, ((0, WHOLE),)),
                spread=spread,
                step=tuple((when, each // 4) for when, each in spread),
                depth=day.depth,
                trades=day.trades,
                noise=day.noise,
                opens_ns=late.get(symbol, 0),
                bands=day.bands,
            )
        )
    return tuple(courses)


def calm_courses(day: Open) -> tuple[DeepCourse, ...]:
    """An ordinary open. All [C]."""
    return tuple(
        DeepCourse(
            symbol=symbol,
            prior_close_cents=close_cents,
            start_cents=close_cents,
            shares=day.shares * (4 if symbol == "SPY" else 1),
            level=((SESSION.open_ns, WHOLE),),
            spread=day.calm_spread,
            depth=day.calm_depth,
            trades=day.calm_trades,
            bands=day.bands,
        )
        for symbol, close_cents in CLOSES
    )
