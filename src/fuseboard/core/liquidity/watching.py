"""What market data does to liquidity: each symbol is measured, its tier follows and is told.

Nothing of it is done, or kept, under a policy that does not ask for it.
"""

from typing import Final

from fuseboard.core.hygiene import cancel_openings
from fuseboard.core.liquidity import depth, telling
from fuseboard.core.liquidity.monitor import (
    NO_SIZES,
    NO_SPREAD,
    NO_TRADES,
    Liquidity,
    new_liquidity,
    whole_size,
)
from fuseboard.core.liquidity.tiers import Compiled, Gauge, compiled_of
from fuseboard.core.liquidity.windows import average_of
from fuseboard.core.state import INSTRUMENTS_MAX, State, Turn
from fuseboard.vocabulary.identifiers import feed_of, symbol_scope
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordTier
from fuseboard.vocabulary.market_inputs import (
    LACKS,
    BookSeen,
    FeedHeard,
    QuoteSeen,
    TradeSeen,
)
from fuseboard.vocabulary.money import NANOS, text_from_nanos
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason

TOLD_EVERY_NS: Final = 60 * NANOS
"""People are told of one symbol's falls at most this often; the evidence has each."""
POINT_NANOS: Final = NANOS // 100
"""A basis point of the scale, as a score of the catalogue: 100 is 100 whole ones."""
_BITS: Final = {"sizes": NO_SIZES, "trades": NO_TRADES, "spread": NO_SPREAD}
assert _BITS.keys() == dict.fromkeys(LACKS).keys()
_DEFENSIVE: Final = Tier.DEFENSIVE
_EMERGENCY: Final = Tier.EMERGENCY


def quote_seen(turn: Turn, tiers: Compiled, fact: QuoteSeen) -> None:
    """The best of each side; while a feed tells more levels, only what is worse than those."""
    at = _known(turn, fact.symbol)
    if at is None:
        return
    bids = ((fact.bid_nanos, fact.bid_size_nanos),)
    asks = ((fact.ask_nanos, fact.ask_size_nanos),)
    if at.levels:
        if at.book_stands(turn.boot_ns, turn.policy.data.quote_age_ns_max):
            sized = not at.lacks & NO_SIZES
            if whole_size(bids, asks, sized=sized) is None:
                at.book((), (), turn.boot_ns, turn.policy.data.quote_age_ns_max)
                judge(turn, tiers, fact.symbol, at)
                return
            at.stale_boot_ns = turn.boot_ns + turn.policy.data.quote_age_ns_max
            if at.quoted_beside(fact.bid_nanos, fact.ask_nanos, turn.boot_ns):
                judge(turn, tiers, fact.symbol, at)
            return
        _measure_anew(turn, at)
        at.quote_spread_nanos = 0
    _end_silence(turn, tiers, fact.symbol, at)
    at.levels = False
    at.book(bids, asks, turn.boot_ns, turn.policy.data.quote_age_ns_max)
    judge(turn, tiers, fact.symbol, at)


def book_seen(turn: Turn, tiers: Compiled, fact: BookSeen) -> None:
    """The levels of a book."""
    at = _known(turn, fact.symbol)
    if at is None:
        return
    if not at.levels:
        _measure_anew(turn, at)
    _end_silence(turn, tiers, fact.symbol, at)
    at.levels, at.book_boot_ns = True, turn.boot_ns
    at.book(fact.bids, fact.asks, turn.boot_ns, turn.policy.data.quote_age_ns_max)
    judge(turn, tiers, fact.symbol, at)


def trade_seen(turn: Turn, tiers: Compiled, fact: TradeSeen) -> None:
    """Trades were reported."""
    at = _known(turn, fact.symbol)
    if at is not None:
        at.traded(fact.count, turn.boot_ns)
        _stand_still(turn, fact.symbol, at)
        judge(turn, tiers, fact.symbol, at)


def judge(turn: Turn, tiers: Compiled, symbol: str, at: Liquidity, *, alerts: bool = True) -> None:
    """Score a symbol as it now is, and let its tier follow; before its first book, which a trade or
    an order may well precede, nothing is known of it and nothing is judged.
    """
    if not at.seen_boot_ns:
        return
    rules, gauge = tiers.rules, at.gauge
    at.judge(rules, turn.boot_ns)
    before = gauge.tier
    if gauge.follow(at.score, tiers.edges, turn.boot_ns, rules.dwell_ns):
        _record(turn, symbol, at, before)
        if alerts:
            _alert(turn, symbol, at, before)
        telling.record(turn, symbol, at, before)
        if gauge.tier is _EMERGENCY:
            cancel_openings(turn, symbol)
    elif turn.boot_ns >= at.told_again_boot_ns:
        telling.record(turn, symbol, at, before)


def _end_silence(turn: Turn, tiers: Compiled, symbol: str, at: Liquidity) -> None:
    """Before a book that ends a silence: its EMERGENCY is left as any other is, by its dwells.

    People are not alerted of it: each symbol falls silent when its exchange closes.
    """
    _stand_still(turn, symbol, at)
    if stale(turn, symbol, at):
        judge(turn, tiers, symbol, at, alerts=False)


