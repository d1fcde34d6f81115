"""The composition root: the only room that knows every other one. `cli` calls one command here.

Importing all that the commands can do takes a second; each imports what it needs, when it is asked.
"""

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Final

Command = Callable[[argparse.Namespace], int]

PLACES: Final = {
    "backup": "fuseboard.upkeep.backup",
    "cash": "fuseboard.app.commands",
    "dividend": "fuseboard.app.commands",
    "demo": "fuseboard.app.demo_command",
    "drill": "fuseboard.upkeep.drill",
    "exchange": "fuseboard.app.exchange_command",
    "explain": "fuseboard.app.explaining",
    "init": "fuseboard.app.init_command",
    "keys": "fuseboard.app.commands",
    "lab": "fuseboard.app.lab_commands",
    "measure": "fuseboard.app.commands",
    "operators": "fuseboard.app.operator_commands",
    "orders": "fuseboard.app.commands",
    "override": "fuseboard.app.override_commands",
    "policy": "fuseboard.app.policy_commands",
    "positions": "fuseboard.app.commands",
    "replay": "fuseboard.app.evidence",
    "rescue": "fuseboard.app.rescue_command",
    "reset": "fuseboard.app.reset_command",
    "restore": "fuseboard.upkeep.restore",
    "run": "fuseboard.app.run_command",
    "stats": "fuseboard.app.commands",
    "status": "fuseboard.app.commands",
    "tape": "fuseboard.app.tape_commands",
    "top": "fuseboard.app.commands",
    "verify": "fuseboard.app.evidence",
}
"""Each command, and the module that has its `command_NAME`."""


def command(name: str) -> Command:
    """What carries out a command: options in, an exit code out."""
    found: Command = getattr(import_module(PLACES[name]), f"command_{name}")
    return found
