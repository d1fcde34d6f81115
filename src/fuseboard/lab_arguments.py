"""Arguments of the commands that play tapes in this process: `demo` and `lab`."""

import argparse
from pathlib import Path
from typing import Final

from fuseboard.arguments import cooldown, count, count_or_none, fraction, money, seconds, ticks
from fuseboard.vocabulary.money import NANOS

STRATEGIES: Final = ("dip-buyer", "momentum", "market-maker", "hold")
Commands = argparse._SubParsersAction


def add_demo(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`fuseboard demo`."""
    text = "a scripted market through the whole loop, in seconds"
    parser = commands.add_parser("demo", help=text, description=text)
    parser.add_argument("scene", choices=("crash", "normal", "recovery"))
    parser.add_argument(
        "--drawdown",
        type=fraction,
        default=52_000_000,
        help="depth of the fall, such as 0.052",
    )
    parser.add_argument("--ticks", type=ticks, help="default: crash 120, normal 200, recovery 100")
    parser.add_argument("--cooldown", type=cooldown, default=2 * NANOS, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--journal", type=Path, metavar="FILE", help="keep the journal here")


def add_lab(commands: "Commands[argparse.ArgumentParser]") -> None:
    """`fuseboard lab` with its acts."""
    text = "play strategies over tapes, with the gate and without; compare what was left"
    parser = commands.add_parser("lab", help=text, description=text)
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    _add_run(acts)
    _add_sweep(acts)
    _add_live(acts)
    _add_report(acts)

    _add_study(acts)


def _add_run(acts: "Commands[argparse.ArgumentParser]") -> None:
    text = "one strategy over one tape: what became of its orders and of its money"
    parser = acts.add_parser("run", help=text, description=text)
    parser.add_argument("--tape", required=True, metavar="NAME|PATH", help="what is played")
    parser.add_argument("--strategy", required=True, choices=STRATEGIES)
    add_trial(parser)
    parser.add_argument(
        "--unprotected", action="store_true", help="without the gate: straight to the exchange"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the whole result here")
    parser.add_argument(
        "--journal", type=Path, metavar="FILE", help="keep the gate's journal here, for `verify`"
    )
    parser.add_argument("--json", action="store_true", help="the whole result instead of a summary")


def _add_sweep(acts: "Commands[argparse.ArgumentParser]") -> None:
    text = "trials over tapes, strategies and values of a policy, in parallel processes"
    parser = acts.add_parser("sweep", help=text, description=text)
    parser.add_argument(
        "--tape", required=True, action="append", metavar="NAME|PATH", help="may be repeated"
    )
    parser.add_argument(
        "--strategy", required=True, action="append", choices=STRATEGIES, help="may be repeated"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=V,V",
        help="values of the policy, such as daily.hard=2%%,3%%; repeated: every combination",
    )
    add_trial(parser)
    parser.add_argument(
        "--unprotected", action="store_true", help="each tape and strategy without the gate too"
    )
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="processes at a time")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all rows here (JSON)")
    parser.add_argument("--json", action="store_true", help="all rows instead of a table")


def _add_live(acts: "Commands[argparse.ArgumentParser]") -> None:
    text = "a strategy of the lab as a client of a gateway, behind `fuseboard run --`"
    parser = acts.add_parser("live", help=text, description=text)
    parser.add_argument("--strategy", required=True, choices=STRATEGIES)
    parser.add_argument("--symbols", required=True, metavar="S,S", help="what it trades")
    parser.add_argument("--shadow", action="store_true", help="say what it would do, send nothing")
    parser.add_argument("--seconds", type=seconds, help="stop after this long")


def _add_report(acts: "Commands[argparse.ArgumentParser]") -> None:
    text = "one HTML page out of results: a table, and plots with the gate beside without"
    parser = acts.add_parser("report", help=text, description=text)
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT.json", help="of `lab run`")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.html", help="the page")


def _add_study(acts: "Commands[argparse.ArgumentParser]") -> None:
    text = "every tape and strategy, with the gate and without: the flash crash study"
    parser = acts.add_parser("study", help=text, description=text)
    parser.add_argument("--policy", type=Path, required=True, metavar="FILE", help="policy (YAML)")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="results are kept and reused here"
    )
    parser.add_argument(
        "--tape", action="append", metavar="NAME", help="only these tapes of the study; repeated"
    )
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="processes at a time")
    parser.add_argument(
        "--page",
        type=Path,
        metavar="FILE",
        help="write the tables here (default: FOLDER/tables.md)",
    )
    parser.add_argument(
        "--check", action="store_true", help="run nothing: are the page's tables the results'?"
    )


def add_trial(parser: argparse.ArgumentParser) -> None:
    """What every trial needs."""
    parser.add_argument("--policy", type=Path, required=True, metavar="FILE", help="policy (YAML)")
    parser.add_argument(
        "--as",
        dest="strategy_name",
        default="",
        metavar="NAME",
        help="which of the policy's strategies it is (default: its own name)",
    )
    parser.add_argument(
        "--equity", type=money, default=100_000 * NANOS, metavar="USD", help="cash at the beginning"
    )
    parser.add_argument("--seed", type=int, default=1, help="of generated tapes, and of chance")
    parser.add_argument(
        "--slice-ms", type=count_or_none, default=10, metavar="N", help="tape time seen at once"
    )
    parser.add_argument(
        "--left-takes",
        action="store_true",
        help="the rest of a limit order that arrives at the far side goes on taking",
    )
    parser.add_argument(
        "--latency-ms", type=count_or_none, default=10, metavar="N", help="from request to book"
    )
