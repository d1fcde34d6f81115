"""How long the guardian goes on cancelling: the reads that it asks for, and what was on its way."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fuseboard.brokers.alpaca_protection import AlpacaProtection
from fuseboard.brokers.alpaca_requests import AlpacaRequests
from fuseboard.guardian.acting import Acts
from fuseboard.guardian.orders import Orders, Place
from fuseboard.guardian.watching import Finding, Kind, What
from fuseboard.halts.register import HaltsRegister
from fuseboard.rescue.asking import Asking
from fuseboard.rescue.journal import GuardianJournal, read_lines
from fuseboard.rescue.rescuing import LOOK_S, Rescue
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.inputs import PositionsSeen
from fuseboard.wire.alpaca_orders import SeenOrder, listed_order

MISSED = Finding(What.MISSED, Kind.GONE, 2_000_000_000)


class Told:
    """A broker that shows what it is told, read by read, on a clock that each read moves."""

    def __init__(self, *shown: int, read_s: float = 0.0, died_s: float = 0.0) -> None:
        self.left = list(shown)
        self.cancels = 0
        self.reads_s: list[float] = []
        self.closes_s: list[float] = []
        self.now_s = died_s
        self._read_s = read_s

    def working(self) -> list[SeenOrder]:
        self.reads_s.append(self.now_s)
        self.now_s += self._read_s
        shown = self.left.pop(0) if self.left else 0
        if shown < 0:
            raise BrokerUnavailable("the list of orders is not a list")
        return [listed_order({"id": "an order"})] * shown


@pytest.fixture
def cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Act on what is told, the gateway dead at a time; what the journal says of the cancels."""

    def act(told: Told, waited_s: float, *, closes: bool = False) -> str:
        async def working_orders(_: AlpacaProtection) -> list[SeenOrder]:
            return told.working()

        async def cancel_all(_: AlpacaProtection) -> None:
            told.cancels += 1

        async def positions(_: AlpacaRequests) -> PositionsSeen:
            told.closes_s.append(told.now_s)
            return PositionsSeen(positions=())

        async def latched(*_: object) -> None:
            """There is no broker to latch."""

        monkeypatch.setattr(Rescue, "_latch_broker", latched)
        monkeypatch.setattr(AlpacaProtection, "working_orders", working_orders)
        monkeypatch.setattr(AlpacaProtection, "cancel_all", cancel_all)
        monkeypatch.setattr(AlpacaRequests, "positions", positions)
        place = Place(tmp_path)
        HaltsRegister.create(place.register_file)
        orders = Orders(
            instance="abcd1234", account="default", base_url="http://127.0.0.1:1",
            data_url="http://127.0.0.1:1", key_mark="", timeout_ns=1, flatten=closes,
            close_collar_nanos=1, close_collar_nanos_max=1, close_wait_ns=1, close_attempts_max=1,
            close_within_ns=1, absent_after_ns=1, cancel_wait_ns=1,
        )  # fmt: skip
        with closing(GuardianJournal(place.journal_file)) as journal:
            acts = Acts(
                place=place, orders=orders, key=("key", "secret"), run_ns=5, journal=journal,
                page=lambda *_, **_age: None, now_s=lambda: told.now_s,
            )  # fmt: skip
            acts.secure(MISSED, None)
            told.now_s += waited_s
            assert asyncio.run(acts.act(may_close=closes)).cancelled
        said = [at.detail for at in read_lines(place.journal_file) if at.act == "cancelled"]
        assert closes or len(said) == 1
        return said[-1]

    return act


def test_an_order_that_shows_again_after_an_empty_read_is_cancelled(
    cancelled: Callable[..., str],
) -> None:
    told = Told(3, 0, 1)
    said = cancelled(told, 1_000.0)  # nothing can be on its way any more
    assert told.cancels == 3, "the first before anything is read"
    assert len(told.reads_s) == 5
    assert said == "2 reads in a row show nothing at work; at most 3 were seen"


def test_what_was_on_its_way_at_the_death_is_waited_for_and_cancelled(
    cancelled: Callable[..., str],
) -> None:
    told = Told(0, 0, 0, 1, read_s=0.3, died_s=50.0)  # it comes in at the last moment
    said = cancelled(told, 0.0)
    assert told.cancels == 2
    assert said == "2 reads in a row show nothing at work; at most 1 were seen"


def test_what_cannot_be_read_is_cancelled_before_and_at_each_read_that_fails(
    cancelled: Callable[..., str],
) -> None:
    told = Told(-1, -1, 0, -1)
    cancelled(told, 1_000.0)
    assert told.cancels == 4


def test_the_last_read_is_asked_after_all_that_was_on_its_way(
    cancelled: Callable[..., str],
) -> None:
    told = Told(read_s=0.375, died_s=50.0)
    said = cancelled(told, 0.0)
    assert told.reads_s[-1] == 51.125, "the one of 50.75 ends after the second, and is too early"
    assert said == "4 reads in a row show nothing at work; at most 0 were seen"


def test_what_may_be_on_its_way_costs_few_of_the_minutes_requests(
    cancelled: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway leaves forty of two hundred to protection (`execution.protected_share`)."""
    told, slept_s = Told(died_s=50.0), [0.0]
    sleep = asyncio.sleep

    async def slept(seconds: float) -> None:
        told.now_s += seconds
        slept_s.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", slept)
    cancelled(told, 0.0)
    assert told.reads_s[-1] >= 51.0
    assert len(told.reads_s) <= 5
    assert max(slept_s) <= LOOK_S, "what arrives works no longer than that"


def test_nothing_is_closed_beside_an_order_that_stays_before_all_that_was_on_its_way_is_there(
    cancelled: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def paused(_asking: Asking, _attempt: int, *, why: str) -> None:
        """The clock is the broker's alone."""

    monkeypatch.setattr(Asking, "pause", paused)
    told = Told(*[1] * 7, read_s=0.375, died_s=50.0)
    cancelled(told, 0.0, closes=True)
    assert told.closes_s[0] == 51.5, "after the first read that was asked a second after the death"
