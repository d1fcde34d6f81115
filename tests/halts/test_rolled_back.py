"""Older copies put back: of the register, a slot of it, its history, the journal. Never looser."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.core.fuses.machine import POSTURE_OF
from fuseboard.core.kernel import Kernel
from fuseboard.halts.block import BLOCK_BYTES, BLOCKS_PER_SLOT, SLOTS, Slot, offset_of
from fuseboard.halts.evidence import BEHIND_MAX, weigh
from fuseboard.halts.history import HaltsHistory, noting, verify_history
from fuseboard.halts.register import HaltsRegister
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import ResetRules
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from tests.halts.making import MOMENT, halt

TEXT = canonical_text(Policy(resets=ResetRules(resets_a_day_max=10_000)))
SCOPES = ("account", "strategy:a", "symbol:AAPL")
LEVELS = (HaltLevel.HALT, HaltLevel.KILL)
Copies: TypeAlias = tuple[bytes, bytes | None, bytes]
"""The register, its history, the journal's state."""


class House:
    """A kernel, its register and the history, as a gateway and a person without one use them."""

    def __init__(self, folder: Path) -> None:
        self.register_file = folder / "halts.register"
        self.history_file = folder / "halts.db"
        HaltsRegister.create(self.register_file)
        self.kernel = Kernel()
        self.now_ns = NANOS
        self.postures = dict.fromkeys(SCOPES, Posture.OPEN)
        """What is truly latched, by a book of its own."""
        self.start()

    def take(self, fact: facts.Input) -> list[fx.Effect]:
        """Fold, and let latches and clearings out as the outlet does."""
        self.now_ns += NANOS
        effects = self.kernel.step(facts.Moment(self.now_ns, self.now_ns), fact)
        for effect in effects:
            if isinstance(effect, fx.LatchHalt):
                self.register.latch(effect, MOMENT)
            elif isinstance(effect, fx.ClearHalt):
                self.register.clear(effect.scope, effect.halt_epoch, MOMENT)
        return list(effects)

    def start(self) -> facts.NodeStarted:
        self.register = HaltsRegister(
            self.register_file, Slot.GATEWAY, lifts=SLOTS, told=noting(self.history_file)
        )
        weighed = weigh(self.register, self.history_file)
        started = facts.NodeStarted(
            instance="househou",
            account="A1",
            release="0",
            latched=weighed.latched,
            register_unreadable=weighed.unreadable,
            register_epochs=self.register.epochs(),
            register_doubt=weighed.register_doubt,
            history_doubt=weighed.history_doubt,
        )
        self.take(facts.PolicyAdopted(text=TEXT, digest=digest_of(TEXT), operator="start"))
        self.take(started)
        self.take(facts.BrokerStreamChanged(connected=True))
        self.compared()
        return started

    def compared(self) -> None:
        self.take(
            facts.AccountSeen(
                cash_nanos=1_000 * NANOS,
                equity_nanos=1_000 * NANOS,
                last_equity_nanos=1_000 * NANOS,
                multiplier=1,
                shorting_enabled=True,
            )
        )
        self.take(facts.PositionsSeen(positions=()))

    def halted(self, scope: str, level: HaltLevel) -> None:
        self.take(
            OperatorHaltRequested(
                request=1, operator="eve", reason="drill", scope=scope, level=level
            )
        )
        self._note(scope, level)

    def halted_from_outside(self, scope: str, level: HaltLevel, slot: Slot) -> None:
        """While no gateway runs."""
        self.register.close()
        with closing(
            HaltsRegister(self.register_file, slot, told=noting(self.history_file))
        ) as theirs:
            theirs.latch(halt(scope, 0, level=level, trip=""), MOMENT)
        self._note(scope, level)

    def _note(self, scope: str, level: HaltLevel) -> None:
        asked = Posture.KILLED if level is HaltLevel.KILL else Posture.HALTED
        self.postures[scope] = max(self.postures[scope], asked)

    def reset(self, scope: str) -> None:
        self.compared()
        effects = self.take(
            OperatorResetRequested(
                request=2, operator="ann", reason="looked", scope=scope, via="key:1"
            )
        )
        (answer,) = [effect for effect in effects if isinstance(effect, fx.AnswerOperator)]
        if answer.accepted:
            self.compared()
            self.postures[scope] = Posture.OPEN

    def shown(self, scope: str) -> Posture:
        """What the scope's latches ask for."""
        fuses = [fuse for fuse in self.kernel._state.fuses() if fuse.scope == scope]
        return max((POSTURE_OF[fuse.state] for fuse in fuses), default=Posture.OPEN)

    def copies(self) -> tuple[bytes, bytes | None, bytes]:
        """The register, the history and the journal as they are now."""
        history = None
        if self.history_file.exists():
            with closing(sqlite3.connect(self.history_file)) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            history = self.history_file.read_bytes()
        return self.register_file.read_bytes(), history, self.kernel.snapshot()

    def put_back(self, register: bytes, history: bytes | None, journal: bytes) -> None:
        self.register.close()
        self.register_file.write_bytes(register)
        for file in self.history_file.parent.glob("halts.db*"):
            file.unlink()
        if history is not None:
            self.history_file.write_bytes(history)
        self.kernel = Kernel.restored(journal)


