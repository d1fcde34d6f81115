"""What the broker's own latches were before we set them: on disk first, for who lifts them.

One file for the gateway, the guardian and a person's rescue. What it holds is never overwritten:
the first of several settings knew what a person had chosen.
"""

from pathlib import Path

import msgspec

from fuseboard.brokers.alpaca_protection import BrokerLatches
from fuseboard.halts.whole_file import write_atomically


def keep_before(file: Path, before: BrokerLatches) -> None:
    """Write down what was there, unless it is written already. Raises `OSError`."""
    if not file.exists():
        write_atomically(file, msgspec.json.encode(before))


def kept_before(file: Path) -> BrokerLatches | None:
    """What was there before, each False where nothing is known; None: nothing of ours is set.

    Raises `OSError` and `msgspec.MsgspecError`.
    """
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return None
    before = msgspec.json.decode(raw, type=BrokerLatches) if raw else BrokerLatches()
    return BrokerLatches(
        no_shorting=bool(before.no_shorting), suspend_trade=bool(before.suspend_trade)
    )
