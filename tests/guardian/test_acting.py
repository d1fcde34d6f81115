"""What the guardian does at the broker, with the broker's faults; the exchange's ledger judges."""

import json
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuseboard.brokers.alpaca_requests import AlpacaRequests
from fuseboard.core.closes import close_price_nanos as core_price_nanos
from fuseboard.core.legs import Leg
from fuseboard.core.market import Instrument
from fuseboard.core.state import State, Turn
from fuseboard.exchange.ledger import AccountConfigured
from fuseboard.guardian.orders import (
    Orders,
    OrdersUnusable,
    Place,
    key_for,
    key_mark,
    read_orders,
)
from fuseboard.halts.block import LATCHES_PER_SLOT_MAX, Slot
from fuseboard.halts.heartbeats import boot_ns
from fuseboard.halts.register import HaltsRegister
from fuseboard.policy.data_rules import ExecutionRules
from fuseboard.policy.policy import Policy
from fuseboard.rescue import rescuing
from fuseboard.rescue.closing import Close
from fuseboard.rescue.journal import done_runs, read_lines
from fuseboard.rescue.outcome import Left
from fuseboard.rescue.terms import Terms
from fuseboard.vocabulary.closes import close_price_nanos
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.identifiers import (
    ACCOUNT_SCOPE,
)
from fuseboard.vocabulary.inputs import Moment, PositionsSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.e2e.truth import nothing_twice, positions_of
from tests.guardian.scene import ACCOUNT, INSTANCE, RUN_NS, Scene, close_id, last_said


def test_lost_answers_and_refusals_lead_to_one_close_of_each_position(scene: Scene) -> None:
    scene.send("AAPL", 10, "buy")
    scene.send("TSLA", 4, "sell")
    for price in ("1.00", "1.10", "1.20"):
        scene.send("AAPL", 1, "buy", limit_price=price)
    scene.exchange.faults(drop_after_accept=1, server_error_after_accept=1, server_error=3)
    outcome = scene.act()
    assert outcome.cancelled
    assert [each.left_nanos for each in outcome.left] == [0, 0]
    assert scene.exchange.state()["working_orders"] == 0
    ledger = scene.ledger()
    nothing_twice(ledger)
    assert positions_of(ledger) == {}
    assert Counter(each.symbol for each in scene.ours()) == {"AAPL": 1, "TSLA": 1}
    assert {each.client_order_id for each in scene.ours()} == {
        close_id(f"guardian#{RUN_NS}", symbol, 1) for symbol in ("AAPL", "TSLA")
    }
    configured = [each for each in ledger if isinstance(each, AccountConfigured)]
    assert [(each.no_shorting, each.suspend_trade) for each in configured] == [
        (True, False),
        (True, True),
    ]
    before = json.loads(scene.place.latches_file.read_bytes())
    assert before == {"no_shorting": False, "suspend_trade": False}
    assert last_said(scene) == "nothing works any more; all that was to be closed is flat"
    assert done_runs(read_lines(scene.place.journal_file)) == {RUN_NS}
    again = scene.act()  # as a guardian that crashed after its last act
    assert again.cancelled
    assert len(scene.ours()) == 2
    assert json.loads(scene.place.latches_file.read_bytes()) == before
    assert any("keeps" not in text and "is done" in text for text in scene.heard.texts)


def test_a_key_that_is_refused_for_a_while_is_paged_at_once_and_asked_with_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fuseboard.rescue.asking.REFUSED_S", 0.2)
    scene.send("AAPL", 10, "buy")
    scene.send("AAPL", 1, "buy", limit_price="1.00")
    scene.exchange.faults(refuse_key=12)
    outcome = scene.act()
    assert outcome.cancelled
    assert outcome.has_key
    assert [each.left_nanos for each in outcome.left] == [0]
    (said,) = [text for text in scene.heard.texts if "refuses the key" in text]
    assert "/v2/orders: 401 unauthorized; the guardian keeps asking with it" in said
    assert positions_of(scene.ledger()) == {}


