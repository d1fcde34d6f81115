"""Cash dividends as Alpaca announces them: corporate actions of its market data.

`GET /v1/corporate-actions`, page by page. Its interval is of process dates, the days on which cash
moves, so what is announced ahead is asked for up to half a year on. Dates are New York's.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec

from fuseboard.brokers.alpaca_session import AlpacaSession, raise_if_throttled
from fuseboard.vocabulary.dividend_facts import Announced, DividendsSeen
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.money import NANOS
from fuseboard.wire.alpaca_errors import read_error
from fuseboard.wire.alpaca_values import decoded_json, nanos_rounded

PATH: Final = "/v1/corporate-actions"
ZONE: Final = ZoneInfo("America/New_York")
OPENS: Final = time(9, 30)
DAYS_AHEAD: Final = 180
SYMBOLS_MAX: Final = 50
"""Asked for at once."""
PAGE_MAX: Final = 1_000
PAGES_MAX: Final = 10
RATE_NANOS_MAX: Final = 1_000_000 * NANOS
YEAR_MIN: Final = 1970
YEAR_MAX: Final = 2200
_REFUSED: Final = (400, 401, 403, 404, 422)


class _Unreadable(Exception):
    """What the broker answered makes no announcements, in words."""


async def read_dividends(
    session: AlpacaSession, symbols: Sequence[str], wall_ns: int
) -> DividendsSeen:
    """What is announced of these symbols, or why the broker does not say it (a plan without it, an
    answer that makes no sense). Raises `BrokerUnavailable` and `Throttled`.
    """
    shares = [symbol for symbol in symbols if "/" not in symbol]  # pairs of crypto pay none
    found: dict[str, Announced] = {}
    try:
        for first in range(0, len(shares), SYMBOLS_MAX):
            entries = await _entries(session, shares[first : first + SYMBOLS_MAX], wall_ns)
            for entry in entries.values():
                one = _announced(entry)
                key = f"{one.symbol} {one.ex_date}"
                found[key] = _both(found[key], one) if key in found else one
    except _Unreadable as wrong:
        return DividendsSeen(symbols=tuple(symbols), problem=str(wrong))
    return DividendsSeen(symbols=tuple(symbols), dividends=tuple(found.values()))


async def _entries(
    session: AlpacaSession, symbols: Sequence[str], wall_ns: int
) -> dict[str, dict[str, object]]:
    """The announcements of all pages, by their ids."""
    today = datetime.fromtimestamp(wall_ns // NANOS, UTC).astimezone(ZONE).date()
    base = f"{PATH}?symbols={quote(','.join(symbols))}&types=cash_dividend&limit={PAGE_MAX}"
    base += f"&start={today}&end={today + timedelta(days=DAYS_AHEAD)}"
    found: dict[str, dict[str, object]] = {}
    token = ""
    for _ in range(PAGES_MAX):
        page = await _page(
            session, base + (f"&page_token={quote(token, safe='')}" if token else "")
        )
        actions = page.get("corporate_actions")
        listed = actions.get("cash_dividends", []) if isinstance(actions, dict) else None
        if not isinstance(listed, list):
            raise _Unreadable("the announcements of dividends are not a list of them")
        for entry in listed:
            if not isinstance(entry, dict):
                raise _Unreadable("an announcement of a dividend is no object")
            found[str(entry.get("id") or len(found))] = entry
        following = page.get("next_page_token")
        if not following:
            return found
        token = str(following)
    raise _Unreadable(f"the announcements of dividends have more than {PAGES_MAX} pages")


async def _page(session: AlpacaSession, target: str) -> dict[str, object]:
    answer = await session.fetch("GET", target)
    raise_if_throttled(answer)
    if answer.status != 200:
        said = f"{PATH}: {answer.status} {read_error(answer.body).message}"
        if answer.status in _REFUSED:
            raise _Unreadable(f"the broker does not tell dividends: {said}")
        raise BrokerUnavailable(said)
    try:
        page = decoded_json(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise _Unreadable(f"the announcements of dividends are not JSON: {wrong}") from wrong
    if not isinstance(page, dict):
        raise _Unreadable("the announcements of dividends are no object")
    return page


def _announced(entry: dict[str, object]) -> Announced:
    symbol = entry.get("symbol")
    try:
        rate_nanos = nanos_rounded(entry.get("rate"))
        ex = date.fromisoformat(str(entry.get("ex_date")))
        payable = date.fromisoformat(str(entry.get("payable_date") or entry.get("process_date")))
    except ValueError as wrong:
        raise _Unreadable(f"the dividend announced of {str(symbol)[:20]}: {wrong}") from wrong
    if not isinstance(symbol, str) or not symbol or not 0 < rate_nanos <= RATE_NANOS_MAX:
        raise _Unreadable("a dividend is announced without a symbol or a rate")
    if not all(YEAR_MIN <= day.year <= YEAR_MAX for day in (ex, payable)):
        raise _Unreadable(f"the dividend announced of {symbol[:20]} is of no year of these days")
    return Announced(
        symbol=symbol,
        ex_date=ex.isoformat(),
        rate_nanos=rate_nanos,
        ex_ns=_wall_ns(ex, time(0)),
        open_ns=_wall_ns(ex, OPENS),
        payable_ns=_wall_ns(payable, time(0)),
    )


def _both(one: Announced, other: Announced) -> Announced:
    """A regular and a special dividend with the same ex-date are one."""
    return msgspec.structs.replace(
        one,
        rate_nanos=one.rate_nanos + other.rate_nanos,
        payable_ns=max(one.payable_ns, other.payable_ns),
    )


def _wall_ns(day: date, at: time) -> int:
    return int(datetime.combine(day, at, tzinfo=ZONE).timestamp()) * NANOS
