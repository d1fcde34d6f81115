"""`fuseboard tape`: what it lists, finds and refuses."""

from pathlib import Path

import pytest

from fuseboard.app.tape_commands import KINDS
from fuseboard.feeds.tapes.by_name import tapes_known
from fuseboard.feeds.tapes.findings import FindingKind
from tests.app.command_line import CommandLine
from tests.feeds.tape_files import DATA, PROJECT, gzipped, needs_data

PAGE = PROJECT / "docs" / "tapes.md"
SHORTENED = ("btcusd-perp-1min-2025-10-09",)
HEADER = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"


def test_the_list_says_what_is_here_and_where_the_rest_would_be(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FUSEBOARD_DATA", str(tmp_path))
    told = fuseboard("tape", "list").out
    assert "an invented quiet ten minutes\n" in told
    assert "normal day (not here)" in told
    assert f"{tmp_path}: set FUSEBOARD_DATA" in told
    listed = {each["name"]: each["here"] for each in fuseboard("tape", "list", "--json").json()}
    assert listed["flash-crash"]
    assert not listed["lobster-amzn-2012-06-21"]


def test_a_check_counts_each_kind_with_the_line_of_the_first(
    fuseboard: CommandLine, tmp_path: Path
) -> None:
    rows = ["1000000,0,1,buy,10,1", "3000000,0,2,sell,20,1", "2500000,0,3,sell,20,0"]
    path = gzipped(tmp_path / "t.csv.gz", HEADER + "".join(f"x,ABC,{row}\n" for row in rows))
    told = fuseboard("tape", "check", f"trades:{path}").out.splitlines()
    assert told[0] == "t: recorded trades; the quotes are derived from them, one price step wide"
    assert "  prior close  ABC 10" in told
    assert "  read         2 quotes, 2 trades, 0 halts" in told
    assert told[-2].split()[:8] == ["prints", "far", "from", "the", "last", "1", "3", "1970-01-01"]
    assert told[-2].endswith("ABC: 20 after 10")
    assert told[-1].split()[:4] == ["left", "out", "2", "4"]  # the print and its derived quote
    checked = fuseboard("tape", "check", f"trades:{path}", "--json").json()["checked"]
    assert [each["kind"] for each in checked["findings"]] == ["jump", "left_out"]


def test_a_tape_that_cannot_be_read_names_file_and_line(
    fuseboard: CommandLine, tmp_path: Path
) -> None:
    path = gzipped(tmp_path / "t.csv.gz", f"{HEADER}x,ABC,1,0,1,buy,ten,1\nx,ABC,2,0,1,buy,1,1\n")
    done = fuseboard("tape", "check", f"trades:{path}")
    assert done.code == 1
    assert done.err.startswith("fuseboard tape: t.csv.gz, line 2: expected a price")
    assert fuseboard("tape", "check", "nope").err.startswith("fuseboard tape: 'nope' is no tape")


def test_the_page_names_every_tape_kind_and_format() -> None:
    page = PAGE.read_text()
    for name, _ in tapes_known():
        if name.file:
            assert f"`{name.name}`" in page or name.name in SHORTENED
    assert all(f"`{kind.value}`" in page for kind in FindingKind)


@needs_data
def test_the_page_shows_what_the_command_says(
    fuseboard: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUSEBOARD_DATA", str(DATA))
    shown = PAGE.read_text().partition("```console\n$ fuseboard ")[2].partition("```")[0]
    command, _, output = shown.partition("\n")
    assert fuseboard(*command.split()).out == output


def test_every_kind_has_words() -> None:
    assert set(KINDS) == set(FindingKind)


def test_a_clean_tape_says_so(fuseboard: CommandLine) -> None:
    assert fuseboard("tape", "check", "normal").out.endswith("nothing found\n")
