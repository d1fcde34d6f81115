"""The register's bytes: three slots of two blocks each, every byte under a checksum.

A block is MAGIC | slot | counter | length | payload | zeros | BLAKE2b-256 of all before it. The
payload is JSON, so that a person can read it with `strings`. A block is one page: written whole,
in place, in a file that never grows, so it can be written when the disk is full.

How a register is judged (`judged`): a block that is not exactly what was written is damage, and
damage halts the account. A latch in either block of a slot is in force. So one good write halts
and only two good writes open, whatever is torn in between; and no damage to one block can open.
"""

import hashlib
import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

import msgspec
from msgspec import Struct

from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import LatchedScope
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

BLOCK_BYTES = 4096
BLOCKS_PER_SLOT = 2
MAGIC = b"FBHALTS1"
LATCHES_PER_SLOT_MAX = 16
TRIP_CHARS_MAX = 120
DETAIL_CHARS_MAX = 160
_HEADER = struct.Struct(">8sBQI")
_DIGEST_BYTES = 32
PAYLOAD_BYTES_MAX = BLOCK_BYTES - _HEADER.size - _DIGEST_BYTES
_OF_ITS_SCOPE_ALONE = (HaltLevel.FLATTEN, HaltLevel.FREEZE)
"""What is never done to the account because a slot is full: closing it, stopping its plans."""


class Slot(IntEnum):
    """Who writes: each writer has its own slot."""

    GATEWAY = 0
    GUARDIAN = 1
    OPERATOR = 2


SLOTS = tuple(Slot)
REGISTER_BYTES = len(SLOTS) * BLOCKS_PER_SLOT * BLOCK_BYTES


