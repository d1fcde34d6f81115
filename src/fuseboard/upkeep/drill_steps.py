"""What a drill does, step by step: each in a sandbox of its own, each with measured times.

A step raises `DrillFailed` when anything that it promises is not so.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from fuseboard.alerts.outward import OutwardPager, outward_pagers
from fuseboard.control.asked import HaltAsked
from fuseboard.control.client import OperatorClient
from fuseboard.guardian.orders import Place
from fuseboard.rescue.journal import Line, read_lines
from fuseboard.upkeep.drill_sandbox import SYMBOLS, DrillFailed, Sandbox
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

PERSON: Final = ("--operator", "drill", "--reason", "drill")
SLOW_MS: Final = 300
"""How slow the exchange answers while a liquidation is broken off, so that there is a middle."""
Figures = dict[str, str]
Step = Callable[[Sandbox], Figures]


def kill(here: Sandbox) -> Figures:
    """Kill -9 in the middle of a liquidation: it is finished once, and stays halted."""
    here.start_open("--no-guardian")
    here.trade()
    here.faults(delay_ms=SLOW_MS)
    asked = HaltAsked(operator="drill", reason="drill", scope=ACCOUNT_SCOPE, level="flatten")
    OperatorClient(here.state.socket_file).act("halt", asked)  # it does not wait for the end
    here.until(lambda: not here.exchange()["working_orders"], "the orders are cancelled")
    if not here.exchange()["positions"]:
        raise DrillFailed("the liquidation was over before it could be broken off")
    here.kill_gateway()
    left = len(here.exchange()["positions"])
    here.faults(delay_ms=0)
    began = time.monotonic()
    here.start("--no-guardian")
    restarted = time.monotonic()
    here.until(lambda: not here.exchange()["positions"], "everything is closed")
    flat = time.monotonic()
    here.until(lambda: not here.exchange()["working_orders"], "no order works")
    _must_be(here, "HALTED")
    if here.order(SYMBOLS[0], "buy", 1)[0] != 403:
        raise DrillFailed("an order was let through after the halt")
    here.until(
        lambda: all(plan.stage == "ended" for plan in here.status().plans), "the plan is over"
    )
    here.stop_gateway()
    return {
        "positions left when it was killed": str(left),
        "restart to an answering gateway": _seconds(restarted - began),
        "restart to flat": _seconds(flat - began),
        "orders at the exchange": f"{here.ledger_must_be_clean()}, none twice, none through zero",
        "journal": here.evidence(),
    }


def restore(here: Sandbox) -> Figures:
    """A backup under way, more trades, kill -9, restore: halted, with what was lost told."""
    here.start_open("--no-guardian")
    here.trade()
    began = time.monotonic()
    made = json.loads(here.command("backup", "--json"))
    backed_up = time.monotonic() - began
    lost = here.must_trade(SYMBOLS[0], "buy", 3)
    here.command("halt", "--scope", f"symbol:{SYMBOLS[1]}", *PERSON)
    held = here.exchange()["positions"]
    here.kill_gateway()
    words = ("restore", made["backup"], *PERSON)
    here.command(*words, refused=True)  # the journal is sound: nothing is given up unasked
    began = time.monotonic()
    here.command(*words, "--give-up-records")
    restored = time.monotonic() - began
    here.start("--no-guardian")
    here.until(
        lambda: any("are not in our book" in at.text for at in here.status().alerts),
        "the broker has said which orders it has had since",
    )
    _must_be(here, "HALTED")
    here.until(lambda: here.status().discrepancies, "it is told what differs from the broker")
    if f"symbol:{SYMBOLS[1]}" not in [at.scope for at in here.status().postures]:
        raise DrillFailed("the halt that was set since the backup is gone")
    here.command("reset", *PERSON)
    here.until(lambda: here.status().posture == "OPEN", "a named person opens it")
    here.until(lambda: here.held() == held, f"the books are the exchange's: {held}")
    status, message = here.order(SYMBOLS[0], "buy", 9, name=lost)
    if status != 422:
        raise DrillFailed(f"the id of a lost order was answered {status} {message}")
    here.must_trade(SYMBOLS[0], "buy", 1)
    here.stop_gateway()
    return {
        "backup, verified by restoring it": _seconds(backed_up),
        "records in the backup": str(made["manifest"]["last_sequence"]),
        "restore": _seconds(restored),
        "positions after it": ", ".join(f"{name} {size}" for name, size in held.items()),
        "orders at the exchange": f"{here.ledger_must_be_clean()}, none twice, none through zero",
        "journal": here.evidence(),
    }


def failover(here: Sandbox) -> Figures:
    """A stopped gateway is killed by its guardian, all is cancelled; a dead guardian is missed."""
    here.start_open()
    here.until(lambda: here.status().about.get("guardian") == "watches", "the guardian watches")
    here.trade()
    assert here.gateway is not None, "it was started"
    began = time.monotonic()
    os.kill(here.gateway.pid, signal.SIGSTOP)
    _line(here, "missed")
    missed = time.monotonic() - began
    _line(here, "killed")
    killed = time.monotonic() - began
    done = _line(here, "done")
    ended = time.monotonic() - began
    if here.gateway.wait() != -signal.SIGKILL:
        raise DrillFailed("the gateway was not killed")
    if here.exchange()["working_orders"]:
        raise DrillFailed("orders still work at the exchange")
    here.start()
    _must_be(here, "KILLED")
    # Each gateway starts a guardian, which ends by itself where one watches already.
    here.until(lambda: here.said("a guardian watches") == 2, "the gateway has started one too")
    here.until(lambda: len(here.guardians()) == 1, "one guardian is left")
    (with_guardian,) = here.guardians()
    began = time.monotonic()
    os.kill(with_guardian, signal.SIGKILL)
    here.until(
        lambda: any(at.code == Reason.GUARDIAN_MISSING.value for at in here.status().alerts),
        "the gateway misses its guardian",
    )
    told = time.monotonic() - began
    here.until(
        lambda: (
            here.status().about.get("guardian") == "watches"
            and here.guardians() not in ([], [with_guardian])
        ),
        "another guardian watches",
    )
    replaced = time.monotonic() - began
    here.stop_gateway()
    return {
        "stopped to missed": _seconds(missed),
        "stopped to killed": _seconds(killed),
        "stopped to all cancelled": _seconds(ended),
        "the guardian's last word": done.detail,
        "guardian killed to people told": _seconds(told),
        "guardian killed to another one": _seconds(replaced),
        "orders at the exchange": f"{here.ledger_must_be_clean()}, none twice, none through zero",
        "journal": here.evidence(),
    }


def end_guardian(here: Sandbox) -> None:
    """End the guardians of a sandbox, which outlive their gateways."""
    for pid in here.guardians():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def alerts(environment: Mapping[str, str]) -> Figures:
    """A test alert, marked as one, through each door that is configured."""
    text = "DRILL: this is a test of the alerts, nothing happened"
    figures: Figures = {}
    doors = outward_pagers(environment)
    for door in doors:
        began = time.monotonic()
        door.page(Severity.INFO.value, Reason.DRILL.value, ACCOUNT_SCOPE, text)
        door.close()
        if door.delivered != 1:
            raise DrillFailed(f"{door.name} did not take the test alert: {_why(door)}")
        figures[f"{door.name} took it"] = _seconds(time.monotonic() - began)
    return figures


def _why(door: OutwardPager) -> str:
    return door.failure or "it gave no answer in time"


def _must_be(here: Sandbox, posture: str) -> None:
    here.until(lambda: here.status().posture == posture, f"the posture is {posture}")


def _line(here: Sandbox, act: str) -> Line:
    file = Place(here.state.path).journal_file
    return here.until(
        lambda: next((line for line in read_lines(file) if line.act == act), None),
        f"the guardian says {act!r}",
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"


STEPS: Final[dict[str, Step]] = {"kill": kill, "restore": restore, "failover": failover}
ALERTS: Final = "alerts"
