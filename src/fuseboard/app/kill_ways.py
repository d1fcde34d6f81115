"""Which ways to the kill switch the policy opens on a state directory.

The command line's halt and the file HALT are open whatever it says: tightening needs no permission,
and who may write the state directory may halt.
"""

from fuseboard.control.operator_keys import OperatorKeys
from fuseboard.control.state_directory import StateDirectory
from fuseboard.policy.rules import KillSwitch
from fuseboard.runtime.halt_file import is_there


def is_open(kill_switch: KillSwitch, way: str) -> bool:
    """Whether the policy has a way to the kill switch: `signal`, `api`."""
    return kill_switch.enabled and way in kill_switch.methods


def halt_file_of(state: StateDirectory) -> str:
    """The whole path of the file HALT while it is there, else empty."""
    return str(state.halt_file.absolute()) if is_there(state.halt_file) else ""


def operator_keys_of(state: StateDirectory, kill_switch: KillSwitch) -> OperatorKeys | None:
    """The keys of the control API; None where it is no way."""
    return OperatorKeys(state.operators_file) if is_open(kill_switch, "api") else None
