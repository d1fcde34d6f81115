"""`fuseboard lab report`: one HTML page out of the files of trials."""

import argparse
import shlex

from fuseboard.app.lab_sweep import refuse_out
from fuseboard.control.saying import say
from fuseboard.control.state_directory import StateRefused
from fuseboard.lab.report.build import report

MEGABYTE = 1_000_000


def command_report(options: argparse.Namespace) -> int:
    """Read the results, write the page, say what is in it."""
    refuse_out(options.out)
    if options.out.exists() and any(options.out.samefile(one) for one in options.results):
        raise StateRefused(f"{options.out} is one of the results: name another file for the page")
    # Sorted: the page says it, and the same results give the same bytes in whatever order.
    names = sorted(map(str, options.results))
    words = ["fuseboard", "lab", "report", *names, "--out", str(options.out)]
    made = report(options.results, command=shlex.join(words))
    page = made.html.encode()
    options.out.write_bytes(page)
    tenths = len(page) * 10 // MEGABYTE
    say(
        f"{options.out}: {_many(made.results, 'result')} over {_many(made.tapes, 'tape')},"
        f" {_many(made.plots, 'plot')},"
        f" {tenths // 10}.{tenths % 10} MB; open it in a browser"
    )
    if made.left_out:
        say(
            f"{made.left_out} plots had no room and are named in the page:"
            " a report of fewer results has them"
        )
    return 0


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
