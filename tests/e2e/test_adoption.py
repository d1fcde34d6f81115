"""A policy changes while the gateway runs, and is refused where nobody answers for it."""

import json
from pathlib import Path
from subprocess import CompletedProcess

from fuseboard.vocabulary.evidence_effects import RecordPolicy
from fuseboard.vocabulary.inputs import PolicyAdopted
from tests.e2e.processes import World, accepted, fuseboard

NAMED = ("--operator", "Ada", "--reason", "more room for the open")


def policy(most: int, sectors: str = "") -> str:
    limits = f"max_order_value: {most} USD{sectors}"
    return f"name: most-{most}\nrisk: {{limits: {{{limits}}}}}\n"


def adopt(here: World, file: Path, *words: str) -> CompletedProcess[str]:
    return fuseboard("policy", "adopt", file, "--state", here.state, *words)


def written(here: World, most: int) -> Path:
    file = here.folder / f"most-{most}.yaml"
    file.write_text(policy(most))
    return file


def start(here: World, url: str, *words: str | Path) -> CompletedProcess[str]:
    """A start that is refused."""
    return fuseboard(
        "run", "--state", here.state, "--broker", "alpaca", "--port", "0", *words,
        ALPACA_API_KEY="SIMULATED", ALPACA_SECRET_KEY="simulated", ALPACA_BASE_URL=url,
    )  # fmt: skip


def test_a_policy_is_adopted_over_the_socket_and_a_looser_one_only_for_a_person(
    here: World,
) -> None:
    here.init(policy(1_000))
    exchange = here.exchange(tape="normal", speed=5)
    gateway = here.open_gateway(exchange.url)
    bot = here.bot(gateway.url)
    exchange.start()
    accepted(bot.buy_limit("AAPL", 5, 100))

    tighter = adopt(here, written(here, 400))
    assert tighter.returncode == 0, tighter
    assert "0 looser, 1 tighter" in tighter.stdout
    assert (here.state / "policy.yaml").read_text() == policy(400)
    refused = bot.buy_limit("AAPL", 5, 100)
    assert (refused["ok"], "order_value" in refused["message"]) == (False, True), refused

    looser = adopt(here, written(here, 2_000))
    assert looser.returncode == 1
    assert "risk.limits.max_order_value: 400 USD -> 2000 USD" in looser.stdout
    assert "--operator NAME --reason TEXT" in looser.stdout
    assert (here.state / "policy.yaml").read_text() == policy(400), "the file stays as well"
    assert not bot.buy_limit("AAPL", 5, 100)["ok"]

    by_ada = adopt(here, written(here, 2_000), *NAMED, "--json")
    assert json.loads(by_ada.stdout)["accepted"] is True, by_ada
    accepted(bot.buy_limit("AAPL", 5, 100))
    now = gateway.status()["policy"]
    assert (now["name"], now["since_wall_ns"] > 0) == ("most-2000", True)
    told = fuseboard("status", "--state", here.state).stdout
    assert f"policy    most-2000, digest {now['digest'][:16]}, in force since 20" in told

    assert gateway.stop() == 0
    record = here.effects(RecordPolicy)[-1]
    assert (record.operator, record.reason, record.digest) == ("Ada", NAMED[-1], now["digest"])
    assert [each.accepted for each in here.effects(RecordPolicy)] == [True, True, False, True]
    down = fuseboard("status", "--state", here.state).stdout
    assert f"policy    most-2000, digest {now['digest'][:16]}, in force since 20" in down
    here.evidence_is_clean()


def test_a_start_with_a_looser_file_is_refused_and_says_how(here: World) -> None:
    here.init(policy(400))
    exchange = here.exchange(tape="normal", speed=5)
    assert here.open_gateway(exchange.url).stop() == 0
    before = len(here.records())

    (here.state / "policy.yaml").write_text(policy(2_000))
    refused = start(here, exchange.url)
    assert refused.returncode == 1
    assert "risk.limits.max_order_value: 400 USD -> 2000 USD" in refused.stderr
    file = here.state / "policy.yaml"
    command = f"`fuseboard run --policy {file} --operator NAME --reason TEXT`"
    assert command in refused.stderr
    assert start(here, exchange.url, "--operator", "Ada").returncode == 1, "a name is not enough"
    assert len(here.records()) == before, "a refused start leaves nothing behind"
    offline = adopt(here, file, *NAMED)
    assert (offline.returncode, "no gateway runs" in offline.stderr) == (1, True)
    assert "fuseboard run --policy" in offline.stderr

    gateway = here.gateway(exchange.url, *NAMED)
    since = gateway.wait_for(lambda now: now["policy"]["name"], "a policy is in force")["policy"]
    assert since["name"] == "most-2000"
    assert gateway.stop() == 0
    again = here.gateway(exchange.url)
    now = again.wait_for(lambda now: now["policy"]["name"], "the same policy needs no name")
    assert now["policy"] == since
    assert again.stop() == 0

    (here.state / "policy.yaml").write_text(policy(100))
    tighter = here.gateway(exchange.url)
    tighter.wait_for(lambda now: now["policy"]["name"] == "most-100", "it needs none either")
    assert tighter.stop() == 0
    people = [each.input for each in here.records() if isinstance(each.input, PolicyAdopted)]
    assert [(each.operator, each.reason) for each in people] == [
        ("start", ""),
        ("Ada", NAMED[-1]),
        ("start", ""),
        ("start", ""),
    ]
    here.evidence_is_clean()


def test_the_files_beside_a_policy_come_with_it(here: World) -> None:
    here.init(policy(1_000))
    exchange = here.exchange(tape="normal", speed=5)
    gateway = here.open_gateway(exchange.url)
    away = here.folder / "away"
    away.mkdir()
    (away / "sectors.csv").write_text("AAPL,tech\n")
    (away / "p.yaml").write_text(policy(1_000, ", max_sector: 20%, sectors: sectors.csv"))
    done = adopt(here, away / "p.yaml", *NAMED)
    assert done.returncode == 0, done
    assert (here.state / "sectors.csv").read_text() == "AAPL,tech\n"
    assert gateway.stop() == 0
    gateway = here.open_gateway(exchange.url)
    assert gateway.stop() == 0
