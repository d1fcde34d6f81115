"""What the broker's own latches were before we set them: on disk first, for who lifts them.

One file for the gateway and the guardian. What it holds is never overwritten: the first of several
settings knew what a person had chosen.
"""

import msgspec

from fuseboard.brokers.alpaca_protection import BrokerLatches
from fuseboard.guardian.orders import Place
from fuseboard.halts.whole_file import write_atomically


def keep_before(place: Place, before: BrokerLatches) -> None:
    """Write down what was there, unless it is written already. Raises `OSError`."""
    if not place.latches_file.exists():
        write_atomically(place.latches_file, msgspec.json.encode(before))


def kept_before(place: Place) -> BrokerLatches | None:
    """What was there before, each False where nothing is known; None: nothing of ours is set.

    Raises `OSError` and `msgspec.MsgspecError`.
    """
    try:
        raw = place.latches_file.read_bytes()
    except FileNotFoundError:
        return None
    before = msgspec.json.decode(raw, type=BrokerLatches) if raw else BrokerLatches()
    return BrokerLatches(
        no_shorting=bool(before.no_shorting), suspend_trade=bool(before.suspend_trade)
    )
