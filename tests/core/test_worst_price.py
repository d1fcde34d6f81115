"""What an order without a limit price is worth to the checks does not follow the price collar."""

import pytest
from msgspec.structs import replace

from fuseboard.policy.limits import DynamicLimit, Tightening
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, denied
from tests.core.test_limits import WIDE, asked, desk

LIMITS = replace(WIDE, order_value_nanos_max=2_600 * NANOS, price_collar_nanos=NANOS // 5)
TEN = 10 * NANOS


@pytest.mark.parametrize("collar_nanos", [NANOS // 10, NANOS // 100, 0])
def test_a_narrower_collar_adopted_by_nobody_lets_no_market_order_through(
    collar_nanos: int,
) -> None:
    at = desk(order_value_nanos_max=2_600 * NANOS, price_collar_nanos=NANOS // 5)
    assert denied(asked(at, quantity=TEN, price=None)) == [Reason.ORDER_VALUE]
    narrower = Policy(limits=replace(LIMITS, price_collar_nanos=collar_nanos), losses=())
    text = canonical_text(narrower)
    at.take(facts.PolicyAdopted(text=text, digest=digest_of(text), operator=""))
    assert denied(asked(at, quantity=TEN, price=None)) == [Reason.ORDER_VALUE]


def test_a_dynamic_limit_on_the_collar_lets_no_market_order_through() -> None:
    storm = DynamicLimit(
        name="storm",
        condition="vix > 30",
        tighten=(Tightening(field="price_collar_nanos", value=NANOS // 1000),),
        clear_after_ns=SECOND,
    )
    at = desk(Policy(dynamic_limits=(storm,)), order_value_nanos_max=2_600 * NANOS)
    for vix in (20, 40):
        at.take(facts.MeasureReported(request=0, name="vix", value=vix * NANOS, event_ns=at.now_ns))
        assert denied(asked(at, quantity=TEN, price=None)) == [Reason.ORDER_VALUE]


def test_a_market_order_is_worth_a_tenth_more_than_the_ask() -> None:
    edge_nanos = 250_01 * 10 * NANOS // 100 * 11 // 10
    fits = desk(order_value_nanos_max=edge_nanos, price_collar_nanos=NANOS // 100)
    assert denied(asked(fits, quantity=TEN, price=None)) == []
    short = desk(order_value_nanos_max=edge_nanos - 1, price_collar_nanos=NANOS // 100)
    assert denied(asked(short, quantity=TEN, price=None)) == [Reason.ORDER_VALUE]
