"""Liquidations in parts: what is shown caps each close, plans take turns, and everything ends."""

from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from fuseboard.core.leaving import quantity_nanos
from fuseboard.core.legs import Leg, Plan
from fuseboard.policy.data_rules import ExecutionRules
from fuseboard.policy.liquidity_rules import EmergencyRules
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.evidence_effects import RecordPlan
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordExit
from fuseboard.vocabulary.market_inputs import BookSeen, FeedHeard
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from tests.core.liquidity.market import LIMITS, SECOND, WIDE, LiquidDesk, of

ALPHA, BETA = "alpha", "beta"
POLICY = Policy(
    limits=LIMITS,
    losses=(),
    data=WIDE,
    checks_off=("opposite_strategy", "self_match"),
    strategies=tuple(
        StrategyRule(name=name, capital_nanos=10**6 * NANOS) for name in (ALPHA, BETA)
    ),
)


class Close(Struct):
    """A close at the broker."""

    order: fx.SubmitOrder
    at_ns: int
    filled: int = 0
    ended_ns: int = 0
    """0 while it works."""


class Floor:
    """A broker and a market: closes fill at once, up to what the book shows at that moment.

    `shown` tells how many shares each side shows in a second, 0 for a book without a bid.
    """

    def __init__(self, desk: LiquidDesk, held: int = 0, shown: Callable[[int], int] | None = None):
        self.desk, self.held = desk, held
        self.shown = shown or (lambda _second: 200)
        self.began_ns = desk.now_ns
        self.left = self.shown(0)
        self.closes: dict[str, Close] = {}
        self.exits: list[RecordExit] = []
        self.plans: dict[str, RecordPlan] = {}
        self.reads = 0
        self.confirms_cancels = True
        self.at_once_ends = OrderStatus.CANCELED
        """What the venue says of what was to trade at once and did not."""

    def working(self) -> list[Close]:
        return [close for close in self.closes.values() if not close.ended_ns]

    def hear(self, effects: tuple[fx.Effect, ...]) -> None:
        self.exits += of(effects, RecordExit)
        self.plans |= {plan.trip: plan for plan in of(effects, RecordPlan)}
        for leg in of(effects, fx.ReadLeg):
            self.reads += 1
            self.hear(self.desk.take(self._read(leg)))
        for order in of(effects, fx.SubmitOrder):
            if order.intent is Intent.PLAN:
                self._place(order)
        for cancel in of(effects, fx.CancelOrder):
            close = self.closes.get(cancel.order_id)
            if close is not None and not close.ended_ns and self.confirms_cancels:
                close.ended_ns = self.desk.now_ns
                self._say(close, OrderStatus.CANCELED)

    def _read(self, leg: fx.ReadLeg) -> facts.LegRead | facts.LegReadFailed:
        side = Side.SELL if self.held > 0 else Side.BUY
        against = [
            close.order.quantity_nanos - close.filled * NANOS
            for close in self.working()
            if close.order.side is side
        ]
        return facts.LegRead(
            trip=leg.trip,
            symbol=leg.symbol,
            attempt=leg.attempt,
            position_nanos=self.held * NANOS,
            against_nanos=sum(against),
        )

    def _place(self, order: fx.SubmitOrder) -> None:
        assert order.order_id not in self.closes, "law 3: sent twice"
        close = self.closes[order.order_id] = Close(order, self.desk.now_ns)
        status = OrderStatus.WORKING
        sent = facts.OrderSent(order_id=order.order_id, broker_order_id="b", status=status)
        self.hear(self.desk.take(sent))
        shares = order.quantity_nanos // NANOS
        assert shares * NANOS == order.quantity_nanos > 0, "whole shares"
        close.filled = min(shares, self.left)
        self.left -= close.filled
        before = self.held
        self.held += close.filled if order.side is Side.BUY else -close.filled
        assert abs(self.held) <= abs(before), "law 4: it grows"
        assert self.held * before >= 0, "law 4: through zero"
        if close.filled == shares:
            close.ended_ns = self.desk.now_ns
            self._say(close, OrderStatus.FILLED)
        elif order.time_in_force is TimeInForce.IOC:
            close.ended_ns = self.desk.now_ns
            self._say(close, self.at_once_ends)

    def _say(self, close: Close, status: OrderStatus) -> None:
        price = close.order.limit_price_nanos or 0
        ended = facts.OrderEnded(
            order_id=close.order.order_id,
            broker_order_id="b",
            status=status,
            filled_quantity_nanos=close.filled * NANOS,
            filled_price_nanos=price if close.filled else 0,
        )
        self.hear(self.desk.take(ended))

    def flatten(self, scope: str = "account") -> "Floor":
        self.desk.requests += 1
        level = HaltLevel.FLATTEN
        fact = OperatorHaltRequested(
            request=self.desk.requests, scope=scope, operator="ada", reason="out", level=level
        )
        self.hear(self.desk.take(fact))
        return self

    def plan_by_hand(self) -> Plan:
        """A plan of the account that begins now, and that the kernel does not know."""
        return Plan(
            trip="t",
            scope="account",
            stage="closing",
            began_boot_ns=self.desk.now_ns,
            deadline_boot_ns=0,
            orders={},
        )

    def second(self, *, silent: bool = False) -> None:
        self.desk.now_ns += SECOND
        if not silent:
            self.left = self.shown((self.desk.now_ns - self.began_ns) // SECOND)
            if self.left:
                self.hear(self.desk.quoted(size=self.left))
            else:
                self.hear(self.desk.quoted(24_999, 24_990))
        self.hear(self.desk.take(facts.TimeAdvanced()))

    def wait(self, seconds: int, *, silent: bool = False) -> "Floor":
        for _ in range(seconds):
            self.second(silent=silent)
        return self

    def sizes(self) -> list[int]:
        return [close.order.quantity_nanos // NANOS for close in self.closes.values()]

    def ended(self) -> bool:
        return bool(self.plans) and all(plan.stage == "ended" for plan in self.plans.values())


def floor(
    held: int,
    shown: Callable[[int], int] | None = None,
    execution: ExecutionRules | None = None,
    **rules: object,
) -> Floor:
    """A calm market in which so much is held from before, by nobody."""
    policy = replace(POLICY, execution=execution or ExecutionRules())
    desk = LiquidDesk(policy, held=held, **rules).at(Tier.NORMAL)
    return Floor(desk, held, shown)


def test_a_close_takes_the_tiers_part_of_what_is_shown_and_the_next_a_new_books() -> None:
    market = floor(450).flatten()
    assert market.sizes() == [100], "half of 200"
    market.wait(3, silent=True)
    assert market.sizes() == [100], "the book that it took from says nothing any more"
    market.wait(8)
    assert market.sizes() == [100, 100, 100, 100, 50]
    assert market.held == 0
    assert market.ended()
    assert not any(plan.left for plan in market.plans.values())
    starts = [close.at_ns for close in market.closes.values()]
    assert all(later - sooner >= SECOND for sooner, later in pairwise(starts))
    assert [close.order.client_order_id[-1] for close in market.closes.values()] == list("12345")


@pytest.mark.parametrize(
    ("tier", "part"), [(Tier.NORMAL, 50), (Tier.CAUTIOUS, 25), (Tier.DEFENSIVE, 10)]
)
def test_the_part_is_the_tiers_and_the_evidence_says_of_what(tier: Tier, part: int) -> None:
    market = floor(1_000)
    market.desk.known.gauge.tier = tier
    (taken,) = market.flatten().exits
    assert (taken.tier, taken.shown_nanos) == (tier.name, 200 * NANOS)
    assert taken.participation_nanos == part * NANOS // 100
    assert taken.quantity_nanos == 200 * NANOS * part // 100
    assert taken.open_nanos == 1_000 * NANOS


def test_of_a_book_with_levels_the_top_five_of_the_side_that_is_taken_count() -> None:
    market = floor(1_000)
    bids = tuple(((24_999 - away) * NANOS // 100, 10 * NANOS) for away in range(7))
    asks = ((25_001 * NANOS // 100, 900 * NANOS),)
    market.desk.take(BookSeen(symbol="AAPL", bids=bids, asks=asks, event_ns=0))
    market.desk.known.gauge.tier = Tier.NORMAL
    market.flatten()
    assert market.sizes() == [25]


def test_without_sizes_there_is_no_cap_and_it_is_said() -> None:
    desk = LiquidDesk(POLICY, held=1_000)
    desk.take(FeedHeard(feed="", real_time=True, lacks=("sizes",)))
    desk.calm()
    desk.known.lacks |= 1
    market = Floor(desk, 1_000, lambda _second: 5_000).flatten()
    assert market.sizes() == [1_000]
    assert market.exits[0].uncapped == "no sizes are known"


def test_what_does_not_fill_doubles_the_part_and_is_no_last_try_before_the_time_is_over() -> None:
    market = floor(1_000)
    market.shown = lambda second: 200 if second < 1 else 0  # what is told is never there
    market.left = 0
    market.flatten()
    told = market.desk.quoted

    def phantom(seconds: int) -> None:
        for _ in range(seconds):
            market.desk.now_ns += SECOND
            market.hear(told(size=8))
            market.hear(market.desk.take(facts.TimeAdvanced()))

    phantom(100)
    takes = market.sizes()[::2]
    assert takes[0] == 100
    assert takes[1:6] == [8, 16, 32, 64, 128]
    assert set(takes[6:]) == {128}
    assert market.sizes()[1] == 200, "what rests is as large as the next part"
    assert market.sizes()[3::2] == [*takes[2:6], *[128] * (len(market.sizes()[3::2]) - 4)]
    starts = [close.at_ns for close in market.closes.values()][11::2]
    assert all(later - sooner >= 3 * SECOND for sooner, later in pairwise(starts)), "it paces"
    assert not market.ended()
    phantom(40)
    assert market.sizes()[-1] == 1_000
    assert market.exits[-1].uncapped == "its time is over"
    assert not market.ended(), "nobody took it yet: that is no reason to stop asking"
    market.shown = lambda _second: 1_000
    market.wait(4)
    assert (market.held, market.ended()) == (0, True)


def test_without_sizes_a_part_that_filled_waits_for_no_book() -> None:
    market = floor(1_000)
    market.desk.known.lacks |= 1
    market.left = 400
    market.flatten().wait(4, silent=True)
    assert market.sizes()[:2] == [1_000, 600]


def test_a_market_that_falls_silent_after_a_chunk_is_left_when_the_time_is_over() -> None:
    market = floor(450).flatten()
    market.left = 1_000
    market.wait(119, silent=True)
    assert market.sizes() == [100]
    market.wait(3, silent=True)
    assert market.sizes() == [100, 350]


def test_no_dust_is_left_over_and_a_pair_is_closed_in_parts_that_are_worth_sending() -> None:
    market = floor(450)
    turn = market.desk.kernel._turn
    plan = market.plan_by_hand()

    def taken(symbol: str, open_nanos: int, side: Side = Side.SELL) -> int:
        return quantity_nanos(turn, plan, Leg(symbol=symbol), side=side, open_nanos=open_nanos)

    assert taken("AAPL", 101 * NANOS - 1) == 101 * NANOS - 1, "less than a share more than the part"
    assert taken("AAPL", 101 * NANOS) == 100 * NANOS
    market.desk.quote("ETH/USD", 250)
    state = market.desk.kernel._state
    state.liquidity["ETH/USD"] = at = deepcopy(market.desk.known)
    at.bids, at.asks = ((250 * NANOS, NANOS // 10),), ((251 * NANOS, NANOS // 25),)
    assert taken("ETH/USD", NANOS) == NANOS // 20, "12.50 USD: half of what is shown"
    assert taken("ETH/USD", NANOS, Side.BUY) == NANOS // 25, "10 USD: half would be 5"
    assert taken("ETH/USD", NANOS * 79 // 1_000, Side.BUY) == NANOS * 79 // 1_000


def test_an_empty_book_is_probed_share_by_share_and_swept_only_when_the_time_is_over() -> None:
    rules = EmergencyRules(exit_wait_ns=10 * SECOND)
    market = floor(500, lambda _second: 0, emergency=rules, exit_within_ns=60 * SECOND)
    market.desk.quoted(24_999, 24_990)
    market.flatten().wait(58)
    assert market.sizes()[:9] == [1, 2, 2, 4, 4, 8, 8, 16, 16]
    assert max(market.sizes()) == 32
    market.wait(6)
    assert market.sizes()[-1] == 500


@settings(deadline=None, max_examples=25)
@given(
    held=st.integers(-3_000, 3_000).filter(bool),
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=8),
    within=st.integers(1, 40),
    empty=st.integers(0, 3),
)
@example(held=244, sizes=[100, 1], within=1, empty=0)
def test_whatever_the_book_that_has_two_sides_a_liquidation_ends_in_time_and_in_few_closes(
    held: int, sizes: list[int], within: int, empty: int
) -> None:
    """Flat, or after the whole was tried until the time was over; within law 4 throughout."""
    shown = [*sizes, *[0] * empty]
    rules = EmergencyRules(exit_wait_ns=5 * SECOND)
    market = floor(
        held,
        lambda second: shown[second % len(shown)],
        exit_within_ns=within * SECOND,
        emergency=rules,
        execution=ExecutionRules(close_within_ns=90 * SECOND),
    ).flatten()
    for _ in range(95):
        market.second()
        assert len(market.working()) <= 1
        if market.ended():
            break
    assert market.ended(), market.plans
    assert len(market.closes) <= 92, "one a second: what takes, and what rests for two"
    (plan,) = market.plans.values()
    assert (market.held == 0) is (not plan.left)
    if plan.left:
        assert market.sizes()[-1] == abs(market.held) + list(market.closes.values())[-1].filled


# --- several plans of one symbol -----------------------------------------------------------------


MEASURED_OR_NOT = pytest.mark.parametrize("measured", [True, False])


def two_strategies(alpha: int, beta: int, *, measured: bool = True) -> Floor:
    """A calm market in which two strategies hold the symbol."""
    desk = LiquidDesk(POLICY, enabled=measured).calm()
    market = Floor(desk)
    for strategy, shares in ((ALPHA, alpha), (BETA, beta)):
        desk.requests += 1
        side = Side.BUY if shares > 0 else Side.SELL
        effects = desk.take(
            facts.OrderRequested(
                request=desk.requests,
                strategy=strategy,
                client_order_id=f"o{desk.requests}",
                symbol="AAPL",
                side=side,
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.DAY,
                quantity_nanos=abs(shares) * NANOS,
            )
        )
        (order,) = of(effects, fx.SubmitOrder)
        assert order.quantity_nanos == abs(shares) * NANOS, "within the tier"
        desk.take(
            facts.FillReported(
                order_id=order.order_id,
                broker_order_id=strategy,
                quantity_nanos=order.quantity_nanos,
                price_nanos=250 * NANOS,
                filled_quantity_nanos=order.quantity_nanos,
                filled_price_nanos=250 * NANOS,
                final=True,
            )
        )
        market.held += shares
    market.began_ns = desk.now_ns
    return market


@pytest.mark.parametrize(
    ("measured", "turns", "sizes"),
    [(True, "bababa", [50] * 6), (False, "bbaaba", [150, 50, 150, 50, 50, 50])],
    ids=["in parts", "all that is left"],
)
def test_plans_of_one_symbol_take_turns_close_by_close_the_oldest_first(
    measured: bool, turns: str, sizes: list[int]
) -> None:
    market = two_strategies(150, 150, measured=measured)
    market.shown = lambda _second: 100
    market.desk.quoted(size=100)
    market.left = 100
    market.flatten(f"strategy:{BETA}").flatten(f"strategy:{ALPHA}")
    for _ in range(12):
        assert len(market.working()) <= 1
        market.second()
    owners = [
        close.order.client_order_id.split("strategy:")[1][0] for close in market.closes.values()
    ]
    assert owners == list(turns)
    assert market.sizes() == sizes
    assert (market.held, market.ended()) == (0, True)


@MEASURED_OR_NOT
def test_the_accounts_plan_does_not_sell_over_a_strategys(measured: bool) -> None:
    market = two_strategies(150, 100, measured=measured)
    market.left, market.shown = 0, lambda _second: 200
    market.flatten(f"strategy:{ALPHA}").flatten()
    assert len(market.working()) == 1
    market.wait(12)
    assert (market.held, market.ended()) == (0, True)
    assert sum(close.filled for close in market.closes.values()) == 250


@MEASURED_OR_NOT
@pytest.mark.parametrize("why", ["frozen", "its cancel is never confirmed"])
def test_a_leg_that_cannot_go_on_is_in_nobodys_way(why: str, measured: bool) -> None:
    market = two_strategies(60, 60, measured=measured)
    market.left, market.shown = 0, lambda _second: 0
    market.flatten(f"strategy:{ALPHA}")
    market.confirms_cancels = False
    market.flatten(f"strategy:{BETA}")
    market.left, market.shown = 200, lambda _second: 200
    if why == "frozen":
        market.desk.take(
            OperatorHaltRequested(
                request=99,
                scope=f"strategy:{ALPHA}",
                operator="ada",
                reason="wait",
                level=HaltLevel.FREEZE,
            )
        )
    market.wait(2 if why == "frozen" else 6)
    closes = list(market.closes.values())
    assert [close.filled for close in closes] == [0, 0, 60], "what takes, what rests, the other's"
    assert market.held == 60


@MEASURED_OR_NOT
def test_a_leg_that_has_to_wait_has_all_its_reads_again(measured: bool) -> None:
    market = two_strategies(60, 60, measured=measured)
    market.left, market.shown = 0, lambda _second: 0
    market.flatten(f"strategy:{ALPHA}")
    legs = market.desk.kernel._state.plans
    market.flatten(f"strategy:{BETA}")
    (waiting,) = [plan.legs["AAPL"] for plan in legs.values() if plan.legs["AAPL"].waits_for]
    assert (waiting.stage, waiting.waits_for, waiting.reads) == ("waiting", "turn", 0)


def test_a_plan_does_not_take_from_the_book_that_another_has_just_taken_from() -> None:
    market = two_strategies(150, 150)
    market.flatten(f"strategy:{ALPHA}")
    market.desk.now_ns += SECOND * 7 // 10
    market.flatten(f"strategy:{BETA}")
    for _ in range(40):
        market.desk.now_ns += SECOND // 10
        market.left = 100
        market.hear(market.desk.quoted(size=100))
        market.hear(market.desk.take(facts.TimeAdvanced()))
    starts = [close.at_ns for close in market.closes.values()]
    assert len(starts) >= 3
    assert all(later - sooner >= SECOND for sooner, later in pairwise(starts))


def test_what_the_broker_does_not_hold_yet_is_asked_for_again_and_not_given_up() -> None:
    market = two_strategies(80, 10)
    market.held = 0  # its reports are late
    market.flatten(f"strategy:{ALPHA}").wait(3)
    assert not market.ended()
    market.held = 90
    market.wait(3)
    assert (market.held, market.ended()) == (10, True)


def test_strategies_flat_against_each_other_are_not_asked_about_for_ever() -> None:
    market = two_strategies(80, -80)
    market.flatten(f"strategy:{ALPHA}").flatten(f"strategy:{BETA}").wait(3)
    assert market.ended()
    assert not market.closes
    assert market.reads <= 4
    lefts = [plan.left for plan in market.plans.values()]
    assert all("other strategies hold" in left[0] for left in lefts), lefts


def test_what_is_left_of_two_sides_is_closed_once_and_the_rest_is_said() -> None:
    market = two_strategies(80, -30)
    market.flatten(f"strategy:{BETA}").flatten(f"strategy:{ALPHA}").wait(6)
    assert market.ended()
    assert market.sizes() == [50]
    assert market.held == 0
    assert market.reads <= 10
    lefts = [plan.left for plan in market.plans.values()]
    assert all("other strategies hold" in left[0] for left in lefts), lefts
