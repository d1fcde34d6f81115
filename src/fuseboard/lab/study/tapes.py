"""Which tapes the study is of, and which of them are crashes: decided before anything was measured.

A day is a crash where the public record calls it one. Calm days were not looked for: of the sample
of 2010 it is the second Wednesday of each month, of the bars of 2019 that of each quarter's first.

Of daily prices whole years are played, wherever a record has them: 2008 and 2020, which the public
record calls crashes, and 2005, the year in the middle of a decade that all of them have. Of the
five-minute bars, beside single days, the month of March 2020. These are in no average: four prices
a day show no fall within half an hour, a year is neither a crash nor calm, and the month holds days
that count already.
"""

from enum import Enum
from typing import Final

from msgspec import Struct


class Kind(Enum):
    """What a tape is in the study. BEFORE and DAYS, many days on end, count in no average."""

    CRASH = "crash"
    CALM = "calm"
    BEFORE = "before a crash"
    DAYS = "days on end"


class Grain(Enum):
    """How much of its market a tape has."""

    BOOK = "book"
    TRADES = "trades"
    SAMPLE = "sample"
    SECONDS = "seconds"
    BARS = "bars"
    DAILY = "daily"
    BANDS = "bands"
    GENERATED = "generated"


class StudyTape(Struct, frozen=True, kw_only=True):
    """One tape of the study: `name` is what `fuseboard lab run --tape` takes, hours included."""

    name: str
    kind: Kind
    grain: Grain
    recorded: bool = True
    note: str = ""
    """What whoever reads its figures has to know."""


def _recorded(kind: Kind, grain: Grain, *names: str) -> tuple[StudyTape, ...]:
    return tuple(StudyTape(name=name, kind=kind, grain=grain) for name in names)


def _years(name: str, *years: int, note: str = "") -> tuple[StudyTape, ...]:
    return tuple(
        StudyTape(
            name=f"{name}@{year}-01-01..{year}-12-31",
            kind=Kind.DAYS,
            grain=Grain.DAILY,
            note=note,
        )
        for year in years
    )


def _generated(kind: Kind, *names: str) -> tuple[StudyTape, ...]:
    return tuple(
        StudyTape(name=name, kind=kind, grain=Grain.GENERATED, recorded=False) for name in names
    )


ADJUSTED: Final = "closes alone, adjusted for what came later"
INDEX: Final = "an index: what is held is its number of points"
VOLATILITY: Final = "an index of volatility that nobody can hold: what its figures say is nothing"
SECOND_WEDNESDAYS_2010: Final = (
    *("01-13", "02-10", "03-10", "04-14", "05-12", "06-09"),
    *("07-14", "08-11", "09-08", "10-13", "11-10", "12-08"),
)
TAPES: Final = (
    *_recorded(Kind.CRASH, Grain.SAMPLE, "us-equity-2010-05-06"),
    *_recorded(
        Kind.CRASH,
        Grain.TRADES,
        "crypto-2025-10-10:ATOMUSD_PERP",
        "crypto-2025-10-10:DOGE-USD",
        "crypto-2025-10-10:BTCUSD",
    ),
    *_recorded(
        Kind.CRASH,
        Grain.BARS,
        "btcusd-perp-1min-2025-10-10",
        "spy-5min-2020-03-09",
        "spy-5min-2020-03-12",
        "spy-5min-2020-03-16",
        "spy-5min-2020-03-18",
    ),
    *_recorded(Kind.BEFORE, Grain.BANDS, "depth-bands-btcusdt-2025-10-10"),
    *_recorded(Kind.CALM, Grain.BOOK, "lobster-amzn-2012-06-21", "binance-btcusdt-2024-08-08"),
    *_recorded(Kind.CALM, Grain.TRADES, "crypto-2025-10-04:BTCUSDC"),
    *_recorded(Kind.CALM, Grain.SECONDS, "lean-spy-2013-10-07@09:30-16:00"),
    *_recorded(
        Kind.CALM, Grain.SAMPLE, *(f"us-equity-2010-{day}" for day in SECOND_WEDNESDAYS_2010)
    ),
    *_recorded(
        Kind.CALM,
        Grain.BARS,
        "btcusd-perp-1min-2025-10-09",
        "spy-5min-2019-01-09",
        "spy-5min-2019-04-10",
        "spy-5min-2019-07-10",
        "spy-5min-2019-10-09",
    ),
    *_recorded(Kind.DAYS, Grain.BARS, "spy-5min@2020-03-01..2020-03-31"),
    *_years("daily-stocks", 2005, 2008, 2020, note=ADJUSTED),
    *_years("daily-sp500", 2005, 2008, 2020, note=INDEX),
    *_years("daily-sp500-ohlcv", 2005, 2008, note=INDEX),
    *_years("daily-nasdaq-ohlcv", 2005, 2008, note=INDEX),
    *_years("lean-spy-daily", 2005, 2008, 2020),
    *_years("daily-vix", 2005, 2008, 2020, note=VOLATILITY),
    *_generated(Kind.CRASH, "flash-crash", "depth-collapse-2010", "open-2015"),
    *_generated(Kind.CALM, "normal", "recovery", "depth-calm", "open-calm"),
)
LEFT_OUT: Final = {
    "the other years of daily-stocks, daily-sp500, daily-sp500-ohlcv, daily-nasdaq-ohlcv,"
    " lean-spy-daily and daily-vix": (
        "a year takes some seconds with the gate, all 165 with four strategies most of an hour; no"
        " record reaches back to 19 October 1987"
    ),
    "the rest of spy-5min": (
        "three years of five-minute bars take half an hour; March 2020 and eight days are played"
    ),
}
"""What of the data the study does not play, and why."""
