"""Operators at a real gateway: each command's words and JSON, from a halt to a reset."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from fuseboard.app.exchange_process import ExchangeRunning, end
from fuseboard.control.client import OperatorClient
from fuseboard.control.state_directory import StateDirectory
from tests.app.command_line import CommandLine, Done


class Gateway:
    """`fuseboard run` on the simulated exchange, with a command line beside it."""

    def __init__(self, fuseboard: CommandLine) -> None:
        self.fuseboard = fuseboard
        self.state = StateDirectory(fuseboard.state)
        assert fuseboard.on_state("init").code == 0
        self.log = fuseboard.folder / "gateway.log"
        self.start()
        self.until(lambda: self.status()["posture"] == "OPEN")

    def start(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "fuseboard", "run", "--port", "0"),
                    *("--state", str(self.fuseboard.state), "--speed", "5"),
                ],
                stdout=log,
                stderr=log,
            )

    def on(self, *words: str) -> Done:
        return self.fuseboard.on_state(*words)

    def status(self) -> dict[str, Any]:
        done = self.on("status", "--json")
        return dict(done.json()) if done.code == 0 else {"posture": done.err, "running": None}

    def until(self, holds: Any) -> None:
        ends = time.monotonic() + 30
        while not (self.status()["running"] and holds()):
            assert time.monotonic() < ends, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)

    def pay(self, amount: str) -> None:
        """The account's owner pays in, or out, at the exchange."""
        self.simulate("cash", {"amount": amount})

    def fault(self, **faults: int) -> None:
        """Something goes wrong at the exchange."""
        self.simulate("faults", faults)

    def simulate(self, what: str, asked: object) -> None:
        known = json.loads(self.state.exchange_file.read_bytes())
        body = json.dumps(asked).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{known['port']}/sim/{what}", data=body)
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        known = json.loads(self.state.exchange_file.read_bytes())
        end(
            ExchangeRunning(pid=known["pid"], port=known["port"], wanted=known["wanted"]),
            self.state,
        )
        assert code == 0, self.log.read_text()


@pytest.fixture
def gateway(fuseboard: CommandLine) -> Iterator[Gateway]:
    made = Gateway(fuseboard)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.close()


