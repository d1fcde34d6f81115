"""The command line: words in, one call into the composition root, an exit code out.

Exit codes: 0 done; 1 refused, damaged or not found, with a sentence that says what to do; 2 a
usage error; 3 the node stopped itself for a fault; 4 a rescue left something open; 130
interrupted. `run` with a strategy gives the strategy's own, when that ended first.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fuseboard import __version__
from fuseboard.arguments import (
    add_exchange,
    add_market,
    add_rescue,
    add_tapes,
    count,
    port,
    seconds,
)
from fuseboard.lab_arguments import add_demo, add_lab

if TYPE_CHECKING:
    from fuseboard.control.asked import HaltAsked, OperatorAnswer
    from fuseboard.control.state_directory import StateDirectory

STATE_DEFAULT: Final = "fuseboard-state"
DISK_IS_FULL: Final = ("No space left on device", "Disk quota exceeded", "disk is full")
REFUSED: Final = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Refuses to run without assertions."""
    if not _assertions_are_on():
        sys.stderr.write("fuseboard does not run under -O: its assertions protect money\n")
        return REFUSED
    given = list(sys.argv[1:] if arguments is None else arguments)
    given, command = _split_command(given)
    parser = _parser()
    options = parser.parse_args(given)
    if command and options.command != "run":
        parser.error("only `run` takes a command behind `--`")
    options.command_line = command
    if options.command == "guardian":  # it starts fast, and knows nothing of the other rooms
        from fuseboard.guardian.process import main as guard

        return guard(options.state, options.run)
    try:
        return _carried_out(options)
    except _refusals() as refusal:
        sys.stderr.write(f"fuseboard {options.command}: {_with_room(str(refusal))}\n")
        return REFUSED
    except BrokenPipeError:
        # Whoever read our lines has gone, as `head` does; nothing more can be said, also at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except OSError as refusal:
        sys.stderr.write(f"fuseboard {options.command}: {_with_room(_said(refusal))}\n")
        return REFUSED
    except KeyboardInterrupt:
        return 130


def _carried_out(options: argparse.Namespace) -> int:
    """Run one command. Only a halt does without the composition root: it waits for no import."""
    if options.command == "halt":
        from fuseboard.control.halting import command_halt

        return command_halt(options, _halted_without_gateway)
    from fuseboard import app

    return app.command(options.command)(options)


def _halted_without_gateway(
    state: "StateDirectory", asked: "HaltAsked", why: str
) -> "OperatorAnswer":
    from fuseboard.app.halt_apart import offline_halt

    return offline_halt(state, asked, why=why)


def _refusals() -> tuple[type[Exception], ...]:
    from fuseboard.app.refusals import REFUSALS

    return REFUSALS


def _said(error: OSError) -> str:
    """What the operating system refused, and about which file."""
    what = error.strerror or str(error)
    return what if error.filename is None else f"{os.fsdecode(error.filename)}: {what}"


def _with_room(said: str) -> str:
    """A refusal; where it is the disk's, also what to do about it."""
    if not said.endswith(DISK_IS_FULL):
        return said
    return f"{said}: make room where the state is, and try again; what is halted stays halted"


def _assertions_are_on() -> bool:
    try:
        assert not sys.argv, "never true of a started program"
    except AssertionError:
        return True
    return False


def _split_command(given: list[str]) -> tuple[list[str], list[str]]:
    """What stands behind `--` is the strategy's command line."""
    if "--" not in given:
        return given, []
    at = given.index("--")
    return given[:at], given[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fuseboard",
        description="The safety layer between trading strategies and their brokers.",
    )
    parser.add_argument("--version", action="version", version=f"fuseboard {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_init(commands)
    _add_run(commands)
    guardian = _command(
        commands, "guardian", "watch a gateway from a process of its own; act when it is missed"
    )
    _add_state(guardian)
    guardian.add_argument("--run", type=int, default=0, metavar="NS", help=argparse.SUPPRESS)
    text = "run the simulated exchange as a process of its own"
    add_exchange(_command(commands, "exchange", text))
    add_demo(commands)
    add_lab(commands)
    add_tapes(commands)
    _add_reads(commands)
    _add_acts(commands)
    text = "without a gateway: latch, cancel every order and close every position at the broker"
    rescue = _command(commands, "rescue", text)
    _add_state(rescue)
    add_rescue(rescue)
    _add_measure(commands)
    _add_override(commands)
    _add_explain(commands)
    _add_evidence(commands)
    _add_keys(commands)
    _add_operators(commands)
    _add_policy(commands)
    _add_recovery(commands)
    return parser


Commands = argparse._SubParsersAction


def _command(
    commands: "Commands[argparse.ArgumentParser]", name: str, text: str
) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=text, description=text)


def _add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(os.environ.get("FUSEBOARD_STATE") or STATE_DEFAULT),
        metavar="DIR",
        help=f"state directory (default: $FUSEBOARD_STATE or ./{STATE_DEFAULT})",
    )


def _add_person(parser: argparse.ArgumentParser, when: str) -> None:
    parser.add_argument("--operator", default="", metavar="NAME", help=f"who you are: {when}")
    parser.add_argument("--reason", default="", metavar="TEXT", help=f"why: {when}")


