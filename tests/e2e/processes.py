"""The real processes that these tests are about: exchange, gateway, strategy, and operators.

Each class owns one process and what it leaves on disk. Nothing here waits for a time to pass:
`until` looks until something is true, and says what was not when it gives up.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import IO, Any, TypeVar

from fuseboard.cli import main
from fuseboard.exchange.ledger import LedgerEntry, read_ledger
from fuseboard.halts.heartbeats import Heart, HeartbeatFile, process_seen
from fuseboard.journal.reader import records
from fuseboard.vocabulary.effects import Effect
from fuseboard.vocabulary.records import Record

ROOT = Path(__file__).resolve().parents[2]
BOT = Path(__file__).with_name("bot.py")
FUSEBOARD = (sys.executable, "-m", "fuseboard")
EXCHANGE_KEY, EXCHANGE_SECRET = "SIMULATED", "simulated"
OWN_PROCESS = frozenset({"demo", "exchange", "halt", "replay", "rescue", "run", "top"})
"""What changes the process it runs in, or must come out the same in another one."""
PATIENCE_S = 40.0
"""How long a condition may take on a machine that is busy with other things."""
LOOK_S = 0.02
PORTS = range(20_000, 32_000)
"""Below those that Linux gives to connections (ip_local_port_range, from 32,768): while a gateway
is dead, nobody's connection takes the port on which its next run must listen.
"""
Found = TypeVar("Found")
Kept = TypeVar("Kept", bound="Running")


def until(condition: Callable[[], Found | None], what: str, seconds: float = PATIENCE_S) -> Found:
    """Look until there is something true, and give it; fail with what was awaited."""
    ends = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < ends, f"not within {seconds:g} s: {what}"
        time.sleep(LOOK_S)


def environment(**more: str) -> dict[str, str]:
    """Ours without anything that names a broker, a state or a proxy."""
    foreign = ("APCA_", "ALPACA_", "FUSEBOARD_STATE", "COV_CORE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return {**kept, "PYTHONUNBUFFERED": "1", "NO_PROXY": "127.0.0.1,localhost", **more}


def fuseboard(*words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """One command of a person, to its end: in this process, where a process is not the point."""
    if not more and words[0] not in OWN_PROCESS:
        return said_here([str(word) for word in words])
    return subprocess.run(
        [*FUSEBOARD, *map(str, words)],
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        stdin=subprocess.DEVNULL,
    )


def said_here(words: list[str]) -> subprocess.CompletedProcess[str]:
    """What the command line does with these words, and what it says."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = main(words)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def get(url: str, body: object = None) -> Any:
    """The JSON of an answer; with a body, of a POST."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as answer:
        return json.loads(answer.read())


def accepted(answer: dict[str, Any]) -> dict[str, Any]:
    """A bot's answer that must be good; a refusal fails with what it says."""
    assert answer["ok"], answer
    return answer


class Running:
    """One process, its output in a file, ended at the latest with its test."""

    def __init__(self, folder: Path, name: str, *command: str | Path, **more: str) -> None:
        self.name = name
        self.output_file = folder / f"{name}.out"
        self._log: IO[bytes] = self.output_file.open("ab")
        self.process = subprocess.Popen(
            [str(word) for word in command],
            env=environment(**more),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=self._heard_by(),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _heard_by(self) -> IO[bytes] | int:
        return self._log

    def output(self) -> str:
        return self.output_file.read_text(errors="replace")

    def ended(self) -> bool:
        return self.process.poll() is not None

    def must_run(self) -> None:
        assert not self.ended(), f"{self.name} ended: {self.output()[-2000:]}"

    def kill(self) -> None:
        """kill -9, of this process only."""
        self.process.kill()
        self._over()

    def stop(self, seconds: float = PATIENCE_S, *, by: signal.Signals = signal.SIGTERM) -> int:
        """A signal, and the exit code; one that does not listen is killed and fails the test."""
        if not self.ended():
            self.process.send_signal(by)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.name} did not stop: {self.output()[-2000:]}") from None
        return self._over()

    def _over(self) -> int:
        code = self.process.wait(PATIENCE_S)
        if self.process.stdin is not None:
            self.process.stdin.close()
        self._log.close()
        return code


