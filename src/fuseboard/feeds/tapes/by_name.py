"""Finds a tape by what a person types: `tapes_known` lists it, `fuseboard tape list` shows it.

Generated tapes have a name. Recorded ones are read from the folder in FUSEBOARD_DATA, which the
product does not ship, or from any file as `FORMAT:PATH`. To add a format: a module with a `FAMILY`,
and a line below. Any of them may end in `@14:30-15:10`, only these hours of the first day, New York
time for shares and UTC for crypto, or in `@2008-09-01..2009-03-31`, only these days.

Every tape is checked while it is read: `checked.py`.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, time, tzinfo
from pathlib import Path
from typing import Final

from fuseboard.feeds.tapes import (
    agg_trades,
    binance_depth,
    crypto_trades,
    daily_prices,
    depth_bands,
    depth_collapse,
    generated,
    lobster,
    mark_klines,
    open_2015,
    quantconnect,
    spy_5min,
    us_equity_nbbo,
)
from fuseboard.feeds.tapes.checked import checked
from fuseboard.feeds.tapes.days import days_kept
from fuseboard.feeds.tapes.families import TapeFamily, TapeName
from fuseboard.feeds.tapes.flash_crash_2010 import flash_crash
from fuseboard.feeds.tapes.tape import Session, Tape, TapeKind, TapeUnreadable
from fuseboard.feeds.tapes.times import NEW_YORK, day_of_text, utc_ns

GENERATED: dict[str, Callable[[int], Tape]] = {
    "flash-crash": flash_crash,
    "normal": generated.normal,
    "recovery": generated.recovery,
    "depth-collapse-2010": depth_collapse.depth_collapse_2010,
    "depth-calm": depth_collapse.depth_calm,
    "open-2015": open_2015.open_2015,
    "open-calm": open_2015.open_calm,
}
FAMILIES: Final[tuple[TapeFamily, ...]] = (
    us_equity_nbbo.FAMILY,
    crypto_trades.FAMILY,
    lobster.FAMILY,
    binance_depth.FAMILY,
    spy_5min.FAMILY,
    mark_klines.FAMILY,
    daily_prices.FAMILY,
    quantconnect.FAMILY,
    agg_trades.FAMILY,
    depth_bands.FAMILY,
)


def tape_by_name(name: str, seed: int = 1) -> Tape:
    """The tape of a name or path, its events checked. Raises `TapeUnreadable` with what to do."""
    source, at_sign, part = name.rpartition("@")
    if not at_sign or "/" in part:
        return checked(_whole_tape(name, seed))
    tape = checked(_whole_tape(source, seed))
    hours = _part(part, tape)
    return tape.between(hours) if ".." not in part else days_kept(tape, hours)


def tapes_known() -> list[tuple[TapeName, bool]]:
    """Every name that can be typed, and whether its data is here."""
    folder = data_folder()
    made = [
        (TapeName(name=name, says=make(1).describes, file=""), True)
        for name, make in GENERATED.items()
    ]
    recorded = [each for family in FAMILIES for each in family.names]
    return made + [(each, (folder / each.file).is_file()) for each in recorded]


def data_folder() -> Path:
    """Where recorded tapes are: FUSEBOARD_DATA, else `../shared/data` of the current folder."""
    return Path(os.environ.get("FUSEBOARD_DATA") or "../shared/data")


def _whole_tape(name: str, seed: int) -> Tape:
    if name in GENERATED:
        return GENERATED[name](seed)
    for family in FAMILIES:
        try:
            tape = family.tape(name, data_folder())
        except TapeUnreadable:
            raise
        except ValueError as error:  # a day that is none
            raise TapeUnreadable(str(error)) from error
        if tape is not None:
            return tape
    names = ", ".join([*GENERATED, *(each.name for f in FAMILIES for each in f.names)])
    paths = ", ".join(f"{family.path} ({family.reads})" for family in FAMILIES)
    raise TapeUnreadable(
        f"{name!r} is no tape: use one of {names} (`fuseboard tape list` says what each is);"
        f" or a file: {paths}"
    )


def _part(text: str, tape: Tape) -> Session:
    """`14:30-15:10` on the tape's first day, or `2008-09-01..2009-03-31`, in its people's zone."""
    zone = NEW_YORK if tape.kind is TapeKind.US_EQUITY else UTC
    if ".." in text:
        return _days(text, zone)
    day = datetime.fromtimestamp(tape.session.open_ns // 1_000_000_000, tz=zone).date()
    opens, _, closes = text.partition("-")
    try:
        both = [
            utc_ns(datetime.combine(day, time.fromisoformat(part), tzinfo=zone))
            for part in (opens, closes)
        ]
    except ValueError as error:
        raise TapeUnreadable(
            f"{text!r} is not a pair of times such as 14:30-15:10, nor of days such as"
            " 2008-09-01..2009-03-31"
        ) from error
    if both[1] <= both[0]:
        raise TapeUnreadable(f"{text!r} does not end after it begins")
    return Session(open_ns=both[0], close_ns=both[1])


def _days(text: str, zone: tzinfo) -> Session:
    first, _, last = text.partition("..")
    try:
        opens = datetime.combine(day_of_text(first), time(0), tzinfo=zone)
        closes = datetime.combine(day_of_text(last), time(23, 59, 59, 999_999), tzinfo=zone)
    except ValueError as error:
        raise TapeUnreadable(
            f"{text!r} is not a pair of days such as 2008-09-01..2009-03-31: {error}"
        ) from error
    if closes < opens:
        raise TapeUnreadable(f"{text!r} ends before it begins")
    return Session(open_ns=utc_ns(opens), close_ns=utc_ns(closes))
