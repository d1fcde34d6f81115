"""What the gateway asks of the rooms beside it: Protocols, satisfied at the composition root."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from fuseboard.vocabulary.inputs import Input


class IntakeDoor(Protocol):
    """The one queue into the loop."""

    def offer(self, fact: Input) -> bool:
        """Take a fact; False when the queue is full and it was not taken."""


class BrokerAnswer(Protocol):
    """One HTTP answer of the broker."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def body(self) -> bytes:
        """The whole body."""


class ReadDoor(Protocol):
    """Read-only requests to the broker. The adapter adds its key and bounds the time."""

    async def fetch(self, method: str, target: str) -> BrokerAnswer:
        """One request; raises `BrokerUnavailable` when there was no answer."""


class MarketDoor(Protocol):
    """Market data: quotes for the kernel, raw stream messages for strategies' data streams."""

    async def watch(self, symbol: str) -> None:
        """Subscribe, and have the latest quote offered to the intake if there is one."""

    async def subscribe(self, channel: str, symbols: Sequence[str]) -> None:
        """Have the upstream connection carry a channel (`trades`, `quotes`, ...) of these symbols.

        Idempotent; raises `BrokerUnavailable` when that is not possible now.
        """

    def listen(self, callback: Callable[[list[dict[str, Any]]], None]) -> None:
        """Call back with the messages of each frame of the upstream connection, as decoded by
        `wire.alpaca_stream.decoded_messages`.
        """
