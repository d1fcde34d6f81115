"""A reconstruction of the afternoon of 6 May 2010, drawn through what the public record says.

It is not market data. The points below are taken from the sources named beside them; everything
between the points, the noise, the sizes and the spreads are generated.

Sources:
[R] "Findings regarding the market events of May 6, 2010", staffs of the CFTC and the SEC,
    30 September 2010.
[P] "Preliminary findings regarding the market events of May 6, 2010", staffs of the CFTC and the
    SEC, 18 May 2010.
[K] Kirilenko, Kyle, Samadi, Tuzun: "The Flash Crash: high-frequency trading in an electronic
    market", Journal of Finance 72 (2017).
[D] Daily prices of the day as published (open, high, low, close), rounded here.
[C] Chosen by us, because the record gives no number; the reason stands beside it.
"""

from datetime import date, time, timedelta

from fuseboard.feeds.tapes.generated import WHOLE, Course, Points, generated_tape
from fuseboard.feeds.tapes.tape import Session, Tape
from fuseboard.feeds.tapes.times import SECOND_NS, day_ns_of_text, new_york_ns

DAY = date(2010, 5, 6)
_MIDNIGHT_NS = new_york_ns(DAY, time(12)) - timedelta(hours=12).seconds * SECOND_NS


def at(wall: str) -> int:
    """UTC ns of a New York wall time of the day."""
    return _MIDNIGHT_NS + day_ns_of_text(wall)


SESSION = Session(open_ns=at("14:25:00"), close_ns=at("15:10:00"))
QUOTE_GAP_NS = SECOND_NS  # [C] fine enough for every time below, small enough to replay quickly

# The index, in hundredths of a percent of its level at 14:30.
INDEX: Points = (
    (at("14:25:00"), 10_010),
    (at("14:32:00"), 10_000),  # [R] the large sell program of 75,000 E-mini contracts begins
    (at("14:41:00"), 9_820),  # [R] cross-checked with the next two points and a 9-10 % day's low
    (at("14:44:00"), 9_525),  # [R] down 3 % in the minutes from 14:41 to 14:44
    (
        at("14:45:28"),
        9_310,
    ),  # [R] down more than 5 % since 14:41, when stop logic paused the E-mini
    (at("14:45:33"), 9_310),  # [R] the pause lasts five seconds
    (at("14:46:30"), 9_420),  # [R] prices stabilise and begin to recover
    (at("14:50:00"), 9_640),  # [C] a point on the way up
    (at("15:00:00"), 9_850),  # [R] by 15:00 most securities trade near their earlier values
    (at("15:08:00"), 9_970),  # [K] by 15:08 the E-mini is almost back at its level before the fall
)

# Stocks that lost their own liquidity ([R]: the second crisis, in individual stocks, from about
# 14:45), as a factor on the index.
APPLE_OWN: Points = (
    (at("14:45:00"), WHOLE),
    (at("14:47:00"), 8_701),  # [D] the day's low of 199.25, about 16 % below the price at 14:40
    (at("14:47:20"), 9_100),
    (at("14:52:00"), 9_850),
    (at("15:00:00"), WHOLE),  # [R] trades at irrational prices end by about 15:00
)
PROCTER_OWN: Points = (
    (at("14:45:00"), WHOLE),
    (at("14:47:00"), 6_850),  # [P] down to 39.37 at about 14:47
    (at("14:48:30"), 9_600),
    (at("15:00:00"), WHOLE),
)

# Depth in round lots. [R]: buy-side depth of the E-mini fell below 1 % of the morning's; for
# single stocks we draw 5 % [C], as the record gives no one number.
DEPTH: Points = (
    (at("14:32:00"), 40),
    (at("14:41:00"), 12),
    (at("14:45:00"), 2),
    (at("14:48:00"), 2),
    (at("15:00:00"), 20),
    (at("15:08:00"), 40),
)

# The whole spread in hundredths of a percent. [C]: a few for stocks that stayed liquid; several
# hundred at the worst for the two that did not, the order of magnitude of published quotes.
SPREAD_LIQUID: Points = (
    (at("14:32:00"), 2),
    (at("14:45:28"), 15),
    (at("14:50:00"), 8),
    (at("15:05:00"), 3),
)
SPREAD_ILLIQUID: Points = (
    (at("14:32:00"), 5),
    (at("14:44:00"), 15),
    (at("14:45:30"), 110),
    (at("14:47:00"), 360),
    (at("14:48:30"), 90),
    (at("14:55:00"), 25),
    (at("15:05:00"), 5),
)
NOISE: Points = (
    (at("14:32:00"), 300),
    (at("14:45:00"), 1_500),
    (at("14:50:00"), 1_200),
    (at("15:05:00"), 400),
)


def _with_the_index(symbol: str, *, prior_close_cents: int, start_cents: int) -> Course:
    """A stock that falls with the index only. [D] rounded levels; [C] no low of its own."""
    return Course(
        symbol=symbol,
        prior_close_cents=prior_close_cents,
        start_cents=start_cents,
        level=INDEX,
        spread=SPREAD_LIQUID,
        depth=DEPTH,
        noise=NOISE,
    )


COURSES: tuple[Course, ...] = (
    Course(
        symbol="AAPL",
        prior_close_cents=256_00,  # [D] rounded
        start_cents=242_00,  # [C] so that 199.25 is about 16 % below the level of 14:40
        level=INDEX,
        own_level=APPLE_OWN,
        spread=SPREAD_ILLIQUID,
        depth=DEPTH,
        noise=NOISE,
        floor_cents=199_25,  # [D]
        floor_ns=at("14:47:00"),
    ),
    _with_the_index("IBM", prior_close_cents=127_00, start_cents=124_00),
    _with_the_index("JPM", prior_close_cents=43_00, start_cents=42_00),
    _with_the_index("MSFT", prior_close_cents=30_00, start_cents=29_00),
    Course(
        symbol="PG",
        prior_close_cents=62_00,  # [D] rounded
        start_cents=61_00,  # [D] rounded
        level=INDEX,
        own_level=PROCTER_OWN,
        spread=SPREAD_ILLIQUID,
        depth=DEPTH,
        noise=NOISE,
        floor_cents=39_37,  # [P]
        floor_ns=at("14:47:00"),
        # [R] stub quotes of a cent or less and of up to 100,000 dollars were met by market orders.
        stubs=(at("14:45:40"), at("14:48:00")),
    ),
    _with_the_index("XOM", prior_close_cents=66_00, start_cents=64_00),
)


def flash_crash(seed: int) -> Tape:
    """14:25 to 15:10 of the reconstruction, six stocks, a quote a second each."""
    return generated_tape(
        name="flash-crash",
        describes="a reconstruction of 6 May 2010, drawn through points of the public record",
        courses=COURSES,
        session=SESSION,
        quote_gap_ns=QUOTE_GAP_NS,
        seed=seed,
    )
