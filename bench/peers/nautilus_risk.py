"""NautilusTrader's RiskEngine behind a line protocol, for `bench.gate_peer`; runs in its own venv.

Reads `checks WORKING` or `path WORKING` (a fresh engine: a cash account, held symbols, a quote for
each, so many open limit orders, a max notional for each symbol) and `round ORDERS`; answers with
one JSON line. Orders and commands are made before the clock starts.

With `checks`, what the risk engine lets through ends in a counter: nothing is booked. With `path`,
it does what a strategy's submit does here: the order enters the cache, passes the risk engine and
the execution engine, and a client that only says "submitted" gets it; so the order is booked.
"""

import gc
import json
import platform
import statistics
import sys
import time
from decimal import Decimal
from typing import Any

import nautilus_trader
from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import LiveClock, MessageBus
from nautilus_trader.common.factories import OrderFactory
from nautilus_trader.config import RiskEngineConfig
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.client import ExecutionClient
from nautilus_trader.execution.engine import ExecutionEngine
from nautilus_trader.execution.messages import SubmitOrder
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.events import AccountState
from nautilus_trader.model.identifiers import (
    AccountId,
    ClientId,
    InstrumentId,
    PositionId,
    StrategyId,
    Symbol,
    TradeId,
    TraderId,
    Venue,
    VenueOrderId,
)
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import AccountBalance, Money, Price, Quantity
from nautilus_trader.model.position import Position
from nautilus_trader.portfolio.portfolio import Portfolio
from nautilus_trader.risk.engine import RiskEngine
from nautilus_trader.test_kit.stubs.events import TestEventStubs

SYMBOLS = 100
TRADER, STRATEGY = TraderId("BENCH-001"), StrategyId("alpha-001")
VENUE, ACCOUNT = Venue("SIM"), AccountId("SIM-001")
PRICE = Price.from_str("100.00")


def equity(number: int) -> Equity:
    return Equity(
        instrument_id=InstrumentId(Symbol(f"S{number}"), VENUE),
        raw_symbol=Symbol(f"S{number}"),
        currency=USD,
        price_precision=2,
        price_increment=Price.from_str("0.01"),
        lot_size=Quantity.from_int(1),
        ts_event=0,
        ts_init=0,
    )


class Client(ExecutionClient):  # type: ignore[misc]  # it has no types
    """Gets orders and says that they were submitted: no venue, no network."""

    def __init__(self, gate: "Gate") -> None:
        super().__init__(
            client_id=ClientId(VENUE.value),
            venue=VENUE,
            oms_type=OmsType.NETTING,
            account_type=AccountType.CASH,
            base_currency=USD,
            msgbus=gate.bus,
            cache=gate.cache,
            clock=gate.clock,
        )
        self._set_account_id(ACCOUNT)
        self._gate = gate

    def submit_order(self, command: SubmitOrder) -> None:
        order = command.order
        self.generate_order_submitted(
            order.strategy_id, order.instrument_id, order.client_order_id, command.ts_init
        )
        self._gate.accepted += 1


