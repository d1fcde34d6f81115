"""A person's halt, through the command line, on real processes: at once, and for ever."""

import json
import shutil
from subprocess import CompletedProcess
from typing import Any

from fuseboard.exchange.ledger import OrderAccepted
from tests.e2e import truth
from tests.e2e.processes import (
    EXCHANGE_KEY,
    EXCHANGE_SECRET,
    Bot,
    Exchange,
    Gateway,
    World,
    accepted,
    fuseboard,
    status,
    until,
)

POLICY = """\
name: halts
execution: {requests_per_minute: 100}
"""
FLOOD, BURST = 60, 35
"""More orders than the request budget lets out at once: some wait for their turn at the halt."""
TAPE = "normal"


def trading(here: World) -> tuple[Exchange, Gateway, Bot]:
    """A bot that holds something and has two orders resting far below the market."""
    here.init(POLICY)
    exchange = here.exchange(tape=TAPE, speed=5, requests_per_minute=10_000)
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    accepted(bot.buy("AAPL", 10))
    for price in (100, 101):
        resting = bot.buy_limit("AAPL", 5, price)
        assert resting["ok"], resting
    until(lambda: exchange.state()["working_orders"] == 2, "two orders rest")
    return exchange, gateway, bot


def test_a_halt_stops_new_orders_at_once_and_cancels_what_works(here: World) -> None:
    exchange, gateway, bot = trading(here)
    others = [here.bot(gateway.url, name) for name in ("second", "third")]
    for each in others:
        for _ in range(FLOOD):
            each.tell("submit", symbol="TSLA", qty=1, side="buy", time_in_force="day")
    # Let the budget run out, so that at the halt orders wait for their turn to be sent.
    until(lambda: len(truth.accepted(exchange.ledger(), opens=True)) > BURST, "the budget is out")
    halted = fuseboard("halt", "--operator", "Ada", "--reason", "enough", "--state", here.state)
    assert halted.returncode == 0, halted.stdout + halted.stderr
    before = len(exchange.ledger())

    refused = bot.buy("TSLA", 1)
    assert (refused["ok"], refused["status"], refused["code"]) == (False, 403, 40310000), refused
    assert "posture_halted" in refused["message"]
    answers = [each.heard() for each in others for _ in range(FLOOD)]
    assert {each["status"] for each in answers if not each["ok"]} == {403}, "some came too late"
    assert any(each["ok"] for each in answers), "none came in time"
    until(lambda: exchange.state()["working_orders"] == 0, "what worked is cancelled")
    came_later = [
        each
        for each in exchange.ledger()[before:]
        if isinstance(each, OrderAccepted) and each.opens
    ]
    assert not came_later, "an opening order arrived after the halt was acknowledged"
    assert exchange.positions()["AAPL"] == "10", "a halt closes nothing"
    assert gateway.stop() == 0
    truth.nothing_opened_after_the_halt(exchange.ledger(), here.records())
    here.evidence_is_clean()


def counted(now: dict[str, Any]) -> tuple[int, int, int]:
    """Since when, and how many orders were sent and skipped since."""
    since = now["statistics"]["start"]
    (whole, *_) = since["lines"]
    return since["began_wall_ns"], whole["submitted"], whole["skipped"]


def test_a_halt_survives_a_restart_and_only_a_person_lifts_it(here: World) -> None:
    exchange, gateway, bot = trading(here)
    assert fuseboard("halt", "--operator", "Ada", "--state", here.state).returncode == 0
    began_ns, *orders = counted(gateway.status())
    assert orders == [3, 0]
    gateway.kill()
    assert status(here.state)["posture"] == "HALTED"

    again = here.gateway(exchange.url, "--port", gateway.port())
    again.wait_for(lambda now: now["posture"] == "HALTED", "halted after the restart")
    refused_as_halted(bot, "TSLA")
    for lacking in (["--reason", "why"], ["--operator", "Ada"]):
        refused = fuseboard("reset", "--state", here.state, *lacking)
        assert refused.returncode == 1
        assert "refused: a reset needs" in refused.stdout
    lifted = fuseboard("reset", "--state", here.state, "--operator", "Ada", "--reason", "checked")
    assert lifted.returncode == 0, lifted.stdout + lifted.stderr
    bought = bot.buy("TSLA", 1)
    assert bought["ok"], bought
    since_ns, submitted, skipped = counted(again.status())
    assert (since_ns, submitted, skipped > 0) == (began_ns, 4, True)
    assert again.stop() == 0

    third = here.gateway(exchange.url)
    third.wait_for(lambda now: now["posture"] == "OPEN", "what was lifted stays lifted")
    assert counted(third.status()) == (began_ns, 4, skipped), "each restart keeps the statistics"
    assert third.stop() == 0
    here.evidence_is_clean()


