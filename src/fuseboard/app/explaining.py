"""`fuseboard explain`: why an order was let through or denied, derived again from the journal.

The journal is read and never written, so it works with the gateway up or down.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from fuseboard.app.evidence import journal_file
from fuseboard.control.policy_file import loaded_policy
from fuseboard.control.saying import say, say_json
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.core.explaining import Explained
from fuseboard.core.kernel import Kernel
from fuseboard.journal.reader import records
from fuseboard.policy.keys import key_of
from fuseboard.policy.loader import Loaded
from fuseboard.policy.policy import canonical_text, digest_of
from fuseboard.policy.yaml_text import PolicyRefused
from fuseboard.vocabulary.effects import AnswerDenied, AnswerOrder, PublishOrder, SubmitOrder
from fuseboard.vocabulary.evidence_effects import RecordPolicy, RecordReplacement
from fuseboard.vocabulary.guardian_inputs import NAMED, GuardianClose
from fuseboard.vocabulary.identifiers import OrderIds, is_foreign_order_id
from fuseboard.vocabulary.inputs import NodeStarted, OrderRequested, PolicyAdopted, ReplaceRequested
from fuseboard.vocabulary.money import text_from_nanos
from fuseboard.vocabulary.reasons import SENTENCES
from fuseboard.vocabulary.records import Record
from fuseboard.vocabulary.wall_time import shown_utc

JUDGEMENTS_MAX: Final = 10
"""Of one id that is asked for again and again, the first and the newest are explained."""


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
    earlier: "tuple[Explanation, ...]" = ()
    """The judgements of the same id before this one, the oldest first."""


class _Decision(Struct, frozen=True):
    """Where in the journal an order was decided."""

    fact: OrderRequested | ReplaceRequested | GuardianClose
    order_id: str
    moments: tuple[tuple[Record, str], ...]
    """The record of the decision with the policy's digest; of a replacement that was let through
    also that of its end: sent, or ended unsent. Of a close that was sent while no gateway ran, the
    record of the start that took it into the book.
    """


def command_explain(options: argparse.Namespace) -> int:
    """Show each check of one order with its numbers. Raises `StateRefused`, `JournalDamaged`."""
    path = journal_file(options)
    decisions = _decided(options.order, records(path))
    foreign = None if decisions else _adopted(options.order, records(path))
    if foreign is not None:
        explanation = foreign
    elif decisions:
        *earlier, last = _explanations(decisions, path, options)
        explanation = structs.replace(last, earlier=tuple(earlier))
    else:
        raise StateRefused(
            f"no order {options.order!r} was decided in this journal: give our order id or the"
            " strategy's client order id"
        )
    if options.json:
        say_json(explanation)
    else:
        _say(explanation)
    return 0


def _adopted(wanted: str, found: Iterable[Record]) -> Explanation | None:
    """A foreign order that was adopted, by our order id or the broker's client order id."""
    policy = ""
    for record in found:
        for effect in record.effects:
            if isinstance(effect, RecordPolicy) and effect.accepted:
                policy = effect.digest
            elif (
                isinstance(effect, PublishOrder)
                and is_foreign_order_id(effect.order_id)
                and wanted in (effect.order_id, effect.client_order_id)
            ):
                words = [effect.side.value, text_from_nanos(effect.quantity_nanos), effect.symbol]
                return Explanation(
                    sequence=record.sequence,
                    order_id=effect.order_id,
                    client_order_id=effect.client_order_id,
                    strategy="foreign",
                    order=" ".join([*words, effect.order_type.value]),
                    decision="adopted: it was placed at the broker, not through the gateway",
                    policy=policy,
                    checks=(),
                    lines={},
                )
    return None


def _explanations(
    decisions: list[_Decision], path: Path, options: argparse.Namespace
) -> list[Explanation]:
    """Fold the journal, and at each decision let the same checks say what they found."""
    wanted: dict[int, list[tuple[int, str]]] = {}
    for number, decision in enumerate(decisions):
        for record, policy in decision.moments:
            wanted.setdefault(record.sequence, []).append((number, policy))
    kernel, last = Kernel(), max(wanted)
    found: list[Explanation | None] = [None] * len(decisions)
    for record in records(path, to_sequence=last):
        for number, policy in wanted.get(record.sequence, ()):
            decision, first = decisions[number], found[number]
            told = _explained(kernel, record, decision, policy, options)
            found[number] = told if first is None else structs.replace(first, then=told)
        if record.sequence < last:
            kernel.step(record.moment, record.input)
    return [told for told in found if told is not None]


