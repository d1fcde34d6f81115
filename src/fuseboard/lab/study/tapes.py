"""Which tapes the study is of, and which of them are crashes: decided before anything was measured.

A day is a crash where the public record calls it one. Calm days were not looked for: of the sample
of 2010 it is the second Wednesday of each month, of the bars of 2019 that of each quarter's first.
"""

from enum import Enum
from typing import Final

from msgspec import Struct


class Kind(Enum):
    """What a tape is in the study. BEFORE counts in no average."""

    CRASH = "crash"
    CALM = "calm"
    BEFORE = "before a crash"


class Grain(Enum):
    """How much of its market a tape has."""

    BOOK = "book"
    TRADES = "trades"
    SAMPLE = "sample"
    SECONDS = "seconds"
    BARS = "bars"
    BANDS = "bands"
    GENERATED = "generated"


class StudyTape(Struct, frozen=True, kw_only=True):
    """One tape of the study: `name` is what `fuseboard lab run --tape` takes, hours included."""

    name: str
    kind: Kind
    grain: Grain
    recorded: bool = True


def _recorded(kind: Kind, grain: Grain, *names: str) -> tuple[StudyTape, ...]:
    return tuple(StudyTape(name=name, kind=kind, grain=grain) for name in names)


def _generated(kind: Kind, *names: str) -> tuple[StudyTape, ...]:
    return tuple(
        StudyTape(name=name, kind=kind, grain=Grain.GENERATED, recorded=False) for name in names
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
    *_generated(Kind.CRASH, "flash-crash", "depth-collapse-2010", "open-2015"),
    *_generated(Kind.CALM, "normal", "recovery", "depth-calm", "open-calm"),
)
LEFT_OUT: Final = {
    "daily-stocks, daily-sp500, daily-sp500-ohlcv, daily-nasdaq-ohlcv, lean-spy-daily": (
        "four prices a day show no fall within half an hour; and the gate keeps time through"
        " every hour of a tape, a month of days takes minutes"
    ),
    "daily-vix": "an index that nobody can hold",
    "spy-5min": "all three years in one tape: eight of its days are in the study",
}
"""Tapes of the data that the study does not play, and why."""
