"""Generated tapes: a path of prices drawn through given points, with seeded noise, in integers.

`Course` says what one symbol does; `generated_tape` turns courses into a tape. `normal` and
`recovery` are invented days; `flash_crash` is a reconstruction whose numbers and sources are in
`flash_crash_2010.py`.
"""

from collections.abc import Callable, Iterator
from datetime import date, time
from random import Random

from msgspec import Struct

from fuseboard.feeds.tapes.tape import (
    Cadence,
    Session,
    Tape,
    TapeEvent,
    TapeKind,
    TapeQuote,
    TapeTrade,
)
from fuseboard.feeds.tapes.times import SECOND_NS, new_york_ns
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Side

CENT_NANOS = NANOS // 100
WHOLE = 10_000
LOT = 100
TRADES_PER_QUOTE_OF_8 = 3
INVENTED_DAY = date(2025, 6, 2)
Points = tuple[tuple[int, int], ...]
"""(UTC ns, value) in time order; values between two points lie on the straight line."""


class Course(Struct, frozen=True, kw_only=True):
    """What one symbol does.

    `level` is in hundredths of a percent of `start_cents`; a second `own_level` multiplies it.
    `spread` is the whole spread in hundredths of a percent of the price, at least one cent.
    `depth` is the largest displayed size in round lots. No trade prints below `floor_cents`; at
    `floor_ns` one prints there. Stub quotes (0.01 x 100,000) show once in `stub_every` quotes
    between the two times of `stubs`.
    """

    symbol: str
    prior_close_cents: int
    start_cents: int
    level: Points
    own_level: Points = ((0, WHOLE),)
    spread: Points = ((0, 1),)
    depth: Points = ((0, 20),)
    noise: Points = ((0, 300),)
    """Largest step of the noise, in hundredths of a hundredth of a percent."""
    floor_cents: int = 1
    floor_ns: int | None = None
    stubs: tuple[int, int] | None = None
    stub_every: int = 40


def generated_tape(
    *,
    name: str,
    describes: str,
    courses: tuple[Course, ...],
    session: Session,
    quote_gap_ns: int,
    seed: int,
) -> Tape:
    """A tape of the courses, one quote a symbol every `quote_gap_ns`; the seed makes the noise."""
    return drawn_tape(
        name=name,
        describes=describes,
        prior_close_cents={course.symbol: course.prior_close_cents for course in courses},
        session=session,
        quote_gap_ns=quote_gap_ns,
        read=lambda: _events(courses, session, quote_gap_ns, seed),
    )


def drawn_tape(
    *,
    name: str,
    describes: str,
    prior_close_cents: dict[str, int],
    session: Session,
    quote_gap_ns: int,
    read: Callable[[], Iterator[TapeEvent]],
) -> Tape:
    """A generated tape of shares, of the symbols that have a prior close, quoted evenly."""
    return Tape(
        name=name,
        describes=describes,
        kind=TapeKind.US_EQUITY,
        symbols=tuple(prior_close_cents),
        cadence=Cadence(typical_gap_ns=quote_gap_ns, largest_gap_ns=quote_gap_ns, sampled=False),
        session=session,
        prior_close_nanos={name: cents * CENT_NANOS for name, cents in prior_close_cents.items()},
        read=read,
    )


def value_at(points: Points, at_ns: int) -> int:
    """The value of a path at a time; before the first and after the last point it is constant."""
    before_ns, before = points[0]
    if at_ns <= before_ns:
        return before
    for point_ns, value in points:
        if at_ns < point_ns:
            span = point_ns - before_ns
            return before + (value - before) * (at_ns - before_ns) // span
        before_ns, before = point_ns, value
    return before


