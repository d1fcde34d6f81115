"""`fuseboard operators`: keys of people for the control API, with roles."""

import argparse

from fuseboard.control import render
from fuseboard.control.operator_keys import OperatorKeys
from fuseboard.control.saying import say, say_json
from fuseboard.control.state_directory import StateDirectory, StateRefused


def command_operators(options: argparse.Namespace) -> int:
    """Make, list and revoke keys of operators."""
    state = StateDirectory(options.state)
    state.identity()
    keys = OperatorKeys(state.operators_file)
    if options.act == "new":
        key = keys.mint(options.name, options.role)
        if options.json:
            say_json({"operator": options.name, "role": options.role, "key": key})
        else:
            say(f"{options.role} {options.name}\nkey  {key}")
            say("the key is not stored: keep it now")
    elif options.act == "list":
        lines = [{"key_id": at.key_id, "name": at.name, "role": at.role} for at in keys.listed()]
        if options.json:
            say_json(lines)
        else:
            rows = [tuple(line.values()) for line in lines]
            say(render.table(("key id", "operator", "role"), rows) if rows else "no keys")
    else:
        if not keys.revoke(options.name):
            raise StateRefused(
                f"no key has the id {options.name!r}: see `fuseboard operators list`"
            )
        if options.json:
            say_json({"revoked": options.name})
        else:
            say(f"revoked {options.name}")
    return 0
