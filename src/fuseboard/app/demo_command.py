"""`fuseboard demo`: a scripted market through the whole loop."""

import argparse
import tempfile
from pathlib import Path

from fuseboard.app.kept_journal import keep_journal, refuse_journal
from fuseboard.control.saying import say
from fuseboard.lab.demo import TICKS, DemoOptions, run_demo


def command_demo(options: argparse.Namespace) -> int:
    """A scripted market through the whole loop."""
    path = options.journal or Path(tempfile.mkdtemp(prefix="fuseboard-demo-")) / "journal.db"
    refuse_journal(path)
    result = run_demo(
        DemoOptions(
            scene=options.scene,
            ticks=options.ticks or TICKS[options.scene],
            drawdown_nanos=options.drawdown,
            cooldown_ns=options.cooldown,
            seed=options.seed,
        ),
        say,
    )
    keep_journal(path, result.records)
    say(f"journal: {path} (fuseboard replay --journal {path})")
    return 0
