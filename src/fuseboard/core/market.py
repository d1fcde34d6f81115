"""Quotes and marks: which prices are good enough to judge and to value by (law 12).

A quote prices orders when it is positive, not crossed, and not wider than the policy's spread.
A mark values positions: the middle of a good quote, and while quotes are excluded, the last trade.
A price that jumps further than the policy allows waits for a second one that agrees with it, so a
single bad print values and prices nothing and yet a real crash is late by one quote only.
"""

from msgspec import Struct

from fuseboard.policy.data_rules import DataRules
from fuseboard.vocabulary.inputs import QuoteSeen, TradeSeen
from fuseboard.vocabulary.money import NANOS


class Instrument(Struct):
    """What is known of one symbol's market."""

    bid_nanos: int = 0
    ask_nanos: int = 0
    bid_size_nanos: int = 0
    ask_size_nanos: int = 0
    quoted_boot_ns: int = 0
    """When the last good quote came; `bid_nanos` is 0 before the first."""
    excluded: bool = True
    """Whether the latest quote was not good enough (or there was none yet)."""
    mark_nanos: int = 0
    suspect_nanos: int = 0
    """A mark that jumped and waits for a second one that agrees; 0 when there is none."""
    last_trade_nanos: int = 0
    traded_boot_ns: int = 0

    def quote(self, seen: QuoteSeen, rules: DataRules, boot_ns: int) -> int:
        """Take a quote; the new mark, 0 when it values nothing."""
        bid_nanos, ask_nanos = seen.bid_nanos, seen.ask_nanos
        twice_middle = bid_nanos + ask_nanos
        spread_nanos = ask_nanos - bid_nanos
        if (
            bid_nanos <= 0
            or spread_nanos < 0
            or 2 * spread_nanos * NANOS > rules.spread_nanos_max * twice_middle
        ):
            self.excluded = True
            return 0
        mark_nanos = self._mark(twice_middle // 2, rules)
        if mark_nanos == 0:
            return 0  # it jumped: no order is priced by it either, until a second one agrees
        self.bid_nanos, self.ask_nanos, self.quoted_boot_ns = bid_nanos, ask_nanos, boot_ns
        self.bid_size_nanos, self.ask_size_nanos = seen.bid_size_nanos, seen.ask_size_nanos
        self.excluded = False
        return mark_nanos

    def trade(self, seen: TradeSeen, rules: DataRules, boot_ns: int) -> int:
        """Take a trade; the new mark, 0 when quotes are good enough to mark by."""
        return self.last_price(seen.price_nanos, rules, boot_ns)

    def last_price(self, price_nanos: int, rules: DataRules, boot_ns: int) -> int:
        """Take the price of a trade, whoever tells it; the new mark as for `trade`."""
        if price_nanos <= 0:
            return 0
        self.last_trade_nanos, self.traded_boot_ns = price_nanos, boot_ns
        return self._mark(price_nanos, rules) if self.excluded else 0

    def _mark(self, mark_nanos: int, rules: DataRules) -> int:
        known_nanos = self.mark_nanos
        if known_nanos and _jumps(known_nanos, mark_nanos, rules):
            suspect_nanos, self.suspect_nanos = self.suspect_nanos, mark_nanos
            if not suspect_nanos or _jumps(suspect_nanos, mark_nanos, rules):
                return 0
        self.suspect_nanos = 0
        self.mark_nanos = mark_nanos
        return mark_nanos

    def forget_quote(self) -> None:
        """Nobody watched for a while: prices orders by nothing until the next quote."""
        self.bid_nanos = self.ask_nanos = 0
        self.excluded = True

    def priced(self, rules: DataRules, boot_ns: int) -> bool:
        """Whether orders may be priced by the last good quote."""
        fresh = boot_ns - self.quoted_boot_ns <= rules.quote_age_ns_max
        return self.bid_nanos > 0 and fresh

    def blind(self, rules: DataRules, boot_ns: int) -> bool:
        """Whether nothing values this symbol now: quotes excluded without a trade, or all old."""
        if self.excluded and self.traded_boot_ns <= self.quoted_boot_ns:
            return True
        latest_boot_ns = max(self.quoted_boot_ns, self.traded_boot_ns)
        return boot_ns - latest_boot_ns > rules.quote_age_ns_max


def _jumps(before_nanos: int, after_nanos: int, rules: DataRules) -> bool:
    return abs(after_nanos - before_nanos) * NANOS > rules.jump_nanos_max * before_nanos
