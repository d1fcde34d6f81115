"""The strategy that we start: after the comparison with the broker, and never once we stop."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from fuseboard.app import node
from fuseboard.app.supervised import Supervised
from fuseboard.gateway.keys import Keys


class Stopped(Exception):
    """The drain began."""


@pytest.mark.parametrize("ends", ["a signal", "a fault", "neither"])
def test_a_stop_while_the_books_are_compared_starts_no_strategy(
    ends: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    compared = False

    async def start(_self: Supervised, port: int) -> None:
        started.append(port)

    async def drain(_stop: object, *, ended: str) -> str:
        assert not ended, "it did not end: the node was told to stop"
        raise Stopped

    monkeypatch.setattr(Supervised, "start", start)
    here: Any = object.__new__(node.Node)
    here._board = SimpleNamespace(is_reconciled=lambda: compared)
    here._strategy = Supervised(["bot"], "bot", Keys(tmp_path / "keys.json"))

    async def main() -> None:
        nonlocal compared
        here._stopping = asyncio.Event()
        fault = asyncio.Event()

        async def serve() -> None:
            await fault.wait()
            raise OSError(28, "No space left on device")

        serving = asyncio.create_task(serve())
        until_stopped = asyncio.create_task(
            here._until_stopped(serving, None, 8787, SimpleNamespace(run=drain))
        )
        await asyncio.sleep(0)
        if ends == "neither":
            compared = True
            while not started:
                await asyncio.sleep(0.01)
            here._stopping.set()
        elif ends == "a fault":
            fault.set()
        else:
            here._stopping.set()
        try:
            await until_stopped
        finally:
            serving.cancel()

    with pytest.raises(OSError if ends == "a fault" else Stopped):
        asyncio.run(asyncio.wait_for(main(), 10))
    assert started == ([8787] if ends == "neither" else [])
