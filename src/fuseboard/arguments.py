"""Arguments of commands: numbers within bounds, or a usage error; groups of several commands."""

import argparse
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fuseboard.vocabulary.money import (
    NANOS,
    NumberRefused,
    nanos_from_decimal,
    nanos_from_text,
    text_from_nanos,
)

if TYPE_CHECKING:
    from fuseboard.exchange.dividends import DividendSet

PORT_MAX: Final = 65_535
SPEED_NANOS_MIN: Final = NANOS // 1_000
SPEED_NANOS_MAX: Final = 10_000 * NANOS
DEMO_TICKS_MIN: Final = 10
"""Fewer have no room for the fall."""
DEMO_TICKS_MAX: Final = 100_000
COOLDOWN_S_MAX: Final = 3_600
SECONDS_MAX: Final = 10**9
NUMBER_MAX: Final = 10**9


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not value.is_finite():
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def _nanos_between(text: str, least_nanos: int, most_nanos: int) -> int:
    """Nano-units of a number within bounds; a usage error otherwise."""
    try:
        nanos = nanos_from_decimal(_decimal(text))
    except NumberRefused as refusal:
        raise argparse.ArgumentTypeError(str(refusal)) from refusal
    if not least_nanos <= nanos <= most_nanos:
        least, most = text_from_nanos(least_nanos), text_from_nanos(most_nanos)
        raise argparse.ArgumentTypeError(f"{text!r} is not between {least} and {most}")
    return nanos


def speed(text: str) -> int:
    """Tape time per time, in nano-units."""
    return _nanos_between(text, SPEED_NANOS_MIN, SPEED_NANOS_MAX)


def dividend(text: str) -> "DividendSet":
    """A dividend of the simulated market."""
    from fuseboard.exchange.dividends import dividend_of_text

    try:
        return dividend_of_text(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from wrong


def cooldown(text: str) -> int:
    """Seconds, in nanoseconds."""
    return _nanos_between(text, NANOS // 1_000, COOLDOWN_S_MAX * NANOS)


def seconds(text: str) -> int:
    """Seconds, in nanoseconds."""
    return _nanos_between(text, 1, SECONDS_MAX * NANOS)


def _whole_between(text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > len(str(most)):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number from {least} to {most}")
    if not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not between {least} and {most}")
    return int(text)


def port(text: str) -> int:
    """A port; 0 asks for any free one."""
    return _whole_between(text, 0, PORT_MAX)


def ticks(text: str) -> int:
    """How many ticks a demo has."""
    return _whole_between(text, DEMO_TICKS_MIN, DEMO_TICKS_MAX)


def count(text: str) -> int:
    """A whole number of at least one."""
    return _whole_between(text, 1, NUMBER_MAX)


def count_or_none(text: str) -> int:
    """A whole number, 0 for none."""
    return _whole_between(text, 0, NUMBER_MAX)


def fraction(text: str) -> int:
    """A fraction between 0 and 1, in nano-units."""
    return _nanos_between(text, 1, NANOS - 1)


def money(text: str) -> int:
    """An amount above zero, in nano-units."""
    try:
        nanos = nanos_from_text(text)
    except NumberRefused as refusal:
        raise argparse.ArgumentTypeError(str(refusal)) from refusal
    if nanos <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not above zero")
    return nanos


def add_market(parser: argparse.ArgumentParser, *, known: bool = False) -> None:
    """What the market plays; `known`: for what is not given, an exchange that still runs tells."""
    says = f"what the simulated market plays{' (default: as the one that runs)' if known else ''}"
    parser.add_argument("--tape", default="normal", metavar="NAME|PATH", help=says)
    parser.add_argument("--speed", type=speed, default=NANOS, help="tape time per time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cash", type=money, default=100_000 * NANOS, metavar="USD")
    shape = "SYMBOL:RATE:EX-DATE:PAYABLE-DATE"
    pays = "a cash dividend of the simulated market, by the tape's dates; may be repeated"
    pays += "; a gateway with --sessions reads it" if known else ""
    parser.add_argument("--dividend", type=dividend, action="append", metavar=shape, help=pays)
    if known:
        parser.set_defaults(tape=None, speed=None, seed=None, cash=None)


def add_exchange(parser: argparse.ArgumentParser) -> None:
    """The options of `exchange`: its market, its door, its ledger, and how it behaves."""
    add_market(parser)
    parser.add_argument("--port", type=port, default=0, help="0: any free port")
    parser.add_argument("--port-file", type=Path, metavar="FILE", help="where to write host:port")
    parser.add_argument("--ledger", type=Path, metavar="FILE", help="its append-only ledger")
    parser.add_argument("--paused", action="store_true", help="wait for POST /sim/start")
    beyond = "429 beyond it"
    parser.add_argument("--requests-per-minute", type=count, default=200, metavar="N", help=beyond)
    parser.add_argument("--latency-ms", type=count_or_none, default=0, help="from request to book")
    parser.add_argument("--starter-pipe", action="store_true", help=argparse.SUPPRESS)


def add_tapes(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands of tapes."""
    text = "which recorded and generated markets there are, and what is wrong with one"
    parser = commands.add_parser("tape", help=text, description=text)
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    shown = acts.add_parser("list", help="every name, and whether its data is here")
    check = acts.add_parser("check", help="read one whole: order, quotes, sizes, jumps, silence")
    check.add_argument("tape", metavar="NAME|PATH", help="as `tape list` shows it")
    check.add_argument("--seed", type=int, default=1, help="of a generated one")
    for act in (shown, check):
        act.add_argument("--json", action="store_true")


def add_rescue(parser: argparse.ArgumentParser) -> None:
    """The options of `rescue`: who, what is closed, and what a person decides beforehand."""
    parser.add_argument("--operator", default="", metavar="NAME", help="who you are")
    parser.add_argument("--reason", default="", metavar="TEXT")
    closed = parser.add_mutually_exclusive_group()
    only = "close this one alone, and cancel everything; may be repeated"
    closed.add_argument("--symbol", action="append", metavar="S", help=only)
    closed.add_argument("--cancel-only", action="store_true", help="close nothing")
    first = "end a gateway that runs first, as the guardian does: by SIGKILL"
    parser.add_argument("--kill-gateway", action="store_true", help=first)
    where = "the broker, where no guardian.json tells it: closes go by the default policy"
    parser.add_argument("--base-url", default="", metavar="URL", help=where)
    parser.add_argument("--yes", action="store_true", help="do not show what is open, nor ask")
    parser.add_argument("--json", action="store_true")
