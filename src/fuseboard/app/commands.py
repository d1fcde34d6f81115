"""Each command of the command line: options in, an exit code out.

A refusal is one of `REFUSALS`, and its message says in one sentence what to do.
"""

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console

from fuseboard.alerts.outward import WebhookRefused
from fuseboard.app.adopting import Person
from fuseboard.app.broker_choice import (
    BrokerKeys,
    alpaca_keys,
    has_keys,
    simulated_keys,
)
from fuseboard.app.exchange_process import end, found_or_started, wanted_or_running
from fuseboard.app.journal_lost import WAY_ON, JournalLost
from fuseboard.app.kept_journal import keep_journal, refuse_journal
from fuseboard.app.live import must_be_ready_for_live
from fuseboard.app.node import Node
from fuseboard.app.node_options import NodeOptions
from fuseboard.app.offline import offline_status, renew_register
from fuseboard.app.open_files import OPEN_FILES_WANTED, allow_open_files
from fuseboard.app.secrecy import forget_broker_secrets
from fuseboard.control import render
from fuseboard.control.asked import CashAsked, MeasureAsked
from fuseboard.control.client import GatewayUnreachable, OperatorClient
from fuseboard.control.halting import told
from fuseboard.control.policy_file import loaded_policy, policy_text
from fuseboard.control.render_statistics import stats_text
from fuseboard.control.saying import say, say_aside, say_json
from fuseboard.control.settings import settings
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.control.status import Status
from fuseboard.control.top import run_top
from fuseboard.exchange.process import ExchangeOptions, serve
from fuseboard.feeds.tapes.tape import TapeUnreadable
from fuseboard.gateway.keys import Keys, KeysUnreadable, StrategyNameRefused
from fuseboard.halts.hidden import hide_this_process
from fuseboard.halts.history import create_history
from fuseboard.halts.register import HaltsRegister, RegisterExists, RegisterUnwritable
from fuseboard.halts.whole_file import write_atomically
from fuseboard.journal.file import (
    JournalAbsent,
    JournalDamaged,
    JournalExists,
    JournalLocked,
    create_journal,
)
from fuseboard.lab.demo import TICKS, DemoOptions, run_demo
from fuseboard.lab.report.plotting import PlottingMissing
from fuseboard.lab.result import ResultUnreadable
from fuseboard.lab.signals import StrategyFailed
from fuseboard.lab.stage import TrialImpossible
from fuseboard.lab.strategies.by_name import StrategyUnknown
from fuseboard.lab.study.page import PageUnfit
from fuseboard.lab.study.rows import StudyUnreadable
from fuseboard.policy.loader import Loaded
from fuseboard.policy.not_yet import unenforced
from fuseboard.policy.starter import default_policy_text
from fuseboard.policy.yaml_text import PolicyRefused
from fuseboard.runtime.loop import NodeStopped
from fuseboard.upkeep.backup_files import BackupUnusable
from fuseboard.vocabulary.money import NANOS, nanos_from_text, text_from_nanos

REFUSALS: Final = (
    BackupUnusable,
    GatewayUnreachable,
    JournalAbsent,
    JournalDamaged,
    JournalExists,
    JournalLocked,
    KeysUnreadable,
    PageUnfit,
    PlottingMissing,
    PolicyRefused,
    RegisterExists,
    RegisterUnwritable,
    ResultUnreadable,
    StateRefused,
    StrategyFailed,
    StrategyNameRefused,
    StrategyUnknown,
    StudyUnreadable,
    TapeUnreadable,
    TrialImpossible,
    WebhookRefused,
    NodeStopped,
    sqlite3.Error,
)


# --- the state directory -------------------------------------------------------------------------


def command_init(options: argparse.Namespace) -> int:
    """Make a state directory, complete or not at all usable; or a lost register, halted."""
    state = StateDirectory(options.state)
    if state.identity_file.exists() and not state.register_file.exists():
        renew_register(state)
        say(f"made {state.register_file}: the account is halted until a named person resets it")
        return 0
    beside: list[str] = []
    text = None if options.policy is None else policy_text(options.policy)
    if text is not None:
        loaded_policy(options.policy, used=beside)
    now_ns = time.time_ns()
    mask = os.umask(0o077)  # whatever the directory allows: what is made in it is its owner's
    try:
        identity = state.begin(account=options.account, now_ns=now_ns)
        create_journal(state.journal_file, identity.instance, now_ns)
        HaltsRegister.create(state.register_file)
        create_history(state.history_file)
        if text is not None or not state.policy_file.exists():
            write_atomically(state.policy_file, (text or default_policy_text()).encode())
        for name in beside:
            write_atomically(state.path / name, (options.policy.parent / name).read_bytes())
        state.finish(identity)
    finally:
        os.umask(mask)
    say(f"made {state.path}: instance {identity.instance}, account {identity.account!r}")
    say(f"policy: {state.policy_file} (edit it; it is read at each start)")
    return 0


