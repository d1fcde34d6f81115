"""What the guardian does beside orders that stay, and orders and positions that cannot be read."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from fuseboard.brokers.alpaca_protection import CANCELS_AT_ONCE_MAX, AlpacaProtection
from fuseboard.brokers.alpaca_requests import AlpacaRequests
from fuseboard.brokers.alpaca_session import AlpacaOptions, AlpacaSession
from fuseboard.guardian.orders import Place
from fuseboard.rescue import closing
from fuseboard.rescue.asking import Asking, OutOfTime
from fuseboard.rescue.journal import read_lines
from fuseboard.rescue.rescuing import Rescue
from fuseboard.vocabulary.doors import BrokerUnavailable, Throttled
from fuseboard.vocabulary.inputs import PositionsSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.wire.alpaca_orders import SeenOrder, seen_order
from tests.brokers.scripted_broker import order_entry
from tests.guardian.scene import Scene, acts_of, last_said

SPREAD = {"id": "m-1", "client_order_id": "by-hand", "symbol": "", "side": "", "status": "new",
          "order_class": "mleg", "qty": "1", "legs": None}  # fmt: skip


def not_cancelled(scene: Scene) -> list[str]:
    lines = read_lines(scene.place.journal_file)
    return [line.detail for line in lines if line.act == "not cancelled"]


def ends_when(monkeypatch: pytest.MonkeyPatch, is_over: Callable[[str], bool]) -> None:
    """The time to ask the broker is over once that holds of why it is asked again."""
    pause = Asking.pause

    async def paused(asking: Asking, attempt: int, *, why: str) -> None:
        if is_over(why):
            raise OutOfTime(why)
        await pause(asking, attempt, why=why)

    monkeypatch.setattr(Asking, "pause", paused)


def test_a_spread_placed_by_hand_is_cancelled_with_the_others_and_all_is_closed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.send("AAPL", 10, "buy")
    scene.send("AAPL", 1, "buy", limit_price="1.00")
    works = [True]
    read, cancel_all = AlpacaSession.read, AlpacaProtection.cancel_all

    async def shown(session: AlpacaSession, target: str) -> object:
        entries = await read(session, target)
        listed = target.startswith("/v2/orders?status=open") and works[0]
        return [SPREAD, *entries] if listed and isinstance(entries, list) else entries

    async def cancelled(protection: AlpacaProtection) -> None:
        await cancel_all(protection)
        works[0] = False

    monkeypatch.setattr(AlpacaSession, "read", shown)
    monkeypatch.setattr(AlpacaProtection, "cancel_all", cancelled)
    outcome = scene.act()
    assert (outcome.cancelled, outcome.held) == (True, ())
    assert scene.exchange.state()["working_orders"] == 0
    assert scene.exchange.positions() == {}


def test_an_order_that_stays_keeps_nothing_else_open_and_is_named_at_the_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.send("AAPL", 10, "buy")
    scene.send("TSLA", 4, "buy")
    stuck = seen_order(order_entry(id="s-1", status="pending_cancel"))

    async def stays(_protection: AlpacaProtection) -> list[SeenOrder]:
        return [stuck]

    monkeypatch.setattr(AlpacaProtection, "working_orders", stays)
    ends_when(monkeypatch, lambda _: "closed" in acts_of(scene))
    outcome = scene.act(cancel_wait_ns=1)
    assert scene.exchange.positions() == {}
    assert [each.left_nanos for each in outcome.left] == [0, 0]
    (said,) = not_cancelled(scene)
    assert said == "1 orders still work: buy AAPL (s-1)"
    assert not outcome.cancelled
    assert "; all that was to be closed is flat; what they fill" in last_said(scene)
    assert last_said(scene).endswith("from then on stays open")


def test_what_an_order_that_stayed_kept_is_closed_when_it_is_gone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.send("AAPL", 10, "buy")
    scene.send("AAPL", 10, "sell", limit_price="9000.00")
    cancel_all = AlpacaProtection.cancel_all

    async def pends(protection: AlpacaProtection) -> None:
        """Taken, and done only once the first closes were tried."""
        if "closed" in acts_of(scene):
            await cancel_all(protection)

    monkeypatch.setattr(AlpacaProtection, "cancel_all", pends)
    monkeypatch.setattr(closing, "READS_MAX", 1)
    outcome = scene.act(cancel_wait_ns=1)
    assert len(not_cancelled(scene)) == 1
    closed = [each for each in read_lines(scene.place.journal_file) if each.act == "closed"]
    assert ["something else works" in each.detail for each in closed] == [True, False]
    assert (outcome.cancelled, outcome.held) == (True, ())
    assert scene.exchange.positions() == {}


def refused(monkeypatch: pytest.MonkeyPatch, *stuck: str) -> list[str]:
    """The broker refuses to cancel all, and these alone too; which it was asked for one by one."""
    asked: list[str] = []
    cancel = AlpacaProtection.cancel

    async def no(_protection: AlpacaProtection) -> None:
        raise BrokerUnavailable("DELETE /v2/orders: 500 internal server error")

    async def one(protection: AlpacaProtection, broker_order_id: str) -> None:
        asked.append(broker_order_id)
        if broker_order_id in stuck:
            raise BrokerUnavailable(f"DELETE /v2/orders/{broker_order_id}: 500 no")
        await cancel(protection, broker_order_id)

    monkeypatch.setattr(AlpacaProtection, "cancel_all", no)
    monkeypatch.setattr(AlpacaProtection, "cancel", one)
    return asked


@pytest.mark.parametrize("flatten", [True, False])
def test_where_the_broker_refuses_to_cancel_all_each_is_cancelled_by_its_id(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, flatten: bool
) -> None:
    scene.send("AAPL", 10, "buy")
    for price in range(1, CANCELS_AT_ONCE_MAX + 3):
        scene.send("AAPL", 1, "buy", limit_price=f"{price}.00")
    asked = refused(monkeypatch)
    outcome = scene.act(flatten=flatten)
    assert len(set(asked)) == CANCELS_AT_ONCE_MAX + 2
    assert scene.exchange.state()["working_orders"] == 0
    assert scene.exchange.positions() == ({} if flatten else {"AAPL": "10"})
    assert outcome.cancelled


def test_an_order_that_can_not_be_cancelled_at_all_holds_up_neither_the_others_nor_the_closes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.send("AAPL", 10, "buy")
    scene.send("TSLA", 1, "buy", limit_price="1.00")
    stuck = seen_order(order_entry(id="s-1", status="accepted"))
    read = AlpacaProtection.working_orders

    async def stays(protection: AlpacaProtection) -> list[SeenOrder]:
        return [stuck, *await read(protection)]

    monkeypatch.setattr(AlpacaProtection, "working_orders", stays)
    refused(monkeypatch, "s-1")
    ends_when(monkeypatch, lambda _: "closed" in acts_of(scene))
    outcome = scene.act(cancel_wait_ns=1)
    assert scene.exchange.positions() == {}
    assert scene.exchange.state()["working_orders"] == 0
    assert not outcome.cancelled
    (said,) = not_cancelled(scene)
    assert said == "1 orders still work: buy AAPL (s-1)"


@pytest.mark.parametrize("which", ["cancel_all", "cancel"])
def test_a_refusal_for_the_rate_asks_for_no_more_of_them_at_once(
    monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    asked = refused(monkeypatch)

    async def throttled(_protection: AlpacaProtection, *which: str) -> None:
        asked.extend(which)
        raise Throttled(NANOS)

    monkeypatch.setattr(AlpacaProtection, which, throttled)
    protection = AlpacaProtection(
        AlpacaOptions(
            base_url="http://127.0.0.1:1", data_url="", key_id="", secret="", instance="abcd1234"
        )
    )
    working = [seen_order(order_entry(id=f"s-{number}")) for number in range(30)]
    with pytest.raises(Throttled):
        asyncio.run(protection.cancel_working(working))
    assert len(asked) == (CANCELS_AT_ONCE_MAX if which == "cancel" else 0)


@pytest.mark.parametrize("symbol", ["AAPL", "TSLA"])
@pytest.mark.parametrize("answers", [True, False])
def test_what_an_order_that_stayed_filled_is_closed_too_or_never_called_flat(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, symbol: str, answers: bool
) -> None:
    scene.send("AAPL", 10, "buy")
    stuck = [seen_order(order_entry(id="s-1", status="pending_cancel"))]
    read = AlpacaRequests.positions

    async def stays(_protection: AlpacaProtection) -> list[SeenOrder]:
        if "closed" in acts_of(scene) and stuck:
            stuck.clear()
            scene.send(symbol, 5, "buy")  # the broker's own latch does not yet stand in its way
        return list(stuck)

    async def shown(broker: AlpacaRequests) -> PositionsSeen:
        if stuck or answers:
            return await read(broker)
        raise OutOfTime("no connection")

    monkeypatch.setattr(AlpacaProtection, "working_orders", stays)
    monkeypatch.setattr(AlpacaRequests, "positions", shown)
    outcome = scene.act(cancel_wait_ns=1)
    assert outcome.cancelled
    if answers:
        assert scene.exchange.positions() == {}
        assert {each.symbol: each.left_nanos for each in outcome.left} == {"AAPL": 0, symbol: 0}
        assert last_said(scene) == "nothing works any more; all that was to be closed is flat"
        assert "suspend_trade" in scene.place.latches_file.read_text()
    else:
        assert last_said(scene).endswith("positions may be open, look at the broker")


def test_a_position_that_cannot_be_read_may_be_a_long_one_that_a_close_must_not_turn(
    tmp_path: Path,
) -> None:
    doors = SimpleNamespace(latches_file=Place(tmp_path).latches_file)
    rescue = cast("Rescue", SimpleNamespace(_doors=doors))
    for unread, no_shorting in ((("AAPL",), True), ((), None)):
        seen = PositionsSeen(positions=(), unread=unread)
        assert Rescue._wanted_to_close(rescue, seen).no_shorting is no_shorting


def test_a_position_that_cannot_be_read_is_never_flat_and_the_others_are_closed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.send("AAPL", 10, "buy")
    scene.send("TSLA", 4, "buy")
    read, damage = AlpacaSession.read, {"avg_entry_price": None}

    async def shown(session: AlpacaSession, target: str) -> object:
        entry = await read(session, target)
        entries = entry if isinstance(entry, list) else [entry]
        for each in entries if target.startswith("/v2/positions") else ():
            if isinstance(each, dict) and each["symbol"] == "AAPL":
                each.update(damage)
        return entry

    monkeypatch.setattr(AlpacaSession, "read", shown)
    ends_when(monkeypatch, lambda why: "the position in AAPL" in why)
    scene.act(flatten=False)
    assert last_said(scene).endswith(": AAPL (which cannot be read), 4 TSLA are open")
    damage |= {"side": None}
    outcome = scene.act()
    assert scene.exchange.positions() == {"AAPL": "10"}
    assert "no_shorting" in scene.place.latches_file.read_text()
    assert '"suspend_trade": true' not in scene.place.latches_file.read_text()
    assert {each.symbol: each.left_nanos for each in outcome.left} == {"AAPL": None, "TSLA": 0}
    assert "AAPL: an unread part left, the broker does not answer" in last_said(scene)
    assert last_said(scene).endswith("last read: AAPL (which cannot be read) are open")
    del damage["side"]
    scene.act()
    assert scene.exchange.positions() == {}, "a close needs no more than the quantity"
