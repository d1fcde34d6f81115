"""A gateway with a guardian beside it, both real processes, in front of a real exchange."""

import http.client
import json
import os
import signal
from argparse import Namespace
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fuseboard.app.init_command import command_init
from fuseboard.exchange.ledger import AccountConfigured, OrderAccepted, OrderEnded
from fuseboard.gateway.keys import Keys
from fuseboard.rescue.journal import Line, read_lines
from tests.e2e.processes import (
    EXCHANGE_KEY,
    EXCHANGE_SECRET,
    FUSEBOARD,
    Exchange,
    Gateway,
    Running,
    World,
    until,
)
from tests.e2e.truth import nothing_twice, positions_of

POLICY = """
name: guarded
risk: {limits: {gross_exposure: 1.0, max_position: 0.5}}
safety:
  kill_switch: {watchdog: 1s, watchdog_flattens: %s}
"""


class GuardianProcess(Running):
    """`fuseboard guardian` on a state directory, for the run it finds there.

    Without `--run` it may miss a gateway that stops before it has looked twice.
    """

    def __init__(self, here: World, name: str = "guardian", **more: str) -> None:
        super().__init__(
            here.folder, name, *FUSEBOARD, "guardian", "--state", here.state, "--run", "1",
            **{"ALPACA_API_KEY": EXCHANGE_KEY, "ALPACA_SECRET_KEY": EXCHANGE_SECRET, **more},
        )  # fmt: skip


class Guarded:
    """The whole set; `seed` is the strategy's positions and orders."""

    def __init__(self, here: World, *, flatten: bool, **environment: str) -> None:
        self.here = here
        policy = here.folder / "policy.yaml"
        policy.write_text(POLICY % str(flatten).lower())
        command_init(Namespace(state=here.state, account="default", policy=policy))
        self.key = Keys(here.state / "keys.json").mint("default")
        self._threads = ThreadPoolExecutor(8)
        self.exchange: Exchange = here.exchange(tape="normal", requests_per_minute=2_000)
        self.exchange.start()
        self.gateway: Gateway = here.open_gateway(self.exchange.url)
        self.guardian = here.kept(GuardianProcess(here, **environment))
        until(lambda: self.watched_by() == "watches", "the guardian watches")

    def watched_by(self) -> str:
        return str(self.gateway.status()["about"]["guardian"])

    def order(self, symbol: str, quantity: int, side: str, **more: object) -> int:
        """Send one order as a strategy does; the HTTP status, 0 when no answer came."""
        body = {"symbol": symbol, "qty": str(quantity), "side": side, "time_in_force": "day"}
        headers = dict(zip(("APCA-API-KEY-ID", "APCA-API-SECRET-KEY"), self.key, strict=True))
        door = http.client.HTTPConnection("127.0.0.1", int(self.gateway.port()), timeout=60)
        try:
            kind = "limit" if "limit_price" in more else "market"
            text = json.dumps({**body, "type": kind, **more})
            door.request("POST", "/v2/orders", text, headers)
            return door.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            door.close()

    def later(self, symbol: str, quantity: int, side: str, **more: object) -> "Future[int]":
        """Send one without waiting for its answer."""
        return self._threads.submit(self.order, symbol, quantity, side, **more)

    def rest_orders(self, count: int) -> None:
        for number in range(count):
            price = f"{1 + number / 100:.2f}"
            assert self.order("AAPL", 1, "buy", limit_price=price) == 200
        until(lambda: self.exchange.state()["working_orders"] >= count, "the orders rest")

    def signal(self, number: int) -> None:
        os.kill(self.gateway.process.pid, number)

    def lines(self) -> list[Line]:
        return read_lines(self.here.state / "guardian.jsonl")

    def line(self, act: str) -> Line:
        """The first line of an act, once it is there."""

        def found() -> Line | None:
            self.guardian.must_run()
            return next((line for line in self.lines() if line.act == act), None)

        return until(found, f"the guardian's journal says {act!r}")

    def nobody_is_left(self) -> None:
        """The gateway is dead, and SIGCONT finds nobody."""
        code = until(lambda: self.gateway.process.poll() is not None, "the gateway is dead")
        assert code
        assert self.gateway.process.returncode == -signal.SIGKILL

    def ledger_is_clean(self) -> dict[str, int]:
        """Nothing twice, nothing through zero, nothing taken after the last end; the positions."""
        ledger = self.exchange.ledger()
        nothing_twice(ledger)
        return positions_of(ledger)

    def taken_after(self, sequence: int) -> list[OrderAccepted]:
        return [
            each
            for each in self.exchange.ledger()
            if isinstance(each, OrderAccepted) and each.sequence > sequence
        ]

    def last(self) -> int:
        return self.exchange.ledger()[-1].sequence

    def configured(self) -> list[tuple[bool, bool]]:
        return [
            (each.no_shorting, each.suspend_trade)
            for each in self.exchange.ledger()
            if isinstance(each, AccountConfigured)
        ]

    def ended(self) -> int:
        return sum(isinstance(each, OrderEnded) for each in self.exchange.ledger())


def told(file: Path) -> list[dict[str, Any]]:
    """The alerts that a command of the test wrote down."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
