"""Starts the simulated exchange as a process of its own, or finds the one that still runs."""

import asyncio
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.control.state_directory import StateDirectory, StateRefused, write_atomically
from fuseboard.vocabulary.money import text_from_nanos

START_S_MAX: Final = 30.0
_LOOK_S: Final = 0.05


class ExchangeWanted(Struct, frozen=True, kw_only=True):
    """What market the simulated exchange plays."""

    tape: str
    speed: str
    seed: int
    cash_nanos: int


class ExchangeRunning(Struct, frozen=True, kw_only=True):
    """Where a simulated exchange listens, and what it plays."""

    pid: int
    port: int
    wanted: ExchangeWanted

    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"


async def found_or_started(state: StateDirectory, wanted: ExchangeWanted) -> ExchangeRunning:
    """The exchange of this state directory: the one that runs, else a new one.

    Raises `StateRefused` when one runs that plays something else, or when a new one does not come
    up in time.
    """
    known = _known(state)
    if known is not None and await asyncio.to_thread(_answers, known.url()):
        if known.wanted != wanted:
            raise StateRefused(
                f"the simulated exchange of {state.path} still runs (pid {known.pid}) and plays"
                f" {known.wanted.tape} at speed {known.wanted.speed}: stop it with"
                f" `kill {known.pid}`, or run with the same --tape, --speed, --seed and --cash"
            )
        return known
    return await _started(state, wanted)


def _known(state: StateDirectory) -> ExchangeRunning | None:
    try:
        return msgspec.json.decode(state.exchange_file.read_bytes(), type=ExchangeRunning)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/sim/state", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def _started(state: StateDirectory, wanted: ExchangeWanted) -> ExchangeRunning:
    port_file = state.path / "exchange.port"
    port_file.unlink(missing_ok=True)
    _set_aside(state.exchange_ledger_file)
    log = state.path / "exchange.log"
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        # A session of its own: it outlives the gateway, as a real exchange does.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fuseboard", "exchange"),
            *("--tape", wanted.tape, "--speed", wanted.speed, "--seed", str(wanted.seed)),
            *("--cash", text_from_nanos(wanted.cash_nanos)),
            *("--port-file", str(port_file), "--ledger", str(state.exchange_ledger_file)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    port = await _port(process, port_file, log)
    running = ExchangeRunning(pid=process.pid, port=port, wanted=wanted)
    write_atomically(state.exchange_file, msgspec.json.encode(running))
    return running


def _set_aside(ledger: Path) -> None:
    """Each exchange writes a ledger of its own: one that an earlier exchange left is kept."""
    if not ledger.exists():
        return
    if ledger.stat().st_size == 0:
        ledger.unlink()
        return
    number = 1
    while (kept := ledger.with_suffix(f".{number}.jsonl")).exists():
        number += 1
    ledger.rename(kept)


async def _port(process: asyncio.subprocess.Process, port_file: Path, log: Path) -> int:
    try:
        async with asyncio.timeout(START_S_MAX):
            while (text := _text_of(port_file)) == "":
                if process.returncode is not None:
                    raise StateRefused(f"the simulated exchange did not start: {_last_line(log)}")
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        process.kill()
        raise StateRefused(f"the simulated exchange did not come up: see {log}") from None
    return int(text)


def _text_of(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"see {log}"
