"""The exchange as a process: a tape, a clock, a door, until it is cancelled."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, structs

from fuseboard.exchange.clock import TapeClock
from fuseboard.exchange.config import config_for
from fuseboard.exchange.dividends import DividendSet
from fuseboard.exchange.face import Face
from fuseboard.exchange.ledger import LedgerFile
from fuseboard.exchange.running import RunningExchange
from fuseboard.exchange.starter import DEFAULT_KEY_PAIRS, starter_died
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.halts.whole_file import write_atomically
from fuseboard.vocabulary.money import NANOS

REQUESTS_PER_MINUTE = 200


class ExchangeOptions(Struct, frozen=True, kw_only=True):
    """How to run an exchange. Amounts are nano-units; a speed of 10^9 nanos is the tape's own.

    `multiplier` and `shorting_enabled` as None are what the tape's market has. `latency_ns` is
    the tape's time. With `start_paused` the clock stands until `POST /sim/start`.
    """

    tape: str = "flash-crash"
    speed_nanos: int = NANOS
    seed: int = 1
    host: str = "127.0.0.1"
    port: int = 0
    port_file: Path | None = None
    ledger: Path | None = None
    cash_nanos: int = 100_000 * NANOS
    key_pairs: Mapping[str, str] = {}
    keys_file: Path | None = None
    """A JSON object of key ids and secrets, besides `key_pairs`."""
    latency_ns: int = 0
    requests_per_minute: int = REQUESTS_PER_MINUTE
    fee_per_share_nanos: int = 0
    fee_basis_points: int = 0
    multiplier: int | None = None
    shorting_enabled: bool | None = None
    start_paused: bool = False
    dividends: tuple[DividendSet, ...] = ()
    starter_pipe: int | None = None
    """The reading end of a pipe by whose closing we learn that our starter died: `starter.py`."""


async def serve(options: ExchangeOptions) -> None:
    """Run until cancelled. Prints one line when ready, and writes `port_file` then."""
    ledger = None if options.ledger is None else LedgerFile(options.ledger)
    running = running_exchange(options, ledger)
    face = Face(
        running,
        key_pairs=_key_pairs(options),
        requests_per_minute=options.requests_per_minute,
        seed=options.seed,
    )
    exchange = running.exchange
    exchange.hours.day_order_expires_ns(exchange.now_ns)  # the holidays now, not at the first order
    try:
        port = await face.server.start(options.host, options.port)
        if not options.start_paused:
            running.clock.start()
        if options.port_file is not None:
            write_atomically(options.port_file, f"{port}\n".encode())
        tape = running.tape
        print(f"exchange ready on {options.host}:{port} ({tape.describes})", flush=True)
        await _play(running, options.starter_pipe)
    finally:
        await face.server.stop()
        if ledger is not None:
            ledger.close()


async def _play(running: RunningExchange, starter_pipe: int | None) -> None:
    """Play the tape until cancelled, or until a starter dies that has not said its word."""
    tasks = [asyncio.ensure_future(running.play())]
    if starter_pipe is not None:
        tasks.append(asyncio.ensure_future(starter_died(starter_pipe)))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def running_exchange(options: ExchangeOptions, ledger: LedgerFile | None) -> RunningExchange:
    """The exchange that the options describe, its clock standing at the tape's beginning."""
    tape = tape_by_name(options.tape, options.seed)
    config = structs.replace(
        config_for(tape, cash_nanos=options.cash_nanos, seed=options.seed),
        latency_ns=options.latency_ns,
        fee_per_share_nanos=options.fee_per_share_nanos,
        fee_basis_points=options.fee_basis_points,
        dividends=options.dividends,
    )
    if options.multiplier is not None:
        config = structs.replace(config, multiplier=options.multiplier)
    if options.shorting_enabled is not None:
        config = structs.replace(config, shorting_enabled=options.shorting_enabled)
    clock = TapeClock(
        start_ns=tape.session.open_ns,
        speed_nanos=options.speed_nanos,
        monotonic_ns=time.monotonic_ns,
    )
    return RunningExchange(tape, config, clock, None if ledger is None else ledger.record)


def _key_pairs(options: ExchangeOptions) -> dict[str, str]:
    pairs = dict(options.key_pairs)
    if options.keys_file is not None:
        stored = json.loads(options.keys_file.read_bytes())
        if not isinstance(stored, dict) or not all(isinstance(v, str) for v in stored.values()):
            raise ValueError(f"{options.keys_file} is not a JSON object of key ids and secrets")
        pairs |= stored
    return pairs or dict(DEFAULT_KEY_PAIRS)
