"""What one gateway run is asked for."""

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from fuseboard.app.adopting import Person
from fuseboard.app.broker_choice import BrokerKeys
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.policy.policy import Policy


class NodeOptions(Struct, frozen=True, kw_only=True):
    """One gateway run."""

    state: StateDirectory
    policy: Policy
    broker: BrokerKeys
    broker_says: str
    host: str = "127.0.0.1"
    port: int = 8787
    strategy: str = "default"
    command: Sequence[str] = ()
    control_port: int | None = None
    """Of the control API on loopback, 0 for any; None: none."""
    policy_file: Path = Path("policy.yaml")
    """Where the policy was read; for what a person is told."""
    person: Person = Person()
    """Who wants this policy, where it is looser than the one in force."""
    guardian: bool = True
    """Whether a guardian is started beside it, where the policy has one."""
    sessions: bool = True
    """Whether sessions roll; where the broker's clock is a tape's, only by its speed."""
    plays_tape: bool = False
    """Whether the broker is the simulated exchange, whose market ends."""
    tape_speed_nanos: int = 0


def port_refused(error: OSError, address: str, option: str) -> StateRefused:
    """Why the node cannot listen there, and what to do."""
    said = f"cannot listen on {address} ({os.strerror(error.errno or 0)})"
    return StateRefused(f"{said}: choose another with {option}, 0 for any")
