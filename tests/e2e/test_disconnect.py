"""A bot that is killed with -9 leaves no order at the venue but the stop that protects it.

The exchange's own list of working orders is the judge. Each test prints how long it took.
"""

import json
import sys
import time
import urllib.request
from typing import Any

import pytest

from fuseboard.gateway.presence import RECONNECT_NS
from fuseboard.vocabulary.disconnect_facts import PublishLost
from tests.e2e.processes import (
    EXCHANGE_KEY,
    EXCHANGE_SECRET,
    PATIENCE_S,
    Bot,
    Exchange,
    Gateway,
    World,
    accepted,
    until,
)

GRACE_S = 2
ORDERS = 20
POLICY = f"""\
name: disconnect
safety:
  cancel_on_disconnect: {{after: {GRACE_S}s, connected_by: stream}}
"""
LEAVES = """\
name: disconnect
safety:
  kill_switch: {drain: leave}
  cancel_on_disconnect: {connected_by: process}
"""
ONE_ORDER = """
import sys
from alpaca.trading.client import TradingClient
from alpaca.trading.requests import LimitOrderRequest

trading = TradingClient("PKHARDWIRED", "its own secret", paper=True)
order = {"symbol": "AAPL", "qty": 1, "side": "buy", "time_in_force": "day", "limit_price": 100}
print("resting", trading.submit_order(LimitOrderRequest(**order)).id)
"""


def working(exchange: Exchange) -> set[str]:
    """Our ids of the orders that work at the exchange, by its own word."""
    headers = {"APCA-API-KEY-ID": EXCHANGE_KEY, "APCA-API-SECRET-KEY": EXCHANGE_SECRET}
    asked = urllib.request.Request(f"{exchange.url}/v2/orders?limit=500", headers=headers)
    with urllib.request.urlopen(asked, timeout=10) as answer:
        listed: list[dict[str, Any]] = json.loads(answer.read())
    return {order["client_order_id"][-36:] for order in listed}


def trading(here: World, policy: str = POLICY) -> tuple[Exchange, Gateway]:
    here.init(policy)
    exchange = here.exchange(tape="normal", speed=5, requests_per_minute=10_000)
    gateway = here.open_gateway(exchange.url)
    exchange.start()
    return exchange, gateway


def listening(here: World, gateway: Gateway, strategy: str) -> Bot:
    """A bot with a `trade_updates` stream; the test ends it, for the stream stays."""
    key_id, secret = here.key(strategy)
    bot = here.bot_with(gateway.url, key_id, secret)
    accepted(bot.ask("listen", url=gateway.url, key_id=key_id, secret=secret))
    return bot


def rest(bot: Bot, count: int) -> set[str]:
    """So many orders far below the market; our ids."""
    answers = [accepted(bot.buy_limit("AAPL", 1, 100 + number)) for number in range(count)]
    return {str(answer["value"]["id"]) for answer in answers}


def protected(bot: Bot, exchange: Exchange) -> set[str]:
    """A position of ten shares with a stop under all of it; its id."""
    accepted(bot.buy("AAPL", 10))
    until(lambda: exchange.positions().get("AAPL") == "10", "the position is held")
    until(lambda: bot.ask("positions")["value"], "the bot knows")
    return {str(accepted(bot.sell("AAPL", 10, stop_price=50))["value"]["id"])}


def test_a_bot_that_is_killed_loses_its_orders_and_no_other_and_its_stop_stays(
    here: World, capsys: pytest.CaptureFixture[str]
) -> None:
    exchange, gateway = trading(here)
    dies, lives = listening(here, gateway, "dies"), listening(here, gateway, "lives")
    stop = protected(dies, exchange)
    gone, others = rest(dies, ORDERS), rest(lives, 2)
    until(lambda: working(exchange) == gone | stop | others, "everything works")
    time.sleep(GRACE_S + 1)
    assert working(exchange) == gone | stop | others, "as long as it lives, nothing is cancelled"

    dies.kill()
    killed = time.monotonic()
    until(lambda: working(exchange) == stop | others, "its orders are gone")
    took = time.monotonic() - killed
    assert took >= GRACE_S, "it had its grace"
    with capsys.disabled():
        beyond = (took - GRACE_S) * 1_000
        print(f"\nkill -9 to the last of {ORDERS} cancels: the grace and {beyond:.0f} ms")
    now = gateway.wait_for(lambda now: now["lost"], "the status says who is lost")
    (said,) = now["lost"]
    assert said.startswith("dies since ")
    assert f"{ORDERS} orders cancelled, 1 that protect stay" in said
    assert [at["code"] for at in now["alerts"]].count("strategy_lost") == 1
    assert now["posture"] == "OPEN", "nothing is latched"

    again = listening(here, gateway, "dies")
    gateway.wait_for(lambda now: not now["lost"], "it is back")
    back = rest(again, 1)
    until(lambda: working(exchange) == stop | others | back, "it trades on")
    lives.kill()
    again.kill()
    assert gateway.stop() == 0
    here.evidence_is_clean()


def test_a_bot_that_died_with_the_gateway_has_the_grace_from_the_next_start(here: World) -> None:
    exchange, gateway = trading(here)
    dies, lives = listening(here, gateway, "dies"), listening(here, gateway, "lives")
    gone, others = rest(dies, 3), rest(lives, 2)
    until(lambda: working(exchange) == gone | others, "everything works")
    gateway.kill()
    dies.kill()
    assert working(exchange) == gone | others, "nobody is there to cancel"

    again = here.gateway(exchange.url, "--port", gateway.port())  # alpaca-py connects by itself
    within_s = PATIENCE_S + RECONNECT_NS // 10**9
    until(lambda: working(exchange) == others, "the dead one's orders are gone", within_s)
    again.wait_for(lambda now: now["lost"], "the status says who is lost")
    assert {each.strategy for each in here.effects(PublishLost)} == {"dies"}
    lives.kill()
    assert again.stop() == 0
    here.evidence_is_clean()


def test_a_supervised_bot_that_ended_leaves_nothing_though_the_stop_leaves_everything(
    here: World,
) -> None:
    here.init(LEAVES)
    exchange = here.exchange(tape="normal", speed=5, requests_per_minute=10_000)
    exchange.start()
    before = here.open_gateway(exchange.url)
    others = rest(here.bot(before.url, "lives"), 2)
    until(lambda: working(exchange) == others, "another strategy's orders work")
    assert before.stop() == 0
    script = here.folder / "one_order.py"
    script.write_text(ONE_ORDER)
    command = ("--strategy", "wired", "--", sys.executable, str(script))
    gateway = here.gateway(exchange.url, *command)
    until(gateway.ended, "the gateway stops with its bot")
    assert "resting" in gateway.output()
    assert "its process has ended: 1 of its orders are cancelled" in gateway.output()
    assert working(exchange) == others
    here.evidence_is_clean()
