"""A copy of the whole state directory is put back, as a machine's snapshot does it (law 3).

Everything in it agrees with itself; only the broker knows more: orders of ours since.
"""

import shutil

from fuseboard.exchange.ledger import OrderAccepted
from tests.e2e import truth
from tests.e2e.processes import World, accepted, until

POLICY = "name: copied\nrisk: {limits: {gross_exposure: 1.0}}\n"
NO_SOCKETS = shutil.ignore_patterns("*.sock")


def test_a_state_that_was_put_back_is_halted_where_the_broker_has_had_orders_since(
    here: World,
) -> None:
    here.init(POLICY)
    exchange = here.exchange(tape="normal", requests_per_minute=2_000)
    exchange.start()
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    accepted(bot.buy("AAPL", 2, client_order_id="kept"))
    until(lambda: exchange.positions() == {"AAPL": "2"}, "it is filled")
    gateway.wait_for(lambda now: now["positions"], "the gateway knows")
    assert gateway.stop() == 0
    copy = here.folder / "copy"
    shutil.copytree(here.state, copy, ignore=NO_SOCKETS)

    again = here.gateway(exchange.url, "--port", gateway.port())
    again.wait_for(lambda now: now["posture"] == "OPEN", "its own orders are no older state")
    accepted(bot.buy("AAPL", 3, client_order_id="lost"))  # and back: the books will agree
    until(lambda: exchange.positions() == {"AAPL": "5"}, "it is filled")
    accepted(bot.sell("AAPL", 3, client_order_id="lost too"))
    until(lambda: exchange.positions() == {"AAPL": "2"}, "it is filled")
    assert here.person("halt", "--reason", "odd").returncode == 0
    again.kill()

    shutil.rmtree(here.state)
    shutil.copytree(copy, here.state)
    older = here.gateway(exchange.url, "--port", gateway.port())
    now = older.wait_for(  # the page overtakes the disk, the posture does not
        lambda now: "foreign_order" in {at["reason"] for at in now["postures"]},
        "it is known to be an older copy",
    )
    assert now["posture"] == "HALTED"
    said = [at["text"] for at in now["alerts"]]
    assert any("older than what the broker knows: 2 of our orders" in text for text in said), said
    assert bot.buy("AAPL", 1)["status"] == 403
    until(
        lambda: here.person("reset", "--reason", "the copy is what goes on").returncode == 0,
        "a named person opens it",
    )
    before = len(exchange.ledger())
    assert bot.buy("AAPL", 3, client_order_id="lost")["status"] == 422, "its id is spent"
    assert not [at for at in exchange.ledger()[before:] if isinstance(at, OrderAccepted)]
    truth.nothing_twice(exchange.ledger())
    assert older.stop() == 0
    here.evidence_is_clean()