class Exchange(Running):
    """The simulated exchange, its clock standing until `start`, and its ledger: the truth."""

    def __init__(
        self,
        folder: Path,
        *,
        tape: str,
        speed: int = 1,
        cash: str = "100000",
        requests_per_minute: int = 200,
        data: Path | None = None,
        dividends: tuple[str, ...] = (),
    ) -> None:
        self.ledger_file = folder / "exchange-ledger.jsonl"
        port_file = folder / "exchange.port"
        super().__init__(
            folder, "exchange", *FUSEBOARD, "exchange", "--tape", tape, "--speed", str(speed),
            "--cash", cash, "--paused", "--port-file", port_file, "--ledger", self.ledger_file,
            "--requests-per-minute", str(requests_per_minute),
            *(word for each in dividends for word in ("--dividend", each)),
            **({} if data is None else {"FUSEBOARD_DATA": str(data)}),
        )  # fmt: skip

        def port() -> str:
            self.must_run()
            return port_file.read_text().strip() if port_file.exists() else ""

        self.url = f"http://127.0.0.1:{until(port, 'the exchange is ready')}"

    def start(self) -> None:
        """Let the market play."""
        get(f"{self.url}/sim/start", {})

    def state(self) -> dict[str, Any]:
        return dict(get(f"{self.url}/sim/state"))

    def faults(self, **wanted: int) -> dict[str, int]:
        """Switch faults on or off; with none named, what is left of them."""
        return dict(get(f"{self.url}/sim/faults", wanted))

    def positions(self) -> dict[str, str]:
        return dict(self.state()["positions"])

    def ledger(self) -> list[LedgerEntry]:
        return read_ledger(self.ledger_file)


def free_port() -> str:
    """A port of `PORTS` on which nobody listens; each process draws its own."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        return str(port)


class Gateway(Running):
    """`fuseboard run` on a state directory, in front of an exchange."""

    def __init__(
        self, folder: Path, state: Path, broker_url: str, *words: str | Path, **more: str
    ) -> None:
        self.state = state
        ready = state / "gateway.json"
        ready.unlink(missing_ok=True)  # one that was killed leaves its own behind
        super().__init__(
            folder, "gateway", *FUSEBOARD, "run", "--state", state, "--broker", "alpaca",
            *(() if "--port" in words else ("--port", free_port())),
            # Most tests kill gateways to see what the next one does; the guardian has its own.
            *(() if "--guardian" in words else ("--no-guardian",)), *words,
            ALPACA_API_KEY=EXCHANGE_KEY, ALPACA_SECRET_KEY=EXCHANGE_SECRET,
            ALPACA_BASE_URL=broker_url, **more,
        )  # fmt: skip

        def address() -> str:
            self.must_run()
            return str(json.loads(ready.read_bytes())["url"]) if ready.exists() else ""

        self.url = until(address, "the gateway is ready")

    def port(self) -> str:
        """Where it listens: its next run listens there too, as strategies expect."""
        return self.url.rpartition(":")[2]

    def status(self) -> dict[str, Any]:
        """Its status, which it must give."""
        now = socket_status(self.state)
        assert now, f"{self.name} does not answer: {self.output()[-2000:]}"
        return now

    def wait_for(self, holds: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        """Its status, once something holds."""

        def looked() -> dict[str, Any] | None:
            self.must_run()
            now = socket_status(self.state)
            return now if now and holds(now) else None

        return until(looked, what)


def socket_status(state: Path) -> dict[str, Any]:
    """A running gateway's status without starting a process; empty when none answers."""
    import msgspec

    from fuseboard.control.client import GatewayUnreachable, OperatorClient

    try:
        return dict(msgspec.to_builtins(OperatorClient(state / "control.sock").status()))
    except GatewayUnreachable:
        return {}


def status(state: Path) -> dict[str, Any]:
    """What `fuseboard status --json` says."""
    done = fuseboard("status", "--json", "--state", state)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


