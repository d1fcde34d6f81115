"""The page of `fuseboard lab report`: what its table says is what the results say, and no more."""

import html
import json
import re
import sys
from pathlib import Path

import msgspec
import plotly.graph_objects as plotly_graphs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fuseboard.cli import main
from fuseboard.feeds.tapes.tape import TapeQuote
from fuseboard.lab.report.build import Report, report
from fuseboard.lab.report.packing import DIVISORS, packed_series, unpacked
from fuseboard.lab.report.table import cells_of, slippages
from fuseboard.lab.report.zones import offsets
from fuseboard.lab.result import (
    Liquidation,
    ResultUnreadable,
    Series,
    TrialResult,
    encoded,
    sealed,
)
from fuseboard.lab.trial import run_trial
from fuseboard.vocabulary.money import NANOS, shown_percent
from tests.lab.markets import LIQUID, OPENS_NS, STRICT, blobs, crash, options, tape_of

EVIL = "<script>alert(1)</script>&\"'"
ROW = re.compile(r'<tr class="(gated|bare)[^"]*" data-digest="([0-9a-f]+)">(.*?)</tr>', re.DOTALL)


@pytest.fixture(scope="module")
def trials() -> list[TrialResult]:
    """Three pairs and one alone, on a minute of a made-up crash."""
    tape = crash(seconds=40)
    asked = [
        (name, protected)
        for name in ("hold", "dip-buyer", "momentum")
        for protected in (True, False)
    ]
    return [
        run_trial(tape, options(name, STRICT, protected=protected))
        for name, protected in [*asked, ("market-maker", True)]
    ]


def written(folder: Path, trials: list[TrialResult]) -> list[Path]:
    paths = [folder / f"{at}.json" for at, _ in enumerate(trials)]
    for path, trial in zip(paths, trials, strict=True):
        path.write_bytes(encoded(trial))
    return paths


def reported(folder: Path, trials: list[TrialResult], **how: int) -> Report:
    return report(written(folder, trials), command="made by a test", **how)


