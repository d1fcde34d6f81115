"""The broker fails, drops, stalls and throttles while an order is submitted: one order at most, and
an answer that is final to the client, in time.
"""

from functools import partial
from typing import Any, NamedTuple

from fuseboard.exchange.ledger import OrderAccepted
from tests.e2e import truth
from tests.e2e.processes import Bot, Exchange, World, accepted, until

POLICY = """\
name: broker faults
execution: {absent_after: 1s}
"""
ANSWER_S_MAX = 12.0
"""The gateway's own wait is 5 s; a client that began to send again would take 9 s more."""


class Day(NamedTuple):
    """A bad day at the broker, and how many orders it may have taken at its end."""

    faults: dict[str, int]
    taken: set[int]


DAYS = {
    "failing before it looks": Day({"server_error": 1}, {0, 1}),
    "dropped before it took the order": Day({"drop_before_accept": 1}, {0}),
    "dropped after it took the order": Day({"drop_after_accept": 1}, {1}),
    "500 after it took the order": Day({"server_error_after_accept": 1}, {1}),
    "slower than anybody waits": Day({"delay_ms": 7_000}, {1}),
}
CALM = {"server_error": 0, "drop_before_accept": 0, "delay_ms": 0}


def test_a_bad_day_at_the_broker_makes_no_second_order_and_no_endless_wait(here: World) -> None:
    here.init(POLICY)
    exchange = here.exchange(tape="normal", requests_per_minute=10_000)
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    accepted(bot.buy("AAPL", 1))  # a good day comes first: the symbol is watched from here on
    held = 1
    for number, (name, day) in enumerate(DAYS.items()):
        before = len(exchange.ledger())
        client_order_id = f"day-{number}"
        exchange.faults(**day.faults)
        answer = bot.buy("AAPL", 1, client_order_id=client_order_id)
        assert answer["seconds"] < ANSWER_S_MAX, (name, answer)
        assert answer["ok"] or answer["status"] in {403, 422}, (name, answer)
        exchange.faults(**CALM)
        final = until(partial(settled, bot, client_order_id), f"{name}: the order is final")
        taken = orders_taken(exchange, before)
        assert len(taken) in day.taken, (name, answer, taken)
        assert final["filled"] == len(taken), (name, final, taken)
        held += len(taken)
        assert exchange.positions() == {"AAPL": str(held)}, name
    until(lambda: held_by(bot) == held, "the bot sees what the exchange holds")
    assert gateway.stop() == 0
    truth.nothing_twice(exchange.ledger())
    here.evidence_is_clean()


def test_an_order_without_an_id_is_not_repeated_either(here: World) -> None:
    here.init(POLICY)
    exchange = here.exchange(tape="normal")
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    bought = bot.buy("TSLA", 1)
    assert bought["ok"], bought
    exchange.faults(drop_after_accept=1)
    lost = bot.buy("TSLA", 1)
    assert lost["ok"], lost
    until(lambda: exchange.positions() == {"TSLA": "2"}, "each order once")
    assert gateway.stop() == 0
    assert len(truth.accepted(exchange.ledger(), opens=True)) == 2


def test_what_the_broker_throttles_is_denied_in_time_and_not_kept_for_later(here: World) -> None:
    here.init(POLICY)
    exchange = here.exchange(tape="normal")
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    bought = bot.buy("TSLA", 1)
    assert bought["ok"], bought
    exchange.faults(too_many_requests=1)
    asked_to_wait = bot.buy("TSLA", 2)
    # The exchange asks for a pause until its minute is over: longer than an order is worth.
    assert (asked_to_wait["ok"], asked_to_wait["status"]) == (False, 403), asked_to_wait
    assert "[rate_limited]" in asked_to_wait["message"]
    assert asked_to_wait["seconds"] < ANSWER_S_MAX
    assert gateway.stop() == 0
    assert len(truth.accepted(exchange.ledger(), opens=True)) == 1
    assert exchange.positions() == {"TSLA": "1"}
    here.evidence_is_clean()


def settled(bot: Bot, client_order_id: str) -> dict[str, Any] | None:
    """How an order ended, as its strategy sees it; None while it may still change."""
    answer = bot.ask("order", client_order_id=client_order_id)
    if not answer["ok"]:
        assert answer["status"] == 404, answer
        return {"status": "denied", "filled": 0}
    order = answer["value"]
    if order["status"] not in {"filled", "rejected", "canceled", "expired"}:
        return None
    return {"status": order["status"], "filled": int(float(order["filled_qty"] or 0))}


def held_by(bot: Bot) -> int:
    return sum(int(float(each["qty"])) for each in bot.ask("positions")["value"])


def orders_taken(exchange: Exchange, before: int) -> list[OrderAccepted]:
    return [each for each in exchange.ledger()[before:] if isinstance(each, OrderAccepted)]
