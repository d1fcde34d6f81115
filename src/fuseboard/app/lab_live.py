"""`fuseboard lab live`: a strategy of the lab as a client of a gateway.

It trades only where a gateway has told it to: `fuseboard run -- fuseboard lab live ...` puts the
gateway's own address and key into its environment, and without those it does not start.
"""

import argparse
import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import Final

from fuseboard.brokers.alpaca import AlpacaBroker
from fuseboard.brokers.alpaca_session import AlpacaOptions
from fuseboard.control.saying import say
from fuseboard.control.state_directory import StateRefused
from fuseboard.feeds.alpaca import AlpacaFeed, AlpacaFeedOptions
from fuseboard.lab.live import AlreadyHeld, LivePlay
from fuseboard.lab.signals import Signals
from fuseboard.lab.strategies.by_name import strategy_by_name
from fuseboard.lab.strategy import Terms
from fuseboard.vocabulary.doors import BrokerUnavailable, Throttled
from fuseboard.vocabulary.money import NANOS

NEEDED: Final = ("FUSEBOARD_URL", "FUSEBOARD_KEY_ID", "FUSEBOARD_SECRET")
INSTANCE: Final = "lablive0"


def command_lab_live(options: argparse.Namespace) -> int:
    """Play until interrupted, or for so many seconds."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        raise StateRefused(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set: a strategy of"
            " the lab trades through a gateway only; start it as"
            " `fuseboard run -- fuseboard lab live --strategy ... --symbols ...`"
        )
    with suppress(asyncio.CancelledError):
        asyncio.run(_played(options))
    return 0


async def _played(options: argparse.Namespace) -> None:
    url, key_id, secret = (os.environ[name] for name in NEEDED)
    broker = AlpacaBroker(
        AlpacaOptions(base_url=url, key_id=key_id, secret=secret, instance=INSTANCE)
    )
    feed = AlpacaFeed(
        AlpacaFeedOptions(
            stream_url=f"ws{url.removeprefix('http')}/v2/iex",
            data_url=url,
            key_id=key_id,
            secret=secret,
        )
    )
    symbols = tuple(dict.fromkeys(options.symbols.split(",")))
    try:
        account = await broker.account()
    except (BrokerUnavailable, Throttled) as failure:
        raise StateRefused(f"the gateway at {url} does not answer: {failure}") from failure
    chosen = strategy_by_name(options.strategy)
    terms = Terms(
        symbols=symbols,
        equity_nanos=account.equity_nanos,
        shares=not any("/" in symbol for symbol in symbols),
    )
    signals = Signals(chosen.make(terms), time.perf_counter_ns)
    play = LivePlay(
        name=f"{chosen.name}-{time.time_ns()}",  # an id is never used twice, also after a restart
        symbols=symbols,
        instance=INSTANCE,
        broker=broker,
        feed=feed,
        say=say,
        shadow=options.shadow,
    )
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    how = "in shadow: nothing is sent" if options.shadow else f"through the gateway at {url}"
    say(f"{chosen.name} on {', '.join(symbols)}, {how}")
    try:
        seconds = None if options.seconds is None else options.seconds / NANOS
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await play.run(signals)
    except AlreadyHeld as held:
        raise StateRefused(str(held)) from held
    finally:
        times = signals.times()
        say(f"{times.calls:,} calls into the strategy, {times.slow:,} took over 1 ms")
