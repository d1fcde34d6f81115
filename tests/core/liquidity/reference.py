"""Liquidity by its definition: every event kept, every window summed anew, fractions throughout."""

from fractions import Fraction
from math import floor

from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.vocabulary.money import NANOS

Side = tuple[tuple[int, int], ...]
SECOND = NANOS


def inside(at_ns: int, now_ns: int, buckets: int, width_ns: int) -> bool:
    """Whether a moment is in the present bucket or one of those before it."""
    return now_ns // width_ns - buckets < at_ns // width_ns


class Reference:
    """One symbol. Scores are points (100 is 10,000), None where a component is not known."""

    def __init__(
        self,
        rules: LiquidityRules,
        began_ns: int,
        *,
        sizes: bool,
        trades: bool,
        spread: bool = True,
    ) -> None:
        self.rules, self.began_ns = rules, began_ns
        self.sizes, self.has_trades, self.has_spread = sizes, trades, spread
        self.stood: list[tuple[int, int, int]] = []
        """From, until, depth."""
        self.trades: list[tuple[int, int]] = []
        self.usual: tuple[Fraction, int] = Fraction(0), 0
        """Trades in a second, and when that was found."""
        self.bids: Side = ()
        self.asks: Side = ()
        self.stale_ns = 0

    def book(self, bids: Side, asks: Side, now_ns: int, stale_ns: int) -> None:
        if self.stood:
            since_ns, until_ns, depth = self.stood[-1]
            self.stood[-1] = (since_ns, min(until_ns, now_ns), depth)
        self.bids, self.asks, self.stale_ns = bids, asks, now_ns + stale_ns
        if not self.usable():
            self.bids = self.asks = ()
        elif self.sizes:
            depth = sum(size for _, size in bids + asks)
            self.stood.append((now_ns, now_ns + stale_ns, depth))

    def traded(self, count: int, now_ns: int) -> None:
        self.trades.append((now_ns, count))
        watched_ns = now_ns - self.began_ns
        if watched_ns < 300 * SECOND:
            return
        recent = Fraction(self.recent(now_ns), 10)
        of_hour = sum(n for at, n in self.trades if inside(at, now_ns, 60, 60 * SECOND))
        counted_ns = 59 * 60 * SECOND + now_ns % (60 * SECOND)
        rate = Fraction(of_hour * SECOND, min(watched_ns, counted_ns))
        if rate > self.usual_at(now_ns) or recent * 4 >= self.usual_at(now_ns):
            self.usual = rate, now_ns

    def recent(self, now_ns: int) -> int:
        """Trades of the last ten seconds."""
        return sum(n for at, n in self.trades if now_ns - at < 10 * SECOND)

    def usual_at(self, now_ns: int) -> Fraction:
        rate, found_ns = self.usual
        days: int = (now_ns - found_ns) // (24 * 3600 * SECOND)
        return rate / (1 << days)

    def usable(self) -> bool:
        bids, asks = [price for price, _ in self.bids], [price for price, _ in self.asks]
        ordered = bids == sorted(bids, reverse=True) and asks == sorted(asks)
        sized = not self.sizes or all(size > 0 for _, size in self.bids + self.asks)
        return bool(bids and asks) and ordered and sized and bids[-1] > 0 and bids[0] <= asks[0]

    def average(self, now_ns: int) -> tuple[Fraction, int] | None:
        """The average depth and how long it was known, of 300 seconds in tens."""
        first_ns = (now_ns // (10 * SECOND) - 29) * 10 * SECOND
        return self.between(first_ns, now_ns)

    def between(self, first_ns: int, end_ns: int) -> tuple[Fraction, int] | None:
        """The same between two moments."""
        area = span = 0
        for since_ns, until_ns, depth in self.stood:
            length = min(until_ns, end_ns) - max(since_ns, first_ns)
            if length > 0:
                area, span = area + depth * length, span + length
        return (Fraction(area, span), span) if span else None

    def thinnest(self, now_ns: int) -> Fraction:
        """The least average of the four minutes before the present one, rounded down."""
        present = now_ns // (60 * SECOND)
        starts = (minute * 60 * SECOND for minute in range(present - 4, present))
        known = [self.between(start, start + 60 * SECOND) for start in starts]
        least: int = min(int(each[0]) for each in known if each is not None)
        return Fraction(least)

    def scores(self, now_ns: int) -> tuple[int, int]:
        """The plain and the calibrated score."""
        if not self.bids or now_ns > self.stale_ns:
            return 0, 0
        rules = self.rules
        bid, ask = self.bids[0][0], self.asks[0][0]
        middle = Fraction(bid + ask, 2)
        spread = None
        if self.has_spread:
            spread = _falling(Fraction(ask - bid) / middle, rules.spread_scale_nanos)
        velocity, usual_velocity = self._velocities(now_ns)
        depth = usual_depth = None
        part = Fraction(1)
        known = self.average(now_ns) if self.sizes else None
        if known is not None and known[1] >= 240 * SECOND:
            ratio = Fraction(self.stood[-1][2]) / known[0]
            plain = _rising(ratio, Fraction(rules.depth_scale_nanos, NANOS))
            thinnest = self.thinnest(now_ns)
            stood, heard = thinnest / known[0], 0 if velocity is None else velocity
            scale = Fraction(rules.depth_scale_nanos, NANOS)
            depth = _confirmed(plain, velocity, _rising(stood, scale), heard)
            usual = max(plain, _rising(ratio, Fraction(1)))
            usual_depth = _confirmed(usual, usual_velocity, _rising(stood, Fraction(1)), heard)
            shown = self.stood[-1][2]
            by = Fraction(heard if usual_velocity is None else usual_velocity, 10_000)
            least = int(thinnest)
            if shown > least:
                part = Fraction(max(1, least + floor((shown - least) * by)), shown)
        if spread is None and depth is None:
            return 5_001, 5_001
        impact = None
        if self.sizes and self.has_spread:
            impact = min(self._impact(self.bids, middle, ask - bid, part),
                         self._impact(self.asks, middle, ask - bid, part))  # fmt: skip
        return (
            self._together(spread, depth, velocity, impact),
            self._together(spread, usual_depth, usual_velocity, impact),
        )

    def _velocities(self, now_ns: int) -> tuple[int | None, int | None]:
        watched_ns = now_ns - self.began_ns
        if not self.has_trades or watched_ns < 10 * SECOND:
            return None, None
        recent = self.recent(now_ns)
        rules = self.rules
        rate = Fraction(recent, 10)
        scale = Fraction(rules.velocity_scale * SECOND, rules.velocity_scale_window_ns)
        plain = _rising(rate, scale)
        usual = self.usual_at(now_ns)
        if usual * 10 < 20:
            return plain, None
        return plain, max(plain, _rising(rate, usual))

    def _impact(self, levels: Side, middle: Fraction, spread: int, part: Fraction) -> int:
        wanted = -(-self.rules.reference_order_nanos * NANOS // (middle * part))
        left, worse = Fraction(wanted), Fraction(0)
        for price, size in levels:
            taken = min(left, Fraction(size))
            worse += taken * abs(price - middle)
            left -= taken
        away: Fraction = abs(levels[-1][0] - middle)
        least = Fraction((2 * middle) // 10_000 + 1, 2)
        step: Fraction = max(Fraction(spread), least)
        if len(levels) > 1:
            step = max(step, Fraction(abs(levels[-1][0] - levels[-2][0])))
        size = levels[-1][1]
        if left > 50 * size:  # the same sum, in one step for what fills whole levels
            whole = left // size
            worse += whole * size * away + step * size * whole * (whole + 1) / 2
            away, left = away + step * whole, left - whole * size
        while left > 0:
            away += step
            taken = min(left, Fraction(size))
            worse += taken * away
            left -= taken
        return _falling(worse / wanted / middle, self.rules.impact_scale_nanos)

    def _together(self, *points: int | None) -> int:
        rules = self.rules
        weights = (rules.spread_weight_nanos, rules.depth_weight_nanos,
                   rules.velocity_weight_nanos, rules.impact_weight_nanos)  # fmt: skip
        known = [(weight, at) for weight, at in zip(weights, points, strict=True) if at is not None]
        return floor(Fraction(sum(w * at for w, at in known), sum(w for w, _ in known)))


def _falling(part: Fraction, scale_nanos: int) -> int:
    return max(0, floor(10_000 * (1 - part * NANOS / scale_nanos)))


def _rising(part: Fraction, scale: Fraction) -> int:
    return min(10_000, floor(10_000 * part / scale))


def _confirmed(depth: int, velocity: int | None, stood: int, heard: int) -> int:
    if depth <= 5_000:
        return depth
    if velocity is not None:
        return 5_000 + (depth - 5_000) * velocity // 10_000
    usual = min(depth, max(stood, 5_000))
    half = Fraction(usual - 5_000, 2)
    return 5_000 + floor(half + Fraction((depth - usual) * min(heard, 5_000), 10_000))