# --- running -------------------------------------------------------------------------------------


def command_run(options: argparse.Namespace) -> int:
    """Run the gateway, and behind `--` a strategy."""
    state = StateDirectory(options.state)
    state.identity()
    loaded = loaded_policy(options.policy or state.policy_file)
    return uvloop.run(_run(options, state, loaded))


async def _run(options: argparse.Namespace, state: StateDirectory, loaded: Loaded) -> int:
    if not hide_this_process():
        say("this process cannot be hidden here: its user's other programs may read the key")
    if not allow_open_files():
        say(f"fewer than {OPEN_FILES_WANTED} open files are allowed here (ulimit -Hn)")
    environment = settings()
    forget_broker_secrets()
    chosen = options.broker or ("alpaca" if has_keys(environment) else "sim")
    if chosen == "alpaca":
        if options.live and options.sessions:
            raise StateRefused("--sessions is for tapes: with real money sessions always roll")
        if options.live:
            must_be_ready_for_live(loaded, state, os.environ, time.time_ns())
        broker = alpaca_keys(environment, live=options.live, ask=input)
        return await _serve(options, state, loaded, broker, f"Alpaca at {broker.base_url}")
    if options.live:
        raise StateRefused("--live needs --broker alpaca")
    state.must_have_register()
    wanted = wanted_or_running(
        state,
        tape=options.tape,
        speed=None if options.speed is None else text_from_nanos(options.speed),
        seed=options.seed,
        cash_nanos=options.cash,
    )
    options.speed = nanos_from_text(wanted.speed)
    exchange, is_new = await found_or_started(state, wanted)
    why = "" if options.broker else "no Alpaca keys: "
    says = (
        f"{why}the simulated exchange at {exchange.url()}, playing {wanted.tape}"
        f" (it outlives this gateway: `kill {exchange.pid}` ends it)"
    )
    try:
        return await _serve(options, state, loaded, simulated_keys(exchange.url()), says)
    except REFUSALS:
        if is_new:  # a start that was refused leaves nothing behind
            end(exchange, state)
        raise


async def _serve(
    options: argparse.Namespace,
    state: StateDirectory,
    loaded: Loaded,
    broker: BrokerKeys,
    says: str,
) -> int:
    if unenforced(loaded):
        say(
            "policy: it has settings that are not yet enforced; `fuseboard policy check` lists them"
        )
    node = Node(
        NodeOptions(
            state=state,
            policy=loaded.policy,
            broker=broker,
            broker_says=says,
            host=options.host,
            port=options.port,
            strategy=options.strategy,
            command=options.command_line,
            control_port=options.control_port,
            policy_file=options.policy or state.policy_file,
            person=Person(options.operator, options.reason),
            guardian=options.guardian,
            sessions=broker != simulated_keys(broker.base_url),
            plays_tape=broker == simulated_keys(broker.base_url),
            tape_speed_nanos=(options.speed or NANOS) if options.sessions else 0,
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
                speed_nanos=options.speed,
                seed=options.seed,
                port=options.port,
                port_file=options.port_file,
                ledger=options.ledger,
                cash_nanos=options.cash,
                latency_ns=options.latency_ms * 1_000_000,
                requests_per_minute=options.requests_per_minute,
                start_paused=options.paused,
                starter_pipe=sys.stdin.fileno() if options.starter_pipe else None,
            )
        )
    )
    return 0


def command_demo(options: argparse.Namespace) -> int:
    """A scripted market through the whole loop."""
    path = options.journal or Path(tempfile.mkdtemp(prefix="fuseboard-demo-")) / "journal.db"
    refuse_journal(path)
    result = run_demo(
        DemoOptions(
            scene=options.scene,
            ticks=options.ticks or TICKS[options.scene],
            drawdown_nanos=options.drawdown,
            cooldown_ns=options.cooldown,
            seed=options.seed,
        ),
        say,
    )
    keep_journal(path, result.records)
    say(f"journal: {path} (fuseboard replay --journal {path})")
    return 0