def _add_init(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = _command(commands, "init", "make a state directory: journal, register, keys, policy")
    _add_state(parser)
    parser.add_argument("--account", default="default", help="name of the broker account")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="policy to start with")


def _add_run(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands, "run", "run the gateway, and behind `--` a strategy under supervision"
    )
    parser.usage = "fuseboard run [options] [-- COMMAND ...]"
    _add_state(parser)
    parser.add_argument("--policy", type=Path, metavar="FILE", help="policy file (YAML)")
    parser.add_argument(
        "--broker", choices=("sim", "alpaca"), help="default: alpaca with keys, else sim"
    )
    add_market(parser, known=True)
    parser.add_argument(
        "--sessions", action="store_true", help="sessions roll by the tape's time (simulated only)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=port, default=8787, help="port for strategies; 0: any free")
    parser.add_argument(
        "--control-port",
        type=port,
        metavar="PORT",
        help="control API on loopback; 0: any free",
    )
    parser.add_argument(
        "--strategy", default="default", metavar="NAME", help="name of the supervised strategy"
    )
    _add_person(parser, "where the policy is looser than the one in force")
    parser.add_argument("--live", action="store_true", help="trade real money; asks to be typed")
    parser.add_argument(
        "--guardian",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether a guardian is started, which acts when this gateway dies or hangs",
    )


def _add_reads(commands: "Commands[argparse.ArgumentParser]") -> None:
    for name, text in (
        ("status", "posture, fuses, plans, counts; also when the gateway is down"),
        ("stats", "orders sent and skipped, scores, tiers and breakers, kept over restarts"),
        ("orders", "the working orders"),
        ("positions", "the positions, by ledger"),
    ):
        parser = _command(commands, name, text)
        _add_state(parser)
        parser.add_argument("--json", action="store_true")
    parser = _command(commands, "top", "the node in one live screen, ten times a second")
    _add_state(parser)
    parser.add_argument("--seconds", type=seconds, help="stop after this long")


def _add_acts(commands: "Commands[argparse.ArgumentParser]") -> None:
    for name, text in (
        ("halt", "halt, flatten, kill or freeze a scope"),
        ("reset", "reset what is latched: a named person, with a reason"),
        ("cash", "say that money was deposited or withdrawn, so that marks rebase"),
        ("dividend", "say a cash dividend, so that the fall of its ex-date is no loss"),
    ):
        parser = _command(commands, name, text)
        _add_state(parser)
        parser.add_argument("--operator", default="", metavar="NAME", help="who you are")
        parser.add_argument("--json", action="store_true")
        if name == "dividend":
            parser.add_argument("symbol", metavar="SYMBOL")
            parser.add_argument("rate", help="what a share is paid, such as 0.25; 0 takes it back")
            parser.add_argument("--ex-date", required=True, metavar="YYYY-MM-DD")
            parser.add_argument("--payable", required=True, metavar="YYYY-MM-DD")
        if name == "cash":
            parser.add_argument("amount", help="such as 5000 or -250.50")
        if name in ("cash", "dividend"):
            parser.add_argument("--why", default="", metavar="TEXT")
            continue
        parser.add_argument("--reason", default="", metavar="TEXT")
        parser.add_argument(
            "--scope",
            default="account",
            help="account, strategy:NAME, symbol:NAME, or a tag: desk:NAME",
        )
        if name == "halt":
            levels = ("halt", "flatten", "kill", "freeze")
            parser.add_argument("--level", choices=levels, default="halt")
        else:
            parser.add_argument("--rebase", action="store_true", help="take a new high-water mark")


def _add_measure(commands: "Commands[argparse.ArgumentParser]") -> None:
    text = "report a measure that the node does not compute: vix, liquidity_score, avg_daily_volume"
    parser = _command(commands, "measure", text)
    _add_state(parser)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("value", metavar="VALUE", help="a plain number such as 17.25")
    parser.add_argument("--symbol", default="", metavar="S", help="whose it is")
    parser.add_argument("--json", action="store_true")


def _add_override(commands: "Commands[argparse.ArgumentParser]") -> None:
    text = "let one order pass one check: one person asks, a second one verifies"
    parser = _command(commands, "override", text)
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    for act, text in (
        ("request", "ask for an override"),
        ("verify", "verify what somebody else asked for"),
        ("list", "the open overrides"),
    ):
        below = acts.add_parser(act, help=text, description=text)
        _add_state(below)
        below.add_argument("--json", action="store_true")
        if act != "list":
            below.add_argument("--operator", default="", metavar="NAME", help="who you are")
        if act == "verify":
            below.add_argument("override", metavar="OVERRIDE", help="as `request` answered, o1")
        if act == "request":
            below.add_argument("--reason", default="", metavar="TEXT")
            below.add_argument("--strategy", required=True, metavar="NAME")
            below.add_argument("--symbol", required=True, metavar="S")
            below.add_argument("--side", required=True, choices=("buy", "sell"))
            below.add_argument("--quantity", required=True, metavar="N", help="at most this many")
            below.add_argument("--check", required=True, metavar="NAME", help="see docs/checks.md")
            worst = "a buy pays no more, a sell gets no less; price_collar and order_value need it"
            below.add_argument("--worst-price", default="", metavar="P", help=worst)
            below.add_argument("--expires", default="1m", metavar="5m", help="after how long")


def _add_explain(commands: "Commands[argparse.ArgumentParser]") -> None:
    text = "why an order was let through or denied: each check with its numbers and its limit"
    parser = _command(commands, "explain", text)
    _add_state(parser)
    parser.add_argument("order", metavar="ID", help="our order id or the client order id")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="instead of the state's")
    parser.add_argument("--json", action="store_true")


