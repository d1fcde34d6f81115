"""`fuseboard explain`: why an order was let through or denied, derived again from the journal.

The journal is read and never written, so it works with the gateway up or down.
"""

import argparse
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from fuseboard.app.evidence import journal_file
from fuseboard.app.policy_file import loaded_policy
from fuseboard.app.saying import say, say_json
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.core.explaining import Explained
from fuseboard.core.kernel import Kernel
from fuseboard.journal.reader import records
from fuseboard.policy.loader import Loaded
from fuseboard.policy.policy import canonical_text, digest_of
from fuseboard.policy.yaml_text import PolicyRefused
from fuseboard.vocabulary.effects import AnswerDenied, RecordPolicy, SubmitOrder
from fuseboard.vocabulary.identifiers import OrderIds
from fuseboard.vocabulary.inputs import NodeStarted, OrderRequested, PolicyAdopted
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.records import Record

NOT_FOUND: Final = 1


class Explanation(Struct, frozen=True, kw_only=True):
    """One decision, as `--json` shows it."""

    sequence: int
    order_id: str
    client_order_id: str
    strategy: str
    order: str
    decision: str
    policy: str
    """Digest of the policy that was in force."""
    checks: tuple[Explained, ...]
    lines: dict[str, int]
    """The lines of the policy file, by field, where the file still is that policy."""


class _Decision(Struct, frozen=True):
    """Where in the journal an order was decided."""

    record: Record
    fact: OrderRequested
    order_id: str
    policy: str


def command_explain(options: argparse.Namespace) -> int:
    """Show each check of one order with its numbers. Raises `StateRefused`, `JournalDamaged`."""
    path = journal_file(options)
    decision = _decided(options.order, records(path))
    if decision is None:
        raise StateRefused(
            f"no order {options.order!r} was decided in this journal: give our order id or the"
            " strategy's client order id"
        )
    sequence = decision.record.sequence
    kernel = Kernel()
    for record in records(path, to_sequence=sequence - 1) if sequence > 1 else ():
        kernel.step(record.moment, record.input)
    checks = kernel.explained(decision.record.moment, decision.fact)
    explanation = Explanation(
        sequence=sequence,
        order_id=decision.order_id,
        client_order_id=decision.fact.client_order_id,
        strategy=decision.fact.strategy,
        order=_order_text(decision.fact),
        decision=_decision_text(decision.record),
        policy=decision.policy,
        checks=checks,
        lines=_lines(options, decision.policy),
    )
    if options.json:
        say_json(explanation)
    else:
        _say(explanation)
    return 0


def _decided(wanted: str, journal: Iterable[Record]) -> _Decision | None:
    """The last decision about an order of this id; repeats of it decide nothing."""
    ids = OrderIds(instance="", account="")
    policy = ""
    found: _Decision | None = None
    for record in journal:
        fact = record.input
        if isinstance(fact, NodeStarted):
            ids = OrderIds(instance=fact.instance, account=fact.account)
        elif isinstance(fact, PolicyAdopted):
            taken = [at.accepted for at in record.effects if isinstance(at, RecordPolicy)]
            policy = fact.digest if all(taken) else policy
        elif isinstance(fact, OrderRequested):
            order_id = ids.order_id(fact.strategy, fact.client_order_id)
            decides = any(isinstance(at, SubmitOrder | AnswerDenied) for at in record.effects)
            if wanted in (order_id, fact.client_order_id, ids.wire_prefix + order_id) and decides:
                found = _Decision(record, fact, order_id, policy)
    return found


def _order_text(fact: OrderRequested) -> str:
    words = [fact.side.value, text_from_nanos(fact.quantity_nanos), fact.symbol]
    words.append(fact.order_type.value)
    if fact.limit_price_nanos is not None:
        words.append(f"at {text_from_nanos(fact.limit_price_nanos)}")
    if fact.stop_price_nanos is not None:
        words.append(f"stop {text_from_nanos(fact.stop_price_nanos)}")
    return " ".join([*words, fact.time_in_force.value])


def _decision_text(record: Record) -> str:
    for effect in record.effects:
        if isinstance(effect, AnswerDenied):
            return f"denied: {effect.reason.value}: {effect.message}"
    return "let through"


def _lines(options: argparse.Namespace, digest: str) -> dict[str, int]:
    """The lines of the state's policy file, if it still is the policy that decided."""
    path = StateDirectory(options.state).policy_file
    try:
        loaded: Loaded = loaded_policy(path)
    except (StateRefused, PolicyRefused):
        return {}
    same = digest_of(canonical_text(loaded.policy)) == digest
    return loaded.lines if same else {}


def _say(explanation: Explanation) -> None:
    say(f"{explanation.order_id}  {explanation.strategy}  {explanation.order}")
    say(f"record {explanation.sequence}, policy {explanation.policy[:16]}: {explanation.decision}")
    for at in explanation.checks:
        numbers = f"{at.observed or '-'} | limit {at.limit or '-'}"
        shown = at.why if at.verdict == "skipped" else numbers
        if at.verdict != "skipped" and at.why:
            shown = f"{shown} | {at.why}"
        where = ", ".join(_where(field, explanation.lines) for field in at.fields)
        say(f"  {at.verdict:<8} {at.check:<20} {shown}{f'  [{where}]' if where else ''}")


def _where(field: str, lines: dict[str, int]) -> str:
    line = lines.get(field)
    return field if line is None else f"{field}, line {line}"
