"""The guardian and the gateway as processes: stopped, killed, hung; judged by the ledger."""

import json
import os
import re
import signal
import time

import pytest

from fuseboard.gateway.keys import CHECK_EVERY_NS
from fuseboard.vocabulary.effects import SubmitOrder
from tests.e2e.processes import World, until
from tests.guardian.guarded import Guarded, GuardianProcess


def test_a_gateway_stopped_inside_a_send_is_killed_and_all_that_works_is_cancelled(
    here: World,
) -> None:
    it = Guarded(here, flatten=False)
    it.rest_orders(5)
    # The order is taken, and the gateway hears nothing of it before it is stopped.
    it.exchange.faults(delay_ms=2_000, drop_stream_events=100)
    answer = it.later("AAPL", 1, "buy", limit_price="2.00")
    until(lambda: it.exchange.state()["working_orders"] > 5, "the order has left")
    it.signal(signal.SIGSTOP)
    it.exchange.faults(delay_ms=0, drop_stream_events=0)
    assert "stopped by a signal" in it.line("missed").detail
    it.line("done")
    it.nobody_is_left()
    with pytest.raises(ProcessLookupError):
        os.kill(it.gateway.process.pid, signal.SIGCONT)
    assert it.exchange.state()["working_orders"] == 0
    assert it.ledger_is_clean() == {}
    acts = [line.act for line in it.lines()]
    assert acts.index("missed") < acts.index("killed") < acts.index("cancelled")
    it.guardian.must_run()
    assert answer.result() == 0


def test_an_order_that_arrives_after_the_gateway_is_dead_is_cancelled_too(here: World) -> None:
    it = Guarded(here, flatten=False)
    it.rest_orders(1)
    before = it.last()
    it.exchange.process.send_signal(signal.SIGSTOP)  # what is sent now waits at its socket
    answer = it.later("AAPL", 1, "buy", limit_price="2.00")
    until(lambda: submitted(here) > 1, "the gateway has sent it")
    time.sleep(0.5)  # from its journal to the socket
    it.signal(signal.SIGSTOP)
    it.line("killed")
    it.exchange.process.send_signal(signal.SIGCONT)
    it.line("done")
    assert answer.result() == 0
    assert len(it.taken_after(before)) == 1
    assert it.exchange.state()["working_orders"] == 0
    assert it.ledger_is_clean() == {}


def submitted(here: World) -> int:
    """How many submits the gateway's journal lets go: they are at its socket a moment later."""
    return len(here.effects(SubmitOrder))


def test_a_killed_gateway_s_positions_are_closed_once_and_a_named_person_opens_again(
    here: World,
) -> None:
    it = Guarded(here, flatten=True, FUSEBOARD_ALERT_COMMAND="cat")
    assert it.order("AAPL", 10, "buy") == 200
    assert it.order("TSLA", 4, "sell") == 200
    it.rest_orders(3)
    until(lambda: len(it.exchange.positions()) == 2, "both are held")
    before = it.last()
    it.signal(signal.SIGKILL)
    it.gateway.process.wait()
    assert "process is gone" in it.line("missed").detail
    it.line("done")
    assert it.exchange.state()["working_orders"] == 0
    assert it.ledger_is_clean() == {}
    closes = it.taken_after(before)
    assert sorted(each.symbol for each in closes) == ["AAPL", "TSLA"]
    assert not any(each.opens for each in closes)
    assert it.configured() == [(True, False), (True, True)]
    again = here.gateway(it.exchange.url, "--port", it.gateway.port())
    now = again.wait_for(lambda now: now["posture"] == "KILLED", "the next start is killed")
    assert any("guardian" in alert["text"] for alert in now["alerts"])
    counts = (
        r"by the guardian since .* UTC: alert-command: [1-9]\d* delivered, 0 given up, 0 dropped;"
        r" slowest \d\.\d{3} s after its event, 0 later than 5 s"
    )
    again.wait_for(
        lambda now: re.fullmatch(counts, now["about"].get("alerted", "")), "its alerts are counted"
    )
    again.wait_for(lambda now: not now["positions"], "what the guardian closed is in the book")
    assert it.order("AAPL", 1, "buy") == 403
    until(
        lambda: here.person("reset", "--reason", "seen").returncode == 0, "the books are compared"
    )
    now = again.wait_for(lambda now: now["posture"] == "OPEN", "one named person's reset opens it")
    told = [alert["text"] for alert in now["alerts"]]
    assert not now["discrepancies"]
    assert not any("broker holds" in text for text in told), told
    until(lambda: it.configured()[-1] == (False, False), "the broker's latches are lifted")
    assert it.order("AAPL", 1, "buy") == 200
    held = again.wait_for(lambda now: now["positions"], "it is filled")["positions"]
    assert {(each["symbol"], each["quantity"]) for each in held} == {("AAPL", "1")}
    it.guardian.must_run()
    assert again.status()["about"]["guardian"] == "watches", "the same one, over gateways"


