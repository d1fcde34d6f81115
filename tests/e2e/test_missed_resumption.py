"""A liquidation stands still in a symbol that the exchange halted, the gateway dies, and the symbol
trades again while nobody listens: after the restart the position is closed, and none is lost sight
of before.
"""

from tests.e2e import truth
from tests.e2e.processes import World, accepted, get, until


def test_a_liquidation_goes_on_though_its_symbol_resumed_while_the_gateway_was_down(
    here: World,
) -> None:
    here.init("name: resumed\n")
    exchange = here.exchange(tape="normal", speed=1, requests_per_minute=10_000)
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    accepted(bot.buy("AAPL", 10))
    until(lambda: exchange.positions().get("AAPL") == "10", "the order is filled")
    get(exchange.url + "/sim/halt", {"symbol": "AAPL"})
    gateway.wait_for(lambda now: "symbol:AAPL" in str(now["postures"]), "the halt is heard")
    here.person("halt", "--level", "flatten", "--reason", "news")
    gateway.wait_for(lambda now: now["plans"], "the plan began")
    gateway.kill()
    get(exchange.url + "/sim/resume", {"symbol": "AAPL"})

    again = here.gateway(exchange.url)
    (plan,) = again.wait_for(lambda now: now["plans"], "the start shows the plan")["plans"]
    assert (plan["trip"], plan["stage"]) == ("latch:account#1", "closing")
    assert plan["left"] == ("AAPL 10 the exchange has halted trading",)
    until(lambda: exchange.positions() == {}, "what nobody told the resumption of is closed")
    again.wait_for(lambda now: now["plans"][0]["stage"] == "ended", "the plan ends")
    assert "trading_halted" in str(again.status()["postures"]), "new risk waits for a word"
    truth.nothing_twice(exchange.ledger())
    again.stop()
    here.evidence_is_clean()
