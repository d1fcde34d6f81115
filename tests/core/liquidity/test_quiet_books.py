"""A book that nothing changed stands: a quiet pair's levels come seldom, quotes between them."""

import pytest

from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.market_inputs import BookSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side
from fuseboard.vocabulary.reasons import Reason
from tests.core.liquidity.market import CENT, SECOND, LiquidDesk
from tests.core.liquidity.test_shaping import ask, denial, sent

BUY, SELL = Side.BUY, Side.SELL


def booked(desk: LiquidDesk, size: int = 10) -> None:
    bids = tuple(((24_999 - n) * CENT, size * NANOS) for n in range(10))
    asks = tuple(((25_001 + n) * CENT, size * NANOS) for n in range(10))
    desk.take(BookSeen(symbol="AAPL", bids=bids, asks=asks, event_ns=0))


@pytest.mark.parametrize(("book_s", "quote_s"), [(15, 15), (12, 1), (110, 5)])
def test_depth_is_known_and_the_clip_holds_between_books_that_come_seldom(
    book_s: int, quote_s: int
) -> None:
    desk = LiquidDesk()
    for second in range(600):
        desk.now_ns += SECOND
        desk.traded(20)
        if second % quote_s == 0:
            desk.quoted(size=10)
        if second % book_s == 0:
            desk.now_ns += NANOS // 1_000
            booked(desk)
        assert second < 300 or "depth" not in desk.known.points.absent()
    assert (desk.tier(), desk.known.levels) == (Tier.NORMAL, True)
    booked(desk)
    desk.now_ns += 11 * SECOND
    desk.traded(220)
    desk.quoted(size=10)
    assert sent(ask(desk, shares=300)).quantity_nanos == 12 * NANOS
    desk.now_ns += 11 * SECOND
    desk.traded(220)
    desk.quoted(size=10)
    assert denial(ask(desk, shares=300)).reason is Reason.LIQUIDITY_TIER, "it took that already"


def test_quotes_alone_keep_a_symbol_heard_whose_book_does_not_change() -> None:
    desk = LiquidDesk().at(Tier.NORMAL)
    booked(desk)
    for _ in range(2):
        desk.now_ns += 115 * SECOND
        assert sent(ask(desk, BUY, 1)).order_type is OrderType.LIMIT
        assert desk.tier() is Tier.NORMAL
        desk.quoted()
    assert not desk.known.levels


def test_a_good_quote_long_after_the_book_prices_alone() -> None:
    for seconds, edges in ((9, (25_026, 24_975)), (10, (25_126, 24_875))):
        for side, edge, cents in ((BUY, edges[0], 100), (SELL, edges[1], -100)):
            desk = LiquidDesk().at(Tier.NORMAL)
            booked(desk)
            desk.now_ns += seconds * SECOND
            desk.quoted(24_999 + cents, 25_001 + cents)
            assert sent(ask(desk, side, 1)).limit_price_nanos == edge * CENT


def test_a_book_that_a_quote_emptied_makes_room_for_a_good_one() -> None:
    desk = LiquidDesk().at(Tier.NORMAL)
    booked(desk)
    desk.quoted(0, 25_001)
    desk.now_ns += 9 * SECOND
    desk.quoted()
    assert not desk.known.bids
    desk.now_ns += SECOND
    desk.quoted()
    assert (len(desk.known.bids), desk.known.levels) == (1, False)
