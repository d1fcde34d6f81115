"""A TCP proxy that delays both directions and writes down when each order reached it.

    python slow_proxy.py TARGET_PORT DELAY_MS PORT_FILE LOG

A line of the log is one JSON object: `order`, the moment at which the request's bytes came in from
the kernel (its own stamp of the receipt, which it makes while the sender is still writing), with
the client order id; `answer`, when the answer was given back. `link` is the connection; there is
one request at a time on each. Times are CLOCK_MONOTONIC, which all processes of a machine share.
"""

import heapq
import itertools
import json
import re
import select
import socket
import struct
import sys
import time
from pathlib import Path

SO_TIMESTAMPNS = 35
"""Linux: each receipt comes with the kernel's wall clock time of it."""
READ_BYTES = 65_536
ORDER = re.compile(rb"POST /v2/orders .*?\r\n\r\n", re.DOTALL)
WIRE_ID = re.compile(rb'"client_order_id":"([^"]+)"')


class Side:
    """One socket of a pair, and what is still to be written to it."""

    def __init__(self, link: int, wire: socket.socket, *, is_sender: bool) -> None:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.setblocking(False)
        self.link = link
        self.wire = wire
        self.is_sender = is_sender
        self.other: Side
        self.unwritten = b""
        self.is_closed = False
        self.awaits_answer = False


class SlowProxy:
    """Both directions of every connection, one poll at a time."""

    def __init__(self, target_port: int, delay_ms: int, log: Path) -> None:
        self._target = ("127.0.0.1", target_port)
        self._delay_ns = delay_ms * 1_000_000
        self._log = log.open("wb", buffering=0)
        self._door = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._door.setblocking(False)
        self.port: int = self._door.getsockname()[1]
        self._poll = select.epoll()
        self._poll.register(self._door, select.EPOLLIN)
        self._sides: dict[int, Side] = {}
        self._later: list[tuple[int, int, Side, bytes]] = []
        self._numbers = itertools.count()
        self._links = itertools.count()

    def serve(self) -> None:
        while True:
            wait_s = -1.0
            if self._later:
                wait_s = max(0, self._later[0][0] - time.monotonic_ns()) / 1e9
            for descriptor, events in self._poll.poll(wait_s):
                if descriptor == self._door.fileno():
                    self._accept()
                    continue
                side = self._sides.get(descriptor)
                if side is not None and events & ~select.EPOLLOUT:
                    self._read(side)
                if side is not None and events & select.EPOLLOUT:
                    self._write(side, b"")
            now_ns = time.monotonic_ns()
            while self._later and self._later[0][0] <= now_ns:
                _, _, side, data = heapq.heappop(self._later)
                if data:
                    self._write(side, data)
                else:
                    self._close(side)

    def _accept(self) -> None:
        wire, _ = self._door.accept()
        link = next(self._links)
        try:
            onward = socket.create_connection(self._target)
        except OSError:
            wire.close()
            return
        wire.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        near = Side(link, wire, is_sender=True)
        far = Side(link, onward, is_sender=False)
        near.other, far.other = far, near
        for side in (near, far):
            self._sides[side.wire.fileno()] = side
            self._poll.register(side.wire, select.EPOLLIN)

    def _read(self, side: Side) -> None:
        if side.is_closed:
            return
        try:
            data, beside, _, _ = side.wire.recvmsg(READ_BYTES, 256)
        except BlockingIOError:
            return
        except OSError:
            data, beside = b"", []
        now_ns = time.monotonic_ns()
        if not data:
            self._poll.unregister(side.wire)
            side.is_closed = True
        elif side.is_sender:
            self._note_orders(side, data, _came_in_ns(beside, now_ns))
        due_ns = now_ns + self._delay_ns
        heapq.heappush(self._later, (due_ns, next(self._numbers), side.other, data))

    def _note_orders(self, side: Side, data: bytes, at_ns: int) -> None:
        for head in ORDER.finditer(data):
            found = WIRE_ID.search(data, head.end())
            side.awaits_answer = True
            self._say(what="order", at=at_ns, link=side.link, id=found[1].decode() if found else "")

    def _write(self, side: Side, data: bytes) -> None:
        if side.wire.fileno() < 0:
            return
        side.unwritten += data
        try:
            sent = side.wire.send(side.unwritten)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(side)
            return
        side.unwritten = side.unwritten[sent:]
        if not side.is_closed:
            more = select.EPOLLOUT if side.unwritten else 0
            self._poll.modify(side.wire, select.EPOLLIN | more)
        if side.is_sender and side.awaits_answer and not side.unwritten:
            side.awaits_answer = False
            self._say(what="answer", at=time.monotonic_ns(), link=side.link)

    def _close(self, side: Side) -> None:
        for each in (side, side.other):
            if each.wire.fileno() >= 0:
                self._sides.pop(each.wire.fileno(), None)
                if not each.is_closed:
                    self._poll.unregister(each.wire)
                each.is_closed = True
                each.wire.close()

    def _say(self, **what: object) -> None:
        self._log.write(json.dumps(what).encode() + b"\n")


def _came_in_ns(beside: list[tuple[int, int, bytes]], now_ns: int) -> int:
    """The kernel's stamp, which is of the wall clock, on the monotonic one."""
    for _level, kind, value in beside:
        if kind == SO_TIMESTAMPNS:
            seconds, nanos = struct.unpack("qq", value)
            return int(seconds) * 10**9 + int(nanos) - (time.time_ns() - time.monotonic_ns())
    return now_ns


def main() -> None:
    target_port, delay_ms, port_file, log = sys.argv[1:]
    proxy = SlowProxy(int(target_port), int(delay_ms), Path(log))
    written = Path(port_file + ".new")
    written.write_text(str(proxy.port))
    written.rename(port_file)
    proxy.serve()


if __name__ == "__main__":
    main()
