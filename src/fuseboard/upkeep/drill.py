"""`fuseboard drill`: what must hold when things go wrong is tried, timed and written down.

Four steps on the simulated exchange, in folders of their own, with real processes: a kill in the
middle of a liquidation, a restore, a failover to the guardian, a test of the alerts' doors. The
evidence is dated, names the release, the machine and the doors that took the test alert, and is
what `run --live` asks for. Of your policy it takes the guardian's timeout: your limits are not
tried.
"""

import argparse
import http.client
import os
import platform
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from rich.console import Console

from fuseboard.alerts.outward import COMMAND_NAME, WEBHOOK_NAME, door_marks
from fuseboard.control.client import GatewayUnreachable
from fuseboard.control.policy_file import loaded_policy
from fuseboard.control.saying import say, say_json
from fuseboard.control.state_directory import StateDirectory, StateRefused
from fuseboard.halts.whole_file import write_atomically
from fuseboard.journal.file import JournalDamaged
from fuseboard.policy.policy import Policy
from fuseboard.runtime.build import whole_build
from fuseboard.upkeep.drill_sandbox import DrillFailed, Sandbox
from fuseboard.upkeep.drill_steps import ALERTS, STEPS, Figures, Step, alerts, end_guardian
from fuseboard.vocabulary.money import NANOS

FOLDER_NAME: Final = "drills"
FORMAT: Final = 2
WATCHDOG_NS_MAX: Final = 10 * NANOS
"""A policy may give the guardian longer; a drill does not wait for that."""
FAILED: Final = 1
STEP_FAILURES: Final = (
    DrillFailed,
    OSError,
    subprocess.SubprocessError,
    http.client.HTTPException,
    GatewayUnreachable,
    StateRefused,
    JournalDamaged,
    msgspec.MsgspecError,
    ValueError,
    LookupError,
)
"""What a step may meet when processes hang, die or answer nonsense: it is failed, with evidence."""
POLICY: Final = """\
name: drill
risk: {{limits: {{gross_exposure: 100%, max_position: 50%}}}}
safety: {{kill_switch: {{watchdog: {seconds}s}}}}
"""


class StepEvidence(Struct, frozen=True, kw_only=True):
    """One step: what it tried, what came of it, with which figures."""

    name: str
    what: str
    passed: bool
    seconds: float
    figures: dict[str, str] = {}
    failure: str = ""
    skipped: bool = False
    """Whether there was nothing to try: no door for alerts. It has neither passed nor failed."""


class Evidence(Struct, frozen=True, kw_only=True):
    """One drill. Times are wall time, nanoseconds since 1970; `live.py` reads the first five."""

    passed: bool
    ended_ns: int
    release: str
    host: str
    alert_doors: tuple[str, ...]
    """The doors that took the test alert, as `door_marks` tells them apart."""
    format: int
    began_ns: int
    python: str
    platform: str
    processors: int
    watchdog_ns: int
    """How long the gateway may be silent, in this drill."""
    steps: tuple[StepEvidence, ...]
    skipped: tuple[str, ...] = ()
    """The steps that could not be tried: they do not count for `passed`."""


def command_drill(options: argparse.Namespace) -> int:
    """Run every step, write the evidence, and say how it went. 1 when a step failed."""
    state = StateDirectory(options.state)
    state.identity()
    policy = loaded_policy(options.policy or state.policy_file).policy
    evidence = drilled(policy, quiet=options.json)
    files = written(
        evidence, [state.path / FOLDER_NAME, *([options.report] if options.report else [])]
    )
    if options.json:
        say_json(evidence)
    else:
        say("")
        left_out = f", not tried: {', '.join(evidence.skipped)}" if evidence.skipped else ""
        verdict = f"{'passed' if evidence.passed else 'FAILED'} in {_took(evidence):.0f} s"
        say(f"the drill {verdict}{left_out}")
        for file in files:
            say(f"evidence: {file}")
    return 0 if evidence.passed else FAILED


