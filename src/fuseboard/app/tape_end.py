"""Tells people that the simulated exchange has played its tape to the end.

Its last quotes stay and grow old: from then on orders that open are denied for the want of a quote,
under a posture that is OPEN.
"""

import asyncio
import http.client
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

LOOK_S: Final = 5.0
ANSWER_S_MAX: Final = 2.0


class _Market(Struct):
    """What of `GET /sim/state` matters here."""

    tape: str
    tape_ended: bool


async def tell_tape_end(
    base_url: str, tell: Callable[[str], None], *, look_s: float = LOOK_S
) -> None:
    """Look every `look_s` seconds whether the tape has ended, and tell it once.

    An exchange that does not answer is asked again: that it is away is told elsewhere.
    """
    while True:
        market = await asyncio.to_thread(_market, base_url)
        if market is not None and market.tape_ended:
            break
        await asyncio.sleep(look_s)
    tell(
        f"the tape {market.tape} has ended: its market moves no more, and orders that open are"
        " denied as its last quotes grow old (quote_missing). For another one stop this gateway,"
        " end the exchange with the `kill` that the start said, and run with --tape"
    )


def _market(base_url: str) -> _Market | None:
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=ANSWER_S_MAX)
    try:
        connection.request("GET", "/sim/state")
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            return None
        return msgspec.json.decode(answer.read(), type=_Market)
    except (OSError, http.client.HTTPException, msgspec.MsgspecError):
        return None
    finally:
        connection.close()
