"""`fuseboard explain` on a journal that a whole loop wrote."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from fuseboard.app.explaining import JUDGEMENTS_MAX
from fuseboard.core.checks.table import TABLE
from fuseboard.journal.reader import records
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.effects import AnswerDenied, Effect, SubmitOrder
from fuseboard.vocabulary.evidence_effects import RecordReplacement
from fuseboard.vocabulary.guardian_inputs import Sender
from fuseboard.vocabulary.inputs import OrderRequested
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.records import Record
from tests.app.command_line import CommandLine
from tests.core.test_guardian_closes import close_of, node
from tests.core.test_replacing import Replacing
from tests.journal.making import writing


@pytest.fixture
def journal(fuseboard: CommandLine) -> Path:
    path = fuseboard.folder / "demo.db"
    assert fuseboard("demo", "crash", "--ticks", "30", "--journal", path).code == 0
    return path


def test_an_order_is_explained_by_either_of_its_ids(fuseboard: CommandLine, journal: Path) -> None:
    explained = 0
    for record in list(records(journal)):
        fact = record.input
        if not isinstance(fact, OrderRequested):
            continue
        done = fuseboard("explain", fact.client_order_id, "--journal", journal, "--json")
        told = done.json()
        assert (done.code, told["sequence"]) == (0, record.sequence)
        assert [line["check"] for line in told["checks"]] == [row.name for row in TABLE]
        denials = [line["check"] for line in told["checks"] if line["verdict"] == "denied"]
        (answer,) = [e for e in record.effects if isinstance(e, SubmitOrder | AnswerDenied)]
        if isinstance(answer, SubmitOrder):
            assert denials == []
            assert told["order_id"] == answer.order_id
            assert fuseboard("explain", answer.order_id, "--journal", journal, "--json") == done
            assert fuseboard("explain", answer.wire_id, "--journal", journal, "--json") == done
        else:
            assert denials[0] == answer.checks[-1]
        explained += 1
    assert explained > 1


def test_it_reads_as_lines_with_numbers_and_fields(fuseboard: CommandLine, journal: Path) -> None:
    orders = [at.input for at in records(journal) if isinstance(at.input, OrderRequested)]
    done = fuseboard("explain", orders[0].client_order_id, "--journal", journal)
    assert done.code == 0
    (line,) = [line for line in done.out.splitlines() if " order_value " in line]
    assert line.startswith("  passed   order_value")
    assert "[risk.limits.max_order_value]" in line


def test_an_order_that_nobody_knows_is_said_to_be_unknown(
    fuseboard: CommandLine, journal: Path
) -> None:
    assert "no order 'nobody' was decided" in fuseboard.refused(
        "explain", "nobody", "--journal", journal
    )


# --- replacements: judged when they are asked for, and when the old order is final ---


class Recorded(Replacing):
    """A desk that replaces orders, and what its journal would hold."""

    def take(self, fact: facts.Input) -> tuple[Effect, ...]:
        effects = super().take(fact)
        moment = facts.Moment(self.now_ns, self.now_ns)
        known: list[Record] = self.__dict__.setdefault("records", [])
        known.append(Record(len(known) + 1, moment, fact, effects))
        return effects

    def journal(self, path: Path) -> Path:
        known: list[Record] = self.__dict__["records"]
        with writing(path) as (writer, watermark):
            writer.append(known)
            watermark.wait_for(len(known))
        return path


def denials(told: dict[str, Any]) -> list[str]:
    return [line["check"] for line in told["checks"] if line["verdict"] == "denied"]


def test_both_judgements_of_a_replacement_are_shown(fuseboard: CommandLine) -> None:
    desk = Recorded(messages_max=50)
    desk.works("old", 100)
    desk.replace("old", "sent", quantity=200)
    desk.ended("old")
    desk.confirm("sent")
    desk.replace("sent", "late", quantity=300)
    desk.quote("AAPL", 230)
    desk.quote("AAPL", 230)
    (end,) = [e for e in desk.ended("sent") if isinstance(e, RecordReplacement)]
    journal = desk.journal(fuseboard.folder / "r.db")

    told = fuseboard("explain", "sent", "--journal", journal, "--json").json()
    assert denials(told) == denials(told["then"]) == []
    assert told["order"] == f"replaces {desk.ids['old']} quantity 200"
    assert told["decision"].startswith("let through: the order that it replaces")
    assert told["then"]["decision"] == "let through"
    values = {line["check"]: line["observed"] for line in told["checks"]}
    assert values["order_value"] == "50000", "200 at 250"
    skipped = {
        line["check"]: line["why"] for line in told["then"]["checks"] if line["why"].startswith("c")
    }
    assert list(skipped) == ["order_rate", "messages"]

    told = fuseboard("explain", desk.ids["late"], "--journal", journal, "--json").json()
    assert denials(told) == []
    assert denials(told["then"])[0] == end.checks[-1] == "price_collar"
    (line,) = [line for line in told["then"]["checks"] if line["check"] == "price_collar"]
    assert (line["observed"], line["limit"]) == (end.observed, end.limit)
    out = fuseboard("explain", "late", "--journal", journal).out
    first, second = out.split("and when the order that it replaces was final:")
    assert " denied " not in first
    assert "not sent: price_collar" in second
    assert "  denied   price_collar" in second


def test_a_replacement_that_is_denied_or_cannot_be_has_one_judgement(
    fuseboard: CommandLine,
) -> None:
    desk = Recorded()
    desk.works("old", 100)
    desk.replace("old", "huge", quantity=1_000_000)
    desk.replace("old", "same", quantity=100)
    digest = desk.kernel.digest()
    journal = desk.journal(fuseboard.folder / "r.db")
    told = fuseboard("explain", "huge", "--journal", journal, "--json").json()
    assert denials(told)[0] == "order_value"
    assert told["then"] is None
    out = fuseboard("explain", "same", "--journal", journal).out
    assert "denied: order_not_replaceable: nothing of it would change" in out
    assert "no check was asked" in out
    assert desk.kernel.digest() == digest, "explaining changes nothing"


def test_an_id_that_was_judged_again_shows_each_judgement_with_its_own_order(
    fuseboard: CommandLine,
) -> None:
    desk = Recorded()
    desk.order(Side.BUY, 100 * NANOS, 240, name="x1")
    desk.order(Side.BUY, 9_999 * NANOS, 240, name="x1")
    desk.order(Side.BUY, 100 * NANOS, 240, name="x2")
    journal = desk.journal(fuseboard.folder / "r.db")
    told = fuseboard("explain", "x1", "--journal", journal, "--json").json()
    assert told["order"].startswith("buy 9999 AAPL")
    assert told["decision"].startswith("denied: ")
    (first,) = told["earlier"]
    assert first["order"].startswith("buy 100 AAPL")
    assert (first["decision"], len(first["checks"])) == ("let through", len(TABLE))
    lines = fuseboard("explain", "x1", "--journal", journal).out.splitlines()
    assert lines[0] == "2 judgements of this id, the oldest first"
    assert lines[1] == f"{told['order_id']}  alpha  {first['order']}"
    assert f"asked for again  alpha  {told['order']}" in lines
    alone = fuseboard("explain", "x2", "--journal", journal).out
    assert "judgements" not in alone


def test_of_an_id_that_is_asked_for_again_and_again_the_first_and_the_newest_are_shown(
    fuseboard: CommandLine,
) -> None:
    desk = Recorded()
    for shares in range(1, JUDGEMENTS_MAX + 4):
        desk.order(Side.BUY, shares * NANOS, 240, name="x1")
    journal = desk.journal(fuseboard.folder / "r.db")
    told = fuseboard("explain", "x1", "--journal", journal, "--json").json()
    orders = [at["order"].split()[1] for at in (*told["earlier"], told)]
    assert orders == ["1", *(str(at) for at in range(5, JUDGEMENTS_MAX + 4))]


@pytest.mark.parametrize(
    ("sender", "who"), [(Sender.GUARDIAN, "the guardian"), (Sender.RESCUE, "a person's rescue")]
)
def test_a_close_of_a_time_without_a_gateway_is_explained_by_who_sent_it(
    fuseboard: CommandLine, sender: Sender, who: str
) -> None:
    desk = Recorded()
    close = structs.replace(close_of("guardian#7"), sent_by=sender)
    older = structs.replace(close_of("guardian#7", 2), at_wall_ns=0)  # an earlier start took it
    desk.take(node(older, close, close))
    journal = desk.journal(fuseboard.folder / "r.db")
    lines = fuseboard("explain", close.wire_id, "--journal", journal).out.splitlines()
    assert lines[0] == f"{close.order_id}  sell 10 AAPL limit at 245 day"
    assert f": sent by {who} at 1970-01-01 00:00:05 UTC while no gateway ran," in lines[1]
    assert lines[2:] == ["  no check was asked"]
    for name in (close.order_id, close.client_order_id):
        told = fuseboard("explain", name, "--journal", journal, "--json").json()
        assert (told["order_id"], told["checks"], told["earlier"]) == (close.order_id, [], [])
    fuseboard.refused("explain", older.order_id, "--journal", journal)
