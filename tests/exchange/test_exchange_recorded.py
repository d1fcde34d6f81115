"""The exchange on recorded crash days: what a seller meets there. Skipped without the data."""

from pathlib import Path

import pytest

from fuseboard.exchange.config import config_for
from fuseboard.exchange.exchange import Exchange
from fuseboard.exchange.ledger import OrderFilled, entries_of
from fuseboard.exchange.orders import Order, Ticket
from fuseboard.feeds.tapes.by_name import tape_by_name
from fuseboard.feeds.tapes.tape import TapeQuote, TapeTrade
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce


def market(exchange: Exchange, symbol: str, side: Side, quantity: int, name: str) -> Order:
    ticket = Ticket(
        client_order_id=name,
        symbol=symbol,
        side=side,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity_nanos=quantity * NANOS,
    )
    order = exchange.submit(exchange.now_ns, ticket)
    assert isinstance(order, Order), order
    return order


@pytest.mark.parametrize(
    ("name", "quantity", "sells_below"),
    [
        ("us-equity-2010-05-06:AAPL@14:30-15:10", 300, 215),
        ("crypto-2025-10-10:ATOMUSD_PERP@21:15-21:30", 2_000, 2),
    ],
)
def test_a_large_sale_in_the_fall_is_filled_piece_by_piece_by_what_is_displayed(
    market_data: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    quantity: int,
    sells_below: int,
) -> None:
    monkeypatch.setenv("FUSEBOARD_DATA", str(market_data))
    tape = tape_by_name(name)
    symbol = tape.symbols[0]
    lines: list[bytes] = []
    config = config_for(tape, cash_nanos=200_000 * NANOS)
    exchange = Exchange(config, start_ns=tape.session.open_ns, record=lines.append)
    bid_sizes: list[int] = []
    sale: Order | None = None
    for event in tape.read():
        if isinstance(event, TapeTrade):
            exchange.on_trade(event)
        if not isinstance(event, TapeQuote):
            continue
        exchange.on_quote(event)
        if not exchange.orders_by_id:
            market(exchange, symbol, Side.BUY, quantity, "buy")
        held = sum(position.quantity_nanos for position in exchange.positions())
        if sale is None and held == quantity * NANOS and event.bid_nanos < sells_below * NANOS:
            sale = market(exchange, symbol, Side.SELL, quantity, "sell")
        if sale is not None:
            bid_sizes.append(event.bid_size_nanos)
    fills = [e for e in entries_of(lines) if isinstance(e, OrderFilled) and e.side is Side.SELL]
    assert sum(fill.quantity_nanos for fill in fills) == quantity * NANOS
    assert len(fills) > 1
    for fill, size in zip(fills, bid_sizes, strict=False):
        assert fill.quantity_nanos <= size
    assert exchange.account().equity_nanos == exchange.account().cash_nanos < 200_000 * NANOS
