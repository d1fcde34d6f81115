"""Generated tapes with books of several levels, that can thin, lose a side, and be halted.

`DeepCourse` says what one symbol does, `deep_tape` turns courses into a tape: seeded, in integers,
the same each time. What is true of it is only what a course says; all between its points, and every
size, is generated.
"""

from collections import deque
from collections.abc import Iterator
from random import Random

from msgspec import Struct, structs

from fuseboard.feeds.tapes.generated import CENT_NANOS, WHOLE, Points, drawn_tape, value_at
from fuseboard.feeds.tapes.tape import (
    Session,
    Tape,
    TapeEvent,
    TapeHalt,
    TapeLevels,
    TapeQuote,
    TapeTrade,
)
from fuseboard.feeds.tapes.times import SECOND_NS
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side

LEVELS = 10
STUB_CENTS = 1
PAUSE = "LUDP"
"""The reason of a pause by limit-up limit-down, of the UTP plan."""
OPENING_DELAY = "OPENING DELAY"
"""The reason of a halt before a symbol's first trade; our own word: the UTP plan has no code."""


class PriceBands(Struct, frozen=True, kw_only=True):
    """Limit-up limit-down, in the terms of the plan to address extraordinary market volatility.

    `width` is in hundredths of a percent of the reference price, the mean of the last
    `reference_ns`. Who stays at the edge for `limit_state_ns` is paused for `pause_ns`; the price
    after that is the first of the next mean.
    """

    width: int
    reference_ns: int = 300 * SECOND_NS
    limit_state_ns: int = 15 * SECOND_NS
    pause_ns: int = 300 * SECOND_NS


class DeepCourse(Struct, frozen=True, kw_only=True):
    """What one symbol does. A path (`Points`) is straight between its points.

    `level` is in hundredths of a percent of `start_cents`; `own_level` multiplies it. `spread` (of
    the whole) and `step` (between two levels) are in hundredths of a percent of the price, a cent
    at least. A level of a whole book has `shares`, more or less by up to `size_noise` hundredths of
    a percent. `depth` is how much of that both sides have, `bid_depth` how much of it the bid side
    has, in hundredths of a percent: where less than a share is left, nobody is. Between the times
    of `stub` the bid side is a stub of one cent and `shares`. `trades` are in thousandths of a
    print a quote. `noise` is the largest step of the price, in hundredths of a hundredth of a
    percent. `opens_ns`: nothing trades before.
    """

    symbol: str
    prior_close_cents: int
    start_cents: int
    shares: int
    level: Points
    own_level: Points = ((0, WHOLE),)
    spread: Points = ((0, 1),)
    step: Points = ((0, 1),)
    size_noise: int = 4_000
    depth: Points = ((0, WHOLE),)
    bid_depth: Points = ((0, WHOLE),)
    stub: tuple[int, int] | None = None
    trades: Points = ((0, 1_000),)
    noise: Points = ((0, 200),)
    opens_ns: int = 0
    bands: PriceBands | None = None


def deep_tape(
    *,
    name: str,
    describes: str,
    courses: tuple[DeepCourse, ...],
    session: Session,
    quote_gap_ns: int,
    seed: int,
) -> Tape:
    """A tape of the courses, a book of each every `quote_gap_ns`; the seed makes the noise."""
    return drawn_tape(
        name=name,
        describes=describes,
        prior_close_cents={course.symbol: course.prior_close_cents for course in courses},
        session=session,
        quote_gap_ns=quote_gap_ns,
        read=lambda: _events(courses, session, quote_gap_ns, seed),
    )


def _events(
    courses: tuple[DeepCourse, ...], session: Session, quote_gap_ns: int, seed: int
) -> Iterator[TapeEvent]:
    """Each symbol has its own slot in the gap, so that the order of events is that of time.

    All symbols are quoted once at the very beginning.
    """
    random = Random(seed)  # noqa: S311 - a repeatable tape, not a secret
    slot_ns = quote_gap_ns // len(courses)
    walks = [_Walk(course, random, quote_gap_ns) for course in courses]
    for walk in walks[1:]:
        yield from walk.halted_before(session.open_ns)
        yield walk.quote(session.open_ns)
    yield from walks[0].halted_before(session.open_ns)
    for step_ns in range(session.open_ns, session.close_ns, quote_gap_ns):
        for index, walk in enumerate(walks):
            at_ns = step_ns + index * slot_ns
            yield from walk.followed(at_ns)
            quote = walk.quote(at_ns)
            yield quote
            if not walk.is_halted:
                yield from walk.trades(quote, at_ns, slot_ns)


