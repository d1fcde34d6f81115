"""A halts register that was damaged between two runs is no dead end, and forgets no halt.

In each case a person had killed the account while no gateway ran: the kill stands in the register
and its history alone, the journal has never heard of it.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fuseboard.halts.block import BLOCK_BYTES, REGISTER_BYTES, Slot, offset_of
from tests.e2e.processes import Gateway, World, accepted, fuseboard, until

POLICY = "name: broken\nrisk: {limits: {gross_exposure: 1.0}}\n"
NEXT = "`fuseboard run`, then `fuseboard reset"


def of_length(length: int) -> Callable[[Path], object]:
    return lambda register: os.truncate(register, length)


def without_a_slot(register: Path) -> None:
    with register.open("r+b") as file:
        file.seek(offset_of(Slot.OPERATOR, 0))
        file.write(bytes(2 * BLOCK_BYTES))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": of_length(0),
    "short": of_length(100),
    "half": of_length(REGISTER_BYTES // 2),
    "one byte less": of_length(REGISTER_BYTES - 1),
    "one byte more": of_length(REGISTER_BYTES + 1),
    "zeros": lambda register: register.write_bytes(bytes(REGISTER_BYTES)),
    "a corrupt slot": without_a_slot,
    "missing": Path.unlink,
}
SET_ASIDE = ("empty", "short", "half", "one byte less", "one byte more")


def status_said(here: World) -> str:
    done = fuseboard("status", "--state", here.state)
    assert done.returncode == 0, done.stderr
    return done.stdout


def opens_again(here: World, gateway: Gateway) -> None:
    """A named reset of the kill: the recovery compares the books, then it trades and is whole."""
    bot = here.bot(gateway.url)
    assert bot.buy("AAPL", 1)["status"] == 403
    until(
        lambda: here.person("reset", "--reason", "the disk was mended").returncode == 0,
        "the books are compared, and a named reset is taken",
    )
    gateway.wait_for(lambda now: now["posture"] == "OPEN", "a named person opens it")
    accepted(bot.buy("AAPL", 1))
    assert gateway.stop() == 0
    verdict = fuseboard("verify", "--state", here.state, "--json")
    assert (verdict.returncode, json.loads(verdict.stdout)["halts"]["ok"]) == (0, True)
    assert status_said(here).startswith("posture   HALTED: no gateway runs; the next start")


@pytest.mark.parametrize("damage", DAMAGE)
def test_it_comes_up_killed_as_the_history_knows_and_a_reset_gets_out(
    here: World, damage: str
) -> None:
    here.init(POLICY)
    exchange = here.exchange(tape="normal", requests_per_minute=2_000)
    exchange.start()
    assert here.open_gateway(exchange.url).stop() == 0
    assert here.person("halt", "--level", "kill", "--reason", "storm").returncode == 0
    register = here.state / "halts.register"
    DAMAGE[damage](register)

    said = status_said(here)
    assert said.startswith("posture   KILLED"), said
    first = "`fuseboard init`, then " if damage == "missing" else ""
    assert f"next      {first}{NEXT}" in said
    verdict = fuseboard("verify", "--state", here.state)
    assert verdict.returncode == 1
    assert "absent, short or damaged" in verdict.stdout
    if damage == "missing":
        refused = fuseboard("run", "--state", here.state, "--broker", "sim")
        assert refused.returncode == 1
        assert "`fuseboard init --state" in refused.stderr
        assert fuseboard("init", "--state", here.state).returncode == 0
    gateway = here.gateway(exchange.url)
    gateway.wait_for(lambda now: now["posture"] == "KILLED", "it comes up killed")
    kept = list(here.state.glob("halts.register.damaged-*"))
    assert len(kept) == (damage in SET_ASIDE)
    if kept:
        assert f"it is kept as {kept[0]}" in gateway.output()
    opens_again(here, gateway)


def test_one_that_is_cut_off_under_a_gateway_is_no_dead_end(here: World) -> None:
    here.init(POLICY)
    exchange = here.exchange(tape="normal", requests_per_minute=2_000)
    exchange.start()
    gateway = here.open_gateway(exchange.url)
    os.truncate(here.state / "halts.register", 100)
    until(gateway.ended, "what cannot be halted any more stops itself")
    assert gateway.stop() == 3
    again = here.gateway(exchange.url)
    again.wait_for(lambda now: now["posture"] == "HALTED", "it comes up halted")
    opens_again(here, again)
