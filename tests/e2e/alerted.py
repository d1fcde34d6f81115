"""Alerts seen from both ends: a market that falls step by step, and somebody's webhook.

Each step of the tape breaches one breaker more of the strategy `holder`, which holds the symbol:
the even ones halt it and page, the odd ones tell people alone. Exchange, gateway and webhook are
processes of their own; the event is the moment at which the exchange's clock shows the first quote
of a step, laid on CLOCK_MONOTONIC as in `halt_proof`.
"""

import datetime
import http.client
import json
import re
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as arrow
from pyarrow import parquet

from fuseboard.feeds.tapes.times import new_york_ns
from fuseboard.gateway.keys import Keys
from tests.e2e.halt_proof import STRATEGIES, Load, shift_of
from tests.e2e.processes import Gateway, Running, World, until

DAY = datetime.date(2010, 11, 23)
NOON = datetime.time(12)
OPEN_S = 12 * 3600
QUOTES_A_SECOND = 10
PRICE, SHARES, CAPITAL = 250, 300, 100_000
"""A step is one dollar: 0.3 % of the strategy's capital."""
HOOK = Path(__file__).with_name("hook.py")


class Fall(NamedTuple):
    """A quiet while, then steps down."""

    quiet_s: int
    steps: int
    gap_s: int

    def tape(self, folder: Path) -> str:
        length_s = self.quiet_s + self.steps * self.gap_s + 10
        rows = [self._row(number) for number in range(length_s * QUOTES_A_SECOND)]
        parquet.write_table(arrow.Table.from_pylist(rows), folder / "AAPL.parquet")
        ends_s = OPEN_S + length_s
        return f"{folder / 'AAPL.parquet'}:{DAY}@12:00:00-{_clock(ends_s)}"

    def _row(self, number: int) -> dict[str, str]:
        fallen_s = number // QUOTES_A_SECOND - self.quiet_s
        fallen = 0 if fallen_s < 0 else min(fallen_s // self.gap_s + 1, self.steps)
        price = PRICE - fallen
        seconds, tenths = divmod(number, QUOTES_A_SECOND)
        return {
            "index": f"{DAY}T{_clock(OPEN_S + seconds)}.{tenths}",
            "bid-price": f"{price - 0.01:.2f}",
            "bid-volume": "50",
            "ask-price": f"{price + 0.01:.2f}",
            "ask-volume": "50",
            "trade-price": str(price),
            "trade-volume": "100",
        }

    def policy(self) -> str:
        breakers = "\n".join(
            f"    - {{name: step {step}, scope: strategy:holder, action: {_action(step)},"
            f" condition: drawdown >= {0.3 * step - 0.1:.1f}%}}"
            for step in range(1, self.steps + 1)
        )
        loads = "\n".join(
            f"  - {{name: load-{each}, capital: {CAPITAL} USD}}" for each in range(STRATEGIES)
        )
        return POLICY.format(breakers=breakers, loads=loads, capital=CAPITAL)


def _action(step: int) -> str:
    return "halt" if step % 2 == 0 else "notify_desk"


POLICY = """\
name: alerts
strategies:
  - {{name: holder, capital: {capital} USD}}
{loads}
risk:
  limits:
    order_rate: 1000000/s
    max_order_value: 1000000 USD
    gross_exposure: 1000%
    max_position: 100%
    max_position_value: 100000000 USD
    max_working_orders: 60000
safety:
  kill_switch: {{watchdog: 1s}}
  circuit_breakers:
{breakers}
execution: {{requests_per_minute: 1000000}}
"""


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


class Hook(Running):
    """`hook.py`, and what came to it."""

    def __init__(self, folder: Path, *, fails: int = 0, hangs: tuple[str, ...] = ()) -> None:
        self.log = folder / "hook.log"
        port_file = folder / "hook.port"
        super().__init__(
            folder, "hook", sys.executable, HOOK, port_file, self.log, str(fails), *hangs
        )
        port = until(lambda: port_file.exists() and port_file.read_text(), "the webhook is ready")
        self.port = int(str(port))
        self.url = f"http://127.0.0.1:{self.port}/alerts"

    def posts(self) -> list[dict[str, Any]]:
        return lines_of(self.log)


def lines_of(log: Path) -> list[dict[str, Any]]:
    """All whole lines; none where nothing came."""
    raw = log.read_bytes() if log.exists() else b""
    return [json.loads(line) for line in raw.split(b"\n")[:-1]]


class Market:
    """A fall that plays in front of a gateway whose strategy holds what falls."""

    def __init__(
        self, here: World, fall: Fall, *words: str, doors: dict[str, str], rate: int = 0
    ) -> None:
        self.fall = fall
        here.init(fall.policy())
        self.exchange = here.exchange(
            tape=fall.tape(here.folder), cash="1000000", requests_per_minute=100_000_000
        )
        self.gateway = here.gateway(self.exchange.url, *words, **doors)
        self.gateway.wait_for(lambda now: now["posture"] == "OPEN", "the gateway is open")
        self.exchange.start()
        began_ns = time.monotonic_ns()
        self.shift_ns = shift_of(self.exchange)
        buy(self.gateway, Keys(here.state / "keys.json").mint("holder"))
        self.load = here.kept(Load(here.folder, self.gateway, rate)) if rate else None
        self.gateway.wait_for(
            lambda now: any(at["strategy"] == "holder" for at in now["positions"]), "it holds them"
        )
        late_s = (time.monotonic_ns() - began_ns) / 1e9
        assert late_s < fall.quiet_s, f"it fell before it was held: {late_s:.1f} s"
        quiet_ns = fall.quiet_s * 1_000_000_000
        self.first_ns = new_york_ns(DAY, NOON) + quiet_ns + self.shift_ns

    def event_ns(self, step: int) -> int:
        """When the exchange showed the first quote of a step, CLOCK_MONOTONIC."""
        return self.first_ns + (step - 1) * self.fall.gap_s * 1_000_000_000

    def lags_s(self, lines: list[dict[str, Any]]) -> dict[int, float]:
        """Of each step that was told: from its event until the first alert that was taken."""
        found: dict[int, float] = {}
        for line in lines:
            step = re.search(r"\bstep (\d+)\b", line["text"])
            if step and line["taken"] and line["code"] == "breaker":
                number = int(step[1])
                found.setdefault(number, (line["at"] - self.event_ns(number)) / 1e9)
        return found


def buy(gateway: Gateway, key: tuple[str, str]) -> None:
    headers = {"APCA-API-KEY-ID": key[0], "APCA-API-SECRET-KEY": key[1]}
    body = {"symbol": "AAPL", "qty": str(SHARES), "side": "buy", "type": "market"}
    text = json.dumps(body | {"time_in_force": "day"})

    def taken() -> bool:
        door = http.client.HTTPConnection("127.0.0.1", int(gateway.port()), timeout=20)
        try:
            door.request("POST", "/v2/orders", text, headers)
            answer = door.getresponse()
            said = answer.read()
        finally:
            door.close()
        assert answer.status in {200, 403}, said  # before the first quote it is denied
        return answer.status == 200

    until(taken, "it is bought")
