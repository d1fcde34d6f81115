"""A file in the state directory halts real processes, and taking it away lifts nothing."""

from typing import Any

import pytest

from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from tests.e2e.processes import World, accepted, fuseboard, until


def is_latched(now: dict[str, Any]) -> bool:
    """Whether a person's halt holds, and not only books that are not compared yet."""
    return ("account", "operator") in {(at["scope"], at["reason"]) for at in now["postures"]}


def test_a_file_halts_and_only_a_person_lifts_it_and_not_while_it_is_there(here: World) -> None:
    here.init("name: file\n")
    exchange = here.exchange(tape="normal", speed=5, requests_per_minute=10_000)
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    accepted(bot.buy_limit("AAPL", 5, 100))
    until(lambda: exchange.state()["working_orders"] == 1, "it rests")

    file = here.state / "HALT"
    file.write_text("the feed shows yesterday\n")
    gateway.wait_for(lambda now: now["posture"] == "HALTED", "the file halts")
    until(lambda: exchange.state()["working_orders"] == 0, "what worked is cancelled")
    assert "posture_halted" in bot.buy("AAPL", 1)["message"]

    reset = ("reset", "--state", here.state, "--operator", "Ada", "--reason", "looked")
    for _ in range(4):  # one more than a day may have: what is refused is not counted
        refused = fuseboard(*reset)
        assert refused.returncode == 1
        assert f"the file {file} halts the account: `rm {file}`" in refused.stdout
    shown = fuseboard("status", "--state", here.state).stdout
    assert f"next      once reviewed: `rm {file}`, then `fuseboard reset" in shown
    assert f"{file} halts the account while it is there" in shown
    file.unlink()
    gateway.kill()
    again = here.gateway(exchange.url)
    again.wait_for(is_latched, "without the file, over a restart")
    until(lambda: fuseboard(*reset).returncode == 0, "the books are compared")
    again.wait_for(lambda now: now["posture"] == "OPEN", "a person lifted it")
    assert again.stop() == 0
    file.touch()
    shown = fuseboard("status", "--state", here.state).stdout
    assert shown.startswith("posture   HALTED\n")
    assert f"then `rm {file}`, then `fuseboard reset" in shown
    assert f"`rm {file}`" in fuseboard(*reset).stderr, "without a gateway too"
    third = here.gateway(exchange.url)
    third.wait_for(is_latched, "a file that lies there at the start")
    assert fuseboard(*reset).returncode == 1
    assert third.stop() == 0
    asked = [it.input for it in here.records() if isinstance(it.input, OperatorHaltRequested)]
    assert asked[0].reason == "the feed shows yesterday"
    assert {fact.operator for fact in asked} == {"the file HALT"}
    assert len(asked) == 2, "once for each time that it came; no reset was taken beside it"
    here.evidence_is_clean()


@pytest.mark.parametrize("switch", ["methods: [api, signal]", "enabled: false"])
def test_the_file_halts_whatever_ways_the_policy_closes(here: World, switch: str) -> None:
    here.init(f"name: closed\nsafety: {{kill_switch: {{{switch}}}}}\n")
    exchange = here.exchange(tape="normal", speed=5, requests_per_minute=10_000)
    file = here.state / "HALT"
    file.write_text("do not trade\n")
    shown = fuseboard("status", "--state", here.state).stdout
    assert f"{file} halts the account while it is there" in shown
    first = here.gateway(exchange.url)
    first.wait_for(is_latched, "one that lies there at the start")
    file.unlink()
    reset = ("reset", "--state", here.state, "--operator", "Ada", "--reason", "looked")
    until(lambda: fuseboard(*reset).returncode == 0, "the books are compared")
    first.wait_for(lambda now: now["posture"] == "OPEN", "a person lifted it")
    file.touch()
    first.wait_for(is_latched, "one that comes while it runs")
    assert first.stop() == 0
