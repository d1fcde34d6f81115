"""Clients that nobody here wrote, imported past the warnings of their own making."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py uses websockets.legacy.
    from alpaca.common.exceptions import APIError
    from alpaca.data.models import Bar, Orderbook, Quote, Trade
    from alpaca.trading.client import TradingClient
    from alpaca.trading.models import (
        AccountConfiguration,
        Asset,
        Calendar,
        Clock,
        Order,
        Position,
        TradeAccount,
        TradeUpdate,
    )
    from alpaca.trading.requests import LimitOrderRequest, StopLimitOrderRequest

__all__ = [
    "APIError",
    "AccountConfiguration",
    "Asset",
    "Bar",
    "Calendar",
    "Clock",
    "LimitOrderRequest",
    "Order",
    "Orderbook",
    "Position",
    "Quote",
    "StopLimitOrderRequest",
    "Trade",
    "TradeAccount",
    "TradeUpdate",
    "TradingClient",
]