def test_the_table_says_what_the_results_say(tmp_path: Path, trials: list[TrialResult]) -> None:
    page = reported(tmp_path, trials).html
    rows = {digest: (kind, cells) for kind, digest, cells in ROW.findall(page)}
    assert set(rows) == {trial.digest for trial in trials}
    for trial in trials:
        kind, text = rows[trial.digest]
        cells = [html.unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", text)]
        figures, orders = trial.figures, trial.figures.orders
        gated = trial.ran.protected
        assert kind == ("gated" if gated else "bare")
        assert cells[0].replace(" ", "") == shown_percent(figures.capital_kept_nanos)
        assert cells[1].replace(" ", "") == shown_percent(figures.worst_drawdown_nanos)
        assert cells[2:4] == [f"{orders.submitted:,}", f"{orders.allowed:,}"]
        assert cells[4:6] == ([str(orders.resized), str(orders.denied)] if gated else ["–", "–"])
        assert cells[6:8] == [str(orders.rejected), str(figures.trips) if gated else "–"]
        assert cells[11] == str(trial.signals.slow)
    tripped = [trial for trial in trials if trial.figures.trips]
    assert tripped, "the market of this test must trip something"
    one = tripped[0].figures.liquidations[0]
    assert cells_of(tripped[0])[9].replace(" ", "") == shown_percent(one.slippage_nanos)
    assert cells_of(tripped[0])[10].replace(" ", "") == shown_percent(one.at_once_slippage_nanos)


def test_protected_stands_beside_unprotected_and_each_plot_has_its_panels(
    tmp_path: Path, trials: list[TrialResult]
) -> None:
    made = reported(tmp_path, trials)
    page = made.html
    assert (made.results, made.tapes, made.plots, made.left_out) == (7, 1, 8, 0)
    assert page.count('<details class="plot"') == 4
    held = blobs(page)
    names = re.findall(r'<button type="button" data-figure="([0-9a-f]+)"', page)
    titles = [json.loads(unpacked(held[name]))["panels"] for name in names]
    assert len(titles) == 8
    for panels in titles:
        assert panels[0].startswith("Equity")
        assert any("what became of each order, with the gate" in title for title in panels)
    both = [one for one in titles if any(title.endswith("without the gate") for title in one)]
    assert len(both) == 6, "the market maker has no partner"
    assert "the same without the gate: there is no such result among these" in page


def test_each_panel_of_quotes_that_are_not_recorded_says_so(tmp_path: Path) -> None:
    """All that comes of them, and nothing else; of recorded quotes no word is written."""
    told = {}
    for derived in (False, True):
        quotes = [
            TapeQuote(
                symbol="AAA",
                at_ns=OPENS_NS + at * NANOS,
                bid_nanos=(10_000 - at % 3) * NANOS // 100,
                ask_nanos=(10_001 + at % 3) * NANOS // 100,
                bid_size_nanos=100 * NANOS,
                ask_size_nanos=100 * NANOS,
                derived=derived,
            )
            for at in range(20)
        ]
        trial = run_trial(tape_of(quotes), options("hold", LIQUID))
        assert (b"derived" in encoded(trial)) is derived
        page = reported(tmp_path, [trial]).html
        name = re.findall(r'<button type="button" data-figure="([0-9a-f]+)"', page)[0]
        told[derived] = json.loads(unpacked(blobs(page)[name]))["panels"]
    label = " (quotes derived, not recorded)"
    of_quotes = ("Price", "Spread", "Depth", "Liquidity score")
    assert [each for each in told[False] if label in each] == []
    assert [each for each in told[True] if label in each] == [
        each for each in told[True] if each.startswith(of_quotes)
    ]
    assert len([each for each in told[True] if label in each]) == 4


def test_one_unprotected_trial_stands_beside_every_policy_and_beside_no_other_conditions(
    tmp_path: Path, trials: list[TrialResult]
) -> None:
    gated, bare = trials[:2]

    def with_ran(trial: TrialResult, **changed: object) -> TrialResult:
        return sealed(structs.replace(trial, ran=structs.replace(trial.ran, **changed)))

    looser = with_ran(gated, policy="looser", policy_digest="f" * 64)
    slower = with_ran(gated, latency_ns=gated.ran.latency_ns * 2)
    page = reported(tmp_path, [gated, looser, slower, bare]).html
    plots = page.split('<details class="plot"')[1:]
    assert len(plots) == 3
    alone = ["there is no such result among these" in plot for plot in plots]
    assert sorted(alone) == [False, False, True], "only the slower one has no partner"
    assert "looser <code>ffffff</code>" in page, "rows of several policies are told apart"


def test_every_figure_is_one_that_plotly_accepts_and_every_column_is_there(
    tmp_path: Path, trials: list[TrialResult]
) -> None:
    held = blobs(reported(tmp_path, trials).html)
    figures = 0
    for blob in held.values():
        text = unpacked(blob)
        if not text.startswith(b'{"data"'):
            continue
        figures += 1
        drawn = json.loads(text)
        for trace in drawn["data"]:
            name, group = trace.pop("from")
            columns = json.loads(unpacked(held[name]))
            assert columns[group]["x"] if "bucket" not in columns else columns[group]
            for word in ("scale", "row"):
                trace.pop(word, None)
            if trace["type"] == "bar":
                assert set(columns[group]) == {"x", "until", "text"}
        plotly_graphs.Figure(data=drawn["data"], layout=drawn["layout"])
    assert figures == 8


def test_the_same_results_in_any_order_give_the_same_bytes(
    tmp_path: Path, trials: list[TrialResult]
) -> None:
    paths = written(tmp_path, trials)
    one = report(paths, command="made by a test").html
    again = report([*reversed(paths), paths[0]], command="made by a test").html
    assert one == again


def test_a_text_from_outside_is_never_markup(tmp_path: Path, trials: list[TrialResult]) -> None:
    gated = trials[0]
    ran = structs.replace(
        gated.ran,
        policy=EVIL,
        tape=EVIL,
        tape_describes=EVIL,
        strategy=EVIL,
        strategy_name=EVIL + "2",
        parameters={EVIL: 1},
        symbols=(EVIL,),
    )
    evil = sealed(
        structs.replace(
            gated,
            ran=ran,
            release=EVIL,
            policy_file=EVIL,
            series=tuple(
                structs.replace(one, symbol=EVIL if one.symbol else "") for one in gated.series
            ),
            marks=tuple(
                structs.replace(one, symbol=EVIL if one.symbol else "", code=EVIL, text=EVIL)
                for one in gated.marks
            ),
            postures=tuple(
                structs.replace(one, code=EVIL, subject=f"strategy:{EVIL}")
                for one in gated.postures
            ),
            figures=structs.replace(
                gated.figures,
                orders=structs.replace(gated.figures.orders, denials={EVIL: 1}),
                liquidations=tuple(
                    structs.replace(one, trip=EVIL, left=(EVIL,))
                    for one in gated.figures.liquidations
                ),
            ),
        )
    )
    page = reported(tmp_path, [evil]).html
    shown = page.split('<script type="application/json"')[0]
    assert html.escape(EVIL) in shown
    assert "<script" not in shown
    assert "alert(1)</script>" not in page
    drawn = [unpacked(blob).decode() for blob in blobs(page).values()]
    inside = [text for text in drawn if "alert(1)" in text and not text.startswith("/**")]
    assert inside, "the plots carry such texts too"
    assert not any("<script" in text for text in inside), "plotly knows a little HTML"


def test_what_does_not_fit_is_left_out_and_named(tmp_path: Path, trials: list[TrialResult]) -> None:
    whole = reported(tmp_path, trials)
    room = len(whole.html.encode()) - 20_000
    less = reported(tmp_path, trials, bytes_max=room)
    assert 0 < less.plots < whole.plots
    assert less.plots + less.left_out == whole.plots
    assert len(less.html.encode()) <= room
    named = re.findall(r"([A-Z, ]+): the page has no more room", less.html)
    assert sum(len(names.split(",")) for names in named) == less.left_out


def test_a_file_that_is_no_result_is_said_by_name(
    tmp_path: Path, trials: list[TrialResult], capsys: pytest.CaptureFixture[str]
) -> None:
    good = written(tmp_path, trials[:1])[0]
    foreign, changed, out = tmp_path / "a.json", tmp_path / "b.json", tmp_path / "page.html"
    foreign.write_text('{"format": 1}')
    changed.write_bytes(good.read_bytes().replace(b'"trips":', b'"trips":1'))
    for path, says in (
        (foreign, "is no result of `fuseboard lab run --out`"),
        (changed, "was changed after it was written"),
        (tmp_path / "none.json", "cannot be read: No such file or directory"),
    ):
        assert main(["lab", "report", str(good), str(path), "--out", str(out)]) == 1
        assert f"{path} {says}" in capsys.readouterr().err
        assert not out.exists()
    assert main(["lab", "report", str(good), "--out", str(good)]) == 1
    assert "is one of the results" in capsys.readouterr().err
    with pytest.raises(ResultUnreadable, match="make several"):
        report([good] * 1_001, command="")


def test_the_command_writes_the_page_and_says_how_it_is_made_again(
    tmp_path: Path, trials: list[TrialResult], capsys: pytest.CaptureFixture[str]
) -> None:
    paths, out = [str(path) for path in written(tmp_path, trials)], tmp_path / "page.html"
    assert main(["lab", "report", *paths, "--out", str(out)]) == 0
    assert "7 results over 1 tape, 8 plots" in capsys.readouterr().out
    page = out.read_text()
    assert f"--out {out}" in page
    for word in ("Fills are simulated", "a made-up fall", trials[0].release, "--unprotected"):
        assert word in page
    assert trials[0].ran.policy_digest[:12] in page
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page), "it must load nothing"
    assert main(["lab", "report", *reversed(paths), "--out", str(out)]) == 0
    assert out.read_text() == page, "in whatever order"


