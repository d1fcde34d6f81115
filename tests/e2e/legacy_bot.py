"""The older library by environment alone: nothing but the four variables says where to trade."""

import json
import os
import sys

import alpaca_trade_api  # type: ignore[import-not-found]
from alpaca_trade_api.rest import REST, APIError  # type: ignore[import-not-found]

assert "APCA_API_BASE_URL" in os.environ
api = REST()
told = {"version": alpaca_trade_api.__version__, "account": api.get_account().status}
order = api.submit_order(
    symbol="AAPL", qty=2, side="buy", type="market", time_in_force="day", client_order_id="old-1"
)
told["status"] = order.status
told["listed"] = [each.client_order_id for each in api.list_orders(status="all")]
resting = api.submit_order("AAPL", 1, "buy", "limit", "day", limit_price="100")
told["open"] = [each.id == resting.id for each in api.list_orders()]
api.cancel_order(resting.id)
told["asset"] = api.get_asset("AAPL").tradable
told["quote"] = api.get_latest_quote("AAPL").bp
try:
    api.submit_order("AAPL", 1_000_000, "buy", "market", "day")
except APIError as error:
    told["refused"] = {"message": str(error), "code": error.code, "status": error.status_code}
json.dump(told, sys.stdout)
