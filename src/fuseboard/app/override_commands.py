"""`fuseboard override`: one person asks that an order may pass a check, a second one verifies."""

import argparse

from fuseboard.control.client import OperatorClient
from fuseboard.control.override_asked import OverrideAsked, VerifyAsked
from fuseboard.control.render import printable
from fuseboard.control.saying import say, say_json
from fuseboard.control.state_directory import StateDirectory


def command_override(options: argparse.Namespace) -> int:
    """Ask for an override, verify one, or list the open ones. Needs the gateway."""
    state = StateDirectory(options.state)
    state.identity()
    client = OperatorClient(state.socket_file)
    if options.act == "list":
        return _list(client, as_json=options.json)
    if options.act == "request":
        asked = OverrideAsked(
            operator=options.operator,
            reason=options.reason,
            strategy=options.strategy,
            symbol=options.symbol,
            side=options.side,
            quantity=options.quantity,
            check=options.check,
            expires=options.expires,
            worst_price=options.worst_price,
        )
        answer = client.act("override", asked)
    else:
        verify = VerifyAsked(operator=options.operator, override=options.override)
        answer = client.act("override-verify", verify)
    if options.json:
        say_json(answer)
    else:
        say(answer.message if answer.accepted else f"refused: {answer.message}")
    return 0 if answer.accepted else 1


def _list(client: OperatorClient, *, as_json: bool) -> int:
    overrides = client.status(with_orders=False).overrides
    if as_json:
        say_json(overrides)
    else:
        for line in overrides or ("no override is open",):
            say(printable(line))
    return 0
