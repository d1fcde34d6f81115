"""A breaker over liquidity closes or kills when two books of a symbol say so: nothing else does."""

from collections.abc import Callable

import pytest

from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import BreakerRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side
from fuseboard.vocabulary.postures import Posture
from tests.core.liquidity.market import LIMITS, SECOND, LiquidDesk
from tests.core.test_breakers import trips

CLOSING = (Action.FLATTEN, Action.KILL)
CONDITIONS = ("liquidity_score < 20", "liquidity_tier >= 3")
CROSSED = (25_001, 24_999)


class GoneDesk(LiquidDesk):
    """A calm market of something held, and one breaker for when it is gone."""

    def __init__(self, condition: str, action: Action) -> None:
        rule = BreakerRule(name="gone", condition=condition, scope="account", action=action)
        self.said: list[fx.Effect] = []
        super().__init__(Policy(limits=LIMITS, losses=(), breakers=(rule,)), held=10)
        self.calm()

    def take(self, fact: facts.Input) -> tuple[fx.Effect, ...]:
        effects = super().take(fact)
        self.said += effects
        return effects

    def later(self, seconds: int = 2) -> list[str]:
        """What has tripped so many seconds later."""
        for _ in range(2):
            self.now_ns += seconds * SECOND // 2
            self.take(facts.TimeAdvanced())
        return trips(self.said)

    def posture(self) -> Posture:
        return self.kernel._state.postures.get("account", Posture.OPEN)


def _orders(desk: GoneDesk) -> None:
    desk.order(Side.SELL, NANOS)


def _trades(desk: GoneDesk) -> None:
    desk.traded()


@pytest.mark.parametrize("between", [_orders, _trades])
@pytest.mark.parametrize("action", CLOSING)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_neither_an_order_nor_a_trade_makes_one_bad_book_into_two(
    condition: str, action: Action, between: Callable[[GoneDesk], None]
) -> None:
    desk = GoneDesk(condition, action)
    desk.quoted(*CROSSED)
    for _ in range(2):
        between(desk)
        assert desk.later() == []
    assert desk.posture() is Posture.REDUCE_ONLY
    desk.quoted(*CROSSED)
    assert desk.later() == ["gone:account#1"]


@pytest.mark.parametrize("action", CLOSING)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_bad_books_apart_agree_on_nothing(condition: str, action: Action) -> None:
    desk = GoneDesk(condition, action)
    for _ in range(2):
        desk.quoted(*CROSSED)
        desk.quoted()
        assert desk.later() == []


@pytest.mark.parametrize("action", CLOSING)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_silence_is_no_report_and_closes_nothing(condition: str, action: Action) -> None:
    desk = GoneDesk(condition, action)
    desk.quoted(*CROSSED)
    desk.quoted()
    assert desk.later(122) == [], "nor does it agree with what one book said before"
    _orders(desk)
    assert desk.later() == []
    assert desk.posture() is Posture.REDUCE_ONLY
    desk.quoted(*CROSSED)
    assert desk.later() == [], "the first for long is alone"
    desk.quoted(*CROSSED)
    assert desk.later() == ["gone:account#1"]


@pytest.mark.parametrize("action", CLOSING)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_first_book_after_a_start_is_alone(condition: str, action: Action) -> None:
    desk = GoneDesk(condition, action)
    desk.start()
    desk.quoted(*CROSSED)
    assert desk.later() == []
    desk.quoted(*CROSSED)
    assert desk.later() == ["gone:account#1"]
