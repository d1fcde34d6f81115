"""Runs the commands of docs/operations.md and writes what they say into it.

Everything between `<!-- from the commands: NAME -->` and `<!-- end -->` is real output of this
release, on an empty state directory and the simulated exchange. What differs from run to run
(times, ids, ports, counts) is replaced by one example or by `…`.
"""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fuseboard.cli import main as fuseboard

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "operations.md"
STATE = Path("fuseboard-state")
START_S_MAX = 30.0
COLUMNS = 80
MASKS = (
    (r"(in force since |record of |^history +|^compared .* at )[-0-9]+ [:0-9]+", r"\1…"),
    (r"(^alert +|^│ |reset by \w+ at )[0-9]{4}(-[0-9]{2}){2} [:0-9]{8}", r"\1…"),
    (r"^[0-9]{2}:[0-9]{2}:[0-9]{2} ", "12:00:00 "),
    (r"[▁▂▃▄▅▆▇█]+", "▁▂▃▄▅▆▇█"),
    (r"\b(fuseboard) [0-9]+\.[0-9.]+[0-9]", r"\1 …"),
    (r"[0-9][0-9.,]*( ?(?:µs|ms|a second))", r"…\1"),
    (r"[0-9][0-9,]*( records)", r"…\1"),
    (r"[0-9]+( reads in a row)", r"…\1"),
    (r"(slowest )[0-9.]+( s)", r"\1…\2"),
    (r"(anchor )[0-9]+:([0-9a-f]{4})[0-9a-f]{60}", r"\g<1>…:…"),
    (r"(state digest |digest |policy +\S+ )[0-9a-f]{16,64}", r"\1…"),
    (r"(instance +)[a-z0-9]{8}", r"\1k3v9x2ma"),
    (r"PK[A-Z0-9]{18}", "PKEXAMPLE0000000000X"),
    (r"(secret   )\S+", r"\1… 43 characters …"),
    (r"127\.0\.0\.1:[0-9]+", "127.0.0.1:…"),
    (r"`kill [0-9]+`", "`kill PID`"),
    (r"/\S*/fuseboard-demo-[a-z0-9_]+", "/tmp/fuseboard-demo-…"),
)


def masked(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, instead in MASKS:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    lines = [framed(line) if line.startswith("│") else line for line in text.splitlines()]
    return "".join(f"{line}\n" for line in lines)


def framed(line: str) -> str:
    """A line of a panel, its right side where it belongs."""
    return f"{line.rstrip('│').rstrip():<{COLUMNS - 1}}│"


def told(line: str) -> str:
    """One command as typed, and what it says."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = fuseboard(words_of(line))
    ends = "" if code == 0 else f"(exit code {code})\n"
    return f"$ {line}\n{masked(said.getvalue())}{ends}"


def told_apart(line: str) -> str:
    """The same in a process of its own, for a command that hides the one it runs in."""
    command = [sys.executable, "-m", "fuseboard", *words_of(line)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return f"$ {line}\n{masked(done.stdout)}"


def words_of(line: str) -> list[str]:
    """The words behind `fuseboard`."""
    return [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)][1:]


def shortened(text: str, first: str, last: str) -> str:
    """Without the lines between the one that begins with `first` and the one with `last`."""
    lines = text.splitlines()
    begin = next(at for at, line in enumerate(lines) if line.startswith(first))
    end = next(at for at, line in enumerate(lines) if line.startswith(last))
    return "\n".join([*lines[: begin + 1], "...", *lines[end:]]) + "\n"


@contextlib.contextmanager
def empty_folder() -> Iterator[None]:
    """An empty working directory, and an environment without anybody's keys."""
    before, kept = Path.cwd(), dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("ALPACA_", "APCA_", "FUSEBOARD_STATE")):
            del os.environ[name]
    os.environ["COLUMNS"] = str(COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
            os.environ.clear()
            os.environ.update(kept)


@contextlib.contextmanager
def gateway(output: list[str]) -> Iterator[None]:
    """`fuseboard run` on the simulated exchange; what it said is in `output` afterwards."""
    with Path("gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "fuseboard", "run", "--port", "0"], stdout=log, stderr=log
        )
    try:
        ends = time.monotonic() + START_S_MAX
        while (
            "posture   OPEN" not in (status := told("fuseboard status"))
            or "guardian  watches" not in status
            or not Path(STATE / "gateway.json").exists()
        ):
            if time.monotonic() > ends or process.poll() is not None:
                raise RuntimeError(f"no gateway: {Path('gateway.log').read_text()}")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    ends = time.monotonic() + START_S_MAX
    while "guardian  none runs" not in told("fuseboard status"):  # it ends a look after the gateway
        if time.monotonic() > ends:
            raise RuntimeError("the guardian outlives its gateway")
        time.sleep(0.05)
    output.append(f"$ fuseboard run\n{masked(Path('gateway.log').read_text())}")


def end_exchange() -> None:
    """The simulated exchange outlives its gateway, as a real one does."""
    exchange = STATE / "exchange.json"
    if exchange.exists():
        os.kill(json.loads(exchange.read_bytes())["pid"], signal.SIGTERM)


def blocks() -> dict[str, str]:
    """Every block of the page: its name and what the commands say."""
    found: dict[str, str] = {}
    output: list[str] = []
    with empty_folder(), contextlib.ExitStack() as ends:
        ends.callback(end_exchange)
        found["init"] = told("fuseboard init")
        found["keys"] = told("fuseboard keys new dip-buyer") + told("fuseboard keys list")
        with gateway(output):
            found["status"] = told("fuseboard status")
            found["halt"] = told('fuseboard halt --operator ann --reason "fat finger"')
            found["halted"] = told("fuseboard status")
            found["top"] = told("fuseboard top")
            found["reset"] = told("fuseboard reset --reason reviewed") + told(
                "fuseboard reset --operator ann --reason reviewed"
            )
            found["adopt"] = adopted()
        found["run"] = output[0]
        found["down"] = told("fuseboard halt --operator ann") + told("fuseboard status")
        rescue = 'fuseboard rescue --operator ann --reason "it is on fire" --yes'
        found["rescue"] = told_apart(rescue)
        found["evidence"] = told("fuseboard verify") + told("fuseboard replay")
        demo = told("fuseboard demo crash --ticks 12 --journal demo.db")
        found["demo"] = shortened(demo, "tick    2", "tick   10")
    return found


def adopted() -> str:
    """A tighter policy, then the old one again."""
    text = (STATE / "policy.yaml").read_text()
    limit = re.search(r"max_order_value: \S+", text)
    assert limit, "the policy to start with limits an order's value"
    Path("strict.yaml").write_text(text.replace(limit[0], "max_order_value: 5000"))
    Path("wider.yaml").write_text(text)
    return (
        told("fuseboard policy adopt strict.yaml")
        + told("fuseboard policy adopt wider.yaml")
        + told('fuseboard policy adopt wider.yaml --operator ann --reason "the open is over"')
    )


def drawn(page: str) -> str:
    """The page with every block run again; raises `KeyError` for a block nobody knows."""
    known = blocks()

    def block(match: re.Match[str]) -> str:
        return f"{match[0].splitlines()[0]}\n\n```console\n{known[match[1]]}```\n\n<!-- end -->"

    return re.sub(
        r"<!-- from the commands: ([a-z ]+) -->.*?<!-- end -->", block, page, flags=re.DOTALL
    )


def main() -> None:
    PAGE.write_text(drawn(PAGE.read_text()))
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