class Gate:
    """One engine with the state that it is asked about."""

    def __init__(self, working: int, *, path: bool) -> None:
        self.path = path
        self.clock = LiveClock()
        self.bus = MessageBus(trader_id=TRADER, clock=self.clock)
        self.cache = Cache(database=None)
        self.portfolio = Portfolio(msgbus=self.bus, cache=self.cache, clock=self.clock)
        rate = "100000000/00:00:01"
        self.engine = RiskEngine(
            portfolio=self.portfolio,
            msgbus=self.bus,
            cache=self.cache,
            clock=self.clock,
            config=RiskEngineConfig(max_order_submit_rate=rate, max_order_modify_rate=rate),
        )
        self.accepted = 0
        self.denied = 0
        if path:
            self.execution = ExecutionEngine(msgbus=self.bus, cache=self.cache, clock=self.clock)
            self.execution.register_client(Client(self))
            self.execution.start()
        else:
            self.bus.register(endpoint="ExecEngine.execute", handler=self._accept)
            self.bus.register(endpoint="ExecEngine.process", handler=self._deny)
        self.factory = OrderFactory(trader_id=TRADER, strategy_id=STRATEGY, clock=self.clock)
        self.instruments = [equity(number) for number in range(SYMBOLS)]
        self._open_account()
        for number, instrument in enumerate(self.instruments):
            self.cache.add_instrument(instrument)
            self.cache.add_quote_tick(
                QuoteTick(
                    instrument_id=instrument.id,
                    bid_price=Price.from_str("99.99"),
                    ask_price=PRICE,
                    bid_size=Quantity.from_int(100),
                    ask_size=Quantity.from_int(100),
                    ts_event=0,
                    ts_init=0,
                )
            )
            self.engine.set_max_notional_per_order(instrument.id, Decimal(1_000_000))
            self._hold(instrument, number)
        for number in range(working):
            self._work(self.instruments[number % SYMBOLS], number)
        self.engine.start()

    def _accept(self, command: object) -> None:
        self.accepted += 1

    def _deny(self, event: object) -> None:
        self.denied += 1

    def _open_account(self) -> None:
        money = Money(10_000_000_000, USD)
        state = AccountState(
            account_id=ACCOUNT,
            account_type=AccountType.CASH,
            base_currency=USD,
            reported=True,
            balances=[AccountBalance(money, Money(0, USD), money)],
            margins=[],
            info={},
            event_id=UUID4(),
            ts_event=0,
            ts_init=0,
        )
        self.portfolio.update_account(state)

    def _order(self, instrument: Equity) -> Any:
        return self.factory.limit(
            instrument_id=instrument.id,
            order_side=OrderSide.BUY,
            quantity=Quantity.from_int(1),
            price=PRICE,
        )

    def _submitted(self, instrument: Equity, venue_id: str) -> Any:
        """An order that the venue holds, in the cache."""
        order = self._order(instrument)
        self.cache.add_order(order)
        for event in (
            TestEventStubs.order_submitted(order, account_id=ACCOUNT),
            TestEventStubs.order_accepted(
                order, account_id=ACCOUNT, venue_order_id=VenueOrderId(venue_id)
            ),
        ):
            order.apply(event)
            self.cache.update_order(order)
        return order

    def _work(self, instrument: Equity, number: int) -> None:
        self._submitted(instrument, f"W{number}")

    def _hold(self, instrument: Equity, number: int) -> None:
        order = self._submitted(instrument, f"H{number}")
        position_id = PositionId(f"P{number}")
        fill = TestEventStubs.order_filled(
            order,
            instrument=instrument,
            account_id=ACCOUNT,
            venue_order_id=VenueOrderId(f"H{number}"),
            trade_id=TradeId(f"T{number}"),
            position_id=position_id,
            last_px=PRICE,
        )
        order.apply(fill)
        self.cache.update_order(order)
        self.cache.add_position(Position(instrument=instrument, fill=fill), OmsType.NETTING)

    def measure(self, orders: int) -> dict[str, float]:
        """Submit so many new orders; nanoseconds an order."""
        commands = [
            SubmitOrder(
                trader_id=TRADER,
                strategy_id=STRATEGY,
                order=self._order(self.instruments[number % SYMBOLS]),
                command_id=UUID4(),
                ts_init=0,
            )
            for number in range(orders)
        ]
        before = self.accepted
        times = []
        gc.collect()
        gc.freeze()
        gc.disable()
        execute, clock, book = self.engine.execute, time.perf_counter_ns, self.cache.add_order
        for command in commands:
            order = command.order
            began = clock()
            if self.path:
                book(order)
            execute(command)
            times.append(clock() - began)
        gc.enable()
        gc.unfreeze()
        assert self.accepted == before + orders, (self.accepted, before, self.denied)
        times.sort()
        return {
            "median_ns": statistics.median(times),
            "p99_ns": times[len(times) * 99 // 100],
            "mean_ns": statistics.fmean(times),
            "open_orders": self.cache.orders_open_count() + self.cache.orders_inflight_count(),
            "open_positions": self.cache.positions_open_count(),
        }


def main() -> None:
    def say(what: object) -> None:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    say({"version": nautilus_trader.__version__, "python": platform.python_version()})
    gate: Gate | None = None
    for line in sys.stdin:
        word, number = line.split()
        if word != "round":
            gate = Gate(int(number), path=word == "path")
            say({"ready": True})
        else:
            assert gate is not None
            say(gate.measure(int(number)))


if __name__ == "__main__":
    main()