def _explained(
    kernel: Kernel, record: Record, decision: _Decision, policy: str, options: argparse.Namespace
) -> Explanation:
    return Explanation(
        sequence=record.sequence,
        order_id=decision.order_id,
        client_order_id=decision.fact.client_order_id,
        strategy=_strategy(decision.fact),
        order=_order_text(decision.fact),
        decision=_decision_text(record, decision),
        policy=policy,
        checks=_checks(kernel, record, decision),
        lines=_lines(options, policy),
    )


def _checks(kernel: Kernel, record: Record, decision: _Decision) -> tuple[Explained, ...]:
    """What each check finds at a record; nothing where the order was not judged by them."""
    if isinstance(decision.fact, GuardianClose):
        return ()
    if isinstance(decision.fact, OrderRequested):
        return kernel.explained(record.moment, decision.fact)
    judged = dict(kernel.overheard(record.moment, record.input))
    return judged.get(decision.order_id, ())


def _decided(wanted: str, journal: Iterable[Record]) -> list[_Decision]:
    """The decisions about orders of this id, oldest first; repeats of it decide nothing.

    One id is decided more than once where what was denied is tried again, and where another order
    is asked for under the id of one that was let through.
    """
    ids = OrderIds(instance="", account="")
    policy = ""
    found: list[_Decision] = []
    for record in journal:
        fact = record.input
        if isinstance(fact, NodeStarted):
            ids = OrderIds(instance=fact.instance, account=fact.account)
            found += [
                _Decision(at, at.order_id, ((record, policy),)) for at in _taken(record, wanted)
            ]
        elif isinstance(fact, PolicyAdopted):
            taken = [at.accepted for at in record.effects if isinstance(at, RecordPolicy)]
            policy = fact.digest if all(taken) else policy
        elif isinstance(fact, OrderRequested | ReplaceRequested):
            order_id = ids.order_id(fact.strategy, fact.client_order_id)
            asked = wanted in (order_id, fact.client_order_id, ids.wire_prefix + order_id)
            if asked and _decides(record):
                found.append(_Decision(fact, order_id, ((record, policy),)))
                if len(found) > JUDGEMENTS_MAX:
                    del found[1]
        else:
            for at, decision in enumerate(found):
                if _ends(record, decision):
                    moments = (*decision.moments, (record, policy))
                    found[at] = structs.replace(decision, moments=moments)
    return found


def _taken(record: Record, wanted: str) -> list[GuardianClose]:
    """What was sent under this id while no gateway ran, and a start took into the book."""
    fact = record.input
    closes = fact.guardian_closes if isinstance(fact, NodeStarted) else ()
    shown = {at.order_id for at in record.effects if isinstance(at, PublishOrder)}
    asked = [at for at in closes if wanted in (at.order_id, at.client_order_id, at.wire_id)]
    return [at for at in asked if at.order_id in shown][:1]  # sent again it is the same order


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


def _strategy(fact: OrderRequested | ReplaceRequested | GuardianClose) -> str:
    return "" if isinstance(fact, GuardianClose) else fact.strategy


def _order_text(fact: OrderRequested | ReplaceRequested | GuardianClose) -> str:
    if isinstance(fact, ReplaceRequested):
        return _replacement_text(fact)
    words = [fact.side.value, text_from_nanos(fact.quantity_nanos), fact.symbol]
    if isinstance(fact, GuardianClose):
        limit = fact.limit_price_nanos
        price = "market" if limit is None else f"limit at {text_from_nanos(limit)}"
        return " ".join([*words, price, fact.time_in_force.value])
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


def _decision_text(record: Record, decision: _Decision) -> str:
    close, order_id = decision.fact, decision.order_id
    if isinstance(close, GuardianClose):
        return (
            f"sent by {NAMED[close.sent_by]} at {shown_utc(close.at_wall_ns)} while no gateway ran,"
            f" for {close.trip}; this start took it into the book"
        )
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
    if explanation.earlier:
        say(f"{len(explanation.earlier) + 1} judgements of this id, the oldest first")
    for number, at in enumerate((*explanation.earlier, explanation)):
        name = "\nasked for again" if number else at.order_id
        say("  ".join(word for word in (name, at.strategy, at.order) if word))
        _say_decision(at)
        if at.then is not None:
            say("\nand when the order that it replaces was final:")
            _say_decision(at.then)


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