def test_a_trip_that_the_gateway_had_begun_goes_on_under_its_ids(scene: Scene) -> None:
    trip = "drawdown:account#1"
    scene.send("AAPL", 10, "buy")
    scene.send("AAPL", 4, "sell", client_order_id=close_id(trip, "AAPL", 1))
    with closing(HaltsRegister(scene.place.register_file, Slot.GATEWAY)) as register:
        register.latch(
            LatchHalt(
                scope=ACCOUNT_SCOPE,
                level=HaltLevel.FLATTEN,
                reason=Reason.DRAWDOWN,
                trip=trip,
                halt_epoch=1,
                detail="",
            ),
            Moment(boot_ns(), time.time_ns()),
        )
    outcome = scene.act(flatten=False)  # the gateway's trip had told to close
    assert outcome.cancelled
    assert scene.exchange.positions() == {}
    assert [each.client_order_id for each in scene.ours()] == [
        close_id(trip, "AAPL", 1),
        close_id(trip, "AAPL", 2),
    ]
    assert scene.ours()[1].quantity_nanos == 6 * NANOS
    with closing(HaltsRegister(scene.place.register_file, Slot.OPERATOR)) as register:
        latched = {latch.slot: latch for latch in register.latched()}
    assert latched[Slot.GUARDIAN].level is HaltLevel.KILL
    assert latched[Slot.GUARDIAN].reason is Reason.GUARDIAN
    assert latched[Slot.GUARDIAN].halt_epoch > latched[Slot.GATEWAY].halt_epoch


def test_a_liquidation_beneath_a_kill_goes_on_unless_a_person_froze_it(scene: Scene) -> None:
    trip = "drawdown:account#1"
    moment = Moment(boot_ns(), time.time_ns())

    def halt(level: HaltLevel, trip: str, scope: str = ACCOUNT_SCOPE) -> LatchHalt:
        return LatchHalt(
            scope=scope, level=level, reason=Reason.DRAWDOWN, trip=trip, halt_epoch=0, detail=""
        )

    def lift(register: HaltsRegister) -> None:
        epoch = max(latch.halt_epoch for latch in register.latched())
        register.clear(ACCOUNT_SCOPE, epoch, moment)
        assert Slot.OPERATOR not in {latch.slot for latch in register.latched()}

    scene.send("AAPL", 10, "buy")
    with (
        closing(HaltsRegister(scene.place.register_file, Slot.GATEWAY)) as gateway,
        closing(HaltsRegister(scene.place.register_file, Slot.OPERATOR)) as operator,
    ):
        gateway.latch(halt(HaltLevel.FLATTEN, "latch:strategy:x#1", "strategy:x"), moment)
        for number in range(LATCHES_PER_SLOT_MAX):  # more than a slot holds: the account is halted
            gateway.latch(halt(HaltLevel.HALT, "", f"strategy:{number}"), moment)
        operator.latch(halt(HaltLevel.FLATTEN, "from-a-restore#1"), moment)
        scene.act(flatten=False)
        assert "NOT closed" in last_said(scene), "neither was the gateway's, of the account"
        assert "ask for it; the gateway was told to close strategy:x): 10" in last_said(scene)
        lift(operator)
        gateway.latch(halt(HaltLevel.FLATTEN, trip), moment)
        gateway.latch(halt(HaltLevel.KILL, "latch:account#1"), moment)
        operator.latch(halt(HaltLevel.FREEZE, ""), moment)
        scene.act(flatten=False)
        assert "NOT closed" in last_said(scene), "a person froze it"
        lift(operator)
    scene.act(flatten=False)
    assert scene.exchange.positions() == {}
    assert [each.client_order_id for each in scene.ours()] == [close_id(trip, "AAPL", 1)]


def test_the_gateways_liquidation_of_a_symbol_goes_on_and_closes_nothing_else(
    scene: Scene,
) -> None:
    trip = "latch:symbol:AAPL#1"
    moment = Moment(boot_ns(), time.time_ns())

    def halt(level: HaltLevel, trip: str, scope: str) -> LatchHalt:
        return LatchHalt(
            scope=scope, level=level, reason=Reason.OPERATOR, trip=trip, halt_epoch=0, detail=""
        )

    scene.send("AAPL", 10, "buy")
    scene.send("TSLA", 4, "buy")
    with (
        closing(HaltsRegister(scene.place.register_file, Slot.GATEWAY)) as gateway,
        closing(HaltsRegister(scene.place.register_file, Slot.OPERATOR)) as operator,
    ):
        gateway.latch(halt(HaltLevel.FLATTEN, trip, "symbol:AAPL"), moment)
        gateway.latch(halt(HaltLevel.FLATTEN, "latch:desk:x#1", "desk:x"), moment)
        scene.act(flatten=False, may_close=False)
        left = "(the policy does not ask for it; the gateway was told to close symbol:AAPL, desk:x)"
        assert f"; positions were NOT closed {left}: 10 AAPL, 4 TSLA are open" in last_said(scene)
        for frozen, why in (
            ("symbol:AAPL", "to close desk:x)"),
            ("account", "does not ask for it)"),
        ):
            operator.latch(halt(HaltLevel.FREEZE, "", frozen), moment)
            scene.act(flatten=False)
            assert f"{why}: 10 AAPL, 4 TSLA are open" in last_said(scene), frozen
            epoch = max(latch.halt_epoch for latch in operator.latched())
            operator.clear(frozen, epoch, moment)
    scene.act(flatten=False)
    assert scene.exchange.positions() == {"TSLA": "4"}
    assert [each.client_order_id for each in scene.ours()] == [close_id(trip, "AAPL", 1)]
    left = "(the policy does not ask for it; the gateway was told to close desk:x): 4 TSLA are open"
    assert last_said(scene).endswith(f"; AAPL is flat; other positions were NOT closed {left}")
    assert not scene.place.latches_file.exists(), "the broker's latches bind the whole account"