def test_a_halt_while_the_gateway_is_down_holds_at_its_next_start(here: World) -> None:
    here.init(POLICY)
    nameless = fuseboard("halt", "--state", here.state, "--scope", "symbol:TSLA")
    assert nameless.returncode == 0, "tightening is not refused for a name"
    assert "recorded as 'unix user " in nameless.stdout
    latched = fuseboard("halt", "--state", here.state, "--operator", "Ada", "--json")
    assert latched.returncode == 0, latched.stderr
    assert json.loads(latched.stdout)["accepted"] is True
    assert status(here.state)["posture"] == "HALTED"

    exchange = here.exchange(tape=TAPE)
    gateway = here.gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    gateway.wait_for(lambda now: now["posture"] == "HALTED", "halted at the start")
    refused_as_halted(bot, "AAPL")
    opened_by_a_person(here)
    accepted(bot.buy("AAPL", 1))
    assert gateway.stop() == 0
    assert truth.accepted(exchange.ledger(), opens=True)[0].symbol == "AAPL"
    here.evidence_is_clean()


def test_a_second_gateway_is_refused(here: World) -> None:
    here.init(POLICY)
    exchange = here.exchange(tape=TAPE)
    gateway = here.gateway(exchange.url)
    second = second_run(here, exchange)
    assert second.returncode == 1
    assert second.stderr.startswith("fuseboard run: another gateway runs on ")
    assert "see `fuseboard status" in second.stderr
    gateway.wait_for(lambda now: now["running"], "the first one runs on")
    assert gateway.stop() == 0


def test_without_its_register_a_gateway_is_refused_until_init_makes_one_that_halts(
    here: World,
) -> None:
    here.init(POLICY)
    (here.state / "halts.register").unlink()
    assert status(here.state)["posture"] == "HALTED"
    exchange = here.exchange(tape=TAPE)
    refused = second_run(here, exchange)
    assert refused.returncode == 1, refused.stderr
    assert f"`fuseboard init --state {here.state}`" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1, refused.stderr
    made = fuseboard("init", "--state", here.state)
    assert made.returncode == 0, made.stderr
    assert "halted" in made.stdout
    assert fuseboard("init", "--state", here.state).returncode == 1, "once there is one, no more"

    gateway = here.gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    gateway.wait_for(lambda now: now["posture"] == "HALTED", "halted by its new register")
    refused_as_halted(bot, "AAPL")
    opened_by_a_person(here)
    accepted(bot.buy("AAPL", 1))
    assert gateway.stop() == 0


def test_a_damaged_register_halts_until_a_person_has_looked(here: World) -> None:
    here.init(POLICY)
    register = here.state / "halts.register"
    image = bytearray(register.read_bytes())
    image[5_000] ^= 0xFF
    register.write_bytes(image)
    exchange = here.exchange(tape=TAPE)
    gateway = here.gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    gateway.wait_for(lambda now: now["posture"] == "HALTED", "halted by the damage")
    refused = bot.buy("AAPL", 1)
    assert (refused["ok"], refused["status"]) == (False, 403), refused
    assert truth.accepted(exchange.ledger(), opens=True) == []
    opened_by_a_person(here)
    bought = bot.buy("AAPL", 1)
    assert bought["ok"], bought
    assert gateway.stop() == 0


def refused_as_halted(bot: Bot, symbol: str) -> None:
    """Each buy is refused; for the halt itself once the books are compared with the broker's."""

    def looked() -> bool:
        refused = bot.buy(symbol, 1)
        assert (refused["ok"], refused["status"]) == (False, 403), refused
        return "posture_halted" in refused["message"]

    until(looked, "the books are compared")


def opened_by_a_person(here: World) -> None:
    """Accepted once the books are compared with the broker's; refused until then."""
    until(
        lambda: fuseboard(
            "reset", "--state", here.state, "--operator", "Bo", "--reason", "looked at it"
        ).returncode == 0,
        "a person lifts it",
    )  # fmt: skip


def test_a_deleted_state_directory_is_refused_with_what_to_do(here: World) -> None:
    here.init(POLICY)
    exchange = here.exchange(tape=TAPE)
    shutil.rmtree(here.state)
    refused = second_run(here, exchange)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"fuseboard run: there is no state in {here.state}: make it with"
        f" `fuseboard init --state {here.state}`\n"
    )
    assert not here.state.exists(), "a start does not make state"


def second_run(here: World, exchange: Exchange) -> CompletedProcess[str]:
    return fuseboard(
        "run", "--state", here.state, "--broker", "alpaca", "--port", "0",
        ALPACA_API_KEY=EXCHANGE_KEY, ALPACA_SECRET_KEY=EXCHANGE_SECRET,
        ALPACA_BASE_URL=exchange.url,
    )  # fmt: skip
