"""Buys what has fallen 0.4 %, rests a sale 4 % above, and never stops: plain alpaca-py."""

import os
import time

from alpaca.common.exceptions import APIError
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import StockLatestQuoteRequest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest

KEY, SECRET = os.environ["APCA_API_KEY_ID"], os.environ["APCA_API_SECRET_KEY"]
SYMBOLS, DIP, TARGET, STAKE = ["AAPL", "PG", "JPM"], 0.004, 0.04, 6_000
trading = TradingClient(KEY, SECRET, url_override=os.environ.get("APCA_API_BASE_URL"))
data = StockHistoricalDataClient(KEY, SECRET, url_override=os.environ.get("APCA_API_DATA_URL"))
day = TimeInForce.DAY


def buy(symbol: str, price: float) -> None:
    quantity = max(1, int(STAKE / price))
    target = round(price * (1 + TARGET), 2)
    entry = MarketOrderRequest(symbol=symbol, qty=quantity, side=OrderSide.BUY, time_in_force=day)
    leave = LimitOrderRequest(
        symbol=symbol, qty=quantity, side=OrderSide.SELL, time_in_force=day, limit_price=target
    )
    for what, order in (("buy", entry), ("sell", leave)):
        try:
            trading.submit_order(order)
            print(f"{what} {quantity} {symbol} near {price}", flush=True)
        except APIError as error:
            print(f"refused to {what} {symbol}: {error.message}", flush=True)
            return


bought_at: dict[str, float] = {}
ends = time.monotonic() + float(os.environ.get("DIP_SECONDS", "60"))
while time.monotonic() < ends:
    quotes = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=SYMBOLS))
    for name, quote in quotes.items():
        if 0 < quote.ask_price <= bought_at.setdefault(name, quote.ask_price) * (1 - DIP):
            bought_at[name] = quote.ask_price
            buy(name, quote.ask_price)
    time.sleep(0.25)
