"""No accepted sequence of orders, fills, cancels and prices exceeds a limit in the worst case."""

import os
from collections import Counter
from fractions import Fraction
from random import Random

import msgspec
import pytest

from fuseboard.core import compiling, gate
from fuseboard.core.checks.table import TABLE
from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.market_inputs import QuoteSeen
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce
from tests.core.limits_shadow import Kept, LimitsShadow
from tests.core.test_known_failures import SECOND, Desk

SEEDS = int(os.environ.get("FUSEBOARD_SEEDS", "0")) or 60
STEPS = 120
CENT = NANOS // 100
SYMBOLS = {"AAPL": 250, "TSLA": 100, "XOM": 50, "CVX": 20, "GLD": 180}
POLICY = Policy(
    name="property",
    limits=Limits(
        order_quantity_nanos_max=2_000 * NANOS,
        order_value_nanos_max=200_000 * NANOS,
        order_rate_max=1_000,
        daily_orders_max=70,
        working_orders_max=12,
        position_value_nanos_max=600_000 * NANOS,
        position_fraction_nanos_max=NANOS * 3 // 10,
        sector_fraction_nanos_max=NANOS * 55 // 100,
        positions_max=3,
        gross_exposure_nanos_max=NANOS * 6 // 10,
        net_exposure_nanos_min=-NANOS * 3 // 10,
        net_exposure_nanos_max=NANOS * 4 // 10,
        leverage_nanos_max=NANOS * 12 // 10,
        maintenance_margin_nanos_min=NANOS * 9 // 10,
    ),
    sectors={"AAPL": "tech", "TSLA": "tech", "XOM": "energy", "CVX": "energy"},
    losses=(),
    checks_off=("self_match",),
)
TIGHT_GROSS = msgspec.structs.replace(
    POLICY, limits=msgspec.structs.replace(POLICY.limits, gross_exposure_nanos_max=NANOS // 4)
)
"""Where other limits do not stand before it."""


class Run:
    """A kernel and its shadow under the same seeded facts."""

    def __init__(self, seed: int, policy: Policy = POLICY) -> None:
        self.random = Random(seed)
        self.desk = Desk(policy, multiplier=2)
        self.shadow = LimitsShadow(policy, cash=1_000_000, multiplier=2)
        self.prices = {symbol: price * NANOS for symbol, price in SYMBOLS.items()}
        self.log: list[tuple[facts.Moment, facts.Input, tuple[fx.Effect, ...]]] = []
        self.snapshot = self.desk.kernel.snapshot()
        self.denied: Counter[str] = Counter()
        for symbol in SYMBOLS:
            self.quote(symbol)

    def take(self, fact: facts.Input) -> tuple[fx.Effect, ...]:
        self.desk.now_ns += 1_000_000
        moment = facts.Moment(self.desk.now_ns, self.desk.now_ns)
        effects = self.desk.kernel.step(moment, fact)
        self.log.append((moment, fact, effects))
        return effects

    def quote(self, symbol: str) -> None:
        price = self.prices[symbol]
        fact = QuoteSeen(
            symbol=symbol,
            bid_nanos=price - CENT,
            ask_nanos=price + CENT,
            bid_size_nanos=NANOS,
            ask_size_nanos=NANOS,
            event_ns=0,
            bid_low_nanos=price - CENT,
            ask_high_nanos=price + CENT,
        )
        self.take(fact)
        self.shadow.quoted(symbol, price - CENT, price + CENT)

    def move(self) -> None:
        symbol = self.random.choice(list(SYMBOLS))
        moved = self.prices[symbol] * self.random.randint(96, 104) // 100
        self.prices[symbol] = max(5 * NANOS, moved - moved % CENT)
        self.quote(symbol)

    def order(self) -> None:
        random, symbol = self.random, self.random.choice(list(SYMBOLS))
        price = self.prices[symbol] * random.randint(97, 103) // 100
        limited = random.random() < 0.8
        number = len(self.log)
        effects = self.take(
            facts.OrderRequested(
                request=number,
                strategy=random.choice(("alpha", "alpha", "beta")),
                client_order_id=f"p{number}",
                symbol=symbol,
                side=random.choice((Side.BUY, Side.SELL)),
                order_type=OrderType.LIMIT if limited else OrderType.MARKET,
                time_in_force=TimeInForce.DAY,
                quantity_nanos=random.choice((1, 50, 400, 1_500, 2_500)) * NANOS,
                limit_price_nanos=price - price % CENT if limited else None,
            )
        )
        for effect in effects:
            if isinstance(effect, fx.AnswerDenied):
                self.denied[effect.reason.value] += 1
            elif isinstance(effect, fx.SubmitOrder):
                kept = self.shadow.submitted(effect)
                if effect.intent is Intent.OPEN:
                    assert not self.shadow.exceeded(kept), (effect, self.shadow.exceeded(kept))

    def fill(self) -> None:
        working = self.shadow.working()
        if not working:
            return
        order = self.random.choice(working)
        part = order.open if self.random.random() < 0.6 else Fraction(int(order.open) // 2)
        if part <= 0:
            return
        price = self.prices[order.symbol]
        self.shadow.filled(order, part, Fraction(price, NANOS))
        filled_nanos = int(order.filled * NANOS)
        self.take(
            facts.FillReported(
                order_id=order.order_id,
                broker_order_id=f"b{order.order_id}",
                quantity_nanos=int(part * NANOS),
                price_nanos=price,
                filled_quantity_nanos=filled_nanos,
                filled_price_nanos=price,
                final=order.open == 0,
            )
        )

    def end(self) -> None:
        working = self.shadow.working()
        if working:
            order: Kept = self.random.choice(working)
            order.open = Fraction(0)
            self.take(
                facts.OrderEnded(
                    order_id=order.order_id,
                    broker_order_id=f"b{order.order_id}",
                    status=OrderStatus.CANCELED,
                    filled_quantity_nanos=int(order.filled * NANOS),
                    filled_price_nanos=0,
                )
            )

    def play(self) -> None:
        acts = (self.order, self.order, self.order, self.order, self.fill, self.end, self.move)
        for _ in range(STEPS):
            self.random.choice(acts)()
        again = Kernel.restored(self.snapshot)
        for moment, fact, effects in self.log:
            assert again.step(moment, fact) == effects, "it does not replay"
        assert again.digest() == self.desk.kernel.digest()


@pytest.mark.no_cover
def test_no_accepted_order_exceeds_any_limit_whatever_came_before() -> None:
    denied: Counter[str] = Counter()
    accepted = 0
    for seed in range(SEEDS):
        run = Run(seed)
        run.play()
        denied += run.denied
        accepted += run.shadow.accepted
    assert accepted > SEEDS * 5
    wanted = {
        "order_quantity",
        "order_value",
        "max_position",
        "sector",
        "positions",
        "net_exposure",
    }
    assert wanted <= set(denied), denied


def played(seeds: int, policy: Policy) -> None:
    for seed in range(seeds):
        Run(seed, policy).play()


@pytest.mark.parametrize(
    "name",
    ["max_position", "sector", "positions", "net_exposure", "order_value", "gross_exposure"],
)
def test_without_one_check_the_shadow_notices(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    left = tuple(row for row in TABLE if row.name != name)
    monkeypatch.setattr(gate, "TABLE", left)
    monkeypatch.setattr(compiling, "_in_force", compiling._in_force.__wrapped__)  # as it is now
    with pytest.raises(AssertionError, match="SubmitOrder"):
        played(100, TIGHT_GROSS if name == "gross_exposure" else POLICY)


def test_the_totals_of_the_book_are_the_sums_of_its_positions() -> None:
    for seed in range(20):
        run = Run(seed)
        run.play()
        account = run.desk.kernel._state.book.account
        positions = account.positions
        assert account.buying_attos == sum(at.buying_attos for at in positions.values())
        assert account.selling_attos == sum(at.selling_attos for at in positions.values())
        assert account.worst_attos == sum(at.worst_attos for at in positions.values())
        occupied = [
            at.quantity_nanos or at.buying_nanos or at.selling_nanos for at in positions.values()
        ]
        assert account.occupied == sum(map(bool, occupied))
        for sector in ("tech", "energy"):
            own = [at.worst_attos for at in positions.values() if at.sector == sector]
            assert account.sectors.get(sector, 0) == sum(own)


def test_orders_pass_at_the_same_cost_of_book_with_ten_thousand_working() -> None:
    """The sums are kept, so nothing in the decision walks over what works."""
    desk = Desk(Policy(limits=Limits(order_rate_max=20_000, order_value_nanos_max=NANOS**2)))
    for number in range(10_000):
        desk.now_ns += SECOND // 1_000
        if number % 1_000 == 0:
            desk.quote("AAPL", 250)
        assert any(isinstance(e, fx.SubmitOrder) for e in desk.order(Side.BUY, NANOS // 1_000))
    account = desk.kernel._state.book.account
    assert account.buying_attos == 10_000 * (NANOS // 1_000) * 250 * NANOS
    assert account.occupied == 1
