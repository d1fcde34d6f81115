"""The broker's own latches when their record is lost, as real processes."""

import json
import shutil
from typing import Any

from fuseboard.exchange.ledger import AccountConfigured
from tests.e2e.processes import Exchange, Gateway, World, accepted, fuseboard, until

POLICY = "name: suspended\nrisk: {limits: {gross_exposure: 1.0, max_position: 0.5}}\n"
WHO = ("--operator", "Ada", "--reason", "a new machine")
REFUSES = "the broker itself refuses every new order (suspend_trade) and new short sales"


def suspended(exchange: Exchange) -> bool:
    configured = [each for each in exchange.ledger() if isinstance(each, AccountConfigured)]
    return bool(configured) and configured[-1].suspend_trade


def flattened(here: World) -> tuple[Exchange, Gateway]:
    """A gateway whose account was flattened, and whose broker takes no orders for it."""
    exchange = here.exchange(tape="normal", requests_per_minute=10_000)
    exchange.start()
    gateway = here.open_gateway(exchange.url)
    accepted(here.bot(gateway.url).buy("AAPL", 5))
    return exchange, gateway


def flatten(here: World, exchange: Exchange) -> None:
    assert here.person("halt", "--level", "flatten", "--reason", "a drill").returncode == 0
    until(lambda: suspended(exchange), "trading is suspended")


def pages(now: dict[str, Any]) -> list[str]:
    return [at["text"] for at in now["alerts"] if at["severity"] == "page"]


def test_a_lost_file_leaves_no_suspension_of_ours_behind_the_reset(here: World) -> None:
    here.init(POLICY)
    exchange, gateway = flattened(here)
    flatten(here, exchange)
    gateway.kill()
    (here.state / "broker-latches.json").unlink()
    again = here.gateway(exchange.url, "--port", gateway.port())
    again.wait_for(lambda now: now["compared_wall_ns"], "the books are compared")
    reset = here.person("reset", "--reason", "looked at it", "--rebase")
    assert reset.returncode == 0, reset.stdout
    until(lambda: not suspended(exchange), "the reset lifts it")
    accepted(here.bot(again.url).buy("AAPL", 1))
    now = again.status()
    assert "suspend_trade" not in now["about"].get("at broker", "")
    assert not any("refuses" in text for text in pages(now))
    assert again.stop() == 0


def test_after_a_restore_from_before_the_flatten_people_are_told_who_refuses(here: World) -> None:
    here.init(POLICY)
    exchange, gateway = flattened(here)
    done = fuseboard("backup", "--state", here.state, "--to", here.folder / "kept", "--json")
    assert done.returncode == 0, done.stderr
    flatten(here, exchange)
    gateway.kill()
    shutil.move(here.state, here.folder / "lost")
    made = json.loads(done.stdout)["backup"]
    restored = fuseboard("restore", made, "--state", here.state, *WHO)
    assert restored.returncode == 0, restored.stderr
    again = here.gateway(exchange.url, "--port", gateway.port())
    again.wait_for(lambda now: any(REFUSES in text for text in pages(now)), "the start pages it")
    for _ in range(2):  # the second takes over what the first one's comparison showed
        here.person("reset", "--reason", "looked at it", "--rebase")
    now = again.status()
    assert now["posture"] == "OPEN"
    assert "suspend_trade" in now["about"]["at broker"], "the status says who refuses"
    assert not any("are as before they were set" in at["text"] for at in now["alerts"])
    assert suspended(exchange), "it may be a person's"
    assert "rejected by user request" in here.bot(again.url).buy("AAPL", 1)["message"]
    assert again.stop() == 0
