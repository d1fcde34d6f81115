"""Quotes and marks: which prices are good enough to judge and to value by (law 12).

A quote prices orders when it is positive, not crossed, not wider than the policy's spread and came
in time. A *locked* quote (bid = ask) is good: both sides are firm (Reg NMS rule 602) and anybody
may trade at that one price; rule 610(d) only tells venues not to display it for long. A *crossed*
one (bid > ask) says that at least one side is stale and not which (rule 611(b)(4) protects
neither), so it values and prices nothing.

A mark values positions: the middle of a good quote, and while quotes are excluded or in doubt, the
last trade. A price that moves further than the policy allows waits for a second one, quote or
trade, that agrees with it: a single bad print values and prices nothing, and yet a real crash is
late by one quote only. While nothing was good for `DOUBT_NS` the symbol is *blind*: then the
broker's own equity counts. What is excluded here is journaled as it came, for whoever measures
liquidity.
"""

from typing import Final

from msgspec import Struct

from fuseboard.core.anomalies import Habit, moves_oddly
from fuseboard.policy.data_rules import DataRules
from fuseboard.vocabulary.market_inputs import QuoteSeen, TradeSeen
from fuseboard.vocabulary.money import NANOS

DOUBT_NS: Final = NANOS
"""How long prices may all be excluded or disagree before the symbol is blind."""
WIDE_NANOS: Final = NANOS // 6
"""A policy that lets prices move further at once may let a split pass for one."""
OFFSET_WINDOW_NS: Final = 5 * 60 * NANOS
"""The smallest delay of a feed is remembered for this long at least and twice as long at most."""


class TradingHalt(Struct, kw_only=True):
    """One halt that an exchange told, until new risk is let on again."""

    code: str
    level: int
    event_ns: int
    """Exchange time of the last word on it."""
    resumed: bool = False
    due_boot_ns: int = 0
    """When new risk is let on again; 0 while the exchange has not resumed trading."""
    missed_boot_ns: int = 0
    """Since when its resumption may have been missed; 0: nobody was away since it was told."""
    traded: bool = False
    """Whether a close was filled since: exits go on, new risk waits for the exchange's word."""

    def stops_exits(self) -> bool:
        """Whether nothing can be closed, as far as is known."""
        return not (self.resumed or self.traded)


def halts_of(halts: dict[str, TradingHalt], symbol: str) -> dict[str, TradingHalt]:
    """Of these, the halts that a symbol is subject to: its own, and the market's."""
    names = (symbol,) if "/" in symbol else (symbol, "")
    return {name: halts[name] for name in names if name in halts}


