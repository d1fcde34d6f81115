"""What the study's trials come to together, against four tapes worked out by hand."""

from msgspec import structs

from fuseboard.lab.result import Figures, Orders
from fuseboard.lab.study.averages import (
    false_positives,
    first_delays,
    held_before,
    kept_of,
    pairs_of,
)
from fuseboard.lab.study.detection import SIGNALS, Detection
from fuseboard.lab.study.deterioration import TapeJudged
from fuseboard.lab.study.rows import Study, StudyRow, TapeRow
from fuseboard.lab.study.tables import FALSE_NANOS, KEPT_NANOS, tables
from fuseboard.lab.study.tapes import LEFT_OUT, Grain, Kind
from fuseboard.vocabulary.money import NANOS

SECOND = NANOS
PERCENT = NANOS // 100
BEGAN_NS = 1_273_150_000 * SECOND
"""Whatever: 6 May 2010."""


def judged(name: str, *, fell: bool) -> TapeJudged:
    began_ns = BEGAN_NS if fell else 0
    return TapeJudged(
        name=name,
        describes="by hand",
        symbols=("AAA",),
        digest="",
        quotes=10,
        trades=10,
        open_ns=BEGAN_NS - 60 * SECOND,
        close_ns=BEGAN_NS + 600 * SECOND,
        deepest_nanos=10 * PERCENT if fell else PERCENT,
        fell=(),
        began_ns=began_ns,
        visible_ns=began_ns + 4 * SECOND if fell else 0,
        ended_ns=began_ns + 500 * SECOND if fell else 0,
    )


def tape(name: str, kind: Kind, grain: Grain = Grain.TRADES) -> TapeRow:
    fell = kind is Kind.CRASH
    return TapeRow(name=name, kind=kind, grain=grain, recorded=True, judged=judged(name, fell=fell))


def figures(kept: int, drawdown: int, orders: Orders, tiers: dict[str, int]) -> Figures:
    return Figures(
        equity_first_nanos=100_000 * NANOS,
        equity_last_nanos=1_000 * kept * NANOS,
        capital_kept_nanos=kept * PERCENT,
        worst_drawdown_nanos=drawdown * PERCENT,
        worst_drawdown_ns=0,
        orders=orders,
        tier_changes=3,
        tier_changes_an_hour_nanos=3 * NANOS,
        tier_ns={name: seconds * SECOND for name, seconds in tiers.items()},
        emergencies=0,
        posture_ns={},
        trips=1,
        first_trip_ns=0,
        liquidations=(),
        events=20,
        inputs=20,
    )


def both(
    where: str,
    strategy: str,
    gate: Figures,
    bare: Figures,
    seen: dict[str, int],
    before: int = 0,
    held: tuple[str, ...] = (),
) -> tuple[StudyRow, ...]:
    """`seen` is seconds after the beginning, `before` counts trips."""
    found = Detection(
        first_ns={name: BEGAN_NS + seconds * SECOND for name, seconds in seen.items()},
        earlier={**dict.fromkeys(SIGNALS, 0), "trip": before},
        held=held,
    )
    row = StudyRow(
        tape=where,
        strategy=strategy,
        protected=True,
        left_takes=False,
        equity_nanos=100_000 * NANOS,
        key="",
        figures=gate,
        detection=found,
    )
    return row, structs.replace(row, protected=False, figures=bare, detection=None)


def orders(submitted: int, skipped: int, resized: int, taken_back: int = 0) -> Orders:
    return Orders(
        submitted=submitted,
        allowed=submitted - skipped,
        resized=resized,
        taken_back=taken_back,
        denied=skipped,
        skipped=skipped,
    )


