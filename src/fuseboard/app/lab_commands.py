"""`fuseboard lab`: trials from the command line."""

import argparse
import sys
import time
from collections.abc import Callable

from msgspec import structs

from fuseboard.app.kept_journal import KeptJournal
from fuseboard.app.lab_live import command_lab_live
from fuseboard.app.lab_report import command_report
from fuseboard.app.lab_study import command_lab_study
from fuseboard.app.lab_sweep import command_lab_sweep, refuse_out
from fuseboard.app.lab_terms import MILLI_NS, trial_terms
from fuseboard.control.policy_file import loaded_policy
from fuseboard.control.render import printable
from fuseboard.control.saying import say
from fuseboard.control.state_directory import StateRefused
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.tape import Tape
from fuseboard.lab.result import TrialResult, encoded
from fuseboard.lab.stage import TrialOptions
from fuseboard.lab.strategies.by_name import strategy_by_name
from fuseboard.lab.summary import summary
from fuseboard.lab.trial import run_trial

TOLD_EVERY_NS = 200 * MILLI_NS
BAR_CHARACTERS = 30


def command_lab(options: argparse.Namespace) -> int:
    """Carry out one act of the lab."""
    acts: dict[str, Callable[[argparse.Namespace], int]] = {
        "run": _run,
        "sweep": command_lab_sweep,
        "live": command_lab_live,
        "report": command_report,
        "study": command_lab_study,
    }
    return acts[options.act](options)


def _run(options: argparse.Namespace) -> int:
    if options.out is not None:
        refuse_out(options.out)
    if options.unprotected and options.journal is not None:
        raise StateRefused("without the gate there is no journal: leave --journal away")
    journal = None if options.journal is None else KeptJournal(options.journal)
    tape = tape_by_name(options.tape, options.seed)
    bar = ProgressBar(tape)
    try:
        result = run_trial(
            tape,
            _asked(options),
            keep=None if journal is None else journal.keep,
            progress=bar.reached,
        )
    finally:
        bar.end()
        if journal is not None:
            journal.close()
    result = structs.replace(result, policy_file=str(options.policy))
    if options.out is not None:
        options.out.write_bytes(encoded(result))
    _say(options, result)
    return 0


def _asked(options: argparse.Namespace) -> TrialOptions:
    return TrialOptions(
        tape=options.tape,
        policy=loaded_policy(options.policy).policy,
        chosen=strategy_by_name(options.strategy),
        protected=not options.unprotected,
        terms=trial_terms(options),
    )


def _say(options: argparse.Namespace, result: TrialResult) -> None:
    if options.json:
        say(encoded(result).decode())
        return
    for word, text in summary(result):
        say(f"{word:<10} {printable(text)}".rstrip())
    if options.out is not None:
        say(f"{'result':<10} {options.out} (`fuseboard lab report {options.out}` draws it)")
    if options.journal is not None:
        say(f"{'journal':<10} {options.journal} (`fuseboard replay --journal {options.journal}`)")


class ProgressBar:
    """How far the tape is, on a terminal; nothing anywhere else."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._shows = sys.stderr.isatty()
        self._told_ns = time.monotonic_ns()
        self._drawn = False

    def reached(self, at_ns: int) -> None:
        """The tape's time."""
        if not self._shows:
            return
        now_ns = time.monotonic_ns()
        if now_ns - self._told_ns < TOLD_EVERY_NS:
            return
        self._told_ns, self._drawn = now_ns, True
        session = self._tape.session
        whole_ns = max(session.close_ns - session.open_ns, 1)
        part = min(max(at_ns - session.open_ns, 0), whole_ns)
        full = BAR_CHARACTERS * part // whole_ns
        bar = "█" * full + "░" * (BAR_CHARACTERS - full)
        sys.stderr.write(f"\r{self._tape.name} {bar} {100 * part // whole_ns:>3} %")
        sys.stderr.flush()

    def end(self) -> None:
        """Take the bar away."""
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
