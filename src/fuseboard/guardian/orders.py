"""The guardian's orders: what it needs to know of the policy, in a small file the gateway writes.

The guardian knows no policy and holds the broker's key in its own environment; the file names the
key by a mark, so that a guardian with another account's key refuses to act.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from fuseboard.rescue.terms import Terms

KEY_NAMES: Final = ("ALPACA_API_KEY", "ALPACA_SECRET_KEY")


class OrdersUnusable(Exception):
    """The guardian's orders cannot be read, or are for another key; the message says what to do."""


class Place:
    """The files of a state directory that the guardian uses."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.register_file = state / "halts.register"
        self.history_file = state / "halts.db"
        self.heartbeat_file = state / "heartbeats"
        self.orders_file = state / "guardian.json"
        self.journal_file = state / "guardian.jsonl"
        self.log_file = state / "guardian.log"
        self.latches_file = state / "broker-latches.json"
        self.alerts_file = state / "guardian.alerts"


class Orders(Terms, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to watch for and what to do then; on which terms, `Terms` has. Times in nanoseconds of
    boot time.
    """

    key_mark: str
    timeout_ns: int
    """How long the gateway may be silent."""
    flatten: bool
    """Whether positions are closed, after everything is cancelled."""


def key_mark(key_id: str) -> str:
    """Names a key without telling it."""
    return hashlib.sha256(f"fuseboard-guardian {key_id}".encode()).hexdigest()[:16]


def read_orders(place: Place) -> Orders | None:
    """The present orders; None when no gateway has written any. Raises `OrdersUnusable`."""
    try:
        raw = place.orders_file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OrdersUnusable(f"{place.orders_file}: {error.strerror}") from error
    try:
        return msgspec.json.decode(raw, type=Orders)
    except msgspec.MsgspecError as error:
        raise OrdersUnusable(
            f"{place.orders_file} is damaged ({error}): start the gateway, which writes it anew"
        ) from error


def key_for(orders: Orders, environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """The broker's key pair. Raises `OrdersUnusable` when it is not the one the gateway uses."""
    key_id, secret = (environment.get(name, "") for name in KEY_NAMES)
    if not key_id or not secret:
        raise OrdersUnusable(f"the guardian needs {' and '.join(KEY_NAMES)} in its environment")
    if key_mark(key_id) != orders.key_mark:
        raise OrdersUnusable(
            f"{KEY_NAMES[0]} is not the key of the gateway's account {orders.account!r}: start the"
            " guardian with the gateway's environment"
        )
    return key_id, secret
