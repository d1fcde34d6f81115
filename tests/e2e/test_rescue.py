"""`fuseboard rescue`: a person leaves the market without a gateway; the ledger judges."""

import http.client
import json
import signal
import subprocess
import time
import urllib.request
from argparse import Namespace
from pathlib import Path

from fuseboard.app.init_command import command_init
from fuseboard.app.rescue_command import LEFT
from fuseboard.exchange.ledger import AccountConfigured
from fuseboard.gateway.keys import Keys
from fuseboard.rescue.journal import closes_told, done_runs, read_lines
from fuseboard.vocabulary.guardian_inputs import Sender
from tests.e2e import truth
from tests.e2e.processes import (
    EXCHANGE_KEY,
    EXCHANGE_SECRET,
    FUSEBOARD,
    Exchange,
    Gateway,
    Running,
    World,
    fuseboard,
    until,
)
from tests.guardian.guarded import Guarded

POLICY = """
name: left
risk: {limits: {gross_exposure: 1.0, max_position: 0.5}}
safety: {kill_switch: {watchdog: 1s}}
execution: {close_wait: 1s, cancel_wait: 1s, absent_after: 1s}
"""
KEYS = {"ALPACA_API_KEY": EXCHANGE_KEY, "ALPACA_SECRET_KEY": EXCHANGE_SECRET}


class Left:
    """A gateway with a long and a short position, three resting orders and no guardian."""

    def __init__(self, here: World) -> None:
        self.here = here
        policy = here.folder / "policy.yaml"
        policy.write_text(POLICY)
        command_init(Namespace(state=here.state, account="default", policy=policy))
        self._key = Keys(here.state / "keys.json").mint("default")
        self.exchange: Exchange = here.exchange(tape="normal", requests_per_minute=2_000)
        self.exchange.start()
        self.gateway: Gateway = here.open_gateway(self.exchange.url)
        assert self.order("AAPL", 10, "buy") == 200
        assert self.order("TSLA", 4, "sell") == 200
        for price in ("1.00", "1.10", "1.20"):
            assert self.order("AAPL", 1, "buy", limit_price=price) == 200
        until(lambda: self.exchange.state()["working_orders"] == 3, "three orders rest")
        until(lambda: len(self.exchange.positions()) == 2, "both are held")

    def order(self, symbol: str, quantity: int, side: str, **more: object) -> int:
        kind = "limit" if "limit_price" in more else "market"
        body = {"symbol": symbol, "qty": str(quantity), "side": side, "type": kind}
        headers = dict(zip(("APCA-API-KEY-ID", "APCA-API-SECRET-KEY"), self._key, strict=True))
        door = http.client.HTTPConnection("127.0.0.1", int(self.gateway.port()), timeout=60)
        text = json.dumps({**body, "time_in_force": "day", **more})
        door.request("POST", "/v2/orders", text, headers)
        status = door.getresponse().status
        door.close()
        return status

    def is_flat(self) -> None:
        ledger = self.exchange.ledger()
        assert self.exchange.state()["working_orders"] == 0
        truth.nothing_twice(ledger)
        assert truth.positions_of(ledger) == {}


def rescue(
    state: Path, *words: str | Path, keys: dict[str, str] = KEYS
) -> subprocess.CompletedProcess[str]:
    named = ("--operator", "Ada", "--reason", "it is on fire")
    return fuseboard("rescue", "--state", state, *named, *words, **keys)


def start_is_killed_and_a_reset_opens(here: World, exchange: Exchange, port: str) -> None:
    """The next start has the closes in its book, and goes on after one named person's reset."""
    again = here.gateway(exchange.url, "--port", port)
    now = again.wait_for(lambda now: now["posture"] == "KILLED", "the next start is killed")
    closed = [at["text"] for at in now["alerts"] if "while no gateway ran" in at["text"]]
    assert all(at.startswith("a person's rescue closed AAPL") for at in closed), closed
    again.wait_for(lambda now: not now["positions"], "what was closed is in the book")
    until(lambda: here.person("reset", "--reason", "seen").returncode == 0, "the books agree")
    now = again.wait_for(lambda now: now["posture"] == "OPEN", "a reset opens it")
    assert not now["discrepancies"]
    said = [alert["text"] for alert in now["alerts"]]
    assert "a person's rescue, rescue: Ada: it is on fire" in said, said
    assert not any(at.startswith("the guardian") for at in said), "no guardian was there"
    assert not any("broker holds" in alert["text"] for alert in now["alerts"]), now["alerts"]
    assert again.stop() == 0
    here.evidence_is_clean()


