"""The page as Chromium draws it: every plot with its marks, no error, nothing from any network."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fuseboard.lab.report.build import report
from fuseboard.lab.report.packing import unpacked
from fuseboard.lab.result import encoded
from fuseboard.lab.trial import run_trial
from tests.lab.markets import LIQUID, blobs, crash, options

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=60000",
    "--window-size=1400,1000",
)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: `make browser`")
def test_every_plot_is_drawn_with_its_marks_and_without_an_error(tmp_path: Path) -> None:
    tape = crash(seconds=60)
    paths = []
    for protected in (True, False):
        paths.append(tmp_path / f"{protected}.json")
        trial = run_trial(tape, options("dip-buyer", LIQUID, protected=protected))
        paths[-1].write_bytes(encoded(trial))
    page = tmp_path / "page.html"
    page.write_text(report(paths, command="made by a test").html)
    dom, said = _drawn(page, tmp_path / "profile")
    assert re.findall(r"CONSOLE[^\n]*", said) == []
    body = re.search(r"<body [^>]*>", dom)
    assert body is not None
    assert 'data-all="1"' in body[0], "it was not done in time"
    assert 'data-drawn="1"' in body[0]
    assert 'data-failed="0"' in body[0]
    held, name = blobs(page.read_text()), re.findall(r'data-figure="([0-9a-f]+)"', dom)[0]
    figure = json.loads(unpacked(held[name]))
    assert len(figure["panels"]) == 10
    for at, title in enumerate(figure["panels"]):
        axis = f"y{at + 1 if at else ''}"
        lines, marks = _told(figure, held, axis)
        panel = _panel(dom, axis)
        assert lines + marks > 0
        assert len(re.findall(r'class="js-line"[^>]* d="M[^"]{3,}', panel)) == lines, title
        assert len(re.findall(r'class="point"', panel)) == marks, title
    buttons = set(re.findall(r'data-title="([^"]+)"', dom))
    assert len(buttons) == 6
    assert not [each for each in buttons if "share" in each.lower() or "cloud" in each.lower()]


def _told(figure: dict[str, Any], held: dict[str, str], axis: str) -> tuple[int, int]:
    """How many lines and how many marks and bars a panel must show."""
    lines = marks = 0
    for trace in figure["data"]:
        if trace["yaxis"] != axis:
            continue
        blob, group = trace["from"]
        if trace.get("mode") == "lines":
            lines += 1
        else:
            marks += len(json.loads(unpacked(held[blob]))[group]["x"])
    return lines, marks


def _panel(dom: str, axis: str) -> str:
    """What is drawn in the panel of a vertical axis."""
    whole = dom.partition('<g class="infolayer"')[0]
    parts = re.split(r'<g class="subplot (xy\d*)"', whole)
    return parts[parts.index(f"x{axis}") + 1]


def _drawn(page: Path, profile: Path) -> tuple[str, str]:
    """The page's elements once all plots are open, and what Chromium said meanwhile."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", f"{page.as_uri()}#all"],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return done.stdout, done.stderr
