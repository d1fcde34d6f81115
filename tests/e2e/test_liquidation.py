"""Bot, gateway and exchange as real processes: the market falls, the fuse trips once, and the
exchange's own ledger says that everything was closed once.
"""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fuseboard.exchange.ledger import AccountConfigured, LedgerEntry
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.inputs import AccountSeen, Input
from fuseboard.vocabulary.market_inputs import TradeSeen
from fuseboard.vocabulary.orders import Intent
from tests.e2e import truth
from tests.e2e.processes import Bot, Exchange, Gateway, World, until

POLICY = """\
name: end-to-end
risk: {limits: {gross_exposure: 100%}}
safety:
  loss_limits:
    drawdown: {hard: 5%, action: [flatten_positions, notify_admin], cooldown: 500ms}
"""


class Fall(NamedTuple):
    """A tape that falls, and what the bot buys before it does."""

    tape: str
    speed: int
    cash: str
    symbol: str
    quantity: float
    more: float
    time_in_force: str = "day"
    recorded: bool = True


FALLS = {
    "reconstruction": Fall("flash-crash@14:43-15:00", 45, "100000", "AAPL", 360, 1, recorded=False),
    "apple-2010-05-06": Fall(
        "us-equity-2010-05-06:AAPL@14:40-15:00", 120, "100000", "AAPL", 370, 1
    ),
    "atom-2025-10-10": Fall(
        "crypto-2025-10-10:ATOMUSD_PERP@21:12-21:30", 30, "100", "ATOMUSD_PERP", 24, 1, "gtc"
    ),
}


@pytest.mark.parametrize("name", FALLS)
def test_a_fall_trips_once_and_liquidates_once(
    name: str, here: World, request: pytest.FixtureRequest
) -> None:
    fall = FALLS[name]
    data: Path | None = request.getfixturevalue("market_data") if fall.recorded else None
    here.init(POLICY)
    exchange = here.exchange(tape=fall.tape, speed=fall.speed, cash=fall.cash, data=data)
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    buy = {"symbol": fall.symbol, "time_in_force": fall.time_in_force}
    bought = bot.buy(qty=fall.quantity, **buy)
    assert bought["ok"], bought

    refused = buying_until_halted(gateway, bot, fall)
    ended = gateway.wait_for(
        lambda now: now["plans"] and now["plans"][0]["stage"] == "ended", "the plan ends"
    )
    gateway.wait_for(lambda now: now["fuses"][0]["state"] == "COOLING_DOWN", "cooled down")
    assert ended["plans"][0]["left"] == ()
    assert refused["status"] == 403
    assert refused["code"] == 40310000
    assert "orders are rejected by user request" in refused["message"]
    after = bot.buy(qty=fall.more, **buy)
    assert (after["ok"], after["status"], after["code"]) == (False, 403, 40310000), after
    assert gateway.status()["posture"] == "HALTED"
    assert exchange.positions() == {}
    assert bot.ask("positions")["value"] == [], "the strategy is shown what it no longer holds"

    if name == "reconstruction":
        the_brokers_latches_follow(here, exchange)
    assert gateway.stop() == 0
    the_ledger_agrees(here, exchange.ledger())
    if name == "apple-2010-05-06":
        # The sample's quotes of the worst minute are too wide to value by (law 12): the trades
        # beside them and the broker's own equity are what trips.
        assert isinstance(what_tripped(here)[0], TradeSeen | AccountSeen), what_tripped(here)
    here.evidence_is_clean()


def the_brokers_latches_follow(here: World, exchange: Exchange) -> None:
    """No short sales while it closed, no orders once flat, both as before after a reset."""

    def configured() -> list[tuple[bool, bool]]:
        return [
            (each.no_shorting, each.suspend_trade)
            for each in exchange.ledger()
            if isinstance(each, AccountConfigured)
        ]

    until(lambda: len(configured()) == 2, "trading is suspended")
    done = here.person("reset", "--rebase", "--reason", "looked at it")
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: len(configured()) == 3, "the broker's latches are lifted")
    assert configured() == [(True, False), (True, True), (False, False)]


def what_tripped(here: World) -> list[Input]:
    return [
        record.input
        for record in here.records()
        if any(
            isinstance(it, RecordTransition) and it.after == "TRIGGERED" for it in record.effects
        )
    ]


def buying_until_halted(gateway: Gateway, bot: Bot, fall: Fall) -> dict[str, Any]:
    """The bot buys into the fall, as fast as it is answered, until it is told that it is over."""
    for _ in range(2_000):
        gateway.must_run()
        answer = bot.buy(fall.symbol, fall.more, time_in_force=fall.time_in_force)
        if not answer["ok"] and "posture_" in answer["message"]:
            return answer
        assert answer["ok"] or answer["status"] == 403, answer
    raise AssertionError(f"the fuse never tripped: {gateway.status()}")


def the_ledger_agrees(here: World, ledger: list[LedgerEntry]) -> None:
    records = here.records()
    assert len(truth.trips(records)) == 1
    assert truth.positions_of(ledger) == {}
    truth.nothing_twice(ledger)
    truth.nothing_opened_after_the_halt(ledger, records)
    taken = truth.closes(ledger, records)
    assert taken, "nothing was closed by the plan"
    sent = [each for each in here.effects(SubmitOrder) if each.intent is Intent.PLAN]
    assert len({each.wire_id for each in sent}) == len(sent), "a close was decided twice"
