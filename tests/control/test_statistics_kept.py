"""Statistics over a restart: from wherever they were kept, the records after it are counted too."""

from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from fuseboard.control import statistics_kept
from fuseboard.control.board import Board
from fuseboard.control.state_directory import StateDirectory
from fuseboard.control.statistics import Counting
from fuseboard.control.statistics_kept import Kept, KeptStatistics
from fuseboard.halts.whole_file import write_atomically
from fuseboard.journal.file import create_journal
from fuseboard.journal.recovery import recover
from fuseboard.journal.writer import JournalWriter
from fuseboard.vocabulary.denial_effects import RecordDenials
from fuseboard.vocabulary.effects import AnswerDenied, Effect, RaiseAlert
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.inputs import Moment, TimeAdvanced
from fuseboard.vocabulary.liquidity_effects import RecordLiquidity
from fuseboard.vocabulary.orders import Intent, OrderStatus, Severity
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.records import Record
from tests.control.effects import shown, submit

PATIENCE_S = 20.0
SECOND_NS = 10**9
WALL_NS = 1_800_000_000 * SECOND_NS
LATER_NS = 2 * WALL_NS
"""When the next start is."""


def denied(reason: Reason, symbol: str) -> AnswerDenied:
    return AnswerDenied(request=1, strategy="s", reason=reason, symbol=symbol)


def told(symbol: str, after: str, *, silent: bool = False) -> RecordLiquidity:
    return RecordLiquidity(
        symbol=symbol,
        tier="NORMAL",
        after=after,
        since_wall_ns=WALL_NS,
        score=5_000,
        span_ns=SECOND_NS,
        score_ns=5_000 * SECOND_NS,
        silent=silent,
    )


ROLLED = RaiseAlert(
    severity=Severity.INFO, code=Reason.SESSION_ROLLED, scope="account", text="a session begins"
)
STOPPED = RecordTransition(
    fuse="drawdown:account",
    scope="account",
    before="MONITORING",
    event="BREACHED",
    after="TRIGGERED",
    generation=1,
)
IDS, SYMBOLS = st.sampled_from("123"), st.sampled_from(("AAPL", "MSFT", ""))
EFFECTS: st.SearchStrategy[Effect] = st.one_of(
    IDS.map(submit),
    IDS.map(lambda order_id: submit(order_id, intent=Intent.PLAN)),
    st.builds(shown, IDS, st.sampled_from(OrderStatus)),
    st.builds(
        denied,
        st.sampled_from((Reason.OPERATOR, Reason.THROTTLED, Reason.BROKER_REJECTED)),
        SYMBOLS,
    ),
    st.builds(
        RecordDenials, strategy=st.just("s"), reason=st.just(Reason.THROTTLED), count=IDS.map(int)
    ),
    st.builds(told, SYMBOLS, st.sampled_from(("NORMAL", "EMERGENCY")), silent=st.booleans()),
    st.sampled_from((STOPPED, ROLLED)),
)


class Run:
    """A gateway's journal and board, without a gateway."""

    def __init__(self, folder: Path) -> None:
        self.state = StateDirectory(folder)
        identity = self.state.begin(account="A", now_ns=1)
        create_journal(self.state.journal_file, identity.instance, 1)
        self.state.finish(identity)
        self.records: list[Record] = []

    def happened(self, each: list[list[Effect]]) -> None:
        """A record a second, and what it said."""
        for number, effects in enumerate(each, 1):
            at_ns = number * SECOND_NS
            moment = Moment(at_ns, WALL_NS + at_ns)
            self.records.append(Record(number, moment, TimeAdvanced(), tuple(effects)))
        recovered, failures = recover(self.state.journal_file), list[BaseException]()
        writer = JournalWriter(
            self.state.journal_file,
            last_sequence=0,
            last_chain=recovered.last_chain,
            durable=lambda _sequence: None,
            failed=failures.append,
            release="r",
        )
        if self.records:
            writer.append(self.records)
        writer.close()
        assert not failures

    def counted(self, upto: int) -> Counting:
        """What a run counted that let these records out."""
        now = [WALL_NS + SECOND_NS]
        board = Board(lambda: now[0])
        for record in self.records[:upto]:
            now[0] = record.moment.wall_ns
            for effect in record.effects:
                if isinstance(effect, RaiseAlert):
                    board.page("info", effect.code.value, "account", effect.text)
                else:
                    board.apply(effect)
        return board.counting

    def keep(self, upto: int, instance: str = "") -> None:
        """What a run writes after these records."""
        kept = Kept(
            version=1,
            instance=instance or self.state.identity().instance,
            sequence=upto,
            counting=self.counted(upto),
        )
        self.state.statistics_file.write_bytes(msgspec.json.encode(kept))

    def start(self) -> KeptStatistics:
        return KeptStatistics(self.state, len(self.records), wall_ns=LATER_NS)

    def started(self) -> Counting:
        """What a start counts; what it keeps of that is the same."""
        kept = self.start()
        kept.close()
        written = msgspec.json.decode(self.state.statistics_file.read_bytes(), type=Kept)
        assert (written.sequence, written.counting) == (len(self.records), kept.counting)
        return kept.counting


