"""The flash crash study: the rule by hand, signals against the journal, the command end to end."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fuseboard.app import lab_study
from fuseboard.cli import main
from fuseboard.feeds.tapes import daily_prices
from fuseboard.feeds.tapes.by_name import data_folder, tape_by_name
from fuseboard.feeds.tapes.tape import TapeEvent, TapeQuote
from fuseboard.lab.strategies.by_name import NAMES
from fuseboard.lab.study.detection import Detection, Watching
from fuseboard.lab.study.deterioration import (
    WINDOW_NS,
    Point,
    TapeJudged,
    deepest_fall,
    judged,
    wide_stretches,
)
from fuseboard.lab.study.page import PageUnfit, empty_page, filled, stale
from fuseboard.lab.study.rows import TapeRow, asked_of_tape, read_study
from fuseboard.lab.study.shown import clock
from fuseboard.lab.study.tapes import TAPES, Grain, Kind, StudyTape, period_of, record_of
from fuseboard.lab.terms import TrialTerms
from fuseboard.lab.trial import run_trial
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary.money import NANOS
from tests.lab.markets import LOOSE, OPENS_NS, crash, options, quote, tape_of

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "flash-crash-study.md"
POLICY = ROOT / "examples" / "flash-crash-policy.yaml"
MINUTE_NS = 60 * NANOS
CRASH = "flash-crash@14:44:30-14:45:30"
CALM = "normal@10:00:00-10:00:20"
WATCHED = structs.replace(
    LOOSE,
    losses=(LossRule(limit_nanos=NANOS // 20, warning_nanos=NANOS * 3 // 100),),
    liquidity=LiquidityRules(enabled=True),
)


def looked(*quotes: TapeQuote) -> TapeJudged:
    events: list[TapeEvent] = list(quotes)
    return judged(tape_of(events), "by hand")


def after(judgement: TapeJudged) -> tuple[int, ...]:
    """Beginning, visible, end: seconds after the opening; -1 for never."""
    times = judgement.began_ns, judgement.visible_ns, judgement.ended_ns
    return tuple((at_ns - OPENS_NS) // NANOS if at_ns else -1 for at_ns in times)


def at(second: int, bid: int, ask: int) -> TapeQuote:
    return quote(second * NANOS, bid, ask)


# --- deterioration -------------------------------------------------------------------------------


def test_it_begins_at_the_peak_is_visible_a_percent_below_and_ends_when_half_is_made_good() -> None:
    fell = looked(
        at(0, 990, 990),
        at(60, 1_000, 1_000),
        at(90, 991, 991),
        at(120, 990, 990),
        at(300, 900, 900),
        at(400, 949, 949),
        at(500, 950, 950),
        at(600, 1_200, 1_200),
    )
    assert after(fell) == (60, 120, 500)
    assert fell.deepest_nanos == NANOS // 10
    assert [each.symbol for each in fell.fell] == ["AAA"]


def test_a_fall_that_is_not_deep_or_not_fast_is_none() -> None:
    shallow = looked(at(0, 1_000, 1_000), at(60, 971, 971))
    assert after(shallow) == (-1, -1, -1)
    assert shallow.deepest_nanos == 29 * NANOS // 1_000
    assert after(looked(at(0, 1_000, 1_000), at(60, 970, 970)))[0] == 0
    slow = looked(*(at(step * 901, 1_000 - 14 * step, 1_000 - 14 * step) for step in range(10)))
    assert after(slow) == (-1, -1, -1)


def test_without_a_recovery_it_ends_half_an_hour_after_the_trough_or_with_the_tape() -> None:
    quotes = [at(0, 1_000, 1_000), at(10, 900, 900)]
    assert after(looked(*quotes, at(1_500, 901, 901)))[2] == 1_500
    assert after(looked(*quotes, at(5_000, 901, 901)))[2] == 1_810


CALM_QUOTES = [at(60 * minute, 9_999, 10_001) for minute in range(20)]


WIDE = (9_900, 10_100)


@pytest.mark.parametrize(
    ("wide", "began"),
    [
        ([at(1_200, *WIDE), at(1_205, *WIDE), at(1_211, *WIDE)], 1_200),
        ([at(1_200, *WIDE), at(1_206, *WIDE), at(1_212, 0, 10_100)], 1_200),
        ([at(1_200, *WIDE), at(1_211, *WIDE)], 1_221),  # two quotes
        ([*(at(1_200 + late, *WIDE) for late in (0, 2, 4)), at(1_209, 9_999, 10_001)], 1_221),
        ([at(1_200 + late, 9_991, 10_009) for late in (0, 6, 12)], 1_221),  # under 0.2 %
    ],
)
def test_a_wide_stretch_begins_it_before_the_peak_does(wide: list[TapeQuote], began: int) -> None:
    end = [at(1_220, 9_999, 10_001), at(1_221, 9_999, 10_001), at(1_300, 9_000, 9_002)]
    assert after(looked(*CALM_QUOTES, *wide, *end))[0] == began


def test_what_is_usual_must_be_known_before_anything_is_wide() -> None:
    points = [(step * 10 * NANOS, 10_000_000) for step in range(9)]
    assert wide_stretches([*points, *[(NANOS * (100 + s), NANOS // 2) for s in range(20)]]) == []
    long = [(step * 70 * NANOS, 100_000) for step in range(10)]
    wide = [(NANOS * (700 + 6 * s), NANOS // 2) for s in range(4)]
    assert wide_stretches([*long, *wide]) == [700 * NANOS]


@given(st.lists(st.tuples(st.integers(1, 900), st.integers(1, 60)), max_size=40))
def test_the_deepest_fall_is_that_of_all_pairs_within_the_window(steps: list[Point]) -> None:
    points, now_ns = [], 0
    for gap, price in steps:
        now_ns += gap * NANOS
        points.append((now_ns, price))
    pairs = [
        (peak, low)
        for index, (peak_ns, peak) in enumerate(points)
        for low_ns, low in points[index:]
        if low_ns - peak_ns <= WINDOW_NS and low < peak
    ]
    fall = deepest_fall(points)
    assert (fall is None) == (not pairs)
    if fall is None:
        return
    assert 0 < fall.trough_ns - fall.peak_ns <= WINDOW_NS
    assert (fall.peak_ns, fall.peak_nanos) in points
    assert (fall.trough_ns, fall.trough_nanos) in points
    found = fall.peak_nanos - fall.trough_nanos
    assert all(found * peak >= (peak - low) * fall.peak_nanos for peak, low in pairs)


@pytest.mark.skipif(not data_folder().is_dir(), reason="no recorded tapes: set FUSEBOARD_DATA")
@pytest.mark.parametrize(
    ("name", "fell"),
    [("us-equity-2010-05-06:AAPL", True), ("us-equity-2010-04-14:PG", False)],
)
def test_the_rule_finds_the_sixth_of_may_and_nothing_on_a_calm_day(name: str, fell: bool) -> None:
    found = judged(tape_by_name(name), name)
    assert ("AAPL" in [each.symbol for each in found.fell]) == fell
    assert bool(found.began_ns) == fell


# --- detection -----------------------------------------------------------------------------------


def test_signals_are_those_of_the_journal_and_what_came_before_is_no_detection() -> None:
    tape = crash(seconds=60)
    judgement = judged(tape, "crash")
    watching = Watching(judgement, WATCHED.liquidity)
    result = run_trial(tape, options("hold", WATCHED), keep=watching.keep)
    found = watching.detection()
    assert judgement.began_ns < judgement.visible_ns < judgement.ended_ns
    assert found.first_ns["trip"] == result.figures.first_trip_ns
    warned = [mark for mark in result.marks if mark.code == "limit_near" and "loss" in mark.text]
    told = [mark.at_ns for mark in result.marks if mark.text.endswith("MONITORING -> WARNING")]
    assert found.first_ns["loss"] == min([*told, *(mark.at_ns for mark in warned)])
    late = Watching(
        structs.replace(judgement, began_ns=judgement.ended_ns, ended_ns=judgement.ended_ns + 1),
        WATCHED.liquidity,
    )
    run_trial(tape, options("hold", WATCHED), keep=late.keep)
    assert late.detection().earlier["trip"] == 1
    assert "trip" not in late.detection().first_ns


def test_what_the_beginning_meets_is_no_signal_of_it() -> None:
    wide = [at(second, 990, 1_010) for second in range(60)]
    fall = [at(60 + second, 1_000 - 3 * second, 1_001 - 3 * second) for second in range(40)]
    tape = tape_of([*wide, *fall, at(120, 881, 882)])
    judgement = structs.replace(judged(tape, "wide"), began_ns=OPENS_NS + 30 * NANOS)
    watching = Watching(judgement, WATCHED.liquidity)
    run_trial(tape, options("hold", WATCHED), keep=watching.keep)
    found = watching.detection()
    assert "spread" not in found.first_ns
    assert found.held == ("spread",)
    assert found.earlier["spread"] == 1


def spreads_seen(*quotes: tuple[int, int, int], ends_s: int = 60) -> Detection:
    """Of quotes (second, bid, ask) in a fall that begins after ten seconds."""
    tape = tape_of([at(second, bid, ask) for second, bid, ask in quotes])
    judgement = structs.replace(
        judged(crash(seconds=60), "crash"),
        symbols=tape.symbols,
        fell=(),
        began_ns=OPENS_NS + 10 * NANOS,
        ended_ns=OPENS_NS + ends_s * NANOS,
    )
    watching = Watching(judgement, WATCHED.liquidity)
    run_trial(tape, options("hold", WATCHED), keep=watching.keep)
    return watching.detection()


def test_a_signal_after_the_end_is_none_and_a_crossed_quote_is_no_wide_one() -> None:
    calm = [(second, 999, 1_001) for second in range(1, 30)]
    assert "spread" in spreads_seen(*calm, (40, 900, 1_000), (50, 999, 1_001)).first_ns
    assert (
        "spread" not in spreads_seen(*calm, (40, 900, 1_000), (50, 999, 1_001), ends_s=35).first_ns
    )
    assert "spread" not in spreads_seen(*calm, (40, 1_000, 900)).first_ns
    held = (5, 900, 1_000), (20, 1_000, 900), (21, 900, 1_000)
    assert "spread" in spreads_seen(*held).held
    assert "spread" not in spreads_seen(*held).first_ns, "a crossed quote does not begin it anew"


def test_the_trials_of_a_calm_tape_that_tells_a_spread_are_also_played_with_more_cash() -> None:
    def equities(kind: Kind, grain: Grain, *, recorded: bool = True) -> list[int]:
        tape = StudyTape(name="any", kind=kind, grain=grain, recorded=recorded)
        asked = asked_of_tape(tape, "", TrialTerms())
        return [each.equity_nanos // NANOS for each in asked if each.equity_nanos > 10**5 * NANOS]

    assert equities(Kind.CALM, Grain.BOOK) == [400_000, 400_000]
    assert not equities(Kind.CRASH, Grain.BOOK)
    assert not equities(Kind.CALM, Grain.BARS)
    assert not equities(Kind.CALM, Grain.GENERATED, recorded=False)
    assert not equities(Kind.DAYS, Grain.DAILY)
    assert not equities(Kind.CALM, Grain.DAILY)


def test_days_on_end_are_played_with_the_gate_and_without_by_each_strategy_and_nothing_more() -> (
    None
):
    days = [tape for tape in TAPES if tape.kind is Kind.DAYS]
    played = [asked_of_tape(tape, "", TrialTerms()) for tape in days]
    ways = sorted((name, way) for name in NAMES for way in (False, True))
    assert all(sorted((each.strategy, each.protected) for each in of) == ways for of in played)
    bases = dict.fromkeys(record_of(tape.name) for tape in days)
    files = [name.name for name in daily_prices.NAMES]
    assert sorted(bases) == sorted([*files, "lean-spy-daily", "spy-5min", "us-equity-2010"])


@pytest.mark.skipif(not data_folder().is_dir(), reason="no recorded tapes: set FUSEBOARD_DATA")
@pytest.mark.parametrize("record", ["daily-sp500", "lean-spy-daily", "daily-vix"])
def test_the_years_of_a_record_are_all_of_it_and_nothing_more(record: str) -> None:
    played = [tape.name for tape in TAPES if tape.name.startswith(f"{record}@")]
    whole = tape_by_name(record).session
    years = [
        datetime.fromtimestamp(at_ns // NANOS, UTC).year
        for at_ns in (whole.open_ns, whole.close_ns)
    ]
    assert [period_of(name) for name in played] == [
        str(year) for year in range(years[0], years[1] + 1)
    ]


def test_a_part_of_a_record_is_named_by_its_year_or_month() -> None:
    names = "daily-vix@2005-01-01..2005-12-31", "spy-5min@2020-03-01..2020-03-31"
    assert [(record_of(name), period_of(name)) for name in names] == [
        ("daily-vix", "2005"),
        ("spy-5min", "2020-03"),
    ]
    assert (record_of("us-equity-2010-05"), period_of("us-equity-2010-05")) == (
        "us-equity-2010",
        "2010-05",
    )
    month = [tape.name for tape in TAPES if record_of(tape.name) == "spy-5min" and "@" in tape.name]
    assert (len(month), month[0], month[25]) == (
        36,
        "spy-5min@2018-01-01..2018-01-31",
        "spy-5min@2020-02-01..2020-02-29",
    )


def test_a_time_of_many_days_on_end_has_its_day() -> None:
    row = TapeRow(name="d", kind=Kind.DAYS, grain=Grain.BARS, recorded=True)
    assert clock(row, OPENS_NS) == "2025-06-02 10:00:00"
    assert clock(structs.replace(row, kind=Kind.CRASH), OPENS_NS) == "10:00:00"


def test_an_alert_near_a_limit_of_losses_is_told_from_others() -> None:
    """The text is what tells: this holds as long as nearness spells the key so."""
    tape, policy = crash(seconds=60), WATCHED
    watching = Watching(judged(tape, "crash"), policy.liquidity)
    result = run_trial(tape, options("hold", policy), keep=watching.keep)
    near = [mark.text for mark in result.marks if mark.code == "limit_near"]
    assert any("(loss_limits)" in text for text in near), near


# --- the command ---------------------------------------------------------------------------------


def short(name: str, kind: Kind) -> StudyTape:
    return StudyTape(name=name, kind=kind, grain=Grain.GENERATED, recorded=False)


def test_the_study_runs_once_is_reused_checked_and_found_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = StudyTape(name="lobster:no-such.zip", kind=Kind.CALM, grain=Grain.BOOK)
    tapes = (short(CRASH, Kind.CRASH), short(CALM, Kind.CALM), absent)
    monkeypatch.setattr(lab_study, "TAPES", tapes)
    out, page, policy = tmp_path / "out", tmp_path / "page.md", tmp_path / "policy.yaml"
    policy.write_text(POLICY.read_text())
    page.write_text(PAGE.read_text())
    words = ["lab", "study", "--policy", str(policy), "--out", str(out), "--page", str(page)]

    def told(*more: str) -> tuple[int, str]:
        code = main([*words, *more])
        said = capsys.readouterr()
        return code, said.out + said.err

    code, said = told("--jobs", "2")
    assert code == 0, said
    assert "absent  lobster:no-such.zip: " in said
    assert "20 trials, 0 of them there already" in said
    assert (out / "study.html").stat().st_size > 10_000
    study = read_study(out / "study.json")
    rows = {(row.tape, row.strategy, row.protected, row.left_takes): row for row in study.rows}
    trip = rows[CRASH, "hold", True, False]
    assert trip.figures is not None
    assert trip.detection is not None
    assert trip.figures.trips == ("trip" in trip.detection.first_ns)
    assert f"| `{CRASH}` | hold | " in page.read_text()

    assert told("--check") == (0, f"{page}: 20 trials, every table fresh\n")
    fresh = page.read_text()
    page.write_text(fresh.replace("| hold | ", "| hold |  ", 1))
    code, said = told("--check")
    assert code == 1
    assert "STALE table crash is not that of the results" in said
    page.write_text(fresh)
    policy.write_text(POLICY.read_text().replace("hard: 5%", "hard: 6%"))
    code, said = told("--check")
    assert code == 1
    assert "STALE the results are of another policy" in said
    policy.write_text(POLICY.read_text())

    (out / "trials" / "normal.10.00.00-10.00.20.hold.gate.row.json").unlink()
    code, said = told("--tape", CRASH, "--tape", CALM)
    assert code == 0
    assert "20 trials, 19 of them there already" in said
    again = read_study(out / "study.json")
    assert [row.digest for row in again.rows] == [row.digest for row in study.rows]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--tape", "nonsense"], "'nonsense' is no tape of the study: use us-equity-2010-05-06"),
        (["--page", "no-such-page.md"], "there is no page no-such-page.md"),
        (["--check"], "run `fuseboard lab study` without --check first"),
        (["--jobs", "65"], "from 1 to 64 jobs"),
    ],
)
def test_what_cannot_be_studied_is_refused_with_what_to_do(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["lab", "study", "--policy", str(POLICY), "--out", str(tmp_path / "out"), *words]
    assert main(asked) == 1
    assert complaint in capsys.readouterr().err


# --- the page ------------------------------------------------------------------------------------


def test_tables_are_put_between_their_markers_and_nothing_else_changes() -> None:
    tables = {"one": "| a |", "two": "| b |"}
    page = f"before\n{empty_page(tables)}after\n"
    assert stale(page, tables) == ["one", "two"]
    full = filled(page, tables)
    assert stale(full, tables) == []
    assert filled(full, tables) == full
    assert stale(full, {**tables, "two": "| c |"}) == ["two"]
    assert full.startswith("before\n")
    assert full.endswith("after\n")
    with pytest.raises(PageUnfit, match="one place for each table"):
        filled(page, {**tables, "three": ""})


def test_the_tapes_are_named_once_and_the_policy_is_as_the_page_says() -> None:
    names = [tape.name for tape in TAPES]
    assert len(names) == len(dict.fromkeys(names))
    generated = [tape.name for tape in TAPES if not tape.recorded]
    assert [tape_by_name(name).name for name in generated] == generated
    assert msgspec.json.encode(TAPES)
    assert isinstance(WATCHED, Policy)
