"""Cash dividends of a simulated market: announced from the start, paid in cash when payable.

Who holds when the ex-date begins is paid on the payable date, and a short position pays. That the
price falls is the tape's business.
"""

from collections.abc import Callable, Sequence
from datetime import date, time

from msgspec import Struct

from fuseboard.exchange.calendar import new_york_time
from fuseboard.feeds.tapes.times import new_york_ns
from fuseboard.vocabulary.money import NANOS, NumberRefused, nanos_from_text, text_from_nanos
from fuseboard.wire import alpaca
from fuseboard.wire.alpaca_values import number

CORPORATE_ACTIONS = "/v1/corporate-actions"
PAGE_MAX = 1_000
SHAPE = "SYMBOL:RATE:EX-DATE:PAYABLE-DATE, such as AAPL:0.25:2010-11-29:2010-12-01"


class DividendSet(Struct, frozen=True, kw_only=True):
    """One dividend as it is set up; the rate is of a share."""

    symbol: str
    rate_nanos: int
    ex: date
    payable: date


def dividend_of_text(text: str) -> DividendSet:
    """What `SHAPE` says. Raises `ValueError`."""
    parts = text.split(":")
    try:
        symbol, rate, ex, payable = parts
        made = DividendSet(
            symbol=symbol,
            rate_nanos=nanos_from_text(rate),
            ex=date.fromisoformat(ex),
            payable=date.fromisoformat(payable),
        )
    except (ValueError, NumberRefused) as wrong:
        raise ValueError(f"{text!r} is not {SHAPE}") from wrong
    if not symbol or made.rate_nanos <= 0 or made.payable < made.ex:
        raise ValueError(f"{text!r}: a rate above 0, payable on the ex-date or later")
    return made


def text_of_dividend(made: DividendSet) -> str:
    """The same in `SHAPE`."""
    rate = text_from_nanos(made.rate_nanos)
    return f"{made.symbol}:{rate}:{made.ex.isoformat()}:{made.payable.isoformat()}"


class Dividends:
    """What is set up, and what becomes of it as time passes.

    `held` tells the position in a symbol, in nano-shares; `pay` moves so much cash for a symbol.
    """

    def __init__(
        self,
        made: Sequence[DividendSet],
        *,
        held: Callable[[str], int],
        pay: Callable[[int, str], None],
    ) -> None:
        self._made = tuple(made)
        self._held = held
        self._pay = pay
        self._due = sorted(
            [(_begins_ns(each.ex), False, place) for place, each in enumerate(made)]
            + [(_begins_ns(each.payable), True, place) for place, each in enumerate(made)]
        )
        self._entitled: dict[int, int] = {}

    def next_due_ns(self) -> int | None:
        """When one next goes ex or is paid."""
        return self._due[0][0] if self._due else None

    def advance(self, now_ns: int) -> None:
        """Do what is due up to and including now."""
        while self._due and self._due[0][0] <= now_ns:
            _, pays, place = self._due.pop(0)
            each = self._made[place]
            if not pays:
                self._entitled[place] = self._held(each.symbol)
                continue
            amount_nanos = self._entitled.pop(place) * each.rate_nanos // NANOS
            if amount_nanos:
                self._pay(amount_nanos, each.symbol)

    def announced(self, query: dict[str, str], now_ns: int) -> dict[str, object]:
        """The answer to `GET /v1/corporate-actions`. Raises `ValueError`."""
        today = new_york_time(now_ns).date().isoformat()
        start, end = query.get("start") or today, query.get("end") or today
        symbols = [each for each in query.get("symbols", "").split(",") if each]
        kinds = [each for each in query.get("types", "").split(",") if each]
        limit = min(int(query.get("limit") or 100), PAGE_MAX)
        first = int(query.get("page_token") or 0)
        if limit < 1 or first < 0:
            raise ValueError("limit and page_token must be positive")
        found = [
            _shape(place, each)
            for place, each in sorted(enumerate(self._made), key=lambda both: both[1].payable)
            if (not symbols or each.symbol in symbols)
            and start <= each.payable.isoformat() <= end
            and (not kinds or "cash_dividend" in kinds)
        ]
        page = found[first : first + limit]
        token = str(first + limit) if first + limit < len(found) else None
        actions = {"cash_dividends": page} if page else {}
        return {"corporate_actions": actions, "next_page_token": token}


def _shape(place: int, each: DividendSet) -> dict[str, object]:
    """Alpaca's object; the day on which it is processed is the payable one."""
    return {
        "id": alpaca.asset_id_of(f"dividend/{place}/{each.symbol}"),
        "symbol": each.symbol,
        "cusip": "000000000",
        "rate": number(each.rate_nanos),
        "special": False,
        "foreign": False,
        "process_date": each.payable.isoformat(),
        "ex_date": each.ex.isoformat(),
        "record_date": each.ex.isoformat(),
        "payable_date": each.payable.isoformat(),
    }


def _begins_ns(day: date) -> int:
    return new_york_ns(day, time(0))
