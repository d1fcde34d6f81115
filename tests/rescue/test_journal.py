"""What was done without a kernel is on disk, and told to the next start."""

import os
from pathlib import Path

import msgspec

from fuseboard.rescue.journal import (
    TOOK_NOTHING,
    GuardianJournal,
    Line,
    closes_told,
    done_runs,
    read_lines,
)
from fuseboard.vocabulary.guardian_inputs import GuardianClose, Sender
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    file = tmp_path / "guardian.jsonl"
    journal = GuardianJournal(file)
    journal.write("missed", run_ns=5)
    journal.close()
    with file.open("ab") as torn:
        torn.write(b'{"act": "do')
    journal = GuardianJournal(file)
    journal.write("done", run_ns=5, detail="x" * 5_000)
    os.fsync(journal._descriptor)
    journal.close()
    lines = read_lines(file)
    assert [line.act for line in lines] == ["missed", "done"]
    assert len(lines[-1].detail) == 2_000
    assert done_runs(lines) == {5}


def test_a_start_is_told_of_no_close_that_took_nothing(tmp_path: Path) -> None:
    file = tmp_path / "guardian.jsonl"
    journal = GuardianJournal(file)
    for number in (1, 2):
        close = GuardianClose(
            at_wall_ns=number, trip="x", order_id=f"o{number}", wire_id=f"w{number}",
            client_order_id=f"close/x/AAPL/{number}", symbol="AAPL", side=Side.SELL,
            quantity_nanos=NANOS, limit_price_nanos=None,
        )  # fmt: skip
        journal.write("close", run_ns=7, close=close)
        if number == 1:
            journal.write(TOOK_NOTHING, run_ns=7, detail=close.client_order_id)
    journal.close()
    assert [close.order_id for close in closes_told(file)] == ["o2"]


def test_a_start_is_told_of_all_closes_since_the_last_one_and_of_a_thousand_at_least(
    tmp_path: Path,
) -> None:
    def line(number: int, run_ns: int) -> Line:
        close = GuardianClose(
            at_wall_ns=number, trip="x", order_id=f"o{number}", wire_id=f"w{number}",
            client_order_id=f"close/x/AAPL/{number}", symbol="AAPL", side=Side.SELL,
            quantity_nanos=NANOS, limit_price_nanos=None,
        )  # fmt: skip
        return Line(act="close", run_ns=run_ns, wall_ns=number, close=close)

    file = tmp_path / "guardian.jsonl"
    for earlier, newest, told in ((5, 1_200, 1_200), (1_200, 3, 1_000), (5, 3, 8), (0, 0, 0)):
        lines = [line(number, 6) for number in range(earlier)]
        lines += [line(number, 7) for number in range(earlier, earlier + newest)]
        lines.append(Line(act="done", run_ns=7, wall_ns=0))
        file.write_bytes(b"\n".join(map(msgspec.json.encode, lines)))
        numbers = [close.at_wall_ns for close in closes_told(file)]
        assert numbers == list(range(earlier + newest))[-told or earlier + newest :]


def test_each_line_and_its_close_say_who_did_it_and_old_ones_are_the_guardians(
    tmp_path: Path,
) -> None:
    file = tmp_path / "guardian.jsonl"
    close = GuardianClose(
        at_wall_ns=1, trip="x", order_id="o1", wire_id="w1", client_order_id="close/x/AAPL/1",
        symbol="AAPL", side=Side.SELL, quantity_nanos=NANOS, limit_price_nanos=None,
    )  # fmt: skip
    for by in Sender:
        journal = GuardianJournal(file, by)
        journal.write("close", run_ns=7, close=close)
        journal.close()
    assert [line.by for line in read_lines(file)] == list(Sender)
    assert [each.sent_by for each in closes_told(file)] == list(Sender)
    old = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    for line in old:
        del line["by"], line["close"]["sent_by"]
    file.write_bytes(b"\n".join(map(msgspec.json.encode, old)))
    assert [line.by for line in read_lines(file)] == [Sender.GUARDIAN] * 2
    assert [each.sent_by for each in closes_told(file)] == [Sender.GUARDIAN] * 2
