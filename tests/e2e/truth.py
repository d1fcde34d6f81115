"""What the exchange's ledger and our journal prove about a session, computed from scratch."""

from collections import Counter, defaultdict
from pathlib import Path

from fuseboard.control.state_directory import StateDirectory
from fuseboard.core.kernel import Kernel
from fuseboard.exchange.ledger import LedgerEntry, OrderAccepted, OrderFilled, RequestRefused
from fuseboard.halts.history import verify_history
from fuseboard.journal.reader import lines
from fuseboard.journal.verification import verify
from fuseboard.runtime.replay import replay_lines
from fuseboard.vocabulary.effects import LatchHalt, SubmitOrder
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.orders import Intent, Side
from fuseboard.vocabulary.records import Record


def positions_of(ledger: list[LedgerEntry]) -> dict[str, int]:
    """Every position, by its fills alone; no fill carries one through zero."""
    held: defaultdict[str, int] = defaultdict(int)
    for entry in ledger:
        if not isinstance(entry, OrderFilled):
            continue
        before = held[entry.symbol]
        signed = entry.quantity_nanos if entry.side is Side.BUY else -entry.quantity_nanos
        after = held[entry.symbol] = before + signed
        assert (before >= 0 and after >= 0) or (before <= 0 and after <= 0), (
            f"{entry.symbol} went from {before} to {after} in one fill: {entry}"
        )
        assert after == entry.position_nanos, "the exchange's own count is another"
    return {symbol: quantity for symbol, quantity in held.items() if quantity}


def damage(state: Path) -> list[str]:
    """What `verify` and `replay` find wrong in a state directory, without a process for each."""
    journal = state / "journal.db"
    chain, replayed = verify(journal), replay_lines(lines(journal), Kernel())
    history_ok, _, history_says = verify_history(StateDirectory(state).history_file)
    found = [] if chain.ok else [f"verify: {chain.what}"]
    found += [] if history_ok else [f"verify: {history_says}"]
    return found + ([] if replayed.ok else [f"replay: {replayed.difference}"])


def nothing_twice(ledger: list[LedgerEntry]) -> None:
    """The exchange took no client order id twice."""
    ids = Counter(entry.client_order_id for entry in ledger if isinstance(entry, OrderAccepted))
    assert not [each for each, count in ids.items() if count > 1]


def no_order_was_refused(ledger: list[LedgerEntry]) -> None:
    """The exchange refuses what is larger than a position has free, and an id that it knows: a
    close that was sized or sent twice would show here. A cancel may come late: it is repeated.
    """
    refused = [each for each in ledger if isinstance(each, RequestRefused)]
    assert not [each for each in refused if each.request != "cancel"], refused


def accepted(ledger: list[LedgerEntry], *, opens: bool) -> list[OrderAccepted]:
    return [each for each in ledger if isinstance(each, OrderAccepted) and each.opens is opens]


def closes(ledger: list[LedgerEntry], records: list[Record]) -> list[OrderAccepted]:
    """The orders of liquidation plans that the exchange took."""
    planned = {
        effect.wire_id
        for record in records
        for effect in record.effects
        if isinstance(effect, SubmitOrder) and effect.intent is Intent.PLAN
    }
    return [
        entry
        for entry in ledger
        if isinstance(entry, OrderAccepted) and entry.client_order_id in planned
    ]


def trips(records: list[Record]) -> list[RecordTransition]:
    """Each time that a fuse went to TRIGGERED."""
    return [
        effect
        for record in records
        for effect in record.effects
        if isinstance(effect, RecordTransition)
        and effect.after == "TRIGGERED"
        and effect.before != "TRIGGERED"
    ]


def nothing_opened_after_the_halt(ledger: list[LedgerEntry], records: list[Record]) -> None:
    """Every opening order at the exchange was decided before the first latch, and came in before
    the first order of its plan.
    """
    decided: dict[str, int] = {}
    latched = 0
    for record in records:
        for effect in record.effects:
            if isinstance(effect, LatchHalt) and not latched:
                latched = record.sequence
            if isinstance(effect, SubmitOrder):
                decided[effect.wire_id] = record.sequence
    assert latched, "nothing was latched"
    first_close = min((each.sequence for each in closes(ledger, records)), default=0)
    for entry in accepted(ledger, opens=True):
        assert decided[entry.client_order_id] < latched, f"decided after the halt: {entry}"
        assert not first_close or entry.sequence < first_close, f"arrived after a close: {entry}"
