"""How a policy file comes into force: at a start, or while the gateway runs.

The kernel decides, by `core.adoption`; here is what it is asked, and what a person is told.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from fuseboard.control.asked import (
    OPERATOR_CHARACTERS_MAX,
    REASON_CHARACTERS_MAX,
    AskedRefused,
    PolicyAsked,
    one_line,
)
from fuseboard.control.client import OperatorClient
from fuseboard.control.policy_file import loaded_policy, policy_text
from fuseboard.control.render import printable
from fuseboard.control.saying import say, say_json
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.core.kernel import Kernel
from fuseboard.halts.whole_file import write_atomically
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary.inputs import PolicyAdopted

FAILED: Final = 1
AT_A_START: Final = "start"
"""Who adopts where nobody gave a name: never enough to loosen."""


class Person(Struct, frozen=True):
    """Who asks for a policy, and why; both empty where nobody said."""

    operator: str = ""
    reason: str = ""


def adoption_at_start(kernel: Kernel, policy: Policy, path: Path, person: Person) -> PolicyAdopted:
    """What a start tells the kernel first; raises `StateRefused` for a policy it would refuse."""
    try:
        operator = one_line("the operator's name", person.operator, OPERATOR_CHARACTERS_MAX)
        reason = one_line("the reason", person.reason, REASON_CHARACTERS_MAX)
    except AskedRefused as error:
        raise StateRefused(str(error)) from error
    text = canonical_text(policy)
    fact = PolicyAdopted(
        text=text,
        digest=digest_of(text),
        operator=operator or AT_A_START,
        reason=reason if operator else "",
    )
    refusal = kernel.adoption_refusal(fact)
    if refusal:
        raise StateRefused(
            f"{path} is not the policy in force (digest {kernel.policy_digest()[:16]}): {refusal}\n"
            f"to start with it: `fuseboard run --policy {path} --operator NAME --reason TEXT`;"
            f" once the gateway runs: `fuseboard policy adopt {path} --operator NAME --reason TEXT`"
        )
    return fact


def adopt(options: argparse.Namespace) -> int:
    """`fuseboard policy adopt`: ask the running gateway; what it accepts is kept for its starts.

    Raises `StateRefused` where no gateway runs, and says how a start adopts.
    """
    state = StateDirectory(options.state)
    state.identity()
    path: Path = options.file
    beside: list[str] = []
    content = policy_text(path).encode()
    text = canonical_text(loaded_policy(path, used=beside).policy)
    if not state.is_running():
        raise StateRefused(
            f"no gateway runs on {state.path}, so the next start adopts: `fuseboard run --policy"
            f" {path}`; where that loosens anything it needs --operator NAME --reason TEXT"
        )
    files = {name: (path.parent / name).read_bytes() for name in beside}
    asked = PolicyAsked(
        text=text, digest=digest_of(text), operator=options.operator, reason=options.reason
    )
    answer = OperatorClient(state.socket_file).act("policy", asked)
    if answer.accepted:
        _keep(state, content, files)
    if options.json:
        say_json(answer)
    else:
        _say_lines(answer.message.splitlines(), refused=not answer.accepted)
        if answer.accepted:
            say(f"kept as {state.policy_file}")
    return 0 if answer.accepted else FAILED


def _say_lines(lines: Sequence[str], *, refused: bool) -> None:
    for at, line in enumerate(lines):
        say(printable(f"refused: {line}" if refused and not at else line))


def _keep(state: StateDirectory, content: bytes, files: dict[str, bytes]) -> None:
    """What the next start reads, the files that the policy names first.

    A death in between leaves the old policy with new files, which a start compares like any other.
    """
    for name, body in files.items():
        write_atomically(state.path / name, body)
    write_atomically(state.policy_file, content)
