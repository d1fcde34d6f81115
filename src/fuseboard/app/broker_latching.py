"""The broker's own latches as the gateway sets them, and lifts them after a person's reset.

What was there before is on disk first, in the file that the guardian uses too: whoever set them,
the first gateway that sees the account reset puts back what was. One at a time, so that a latch
that was on its way when the reset came is lifted after it.
"""

import asyncio
from collections.abc import Callable

import msgspec

from fuseboard.app.broker_choice import BrokerKeys
from fuseboard.brokers.alpaca_protection import AlpacaProtection, BrokerLatches
from fuseboard.brokers.alpaca_session import AlpacaOptions
from fuseboard.guardian.orders import Place
from fuseboard.rescue.broker_latches import keep_before, kept_before
from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.doors import BrokerUnavailable


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
            before = kept_before(self._place.latches_file) if takes_back else None
            if before is not None:
                await protection.latch(BrokerLatches(suspend_trade=before.suspend_trade))
            return
        present = await protection.latches()
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
        self._reset.set()

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
