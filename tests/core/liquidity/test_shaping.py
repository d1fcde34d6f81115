"""The gate by tier: what opens is cut and priced, or denied; what reduces is never resized."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fuseboard.core import judging
from fuseboard.core.checks.active import ALLOWED
from fuseboard.core.checks.table import judge
from fuseboard.policy.data_rules import DataRules
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordShaping
from fuseboard.vocabulary.market_inputs import BookSeen, FeedHeard
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason
from tests.core.liquidity.market import CENT, LIMITS, SECOND, WIDE, LiquidDesk, of

N, C, D, E = Tier.NORMAL, Tier.CAUTIOUS, Tier.DEFENSIVE, Tier.EMERGENCY
BUY, SELL = Side.BUY, Side.SELL
RULES = LiquidityRules()


def ask(
    desk: LiquidDesk,
    side: Side = BUY,
    shares: int = 10,
    price: int | None = None,
    name: str = "",
    **changed: Any,
) -> tuple[fx.Effect, ...]:
    """An order for whole shares, priced in cents; without a price at the market."""
    desk.requests += 1
    fact = facts.OrderRequested(
        request=desk.requests,
        strategy="alpha",
        client_order_id=name or f"s{desk.requests}",
        symbol="AAPL",
        side=side,
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=shares * NANOS,
        limit_price_nanos=None if price is None else price * CENT,
    )
    return desk.take(replace(fact, **changed))


def sent(effects: tuple[fx.Effect, ...]) -> fx.SubmitOrder:
    (order,) = of(effects, fx.SubmitOrder)
    assert isinstance(order, fx.SubmitOrder)
    return order


def denial(effects: tuple[fx.Effect, ...]) -> fx.AnswerDenied:
    (denied,) = of(effects, fx.AnswerDenied)
    assert isinstance(denied, fx.AnswerDenied)
    return denied


# --- what opens ----------------------------------------------------------------------------------


def test_each_tier_cuts_an_order_to_its_value_in_whole_shares() -> None:
    for tier, shares in ((N, 199), (C, 39), (D, 7)):
        desk = LiquidDesk().at(tier)
        effects = ask(desk, shares=300)
        order, (record,) = sent(effects), of(effects, RecordShaping)
        assert order.quantity_nanos == shares * NANOS, tier
        assert order.limit_price_nanos is not None
        assert order.quantity_nanos * order.limit_price_nanos <= {
            N: 50_000, C: 10_000, D: 2_000,
        }[tier] * NANOS**2  # fmt: skip
        assert (record.tier, record.asked_quantity_nanos) == (tier.name, 300 * NANOS)


def test_an_order_is_judged_by_the_tier_of_its_own_moment() -> None:
    """Nothing was heard since, and the dwell is over: the quote stood, so the tier is NORMAL."""
    desk = LiquidDesk().calm(5)
    assert desk.tier() is C
    desk.now_ns += 60 * SECOND
    assert sent(ask(desk, shares=300)).quantity_nanos == 199 * NANOS


def test_a_market_order_becomes_a_limit_at_the_tiers_offset_on_the_tick() -> None:
    # The last good quote: 249.99 / 250.01, and asks of 252.00 and 254.80 in the tighter tiers.
    for tier, buy, sell in ((N, 25_026, 24_975), (C, 25_263, 24_937), (D, 25_607, 24_875)):
        desk = LiquidDesk().at(tier)
        order = sent(ask(desk, BUY, 1))
        assert (order.order_type, order.limit_price_nanos) == (OrderType.LIMIT, buy * CENT), tier
        order = sent(ask(LiquidDesk().at(tier), SELL, 1))
        assert (order.order_type, order.limit_price_nanos) == (OrderType.LIMIT, sell * CENT), tier


def test_a_limit_is_priced_at_most_the_offset_away_and_a_calmer_one_is_left_alone() -> None:
    desk = LiquidDesk().at(N)
    assert sent(ask(desk, BUY, 1, 25_300)).limit_price_nanos == 25_026 * CENT
    assert sent(ask(LiquidDesk().at(N), SELL, 1, 24_700)).limit_price_nanos == 24_975 * CENT
    effects = ask(desk, BUY, 1, 25_026)
    assert sent(effects).limit_price_nanos == 25_026 * CENT
    assert not of(effects, RecordShaping)


def test_an_order_is_priced_by_the_nearer_of_the_good_quote_and_the_book() -> None:
    """A quote that jumped prices nothing yet, and the market that it may show is the cheaper."""
    jumpy = DataRules(spread_nanos_max=NANOS // 2, jump_nanos_max=NANOS // 100)
    low, high = (24_499, 24_501), (25_499, 25_501)
    for side, book, edge in (
        (BUY, low, 24_525),
        (BUY, high, 25_026),
        (SELL, high, 25_474),
        (SELL, low, 24_975),
    ):
        desk = LiquidDesk(Policy(limits=LIMITS, losses=(), data=jumpy)).at(N)
        desk.quoted(*book)
        assert sent(ask(desk, side, 1)).limit_price_nanos == edge * CENT


def test_a_market_that_left_the_last_good_quote_behind_is_not_priced_by_it() -> None:
    """The tier lets 2 % of spread be, the policy's data rules 1 %: a quote between them is none."""
    strict = Policy(limits=LIMITS, losses=(), data=DataRules())
    for side, behind, quotes in (
        (BUY, 25_380, ((24_999, 25_125), (24_999, 25_380))),
        (SELL, 24_630, ((24_875, 25_001), (24_630, 25_001))),
    ):
        desk = LiquidDesk(strict).calm()
        desk.quoted(24_999, 25_480, 1)
        assert desk.tier() is D
        for quote in quotes:
            desk.quoted(*quote)
        sign = 1 if side is BUY else -1
        for price in (None, behind + 10 * sign):
            denied = denial(ask(desk, side, 1, price))
            assert denied.reason is Reason.QUOTE_MISSING
            assert denied.observed.endswith("the book has left the last good one behind")
        assert sent(ask(desk, side, 1, 25_000)).limit_price_nanos == 25_000 * CENT
        stop: dict[str, Any] = {
            "order_type": OrderType.STOP,
            "stop_price_nanos": (25_400 if side is BUY else 24_600) * CENT,
        }
        assert sent(ask(desk, side, 1, **stop)).order_type is OrderType.STOP_LIMIT
        desk.quoted(*quotes[0])
        assert sent(ask(desk, side, 1))


