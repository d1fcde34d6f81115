"""A bot beyond its order rate, on real processes: killed by the breach, and over a restart."""

from fuseboard.exchange.ledger import OrderAccepted
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.reasons import Reason
from tests.e2e import truth
from tests.e2e.processes import Gateway, World, until

RATE, FLOOD = 4, 20
POLICY = f"""\
name: rate
risk: {{limits: {{order_rate: {RATE}/m}}}}
"""


def is_killed(gateway: Gateway) -> None:
    killed = ("strategy:default", "KILLED", "order_rate")
    gateway.wait_for(
        lambda now: (
            killed in [(at["scope"], at["posture"], at["reason"]) for at in now["postures"]]
        ),
        "the strategy is killed",
    )


def test_a_bot_beyond_its_order_rate_is_killed_and_stays_it_over_a_restart(here: World) -> None:
    here.init(POLICY)
    exchange = here.exchange(tape="normal", speed=5, requests_per_minute=10_000)
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    for price in range(100, 100 + FLOOD):
        bot.tell("submit", symbol="AAPL", qty=5, side="buy", time_in_force="day", limit_price=price)
    answers = [bot.heard()["ok"] for _ in range(FLOOD)]
    assert answers == [True] * RATE + [False] * (FLOOD - RATE)
    is_killed(gateway)
    until(lambda: exchange.state()["working_orders"] == 0, "what it sent is cancelled")

    gateway.kill()
    again = here.gateway(exchange.url, "--port", gateway.port())
    is_killed(again)
    again.wait_for(lambda now: now["posture"] == "OPEN", "the account itself is open")
    assert "posture_killed" in bot.buy("AAPL", 1)["message"]
    assert again.stop() == 0

    arrived = [each for each in exchange.ledger() if isinstance(each, OrderAccepted)]
    assert len(arrived) == RATE, "by the exchange's ledger nothing came in beyond the rate"
    assert exchange.positions() == {}
    truth.no_order_was_refused(exchange.ledger())
    halts = here.effects(LatchHalt)
    assert [(halt.scope, halt.reason) for halt in halts] == [
        ("strategy:default", Reason.ORDER_RATE)
    ]
    here.evidence_is_clean()