def _add_evidence(commands: "Commands[argparse.ArgumentParser]") -> None:
    for name, text in (
        ("verify", "check the journal's chain, from its first record to its last"),
        ("replay", "derive every decision in the journal again and compare"),
    ):
        parser = _command(commands, name, text)
        _add_state(parser)
        parser.add_argument("--journal", type=Path, metavar="FILE", help="instead of the state's")
        parser.add_argument("--json", action="store_true")
        if name == "verify":
            parser.add_argument("--anchor", metavar="N:HEX", help="an anchor that was written down")
            parser.add_argument(
                "--halts-anchor", metavar="N:HEX", help="the same of the halts register's history"
            )


def _add_keys(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = _command(commands, "keys", "key pairs of strategies")
    _add_state(parser)
    parser.add_argument("--json", action="store_true")
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    new = acts.add_parser("new", help="make a key pair; the secret is shown once")
    new.add_argument("name", help="the strategy")
    shown = acts.add_parser("list", help="the key pairs, without secrets")
    revoke = acts.add_parser("revoke", help="take a key pair back")
    revoke.add_argument("name", metavar="KEY_ID")
    for act in (new, shown, revoke):  # options are understood on either side of the act
        nothing = argparse.SUPPRESS
        act.add_argument("--state", type=Path, metavar="DIR", default=nothing, help=nothing)
        act.add_argument("--json", action="store_true", default=nothing, help=nothing)


def _add_operators(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = _command(commands, "operators", "keys of people for the control API, with roles")
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    for act, text in (
        ("new", "make a key; it is shown once"),
        ("list", "the keys, without secrets"),
        ("revoke", "take a key back"),
    ):
        below = acts.add_parser(act, help=text, description=text)
        _add_state(below)
        below.add_argument("--json", action="store_true")
        if act == "new":
            below.add_argument("name", help="the person")
            below.add_argument("--role", required=True, choices=("viewer", "operator", "admin"))
        if act == "revoke":
            below.add_argument("name", metavar="KEY_ID")


def _add_policy(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = _command(commands, "policy", "check, explain, compare, test and adopt policy files")
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    for act, text, files in (
        ("check", "every mistake with its place; then every limit in words and numbers", ("file",)),
        ("explain", "what a key means, how it is written, what enforces it", ("file",)),
        ("init", "write a commented policy with safe defaults", ()),
        ("schema", "the JSON Schema of policy files, for editors", ()),
        ("diff", "which limits loosen, which tighten, which merely change", ("old", "new")),
        ("test", "orders and what must become of them", ("file", "cases")),
        ("adopt", "bring a policy into force in the gateway that runs", ("file",)),
    ):
        below = acts.add_parser(act, help=text, description=text)
        for name in files:
            below.add_argument(name, type=Path, metavar=name.upper())
        if act == "explain":
            below.add_argument("key", nargs="?", default="", metavar="KEY", help="default: all")
        if act == "init":
            default = Path("policy.yaml")
            below.add_argument("file", type=Path, nargs="?", default=default, metavar="FILE")
        if act == "adopt":
            _add_state(below)
            _add_person(below, "needed where it loosens anything")
        if act not in ("init", "schema"):
            below.add_argument("--json", action="store_true")


def _add_recovery(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = _command(commands, "backup", "copy the state, also while the gateway runs; verified")
    _add_state(parser)
    parser.add_argument("--to", type=Path, metavar="DIR", help="default: STATE/backups")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--scheduled", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--unverified", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--copies", type=count, help=argparse.SUPPRESS)
    parser.add_argument("--retention-days", type=count, help=argparse.SUPPRESS)
    parser = _command(commands, "restore", "bring the state back from a backup, halted")
    parser.add_argument("source", type=Path, metavar="BACKUP", help="the backup's folder")
    _add_state(parser)
    _add_person(parser, "a restore needs it")
    lost = "give up the records of a sound journal that the backup does not hold"
    parser.add_argument("--give-up-records", action="store_true", help=lost)
    parser.add_argument("--json", action="store_true")
    text = "try kill, restore, failover and alerts on the simulated exchange; leave evidence"
    parser = _command(commands, "drill", text)
    _add_state(parser)
    parser.add_argument("--policy", type=Path, metavar="FILE", help="default: STATE/policy.yaml")
    parser.add_argument("--report", type=Path, metavar="DIR", help="the evidence here too")
    parser.add_argument("--json", action="store_true")
