"""An order asks for liquidity at its own moment; what stands is the same, and not scored again."""

from collections.abc import Callable
from fractions import Fraction
from random import Random

import msgspec
import pytest

from fuseboard.core.checks import liquidity_tier
from fuseboard.core.checks.proposal import Proposal
from fuseboard.core.judging import order_of, proposed
from fuseboard.core.liquidity.monitor import Liquidity
from fuseboard.core.liquidity.shaping import opening_shape
from fuseboard.core.liquidity.tiers import TABLE
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.market_inputs import BookSeen, FeedHeard
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason
from tests.core.liquidity.market import CENT, LIMITS, SECOND, WIDE, LiquidDesk

STEPS = 160
LACKING: tuple[tuple[str, ...], ...] = (
    (),
    ("sizes",),
    ("trades",),
    ("sizes", "trades"),
    ("spread",),
    ("sizes", "trades", "spread"),
)
HARDLY_BEYOND = Fraction(250_260_005, 10_000)
"""In cents: within the offset of a quote at 250.01, and above its last tick."""
PAUSES_NS = (1_000,) * 6 + (SECOND // 10, SECOND, 7 * SECOND, 61 * SECOND, 125 * SECOND)
RULES = (
    LiquidityRules(enabled=True, calibrated=False),
    LiquidityRules(enabled=True, calibrated=True, dwell_ns=SECOND),
    LiquidityRules(enabled=True, calibrated=False, spread_scale_nanos=NANOS // 100),
)


def book(random: Random, count: int) -> BookSeen:
    bid, ask = 25_000 - random.choice((1, 1, 30, 400)), 25_000 + random.choice((1, 1, 30, -5))
    size = random.choice((1, 40, 200, 5_000)) * NANOS
    bids = tuple(((bid - n) * CENT, size) for n in range(count))
    asks = tuple(((ask + n) * CENT, size) for n in range(count))
    return BookSeen(symbol="AAPL", bids=bids, asks=asks, event_ns=0)


def order_asked(random: Random, number: int) -> facts.OrderRequested:
    price = random.choice((None, 24_000, 24_999, 25_000, 25_001, 25_026, 25_200, HARDLY_BEYOND))
    stops = price is not None and random.random() < 0.1
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    return facts.OrderRequested(
        request=number,
        strategy="alpha",
        client_order_id=f"s{number}",
        symbol="AAPL",
        side=random.choice((Side.BUY, Side.BUY, Side.SELL)),
        order_type=OrderType.STOP_LIMIT if stops else kind,
        time_in_force=TimeInForce.DAY,
        quantity_nanos=random.choice((1, 5, 200, 900)) * NANOS,
        limit_price_nanos=None if price is None else int(price * CENT),
        stop_price_nanos=25_001 * CENT if stops else None,
    )


def adopted(random: Random) -> facts.PolicyAdopted:
    policy = Policy(limits=LIMITS, losses=(), data=WIDE, liquidity=random.choice(RULES))
    text = canonical_text(policy)
    return facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ada", reason="other")


def lived(seed: int) -> tuple[list[tuple[fx.Effect, ...]], list[bytes]]:
    """What a kernel did in one drawn life of a market, and its snapshots on the way."""
    random = Random(seed)
    desk = LiquidDesk(calibrated=bool(seed % 2))
    effects: list[tuple[fx.Effect, ...]] = []
    snapshots = []
    if seed % 4 > 1:  # long enough for depth to be known
        desk.take(
            FeedHeard(feed="stocks", real_time=False, lacks=("trades",) if seed % 8 > 3 else ())
        )
        desk.calm(236)
    for number in range(STEPS):
        desk.now_ns += random.choice(PAUSES_NS)
        match random.choices(range(7), (24, 6, 3, 6, 1, 1, 1))[0]:
            case 0:
                effects.append(desk.take(order_asked(random, number)))
            case 1:
                size = random.choice((1, 40, 200, 5_000))
                half = random.choice((1, 1, 30, 400))
                effects.append(desk.quoted(25_000 - half, 25_000 + half, size))
            case 2:
                effects.append(desk.take(book(random, 3)))
            case 3:
                effects.append(desk.traded(random.choice((1, 20, 300))))
            case 4:
                lacks = random.choice(LACKING)
                effects.append(desk.take(FeedHeard(feed="stocks", real_time=False, lacks=lacks)))
            case 5:
                effects.append(desk.take(adopted(random)))
            case 6:
                if random.random() < 0.3:
                    desk.start()
                effects.append(desk.take(facts.TimeAdvanced()))
        state = msgspec.json.decode(desk.kernel.snapshot())
        for at in state["liquidity"].values():
            del at["stands_until_boot_ns"]
        snapshots.append(msgspec.json.encode(state))
    return effects, snapshots


def _never_stands(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Liquidity, "stands_until", lambda *_: 0)


def _walks_each_time(patch: pytest.MonkeyPatch) -> None:
    _never_stands(patch)
    judged = Liquidity.judge

    def judge(self: Liquidity, rules: LiquidityRules, now_ns: int) -> None:
        self.measure_anew()
        judged(self, rules, now_ns)

    patch.setattr(Liquidity, "judge", judge)


@pytest.mark.parametrize(
    "slow", [pytest.param(_never_stands, marks=pytest.mark.no_cover), _walks_each_time]
)
def test_what_stands_is_what_a_whole_judgement_finds(
    slow: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = range(16)
    lives = [lived(seed) for seed in seeds]
    slow(monkeypatch)
    for seed in seeds:
        effects, snapshots = lived(seed)
        for number in range(STEPS):
            assert lives[seed][0][number] == effects[number], (seed, number)
            assert lives[seed][1][number] == snapshots[number], (seed, number)


def test_most_orders_before_the_first_trades_find_what_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = LiquidDesk()
    desk.quoted()
    desk.take(order_asked(Random(9), 9))
    judged = []
    monkeypatch.setattr(Liquidity, "judge", lambda *_: judged.append(1))
    for number in range(9):
        desk.take(order_asked(Random(number), number))
    assert not judged


def test_a_gauge_that_was_tightened_stays_where_the_same_score_put_it() -> None:
    for tier, row in TABLE.items():
        for band, to in enumerate(row):
            assert to < tier or TABLE[to][band] is to


def test_what_the_quick_pass_says_a_tier_keeps_is_let_through_and_kept() -> None:
    said = 0
    for seed in range(12):
        random, tier = Random(seed), Tier(seed % 3)
        desk = LiquidDesk().at(tier)
        if seed % 2:
            desk.take(book(random, 3))
        for number in range(40):
            turn, fact = desk.kernel._turn, order_asked(random, number)
            if number == 38:
                turn.boot_ns += 125 * SECOND
            proposal = _proposal(desk, fact)
            order, at = proposal.order, turn.state.liquidity["AAPL"]
            passes = liquidity_tier.passes(proposal)
            rules = turn.liquidity and turn.liquidity.of_tier[at.gauge.tier]
            stays = bool(
                passes
                and rules
                and opening_shape(order, at, rules, proposal.instrument).keeps(order)
            )
            quick = liquidity_tier.keeps(turn, order, proposal.value_attos, proposal.instrument, at)
            assert stays or not quick
            if order.stop_price_nanos is None and (order.limit_price_nanos or 1) % CENT == 0:
                assert quick is stays
                said += quick
    assert said > 100


def test_no_book_opens_anything_while_no_quote_is_good_whatever_other_checks_let_pass() -> None:
    desk = LiquidDesk().at(Tier.NORMAL)
    fact = order_asked(Random(1), 1)
    proposal = _proposal(desk, fact)
    assert liquidity_tier.passes(proposal)
    proposal.instrument.bid_nanos = 0
    assert not liquidity_tier.passes(proposal)
    assert liquidity_tier.found(proposal).reason is Reason.QUOTE_MISSING


def _proposal(desk: LiquidDesk, fact: facts.OrderRequested) -> Proposal:
    turn = desk.kernel._turn
    instrument = turn.state.instruments["AAPL"]
    return proposed(turn, order_of(turn, fact, "id", instrument), instrument)
