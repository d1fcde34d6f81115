"""The halts register: a file of one size that says, to every process, what is halted.

Each writer has its own slot and latches there with one durable write in place; nothing has to
grow, so a full disk does not prevent it. Clearing takes two good writes (see `block.py`). Whatever
is absent, short, replaced or damaged halts.

`halted` reads the whole file each time, about 24 KiB from the page cache, and compares it with
what was judged last: it sees another process's write, and damage, at the next call.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec.structs import replace

from fuseboard.halts.block import (
    BLOCK_BYTES,
    BLOCKS_PER_SLOT,
    DETAIL_CHARS_MAX,
    REGISTER_BYTES,
    SLOTS,
    TRIP_CHARS_MAX,
    Content,
    Judgement,
    Latched,
    Slot,
    blocks_of,
    encoded_block,
    fallen_back,
    fitted,
    judged,
    new_image,
    offset_of,
    tighter,
    unreadable_latch,
)
from fuseboard.halts.history import CLEARED, LATCHED, HaltChange
from fuseboard.halts.whole_file import sync_folder
from fuseboard.vocabulary.doors import FileCalls, RegisterBusy
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.identifiers import (
    ACCOUNT_SCOPE,
    is_tag_scope,
    strategy_scope,
    symbol_scope,
)
from fuseboard.vocabulary.inputs import LatchedScope, Moment, RegisterEpochs
from fuseboard.vocabulary.reasons import Reason

READS_MAX = 5
"""A reader may meet another process's write half done: so often it looks before it says damage."""
READ_PAUSE_SECONDS = 0.002
LOCK_ATTEMPTS_MAX = {Slot.GATEWAY: 50, Slot.GUARDIAN: 50, Slot.OPERATOR: 5_000}
"""A latch waits this often for another writer, then it writes anyway; only clearing needs it."""
LOCK_PAUSE_SECONDS = 0.001


class RegisterExists(Exception):
    """There is a register already; it is never overwritten."""


class RegisterUnwritable(Exception):
    """A latch or a clearing is not on the disk. This register says halted from now on."""