class Bot(Running):
    """A strategy with alpaca-py; `connect` says where it trades, `ask` has it do one thing."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder, name, sys.executable, BOT)
        self._answers = self.output_file.open()
        self.owes = 0

    def connect(self, url: str, key_id: str, secret: str) -> None:
        assert self.ask("connect", url=url, key_id=key_id, secret=secret)["ok"]

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        self.tell(do, **fields)
        return self._answer()

    def tell(self, do: str, **fields: Any) -> None:
        """Ask without waiting for the answer: `heard` has it later."""
        self.must_run()
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **fields}).encode() + b"\n")
        self.process.stdin.flush()
        self.owes += 1

    def heard(self) -> dict[str, Any]:
        return self._answer()

    def buy(self, symbol: str, qty: float, **more: Any) -> dict[str, Any]:
        return self.ask(
            "submit", symbol=symbol, qty=qty, side="buy", **{"time_in_force": "day"} | more
        )

    def buy_limit(self, symbol: str, qty: float, price: float) -> dict[str, Any]:
        return self.buy(symbol, qty, limit_price=price)

    def sell(self, symbol: str, qty: float, **more: Any) -> dict[str, Any]:
        return self.ask(
            "submit", symbol=symbol, qty=qty, side="sell", **{"time_in_force": "day"} | more
        )

    def _answer(self) -> dict[str, Any]:
        text = ""

        def line() -> str:
            nonlocal text
            text += self._answers.readline()
            if not text.endswith("\n"):
                self.must_run()
                return ""
            return text

        answer = dict(json.loads(until(line, "the bot answers")))
        self.owes -= 1
        return answer

    def _over(self) -> int:
        self._answers.close()
        return super()._over()


class Bots:
    """Bots that have no work: importing alpaca-py takes seconds, so each serves many tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: list[Bot] = []
        self._idle: list[Bot] = []

    def take(self) -> Bot:
        if not self._idle:
            self._idle.append(Bot(self._folder, f"bot-{len(self._all)}"))
            self._all.append(self._idle[-1])
        return self._idle.pop()

    def give_back(self, bots: list[Bot]) -> None:
        """Those whose every question was answered; another one would answer the next test."""
        self._idle += [bot for bot in bots if not bot.ended() and not bot.owes]

    def close(self) -> None:
        for bot in self._all:
            bot.kill()


class World:
    """One test's folder and all the processes in it; they end with the test."""

    def __init__(self, folder: Path, bots: "Bots") -> None:
        self.folder = folder
        self.state = folder / "state"
        self._running: list[Running] = []
        self._bots = bots
        self._taken: list[Bot] = []

    def init(self, policy: str) -> None:
        file = self.folder / "policy.yaml"
        file.write_text(policy)
        done = fuseboard("init", "--state", self.state, "--policy", file)
        assert done.returncode == 0, done.stderr

    def exchange(self, **options: Any) -> Exchange:
        return self.kept(Exchange(self.folder, **options))

    def gateway(self, broker_url: str, *words: str | Path, **more: str) -> Gateway:
        return self.kept(Gateway(self.folder, self.state, broker_url, *words, **more))

    def open_gateway(self, broker_url: str) -> Gateway:
        """A gateway that has compared its books with the broker's and lets orders through."""
        gateway = self.gateway(broker_url)
        gateway.wait_for(lambda now: now["posture"] == "OPEN", "the gateway is open")
        return gateway

    def bot(self, url: str, strategy: str = "default") -> Bot:
        """A bot that trades at an address as a strategy, with a key pair of its own."""
        return self.bot_with(url, *self.key(strategy))

    def bot_with(self, url: str, key_id: str, secret: str) -> Bot:
        bot = self._bots.take()
        self._taken.append(bot)
        bot.connect(url, key_id, secret)
        return bot

    def key(self, strategy: str = "default") -> tuple[str, str]:
        done = fuseboard("keys", "--state", self.state, "--json", "new", strategy)
        assert done.returncode == 0, done.stderr
        pair = json.loads(done.stdout)
        return str(pair["key_id"]), str(pair["secret"])

    def person(self, act: str, *words: str) -> subprocess.CompletedProcess[str]:
        """An act of a named person."""
        return fuseboard(act, "--state", self.state, "--operator", "Ada", *words)

    def records(self) -> list[Record]:
        return list(records(self.state / "journal.db"))

    def effects(self, *kinds: type[Effect]) -> list[Any]:
        return [each for it in self.records() for each in it.effects if isinstance(each, kinds)]

    def evidence_is_clean(self) -> None:
        """`verify` and `replay` on the whole journal."""
        for act in ("verify", "replay"):
            done = fuseboard(act, "--state", self.state, "--json")
            assert done.returncode == 0, done.stdout + done.stderr
            assert json.loads(done.stdout)["ok"] is True

    def close(self) -> None:
        for running in reversed(self._running):
            if not running.ended():
                running.kill()
            elif not running._log.closed:
                running._over()
        self._end_guardian()
        self._bots.give_back(self._taken)

    def _end_guardian(self) -> None:
        """The one that a gateway started has a session of its own, and outlives it on purpose."""
        if (self.state / "heartbeats").exists():
            file = HeartbeatFile(self.state / "heartbeats")
            beat = file.read(Heart.GUARDIAN)
            file.close()
            now = process_seen(beat.pid) if beat else None
            if beat and now and now.start_ticks == beat.start_ticks and now.state != "Z":
                os.kill(beat.pid, signal.SIGKILL)

    def kept(self, running: Kept) -> Kept:
        self._running.append(running)
        return running


@contextmanager
def world(folder: Path, bots: Bots) -> Iterator[World]:
    here = World(folder, bots)
    try:
        yield here
    finally:
        here.close()
