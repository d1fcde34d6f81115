"""`fuseboard demo`: a scripted market through the real kernel, loop, outlet and exchange.

Everything is the shipped code; only the world is scripted: the exchange stands in this process, the
journal is kept in memory and written to a file at the end, and time jumps from tick to tick. So a
demo is the same each time but for the times it measures. Prices are invented and say so.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from fuseboard.core.kernel import Kernel
from fuseboard.exchange.config import ExchangeConfig
from fuseboard.exchange.direct import DirectBroker, DirectFeed
from fuseboard.exchange.exchange import Exchange
from fuseboard.exchange.orders import Ticket
from fuseboard.feeds.tapes.tape import TapeKind, TapeQuote, TapeTrade
from fuseboard.lab.memory_register import MemoryRegister
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import LossRule
from fuseboard.runtime.budget import Budget
from fuseboard.runtime.intake import Intake
from fuseboard.runtime.lockstep import InstantJournal, LockstepEventLoop, run_lockstep
from fuseboard.runtime.loop import Loop
from fuseboard.runtime.meter import Measured, MeteredKernel
from fuseboard.runtime.outlet import Outlet
from fuseboard.runtime.watermark import Watermark
from fuseboard.vocabulary.effects import Effect, PublishEquity
from fuseboard.vocabulary.evidence_effects import RecordPlan, RecordTransition
from fuseboard.vocabulary.inputs import Moment, NodeStarted, OrderRequested, PolicyAdopted
from fuseboard.vocabulary.money import NANOS, shown_money, shown_percent, text_from_nanos
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.vocabulary.records import Record

SCENES: Final = ("crash", "normal", "recovery")
TICKS: Final = {"crash": 120, "normal": 200, "recovery": 100}
TICK_NS: Final = NANOS // 10
ORDERS_TICK: Final = 3
INSTANCE: Final = "demo0000"
# 2026-01-05 10:00 in New York: a Monday, the market is open.
START: Final = Moment(NANOS, 1_767_625_200 * NANOS)
EQUITY_NANOS: Final = 100_000 * NANOS
LIMIT_NANOS: Final = 50_000_000
_STEP_NANOS: Final = 8_500_000
"""How much further each falling tick of `crash` goes: 0.85 % of the starting equity."""
_HALF_SPREAD_NANOS: Final = NANOS // 100


class Holding(Struct, frozen=True, kw_only=True):
    """What the demo's account holds of one symbol before the first tick."""

    symbol: str
    shares: int
    price_nanos: int


# 80,000 of the 100,000 are in the market, half in each: equity falls 0.8 % when prices fall 1 %.
HOLDINGS: Final = (
    Holding(symbol="AAPL", shares=200, price_nanos=200 * NANOS),
    Holding(symbol="TSLA", shares=160, price_nanos=250 * NANOS),
)
SYMBOLS: Final = tuple(at.symbol for at in HOLDINGS)


class DemoOptions(Struct, frozen=True, kw_only=True):
    """What can be asked of a demo. Fractions in nano-units, the cooldown in ns."""

    scene: str
    ticks: int
    drawdown_nanos: int = 52_000_000
    cooldown_ns: int = 2 * NANOS
    seed: int = 1


class DemoResult(Struct, frozen=True, kw_only=True):
    """How a demo ended."""

    trips: int
    state: str
    measured: Measured
    records: list[Record]


def losses(options: DemoOptions) -> Iterator[int]:
    """The scripted loss of each tick, as a fraction of the starting equity (1 = 10^9)."""
    noise = random.Random(options.seed)  # noqa: S311 - a script, not a secret
    calm = options.ticks * 2 // 5
    for tick in range(options.ticks):
        wiggle = noise.randrange(0, 2_000_001) if tick else 0
        if options.scene == "normal" or tick < calm:
            yield wiggle
        elif options.scene == "crash":
            yield min((tick - calm + 1) * _STEP_NANOS, options.drawdown_nanos)
        else:
            yield _recovery(tick - calm, options.ticks - calm)


