"""A served exchange in a thread of the test, and a plain client for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from msgspec import structs

from fuseboard.exchange.ledger import LedgerEntry, entries_of
from fuseboard.exchange.process import ExchangeOptions, serve

KEYS = {"PKTEST": "secret", "PKOTHER": "other"}
HEADERS = {"APCA-API-KEY-ID": "PKTEST", "APCA-API-SECRET-KEY": "secret"}
WAIT_S_MAX = 20.0


class Served:
    """Where an exchange is served, and requests to it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.http = requests.Session()
        self.http.headers.update(HEADERS)

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        return self.http.request(method, self.url + path, timeout=WAIT_S_MAX, **arguments)

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def order(self, **fields: Any) -> requests.Response:
        whole = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market"}
        return self.call("POST", "/v2/orders", json={**whole, "time_in_force": "day", **fields})

    def fault(self, **faults: int) -> None:
        assert self.call("POST", "/sim/faults", json=faults).status_code == 200

    def entries(self) -> list[LedgerEntry]:
        return entries_of(self.call("GET", "/sim/ledger").content.split(b"\n")[:-1])


@contextmanager
def served(folder: Path, **changes: Any) -> Iterator[Served]:
    """An exchange in a thread; its clock stands unless `start_paused` says otherwise."""
    port_file = folder / "port"
    options = structs.replace(
        ExchangeOptions(
            tape="flash-crash@14:44-15:10",
            port_file=port_file,
            key_pairs=KEYS,
            requests_per_minute=100_000,
            start_paused=True,
        ),
        **changes,
    )
    loop = asyncio.new_event_loop()
    serving = loop.create_task(serve(options))

    def run() -> None:
        try:
            loop.run_until_complete(serving)
        except asyncio.CancelledError:
            pass
        finally:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    exchange: Served | None = None
    try:
        deadline = time.monotonic() + WAIT_S_MAX
        while not port_file.exists():
            assert time.monotonic() < deadline
            assert not serving.done(), serving.exception()
            time.sleep(0.005)
        exchange = Served(int(port_file.read_text()))
        yield exchange
    finally:
        if exchange is not None:
            exchange.http.close()
        if not serving.done():
            loop.call_soon_threadsafe(serving.cancel)
        thread.join(WAIT_S_MAX)
        assert not thread.is_alive()
        port_file.unlink(missing_ok=True)
