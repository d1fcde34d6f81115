"""The monitor of one symbol: each quote, book and trade moves its score, at a cost that is fixed.

It measures market data as it comes, also what is too wide or too odd to price orders by. What is
one-sided, empty, crossed or not in order scores 0 at once; so does, when it is asked for, what is
stale. While a feed tells levels of a symbol, its quotes are part of those: only what is worse in
them counts beside the book, a side that is gone and a wider spread.
"""

from dataclasses import dataclass
from typing import Final

from fuseboard.core.liquidity import depth, impact, velocity, volatility
from fuseboard.core.liquidity.depth import ABSENT
from fuseboard.core.liquidity.imbalance import imbalance_nanos
from fuseboard.core.liquidity.impact import Levels
from fuseboard.core.liquidity.score import Points, composites, score_of_unknown
from fuseboard.core.liquidity.spread import FULL_POINTS
from fuseboard.core.liquidity.spread import points as spread_points
from fuseboard.core.liquidity.tiers import Gauge
from fuseboard.core.liquidity.velocity import Usual
from fuseboard.core.liquidity.windows import Average, Count, Recent, average_of, count_of, recent_of
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.money import NANOS

BESIDE_NS: Final = 10 * NANOS
"""For so long a quote counts beside the books that come after it. A book that is older prices
nothing where a good quote is newer, and one that a quote emptied makes room for the next one."""
TAKEN_STANDS_NS: Final = NANOS
"""A book that comes sooner after something was sent to take may have been under way before it, or
say the same again: it does not know of it."""
NO_SIZES: Final = 1
NO_TRADES: Final = 2
NO_SPREAD: Final = 4
"""What a feed may lack, as bits."""
TOP_LEVELS: Final = 5
UNMEASURED: Final = Points(ABSENT, ABSENT, ABSENT, ABSENT)
"""The book has not been walked."""
UNUSABLE: Final = Points(0, ABSENT, ABSENT, ABSENT)
"""There is no book, or it is stale."""
_WHOLE: Final = (1, 1)
_LEVELS_MAX: Final = impact.LEVELS_MAX
_VELOCITY_WARM_NS: Final = velocity.WINDOW_NS


