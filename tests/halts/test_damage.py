"""Whatever happens to the register's bytes, halted never becomes open."""

import os
from pathlib import Path

import pytest

from fuseboard.halts.block import (
    BLOCK_BYTES,
    REGISTER_BYTES,
    SLOTS,
    Content,
    Slot,
    blocks_of,
    encoded_block,
    judged,
    offset_of,
)
from fuseboard.halts.register import HaltsRegister
from fuseboard.vocabulary.reasons import Reason
from tests.halts.making import LATER, MOMENT, halt, halted, made, scopes

BIG = "x" * 90


def is_halted(image: bytes | bytearray) -> bool:
    return bool(judged(bytes(image)).latched)


def image_after(tmp_path: Path, slot: Slot, *steps: str) -> bytes:
    """The register's bytes after latches (`+scope`) and clearings (`-scope`) of one slot."""
    path = made(tmp_path)
    register = HaltsRegister(path, slot)
    for step in steps:
        if step[0] == "+":
            register.latch(halt(step[1:]), MOMENT)
        else:
            register.clear(step[1:], LATER, MOMENT)
    register.close()
    image = path.read_bytes()
    path.unlink()
    return image


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("slot", "steps"),
    [
        (Slot.GATEWAY, ("+account",)),
        (Slot.GATEWAY, ("+a", "+b", "-b")),
        (Slot.GATEWAY, ("+account", "-account", "+account")),
        (Slot.GUARDIAN, ("+account",)),
        (Slot.OPERATOR, ("+account", "-account", "+account")),
    ],
)
def test_no_damage_to_one_byte_opens_a_halted_register(
    tmp_path: Path, slot: Slot, steps: tuple[str, ...]
) -> None:
    """Every byte of the slot's blocks; the others are covered by the open register below."""
    image = bytearray(image_after(tmp_path, slot, *steps))
    assert is_halted(image)
    first = offset_of(slot, 0)
    for offset in range(first, first + 2 * BLOCK_BYTES):
        kept = image[offset]
        for flip in (0x01, 0xFF) if slot is Slot.GATEWAY else (0x80,):
            image[offset] = kept ^ flip
            assert is_halted(image), f"byte {offset} flipped by {flip:#x} opened the register"
        image[offset] = kept


@pytest.mark.no_cover
def test_every_damaged_byte_of_an_open_register_halts(tmp_path: Path) -> None:
    image = bytearray(image_after(tmp_path, Slot.GATEWAY, "+a", "-a"))
    assert not is_halted(image)
    for offset in range(REGISTER_BYTES):
        kept = image[offset]
        for value in {0, kept ^ 0x10} - {kept}:
            image[offset] = value
            assert is_halted(image), f"byte {offset} as {value} was not noticed"
        image[offset] = kept
    assert not is_halted(image)


def starts_by_age(image: bytes, slot: Slot) -> list[int]:
    """Where the blocks of a slot begin, the older first: the order of a clearing's writes."""
    blocks = blocks_of(image, slot)
    ages = {index: -1 if block is None else block.counter for index, block in enumerate(blocks)}
    return [offset_of(slot, index) for index in sorted(ages, key=lambda index: ages[index])]


@pytest.mark.no_cover
def test_a_write_torn_at_any_byte_never_opens_what_was_halted(tmp_path: Path) -> None:
    """The new bytes up to a boundary, the old ones after it, in both writes of a clearing."""
    for slot in (Slot.GATEWAY, Slot.OPERATOR):
        before = image_after(tmp_path, slot, "+a", f"+{BIG}")
        after = image_after(tmp_path, slot, "+a", f"+{BIG}", f"-{BIG}")
        assert is_halted(before)
        assert is_halted(after)
        cleared = image_after(tmp_path, slot, "+a", "-a")
        latched = image_after(tmp_path, slot, "+a")
        for old, new in ((before, after), (latched, cleared)):
            image = old
            for start in starts_by_age(old, slot):
                until_now, written = image, new[start : start + BLOCK_BYTES]
                for done in range(BLOCK_BYTES):
                    image = until_now[:start] + written[:done] + until_now[start + done :]
                    assert is_halted(image), f"opened after {done} bytes of block {start}"
                image = until_now[:start] + written + until_now[start + BLOCK_BYTES :]
            assert image == new, "these are the writes that a clearing makes"


@pytest.mark.no_cover
def test_a_latch_torn_at_any_byte_leaves_the_earlier_latches_and_halts(tmp_path: Path) -> None:
    for slot in (Slot.GATEWAY, Slot.GUARDIAN):
        start = image_after(tmp_path, slot)
        one = image_after(tmp_path, slot, "+a")
        two = image_after(tmp_path, slot, "+a", "+b")
        assert not is_halted(start)
        changed = [index for index in range(REGISTER_BYTES) if start[index] != one[index]]
        for boundary in range(changed[0] + 1, changed[-1] + 1):
            assert is_halted(one[:boundary] + start[boundary:]), boundary
        changed = [index for index in range(REGISTER_BYTES) if one[index] != two[index]]
        for boundary in range(changed[0] + 1, changed[-1] + 1):
            torn = judged(two[:boundary] + one[boundary:])
            assert "a" in {latch.scope for latch in torn.latched}, boundary


