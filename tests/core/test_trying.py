"""A liquidation asks the market until it is flat or its time is over; faults are counted apart."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fuseboard.core.legs import Leg
from fuseboard.core.trying import ATTEMPTS_MAX
from fuseboard.policy.data_rules import DataRules, ExecutionRules
from fuseboard.runtime.questions import LEG_REQUESTS
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary import market_inputs as market_facts
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import OrderStatus, Severity, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.trying import FAULTS
from tests.core.liquidity.market import CENT, SECOND, LiquidDesk
from tests.core.liquidity.test_leaving import POLICY, Close, Floor
from tests.core.test_known_failures import Desk

MINUTE = 60 * SECOND
DAY, IOC = TimeInForce.DAY, TimeInForce.IOC
REQUESTS = {fx.ReadLeg: LEG_REQUESTS, fx.SubmitOrder: 1, fx.CancelOrder: 1}


class PlainDesk(LiquidDesk):
    """The same market under a policy that measures no liquidity."""

    def __init__(
        self, execution: ExecutionRules, *, held: int, data: DataRules = POLICY.data
    ) -> None:
        policy = replace(POLICY, execution=execution, data=data)
        Desk.__init__(self, policy, cash=1_000_000 - held * 250, held=held, multiplier=4)


class Watched(Floor):
    """Keeps what people were told, and may have the broker refuse or lose closes."""

    def __init__(self, desk: LiquidDesk, held: int, shown: Callable[[int], int]) -> None:
        super().__init__(desk, held, shown)
        self.told: list[fx.RaiseAlert] = []
        self.requests = 0
        self.unreadable = False
        self.detail = "no answer"
        self.instead: facts.Input | None = None
        """What becomes of closes in the place of a market."""

    def hear(self, effects: tuple[fx.Effect, ...]) -> None:
        self.told += [effect for effect in effects if isinstance(effect, fx.RaiseAlert)]
        self.requests += sum(REQUESTS.get(type(effect), 0) for effect in effects)
        super().hear(effects)

    def _read(self, leg: fx.ReadLeg) -> facts.LegRead | facts.LegReadFailed:
        if not self.unreadable:
            return super()._read(leg)
        return facts.LegReadFailed(
            trip=leg.trip, symbol=leg.symbol, attempt=leg.attempt, detail=self.detail
        )

    def _place(self, order: fx.SubmitOrder) -> None:
        if self.instead is None:
            super()._place(order)
            return
        assert order.order_id not in self.closes, "law 3: sent twice"
        self.closes[order.order_id] = Close(order, self.desk.now_ns, ended_ns=self.desk.now_ns)
        instead: Any = self.instead
        self.hear(self.desk.take(replace(instead, order_id=order.order_id)))

    def every(self, seconds: int, *, until: int) -> "Watched":
        """A market that is seen once in so many seconds; in between nothing is heard or shown."""
        for second in range(1, until + 1):
            self.second(silent=second % seconds > 0)
            if self.ended():
                break
        return self

    def freeze(self) -> None:
        self.desk.requests += 1
        fact = OperatorHaltRequested(
            request=self.desk.requests,
            scope="account",
            operator="ada",
            reason="look",
            level=HaltLevel.FREEZE,
        )
        self.hear(self.desk.take(fact))

    def legs(self) -> list[Leg]:
        plans = self.desk.kernel._state.plans.values()
        return [leg for plan in plans for leg in plan.legs.values()]

    def pages(self, words: str) -> list[fx.RaiseAlert]:
        return [
            alert for alert in self.told if words in alert.text and alert.severity is Severity.PAGE
        ]


def refused(reason: Reason = Reason.BROKER_REJECTED) -> facts.OrderNotSent:
    return facts.OrderNotSent(order_id="", reason=reason, message="no")


def plain(held: int, shown: Callable[[int], int], **execution: Any) -> Watched:
    return Watched(PlainDesk(ExecutionRules(**execution), held=held), held, shown)


def measured(held: int, shown: Callable[[int], int], **execution: Any) -> Watched:
    policy = replace(POLICY, execution=ExecutionRules(**execution))
    desk = LiquidDesk(policy, held=held, exit_within_ns=20 * SECOND).at(Tier.NORMAL)
    return Watched(desk, held, shown)


BOTH = pytest.mark.parametrize("market", [plain, measured])
Market = Callable[..., Watched]


@BOTH
@pytest.mark.parametrize("seconds", [1, 5, 20])
def test_nothing_is_left_of_a_market_that_shows_little_now_and_then(
    market: Market, seconds: int
) -> None:
    """Long after six closes: each quote shows a twentieth of what is held."""
    thin = market(200, lambda _second: 10)
    thin.flatten()
    thin.every(seconds, until=60 * seconds)
    assert thin.ended()
    assert thin.held == 0
    assert not any(plan.left for plan in thin.plans.values())
    assert len(thin.closes) > 6


@BOTH
def test_the_collar_widens_when_nothing_is_taken_and_not_when_a_part_is(market: Market) -> None:
    gone = 25_000 * CENT * 4 // 5
    some = market(200, lambda _second: 10).flatten()
    some.wait(30)
    prices = [close.order.limit_price_nanos or 0 for close in some.closes.values()]
    assert min(prices) > 24_500 * CENT, "the market trades: within the first collar"
    none = market(200, lambda _second: 0)
    none.left = 0
    none.flatten()
    for _ in range(80):
        none.desk.now_ns += SECOND
        none.hear(none.desk.quoted())
        none.hear(none.desk.take(facts.TimeAdvanced()))
    prices = [close.order.limit_price_nanos or 0 for close in none.closes.values()]
    assert set(prices[1::2]) == {24_999 * CENT}, "what rests is for the market's own price"
    prices = prices[::2]
    assert prices == sorted(prices, reverse=True)
    assert prices[-1] == 24_999 * CENT * 9 // 10 // CENT * CENT > gone, "ten percent is the most"


@BOTH
def test_what_nobody_takes_is_listed_and_paged_when_its_time_is_over(market: Market) -> None:
    dead = market(200, lambda _second: 0, close_within_ns=5 * MINUTE)
    dead.left = 0
    dead.flatten()
    dead.every(1, until=299)
    assert not dead.ended()
    (late,) = dead.pages("takes long")
    assert "AAPL 200 is still open, the market does not take it; it goes on until 5m" in late.text
    dead.every(1, until=30)
    (plan,) = dead.plans.values()
    assert plan.stage == "ended"
    assert plan.left == ("AAPL 200 the market did not take it within 5m",)
    (page,) = dead.pages("left open, for a person to close")
    assert "AAPL 200 the market did not take it" in page.text
    assert dead.sizes()[-1] == 200, "the last try is for everything"
    tries = len(dead.closes)
    dead.every(1, until=60)
    assert len(dead.closes) == tries, "it is a person's now"


def test_a_market_that_was_not_asked_yet_is_not_said_to_have_taken_nothing() -> None:
    """The reading waited for the request limit, behind cancels."""

    class Slow(Watched):
        def _read(self, leg: fx.ReadLeg) -> facts.LegRead | facts.LegReadFailed:
            self.desk.now_ns += MINUTE
            return super()._read(leg)

    slow = Slow(PlainDesk(ExecutionRules(), held=200), 200, lambda _second: 10)
    slow.flatten()
    (late,) = slow.pages("takes long")
    assert "AAPL 200 is still open, no close of it could be sent yet" in late.text
    assert "wait for the request limit (200 a minute)" in late.text
    assert "the market" not in late.text


def test_a_person_asks_again_and_the_numbers_of_closes_go_on() -> None:
    market = plain(200, lambda _second: 0, close_within_ns=MINUTE)
    market.left = 0
    market.flatten()
    market.every(1, until=90)
    assert market.ended()
    before = len(market.closes)
    market.shown = lambda _second: 10
    market.flatten()
    market.every(1, until=59)
    assert market.held == 0, "with all its time, from the first collar on"
    assert market.ended()
    first = list(market.closes.values())[before].order
    assert first.limit_price_nanos == 25_000 * CENT * 99 // 100, "around the middle: no bid"
    numbers = [int(c.order.client_order_id.rpartition("/")[2]) for c in market.closes.values()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(market.pages("takes long")) == 2, "once for each asking"


def test_the_longer_a_market_gives_nothing_the_less_often_it_is_asked() -> None:
    market = plain(200, lambda _second: 0)
    market.left = 0
    market.flatten()
    market.every(1, until=1_900)
    assert market.ended()
    starts = [close.at_ns for close in market.closes.values()]
    assert len(starts) < 260
    assert starts[-1] - starts[-2] >= 25 * SECOND
    assert starts[1] - starts[0] <= 3 * SECOND


def test_a_market_that_gives_a_share_at_a_time_does_not_use_up_the_numbers_early() -> None:
    market = plain(5_000, lambda _second: 1, close_wait_ns=SECOND, close_within_ns=20 * MINUTE)
    market.flatten()
    market.every(1, until=1_190)
    assert not market.ended()
    assert 700 < len(market.closes) <= ATTEMPTS_MAX
    market.every(1, until=60)
    assert market.ended()
    assert market.held == 5_000 - sum(close.filled for close in market.closes.values())
    (plan,) = market.plans.values()
    assert plan.left[0].startswith(f"AAPL {market.held} ")


def test_the_last_of_the_numbers_is_the_last_close() -> None:
    market = plain(20, lambda _second: 1, close_within_ns=MINUTE)
    market.flatten()
    leg = market.desk.kernel._state.plans["latch:account#1"].legs["AAPL"]
    leg.attempt = ATTEMPTS_MAX - 1
    leg.since_boot_ns = market.desk.now_ns + MINUTE  # as after a halt
    market.wait(80)
    assert market.ended()
    assert len(market.closes) == 3, "the two before are of low numbers"
    (plan,) = market.plans.values()
    assert plan.left == (f"AAPL {market.held} not closed by {ATTEMPTS_MAX} attempts",)


def test_a_part_is_not_the_last_close_though_the_time_is_over() -> None:
    market = measured(1_000, lambda _second: 200, close_within_ns=5 * SECOND)
    market.left = 0
    market.flatten()
    for _ in range(40):
        market.desk.now_ns += SECOND
        market.hear(market.desk.quoted())
        market.hear(market.desk.take(facts.TimeAdvanced()))
    assert market.ended()
    assert market.sizes()[0] == 100
    assert market.sizes()[-1] == 1_000


@BOTH
def test_closes_that_the_broker_refuses_are_counted_and_the_sixth_in_a_row_is_the_last(
    market: Market,
) -> None:
    wrong = market(20, lambda _second: 10)
    wrong.instead = refused()
    wrong.flatten()
    wrong.wait(30)
    assert len(wrong.closes) == 6
    (plan,) = wrong.plans.values()
    assert plan.left == ("AAPL 20 the broker refuses its closes, or ends them",)
    assert wrong.pages("left open")


def test_closes_that_the_broker_ends_by_itself_count_like_refused_ones() -> None:
    market = plain(20, lambda _second: 10)
    market.instead = facts.OrderEnded(
        order_id="",
        broker_order_id="b",
        status=OrderStatus.CANCELED,
        filled_quantity_nanos=0,
        filled_price_nanos=0,
    )
    market.flatten()
    market.wait(10)
    rests = [close for close in market.closes.values() if close.order.time_in_force is DAY]
    assert (len(rests), market.ended()) == (6, True)
    assert len(market.closes) == 12, "that what takes at once is ended by the broker is no fault"


def test_a_venue_that_says_expired_of_what_takes_at_once_commits_no_fault() -> None:
    market = plain(20, lambda _second: 0)
    market.left = 0
    market.at_once_ends = OrderStatus.EXPIRED
    market.flatten()
    market.wait(40)
    assert not market.ended()
    assert len(market.closes) > 12
    assert not any(leg.faults for leg in market.legs())


def test_where_the_broker_refuses_to_trade_at_once_a_close_takes_and_rests_at_its_collar() -> None:
    market = plain(20, lambda _second: 0)
    market.left, market.instead = 0, refused()
    market.flatten()
    market.instead = None
    market.wait(30)
    first, *others = [close.order for close in market.closes.values()]
    assert first.time_in_force is IOC
    assert {order.time_in_force for order in others} == {DAY}
    prices = [order.limit_price_nanos or 0 for order in others]
    assert prices == sorted(prices, reverse=True)
    assert prices[-1] < 23_000 * CENT, "each close that took nothing goes further"
    market.freeze()
    before = len(market.closes)
    market.flatten()
    again = list(market.closes.values())[before].order
    assert again.time_in_force is IOC, "asked anew, all is tried"


@pytest.mark.parametrize(
    ("prints", "limit"),
    [((1,), 24_750), ((249, 1), 24_651), ((1, 1), 99), ((240,), 23_760)],
    ids=["a stub", "a stub after a print", "two that agree", "a print"],
)
def test_one_bad_print_beside_wide_quotes_takes_no_collar_off_a_close(
    prints: tuple[int, ...], limit: int
) -> None:
    desk = PlainDesk(ExecutionRules(), held=20, data=DataRules())
    market = Watched(desk, 20, lambda _second: 10)
    desk.quoted(22_500, 27_500)
    for price in prints:
        desk.now_ns += SECOND // 10
        desk.traded(price=price * 100)
    market.flatten()
    first = next(iter(market.closes.values())).order
    assert first.limit_price_nanos == limit * CENT


def test_what_a_broker_refuses_in_either_shape_was_not_the_shape() -> None:
    market = plain(20, lambda _second: 0)
    market.left, market.instead = 0, refused()
    market.flatten()
    while len(market.closes) < 2:
        market.second()
    market.instead = None
    market.wait(30)
    shapes = [close.order.time_in_force for close in market.closes.values()]
    assert len(shapes) > 6
    assert shapes == ([IOC, DAY] * 20)[: len(shapes)], "and takes, then rests, from there on"


@BOTH
@pytest.mark.parametrize("shown", [0, 1])
def test_a_thin_symbol_costs_so_many_requests_a_minute(market: Market, shown: int) -> None:
    """What the page on limits says: three for each reading, and a taking and a resting close."""
    thin = market(2_000, lambda _second: shown, close_within_ns=10 * MINUTE)
    thin.left = shown
    thin.flatten()
    for _ in range(4):
        before = thin.requests
        thin.every(1, until=60)
        assert 10 < thin.requests - before <= (270 if shown else 180)


class Late(Watched):
    """A broker whose positions know of a fill so much later than its orders do."""

    LAG_NS = TAKES_NS = 0

    def __init__(self, desk: LiquidDesk, held: int, shown: Callable[[int], int]) -> None:
        super().__init__(desk, held, shown)
        self.known = [(0, held)]

    def hear(self, effects: tuple[fx.Effect, ...]) -> None:
        if self.known[-1][1] != self.held:
            self.known.append((self.desk.now_ns, self.held))
        super().hear(effects)

    def _read(self, leg: fx.ReadLeg) -> facts.LegRead | facts.LegReadFailed:
        read = super()._read(leg)
        assert isinstance(read, facts.LegRead)
        counted = [held for at_ns, held in self.known if at_ns <= self.desk.now_ns - self.LAG_NS]
        self.desk.now_ns += self.TAKES_NS
        return replace(read, position_nanos=counted[-1] * NANOS)

    def _place(self, order: fx.SubmitOrder) -> None:
        assert order.quantity_nanos <= abs(self.held) * NANOS, "law 4: larger than what is held"
        super()._place(order)


@pytest.mark.parametrize("left", [150, 200])
@pytest.mark.parametrize("takes", [0, 12], ids=["told at once", "told in 1.2 s"])
def test_a_position_that_does_not_know_of_a_close_yet_is_not_closed_again(
    left: int, takes: int
) -> None:
    market = Late(PlainDesk(ExecutionRules(), held=200), 200, lambda _second: 10)
    market.LAG_NS, market.TAKES_NS = SECOND * 9 // 10, SECOND * takes // 10
    market.left = left
    market.flatten()
    assert market.sizes() == [200]
    market.wait(40)
    assert (market.held, market.ended()) == (0, True)


def test_a_fill_between_refusals_begins_their_count_anew() -> None:
    market = plain(20, lambda _second: 1)
    market.flatten()
    for _ in range(3):
        market.instead = refused()
        for _ in range(5):
            market.wait(1)
        market.instead = None
        market.wait(4)
    assert not market.ended()
    assert market.held < 20


@pytest.mark.parametrize("how", ["unreachable", "unreadable"])
def test_time_without_a_way_to_the_broker_is_no_time_of_the_market(how: str) -> None:
    market = plain(20, lambda _second: 0, close_within_ns=MINUTE)
    market.left = 0
    market.flatten()
    market.wait(4)
    market.unreadable = how == "unreadable"
    market.instead = refused(Reason.BROKER_UNREACHABLE)
    market.wait(120)
    assert not market.ended()
    market.instead, market.unreadable = None, False
    market.wait(40)
    assert not market.ended(), "it has all its time again"
    market.wait(40)
    assert market.ended()


@BOTH
def test_a_liquidation_that_cannot_read_the_broker_is_paged_once_each_time_it_is_asked(
    market: Market,
) -> None:
    blind = market(200, lambda _second: 5)
    blind.unreadable = True
    rules = ExecutionRules()
    should_s = rules.close_attempts_max * rules.close_wait_ns // SECOND
    should_s += 60 if market is measured else 0  # an empty book is waited for as long
    blind.flatten()
    blind.wait(should_s - 1)
    assert not blind.pages("could not be read")
    blind.wait(5 * should_s)
    (page,) = blind.pages("could not be read")
    assert "AAPL" in page.text
    assert "no answer" in page.text, "what the broker, or its way, had to say"
    assert blind.legs()[0].why == "no answer"
    blind.freeze()
    blind.flatten()
    blind.wait(should_s - 1)
    assert len(blind.pages("could not be read")) == 1, "its time counts anew"
    blind.wait(30)
    assert len(blind.pages("could not be read")) == 2
    blind.unreadable = False
    blind.wait(3)
    assert "no answer" not in [leg.why for leg in blind.legs()], "it was read since"


def test_a_machine_that_was_started_anew_counts_from_there_and_a_page_repeats_no_long_text() -> (
    None
):
    blind = plain(20, lambda _second: 5)
    blind.unreadable, blind.detail = True, "wrong " * 1000
    blind.flatten()
    (leg,) = blind.legs()
    leg.unread_boot_ns = blind.desk.now_ns + 1_000 * MINUTE
    blind.wait(60)
    (page,) = blind.pages("could not be read")
    assert len(page.text) < 500


def test_a_read_that_fails_does_not_forget_what_a_leg_waited_for() -> None:
    market = plain(20, lambda _second: 0)
    market.instead = refused()
    market.flatten()
    market.wait(2)
    (leg,) = market.legs()
    assert leg.why == FAULTS
    market.unreadable = True
    market.wait(3)
    assert leg.why == "no answer"
    market.unreadable, market.instead = False, None
    market.wait(1)
    assert leg.why == FAULTS


@BOTH
def test_reads_that_fail_now_and_then_page_nobody(market: Market) -> None:
    some = market(20, lambda _second: 0)
    some.left = 0
    some.flatten()
    for second in range(400):
        some.unreadable = second % 20 < 10
        some.wait(1)
    assert not some.pages("could not be read")


def test_closes_that_do_not_reach_the_broker_are_spread_so_that_their_numbers_last() -> None:
    market = plain(20, lambda _second: 0)
    market.instead = refused(Reason.BROKER_UNREACHABLE)
    market.flatten()
    for _ in range(12):
        market.desk.now_ns += SECOND // 4
        market.hear(market.desk.take(facts.TimeAdvanced()))
    assert len(market.closes) <= 4
    market.wait(400)
    assert 200 < len(market.closes) < 330, "not once a second"
    assert not market.ended()


@settings(deadline=None, max_examples=20)
@given(
    held=st.integers(-400, 400).filter(bool),
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(any),
    seconds=st.integers(1, 7),
    is_measured=st.booleans(),
)
def test_where_a_market_trades_at_all_nothing_is_left(
    held: int, sizes: list[int], seconds: int, is_measured: bool
) -> None:
    """Within laws 3 and 4, which the floor holds, and one close at a time."""
    make = measured if is_measured else plain
    market = make(held, lambda second: sizes[second // seconds % len(sizes)])
    market.flatten()
    for second in range(1_700):
        market.second(silent=second % seconds > 0)
        assert len(market.working()) <= 1
        if market.ended():
            break
    if sum(sizes) * 1_500 // (seconds * len(sizes)) > 20 * abs(held):
        assert market.held == 0
    assert market.ended() is (market.held == 0)


def idle(market: Watched) -> None:
    """Until no close works: the longer nothing is taken, the longer the pauses."""
    while market.working():
        market.second()


def test_while_an_exchange_has_halted_the_symbol_no_time_of_the_market_passes() -> None:
    market = plain(20, lambda _second: 0, close_within_ns=5 * MINUTE)
    market.left = 0
    market.flatten()
    market.wait(240)
    idle(market)
    market.desk.take(market_facts.TradingHalted(symbol="AAPL", code="P LUDP", event_ns=1, level=0))
    market.wait(200)
    assert not market.ended()
    market.hear(
        market.desk.take(market_facts.TradingResumed(symbol="AAPL", code="T LUDP", event_ns=2))
    )
    market.wait(280)
    assert not market.ended()
    market.wait(60)
    assert market.ended()


def test_after_a_restart_the_market_is_asked_for_all_its_time() -> None:
    market = plain(20, lambda _second: 0, close_within_ns=5 * MINUTE)
    market.left = 0
    market.flatten()
    market.wait(240)
    idle(market)
    desk = market.desk
    desk.now_ns += 200 * SECOND
    latched = facts.LatchedScope(
        scope="account",
        level=HaltLevel.FLATTEN,
        reason=Reason.OPERATOR,
        trip="latch:account#1",
        halt_epoch=1,
    )
    for fact in (
        facts.NodeStarted(instance="deskdesk", account="A1", release="0", latched=(latched,)),
        facts.BrokerStreamChanged(connected=True),
    ):
        market.hear(desk.take(fact))
    market.hear(desk.account())
    held = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=20 * NANOS,
        average_price_nanos=250 * NANOS,
        price_nanos=250 * NANOS,
    )
    market.hear(desk.take(facts.PositionsSeen(positions=(held,))))
    market.wait(280)
    assert not market.ended()
    market.wait(60)
    assert market.ended()
