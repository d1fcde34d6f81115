"""`fuseboard run`: the gateway in front of a broker, real or simulated."""

import argparse
import os
import time

import uvloop

from fuseboard.app.adopting import Person
from fuseboard.app.broker_choice import BrokerKeys, alpaca_keys, has_keys, simulated_keys
from fuseboard.app.exchange_process import end, found_or_started, wanted_or_running
from fuseboard.app.live import must_be_ready_for_live
from fuseboard.app.node import Node
from fuseboard.app.node_options import NodeOptions
from fuseboard.app.open_files import OPEN_FILES_WANTED, allow_open_files
from fuseboard.app.secrecy import forget_broker_secrets
from fuseboard.control.policy_file import loaded_policy
from fuseboard.control.saying import said_beside, say
from fuseboard.control.settings import settings
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.exchange.dividends import text_of_dividend
from fuseboard.halts.hidden import hide_this_process
from fuseboard.policy.loader import Loaded
from fuseboard.policy.not_yet import unenforced
from fuseboard.policy.warned import warnings_of
from fuseboard.vocabulary.money import NANOS, nanos_from_text, text_from_nanos


def command_run(options: argparse.Namespace) -> int:
    """Run the gateway, and behind `--` a strategy."""
    state = StateDirectory(options.state)
    state.identity()
    loaded = loaded_policy(options.policy or state.policy_file)
    for sentence in warnings_of(loaded):
        say(f"policy: warning: {sentence}")
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
        if options.dividend:
            raise StateRefused("--dividend is of the simulated exchange: Alpaca announces its own")
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
        dividends=options.dividend and tuple(map(text_of_dividend, options.dividend)),
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
    except _refusals():
        if is_new:  # a start that was refused leaves nothing behind
            end(exchange, state)
        raise


def _refusals() -> tuple[type[Exception], ...]:
    from fuseboard.app.refusals import REFUSALS

    return REFUSALS


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
    with said_beside() as said:
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
            said,
        )
        return await node.serve()
