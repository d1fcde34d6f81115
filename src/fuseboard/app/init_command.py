"""`fuseboard init`: a state directory, complete or not at all usable."""

import argparse
import os
import time

from fuseboard.app.lost_register import can_be_renewed, renew_register
from fuseboard.control.policy_file import loaded_policy, policy_text
from fuseboard.control.saying import say
from fuseboard.control.state_directory import StateDirectory
from fuseboard.halts.history import create_history
from fuseboard.halts.register import HaltsRegister
from fuseboard.halts.whole_file import write_atomically
from fuseboard.journal.file import create_journal
from fuseboard.policy.starter import default_policy_text


def command_init(options: argparse.Namespace) -> int:
    """Make a state directory, complete or not at all usable; or a lost register, halted."""
    state = StateDirectory(options.state)
    if can_be_renewed(state):
        say(renew_register(state))
        return 0
    beside: list[str] = []
    text = None if options.policy is None else policy_text(options.policy)
    if text is not None:
        loaded_policy(options.policy, used=beside)
    now_ns = time.time_ns()
    mask = os.umask(0o077)  # whatever the directory allows: what is made in it is its owner's
    try:
        identity = state.begin(account=options.account, now_ns=now_ns)
        create_journal(state.journal_file, identity.instance, now_ns)
        HaltsRegister.create(state.register_file)
        create_history(state.history_file)
        if text is not None or not state.policy_file.exists():
            write_atomically(state.policy_file, (text or default_policy_text()).encode())
        for name in beside:
            write_atomically(state.path / name, (options.policy.parent / name).read_bytes())
        state.finish(identity)
    finally:
        os.umask(mask)
    say(f"made {state.path}: instance {identity.instance}, account {identity.account!r}")
    say(f"policy: {state.policy_file} (edit it; it is read at each start)")
    return 0
