"""The broker's own latches, set by the gateway or the guardian, at an exchange that has them."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from fuseboard.app.broker_choice import BrokerKeys
from fuseboard.app.broker_latching import BrokerLatching, News
from fuseboard.brokers.alpaca_protection import BrokerLatches
from fuseboard.exchange.ledger import AccountConfigured
from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.orders import Severity
from tests.e2e.processes import EXCHANGE_KEY, EXCHANGE_SECRET
from tests.guardian.scene import INSTANCE, Scene, standing

NO_SHORTING = LatchBroker(no_shorting=True)
SUSPEND = LatchBroker(suspend_trade=True)
TAKE_BACK = LatchBroker(suspend_trade=False)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with standing(tmp_path_factory.mktemp("latches")) as made:
        yield made


class Desk:
    """The gateway's side: an account that is halted or not."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.halted = True
        self.began = len(scene.ledger())
        self.latching = self.started()

    def started(self) -> BrokerLatching:
        url = self.scene.exchange.url
        keys = BrokerKeys(
            base_url=url,
            data_url=url,
            data_stream_url=url,
            key_id=EXCHANGE_KEY,
            secret=EXCHANGE_SECRET,
        )
        return BrokerLatching(
            self.scene.place, broker=keys, instance=INSTANCE, is_halted=lambda: self.halted
        )

    def latch(self, *wanted: LatchBroker) -> None:
        for each in wanted:
            asyncio.run(self.latching.latch(each))

    def lift(self) -> None:
        asyncio.run(self.latching.lift())

    def look(self) -> News | None:
        return asyncio.run(self.latching.look())

    def configured(self) -> list[tuple[bool, bool]]:
        return [
            (each.no_shorting, each.suspend_trade)
            for each in self.scene.ledger()[self.began :]
            if isinstance(each, AccountConfigured)
        ]


def test_what_the_gateway_set_a_reset_lifts_over_a_restart_too(scene: Scene) -> None:
    desk = Desk(scene)
    desk.latch(NO_SHORTING, SUSPEND)
    before = {"no_shorting": False, "suspend_trade": False}
    assert json.loads(scene.place.latches_file.read_bytes()) == before
    desk.latch(TAKE_BACK, SUSPEND)
    desk.lift()
    assert desk.configured() == [(True, False), (True, True), (True, False), (True, True)]
    desk.latching = desk.started()
    assert not desk.latching.is_to_be_lifted(), "the account is halted"
    desk.halted = False
    assert desk.latching.is_to_be_lifted()
    desk.lift()
    assert desk.configured()[4:] == [(False, False)]
    assert not scene.place.latches_file.exists()
    desk.latch(NO_SHORTING, SUSPEND, TAKE_BACK)
    desk.lift()
    assert desk.configured()[5:] == [], "a reset outran it"


def test_what_a_person_had_set_stays_set(scene: Scene) -> None:
    desk = Desk(scene)
    asyncio.run(_set(scene, no_shorting=True))
    desk.latch(NO_SHORTING, SUSPEND)
    desk.halted = False
    desk.lift()
    assert desk.configured() == [(True, False), (True, False), (True, True), (True, False)]
    asyncio.run(_set(scene, no_shorting=False))


def test_the_guardian_takes_back_a_suspension_of_the_gateways_to_close(scene: Scene) -> None:
    scene.send("AAPL", 3, "buy")
    desk = Desk(scene)
    desk.latch(SUSPEND)
    outcome = scene.act()
    assert [each.left_nanos for each in outcome.left] == [0]
    assert desk.configured() == [(False, True), (True, False), (True, True)]
    desk.halted = False
    desk.lift()
    assert desk.configured()[3:] == [(False, False)]


def test_nothing_is_set_that_could_not_be_lifted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(scene)
    monkeypatch.setattr(scene.place, "latches_file", Path(scene.place.state) / "gone" / "file")
    with pytest.raises(BrokerUnavailable, match="No such file"):
        desk.latch(SUSPEND)
    assert desk.configured() == []


def test_a_start_that_repeats_a_suspension_whose_file_is_lost_knows_it_as_ours(
    scene: Scene,
) -> None:
    desk = Desk(scene)
    desk.latch(SUSPEND)
    scene.place.latches_file.unlink()
    desk.latching = desk.started()
    desk.latch(structs.replace(SUSPEND, again=True))
    assert desk.look() is None, "what is set is ours"
    desk.halted = False
    desk.lift()
    assert desk.configured()[-1] == (False, False)
    assert desk.look() is None


def test_a_suspension_whose_file_is_lost_is_lifted_where_the_reset_came_before_it_was_repeated(
    scene: Scene,
) -> None:
    desk = Desk(scene)
    desk.latch(SUSPEND)
    scene.place.latches_file.unlink()
    desk.latching = desk.started()
    desk.halted = False
    desk.latch(SUSPEND)
    assert desk.configured()[-1] == (False, True), "one that is not repeated is not lifted by it"
    desk.latch(structs.replace(SUSPEND, again=True))
    assert desk.configured()[-1] == (False, False)
    assert not scene.place.latches_file.exists()


@pytest.mark.parametrize("suspends", [True, False])
def test_what_no_record_explains_is_said_once_and_in_the_status_and_no_reset_lifts_it(
    scene: Scene, *, suspends: bool
) -> None:
    desk = Desk(scene)
    chosen = BrokerLatches(no_shorting=not suspends, suspend_trade=suspends)
    asyncio.run(_choose(scene, chosen))
    began = len(desk.configured())
    news = desk.look()
    assert news is not None
    assert news.severity is (Severity.PAGE if suspends else Severity.WARNING)
    what = "every new order (suspend_trade)" if suspends else "new short sales (no_shorting)"
    assert news.text.startswith(f"the broker itself refuses {what}: a person chose that, or we did")
    assert what in desk.latching.about()["at broker"]
    assert desk.look() is None, "said once, not each time that it is seen"
    desk.latching.cleared()
    desk.halted = False
    desk.lift()
    desk.latching.cleared()
    assert desk.look() is None
    assert desk.configured()[began:] == [], "a reset lifts nothing that may be a person's"
    asyncio.run(_choose(scene, BrokerLatches(no_shorting=False, suspend_trade=False)))
    desk.latching.cleared()
    over = desk.look()
    assert over is not None
    assert over.text == f"over: the broker itself no longer refuses {what}"
    assert desk.latching.about() == {}


async def _set(scene: Scene, *, no_shorting: bool) -> None:
    await _choose(scene, BrokerLatches(no_shorting=no_shorting))


async def _choose(scene: Scene, latches: BrokerLatches) -> None:
    """A person's own choice, at the broker's page."""
    protection = Desk(scene).latching._protection()
    try:
        await protection.latch(latches)
    finally:
        await protection.close()