YEAR, OTHER = "year@2008-01-01..2008-12-31", "year@2009-01-01..2009-12-31"
MANY, FEW = orders(1_000, 6, 4, 500), orders(20, 3, 2, 1)
LARGER = orders(40, 9, 11)
TIERS = {"NORMAL": 60, "CAUTIOUS": 30, "DEFENSIVE": 8, "EMERGENCY": 2}
STUDY = Study(
    policy="by hand",
    policy_digest="",
    build="",
    equity_nanos=100_000 * NANOS,
    seed=1,
    tapes=(
        tape("fell", Kind.CRASH),
        tape("calm", Kind.CALM),
        tape("calm-bars", Kind.CALM, Grain.BARS),
        structs.replace(tape(YEAR, Kind.DAYS, Grain.DAILY), note="an index", alone=True),
        structs.replace(tape(OTHER, Kind.DAYS, Grain.DAILY), note="an index"),
        structs.replace(tape("gone", Kind.DAYS, Grain.DAILY), note="gone", judged=None),
    ),
    rows=(
        *both(
            YEAR,
            "hold",
            figures(
                50,
                60,
                structs.replace(
                    orders(30, 20, 1), denials={"session_closed": 12, "posture": 12, "x": 2}
                ),
                {"EMERGENCY": 10_000},
            ),
            figures(40, 70, orders(31, 0, 0), {}),
            {"tier": 1},
            before=1,
        ),
        *both(OTHER, "hold", figures(99, 1, orders(1, 0, 0), {}), figures(98, 2, FEW, {}), {}),
        *both(
            "fell",
            "hold",
            figures(95, 6, MANY, TIERS),
            figures(90, 20, MANY, {}),
            {"tier": 30, "loss": 10},
        ),
        *both(
            "fell",
            "momentum",
            figures(88, 8, MANY, TIERS),
            figures(94, 7, MANY, {}),
            {},
            1,
            ("tier",),
        ),
        *both(
            "fell", "dip-buyer", figures(90, 1, MANY, TIERS), figures(92, 9, MANY, {}), {"trip": 8}
        ),
        *both("calm", "hold", figures(100, 1, FEW, TIERS), figures(100, 1, FEW, {}), {}),
        structs.replace(
            both("calm", "hold", figures(100, 1, LARGER, TIERS), figures(100, 1, FEW, {}), {})[0],
            equity_nanos=400_000 * NANOS,
        ),
        *both("calm", "momentum", figures(100, 1, MANY, TIERS), figures(100, 1, MANY, {}), {}),
        *both("calm-bars", "hold", figures(100, 1, FEW, TIERS), figures(100, 1, FEW, {}), {}),
    ),
    wall_ns=0,
    reused=0,
    jobs=1,
)


def test_what_was_kept_is_averaged_and_the_worst_is_the_worst() -> None:
    kept = kept_of(pairs_of(STUDY, Kind.CRASH), KEPT_NANOS)
    assert kept is not None
    assert (kept.pairs, kept.gate_nanos, kept.bare_nanos) == (3, 91 * PERCENT, 92 * PERCENT)
    assert (kept.gate_lowest_nanos, kept.bare_lowest_nanos) == (88 * PERCENT, 90 * PERCENT)
    assert (kept.gate_reached, kept.bare_reached, kept.cost_money) == (1, 1, 2)
    assert (kept.gate_drawdown_nanos, kept.bare_drawdown_nanos) == (5 * PERCENT, 12 * PERCENT)
    assert (kept.gate_drawdown_worst_nanos, kept.bare_drawdown_worst_nanos) == (
        8 * PERCENT,
        20 * PERCENT,
    )


def test_false_positives_are_told_pooled_by_strategy_and_as_a_mean_of_trials() -> None:
    gates = [pair.gate for pair in pairs_of(STUDY, Kind.CALM) if pair.tape.name == "calm"]
    found = false_positives(gates, FALSE_NANOS)
    assert (found.trials, found.submitted, found.skipped, found.cut) == (2, 1_020, 9, 6)
    assert found.orders_nanos == 15 * NANOS // 1_020
    assert found.taken_back_nanos == 501 * NANOS // 1_020
    assert found.mean_nanos == (25 * PERCENT + PERCENT) // 2
    assert (found.over, found.asking, found.trips) == (1, 2, 2)
    assert (found.time_nanos, found.cautious_nanos) == (10 * PERCENT, 30 * PERCENT)
    assert found.measured_ns == 100 * SECOND, "a tape's tiers once"


