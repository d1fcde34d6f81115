"""Market data moves tiers in the kernel: told, journaled, a gauge, and nothing without a policy."""

from collections.abc import Callable
from typing import Any

import pytest

from fuseboard.core.kernel import Kernel
from fuseboard.core.liquidity.watching import TOLD_EVERY_NS
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import BreakerRule, CheckRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordTier
from fuseboard.vocabulary.market_inputs import (
    BookSeen,
    FeedHeard,
    TradeSeen,
    TradingHalted,
    TradingResumed,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import Severity, Side
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.liquidity.market import CENT, LIMITS, SECOND, LiquidDesk, of
from tests.core.test_known_failures import Desk


def test_a_symbol_begins_cautious_and_is_normal_after_a_dwell_of_good_scores() -> None:
    desk = LiquidDesk()
    assert desk.tier() is Tier.CAUTIOUS
    desk.calm(59)
    assert desk.tier() is Tier.CAUTIOUS
    desk.calm(3)
    assert desk.tier() is Tier.NORMAL


@pytest.mark.parametrize("restarted", [False, True])
def test_neither_a_trade_nor_an_order_before_the_first_quote_is_a_crisis(restarted: bool) -> None:
    """Of two streams one is heard first: that says nothing of the market."""
    rule = BreakerRule(name="gone", condition="liquidity_score < 20", scope="account")
    desk = LiquidDesk(Policy(limits=LIMITS, losses=(), breakers=(rule,)), held=10)
    if restarted:
        desk.calm()
        desk.start()
    else:
        desk.kernel._state.liquidity.clear()
    effects = desk.traded()
    effects += desk.order(Side.BUY, NANOS)
    desk.now_ns += SECOND
    effects += desk.take(facts.TimeAdvanced())
    assert not of(effects, RecordTier)
    assert not of(effects, fx.SubmitOrder)
    assert desk.tier() is Tier.CAUTIOUS
    assert desk.kernel._state.postures.get("account") is not Posture.HALTED
    desk.calm(62)
    assert desk.tier() is Tier.NORMAL


def test_a_symbol_of_which_only_trades_are_heard_is_stale_when_a_quote_would_be() -> None:
    rule = BreakerRule(name="gone", condition="liquidity_score < 20", scope="account")
    desk = LiquidDesk(Policy(limits=LIMITS, losses=(), breakers=(rule,)), held=10)
    desk.kernel._state.liquidity.clear()
    for seconds in (0, 119, 2):
        assert desk.kernel._state.postures.get("account") is not Posture.HALTED
        desk.now_ns += seconds * SECOND
        desk.traded()
        desk.take(facts.TimeAdvanced())
    assert desk.kernel._state.postures["account"] is Posture.HALTED


def test_a_crossed_quote_is_an_emergency_at_once_which_is_told_with_its_numbers() -> None:
    desk = LiquidDesk().calm()
    effects = desk.quoted(25_001, 24_999)
    (record,) = of(effects, RecordTier)
    assert (record.before, record.after, record.score) == ("NORMAL", "EMERGENCY", 0)
    assert record.policy == digest_of(desk.text)
    (alert,) = of(effects, fx.RaiseAlert)
    assert (alert.severity, alert.code) == (Severity.WARNING, Reason.LIQUIDITY_TIER)
    assert alert.scope == "symbol:AAPL"


def test_people_are_told_of_a_symbol_once_a_minute_and_of_the_way_back() -> None:
    desk = LiquidDesk(dwell_ns=SECOND).calm(70)
    told, back, records = 0, 0, 0
    began_ns = desk.now_ns
    while desk.now_ns - began_ns < TOLD_EVERY_NS - 9 * SECOND:
        effects = desk.quoted(25_001, 24_999)
        told += len(of(effects, fx.RaiseAlert))
        records += len(of(effects, RecordTier))
        for _ in range(3):  # it comes up a little, never to NORMAL
            desk.now_ns += SECOND
            desk.quoted()
    assert (told, records > 5) == (1, True)
    for _ in range(5):
        desk.now_ns += SECOND
        back += sum(a.severity is Severity.INFO for a in of(desk.quoted(), fx.RaiseAlert))
    assert back == 1


def test_a_feed_that_lacks_sizes_or_trades_is_no_crisis_and_one_that_says_nothing_is() -> None:
    poor = LiquidDesk()
    poor.take(FeedHeard(feed="stocks", real_time=False, lacks=("sizes", "trades")))
    for _ in range(75):
        poor.now_ns += SECOND
        poor.quoted(size=0)
    assert poor.tier() is Tier.NORMAL
    assert poor.known.points.absent() == ("depth", "velocity", "impact")
    poor.take(FeedHeard(feed="stocks", real_time=False))
    poor.quoted(size=0)
    assert poor.tier() is Tier.EMERGENCY


def made_up(*lacks: str, **rules: Any) -> LiquidDesk:
    """A market whose quotes are made around its trades: as narrow as who makes them says."""
    check = CheckRule(name="good books", condition="liquidity_score > 10")
    desk = LiquidDesk(Policy(limits=LIMITS, losses=(), checks=(check,)), **rules)
    desk.take(FeedHeard(feed="stocks", real_time=False, lacks=lacks))
    return desk


@pytest.mark.parametrize("lacks", [("sizes", "spread"), ("sizes", "trades", "spread")])
def test_a_made_up_quote_is_no_health_and_where_nothing_is_known_the_score_is_unknown(
    lacks: tuple[str, ...],
) -> None:
    desk = made_up(*lacks, dwell_ns=SECOND).calm(75)
    assert (desk.tier(), desk.known.unknown) == (Tier.CAUTIOUS, True)
    assert {"spread", "depth", "impact"} <= {*desk.known.points.absent()}
    (denied,) = of(desk.order(Side.BUY, NANOS), fx.AnswerDenied)
    assert denied.reason is Reason.UNKNOWN_VALUE
    desk.quoted(25_001, 24_999)
    assert (desk.tier(), desk.known.unknown) == (Tier.EMERGENCY, False)
    told: list[RecordTier] = []
    for _ in range(9):
        desk.now_ns += SECOND
        told += of(desk.quoted(), RecordTier)
    assert [at.after for at in told] == ["DEFENSIVE", "CAUTIOUS"], "it is as it was"
    assert all({"spread", "depth", "impact"} <= {*at.absent} for at in told)


def test_a_symbol_whose_book_is_known_no_more_is_normal_no_more() -> None:
    desk = LiquidDesk().at(Tier.NORMAL)
    desk.take(FeedHeard(feed="stocks", real_time=False, lacks=("sizes", "spread")))
    desk.quoted()
    assert desk.tier() is Tier.CAUTIOUS
    assert desk.known.score_before is not None, "it was known until then"
    desk.quoted()
    assert desk.known.score_before is None


def test_sizes_around_prices_that_are_made_up_are_measured_by_their_depth() -> None:
    desk = made_up("spread").calm(260)
    assert desk.known.points.absent() == ("spread", "impact")
    assert not desk.known.unknown


def test_a_feed_that_gives_sizes_again_has_its_standing_books_looked_at_again() -> None:
    """A book without sizes is none once sizes count: nothing can be walked through it."""
    for size, tier in ((0, Tier.EMERGENCY), (200, Tier.NORMAL)):
        desk = LiquidDesk()
        desk.take(FeedHeard(feed="stocks", real_time=False, lacks=("sizes",)))
        desk.calm(size=size)
        desk.take(FeedHeard(feed="stocks", real_time=False))
        desk.traded()
        assert desk.tier() is tier


def test_a_book_is_measured_by_its_levels_and_its_quotes_are_parts_of_it() -> None:
    desk = LiquidDesk().calm()
    bids = tuple(((24_999 - n) * CENT, 10 * NANOS) for n in range(10))
    asks = tuple(((25_001 + n) * CENT, 10 * NANOS) for n in range(10))
    desk.take(BookSeen(symbol="AAPL", bids=bids, asks=asks, event_ns=0))
    assert (desk.known.bids, desk.known.asks) == (bids, asks)
    desk.quoted(24_998, 25_002)
    assert len(desk.known.bids) == 10
    for seconds, levels in ((10, 10), (109, 10), (2, 1)):
        desk.now_ns += seconds * SECOND
        desk.quoted()
        assert len(desk.known.bids) == levels
    desk.take(BookSeen(symbol="AAPL", bids=(), asks=asks, event_ns=0))
    assert desk.tier() is Tier.EMERGENCY


def test_depth_is_not_compared_between_a_best_and_a_book() -> None:
    """Else a feed that stops to tell levels, or begins to, would look like a crisis, or a wall."""
    levels = tuple((25_001 * CENT + n, 100 * NANOS) for n in range(10))
    desk = LiquidDesk().calm(250)
    assert "depth" not in desk.known.points.absent()
    desk.take(BookSeen(symbol="AAPL", bids=((24_999 * CENT, NANOS),), asks=levels, event_ns=0))
    assert desk.known.points.absent() == ("depth",)
    for _ in range(250):
        desk.now_ns += SECOND
        desk.traded(20)
        desk.take(BookSeen(symbol="AAPL", bids=((24_999 * CENT, NANOS),), asks=levels, event_ns=0))
    assert desk.known.points.absent() == ()
    changes = desk.known.gauge.changes
    for seconds in range(130):
        desk.now_ns += SECOND
        desk.traded(20)
        desk.quoted()
        known = desk.known.points.absent() == ()
        assert known or seconds >= 118
        assert not known or seconds < 121
    assert desk.known.gauge.changes == changes
    assert desk.tier() is Tier.NORMAL


@pytest.mark.parametrize("kind", ["quotes", "books", "both"])
def test_what_comes_late_says_nothing_of_liquidity_so_the_symbol_falls_silent(kind: str) -> None:
    """A feed that is a minute behind is one of which nothing is heard now."""
    desk = LiquidDesk()
    desk.take(FeedHeard(feed="stocks", real_time=True))
    bids = tuple(((24_999 - n) * CENT, 200 * NANOS) for n in range(10))
    asks = tuple(((25_001 + n) * CENT, 200 * NANOS) for n in range(10))

    def hears(late_ns: int, seconds: int) -> None:
        for _ in range(seconds):
            desk.now_ns += SECOND
            event_ns = desk.now_ns - late_ns
            desk.traded(20, event_ns=event_ns)
            if kind != "quotes":
                desk.take(BookSeen(symbol="AAPL", bids=bids, asks=asks, event_ns=event_ns))
            if kind != "books":
                desk.quoted(event_ns=event_ns)

    hears(0, 75)
    assert desk.tier() is Tier.NORMAL
    trades, stale_ns = desk.known.of_hour.total, desk.known.stale_boot_ns
    hears(60 * SECOND, 5)
    assert (desk.known.of_hour.total, desk.known.stale_boot_ns) == (trades, stale_ns)
    assert desk.now_ns - 6 * SECOND < desk.known.seen_boot_ns < desk.now_ns - 5 * SECOND
    hears(60 * SECOND, 121)
    assert of(desk.order(Side.BUY, NANOS), fx.AnswerDenied)
    assert desk.tier() is Tier.EMERGENCY
    hears(0, 1)
    assert desk.known.score > 0, "it is heard again"


def with_book(desk: LiquidDesk) -> tuple[fx.Effect, ...]:
    """A book of two levels, usable."""
    bids = ((24_999 * CENT, 200 * NANOS), (24_998 * CENT, 200 * NANOS))
    asks = ((25_001 * CENT, 200 * NANOS), (25_002 * CENT, 200 * NANOS))
    return desk.take(BookSeen(symbol="AAPL", bids=bids, asks=asks, event_ns=0))


@pytest.mark.parametrize("ends", [LiquidDesk.quoted, with_book])
@pytest.mark.parametrize("asks", [False, True])
def test_an_emergency_of_silence_is_left_by_its_dwells_and_counts_as_a_change(
    ends: Callable[[LiquidDesk], Any], asks: bool
) -> None:
    desk = LiquidDesk().calm()
    assert (desk.tier(), desk.known.gauge.changes) == (Tier.NORMAL, 1)
    desk.now_ns += 600 * SECOND
    if asks:
        assert of(desk.order(Side.BUY, NANOS), fx.AnswerDenied)
    effects = ends(desk)
    assert (desk.tier(), desk.known.gauge.changes) == (Tier.EMERGENCY, 2)
    assert len(of(effects, RecordTier)) == (not asks)
    assert not of(effects, fx.RaiseAlert), "a silence is no news when it ends"
    assert desk.known.score > 0
    assert of(desk.order(Side.BUY, NANOS), fx.AnswerDenied)
    desk.now_ns += 59 * SECOND
    ends(desk)
    assert desk.tier() is Tier.EMERGENCY
    desk.now_ns += SECOND
    ends(desk)
    assert desk.tier() is Tier.DEFENSIVE


def test_no_dwell_runs_in_silence() -> None:
    desk = LiquidDesk().at(Tier.EMERGENCY)
    assert desk.known.gauge.rising_boot_ns is not None
    desk.now_ns += 600 * SECOND
    desk.quoted()
    assert desk.tier() is Tier.EMERGENCY
    desk.calm(60)
    assert desk.tier() is Tier.DEFENSIVE


def test_a_symbol_that_is_quoted_seldom_stays_in_emergency() -> None:
    """A quote each 150 s, where one stands for 120: it does not go to and fro."""
    desk = LiquidDesk().calm()
    changes = desk.known.gauge.changes
    for _ in range(24):
        desk.now_ns += 150 * SECOND
        desk.quoted()
        assert of(desk.order(Side.BUY, NANOS), fx.AnswerDenied)
    assert desk.known.gauge.changes == changes + 1


def test_a_symbol_that_its_exchange_halted_goes_on_in_its_tier_when_it_is_heard() -> None:
    desk = LiquidDesk().calm()
    desk.take(TradingHalted(symbol="AAPL", code="LUDP", event_ns=1))
    desk.now_ns += 600 * SECOND
    desk.quoted()
    assert desk.tier() is Tier.NORMAL


def test_a_tier_lifts_no_latch() -> None:
    desk = LiquidDesk().at(Tier.EMERGENCY)
    desk.take(
        OperatorHaltRequested(
            request=1, scope="symbol:AAPL", operator="ada", reason="look", level=HaltLevel.HALT
        )
    )
    desk.calm(400)
    assert desk.tier() is Tier.NORMAL
    assert desk.kernel._state.postures["symbol:AAPL"] is Posture.HALTED


def test_a_restart_makes_no_symbol_better_than_it_was() -> None:
    for tier in (Tier.NORMAL, Tier.CAUTIOUS, Tier.DEFENSIVE, Tier.EMERGENCY):
        desk = LiquidDesk().at(tier)
        desk.start()
        assert desk.tier() is max(tier, Tier.CAUTIOUS)
        assert not desk.known.bids


def test_a_policy_that_does_not_ask_for_it_measures_nothing_and_keeps_nothing() -> None:
    desk = Desk()
    desk.quote("AAPL", 250)
    assert desk.kernel._state.liquidity == {}
    desk.take(BookSeen(symbol="AAPL", bids=(), asks=(), event_ns=0))
    assert desk.kernel._state.liquidity == {}
    liquid = LiquidDesk().calm()
    text = canonical_text(Policy(limits=LIMITS, losses=()))
    liquid.take(
        facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ada", reason="without")
    )
    assert liquid.kernel._state.liquidity == {}


def test_a_snapshot_goes_on_exactly_where_it_was() -> None:
    desk = LiquidDesk().calm(30)
    twin = Kernel.restored(desk.kernel.snapshot())
    for _ in range(50):
        desk.now_ns += SECOND
        at = facts.Moment(desk.now_ns, desk.now_ns)
        for fact in (
            TradeSeen(
                symbol="AAPL",
                price_nanos=NANOS,
                size_nanos=1,
                event_ns=0,
                low_nanos=1,
                high_nanos=1,
            ),
            BookSeen(
                symbol="AAPL",
                bids=((249 * NANOS, NANOS),),
                asks=((250 * NANOS, NANOS),),
                event_ns=0,
            ),
        ):
            assert desk.kernel.step(at, fact) == twin.step(at, fact)
    assert desk.kernel.digest() == twin.digest()


# --- as a measure --------------------------------------------------------------------------------


def test_a_breaker_over_the_tier_or_the_score_halts_when_the_market_is_gone() -> None:
    for condition in ("liquidity_score < 20", "liquidity_tier >= 3"):
        rule = BreakerRule(name="gone", condition=condition, scope="account")
        desk = LiquidDesk(Policy(limits=LIMITS, losses=(), breakers=(rule,)), held=10).calm()
        desk.now_ns += SECOND
        desk.take(facts.TimeAdvanced())
        assert "account" not in desk.kernel._state.postures
        desk.quoted(25_001, 24_999)
        desk.now_ns += SECOND
        desk.take(facts.TimeAdvanced())
        assert desk.kernel._state.postures["account"] is Posture.HALTED, condition


def silent(condition: str, *, halted: bool = False, restarted: bool = False) -> LiquidDesk:
    """A market that is silent for a second longer than the two minutes that a quote may stand."""
    rule = BreakerRule(name="gone", condition=condition, scope="account")
    desk = LiquidDesk(Policy(limits=LIMITS, losses=(), breakers=(rule,)), held=10).calm()
    if restarted:
        desk.start()
    if halted:
        desk.take(TradingHalted(symbol="AAPL", code="LUDP", event_ns=1))
    for seconds in (119, 2):
        assert desk.kernel._state.postures.get("account") is not Posture.HALTED
        desk.now_ns += seconds * SECOND
        desk.take(facts.TimeAdvanced())
    return desk


@pytest.mark.parametrize("condition", ["liquidity_score < 20", "liquidity_tier >= 3"])
def test_a_breaker_over_the_tier_or_the_score_halts_when_the_book_is_stale(condition: str) -> None:
    assert silent(condition).kernel._state.postures["account"] is Posture.HALTED


def test_a_restart_gives_a_symbol_the_age_of_a_quote_to_be_heard_before_it_is_stale() -> None:
    desk = silent("liquidity_tier >= 3", restarted=True)
    assert desk.kernel._state.postures["account"] is Posture.HALTED


@pytest.mark.parametrize("condition", ["liquidity_score < 20", "liquidity_tier >= 3"])
def test_a_symbol_that_its_exchange_halted_is_halted_and_not_stale(condition: str) -> None:
    desk = silent(condition, halted=True)
    desk.agrees = True
    desk.order(Side.SELL, NANOS)
    desk.now_ns += SECOND
    desk.take(facts.TimeAdvanced())
    assert desk.kernel._state.postures.get("account") is not Posture.HALTED
    assert desk.tier() is Tier.NORMAL
    desk.take(TradingResumed(symbol="AAPL", code="T", event_ns=2))
    for posture in (None, Posture.HALTED):
        assert desk.kernel._state.postures.get("account") is not Posture.HALTED
        desk.now_ns += 61 * SECOND
        desk.take(facts.TimeAdvanced())
        assert desk.kernel._state.postures.get("account") is posture, "it trades, and is not heard"


def test_a_check_of_ones_own_asks_the_orders_symbol() -> None:
    rule = CheckRule(name="good books", condition="liquidity_score > 90")
    desk = LiquidDesk(Policy(limits=LIMITS, losses=(), checks=(rule,))).calm()
    desk.quoted(25_001, 24_999, symbol="TSLA")
    assert of(desk.order(Side.BUY, NANOS), fx.SubmitOrder)
    desk.quoted(24_950, 25_050, size=1)
    (denial,) = of(desk.order(Side.BUY, NANOS), fx.AnswerDenied)
    assert denial.reason is Reason.CUSTOM_CHECK


def test_what_is_reported_from_outside_can_only_lower_the_score() -> None:
    rule = CheckRule(name="good books", condition="liquidity_score > 90")
    desk = LiquidDesk(Policy(limits=LIMITS, losses=(), checks=(rule,))).calm()

    def report(points: int) -> None:
        desk.take(
            facts.MeasureReported(
                request=0,
                name="liquidity_score",
                symbol="AAPL",
                value=points * NANOS,
                event_ns=desk.now_ns,
            )
        )

    report(10)
    assert of(desk.order(Side.BUY, NANOS), fx.AnswerDenied)
    report(100)
    assert of(desk.order(Side.BUY, NANOS), fx.SubmitOrder)
    desk.quoted(24_000, 26_000)
    assert of(desk.order(Side.BUY, NANOS), fx.AnswerDenied)