class _Walk:
    """One symbol on its course: its price, its bands, whether it is halted."""

    def __init__(self, course: DeepCourse, random: Random, gap_ns: int) -> None:
        self.is_halted = False
        self._course = course
        self._random = random
        self._noise = 0
        self._middle_cents = course.start_cents * course.level[0][1] // WHOLE
        self._recent: deque[int] = deque()
        self._recent_max = course.bands.reference_ns // gap_ns if course.bands else 1
        self._sum = 0
        self._limit_since_ns: int | None = None
        self._halt = TapeHalt(symbol=course.symbol, at_ns=0)
        self._resumes_ns = 0

    def halted_before(self, at_ns: int) -> Iterator[TapeHalt]:
        """The halt of a symbol that opens later."""
        if at_ns < self._course.opens_ns:
            yield self._halted(at_ns, self._course.opens_ns, OPENING_DELAY)

    def _halted(self, at_ns: int, resumes_ns: int, reason: str) -> TapeHalt:
        self.is_halted, self._resumes_ns = True, resumes_ns
        self._halt = TapeHalt(symbol=self._course.symbol, at_ns=at_ns, reason=reason)
        return self._halt

    def followed(self, at_ns: int) -> Iterator[TapeHalt]:
        """Move the price on; the halt or the resumption that comes of it."""
        course = self._course
        largest = value_at(course.noise, at_ns)
        self._noise = self._noise * 15 // 16 + self._random.randint(-largest, largest)
        level = value_at(course.level, at_ns) * value_at(course.own_level, at_ns)
        wanted_cents = course.start_cents * level // (WHOLE * WHOLE)
        wanted_cents += wanted_cents * self._noise // (WHOLE * 100)
        if self.is_halted:
            if at_ns < self._resumes_ns:
                return
            self.is_halted = False
            self._recent.clear()
            self._sum = 0
            yield structs.replace(self._halt, at_ns=at_ns, resumes=True)
        self._middle_cents = self._within_bands(wanted_cents, at_ns)
        bands, since_ns = course.bands, self._limit_since_ns
        if bands and since_ns is not None and at_ns - since_ns >= bands.limit_state_ns:
            self._limit_since_ns = None
            yield self._halted(at_ns, at_ns + bands.pause_ns, PAUSE)

    def _within_bands(self, wanted_cents: int, at_ns: int) -> int:
        """The price that may trade: at the edge of the bands where more is wanted."""
        bands, cents = self._course.bands, wanted_cents
        if bands is not None and self._recent:
            reference_cents = self._sum // len(self._recent)
            away_cents = reference_cents * bands.width // WHOLE
            lowest, highest = reference_cents - away_cents, reference_cents + away_cents
            cents = min(max(wanted_cents, lowest), highest)
            if cents == wanted_cents:
                self._limit_since_ns = None
            elif self._limit_since_ns is None:
                self._limit_since_ns = at_ns
        self._recent.append(cents)
        self._sum += cents
        if len(self._recent) > self._recent_max:
            self._sum -= self._recent.popleft()
        return cents

    def quote(self, at_ns: int) -> TapeQuote:
        """The book as it stands."""
        course, middle_cents = self._course, self._middle_cents
        spread_cents = max(middle_cents * value_at(course.spread, at_ns) // WHOLE, 1)
        step_cents = max(middle_cents * value_at(course.step, at_ns) // WHOLE, 1)
        bid_cents = max(middle_cents - spread_cents // 2, 1)
        depth = course.shares * value_at(course.depth, at_ns)
        bids = self._side(
            bid_cents, -step_cents, depth * value_at(course.bid_depth, at_ns) // WHOLE
        )
        asks = self._side(bid_cents + spread_cents, step_cents, depth)
        if course.stub is not None and course.stub[0] <= at_ns < course.stub[1]:
            bids = ((STUB_CENTS * CENT_NANOS, course.shares * NANOS),)
        bid, ask = bids[0] if bids else (0, 0), asks[0] if asks else (0, 0)
        return TapeQuote(
            symbol=course.symbol,
            at_ns=at_ns,
            bid_nanos=bid[0],
            ask_nanos=ask[0],
            bid_size_nanos=bid[1],
            ask_size_nanos=ask[1],
            bids=bids,
            asks=asks,
        )

    def _side(self, best_cents: int, step_cents: int, depth: int) -> TapeLevels:
        """Levels from the best on, of `depth` / 10,000 shares each but for the noise."""
        noise = self._course.size_noise
        levels = []
        for number in range(LEVELS):
            cents = best_cents + number * step_cents
            shares = depth * (WHOLE + self._random.randint(-noise, noise)) // (WHOLE * WHOLE)
            if cents > 0 and shares > 0:
                levels.append((cents * CENT_NANOS, shares * NANOS))
        return tuple(levels)

    def trades(self, quote: TapeQuote, at_ns: int, slot_ns: int) -> Iterator[TapeTrade]:
        """Prints at either side of a quote, each of at most half of what stands there."""
        whole, part = divmod(value_at(self._course.trades, at_ns), 1_000)
        count = whole + (self._random.randrange(1_000) < part)
        for number in range(count):
            sells = bool(self._random.randrange(2))
            price_nanos = quote.bid_nanos if sells else quote.ask_nanos
            size_nanos = quote.bid_size_nanos if sells else quote.ask_size_nanos
            shares = self._random.randint(1, max(size_nanos // NANOS // 2, 1))
            if price_nanos:
                yield TapeTrade(
                    symbol=quote.symbol,
                    at_ns=at_ns + slot_ns * (number + 1) // (count + 1),
                    price_nanos=price_nanos,
                    size_nanos=shares * NANOS,
                    aggressor=Side.SELL if sells else Side.BUY,
                )
