"""What the guardian does when the gateway is missed, in this order.

1. Latch the halts register: from here on nothing that raises exposure starts, and the next start
   is killed until a named person resets it.
2. Kill the gateway and see it dead: one writer to the broker at a time.
3. Cancel everything that works, until two reads in a row show nothing; what the dead gateway had
   put on its way is waited for (`IN_FLIGHT_S`).
4. Where the policy says so, or where the gateway was closing positions already: no new short sales
   at the broker, then each position closed (`closing.py`); then a proof by two more reads.
5. When flat, the broker's own latch: no new orders at all.

Each step is journaled before the next one begins and people are paged. A second run of the same
acts, by another guardian or after a crash, finds what the first one did.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct

from fuseboard.brokers.alpaca import AlpacaBroker
from fuseboard.brokers.alpaca_protection import AlpacaProtection, BrokerLatches
from fuseboard.brokers.alpaca_session import AlpacaOptions
from fuseboard.guardian.asking import Asking, OutOfTime
from fuseboard.guardian.closing import Close, Left
from fuseboard.guardian.journal import GuardianJournal
from fuseboard.guardian.killing import killed
from fuseboard.guardian.orders import Orders, Place
from fuseboard.guardian.watching import Finding
from fuseboard.halts.block import Slot
from fuseboard.halts.heartbeats import Beat, boot_ns
from fuseboard.halts.history import HaltsHistory
from fuseboard.halts.register import HaltsRegister, RegisterUnwritable
from fuseboard.vocabulary.doors import Pager
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, trip_id
from fuseboard.vocabulary.inputs import Moment, PositionsSeen
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

CLEAN_READS: Final = 2
IN_FLIGHT_S: Final = 1.0
"""How long after its death a request of the gateway may still arrive at the broker."""
ACT_S_MAX: Final = 1_800.0
"""How long the broker is asked; then the leftovers are paged and a person is needed."""
CLOSES_AT_ONCE_MAX: Final = 8
CONNECTIONS_MAX: Final = 12


class Outcome(Struct, frozen=True, kw_only=True):
    """How it ended: `cancelled` when two reads agreed, and what is left of the positions."""

    cancelled: bool
    left: tuple[Left, ...] = ()
    why: str = ""

    def says(self) -> str:
        """One line for people."""
        if not self.cancelled:
            return f"orders may still work at the broker: {self.why}"
        if self.why:
            return f"nothing works any more; then: {self.why}"
        left = [each.says() for each in self.left if each.left_nanos]
        return f"nothing works any more; {'; '.join(left) or 'all that was to be closed is flat'}"


class Acts:
    """One intervention. `secure` needs no broker; `act` is the rest, within `ACT_S_MAX`."""

    def __init__(
        self,
        *,
        place: Place,
        orders: Orders,
        key: tuple[str, str],
        run_ns: int,
        journal: GuardianJournal,
        pagers: Sequence[Pager],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._place = place
        self._orders = orders
        self._run_ns = run_ns
        self._journal = journal
        self._pagers = pagers
        self._now_s = now_s
        self._dead_at_s = 0.0
        self._trip = trip_id(fuse="guardian", generation=run_ns)
        self._flatten = orders.flatten
        self._options = AlpacaOptions(
            base_url=orders.base_url,
            data_url=orders.data_url,
            key_id=key[0],
            secret=key[1],
            instance=orders.instance,
            connections_max=CONNECTIONS_MAX,
        )

    # --- without the broker ----------------------------------------------------------------------

    def secure(self, finding: Finding, beat: Beat | None) -> bool:
        """Latch, then kill; whether the gateway is certainly dead. Never raises."""
        detail = finding.says()
        self._latch(detail)
        self._journal.write("missed", run_ns=self._run_ns, detail=detail)
        alive = "its heartbeat cannot be read, so nothing was killed"
        if beat is not None:
            alive = killed(beat)
        self._dead_at_s = self._now_s()
        said = alive or f"process {beat.pid if beat else 0} is dead"
        self._journal.write("killed", run_ns=self._run_ns, detail=said)
        self._page(Severity.PAGE, f"the guardian acts: {detail}; {said}")
        return not alive

    def _latch(self, detail: str) -> None:
        """Our slot of the register, first of all; and the gateway's own trip, if it has one."""
        history = HaltsHistory(self._place.history_file)  # its thread writes: nothing waits for it
        register = HaltsRegister(self._place.register_file, Slot.GUARDIAN, told=history.note)
        try:
            for latch in register.latched():
                closing = latch.level is HaltLevel.FLATTEN and latch.scope == ACCOUNT_SCOPE
                if latch.slot is Slot.GATEWAY and latch.trip and closing:
                    self._trip, self._flatten = latch.trip, True
            halt = LatchHalt(
                scope=ACCOUNT_SCOPE,
                level=HaltLevel.KILL,
                reason=Reason.GUARDIAN,
                trip="",
                halt_epoch=0,
                detail=detail,
            )
            register.latch(halt, Moment(boot_ns(), time.time_ns()))
        except RegisterUnwritable as error:
            self._page(Severity.PAGE, f"{error}; the gateway is killed all the same")
        finally:
            register.close()

    # --- at the broker ---------------------------------------------------------------------------

    async def act(self, *, may_close: bool) -> Outcome:
        """Cancel everything, close where told and allowed; journaled and paged. Never raises for
        the broker's sake.
        """
        broker, protection = AlpacaBroker(self._options), AlpacaProtection(self._options)
        asking = Asking(seconds_max=ACT_S_MAX, told=self._waits)
        cancelled, why = False, ""
        left: tuple[Left, ...] = ()
        try:
            await self._cancelled(protection, asking)
            cancelled = True
            if self._flatten and may_close:
                left = await self._closed(broker, protection, asking)
                await self._cancelled(protection, asking)
            elif self._flatten:
                why = "positions were not closed: the gateway may still be alive"
        except OutOfTime as late:
            why = f"the broker was asked for {ACT_S_MAX / 60:g} minutes, the last answer: {late}"
        finally:
            await protection.close()
            await broker.stop()
        outcome = Outcome(cancelled=cancelled, left=left, why=why)
        self._journal.write("done", run_ns=self._run_ns, detail=outcome.says())
        self._page(Severity.PAGE, f"the guardian is done: {outcome.says()}")
        return outcome

    def _waits(self, why: str) -> None:
        self._page(Severity.PAGE, f"the guardian is not done, it keeps asking the broker: {why}")

    async def _cancelled(self, protection: AlpacaProtection, asking: Asking) -> None:
        """Cancel until two reads in a row show nothing, the last one after all that was on its
        way when the gateway died.
        """
        clean, attempt, seen = 0, 0, 0
        while clean < CLEAN_READS or self._now_s() < self._dead_at_s + IN_FLIGHT_S:
            working = await asking.answer(protection.working_orders)
            clean = 0 if working else clean + 1
            if working:
                seen = max(seen, len(working))
                await asking.answer(protection.cancel_all)
            attempt = 0 if clean else attempt + 1
            await asking.pause(attempt, why=f"{len(working)} orders still work")
        detail = f"two reads show nothing at work; at most {seen} were seen"
        self._journal.write("cancelled", run_ns=self._run_ns, detail=detail)

    async def _closed(
        self, broker: AlpacaBroker, protection: AlpacaProtection, asking: Asking
    ) -> tuple[Left, ...]:
        """Close every position; what became of each."""
        held = await asking.answer(broker.positions)
        text = ", ".join(position.symbol for position in held.positions) or "nothing is held"
        self._journal.write("closing", run_ns=self._run_ns, detail=f"trip {self._trip}: {text}")
        if any(position.quantity_nanos > 0 for position in held.positions):
            await self._latch_broker(protection, asking, BrokerLatches(no_shorting=True))
        room = asyncio.Semaphore(CLOSES_AT_ONCE_MAX)

        async def one(symbol: str, valued_nanos: int) -> Left:
            async with room:
                close = Close(
                    trip=self._trip,
                    symbol=symbol,
                    valued_nanos=valued_nanos,
                    orders=self._orders,
                    broker=broker,
                    protection=protection,
                    asking=asking,
                )
                return await close.run()

        left = await asyncio.gather(*(one(at.symbol, at.price_nanos) for at in held.positions))
        proof: PositionsSeen = await asking.answer(broker.positions)
        if not proof.positions:
            await self._latch_broker(protection, asking, BrokerLatches(suspend_trade=True))
        self._journal.write(
            "closed", run_ns=self._run_ns, detail="; ".join(each.says() for each in left)
        )
        return tuple(left)

    async def _latch_broker(
        self, protection: AlpacaProtection, asking: Asking, wanted: BrokerLatches
    ) -> None:
        """The broker's own latch, after what was there before is on disk for who lifts it."""
        before = await asking.answer(protection.latches)
        if not self._place.latches_file.exists():
            with suppress(OSError):  # a full disk: who resets has to look at the broker's settings
                self._place.latches_file.write_bytes(msgspec.json.encode(before))
        await asking.answer(lambda: protection.latch(wanted))
        detail = msgspec.json.encode(wanted).decode()
        self._journal.write("broker latched", run_ns=self._run_ns, detail=detail)

    def _page(self, severity: Severity, text: str) -> None:
        for pager in self._pagers:
            pager.page(severity.value, Reason.GUARDIAN.value, ACCOUNT_SCOPE, text)
