"""The guardian leaves open what a person froze, though its policy has it close everything."""

import time
from contextlib import closing

import pytest

from fuseboard.halts.block import Slot
from fuseboard.halts.heartbeats import boot_ns
from fuseboard.halts.register import HaltsRegister
from fuseboard.rescue import trips
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.inputs import Moment
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.deletion import without
from tests.guardian.scene import Scene, last_said


def latch(
    scene: Scene, level: HaltLevel, scope: str, trip: str = "", slot: Slot = Slot.GATEWAY
) -> None:
    with closing(HaltsRegister(scene.place.register_file, slot)) as register:
        halt = LatchHalt(
            scope=scope,
            level=level,
            reason=Reason.OPERATOR,
            trip=trip,
            halt_epoch=0,
            detail="Ada: a bad print; frozen plans: none",
        )
        register.latch(halt, Moment(boot_ns(), time.time_ns()))


def test_a_frozen_account_is_cancelled_and_stays_open(scene: Scene) -> None:
    scene.send("AAPL", 10, "buy")
    latch(scene, HaltLevel.FLATTEN, "account", "latch:account#1")
    latch(scene, HaltLevel.FREEZE, "account")
    scene.act(flatten=True)
    assert scene.exchange.positions() == {"AAPL": "10"}
    assert "NOT closed (account frozen by Ada: left open): 10 AAPL are open" in last_said(scene)


def test_a_frozen_symbol_stays_open_and_all_else_is_closed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.send("AAPL", 10, "buy")
    scene.send("TSLA", 4, "buy")
    latch(scene, HaltLevel.FREEZE, "symbol:AAPL")
    scene.act(flatten=True)
    assert scene.exchange.positions() == {"AAPL": "10"}
    said = last_said(scene)
    assert "TSLA is flat" in said
    assert "NOT closed (symbol:AAPL frozen by Ada: left open): 10 AAPL are open" in said
    without(monkeypatch, trips.all_but_frozen, ", frozen=symbols")
    scene.act(flatten=True)
    assert scene.exchange.positions() == {}, "it is the freeze that kept it"


@pytest.mark.parametrize("slot", [Slot.GATEWAY, Slot.OPERATOR])
def test_a_flattening_after_the_freeze_is_closed(scene: Scene, slot: Slot) -> None:
    scene.send("AAPL", 10, "buy")
    latch(scene, HaltLevel.FREEZE, "account")
    latch(scene, HaltLevel.FLATTEN, "account", "latch:account#1", slot)
    scene.act(flatten=True)
    assert scene.exchange.positions() == {}


def test_a_freeze_after_that_leaves_it_open_again(scene: Scene) -> None:
    scene.send("AAPL", 10, "buy")
    latch(scene, HaltLevel.FREEZE, "account")
    latch(scene, HaltLevel.FLATTEN, "account", "latch:account#1")
    latch(scene, HaltLevel.KILL, "account", "latch:account#1")
    latch(scene, HaltLevel.FREEZE, "account")
    scene.act(flatten=True)
    assert scene.exchange.positions() == {"AAPL": "10"}


@pytest.mark.parametrize("scope", ["strategy:alpha", "tag:slow"])
def test_where_a_share_is_frozen_nothing_is_closed_and_people_hear_why(
    scene: Scene, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.send("AAPL", 10, "buy")
    scene.send("TSLA", 4, "buy")
    scene.send("AAPL", 1, "buy", limit_price="1")
    latch(scene, HaltLevel.FREEZE, scope)
    outcome = scene.act(flatten=True)
    assert outcome.cancelled
    assert scene.exchange.positions() == {"AAPL": "10", "TSLA": "4"}
    said = last_said(scene)
    assert f"positions were NOT closed ({scope} frozen by Ada" in said
    assert "10 AAPL, 4 TSLA are open" in said
    without(monkeypatch, trips.all_but_frozen, "shares_frozen(frozen)", "''")
    scene.act(flatten=True)
    assert scene.exchange.positions() == {}, "it is the freeze that kept them"


def test_nor_is_the_symbol_that_the_gateway_was_closing(scene: Scene) -> None:
    scene.send("AAPL", 10, "buy")
    latch(scene, HaltLevel.FLATTEN, "symbol:AAPL", "latch:symbol:AAPL#1")
    latch(scene, HaltLevel.FREEZE, "strategy:alpha")
    scene.act()
    assert scene.exchange.positions() == {"AAPL": "10"}
    assert "strategy:alpha frozen by Ada" in last_said(scene)


def test_a_flattening_of_the_account_after_a_strategys_freeze_closes_all(scene: Scene) -> None:
    scene.send("AAPL", 10, "buy")
    latch(scene, HaltLevel.FREEZE, "strategy:alpha")
    latch(scene, HaltLevel.FLATTEN, "account", "latch:account#1")
    scene.act(flatten=True)
    assert scene.exchange.positions() == {}