class HaltsRegister:
    """The register as one writer sees it; opens at once, also when there is none (then: halted).

    `lifts` names the slots that `clear` lifts when it is not told; the gateway's register names all
    of them where a reset through the gateway is to lift a halt that an operator or the guardian
    wrote. `told` hears of each change after it is durable, and must not block or raise.
    `files` does the writing. `tags` are the scopes of strategies' tags; without them a halted tag
    halts every strategy.
    """

    def __init__(
        self,
        path: Path,
        slot: Slot,
        *,
        lifts: tuple[Slot, ...] = (),
        told: Callable[[HaltChange], None] | None = None,
        tags: Mapping[str, tuple[str, ...]] | None = None,
        files: FileCalls = os,
    ) -> None:
        self._files = files
        self._path = os.fspath(path)
        self._slot = slot
        self._lifts = lifts or (slot,)
        self._told = told
        self._tags = tags
        self._buffer = bytearray(REGISTER_BYTES)
        self._judged_image = b""
        self._scopes: tuple[str, ...] = (ACCOUNT_SCOPE,)
        self._write_failed = False
        self._highest: tuple[int, ...] = (0,) * len(SLOTS)
        self._known_counters = dict.fromkeys(SLOTS, 0)
        self._known_damaged: set[Slot] = set()
        self._unwritable = ""
        self._descriptor = self._opened()
        self._identity = os.fstat(self._descriptor) if self._descriptor >= 0 else None

    def _opened(self) -> int:
        """On a disk that is read-only what is latched can be listed; the register says halted."""
        try:
            return os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return -1
        except OSError as error:
            self._write_failed, self._unwritable = True, str(error.strerror)
        with suppress(OSError):
            return os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        return -1

    @staticmethod
    def create(path: Path, image: bytes = b"") -> None:
        """Make a register, complete or not at all: an open one, or what an image says.

        Raises `RegisterExists`.
        """
        unfinished = path.with_name(path.name + ".new")
        with unfinished.open("wb") as file:
            file.write(image or new_image())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(unfinished, path)
        except FileExistsError as error:
            raise RegisterExists(f"{path} exists; a register is never overwritten") from error
        finally:
            unfinished.unlink()
        sync_folder(path.parent)

    def halted(self) -> bool:
        """Whether anything is latched, or cannot be read, or a write of ours failed."""
        return not self._judged_now() or bool(self._scopes)

    def halts(self, strategy: str, symbol: str) -> bool:
        """Whether the account, the strategy or the symbol is latched, or cannot be judged."""
        if not self._judged_now():
            return True
        if not self._scopes:
            return False
        asked = (ACCOUNT_SCOPE, strategy_scope(strategy), symbol_scope(symbol))
        if any(scope in self._scopes for scope in asked):
            return True
        if self._tags is None:  # whose a tag is, is not known here: it may be this strategy's
            return any(is_tag_scope(scope) for scope in self._scopes)
        return any(scope in self._scopes for scope in self._tags.get(strategy, ()))

    def _judged_now(self) -> bool:
        """Bring the latched scopes up to date; False when nothing can be known of them."""
        if self._write_failed or not self._read():
            return False
        if self._buffer != self._judged_image:
            image = bytes(self._buffer)
            self._scopes = tuple(latch.scope for latch in self._weighed(image).latched)
            self._judged_image = image
        return True

    def remember(self, counters: Mapping[Slot, int]) -> None:
        """What each slot's count was at least, as others know it: a lower one is an older copy."""
        self._highest = tuple(max(self._highest[at], counters.get(at, 0)) for at in SLOTS)
        self._judged_image = b""

    def _weighed(self, image: bytes) -> Judgement:
        """What an image says, if it is not older than what this object saw or was told."""
        judgement = judged(image)
        weighed = fallen_back(judgement, self._highest)
        self._highest = tuple(map(max, self._highest, judgement.counters))
        return weighed

    def latched(self) -> tuple[Latched, ...]:
        """All latches of all slots; what cannot be read is one too (`REGISTER_UNREADABLE`).

        The caller takes note: `clear` lifts another slot's latch only when it was listed here.
        """
        judgement = self._judgement()
        if judgement is None:
            return (unreadable_latch(self._slot, 0, "the register is absent, short or unreadable"),)
        for latch in judgement.latched:
            known = max(self._known_counters[latch.slot], latch.counter)
            self._known_counters[latch.slot] = known
        self._known_damaged.update(judgement.damaged)
        return judgement.latched

    def at_start(self) -> tuple[tuple[LatchedScope, ...], bool]:
        """For the record of a start: the latches that can be read, and whether some cannot."""
        latched = self.latched()
        unreadable = self._write_failed or any(
            latch.wall_ns == 0 and latch.reason is Reason.REGISTER_UNREADABLE for latch in latched
        )
        return tuple(latch.as_scope() for latch in latched if latch.wall_ns > 0), unreadable

    def epochs(self) -> RegisterEpochs | None:
        """The gateway's own highest halt epoch, and anybody's; None when nothing can be read."""
        judgement = self._judgement()
        if judgement is None:
            return None
        return RegisterEpochs(gateway=judgement.gateway_epoch, highest=judgement.halt_epoch)

    def counters(self) -> dict[Slot, int]:
        """Each slot's highest count of writes; empty when nothing can be read."""
        judgement = self._judgement()
        return {} if judgement is None else dict(zip(SLOTS, judgement.counters, strict=True))

    def latch(self, halt: LatchHalt, moment: Moment) -> None:
        """Write a halt into our slot; durable, and seen by all, on return.

        Outside the gateway, and where the halt has no epoch of its own (0), it becomes later than
        that of any reset, else a restart would take the halt for one that was reset already.
        Raises `RegisterUnwritable`.
        """
        with self._writing():
            judgement = self._judgement_for_writing()
            halt_epoch = halt.halt_epoch
            if self._slot is not Slot.GATEWAY or halt_epoch == 0:
                halt_epoch = max(halt_epoch, _epoch_after_resets(judgement, moment))
            latch = Latched(
                slot=self._slot,
                counter=self._next_counter(self._slot),
                scope=_plain(halt.scope),
                level=halt.level,
                reason=halt.reason,
                trip=_plain(halt.trip)[:TRIP_CHARS_MAX],
                halt_epoch=halt_epoch,
                detail=_plain(halt.detail)[:DETAIL_CHARS_MAX],
                wall_ns=max(moment.wall_ns, 1),
            )
            kept = _merged([*judgement.of(self._slot), latch], latch.counter, moment)
            highest = max(judgement.halt_epoch, halt_epoch)
            content = Content(kept, self._taken_over(), highest)
            # What did not fit is replaced in both blocks, else the older one would still list it.
            times = 1 if fitted(content) is content else BLOCKS_PER_SLOT
            self._write(self._slot, latch.counter, content, times=times)
            if not self.halted():
                raise self._failure("it does not say halted after a latch")
        self._tell(LATCHED, latch, moment, counter=latch.counter + times - 1)

    def clear(
        self,
        scope: str,
        halt_epoch: int,
        moment: Moment,
        slots: tuple[Slot, ...] | None = None,
        *,
        operator: str = "",
        reason: str = "",
    ) -> None:
        """Lift the latches of exactly this scope that are not newer than `halt_epoch`.

        In our own slot, and for the gateway in the other `slots` named: there only what `latched`
        has listed to this object. Clearing the account also makes damaged blocks of those slots
        good again. Raises `RegisterBusy`, `RegisterUnwritable`; then nothing has loosened.
        """
        named = self._lifts if slots is None else slots
        assert self._slot is Slot.GATEWAY or set(named) == {self._slot}, "only its own slot"
        lifted: list[Latched] = []
        with self._writing(needs_lock=True):
            judgement = self._judgement_for_writing()
            kept: list[Latched] = []
            left: list[Latched] = []
            taken_over = list(self._taken_over())
            for latch in judgement.latched:
                answers = latch.slot in named or latch.slot == self._slot
                if not answers or not self._is_known(latch, judgement):
                    (kept if latch.slot == self._slot else left).append(latch)
                    continue
                taken_over[latch.slot] = max(taken_over[latch.slot], latch.counter)
                lifts = latch.slot in named and latch.scope == scope
                (lifted if lifts and latch.halt_epoch <= halt_epoch else kept).append(latch)
            if not lifted:
                return
            one, two, three = taken_over
            highest = max(judgement.halt_epoch, halt_epoch)
            counter = self._next_counter(self._slot)
            content = Content(_merged(kept, counter, moment), (one, two, three), highest)
            self._write(self._slot, counter, content, times=BLOCKS_PER_SLOT)
            damaged = [latch.slot for latch in lifted if latch.slot in judgement.damaged]
            for slot in dict.fromkeys(damaged) if scope == ACCOUNT_SCOPE else ():
                if slot != self._slot:
                    theirs = tuple(latch for latch in left if latch.slot == slot)
                    self._write(
                        slot, self._next_counter(slot), Content(theirs), times=BLOCKS_PER_SLOT
                    )
        for latch in lifted:
            detail = f"{latch.detail} {reason}".strip()
            told = replace(latch, detail=detail)
            self._tell(CLEARED, told, moment, operator, counter=counter + BLOCKS_PER_SLOT - 1)

    def close(self) -> None:
        """Let go of the file; the register then says halted."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _is_known(self, latch: Latched, judgement: Judgement) -> bool:
        """Whether who resets can have known of the latch: `latched` listed it, or it is ours."""
        damage = latch.slot in judgement.damaged and latch.scope == ACCOUNT_SCOPE
        if damage and latch.slot not in self._known_damaged:
            return False
        return latch.slot == self._slot or latch.counter <= self._known_counters[latch.slot]

    def _read(self) -> bool:
        """Fill the buffer; False when the file at the path is not ours, short or unreadable."""
        if self._descriptor < 0 or self._identity is None:
            return False
        try:
            found = os.stat(self._path)  # noqa: PTH116 - asked at every send, without a Path
            length = os.preadv(self._descriptor, [self._buffer], 0)
        except OSError:
            return False
        return (
            found.st_ino == self._identity.st_ino
            and found.st_dev == self._identity.st_dev
            and found.st_size == length == REGISTER_BYTES
        )

    def _judgement(self) -> Judgement | None:
        for _ in range(READS_MAX):
            judgement = self._weighed(bytes(self._buffer)) if self._read() else None
            if judgement is not None and not judgement.damaged:
                return judgement
            time.sleep(READ_PAUSE_SECONDS)
        return judgement

    def _judgement_for_writing(self) -> Judgement:
        if not self._read():
            raise self._failure("it is absent, short, replaced or unreadable")
        return self._weighed(bytes(self._buffer))

    def _next_counter(self, slot: Slot) -> int:
        """Above all counters of the slot that anybody remembers, so it is never taken over."""
        own = [block.counter for block in blocks_of(bytes(self._buffer), slot) if block is not None]
        return max([self._highest[slot], *own, self._taken_over(highest=True)[slot]]) + 1

    def _taken_over(self, *, highest: bool = False) -> tuple[int, int, int]:
        choose = max if highest else min
        blocks = blocks_of(bytes(self._buffer), Slot.GATEWAY)
        counts = [(0, 0, 0) if block is None else block.content.taken_over for block in blocks]
        one, two, three = (choose(count[slot] for count in counts) for slot in SLOTS)
        return one, two, three

    def _write(self, slot: Slot, counter: int, content: Content, *, times: int) -> None:
        """Write the bad or older block, durably, then the other when told to."""
        blocks = blocks_of(bytes(self._buffer), slot)
        by_age = sorted(
            range(BLOCKS_PER_SLOT),
            key=lambda index: getattr(blocks[index], "counter", -1),
        )
        for turn, index in enumerate(by_age[:times]):
            raw = encoded_block(
                slot, counter + turn, fitted(content) if content.latches else content
            )
            try:
                length = self._files.pwrite(self._descriptor, raw, offset_of(slot, index))
                self._files.fdatasync(self._descriptor)
                again = os.pread(self._descriptor, BLOCK_BYTES, offset_of(slot, index))
            except OSError as error:
                raise self._failure(str(error)) from error
            if length != BLOCK_BYTES or again != raw:
                raise self._failure("what was written is not what is read back")

    def _failure(self, why: str) -> RegisterUnwritable:
        self._write_failed = True
        return RegisterUnwritable(f"the halts register {self._path} was not written: {why}")

    @contextmanager
    def _writing(self, *, needs_lock: bool = False) -> Iterator[None]:
        """Hold the register's lock, which other writers and a dead process do not keep for ever."""
        if self._descriptor < 0 or self._unwritable:
            raise self._failure(self._unwritable or "it is absent")
        locked = self._lock()
        if needs_lock and not locked:
            raise RegisterBusy(f"another process is writing {self._path}")
        try:
            yield
        finally:
            if locked:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _lock(self) -> bool:
        for _ in range(LOCK_ATTEMPTS_MAX[self._slot]):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(LOCK_PAUSE_SECONDS)
            else:
                return True
        return False

    def _tell(
        self, what: str, latch: Latched, moment: Moment, operator: str = "", *, counter: int
    ) -> None:
        if self._told is not None:
            self._told(
                HaltChange(
                    what=what,
                    slot=latch.slot.name.lower(),
                    scope=latch.scope,
                    level=latch.level,
                    reason=latch.reason,
                    trip=latch.trip,
                    halt_epoch=latch.halt_epoch,
                    detail=latch.detail,
                    operator=operator,
                    moment=moment,
                    writer=self._slot.name.lower(),
                    counter=counter,
                )
            )


def _epoch_after_resets(judgement: Judgement, moment: Moment) -> int:
    """An epoch above all that the gateway ever counted to.

    A new register, or one with damage in the gateway's slot, has forgotten how far that was: then
    the wall clock's nanoseconds, which no count of halts reaches.
    """
    forgotten = judgement.halt_epoch == 0 or Slot.GATEWAY in judgement.damaged
    return max(judgement.halt_epoch + 1, moment.wall_ns if forgotten else 0)


def _plain(text: str) -> str:
    """The text as any encoder takes it: nothing that came from a command line may stop a latch."""
    return text.encode("utf-8", "replace").decode()


def _merged(latches: list[Latched], counter: int, moment: Moment) -> tuple[Latched, ...]:
    """One latch a scope, the tightest; what stood for damage becomes a latch made now."""
    merged: dict[str, Latched] = {}
    for latch in latches:
        made_now = replace(latch, counter=counter, wall_ns=max(moment.wall_ns, 1))
        dated = latch if latch.wall_ns > 0 else made_now
        earlier = merged.get(latch.scope)
        merged[latch.scope] = dated if earlier is None else tighter(earlier, dated)
    return tuple(merged.values())
