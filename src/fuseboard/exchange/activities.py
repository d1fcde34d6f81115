"""What happened on the account, told a second time and on its own: Alpaca's account activities.

A list apart from the order stream and from the orders themselves, so that it can disagree with
them, as a broker's can: the faults `hide_activities`, `late_activities` and `repeat_activities` do
so to order. Kinds are `FILL`, `CSD` (money paid in), `CSW` (out) and `DIV` (a dividend). An id is a
New York time to the millisecond, two colons and a UUID; it is also the page token.
"""

import uuid

from msgspec import Struct

from fuseboard.exchange.calendar import new_york_time
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.orders import Side
from fuseboard.wire.alpaca_values import ns_from_rfc3339, rfc3339_from_ns

ACTIVITIES_MAX = 1_000_000
PAGE_MAX = 100
"""Alpaca's largest page, and what it gives when none is asked for."""
KINDS = ("FILL", "CSD", "CSW", "DIV")
_NAMES = uuid.UUID("3c1d8a44-2a6f-5b0c-9a0e-8d1c7f0f4b21")


class ActivitiesRefused(ValueError):
    """A request for activities that cannot be answered, in words."""


class FillActivity(Struct, frozen=True, kw_only=True):
    """One execution. `filled_nanos` counts what the order has filled with it."""

    execution_id: str
    order_id: str
    symbol: str
    side: Side
    quantity_nanos: int
    price_nanos: int
    filled_nanos: int
    left_nanos: int


class Activity(Struct, frozen=True, kw_only=True):
    """One entry of the list: an execution, else an amount of money."""

    id: str
    kind: str
    at_ns: int
    fill: FillActivity | None = None
    amount_nanos: int = 0
    symbol: str = ""
    """Whose dividend it is."""


class Activities:
    """The account's activities, oldest first."""

    def __init__(self) -> None:
        self.entries: list[Activity] = []

    def filled(self, at_ns: int, fill: FillActivity) -> None:
        """An order was filled."""
        self._add(Activity(id=_id(at_ns, fill.execution_id), kind="FILL", at_ns=at_ns, fill=fill))

    def cash_moved(self, at_ns: int, amount_nanos: int, dividend_of: str = "") -> None:
        """Money was paid in, or out when negative."""
        number = str(uuid.uuid5(_NAMES, f"cash/{len(self.entries)}"))
        kind = "DIV" if dividend_of else "CSD" if amount_nanos >= 0 else "CSW"
        self._add(
            Activity(
                id=_id(at_ns, number),
                kind=kind,
                at_ns=at_ns,
                amount_nanos=amount_nanos,
                symbol=dividend_of,
            )
        )

    def hide(self, execution_id: str) -> list[Activity]:
        """The list lies: this execution is left out; what was."""
        left_out = [each for each in self.entries if _is_of(each, execution_id)]
        self.entries = [each for each in self.entries if not _is_of(each, execution_id)]
        return left_out

    def show(self, left_out: list[Activity]) -> None:
        """What was left out stands in its place after all."""
        self.entries = sorted([*self.entries, *left_out], key=lambda each: each.at_ns)

    def repeat(self, execution_id: str) -> None:
        """The list lies: this execution stands in it a second time, under another id."""
        for each in reversed(self.entries):
            if each.fill is not None and _is_of(each, execution_id):
                again = str(uuid.uuid5(_NAMES, f"again/{execution_id}"))
                self._add(
                    Activity(
                        id=_id(each.at_ns, again), kind="FILL", at_ns=each.at_ns, fill=each.fill
                    )
                )
                return

    def page(
        self,
        *,
        kinds: tuple[str, ...] = KINDS,
        after_ns: int | None = None,
        until_ns: int | None = None,
        token: str = "",
        ascending: bool = False,
        size: int = PAGE_MAX,
    ) -> list[Activity]:
        """One page: after the entry whose id is `token`, in the direction asked.

        Raises `ActivitiesRefused` when there is no such entry.
        """
        found = [
            each
            for each in self.entries
            if each.kind in kinds
            and (after_ns is None or each.at_ns > after_ns)
            and (until_ns is None or each.at_ns <= until_ns)
        ]
        if not ascending:
            found.reverse()
        if token:
            places = [place for place, each in enumerate(found) if each.id == token]
            if not places:
                raise ActivitiesRefused(f"page_token {token[:80]!r} is not the id of an activity")
            found = found[places[0] + 1 :]
        return found[:size]

    def _add(self, activity: Activity) -> None:
        if len(self.entries) >= ACTIVITIES_MAX:
            raise OverflowError(f"the account has more than {ACTIVITIES_MAX} activities")
        self.entries.append(activity)


def activities_asked(entries: Activities, rest: str, query: dict[str, str]) -> list[object]:
    """The answer to `GET /v2/account/activities[/KIND]`. Raises `ActivitiesRefused`.

    Also raises `ValueError` when a time or a number cannot be read.
    """
    named = rest or query.get("activity_types") or ",".join(KINDS)
    direction = query.get("direction") or "desc"
    size = int(query.get("page_size") or PAGE_MAX)
    if direction not in ("asc", "desc"):
        raise ActivitiesRefused("direction must be asc or desc")
    if not 0 < size <= PAGE_MAX:
        raise ActivitiesRefused(f"page_size must be between 1 and {PAGE_MAX}")
    page = entries.page(
        kinds=tuple(named.split(",")),
        after_ns=_time(query.get("after")),
        until_ns=_time(query.get("until")),
        token=query.get("page_token", ""),
        ascending=direction == "asc",
        size=size,
    )
    return [activity_object(each) for each in page]


def activity_object(activity: Activity) -> dict[str, object]:
    """Alpaca's shape: a trade activity, else a non-trade activity. Numbers are strings."""
    fill = activity.fill
    if fill is None:
        return {
            "id": activity.id,
            "activity_type": activity.kind,
            "date": f"{new_york_time(activity.at_ns):%Y-%m-%d}",
            "net_amount": text_from_nanos(activity.amount_nanos),
            "status": "executed",
            **({"symbol": activity.symbol} if activity.symbol else {}),
        }
    whole = fill.left_nanos == 0
    return {
        "id": activity.id,
        "activity_type": activity.kind,
        "transaction_time": rfc3339_from_ns(activity.at_ns),
        "type": "fill" if whole else "partial_fill",
        "price": text_from_nanos(fill.price_nanos),
        "qty": text_from_nanos(fill.quantity_nanos),
        "side": fill.side.value,
        "symbol": fill.symbol,
        "leaves_qty": text_from_nanos(fill.left_nanos),
        "order_id": fill.order_id,
        "cum_qty": text_from_nanos(fill.filled_nanos),
        "order_status": "filled" if whole else "partially_filled",
    }


def _id(at_ns: int, number: str) -> str:
    local = new_york_time(at_ns)
    return f"{local:%Y%m%d%H%M%S}{at_ns // 1_000_000 % 1_000:03d}::{number}"


def _is_of(activity: Activity, execution_id: str) -> bool:
    return activity.fill is not None and activity.fill.execution_id == execution_id


def _time(text: str | None) -> int | None:
    if not text:
        return None
    return ns_from_rfc3339(text if "T" in text or " " in text else f"{text}T00:00:00Z")
