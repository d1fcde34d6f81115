"""`fuseboard run -- python bot.py`: a bot that has the paper address wired in is guarded unchanged,
and neither it nor anything it has started outlives us.
"""

import json
import signal
import sys
from pathlib import Path
from typing import Any

from tests.e2e.processes import Exchange, Gateway, World, until

HARD_WIRED = """
import json, os, subprocess, sys, time
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest

trading = TradingClient("PKHARDWIRED", "its own secret", paper=True)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])

def say(**what):
    with open(sys.argv[1], "a") as told:
        told.write(json.dumps(what) + "\\n")

say(pids=[os.getpid(), child.pid], account=str(trading.get_account().status))
while True:
    order = MarketOrderRequest(
        symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
    )
    try:
        say(bought=trading.submit_order(order).client_order_id)
    except APIError as error:
        say(refused=error.message, code=error.code)
    time.sleep(0.1)
"""


class Guarded:
    """The bot below `fuseboard run`, and what it told."""

    def __init__(self, here: World) -> None:
        here.init("name: supervised\n")
        self.told_file = here.folder / "told.jsonl"
        script = here.folder / "hard_wired.py"
        script.write_text(HARD_WIRED)
        self.exchange: Exchange = here.exchange(tape="normal")
        self.exchange.start()
        self.gateway: Gateway = here.gateway(
            self.exchange.url, "--strategy", "wired", "--",
            sys.executable, str(script), str(self.told_file),
        )  # fmt: skip

    def told(self) -> list[dict[str, Any]]:
        if not self.told_file.exists():
            return []
        return [json.loads(line) for line in self.told_file.read_text().splitlines()]

    def pids(self) -> list[int]:
        self.wait_for("pids")
        return [int(pid) for pid in self.told()[0]["pids"]]

    def wait_for(self, what: str, text: str = "") -> dict[str, Any]:
        def looked() -> dict[str, Any] | None:
            self.gateway.must_run()
            told = (each for each in self.told() if what in each)
            return next((each for each in told if text in str(each[what])), None)

        return until(looked, f"the bot tells of {what}")


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[0] != b"Z"


def test_a_bot_with_a_wired_address_trades_through_us_and_is_halted_with_us(here: World) -> None:
    guarded = Guarded(here)
    guarded.wait_for("bought")
    until(guarded.exchange.positions, "the exchange has its order")
    guarded.gateway.wait_for(
        lambda now: any(at["strategy"] == "wired" for at in now["positions"]), "it is attributed"
    )
    halt = here.person("halt", "--reason", "enough")
    assert halt.returncode == 0, halt.stderr
    refused = guarded.wait_for("refused", "posture_halted")  # one before may have been on its way
    assert refused["code"] == 40310000

    pids = guarded.pids()
    assert all(map(alive, pids))
    assert guarded.gateway.stop() in {0, 128 + signal.SIGTERM}
    until(lambda: not any(map(alive, pids)), "the bot and its child are gone after TERM")
    assert "PKHARDWIRED" not in guarded.gateway.output()
    here.evidence_is_clean()


def test_a_bot_does_not_outlive_a_gateway_that_was_killed(here: World) -> None:
    guarded = Guarded(here)
    pids = guarded.pids()
    guarded.wait_for("bought")
    guarded.gateway.kill()
    until(lambda: not any(map(alive, pids)), "the bot and its child are gone after kill -9")


def test_the_strategys_end_ends_the_run_with_its_exit_code(here: World) -> None:
    here.init("name: end\n")
    exchange = here.exchange(tape="normal")
    gateway = here.gateway(exchange.url, "--", sys.executable, "-c", "raise SystemExit(7)")
    until(gateway.ended, "the run ends with its strategy")
    assert gateway.stop() == 7
    assert "the strategy ended with exit code 7" in gateway.output()
