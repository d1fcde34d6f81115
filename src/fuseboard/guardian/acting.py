"""What the guardian does when the gateway is missed, in this order.

1. Latch the halts register: from here on nothing that raises exposure starts, and the next start
   is killed until a named person resets it.
2. Kill the gateway and see it dead: one writer to the broker at a time.
3. Cancel everything, and close (`rescue/rescuing.py`) what the policy says or what the gateway was
   closing already: all, where that was the account (also beneath a later kill), else a symbol's
   position alone. What a person froze, the account or a symbol, stays.

Each step is journaled before the next one begins and people are paged. A disk that hangs is waited
for once (`Disk`), then the acts go on and people hear what is not on it: the closes' ids need no
note, and the broker takes each once.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import partial
from typing import Final

from fuseboard.guardian.killing import killed
from fuseboard.guardian.orders import Orders, Place
from fuseboard.guardian.watching import Finding
from fuseboard.halts.block import Slot
from fuseboard.halts.heartbeats import Beat, boot_ns
from fuseboard.halts.history import HaltChange, HaltsHistory
from fuseboard.halts.register import HaltsRegister, RegisterUnwritable
from fuseboard.rescue.journal import GuardianJournal
from fuseboard.rescue.outcome import Outcome
from fuseboard.rescue.rescuing import Doors, Rescue, Wanted
from fuseboard.rescue.trips import all_but_frozen, gateways_trips, shares_frozen
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE, symbol_scope, trip_id
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

_NOT_ASKED: Final = "the policy does not ask for it"
_ALIVE: Final = "the gateway may still be alive"


class Acts:
    """One intervention. `secure` needs no broker; `act` is the rest."""

    def __init__(
        self,
        *,
        place: Place,
        orders: Orders,
        key: tuple[str, str],
        run_ns: int,
        journal: GuardianJournal,
        page: Callable[..., None],
        moved: Callable[[], None] = lambda: None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._place = place
        self._journal = journal
        self._note = partial(journal.write, run_ns=run_ns)
        self._page = page
        self._now_s = now_s
        self._dead_at_s = 0.0
        self._trip = trip_id(fuse="guardian", generation=run_ns)
        self._flatten = orders.flatten
        self._begun: Mapping[str, str] = {}  # the gateway's own trips, by what each closes
        self._frozen: Mapping[str, str] = {}  # who froze what
        doors = Doors(
            who="the guardian",
            note=self._note,
            page=partial(page, Severity.PAGE),
            moved=moved,
            disk=journal.disk.do,
            latches_file=place.latches_file,
            now_s=now_s,
        )
        self._rescue = Rescue(orders, key, doors)

    # --- without the broker ----------------------------------------------------------------------

    def secure(self, finding: Finding, beat: Beat | None) -> bool:
        """Latch, then kill; whether the gateway is certainly dead. Never raises."""
        decided_ns, detail = boot_ns(), finding.says()
        self._find_trips()
        self._latch(detail)
        self._note("missed", detail=detail)
        alive = "its heartbeat cannot be read, so nothing was killed"
        if beat is not None:
            said = f"the guardian acts: {detail}; process {beat.pid} is killed, not dead yet"
            alive = killed(beat, lambda: self._say(said, decided_ns))
        self._dead_at_s = self._now_s()
        said = alive or f"process {beat.pid if beat else 0} is dead"
        self._note("killed", detail=said)
        self._say(f"the guardian acts: {detail}; {said}", decided_ns)
        return not alive

    def _say(self, text: str, decided_ns: int) -> None:
        """Page what was decided then."""
        self._page(Severity.PAGE, text, age_ns=boot_ns() - decided_ns)

    def _find_trips(self) -> None:
        """One of the account closes all; one of a symbol closes what the broker holds of it, so we
        can go on; of others we know no share.
        """
        self._begun, self._frozen = gateways_trips(self._place.register_file)
        if ACCOUNT_SCOPE in self._begun:
            self._trip, self._flatten = self._begun[ACCOUNT_SCOPE], True

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
        outcome = await self._rescue.run(
            self._wanted(may_close=may_close), dead_at_s=self._dead_at_s
        )
        self._note("done", detail=outcome.says())
        behind = self._journal.disk.behind()
        lost = f"; the disk hangs: {behind} writes of the guardian's are not on it" * bool(behind)
        self._page(Severity.PAGE, f"the guardian is done: {outcome.says()}{lost}")
        return outcome

    async def says_open(self) -> str:
        """What the broker shows in one look, for people, after a fault of ours."""
        return await self._rescue.says_open()

    def _wanted(self, *, may_close: bool) -> Wanted:
        """What is closed; and why positions stay that nobody asked to close, or that may not be."""
        if self._flatten:
            return all_but_frozen(self._trip, self._frozen) if may_close else Wanted(kept=_ALIVE)
        of = symbol_scope("")
        trips = {at.removeprefix(of): trip for at, trip in self._begun.items() if at.startswith(of)}
        trips = trips if may_close else {}
        others = ", ".join(at for at in self._begun if at.removeprefix(of) not in trips)
        kept = f"{_NOT_ASKED}; the gateway was told to close {others}" if others else _NOT_ASKED
        if trips and (shares := shares_frozen(self._frozen)):
            return Wanted(kept=f"{shares}; the gateway was told to close {', '.join(self._begun)}")
        return Wanted(trips=trips, kept=kept)