def without_the_present(counting: Counting) -> Counting:
    return structs.replace(counting, now={})


@settings(max_examples=25, deadline=None)
@given(
    each=st.lists(st.lists(EFFECTS, max_size=4), min_size=1, max_size=12),
    upto=st.integers(0, 12),
)
def test_wherever_it_was_kept_a_start_knows_what_one_long_run_would(
    each: list[list[Effect]], upto: int
) -> None:
    with TemporaryDirectory() as folder:
        run = Run(Path(folder))
        run.happened(each)
        if upto:
            run.keep(min(upto, len(each)))
        assert run.started() == without_the_present(run.counted(len(each)))


MUCH: list[list[Effect]] = [[submit("1")], [submit("2"), denied(Reason.OPERATOR, "AAPL")], []]


def test_what_is_saved_is_what_the_next_start_goes_on_from(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.happened(MUCH)
    first = run.start()
    first.counting.start.account_latches = 7
    first.save(2)
    first.counting.start.account_latches = 8
    first.save(3)
    first.close()
    again = run.started()
    assert (again.start.account_latches, again.start.symbols["AAPL"].submitted) == (8, 2)
    assert again.start.began_wall_ns == WALL_NS + SECOND_NS
    assert (tmp_path / "statistics.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("wrong", ["absent", "damaged", "another's", "of a longer journal"])
def test_without_a_file_of_this_journal_the_journal_alone_is_counted(
    tmp_path: Path, wrong: str
) -> None:
    run = Run(tmp_path)
    run.happened(MUCH)
    file = run.state.statistics_file
    if wrong == "damaged":
        file.write_bytes(b'{"version": 1')
    if wrong == "another's":
        run.keep(2, "someone1")
    if wrong == "of a longer journal":
        run.keep(2)
        run.records = run.records[:1]
    found = run.started()
    assert found == run.counted(len(run.records))


def test_where_too_much_is_to_be_counted_or_it_cannot_be_read_it_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path)
    run.happened(MUCH)
    monkeypatch.setattr(statistics_kept, "RECOUNTED_RECORDS_MAX", 2)
    anew = run.started()
    assert (anew.start.began_wall_ns, anew.start.symbols) == (LATER_NS, {})
    run.keep(1)
    assert run.started() == run.counted(3)
    run.state.statistics_file.unlink()
    run.state.journal_file.unlink()
    assert run.started() == anew


def test_of_what_waits_for_a_disk_that_hangs_the_newest_alone_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path)
    run.happened(MUCH)
    held, wrote = Event(), []

    def hangs(path: Path, content: bytes) -> None:
        held.wait(PATIENCE_S)
        wrote.append(msgspec.json.decode(content, type=Kept).sequence)
        write_atomically(path, content)

    monkeypatch.setattr(statistics_kept, "write_atomically", hangs)
    kept = run.start()  # keeps what it counted, and hangs with that or before it
    for sequence in (1, 2, 3, 2):
        kept.save(sequence)
    held.set()
    kept.close()
    assert len(wrote) <= 1 + statistics_kept.WAITING_MAX
    assert wrote[-1] == 2
    assert msgspec.json.decode(run.state.statistics_file.read_bytes(), type=Kept).sequence == 2


def test_what_cannot_be_written_is_said_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(tmp_path)
    run.happened(MUCH)
    run.state.statistics_file.mkdir()
    run.start().close()
    assert "the statistics cannot be written" in caplog.text