def test_a_stop_that_opens_becomes_a_stop_limit_as_far_beyond_its_stop() -> None:
    desk = LiquidDesk().at(N)
    stop: dict[str, Any] = {"order_type": OrderType.STOP, "stop_price_nanos": 26_000 * CENT}
    order = sent(ask(desk, BUY, 1, **stop))
    assert order.order_type is OrderType.STOP_LIMIT
    assert (order.stop_price_nanos, order.limit_price_nanos) == (26_000 * CENT, 26_026 * CENT)


def test_in_an_emergency_nothing_opens() -> None:
    desk = LiquidDesk().at(E)
    denied = denial(ask(desk, BUY, 1, 25_000))
    assert (denied.reason, denied.checks[-1]) == (Reason.LIQUIDITY_TIER, "liquidity_tier")
    assert denied.observed.startswith("EMERGENCY, score ")


def test_a_denial_names_what_its_score_is_without_and_tells_none_that_is_unknown() -> None:
    desk = LiquidDesk()
    lacks = ("trades", "spread")
    desk.take(FeedHeard(feed="stocks", real_time=False, lacks=lacks))
    desk.calm(5)
    desk.quoted(24_000, 26_000)
    assert denial(ask(desk, BUY, 1)).observed == (
        "CAUTIOUS, score unknown without spread, depth, velocity, impact, spread 8.00%"
    )