def test_the_first_signal_counts_from_the_beginning_and_what_held_before_is_none() -> None:
    pairs = pairs_of(STUDY, Kind.CRASH)
    assert first_delays(pairs, visible=False) == [8 * SECOND, 10 * SECOND]
    assert first_delays(pairs, visible=True) == [4 * SECOND, 6 * SECOND]
    assert [held_before(pair) for pair in pairs] == [(), ("tier", "trip"), ()]


def row_of(table: str, start: str) -> list[str]:
    (row,) = (line for line in table.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_tables_say_so_and_bars_have_no_part_in_what_needs_a_spread() -> None:
    shown = tables(STUDY)
    targets = shown["targets"]
    pooled = row_of(targets, "calm days: orders that liquidity denied or cut")
    assert pooled[1:] == ["3.2 %", "1.47 % of 1,020", "-", "-"]
    assert row_of(targets, "of `hold`'s orders")[2:4] == ["25.00 % of 20", "-"]
    assert row_of(targets, "of `momentum`'s orders")[2] == "1.00 % of 1,000"
    assert row_of(targets, "mean of the trials' shares")[2] == "13.00 %; 1 of 2 trials over"
    assert row_of(targets, "of `hold`'s with 4 times the cash")[2:4] == ["50.00 % of 40", "-"]
    assert row_of(targets, "taken back, their time over")[2] == "49.12 % of 1,020"
    assert row_of(targets, "of `hold`'s orders taken back")[2:4] == ["5.00 % of 20", "-"]
    assert row_of(targets, "calm days: time in DEFENSIVE or worse")[2:4] == ["10.00 %", "-"]
    assert row_of(targets, "calm days: time in CAUTIOUS")[2:4] == ["30.00 %", "-"]
    assert row_of(targets, "calm days: trips")[2:4] == ["2 in 2", "1 in 1"]
    first = row_of(targets, "first signal after the beginning, median")
    assert first[2] == "10.0 s; 1 of 3 within, 1 had a signal before"
    detection = shown["detection"]
    assert row_of(detection, "`fell` | momentum")[2:] == ["tier, trip", *["-"] * 5, "never"]
    assert row_of(detection, "`fell` | hold")[2:] == [
        "-",
        "30.0 s",
        "-",
        "10.0 s",
        "-",
        "10.0 s",
        "6.0 s",
    ]
    assert row_of(shown["calm"], "`calm` | hold")[-3:] == ["3.0", "30.00 %", "10.00 %"]
    assert row_of(shown["calm"], "`calm-bars` | hold")[-3:] == ["-", "-", "-"]
    assert row_of(shown["days"], f"`{YEAR}` | hold") == [
        f"`{YEAR}`",
        "hold",
        "50.00 % → 40.00 %",
        "60.00 % → 70.00 %",
        "30 → 31",
        "10 → 31",
        "1",
        "20 → 0",
        "`posture` 12",
        "1",
    ]
    assert f"`{OTHER}`" not in shown["days"]
    assert row_of(shown["days"], "`year` | hold") == [
        "`year`",
        "hold",
        "2",
        "74.50 % → 69.00 %",
        "50.00 % (2008) → 40.00 % (2008)",
        "60.00 % → 70.00 %",
        "2",
        "0",
        "31 → 51",
        "20 → 3",
        "`posture` 12",
        "2",
    ]
    assert shown["days"].endswith("\n\n`year`: an index.")
    assert row_of(shown["tapes"], "`year`, 2 tapes")[1:3] == ["days on end", "daily"]
    assert not any("`year" in shown[name] for name in shown if name not in ("days", "tapes"))
    assert all(f"Not played: {name}: " in shown["tapes"] for name in LEFT_OUT)
