"""A halt under load, seen from the broker's side: what started and what arrived, and when.

Exchange, a proxy that delays both directions, gateway and load are processes of their own; the
halt comes through one of five doors. The judges are the exchange's own ledger and the proxy's log.
CLOCK_MONOTONIC is one clock on one machine; the tape's time is laid on it (`Ground.shift_ns`).
"""

import json
import random
import sys
import time
import urllib.request
from bisect import bisect_right
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from fuseboard.control.asked import HaltAsked, ResetAsked
from fuseboard.control.client import GatewayUnreachable, OperatorClient
from fuseboard.control.operator_keys import OperatorKeys
from fuseboard.exchange.ledger import OrderAccepted
from fuseboard.gateway.keys import Keys
from fuseboard.halts.block import Slot
from fuseboard.halts.register import HaltsRegister
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.e2e.processes import Exchange, Gateway, Running, World, fuseboard, until

POLICY = """\
name: halt under load
resets: {resets_a_day: 100000}
risk:
  limits:
    order_rate: 1000000/s
    max_order_value: 1000000 USD
    gross_exposure: 1000%
    max_position: 100%
    max_position_value: 100000000 USD
    max_working_orders: 60000
execution: {requests_per_minute: 1000000}
"""
FOLDER = Path(__file__).parent
DOORS = ("command", "socket", "control API", "file", "register")
STRATEGIES = 16
UNDER_WAY_MAX = 500
WHO = "Ada"


class Proxy(Running):
    """`slow_proxy.py` in front of an exchange."""

    def __init__(self, folder: Path, exchange: Exchange, delay_ms: int) -> None:
        self.log = folder / "proxy.log"
        port_file = folder / "proxy.port"
        target = exchange.url.rpartition(":")[2]
        super().__init__(
            folder, "proxy", sys.executable, FOLDER / "slow_proxy.py", target, str(delay_ms),
            port_file, self.log,
        )  # fmt: skip
        port = until(lambda: port_file.exists() and port_file.read_text(), "the proxy is ready")
        self.url = f"http://127.0.0.1:{port}"

    def lines(self) -> list[dict[str, Any]]:
        return _lines(self.log)


class Load(Running):
    """`load.py` at a gateway."""

    def __init__(self, folder: Path, gateway: Gateway, rate: int) -> None:
        self.log = folder / "load.log"
        keys = folder / "load-keys.json"
        minted = Keys(gateway.state / "keys.json")
        keys.write_text(json.dumps([minted.mint(f"load-{each}") for each in range(STRATEGIES)]))
        super().__init__(
            folder, "load", sys.executable, FOLDER / "load.py", gateway.url, keys, str(rate),
            str(UNDER_WAY_MAX), self.log, PYTHONPATH=str(FOLDER.parent.parent),
        )  # fmt: skip

    def lines(self) -> list[dict[str, Any]]:
        return _lines(self.log)


def _lines(log: Path) -> list[dict[str, Any]]:
    """All whole lines."""
    return [json.loads(line) for line in log.read_bytes().split(b"\n")[:-1]]


class Halt(NamedTuple):
    """One halt, as whoever asked for it saw it. CLOCK_MONOTONIC."""

    door: str
    asked_ns: int
    accepted_ns: int
    """The first moment at which the register said halted, or it was answered."""
    settled_ns: int
    in_doubt: tuple[str, ...]
    reset_ns: int
    """Just before its reset was asked for."""


