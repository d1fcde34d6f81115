"""Out of the market at the broker, without a kernel, in this order.

1. Cancel everything, before it is read and at each read that fails, until two reads in a row show
   nothing; what a gateway that died had put on its way is waited for (`IN_FLIGHT_S`). Closing
   waits no longer than `cancel_wait` for orders that stay: it leaves room for what works against
   it.
2. Where positions are wanted closed: no new short sales at the broker, then each closed
   (`closing.py`); then a proof by two more reads, and all of it again where orders had stayed and
   are gone. Otherwise the positions are read, so that people can be told what is open.
3. When all is to go and is flat, the broker's own latch: no new orders at all.

Who calls has latched the halts register and seen every other writer dead. A second run of the same
trips, by another process or after a crash, finds what the first one did.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec

from fuseboard.brokers.alpaca_protection import AlpacaProtection, BrokerLatches
from fuseboard.brokers.alpaca_requests import AlpacaRequests
from fuseboard.brokers.alpaca_session import AlpacaOptions, AlpacaSession
from fuseboard.rescue.asking import Asking, NoKey, OutOfTime
from fuseboard.rescue.broker_latches import keep_before, kept_before
from fuseboard.rescue.closing import Close
from fuseboard.rescue.outcome import Left, Outcome, named
from fuseboard.rescue.terms import Terms
from fuseboard.vocabulary.guardian_inputs import GuardianClose
from fuseboard.vocabulary.inputs import UNNAMED, PositionsSeen

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


class Note(Protocol):
    """Writes an act down; a close before it is sent, durable where the disk allows."""

    def __call__(self, act: str, *, detail: str = "", close: GuardianClose | None = None) -> None:
        """Never raises, and waits a bounded time."""


class Doors(NamedTuple):
    """What differs between those who rescue: where notes go, who is told, and on which disk."""

    who: str
    """In words for people: the guardian, the rescue."""
    note: Note
    page: Callable[[str], None]
    moved: Callable[[], None]
    """Hears that a call came back, or that it is looked again."""
    disk: Callable[[Callable[[], object]], object]
    """Does what needs the disk, and waits a bounded time for it."""
    latches_file: Path | None
    """Where the broker's own latches are kept as they were before; None: they are let alone, since
    nobody would lift them."""
    ends_without_key: bool = False
    """Whether a key that the broker refuses ends it: a person has another, the guardian none."""
    now_s: Callable[[], float] = time.monotonic


class Wanted(NamedTuple):
    """Which positions are to be closed, and under which trips."""

    trip: str = ""
    """The trip of every position; empty: not all of them."""
    trips: Mapping[str, str] = {}
    """The trips of single symbols, where not all are."""
    kept: str = ""
    """Why the others stay; empty where none does."""
    frozen: tuple[str, ...] = ()
    """Symbols that stay though all are closed."""

    def closes(self) -> bool:
        """Whether anything is to be closed."""
        return bool(self.trip or self.trips)

    def trip_of(self, symbol: str) -> str:
        """Under which trip a symbol is closed; empty: nobody asked for it."""
        return "" if symbol in self.frozen else self.trip or self.trips.get(symbol, "")


class Rescue:
    """One rescue of one account. `key` is its id and its secret."""

    def __init__(self, terms: Terms, key: tuple[str, str], doors: Doors) -> None:
        self._terms = terms
        self._doors = doors
        self._dead_at_s = 0.0
        self._is_key_told = False
        self._options = AlpacaOptions(
            base_url=terms.base_url,
            data_url=terms.data_url,
            key_id=key[0],
            secret=key[1],
            instance=terms.instance,
            connections_max=CONNECTIONS_MAX,
        )

    async def run(self, wanted: Wanted, *, dead_at_s: float) -> Outcome:
        """Cancel everything, close what is wanted; noted, and paged while it lasts. `dead_at_s`:
        since when nobody else sends. Never raises for the broker's sake.
        """
        self._dead_at_s = dead_at_s
        asking = self._asking(ACT_S_MAX)
        cancelled, why, has_key, closes = False, "", True, wanted.closes()
        left: tuple[Left, ...] = ()
        seen: PositionsSeen | None = None
        async with self._at_broker() as (broker, protection):
            try:
                cancelled = await self._cancelled(protection, asking, stays=closes)
                while closes:
                    flat, seen = {each.symbol: each for each in left if each.left_nanos == 0}, None
                    again = await self._closed(broker, protection, asking, wanted)
                    left = tuple((flat | {each.symbol: each for each in again}).values())
                    asking = self._asking(ACT_S_MAX)
                    latches = cancelled and bool(wanted.trip)
                    seen = await self._proven(broker, protection, asking, latches=latches)
                    had_stayed, cancelled = not cancelled, False
                    cancelled = await self._cancelled(protection, asking)
                    if not had_stayed:  # else they may have filled: nothing of that was read
                        break
                if not closes:
                    asking = self._asking(HELD_S_MAX)
                    seen = await asking.answer(broker.positions)
            except NoKey as refused:
                why, has_key = refused.says(), False
            except OutOfTime as late:
                long = f"the broker was asked for {ACT_S_MAX / 60:g} minutes, the last answer: "
                why = str(late) if cancelled and not closes else f"{long}{late}"
        held, unread = (None, ()) if seen is None else (seen.positions, seen.unread)
        return Outcome(
            cancelled=cancelled,
            left=left,
            held=held,
            unread=unread,
            kept=wanted.kept,
            why=why,
            has_key=has_key,
        )

    async def says_open(self) -> str:
        """What the broker shows in one look, for people, after a fault of ours."""
        asking = self._asking(OPEN_S_MAX)
        async with self._at_broker() as (broker, protection):
            try:
                seen = await asking.answer_within(OPEN_S_MAX, broker.positions)
                working = await asking.answer_within(OPEN_S_MAX, protection.working_orders)
            except OutOfTime as late:
                return f"what is open cannot be read: {late.says()}; look at the broker"
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
        doors = self._doors
        return Asking(
            seconds_max=seconds_max, told=self._waits, moved=doors.moved, key_refused=self._no_key
        )

    def _no_key(self, refused: NoKey) -> None:
        if self._doors.ends_without_key:
            raise refused
        if not self._is_key_told:
            self._is_key_told = True
            said = f"{refused.says()}; {self._doors.who} keeps asking with it"
            self._doors.page(f"{said}; cancel and close at the broker's own page")

    def _waits(self, why: str) -> None:
        self._doors.page(f"{self._doors.who} is not done, it keeps asking the broker: {why}")

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
            asked_s = self._doors.now_s()
            working = await asking.answer(protection.working_or_cancelled)
            clean = 0 if working else clean + 1
            names = ", ".join(each.says() for each in working[:STAY_NAMED_MAX])
            what = f"{len(working)} orders still work: {names}"
            if working:
                seen = max(seen, len(working))
                if stays and asked_s >= over_s:
                    self._doors.note("not cancelled", detail=what)
                    return False
                await asking.answer(partial(protection.cancel_working, working))
                asked_for_s = max(self._doors.now_s(), self._dead_at_s + IN_FLIGHT_S)
                over_s = min(over_s, asked_for_s + self._terms.cancel_wait_ns / 1e9)
            attempt = 0 if clean else attempt + 1
            early_s = self._dead_at_s + IN_FLIGHT_S - self._doors.now_s()
            if clean and early_s > 0:  # each look is a request that a close may need
                await asyncio.sleep(min(early_s, LOOK_S))
            await asking.pause(attempt, why=what)
        detail = f"{clean} reads in a row show nothing at work; at most {seen} were seen"
        self._doors.note("cancelled", detail=detail)
        return True

    async def _closed(
        self,
        broker: AlpacaRequests,
        protection: AlpacaProtection,
        asking: Asking,
        wanted: Wanted,
    ) -> tuple[Left, ...]:
        """Close every position that is wanted closed; what became of each."""
        held = await asking.answer(broker.positions)
        there = {at.symbol: at for at in held.positions}
        symbols = [*there, *held.unread]  # a close needs no more than the quantity
        trips = {symbol: wanted.trip_of(symbol) for symbol in symbols if symbol != UNNAMED}
        asked = [symbol for symbol, trip in trips.items() if trip]
        text = ", ".join(f"{symbol} (trip {trips[symbol]})" for symbol in asked)
        self._doors.note("closing", detail=text or "nothing of it is held")
        latches = self._wanted_to_close(held)
        if wanted.trip and latches != BrokerLatches():
            await self._latch_broker(protection, asking, latches)
        room = asyncio.Semaphore(CLOSES_AT_ONCE_MAX)
        closing = self._asking(ACT_S_MAX + self._terms.close_within_ns / 1e9)

        async def one(symbol: str) -> Left:
            at = there.get(symbol)
            close = Close(
                trip=trips[symbol],
                symbol=symbol,
                held_nanos=at.quantity_nanos if at else None,
                valued_nanos=at.price_nanos if at else 0,
                terms=self._terms,
                broker=broker,
                protection=protection,
                asking=closing,
                room=room,
                note=self._doors.note,
            )
            return await close.run()

        ended = await asyncio.gather(*map(one, asked), return_exceptions=True)
        left = tuple(each for each in ended if isinstance(each, Left))
        detail = "; ".join(each.says() for each in left)
        self._doors.note("closed", detail=detail)
        for fault in ended:  # of ours, in one close: the others have come to their ends first
            if isinstance(fault, BaseException):
                raise fault
        return left

    async def _proven(
        self, broker: AlpacaRequests, protection: AlpacaProtection, asking: Asking, *, latches: bool
    ) -> PositionsSeen:
        """What the broker holds after the closes; when nothing, and it `latches`, no new orders."""
        proof: PositionsSeen = await asking.answer(broker.positions)
        if latches and proof == PositionsSeen(positions=()):
            await self._latch_broker(protection, asking, BrokerLatches(suspend_trade=True))
        return proof

    def _wanted_to_close(self, seen: PositionsSeen) -> BrokerLatches:
        """No new short sales while longs are closed; and no suspension that the gateway had set."""
        held = seen.unread or seen.positions
        longs = bool(seen.unread) or any(each.quantity_nanos > 0 for each in seen.positions)
        before = None
        with suppress(OSError, msgspec.MsgspecError):
            file = self._doors.latches_file
            before = kept_before(file) if held and file is not None else None
        suspends = None if before is None else before.suspend_trade
        return BrokerLatches(no_shorting=longs or None, suspend_trade=suspends)

    async def _latch_broker(
        self, protection: AlpacaProtection, asking: Asking, wanted: BrokerLatches
    ) -> None:
        """The broker's own latch, after what was there before is on disk for who lifts it. One
        that is not had in time is said, and the acts go on.
        """
        file, detail = self._doors.latches_file, msgspec.json.encode(wanted).decode()
        if file is None:
            return

        async def latched() -> None:
            before = await protection.latches()
            # A full disk, or one that hangs: who resets has to look at the broker.
            self._doors.disk(partial(keep_before, file, before))
            await protection.latch(wanted)

        try:
            await asking.answer_within(LATCH_S_MAX, latched)
        except OutOfTime as late:
            said = f"the broker's own latch {detail} is not set: {late}"
            self._doors.note("broker not latched", detail=said)
            self._doors.page(f"{said}; {self._doors.who} goes on without it")
        else:
            self._doors.note("broker latched", detail=detail)
