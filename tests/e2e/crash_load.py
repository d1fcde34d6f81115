"""A strategy for the crash rounds: it trades, retries under the same id, and asks again."""

import http.client
import json
import random
import threading
import time
from typing import Any

SYMBOLS = ("AAPL", "PG", "JPM")
PAUSE_S = 0.05
RETRY_S = 0.05
RETRIES_MAX = 1_000
REMEMBERED_MAX = 30


class Strategy(threading.Thread):
    """One strategy, one order after the other, until `end`. It outlives gateways."""

    def __init__(self, url: str, key: tuple[str, str], dice: random.Random) -> None:
        super().__init__(daemon=True)
        self.acknowledged: dict[str, str] = {}
        """Its client order ids that were answered 200, with the id that the answer gave."""
        self._host = url.removeprefix("http://")
        self._headers = {"APCA-API-KEY-ID": key[0], "APCA-API-SECRET-KEY": key[1]}
        self._prefix = key[0][-6:]
        self._dice = dice
        self._bodies: dict[str, dict[str, str]] = {}
        self._broken: list[str] = []
        self._may_go = threading.Event()
        self._may_go.set()
        self._idle = threading.Event()
        self._ended = False
        self._door: http.client.HTTPConnection | None = None
        self._number = 0

    def go_on(self) -> None:
        self._idle.clear()
        self._may_go.set()

    def pause(self) -> None:
        """Begin nothing more; `is_idle` says when what was begun is answered."""
        self._may_go.clear()

    def is_idle(self) -> bool:
        return self._idle.is_set()

    def end(self) -> None:
        self._ended = True
        self._may_go.set()
        self.join(10)

    def taken_broken(self) -> list[str]:
        """What contradicts an earlier answer; each is told once."""
        broken, self._broken = self._broken, []
        return broken

    def run(self) -> None:
        while not self._ended:
            if not self._may_go.is_set():
                self._idle.set()
                self._may_go.wait()
                continue
            self._act()
            time.sleep(self._dice.uniform(0, 2 * PAUSE_S))
        self._hang_up()

    def _act(self) -> None:
        drawn = self._dice.random()
        if drawn < 0.1 and self._bodies:
            self._order(self._dice.choice(list(self._bodies.values())))
            return
        if drawn < 0.2 and self.acknowledged:
            latest = self.acknowledged[self._dice.choice(list(self.acknowledged)[-10:])]
            self._asked("DELETE", f"/v2/orders/{latest}", b"")
            return
        self._number += 1
        body = {
            "symbol": self._dice.choice(SYMBOLS),
            "qty": str(self._dice.randrange(1, 12)),
            "side": "sell" if drawn < 0.4 else "buy",
            "type": "market",
            "time_in_force": "day",
            "client_order_id": f"{self._prefix}-{self._number}",
        }
        if drawn > 0.85:
            body |= {"type": "limit", "limit_price": str(self._dice.randrange(5, 15))}
        self._order(body)

    def _order(self, body: dict[str, str]) -> None:
        """One order under one id, however often it must be asked for."""
        status, answer = self._asked("POST", "/v2/orders", json.dumps(body).encode())
        name = body["client_order_id"]
        known = self.acknowledged.get(name)
        if status == 200:
            if known is not None and known != answer["id"]:
                self._broken.append(f"{name} was order {known} and is now {answer['id']}")
            self.acknowledged[name] = answer["id"]
            self._bodies[name] = body
            if len(self._bodies) > REMEMBERED_MAX:
                del self._bodies[next(iter(self._bodies))]
        elif known is not None and status != 429:
            self._broken.append(f"{name} was order {known} and is now answered {status} {answer}")

    def _asked(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        for _ in range(RETRIES_MAX):
            if self._ended:
                break
            try:
                if self._door is None:
                    self._door = http.client.HTTPConnection(self._host, timeout=15)
                self._door.request(method, path, body, self._headers)
                answer = self._door.getresponse()
                said = answer.read()
                return answer.status, json.loads(said or b"{}")
            except (OSError, http.client.HTTPException):
                self._hang_up()
                time.sleep(RETRY_S)
        return 0, {}

    def _hang_up(self) -> None:
        if self._door is not None:
            self._door.close()
        self._door = None