def test_nothing_is_closed_while_the_gateway_may_live_or_the_policy_says_cancel(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.act(flatten=False)
    assert last_said(scene) == "nothing works any more; no position is held"
    scene.send("AAPL", 10, "buy")
    scene.send("AAPL", 1, "buy", limit_price="1.00")
    alive = scene.act(may_close=False)
    assert scene.exchange.state()["working_orders"] == 0
    assert "NOT closed (the gateway may still be alive): 10 AAPL are open" in alive.says()
    scene.send("TSLA", 4, "sell")
    scene.act(flatten=False)
    kept = "nothing works any more; positions were NOT closed (the policy does not ask for it)"
    assert last_said(scene) == f"{kept}: 10 AAPL, -4 TSLA are open"
    assert scene.heard.texts[-1].endswith(f"the guardian is done: {last_said(scene)}")

    async def down(broker: AlpacaRequests) -> PositionsSeen:
        raise BrokerUnavailable("no connection")

    with monkeypatch.context() as patched:
        patched.setattr(AlpacaRequests, "positions", down)
        patched.setattr(rescuing, "HELD_S_MAX", 0.1)
        scene.act(flatten=False)
    assert last_said(scene) == (f"{kept}, and cannot be read: no connection; look at the broker")

    async def closed(close: Close) -> Left:
        return Left(symbol="AAPL", left_nanos=0)

    monkeypatch.setattr(Close, "run", closed)
    scene.act()
    assert last_said(scene).endswith("; the broker's last read: 10 AAPL, -4 TSLA are open")
    assert scene.exchange.positions() == {"AAPL": "10", "TSLA": "-4"}
    assert not scene.ours()


@given(
    symbol=st.sampled_from(("AAPL", "XRP/USD")),
    start_nanos=st.integers(1, 10**15),
    side=st.sampled_from(Side),
    first_nanos=st.integers(1, NANOS // 2),
    most_nanos=st.integers(1, NANOS // 2),
    tries=st.integers(0, 20),
    rests=st.booleans(),
)
def test_the_guardian_prices_a_close_as_the_kernel_does(
    symbol: str,
    start_nanos: int,
    side: Side,
    first_nanos: int,
    most_nanos: int,
    tries: int,
    rests: bool,
) -> None:
    rules = ExecutionRules(close_collar_nanos=first_nanos, close_collar_nanos_max=most_nanos)
    policy = Policy(execution=rules)
    instrument = Instrument()
    instrument.bid_nanos = instrument.ask_nanos = start_nanos
    state = State(instruments={symbol: instrument})
    turn = cast("Turn", SimpleNamespace(state=state, policy=policy, liquidity=None))
    price = close_price_nanos(
        symbol,
        start_nanos,
        side,
        first_nanos=first_nanos,
        most_nanos=most_nanos,
        tries=tries,
        rests=rests,
    )
    assert price == core_price_nanos(turn, Leg(symbol=symbol, tries=tries, rests=rests), side)


def test_orders_are_for_one_key_and_damage_is_said(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert read_orders(place) is None
    place.orders_file.write_bytes(b'{"instance": 3}')
    with pytest.raises(OrdersUnusable, match="start the gateway"):
        read_orders(place)
    orders = Orders(
        instance=INSTANCE, account=ACCOUNT, base_url="", data_url="", key_mark=key_mark("A"),
        timeout_ns=1, flatten=False, close_collar_nanos=1, close_collar_nanos_max=1,
        close_wait_ns=1, close_attempts_max=1, close_within_ns=1, absent_after_ns=1,
    )  # fmt: skip
    pair = {"ALPACA_API_KEY": "A", "ALPACA_SECRET_KEY": "s"}
    assert key_for(orders, pair) == ("A", "s")
    assert isinstance(orders, Terms), "the closes know the policy by it"
    with pytest.raises(OrdersUnusable, match="not the key of the gateway"):
        key_for(orders, pair | {"ALPACA_API_KEY": "B"})
    with pytest.raises(OrdersUnusable, match="ALPACA_SECRET_KEY"):
        key_for(orders, {"ALPACA_API_KEY": "A"})