def test_a_loop_that_hangs_is_told_from_a_stopped_process(here: World) -> None:
    it = Guarded(here, flatten=False)
    it.rest_orders(2)
    keys = here.state / "keys.json"
    keys.unlink()
    os.mkfifo(keys, 0o600)  # whoever opens it to read waits for a writer that never comes
    time.sleep(CHECK_EVERY_NS / 1e9)  # the gateway looks at the file again with the next request
    it.later("AAPL", 1, "buy")
    assert "runs and its loop does not turn" in it.line("missed").detail
    it.line("done")
    it.nobody_is_left()
    assert it.exchange.state()["working_orders"] == 0


def test_a_pause_shorter_than_the_timeout_is_a_false_alarm_and_said_as_one(here: World) -> None:
    it = Guarded(here, flatten=True)
    it.rest_orders(1)
    it.signal(signal.SIGSTOP)
    it.line("late")
    it.signal(signal.SIGCONT)
    until(lambda: any(line.act == "false alarm" for line in it.lines()), "it is called false")
    assert not [line for line in it.lines() if line.act == "missed"]
    assert it.exchange.state()["working_orders"] == 1
    assert it.gateway.status()["posture"] == "OPEN"


def test_a_second_guardian_is_refused_and_a_stop_in_order_dismisses_the_first(here: World) -> None:
    it = Guarded(here, flatten=True)
    second = here.kept(GuardianProcess(here, "second"))
    assert second.process.wait(20) == 1
    assert "another guardian watches" in second.output()
    it.rest_orders(1)
    assert it.gateway.stop() == 0
    assert it.guardian.process.wait(20) == 0
    assert not it.lines()


def test_a_stop_that_leaves_orders_working_does_not_dismiss_the_guardian_which_cancels_them(
    here: World,
) -> None:
    it = Guarded(here, flatten=False)
    it.rest_orders(3)
    it.exchange.faults(too_many_requests=1_000_000)
    it.signal(signal.SIGTERM)
    until(lambda: "stopping: no new risk" in it.gateway.output(), "the stop began")
    assert it.gateway.stop(by=signal.SIGINT) == 0  # hurried: it waits for no cancel
    assert "the stop is over, the guardian cancels what works: hurried" in it.gateway.output()
    assert it.exchange.state()["working_orders"] == 3
    it.exchange.faults(too_many_requests=0)
    assert "process is gone" in it.line("missed").detail
    it.line("done")
    assert it.exchange.state()["working_orders"] == 0
    assert it.ledger_is_clean() == {}


def test_alerts_leave_the_machine_by_command(here: World) -> None:
    file = here.folder / "alerts.jsonl"
    script = here.folder / "tell.sh"
    script.write_text(f"#!/bin/sh\ncat >> {file}; echo >> {file}\n")
    script.chmod(0o700)
    it = Guarded(here, flatten=False)
    it.guardian.stop()
    it.guardian = here.kept(GuardianProcess(here, "told", FUSEBOARD_ALERT_COMMAND=str(script)))
    time.sleep(0.5)
    it.signal(signal.SIGKILL)
    it.gateway.process.wait()
    it.line("done")

    def said() -> bool:
        alerts = [json.loads(line) for line in file.read_text().splitlines() if line]
        return any("the guardian is done" in alert["text"] for alert in alerts)

    until(lambda: file.exists() and said(), "the command was told")
