"""Starts the simulated exchange as a process of its own, or finds the one that still runs.

It outlives the gateway, as a real exchange does; whoever wants to be rid of it kills it by its id,
which is said at each start. One that is found is ours only if the process of that id was started
for this state directory: an id or a port that a stranger has by now is not trusted.
"""

import asyncio
import http.client
import os
import signal
import sys
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.exchange.starter import FOUND_WORD
from fuseboard.halts.whole_file import write_atomically
from fuseboard.vocabulary.money import NANOS, text_from_nanos

START_S_MAX: Final = 30.0
ANSWER_S_MAX: Final = 2.0
_LOOK_S: Final = 0.05


class ExchangeWanted(Struct, frozen=True, kw_only=True):
    """What market the simulated exchange plays."""

    tape: str
    speed: str
    seed: int
    cash_nanos: int
    dividends: tuple[str, ...] = ()
    """In the shape of the option, sorted. Older releases wrote none."""


DEFAULTS: Final = ExchangeWanted(tape="normal", speed="1", seed=1, cash_nanos=100_000 * NANOS)


class ExchangeRunning(Struct, frozen=True, kw_only=True):
    """Where a simulated exchange listens, and what it plays."""

    pid: int
    port: int
    wanted: ExchangeWanted

    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"


def wanted_or_running(
    state: StateDirectory,
    *,
    tape: str | None = None,
    speed: str | None = None,
    seed: int | None = None,
    cash_nanos: int | None = None,
    dividends: tuple[str, ...] | None = None,
) -> ExchangeWanted:
    """What is wanted: what is given, and for the rest what the exchange that still runs plays.

    Where none runs, the rest is `DEFAULTS`. So a node that stopped is started again as before.
    """
    known = _known(state)
    plays = known.wanted if known is not None and _runs(known, state) else DEFAULTS
    return ExchangeWanted(
        tape=plays.tape if tape is None else tape,
        speed=plays.speed if speed is None else speed,
        seed=plays.seed if seed is None else seed,
        cash_nanos=plays.cash_nanos if cash_nanos is None else cash_nanos,
        dividends=plays.dividends if dividends is None else tuple(sorted(dividends)),
    )


async def found_or_started(
    state: StateDirectory, wanted: ExchangeWanted
) -> tuple[ExchangeRunning, bool]:
    """The exchange of this state directory: the one that runs, else a new one; whether it is new.

    Raises `StateRefused` when one runs that plays something else, when it does not answer, when a
    new one does not come up in time, or when another gateway runs.
    """
    descriptor = state.lock()
    try:
        known = _known(state)
        if known is None or not _runs(known, state):
            return await _started(state, wanted), True
        if known.wanted != wanted:
            raise StateRefused(
                f"the simulated exchange of {state.path} still runs (pid {known.pid}) and plays"
                f" {known.wanted.tape} at speed {known.wanted.speed}: stop it with"
                f" `kill {known.pid}`, or run with the same --tape, --speed, --seed, --cash and"
                " --dividend"
            )
        if not await asyncio.to_thread(_answers, known.port):
            raise StateRefused(
                f"the simulated exchange of {state.path} (pid {known.pid}) does not answer: see"
                f" {state.path / 'exchange.log'}, stop it with `kill {known.pid}`"
            )
        return known, False
    finally:
        os.close(descriptor)


def end(running: ExchangeRunning, state: StateDirectory) -> None:
    """Ask an exchange that was started in vain to end."""
    if _runs(running, state):
        os.kill(running.pid, signal.SIGTERM)


def _known(state: StateDirectory) -> ExchangeRunning | None:
    try:
        return msgspec.json.decode(state.exchange_file.read_bytes(), type=ExchangeRunning)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _runs(known: ExchangeRunning, state: StateDirectory) -> bool:
    """Whether the process of this id is the exchange that was started for this directory."""
    try:
        words = Path(f"/proc/{known.pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(_port_file(state)) in words


def _port_file(state: StateDirectory) -> Path:
    return state.path.resolve() / "exchange.port"


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S_MAX)
    try:
        connection.request("GET", "/sim/state")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


async def _started(state: StateDirectory, wanted: ExchangeWanted) -> ExchangeRunning:
    port_file = _port_file(state)
    port_file.unlink(missing_ok=True)
    _set_aside(state.exchange_ledger_file)
    log = state.path / "exchange.log"
    reads, writes = os.pipe()  # until it is written down it dies with us: `exchange/starter.py`
    try:
        pid = _spawned(
            log,
            reads,
            *("--tape", wanted.tape, "--speed", wanted.speed, "--seed", str(wanted.seed)),
            *("--cash", text_from_nanos(wanted.cash_nanos)),
            *(word for each in wanted.dividends for word in ("--dividend", each)),
            *("--port-file", str(port_file), "--ledger", str(state.exchange_ledger_file)),
            "--starter-pipe",
        )
        port = await _port(pid, port_file, log)
        running = ExchangeRunning(pid=pid, port=port, wanted=wanted)
        write_atomically(state.exchange_file, msgspec.json.encode(running))
        with suppress(BrokenPipeError):  # it is gone already: the next look at it says so
            os.write(writes, FOUND_WORD)
    finally:
        os.close(reads)
        os.close(writes)
    return running


def _spawned(log: Path, pipe: int, *words: str) -> int:
    """The id of a new process in a session of its own, with `pipe` as its input.

    Not a child of the event loop, which would not close while it runs.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return os.posix_spawn(
            sys.executable,
            (sys.executable, "-m", "fuseboard", "exchange", *words),
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, pipe, 0),
                (os.POSIX_SPAWN_DUP2, descriptor, 1),
                (os.POSIX_SPAWN_DUP2, descriptor, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(descriptor)


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


async def _port(pid: int, port_file: Path, log: Path) -> int:
    """Where it listens, once it says so; one that does not come up is not left behind."""
    text, has_ended = "", False
    try:
        async with asyncio.timeout(START_S_MAX):
            while (text := _text_of(port_file)) == "":
                has_ended = _has_ended(pid)
                if has_ended:
                    raise StateRefused(f"the simulated exchange did not start: {_last_line(log)}")
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise StateRefused(f"the simulated exchange did not come up: see {log}") from None
    finally:
        if text == "" and not has_ended:
            _kill(pid)
    return int(text)


def _has_ended(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG)[0] == pid


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _text_of(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("fuseboard exchange: ") if lines else f"see {log}"
