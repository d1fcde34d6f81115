"""A state directory with a past: facts folded by the real kernel into the real journal."""

from fuseboard.control.state_directory import StateDirectory
from fuseboard.halts.block import Slot
from fuseboard.halts.history import append
from fuseboard.halts.register import HaltsRegister
from fuseboard.journal.writer import JournalWriter
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.runtime.build import build
from fuseboard.runtime.recovery import restored
from fuseboard.upkeep.restore import restored_since
from fuseboard.vocabulary.effects import ClearHalt, LatchHalt
from fuseboard.vocabulary.inputs import (
    Input,
    Moment,
    NodeStarted,
    PolicyAdopted,
)
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.records import Record

TEXT = canonical_text(Policy())
ADOPTED = PolicyAdopted(text=TEXT, digest=digest_of(TEXT), operator="start")
SECOND_NS = 10**9


def live(
    state: StateDirectory,
    *facts: Input,
    start: bool = True,
    wall_ns: int = 1_800_000_000 * SECOND_NS,
) -> int:
    """One run of a gateway without a broker: a start, then the facts. The last sequence.

    It begins at `wall_ns`, as its machine's clock says, where no earlier run was later.
    """
    identity = state.identity()
    came_back = restored(state.journal_file)
    recovered = came_back.recovered
    failures: list[BaseException] = []
    writer = JournalWriter(
        state.journal_file,
        last_sequence=recovered.last_sequence,
        last_chain=recovered.last_chain,
        durable=lambda _sequence: None,
        failed=failures.append,
        release=build(),
    )
    register = HaltsRegister(
        state.register_file, Slot.GATEWAY, told=lambda change: append(state.history_file, change)
    )
    latched, unreadable = register.at_start()
    node = NodeStarted(
        instance=identity.instance,
        account=identity.account,
        release=build(),
        latched=latched,
        register_unreadable=unreadable,
        restored=restored_since(state, came_back.kernel.restored_wall_ns()),
    )
    last = recovered.last_moment or Moment(SECOND_NS, wall_ns)
    last = Moment(last.boot_ns, max(last.wall_ns, wall_ns))
    sequence = recovered.last_sequence
    for fact in (*((ADOPTED, node) if start else ()), *facts):
        last = Moment(last.boot_ns + SECOND_NS, last.wall_ns + SECOND_NS)
        effects = came_back.kernel.step(last, fact)
        sequence += 1
        writer.append([Record(sequence, last, fact, effects)])
        for effect in effects:
            if isinstance(effect, LatchHalt):
                register.latch(effect, last)
            if isinstance(effect, ClearHalt):
                register.clear(effect.scope, effect.halt_epoch, last)
    writer.close()
    register.close()
    assert not failures, failures
    return sequence


def halt(scope: str = "account", level: HaltLevel = HaltLevel.HALT) -> OperatorHaltRequested:
    """A person's halt."""
    return OperatorHaltRequested(request=1, operator="ann", reason="x", scope=scope, level=level)
