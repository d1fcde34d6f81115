"""The composition root: the only room that knows every other one. `cli` calls one command here."""

from fuseboard.app.commands import (
    REFUSALS,
    command_cash,
    command_demo,
    command_exchange,
    command_init,
    command_keys,
    command_measure,
    command_orders,
    command_positions,
    command_run,
    command_stats,
    command_status,
    command_top,
)
from fuseboard.app.evidence import command_replay, command_verify
from fuseboard.app.explaining import command_explain
from fuseboard.app.lab_commands import command_lab
from fuseboard.app.operator_commands import command_operators
from fuseboard.app.override_commands import command_override
from fuseboard.app.policy_commands import command_policy
from fuseboard.app.reset_command import command_reset
from fuseboard.app.tape_commands import command_tape
from fuseboard.upkeep.backup import command_backup
from fuseboard.upkeep.drill import command_drill
from fuseboard.upkeep.restore import command_restore

__all__ = [
    "REFUSALS",
    "command_backup",
    "command_cash",
    "command_demo",
    "command_drill",
    "command_exchange",
    "command_explain",
    "command_init",
    "command_keys",
    "command_lab",
    "command_measure",
    "command_operators",
    "command_orders",
    "command_override",
    "command_policy",
    "command_positions",
    "command_replay",
    "command_reset",
    "command_restore",
    "command_run",
    "command_stats",
    "command_status",
    "command_tape",
    "command_top",
    "command_verify",
]
