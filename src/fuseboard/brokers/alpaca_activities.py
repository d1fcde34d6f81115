"""Alpaca's account activities: executions told a second time, apart from the order stream.

`GET /v2/account/activities/FILL`, oldest first and page by page from the id that was read last; the
id of an activity is the page token.
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import msgspec

from fuseboard.brokers.alpaca_session import AlpacaSession, is_absent, raise_if_throttled
from fuseboard.vocabulary.copy_inputs import EXECUTIONS_MAX, Execution, ExecutionsSeen
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.orders import Side
from fuseboard.wire.alpaca_errors import read_error
from fuseboard.wire.alpaca_values import (
    decoded_json,
    nanos_of_number,
    nanos_rounded,
    ns_from_rfc3339,
)
from fuseboard.wire.http_client import HttpAnswer

PATH: Final = "/v2/account/activities/FILL"
PAGE_MAX: Final = 100
"""Alpaca gives no larger one."""
PAGES_MAX: Final = EXECUTIONS_MAX // PAGE_MAX
_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL}
_TEXTS: Final = ("id", "order_id", "symbol", "side", "transaction_time")


async def read_executions(
    session: AlpacaSession, after: str | None, spelled: Callable[[str], str]
) -> ExecutionsSeen:
    """The executions after an id, at most `EXECUTIONS_MAX`; the newest page when it is None.

    Raises `BrokerUnavailable` and `Throttled`.
    """
    found: list[Execution] = []
    newest = after or ""
    for _ in range(PAGES_MAX):
        target = f"{PATH}?page_size={PAGE_MAX}&direction={'desc' if after is None else 'asc'}"
        target += f"&page_token={quote(newest, safe='')}" if newest else ""
        answer = await session.fetch("GET", target)
        raise_if_throttled(answer)
        problem = _problem(answer, after)
        if problem:
            return ExecutionsSeen(after=after, newest="", problem=problem)
        page = [_execution(entry, spelled) for entry in _entries(answer)]
        found += reversed(page) if after is None else page
        newest = found[-1].execution if found else newest
        if len(page) < PAGE_MAX or after is None:
            return ExecutionsSeen(after=after, newest=newest, executions=tuple(found))
    return ExecutionsSeen(after=after, newest=newest, executions=tuple(found), more=True)


def _problem(answer: HttpAnswer, after: str | None) -> str:
    """Why there is nothing to read, by what the broker answered; raises `BrokerUnavailable`."""
    if is_absent(answer):
        return "absent"
    if after and answer.status in (400, 422):
        return "lost"
    if answer.status != 200:
        error = read_error(answer.body)
        raise BrokerUnavailable(f"{PATH}: {answer.status} {error.message}")
    return ""


def _entries(answer: HttpAnswer) -> list[object]:
    try:
        entries = decoded_json(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise BrokerUnavailable(f"the activities are not JSON: {wrong}") from wrong
    if not isinstance(entries, list) or len(entries) > PAGE_MAX:
        raise BrokerUnavailable("the activities are not a page of them")
    return entries


def _execution(entry: object, spelled: Callable[[str], str]) -> Execution:
    """One entry. Raises `BrokerUnavailable`: what cannot be read must not be passed over."""
    texts = [entry.get(name) for name in _TEXTS] if isinstance(entry, dict) else []
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise BrokerUnavailable(f"an activity lacks its id, order, symbol, side or time: {texts}")
    assert isinstance(entry, dict)
    activity, order_id, symbol, side, at = (str(text) for text in texts)
    if side not in _SIDES:
        raise BrokerUnavailable(f"the activity {activity[:80]} has no clear side")
    try:
        return Execution(
            execution=activity,
            broker_order_id=order_id,
            symbol=spelled(symbol),
            side=_SIDES[side],
            quantity_nanos=_some(nanos_of_number(entry.get("qty"))),
            price_nanos=nanos_rounded(entry.get("price")),
            filled_quantity_nanos=nanos_of_number(entry.get("cum_qty")),
            event_ns=ns_from_rfc3339(at),
        )
    except ValueError as wrong:
        raise BrokerUnavailable(f"the activity {activity[:80]}: {wrong}") from wrong


def _some(quantity_nanos: int) -> int:
    """A quantity that is one; raises `ValueError`."""
    if quantity_nanos <= 0:
        raise ValueError("no quantity")
    return quantity_nanos
