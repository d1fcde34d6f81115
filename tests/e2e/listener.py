"""A strategy that listens: alpaca-py's trade stream and data stream, each told event on a line."""

import json
import os
import sys
import threading
from typing import Any

from alpaca.data.live.stock import StockDataStream
from alpaca.trading.stream import TradingStream

KEY, SECRET = os.environ["APCA_API_KEY_ID"], os.environ["APCA_API_SECRET_KEY"]
HOST = os.environ["APCA_API_BASE_URL"].removeprefix("http://")


async def on_update(update: Any) -> None:
    say(
        stream="trade_updates",
        event=str(getattr(update.event, "value", update.event)),
        client_order_id=update.order.client_order_id,
        filled=str(update.order.filled_qty),
        price=update.price,
        position=update.position_qty,
    )


async def on_quote(quote: Any) -> None:
    say(stream="quotes", symbol=quote.symbol, bid=quote.bid_price, ask=quote.ask_price)


async def on_trade(trade: Any) -> None:
    say(stream="trades", symbol=trade.symbol, price=trade.price)


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    trading = TradingStream(KEY, SECRET, url_override=f"ws://{HOST}/stream")
    trading.subscribe_trade_updates(on_update)
    data = StockDataStream(KEY, SECRET, url_override=f"ws://{HOST}/v2/iex")
    data.subscribe_quotes(on_quote, *sys.argv[1:])
    data.subscribe_trades(on_trade, *sys.argv[1:])
    threading.Thread(target=trading.run, daemon=True).start()
    data.run()


if __name__ == "__main__":
    main()