def lived(folder: Path, random: Random, steps: int) -> tuple[House, list[Copies]]:
    """A house with a past, and its copies after each step."""
    house = House(folder)
    copies = [house.copies()]
    for _ in range(steps):
        scope, level = random.choice(SCOPES), random.choice(LEVELS)
        match random.randrange(4):
            case 0:
                house.halted(scope, level)
            case 1:
                house.halted_from_outside(
                    scope, level, random.choice((Slot.OPERATOR, Slot.GUARDIAN))
                )
                if random.randrange(2):  # else it ends like this
                    house.start()
            case _:
                house.reset(scope)
        copies.append(house.copies())
        if house.register._descriptor < 0 and len(copies) <= steps:
            house.start()
    return house, copies


def mixed(random: Random, copies: list[Copies]) -> bytes:
    """A register of the last copy with each slot from any copy, perhaps damaged."""
    image = bytearray(copies[-1][0])
    for slot in SLOTS:
        if random.randrange(2):
            start = offset_of(slot, 0)
            end = start + BLOCKS_PER_SLOT * BLOCK_BYTES
            image[start:end] = random.choice(copies)[0][start:end]
    if random.randrange(4) == 0:
        image[random.randrange(len(image))] ^= 1 << random.randrange(8)
    return bytes(image)


def older_history(random: Random, copies: list[Copies]) -> bytes | None:
    """Any copy, nothing, or damage."""
    chosen = random.choice(copies)[1]
    match random.randrange(4):
        case 0:
            return None
        case 1 if chosen:
            damaged = bytearray(chosen)
            damaged[random.randrange(len(damaged))] ^= 0xFF
            return bytes(damaged)
        case _:
            return chosen


def is_never_looser(seed: int) -> None:
    random = Random(seed)
    with TemporaryDirectory() as folder:
        house, copies = lived(Path(folder), random, steps=random.randrange(1, 7))
        truth, journaled = dict(house.postures), {scope: house.shown(scope) for scope in SCOPES}
        now_register, now_history, now_journal = copies[-1]
        family = seed % 4
        if family == 0:  # nothing is touched
            house.put_back(now_register, now_history, now_journal)
        elif family == 1:  # the register is right
            house.put_back(now_register, older_history(random, copies), random.choice(copies)[2])
        elif family == 2:  # the journal is right
            house.put_back(mixed(random, copies), older_history(random, copies), now_journal)
            truth = journaled
        else:  # the history is right
            house.put_back(mixed(random, copies), now_history, random.choice(copies)[2])
        house.start()
        for scope in SCOPES:
            shown = max(house.shown(scope), house.shown("account"))
            assert shown >= truth[scope] or house.shown("account") >= Posture.HALTED, (
                f"seed {seed}: {scope} was {truth[scope].name} and is {shown.name}"
            )
            if family in (0, 1):
                assert house.shown(scope) >= truth[scope], f"seed {seed}: {scope}"
            if family == 0:
                assert house.shown(scope) is truth[scope], f"seed {seed}: {scope} without a cause"


