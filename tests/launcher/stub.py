"""A tiny loopback server that remembers what arrived: what stands in for the gateway here."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

ACCOUNT = {
    "id": "11111111-2222-4333-8444-555555555555",
    "account_number": "STUB",
    "status": "ACTIVE",
    "cash": "12345.67",
}


class Arrived(NamedTuple):
    """One request as the stub saw it."""

    method: str
    path: str
    headers: dict[str, str]


class Stub(ThreadingHTTPServer):
    """Answers every request with an account; refuses WebSocket upgrades after noting them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.arrived: list[Arrived] = []
        self.any_arrived = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Stub

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.arrived.append(Arrived(self.command, self.path, headers))
        self.server.any_arrived.set()
        upgrade = headers.get("upgrade", "") == "websocket"
        body = json.dumps(ACCOUNT).encode()
        self.send_response(403 if upgrade else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its own name
        """Say nothing."""


@contextmanager
def running() -> Iterator[Stub]:
    stub = Stub()
    thread = threading.Thread(target=stub.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield stub
    finally:
        stub.shutdown()
        thread.join()
        stub.server_close()
