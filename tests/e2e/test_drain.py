"""SIGTERM, SIGINT on real processes: nothing new, all cancelled, closed where told; exit 0."""

import os
import signal

from fuseboard.exchange.ledger import OrderAccepted
from tests.e2e import truth
from tests.e2e.processes import Bot, Exchange, Gateway, World, accepted, until


def trading(here: World, rule: str) -> tuple[Exchange, Gateway, Bot]:
    """A bot that holds something and has two orders resting far below the market."""
    here.init(f"name: drain\nsafety: {{kill_switch: {{drain: {rule}}}}}\n")
    exchange = here.exchange(tape="normal", speed=5, requests_per_minute=10_000)
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    accepted(bot.buy("AAPL", 10))
    for price in (100, 101):
        accepted(bot.buy_limit("AAPL", 5, price))
    until(lambda: exchange.state()["working_orders"] == 2, "two orders rest")
    until(lambda: exchange.positions().get("AAPL") == "10", "the first one is filled")
    gateway.wait_for(lambda now: len(now["orders"]) == 2, "the gateway knows")
    return exchange, gateway, bot


def last_line(gateway: Gateway) -> str:
    return gateway.output().strip().splitlines()[-1]


def test_a_stop_cancels_confirms_and_says_what_is_left_and_the_next_start_is_open(
    here: World,
) -> None:
    exchange, gateway, _ = trading(here, "cancel")
    assert gateway.stop() == 0
    assert exchange.state()["working_orders"] == 0
    assert exchange.positions() == {"AAPL": "10"}
    assert last_line(gateway) == "still open at the broker: orders none; positions 1 (AAPL 10)"
    assert "could not" not in gateway.output()

    again = here.open_gateway(exchange.url)
    assert not again.status()["register"], "a clean stop is no halt"
    assert again.stop() == 0
    here.evidence_is_clean()


def test_a_stop_that_flattens_leaves_open_what_a_person_froze(here: World) -> None:
    exchange, gateway, _ = trading(here, "flatten")
    here.person("halt", "--level", "freeze", "--reason", "a bad print")
    assert gateway.stop() == 0
    assert exchange.positions() == {"AAPL": "10"}
    assert exchange.state()["working_orders"] == 0
    frozen = "account frozen by Ada: left open"
    assert last_line(gateway).endswith(f"orders none; positions 1 (AAPL 10); {frozen}")
    assert "nobody watches what is left" in gateway.output()
    here.evidence_is_clean()


def test_an_interrupt_stops_in_the_same_order_and_flattens_where_the_policy_says_so(
    here: World,
) -> None:
    exchange, gateway, _ = trading(here, "flatten")
    assert gateway.stop(by=signal.SIGINT) == 0
    assert "stopping: no new risk; what is open: flatten" in gateway.output()
    assert exchange.positions() == {}
    assert last_line(gateway) == "still open at the broker: orders none; positions none"
    truth.positions_of(exchange.ledger())
    truth.nothing_twice(exchange.ledger())
    truth.no_order_was_refused(exchange.ledger())
    here.evidence_is_clean()


class Piped(Gateway):
    """As in `fuseboard run | tee run.log`, where the same Ctrl-C ends `tee` first."""

    def _heard_by(self) -> int:
        self._reader, written = os.pipe()
        self._written = os.fdopen(written, "wb")
        return written

    def leave_unheard(self) -> None:
        self._written.close()
        os.close(self._reader)


def test_a_stop_goes_to_its_end_when_the_reader_of_its_words_is_gone(here: World) -> None:
    here.init("name: drain\nsafety: {kill_switch: {drain: flatten}}\n")
    exchange = here.exchange(tape="normal", speed=5, requests_per_minute=10_000)
    gateway = here.kept(Piped(here.folder, here.state, exchange.url))
    gateway.wait_for(lambda now: now["posture"] == "OPEN", "the gateway is open")
    exchange.start()
    accepted(here.bot(gateway.url).buy("AAPL", 10))
    until(lambda: exchange.positions().get("AAPL") == "10", "it is filled")
    gateway.leave_unheard()
    assert gateway.stop(by=signal.SIGINT) == 0
    assert exchange.positions() == {}
    here.evidence_is_clean()


def test_a_stop_that_leaves_everything_says_so(here: World) -> None:
    exchange, gateway, _ = trading(here, "leave")
    assert gateway.stop() == 0
    assert exchange.state()["working_orders"] == 2
    assert "orders 2 (AAPL fb-" in last_line(gateway)
    again = here.open_gateway(exchange.url)
    assert len(again.status()["orders"]) == 2
    assert again.stop() == 0


def test_orders_under_way_at_the_stop_are_denied_and_none_arrives_after_it(here: World) -> None:
    exchange, gateway, bot = trading(here, "cancel")
    for _ in range(40):
        bot.tell("submit", symbol="AAPL", qty=1, side="buy", time_in_force="day", limit_price=100)
    until(lambda: len(truth.accepted(exchange.ledger(), opens=True)) > 6, "they arrive")
    assert gateway.stop() == 0
    assert exchange.state()["working_orders"] == 0, "each that arrived was cancelled"
    came = len(exchange.ledger())
    assert "orders none" in last_line(gateway)
    later = [each for each in exchange.ledger()[came:] if isinstance(each, OrderAccepted)]
    assert not later
    here.evidence_is_clean()
    bot.kill()


def test_a_second_signal_hurries_a_stop_that_waits_for_the_broker(here: World) -> None:
    exchange, gateway, _ = trading(here, "cancel")
    exchange.faults(delay_ms=1_000, drop_stream_events=10)
    gateway.process.send_signal(signal.SIGTERM)
    until(lambda: "stopping: no new risk" in gateway.output(), "the stop began")
    gateway.process.send_signal(signal.SIGINT)
    assert gateway.stop() == 0
    assert "hurried: did not wait to" in gateway.output()
    assert last_line(gateway).startswith("still open at the broker:")
    here.evidence_is_clean()
