"""What a node that has come up says, and writes for the other commands."""

import os
from collections.abc import Callable

import msgspec

from fuseboard import __version__
from fuseboard.app.node_options import NodeOptions
from fuseboard.halts.whole_file import write_atomically


def tell_ready(
    options: NodeOptions,
    *,
    account: str,
    digest: str,
    port: int,
    control: int | None,
    say: Callable[[str], None],
) -> None:
    """Say who is guarded, where strategies connect and under which policy; `control` is a port."""
    url = f"http://{options.host}:{port}"
    ready = {"pid": os.getpid(), "url": url, "broker": options.broker.base_url}
    if control is not None:
        ready["control"] = f"http://127.0.0.1:{control}"
        say(f"control API for who has a key: {ready['control']}")
    write_atomically(options.state.gateway_file, msgspec.json.encode(ready))
    say(f"fuseboard {__version__} guards account {account!r}")
    say(f"strategies connect to {url}")
    say(f"broker: {options.broker_says}")
    say(f"policy {options.policy.name!r}, digest {digest[:16]}")
    say(f"state and journal: {options.state.path}")