def test_a_spread_that_is_wider_than_the_tiers_denies_with_both_numbers() -> None:
    desk = LiquidDesk().at(N)
    desk.quoted(24_938, 25_063)  # a hair under 0.5 %
    assert desk.tier() is N
    assert sent(ask(desk, BUY, 1))
    desk.quoted(24_937, 25_062)
    denied = denial(ask(desk, BUY, 1))
    assert denied.reason is Reason.LIQUIDITY_SPREAD
    assert denied.observed.endswith(", spread 0.50001%"), "two decimals would say 0.50%"
    assert denied.limit.split(",")[1] == " spread 0.50000%"


def test_an_order_that_is_cut_to_nothing_is_denied_and_an_unmeasured_symbol_too() -> None:
    desk = LiquidDesk(normal=replace(RULES.normal, order_value_nanos_max=250 * NANOS)).at(N)
    assert denial(ask(desk, BUY, 1)).reason is Reason.LIQUIDITY_TIER
    desk = LiquidDesk()
    desk.kernel._state.liquidity.clear()
    assert denial(ask(desk, BUY, 1)).observed == "no liquidity is known"


def test_an_order_beyond_the_limits_is_denied_as_it_was_asked_and_not_cut_to_them() -> None:
    desk = LiquidDesk().at(N)
    assert denial(ask(desk, BUY, 1_000)).reason is Reason.ORDER_VALUE


def test_where_levels_are_told_an_order_is_clipped_to_a_part_of_the_side_it_takes() -> None:
    desk = LiquidDesk().at(N)
    bids = tuple(((24_999 - n) * CENT, 100 * NANOS) for n in range(10))
    asks = tuple(((25_001 + n) * CENT, 20 * NANOS) for n in range(10))
    desk.take(BookSeen(symbol="AAPL", bids=bids, asks=asks, event_ns=0))
    assert desk.tier() is N
    assert sent(ask(desk, BUY, 150)).quantity_nanos == 25 * NANOS  # a quarter of 5 x 20
    desk = LiquidDesk().at(N)
    desk.take(BookSeen(symbol="AAPL", bids=bids, asks=asks, event_ns=0))
    assert sent(ask(desk, SELL, 150)).quantity_nanos == 125 * NANOS


def with_levels(desk: LiquidDesk) -> LiquidDesk:
    """A book of ten levels came."""
    bids = tuple(((24_999 - n) * CENT, 100 * NANOS) for n in range(10))
    asks = tuple(((25_001 + n) * CENT, 100 * NANOS) for n in range(10))
    desk.take(BookSeen(symbol="AAPL", bids=bids, asks=asks, event_ns=0))
    return desk


@pytest.mark.parametrize(("bid", "price"), [(0, 25_001), (24_999, 0), (25_001, 24_999)])
def test_a_quote_without_a_side_or_crossed_is_an_emergency_beside_a_standing_book(
    bid: int, price: int
) -> None:
    desk = with_levels(LiquidDesk().at(N))
    desk.now_ns += 9 * SECOND
    effects = desk.quoted(bid, price)
    assert (desk.tier(), desk.known.bids) == (E, ())
    assert of(effects, fx.RaiseAlert)
    assert denial(ask(desk)).reason is Reason.LIQUIDITY_TIER
    desk.quoted()
    assert not desk.known.bids, "it is told whole again by the next book"
    assert with_levels(desk).known.bids


