"""What an exchange and whoever starts it share: the keys, and a life until it can be found.

Until whoever started an exchange has written down where it is, it dies with its starter.
"""

import asyncio
import os

DEFAULT_KEY_PAIRS = {"SIMULATED": "simulated"}
"""What opens a simulated account when nobody names key pairs."""
FOUND_WORD = b"found\n"
"""What the starter writes into the pipe once the exchange can be found again without it."""


async def starter_died(pipe: int) -> None:
    """Return when the starter's end of the pipe closed without its word; else wait for ever."""
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()

    def readable() -> None:
        loop.remove_reader(pipe)
        if not os.read(pipe, len(FOUND_WORD)):
            closed.set()

    loop.add_reader(pipe, readable)
    try:
        await closed.wait()
    finally:
        loop.remove_reader(pipe)
        os.close(pipe)
