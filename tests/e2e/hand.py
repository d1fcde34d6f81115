"""Somebody with the account's key who trades past the gateway, and a bot that holds a share."""

import urllib.request
from typing import Any

from msgspec import json

from tests.e2e.processes import (
    EXCHANGE_KEY,
    EXCHANGE_SECRET,
    Bot,
    Exchange,
    Gateway,
    World,
    accepted,
)


def at_the_broker(exchange: Exchange, method: str, path: str, body: object = None) -> Any:
    """A request of somebody who has the account's key."""
    headers = {"APCA-API-KEY-ID": EXCHANGE_KEY, "APCA-API-SECRET-KEY": EXCHANGE_SECRET}
    data = None if body is None else json.encode(body)
    request = urllib.request.Request(exchange.url + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read()
    return json.decode(text) if text else None


def by_hand(exchange: Exchange, **order: Any) -> dict[str, Any]:
    whole = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day", **order}
    return dict(at_the_broker(exchange, "POST", "/v2/orders", whole))


def held(status: dict[str, Any]) -> dict[str, str]:
    return {at["symbol"]: at["quantity"] for at in status["positions"] if not at["strategy"]}


def one_held(here: World, policy: str) -> tuple[Exchange, Gateway, Bot]:
    """An open gateway whose bot holds one share, and has been told so."""
    here.init(policy)
    exchange = here.exchange(tape="normal", speed=20, requests_per_minute=10_000)
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    accepted(bot.buy("AAPL", 1))
    gateway.wait_for(lambda now: held(now) == {"AAPL": "1"}, "the first is told")
    return exchange, gateway, bot
