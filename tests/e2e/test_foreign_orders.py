"""Somebody trades by hand, past the gateway, under a policy that adopts: with real processes."""

from typing import Any

from tests.e2e import truth
from tests.e2e.hand import at_the_broker, by_hand, held, one_held
from tests.e2e.processes import Exchange, World, fuseboard, until

POLICY = """\
name: by hand too
execution: {reconciliation: {every: 5s, foreign_orders: adopt}}
"""


def resting(exchange: Exchange, below: float = 5.0, **order: Any) -> dict[str, Any]:
    """An order by hand that does not fill by itself."""
    bid = float(exchange.state()["market"]["AAPL"]["bid"])
    price = str(round(bid - below, 2))
    return by_hand(exchange, type="limit", limit_price=price, time_in_force="gtc", **order)


def never_halted(here: World) -> None:
    assert not fuseboard("status", "--state", here.state).stdout.count("differs")
    assert not [each for each in here.records() if "POSITION_MISMATCH" in str(each.effects)]


def test_an_order_by_hand_is_counted_booked_explained_and_cancelled_by_a_halt(here: World) -> None:
    exchange, gateway, bot = one_held(here, POLICY)
    placed = resting(exchange, qty="3")
    gateway.wait_for(lambda now: now["working"] == 1, "it is adopted")
    shown = fuseboard("orders", "--state", here.state).stdout
    assert "(foreign)" in shown
    explained = fuseboard("explain", "--state", here.state, f"foreign-{placed['id']}").stdout
    assert "adopted: it was placed at the broker, not through the gateway" in explained
    assert not [o for o in bot.ask("orders")["value"] if o["id"] == placed["id"]]
    by_hand(exchange, qty="4")
    gateway.wait_for(lambda now: held(now) == {"AAPL": "5"}, "what it bought is booked")
    # Most of the account's cash is spoken for by hand: nothing that opens is left to the bot.
    price = float(exchange.state()["market"]["AAPL"]["bid"]) - 5
    large = resting(exchange, qty=str(int(98_000 / price)))
    gateway.wait_for(lambda now: now["working"] == 2, "the large one is adopted")
    refused = bot.buy("AAPL", 10)
    assert not refused["ok"]
    at_the_broker(exchange, "DELETE", f"/v2/orders/{large['id']}")
    gateway.wait_for(lambda now: now["working"] == 1, "cancelled by hand, it counts no more")
    assert here.person("halt", "--reason", "drill").returncode == 0
    gateway.wait_for(lambda now: now["working"] == 0, "the halt took it away")
    status = at_the_broker(exchange, "GET", f"/v2/orders/{placed['id']}")["status"]
    assert status == "canceled"
    never_halted(here)
    assert gateway.stop() == 0
    truth.nothing_twice(exchange.ledger())
    here.evidence_is_clean()


def test_what_was_done_by_hand_while_the_gateway_was_killed_is_no_difference(here: World) -> None:
    exchange, gateway, _ = one_held(here, POLICY)
    filled, kept = resting(exchange, qty="2"), resting(exchange, qty="3")
    cancelled, replaced = resting(exchange, qty="5"), resting(exchange, qty="7")
    gateway.wait_for(lambda now: now["working"] == 4, "they are adopted")
    gateway.kill()
    ask = float(exchange.state()["market"]["AAPL"]["ask"])
    crossing = {"limit_price": str(round(ask * 1.02, 2))}
    new = at_the_broker(exchange, "PATCH", f"/v2/orders/{filled['id']}", crossing)
    at_the_broker(exchange, "DELETE", f"/v2/orders/{cancelled['id']}")
    at_the_broker(exchange, "PATCH", f"/v2/orders/{replaced['id']}", {"qty": "8"})
    by_hand(exchange, qty="4")  # came, filled and went
    until(lambda: exchange.positions() == {"AAPL": "7"}, "it fills, and nobody hears of it")
    again = here.open_gateway(exchange.url)
    now = again.wait_for(lambda now: held(now) == {"AAPL": "7"}, "all of it is booked")
    assert now["posture"] == "OPEN"
    again.wait_for(lambda now: now["working"] == 2, "and what works is known")
    working = {o["id"] for o in at_the_broker(exchange, "GET", "/v2/orders?status=open")}
    assert kept["id"] in working
    assert new["id"] not in working
    never_halted(here)
    assert again.stop() == 0
    left = {o["id"] for o in at_the_broker(exchange, "GET", "/v2/orders?status=open")}
    assert left == working, "an orderly stop leaves what was placed by hand"
    truth.nothing_twice(exchange.ledger())
    here.evidence_is_clean()


def test_fills_by_hand_that_the_stream_kept_are_found(here: World) -> None:
    exchange, gateway, _ = one_held(here, POLICY)
    exchange.faults(hide_fills=1)
    by_hand(exchange, qty="4")
    gateway.wait_for(lambda now: held(now) == {"AAPL": "5"}, "it is found, though nobody told it")
    gateway.wait_for(
        lambda now: now["posture"] == "OPEN" and not now["discrepancies"], "both agree"
    )
    never_halted(here)
    assert gateway.stop() == 0
    here.evidence_is_clean()