def _stand_still(turn: Turn, symbol: str, at: Liquidity) -> None:
    """While its exchange has halted a symbol nothing grows old: what was last seen stands."""
    if turn.boot_ns > at.stale_boot_ns and turn.state.stands_still(symbol):
        at.stale_boot_ns = turn.boot_ns


def trading_resumed(turn: Turn, halted: str) -> None:
    """A symbol trades again, or for an empty one the market: silence is counted from now on.

    Called while it still stands still.
    """
    for symbol in [halted] if halted else turn.state.liquidity:
        at = turn.state.liquidity.get(symbol)
        if at is not None and turn.state.stands_still(symbol):
            at.stale_boot_ns = turn.boot_ns + turn.policy.data.quote_age_ns_max


def judge_now(turn: Turn, tiers: Compiled, symbol: str) -> Liquidity | None:
    """The liquidity of a symbol, judged at this moment; None when nothing is known of it."""
    at, boot_ns = turn.state.liquidity.get(symbol), turn.boot_ns
    if at is None or boot_ns < at.stands_until_boot_ns:
        return at
    if boot_ns <= at.stale_boot_ns or stale(turn, symbol, at):
        judge(turn, tiers, symbol, at)
        at.stands_until_boot_ns = at.stands_until(tiers.rules.dwell_ns)
    return at


def stale(turn: Turn, symbol: str, at: Liquidity) -> bool:
    """Whether a symbol was silent for too long; one that its exchange has halted is not stale."""
    return turn.boot_ns > at.stale_boot_ns and not turn.state.stands_still(symbol)


def feed_heard(state: State, fact: FeedHeard) -> None:
    """A feed says what it does not give."""
    known = state.feed_lacks.get(fact.feed, ())
    if fact.lacks == known:
        return
    if fact.lacks:
        state.feed_lacks[fact.feed] = fact.lacks
    else:
        del state.feed_lacks[fact.feed]
    for symbol, at in state.liquidity.items():
        if feed_of(symbol) == fact.feed:
            at.now_lacks(_bits(fact.lacks))


def node_started(turn: Turn) -> None:
    """Nobody watched for a while: nothing is known, and no symbol is better than CAUTIOUS."""
    state = turn.state
    for symbol, at in state.liquidity.items():
        gauge = Gauge(max(at.gauge.tier, Tier.CAUTIOUS), changes=at.gauge.changes)
        fresh = state.liquidity[symbol] = new_liquidity(turn.boot_ns, at.lacks, gauge)
        fresh.stale_boot_ns = turn.boot_ns + turn.policy.data.quote_age_ns_max


def follow_policy(turn: Turn) -> None:
    """A policy came into force: it measures liquidity from now on, or no more."""
    turn.liquidity = compiled_of(turn.policy.liquidity)
    if turn.liquidity is None:
        turn.state.liquidity = {}
    for at in turn.state.liquidity.values():
        at.measure_anew()


def _known(turn: Turn, symbol: str) -> Liquidity | None:
    """A symbol's liquidity; None when there are too many symbols: it stays unknown."""
    state = turn.state
    at = state.liquidity.get(symbol)
    if at is None and len(state.liquidity) < INSTRUMENTS_MAX:
        lacks = _bits(state.feed_lacks.get(feed_of(symbol), ()))
        at = state.liquidity[symbol] = new_liquidity(turn.boot_ns, lacks, Gauge())
        at.stale_boot_ns = turn.boot_ns + turn.policy.data.quote_age_ns_max
    return at


def _measure_anew(turn: Turn, at: Liquidity) -> None:
    """Ten levels hold more than one: depth is not compared with what was measured otherwise."""
    at.depths = average_of(depth.AVERAGE_BUCKETS, depth.AVERAGE_BUCKET_NS, turn.boot_ns)


def _bits(lacks: tuple[str, ...]) -> int:
    found = 0
    for word in lacks:
        found |= _BITS.get(word, 0)
    return found


def _record(turn: Turn, symbol: str, at: Liquidity, before: Tier) -> None:
    """The evidence of a change."""
    turn.out.append(
        RecordTier(
            symbol=symbol,
            before=before.name,
            after=at.gauge.tier.name,
            score=at.score,
            plain_score=at.plain,
            calibrated_score=at.calibrated,
            spread_nanos=at.spread_nanos(),
            imbalance_nanos=at.imbalance_nanos(),
            volatility_nanos=at.volatility_nanos(turn.boot_ns),
            absent=at.points.absent(),
            policy=turn.state.policy_digest,
        )
    )


def _alert(turn: Turn, symbol: str, at: Liquidity, before: Tier) -> None:
    """People hear of the tight tiers, and of the way back."""
    after, told_ns = at.gauge.tier, at.told_boot_ns
    score = "unknown" if at.unknown else f"{text_from_nanos(at.score * POINT_NANOS)} of 100"
    text = f"{symbol}: liquidity is {after.name}, it was {before.name}: score {score}"
    if after > before and after >= _DEFENSIVE:
        if told_ns is None or turn.boot_ns - told_ns >= TOLD_EVERY_NS:
            at.told_boot_ns = turn.boot_ns
            turn.alert(Severity.WARNING, Reason.LIQUIDITY_TIER, text, symbol_scope(symbol))
    elif after is Tier.NORMAL and told_ns is not None:
        at.told_boot_ns = None
        turn.alert(Severity.INFO, Reason.LIQUIDITY_TIER, text, symbol_scope(symbol))
