"""`fuseboard exchange`: the simulated exchange, a process of its own."""

import argparse
import sys

import uvloop

from fuseboard.exchange.process import ExchangeOptions, serve


def command_exchange(options: argparse.Namespace) -> int:
    """Run the simulated exchange until it is interrupted."""
    uvloop.run(
        serve(
            ExchangeOptions(
                tape=options.tape,
                speed_nanos=options.speed,
                seed=options.seed,
                port=options.port,
                port_file=options.port_file,
                ledger=options.ledger,
                cash_nanos=options.cash,
                latency_ns=options.latency_ms * 1_000_000,
                requests_per_minute=options.requests_per_minute,
                start_paused=options.paused,
                dividends=tuple(options.dividend or ()),
                starter_pipe=sys.stdin.fileno() if options.starter_pipe else None,
            )
        )
    )
    return 0