def test_a_dead_gateways_account_is_left_and_the_next_start_has_the_closes_in_its_book(
    here: World,
) -> None:
    it = Left(here)
    it.gateway.kill()
    before = len(it.exchange.ledger())
    refused = rescue(here.state)
    assert refused.returncode == 1
    assert "open at the broker: 10 AAPL, -4 TSLA; 3 orders work" in refused.stderr
    assert "it was not confirmed" in refused.stderr
    assert len(it.exchange.ledger()) == before, "a look changes nothing"
    it.exchange.faults(drop_after_accept=1, server_error_after_accept=1, server_error=3)
    done = rescue(here.state, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing works any more; all that was to be closed is flat" in done.stdout
    assert "account is latched in the register" in done.stdout
    assert "fuseboard reset" in done.stdout
    it.is_flat()
    closes = closes_told(here.state / "guardian.jsonl")
    assert {(each.symbol, each.trip.partition("#")[0]) for each in closes} == {
        ("AAPL", "guardian"),
        ("TSLA", "guardian"),
    }
    assert {each.sent_by for each in closes} == {Sender.RESCUE}
    configured = [each for each in it.exchange.ledger() if isinstance(each, AccountConfigured)]
    assert configured[-1].suspend_trade, "the broker's own latch is set"
    start_is_killed_and_a_reset_opens(here, it.exchange, it.gateway.port())
    configured = [each for each in it.exchange.ledger() if isinstance(each, AccountConfigured)]
    assert not configured[-1].suspend_trade, "and lifted by the reset"
    explained = fuseboard("explain", closes[0].wire_id, "--state", here.state)
    assert "sent by a person's rescue at 20" in explained.stdout, (
        explained.stdout + explained.stderr
    )


def test_a_gateway_that_answers_is_asked_instead_and_one_that_hangs_is_killed_when_told_to(
    here: World,
) -> None:
    it = Left(here)
    answers = rescue(here.state, "--yes")
    assert answers.returncode == 1
    assert "runs on" in answers.stderr
    assert "`fuseboard halt --level flatten --state" in answers.stderr
    it.gateway.process.send_signal(signal.SIGSTOP)
    hangs = rescue(here.state, "--yes")
    assert hangs.returncode == 1
    assert "does not answer: --kill-gateway ends it first" in hangs.stderr
    assert it.gateway.process.poll() is None
    assert len(it.exchange.positions()) == 2
    done = rescue(here.state, "--yes", "--kill-gateway")
    assert done.returncode == 0, done.stdout + done.stderr
    assert it.gateway.process.wait(20) == -signal.SIGKILL
    it.is_flat()


def test_a_guardian_at_work_is_left_to_it_and_what_it_may_not_close_is_closed_after_it(
    here: World,
) -> None:
    it = Guarded(here, flatten=False)
    assert it.order("AAPL", 10, "buy") == 200
    it.rest_orders(2)
    until(lambda: it.exchange.positions() == {"AAPL": "10"}, "it is held")
    refused = rescue(here.state, "--yes", "--kill-gateway")
    assert refused.returncode == 1, "a gateway that a guardian watches is not killed beside it"
    assert "a guardian watches" in refused.stderr
    it.exchange.process.send_signal(signal.SIGSTOP)  # the guardian waits for its answers
    it.signal(signal.SIGKILL)
    it.gateway.process.wait()
    it.line("killed")
    refused = rescue(here.state, "--yes")
    assert refused.returncode == 1
    assert f"`kill {it.guardian.process.pid}`" in refused.stderr
    it.exchange.process.send_signal(signal.SIGCONT)
    assert "NOT closed" in it.line("done").detail
    done = until(lambda: _done(rescue(here.state, "--yes")), "the guardian has come to its end")
    assert done.returncode == 0, done.stdout + done.stderr
    it.guardian.must_run()
    assert it.ledger_is_clean() == {}
    acts = [line.act for line in it.lines()]
    assert acts.count("done") == 2
    assert acts.index("rescue") > acts.index("done"), "one after the other"


def _done(it: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str] | None:
    return None if "a guardian watches" in it.stderr else it


def test_a_key_that_the_broker_refuses_is_told_at_once_after_the_register_is_latched(
    here: World,
) -> None:
    it = Left(here)
    it.gateway.kill()
    it.exchange.faults(refuse_key=100_000)
    began_s = time.monotonic()
    refused = rescue(here.state, "--yes")
    assert refused.returncode == LEFT, refused.stdout + refused.stderr
    assert time.monotonic() - began_s < 60, "not half an hour"
    assert "account is latched in the register" in refused.stdout
    assert "the broker refuses the key: /v2/orders: 401 unauthorized" in refused.stdout
    assert f"ALPACA_SECRET_KEY of account 'default' at {it.exchange.url}" in refused.stdout
    assert "30 minutes" not in refused.stdout
    assert done_runs(read_lines(here.state / "guardian.jsonl")) == frozenset()
    assert set(it.exchange.positions()) == {"AAPL", "TSLA"}
    shown = rescue(here.state)
    assert "cannot be read: the broker refuses the key: /v2/positions: 401" in shown.stderr
    it.exchange.faults(refuse_key=3)  # a good one, for a moment
    done = rescue(here.state, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    it.is_flat()
    start_is_killed_and_a_reset_opens(here, it.exchange, it.gateway.port())


def test_a_rescue_that_was_killed_goes_on_under_the_same_ids(here: World) -> None:
    it = Left(here)
    it.gateway.kill()
    it.exchange.faults(delay_ms=150)
    words = ("rescue", "--state", here.state, "--operator", "Ada", "--yes")
    first = here.kept(Running(here.folder, "first", *FUSEBOARD, *words, **KEYS))
    file = here.state / "guardian.jsonl"
    until(lambda: any(at.close for at in read_lines(file)) or first.ended(), "a close is begun")
    first.process.send_signal(signal.SIGSTOP)
    beside = rescue(here.state, "--yes")
    assert beside.returncode == 1
    assert "another rescue" in beside.stderr
    first.must_run()
    first.kill()
    it.exchange.faults(delay_ms=0)
    done = rescue(here.state, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    it.is_flat()
    start_is_killed_and_a_reset_opens(here, it.exchange, it.gateway.port())


def test_a_liquidation_that_died_with_its_gateway_goes_on_under_its_ids(here: World) -> None:
    it = Left(here)
    it.exchange.faults(delay_ms=200)
    words = ("halt", "--level", "flatten", "--state", here.state, "--operator", "Ada")
    halt = here.kept(Running(here.folder, "halt", *FUSEBOARD, *words))
    until(lambda: truth.accepted(it.exchange.ledger(), opens=False), "a close is taken")
    it.gateway.kill()
    halt.process.wait(60)
    it.exchange.faults(delay_ms=0)
    done = rescue(here.state, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    it.is_flat()
    assert "trip guardian#" not in done.stdout, "the gateway's own trip"
    start_is_killed_and_a_reset_opens(here, it.exchange, it.gateway.port())


def send(exchange: Exchange, symbol: str, quantity: int, side: str, **more: object) -> None:
    kind = "limit" if "limit_price" in more else "market"
    body = {"symbol": symbol, "qty": str(quantity), "side": side, "type": kind, **more}
    text = json.dumps({**body, "time_in_force": "day"}).encode()
    headers = {"APCA-API-KEY-ID": EXCHANGE_KEY, "APCA-API-SECRET-KEY": EXCHANGE_SECRET}
    asked = urllib.request.Request(f"{exchange.url}/v2/orders", text, headers)
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 200


def test_a_machine_with_nothing_but_the_key_is_enough(here: World) -> None:
    exchange = here.exchange(tape="normal", requests_per_minute=5_000, cash="10000000")
    exchange.start()
    send(exchange, "AAPL", 4_000, "buy")  # more than is shown at one price
    send(exchange, "TSLA", 4, "buy")
    until(lambda: exchange.positions() == {"AAPL": "4000", "TSLA": "4"}, "both are held whole")
    nowhere = here.folder / "nowhere"
    at = ("--yes", "--base-url", exchange.url)
    one = rescue(nowhere, *at, "--symbol", "tsla", "--symbol", "TSLR")
    assert one.returncode == LEFT, "a name that is misspelt is no success"
    assert "no position was held in TSLR" in one.stdout
    assert set(exchange.positions()) == {"AAPL"}
    told = rescue(nowhere, *at, "--json")
    assert told.returncode == 0, told.stdout + told.stderr
    assert json.loads(told.stdout)["out"] is True
    assert exchange.positions() == {}
    ledger = exchange.ledger()
    truth.nothing_twice(ledger)
    assert truth.positions_of(ledger) == {}
    closes = [each for each in truth.accepted(ledger, opens=False) if each.symbol == "AAPL"]
    assert len(closes) > 1, "the first took what there was"
    assert not nowhere.exists(), "nothing is made where nothing was"
    assert not [each for each in ledger if isinstance(each, AccountConfigured)], "nobody lifts it"


def test_who_asks_for_cancels_keeps_the_positions(here: World) -> None:
    exchange = here.exchange(tape="normal")
    exchange.start()
    send(exchange, "AAPL", 1, "buy")
    send(exchange, "AAPL", 1, "buy", limit_price="1.00")
    at = ("--yes", "--base-url", exchange.url)
    only = rescue(here.folder / "nowhere", *at, "--cancel-only")
    assert (only.returncode, exchange.state()["working_orders"]) == (0, 0), only.stderr
    assert "positions were NOT closed (only cancels were asked for)" in only.stdout
    assert exchange.positions() == {"AAPL": "1"}


def test_an_account_that_another_gateway_of_this_machine_trades_is_left_to_it(
    here: World,
) -> None:
    here.init(POLICY)
    exchange = here.exchange(tape="normal")
    exchange.start()
    gateway = here.open_gateway(exchange.url)
    gateway.process.send_signal(signal.SIGSTOP)
    send(exchange, "AAPL", 1, "buy")
    refused = rescue(here.folder / "nowhere", "--yes", "--base-url", exchange.url)
    assert refused.returncode == 1
    assert f"process {gateway.process.pid} on this machine trades this account" in refused.stderr
    assert exchange.positions() == {"AAPL": "1"}
