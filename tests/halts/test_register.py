import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from fuseboard.halts.block import (
    BLOCK_BYTES,
    LATCHES_PER_SLOT_MAX,
    REGISTER_BYTES,
    SLOTS,
    Content,
    Latched,
    Slot,
    fitted,
)
from fuseboard.halts.history import HaltChange
from fuseboard.halts.register import (
    HaltsRegister,
    RegisterExists,
    RegisterUnwritable,
)
from fuseboard.vocabulary.doors import RegisterBusy
from fuseboard.vocabulary.inputs import LatchedScope
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.halts.making import LATER, MOMENT, halt, halted, made, scopes

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made(tmp_path)


@pytest.fixture
def gateway(path: Path) -> Iterator[HaltsRegister]:
    register = HaltsRegister(path, Slot.GATEWAY, lifts=SLOTS)
    yield register
    register.close()


@pytest.fixture
def operator(path: Path) -> Iterator[HaltsRegister]:
    register = HaltsRegister(path, Slot.OPERATOR)
    yield register
    register.close()


@pytest.fixture
def guardian(path: Path) -> Iterator[HaltsRegister]:
    register = HaltsRegister(path, Slot.GUARDIAN)
    yield register
    register.close()


def test_a_new_register_is_open_and_is_never_overwritten(path: Path) -> None:
    assert not halted(path)
    before = path.read_bytes()
    assert len(before) == REGISTER_BYTES
    with pytest.raises(RegisterExists):
        HaltsRegister.create(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("slot", SLOTS)
def test_a_latch_of_any_slot_halts_everybody_also_after_a_restart(path: Path, slot: Slot) -> None:
    watching = HaltsRegister(path, Slot.GATEWAY)
    assert not watching.halted()
    gateway = HaltsRegister(path, Slot.GATEWAY)
    gateway.latch(halt("strategy:dip", 6), MOMENT)
    gateway.clear("strategy:dip", 6, MOMENT)
    gateway.close()
    register = HaltsRegister(path, slot)
    register.latch(halt("strategy:dip", 7), MOMENT)
    assert register.halted()
    assert watching.halted()
    register.close()
    assert register.halted(), "a register that was let go says halted"
    assert halted(path)
    found = watching.latched()[0]
    assert (found.slot, found.scope, found.trip) == (slot, "strategy:dip", "drawdown#1")
    assert found.halt_epoch == 7
    assert (
        found.line()
        == f"{slot.name.lower()} strategy:dip HALT drawdown trip=drawdown#1 epoch=7 5.10 %"
    )
    watching.close()


def test_clearing_lifts_exactly_the_scope(gateway: HaltsRegister, path: Path) -> None:
    for scope in ("strategy:a", "strategy:b", "account"):
        gateway.latch(halt(scope), MOMENT)
    gateway.clear("strategy:a", 1, MOMENT)
    assert scopes(gateway) == [("GATEWAY", "strategy:b"), ("GATEWAY", "account")]
    gateway.clear("account", 1, MOMENT)
    assert halted(path)
    gateway.clear("symbol:AAPL", 1, MOMENT)
    assert halted(path)
    gateway.clear("strategy:b", 1, MOMENT)
    assert not halted(path)
    assert not gateway.halted()


@given(levels=st.lists(st.sampled_from(HaltLevel), min_size=1, max_size=4), other=st.booleans())
@example(levels=[HaltLevel.FLATTEN, HaltLevel.KILL, HaltLevel.FLATTEN], other=False)
@example(levels=[HaltLevel.FLATTEN, HaltLevel.KILL, HaltLevel.FREEZE], other=False)
@example(levels=[HaltLevel.KILL, HaltLevel.FLATTEN], other=True)
@example(levels=[HaltLevel.FREEZE, HaltLevel.FLATTEN, HaltLevel.KILL], other=True)
@example(levels=[HaltLevel.FREEZE, HaltLevel.FLATTEN, HaltLevel.FREEZE], other=False)
@settings(max_examples=20, deadline=None)
def test_a_kill_of_the_account_keeps_the_trip_of_its_last_liquidation(
    tmp_path_factory: pytest.TempPathFactory, levels: list[HaltLevel], other: bool
) -> None:
    path = made(tmp_path_factory.mktemp("register"))
    scope = "symbol:AAPL" if other else "account"
    register = HaltsRegister(path, Slot.GATEWAY)
    for number, level in enumerate(levels):
        register.latch(halt(scope, number + 1, level=level, trip=f"trip#{number}"), MOMENT)
    register.close()
    fresh = HaltsRegister(path, Slot.OPERATOR)
    found = fresh.latched()[0]
    fresh.close()
    assert (found.level, found.halt_epoch) == (max(levels), len(levels))
    freezes = [number for number, level in enumerate(levels) if level is HaltLevel.FREEZE]
    since = levels[freezes[-1] :] if freezes else []
    ever = levels[freezes[0] :] if freezes else []
    if HaltLevel.KILL not in levels and HaltLevel.FLATTEN not in ever:
        assert b"plan_trip" not in path.read_bytes(), "as releases without the word write it"
    flattens = [f"trip#{at}" for at, level in enumerate(levels) if level is HaltLevel.FLATTEN]
    asked = flattens[-1] if flattens else ""
    if found.level is HaltLevel.KILL:
        assert found.plan_trip == ("" if other else asked)
        assert found.line().count(" flattening=") == bool(found.plan_trip)
    elif HaltLevel.FLATTEN in since:
        assert (found.level, found.plan_trip) == (HaltLevel.FREEZE, asked)
    else:
        assert found.plan_trip == ""
        assert found.flattening() == ("" if found.level is not HaltLevel.FLATTEN else asked)


def overflowing(register: HaltsRegister, most: int = LATCHES_PER_SLOT_MAX) -> None:
    """Halt one strategy after the other, until a slot that holds something cannot hold them."""
    for number in range(most):
        register.latch(halt(f"strategy:{number}"), MOMENT)


def test_what_a_slot_cannot_hold_turns_no_symbols_liquidation_into_the_accounts(
    gateway: HaltsRegister,
) -> None:
    gateway.latch(halt("symbol:AAPL", level=HaltLevel.FLATTEN), MOMENT)
    gateway.latch(halt(level=HaltLevel.KILL, trip="latch:account#1"), MOMENT)
    overflowing(gateway, LATCHES_PER_SLOT_MAX - 1)
    whole, symbol = gateway.latched()
    assert (whole.scope, whole.level, whole.flattening()) == ("account", HaltLevel.KILL, "")
    assert (symbol.scope, symbol.flattening()) == ("symbol:AAPL", "drawdown#1")


@pytest.mark.parametrize("level", [HaltLevel.FLATTEN, HaltLevel.FREEZE])
def test_an_overflow_halts_the_account_and_neither_closes_nor_freezes_it(
    path: Path, gateway: HaltsRegister, level: HaltLevel
) -> None:
    gateway.latch(halt("symbol:AAPL", 7, level=level, trip="latch:symbol:AAPL#1"), MOMENT)
    overflowing(gateway)
    whole, symbol = gateway.latched()
    assert (whole.scope, whole.level, whole.trip) == ("account", HaltLevel.HALT, "")
    assert (whole.halt_epoch, whole.flattening()) == (7, "")
    assert "17 scopes were halted, more than a slot holds" in whole.detail
    assert (symbol.scope, symbol.level) == ("symbol:AAPL", level), "it stays where it was asked"
    gateway.clear("account", LATER, MOMENT)
    assert scopes(gateway) == [("GATEWAY", "symbol:AAPL")]
    gateway.clear("symbol:AAPL", LATER, MOMENT)
    assert not halted(path)


@pytest.mark.parametrize("symbols", [HaltLevel.FLATTEN, HaltLevel.KILL, HaltLevel.FREEZE])
@pytest.mark.parametrize("first", [True, False])
def test_an_overflow_keeps_what_was_asked_of_the_account_itself(
    gateway: HaltsRegister, symbols: HaltLevel, *, first: bool
) -> None:
    own = halt(level=HaltLevel.FLATTEN, trip="drawdown:account#1")
    theirs = halt("symbol:AAPL", level=symbols, trip="latch:symbol:AAPL#1")
    for latch in (own, theirs) if first else (theirs, own):
        gateway.latch(latch, MOMENT)
    overflowing(gateway)
    whole = next(latch for latch in gateway.latched() if latch.scope == "account")
    assert whole.flattening() == "drawdown:account#1", "its liquidation goes on"
    assert whole.level is (HaltLevel.KILL if symbols is HaltLevel.KILL else HaltLevel.FLATTEN)


def test_an_overflow_of_kills_keeps_the_accounts_own_trip_and_lists_the_account_once() -> None:
    latches = [
        Latched(
            slot=Slot.GATEWAY,
            counter=number + 1,
            scope="account" if number == 3 else f"symbol:{number}",
            level=level,
            reason=Reason.OPERATOR,
            trip=f"trip#{number}",
            halt_epoch=number,
            detail="",
            wall_ns=1,
        )
        for level in (HaltLevel.KILL, HaltLevel.FLATTEN)
        for number in range(LATCHES_PER_SLOT_MAX)
    ]
    for some in (latches[:LATCHES_PER_SLOT_MAX], latches[LATCHES_PER_SLOT_MAX:]):
        one_more = structs.replace(some[0], scope="symbol:last", counter=99)
        whole, *others = fitted(Content((*some, one_more))).latches
        assert (whole.scope, whole.trip, whole.level) == ("account", "trip#3", some[0].level)
        assert "account" not in [latch.scope for latch in others]


def test_of_more_liquidations_than_a_slot_holds_the_newest_stay(gateway: HaltsRegister) -> None:
    for number in range(60):
        gateway.latch(halt(f"symbol:{number:03}", level=HaltLevel.FLATTEN, trip="t" * 120), MOMENT)
    whole, *others = gateway.latched()
    assert (whole.scope, whole.level) == ("account", HaltLevel.HALT)
    assert {latch.scope for latch in others} >= {"symbol:059", "symbol:058"}
    assert len(others) < LATCHES_PER_SLOT_MAX


def test_a_latch_newer_than_the_reset_stays(gateway: HaltsRegister) -> None:
    gateway.latch(halt(epoch=5), MOMENT)
    gateway.latch(halt(epoch=6), MOMENT)
    gateway.clear("account", 5, MOMENT)
    assert gateway.halted()
    gateway.clear("account", 6, MOMENT)
    assert not gateway.halted()


def test_latching_again_keeps_the_tighter_level_and_the_later_epoch(gateway: HaltsRegister) -> None:
    gateway.latch(halt(epoch=5, level=HaltLevel.KILL, trip="first"), MOMENT)
    gateway.latch(halt(epoch=6, level=HaltLevel.HALT, trip="second"), MOMENT)
    (found,) = gateway.latched()
    assert (found.level, found.trip, found.halt_epoch) == (HaltLevel.KILL, "first", 6)
    gateway.latch(halt(epoch=6, level=HaltLevel.FREEZE, trip="third"), MOMENT)
    (found,) = gateway.latched()
    assert (found.level, found.trip) == (HaltLevel.FREEZE, "third")


def test_clearing_one_slot_never_clears_another(
    path: Path, operator: HaltsRegister, guardian: HaltsRegister
) -> None:
    gateway = HaltsRegister(path, Slot.GATEWAY)
    for register in (gateway, operator, guardian):
        register.latch(halt(), MOMENT)
    gateway.latched()
    gateway.clear("account", LATER, MOMENT)
    assert scopes(gateway) == [("GUARDIAN", "account"), ("OPERATOR", "account")]
    gateway.clear("account", LATER, MOMENT, slots=(Slot.OPERATOR,))
    assert scopes(gateway) == [("GUARDIAN", "account")]
    with pytest.raises(AssertionError):
        operator.clear("account", LATER, MOMENT, slots=(Slot.GUARDIAN,))
    guardian.clear("account", LATER, MOMENT)
    assert not gateway.halted()
    gateway.close()


def test_the_gateway_lifts_only_what_it_has_been_shown(
    gateway: HaltsRegister, operator: HaltsRegister, path: Path
) -> None:
    operator.latch(halt("strategy:a"), MOMENT)
    assert gateway.at_start()[0][0].scope == "strategy:a"
    operator.latch(halt("account"), MOMENT)
    operator.latch(halt("strategy:a"), MOMENT)
    gateway.clear("strategy:a", LATER, MOMENT)
    gateway.clear("account", LATER, MOMENT)
    assert sorted(scopes(gateway)) == [("OPERATOR", "account"), ("OPERATOR", "strategy:a")]
    gateway.clear("account", LATER, MOMENT)
    assert scopes(gateway) == [("GATEWAY", "strategy:a")], "taken over, and still halted"
    assert halted(path)
    gateway.clear("strategy:a", LATER, MOMENT)
    assert not halted(path)
    operator.latch(halt("strategy:a"), MOMENT)
    assert halted(path), "a halt after the reset is a new one"


def test_outside_the_gateway_a_halt_is_later_than_every_reset(
    gateway: HaltsRegister, operator: HaltsRegister
) -> None:
    gateway.latch(halt(epoch=41), MOMENT)
    gateway.clear("account", 41, MOMENT)
    operator.latch(halt(epoch=0), MOMENT)
    latched, unreadable = gateway.at_start()
    assert not unreadable
    assert latched == (
        LatchedScope(
            scope="account",
            level=HaltLevel.HALT,
            reason=Reason.DRAWDOWN,
            trip="drawdown#1",
            halt_epoch=42,
        ),
    )


@pytest.mark.parametrize("fault", ["made again", "damaged"])
def test_a_halt_in_a_register_that_forgot_its_epochs_is_still_later_than_every_reset(
    path: Path, fault: str
) -> None:
    gateway = HaltsRegister(path, Slot.GATEWAY)
    gateway.latch(halt("strategy:a", epoch=41), MOMENT)
    gateway.clear("strategy:a", 41, MOMENT)
    gateway.close()
    if fault == "made again":
        path.unlink()
        HaltsRegister.create(path)
    else:
        with path.open("r+b") as file:
            file.write(b"?")
            file.seek(BLOCK_BYTES)
            file.write(b"?")
    operator = HaltsRegister(path, Slot.OPERATOR)
    operator.latch(halt("strategy:a", epoch=0), MOMENT)
    (latched, _) = operator.at_start()
    assert [scope.halt_epoch > 41 for scope in latched] == [True]
    operator.close()


def test_too_many_scopes_become_one_halt_of_the_account(gateway: HaltsRegister) -> None:
    for number in range(LATCHES_PER_SLOT_MAX):
        gateway.latch(halt(f"symbol:{number}", number + 1, detail=""), MOMENT)
    assert len(gateway.latched()) == LATCHES_PER_SLOT_MAX
    gateway.latch(halt("symbol:last", 99, level=HaltLevel.KILL), MOMENT)
    (found,) = gateway.latched()
    assert (found.scope, found.level, found.halt_epoch) == ("account", HaltLevel.KILL, 99)
    gateway.clear("symbol:last", LATER, MOMENT)
    assert gateway.halted()
    gateway.clear("account", LATER, MOMENT)
    assert not gateway.halted()


@settings(max_examples=40)
@given(
    texts=st.lists(
        st.tuples(st.text(max_size=150), st.text(max_size=300), st.text(max_size=400)),
        min_size=1,
        max_size=20,
    )
)
def test_no_text_of_any_length_stops_a_latch(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str, str]]
) -> None:
    path = made(tmp_path_factory.mktemp("halts"))
    register = HaltsRegister(path, Slot.GUARDIAN)
    for scope, trip, detail in texts:
        register.latch(halt(scope, trip=trip, detail=detail), MOMENT)
        names = {found.scope for found in register.latched()}
        assert scope in names or "account" in names
    register.latch(halt("s" * 5_000), MOMENT)
    assert [found.scope for found in register.latched()] == ["account"]
    register.latch(halt("\udcff", detail="\udcff"), MOMENT)
    assert halted(path)
    assert path.stat().st_size == REGISTER_BYTES
    register.close()