def _recovery(tick: int, ticks: int) -> int:
    """Down 3 %, back, and 2 % above where it began."""
    third = max(1, ticks // 3)
    if tick < third:
        return 30_000_000 * tick // third
    return 30_000_000 - 50_000_000 * (tick - third) // max(1, ticks - third)


def demo_policy(options: DemoOptions) -> Policy:
    """A 5 % drawdown limit, no warning level, the cooldown that was asked for."""
    return Policy(
        name=f"demo-{options.scene}",
        limits=Limits(gross_exposure_nanos_max=2 * NANOS),
        losses=(LossRule(limit_nanos=LIMIT_NANOS, cooldown_ns=options.cooldown_ns),),
    )


def run_demo(
    options: DemoOptions,
    say: Callable[[str], None],
    stopwatch_ns: Callable[[], int] = time.perf_counter_ns,
) -> DemoResult:
    """Run one demo to its end, saying what happens as it happens; latencies by the stopwatch.

    Raises `NodeStopped` when the node under it finds a fault in itself.
    """
    return run_lockstep(START, lambda loop: _Demo(options, say, loop, stopwatch_ns).run())


def _cancel_text(measured: Measured) -> str:
    took = f"{measured.cancel_ns / 1_000_000:.2f}ms"
    return f"{measured.unconfirmed} not confirmed after {took}" if measured.unconfirmed else took


class _Demo:
    """One demo: the world, the node, and what is said about them."""

    def __init__(
        self,
        options: DemoOptions,
        say: Callable[[str], None],
        clock: LockstepEventLoop,
        stopwatch_ns: Callable[[], int],
    ) -> None:
        self._options = options
        self._tell = say
        self._unsaid: list[str] = []
        self._clock = clock
        self._records: list[Record] = []
        self._state = "ARMED"
        self._equity_nanos = EQUITY_NANOS
        self._mark_nanos = 0
        self._trips = 0
        self._plan: RecordPlan | None = None
        self._ledger: list[bytes] = []
        self._exchange = Exchange(
            ExchangeConfig(kind=TapeKind.US_EQUITY, symbols=SYMBOLS, cash_nanos=EQUITY_NANOS),
            start_ns=START.wall_ns,
            record=self._ledger.append,
        )
        self._feed = DirectFeed()
        self._broker = DirectBroker(self._exchange, INSTANCE, lambda: clock.now().wall_ns)
        self._meter = MeteredKernel(Kernel(), stopwatch_ns)
        self._intake = Intake()
        watermark = Watermark()
        chance = random.Random(options.seed)  # noqa: S311 - jitter, repeatable here on purpose
        self._outlet = Outlet(
            broker=self._broker,
            feed=self._feed,
            register=MemoryRegister(),
            intake=self._intake,
            clock=clock,
            budget=Budget(requests_a_minute=200, reserved=50, randbelow=chance.randrange),
            views=[self],
            pagers=[],
            randbelow=chance.randrange,
        )
        self._loop = Loop(
            kernel=self._meter,
            clock=clock,
            intake=self._intake,
            journal=InstantJournal(watermark, self._records.append),
            watermark=watermark,
            outlet=self._outlet,
        )

    async def run(self) -> DemoResult:
        """The script: buy the holdings, start the node, tick, and wait for the cooldown."""
        self._buy_holdings()
        await self._outlet.start()
        policy = canonical_text(demo_policy(self._options))
        self._intake.offer(PolicyAdopted(text=policy, digest=digest_of(policy), operator="demo"))
        serving = self._clock.create_task(self._loop.run())
        try:
            await self._play(serving)
        finally:
            self._loop.request_stop()
            await asyncio.wait([serving])
            await self._outlet.stop()
            fault = serving.exception()
        if fault is not None:
            raise fault
        measured = self._meter.measured()
        self._say_end(measured)
        self._say_all()
        return DemoResult(
            trips=self._trips, state=self._state, measured=measured, records=self._records
        )

    async def _play(self, serving: "asyncio.Task[None]") -> None:
        """Every tick of the script, then the cooldown; ends early when the node stops itself."""
        for tick, loss_nanos in enumerate(losses(self._options), start=1):
            self._say_tick(tick)
            if tick == 1:
                self._start_node()
            self._show_prices(loss_nanos)
            if tick == ORDERS_TICK:
                self._place_orders()
            await self._pass_time(TICK_NS)
            if serving.done():
                return
        while self._state == "TRIGGERED" and not serving.done():
            await self._pass_time(TICK_NS)

    def _buy_holdings(self) -> None:
        self._show_prices(0, half_spread_nanos=0)  # bought at the middle: equity stays round
        for held in HOLDINGS:
            ticket = Ticket(
                client_order_id=f"before-{held.symbol}",
                symbol=held.symbol,
                side=Side.BUY,
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.DAY,
                quantity_nanos=held.shares * NANOS,
            )
            self._exchange.submit(self._clock.now().wall_ns, ticket)

    def _start_node(self) -> None:
        self._intake.offer(NodeStarted(instance=INSTANCE, account="demo", release="demo"))

    def _show_prices(self, loss_nanos: int, half_spread_nanos: int = _HALF_SPREAD_NANOS) -> None:
        """Quotes and prints at which the holdings have lost this fraction of the equity.

        The holdings are four fifths of the equity, so prices fall five quarters as far.
        """
        at_ns = self._clock.now().wall_ns
        for held in HOLDINGS:
            price_nanos = held.price_nanos * (4 * NANOS - 5 * loss_nanos) // (4 * NANOS)
            quote = TapeQuote(
                symbol=held.symbol,
                at_ns=at_ns,
                bid_nanos=price_nanos - half_spread_nanos,
                ask_nanos=price_nanos + half_spread_nanos,
                bid_size_nanos=1_000 * NANOS,
                ask_size_nanos=1_000 * NANOS,
            )
            trade = TapeTrade(
                symbol=held.symbol, at_ns=at_ns, price_nanos=price_nanos, size_nanos=100 * NANOS
            )
            self._exchange.on_quote(quote)
            self._exchange.on_trade(trade)
            self._feed.show_quote(quote)
            self._feed.show_trade(trade)
        self._broker.pump()

    def _place_orders(self) -> None:
        """Three orders that rest far from the market, through the gate like any other."""
        wanted = (("AAPL", Side.BUY, 150), ("TSLA", Side.BUY, 180), ("AAPL", Side.SELL, 260))
        for number, (symbol, side, price) in enumerate(wanted, start=1):
            self._intake.offer(
                OrderRequested(
                    request=number,
                    strategy="demo",
                    client_order_id=f"demo-{number}",
                    symbol=symbol,
                    side=side,
                    order_type=OrderType.LIMIT,
                    time_in_force=TimeInForce.DAY,
                    quantity_nanos=10 * NANOS,
                    limit_price_nanos=price * NANOS,
                )
            )

    async def _pass_time(self, ns: int) -> None:
        """Let the node do all it does within `ns`; the exchange's clock follows."""
        ends_ns = self._clock.now().boot_ns + ns
        while (left_ns := ends_ns - self._clock.now().boot_ns) > 0:
            await asyncio.sleep(min(left_ns, TICK_NS // 10) / NANOS)
            self._exchange.advance(self._clock.now().wall_ns)
            self._broker.pump()
            self._say_all()

    # --- what is said ----------------------------------------------------------------------------

    def _say(self, line: str) -> None:
        """Say it soon: whoever listens may be gone, and that is no fault of the node."""
        self._unsaid.append(line)

    def _say_all(self) -> None:
        unsaid, self._unsaid = self._unsaid, []
        for line in unsaid:
            self._tell(line)

    def apply(self, effect: Effect) -> None:
        """Say what matters of what is durable."""
        match effect:
            case PublishEquity():
                self._equity_nanos, self._mark_nanos = effect.equity_nanos, effect.mark_nanos
            case RecordTransition():
                self._say_transition(effect)
            case RecordPlan():
                self._say_plan(effect)
            case _:
                pass

    def _say_tick(self, tick: int) -> None:
        self._say(
            f"tick {tick:>4} state={self._state} equity=${shown_money(self._equity_nanos)}"
            f" mark=${shown_money(self._mark_nanos)}"
        )

    def _say_transition(self, at: RecordTransition) -> None:
        self._state = at.after
        self._equity_nanos, self._mark_nanos = at.equity_nanos, at.mark_nanos
        cooldown = ""
        if at.after == "COOLING_DOWN":
            cooldown = f" (cooldown: {text_from_nanos(self._options.cooldown_ns)}s)"
        self._say(f"[BREAKER] State: {at.before} → {at.after}{cooldown}")
        if at.after == "TRIGGERED":
            self._trips += 1
            self._say(
                f"[BREAKER] HWM: ${shown_money(at.mark_nanos)}"
                f" | Current: ${shown_money(at.equity_nanos)}"
                f" | Drawdown: {shown_percent(at.drawdown_nanos)}"
            )

    def _say_plan(self, plan: RecordPlan) -> None:
        if plan.stage == "cancelling":
            self._say(f"[LIQUIDATION] Cancelling {plan.orders} open orders...")
        elif plan.stage == "closing":
            symbols = ", ".join(plan.symbols)
            self._say(f"[LIQUIDATION] Closing {len(plan.symbols)} positions: {symbols}")
        elif plan.stage == "ended":
            self._plan = plan
            for left in plan.left:
                self._say(f"[LIQUIDATION] Left open: {left}")

    def _say_end(self, measured: Measured) -> None:
        if self._trips:
            self._say(
                f"[METRICS] Trigger latency: {measured.trigger_ns / 1000:.1f}µs"
                f" | Cancel latency: {_cancel_text(measured)}"
            )
        if self._plan is not None:
            self._say(
                f"Liquidation: cancelled={self._plan.cancelled} closed={self._plan.closed}"
                f" duration={measured.liquidation_ns / 1_000_000:.2f}ms errors={self._plan.errors}"
            )
        self._say(f"trigger_count={self._trips}")
        self._say(f"P99 eval latency: {measured.evaluation_p99_ns / 1000:.1f} µs")
