"""Some days out of a record of years: read once, and kept.

The days before them are read for what they leave: the last print of each symbol. A trial passes
over its tape several times; of a record of decades it would read all that lies before them anew.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from msgspec import structs

from fuseboard.feeds.tapes.tape import Session, Tape, TapeEvent, TapeTrade

KEPT_EVENTS_MAX: Final = 200_000
"""Of more days than have so many events none is kept: each pass reads them anew."""


def days_kept(tape: Tape, days: Session) -> Tape:
    """The part of a tape inside these days, its prior close what they came after.

    Raises `TapeUnreadable` for what the record says until their end and should not.
    """
    last = dict(tape.prior_close_nanos)

    def watched() -> Iterator[TapeEvent]:
        for event in tape.read():
            if event.at_ns < days.open_ns and isinstance(event, TapeTrade):
                last[event.symbol] = event.price_nanos
            yield event

    events = list(islice(structs.replace(tape, read=watched).between(days).read(), _ENOUGH))
    cut = structs.replace(tape.between(days), prior_close_nanos=last)
    return cut if len(events) == _ENOUGH else structs.replace(cut, read=lambda: iter(events))


_ENOUGH: Final = KEPT_EVENTS_MAX + 1
