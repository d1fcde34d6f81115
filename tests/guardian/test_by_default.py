"""`fuseboard run` starts a guardian of its own, watches it back, and takes the bot with it."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fuseboard.halts.heartbeats import Beat, Heart, HeartbeatFile, Phase, process_seen
from tests.e2e.processes import Gateway, World, until
from tests.guardian.guarded import POLICY

BOT = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"


class ByDefault:
    def __init__(self, here: World) -> None:
        here.init(POLICY % "false")
        self.here = here
        self.exchange = here.exchange(tape="normal")
        self.exchange.start()
        self.bot_file = here.folder / "bot.pid"
        self.gateway: Gateway = here.gateway(
            self.exchange.url, "--guardian", "--", sys.executable, "-c", BOT, self.bot_file
        )
        self.beats = HeartbeatFile(here.state / "heartbeats")
        self.guardian = self.guardian_but(0)

    def beat(self) -> Beat | None:
        return self.beats.read(Heart.GUARDIAN)

    def guardian_but(self, pid: int) -> int:
        def found() -> int:
            beat = self.beat()
            alive = beat is not None and beat.phase is Phase.RUNNING and beat.iteration > 1
            return beat.pid if beat is not None and alive and beat.pid != pid else 0

        return until(found, "a guardian beats")

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.guardian, signal.SIGKILL)
        self.beats.close()


@pytest.fixture
def it(here: World) -> Iterator[ByDefault]:
    made = ByDefault(here)
    yield made
    made.close()


def gone(pid: int) -> bool:
    seen = process_seen(pid)
    return seen is None or seen.state in "ZX"


def test_a_guardian_that_dies_is_missed_said_once_and_started_again(it: ByDefault) -> None:
    assert os.getsid(it.guardian) == it.guardian, "it outlives the gateway's session"
    orders = it.here.state / "guardian.json"
    orders.unlink()
    until(orders.exists, "the gateway writes its orders again")
    first = it.guardian
    os.kill(first, signal.SIGKILL)
    it.guardian = it.guardian_but(first)
    now = it.gateway.wait_for(
        lambda now: now["about"]["guardian"] == "watches", "the gateway sees the new one"
    )
    missing = [alert for alert in now["alerts"] if "the guardian is missing" in alert["text"]]
    assert [alert["code"] for alert in missing] == ["guardian_missing"]
    assert it.gateway.stop() == 0
    until(lambda: gone(it.guardian), "it stands down")


def test_the_bot_dies_with_a_gateway_that_was_stopped_and_the_guardian_lives_on(
    it: ByDefault,
) -> None:
    bot = int(until(lambda: text_of(it.bot_file), "the bot runs"))
    os.kill(it.gateway.process.pid, signal.SIGSTOP)
    until(it.gateway.ended, "the guardian kills the gateway")
    until(lambda: gone(bot), "the keeper ends the bot")
    assert not gone(it.guardian)

    def done() -> bool:
        return '"done"' in text_of(it.here.state / "guardian.jsonl")

    until(done, "the guardian is done")
    os.kill(it.guardian, signal.SIGTERM)
    until(lambda: gone(it.guardian), "a person ends it")


def text_of(file: Path) -> str:
    return file.read_text() if file.exists() else ""
