"""`fuseboard reset`: a named person lets a scope go again; after a kill, what was checked."""

import argparse
import time
from shlex import quote
from typing import Final

from msgspec import structs

from fuseboard.control.asked import OperatorAnswer, ResetAsked, checked_scope
from fuseboard.control.client import GatewayUnreachable, OperatorClient
from fuseboard.control.render import printable, recovery_lines
from fuseboard.control.saying import say, say_json
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.core.recovering import STARTED
from fuseboard.core.resets import NOT_COMPARED
from fuseboard.runtime.halt_file import is_there
from fuseboard.vocabulary.reset_effects import RecordRecovery

RECOVERY_S_MAX: Final = 10.0
"""How long the command waits for the outcome of a recovery that it started."""
COMPARED_S_MAX: Final = 5.0
"""How long it asks again while all that lacks is the comparison that the halt asked for."""
_AGAIN_S: Final = 0.5
_LOOK_S: Final = 0.1


def command_reset(options: argparse.Namespace) -> int:
    """Reset what is latched. Needs the gateway: a reset is durable in its journal first."""
    asked = ResetAsked(
        operator=options.operator,
        reason=options.reason,
        scope=options.scope,
        rebase=options.rebase,
    )
    state = StateDirectory(options.state)
    state.identity()
    if not state.is_running():
        raise StateRefused(
            f"no gateway runs on {state.path}: a reset is journaled first. Start it with"
            f" `fuseboard run --state {state.path}` and try again{_beside(state)}"
        )
    client = OperatorClient(state.socket_file)
    seen = client.status(with_orders=False).halt_epoch  # what is halted from here on stays so
    answer = _answered(client, structs.replace(asked, seen_halt=seen))
    recovery = _outcome(client, checked_scope(asked.scope)) if STARTED in answer.message else None
    if options.json:
        found = {} if recovery is None else {"recovery": recovery}
        say_json({"accepted": answer.accepted, "message": answer.message, **found})
    else:
        say(answer.message if answer.accepted else f"refused: {answer.message}")
        for line in () if recovery is None else recovery_lines(recovery):
            say(f"recovery {printable(line)}")
    failed = recovery is not None and recovery.stage == "failed"
    return 0 if answer.accepted and not failed else 1


def _beside(state: StateDirectory) -> str:
    """That the file HALT will be in the way, and what to do."""
    if not is_there(state.halt_file):
        return ""
    file = str(state.halt_file.absolute())
    return f", without the file {file}, beside which no reset is taken: `rm {quote(file)}`"


def _answered(client: OperatorClient, asked: ResetAsked) -> OperatorAnswer:
    """The gateway's answer; a comparison that the broker is about to answer is waited for."""
    ends_s = time.monotonic() + COMPARED_S_MAX
    while True:
        answer = client.act("reset", asked)
        waits = not answer.accepted and answer.message.startswith(NOT_COMPARED)
        if not waits or time.monotonic() >= ends_s:
            return answer
        time.sleep(_AGAIN_S)


def _outcome(client: OperatorClient, scope: str) -> RecordRecovery | None:
    """The scope's recovery once it has ended, or as far as it came; None when there is none."""
    ends_s = time.monotonic() + RECOVERY_S_MAX
    while True:
        try:
            known = client.status(with_orders=False).recoveries
        except GatewayUnreachable:
            return None
        found = next((at for at in known if at.scope == scope), None)
        if found is None or found.stage != "started" or time.monotonic() >= ends_s:
            return found
        time.sleep(_LOOK_S)
