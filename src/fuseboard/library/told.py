"""What a program tells a guard, as the kernel's inputs: amounts in, nano-units out."""

from decimal import Decimal

from fuseboard.library.orders import Amount, nanos_of, positive_nanos_of
from fuseboard.vocabulary.catalogue import MEASURES, SCALE
from fuseboard.vocabulary.inputs import AccountSeen, MeasureReported
from fuseboard.vocabulary.market_inputs import QuoteSeen, TradeSeen
from fuseboard.vocabulary.money import NANOS


def account_seen(
    *,
    equity: Amount,
    cash: Amount,
    equity_at_prior_close: Amount | None,
    multiplier: int,
    maintenance_margin: Amount | None,
    buying_power: Amount | None,
) -> AccountSeen:
    """The broker's figures, in money. Raises `NumberRefused` (a `ValueError`) and `TypeError`."""
    close = equity if equity_at_prior_close is None else equity_at_prior_close
    return AccountSeen(
        cash_nanos=nanos_of(cash, what="cash"),
        equity_nanos=nanos_of(equity, what="equity"),
        last_equity_nanos=nanos_of(close, what="equity_at_prior_close"),
        multiplier=multiplier,
        shorting_enabled=True,
        maintenance_margin_nanos=_nanos_if_told(maintenance_margin, "maintenance_margin"),
        buying_power_nanos=_nanos_if_told(buying_power, "buying_power"),
    )


def _nanos_if_told(amount: Amount | None, what: str) -> int | None:
    return None if amount is None else nanos_of(amount, what=what)


def quote_seen(
    symbol: str, *, bid: Amount, ask: Amount, bid_size: Amount, ask_size: Amount, wall_ns: int
) -> QuoteSeen:
    """The best of both sides. Raises as `account_seen`."""
    bid_nanos, ask_nanos = nanos_of(bid, what="bid"), nanos_of(ask, what="ask")
    return QuoteSeen(
        symbol=symbol,
        bid_nanos=bid_nanos,
        ask_nanos=ask_nanos,
        bid_size_nanos=nanos_of(bid_size, what="bid_size"),
        ask_size_nanos=nanos_of(ask_size, what="ask_size"),
        event_ns=wall_ns,
        bid_low_nanos=bid_nanos,
        ask_high_nanos=ask_nanos,
    )


def trade_seen(symbol: str, *, price: Amount, size: Amount, wall_ns: int) -> TradeSeen:
    """One trade in the market. Raises as `account_seen`."""
    price_nanos = positive_nanos_of(price, what="price")
    return TradeSeen(
        symbol=symbol,
        price_nanos=price_nanos,
        size_nanos=positive_nanos_of(size, what="size"),
        event_ns=wall_ns,
        low_nanos=price_nanos,
        high_nanos=price_nanos,
    )


def measure_reported(
    name: str, value: Amount, *, symbol: str, request: int, wall_ns: int
) -> MeasureReported:
    """A measure from outside, in its own unit. Raises as `account_seen`, and `ValueError` for a
    name that is no measure.
    """
    measure = MEASURES.get(name)
    if measure is None:
        raise ValueError(f"{name!r} is no measure: docs/measures.md has the names")
    nanos = nanos_of(value, what=name)
    scaled, rest = divmod(nanos * SCALE[measure.unit], NANOS)
    if rest:
        raise ValueError(f"{name} is in whole units, not {Decimal(nanos) / NANOS}")
    return MeasureReported(
        request=request, name=name, value=scaled, event_ns=wall_ns, symbol=symbol
    )