@pytest.mark.parametrize("seed", range(20))
def test_no_older_copy_and_no_damage_is_ever_looser_and_without_either_nothing_halts(
    seed: int,
) -> None:
    is_never_looser(seed)


@pytest.mark.soak
@given(st.integers(0, 2**32))
def test_the_same_for_many_seeds(seed: int) -> None:
    is_never_looser(seed)


def reason(house: House, scope: str = "account") -> Reason:
    return house.kernel._state.latches[scope].reason


def test_an_older_register_is_known_by_the_journal_and_halts_until_a_person_resets(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    old, _, _ = house.copies()
    house.halted("symbol:AAPL", HaltLevel.HALT)
    _, _, journal = house.copies()
    house.put_back(old, None, journal)
    house.start()
    assert (house.shown("account"), reason(house)) == (Posture.HALTED, Reason.REGISTER_ROLLED_BACK)
    assert house.shown("symbol:AAPL") is Posture.HALTED
    house.reset("account")
    assert house.shown("account") is Posture.OPEN
    house.put_back(*house.copies())
    house.start()
    assert house.shown("account") is Posture.OPEN, "what a person has looked at is not told again"
    assert house.shown("symbol:AAPL") is Posture.HALTED


@pytest.mark.parametrize("slot", [Slot.OPERATOR, Slot.GUARDIAN])
def test_a_slot_that_was_put_back_is_known_by_the_history_and_its_kill_is_kept(
    tmp_path: Path, slot: Slot
) -> None:
    house = House(tmp_path)
    house.halted("symbol:AAPL", HaltLevel.HALT)
    old, _, journal = house.copies()
    house.halted_from_outside("strategy:a", HaltLevel.KILL, slot)
    _, history, _ = house.copies()
    house.put_back(old, history, journal)
    started = house.start()
    assert f"the slot of {slot.name.lower()} ended later" in started.register_doubt
    assert (house.shown("account"), reason(house)) == (Posture.HALTED, Reason.REGISTER_ROLLED_BACK)
    assert house.shown("strategy:a") is Posture.KILLED
    house.reset("account")
    house.start()
    assert house.shown("account") is Posture.OPEN
    assert house.shown("strategy:a") is Posture.KILLED


def test_a_latch_on_a_register_that_was_put_back_is_not_taken_for_one_that_was_reset(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    house.halted("symbol:AAPL", HaltLevel.HALT)  # it knows an epoch: a latch counts on from it
    old, _, _ = house.copies()
    for _ in range(3):
        house.halted("account", HaltLevel.HALT)
        house.reset("account")
    journal = house.copies()[2]
    house.put_back(old, None, journal)
    theirs = HaltsRegister(house.register_file, Slot.OPERATOR)
    image = halt("account", 1, level=HaltLevel.KILL, trip="")
    theirs.latch(image, MOMENT)
    theirs.close()
    house.start()
    assert house.shown("account") is Posture.KILLED


def test_an_older_journal_is_known_by_a_register_that_holds_nothing_newer(tmp_path: Path) -> None:
    house = House(tmp_path)
    old = house.copies()[2]
    house.halted("account", HaltLevel.KILL)
    house.reset("account")
    register, history, _ = house.copies()
    house.put_back(register, history, old)
    house.start()
    assert (house.shown("account"), reason(house)) == (Posture.HALTED, Reason.JOURNAL_ROLLED_BACK)
    house.reset("account")
    house.start()
    assert house.shown("account") is Posture.OPEN


@pytest.mark.parametrize("how", ["missing", "cut off", "changed", "not a database"])
def test_a_history_that_is_not_what_was_written_halts_once_and_is_put_aside(
    tmp_path: Path, how: str
) -> None:
    house = House(tmp_path)
    for _ in range(BEHIND_MAX + 2):
        house.halted("symbol:AAPL", HaltLevel.HALT)
    register, history, journal = house.copies()
    house.put_back(register, None if how == "missing" else history, journal)
    if how == "not a database":
        house.history_file.write_bytes(b"nothing of ours")
    elif how != "missing":
        with closing(sqlite3.connect(house.history_file, isolation_level=None)) as database:
            if how == "cut off":
                database.execute("DELETE FROM changes WHERE sequence > 1")
            else:
                database.execute("UPDATE changes SET line = x'7b7d' WHERE sequence = 2")
    house.register = HaltsRegister(house.register_file, Slot.GATEWAY, lifts=SLOTS)
    writes = HaltsHistory(house.history_file)
    house.register._told = writes.note
    weighed = weigh(house.register, house.history_file)
    assert house.history_file.name in weighed.history_doubt
    house.take(
        facts.NodeStarted(
            instance="househou", account="A1", release="0", history_doubt=weighed.history_doubt
        )
    )
    writes.close()
    assert (house.shown("account"), reason(house)) == (Posture.HALTED, Reason.HISTORY_DAMAGED)
    assert verify_history(house.history_file)[0]
    aside = [file for file in tmp_path.glob("halts.db.damaged-*") if file.suffix != ".db-wal"]
    assert bool(aside) is (how in ("changed", "not a database")), "the evidence is kept"
    house.compared()
    house.reset("account")
    assert house.start().history_doubt == ""
    assert house.shown("account") is Posture.OPEN


@pytest.mark.parametrize("damage", ["chain = NULL", "chain = 'text'"])
def test_a_history_whose_last_row_is_damaged_never_holds_back_a_latch(
    tmp_path: Path, damage: str
) -> None:
    house = House(tmp_path)
    house.halted("symbol:AAPL", HaltLevel.HALT)
    with closing(sqlite3.connect(house.history_file, isolation_level=None)) as database:
        database.execute("ALTER TABLE changes RENAME TO strict")
        database.execute("CREATE TABLE changes(sequence INTEGER PRIMARY KEY, line, chain)")
        database.execute("INSERT INTO changes SELECT * FROM strict")
        database.execute(f"UPDATE changes SET {damage}")
    house.halted("strategy:a", HaltLevel.HALT)
    assert "strategy:a" in {latch.scope for latch in house.register.latched()}
    assert not verify_history(house.history_file)[0]


def test_a_history_that_lacks_what_a_crash_takes_halts_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.halted("symbol:AAPL", HaltLevel.HALT)
    _, history, _ = house.copies()
    house.halted("symbol:AAPL", HaltLevel.HALT)
    register, _, journal = house.copies()
    house.put_back(register, history, journal)
    started = house.start()
    assert (started.history_doubt, started.register_doubt) == ("", "")
    weighed = weigh(house.register, house.history_file)
    assert weighed.behind == {Slot.GATEWAY: 1}
    assert house.shown("account") is Posture.OPEN


def test_an_older_copy_under_a_running_process_halts_it_at_once_until_who_knows_resets(
    tmp_path: Path,
) -> None:
    path = tmp_path / "halts.register"
    HaltsRegister.create(path)
    old = path.read_bytes()
    register = HaltsRegister(path, Slot.GATEWAY, lifts=SLOTS)
    register.latch(halt(), MOMENT)
    register.clear("account", 1, MOMENT)
    assert not register.halted()
    now = path.read_bytes()
    with path.open("r+b") as file:  # in place: the same file
        file.write(old)
    assert register.halted()
    assert register.halts("any", "AAPL")
    register.clear("account", 9, MOMENT)
    assert register.halted(), "a reset that did not know of it leaves it"
    (found,) = register.latched()
    assert found.reason is Reason.REGISTER_ROLLED_BACK
    register.clear("account", 9, MOMENT)
    assert not register.halted()
    assert register.counters()[Slot.GATEWAY] > 4
    with path.open("r+b") as file:
        file.write(now)
    assert register.halted(), "a copy from before the reset is older too"
    register.close()


def test_a_faults_latch_is_later_than_every_reset_before_it(tmp_path: Path) -> None:
    """A node that faults counts no halts: its journal may be what failed."""
    house = House(tmp_path)
    for _ in range(3):
        house.halted("account", HaltLevel.HALT)
        house.reset("account")
    fault = halt("account", 0, level=HaltLevel.KILL, trip="")
    house.register.latch(fault, MOMENT)
    house.start()
    assert house.shown("account") is Posture.KILLED
