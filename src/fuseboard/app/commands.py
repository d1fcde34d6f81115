"""What a person reads and reports, and the keys of strategies: options in, an exit code out.

What only some of these need is imported by those: asking a gateway that runs takes no kernel.
"""

import argparse
import time

from fuseboard.control import render
from fuseboard.control.asked import CashAsked, DividendAsked, MeasureAsked
from fuseboard.control.client import GatewayUnreachable, OperatorClient
from fuseboard.control.halting import told
from fuseboard.control.render_statistics import stats_text
from fuseboard.control.saying import say, say_aside, say_json
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.control.status import Status
from fuseboard.control.taken_up import status_unanswered, with_register
from fuseboard.gateway.keys import Keys
from fuseboard.halts.replaying import replay_says
from fuseboard.vocabulary.money import NANOS


def _status(options: argparse.Namespace) -> Status:
    state = StateDirectory(options.state)
    state.identity()
    if state.is_running():
        return with_register(OperatorClient(state.socket_file).status, state.register_file)
    from fuseboard.app.offline import offline_status  # with all that a start needs

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
    status = _status_or_register(options)
    if options.json:
        say_json(status)
    else:
        say(render.status_text(status))
        if status.journal_lost:
            from fuseboard.app.journal_lost import WAY_ON

            say(WAY_ON)
    return 1 if status.journal_lost or status.unanswered else 0


def _status_or_register(options: argparse.Namespace) -> Status:
    """The status; of a gateway that hangs, what the register holds. Raises `GatewayUnreachable`
    when that is nothing.
    """
    try:
        return _status(options)
    except GatewayUnreachable as silent:
        state = StateDirectory(options.state)
        identity = state.identity()
        about = {
            "account": identity.account,
            "instance": identity.instance,
            "state": str(state.path),
        }
        replays = replay_says(state.path)
        why = f"{replays}: it answers nobody before" if replays else str(silent)
        status = status_unanswered(state.register_file, about, why)
        if status is None:
            raise GatewayUnreachable(why) from silent
        return status


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
        from fuseboard.app.journal_lost import JournalLost

        raise JournalLost(status.journal_lost)
    if not status.running:
        text = f"gateway not running: {render.record_line(status)}"
        (say_aside if options.json else say)(text)


def command_top(options: argparse.Namespace) -> int:
    """The live screen."""
    from rich.console import Console

    from fuseboard.control.top import run_top

    client = _client(StateDirectory(options.state))
    seconds = None if options.seconds is None else options.seconds / NANOS
    run_top(lambda: client.status(with_orders=False), seconds=seconds, console=Console())
    return 0


def command_cash(options: argparse.Namespace) -> int:
    """Say that cash moved."""
    asked = CashAsked(operator=options.operator, amount=options.amount, why=options.why)
    client = _client(StateDirectory(options.state))
    return told(client.act("cash", asked), as_json=options.json)


def command_dividend(options: argparse.Namespace) -> int:
    """Say that a symbol pays a cash dividend."""
    asked = DividendAsked(
        operator=options.operator,
        symbol=options.symbol,
        rate=options.rate,
        ex_date=options.ex_date,
        payable=options.payable,
        why=options.why,
    )
    client = _client(StateDirectory(options.state))
    return told(client.act("dividend", asked), as_json=options.json)


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
