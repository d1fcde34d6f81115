"""Which tapes the study is of, and which of them are crashes: decided before anything was measured.

A day is a crash where the public record calls it one. Calm days were not looked for: of the sample
of 2010 it is the second Wednesday of each month, of the bars of 2019 that of each quarter's first.

Each record of many days is also played whole: every year of daily prices, every month of the
five-minute bars and of the sample of 2010, each year and month a tape of its own that begins with
the study's cash. These are in no average: four prices a day show no fall within half an hour, a
year is neither a crash nor calm, and a month holds days that count already. Rows of their own in
the table have the years that the public record calls crashes, 2008 and 2020, and 2005, in the
middle of a decade that all records have; and the months of March 2020 and May 2010.
"""

from calendar import monthrange
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
    alone: bool = False
    """Of days on end: whether it has rows of its own beside those of its record."""


def _recorded(kind: Kind, grain: Grain, *names: str) -> tuple[StudyTape, ...]:
    return tuple(StudyTape(name=name, kind=kind, grain=grain) for name in names)


def _years(name: str, first: int, last: int, note: str = "") -> tuple[StudyTape, ...]:
    return tuple(
        StudyTape(
            name=f"{name}@{year}-01-01..{year}-12-31",
            kind=Kind.DAYS,
            grain=Grain.DAILY,
            note=note,
            alone=year in YEARS_ALONE,
        )
        for year in range(first, last + 1)
    )


def _months_of_spy() -> tuple[StudyTape, ...]:
    months = [(year, month) for year in (2018, 2019, 2020) for month in range(1, 13)]
    return tuple(
        StudyTape(
            name=f"spy-5min@{year}-{month:02}-01..{year}-{month:02}-{monthrange(year, month)[1]}",
            kind=Kind.DAYS,
            grain=Grain.BARS,
            alone=(year, month) == (2020, 3),
        )
        for year, month in months
    )


def _months_of_the_sample() -> tuple[StudyTape, ...]:
    return tuple(
        StudyTape(
            name=f"us-equity-2010-{month:02}",
            kind=Kind.DAYS,
            grain=Grain.SAMPLE,
            note=SAMPLED,
            alone=month == 5,
        )
        for month in range(1, 13)
    )


def record_of(name: str) -> str:
    """The record that a year or a month of it is of: `daily-vix` of `daily-vix@2005-01-01..`."""
    record, at, _ = name.partition("@")
    return record if at else name.rpartition("-")[0] or name


def period_of(name: str) -> str:
    """Which year of its record a tape is, or which month: `2005`, `2020-03`."""
    _, at, days = name.partition("@")
    if not at:
        return name[-len("2010-05") :]
    first, _, last = days.partition("..")
    whole = first.endswith("-01-01") and last.endswith("-12-31")
    return first[: len("2005")] if whole else first[: len("2005-01")]


def _generated(kind: Kind, *names: str) -> tuple[StudyTape, ...]:
    return tuple(
        StudyTape(name=name, kind=kind, grain=Grain.GENERATED, recorded=False) for name in names
    )


YEARS_ALONE: Final = (2005, 2008, 2020)
SAMPLED: Final = "AAPL has no rows on 30 of its 252 days, JPM on one: there the others are played"
ADJUSTED: Final = "closes alone, adjusted for what came later"
INDEX: Final = "an index: what is held is its number of points"
VOLATILITY: Final = (
    "an index of volatility that nobody can hold: what its figures say is nothing; the last year"
    " ends in July"
)
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
    *_months_of_the_sample(),
    *_months_of_spy(),
    *_years("daily-stocks", 1990, 2022, ADJUSTED),
    *_years("daily-sp500", 1990, 2022, INDEX),
    *_years("daily-sp500-ohlcv", 1999, 2018, INDEX),
    *_years("daily-nasdaq-ohlcv", 1999, 2018, INDEX),
    *_years("lean-spy-daily", 1998, 2021, "the last year ends in March"),
    *_years("daily-vix", 1990, 2026, VOLATILITY),
    *_generated(Kind.CRASH, "flash-crash", "depth-collapse-2010", "open-2015"),
    *_generated(Kind.CALM, "normal", "recovery", "depth-calm", "open-calm"),
)
LEFT_OUT: Final = {
    "most days of us-equity-2010 and of spy-5min one by one, each with the study's cash": (
        "they are played within their months"
    ),
    "lean-spy-2013-10-07 before 09:30 and after 16:00": "the study is of regular hours",
}
"""What of the data the study does not play, and why."""
