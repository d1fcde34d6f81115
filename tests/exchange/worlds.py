"""Random tapes and requests for the exchange, and what tests need to read its ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from hypothesis import strategies as st
from msgspec import Struct, structs

from fuseboard.exchange.calendar import trading_day
from fuseboard.exchange.config import ExchangeConfig
from fuseboard.exchange.exchange import Exchange
from fuseboard.exchange.ledger import LedgerEntry, decoded_entry
from fuseboard.exchange.orders import Order, Refusal, Ticket
from fuseboard.feeds.tapes.tape import TapeKind, TapeQuote, TapeTrade
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce

SESSION = trading_day(date(2025, 6, 2))
assert SESSION is not None
OPEN_NS = SESSION.open_ns
MILLISECOND_NS = 1_000_000
SYMBOLS = ("AAPL", "MSFT")


class World:
    """An exchange on which time passes by a millisecond with each thing that happens."""

    def __init__(self, config: ExchangeConfig | None = None, **changes: object) -> None:
        default = ExchangeConfig(kind=TapeKind.US_EQUITY, symbols=SYMBOLS, cash_nanos=10**15)
        self.lines: list[bytes] = []
        self.config = structs.replace(config or default, **changes)
        self.now_ns = OPEN_NS
        self.exchange = Exchange(self.config, start_ns=self.now_ns, record=self.lines.append)
        self.count = 0
        self._decoded: list[LedgerEntry] = []

    def quote(
        self, bid: int, ask: int, bid_size: int = 100, ask_size: int = 100, symbol: str = "AAPL"
    ) -> None:
        """A quote in cents and whole shares."""
        self.now_ns += MILLISECOND_NS
        self.exchange.on_quote(
            TapeQuote(
                symbol=symbol,
                at_ns=self.now_ns,
                bid_nanos=bid * NANOS // 100,
                ask_nanos=ask * NANOS // 100,
                bid_size_nanos=bid_size * NANOS,
                ask_size_nanos=ask_size * NANOS,
            )
        )

    def trade(
        self, cents: int, size: int = 100, aggressor: Side | None = None, symbol: str = "AAPL"
    ) -> None:
        """A print in cents and whole shares."""
        self.now_ns += MILLISECOND_NS
        self.exchange.on_trade(
            TapeTrade(
                symbol=symbol,
                at_ns=self.now_ns,
                price_nanos=cents * NANOS // 100,
                size_nanos=size * NANOS,
                aggressor=aggressor,
            )
        )

    def ask_for(
        self,
        side: str,
        quantity: int | str,
        limit: int | None = None,
        stop: int | None = None,
        tif: str = "day",
        symbol: str = "AAPL",
    ) -> Order | Refusal:
        """Submit an order; prices in cents, quantities in shares (text for fractions)."""
        self.now_ns += MILLISECOND_NS
        self.count += 1
        whole, _, part = str(quantity).partition(".")
        nanos = int(whole) * NANOS + int(part.ljust(9, "0"))
        kind = {
            (False, False): OrderType.MARKET,
            (True, False): OrderType.LIMIT,
            (False, True): OrderType.STOP,
            (True, True): OrderType.STOP_LIMIT,
        }[(limit is not None, stop is not None)]
        return self.exchange.submit(
            self.now_ns,
            Ticket(
                client_order_id=f"c{self.count}",
                symbol=symbol,
                side=Side(side),
                order_type=kind,
                time_in_force=TimeInForce(tif),
                quantity_nanos=nanos,
                limit_price_nanos=None if limit is None else limit * NANOS // 100,
                stop_price_nanos=None if stop is None else stop * NANOS // 100,
            ),
        )

    def order(
        self,
        side: str,
        quantity: int | str,
        limit: int | None = None,
        stop: int | None = None,
        tif: str = "day",
        symbol: str = "AAPL",
    ) -> str:
        """Submit an order that must be taken; returns its id."""
        taken = self.ask_for(side, quantity, limit, stop, tif, symbol)
        assert isinstance(taken, Order), taken
        return taken.order_id

    def cancel(self, order_id: str) -> Order | Refusal:
        self.now_ns += MILLISECOND_NS
        return self.exchange.cancel(self.now_ns, order_id)

    def wait(self, milliseconds: int) -> None:
        self.now_ns += milliseconds * MILLISECOND_NS
        self.exchange.advance(self.now_ns)

    def filled(self, order_id: str) -> int:
        """Whole shares filled."""
        return self.exchange.orders_by_id[order_id].filled_nanos // NANOS

    def status(self, order_id: str) -> str:
        return self.exchange.orders_by_id[order_id].status.value

    def position(self, symbol: str = "AAPL") -> int:
        return sum(
            p.quantity_nanos // NANOS for p in self.exchange.positions() if p.symbol == symbol
        )

    def entries(self) -> list[LedgerEntry]:
        """All entries; each line is decoded once."""
        for line in self.lines[len(self._decoded) :]:
            self._decoded.append(decoded_entry(line))
        return self._decoded


class Step(Struct, frozen=True):
    """One thing that happens in a random world."""

    what: str
    symbol: str
    side: Side
    price: int
    width: int
    size: int
    tif: TimeInForce
    kind: int
    nth: int


steps = st.builds(
    Step,
    what=st.sampled_from(
        ["quote", "quote", "trade", "order", "order", "order", "order", "cancel", "wait"]
    ),
    symbol=st.sampled_from(SYMBOLS),
    side=st.sampled_from(Side),
    price=st.integers(9_997, 10_003),
    width=st.integers(1, 3),
    size=st.integers(1, 12),
    tif=st.sampled_from(TimeInForce),
    kind=st.integers(0, 4),
    nth=st.integers(0, 30),
)
scripts = st.lists(steps, min_size=25, max_size=60)


def play(world: World, script: list[Step]) -> Iterator[Step]:
    """Let each step happen; yields after each."""
    for step in script:
        if step.what == "quote":
            world.quote(
                step.price, step.price + step.width, step.size, step.nth // 2 + 1, step.symbol
            )
        elif step.what == "trade":
            aggressor = {0: Side.BUY, 1: Side.SELL}.get(step.kind)
            world.trade(step.price, step.size, aggressor, step.symbol)
        elif step.what == "order":
            limit = step.price if step.kind in (1, 2, 4) else None
            stop = step.price - 3 + step.width if step.kind >= 3 else None
            quantity = step.size if step.nth % 7 else f"{step.size}.25"
            # Half of the at-once orders are DAY orders instead, so that books fill up.
            tif = "day" if step.nth % 2 else step.tif.value
            world.ask_for(step.side.value, quantity, limit, stop, tif, step.symbol)
        elif step.what == "cancel":
            ids = list(world.exchange.orders_by_id)
            world.cancel(ids[step.nth % len(ids)] if ids else "none")
        else:
            world.wait(step.size)
        yield step
