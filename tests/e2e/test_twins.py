"""Two gateways on one account: refused on one machine, found out and halted from two."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fuseboard.vocabulary.inputs import PositionsSeen
from tests.e2e import processes
from tests.e2e.processes import Bots, Exchange, Gateway, World, accepted, fuseboard, until, world

POLICY = "name: twins\n"
ELSEWHERE = """
import sys
from fuseboard.halts import account_lock
account_lock.SPACE = "another-machine"
from fuseboard.cli import main
sys.exit(main())
"""


def descriptors(pid: int) -> list[str]:
    folder = Path(f"/proc/{pid}/fd")
    return [str(at.readlink()) for at in folder.iterdir() if at.is_symlink()]


def children(pid: int) -> list[int]:
    """All processes below one."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    below = [int(word) for at in tasks for word in (at / "children").read_text().split()]
    return [*below, *(deeper for child in below for deeper in children(child))]


def account_locks() -> list[str]:
    """The sockets that hold accounts now, as `/proc/PID/fd` shows them."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return [f"socket:[{line.split()[6]}]" for line in lines if "@fuseboard-account-" in line]


def test_a_second_gateway_with_a_state_of_its_own_is_refused_until_the_first_one_is_dead(
    here: World, tmp_path: Path, bots: Bots
) -> None:
    here.init(POLICY)
    exchange = here.exchange(tape="normal")
    first = here.gateway(exchange.url, "--guardian", "--", "sleep", "600")
    (tmp_path / "other").mkdir()
    with world(tmp_path / "other", bots) as other:
        other.init(POLICY)
        refused = fuseboard(
            "run", "--state", other.state, "--broker", "alpaca", "--port", "0", "--no-guardian",
            ALPACA_API_KEY=processes.EXCHANGE_KEY, ALPACA_SECRET_KEY=processes.EXCHANGE_SECRET,
            ALPACA_BASE_URL=exchange.url.replace("127.0.0.1", "localhost"),
        )  # fmt: skip
        assert refused.returncode == 1, refused.stdout
        assert f"process {first.process.pid} on this machine trades this account" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1, refused.stderr

        bot = until(lambda: children(first.process.pid)[1:], "bot, its keeper and the guardian run")
        ours = [at for at in account_locks() if at in descriptors(first.process.pid)]
        assert len(ours) == 1
        lock_file = str(here.state / "lock")
        assert lock_file in descriptors(first.process.pid)
        for child in (*bot, *children(first.process.pid)):
            if Path(f"/proc/{child}/fd").exists():
                held = descriptors(child)
                assert ours[0] not in held, "a child would keep the account"
                assert lock_file not in held, "a child would keep the state directory"
        first.kill()
        second = other.gateway(exchange.url)
        second.wait_for(lambda now: now["running"], "the account is free at once")
        assert second.stop() == 0


@contextmanager
def twins(
    here: World, tmp_path: Path, bots: Bots, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Exchange, Gateway, World, Gateway]]:
    """An exchange, a gateway, and the world and gateway of another machine on the same account."""
    here.init(POLICY)
    exchange = here.exchange(tape="normal", requests_per_minute=10_000)
    first = here.open_gateway(exchange.url)
    exchange.start()
    (tmp_path / "other").mkdir()
    with world(tmp_path / "other", bots) as other, monkeypatch.context() as patch:
        other.init(POLICY)
        patch.setattr(processes, "FUSEBOARD", (sys.executable, "-c", ELSEWHERE))
        second = other.gateway(exchange.url)
        patch.undo()
        second.wait_for(lambda now: now["posture"] == "OPEN", "nothing of the first one works yet")
        yield exchange, first, other, second


def test_a_gateway_on_another_machine_is_found_by_its_orders_and_both_halt(
    here: World, tmp_path: Path, bots: Bots, monkeypatch: pytest.MonkeyPatch
) -> None:
    with twins(here, tmp_path, bots, monkeypatch) as (_, first, other, second):
        accepted(here.bot(first.url).buy_limit("AAPL", 1, 100))
        halted_by_the_other(second)
        bot = other.bot(second.url)
        assert "posture_halted" in bot.buy("AAPL", 1)["message"]
        # A person who resets without having found the other one is told by both.
        reset = other.person("reset", "--reason", "seems fine")
        assert reset.returncode == 0, reset.stdout + reset.stderr
        accepted(bot.buy_limit("AAPL", 1, 101))
        halted_by_the_other(first)
        assert first.stop() == 0
        assert second.stop() == 0
        other.evidence_is_clean()
    here.evidence_is_clean()


def test_a_reset_after_such_a_halt_looks_at_the_broker_first(
    here: World, tmp_path: Path, bots: Bots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one's market order is filled at once: our book is behind when we halt for it."""
    with twins(here, tmp_path, bots, monkeypatch) as (exchange, first, other, second):
        accepted(other.bot(second.url).buy("AAPL", 3))
        first.wait_for(lambda now: now["posture"] == "HALTED", "the fill has our prefix")
        here.person("reset", "--reason", "seems fine")
        now = first.status()
        book = {at["symbol"]: at["quantity"] for at in now["positions"] if not at["strategy"]}
        assert now["posture"] == "HALTED" or book == exchange.positions(), now
        first.wait_for(
            lambda now: any("the broker holds" in at["text"] for at in now["alerts"]),
            "the books are compared for the halt",
        )
        assert first.stop() == 0
        assert second.stop() == 0


def test_a_fill_that_the_feed_tells_after_the_reset_that_took_it_over_wants_no_second_reset(
    here: World, tmp_path: Path, bots: Bots, monkeypatch: pytest.MonkeyPatch
) -> None:
    with twins(here, tmp_path, bots, monkeypatch) as (exchange, first, other, second):
        exchange.faults(late_activities=1)
        accepted(other.bot(second.url).buy("AAPL", 3))
        first.wait_for(lambda now: now["posture"] == "HALTED", "the fill has our prefix")

        def read_twice() -> bool:
            facts = [record.input for record in here.records()]
            return sum(isinstance(at, PositionsSeen) and at.after_broker_ns > 0 for at in facts) > 1

        until(read_twice, "the position that differs is read again, by the broker's clock")
        reset = here.person("reset", "--reason", "the other one is stopped")
        assert reset.returncode == 0, reset.stdout + reset.stderr
        now = first.wait_for(
            lambda now: any("the reset took over fills" in at["text"] for at in now["alerts"]),
            "the feed tells it",
        )
        assert now["posture"] == "OPEN"
        assert not now["discrepancies"]
        book = {at["symbol"]: at["quantity"] for at in now["positions"] if not at["strategy"]}
        assert book == exchange.positions() == {"AAPL": "3"}
        assert first.stop() == 0
        assert second.stop() == 0
    here.evidence_is_clean()


def halted_by_the_other(gateway: Gateway) -> None:
    now = gateway.wait_for(lambda now: now["posture"] == "HALTED", "the other one's order halts")
    assert now["postures"][0]["reason"] == "foreign_order"