def _events(
    courses: tuple[Course, ...], session: Session, quote_gap_ns: int, seed: int
) -> Iterator[TapeEvent]:
    """Each symbol has its own slot in the gap, so that the order of events is that of time.

    All symbols are quoted once at the very beginning.
    """
    random = Random(seed)  # noqa: S311 - a repeatable tape, not a secret
    slot_ns = quote_gap_ns // len(courses)
    noise = [0] * len(courses)
    floor_shown = [False] * len(courses)
    for course in courses[1:]:
        yield _quote(course, session.open_ns, 0, random)
    for step_ns in range(session.open_ns, session.close_ns, quote_gap_ns):
        for index, course in enumerate(courses):
            at_ns = step_ns + index * slot_ns
            largest = value_at(course.noise, at_ns)
            noise[index] = noise[index] * 15 // 16 + random.randint(-largest, largest)
            quote = _quote(course, at_ns, noise[index], random)
            yield quote
            floor_due = course.floor_ns is not None and at_ns >= course.floor_ns
            at_floor = floor_due and not floor_shown[index]
            floor_shown[index] |= floor_due
            if at_floor or random.randrange(8) < TRADES_PER_QUOTE_OF_8:
                yield _trade(course, quote, random, at_ns=at_ns + slot_ns // 2, at_floor=at_floor)


def _quote(course: Course, at_ns: int, noise: int, random: Random) -> TapeQuote:
    level = value_at(course.level, at_ns) * value_at(course.own_level, at_ns)
    middle_cents = course.start_cents * level // (WHOLE * WHOLE)
    middle_cents += middle_cents * noise // (WHOLE * 100)
    spread_cents = max(middle_cents * value_at(course.spread, at_ns) // WHOLE, 1)
    bid_cents = max(middle_cents - spread_cents // 2, 1)
    ask_cents = bid_cents + spread_cents
    depth = max(value_at(course.depth, at_ns), 1)
    bid_lots, ask_lots = random.randint(1, depth), random.randint(1, depth)
    in_crisis = course.stubs is not None and course.stubs[0] <= at_ns <= course.stubs[1]
    if in_crisis and random.randrange(course.stub_every) == 0:
        bid_cents, ask_cents = 1, 100_000 * 100
    return TapeQuote(
        symbol=course.symbol,
        at_ns=at_ns,
        bid_nanos=bid_cents * CENT_NANOS,
        ask_nanos=ask_cents * CENT_NANOS,
        bid_size_nanos=bid_lots * LOT * NANOS,
        ask_size_nanos=ask_lots * LOT * NANOS,
    )


def _trade(
    course: Course, quote: TapeQuote, random: Random, *, at_ns: int, at_floor: bool
) -> TapeTrade:
    """A print at one side of the quote, never at a stub, never below the floor."""
    aggressor = Side.BUY if random.randrange(2) else Side.SELL
    price_nanos = quote.ask_nanos if aggressor is Side.BUY else quote.bid_nanos
    size_nanos = quote.ask_size_nanos if aggressor is Side.BUY else quote.bid_size_nanos
    floor_nanos = course.floor_cents * CENT_NANOS
    if at_floor:
        price_nanos, aggressor = floor_nanos, Side.SELL
    elif quote.bid_nanos == CENT_NANOS:
        level = value_at(course.level, at_ns) * value_at(course.own_level, at_ns)
        price_nanos = course.start_cents * level // (WHOLE * WHOLE) * CENT_NANOS
    return TapeTrade(
        symbol=course.symbol,
        at_ns=at_ns,
        price_nanos=max(price_nanos, floor_nanos),
        size_nanos=random.randint(1, size_nanos // (LOT * NANOS)) * LOT * NANOS,
        aggressor=aggressor,
    )


def normal(seed: int) -> Tape:
    """Ten quiet minutes of an invented day: noise without direction."""
    opens_ns = new_york_ns(INVENTED_DAY, time(10))
    level: Points = ((opens_ns, WHOLE),)
    return _invented("normal", "an invented quiet ten minutes", level, opens_ns, seed)


def recovery(seed: int) -> Tape:
    """Ten minutes of an invented day: 2 % down, then up to 4 % above the start."""
    opens_ns = new_york_ns(INVENTED_DAY, time(10))
    level: Points = (
        (opens_ns, WHOLE),
        (opens_ns + 180 * SECOND_NS, 9_800),
        (opens_ns + 600 * SECOND_NS, 10_400),
    )
    return _invented("recovery", "an invented dip of 2 % and a recovery", level, opens_ns, seed)


def _invented(name: str, describes: str, level: Points, opens_ns: int, seed: int) -> Tape:
    """The prices are round numbers under well-known names; nothing of them is recorded."""
    courses = (
        Course(symbol="AAPL", prior_close_cents=200_00, start_cents=200_00, level=level),
        Course(symbol="TSLA", prior_close_cents=340_00, start_cents=340_00, level=level),
    )
    return generated_tape(
        name=name,
        describes=describes,
        courses=courses,
        session=Session(open_ns=opens_ns, close_ns=opens_ns + 600 * SECOND_NS),
        quote_gap_ns=SECOND_NS,
        seed=seed,
    )