def test_an_absent_register_halts_and_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none"
    register = HaltsRegister(path, Slot.GATEWAY)
    assert register.halted()
    assert register.latched()[0].reason is Reason.REGISTER_UNREADABLE
    assert register.at_start() == ((), True)
    with pytest.raises(RegisterUnwritable):
        register.latch(halt(), MOMENT)
    with pytest.raises(RegisterUnwritable):
        register.clear("account", 9, MOMENT)
    assert not path.exists()
    register.close()


@pytest.mark.parametrize("fault", ["deleted", "replaced", "short", "long", "empty"])
def test_a_register_that_goes_away_under_a_running_process_halts_at_once(
    path: Path, gateway: HaltsRegister, fault: str
) -> None:
    assert not gateway.halted()
    if fault == "deleted":
        path.unlink()
    elif fault == "replaced":
        path.rename(path.with_name("old"))
        HaltsRegister.create(path)
    elif fault == "long":
        with path.open("ab") as file:
            file.write(b"x")
    else:
        os.truncate(path, REGISTER_BYTES - 1 if fault == "short" else 0)
    assert gateway.halted()
    assert gateway.at_start() == ((), True)
    with pytest.raises(RegisterUnwritable):
        gateway.latch(halt(), MOMENT)


def test_each_change_is_told_after_it_is_on_the_disk(path: Path) -> None:
    told: list[tuple[HaltChange, bool]] = []
    register = HaltsRegister(
        path, Slot.GATEWAY, told=lambda change: told.append((change, halted(path)))
    )
    register.latch(halt("symbol:AAPL", 3), MOMENT)
    register.clear("symbol:AAPL", 3, MOMENT, operator="ada", reason="looked at it")
    register.close()
    assert [(change.what, change.scope, seen) for change, seen in told] == [
        ("latched", "symbol:AAPL", True),
        ("cleared", "symbol:AAPL", False),
    ]
    assert told[1][0].operator == "ada"
    assert told[1][0].detail.endswith("looked at it")


