"""alpaca-py replaces orders through the real gateway in front of the real exchange."""

from tests.e2e.processes import World, accepted, until
from tests.e2e.test_clients import Listener, connected


def test_an_order_is_replaced_and_the_stream_tells_of_both(here: World) -> None:
    here.init("name: replacing\n")
    exchange = here.exchange(tape="normal", speed=5)
    gateway = here.open_gateway(exchange.url)
    pair = here.key("moving")
    listener = here.kept(Listener(here.folder, gateway.url, pair, "AAPL"))
    bot = here.bot_with(gateway.url, *pair)
    exchange.start()
    connected(gateway, listener, bot)

    old = bot.buy_limit("AAPL", 2, 100)["value"]
    told = bot.ask("replace", order_id=old["id"], qty=3, limit_price=101, client_order_id="moved")
    assert told["ok"], told
    new = told["value"]
    assert (new["replaces"], new["client_order_id"], new["qty"]) == (old["id"], "moved", "3")
    assert new["status"] in {"pending_new", "new"}
    for name, event in (
        (old["client_order_id"], "pending_replace"),
        (old["client_order_id"], "replaced"),
        ("moved", "new"),
    ):
        listener.hears("trade_updates", event=event, client_order_id=name)
    before = bot.ask("order", client_order_id=old["client_order_id"])["value"]
    assert (before["status"], before["replaced_by"]) == ("replaced", new["id"])
    until(lambda: exchange.state()["working_orders"] == 1, "only the new order works")
    [working] = bot.ask("orders")["value"]
    assert (working["id"], working["limit_price"]) == (new["id"], "101")

    again = bot.ask("replace", order_id=old["id"], qty=3, limit_price=101, client_order_id="moved")
    assert again["value"]["id"] == new["id"]
    refused = bot.ask("replace", order_id=old["id"], qty=4)
    assert (refused["status"], refused["code"]) == (422, 42210000)
    too_much = bot.ask("replace", order_id=new["id"], qty=100_000)
    assert (too_much["status"], too_much["code"]) == (403, 40310000)
    accepted(bot.ask("replace", order_id=new["id"], qty=1))
    until(lambda: [o["qty"] for o in bot.ask("orders")["value"]] == ["1"], "the smaller one works")
    assert exchange.state()["working_orders"] == 1
    assert gateway.stop() == 0
    here.evidence_is_clean()
