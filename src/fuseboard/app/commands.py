"""Each command of the command line: options in, an exit code out."""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec
import uvloop
from rich.console import Console

from fuseboard import __version__
from fuseboard.app.broker_choice import alpaca_keys, has_keys, settings, simulated_keys
from fuseboard.app.exchange_process import ExchangeWanted, found_or_started
from fuseboard.app.node import Node, NodeOptions
from fuseboard.app.offline import offline_halt, offline_status, renew_register
from fuseboard.control import render
from fuseboard.control.client import GatewayUnreachable, OperatorClient
from fuseboard.control.operator_api import OperatorAnswer
from fuseboard.control.state_directory import StateDirectory, StateRefused, write_atomically
from fuseboard.control.status import Status
from fuseboard.control.top import run_top
from fuseboard.core.kernel import Kernel
from fuseboard.exchange.process import ExchangeOptions, serve
from fuseboard.feeds.tapes.tape import TapeUnreadable
from fuseboard.gateway.keys import Keys, KeysUnreadable, StrategyNameRefused
from fuseboard.halts.register import HaltsRegister, RegisterExists, RegisterUnwritable
from fuseboard.journal.file import (
    JournalAbsent,
    JournalDamaged,
    JournalExists,
    JournalLocked,
    create_journal,
)
from fuseboard.journal.reader import anchor, lines
from fuseboard.journal.verification import verify
from fuseboard.journal.writer import JournalWriter
from fuseboard.lab.demo import TICKS, DemoOptions, run_demo
from fuseboard.policy.loader import policy_from_yaml
from fuseboard.policy.policy import Policy
from fuseboard.policy.starter import default_policy_text
from fuseboard.policy.yaml_text import PolicyRefused
from fuseboard.runtime.replay import replay_lines
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.records import Record

REFUSALS: Final = (
    GatewayUnreachable,
    JournalAbsent,
    JournalDamaged,
    JournalExists,
    JournalLocked,
    KeysUnreadable,
    PolicyRefused,
    RegisterExists,
    RegisterUnwritable,
    StateRefused,
    StrategyNameRefused,
    TapeUnreadable,
)
DAMAGED: Final = 1


