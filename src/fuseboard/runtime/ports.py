"""What the loop expects of its neighbours, beyond the doors of the vocabulary."""

from typing import Protocol

from fuseboard.vocabulary.effects import Effect
from fuseboard.vocabulary.inputs import Input, Moment


class Kernel(Protocol):
    """The pure fold. Only the loop and replay call it."""

    def step(self, moment: Moment, fact: Input) -> tuple[Effect, ...]:
        """Fold one input into the state and say what must happen."""

    def snapshot(self) -> bytes:
        """The whole state, from which an equal kernel can be built."""

    def digest(self) -> str:
        """Hex SHA-256 of the snapshot."""


class Views(Protocol):
    """A reader of answers, publications and evidence: the gateway, the control room, a test."""

    def apply(self, effect: Effect) -> None:
        """Take one effect, already durable; must not block."""


class Exit(Protocol):
    """The one place where effects leave, as the loop sees it (`runtime.outlet.Outlet`)."""

    def leave(self, effect: Effect, moment: Moment) -> None:
        """Let one effect out, now. `moment` is that of the input that caused it."""

    def annihilate(self, order_id: str) -> None:
        """Report a submit that never came here as `OrderNotSent(ANNIHILATED)`."""

    def seal(self, detail: str, moment: Moment) -> None:
        """The node found a fault: latch, page, let nothing out any more but cancels."""

    async def cancel_everything(self) -> None:
        """After `seal`: cancel whatever may work at the broker, for a bounded time."""
