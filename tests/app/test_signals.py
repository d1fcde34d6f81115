"""Signals that stop a node: each in order, and a closed terminal is no reason to hurry."""

import asyncio
import os
import pty
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuseboard.app import signals
from fuseboard.app.signals import leave_terminal, obey_signals

CLOSED = -1
"""No number of an open file; one that was closed may soon be another's."""


@pytest.fixture(autouse=True)
def _usual_hangup(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a terminal; whoever runs the tests may have it ignored."""
    monkeypatch.setattr(signals, "STANDARD_DESCRIPTORS", ())
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def after(*numbers: signal.Signals) -> tuple[bool, bool]:
    """Whether a node stops, and hurries, once it got these."""

    async def run() -> tuple[bool, bool]:
        stopping, hurry = asyncio.Event(), asyncio.Event()
        obey_signals(stopping, hurry)
        for number in numbers:
            os.kill(os.getpid(), number)
            await asyncio.wait_for(stopping.wait(), 10)
            await asyncio.sleep(0.01)  # one that is to hurry nothing
        return stopping.is_set(), hurry.is_set()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("numbers", "hurries"),
    [
        ((signal.SIGHUP,), False),
        ((signal.SIGHUP, signal.SIGHUP), False),
        ((signal.SIGTERM,), False),
        ((signal.SIGTERM, signal.SIGHUP), False),
    ],
)
def test_each_signal_stops_in_order(numbers: tuple[signal.Signals, ...], hurries: bool) -> None:
    assert after(*numbers) == (True, hurries)


@pytest.mark.parametrize("first", [signal.SIGHUP, signal.SIGINT])
def test_a_second_signal_of_a_person_hurries(first: signal.Signals) -> None:
    async def run() -> None:
        stopping, hurry = asyncio.Event(), asyncio.Event()
        obey_signals(stopping, hurry)
        os.kill(os.getpid(), first)
        await asyncio.wait_for(stopping.wait(), 10)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(hurry.wait(), 10)

    asyncio.run(run())


def test_a_hangup_stops_also_where_standard_output_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signals, "STANDARD_DESCRIPTORS", (CLOSED,))
    told: list[object] = []

    async def run() -> None:
        stopping = asyncio.Event()
        obey_signals(stopping, asyncio.Event())
        asyncio.get_running_loop().set_exception_handler(lambda _loop, fault: told.append(fault))
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.wait_for(stopping.wait(), 10)
        await asyncio.sleep(0)

    asyncio.run(run())
    assert not told


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def run() -> None:
        obey_signals(asyncio.Event(), asyncio.Event())
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

    asyncio.run(run())


def test_what_is_said_to_a_terminal_that_is_gone_fails_nobody(tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    kept = tmp_path / "log"
    file = os.open(kept, os.O_WRONLY | os.O_CREAT)
    try:
        os.close(ours)
        with pytest.raises(OSError, match="Input/output"):
            os.write(terminal, b"said")
        leave_terminal((terminal, file))
        os.write(terminal, b"said")
        os.write(file, b"said")
    finally:
        os.close(terminal)
        os.close(file)
    assert kept.read_bytes() == b"said"
