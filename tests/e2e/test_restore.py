"""Bot, gateway and exchange as real processes: a backup under way, a disaster, a restore."""

import json
import os
import signal
from typing import Any

from fuseboard.exchange.ledger import OrderAccepted
from fuseboard.vocabulary.inputs import NodeStarted
from fuseboard.vocabulary.money import NANOS, nanos_from_text
from fuseboard.vocabulary.restored_inputs import OrdersSinceSeen
from tests.e2e import truth
from tests.e2e.processes import World, accepted, fuseboard

POLICY = """
name: restored
risk: {limits: {gross_exposure: 1.0, max_position: 0.5}}
safety: {kill_switch: {methods: [api, cli, file, signal]}}
"""
WHO = ("--operator", "Ada", "--reason", "the disk died")


def kinds_of(now: dict[str, Any]) -> list[str]:
    """Of what the discrepancies are that the gateway shows."""
    return [at["subject"].split()[0] for at in now["discrepancies"]]


def held(now: dict[str, Any]) -> dict[str, int]:
    """The account's positions, as the gateway shows them."""
    return {
        at["symbol"]: nanos_from_text(at["quantity"])
        for at in now["positions"]
        if not at["strategy"]
    }


def test_what_the_journal_lost_is_found_at_the_broker_and_no_id_is_used_twice(here: World) -> None:
    here.init(POLICY)
    exchange = here.exchange(tape="normal", requests_per_minute=2_000)
    exchange.start()
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    accepted(bot.buy("AAPL", 10, client_order_id="kept"))
    resting = bot.buy_limit("AAPL", 1, 1.0)
    assert resting["ok"]
    done = fuseboard("backup", "--state", here.state, "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)["backup"]
    for number in range(3):
        accepted(bot.buy("AAPL", 2, client_order_id=f"lost-{number}"))
    accepted(bot.buy("AAPL", 1, client_order_id="lost-working", limit_price=1.5))
    assert here.person("halt", "--scope", "symbol:TSLA", "--reason", "news").returncode == 0
    gateway.wait_for(lambda now: len(now["orders"]) == 2, "both orders rest")
    os.kill(gateway.process.pid, signal.SIGKILL)
    gateway.process.wait()

    refused = fuseboard("restore", made, "--state", here.state, *WHO)
    assert "--give-up-records" in refused.stderr
    restored = fuseboard("restore", made, "--state", here.state, *WHO, "--give-up-records")
    assert restored.returncode == 0, restored.stderr
    again = here.gateway(exchange.url, "--port", gateway.port())
    now = again.wait_for(
        lambda now: any(
            "4 of our orders there are not in our book" in at["text"] for at in now["alerts"]
        ),
        "the broker has said what it had since",
    )
    assert now["posture"] == "HALTED"
    assert "symbol:TSLA" in {at["scope"] for at in now["postures"]}
    at_exchange = truth.positions_of(exchange.ledger())
    assert at_exchange == {"AAPL": 16 * NANOS}
    again.wait_for(  # a fill that is told after the reset would want another reset; cash may wait
        lambda now: (
            sorted({*kinds_of(now)} - {"cash"}) == ["fill", "position"]
            and kinds_of(now).count("fill") == 3
        ),
        "what differs is told, by its positions and by its fills",
    )
    assert bot.buy("AAPL", 1)["status"] == 403, "it is halted"

    here.person("reset", "--reason", "positions reviewed")
    again.wait_for(lambda now: now["posture"] == "OPEN", "a named person opens it")
    again.wait_for(lambda now: held(now) == at_exchange, "the books are the exchange's")
    before = len(exchange.ledger())
    for words in ({"qty": 2}, {"qty": 7}):
        refusal = bot.buy("AAPL", client_order_id="lost-1", **words)
        assert refusal["status"] == 422, refusal
        assert "belongs to a different order" in refusal["message"]
    taken = [each for each in exchange.ledger()[before:] if isinstance(each, OrderAccepted)]
    assert not taken, "nothing of it reached the exchange"
    accepted(bot.buy("AAPL", 1, client_order_id="new"))
    accepted(bot.buy("AAPL", 10, client_order_id="kept"))  # the same order again, not a new one
    truth.nothing_twice(exchange.ledger())
    assert truth.positions_of(exchange.ledger()) == {"AAPL": 17 * NANOS}
    assert again.stop() == 0
    here.evidence_is_clean()
    told = [each.input for each in here.records()]
    assert [fact for fact in told if isinstance(fact, NodeStarted)][-1].restored is not None
    (since,) = [fact for fact in told if isinstance(fact, OrdersSinceSeen)]
    assert len(since.orders) == 6
