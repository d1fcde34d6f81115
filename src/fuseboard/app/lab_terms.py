"""The terms of trials, as the commands of the lab are given them."""

import argparse
from typing import Final

from fuseboard.lab.terms import TrialTerms

MILLI_NS: Final = 1_000_000


def trial_terms(options: argparse.Namespace) -> TrialTerms:
    """What the arguments of every trial say (`lab_arguments.add_trial`)."""
    return TrialTerms(
        strategy_name=options.strategy_name,
        equity_nanos=options.equity,
        seed=options.seed,
        slice_ns=options.slice_ms * MILLI_NS,
        latency_ns=options.latency_ms * MILLI_NS,
        left_takes=options.left_takes,
    )
