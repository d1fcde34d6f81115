"""A desk of two symbols: marks, fills, fees and transfers, as the broker's cash shows them."""

from fractions import Fraction

from fuseboard.core.fuses.rule import RuleFuse
from fuseboard.core.measures.values import value_of
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import BreakerRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import CashMoved
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import Posture
from tests.core.measures.books import Books, rules
from tests.core.test_known_failures import SECOND, filled_whole, submitted
from tests.policy.conditions.exact import fraction_of

AAPL, MSFT = "symbol:AAPL", "symbol:MSFT"
CENTS_2 = NANOS // 50


def breaker(condition: str, scope: str = AAPL, action: Action = Action.HALT) -> BreakerRule:
    return BreakerRule(
        name="b", condition=condition, scope=scope, action=action, cooldown_ns=10 * SECOND
    )


class SymbolBooks(Books):
    """1,000 AAPL at 250 and 750,000 in cash; alpha trades AAPL and MSFT, both at 250."""

    def __init__(self, *breakers: BreakerRule, policy: Policy | None = None) -> None:
        self.broker_cash_nanos = 750_000 * NANOS
        super().__init__(policy or rules(*breakers))
        self.prices("MSFT", 250 * NANOS)
        self.rolls(0)

    def prices(self, symbol: str, mark_nanos: int, times: int = 1) -> list[fx.Effect]:
        """Quotes around a mark."""
        told: list[fx.Effect] = []
        for _ in range(times):
            self.now_ns += SECOND // 4
            half_nanos = CENTS_2 // 2
            told += self.quote_nanos(symbol, mark_nanos - half_nanos, mark_nanos + half_nanos)
        return told

    def sends(self, symbol: str, quantity_nanos: int) -> tuple[fx.Effect, ...]:
        """Ask to buy so much of a symbol, or to sell when it is negative."""
        self.number += 1
        return self.take(
            facts.OrderRequested(
                request=self.number,
                strategy="alpha",
                client_order_id=f"c{self.number}",
                symbol=symbol,
                side=Side.BUY if quantity_nanos > 0 else Side.SELL,
                order_type=OrderType.LIMIT,
                time_in_force=TimeInForce.DAY,
                quantity_nanos=abs(quantity_nanos),
                limit_price_nanos=250 * NANOS,
            )
        )

    def trades(self, symbol: str, quantity_nanos: int, price_nanos: int) -> None:
        """A fill of whole nanos of a dollar, at a fresh quote of what the symbol was worth."""
        self.prices(symbol, self.kernel._state.instruments[symbol].mark_nanos)
        (order,) = submitted(self.sends(symbol, quantity_nanos))
        self.take(filled_whole(order, f"b{self.number}", price_nanos))
        cost_attos = quantity_nanos * price_nanos
        assert cost_attos % NANOS == 0
        self.broker_cash_nanos -= cost_attos // NANOS

    def read(self) -> tuple[fx.Effect, ...]:
        """The account is read on its schedule, while nothing of ours is under way."""
        self.now_ns += 6 * SECOND
        asked = self.take(facts.TimeAdvanced())
        told = self.figures()
        if fx.ReadAccount(positions=True) in asked:
            told += self.compares()
        return told

    def compares(self) -> tuple[fx.Effect, ...]:
        """The broker tells what our book holds, at our marks."""
        account = self.kernel._state.book.account
        held = [(symbol, account.positions[symbol]) for symbol in self.kernel._state.book.held()]
        return self.take(
            facts.PositionsSeen(
                positions=tuple(
                    facts.BrokerPosition(
                        symbol=symbol,
                        quantity_nanos=at.quantity_nanos,
                        average_price_nanos=at.average_price_nanos,
                        price_nanos=at.mark_nanos,
                    )
                    for symbol, at in held
                )
            )
        )

    def figures(self) -> tuple[fx.Effect, ...]:
        account = self.kernel._state.book.account
        equity_nanos = self.broker_cash_nanos + account.value_attos // NANOS
        return self.take(
            facts.AccountSeen(
                cash_nanos=self.broker_cash_nanos,
                equity_nanos=equity_nanos,
                last_equity_nanos=equity_nanos,
                multiplier=1,
                shorting_enabled=True,
            )
        )

    def pays(self, fee_nanos: int) -> None:
        """The broker takes a fee, which its cash shows."""
        self.broker_cash_nanos -= fee_nanos
        self.read()
        assert self.kernel._state.book.account.cash_attos == self.broker_cash_nanos * NANOS

    def transfers(self, amount_nanos: int) -> None:
        """A person says that money came, or went, and the broker's cash shows it."""
        self.read()
        self.take(CashMoved(request=5, amount_nanos=amount_nanos, why="ann: transfer"))
        self.broker_cash_nanos += amount_nanos
        (answer,) = [at for at in self.figures() if isinstance(at, fx.AnswerOperator)]
        assert answer.accepted, answer.message

    def value(self, name: str, scope: str = AAPL) -> Fraction | None:
        """In whole units, exact."""
        value = value_of(self.kernel._turn, name, scope)
        return None if value is None else fraction_of(name, value)

    def watcher(self, scope: str = AAPL) -> RuleFuse:
        return self.kernel._state.breakers[f"b:{scope}"]

    def posture(self, scope: str) -> Posture:
        return self.kernel._state.postures.get(scope, Posture.OPEN)
