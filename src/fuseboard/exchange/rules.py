"""What the exchange takes: each rule looks at one order and gives Alpaca's refusal, or None."""

from msgspec import Struct

from fuseboard.exchange.account import Account
from fuseboard.exchange.book import SymbolBook
from fuseboard.exchange.orders import Order, Refusal, Ticket
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce

MALFORMED = 40010001
FORBIDDEN = 40310000
NOT_FOUND = 40410000
UNPROCESSABLE = 42210000
CLIENT_ORDER_ID_LENGTH_MAX = 128
QUANTITY_NANOS_MAX = 10_000_000_000 * NANOS
PRICE_NANOS_MAX = 100_000_000 * NANOS
CENT_NANOS = NANOS // 100
HUNDREDTH_CENT_NANOS = NANOS // 10_000
SHORT_RESERVE_PERCENT = 103
_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)
_WITH_LIMIT = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_WITH_STOP = (OrderType.STOP, OrderType.STOP_LIMIT)


def unprocessable(message: str) -> Refusal:
    """422: the order makes no sense to the exchange."""
    return Refusal(http_status=422, code=UNPROCESSABLE, message=message)


def forbidden(message: str, **extra: str) -> Refusal:
    """403: the order makes sense but the account may not do it."""
    return Refusal(http_status=403, code=FORBIDDEN, message=message, extra=extra)


def shape_refusal(ticket: Ticket, *, shares: bool) -> Refusal | None:
    """What is wrong with the order in itself. `shares`: US equities, which have price steps."""
    if not 0 < len(ticket.client_order_id) <= CLIENT_ORDER_ID_LENGTH_MAX:
        return unprocessable(
            f"client_order_id must have 1 to {CLIENT_ORDER_ID_LENGTH_MAX} characters"
        )
    if not 0 < ticket.quantity_nanos <= QUANTITY_NANOS_MAX:
        return unprocessable("qty must be > 0 and not absurdly large")
    for name, price_nanos, wanted in (
        ("limit", ticket.limit_price_nanos, ticket.order_type in _WITH_LIMIT),
        ("stop", ticket.stop_price_nanos, ticket.order_type in _WITH_STOP),
    ):
        refusal = _price_refusal(name, price_nanos, wanted=wanted, ticket=ticket, shares=shares)
        if refusal is not None:
            return refusal
    if ticket.time_in_force in _AT_ONCE and ticket.order_type in _WITH_STOP:
        return unprocessable(f"{ticket.time_in_force.value} orders must be market or limit orders")
    is_day_limit = ticket.order_type is OrderType.LIMIT and ticket.time_in_force is TimeInForce.DAY
    if ticket.extended_hours and not is_day_limit:
        return unprocessable("extended hours order must be DAY limit orders")
    return _fraction_refusal(ticket) if shares else None


def _price_refusal(
    name: str, price_nanos: int | None, *, wanted: bool, ticket: Ticket, shares: bool
) -> Refusal | None:
    kind = ticket.order_type.value
    if price_nanos is None:
        return unprocessable(f"{kind} orders require {name} price") if wanted else None
    if not wanted:
        return unprocessable(f"{kind} orders must not have {name} price")
    if not 0 < price_nanos <= PRICE_NANOS_MAX:
        return unprocessable(f"{name} price must be > 0 and not absurdly large")
    step_nanos = CENT_NANOS if price_nanos >= NANOS else HUNDREDTH_CENT_NANOS
    if shares and price_nanos % step_nanos:
        return unprocessable(
            f"invalid {name}_price {text_from_nanos(price_nanos)}."
            " sub-penny increment does not fulfill minimum pricing criteria"
        )
    return None


def _fraction_refusal(ticket: Ticket) -> Refusal | None:
    if ticket.quantity_nanos % NANOS == 0:
        return None
    if ticket.time_in_force is not TimeInForce.DAY:
        return unprocessable("fractional orders must be DAY orders")
    if ticket.order_type not in (OrderType.MARKET, OrderType.LIMIT):
        return unprocessable("fractional orders must be market or limit orders")
    return None


