"""Effects as tests need them: complete, with defaults for what a test does not care about."""

from msgspec import structs

from fuseboard.vocabulary.effects import PublishOrder
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce

ORDER = PublishOrder(
    order_id="11111111-1111-8111-8111-111111111111",
    wire_id="fb-testtest-1",
    broker_order_id="22222222-2222-4222-8222-222222222222",
    client_order_id="mine-1",
    strategy="one",
    symbol="AAPL",
    side=Side.BUY,
    order_type=OrderType.MARKET,
    time_in_force=TimeInForce.DAY,
    quantity_nanos=10 * NANOS,
    filled_quantity_nanos=0,
    filled_price_nanos=0,
    status=OrderStatus.WORKING,
    intent=Intent.OPEN,
    created_ns=1_273_154_400_000_000_000,
    updated_ns=1_273_154_400_000_000_000,
)


def shown_order(like: PublishOrder = ORDER, **changed: object) -> PublishOrder:
    """`like` with some fields changed."""
    if "order_id" in changed and "client_order_id" not in changed:
        changed["client_order_id"] = f"client-of-{changed['order_id']}"
    return structs.replace(like, **changed)