def test_a_failed_write_halts_the_process_that_could_not_write(path: Path) -> None:
    register = HaltsRegister(path, Slot.GATEWAY)
    read_only = os.open(path, os.O_RDONLY)
    os.dup2(read_only, register._descriptor)
    os.close(read_only)
    assert not register.halted()
    with pytest.raises(RegisterUnwritable):
        register.latch(halt(), MOMENT)
    assert register.halted()
    assert not halted(path)
    register.close()


def test_a_write_that_is_not_read_back_halts_the_process_that_made_it(path: Path) -> None:
    register = HaltsRegister(path, Slot.GATEWAY)
    elsewhere = os.open(path, os.O_RDWR | os.O_APPEND)  # Linux then ignores where it should write.
    os.dup2(elsewhere, register._descriptor)
    os.close(elsewhere)
    with pytest.raises(RegisterUnwritable, match="read back"):
        register.latch(halt(), MOMENT)
    assert register.halted()
    register.close()


def test_a_full_disk_does_not_prevent_a_latch(path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path;"
        "from fuseboard.halts.block import Slot;"
        "from fuseboard.halts.register import HaltsRegister;"
        "from tests.halts.making import MOMENT, halt;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({REGISTER_BYTES}, {REGISTER_BYTES}));"
        "register = HaltsRegister(Path(sys.argv[1]), Slot.GUARDIAN);"
        "[register.latch(halt(f'symbol:{n}'), MOMENT) for n in range(30)];"
        "Path(sys.argv[1] + '.other').write_bytes(bytes(1_000_000))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, check=False
    )
    assert b"File too large" in done.stderr, "the limit must bite, or it proves nothing"
    assert done.returncode == 1
    assert halted(path)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_on_a_really_full_file_system_it_latches_and_clears(tmp_path: Path) -> None:
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        path = made(tmp_path)
        with (
            (tmp_path / "filler").open("wb", buffering=0) as file,
            pytest.raises(OSError, match="space"),
        ):
            file.writelines(bytes(4096) for _ in range(1000))
        register = HaltsRegister(path, Slot.GATEWAY)
        register.latch(halt(), MOMENT)
        assert halted(path)
        register.clear("account", 1, MOMENT)
        assert not halted(path)
        register.close()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def _latch_many(path: Path, slot: Slot, start: Event, count: int) -> None:
    register = HaltsRegister(path, slot)
    start.wait(30)
    for number in range(count):
        register.latch(halt(f"symbol:{slot.name}{os.getpid()}{number}"), MOMENT)
    register.close()