def say(text: str) -> None:
    """One line for people."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _say_json(document: object) -> None:
    say(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


# --- the state directory -------------------------------------------------------------------------


def command_init(options: argparse.Namespace) -> int:
    """Make a state directory, complete or not at all usable; or a lost register, halted."""
    state = StateDirectory(options.state)
    if state.identity_file.exists() and not state.register_file.exists():
        renew_register(state)
        say(f"made {state.register_file}: the account is halted until a named person resets it")
        return 0
    text = default_policy_text()
    if options.policy is not None:
        text = _policy_text(options.policy)
        policy_from_yaml(text, str(options.policy))
    now_ns = time.time_ns()
    identity = state.create(account=options.account, now_ns=now_ns)
    create_journal(state.journal_file, identity.instance, now_ns)
    HaltsRegister.create(state.register_file)
    write_atomically(state.policy_file, text.encode())
    state.write_identity(identity)
    say(f"made {state.path}: instance {identity.instance}, account {identity.account!r}")
    say(f"policy: {state.policy_file} (edit it; it is read at each start)")
    return 0


def _policy_text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise StateRefused(f"the policy {path} cannot be read: {error}") from error


def _policy(state: StateDirectory, chosen: Path | None) -> Policy:
    path = chosen or state.policy_file
    return policy_from_yaml(_policy_text(path), str(path))


# --- running -------------------------------------------------------------------------------------


def command_run(options: argparse.Namespace) -> int:
    """Run the gateway, and behind `--` a strategy."""
    state = StateDirectory(options.state)
    state.identity()
    policy = _policy(state, options.policy)
    return uvloop.run(_run(options, state, policy))


async def _run(options: argparse.Namespace, state: StateDirectory, policy: Policy) -> int:
    environment = settings()
    chosen = options.broker or ("alpaca" if has_keys(environment) else "sim")
    if chosen == "alpaca":
        broker = alpaca_keys(environment, live=options.live, ask=input)
        says = f"Alpaca at {broker.base_url}"
    else:
        if options.live:
            raise StateRefused("--live needs --broker alpaca")
        wanted = ExchangeWanted(
            tape=options.tape,
            speed=str(options.speed),
            seed=options.seed,
            cash_nanos=options.cash,
        )
        exchange = await found_or_started(state, wanted)
        broker = simulated_keys(exchange.url())
        why = "" if options.broker else "no Alpaca keys: "
        says = f"{why}the simulated exchange at {exchange.url()}, playing {options.tape}"
    node = Node(
        NodeOptions(
            state=state,
            policy=policy,
            broker=broker,
            broker_says=says,
            host=options.host,
            port=options.port,
            strategy=options.strategy,
            command=options.command_line,
        ),
        say,
    )
    return await node.serve()


def command_exchange(options: argparse.Namespace) -> int:
    """Run the simulated exchange until it is interrupted."""
    uvloop.run(
        serve(
            ExchangeOptions(
                tape=options.tape,
                speed_nanos=int(options.speed * NANOS),
                seed=options.seed,
                port=options.port,
                port_file=options.port_file,
                ledger=options.ledger,
                cash_nanos=options.cash,
                latency_ns=options.latency_ms * 1_000_000,
                requests_per_minute=options.requests_per_minute,
                start_paused=options.paused,
            )
        )
    )
    return 0


def command_demo(options: argparse.Namespace) -> int:
    """A scripted market through the whole loop."""
    if options.journal is not None and not options.journal.parent.is_dir():
        raise StateRefused(f"there is no folder {options.journal.parent} for the journal")
    result = run_demo(
        DemoOptions(
            scene=options.scene,
            ticks=options.ticks or TICKS[options.scene],
            drawdown_nanos=options.drawdown,
            cooldown_ns=int(options.cooldown * NANOS),
            seed=options.seed,
        ),
        say,
    )
    path = options.journal or Path(tempfile.mkdtemp(prefix="fuseboard-demo-")) / "journal.db"
    _keep_journal(path, result.records)
    say(f"journal: {path} (fuseboard replay --journal {path})")
    return 0


def _keep_journal(path: Path, records: list[Record]) -> None:
    create_journal(path, "demo0000", records[0].moment.wall_ns)
    sequence, chain = anchor(path)
    failures: list[BaseException] = []
    writer = JournalWriter(
        path,
        last_sequence=sequence,
        last_chain=bytes.fromhex(chain),
        durable=lambda sequence: None,
        failed=failures.append,
        release=__version__,
    )
    for at in range(0, len(records), 1_000):
        writer.append(records[at : at + 1_000])
    writer.close()
    if failures:
        raise StateRefused(f"the demo's journal could not be written: {failures[0]}")


# --- reading and acting --------------------------------------------------------------------------


def _status(options: argparse.Namespace) -> Status:
    state = StateDirectory(options.state)
    state.identity()
    if state.is_running():
        return OperatorClient(state.socket_file).status()
    return offline_status(state)


def command_status(options: argparse.Namespace) -> int:
    """The node's status, from the gateway or, when it is down, from its state directory."""
    status = _status(options)
    if options.json:
        _say_json(status)
    else:
        say(render.status_text(status))
    return 0


def command_orders(options: argparse.Namespace) -> int:
    """The working orders."""
    status = _status(options)
    if options.json:
        _say_json(status.orders)
    else:
        say(render.orders_text(status))
    return 0


def command_positions(options: argparse.Namespace) -> int:
    """The positions."""
    status = _status(options)
    if options.json:
        _say_json(status.positions)
    else:
        say(render.positions_text(status))
    return 0


def command_top(options: argparse.Namespace) -> int:
    """The live screen."""
    state = StateDirectory(options.state)
    state.identity()
    client = OperatorClient(state.socket_file)
    seconds = None if options.seconds is None else float(options.seconds)
    run_top(client.status, seconds=seconds, console=Console())
    return 0


def command_halt(options: argparse.Namespace) -> int:
    """Halt a scope; without a gateway, latch the register for its next start."""
    state = StateDirectory(options.state)
    state.identity()
    if not state.is_running():
        answer = offline_halt(
            state,
            operator=options.operator,
            reason=options.reason,
            scope=options.scope,
            level=options.level,
        )
        return _told(answer, as_json=options.json)
    asked: dict[str, object] = {
        "operator": options.operator,
        "reason": options.reason,
        "scope": options.scope,
        "level": options.level,
    }
    return _told(OperatorClient(state.socket_file).act("halt", asked), as_json=options.json)


