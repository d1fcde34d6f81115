"""`fuseboard tape ...`: which tapes there are, and what is wrong with one."""

import argparse
from typing import Final

from fuseboard.control.render import table
from fuseboard.control.saying import say, say_json
from fuseboard.feeds.tapes.by_name import data_folder, tape_by_name, tapes_known
from fuseboard.feeds.tapes.checked import findings_of, shown_span, shown_time
from fuseboard.feeds.tapes.findings import FindingKind, TapeChecked
from fuseboard.feeds.tapes.tape import Tape
from fuseboard.vocabulary.money import text_from_nanos

SYMBOLS_SHOWN_MAX: Final = 8
KINDS: Final = {
    FindingKind.LATE: "late, put in their place",
    FindingKind.CROSSED: "crossed quotes",
    FindingKind.LOCKED: "locked quotes",
    FindingKind.ONE_SIDED: "quotes without a side",
    FindingKind.JUMP: "prints far from the last",
    FindingKind.BEYOND_QUOTE: "prints beyond the quote",
    FindingKind.GAP: "silence",
    FindingKind.OUTSIDE: "outside the hours",
    FindingKind.LEFT_OUT: "left out",
    FindingKind.DISAGREES: "disagrees",
}


def command_tape(options: argparse.Namespace) -> int:
    """One act on tapes. Raises `TapeUnreadable`."""
    return {"list": _list, "check": _check}[options.act](options)


def _list(options: argparse.Namespace) -> int:
    known = tapes_known()
    if options.json:
        say_json([{"name": n.name, "says": n.says, "here": here} for n, here in known])
        return 0
    rows = [(name.name, name.says if here else f"{name.says} (not here)") for name, here in known]
    say(table(("name", "what it is"), rows))
    if not all(here for _, here in known):
        say(f"recorded tapes are read from {data_folder()}: set FUSEBOARD_DATA to where they are")
    return 0


def _check(options: argparse.Namespace) -> int:
    tape = tape_by_name(options.tape, options.seed)
    found = findings_of(tape)
    if options.json:
        say_json({"tape": tape.name, "describes": tape.describes, "checked": found})
        return 0
    say(f"{tape.name}: {tape.describes}")
    for name, text in _told(tape, found):
        say(f"  {name:<12} {text}")
    if not found.findings:
        say("nothing found")
        return 0
    rows = [
        (KINDS[each.kind], str(each.count), str(each.first_row or "-"),
         shown_time(each.first_at_ns), each.first_says)
        for each in found.findings
    ]  # fmt: skip
    say(table(("found", "count", "line", "first at (UTC)", "first"), rows, numbers=(1, 2)))
    return 0


def _told(tape: Tape, found: TapeChecked) -> list[tuple[str, str]]:
    """What the tape declares, and what was read."""
    cadence, session = tape.cadence, tape.session
    how = "sampled: events are missing by construction" if cadence.sampled else "every event"
    typical, largest = shown_span(cadence.typical_gap_ns), shown_span(cadence.largest_gap_ns)
    closes = ", ".join(
        f"{symbol} {text_from_nanos(close)}"
        for symbol, close in list(tape.prior_close_nanos.items())[:SYMBOLS_SHOWN_MAX]
    )
    symbols = ", ".join(tape.symbols[:SYMBOLS_SHOWN_MAX])
    more = len(tape.symbols) - SYMBOLS_SHOWN_MAX
    return [
        ("symbols", symbols + (f" and {more} more" if more > 0 else "")),
        ("hours", f"{shown_time(session.open_ns)} to {shown_time(session.close_ns)} UTC"),
        ("cadence", f"typically {typical}, at most {largest}; {how}"),
        ("prior close", closes or "not in the record"),
        ("read", f"{found.quotes:,} quotes, {found.trades:,} trades, {found.halts:,} halts"),
    ]