# --- reading and acting --------------------------------------------------------------------------


def _status(options: argparse.Namespace) -> Status:
    state = StateDirectory(options.state)
    state.identity()
    if state.is_running():
        return OperatorClient(state.socket_file).status()
    return offline_status(state)


def _client(state: StateDirectory) -> OperatorClient:
    """The way to the gateway of a state directory. Raises `StateRefused` when none runs."""
    state.identity()
    if not state.is_running():
        raise StateRefused(
            f"no gateway runs on {state.path}: is `fuseboard run` running? Start it with"
            f" `fuseboard run --state {state.path}` and try again"
        )
    return OperatorClient(state.socket_file)


def command_status(options: argparse.Namespace) -> int:
    """The node's status, from the gateway or, when it is down, from its state directory."""
    status = _status(options)
    if options.json:
        say_json(status)
    else:
        say(render.status_text(status))
        if status.journal_lost:
            say(WAY_ON)
    return 1 if status.journal_lost else 0


def command_stats(options: argparse.Namespace) -> int:
    """What was sent and skipped, how liquid the market was, and the breakers."""
    status = _status(options)
    if options.json:
        say_json(status.statistics)
    else:
        say(stats_text(status, time.time_ns()))
    return 0


def command_orders(options: argparse.Namespace) -> int:
    """The working orders."""
    status = _status(options)
    _say_whose(status, options)
    if options.json:
        say_json(status.orders)
    else:
        say(render.orders_text(status))
    return 0


def command_positions(options: argparse.Namespace) -> int:
    """The positions."""
    status = _status(options)
    _say_whose(status, options)
    if options.json:
        say_json(status.positions)
    else:
        say(render.positions_text(status))
    return 0


def _say_whose(status: Status, options: argparse.Namespace) -> None:
    """Without a gateway, first of all: what follows is our record; beside JSON, on the errors.

    Raises `JournalLost` where there is no record: what works and is held is then not known.
    """
    if status.journal_lost:
        raise JournalLost(status.journal_lost)
    if not status.running:
        text = f"gateway not running: {render.record_line(status)}"
        (say_aside if options.json else say)(text)


def command_top(options: argparse.Namespace) -> int:
    """The live screen."""
    client = _client(StateDirectory(options.state))
    seconds = None if options.seconds is None else options.seconds / NANOS
    run_top(lambda: client.status(with_orders=False), seconds=seconds, console=Console())
    return 0


def command_cash(options: argparse.Namespace) -> int:
    """Say that cash moved."""
    asked = CashAsked(operator=options.operator, amount=options.amount, why=options.why)
    client = _client(StateDirectory(options.state))
    return told(client.act("cash", asked), as_json=options.json)


def command_measure(options: argparse.Namespace) -> int:
    """Report a measure, dated now."""
    asked = MeasureAsked(
        name=options.name, value=options.value, symbol=options.symbol, event_ns=time.time_ns()
    )
    client = _client(StateDirectory(options.state))
    return told(client.act("measure", asked), as_json=options.json)


# --- keys ----------------------------------------------------------------------------------------


def command_keys(options: argparse.Namespace) -> int:
    """Make, list and revoke key pairs of strategies."""
    state = StateDirectory(options.state)
    state.identity()
    keys = Keys(state.keys_file)
    if options.act == "new":
        key_id, secret = keys.mint(options.name)
        if options.json:
            say_json({"strategy": options.name, "key_id": key_id, "secret": secret})
        else:
            say(f"strategy {options.name}\nkey id   {key_id}\nsecret   {secret}")
            say("the secret is not stored: keep it now")
        return 0
    if options.act == "list":
        shown = [{"key_id": line.key_id, "strategy": line.strategy} for line in keys.listed()]
        if options.json:
            say_json(shown)
        else:
            rows = [(line["key_id"], line["strategy"]) for line in shown]
            say(render.table(("key id", "strategy"), rows) if rows else "no keys")
        return 0
    if not keys.revoke(options.name):
        raise StateRefused(f"no key pair has the id {options.name!r}: see `fuseboard keys list`")
    if options.json:
        say_json({"revoked": options.name})
    else:
        say(f"revoked {options.name}")
    return 0