def command_reset(options: argparse.Namespace) -> int:
    """Reset what is latched. Needs the gateway: a reset is durable in its journal first."""
    asked: dict[str, object] = {
        "operator": options.operator,
        "reason": options.reason,
        "scope": options.scope,
        "rebase": options.rebase,
    }
    return _act(options, "reset", asked)


def command_cash(options: argparse.Namespace) -> int:
    """Say that cash moved."""
    asked: dict[str, object] = {
        "operator": options.operator,
        "amount": options.amount,
        "why": options.why,
    }
    return _act(options, "cash", asked)


def _act(options: argparse.Namespace, what: str, asked: dict[str, object]) -> int:
    state = StateDirectory(options.state)
    state.identity()
    return _told(OperatorClient(state.socket_file).act(what, asked), as_json=options.json)


def _told(answer: OperatorAnswer, *, as_json: bool) -> int:
    if as_json:
        _say_json(answer)
    else:
        say(answer.message if answer.accepted else f"refused: {answer.message}")
    return 0 if answer.accepted else 1


# --- evidence ------------------------------------------------------------------------------------


def _journal_file(options: argparse.Namespace) -> Path:
    if options.journal is not None:
        return Path(options.journal)
    state = StateDirectory(options.state)
    state.identity()
    return state.journal_file


def command_verify(options: argparse.Namespace) -> int:
    """Check the journal's chain; with an anchor, also that its end was not cut off."""
    path = _journal_file(options)
    held: tuple[int, str] | None = None
    if options.anchor is not None:
        number, _, digest = options.anchor.partition(":")
        if not number.isascii() or not number.isdigit() or len(digest) != 64:
            raise StateRefused("--anchor is N:HEX, as `fuseboard verify` printed it before")
        held = (int(number), digest)
    verdict = verify(path, anchor=held)
    sequence, digest = anchor(path)
    if options.json:
        _say_json(
            {
                "ok": verdict.ok,
                "records": verdict.records,
                "what": verdict.what,
                "first_bad_sequence": verdict.first_bad_sequence,
                "anchor": f"{sequence}:{digest}",
            }
        )
    elif verdict.ok:
        say(f"{verdict.records} records, the chain holds; anchor {sequence}:{digest}")
    else:
        say(f"damaged at record {verdict.first_bad_sequence}: {verdict.what}")
    return 0 if verdict.ok else DAMAGED


def command_replay(options: argparse.Namespace) -> int:
    """Derive every decision again."""
    path = _journal_file(options)
    kernel = Kernel()
    began_ns = time.perf_counter_ns()
    verdict = replay_lines(lines(path), kernel)
    seconds = (time.perf_counter_ns() - began_ns) / NANOS
    rate = int(verdict.records / seconds) if seconds else 0
    difference = verdict.difference
    if options.json:
        _say_json(
            {
                "ok": verdict.ok,
                "records": verdict.records,
                "digest": kernel.digest(),
                "records_per_second": rate,
                "first_difference": None if difference is None else difference.sequence,
                "what": "" if difference is None else difference.what,
            }
        )
    elif difference is None:
        say(f"{verdict.records} records replayed to the same effects ({rate:,} a second)")
        say(f"state digest {kernel.digest()}")
    else:
        say(f"record {difference.sequence}: {difference.what}")
        say(f"  recorded {difference.recorded.decode(errors='replace')}")
        say(f"  derived  {difference.derived.decode(errors='replace')}")
    return 0 if verdict.ok else DAMAGED


# --- keys ----------------------------------------------------------------------------------------


def command_keys(options: argparse.Namespace) -> int:
    """Make, list and revoke key pairs of strategies."""
    state = StateDirectory(options.state)
    state.identity()
    keys = Keys(state.keys_file)
    if options.act == "new":
        key_id, secret = keys.mint(options.name)
        if options.json:
            _say_json({"strategy": options.name, "key_id": key_id, "secret": secret})
        else:
            say(f"strategy {options.name}\nkey id   {key_id}\nsecret   {secret}")
            say("the secret is not stored: keep it now")
        return 0
    if options.act == "list":
        shown = [{"key_id": line.key_id, "strategy": line.strategy} for line in keys.listed()]
        if options.json:
            _say_json(shown)
        else:
            rows = [(line["key_id"], line["strategy"]) for line in shown]
            say(render.table(("key id", "strategy"), rows) if rows else "no keys")
        return 0
    if not keys.revoke(options.name):
        raise StateRefused(f"no key pair has the id {options.name!r}: see `fuseboard keys list`")
    say(f"revoked {options.name}")
    return 0
