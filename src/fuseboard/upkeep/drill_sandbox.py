"""A drill's own world: a folder with a simulated exchange, a gateway, a strategy's orders.

Real processes, started as a person starts them, each ended by its id at the latest when the drill
is over. Nothing of the operator's environment that names a broker, a state or an alert's door gets
into it: what goes wrong here on purpose pages nobody.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import msgspec

from fuseboard.control.client import GatewayUnreachable, OperatorClient
from fuseboard.control.state_directory import StateDirectory
from fuseboard.control.status import Status
from fuseboard.exchange.ledger import LedgerEntry, OrderAccepted, OrderFilled, read_ledger
from fuseboard.exchange.starter import DEFAULT_KEY_PAIRS
from fuseboard.gateway.keys import Keys
from fuseboard.guardian.orders import KEY_NAMES
from fuseboard.vocabulary.orders import Side

PATIENCE_S: Final = 60.0
"""How long a condition may take before the step has failed."""
LOOK_S: Final = 0.01
STRATEGY: Final = "drill"
SYMBOLS: Final = ("AAPL", "TSLA")
_FOREIGN: Final = ("ALPACA_", "APCA_", "FUSEBOARD_")
Found = TypeVar("Found")


class DrillFailed(Exception):
    """Something that a drill promises did not happen; the message says what."""


class Sandbox:
    """One exchange, one state directory, and gateways on it one after the other."""

    def __init__(self, folder: Path, policy: str) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.state = StateDirectory(folder / "state")
        self._processes: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []
        (folder / "policy.yaml").write_text(policy)
        self._orders = 0
        self.gateway: subprocess.Popen[bytes] | None = None
        with ExitStack() as undone:  # what was started ends when the rest does not come about
            undone.callback(self.close)
            self.command("init", "--policy", str(folder / "policy.yaml"))
            self._key = Keys(self.state.keys_file).mint(STRATEGY)
            self._url = self._exchange()
            undone.pop_all()

    # --- processes -------------------------------------------------------------------------------

    def _exchange(self) -> str:
        port_file, ledger = self.folder / "exchange.port", self.folder / "ledger.jsonl"
        self._started(
            *("exchange", "--tape", "normal", "--requests-per-minute", "100000"),
            *("--port-file", str(port_file), "--ledger", str(ledger)),
        )
        text = self.until(port_file.read_text, "an exchange")
        return f"http://127.0.0.1:{text.strip()}"

    def start(self, *words: str) -> None:
        """Start a gateway and wait until its operators' socket answers."""
        self.state.gateway_file.unlink(missing_ok=True)
        self.gateway = self._started(
            *("run", "--broker", "alpaca", "--port", "0", "--state", str(self.state.path)), *words
        )
        self.until(lambda: self.state.gateway_file.exists() and self._seen(), "a gateway")

    def start_open(self, *words: str) -> None:
        """Start a gateway and wait until orders are let through."""
        self.start(*words)
        self.until(lambda: self.status().posture == "OPEN", "the gateway is open")

    def _started(self, *words: str) -> "subprocess.Popen[bytes]":
        log = (self.folder / f"{words[0]}.log").open("ab")
        self._logs.append(log)
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "fuseboard", *words],
            env=self._environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        self._processes.append(process)
        return process

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
        pair = next(iter(DEFAULT_KEY_PAIRS.items()))
        url = {"ALPACA_BASE_URL": self._url} if self._processes else {}
        return {**kept, **url, **dict(zip(KEY_NAMES, pair, strict=True))}

    def command(self, *words: str, refused: bool = False) -> str:
        """What a command of a person says. Raises `DrillFailed` when it ends otherwise."""
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "fuseboard", *words, "--state", str(self.state.path)],
            env={key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if (done.returncode != 0) is not refused:
            said = " ".join((done.stderr or done.stdout).split())
            raise DrillFailed(f"`fuseboard {words[0]}` ended with {done.returncode}: {said}")
        return done.stdout

    def kill_gateway(self) -> None:
        """Kill -9."""
        assert self.gateway is not None, "a gateway was started"
        self.gateway.kill()
        self.gateway.wait()

    def stop_gateway(self) -> None:
        """Stop it in order. Raises `DrillFailed` when it does not."""
        assert self.gateway is not None, "a gateway was started"
        self.gateway.send_signal(signal.SIGTERM)
        try:
            code = self.gateway.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise DrillFailed("the gateway does not stop") from None
        if code != 0:
            raise DrillFailed(f"the gateway ended with {code}")

    def close(self) -> None:
        """End every process of this sandbox, guardians included."""
        for process in reversed(self._processes):
            if process.poll() is None:
                process.kill()
                process.wait()
        for log in self._logs:
            log.close()

    # --- acting and looking ----------------------------------------------------------------------

    def until(self, holds: Callable[[], Found | None], what: str) -> Found:
        """Look until there is something true, and give it. Raises `DrillFailed`."""
        ends = time.monotonic() + PATIENCE_S
        while True:
            with suppress(GatewayUnreachable, OSError):
                found = holds()
                if found:
                    return found
            if time.monotonic() > ends:
                raise DrillFailed(f"not within {PATIENCE_S:g} s: {what}; see {self.folder}")
            time.sleep(LOOK_S)

    def said(self, text: str) -> int:
        """How often the gateways of this sandbox have said something on their terminal."""
        return (self.folder / "run.log").read_text(errors="replace").count(text)

    def guardians(self) -> list[int]:
        """The ids of the guardians of this state: ours by the folder that they were started for."""
        ours = (b"guardian", os.fsencode(self.state.path))
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (each / "cmdline").read_bytes().split(b"\0")
                if all(word in words for word in ours):
                    found.append(int(each.name))
        return found

    def order(
        self, symbol: str, side: str, quantity: int, price: str = "", name: str = ""
    ) -> tuple[int, str]:
        """Send one order as a strategy does; the HTTP status and the message."""
        self._orders += 1
        body = {
            "symbol": symbol,
            "side": side,
            "qty": str(quantity),
            "type": "limit" if price else "market",
            "time_in_force": "day",
            "client_order_id": name or f"drill-{self._orders}",
        }
        ready = msgspec.json.decode(self.state.gateway_file.read_bytes())
        headers = dict(zip(("APCA-API-KEY-ID", "APCA-API-SECRET-KEY"), self._key, strict=True))
        door = http.client.HTTPConnection(str(ready["url"]).removeprefix("http://"), timeout=30)
        try:
            text = json.dumps({**body, "limit_price": price} if price else body)
            door.request("POST", "/v2/orders", text, headers)
            answer = door.getresponse()
            return answer.status, str(json.loads(answer.read()).get("message", ""))
        finally:
            door.close()

    def must_trade(self, symbol: str, side: str, quantity: int, price: str = "") -> str:
        """Send an order that must be taken; its client order id. Raises `DrillFailed`."""
        status, message = self.order(symbol, side, quantity, price)
        if status != 200:
            raise DrillFailed(f"an order for {symbol} was answered {status}: {message}")
        return f"drill-{self._orders}"

    def trade(self) -> None:
        """Hold two positions, and let three orders rest."""
        self.until(lambda: len(self.exchange()["market"]) >= len(SYMBOLS), "a market")
        self.must_trade(SYMBOLS[0], "buy", 10)
        self.must_trade(SYMBOLS[1], "buy", 4)
        for number in range(3):
            self.must_trade(SYMBOLS[0], "buy", 1, f"{1 + number}.50")
        self.until(
            lambda: (
                len(self.exchange()["positions"]) == len(SYMBOLS)
                and self.exchange()["working_orders"] == 3
            ),
            "two positions and three resting orders",
        )

    def _seen(self) -> Status | None:
        if self.gateway is not None and self.gateway.poll() is not None:
            raise DrillFailed(f"the gateway ended: see {self.folder / 'run.log'}")
        return self.status()

    def status(self) -> Status:
        """The gateway's. Raises `GatewayUnreachable`."""
        return OperatorClient(self.state.socket_file).status()

    def exchange(self) -> dict[str, Any]:
        """What the exchange says of itself. Raises `OSError`."""
        with urllib.request.urlopen(f"{self._url}/sim/state", timeout=10) as answer:  # noqa: S310
            return dict(json.loads(answer.read()))

    def faults(self, **faults: int) -> None:
        """What goes wrong at the exchange from now on. Raises `OSError`."""
        asked = urllib.request.Request(  # noqa: S310 - our own exchange
            f"{self._url}/sim/faults", data=json.dumps(faults).encode()
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
            answer.read()

    def ledger(self) -> list[LedgerEntry]:
        """The exchange's own record: the truth."""
        return list(read_ledger(self.folder / "ledger.jsonl"))

    def ledger_must_be_clean(self) -> int:
        """No order was taken twice and no fill went through zero; how many orders were taken.

        Raises `DrillFailed`.
        """
        taken: dict[str, None] = {}
        held: dict[str, int] = {}
        for entry in self.ledger():
            if isinstance(entry, OrderAccepted):
                if entry.client_order_id in taken:
                    raise DrillFailed(f"the exchange took {entry.client_order_id} twice")
                taken[entry.client_order_id] = None
            if isinstance(entry, OrderFilled):
                before = held.get(entry.symbol, 0)
                signed = entry.quantity_nanos if entry.side is Side.BUY else -entry.quantity_nanos
                after = held[entry.symbol] = before + signed
                if before * after < 0:
                    raise DrillFailed(f"{entry.symbol} went through zero")
        return len(taken)

    def held(self) -> dict[str, str]:
        """The account's positions as the gateway shows them. Raises `GatewayUnreachable`."""
        return {at.symbol: at.quantity for at in self.status().positions if not at.strategy}

    def evidence(self) -> str:
        """`verify` and `replay` on the whole journal; its anchor. Raises `DrillFailed`."""
        verified = json.loads(self.command("verify", "--json"))
        replayed = json.loads(self.command("replay", "--json"))
        if not (verified["ok"] and replayed["ok"]):
            raise DrillFailed("the journal does not verify")
        return str(verified["anchor"])