class Ground:
    """Everything that a halt needs, running."""

    def __init__(self, here: World, *, delay_ms: int, rate: int) -> None:
        here.init(POLICY)
        self.exchange = here.exchange(tape="normal", requests_per_minute=100_000_000)
        self.exchange.start()
        self.shift_ns = shift_of(self.exchange)
        self.proxy = here.kept(Proxy(here.folder, self.exchange, delay_ms))
        self.gateway = here.gateway(self.proxy.url, "--control-port", "0")
        self.state = here.state
        self.client = OperatorClient(here.state / "control.sock")
        self.register = HaltsRegister(here.state / "halts.register", Slot.OPERATOR)
        self.key = OperatorKeys(here.state / "operators.json").mint(WHO, "admin")
        self.control = json.loads((here.state / "gateway.json").read_bytes())["control"]
        self.gateway.wait_for(lambda now: now["posture"] == "OPEN", "the gateway is open")
        self.load = here.kept(Load(here.folder, self.gateway, rate))
        self._flowed = 0
        self.flows()

    def flows(self) -> None:
        """Wait until the load's orders leave again."""

        def grown() -> bool:
            self.gateway.must_run()
            return self.proxy.log.stat().st_size > self._flowed + 4_000

        until(grown, "orders leave")

    def halt(self, door: str) -> tuple[int, int, int, tuple[str, ...]]:
        """Halt through a door: when asked, accepted and settled, and what is in doubt."""
        asked = HaltAsked(operator=WHO, reason=f"through the {door}")
        asked_ns = time.monotonic_ns()
        if door == "register":
            latch = LatchHalt(
                scope="account", level=HaltLevel.HALT, reason=Reason.OPERATOR, trip="",
                halt_epoch=0, detail="written by another process",
            )  # fmt: skip
            self.register.latch(latch, Moment(time.monotonic_ns(), time.time_ns()))
            accepted_ns = time.monotonic_ns()
        elif door == "file":
            (self.state / "HALT").write_text("the file\n")
            accepted_ns = self._seen()
        else:
            ways: dict[str, Callable[[], object]] = {
                "command": lambda: fuseboard(
                    "halt", "--operator", WHO, "--state", self.state, "--json"
                ),
                "socket": lambda: self.client.act("halt", asked),
                "control API": lambda: self._control("POST", "/v1/halt", {}),
            }
            with ThreadPoolExecutor(1) as beside:
                answer: Future[Any] = beside.submit(ways[door])
                accepted_ns = self._seen(answer)
                said = answer.result()
            if door == "command":
                assert said.returncode == 0, said.stdout + said.stderr
                told = json.loads(said.stdout)
                in_doubt = tuple(told.get("in_doubt", ()))
                return asked_ns, accepted_ns, time.monotonic_ns(), in_doubt
        if door == "control API":
            in_doubt = tuple(self._control("GET", "/v1/settled")["in_doubt"])
        else:
            in_doubt = self.client.settled("account").in_doubt
        return asked_ns, accepted_ns, time.monotonic_ns(), in_doubt

    def reset(self) -> int:
        """A person lets it go on; the moment before that was asked for."""
        (self.state / "HALT").unlink(missing_ok=True)
        asked_ns = time.monotonic_ns()

        def is_open() -> bool:
            self.gateway.must_run()
            try:
                self.client.act("reset", ResetAsked(operator=WHO, reason="next round"))
                posture = self.client.status(with_orders=False).posture
            except GatewayUnreachable:
                return False
            return posture == "OPEN" and not self.register.halted()

        until(is_open, "it is reset")
        self._flowed = self.proxy.log.stat().st_size
        return asked_ns

    def _seen(self, answer: Future[Any] | None = None) -> int:
        """When the register first says halted, or the answer is there."""

        def seen() -> bool:
            return self.register.halted() or (answer is not None and answer.done())

        ends = time.monotonic() + 20
        while not seen():
            assert time.monotonic() < ends, "the halt was not accepted"
            time.sleep(0.0003)
        return time.monotonic_ns()

    def _control(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.control + path, data=data, method=method)
        request.add_header("Authorization", f"Bearer {self.key}")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return dict(json.loads(answer.read()))


def halted_once(
    ground: Ground, door: str, dice: random.Random, *, flow_s: float, quiet_s: float
) -> Halt:
    """Let it flow for a random while, halt, look for a while at what still comes, reset."""
    ground.flows()
    time.sleep(dice.uniform(flow_s / 4, flow_s))
    asked_ns, accepted_ns, settled_ns, in_doubt = ground.halt(door)
    time.sleep(quiet_s)
    return Halt(door, asked_ns, accepted_ns, settled_ns, in_doubt, ground.reset())


def shift_of(exchange: Exchange) -> int:
    """What to add to the tape's time to have CLOCK_MONOTONIC, at the latest (speed 1)."""
    highest = None
    for _ in range(50):
        state = exchange.state()
        latest = time.monotonic_ns() - int(state["now_ns"])
        highest = latest if highest is None else min(highest, latest)
    assert highest is not None
    return highest


class Verdict(NamedTuple):
    """What the broker's side says of one halt."""

    halt: Halt
    started_late: list[int]
    """Orders whose bytes came to the proxy after *accepted*: how long after, ns."""
    arrived_late: list[str]
    """Orders that the exchange took after *settled*."""
    arrived_between: int
    """Orders that the exchange took between *accepted* and *settled*: they had started."""
    in_flight: int
    """Orders started and not answered when the halt was accepted."""
    started_a_second: float
    """Orders that started in the second before the halt was asked for."""


def judged(ground: Ground, halts: list[Halt]) -> list[Verdict]:
    """Each halt, by the exchange's ledger and the proxy's log alone."""
    lines = sorted(ground.proxy.lines(), key=lambda line: line["at"])
    starts = [line["at"] for line in lines if line["what"] == "order"]
    answers = [line["at"] for line in lines if line["what"] == "answer"]
    assert all(line["id"] for line in lines if line["what"] == "order"), "a request in two pieces"
    taken = [
        (entry.at_ns + ground.shift_ns, entry.client_order_id)
        for entry in ground.exchange.ledger()
        if isinstance(entry, OrderAccepted)
    ]
    taken_ns = [at_ns for at_ns, _ in taken]
    verdicts = []
    for halt in halts:
        first = bisect_right(starts, halt.accepted_ns)
        late = [at for at in starts[first:] if at < halt.reset_ns]
        accepted = bisect_right(taken_ns, halt.accepted_ns)
        settled = bisect_right(taken_ns, halt.settled_ns)
        began = bisect_right(starts, halt.asked_ns - 10**9)
        verdicts.append(
            Verdict(
                halt,
                [at - halt.accepted_ns for at in late],
                [name for at, name in taken[settled:] if at < halt.reset_ns],
                settled - accepted,
                first - bisect_right(answers, halt.accepted_ns),
                bisect_right(starts, halt.asked_ns) - began,
            )
        )
    return verdicts
