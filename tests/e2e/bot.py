"""A strategy as a process of its own: plain alpaca-py, and nothing of Fuseboard.

It does what its standard input says, one JSON object a line, and answers each with one line. Where
it trades and with which key is the first thing that it is told.
"""

import json
import sys
import threading
import time
import warnings
from typing import Any

from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.requests import (
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopOrderRequest,
)


def main() -> None:
    client = TradingClient("nobody", "nothing", url_override="http://127.0.0.1:1")
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "connect":
            client = TradingClient(asked["key_id"], asked["secret"], url_override=asked["url"])
            say({"ok": True, "seconds": 0.0})
            continue
        if asked["do"] == "listen":
            listen(asked["key_id"], asked["secret"], asked["url"])
            say({"ok": True, "seconds": 0.0})
            continue
        began = time.monotonic()
        try:
            answer: dict[str, Any] = {"ok": True, "value": do(client, asked)}
        except APIError as error:
            answer = {
                "ok": False,
                "status": error.status_code,
                "code": error.code,
                "message": error.message,
            }
        except OSError as error:  # what requests raises when nobody answers
            answer = {"ok": False, "status": 0, "code": 0, "message": repr(error)}
        say({**answer, "seconds": time.monotonic() - began})


def do(client: TradingClient, asked: dict[str, Any]) -> Any:
    if asked["do"] == "orders":
        return shown(client.get_orders())
    if asked["do"] == "order":
        return shown(client.get_order_by_client_id(asked["client_order_id"]))
    if asked["do"] == "positions":
        return shown(client.get_all_positions())
    wanted = {key: value for key, value in asked.items() if key != "do"}
    if asked["do"] == "replace":
        order_id = wanted.pop("order_id")
        return shown(client.replace_order_by_id(order_id, ReplaceOrderRequest(**wanted)))
    kind: type[Any] = LimitOrderRequest if "limit_price" in wanted else MarketOrderRequest
    kind = StopOrderRequest if "stop_price" in wanted else kind
    return shown(client.submit_order(kind(**wanted)))


def listen(key_id: str, secret: str, url: str) -> None:
    """Follow its own orders for the rest of its life, as alpaca-py does it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py uses websockets.legacy
        from alpaca.trading.stream import TradingStream

    async def heard(_update: Any) -> None:
        """What is told is not the point here."""

    stream = TradingStream(key_id, secret, url_override="ws" + url.removeprefix("http") + "/stream")
    stream.subscribe_trade_updates(heard)
    threading.Thread(target=stream.run, daemon=True).start()


def shown(model: Any) -> Any:
    """What the library made of an answer, as JSON."""
    if isinstance(model, list):
        return [shown(each) for each in model]
    return model.model_dump(mode="json")


def say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
