"""A small strategy as people write it: buy what has fallen, hold, buy more when it falls further.

Plain alpaca-py, nothing of Fuseboard. It keeps buying into a falling market; that is its flaw.
"""

import os
import time

from alpaca.common.exceptions import APIError
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import StockLatestQuoteRequest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest

KEY, SECRET = os.environ["APCA_API_KEY_ID"], os.environ["APCA_API_SECRET_KEY"]
SYMBOLS = ["AAPL", "PG", "JPM"]
DIP, STAKE, SECONDS = 0.004, 6_000, float(os.environ.get("DIP_SECONDS", "25"))

trading = TradingClient(KEY, SECRET, paper=True, url_override=os.environ.get("APCA_API_BASE_URL"))
data = StockHistoricalDataClient(KEY, SECRET, url_override=os.environ.get("APCA_API_DATA_URL"))


def main() -> None:
    last_bought: dict[str, float] = {}
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        quotes = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=SYMBOLS))
        for symbol, quote in quotes.items():
            price = quote.ask_price
            reference = last_bought.setdefault(symbol, price)
            if price > 0 and price <= reference * (1 - DIP):
                last_bought[symbol] = price
                order = MarketOrderRequest(
                    symbol=symbol,
                    qty=max(1, int(STAKE / price)),
                    side=OrderSide.BUY,
                    time_in_force=TimeInForce.DAY,
                )
                try:
                    trading.submit_order(order)
                    print(f"bought {order.qty} {symbol} near {price}", flush=True)
                except APIError as error:
                    print(f"refused {symbol}: {error.message}", flush=True)
        time.sleep(0.25)


if __name__ == "__main__":
    main()
