"""Identifiers, all derived: the same facts give the same id on any machine, after any crash.

An order has three ids. The *client order id* is the strategy's own. The *order id* is ours: a
UUID derived from (instance, account, strategy, client order id); it is what strategies see. The
*wire id* is the client order id that we give the broker: the instance's prefix and the same hash,
so that a repeated send is the same order to the broker and a stranger's order is recognised.
"""

import re
from hashlib import sha256

WIRE_PREFIX = "fb"
FOREIGN_PREFIX = "foreign-"
STOCKS_FEED = "stocks"
CRYPTO_FEED = "crypto"
ACCOUNT_SCOPE = "account"
TAG_KINDS = ("trader", "desk", "client")
"""What a policy may say about a strategy; all strategies of a tag halt as one."""
_INSTANCE = re.compile(r"[a-z0-9]{8}")


def checked_instance(instance: str) -> str:
    """The instance name if it is eight lower-case letters or digits, else `ValueError`."""
    if _INSTANCE.fullmatch(instance) is None:
        raise ValueError(f"instance {instance!r} is not eight lower-case letters or digits")
    return instance


def _part(text: str) -> bytes:
    """A length-prefixed part."""
    raw = text.encode()
    return len(raw).to_bytes(4, "big") + raw


class OrderIds:
    """Makes order ids for one account of one instance. `wire_prefix` makes one a wire id."""

    __slots__ = ("_account", "_strategies", "wire_prefix")

    def __init__(self, *, instance: str, account: str) -> None:
        self.wire_prefix = wire_id(instance=instance, order_id="")
        self._account = _part(instance) + _part(account)
        self._strategies: dict[str, bytes] = {}

    def order_id(self, strategy: str, client_order_id: str) -> str:
        """Our UUID of an order (RFC 9562 version 8, from 120 bits of the hash).

        All parts but the last are length-prefixed, so that no two lists of parts collide.
        """
        asker = self._strategies.get(strategy)
        if asker is None:
            asker = self._strategies[strategy] = self._account + _part(strategy)
        d = sha256(asker + client_order_id.encode()).hexdigest()
        return f"{d[:8]}-{d[8:12]}-8{d[13:16]}-8{d[17:20]}-{d[20:32]}"


def order_id(*, instance: str, account: str, strategy: str, client_order_id: str) -> str:
    """The same id, made once."""
    return OrderIds(instance=instance, account=account).order_id(strategy, client_order_id)


def wire_id(*, instance: str, order_id: str) -> str:
    """The client order id that the broker is given: `fb-INSTANCE-` and our order id."""
    return f"{WIRE_PREFIX}-{instance}-{order_id}"


def order_id_of_wire_id(instance: str, wire: str) -> str | None:
    """Our order id behind a broker's client order id; None when another instance made it."""
    prefix = f"{WIRE_PREFIX}-{instance}-"
    return wire.removeprefix(prefix) if wire.startswith(prefix) else None


def is_fuseboard_wire_id(wire: str) -> bool:
    """Whether some Fuseboard instance made this client order id."""
    return wire.startswith(f"{WIRE_PREFIX}-")


def foreign_order_id(broker_order_id: str) -> str:
    """Our id of an order that was not placed through the gateway: from the broker's alone, so that
    whoever hears of the order finds it.
    """
    return f"{FOREIGN_PREFIX}{broker_order_id}"


def is_foreign_order_id(order_id: str) -> bool:
    """Whether an order of our book was not placed through the gateway: ours are UUIDs."""
    return order_id.startswith(FOREIGN_PREFIX)


def trip_id(*, fuse: str, generation: int) -> str:
    """The id of a trip: the fuse and its arming generation, so a lost record leads to it again."""
    return f"{fuse}#{generation}"


def close_client_order_id(*, trip: str, symbol: str, attempt: int) -> str:
    """The client order id of one protective close, derived from (trip, symbol, attempt)."""
    return f"close/{trip}/{symbol}/{attempt}"


def close_ids(
    *, instance: str, account: str, trip: str, symbol: str, attempt: int
) -> tuple[str, str, str]:
    """A close's client order id, our order id and the wire id: the same for whoever sends it."""
    client = close_client_order_id(trip=trip, symbol=symbol, attempt=attempt)
    ours = order_id(instance=instance, account=account, strategy="", client_order_id=client)
    return client, ours, wire_id(instance=instance, order_id=ours)


def strategy_scope(strategy: str) -> str:
    """The scope name of one strategy."""
    return f"strategy:{strategy}"


def is_tag_scope(scope: str) -> bool:
    """Whether the scope is a tag's: `trader:NAME`, `desk:NAME` or `client:NAME`."""
    kind, colon, name = scope.partition(":")
    return kind in TAG_KINDS and bool(colon and name)


def symbol_scope(symbol: str) -> str:
    """The scope name of one symbol."""
    return f"symbol:{symbol}"


def feed_of(symbol: str) -> str:
    """The feed that tells of a symbol; crypto pairs, written BASE/QUOTE, have their own."""
    return CRYPTO_FEED if "/" in symbol else STOCKS_FEED
