"""A desk for what measures say: marks, fills and rejects to the nano, sessions, margin, breakers.

Conditions can write any fraction: see `written`.
"""

from fractions import Fraction

from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import BreakerRule, CheckRule, StrategyRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.money import ATTOS, NANOS
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import filled_whole, submitted
from tests.core.test_sessions import DATES, HOUR, MONTHS, WEEKS, SessionDesk

ACCOUNT, ALPHA, AAPL = "account", "strategy:alpha", "symbol:AAPL"
DIGITS = 14


def whole(number: int) -> str:
    """A whole number as conditions can write it, 15 digits at a time."""
    above, rest = divmod(number, 10**DIGITS)
    return str(rest) if above == 0 else f"({whole(above)} * {10**DIGITS} + {rest})"


def written(number: Fraction) -> str:
    """A fraction as conditions can write it."""
    sign = "-" if number < 0 else ""
    return f"{sign}({whole(abs(number.numerator))} / {whole(number.denominator)})"


def notice(number: int, condition: str, scope: str = ACCOUNT) -> BreakerRule:
    return BreakerRule(name=f"b{number}", condition=condition, action=Action.NOTIFY, scope=scope)


WATCHED = notice(0, "drawdown > 90% or rolling_drawdown > 90% or fill_quality < 1")
"""Peaks and fills are followed where something asks for them."""


def rules(*breakers: BreakerRule, checks: tuple[CheckRule, ...] = ()) -> Policy:
    return Policy(
        limits=Limits(
            order_value_nanos_max=NANOS**2, price_collar_nanos=NANOS, order_rate_max=5_000
        ),
        strategies=(StrategyRule(name="alpha", capital_nanos=500_000 * NANOS),),
        breakers=breakers,
        checks=checks,
    )


class Books(SessionDesk):
    """1,000 AAPL and 750,000 in cash; alpha trades AAPL, too."""

    def __init__(self, policy: Policy) -> None:
        self.number = 0
        super().__init__(policy)

    def begins(self, number: int) -> tuple[fx.Effect, ...]:
        """A session is open, by the broker's clock, too."""
        self.take(facts.BrokerClockSeen(wall_ns=self.now_ns + NANOS // 1000, is_open=True))
        return self.take(
            facts.SessionRolled(
                calendar="XNYS",
                session=DATES[number],
                week_began=WEEKS[number],
                month_began=MONTHS[number],
                open_ns=self.now_ns - HOUR,
                close_ns=self.now_ns + 7 * HOUR,
            )
        )

    def adopts(self, policy: Policy) -> None:
        text = canonical_text(policy)
        self.take(
            facts.PolicyAdopted(text=text, digest=digest_of(text), operator="ann", reason="agreed")
        )

    def marks(self, bid_nanos: int, wide_nanos: int = NANOS // 50) -> None:
        self.quote_nanos("AAPL", bid_nanos, bid_nanos + wide_nanos)

    def asks(self, side: Side, quantity_nanos: int, price_nanos: int) -> tuple[fx.Effect, ...]:
        self.number += 1
        return self.take(
            facts.OrderRequested(
                request=self.number,
                strategy="alpha",
                client_order_id=f"c{self.number}",
                symbol="AAPL",
                side=side,
                order_type=OrderType.LIMIT,
                time_in_force=TimeInForce.DAY,
                quantity_nanos=quantity_nanos,
                limit_price_nanos=price_nanos,
            )
        )

    def fills(self, quantity_nanos: int, price_nanos: int) -> None:
        """Buy so much, or sell when it is negative."""
        side = Side.BUY if quantity_nanos > 0 else Side.SELL
        (order,) = submitted(self.asks(side, abs(quantity_nanos), 250 * NANOS))
        self.take(filled_whole(order, f"b{self.number}", price_nanos))

    def is_rejected(self) -> None:
        (order,) = submitted(self.asks(Side.BUY, NANOS, 250 * NANOS))
        self.take(facts.OrderNotSent(order_id=order.order_id, reason=Reason.BROKER_REJECTED))

    def required(self, margin_nanos: int) -> None:
        self.take(
            facts.AccountSeen(
                cash_nanos=self.kernel._state.book.account.cash_attos // NANOS,
                equity_nanos=self.equity_attos(ACCOUNT) // NANOS,
                last_equity_nanos=1_000_000 * NANOS,
                multiplier=1,
                shorting_enabled=True,
                maintenance_margin_nanos=margin_nanos,
            )
        )

    def equity_attos(self, scope: str) -> int:
        book = self.kernel._state.book
        ledger = book.account if scope == ACCOUNT else book.strategies["alpha"]
        held = sum(at.quantity_nanos * at.mark_nanos for at in ledger.positions.values())
        return ledger.cash_attos + held + (0 if scope == ACCOUNT else 500_000 * ATTOS)

    def is_noted(self, number: int, scope: str) -> bool:
        fuse: RuleFuse = self.kernel._state.breakers[f"b{number}:{scope}"]
        assert not fuse.unknown, fuse.said
        return fuse.notified
