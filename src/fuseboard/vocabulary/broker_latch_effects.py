"""Effects for latches that the broker itself keeps: they hold though nothing of ours runs."""

from fuseboard.vocabulary.act import Act


class LatchBroker(Act, frozen=True, tag=True):
    """Set the broker's own latches where it has them (Alpaca's configuration); None: as it is.

    True tightens, and is undone by a person's reset; False takes back only what we had set, so that
    a close is not refused. Nothing waits for it, and closes go first. `again`: a start repeats what
    an earlier run asked for, so that what the broker has of it already is ours.
    """

    no_shorting: bool | None = None
    suspend_trade: bool | None = None
    again: bool = False
