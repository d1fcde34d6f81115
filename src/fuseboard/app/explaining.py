"""`fuseboard explain`: why an order was let through or denied, derived again from the journal.

The journal is read and never written, so it works with the gateway up or down.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from fuseboard.app.evidence import journal_file
from fuseboard.app.policy_file import loaded_policy
from fuseboard.app.saying import say, say_json
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.core.explaining import Explained
from fuseboard.core.kernel import Kernel
from fuseboard.journal.reader import records
from fuseboard.policy.keys import key_of
from fuseboard.policy.loader import Loaded
from fuseboard.policy.policy import canonical_text, digest_of
from fuseboard.policy.yaml_text import PolicyRefused
from fuseboard.vocabulary.effects import (
    AnswerDenied,
    AnswerOrder,
    RecordPolicy,
    RecordReplacement,
    SubmitOrder,
)
from fuseboard.vocabulary.identifiers import OrderIds
from fuseboard.vocabulary.inputs import NodeStarted, OrderRequested, PolicyAdopted, ReplaceRequested
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.reasons import SENTENCES
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
    then: "Explanation | None" = None
    """Of a replacement: its second judgement, when the order that it replaces was final."""


class _Decision(Struct, frozen=True):
    """Where in the journal an order was decided."""

    fact: OrderRequested | ReplaceRequested
    order_id: str
    moments: tuple[tuple[Record, str], ...]
    """The record of the decision with the policy's digest; of a replacement that was let through
    also that of its end: sent, or ended unsent.
    """


def command_explain(options: argparse.Namespace) -> int:
    """Show each check of one order with its numbers. Raises `StateRefused`, `JournalDamaged`."""
    path = journal_file(options)
    decision = _decided(options.order, records(path))
    if decision is None:
        raise StateRefused(
            f"no order {options.order!r} was decided in this journal: give our order id or the"
            " strategy's client order id"
        )
    explanation = _explanation(decision, path, options)
    if options.json:
        say_json(explanation)
    else:
        _say(explanation)
    return 0


def _explanation(decision: _Decision, path: Path, options: argparse.Namespace) -> Explanation:
    """Fold the journal, and at each decision let the same checks say what they found."""
    moments = decision.moments
    kernel = Kernel()
    found: list[Explanation] = []
    for record in records(path, to_sequence=moments[-1][0].sequence):
        at, policy = moments[len(found)]
        if record.sequence == at.sequence:
            found.append(
                Explanation(
                    sequence=record.sequence,
                    order_id=decision.order_id,
                    client_order_id=decision.fact.client_order_id,
                    strategy=decision.fact.strategy,
                    order=_order_text(decision.fact),
                    decision=_decision_text(record, decision.order_id),
                    policy=policy,
                    checks=_checks(kernel, record, decision),
                    lines=_lines(options, policy),
                )
            )
        if len(found) < len(moments):
            kernel.step(record.moment, record.input)
    return found[0] if len(found) == 1 else structs.replace(found[0], then=found[1])


def _checks(kernel: Kernel, record: Record, decision: _Decision) -> tuple[Explained, ...]:
    """What each check finds at a record; nothing where the order was not judged by them."""
    if isinstance(decision.fact, OrderRequested):
        return kernel.explained(record.moment, decision.fact)
    judged = dict(kernel.overheard(record.moment, record.input))
    return judged.get(decision.order_id, ())


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
        elif isinstance(fact, OrderRequested | ReplaceRequested):
            order_id = ids.order_id(fact.strategy, fact.client_order_id)
            asked = wanted in (order_id, fact.client_order_id, ids.wire_prefix + order_id)
            if asked and _decides(record):
                found = _Decision(fact, order_id, ((record, policy),))
        elif found is not None and _ends(record, found):
            found = structs.replace(found, moments=(*found.moments, (record, policy)))
    return found


def _decides(record: Record) -> bool:
    """Whether an order was let through or denied here: a repeat is neither."""
    return any(
        isinstance(at, SubmitOrder | AnswerDenied)
        or (isinstance(at, AnswerOrder) and not at.repeated)
        for at in record.effects
    )


def _ends(record: Record, found: _Decision) -> bool:
    """Whether a replacement that was let through is sent here, or ends unsent."""
    return (
        isinstance(found.fact, ReplaceRequested)
        and len(found.moments) == 1
        and any(
            isinstance(at, SubmitOrder | RecordReplacement) and at.order_id == found.order_id
            for at in record.effects
        )
    )


def _order_text(fact: OrderRequested | ReplaceRequested) -> str:
    if isinstance(fact, ReplaceRequested):
        return _replacement_text(fact)
    words = [fact.side.value, text_from_nanos(fact.quantity_nanos), fact.symbol]
    words.append(fact.order_type.value)
    if fact.limit_price_nanos is not None:
        words.append(f"at {text_from_nanos(fact.limit_price_nanos)}")
    if fact.stop_price_nanos is not None:
        words.append(f"stop {text_from_nanos(fact.stop_price_nanos)}")
    return " ".join([*words, fact.time_in_force.value])


def _replacement_text(fact: ReplaceRequested) -> str:
    words = [f"replaces {fact.order_id}"]
    if fact.quantity_nanos is not None:
        words.append(f"quantity {text_from_nanos(fact.quantity_nanos)}")
    if fact.limit_price_nanos is not None:
        words.append(f"at {text_from_nanos(fact.limit_price_nanos)}")
    if fact.stop_price_nanos is not None:
        words.append(f"stop {text_from_nanos(fact.stop_price_nanos)}")
    if fact.time_in_force is not None:
        words.append(fact.time_in_force.value)
    return " ".join(words)


def _decision_text(record: Record, order_id: str) -> str:
    for effect in record.effects:
        if isinstance(effect, AnswerDenied):
            return f"denied: {effect.reason.value}: {effect.message}"
        if isinstance(effect, RecordReplacement) and effect.order_id == order_id:
            return f"not sent: {effect.reason.value}: {SENTENCES[effect.reason]}"
    if isinstance(record.input, ReplaceRequested):
        return "let through: the order that it replaces is cancelled first"
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
    _say_decision(explanation)
    if explanation.then is not None:
        say("\nand when the order that it replaces was final:")
        _say_decision(explanation.then)


def _say_decision(explanation: Explanation) -> None:
    say(f"record {explanation.sequence}, policy {explanation.policy[:16]}: {explanation.decision}")
    if not explanation.checks:
        say("  no check was asked")
    for at in explanation.checks:
        numbers = f"{at.observed or '-'} | limit {at.limit or '-'}"
        shown = at.why if at.verdict == "skipped" else numbers
        if at.verdict != "skipped" and at.why:
            shown = f"{shown} | {at.why}"
        where = ", ".join(_where(field, explanation.lines) for field in at.fields)
        say(f"  {at.verdict:<8} {at.check:<20} {shown}{f'  [{where}]' if where else ''}")


def _where(field: str, lines: dict[str, int]) -> str:
    line, key = lines.get(field), key_of(field)
    return key if line is None else f"{key}, line {line}"
