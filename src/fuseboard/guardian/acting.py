"""What the guardian does when the gateway is missed, in this order.

1. Latch the halts register: from here on nothing that raises exposure starts, and the next start
   is killed until a named person resets it.
2. Kill the gateway and see it dead: one writer to the broker at a time.
3. Cancel everything, before it is read and at each read that fails, until two reads in a row show
   nothing; what the dead gateway had put on its way is waited for (`IN_FLIGHT_S`). Closing waits
   no longer than `cancel_wait` for orders that stay: it leaves room for what works against it.
4. Where the policy says so, or where the gateway was closing the account's positions already (also
   beneath a later kill, not after a freeze): no new short sales at the broker, then each position
   closed (`closing.py`); then a proof by two more reads, and all of it again where orders had
   stayed and are gone. Where it was closing a symbol's, that one alone. Otherwise the positions
   are read, and people are told what is open.
5. When flat, the broker's own latch: no new orders at all.

Each step is journaled before the next one begins and people are paged. A second run of the same
acts, by another guardian or after a crash, finds what the first one did. A disk that hangs is
waited for once (`Disk`), then the acts go on and people hear what is not on it: the closes' ids
need no note, and the broker takes each once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from typing import Final

import msgspec

from fuseboard.brokers.alpaca_protection import AlpacaProtection, BrokerLatches
from fuseboard.brokers.alpaca_requests import AlpacaRequests
from fuseboard.brokers.alpaca_session import AlpacaOptions, AlpacaSession
from fuseboard.guardian.asking import Asking, OutOfTime
from fuseboard.guardian.broker_latches import keep_before, kept_before
from fuseboard.guardian.closing import Close
from fuseboard.guardian.journal import GuardianJournal
from fuseboard.guardian.killing import killed
from fuseboard.guardian.orders import Orders, Place
from fuseboard.guardian.outcome import Left, Outcome, named
from fuseboard.guardian.watching import Finding
from fuseboard.halts.block import Slot
from fuseboard.halts.heartbeats import Beat, boot_ns
from fuseboard.halts.history import HaltChange, HaltsHistory
from fuseboard.halts.register import HaltsRegister, RegisterUnwritable
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, symbol_scope, trip_id
from fuseboard.vocabulary.inputs import UNNAMED, Moment, PositionsSeen
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

CLEAN_READS: Final = 2
IN_FLIGHT_S: Final = 1.0
"""How long after its death a request of the gateway may still arrive at the broker."""
LOOK_S: Final = 0.3
"""Between two looks for it."""
ACT_S_MAX: Final = 1_800.0
"""How long a broker that does not answer is asked, before the closes, while they go on (beside the
policy's time for the market), and after them; then people are paged."""
LATCH_S_MAX: Final = 5.0
"""How long the broker's own latch is asked for: no close waits for it."""
HELD_S_MAX: Final = 60.0
"""How long positions that stay open are asked for: people wait for the answer, nothing else."""
OPEN_S_MAX: Final = 5.0
"""How long each of two reads is waited for, after a fault of ours, to say what is open."""
STAY_NAMED_MAX: Final = 5
CLOSES_AT_ONCE_MAX: Final = 8
CONNECTIONS_MAX: Final = 12

_NOT_ASKED: Final = "the policy does not ask for it"
_ALIVE: Final = "the gateway may still be alive"


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
        page: Callable[[Severity, str], None],
        moved: Callable[[], None] = lambda: None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._place = place
        self._orders = orders
        self._journal = journal
        self._note = partial(journal.write, run_ns=run_ns)
        self._page = page
        self._moved = moved
        self._now_s = now_s
        self._dead_at_s = 0.0
        self._trip = trip_id(fuse="guardian", generation=run_ns)
        self._flatten = orders.flatten
        self._begun: dict[str, str] = {}  # the gateway's own trips, by what each closes
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
        self._find_trips()
        self._latch(detail)
        self._note("missed", detail=detail)
        alive = "its heartbeat cannot be read, so nothing was killed"
        if beat is not None:
            alive = killed(beat)
        self._dead_at_s = self._now_s()
        said = alive or f"process {beat.pid if beat else 0} is dead"
        self._note("killed", detail=said)
        self._page(Severity.PAGE, f"the guardian acts: {detail}; {said}")
        return not alive

    def _find_trips(self) -> None:
        """The gateway's own liquidations that nobody froze. One of the account closes all; one of
        a symbol closes what the broker holds of it, so we can go on; of others we know no share.
        """
        with closing(HaltsRegister(self._place.register_file, Slot.GUARDIAN)) as register:
            latched = register.latched()
        frozen = {latch.scope for latch in latched if latch.level is HaltLevel.FREEZE}
        for latch in latched:
            trip = latch.flattening() if latch.slot is Slot.GATEWAY else ""
            if trip and not frozen & {ACCOUNT_SCOPE, latch.scope}:
                self._begun[latch.scope] = trip
        if ACCOUNT_SCOPE in self._begun:
            self._trip, self._flatten = self._begun[ACCOUNT_SCOPE], True

    def _trip_of(self, symbol: str) -> str:
        """Under which trip a symbol is closed; empty: nobody asked for it."""
        return self._trip if self._flatten else self._begun.get(symbol_scope(symbol), "")

    def _kept(self, *, may_close: bool) -> str:
        """Why positions stay that nobody asked to close, or that may not be; empty: all go."""
        if self._flatten:
            return "" if may_close else _ALIVE
        symbols = symbol_scope("")
        ours = [at for at in self._begun if at.startswith(symbols) and may_close]
        left = ", ".join(at for at in self._begun if at not in ours)
        return f"{_NOT_ASKED}; the gateway was told to close {left}" if left else _NOT_ASKED

    def _latch(self, detail: str) -> None:
        """Our slot of the register, before all that is done."""
        said: list[str] = []

        def note(change: HaltChange) -> None:
            with suppress(RuntimeError):  # no thread is left: the latch, which is done, needs none
                HaltsHistory(self._place.history_file).note(change)  # its thread writes, none waits

        def latch() -> None:
            file = self._place.register_file
            with closing(HaltsRegister(file, Slot.GUARDIAN, told=note)) as register:
                halt = LatchHalt(
                    scope=ACCOUNT_SCOPE,
                    level=HaltLevel.KILL,
                    reason=Reason.GUARDIAN,
                    trip="",
                    halt_epoch=0,
                    detail=detail,
                )
                try:
                    register.latch(halt, Moment(boot_ns(), time.time_ns()))
                except RegisterUnwritable as error:
                    said.append(str(error))

        if not self._journal.disk.do(latch):
            why = "the disk hangs" if self._journal.disk.behind() else "the disk refuses"
            said.append(f"{why}: {self._place.register_file} is not latched on it")
        for why in said:
            self._page(Severity.PAGE, f"{why}; the gateway is killed all the same")

    # --- at the broker ---------------------------------------------------------------------------

    async def act(self, *, may_close: bool) -> Outcome:
        """Cancel everything, close where told and allowed; journaled and paged. Never raises for
        the broker's sake.
        """
        asking = self._asking(ACT_S_MAX)
        cancelled, why, kept = False, "", self._kept(may_close=may_close)
        begun = any(at.startswith(symbol_scope("")) for at in self._begun)
        closes = may_close and (self._flatten or begun)
        left: tuple[Left, ...] = ()
        seen: PositionsSeen | None = None
        async with self._at_broker() as (broker, protection):
            try:
                cancelled = await self._cancelled(protection, asking, stays=closes)
                while closes:
                    flat, seen = {each.symbol: each for each in left if each.left_nanos == 0}, None
                    again = await self._closed(broker, protection, asking)
                    left = tuple((flat | {each.symbol: each for each in again}).values())
                    asking = self._asking(ACT_S_MAX)
                    seen = await self._proven(broker, protection, asking, latches=cancelled)
                    had_stayed, cancelled = not cancelled, False
                    cancelled = await self._cancelled(protection, asking)
                    if not had_stayed:  # else they may have filled: nothing of that was read
                        break
                if not closes:
                    asking = self._asking(HELD_S_MAX)
                    seen = await asking.answer(broker.positions)
            except OutOfTime as late:
                long = f"the broker was asked for {ACT_S_MAX / 60:g} minutes, the last answer: "
                why = str(late) if cancelled and not closes else f"{long}{late}"
        held, unread = (None, ()) if seen is None else (seen.positions, seen.unread)
        outcome = Outcome(
            cancelled=cancelled, left=left, held=held, unread=unread, kept=kept, why=why
        )
        self._note("done", detail=outcome.says())
        behind = self._journal.disk.behind()
        lost = f"; the disk hangs: {behind} writes of the guardian's are not on it" * bool(behind)
        self._page(Severity.PAGE, f"the guardian is done: {outcome.says()}{lost}")
        return outcome

    async def says_open(self) -> str:
        """What the broker shows in one look, for people, after a fault of ours."""
        asking = self._asking(OPEN_S_MAX)
        async with self._at_broker() as (broker, protection):
            try:
                seen = await asking.answer_within(OPEN_S_MAX, broker.positions)
                working = await asking.answer_within(OPEN_S_MAX, protection.working_orders)
            except OutOfTime as late:
                return f"what is open cannot be read: {late}; look at the broker"
        held = named(seen.positions, seen.unread) or "no position"
        return f"open at the broker: {held}; {len(working)} orders work"

    @asynccontextmanager
    async def _at_broker(self) -> AsyncIterator[tuple[AlpacaRequests, AlpacaProtection]]:
        session, protection = AlpacaSession(self._options), AlpacaProtection(self._options)
        try:
            yield AlpacaRequests(session), protection
        finally:
            await protection.close()
            await session.close()

    def _asking(self, seconds_max: float) -> Asking:
        return Asking(seconds_max=seconds_max, told=self._waits, moved=self._moved)

    def _waits(self, why: str) -> None:
        self._page(Severity.PAGE, f"the guardian is not done, it keeps asking the broker: {why}")

    async def _cancelled(
        self, protection: AlpacaProtection, asking: Asking, *, stays: bool = False
    ) -> bool:
        """Cancel until two reads in a row show nothing, the last one after all that was on its
        way when the gateway died: True. With `stays`, False where orders stay although they were
        asked to be cancelled and the time for that is over.
        """
        clean, attempt, seen, asked_s, over_s = 0, 0, 0, self._dead_at_s, float("inf")
        await protection.try_to_cancel_all()  # whatever can be read
        while clean < CLEAN_READS or asked_s < self._dead_at_s + IN_FLIGHT_S:
            asked_s = self._now_s()
            working = await asking.answer(protection.working_or_cancelled)
            clean = 0 if working else clean + 1
            names = ", ".join(each.says() for each in working[:STAY_NAMED_MAX])
            what = f"{len(working)} orders still work: {names}"
            if working:
                seen = max(seen, len(working))
                if stays and asked_s >= over_s:
                    self._note("not cancelled", detail=what)
                    return False
                await asking.answer(partial(protection.cancel_working, working))
                asked_for_s = max(self._now_s(), self._dead_at_s + IN_FLIGHT_S)
                over_s = min(over_s, asked_for_s + self._orders.cancel_wait_ns / 1e9)
            attempt = 0 if clean else attempt + 1
            early_s = self._dead_at_s + IN_FLIGHT_S - self._now_s()
            if clean and early_s > 0:  # each look is a request that a close may need
                await asyncio.sleep(min(early_s, LOOK_S))
            await asking.pause(attempt, why=what)
        detail = f"{clean} reads in a row show nothing at work; at most {seen} were seen"
        self._note("cancelled", detail=detail)
        return True

    async def _closed(
        self, broker: AlpacaRequests, protection: AlpacaProtection, asking: Asking
    ) -> tuple[Left, ...]:
        """Close every position; what became of each."""
        held = await asking.answer(broker.positions)
        there = {at.symbol: at for at in held.positions}
        symbols = [*there, *held.unread]  # a close needs no more than the quantity
        trips = {symbol: self._trip_of(symbol) for symbol in symbols if symbol != UNNAMED}
        asked = [symbol for symbol, trip in trips.items() if trip]
        text = ", ".join(f"{symbol} (trip {trips[symbol]})" for symbol in asked)
        self._note("closing", detail=text or "nothing of it is held")
        wanted = self._wanted_to_close(held)
        if self._flatten and wanted != BrokerLatches():
            await self._latch_broker(protection, asking, wanted)
        room = asyncio.Semaphore(CLOSES_AT_ONCE_MAX)
        closing = self._asking(ACT_S_MAX + self._orders.close_within_ns / 1e9)

        async def one(symbol: str) -> Left:
            at = there.get(symbol)
            close = Close(
                trip=trips[symbol],
                symbol=symbol,
                held_nanos=at.quantity_nanos if at else None,
                valued_nanos=at.price_nanos if at else 0,
                orders=self._orders,
                broker=broker,
                protection=protection,
                asking=closing,
                room=room,
                note=self._note,
            )
            return await close.run()

        ended = await asyncio.gather(*map(one, asked), return_exceptions=True)
        left = tuple(each for each in ended if isinstance(each, Left))
        detail = "; ".join(each.says() for each in left)
        self._note("closed", detail=detail)
        for fault in ended:  # of ours, in one close: the others have come to their ends first
            if isinstance(fault, BaseException):
                raise fault
        return left

    async def _proven(
        self, broker: AlpacaRequests, protection: AlpacaProtection, asking: Asking, *, latches: bool
    ) -> PositionsSeen:
        """What the broker holds after the closes; when nothing, and it `latches`, no new orders."""
        proof: PositionsSeen = await asking.answer(broker.positions)
        if self._flatten and latches and proof == PositionsSeen(positions=()):
            await self._latch_broker(protection, asking, BrokerLatches(suspend_trade=True))
        return proof

    def _wanted_to_close(self, seen: PositionsSeen) -> BrokerLatches:
        """No new short sales while longs are closed; and no suspension that the gateway had set."""
        held = seen.unread or seen.positions
        longs = bool(seen.unread) or any(each.quantity_nanos > 0 for each in seen.positions)
        before = None
        with suppress(OSError, msgspec.MsgspecError):
            before = kept_before(self._place) if held else None
        suspends = None if before is None else before.suspend_trade
        return BrokerLatches(no_shorting=longs or None, suspend_trade=suspends)

    async def _latch_broker(
        self, protection: AlpacaProtection, asking: Asking, wanted: BrokerLatches
    ) -> None:
        """The broker's own latch, after what was there before is on disk for who lifts it. One
        that is not had in time is said, and the acts go on.
        """
        detail = msgspec.json.encode(wanted).decode()

        async def latched() -> None:
            before = await protection.latches()
            # A full disk, or one that hangs: who resets has to look at the broker.
            self._journal.disk.do(partial(keep_before, self._place, before))
            await protection.latch(wanted)

        try:
            await asking.answer_within(LATCH_S_MAX, latched)
        except OutOfTime as late:
            said = f"the broker's own latch {detail} is not set: {late}"
            self._note("broker not latched", detail=said)
            self._page(Severity.PAGE, f"{said}; the guardian goes on without it")
        else:
            self._note("broker latched", detail=detail)