@dataclass(slots=True)
class Liquidity:
    """What is known of one symbol's liquidity, and its tier."""

    depths: Average
    trades: Recent
    of_hour: Count
    """Trades of the last hour."""
    usual: Usual
    moves: Count
    """Squared moves of the middle."""
    began_boot_ns: int
    gauge: Gauge
    lacks: int = 0
    bids: Levels = ()
    asks: Levels = ()
    """Best first; empty while the book is not usable."""
    levels: bool = False
    """Whether a feed told more than the best of each side."""
    taken_bids_nanos: int = 0
    taken_asks_nanos: int = 0
    """What was sent to take from either side of what is shown."""
    taken_boot_ns: int = 0
    """When that was last so; 0: not since a book that knows of it."""
    book_boot_ns: int = 0
    quote_spread_nanos: int = 0
    quote_twice_middle: int = 0
    quote_boot_ns: int = 0
    """Of the last quote that came while a book stood; a spread of 0 counts for nothing."""
    seen_boot_ns: int = 0
    stale_boot_ns: int = 0
    twice_middle: int = 0
    """Of the last usable book; 0 before the first."""
    score: int = 0
    """By which the tier is judged, in basis points of the scale."""
    unknown: bool = False
    """Whether nothing is known of the book, so that the score is only what holds CAUTIOUS."""
    score_before: int | None = None
    """When the last book came, without it: an order or a trade makes no second report of one. None
    when there was no book before it, or that one was stale by then."""
    plain: int = 0
    calibrated: int = 0
    points: Points = UNMEASURED
    """Of the plain score."""
    walked: tuple[int, int] = _WHOLE
    """Which part of what is shown the reference order was last walked through."""
    stands_until_boot_ns: int = 0
    """Before when an order need not judge it again; 0: nothing is known of that."""
    told_boot_ns: int | None = None
    """When people were last told of a fall."""
    tallied_boot_ns: int = 0
    """Up to when what follows is summed; 0: not yet."""
    told_again_boot_ns: int = 0
    """When the sums are told again though nothing changes."""
    span_ns: int = 0
    silent_ns: int = 0
    score_ns: int = 0
    silent: bool = False
    """Whether its silence was told; until it is heard again."""

    # --- what comes ------------------------------------------------------------------------------

    def book(self, bids: Levels, asks: Levels, now_ns: int, stale_ns: int) -> None:
        """A book came, best first, or the best of each side; it is stale after `stale_ns`."""
        self.tally(now_ns)
        self.measure_anew()
        if self.quote_spread_nanos and now_ns - self.quote_boot_ns >= BESIDE_NS:
            self.quote_spread_nanos = 0
        if self.taken_boot_ns and now_ns - self.taken_boot_ns >= TAKEN_STANDS_NS:
            self.taken_bids_nanos = self.taken_asks_nanos = self.taken_boot_ns = 0
        heard = self.seen_boot_ns > 0 and now_ns <= self.stale_boot_ns
        self.score_before = self.score if heard and not self.unknown else None
        self.seen_boot_ns, self.stale_boot_ns = now_ns, now_ns + stale_ns
        sized = not self.lacks & NO_SIZES
        size_nanos = whole_size(bids, asks, sized=sized)
        if size_nanos is None:
            self.bids = self.asks = ()
            self.depths.cease(now_ns)
            return
        self.bids, self.asks = bids, asks
        before, twice_middle = self.twice_middle, bids[0][0] + asks[0][0]
        if before and twice_middle != before:
            self.moves.add(volatility.squared_move(before, twice_middle), now_ns)
        self.twice_middle = twice_middle
        if sized:
            self.depths.put(size_nanos, now_ns, self.stale_boot_ns)

    def quoted_beside(self, bid_nanos: int, ask_nanos: int, now_ns: int) -> bool:
        """A usable quote came while a book stands; whether the spread that counts changed by it."""
        before = self.widest() if self.bids else None
        self.quote_spread_nanos = ask_nanos - bid_nanos
        self.quote_twice_middle = bid_nanos + ask_nanos
        self.quote_boot_ns = now_ns
        if before is None or before == self.widest():
            return False
        self.measure_anew()
        return True

    def now_lacks(self, lacks: int) -> None:
        """The feed gives other things: a book that is not usable with them is one no more."""
        self.lacks = lacks
        self.measure_anew()
        if whole_size(self.bids, self.asks, sized=not lacks & NO_SIZES) is None:
            self.bids = self.asks = ()

    def traded(self, trades: int, now_ns: int) -> None:
        """So many trades happened."""
        self.trades.add(trades, now_ns)
        self.of_hour.add(trades, now_ns)
        watched_ns = now_ns - self.began_boot_ns
        recent = self.trades.within(now_ns)
        self.usual.traded(recent, self.of_hour.total, watched_ns, now_ns)

    def tally(self, now_ns: int) -> None:
        """Count the time since it was last counted: heard at its score, or silent."""
        since_ns = self.tallied_boot_ns
        if since_ns == now_ns:
            return
        self.tallied_boot_ns = now_ns
        if not since_ns or not self.seen_boot_ns:
            return  # nothing was heard yet
        until_ns = self.stale_boot_ns
        if now_ns <= until_ns:
            self.span_ns += now_ns - since_ns
            self.score_ns += self.score * (now_ns - since_ns)
            return
        heard_ns = max(until_ns - since_ns, 0)
        self.span_ns += heard_ns
        self.score_ns += self.score * heard_ns
        self.silent_ns += now_ns - since_ns - heard_ns

    def book_stands(self, now_ns: int, stale_ns: int) -> bool:
        """Whether a quote is one beside the last book: while that is not older than the policy lets
        a quote be, and the symbol is heard. A quiet pair's book changes no more often.
        """
        age_ns = now_ns - self.book_boot_ns
        if not self.bids and age_ns >= BESIDE_NS:
            return False
        return age_ns <= stale_ns and now_ns <= self.stale_boot_ns

    # --- what is reported and not scored --------------------------------------------------------

    def spread_nanos(self) -> int:
        """The spread as a fraction of the middle, rounded up; 0 without a usable book."""
        if not self.bids:
            return 0
        spread_nanos, twice_middle = self.widest()
        return -(-2 * NANOS * spread_nanos // twice_middle)

    def imbalance_nanos(self) -> int:
        """Which side is larger, over all levels known."""
        return imbalance_nanos(shown(self.bids, (), _LEVELS_MAX), shown((), self.asks, _LEVELS_MAX))

    def volatility_nanos(self, now_ns: int) -> int:
        """Realised in the last minute, rounded up."""
        return volatility.root(self.moves.follow(now_ns))

    def widest(self) -> tuple[int, int]:
        """Spread and twice the middle of a usable book, or of a quote beside it that is wider."""
        spread_nanos, twice_middle = self.asks[0][0] - self.bids[0][0], self.twice_middle
        if self.quote_spread_nanos * twice_middle > spread_nanos * self.quote_twice_middle:
            return self.quote_spread_nanos, self.quote_twice_middle
        return spread_nanos, twice_middle

    # --- what it comes to ------------------------------------------------------------------------

    def judge(self, rules: LiquidityRules, now_ns: int) -> None:
        """Score what is known now. Nothing is written where that is what was known before."""
        bids, asks, lacks = self.bids, self.asks, self.lacks
        if not bids or now_ns > self.stale_boot_ns:
            self.unknown = False
            self._scored(now_ns, 0, 0, 0, UNUSABLE)
            return
        spread, cost = self.points.spread, self.points.impact
        walks = spread == ABSENT and not lacks & NO_SPREAD
        if walks:
            spread = spread_points(*self.widest(), rules)
        plain_velocity = usual_velocity = plain_depth = usual_depth = ABSENT
        watched_ns = now_ns - self.began_boot_ns
        if not lacks & NO_TRADES and watched_ns >= _VELOCITY_WARM_NS:
            trades = self.trades.within(now_ns)
            plain_velocity = velocity.points(trades, rules)
            usual_velocity = velocity.calibrated_points(trades, self.usual, now_ns, plain_velocity)
        if not lacks & NO_SIZES:
            depths, part = self.depths, _WHOLE
            if now_ns >= depths.spans_from(depth.WARM_NS):
                plain_depth, usual_depth = depth.points(
                    depths, now_ns, rules, plain_velocity, usual_velocity
                )
                by = plain_velocity if usual_velocity == ABSENT else usual_velocity
                if by < FULL_POINTS and plain_depth != ABSENT:
                    part = depth.believed(depths, max(by, 0)), depths.value
            if walks or (part != self.walked and not lacks & NO_SPREAD):
                self.walked = part
                twice_middle, spread_nanos = self.twice_middle, asks[0][0] - bids[0][0]
                cost = impact.points(bids, asks, twice_middle, spread_nanos, rules, part)
        self.unknown = spread == plain_depth == ABSENT
        if self.unknown:  # trades alone say nothing of what stands against an order
            plain = usual = score_of_unknown(rules)
            points = Points(spread, plain_depth, plain_velocity, cost)
            self._scored(now_ns, plain, plain, plain, points)
            return
        plain, usual = composites(
            spread, cost, plain_depth, plain_velocity, usual_depth, usual_velocity, rules
        )
        score = usual if rules.calibrated else plain
        self._scored(now_ns, score, plain, usual, Points(spread, plain_depth, plain_velocity, cost))

    def _scored(self, now_ns: int, score: int, plain: int, calibrated: int, points: Points) -> None:
        """Keep what was found; the time before counts at the score before."""
        if score != self.score:
            self.tally(now_ns)
            self.score = score
        if plain != self.plain:
            self.plain = plain
        if calibrated != self.calibrated:
            self.calibrated = calibrated
        if points != self.points:
            self.points = points

    def stands_until(self, dwell_ns: int) -> int:
        """Before when `judge`, and the gauge that follows it, surely find what they just found.

        Nothing but a book, a feed or a policy changes the score while neither trades nor depth
        have been watched for long enough. 0: what was found moves with time.
        """
        points, until_ns = self.points, min(self.stale_boot_ns + 1, self.told_again_boot_ns)
        if points.depth != ABSENT or points.velocity != ABSENT:
            return 0
        if not self.lacks & NO_TRADES:
            until_ns = min(until_ns, self.began_boot_ns + _VELOCITY_WARM_NS)
        if not self.lacks & NO_SIZES:
            until_ns = min(until_ns, self.depths.spans_from(depth.WARM_NS))
        return min(until_ns, self.gauge.rests_until(dwell_ns))

    def measure_anew(self) -> None:
        """Another book, other rules or another feed: what is known of the book is void."""
        self.points, self.stands_until_boot_ns = UNMEASURED, 0


def whole_size(bids: Levels, asks: Levels, *, sized: bool) -> int | None:
    """The size of all levels of a usable book; None: it is not usable.

    Usable: both sides there, not crossed, prices above zero and in order, sizes above zero. A
    locked book (bid = ask) is usable. Without `sized` sizes are not looked at, and what is returned
    means nothing else.
    """
    if not bids or not asks or len(bids) > _LEVELS_MAX or len(asks) > _LEVELS_MAX:
        return None
    total, before = 0, asks[0][0]
    for price_nanos, size_nanos in bids:
        if price_nanos > before or (size_nanos <= 0 and sized):
            return None
        total += size_nanos
        before = price_nanos
    if before <= 0:  # the lowest price of all
        return None
    before = bids[0][0]
    for price_nanos, size_nanos in asks:
        if price_nanos < before or (size_nanos <= 0 and sized):
            return None
        total += size_nanos
        before = price_nanos
    return total


def shown(bids: Levels, asks: Levels, levels_max: int) -> int:
    """The size of so many levels of both sides."""
    total = 0
    for _, size_nanos in bids[:levels_max]:
        total += size_nanos
    for _, size_nanos in asks[:levels_max]:
        total += size_nanos
    return total


def new_liquidity(now_ns: int, lacks: int, gauge: Gauge) -> Liquidity:
    """A symbol of which nothing is known yet."""
    return Liquidity(
        depths=average_of(depth.AVERAGE_BUCKETS, depth.AVERAGE_BUCKET_NS, now_ns),
        trades=recent_of(velocity.BUCKETS, velocity.BUCKET_NS, now_ns),
        of_hour=count_of(velocity.USUAL_BUCKETS, velocity.USUAL_BUCKET_NS, now_ns),
        usual=Usual(),
        moves=count_of(volatility.BUCKETS, volatility.BUCKET_NS, now_ns),
        began_boot_ns=now_ns,
        gauge=gauge,
        lacks=lacks,
    )