def test_the_wider_of_a_standing_book_and_a_quote_beside_it_counts_for_ten_seconds() -> None:
    desk = with_levels(LiquidDesk().at(N))
    calm = desk.known.score
    desk.quoted(24_887, 25_113)
    assert desk.known.score < calm
    assert desk.known.spread_nanos() == -(-226 * NANOS // 25_000)
    for price in (None, 25_001):
        assert denial(ask(desk, price=price)).reason is Reason.LIQUIDITY_SPREAD
    with_levels(desk)
    assert denial(ask(desk)).reason is Reason.LIQUIDITY_SPREAD, "the quote stands beside it"
    desk.now_ns += 9 * SECOND
    with_levels(desk)
    assert denial(ask(desk)).reason is Reason.LIQUIDITY_SPREAD
    desk.now_ns += SECOND
    with_levels(desk)
    assert sent(ask(desk)).limit_price_nanos == 25_026 * CENT
    desk.quoted(24_887, 25_113)
    desk.quoted()
    assert (desk.tier(), desk.known.score) == (N, calm)
    assert sent(ask(desk))
    desk.known.asks = ((25_150 * CENT, 100 * NANOS), *desk.known.asks[1:])
    desk.quoted(25_000, 25_000)
    assert denial(ask(desk)).reason is Reason.LIQUIDITY_SPREAD, "the book is the wider now"
    with_levels(desk)
    desk.now_ns += 9 * SECOND
    desk.quoted(24_887, 25_113)
    desk.now_ns += SECOND
    desk.quoted()
    assert sent(ask(desk)), "the wide quote is beside it no more"


def test_a_fraction_is_cut_to_a_fraction() -> None:
    desk = LiquidDesk().at(C)
    order = sent(ask(desk, BUY, quantity_nanos=100 * NANOS + 1))
    assert order.quantity_nanos == 10_000 * NANOS * NANOS // (25_263 * CENT)


def test_what_counts_in_the_worst_case_is_what_is_sent() -> None:
    desk = LiquidDesk().at(C)
    order = sent(ask(desk, BUY, 300))
    assert order.limit_price_nanos is not None
    account = desk.kernel._state.book.account
    assert account.worst_attos == order.quantity_nanos * order.limit_price_nanos


def test_a_repeat_of_a_shaped_order_is_known_and_another_order_under_its_name_is_not() -> None:
    desk = LiquidDesk().at(C)
    first = sent(ask(desk, BUY, 300, name="mine"))
    (answer,) = of(ask(desk, BUY, 300, name="mine"), fx.AnswerOrder)
    assert (answer.order_id, answer.repeated) == (first.order_id, True)
    shaped = ask(desk, BUY, 39, name="mine")
    assert denial(shaped).reason is Reason.CLIENT_ORDER_ID_REUSED


def test_a_replacement_that_would_be_cut_is_denied_and_a_calmer_one_passes() -> None:
    desk = LiquidDesk().at(C)
    order = sent(ask(desk, BUY, 20, 24_900))
    working = OrderStatus.WORKING
    desk.take(facts.OrderSent(order_id=order.order_id, broker_order_id="b", status=working))

    def change(shares: int, name: str, **changed: str) -> tuple[fx.Effect, ...]:
        desk.requests += 1
        asked = facts.ReplaceRequested(
            request=desk.requests,
            strategy="alpha",
            order_id=order.order_id,
            client_order_id=name,
            quantity_nanos=shares * NANOS,
        )
        return desk.take(replace(asked, **changed))

    cut = denial(change(300, "r1"))
    assert (cut.reason, cut.symbol) == (Reason.LIQUIDITY_TIER, "AAPL")
    for stranger in ({"strategy": "beta"}, {"order_id": "nobody's"}):
        unknown = denial(change(10, "r3", **stranger))
        assert (unknown.reason, unknown.symbol) == (Reason.ORDER_UNKNOWN, "")
    desk.known.stale_boot_ns, fresh_ns = 0, desk.known.stale_boot_ns
    assert denial(change(21, "r0")).observed == "CAUTIOUS: no usable book"
    desk.known.stale_boot_ns = fresh_ns
    assert of(change(10, "r2"), fx.AnswerOrder)


# --- what reduces --------------------------------------------------------------------------------


def test_a_market_exit_is_collared_by_tier_and_never_resized() -> None:
    for tier, collar in ((N, 1), (C, 2), (D, 3), (E, 5)):
        desk = LiquidDesk(held=1_000).at(tier)
        order = sent(ask(desk, SELL, 1_000))
        assert order.quantity_nanos == 1_000 * NANOS
        assert order.order_type is OrderType.LIMIT
        edge = 24_999 * CENT * (100 - collar) // 100
        assert order.limit_price_nanos == edge // CENT * CENT, tier


def test_a_market_order_that_opens_meets_own_orders_as_far_as_its_collar_only() -> None:
    """It is sent with a limit: what rests further is not reached, whatever is shown."""
    desk = LiquidDesk(held=1_000).at(N)
    assert sent(ask(desk, SELL, 10, 25_200, name="take profit"))
    assert (sent(ask(desk, BUY, 300)).limit_price_nanos or 0) < 25_200 * CENT
    near = LiquidDesk(held=1_000).at(N)
    assert sent(ask(near, SELL, 10, 25_010, name="near"))
    assert denial(ask(near, BUY, 300)).reason is Reason.SELF_MATCH


def test_an_exit_passes_in_an_emergency_whatever_it_is() -> None:
    desk = LiquidDesk(held=1_000).at(E)
    order = sent(ask(desk, SELL, 500, 20_000))
    assert (order.quantity_nanos, order.limit_price_nanos) == (500 * NANOS, 20_000 * CENT)
    stop: dict[str, Any] = {"order_type": OrderType.STOP, "stop_price_nanos": 24_000 * CENT}
    assert sent(ask(desk, SELL, 500, **stop)).order_type is OrderType.STOP


def test_an_exit_is_priced_from_the_furthest_price_that_is_known() -> None:
    desk = LiquidDesk(held=1_000).at(N)
    desk.traded(price=20_000)
    assert sent(ask(desk, SELL, 10)).limit_price_nanos == 19_800 * CENT
    short = LiquidDesk(held=-1_000).at(N)
    short.traded(price=30_000)
    assert sent(ask(short, BUY, 10)).limit_price_nanos == 30_300 * CENT


def test_an_exit_is_priced_from_the_book_where_that_is_furthest() -> None:
    """A quote that jumped prices nothing that opens, and is in the book."""
    jumpy = Policy(limits=LIMITS, losses=(), data=replace(WIDE, jump_nanos_max=NANOS // 100))
    for held, side, book, edge in (
        (1_000, SELL, (24_499, 24_501), 24_254),
        (-1_000, BUY, (25_499, 25_501), 25_757),
    ):
        desk = LiquidDesk(jumpy, held=held).at(N)
        desk.quoted(*book)
        assert desk.tier() is N
        assert sent(ask(desk, side, 10)).limit_price_nanos == edge * CENT


def test_an_exit_of_which_no_price_is_known_stays_a_market_order() -> None:
    desk = LiquidDesk(held=1_000)
    desk.now_ns += 121 * SECOND
    assert sent(ask(desk, SELL, 10)).order_type is OrderType.MARKET


# --- properties ----------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None)
@given(
    tier=st.sampled_from(Tier),
    side=st.sampled_from(Side),
    nanos=st.sampled_from((1, 7, 500, 5_000)).flatmap(
        lambda n: st.sampled_from((n * NANOS, n * NANOS + NANOS // 3))
    ),
    price=st.sampled_from((None, 20_000, 24_000, 24_999, 25_000, 25_001, 25_200, 26_000)),
    stop=st.sampled_from((None, None, 24_500, 25_500)),
    held=st.sampled_from((0, 300, -300)),
)
def test_what_is_sent_is_no_larger_no_keener_and_passes_every_check_again(
    tier: Tier, side: Side, nanos: int, price: int | None, stop: int | None, held: int
) -> None:
    policy = Policy(limits=replace(LIMITS, price_collar_nanos=NANOS // 10), losses=(), data=WIDE)
    desk = LiquidDesk(policy, held=held).at(tier)
    kinds = {
        (True, True): OrderType.MARKET,
        (True, False): OrderType.STOP,
        (False, True): OrderType.LIMIT,
        (False, False): OrderType.STOP_LIMIT,
    }
    kind = kinds[price is None, stop is None]
    stop_nanos = None if stop is None else stop * CENT
    effects = ask(
        desk, side, price=price, order_type=kind, quantity_nanos=nanos, stop_price_nanos=stop_nanos
    )
    orders = of(effects, fx.SubmitOrder)
    if not orders:
        assert of(effects, fx.AnswerDenied)
        return
    (order,) = orders
    sign = 1 if side is BUY else -1
    if not order.raises_exposure:
        assert order.quantity_nanos == nanos
        assert tier is E or desk.tier() is tier
        return
    assert tier is not E
    assert 0 < order.quantity_nanos <= nanos
    assert order.limit_price_nanos is not None
    assert price is None or sign * order.limit_price_nanos <= sign * price * CENT
    ask_price = {N: 25_001, C: 25_200, D: 25_480}[tier]
    rules = {N: RULES.normal, C: RULES.cautious, D: RULES.defensive}[tier]
    start = (stop or (ask_price if side is BUY else 24_999)) * CENT
    beyond = sign * (order.limit_price_nanos - start)
    assert beyond * NANOS <= rules.offset_nanos * start
    dearest = (
        order.limit_price_nanos
        if side is BUY
        else max(order.limit_price_nanos, (stop or 0) * CENT, ask_price * CENT)
    )
    assert order.quantity_nanos * dearest <= rules.order_value_nanos_max * NANOS
    desk.known.taken_asks_nanos = desk.known.taken_bids_nanos = 0
    turn = desk.kernel._turn
    known = turn.state.book.orders[order.order_id]
    turn.state.book.count(known, -1)
    instrument = turn.state.instruments["AAPL"]
    finding, _ = judge(judging.proposed(turn, known, instrument))
    assert finding is ALLOWED


@pytest.mark.parametrize("seed", range(3))
def test_no_market_traps_an_exit_or_opens_in_an_emergency(seed: int) -> None:
    """A market at random, mostly bad: every exit is sent whole, nothing opens in EMERGENCY."""
    from random import Random

    random = Random(seed)
    desk = LiquidDesk(held=1_000).calm(20)
    opened = 0
    for _ in range(400):
        desk.now_ns += random.choice((1, SECOND, 20 * SECOND))
        middle, half = random.randrange(20_000, 30_000), random.choice((-5, 0, 1, 50, 900))
        if random.random() < 0.5:
            desk.traded(random.randrange(1, 50), middle)
        desk.quoted(middle - half, middle + half, random.choice((0, 1, 50, 5_000)))
        effects = ask(desk, BUY, 10)
        if orders := of(effects, fx.SubmitOrder):
            opened += 1
            assert desk.tier() is not E
            desk.take(
                facts.OrderEnded(
                    order_id=orders[0].order_id,
                    broker_order_id="b",
                    status=OrderStatus.CANCELED,
                    filled_quantity_nanos=0,
                    filled_price_nanos=0,
                )
            )
        exit_order = sent(ask(desk, SELL, 100))
        assert exit_order.quantity_nanos == 100 * NANOS
        desk.take(
            facts.OrderEnded(
                order_id=exit_order.order_id,
                broker_order_id="b",
                status=OrderStatus.CANCELED,
                filled_quantity_nanos=0,
                filled_price_nanos=0,
            )
        )
    assert opened < 200


# --- explaining ----------------------------------------------------------------------------------


def test_explain_says_tier_score_spread_and_what_becomes_of_the_order() -> None:
    desk = LiquidDesk().at(C)
    fact = facts.OrderRequested(
        request=1,
        strategy="alpha",
        client_order_id="why",
        symbol="AAPL",
        side=BUY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=300 * NANOS,
    )
    (line,) = [
        at
        for at in desk.kernel.explained(facts.Moment(desk.now_ns, desk.now_ns), fact)
        if at.check == "liquidity_tier"
    ]
    assert line.verdict == "passed"
    assert line.observed == (
        "CAUTIOUS, score 50.38 without depth, spread 0.80%: 300 -> 39, market -> limit 252.63"
    )
    assert line.limit == "10000 USD, spread 1.00%, offset 0.25%"
