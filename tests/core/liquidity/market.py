"""A kernel under a policy that measures liquidity, and a market for it."""

from typing import Any

from msgspec.structs import replace

from fuseboard.core.liquidity.monitor import Liquidity
from fuseboard.policy.data_rules import DataRules
from fuseboard.policy.limits import Limits
from fuseboard.policy.liquidity_rules import LiquidityRules
from fuseboard.policy.policy import Policy
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.market_inputs import QuoteSeen, TradeSeen
from fuseboard.vocabulary.money import NANOS
from tests.core.test_known_failures import Desk

SECOND, CENT = NANOS, NANOS // 100
LIMITS = Limits(
    order_value_nanos_max=200_000 * NANOS,
    order_rate_max=1_000,
    gross_exposure_nanos_max=100 * NANOS,
)


WIDE = DataRules(spread_nanos_max=NANOS // 2, jump_nanos_max=NANOS)


class LiquidDesk(Desk):
    """A desk with 1,000,000 USD; AAPL around 250, sizes in shares, prices in cents."""

    def __init__(self, policy: Policy | None = None, *, held: int = 0, **rules: Any) -> None:
        base = policy or Policy(limits=LIMITS, losses=(), data=WIDE)
        liquidity = LiquidityRules(**{"enabled": True, **rules})
        cash = 1_000_000 - held * 250
        super().__init__(replace(base, liquidity=liquidity), cash=cash, held=held, multiplier=4)

    def quoted(
        self,
        bid: int = 24_999,
        ask: int = 25_001,
        size: int = 200,
        symbol: str = "AAPL",
        event_ns: int = 0,
    ) -> tuple[fx.Effect, ...]:
        return self.take(
            QuoteSeen(
                symbol=symbol,
                bid_nanos=bid * CENT,
                ask_nanos=ask * CENT,
                bid_size_nanos=size * NANOS,
                ask_size_nanos=size * NANOS,
                event_ns=event_ns,
                bid_low_nanos=bid * CENT,
                ask_high_nanos=ask * CENT,
            )
        )

    def traded(
        self, count: int = 1, price: int = 25_000, event_ns: int = 0
    ) -> tuple[fx.Effect, ...]:
        nanos = price * CENT
        return self.take(
            TradeSeen(
                symbol="AAPL",
                price_nanos=nanos,
                size_nanos=NANOS,
                event_ns=event_ns,
                low_nanos=nanos,
                high_nanos=nanos,
                count=count,
            )
        )

    def calm(self, seconds: int = 75, size: int = 200) -> "LiquidDesk":
        """A quote a second and twenty trades, for so long."""
        for _ in range(seconds):
            self.now_ns += SECOND
            self.traded(20)
            self.quoted(size=size)
        return self

    def at(self, tier: Tier) -> "LiquidDesk":
        """A market in this tier, calm but for its spread and its size."""
        self.calm()
        assert self.tier() is Tier.NORMAL
        asks = {
            Tier.NORMAL: (25_001, 200),
            Tier.CAUTIOUS: (25_200, 1),
            Tier.DEFENSIVE: (25_480, 1),
        }
        if tier is Tier.EMERGENCY:
            self.quoted(24_999, 24_990)
            self.quoted()
        else:
            self.quoted(24_999, *asks[tier])
        assert self.tier() is tier, self.known.score
        return self

    @property
    def known(self) -> Liquidity:
        return self.kernel._state.liquidity["AAPL"]

    def tier(self) -> Tier:
        return self.known.gauge.tier


def of(effects: tuple[fx.Effect, ...], kind: type[Any]) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]
