"""The broker's own latches as the gateway sets them, and lifts them after a person's reset.

What was there before is on disk first, in the file that the guardian uses too: whoever set them,
the first gateway that sees the account reset puts back what was. One at a time, so that a latch
that was on its way when the reset came is lifted after it. What stands at the broker and is not of
that file is said and left: an earlier run may have set it whose record is lost, or a person.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
from msgspec import structs

from fuseboard.app.broker_choice import BrokerKeys
from fuseboard.brokers.alpaca_protection import AlpacaProtection, BrokerLatches
from fuseboard.brokers.alpaca_session import AlpacaOptions
from fuseboard.guardian.orders import Place
from fuseboard.rescue.broker_latches import keep_before, kept_before
from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.orders import Severity

STANDING_LOOK_S: Final = 60.0
"""How often the broker is asked again whether what stood there still does."""


NOT_OURS: Final = (
    "a person chose that, or we did and its record is lost; no reset lifts it: see the account's"
    " configuration at the broker"
)


class News(NamedTuple):
    """What people are told."""

    severity: Severity
    text: str


class BrokerLatching:
    """One account's latches. Every call raises `BrokerUnavailable` and `Throttled`."""

    def __init__(
        self, place: Place, *, broker: BrokerKeys, instance: str, is_halted: Callable[[], bool]
    ) -> None:
        self._place = place
        self._broker = broker
        self._instance = instance
        self._is_halted = is_halted
        self._one_at_a_time = asyncio.Lock()
        self._reset = asyncio.Event()
        self._stands = ""
        self._look_at = 0.0  # at the start, and after each reset

    async def latch(self, wanted: LatchBroker) -> None:
        """Set what is True while the account is halted; what is False becomes what it was."""
        async with self._one_at_a_time:
            protection = self._protection()
            try:
                await self._latch(protection, wanted)
            except (OSError, msgspec.MsgspecError) as error:
                raise BrokerUnavailable(f"{self._place.latches_file}: {error}") from error
            finally:
                await protection.close()

    async def _latch(self, protection: AlpacaProtection, wanted: LatchBroker) -> None:
        takes_back = wanted.suspend_trade is False
        if not (wanted.no_shorting or wanted.suspend_trade) or not self._is_halted():
            before = kept_before(self._place.latches_file)
            if takes_back and before is not None:
                await protection.latch(BrokerLatches(suspend_trade=before.suspend_trade))
            elif wanted.again and wanted.suspend_trade and before is None:
                # Ours, its record is lost, and the reset came before this: nobody else lifts it.
                await protection.latch(BrokerLatches(suspend_trade=False))
            return
        present = await protection.latches()
        if wanted.again and wanted.suspend_trade:  # the file is lost: it was set, and by us
            present = structs.replace(present, suspend_trade=False)
        keep_before(self._place.latches_file, present)
        before = kept_before(self._place.latches_file)
        suspends = wanted.suspend_trade
        if takes_back and before is not None:
            suspends = before.suspend_trade
        await protection.latch(
            BrokerLatches(no_shorting=wanted.no_shorting or None, suspend_trade=suspends)
        )

    def is_to_be_lifted(self) -> bool:
        """Whether latches of ours, or the guardian's, are set and the account is reset."""
        return self._place.latches_file.exists() and not self._is_halted()

    async def lift(self) -> bool:
        """The latches go back to what they were; False where the account is halted again."""
        async with self._one_at_a_time:
            if not self.is_to_be_lifted():
                return False
            protection = self._protection()
            try:
                before = kept_before(self._place.latches_file)
                if before is not None:
                    await protection.latch(before)
                self._place.latches_file.unlink(missing_ok=True)
            except (OSError, msgspec.MsgspecError) as error:
                raise BrokerUnavailable(f"{self._place.latches_file}: {error}") from error
            finally:
                await protection.close()
            return True

    def cleared(self) -> None:
        """A reset has reached the register: whoever waits looks now."""
        self._look_at = 0.0
        self._reset.set()

    def is_to_be_looked_at(self) -> bool:
        """Whether the broker is to be asked what stands there though nothing of ours is set."""
        return time.monotonic() >= self._look_at and not self._place.latches_file.exists()

    async def look(self) -> News | None:
        """Ask what the broker refuses by a setting that we do not know as ours; None: no news."""
        async with self._one_at_a_time:
            if not self.is_to_be_looked_at():
                return None
            self._look_at = time.monotonic() + STANDING_LOOK_S
            protection = self._protection()
            try:
                present = await protection.latches()
            finally:
                await protection.close()
        before, self._stands = self._stands, _standing(present)
        if not self._stands:
            self._look_at = float("inf")  # until the next reset
        if before == self._stands:
            return None
        if not self._stands:
            return News(Severity.INFO, f"over: the broker itself no longer refuses {before}")
        severity = Severity.PAGE if present.suspend_trade else Severity.WARNING
        return News(severity, f"the broker itself refuses {self._stands}: {NOT_OURS}")

    def about(self) -> dict[str, str]:
        """For the status, a line of its own: what stands at the broker and is not of our file."""
        if not self._stands or self._place.latches_file.exists():
            return {}
        return {"at broker": f"it refuses {self._stands}: {NOT_OURS}"}

    async def next_look(self, seconds_max: float) -> None:
        """Return at the next reset, at the latest after this time."""
        try:
            async with asyncio.timeout(seconds_max):
                await self._reset.wait()
        except TimeoutError:
            return
        self._reset.clear()

    def _protection(self) -> AlpacaProtection:
        options = AlpacaOptions(
            base_url=self._broker.base_url,
            key_id=self._broker.key_id,
            secret=self._broker.secret,
            instance=self._instance,
        )
        return AlpacaProtection(options)


def _standing(present: BrokerLatches) -> str:
    """What the account's configuration refuses, in words; empty where that is nothing."""
    refused = ["every new order (suspend_trade)"] if present.suspend_trade else []
    refused += ["new short sales (no_shorting)"] if present.no_shorting else []
    return " and ".join(refused)
