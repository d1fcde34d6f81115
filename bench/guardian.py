"""How long from a SIGSTOP of the gateway until the guardian has the last cancel confirmed.

Real processes: gateway, guardian, the simulated exchange, 100 working orders. The exchange's ledger
file says when the last order ended; one machine, one clock. The policy's timeout (the time that a
gateway may be silent) is in the figure and also taken off it, and so is nothing else.
"""

import os
import signal
import statistics
import sys
import tempfile
import time
from argparse import Namespace
from contextlib import suppress
from pathlib import Path

# Run as a file, as `make bench` does, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import http.client
import json

from fuseboard.app.init_command import command_init
from fuseboard.exchange.ledger import OrderEnded
from fuseboard.gateway.keys import Keys
from fuseboard.halts.heartbeats import Heart, HeartbeatFile
from fuseboard.rescue.journal import read_lines
from tests.e2e.processes import Exchange, Gateway, until

ROUNDS = 5
ORDERS = 100
TIMEOUT_S = 1.0
POLICY = """
name: bench
safety:
  kill_switch: {watchdog: 1s}
"""


def place(port: str, key: tuple[str, str], count: int) -> None:
    headers = {"APCA-API-KEY-ID": key[0], "APCA-API-SECRET-KEY": key[1]}
    door = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
    for number in range(count):
        body = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit"}
        body |= {"time_in_force": "day", "limit_price": f"{1 + number / 100:.2f}"}
        for _ in range(50):
            door.request("POST", "/v2/orders", json.dumps(body), headers)
            answer = door.getresponse()
            said = answer.read()
            if answer.status == 200:
                break
            time.sleep(0.1)  # the policy's order rate
        assert answer.status == 200, said
    door.close()


def reaction_s(folder: Path) -> tuple[float, float]:
    """Seconds from SIGSTOP to the last order's end, and to two reads that agree."""
    policy = folder / "policy.yaml"
    policy.write_text(POLICY)
    state = folder / "state"
    command_init(Namespace(state=state, account="default", policy=policy))
    key = Keys(state / "keys.json").mint("default")
    exchange = Exchange(folder, tape="normal", requests_per_minute=10_000)
    exchange.start()
    gateway = Gateway(folder, state, exchange.url, "--guardian")
    gateway.wait_for(lambda now: now["posture"] == "OPEN", "the gateway is open")
    beats = HeartbeatFile(state / "heartbeats")
    until(lambda: (beat := beats.read(Heart.GUARDIAN)) and beat.iteration > 5, "a guardian beats")
    place(gateway.port(), key, ORDERS)
    until(lambda: exchange.state()["working_orders"] == ORDERS, "the orders work")
    stopped = time.time_ns()
    os.kill(gateway.process.pid, signal.SIGSTOP)

    def ended() -> bool:
        return sum(isinstance(each, OrderEnded) for each in exchange.ledger()) == ORDERS

    until(ended, "all orders have ended")
    last_s = (time.time_ns() - stopped) / 1e9
    journal = state / "guardian.jsonl"
    until(lambda: any(line.act == "done" for line in read_lines(journal)), "it is done")
    agreed = next(line.wall_ns for line in read_lines(journal) if line.act == "cancelled")
    guardian = beats.read(Heart.GUARDIAN)
    with suppress(ProcessLookupError):
        os.kill(guardian.pid if guardian else 0, signal.SIGTERM)
    beats.close()
    gateway.process.wait()
    exchange.kill()
    return last_s, (agreed - stopped) / 1e9


def main() -> None:
    lasts, agreeds = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="fuseboard-bench-") as name:
            last_s, agreed_s = reaction_s(Path(name))
        lasts.append(last_s)
        agreeds.append(agreed_s)
    print(f"SIGSTOP with {ORDERS} working orders, timeout {TIMEOUT_S:g} s, {ROUNDS} rounds")
    for what, figures in (
        ("last order ended", lasts),
        ("beyond the timeout", [each - TIMEOUT_S for each in lasts]),
        ("two reads agree", agreeds),
    ):
        low, middle, high = min(figures), statistics.median(figures), max(figures)
        print(f"{what:20} median {middle:.2f} s, {low:.2f} to {high:.2f} s")


if __name__ == "__main__":
    main()