def test_without_plotly_the_error_says_what_to_install(
    tmp_path: Path,
    trials: list[TrialResult],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    path = written(tmp_path, trials[:1])[0]
    assert main(["lab", "report", str(path), "--out", str(tmp_path / "page.html")]) == 1
    assert "pip install 'fuseboard[lab]'" in capsys.readouterr().err


points = st.lists(
    st.tuples(st.integers(-(10**15), 10**15), st.integers(0, 10**12), st.integers(0, 10**12)),
    min_size=1,
    max_size=20,
)


@given(points=points, gaps=st.lists(st.integers(1, 9), min_size=20, max_size=20))
def test_a_packed_series_loses_nothing(points: list[tuple[int, int, int]], gaps: list[int]) -> None:
    index = [sum(gaps[: at + 1]) for at, _ in enumerate(points)]
    series = Series(
        name="equity",
        symbol="",
        unit="money",
        began_ns=7,
        bucket_ns=5,
        index=tuple(index),
        last=tuple(last for last, _, _ in points),
        low=tuple(last - below for last, below, _ in points),
        high=tuple(last + above for last, _, above in points),
    )
    held = msgspec.json.decode(msgspec.json.encode(packed_series(series)))
    last = [sum(held["last"][: at + 1]) for at, _ in enumerate(points)]
    assert held["divisor"] == DIVISORS["money"]
    assert [sum(held["index"][: at + 1]) for at, _ in enumerate(points)] == index
    common = held["common"]
    assert tuple(one * common for one in last) == series.last
    pairs = list(zip(last, held["low"], held["high"], strict=True))
    assert tuple((one - below) * common for one, below, _ in pairs) == series.low
    assert tuple((one + above) * common for one, _, above in pairs) == series.high


def test_several_liquidations_weigh_by_their_value_and_are_rounded_against_the_trader(
    trials: list[TrialResult],
) -> None:
    one = next(trial.figures.liquidations[0] for trial in trials if trial.figures.liquidations)

    def of(value: int, slippage: int) -> Liquidation:
        return structs.replace(
            one,
            arrival_value_nanos=value * NANOS,
            slippage_nanos=slippage,
            at_once_slippage_nanos=0,
        )

    assert slippages([of(300, 10_000_000), of(100, 50_000_000)]) == ("2.00 %", "0.00 %")
    assert slippages([of(2, 50_000), of(1, 49_999)])[0] == "0.01 %", "rounded against the trader"
    assert slippages([]) == ("–", "–")


def test_the_clock_of_a_long_tape_changes_with_its_zone(trials: list[TrialResult]) -> None:
    summer_s = 1_741_503_600  # 9 March 2025, 07:00 UTC: 02:00 in New York becomes 03:00
    ran = structs.replace(
        trials[0].ran, open_ns=(summer_s - 9 * 86_400) * NANOS, close_ns=(summer_s + 86_400) * NANOS
    )
    assert offsets(ran) == [[0, -5 * 3_600], [summer_s, -4 * 3_600]]
    assert offsets(structs.replace(ran, tape_kind="crypto")) == [[0, 0]]
