"""Somebody's webhook: writes down each alert that is posted to it, and when.

    python hook.py PORT_FILE LOG [FAILS [HANGS...]]
    python hook.py append LOG

The first `FAILS` posts of each text are answered with 500. Posts whose severity is one of `HANGS`
are written down and never answered. `append` is an alert command instead: one alert on standard
input. Each is one line of the log: the alert, `at` (CLOCK_MONOTONIC when its body was here),
`wall` (wall time, ns), and `taken`: whether it is answered with success.
"""

import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Hook(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, log: Path, fails: int, hangs: frozenset[str]) -> None:
        super().__init__(("127.0.0.1", 0), Door)
        self.fails, self.hangs = fails, hangs
        self.seen: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.log = log.open("ab", buffering=0)


class Door(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        at, wall, alert = time.monotonic_ns(), time.time_ns(), json.loads(raw)
        hangs = alert["severity"] in self.server.hangs
        with self.server.lock:
            self.server.seen[alert["text"]] += 1
            fails = self.server.seen[alert["text"]] <= self.server.fails
            line = {**alert, "at": at, "wall": wall, "taken": not (hangs or fails)}
            self.server.log.write(json.dumps(line).encode() + b"\n")
        if hangs:
            threading.Event().wait()
        self.send_response(500 if fails else 204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def append(log: Path) -> None:
    at, wall = time.monotonic_ns(), time.time_ns()
    line = {**json.loads(sys.stdin.read()), "at": at, "wall": wall, "taken": True}
    with log.open("ab", buffering=0) as file:
        file.write(json.dumps(line).encode() + b"\n")


def main() -> None:
    first, log, *more = sys.argv[1:]
    if first == "append":
        append(Path(log))
        return
    hook = Hook(Path(log), int(more[0]) if more else 0, frozenset(more[1:]))
    part = Path(f"{first}.part")
    part.write_text(str(hook.server_port))
    part.rename(first)
    hook.serve_forever()


if __name__ == "__main__":
    main()
