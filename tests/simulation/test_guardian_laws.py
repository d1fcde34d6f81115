"""The judges know what a guardian closed by what the next start was told of it, and only so."""

from msgspec import structs

from fuseboard.exchange.ledger import (
    LedgerEntry,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
)
from fuseboard.exchange.orders import Against, Status
from fuseboard.simulation.laws import broken_at_rest
from fuseboard.vocabulary.effects import PublishOrder
from fuseboard.vocabulary.guardian_inputs import GuardianClose
from fuseboard.vocabulary.identifiers import order_id, wire_id
from fuseboard.vocabulary.inputs import Moment, NodeStarted
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.records import Record
from tests.gateway.facts import shown_order

INSTANCE = "testtest"
MINE = "close/guardian#1/AAPL/1"
OURS = order_id(instance=INSTANCE, account="A1", strategy="", client_order_id=MINE)
WIRE = wire_id(instance=INSTANCE, order_id=OURS)
CLOSE = GuardianClose(
    at_wall_ns=1,
    trip="guardian#1",
    order_id=OURS,
    wire_id=WIRE,
    client_order_id=MINE,
    symbol="AAPL",
    side=Side.SELL,
    quantity_nanos=NANOS,
    limit_price_nanos=None,
)
SHOWN = shown_order(order_id=OURS, wire_id=WIRE, filled_quantity_nanos=NANOS)
TAKEN = OrderAccepted(
    sequence=1,
    at_ns=1,
    order_id="b1",
    client_order_id=WIRE,
    symbol="AAPL",
    side=Side.SELL,
    order_type=OrderType.MARKET,
    time_in_force=TimeInForce.DAY,
    quantity_nanos=NANOS,
    opens=False,
)
FILLED = OrderFilled(
    sequence=2,
    at_ns=2,
    order_id="b1",
    execution_id="e1",
    symbol="AAPL",
    side=Side.SELL,
    price_nanos=NANOS,
    quantity_nanos=NANOS,
    filled_quantity_nanos=NANOS,
    position_nanos=0,
    against=Against.QUOTE,
)
ENDED = OrderEnded(
    sequence=3, at_ns=3, order_id="b1", status=Status.FILLED, filled_quantity_nanos=NANOS
)


def broken(
    closes: tuple[GuardianClose, ...], *shown: PublishOrder, taken: OrderAccepted = TAKEN
) -> list[str]:
    """What the judges say of one start that was told of these closes and shows these orders."""
    node = NodeStarted(instance=INSTANCE, account="A1", release="0", guardian_closes=closes)
    entries: list[LedgerEntry] = [taken, FILLED, ENDED]
    return broken_at_rest(INSTANCE, [Record(1, Moment(1, 1), node, shown)], entries)


def test_what_the_guardian_closed_is_known_to_the_next_start_and_in_its_book() -> None:
    shown = structs.replace(SHOWN, status=OrderStatus.FILLED)
    assert broken((CLOSE,), shown) == []
    (unknown,) = broken((), shown)
    assert "never decided" in unknown
    (lost,) = broken((CLOSE,))
    assert lost.startswith("lost")


def test_a_guardians_close_that_opens_breaks_a_law() -> None:
    shown = structs.replace(SHOWN, status=OrderStatus.FILLED)
    (opens,) = broken((CLOSE,), shown, taken=structs.replace(TAKEN, opens=True))
    assert opens.startswith("law 4")