def drilled(policy: Policy, *, quiet: bool = False) -> Evidence:
    """Run every step; what one left behind is kept only when it failed."""
    began_ns = time.time_ns()
    watchdog_ns = min(policy.kill_switch.watchdog_timeout_ns, WATCHDOG_NS_MAX)
    text = POLICY.format(seconds=max(1, -(-watchdog_ns // NANOS)))
    folder = Path(tempfile.mkdtemp(prefix="fuseboard-drill-"))
    console = Console(highlight=False, soft_wrap=True)
    steps: list[StepEvidence] = []
    names = [*STEPS, ALERTS]
    for number, name in enumerate(names, 1):
        what = _first_line(STEPS.get(name, alerts))
        head = f"[{number}/{len(names)}] {name:<9} {what}"
        if not quiet:
            console.print(head, markup=False)
        with _spinning(console, quiet=quiet):
            step = _tried(name, what, folder, text)
        steps.append(step)
        if not quiet:
            for line in _lines(step):
                console.print(f"      {line}", markup=False)
    passed = all(step.passed or step.skipped for step in steps)
    if passed:
        shutil.rmtree(folder, ignore_errors=True)
    elif not quiet:
        console.print(f"what the failed step left: {folder}")
    return Evidence(
        passed=passed,
        ended_ns=time.time_ns(),
        release=whole_build(),
        host=socket.gethostname(),
        alert_doors=door_marks(os.environ) if steps[-1].passed else (),
        format=FORMAT,
        began_ns=began_ns,
        python=platform.python_version(),
        platform=platform.platform(),
        processors=os.cpu_count() or 0,
        watchdog_ns=watchdog_ns,
        steps=tuple(steps),
        skipped=tuple(step.name for step in steps if step.skipped),
    )


def _tried(name: str, what: str, folder: Path, policy: str) -> StepEvidence:
    began = time.monotonic()
    figures: Figures = {}
    failure = ""
    try:
        figures = (
            _in_sandbox(STEPS[name], folder / name, policy) if name in STEPS else alerts(os.environ)
        )
    except STEP_FAILURES as failed:
        failure = str(failed) or type(failed).__name__
    skipped = name == ALERTS and not (figures or failure)  # each door that is tried has a figure
    if skipped:
        figures = {"none configured": f"set {WEBHOOK_NAME} or {COMMAND_NAME}: --live needs one"}
    return StepEvidence(
        name=name,
        what=what,
        passed=not (failure or skipped),
        skipped=skipped,
        seconds=round(time.monotonic() - began, 2),
        figures=figures,
        failure=failure,
    )


def _in_sandbox(step: Step, folder: Path, policy: str) -> Figures:
    here = Sandbox(folder, policy)
    try:
        return step(here)
    finally:
        end_guardian(here)
        here.close()


def written(evidence: Evidence, folders: list[Path]) -> list[Path]:
    """The evidence in each folder, for programs and for people: the files. Raises `OSError`."""
    ended = datetime.fromtimestamp(evidence.ended_ns // NANOS, UTC)
    files: list[Path] = []
    document = msgspec.json.format(msgspec.json.encode(evidence), indent=1)
    for folder in folders:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for suffix, body in ((".json", document), (".txt", report(evidence).encode())):
            file = folder / f"drill-{ended:%Y%m%dT%H%M%SZ}{suffix}"
            write_atomically(file, body)
            files.append(file)
    return files


def report(evidence: Evidence) -> str:
    """The evidence as a person reads it."""
    began = datetime.fromtimestamp(evidence.began_ns // NANOS, UTC)
    lines = [
        f"Drill of {began:%Y-%m-%d %H:%M:%S} UTC: {'passed' if evidence.passed else 'FAILED'}",
        "",
        "tried     this release on this machine, with a policy of the drill's own",
        f"told      {', '.join(evidence.alert_doors) or 'nobody: run --live needs a door'}",
        f"release   fuseboard {evidence.release}, Python {evidence.python}",
        f"host      {evidence.host}, {evidence.processors} processors, {evidence.platform}",
        f"took      {_took(evidence):.1f} s",
        f"guardian  misses a gateway that is silent for {evidence.watchdog_ns / NANOS:g} s",
    ]
    for step in evidence.steps:
        lines += ["", f"{step.name}: {step.what}", *(f"  {line}" for line in _lines(step))]
    return "\n".join(lines) + "\n"


def _lines(step: StepEvidence) -> list[str]:
    verdict = "passed" if step.passed else "FAILED"
    lines = ["not tried" if step.skipped else f"{verdict} in {step.seconds:.1f} s"]
    if step.failure:
        lines.append(step.failure)
    return lines + [f"{name}: {figure}" for name, figure in step.figures.items()]


def _took(evidence: Evidence) -> float:
    return (evidence.ended_ns - evidence.began_ns) / NANOS


def _first_line(step: Callable[..., Figures]) -> str:
    return (step.__doc__ or "").strip().splitlines()[0]


def _spinning(console: Console, *, quiet: bool) -> AbstractContextManager[object]:
    """On a terminal, something that moves while a step is under way."""
    return console.status("under way") if console.is_terminal and not quiet else nullcontext()
