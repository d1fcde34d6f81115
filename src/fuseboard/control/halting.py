"""A person's halt by the command line: through the gateway, else in the register.

A halt waits for nothing that it does not need. All that the command line can do takes most of a
second to import, and several on a busy machine; this imports little, and the way without a gateway
is given by whoever knows it and imported when it is taken.
"""

import argparse
import os
import pwd
import sys
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import structs

from fuseboard.control.asked import HaltAsked, OperatorAnswer, checked_scope
from fuseboard.control.client import GatewayBusy, GatewayUnreachable, OperatorClient
from fuseboard.control.state_directory import StateDirectory

SILENT: Final = "the gateway runs and does not answer"
WAITS: Final = "the gateway's answer is waited for"
WithoutGateway = Callable[[StateDirectory, HaltAsked, str], OperatorAnswer]
"""Latches the register; the text says why no gateway did."""


def command_halt(options: argparse.Namespace, without_gateway: WithoutGateway) -> int:
    """Halt a scope; where no gateway answers, latch the register that every send asks.

    It needs nothing else of the state: neither a readable identity nor a restore's end.

    Raises `StateRefused`, and what `without_gateway` raises.
    """
    state = StateDirectory(options.state)
    operator = options.operator.strip() or unix_user()
    asked = HaltAsked(
        operator=operator,
        reason=options.reason,
        scope=options.scope,
        level=options.level,
    )
    if not state.is_running():
        if not state.register_file.exists():
            state.identity()  # says what is wrong with the directory, if anything else is
            state.must_have_register()
        answer = without_gateway(state, asked, "no gateway runs")
    else:
        answer = _halted(state, asked, without_gateway)
    if answer.accepted and operator != options.operator.strip():
        nameless = f"no --operator NAME was given: recorded as {operator!r}"
        note = f"{answer.note}; {nameless}" if answer.note else nameless
        answer = structs.replace(answer, note=note)
    return told(answer, as_json=options.json)


def unix_user() -> str:
    """Who runs this, as far as the system knows: a name that is asked for costs seconds."""
    user = os.getuid()
    try:
        return f"unix user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"unix user {user}"


def _halted(
    state: StateDirectory, asked: HaltAsked, without_gateway: WithoutGateway
) -> OperatorAnswer:
    """Halt through the gateway. What it does not carry out at once is latched in the register,
    which it asks at every send; a refusal that it means stays one.
    """
    client = OperatorClient(state.socket_file)
    latched: list[OperatorAnswer] = []

    def late() -> None:
        latched.append(without_gateway(state, asked, SILENT))
        if latched[0].accepted:
            sys.stderr.write(f"{checked_scope(asked.scope)} is latched in the register; {WAITS}\n")
            sys.stderr.flush()

    try:
        answer = client.halt(asked, late)
    except GatewayUnreachable as gone:
        why = f"the gateway says: {gone}" if isinstance(gone, GatewayBusy) else SILENT
        return latched[0] if latched else without_gateway(state, asked, why)
    if not answer.accepted:
        return latched[0] if latched else answer
    return _settled(client, asked, answer)


def _settled(client: OperatorClient, asked: HaltAsked, answer: OperatorAnswer) -> OperatorAnswer:
    """Wait until what had started is answered."""
    try:
        settled = client.settled(asked.scope)
    except GatewayUnreachable as gone:
        return structs.replace(answer, message=f"{answer.message}; not known to be settled: {gone}")
    said = "settled: nothing is in doubt"
    if settled.in_doubt:
        orders = ", ".join(settled.in_doubt)
        said = f"settled: {len(settled.in_doubt)} in doubt, being looked for: {orders}"
    return structs.replace(
        answer, message=f"{answer.message}; {said}", settled=True, in_doubt=settled.in_doubt
    )


def told(answer: OperatorAnswer, *, as_json: bool) -> int:
    """Say an answer to the operator on standard output; the exit code."""
    text = answer.message if answer.accepted else f"refused: {answer.message}"
    if answer.note:
        text = f"{text}\nNOTE: {answer.note}"
    if as_json:
        text = msgspec.json.format(msgspec.json.encode(answer), indent=2).decode()
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    return 0 if answer.accepted else 1