def test_processes_that_latch_at_the_same_time_lose_nothing(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Event()
    slots = (Slot.GATEWAY, Slot.GUARDIAN, Slot.OPERATOR, Slot.OPERATOR)
    processes = [context.Process(target=_latch_many, args=(path, slot, start, 5)) for slot in slots]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    register = HaltsRegister(path, Slot.GATEWAY)
    assert len(scopes(register)) == 20
    register.close()


def _flicker(path: Path, ready: Event, stop: Event) -> None:
    register = HaltsRegister(path, Slot.OPERATOR)
    ready.set()
    while not stop.is_set():
        register.latch(halt("symbol:X"), MOMENT)
        register.clear("symbol:X", register.latched()[-1].halt_epoch, MOMENT)
    register.close()


def test_a_latch_is_seen_at_every_look_while_another_process_latches_and_clears(
    path: Path, gateway: HaltsRegister
) -> None:
    context = multiprocessing.get_context("fork")
    ready, stop = context.Event(), context.Event()
    process = context.Process(target=_flicker, args=(path, ready, stop))
    process.start()
    assert ready.wait(30)
    gateway.latch(halt("strategy:a"), MOMENT)
    ends = time.monotonic() + 0.5
    looks = 0
    while time.monotonic() < ends:
        looks += 1
        assert gateway.halted()
        if looks % 100 == 0:
            assert "strategy:a" in {latch.scope for latch in gateway.latched()}
    stop.set()
    process.join(30)
    assert process.exitcode == 0
    gateway.clear("strategy:a", 1, MOMENT)
    assert not gateway.halted()


def test_a_stuck_writer_holds_back_a_clearing_but_never_a_latch(
    path: Path, gateway: HaltsRegister, operator: HaltsRegister
) -> None:
    gateway.latch(halt("strategy:a"), MOMENT)
    with operator._writing():
        gateway.latch(halt("strategy:b"), MOMENT)
        with pytest.raises(RegisterBusy):
            gateway.clear("strategy:a", 1, MOMENT)
    assert [scope for _, scope in scopes(gateway)] == ["strategy:a", "strategy:b"]
    gateway.clear("strategy:a", 1, MOMENT)
    assert [scope for _, scope in scopes(gateway)] == ["strategy:b"]


def test_a_latch_of_one_strategy_or_symbol_halts_only_its_own_orders(path: Path) -> None:
    register = HaltsRegister(path, Slot.GATEWAY)
    register.latch(halt("strategy:dip"), MOMENT)
    register.latch(halt("symbol:AAPL", epoch=2), MOMENT)
    assert register.halts("dip", "MSFT")
    assert register.halts("other", "AAPL")
    assert not register.halts("other", "MSFT")
    register.latch(halt("account", epoch=3), MOMENT)
    assert register.halts("other", "MSFT")


def test_a_register_that_cannot_be_judged_halts_every_order(tmp_path: Path) -> None:
    assert HaltsRegister(tmp_path / "absent", Slot.GATEWAY).halts("any", "ANY")


def test_a_halted_tag_halts_who_has_it_and_everybody_where_nobody_knows_who_does(
    path: Path,
) -> None:
    tags = {"alpha": ("desk:equities", "trader:ann"), "beta": ("desk:rates",)}
    knows = HaltsRegister(path, Slot.GATEWAY, tags=tags)
    does_not = HaltsRegister(path, Slot.GATEWAY)
    assert not knows.halts("alpha", "AAPL")
    knows.latch(halt("desk:equities"), MOMENT)
    assert knows.halts("alpha", "AAPL")
    assert not knows.halts("beta", "AAPL")
    assert not knows.halts("", "")
    assert does_not.halts("beta", "AAPL")
    knows.close()
    does_not.close()
