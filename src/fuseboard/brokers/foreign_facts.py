"""A foreign order in facts: how it stands, and what one message of a stream says of it.

A message that tells an execution or an end tells the order first, as it stood before: so the fact
that follows, under the id that is derived from the broker's, finds the order where it is adopted,
and changes nothing where it is not.
"""

from msgspec import structs

from fuseboard.vocabulary.doors import BrokerFact
from fuseboard.vocabulary.identifiers import foreign_order_id
from fuseboard.vocabulary.inputs import FillReported, ForeignOrderSeen, OrderEnded
from fuseboard.vocabulary.orders import OrderStatus


def facts_of_fill(
    seen: ForeignOrderSeen, *, quantity_nanos: int, price_nanos: int, final: bool
) -> tuple[BrokerFact, ...]:
    """One execution of an order, which is `seen` with it; of one that cannot be adopted, that it
    is there.
    """
    terms = seen.terms
    if terms is None:
        return (seen,)
    before_nanos = terms.filled_quantity_nanos - quantity_nanos
    cost_attos = terms.filled_quantity_nanos * terms.filled_price_nanos
    before_attos = cost_attos - quantity_nanos * price_nanos
    before_price_nanos = 0
    if before_nanos > 0:
        rounded_nanos = before_attos // before_nanos
        before_price_nanos = rounded_nanos if rounded_nanos > 0 else terms.filled_price_nanos
    before = structs.replace(
        terms,
        filled_quantity_nanos=before_nanos,
        filled_price_nanos=before_price_nanos,
        ended=None,
    )
    return (
        structs.replace(seen, terms=before),
        FillReported(
            order_id=foreign_order_id(seen.broker_order_id),
            broker_order_id=seen.broker_order_id,
            quantity_nanos=quantity_nanos,
            price_nanos=price_nanos,
            filled_quantity_nanos=terms.filled_quantity_nanos,
            filled_price_nanos=terms.filled_price_nanos,
            final=final,
        ),
    )


def facts_of_end(
    seen: ForeignOrderSeen, status: OrderStatus, message: str = ""
) -> tuple[BrokerFact, ...]:
    """The end of an order; of one that cannot be adopted, nothing."""
    terms = seen.terms
    if terms is None:
        return ()
    return (
        structs.replace(seen, terms=structs.replace(terms, ended=status)),
        OrderEnded(
            order_id=foreign_order_id(seen.broker_order_id),
            broker_order_id=seen.broker_order_id,
            status=status,
            filled_quantity_nanos=terms.filled_quantity_nanos,
            filled_price_nanos=terms.filled_price_nanos,
            message=message,
        ),
    )