def test_an_operators_day(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gateway.status()["running"] is True
    for words in (("orders",), ("positions",)):
        assert (
            gateway.on(*words).out
            == f"no {'working orders' if words[0] == 'orders' else 'positions'}\n"
        )
        assert gateway.on(*words, "--json").json() == []
    screen = gateway.on("top").out
    assert "OPEN" in screen
    assert "MONITORING" in screen

    early = gateway.on("reset", "--operator", "Ada", "--reason", "x")
    assert (early.code, "there is nothing to reset" in early.out) == (1, True)
    unpaid = gateway.on("cash", "90000", "--operator", "Ada", "--why", "typo")
    assert (unpaid.code, "does not show 90,000.00" in unpaid.out) == (1, True)
    gateway.pay("-250.50")
    paid = gateway.on("cash", "-250.50", "--operator", "Ada", "--why", "fees", "--json")
    assert paid.json() == {"accepted": True, "message": "-250.50 USD moved: Ada: fees"}
    assert "name and why" in gateway.on("cash", "5").out
    begins = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    dividend = ("dividend", "KO", "0.5", "--ex-date", begins, "--payable", begins)
    known = gateway.on(*dividend, "--operator", "Ada", "--why", "announced")
    assert (known.code, "a dividend of 0.5 a share" in known.out) == (0, True)
    assert gateway.on("measure", "vix", "17.25").out.strip() == "vix taken"
    assert "no measure" in gateway.on("measure", "vixx", "1").out
    assert "name it" in gateway.on("measure", "avg_daily_volume", "1000").out

    overridden = (
        *("override", "request", "--reason", "block", "--strategy", "default", "--symbol", "AAPL"),
        *("--side", "buy", "--quantity", "10", "--check", "order_value", "--operator", "Ada"),
    )
    assert "--worst-price" in gateway.on(*overridden).out
    priced = (*overridden, "--worst-price", "300.5")
    assert "lasts at most" in gateway.on(*priced, "--expires", "2h").out
    assert "o1 is asked for" in gateway.on(*priced).out
    assert "somebody else" in gateway.on("override", "verify", "o1", "--operator", "ada").out
    assert gateway.on("override", "verify", "o1", "--operator", "Bo").code == 0
    listed = gateway.on("override", "list").out
    assert "up to 10 AAPL at no worse price than 300.5 past order_value" in listed
    assert "asked by Ada (block), verified by Bo" in listed
    assert len(gateway.on("override", "list", "--json").json()) == 1

    mistyped = gateway.on("halt", "--scope", "strategy:nope", "--json", "--operator", "Ada").json()
    assert mistyped["note"] == 'no strategy "nope" is known; known: none'
    assert 'NOTE: symbol "APPL" has no price' in gateway.on("halt", "--scope", "symbol:APPL").out
    for scope in ("strategy:nope", "symbol:APPL"):
        said = ("--operator", "Ada", "--reason", "mistyped", "--scope", scope)
        assert gateway.on("reset", *said).code == 0
    halted = gateway.on("halt", "--operator", "Ada", "--reason", "storm", "--json")
    assert halted.json() == {
        "accepted": True,
        "message": "account: HALT accepted; settled: nothing is in doubt",
        "settled": True,
    }
    told = gateway.on("status").out.splitlines()
    assert told[0] == "posture   HALTED"
    assert told[1] == "why       account: HALTED, an operator asked for it [operator]"
    assert told[2] == "next      once reviewed: `fuseboard reset --operator NAME --reason TEXT`"
    assert told[3] == "halts     number 3 is the newest"
    assert "HALTED" in gateway.on("top").out

    with monkeypatch.context() as looking:  # and the last halt comes before the reset
        before = structs.replace(OperatorClient(gateway.state.socket_file).status(), halt_epoch=2)
        looking.setattr(OperatorClient, "status", lambda *_, **__: before)
        late = gateway.on("reset", "--operator", "Bo", "--reason", "reviewed")
    assert "halted after you looked (halt 3, you saw 2): Ada: storm" in late.out
    for lacking in (("--reason", "x"), ("--operator", "Ada")):
        refused = gateway.on("reset", "--json", *lacking)
        assert (refused.code, refused.json()["accepted"]) == (1, False)
    assert "none of account" in gateway.on("reset", "--scope", "x").out
    lifted = gateway.on("reset", "--operator", "Bo", "--reason", "reviewed")
    assert (lifted.code, lifted.out) == (0, "account: reset by Bo\n")
    assert gateway.status()["posture"] == "OPEN"
    assert (gateway.state.socket_file.stat().st_mode & 0o777) == 0o600

    records = gateway.status()["durable_sequence"]
    gateway.close()
    assert gateway.on("verify", "--json").json()["records"] >= records
    assert gateway.on("replay", "--json").json()["ok"] is True
    after = gateway.status()
    assert (after["running"], after["posture"], after["register"]) == (False, "OPEN", [])

    gateway.on("halt", "--operator", "Ada", "--level", "flatten", "--scope", "symbol:AAPL")
    gateway.start()
    paged = "a flattening of symbol:AAPL was asked for and not begun"
    gateway.until(lambda: paged in " ".join(at["text"] for at in gateway.status()["alerts"]))


def test_a_gateway_that_stands_still_is_halted_past_it(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fuseboard.control import client

    monkeypatch.setattr(client.OperatorClient.__init__, "__defaults__", (0.3,))
    os.kill(gateway.process.pid, signal.SIGSTOP)
    try:
        done = gateway.on("halt", "--operator", "Ada")
        assert "the gateway runs and does not answer; account is latched" in done.out
    finally:
        os.kill(gateway.process.pid, signal.SIGCONT)
    gateway.close()
    assert gateway.status()["posture"] == "HALTED"
    assert Path(gateway.state.register_file).exists()


def test_a_halt_says_which_orders_are_in_doubt(gateway: Gateway) -> None:
    pair = gateway.on("keys", "new", "slow", "--json").json()
    url = json.loads(gateway.state.gateway_file.read_bytes())["url"]
    headers = {"APCA-API-KEY-ID": pair["key_id"], "APCA-API-SECRET-KEY": pair["secret"]}
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "day"}

    def ask(path: str, **body: object) -> Any:
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(url + path, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    bid = ask("/v2/stocks/AAPL/quotes/latest")["quote"]["bp"]
    order["limit_price"] = str(round(bid * 0.99, 2))
    ask("/v2/orders", **order, client_order_id="first")
    gateway.fault(delay_ms=4_500, drop_stream_events=1_000)
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(ask, "/v2/orders", **order, client_order_id="slow")
        gateway.until(lambda: gateway.status()["working"] == 2)
        time.sleep(0.3)
        lines = gateway.status()["orders"]
        (ours,) = [line["order_id"] for line in lines if line["client_order_id"] == "slow"]
        halted = gateway.on("halt", "--operator", "Ada", "--json").json()
        assert (halted["accepted"], halted["settled"]) == (True, True)
        assert halted["in_doubt"] == [ours]
        assert ours in halted["message"]
        gateway.fault(delay_ms=0, drop_stream_events=0)
        sent.result(30)
    gateway.until(lambda: gateway.status()["working"] == 0)
    assert gateway.on("halt", "--operator", "Ada", "--json").json().get("in_doubt", []) == []
