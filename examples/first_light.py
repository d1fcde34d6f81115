"""First light: the same bot on the same market, twice at once: alone, and through Fuseboard.

Two sandboxes run side by side, each with a simulated exchange of its own playing the same
reconstruction of 6 May 2010. In one the bot talks to the exchange; in the other its base URL points
to Fuseboard. Nothing else differs. No key, no network, under two minutes.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

TAPE, SPEED, SEED = "flash-crash", 60, 1
TAPE_SECONDS = 2_700
CASH = 100_000.0
FOLDER = Path.cwd() / ".first-light"
"""Kept for reading until the next run."""
POLICY = Path(__file__).with_name("first_light.yaml")
BOT = Path(__file__).with_name("dip_buyer.py")
FUSEBOARD = [sys.executable, "-m", "fuseboard"]
EXCHANGE_KEY, EXCHANGE_SECRET = "SIMULATED", "simulated"
START_SECONDS_MAX = 30.0
console = Console(highlight=False, soft_wrap=True)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.loads(answer.read())


@dataclass
class Sandbox:
    """One exchange and the bot that trades on it."""

    name: str
    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    url: str = ""
    equity: float = CASH
    peak: float = CASH
    worst: float = 0.0
    positions: int = 0
    clock: str = ""

    def start_exchange(self) -> None:
        port_file = self.folder / "exchange.port"
        self.run(
            *FUSEBOARD,
            "exchange",
            "--tape",
            TAPE,
            "--speed",
            str(SPEED),
            "--seed",
            str(SEED),
            "--paused",
            "--port-file",
            str(port_file),
            "--ledger",
            str(self.folder / "exchange-ledger.jsonl"),
        )
        self.url = f"http://127.0.0.1:{waited_for(port_file)}"

    def run(self, *command: str, **environment: str) -> None:
        with (self.folder / "output.log").open("a") as log:
            process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.processes.append(process)

    def start_market(self) -> None:
        urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/sim/start", method="POST"), timeout=5
        ).close()

    def start_gateway(self, state: Path, *bot: str) -> None:
        named = ("--strategy", "dip-buyer")
        self.run(
            *(*FUSEBOARD, "run", "--state", str(state), "--broker", "alpaca", "--port", "0"),
            *(*named, *bot),
            ALPACA_API_KEY=EXCHANGE_KEY,
            ALPACA_SECRET_KEY=EXCHANGE_SECRET,
            ALPACA_BASE_URL=self.url,
            DIP_SECONDS=str(TAPE_SECONDS / SPEED + 30),
        )

    def look(self) -> None:
        state = get(f"{self.url}/sim/state")
        self.equity = float(state["equity"])
        self.peak = max(self.peak, self.equity)
        self.worst = max(self.worst, 1 - self.equity / self.peak)
        self.clock = state["now"][11:19]
        self.positions = len(state["positions"])

    def told(self) -> tuple[int, int]:
        """How many orders the bot says that it placed, and how many it was refused."""
        lines = (self.folder / "output.log").read_text().splitlines()
        placed = sum(line.startswith(("buy ", "sell ")) for line in lines)
        return placed, sum(line.startswith("refused to ") for line in lines)

    def stop(self) -> None:
        for process in reversed(self.processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)


def waited_for(path: Path) -> str:
    ends = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < ends:
        if path.exists() and (text := path.read_text().strip()):
            return text
        time.sleep(0.05)
    raise SystemExit(
        f"{path.name} did not appear within {START_SECONDS_MAX:g} s: see {path.parent}"
    )


def status(state: Path) -> dict[str, Any]:
    done = subprocess.run(
        [*FUSEBOARD, "status", "--json", "--state", str(state)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"no status: {done.stderr.strip()} (see {state.parent})")
    return dict(json.loads(done.stdout))


def progress(alone: Sandbox, guarded: Sandbox, posture: str) -> Table:
    table = Table(title=f"6 May 2010, reconstructed: {alone.clock} UTC", title_justify="left")
    for head in ("", "equity", "from its peak", "worst so far", "positions"):
        table.add_column(head, justify="left" if not head else "right")
    for box, label in ((alone, "the bot alone"), (guarded, f"through Fuseboard ({posture})")):
        down = 1 - box.equity / box.peak
        row = (f"${box.equity:,.2f}", f"-{down:.2%}", f"-{box.worst:.2%}", str(box.positions))
        table.add_row(label, *row)
    return table


def watch(alone: Sandbox, guarded: Sandbox, state: Path) -> None:
    posture, said = "OPEN", 0.0
    ends = time.monotonic() + TAPE_SECONDS / SPEED
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while time.monotonic() < ends:
            for box in (alone, guarded):
                box.look()
            live_status = gateway_status(state)
            posture = live_status.get("posture", posture)
            if console.is_terminal:
                live.update(progress(alone, guarded, posture), refresh=True)
            elif time.monotonic() - said > 5:
                said = time.monotonic()
                told = "   ".join(
                    f"{box.name} ${box.equity:,.2f} (-{1 - box.equity / box.peak:.2%})"
                    for box in (alone, guarded)
                )
                console.print(f"{alone.clock}  {told}  {posture}")
            time.sleep(0.25)


def gateway_status(state: Path) -> dict[str, Any]:
    from fuseboard.control.client import GatewayUnreachable, OperatorClient

    try:
        shown = OperatorClient(state / "control.sock").status()
    except GatewayUnreachable:
        return {}
    return {"posture": shown.posture}


def outcome(alone: Sandbox, guarded: Sandbox, final: dict[str, Any]) -> Table:
    """Fits eighty columns: a reason has a line of its own."""
    table = Table(title="How it ended", title_justify="left")
    for head in ("", "the bot alone", "through Fuseboard"):
        table.add_column(head, justify="left" if not head else "right")
    table.add_row("equity kept", f"${alone.equity:,.2f}", f"${guarded.equity:,.2f}")
    table.add_row("worst drawdown", f"-{alone.worst:.2%}", f"-{guarded.worst:.2%}")
    table.add_row("positions left", str(alone.positions), str(guarded.positions))
    taken, refused = alone.told()
    denied = dict(final["denied"])
    rejected = denied.pop("broker_rejected", 0)
    table.add_row("orders sent to the exchange", str(taken + refused), str(final["allowed"]))
    table.add_row("  refused by the exchange", str(refused), str(rejected))
    table.add_row("  denied by Fuseboard", "", str(sum(denied.values())))
    for reason, count in sorted(denied.items()):
        table.add_row(f"    {reason}", "", str(count))
    return table


def report(alone: Sandbox, guarded: Sandbox, state: Path, final: dict[str, Any]) -> None:
    console.print(outcome(alone, guarded, final))
    if alone.equity > guarded.equity:
        console.print(
            f"The market came back that afternoon, so the bot alone ended ahead; on the way it was"
            f" down {alone.worst:.2%}, on borrowed money. A limit is for the days it does not."
        )
    fuse = final["fuses"][0]
    console.print(
        f"trip         {fuse['fuse']} tripped {fuse['trips']} time(s), now {fuse['state']}"
    )
    for alert in final["alerts"]:
        if alert["code"] == "drawdown" and "tripped" in alert["text"]:
            console.print(f"             {alert['text']}")
    if not fuse["trips"] or guarded.positions:
        console.print(f"DID NOT END FLAT: {guarded.positions} positions are left; see {state}")
        return
    console.print(
        f"             flat at ${guarded.equity:,.2f}: one second of this market is"
        f" {SPEED} s of that afternoon, so the fall went on while it was closing"
    )
    for plan in final["plans"]:
        left = ", ".join(plan["left"]) or "nothing"
        console.print(
            f"liquidation  {plan['trip']}: cancelled={plan['cancelled']} closed={plan['closed']}"
            f" errors={plan['errors']} in {plan['duration_ns'] / 1e6:,.0f} ms; left open: {left}"
        )
    measured = final["measured"]
    console.print(
        f"latencies    trigger {measured['trigger_ns'] / 1e3:,.0f} µs,"
        f" {cancels_text(measured)} {measured['cancel_ns'] / 1e6:,.0f} ms,"
        f" evaluation p50 {measured['evaluation_p50_ns'] / 1e3:.1f} µs"
        f" p99 {measured['evaluation_p99_ns'] / 1e3:.1f} µs over {measured['evaluations']:,} marks"
    )
    for act in ("verify", "replay"):
        done = subprocess.run(
            [*FUSEBOARD, act, "--state", str(state)], capture_output=True, text=True, check=False
        )
        console.print(f"{act:<12} {(done.stdout or done.stderr).splitlines()[0]}")
    console.print(f"journal      {state / 'journal.db'}")


def cancels_text(measured: dict[str, Any]) -> str:
    """What the time of the cancels is: until the last was confirmed, or waited for in vain."""
    if measured["unconfirmed"]:
        return f"{measured['unconfirmed']} cancels not confirmed after"
    return "cancels confirmed"


def epilogue(guarded: Sandbox, state: Path) -> bool:
    """The gateway was killed: start it again, and see that only a named person resets it."""
    console.print("epilogue     the gateway was killed with kill -9; it is started again, alone")
    (state / "gateway.json").unlink(missing_ok=True)
    guarded.start_gateway(state)
    waited_for(state / "gateway.json")
    ends = time.monotonic() + START_SECONDS_MAX
    while (why := halting_reason(state)) != "drawdown" and time.monotonic() < ends:
        time.sleep(0.1)  # it compares its books with the broker first
    console.print(f"             account: {f'still halted ({why})' if why else 'open'}")
    nameless = asked(state, "reset", "--rebase", "--reason", "it came back up")
    console.print(f"             reset without a name: {nameless}")
    person = ("--operator", "Ada", "--reason", "looked at it: the bot bought a crash")
    console.print(
        f"             reset by a person:    {asked(state, 'reset', '--rebase', *person)}"
    )
    freed = halting_reason(state)
    console.print(f"             account: {freed or 'open'}")
    return why == "drawdown" and not freed


def halting_reason(state: Path) -> str:
    """Why the account is tighter than OPEN; empty when it is not."""
    postures = status(state)["postures"]
    return "".join(at["reason"] for at in postures if at["scope"] == "account")


def asked(state: Path, *words: str) -> str:
    """What `fuseboard` says to an operator, in one line."""
    done = subprocess.run(
        [*FUSEBOARD, *words, "--state", str(state)], capture_output=True, text=True, check=False
    )
    said = " ".join((done.stdout + done.stderr).split())
    return f"exit {done.returncode}, {said}"


def main() -> int:
    began = time.monotonic()
    folder = FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    state = folder / "guarded" / "state"
    boxes = []
    for name in ("alone", "guarded"):
        (folder / name).mkdir(parents=True)
        boxes.append(Sandbox(name, folder / name))
    alone, guarded = boxes
    console.print("A dip-buying bot meets the flash crash of 6 May 2010 (a reconstruction), twice.")
    try:
        for box in boxes:
            box.start_exchange()
        init = [*FUSEBOARD, "init", "--state", str(state), "--policy", str(POLICY)]
        subprocess.run(init, check=True, capture_output=True)
        seconds = str(TAPE_SECONDS / SPEED)
        alone.run(
            sys.executable,
            str(BOT),
            APCA_API_KEY_ID=EXCHANGE_KEY,
            APCA_API_SECRET_KEY=EXCHANGE_SECRET,
            APCA_API_BASE_URL=alone.url,
            APCA_API_DATA_URL=alone.url,
            DIP_SECONDS=seconds,
        )
        guarded.start_gateway(state, "--", sys.executable, str(BOT))
        waited_for(state / "gateway.json")
        time.sleep(2)  # both bots import pandas; the market waits for them
        for box in boxes:
            box.start_market()
        watch(alone, guarded, state)
        final = status(state)
        for box in boxes:
            box.look()
        guarded.processes[1].kill()
        guarded.processes[1].wait()
        report(alone, guarded, state, final)
        survived = epilogue(guarded, state)
    finally:
        for box in boxes:
            box.stop()
    console.print(f"took {time.monotonic() - began:.0f} s")
    tripped_once = final["fuses"][0]["trips"] == 1
    return 0 if tripped_once and survived and guarded.positions == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
