"""The disk of the state is full while orders work: it halts, cancels, says so, stops, and what is
latched holds over the next start. `docs/runbook.md` has the page for it.
"""

import http.client
import json
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fuseboard.app.node import FAULTED
from fuseboard.control.asked import ResetAsked
from fuseboard.control.client import OperatorClient
from fuseboard.exchange.ledger import OrderAccepted
from fuseboard.gateway.keys import Keys
from fuseboard.vocabulary.effects import SubmitOrder
from tests.e2e import truth
from tests.e2e.processes import Exchange, Gateway, World, fuseboard, status, until

SMALL_BYTES = 4 << 20


@pytest.fixture
def small_disk(here: World) -> Iterator[Path]:
    """A file system of a few megabytes, where one may mount; the state of the world is on it."""
    place = here.folder / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_BYTES}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    here.state = place / "state"
    yield place
    here.close()
    subprocess.run(["umount", str(place)], check=True)


def working_orders(here: World, exchange: Exchange, gateway: Gateway) -> Callable[[], int]:
    """Three orders that rest; what is given asks for another and says the HTTP status, or 0."""
    key = Keys(here.state / "keys.json").mint("bot")
    headers = dict(zip(("APCA-API-KEY-ID", "APCA-API-SECRET-KEY"), key, strict=True))

    def ask() -> int:
        door = http.client.HTTPConnection("127.0.0.1", int(gateway.port()), timeout=20)
        body = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit"}
        body |= {"time_in_force": "day", "limit_price": "100"}
        try:
            door.request("POST", "/v2/orders", json.dumps(body), headers)
            return door.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            door.close()

    assert [ask() for _ in range(3)] == [200] * 3
    until(lambda: exchange.state()["working_orders"] == 3, "three orders rest")
    return ask


def it_halts_cancels_says_so_and_stops(
    here: World, exchange: Exchange, gateway: Gateway, ask: Callable[[], int]
) -> None:
    until(lambda: ask() != 200 or gateway.ended(), "an order is not taken any more")
    until(gateway.ended, "it stops")
    assert gateway._over() == FAULTED
    said = gateway.output()
    assert "PAGE node_fault account: CommitFailed: the journal failed" in said
    assert "the broker holds no order of ours" in said
    assert "the node stopped itself: CommitFailed" in said
    assert "Traceback" not in said
    assert exchange.state()["working_orders"] == 0
    decided = {
        effect.wire_id
        for record in here.records()
        for effect in record.effects
        if isinstance(effect, SubmitOrder)
    }
    arrived = [each for each in exchange.ledger() if isinstance(each, OrderAccepted)]
    assert {each.client_order_id for each in arrived} <= decided, "it left before it was durable"
    down = status(here.state)
    assert (down["running"], down["posture"]) == (False, "KILLED")
    assert any("KILL (node_fault)" in line for line in down["register"]), down["register"]


def a_person_opens_it_again(here: World, exchange: Exchange) -> None:
    assert truth.damage(here.state) == []
    again = here.gateway(exchange.url)
    again.wait_for(lambda now: now["posture"] == "KILLED", "it starts as it was latched")
    asked = ResetAsked(operator="Ada", reason="made room")
    client = OperatorClient(here.state / "control.sock")
    until(lambda: client.act("reset", asked).accepted, "the recovery starts")
    again.wait_for(lambda now: now["posture"] == "OPEN", "a person opened it")
    assert again.stop() == 0


def test_files_that_may_not_grow_stop_it_latched_and_cancelled(here: World) -> None:
    here.init("name: full disk\n")
    exchange = here.exchange(tape="normal", requests_per_minute=10_000)
    exchange.start()
    gateway = here.open_gateway(exchange.url)
    ask = working_orders(here, exchange, gateway)
    size = (here.state / "journal.db-wal").stat().st_size
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (size, size))
    it_halts_cancels_says_so_and_stops(here, exchange, gateway, ask)
    a_person_opens_it_again(here, exchange)


@pytest.mark.soak
def test_a_full_file_system_stops_it_halts_go_on_and_no_start_is_worse(
    here: World, small_disk: Path
) -> None:
    here.init("name: full disk\n")
    exchange = here.exchange(tape="normal", requests_per_minute=10_000)
    exchange.start()
    gateway = here.open_gateway(exchange.url)
    ask = working_orders(here, exchange, gateway)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="space"):
        file.writelines(bytes(4096) for _ in range(SMALL_BYTES))
    it_halts_cancels_says_so_and_stops(here, exchange, gateway, ask)
    assert here.person("halt", "--scope", "symbol:AAPL").returncode == 0, "a latch needs no room"
    started = fuseboard(
        "run", "--state", here.state, "--broker", "alpaca", "--port", "0", "--no-guardian",
        ALPACA_API_KEY="SIMULATED", ALPACA_SECRET_KEY="simulated", ALPACA_BASE_URL=exchange.url,
    )  # fmt: skip
    assert started.returncode in (1, FAULTED)
    said = started.stdout + started.stderr
    assert "disk is full" in said or "make room where the state is" in said
    assert "Traceback" not in said
    filler.unlink()
    assert truth.damage(here.state) == []
    again = here.gateway(exchange.url)
    again.wait_for(lambda now: now["posture"] == "KILLED", "it starts as it was latched")
    assert again.stop() == 0
