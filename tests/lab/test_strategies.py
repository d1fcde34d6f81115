"""The strategies that ship, one decision at a time."""

from collections.abc import Sequence

from msgspec import structs

from fuseboard.lab.strategies.dip_buyer import DipBuyer, DipBuyerParameters
from fuseboard.lab.strategies.hold import Hold, HoldParameters
from fuseboard.lab.strategies.market_maker import MarketMaker, MarketMakerParameters
from fuseboard.lab.strategies.momentum import Momentum, MomentumParameters
from fuseboard.lab.strategy import Cancel, End, Fill, Intent, Place, Quote, Terms
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side

TERMS = Terms(symbols=("AAA",), equity_nanos=100_000 * NANOS, shares=True)


def at(seconds: int, cents: int, *, wide: bool = False) -> Quote:
    half_nanos = (cents if wide else 1) * NANOS // 100
    bid_nanos, ask_nanos = cents * NANOS // 100 - half_nanos, cents * NANOS // 100 + half_nanos
    return Quote(
        symbol="AAA",
        at_ns=seconds * NANOS,
        bid_nanos=bid_nanos,
        ask_nanos=ask_nanos,
        bid_size_nanos=NANOS,
        ask_size_nanos=NANOS,
        bid_low_nanos=bid_nanos,
        ask_high_nanos=ask_nanos,
        count=1,
    )


def only(intents: Sequence[Intent]) -> Place:
    (place,) = intents
    assert isinstance(place, Place)
    return place


def filled(place: Place, price: int, position: int, *, seconds: int = 0) -> Fill:
    return Fill(
        symbol="AAA",
        at_ns=seconds * NANOS,
        own_id=place.own_id,
        side=place.side,
        quantity_nanos=place.quantity_nanos,
        price_nanos=price * NANOS,
        position_nanos=position * NANOS,
        whole=True,
    )


def denied(place: Place, seconds: int) -> End:
    return End(symbol="AAA", at_ns=seconds * NANOS, own_id=place.own_id, how="denied", code="any")


def test_hold_buys_piece_by_piece_waits_after_a_denial_and_stops_for_good_when_it_is_closed() -> (
    None
):
    hold = Hold(TERMS, HoldParameters(share_nanos=NANOS // 10))
    assert hold.on_quote(at(0, 10_000, wide=True)) == ()
    first = only(hold.on_quote(at(1, 10_000)))
    assert first.quantity_nanos == 49 * NANOS, "5,000 at 100.01, in whole shares"
    assert hold.on_quote(at(2, 10_000)) == (), "one piece at a time"
    hold.on_end(denied(first, 3))
    assert hold.on_quote(at(62, 10_000)) == ()
    second = only(hold.on_quote(at(63, 10_000)))
    hold.on_fill(filled(second, 100, 49))
    third = only(hold.on_quote(at(64, 10_000)))
    hold.on_fill(filled(third, 100, 98))
    assert hold.on_quote(at(65, 10_000)) == (), "200 of 10,000 are left: too little to order"
    richer = Hold(TERMS, HoldParameters())
    closed = structs.replace(filled(first, 90, 0), own_id="")
    assert richer.on_fill(closed) == ()
    assert richer.on_quote(at(66, 10_000)) == ()


def test_the_dip_buyer_buys_each_dip_from_the_highest_and_offers_what_it_got() -> None:
    dips = DipBuyer(TERMS, DipBuyerParameters())
    assert dips.on_quote(at(0, 10_000)) == ()
    assert dips.on_quote(at(1, 9_961)) == ()
    bought = only(dips.on_quote(at(2, 9_959)))
    assert (bought.side, bought.order_type) == (Side.BUY, OrderType.MARKET)
    assert dips.on_quote(at(3, 9_930)) == (), "the dip counts anew from there"
    assert only(dips.on_quote(at(4, 9_919))).own_id != bought.own_id
    offered = only(dips.on_fill(filled(bought, 100, 60)))
    assert (offered.side, offered.limit_price_nanos) == (Side.SELL, 101 * NANOS)
    assert offered.quantity_nanos == bought.quantity_nanos
    assert dips.on_fill(filled(offered, 101, 0)) == ()


def test_momentum_buys_a_rise_of_a_minute_and_sells_all_after_a_fall() -> None:
    momentum = Momentum(TERMS, MomentumParameters())
    assert momentum.on_quote(at(0, 10_000)) == ()
    assert momentum.on_quote(at(59, 10_100)) == (), "a minute is not known yet"
    bought = only(momentum.on_quote(at(60, 10_100)))
    assert bought.side is Side.BUY
    assert momentum.on_quote(at(61, 10_100)) == (), "one order at a time"
    momentum.on_fill(filled(bought, 101, 197))
    assert momentum.on_quote(at(62, 10_100)) == (), "it holds"
    sold = only(momentum.on_quote(at(121, 10_000)))
    assert (sold.side, sold.quantity_nanos) == (Side.SELL, 197 * NANOS)
    momentum.on_end(denied(sold, 121))
    assert momentum.on_quote(at(130, 9_900)) == ()
    assert only(momentum.on_quote(at(131, 9_900))).side is Side.SELL


def test_the_market_maker_quotes_within_its_bound_and_follows_the_middle() -> None:
    maker = MarketMaker(TERMS, MarketMakerParameters())
    bid = only(maker.on_quote(at(0, 10_000)))
    assert (bid.side, bid.limit_price_nanos) == (Side.BUY, 99_950_000_000)
    assert maker.on_quote(at(1, 10_001)) == (), "near enough"
    assert maker.on_quote(at(2, 10_050)) == (Cancel(own_id=bid.own_id),)
    assert maker.on_quote(at(3, 10_050)) == (), "until the cancel is confirmed"
    gone = structs.replace(denied(bid, 3), how="canceled")
    maker.on_end(gone)
    again = only(maker.on_quote(at(4, 10_050)))
    maker.on_fill(filled(again, 100, 49))
    placed = [order for order in maker.on_quote(at(5, 10_050)) if isinstance(order, Place)]
    assert [order.side for order in placed] == [Side.BUY, Side.SELL]
    assert placed[1].limit_price_nanos == 100_560_000_000
    assert placed[1].quantity_nanos == 49 * NANOS, "never more than it holds"
    full = structs.replace(filled(placed[0], 100, 245), quantity_nanos=NANOS)
    maker.on_fill(full)
    assert maker.on_quote(at(6, 10_050)) == (), "24,600 of 25,000 are held: no room for a stake"
    assert maker.on_quote(at(7, 10_050, wide=True)) == (Cancel(own_id=placed[1].own_id),)
    maker.on_end(denied(placed[1], 7))
    assert maker.on_quote(at(7, 10_050)) == (), "a side that was denied waits a second"
    assert only(maker.on_quote(at(8, 10_050))).side is Side.SELL
