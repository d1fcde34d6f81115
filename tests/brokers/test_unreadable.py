"""Orders and positions of a shape that nobody expected: they count, and hide none of the others."""

import asyncio
from typing import Any

import pytest

from fuseboard.brokers.alpaca import AlpacaBroker
from fuseboard.brokers.alpaca_trades import facts_of_update
from fuseboard.vocabulary.doors import BrokerUnavailable
from fuseboard.vocabulary.effects import ReadLeg
from fuseboard.vocabulary.inputs import (
    UNNAMED,
    ForeignOrderSeen,
    LegRead,
    LegReadFailed,
    PositionsSeen,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.wire.alpaca_orders import ShapeUnknown
from tests.brokers.scripted_broker import (
    INSTANCE,
    OURS,
    WIRE,
    ScriptedBroker,
    answer,
    broker_against,
    error,
    order_entry,
)

ABSENT = error(404, 40_410_000, "nothing here")
HELD = {"symbol": "AAPL", "qty": "10", "side": "long", "avg_entry_price": "1"}


def spread(**changes: Any) -> dict[str, Any]:
    """Several legs at once, as Alpaca's own client models it: no symbol and no side above."""
    entry = order_entry(id="m-1", client_order_id="by-hand", symbol="", side="", legs=None)
    return {**entry, "order_class": "mleg", **changes}


def asked(orders: list[Any], positions: list[Any], ask: Any) -> Any:
    script = ScriptedBroker()
    script.answers = {
        "GET /v2/orders": answer(200, orders),
        "GET /v2/positions": answer(200, positions),
        "GET /v2/orders:by_client_order_id": ABSENT,
    }
    for at in positions:
        script.answers[f"GET /v2/positions/{at['symbol']}"] = answer(200, at)

    async def scenario() -> Any:
        async with broker_against(script) as broker:
            return await ask(broker)

    return asyncio.run(scenario())


def leg_of(orders: list[Any], **held: Any) -> Any:
    at = {**HELD, **held}
    leg = ReadLeg(trip="t", symbol=at["symbol"], attempt=1, order_id=OURS, wire_id=WIRE)
    return asked(orders, [at], lambda broker: broker.read_leg(leg))


@pytest.mark.parametrize("entry", [spread(), spread(symbol=None, side=None), {"id": "m-1"}, 5])
def test_an_order_that_cannot_be_read_is_one_of_nobodys_beside_the_others(entry: Any) -> None:
    mine = order_entry(client_order_id="fb-zzzz9999-x")
    found = asked([entry, mine], [], lambda broker: broker.foreign_orders(lambda _: False))
    assert [(at.symbol, at.side, at.ours_by_prefix) for at in found[:1]] == [(UNNAMED, None, False)]
    assert [at.wire_id for at in found[1:]] == ["fb-zzzz9999-x"]
    assert found[0].broker_order_id
    since = asked([entry, mine], [], lambda broker: broker.orders_since(0))
    assert (since.complete, [at.wire_id for at in since.orders]) == (True, ["fb-zzzz9999-x"])


def test_a_page_is_turned_by_the_last_order_that_says_when_it_was_submitted() -> None:
    script = ScriptedBroker()
    pages = [[order_entry(id=f"b-{n}") for n in range(499)] + [{"id": "x"}], [order_entry(id="z")]]
    script.answers = {"GET /v2/orders": lambda _request: answer(200, pages.pop(0))}

    async def scenario(ask: Any) -> Any:
        async with broker_against(script) as broker:
            return await ask(broker)

    def read(broker: AlpacaBroker) -> Any:
        return broker.foreign_orders(lambda _: False)

    assert len(asyncio.run(scenario(read))) == 501
    pages[:] = [[{"id": f"x-{n}"} for n in range(500)]]
    with pytest.raises(BrokerUnavailable, match="has no end"):
        asyncio.run(scenario(read))


def test_a_close_waits_for_an_unreadable_order_that_may_trade_its_symbol_and_for_no_other() -> None:
    option = "AAPL261218C00150000"
    legs = [{"symbol": option}, {"symbol": "AAPL261218C00160000"}]
    for entry in (spread(), spread(legs=legs), order_entry(id="t", symbol="TSLA", side="odd")):
        leg = leg_of([entry])
        assert isinstance(leg, LegRead)
        assert (leg.position_nanos, leg.against_nanos) == (10 * NANOS, 0)
    strange: list[Any] = [
        order_entry(symbol=None),
        order_entry(side="odd"),
        spread(legs=[{"symbol": "AAPL"}, {"symbol": option}]),
        spread(order_class=""),
        5,
    ]
    for entry in strange:
        leg = leg_of([entry])
        assert isinstance(leg, LegReadFailed)
        assert leg.detail.startswith("1 working orders cannot be read, the first is ")
    for entry in (spread(), spread(legs=legs)):
        assert isinstance(leg_of([entry], symbol=option), LegReadFailed)
    assert isinstance(leg_of([spread(legs=legs)], symbol="TSLA261218C00150000"), LegRead)


@pytest.mark.parametrize(
    ("held", "named", "quantity_nanos"),
    [
        ({"qty": "0.0000000001"}, "AAPL", None),
        ({"qty": None}, "AAPL", None),
        ({"side": ""}, "AAPL", None),
        ({"avg_entry_price": None}, "AAPL", 10 * NANOS),
        ({"current_price": "?"}, "AAPL", 10 * NANOS),
        ({"symbol": ""}, UNNAMED, None),
    ],
)
def test_a_position_that_cannot_be_read_is_named_and_never_left_out(
    held: dict[str, Any], named: str, quantity_nanos: int | None
) -> None:
    other = {**HELD, "symbol": "TSLA"}
    seen = asked([], [{**HELD, **held}, other], lambda broker: broker.positions())
    assert isinstance(seen, PositionsSeen)
    assert ([at.symbol for at in seen.positions], seen.unread) == (["TSLA"], (named,))
    if named != UNNAMED:
        leg = leg_of([], **held)
        assert getattr(leg, "position_nanos", None) == quantity_nanos


def test_a_strangers_order_of_a_strange_shape_does_not_break_the_stream() -> None:
    facts = facts_of_update(INSTANCE, {"event": "new", "order": spread()})
    left = ForeignOrderSeen(
        wire_id="by-hand", broker_order_id="m-1", symbol=UNNAMED, ours_by_prefix=False
    )
    assert facts == (left,)
    with pytest.raises(ShapeUnknown):
        facts_of_update(INSTANCE, {"event": "new", "order": spread(client_order_id=WIRE)})
