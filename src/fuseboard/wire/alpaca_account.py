"""Alpaca's account objects: TradeAccount, Position, Asset, Clock, calendar day, and list entries.

All money is text. Products and ratios are computed in integers and rounded half up: these objects
are for showing; no limit is judged on them.
"""

import datetime

from msgspec import Struct

from fuseboard.vocabulary.money import (
    NANOS,
    nanos_from_attos,
    rounded_half_up,
    text_from_nanos,
)
from fuseboard.wire.alpaca_values import asset_id_of, rfc3339_from_ns


class AccountView(Struct, frozen=True, kw_only=True):
    """What the TradeAccount object shows, in nano-dollars."""

    id: str
    account_number: str
    created_ns: int
    cash_nanos: int
    equity_nanos: int
    last_equity_nanos: int
    buying_power_nanos: int
    long_market_value_nanos: int = 0
    short_market_value_nanos: int = 0
    initial_margin_nanos: int = 0
    maintenance_margin_nanos: int = 0
    multiplier: int = 1
    shorting_enabled: bool = False
    trading_blocked: bool = False
    status: str = "ACTIVE"


def account_object(account: AccountView) -> dict[str, object]:
    """Alpaca's TradeAccount, complete: bots convert fields to numbers without asking."""
    text = text_from_nanos
    value = account.long_market_value_nanos + account.short_market_value_nanos
    buying_power = text(account.buying_power_nanos)
    return {
        "id": account.id,
        "account_number": account.account_number,
        "status": account.status,
        "crypto_status": account.status,
        "currency": "USD",
        "cash": text(account.cash_nanos),
        "equity": text(account.equity_nanos),
        "last_equity": text(account.last_equity_nanos),
        "portfolio_value": text(account.equity_nanos),
        "buying_power": buying_power,
        "effective_buying_power": buying_power,
        "regt_buying_power": buying_power,
        "daytrading_buying_power": "0",
        "options_buying_power": "0",
        "non_marginable_buying_power": text(max(0, account.cash_nanos)),
        "bod_dtbp": "0",
        "long_market_value": text(account.long_market_value_nanos),
        "short_market_value": text(account.short_market_value_nanos),
        "position_market_value": text(value),
        "initial_margin": text(account.initial_margin_nanos),
        "maintenance_margin": text(account.maintenance_margin_nanos),
        "last_maintenance_margin": text(account.maintenance_margin_nanos),
        "sma": "0",
        "multiplier": str(account.multiplier),
        "accrued_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "intraday_adjustments": "0",
        "pending_reg_taf_fees": "0",
        "daytrade_count": 0,
        "pattern_day_trader": False,
        "trading_blocked": account.trading_blocked,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "shorting_enabled": account.shorting_enabled,
        "options_approved_level": 0,
        "options_trading_level": 0,
        "crypto_tier": 0,
        "created_at": rfc3339_from_ns(account.created_ns),
        "balance_asof": rfc3339_from_ns(account.created_ns)[:10],
        "admin_configurations": {},
        "user_configurations": None,
    }


def configuration_object(
    *, no_shorting: bool, multiplier: int, suspend_trade: bool = False
) -> dict[str, object]:
    """Alpaca's AccountConfiguration."""
    return {
        "dtbp_check": "entry",
        "pdt_check": "entry",
        "fractional_trading": True,
        "max_margin_multiplier": str(multiplier),
        "no_shorting": no_shorting,
        "suspend_trade": suspend_trade,
        "trade_confirm_email": "none",
        "ptp_no_exception_entry": False,
    }


class PositionView(Struct, frozen=True, kw_only=True):
    """What the Position object shows; the quantity is negative when short."""

    symbol: str
    quantity_nanos: int
    average_price_nanos: int
    price_nanos: int
    last_day_price_nanos: int | None = None
    available_nanos: int | None = None
    """The quantity not held by working orders, signed like the position; None: all of it."""
    asset_class: str = "us_equity"
    exchange: str = "NASDAQ"


def position_object(position: PositionView) -> dict[str, object]:
    """Alpaca's Position. Value, cost and quantity are negative when short, as upstream."""
    quantity = position.quantity_nanos
    last_day = position.last_day_price_nanos or position.price_nanos
    available = quantity if position.available_nanos is None else position.available_nanos
    value = nanos_from_attos(quantity * position.price_nanos)
    cost = nanos_from_attos(quantity * position.average_price_nanos)
    value_before = nanos_from_attos(quantity * last_day)
    return {
        "asset_id": asset_id_of(position.symbol),
        "symbol": position.symbol,
        "exchange": position.exchange,
        "asset_class": position.asset_class,
        "asset_marginable": position.asset_class == "us_equity",
        "qty": text_from_nanos(quantity),
        "qty_available": text_from_nanos(available),
        "side": "short" if quantity < 0 else "long",
        "avg_entry_price": text_from_nanos(position.average_price_nanos),
        "current_price": text_from_nanos(position.price_nanos),
        "lastday_price": text_from_nanos(last_day),
        "change_today": _ratio(position.price_nanos - last_day, last_day),
        "market_value": text_from_nanos(value),
        "cost_basis": text_from_nanos(cost),
        "unrealized_pl": text_from_nanos(value - cost),
        "unrealized_plpc": _ratio(value - cost, abs(cost)),
        "unrealized_intraday_pl": text_from_nanos(value - value_before),
        "unrealized_intraday_plpc": _ratio(value - value_before, abs(value_before)),
        "avg_entry_swap_rate": None,
        "swap_rate": None,
        "usd": None,
    }


def _ratio(part: int, whole: int) -> str:
    """A ratio to nine decimals, rounded half up; 0 of nothing."""
    return text_from_nanos(rounded_half_up(part * NANOS, whole)) if whole > 0 else "0"


def asset_object(
    symbol: str,
    *,
    name: str = "",
    exchange: str = "NASDAQ",
    asset_class: str = "us_equity",
    tradable: bool = True,
    shortable: bool = True,
    fractionable: bool = True,
) -> dict[str, object]:
    """Alpaca's Asset; crypto gets the increments that ccxt needs."""
    asset: dict[str, object] = {
        "id": asset_id_of(symbol),
        "class": asset_class,
        "exchange": exchange,
        "symbol": symbol,
        "name": name or symbol,
        "status": "active",
        "tradable": tradable,
        "marginable": asset_class == "us_equity",
        "maintenance_margin_requirement": 30,
        "margin_requirement_long": "30",
        "margin_requirement_short": "30",
        "shortable": shortable,
        "easy_to_borrow": shortable,
        "fractionable": fractionable,
        "attributes": [],
    }
    if asset_class == "crypto":
        asset |= {
            "min_order_size": "0.000000001",
            "min_trade_increment": "0.000000001",
            "price_increment": "0.000000001",
        }
    return asset


def clock_object(
    *, now_ns: int, is_open: bool, next_open_ns: int, next_close_ns: int
) -> dict[str, object]:
    """Alpaca's Clock, in UTC."""
    return {
        "timestamp": rfc3339_from_ns(now_ns),
        "is_open": is_open,
        "next_open": rfc3339_from_ns(next_open_ns),
        "next_close": rfc3339_from_ns(next_close_ns),
    }


def calendar_object(day: datetime.date, *, opens: str, closes: str) -> dict[str, object]:
    """One day of Alpaca's calendar; times are `HH:MM` in New York."""
    return {
        "date": day.isoformat(),
        "open": opens,
        "close": closes,
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": day.isoformat(),
    }