def test_a_reset_torn_at_any_byte_lifts_no_other_slots_latch(tmp_path: Path) -> None:
    """The gateway answers for another slot only by two good blocks."""
    path = made(tmp_path)
    operator = HaltsRegister(path, Slot.OPERATOR)
    operator.latch(halt(), MOMENT)
    operator.close()
    old = path.read_bytes()
    gateway = HaltsRegister(path, Slot.GATEWAY, lifts=SLOTS)
    gateway.latched()
    gateway.clear("account", LATER, MOMENT)
    gateway.close()
    new = path.read_bytes()
    assert not is_halted(new)
    assert [
        index
        for index in range(offset_of(Slot.GUARDIAN, 0), REGISTER_BYTES)
        if old[index] != new[index]
    ] == []
    image = old
    for start in starts_by_age(old, Slot.GATEWAY):
        until_now, written = image, new[start : start + BLOCK_BYTES]
        for done in range(BLOCK_BYTES):
            assert is_halted(until_now[:start] + written[:done] + until_now[start + done :])
        image = until_now[:start] + written + until_now[start + BLOCK_BYTES :]
    assert image == new


def test_a_block_in_the_wrong_slot_is_damage(tmp_path: Path) -> None:
    path = made(tmp_path)
    image = bytearray(path.read_bytes())
    open_block = encoded_block(Slot.GATEWAY, 9, Content())
    start = offset_of(Slot.OPERATOR, 1)
    image[start : start + BLOCK_BYTES] = open_block
    assert judged(bytes(image)).damaged == (Slot.OPERATOR,)


def damage(path: Path, slot: Slot, index: int) -> None:
    descriptor = os.open(path, os.O_RDWR)
    os.pwrite(descriptor, b"?", offset_of(slot, index) + 99)
    os.close(descriptor)


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("blocks", [(0,), (1,), (0, 1)])
def test_damage_is_listed_and_only_a_reset_of_the_account_that_knew_repairs_it(
    tmp_path: Path, slot: Slot, blocks: tuple[int, ...]
) -> None:
    path = made(tmp_path)
    register = HaltsRegister(path, Slot.GATEWAY, lifts=SLOTS)
    assert not register.halted()
    for index in blocks:
        damage(path, slot, index)
    assert register.halted()
    register.clear("account", LATER, MOMENT)
    assert register.halted(), "a reset that did not know of the damage leaves it"
    (found,) = register.latched()
    assert (found.slot, found.scope) == (slot, "account")
    assert found.reason is Reason.REGISTER_UNREADABLE
    assert register.at_start() == ((), True)
    register.clear("symbol:AAPL", LATER, MOMENT)
    assert register.halted()
    register.clear("account", LATER, MOMENT)
    assert not register.halted()
    assert judged(path.read_bytes()).damaged == ()
    register.close()


@pytest.mark.parametrize("index", [0, 1])
def test_a_latch_over_damage_keeps_what_it_can_and_halts_the_account(
    tmp_path: Path, index: int
) -> None:
    path = made(tmp_path)
    register = HaltsRegister(path, Slot.GUARDIAN)
    register.latch(halt("strategy:a"), MOMENT)
    register.latch(halt("strategy:b"), MOMENT)
    damage(path, Slot.GUARDIAN, index)
    register.latch(halt("strategy:c"), MOMENT)
    assert judged(path.read_bytes()).damaged == ()
    names = {scope for _, scope in scopes(register)}
    assert {"account", "strategy:a", "strategy:c"} <= names
    scopes_at_start = {latch.scope for latch in register.at_start()[0]}
    assert scopes_at_start == names
    assert not register.at_start()[1]
    register.close()


def test_a_latch_after_damage_is_never_mistaken_for_one_that_was_lifted(tmp_path: Path) -> None:
    path = made(tmp_path)
    gateway = HaltsRegister(path, Slot.GATEWAY, lifts=SLOTS)
    operator = HaltsRegister(path, Slot.OPERATOR)
    for _ in range(5):
        operator.latch(halt(), MOMENT)
    gateway.latched()
    gateway.clear("account", LATER, MOMENT)
    assert not gateway.halted()
    damage(path, Slot.OPERATOR, 0)
    damage(path, Slot.OPERATOR, 1)
    operator.latch(halt("strategy:a"), MOMENT)
    operator.latch(halt("strategy:b"), MOMENT)
    judgement = judged(path.read_bytes())
    assert judgement.damaged == ()
    assert {"account", "strategy:a", "strategy:b"} == {found.scope for found in judgement.latched}
    gateway.close()
    operator.close()


def test_repairing_anothers_damage_keeps_its_latches_that_nobody_has_seen(tmp_path: Path) -> None:
    path = made(tmp_path)
    gateway = HaltsRegister(path, Slot.GATEWAY, lifts=SLOTS)
    guardian = HaltsRegister(path, Slot.GUARDIAN)
    damage(path, Slot.GUARDIAN, 0)
    gateway.latched()
    guardian.latch(halt("symbol:X"), MOMENT)
    gateway.latched()
    guardian.latch(halt("symbol:Y"), MOMENT)
    damage(path, Slot.GUARDIAN, 0)
    gateway.clear("account", LATER, MOMENT)
    assert judged(path.read_bytes()).damaged == ()
    assert scopes(gateway) == [("GATEWAY", "symbol:X"), ("GUARDIAN", "symbol:Y")]
    assert halted(path)
    gateway.close()
    guardian.close()