def unknown(order_id: str) -> Refusal:
    """404: there is no such order."""
    return Refusal(http_status=404, code=NOT_FOUND, message=f"order not found for {order_id}")


def already_final(order: Order) -> Refusal:
    """422: the order can be neither cancelled nor replaced any more."""
    return unprocessable(f'order is already in "{order.status.value}" state')


class Terms(Struct, frozen=True):
    """How an order that may be taken stands to the account."""

    opens: bool
    reserve_price_nanos: int


def account_terms(
    ticket: Ticket, account: Account, book: SymbolBook, *, opening_side: Side | None, shares: bool
) -> Terms | Refusal:
    """Whether the account may do it, and how it counts.

    `opening_side` is the side of working orders of this symbol that open a position, if any.
    No order may carry a position through zero, so an order against a position never exceeds what
    of it is free, and from flat only one side may be opened at a time.
    """
    if account.suspend_trade:
        return forbidden("new orders are rejected by user request")
    position = account.quantity_nanos(ticket.symbol)
    buying = ticket.side is Side.BUY
    if position != 0 and (position > 0) is not buying:
        available = account.available_nanos(ticket.symbol)
        if ticket.quantity_nanos > available:
            return _insufficient_quantity(ticket, position=position, available=available)
        return Terms(opens=False, reserve_price_nanos=0)
    if position == 0 and opening_side not in (None, ticket.side):
        wanted, other = ("long buy", "short sell") if buying else ("short sell", "long buy")
        return forbidden(f"cannot open a {wanted} while a {other} order is open")
    if not buying:
        refusal = _short_refusal(ticket, account, shares=shares)
        if refusal is not None:
            return refusal
    price_nanos = _reserve_price_nanos(ticket, book)
    if price_nanos == 0:
        return forbidden(f"no quote is known for {ticket.symbol}: the order cannot be priced")
    if not account.affords(price_nanos=price_nanos, quantity_nanos=ticket.quantity_nanos):
        return forbidden(
            "insufficient buying power",
            buying_power=text_from_nanos(account.buying_power_nanos()),
            cost_basis=text_from_nanos(price_nanos * ticket.quantity_nanos // NANOS),
        )
    return Terms(opens=True, reserve_price_nanos=price_nanos)


def _insufficient_quantity(ticket: Ticket, *, position: int, available: int) -> Refusal:
    asked, free = text_from_nanos(ticket.quantity_nanos), text_from_nanos(available)
    return forbidden(
        f"insufficient qty available for order (requested: {asked}, available: {free})",
        available=free,
        existing_qty=text_from_nanos(abs(position)),
        held_for_orders=text_from_nanos(abs(position) - available),
        symbol=ticket.symbol,
    )


def _short_refusal(ticket: Ticket, account: Account, *, shares: bool) -> Refusal | None:
    if not shares:
        return forbidden(
            f"insufficient balance for {ticket.symbol}"
            f" (requested: {text_from_nanos(ticket.quantity_nanos)}, available: 0)"
        )
    if not account.shorting_enabled or account.no_shorting:
        return forbidden("account is not allowed to short")
    if ticket.quantity_nanos % NANOS:
        return forbidden("fractional orders cannot be sold short")
    return None


def _reserve_price_nanos(ticket: Ticket, book: SymbolBook) -> int:
    """What one unit reserves: the worst price it may trade at as far as that is known.

    A short sale at any price reserves 3 % above the ask, as Alpaca does.
    """
    limit_nanos, stop_nanos = ticket.limit_price_nanos, ticket.stop_price_nanos
    if ticket.order_type is OrderType.MARKET and book.far_price_nanos(ticket.side) == 0:
        return 0
    if ticket.side is Side.BUY:
        return limit_nanos or max(stop_nanos or 0, book.ask_nanos)
    raised_nanos = -(-book.ask_nanos * SHORT_RESERVE_PERCENT // 100)
    return max(limit_nanos or 0, stop_nanos or 0, raised_nanos)
