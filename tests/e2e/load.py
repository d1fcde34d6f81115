"""A load of small buy orders, offered at a steady rate whatever becomes of them.

    python load.py URL KEYS_FILE RATE UNDER_WAY_MAX LOG

Orders are limit buys far below the market that the exchange ends at once (ioc), so books stay
small; each fiftieth rests. A tenth of a second is one line of the log, counts since the start:
`offered`, and of those `skipped` (so many were under way already), `taken` (200), `denied` (403),
`failed` (anything else). Times are CLOCK_MONOTONIC.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

import uvloop

from fuseboard.wire.http_client import AnswerLost, ClientLimits, HttpClient, NotWritten

TICK_S = 0.005
RESTS_EVERY = 50
ANSWERS = {200: "taken", 403: "denied"}


class Load:
    def __init__(self, url: str, keys: list[list[str]], *, rate: int, under_way_max: int) -> None:
        self._client = HttpClient(url, limits=ClientLimits(connections_max=under_way_max))
        self._headers = [
            {
                "APCA-API-KEY-ID": key_id,
                "APCA-API-SECRET-KEY": secret,
                "Content-Type": "application/json",
            }
            for key_id, secret in keys
        ]
        self._rate = rate
        self._under_way_max = under_way_max
        self._under_way: set[asyncio.Task[None]] = set()
        self._name = f"load-{os.getpid()}"
        self.counts: Counter[str] = Counter()

    async def run(self) -> None:
        began = time.monotonic()
        while True:
            due = int((time.monotonic() - began) * self._rate)
            while self.counts["offered"] < due:
                self.counts["offered"] += 1
                if len(self._under_way) >= self._under_way_max:
                    self.counts["skipped"] += 1
                    continue
                task = asyncio.create_task(self._one(self.counts["offered"]))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            await asyncio.sleep(TICK_S)

    async def _one(self, number: int) -> None:
        body = {
            "symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "limit_price": "100",
            "time_in_force": "ioc" if number % RESTS_EVERY else "day",
            "client_order_id": f"{self._name}-{number}",
        }  # fmt: skip
        headers = self._headers[number % len(self._headers)]
        try:
            answer = await self._client.request(
                "POST", "/v2/orders", headers, json.dumps(body).encode(), timeout_s=30
            )
        except (NotWritten, AnswerLost):
            self.counts["failed"] += 1
        else:
            self.counts[ANSWERS.get(answer.status, "failed")] += 1


async def offered(url: str, keys: Path, rate: int, under_way_max: int, log: Path) -> None:
    load = Load(url, json.loads(keys.read_bytes()), rate=rate, under_way_max=under_way_max)
    running = asyncio.create_task(load.run())
    with log.open("wb", buffering=0) as file:
        while not running.done():
            line = {"at": time.monotonic_ns(), **load.counts}
            file.write(json.dumps(line).encode() + b"\n")
            await asyncio.sleep(0.1)
    await running


if __name__ == "__main__":
    address, keys_file, a_second, at_once, log_file = sys.argv[1:]
    uvloop.run(offered(address, Path(keys_file), int(a_second), int(at_once), Path(log_file)))
