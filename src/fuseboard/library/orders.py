"""What the guard is asked and what it answers, in Decimals and plain words."""

from decimal import Decimal
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from fuseboard.vocabulary.inputs import OrderRequested
from fuseboard.vocabulary.money import NumberRefused, nanos_from_decimal
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce

Amount: TypeAlias = Decimal | int
CLIENT_ORDER_ID_MAX: Final = 128


class OrderRequest(Struct, frozen=True, kw_only=True):
    """An order that a program would like to send: units are shares or coins, prices are money."""

    symbol: str
    side: Literal["buy", "sell"]
    quantity: Amount
    order_type: Literal["market", "limit", "stop", "stop_limit"] = "market"
    limit_price: Amount | None = None
    stop_price: Amount | None = None
    time_in_force: Literal["day", "gtc", "ioc", "fok"] = "day"
    extended_hours: bool = False
    strategy: str = "default"
    client_order_id: str = ""
    """The program's own id, never used twice; empty: the guard makes one."""


class Decision(Struct, frozen=True, kw_only=True):
    """The guard's answer. Only `allowed` may be sent, and only once."""

    allowed: bool
    reason: str
    """A stable code of `vocabulary.reasons.Reason`, such as `max_position`; or `allowed`."""
    message: str
    """The reason in words."""
    checks: tuple[str, ...] = ()
    """On a denial: every check that ran, the last one denied."""
    observed: str = ""
    limit: str = ""
    """The numbers of the denying check, as plain text in its own unit."""
    order_id: str = ""
    """What to call an allowed order when its outcome is told; empty on a denial."""


def nanos_of(amount: Amount, *, what: str) -> int:
    """Nano-units of a Decimal or an int.

    Raises `TypeError` for anything else, `NumberRefused` for NaN, Infinity, more than nine
    decimals or fifteen whole digits; `what` names the number in the message.
    """
    if isinstance(amount, bool) or not isinstance(amount, (int, Decimal)):
        kind = type(amount).__name__
        raise TypeError(f'{what} must be a Decimal or an int, not {kind}: write Decimal("1.25")')
    number = Decimal(amount)
    if number.is_finite() and number and not -30 < number.adjusted() < 30:  # do not write it out
        raise NumberRefused(f"{what} {number:.3E} is too large or has more than nine decimals")
    try:
        return nanos_from_decimal(number)
    except NumberRefused as refused:
        raise NumberRefused(f"{what}: {refused}") from None


def positive_nanos_of(amount: Amount, *, what: str) -> int:
    """As `nanos_of`; raises `NumberRefused` too when the amount is not above zero."""
    nanos = nanos_of(amount, what=what)
    if nanos <= 0:
        raise NumberRefused(f"{what} must be above zero, not {amount}")
    return nanos


def fact_of(order: OrderRequest, *, request: int, client_order_id: str) -> OrderRequested:
    """The input that asks the kernel. Raises `ValueError` or `TypeError` saying what is wrong."""
    for what, text in (("symbol", order.symbol), ("strategy", order.strategy)):
        if not isinstance(text, str) or not text:
            raise ValueError(f"{what} must be a name, not {text!r}")
    if not isinstance(client_order_id, str) or len(client_order_id) > CLIENT_ORDER_ID_MAX:
        raise ValueError(f"client_order_id must be a text of at most {CLIENT_ORDER_ID_MAX}")
    limit, stop = order.limit_price, order.stop_price
    return OrderRequested(
        request=request,
        strategy=order.strategy,
        client_order_id=client_order_id,
        symbol=order.symbol,
        side=Side(order.side),
        order_type=OrderType(order.order_type),
        time_in_force=TimeInForce(order.time_in_force),
        quantity_nanos=positive_nanos_of(order.quantity, what="quantity"),
        limit_price_nanos=None if limit is None else positive_nanos_of(limit, what="limit_price"),
        stop_price_nanos=None if stop is None else positive_nanos_of(stop, what="stop_price"),
        extended_hours=order.extended_hours is True,
    )