class Latched(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One halt in force. `counter` is the slot's count of writes when it was latched.

    `plan_trip` names the trip whose liquidation goes on beneath a kill of the account, or was asked
    for after a freeze; releases that do not know it write none and read past it.
    """

    slot: Slot
    counter: int
    scope: str
    level: HaltLevel
    reason: Reason
    trip: str
    halt_epoch: int
    detail: str
    wall_ns: int
    plan_trip: str = ""

    def flattening(self) -> str:
        """The trip whose liquidation this halt asks for or leaves at work; empty without one."""
        return self.trip if self.level is HaltLevel.FLATTEN else self.plan_trip

    def as_scope(self) -> LatchedScope:
        """The latch as the record of a start has it."""
        return LatchedScope(
            scope=self.scope,
            level=self.level,
            reason=self.reason,
            trip=self.trip,
            halt_epoch=self.halt_epoch,
        )

    def line(self) -> str:
        """One line for people."""
        trip = f" trip={self.trip}" if self.trip else ""
        plan = f" flattening={self.plan_trip}" if self.plan_trip else ""
        return (
            f"{self.slot.name.lower()} {self.scope} {self.level.name} {self.reason.value}"
            f"{trip}{plan} epoch={self.halt_epoch} {self.detail}".rstrip()
        )


class Content(Struct, frozen=True):
    """What one block says.

    `taken_over` counts, by slot: the gateway answers for that slot's latches up to this counter;
    they are in the gateway's own content or lifted. Only the gateway's slot uses it. So each slot
    has one writer, and a latch that arrives during a reset is newer than what the reset lifts.
    `halt_epoch` is the highest that the writer has seen, also of latches lifted since.
    """

    latches: tuple[Latched, ...] = ()
    taken_over: tuple[int, int, int] = (0, 0, 0)
    halt_epoch: int = 0


class Block(NamedTuple):
    """A sound block."""

    counter: int
    content: Content


class Judgement(NamedTuple):
    """What a register image says. `damaged` lists slots with a block that is not sound;
    `halt_epoch` is the highest that any sound block knows, `gateway_epoch` the gateway's own;
    `counters` are each slot's highest.
    """

    latched: tuple[Latched, ...]
    damaged: tuple[Slot, ...]
    halt_epoch: int
    gateway_epoch: int
    counters: tuple[int, ...]

    def of(self, slot: Slot) -> tuple[Latched, ...]:
        """What is in force because of one slot."""
        return tuple(latch for latch in self.latched if latch.slot == slot)


def offset_of(slot: Slot, index: int) -> int:
    """Where a block begins."""
    return (slot * BLOCKS_PER_SLOT + index) * BLOCK_BYTES


def encoded_block(slot: Slot, counter: int, content: Content) -> bytes:
    """The block's bytes; the content must have been `fitted`."""
    payload = msgspec.json.encode(content)
    assert len(payload) <= PAYLOAD_BYTES_MAX, "content is fitted before it is written"
    head = _HEADER.pack(MAGIC, slot, counter, len(payload)) + payload
    body = head.ljust(BLOCK_BYTES - _DIGEST_BYTES, b"\0")
    return body + hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()


def new_image(held: Sequence[Latched] = (), counters: Mapping[Slot, int] | None = None) -> bytes:
    """A sound register that holds these halts, each in its slot; `counters` is how often each slot
    was written before, as others remember it.
    """
    blocks: list[bytes] = []
    for slot in SLOTS:
        by_scope: dict[str, Latched] = {}
        for latch in held:
            if latch.slot is slot:
                known = by_scope.get(latch.scope)
                by_scope[latch.scope] = latch if known is None else tighter(known, latch)
        newest = max((counters or {}).get(slot, 0), BLOCKS_PER_SLOT)
        content = fitted(Content(tuple(by_scope.values())))
        blocks += [
            encoded_block(slot, newest - index, content)
            for index in reversed(range(BLOCKS_PER_SLOT))
        ]
    image = b"".join(blocks)
    assert len(image) == REGISTER_BYTES, "a register has one size"
    return image


def decoded_block(slot: Slot, raw: bytes) -> Block | None:
    """The block, or None when it is not exactly what a writer of this slot wrote."""
    body, digest = raw[:-_DIGEST_BYTES], raw[-_DIGEST_BYTES:]
    if len(raw) != BLOCK_BYTES:
        return None
    if hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() != digest:
        return None
    magic, slot_number, counter, length = _HEADER.unpack_from(body)
    if magic != MAGIC or slot_number != slot:
        return None
    try:
        payload = body[_HEADER.size : _HEADER.size + length]
        return Block(counter, msgspec.json.decode(payload, type=Content))
    except msgspec.DecodeError:
        return None


def blocks_of(image: bytes, slot: Slot) -> list[Block | None]:
    """Both blocks of a slot."""
    starts = [offset_of(slot, index) for index in range(BLOCKS_PER_SLOT)]
    return [decoded_block(slot, image[start : start + BLOCK_BYTES]) for start in starts]


def judged(image: bytes) -> Judgement:
    """What is in force: the union of all blocks, less what both gateway blocks have taken over."""
    assert len(image) == REGISTER_BYTES, "a register has one size"
    blocks_by_slot = [blocks_of(image, slot) for slot in SLOTS]
    halt_epoch = _highest_epoch(blocks_by_slot)
    taken_over = [
        min(
            0 if block is None else block.content.taken_over[slot]
            for block in blocks_by_slot[Slot.GATEWAY]
        )
        for slot in SLOTS
    ]
    latched: list[Latched] = []
    damaged: list[Slot] = []
    for slot, blocks in zip(SLOTS, blocks_by_slot, strict=True):
        sound = [block for block in blocks if block is not None]
        in_force: dict[str, Latched] = {}
        for block in sorted(sound, key=lambda block: -block.counter):
            for latch in block.content.latches:
                if slot is Slot.GATEWAY or latch.counter > taken_over[slot]:
                    in_force.setdefault(latch.scope, latch)
        if len(sound) < BLOCKS_PER_SLOT:
            damaged.append(slot)
            earlier = in_force.get(ACCOUNT_SCOPE)
            unreadable = unreadable_latch(
                slot, halt_epoch, f"a block of the {slot.name.lower()} slot is bad"
            )
            in_force[ACCOUNT_SCOPE] = (
                unreadable if earlier is None else tighter(unreadable, earlier)
            )
        latched += [msgspec.structs.replace(latch, slot=slot) for latch in in_force.values()]
    return Judgement(
        tuple(latched),
        tuple(damaged),
        halt_epoch,
        _highest_epoch(blocks_by_slot[Slot.GATEWAY : Slot.GATEWAY + 1]),
        tuple(
            max((block.counter for block in blocks if block is not None), default=0)
            for blocks in blocks_by_slot
        ),
    )


def _highest_epoch(blocks_by_slot: list[list[Block | None]]) -> int:
    """The highest halt epoch in any sound block, in force or not."""
    contents = [block.content for blocks in blocks_by_slot for block in blocks if block is not None]
    known = [content.halt_epoch for content in contents]
    known += [latch.halt_epoch for content in contents for latch in content.latches]
    return max(known, default=0)


def unreadable_latch(
    slot: Slot, halt_epoch: int, detail: str, reason: Reason = Reason.REGISTER_UNREADABLE
) -> Latched:
    """The halt that stands for what cannot be read, or not be believed; with the latest epoch."""
    return Latched(
        slot=slot,
        counter=0,
        scope=ACCOUNT_SCOPE,
        level=HaltLevel.HALT,
        reason=reason,
        trip="",
        halt_epoch=halt_epoch,
        detail=detail,
        wall_ns=0,
    )


def tighter(one: Latched, other: Latched) -> Latched:
    """The tighter of two latches of a scope (the second when equal), with the later epoch.

    A kill of the account stops no liquidation: it keeps the trip of the account's own, the later
    one. A freeze stops it and keeps none; what is flattened after a freeze is named by it.
    """
    chosen = one if one.level > other.level else other
    plan_trip = chosen.plan_trip
    if chosen.level is HaltLevel.KILL and one.scope == other.scope == ACCOUNT_SCOPE:
        plan_trip = other.flattening() or one.flattening()
    if chosen.level is HaltLevel.FREEZE:
        asked = [at.trip for at in (one, other) if at.level is HaltLevel.FLATTEN]
        plan_trip = asked[0] if asked and chosen is one else plan_trip
    return msgspec.structs.replace(
        chosen,
        plan_trip=plan_trip,
        counter=max(one.counter, other.counter),
        halt_epoch=max(one.halt_epoch, other.halt_epoch),
    )


def fallen_back(judgement: Judgement, highest: tuple[int, ...]) -> Judgement:
    """The judgement of an image in which some slot's count is lower than was seen before.

    An older copy was put back over the slot: like damage, it halts the account until a person who
    knew of it resets. A slot with a bad block is halted for that.
    """
    fallen = [
        slot
        for slot in SLOTS
        if judgement.counters[slot] < highest[slot] and slot not in judgement.damaged
    ]
    if not fallen:
        return judgement
    latched = [
        latch
        for latch in judgement.latched
        if latch.slot not in fallen or latch.scope != ACCOUNT_SCOPE
    ]
    for slot in fallen:
        detail = f"the {slot.name.lower()} slot is older than it was"
        stands = unreadable_latch(slot, judgement.halt_epoch, detail, Reason.REGISTER_ROLLED_BACK)
        known = [at for at in judgement.of(slot) if at.scope == ACCOUNT_SCOPE]
        latched.append(tighter(stands, known[0]) if known else stands)
    return judgement._replace(latched=tuple(latched), damaged=(*judgement.damaged, *fallen))


def fitted(content: Content) -> Content:
    """The content as it fits a block: details go first, then one halt of the account stands for
    what a slot cannot hold (`_of_the_account`).
    """
    bare = msgspec.structs.replace(
        content, latches=tuple(msgspec.structs.replace(at, detail="") for at in content.latches)
    )
    for tried in (content, bare):
        if _fits(tried):
            return tried
    kept: tuple[Latched, ...] = (_of_the_account(content.latches),)
    closing = [latch for latch in bare.latches if latch.level in _OF_ITS_SCOPE_ALONE]
    for latch in sorted(closing, key=lambda latch: -latch.counter):
        tried = msgspec.structs.replace(content, latches=(*kept, latch))
        if latch.scope != ACCOUNT_SCOPE and _fits(tried):
            kept = tried.latches
    return msgspec.structs.replace(content, latches=kept)


def _fits(content: Content) -> bool:
    few = len(content.latches) <= LATCHES_PER_SLOT_MAX
    return few and len(msgspec.json.encode(content)) <= PAYLOAD_BYTES_MAX


def _of_the_account(latches: tuple[Latched, ...]) -> Latched:
    """The account halted for all of these scopes, killed where one of them is.

    A flatten or a freeze of theirs only halts it: it is closed, and its plans are stopped, only
    where that was asked of the account itself, under the account's own trip.
    """
    own = [latch for latch in latches if latch.scope == ACCOUNT_SCOPE]
    widened = [
        msgspec.structs.replace(
            latch,
            scope=ACCOUNT_SCOPE,
            level=HaltLevel.HALT if latch.level in _OF_ITS_SCOPE_ALONE else latch.level,
            trip="",
        )
        for latch in latches
        if latch.scope != ACCOUNT_SCOPE
    ]
    whole, *others = [*widened, *own]
    for latch in others:
        whole = tighter(whole, latch)
    detail = f"{len(latches)} scopes were halted, more than a slot holds"
    return msgspec.structs.replace(whole, detail=detail)