class FeedTimes(Struct):
    """How far the feeds' times are from ours: the smallest difference seen is no delay.

    A constant difference is that of two clocks; what a message took longer than the fastest one
    took on its way. Two windows, so that a clock which was set is forgiven after a while.
    """

    window_boot_ns: int = 0
    least_ns: int | None = None
    """Our wall time less the event's: the smallest of this window, and of the one before."""
    least_before_ns: int | None = None

    def late(self, *, event_ns: int, wall_ns: int, boot_ns: int, late_ns_max: int) -> bool:
        """Whether a message took longer than `late_ns_max`; remembers what it took."""
        if event_ns <= 0:
            return False  # it does not say when it happened
        took_ns = wall_ns - event_ns
        if boot_ns - self.window_boot_ns >= OFFSET_WINDOW_NS:
            skipped = boot_ns - self.window_boot_ns >= 2 * OFFSET_WINDOW_NS
            self.least_before_ns = None if skipped else self.least_ns
            self.window_boot_ns, self.least_ns = boot_ns, None
        if self.least_ns is None or took_ns < self.least_ns:
            self.least_ns = took_ns
        least_ns = self.least_ns
        if self.least_before_ns is not None and self.least_before_ns < least_ns:
            least_ns = self.least_before_ns
        return took_ns - least_ns > late_ns_max


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
    doubt_boot_ns: int = 0
    """Since when prices are excluded or disagree; 0 once two in a row were good."""
    jumped_from_nanos: int = 0
    """From where its mark moved further at once than the policy's limit, until somebody asks why;
    else 0.
    """
    settling: bool = False
    """Whether one price was good since the last one that jumped."""
    trade_before: tuple[int, int] = (0, 0)
    """Price and boot time of the trade before the last, for when the last is taken back."""
    habit: Habit | None = None
    """How its prices and volumes usually move; only where the policy looks for anomalies."""

    def quote(self, seen: QuoteSeen, rules: DataRules, boot_ns: int, *, late: bool = False) -> int:
        """Take a quote; the new mark, 0 when it values nothing. `late`: it took too long."""
        bid_nanos, ask_nanos = seen.bid_nanos, seen.ask_nanos
        twice_middle = bid_nanos + ask_nanos
        spread_nanos = ask_nanos - bid_nanos
        if (
            late
            or bid_nanos <= 0
            or spread_nanos < 0
            or 2 * spread_nanos * NANOS > rules.spread_nanos_max * twice_middle
        ):
            self.excluded = True
            self._doubt(boot_ns)
            return 0
        # Long and short share the mark: half a nano is cut, for a short position in its favour.
        mark_nanos = self._mark(twice_middle // 2, rules, boot_ns)
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
        self.trade_before = (self.last_trade_nanos, self.traded_boot_ns)
        self.last_trade_nanos, self.traded_boot_ns = price_nanos, boot_ns
        if self.excluded or self.suspect_nanos:
            return self._mark(price_nanos, rules, boot_ns)
        return 0

    def withdraw(self, price_nanos: int, corrected_nanos: int, boot_ns: int) -> int:
        """Take back the last trade if that was its price; the new mark, 0 when marks stay.

        While quotes are excluded the mark falls back to the corrected price or the trade before.
        """
        if price_nanos <= 0 or price_nanos != self.last_trade_nanos:
            return 0
        if self.suspect_nanos == price_nanos:
            self.suspect_nanos = 0
        if corrected_nanos > 0:
            self.last_trade_nanos = corrected_nanos
        else:
            self.last_trade_nanos, self.traded_boot_ns = self.trade_before
        self.trade_before = (0, 0)
        if not self.excluded or self.mark_nanos != price_nanos:
            return 0
        if self.last_trade_nanos == 0:
            self._doubt(boot_ns)
            return 0
        self.mark_nanos = self.last_trade_nanos
        return self.mark_nanos

    def _mark(self, mark_nanos: int, rules: DataRules, boot_ns: int) -> int:
        known_nanos = self.mark_nanos
        if known_nanos and self._jumps(known_nanos, mark_nanos, rules):
            suspect_nanos, self.suspect_nanos = self.suspect_nanos, mark_nanos
            if not suspect_nanos or self._jumps(suspect_nanos, mark_nanos, rules):
                if suspect_nanos and self.habit is not None:  # it learns what is usual now
                    self.habit.moved(mark_nanos - suspect_nanos)
                self._doubt(boot_ns)
                self.settling = False
                return 0
            self.jumped_from_nanos = known_nanos
        elif rules.jump_nanos_max > WIDE_NANOS:  # a split is within what this policy lets pass
            self.jumped_from_nanos = known_nanos
        if self.doubt_boot_ns:
            self._settle()
        if self.habit is not None and known_nanos:
            self.habit.moved(mark_nanos - known_nanos)
        self.suspect_nanos = 0
        self.mark_nanos = mark_nanos
        return mark_nanos

    def _jumps(self, before_nanos: int, after_nanos: int, rules: DataRules) -> bool:
        change_nanos = after_nanos - before_nanos
        if abs(change_nanos) * NANOS > rules.jump_nanos_max * before_nanos:
            return True
        return self.habit is not None and moves_oddly(self.habit, change_nanos, rules)

    def _settle(self) -> None:
        """One good price is no proof: prices that jump to and fro are each good half the time."""
        if self.settling:
            self.doubt_boot_ns = 0
        self.settling = not self.settling

    def _doubt(self, boot_ns: int) -> None:
        if not self.doubt_boot_ns:
            self.doubt_boot_ns = boot_ns

    def forget_quote(self) -> None:
        """Nobody watched for a while: prices orders by nothing until the next quote."""
        self.bid_nanos = self.ask_nanos = 0
        self.excluded = True

    def split(self, mark_nanos: int) -> None:
        """What is quoted is of before a split: its mark is this, and the next quote prices it."""
        self.forget_quote()
        self.mark_nanos, self.suspect_nanos = mark_nanos, 0
        self.last_trade_nanos, self.trade_before = mark_nanos, (0, 0)

    def priced(self, rules: DataRules, boot_ns: int) -> bool:
        """Whether orders may be priced by the last good quote."""
        fresh = boot_ns - self.quoted_boot_ns <= rules.quote_age_ns_max
        return self.bid_nanos > 0 and fresh

    def blind(self, rules: DataRules, boot_ns: int) -> bool:
        """Whether nothing values this symbol now.

        Quotes are excluded and nobody traded since, or prices have jumped without agreeing for
        `DOUBT_NS`, or all are old.
        """
        if self.excluded and self.traded_boot_ns <= self.quoted_boot_ns:
            return True
        if self.doubt_boot_ns and boot_ns - self.doubt_boot_ns >= DOUBT_NS:
            return True
        latest_boot_ns = max(self.quoted_boot_ns, self.traded_boot_ns)
        return boot_ns - latest_boot_ns > rules.quote_age_ns_max


class DataDoubt(Struct):
    """Why market data as a whole tightens the account: a gauge, gone once it was well for long."""

    text: str
    well_boot_ns: int | None = None
    """Since when it is well again; None while it is not."""
    halted: bool = False
    """Whether it halted the account, where the policy says `halt`."""
    open_boot_ns: int | None = None
    """Since when it stands in an open market, where it began in a closed one."""
