"""kill -9 in the middle of a liquidation, at seeded moments: the next start finishes it.

The exchange answers slowly in some rounds and loses its answers in others, so that the gateway
dies with requests on their way. The exchange's ledger is the judge.
"""

import json
import random
import time
from collections.abc import Callable
from typing import NamedTuple

import pytest

from fuseboard.exchange.ledger import CancelTaken, LedgerEntry, OrderFilled
from fuseboard.halts.block import Slot
from fuseboard.halts.register import HaltsRegister
from tests.e2e import truth
from tests.e2e.processes import Bot, Exchange, Gateway, World, fuseboard, status, until

POLICY = """\
name: killed
safety:
  loss_limits:
    drawdown: {hard: 5%, action: [flatten_positions], cooldown: 300ms}
execution: {close_wait: 1s, cancel_wait: 1s, absent_after: 1s}
"""
TAPE, SPEED = "flash-crash@14:43:30-15:10", 45
BUYS = {"AAPL": 280, "PG": 420}


class Moment(NamedTuple):
    """When to kill: the first time that this holds, and up to `later_ms` after that."""

    faults: dict[str, int]
    reached: Callable[[World, list[LedgerEntry]], object]
    later_ms: int


def latched(here: World, _ledger: list[LedgerEntry]) -> bool:
    return HaltsRegister(here.state / "halts.register", Slot.OPERATOR).halted()


def cancelling(_here: World, ledger: list[LedgerEntry]) -> bool:
    return any(isinstance(each, CancelTaken) for each in ledger)


def close_taken(_here: World, ledger: list[LedgerEntry]) -> bool:
    return bool(truth.accepted(ledger, opens=False))


def close_filling(_here: World, ledger: list[LedgerEntry]) -> bool:
    taken = {each.order_id for each in truth.accepted(ledger, opens=False)}
    return any(isinstance(each, OrderFilled) and each.order_id in taken for each in ledger)


SLOW = {"delay_ms": 120}
MOMENTS = {
    "right after the latch": Moment({}, latched, 0),
    "a little after the latch": Moment(SLOW, latched, 300),
    "between cancel and close": Moment(SLOW, cancelling, 100),
    "close taken and not answered": Moment({"delay_ms": 400}, close_taken, 100),
    "close taken and its answer lost": Moment({"drop_after_accept": 1}, close_taken, 60),
    "close taken and answered 500": Moment({"server_error_after_accept": 1}, close_taken, 60),
    "while a close fills": Moment(SLOW, close_filling, 150),
}


@pytest.mark.parametrize("seed", range(len(MOMENTS)))
def test_a_liquidation_that_was_killed_is_finished_once(seed: int, here: World) -> None:
    name = list(MOMENTS)[seed]
    moment = MOMENTS[name]
    here.init(POLICY)
    exchange = here.exchange(tape=TAPE, speed=SPEED)
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    positions_are_bought(exchange, bot)
    exchange.faults(**moment.faults)

    until(lambda: moment.reached(here, exchange.ledger()) or gateway.ended(), name)
    time.sleep(random.Random(seed).uniform(0, moment.later_ms) / 1_000)
    gateway.must_run()
    gateway.kill()
    exchange.faults(delay_ms=0)
    while_down_it_says_that_it_is_stopped(here)

    again = here.gateway(exchange.url, "--port", gateway.port())
    refused = bot.buy("JPM", 1)
    assert (refused["ok"], refused["status"], refused["code"]) == (False, 403, 40310000), refused
    again.wait_for(lambda now: now["fuses"][0]["state"] == "COOLING_DOWN", f"{name}: cooled down")
    assert exchange.positions() == {}
    assert exchange.state()["working_orders"] == 0
    assert again.status()["posture"] == "HALTED"
    the_ledger_is_right(here, exchange.ledger())
    if seed == 0:
        only_a_named_person_opens_again(here, exchange, again, bot)
    assert again.stop() == 0
    here.evidence_is_clean()


def positions_are_bought(exchange: Exchange, bot: Bot) -> None:
    """Two positions and an order that rests, so that there is something to cancel and close."""
    for symbol, quantity in BUYS.items():
        bought = bot.buy(symbol, quantity)
        assert bought["ok"], bought
    resting = bot.ask(
        "submit", symbol="JPM", qty=5, side="buy", time_in_force="day", limit_price=20
    )
    assert resting["ok"], resting
    wanted = {symbol: str(quantity) for symbol, quantity in BUYS.items()}
    until(lambda: exchange.positions() == wanted, "both positions are held")


def while_down_it_says_that_it_is_stopped(here: World) -> None:
    """A fuse whose plan still runs lets only reductions through; the register says what it is."""
    down = status(here.state)
    assert down["running"] is False
    assert down["posture"] in {"REDUCE_ONLY", "HALTED", "KILLED"}, down
    assert [line for line in down["register"] if line.startswith("account: FLATTEN (drawdown)")]
    refused = fuseboard("reset", "--state", here.state, "--operator", "Ada", "--reason", "early")
    assert refused.returncode == 1
    assert "no gateway runs on " in refused.stderr


def the_ledger_is_right(here: World, ledger: list[LedgerEntry]) -> None:
    records = here.records()
    assert len(truth.trips(records)) <= 1, "the same arming tripped twice"
    assert truth.positions_of(ledger) == {}
    truth.nothing_twice(ledger)
    truth.no_order_was_refused(ledger)
    truth.nothing_opened_after_the_halt(ledger, records)
    for symbol, bought in BUYS.items():
        sold = sum(
            each.quantity_nanos
            for each in ledger
            if isinstance(each, OrderFilled) and each.symbol == symbol and each.side.value == "sell"
        )
        assert sold == bought * 10**9


def only_a_named_person_opens_again(
    here: World, exchange: Exchange, gateway: Gateway, bot: Bot
) -> None:
    without = fuseboard("reset", "--state", here.state, "--reason", "all is well", "--rebase")
    assert without.returncode == 1
    assert "--operator NAME" in without.stdout
    assert gateway.status()["posture"] == "HALTED"
    named = fuseboard(
        "reset",
        "--state",
        here.state,
        "--operator",
        "Ada",
        "--reason",
        "seen",
        "--rebase",
        "--json",
    )
    assert named.returncode == 0, named.stdout + named.stderr
    assert json.loads(named.stdout)["accepted"] is True
    bought = bot.buy("JPM", 2)
    assert bought["ok"], bought
    until(lambda: exchange.positions() == {"JPM": "2"}, "orders flow again")
    assert gateway.status()["fuses"][0]["generation"] == 2
