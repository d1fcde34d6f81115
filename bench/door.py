"""What the door adds: a POST /v2/orders straight to the exchange, and through the whole gateway.

Three processes on this machine: the simulated exchange, the gateway (every check, a durable journal
with `synchronous=FULL`, the answer after the broker's), and this load. Orders are limit buys far
below the market that the exchange cancels at once (ioc), so books stay small. Direct and guarded
rounds alternate in one run; medians over rounds, with the smallest and the largest.
"""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from fuseboard.wire.http_client import ClientLimits, HttpClient

ROUNDS = 5
SECONDS = 2.0
CONNECTIONS = (1, 8, 32)
START_SECONDS_MAX = 30.0
FUSEBOARD = [sys.executable, "-m", "fuseboard"]
POLICY = """\
name: bench
risk:
  limits: {order_rate: 1000000/s, max_order_value: 1000000 USD, gross_exposure: 100%}
execution: {requests_per_minute: 1000000}
"""


def waited_for(path: Path) -> str:
    ends = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < ends:
        if path.exists() and (text := path.read_text().strip()):
            return text
        time.sleep(0.05)
    raise SystemExit(f"{path} did not appear")


async def one_client(
    client: HttpClient, headers: dict[str, str], name: str, ends: float, times: list[float]
) -> None:
    number = 0
    while time.perf_counter() < ends:
        number += 1
        body = json.dumps(
            {
                "symbol": "AAPL",
                "qty": "1",
                "side": "buy",
                "type": "limit",
                "time_in_force": "ioc",
                "limit_price": "100",
                "client_order_id": f"{name}-{number}",
            }
        ).encode()
        began = time.perf_counter()
        answer = await client.request("POST", "/v2/orders", headers, body, timeout_s=10)
        times.append(time.perf_counter() - began)
        assert answer.status == 200, (answer.status, answer.body)


async def one_round(url: str, key: tuple[str, str], connections: int, tag: str) -> list[float]:
    client = HttpClient(url, limits=ClientLimits(connections_max=connections))
    headers = {
        "APCA-API-KEY-ID": key[0],
        "APCA-API-SECRET-KEY": key[1],
        "Content-Type": "application/json",
    }
    times: list[float] = []
    ends = time.perf_counter() + SECONDS
    try:
        await asyncio.gather(
            *(one_client(client, headers, f"{tag}-{at}", ends, times) for at in range(connections))
        )
    finally:
        await client.close()
    return sorted(times)


def spread(values: list[float], digits: int = 0) -> str:
    median = statistics.median(values)
    return f"{median:,.{digits}f} [{min(values):,.{digits}f}..{max(values):,.{digits}f}]"


async def measure(ways: dict[str, tuple[str, tuple[str, str]]]) -> None:
    for way, (url, key) in ways.items():
        await one_round(url, key, 8, f"warm-{way}")
    print(f"{'connections':<12}{'way':<10}{'requests/s':>28}{'p50 µs':>28}{'p99 µs':>30}")
    for connections in CONNECTIONS:
        medians: dict[str, float] = {}
        rows: dict[str, list[list[float]]] = {way: [] for way in ways}
        for number in range(ROUNDS):
            for way, (url, key) in ways.items():
                tag = f"{way}-{connections}-{number}"
                rows[way].append(await one_round(url, key, connections, tag))
        for way, rounds in rows.items():
            rates = [len(times) / SECONDS for times in rounds]
            p50 = [times[len(times) // 2] * 1e6 for times in rounds]
            p99 = [times[len(times) * 99 // 100] * 1e6 for times in rounds]
            medians[way] = statistics.median(p50)
            print(
                f"{connections:<12}{way:<10}{spread(rates):>28}{spread(p50):>28}{spread(p99):>30}"
            )
        print(f"{'':<12}added p50: {medians['guarded'] - medians['direct']:,.0f} µs")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="fuseboard-bench-") as name:
        folder = Path(name)
        state, policy = folder / "state", folder / "policy.yaml"
        policy.write_text(POLICY)
        processes: list[subprocess.Popen[bytes]] = []
        log = (folder / "output.log").open("wb")
        try:
            processes.append(
                subprocess.Popen(
                    [
                        *FUSEBOARD,
                        "exchange",
                        "--tape",
                        "normal",
                        "--port-file",
                        str(folder / "port"),
                        "--requests-per-minute",
                        "100000000",
                    ],
                    stdout=log,
                    stderr=log,
                )
            )
            exchange = f"http://127.0.0.1:{waited_for(folder / 'port')}"
            subprocess.run(
                [*FUSEBOARD, "init", "--state", str(state), "--policy", str(policy)],
                check=True,
                stdout=log,
            )
            made = subprocess.run(
                [*FUSEBOARD, "keys", "--json", "--state", str(state), "new", "b"],
                check=True,
                capture_output=True,
            )
            key = json.loads(made.stdout)
            environment = {
                **os.environ,
                "ALPACA_API_KEY": "SIMULATED",
                "ALPACA_SECRET_KEY": "simulated",
                "ALPACA_BASE_URL": exchange,
            }
            processes.append(
                subprocess.Popen(
                    [*FUSEBOARD, "run", "--state", str(state), "--broker", "alpaca", "--port", "0"],
                    stdout=log,
                    stderr=log,
                    env=environment,
                )
            )
            gateway = json.loads(waited_for(state / "gateway.json"))["url"]
            ways = {
                "direct": (exchange, ("SIMULATED", "simulated")),
                "guarded": (gateway, (key["key_id"], key["secret"])),
            }
            uvloop.run(measure(ways))
            told = subprocess.run(
                [*FUSEBOARD, "status", "--json", "--state", str(state)],
                check=True,
                capture_output=True,
            )
            seen = json.loads(told.stdout)["measured"]
            share = seen["waited"] / max(1, seen["evaluations"])
            print(
                f"quotes and trades evaluated beside it: {seen['evaluations']:,}, of them waited"
                f" over 1 ms: {seen['waited']:,} ({share:.2%})"
            )
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGTERM)
                process.wait(20)
            log.close()


if __name__ == "__main__":
    main()
