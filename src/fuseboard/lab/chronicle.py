"""What a trial writes down as it goes: series, bands, marks and counts, all of them bounded."""

from collections import Counter
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from fuseboard.exchange.orders import OrderEvent
from fuseboard.feeds.tapes.tape import Tape, TapeQuote, TapeTrade
from fuseboard.lab.bands import Bands
from fuseboard.lab.marks import Marks
from fuseboard.lab.result import POINTS_MAX, SYMBOLS_DRAWN_MAX, Mark, Orders, Series
from fuseboard.lab.series import Buckets
from fuseboard.lab.strategy import Place
from fuseboard.lab.valuing import Valuing
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.money import NANOS

MARK_BUCKETS: Final = 1_000
Scores = Callable[[str], tuple[int, int, Tier] | None]
"""A symbol's plain and calibrated score as last judged, and its tier; None: nobody measures."""


class _Seen(Struct):
    """One symbol's market since the last sample, and its counts."""

    drawn: "_Drawn | None"
    quotes: int = 0
    trades: int = 0
    quote: TapeQuote | None = None
    middle_nanos: int = 0
    low_nanos: int = 0
    high_nanos: int = 0
    spread_high_nanos: int = 0
    fresh: bool = False
    derived: bool = False
    """A quote of it was made from trades or bars, not recorded."""


class _Drawn(Struct, frozen=True):
    price: Buckets
    spread: Buckets
    depth: Buckets
    position: Buckets
    score: Buckets
    calibrated: Buckets


class ScoreSeen(Struct):
    """One symbol's score over time: the one that its tier follows."""

    value: int = 0
    since_ns: int = 0
    lowest: int = 0
    point_ns: int = 0
    """Sum of score x ns."""
    known_ns: int = 0


class Chronicle:
    """One trial's. Times do not go back; `sample` is called once a slice, after all of it."""

    def __init__(self, tape: Tape, *, cash_nanos: int, began_ns: int) -> None:
        span_ns = max(tape.session.close_ns - began_ns, 1)
        self._began_ns = began_ns
        self._bucket_ns = -(-span_ns // POINTS_MAX)
        self.valuing = Valuing(cash_nanos=cash_nanos, closes=dict(tape.prior_close_nanos))
        self.marks = Marks(began_ns=began_ns, bucket_ns=-(-span_ns // MARK_BUCKETS))
        self.postures = Bands()
        self.tiers = Bands()
        self.tier_changes: Counter[str] = Counter()
        self.tier_falls: Counter[str] = Counter()
        self.emergencies = 0
        self.trips = 0
        self.first_trip_ns = 0
        self.events = 0
        self.scores: dict[str, ScoreSeen] = {}
        self.follows_calibrated = True
        self.score_of: Scores = _nobody_measures
        self._equity = self._buckets("equity", "", "money")
        self._last_equity_nanos = cash_nanos
        self.first_equity_nanos = cash_nanos
        self._peak_nanos = cash_nanos
        self.worst_drawdown_nanos = 0
        self.worst_drawdown_ns = began_ns
        self._seen = {
            symbol: _Seen(drawn=self._drawn(symbol) if at < SYMBOLS_DRAWN_MAX else None)
            for at, symbol in enumerate(tape.symbols)
        }
        self._touched: dict[str, _Seen] = {}
        self._counts: Counter[str] = Counter()
        self._denials: Counter[str] = Counter()
        self._equity.add(began_ns, cash_nanos)

    # --- the market ------------------------------------------------------------------------------

    def on_quote(self, quote: TapeQuote) -> None:
        """A quote of the tape."""
        seen = self._seen[quote.symbol]
        seen.quotes += 1
        seen.quote = quote
        if quote.derived:
            seen.derived = True
        middle_nanos = self.valuing.on_quote(quote)
        self._touched[quote.symbol] = seen
        if seen.drawn is None or middle_nanos == 0:
            return
        spread_nanos = quote.ask_nanos - quote.bid_nanos
        if not seen.fresh:
            seen.fresh = True
            seen.low_nanos = seen.high_nanos = middle_nanos
            seen.spread_high_nanos = spread_nanos
        elif middle_nanos < seen.low_nanos:
            seen.low_nanos = middle_nanos
        elif middle_nanos > seen.high_nanos:
            seen.high_nanos = middle_nanos
        if spread_nanos > seen.spread_high_nanos:
            seen.spread_high_nanos = spread_nanos
        seen.middle_nanos = middle_nanos

    def on_trade(self, trade: TapeTrade) -> None:
        """A trade of the tape."""
        seen = self._seen[trade.symbol]
        seen.trades += 1
        self.valuing.on_trade(trade)
        self._touched[trade.symbol] = seen

    def market_of(self, symbol: str) -> tuple[int, int]:
        """How many quotes and trades a symbol had."""
        return self._seen[symbol].quotes, self._seen[symbol].trades

    def quotes(self) -> dict[str, TapeQuote]:
        """The last quote of each symbol that has had one."""
        return {name: at.quote for name, at in self._seen.items() if at.quote is not None}

    def sample(self, at_ns: int) -> None:
        """The end of a slice: equity, and what was touched."""
        equity_nanos = self.valuing.equity_nanos()
        if equity_nanos != self._last_equity_nanos:
            self._last_equity_nanos = equity_nanos
            self._judge_drawdown(at_ns, equity_nanos)
        self._equity.add(at_ns, equity_nanos)
        for symbol, seen in self._touched.items():
            scores = self.score_of(symbol)
            if scores is not None:
                self._score(symbol, at_ns, scores)
            if seen.drawn is not None:
                self._draw(symbol, at_ns, seen, seen.drawn, scores)
        self._touched.clear()

    def _judge_drawdown(self, at_ns: int, equity_nanos: int) -> None:
        if equity_nanos > self._peak_nanos:
            self._peak_nanos = equity_nanos
            return
        fallen_nanos = -(-(self._peak_nanos - equity_nanos) * NANOS // self._peak_nanos)
        if fallen_nanos > self.worst_drawdown_nanos:
            self.worst_drawdown_nanos, self.worst_drawdown_ns = fallen_nanos, at_ns

    def _score(self, symbol: str, at_ns: int, scores: tuple[int, int, Tier]) -> None:
        value = scores[self.follows_calibrated]
        at = self.scores.get(symbol)
        if at is None:
            self.scores[symbol] = ScoreSeen(value, at_ns, value)
            self.tiers.change(symbol, at_ns, scores[2].name, score=value)
            return
        at.point_ns += at.value * (at_ns - at.since_ns)
        at.known_ns += at_ns - at.since_ns
        at.value, at.since_ns = value, at_ns
        at.lowest = min(at.lowest, value)

    def _draw(
        self,
        symbol: str,
        at_ns: int,
        seen: _Seen,
        drawn: _Drawn,
        scores: tuple[int, int, Tier] | None,
    ) -> None:
        quote = seen.quote
        if quote is None:
            return
        if seen.fresh:
            seen.fresh = False
            middle_nanos = seen.middle_nanos
            drawn.price.add(at_ns, middle_nanos, seen.low_nanos, seen.high_nanos)
            spread_nanos = (quote.ask_nanos - quote.bid_nanos) * NANOS // middle_nanos
            highest_nanos = seen.spread_high_nanos * NANOS // middle_nanos
            drawn.spread.add(at_ns, spread_nanos, None, max(spread_nanos, highest_nanos))
        drawn.depth.add(at_ns, _displayed(quote))
        drawn.position.add(at_ns, self.valuing.positions.get(symbol, 0))
        if scores is not None:
            drawn.score.add(at_ns, scores[0])
            drawn.calibrated.add(at_ns, scores[1])

    # --- orders ----------------------------------------------------------------------------------

    def count(self, what: str) -> None:
        """One more of a count of `Orders`."""
        self._counts[what] += 1

    def placed(self, place: Place, at_ns: int, kind: str, *, price_nanos: int = 0) -> None:
        """An order was `allowed`, `resized`, ... : counted, and marked."""
        self._counts[kind] += 1
        self._mark_order(place, at_ns, kind, price_nanos=price_nanos)

    def denied(self, place: Place, at_ns: int, kind: str, *, code: str, text: str) -> None:
        """An order was `denied`, `rejected` or `refused`."""
        self._counts[kind] += 1
        self._denials[code] += 1
        self._mark_order(place, at_ns, kind, code=code, text=text)

    def _mark_order(
        self,
        place: Place,
        at_ns: int,
        kind: str,
        *,
        price_nanos: int = 0,
        code: str = "",
        text: str = "",
    ) -> None:
        self.marks.add(
            Mark(
                at_ns=at_ns,
                kind=kind,
                symbol=place.symbol,
                side=place.side,
                quantity_nanos=place.quantity_nanos,
                price_nanos=price_nanos or place.limit_price_nanos or 0,
                code=code,
                text=text,
            )
        )

    def order_event(self, event: OrderEvent, *, plan: bool) -> None:
        """Something happened to an order at the exchange; `plan`: to a liquidation's."""
        ticket, fill = event.order.ticket, event.fill
        if fill is None:
            return
        self.valuing.on_fill(ticket.symbol, ticket.side, fill)
        if not plan:
            self._counts["fills"] += 1
        self.marks.add(
            Mark(
                at_ns=event.at_ns,
                kind="plan_fill" if plan else "fill",
                symbol=ticket.symbol,
                side=ticket.side,
                quantity_nanos=fill.quantity_nanos,
                price_nanos=fill.price_nanos,
            )
        )

    def note(self, at_ns: int, kind: str, *, symbol: str = "", code: str = "", text: str) -> None:
        """Something to mark that is no order's."""
        self.marks.add(Mark(at_ns=at_ns, kind=kind, symbol=symbol, code=code, text=text))

    def tripped(self, at_ns: int, fuse: str, text: str) -> None:
        """A fuse went to TRIGGERED."""
        self.trips += 1
        self.first_trip_ns = self.first_trip_ns or at_ns
        self.note(at_ns, "trip", code=fuse, text=text)

    def tier(self, symbol: str, at_ns: int, before: str, after: str, score: int) -> None:
        """A symbol's tier changed."""
        self.tiers.change(symbol, at_ns, after, score=score)
        self.tier_changes[symbol] += 1
        if Tier[after] > Tier[before]:
            self.tier_falls[symbol] += 1
            self.emergencies += after == Tier.EMERGENCY.name

    # --- the end ---------------------------------------------------------------------------------

    def orders(self, skips: frozenset[str]) -> Orders:
        """The counts; `skips` are the codes by which liquidity denies."""
        counts = self._counts
        answered = counts["allowed"] + counts["denied"] + counts["rejected"] + counts["refused"]
        ranked = sorted(self._denials.items(), key=lambda item: (-item[1], item[0]))
        return Orders(
            submitted=counts["submitted"],
            allowed=counts["allowed"],
            resized=counts["resized"],
            repriced=counts["repriced"],
            taken_back=counts["taken_back"],
            denied=counts["denied"],
            rejected=counts["rejected"],
            refused=counts["refused"],
            unanswered=counts["submitted"] - answered,
            skipped=sum(times for code, times in ranked if code in skips),
            cancels=counts["cancels"],
            fills=counts["fills"],
            denials=dict(ranked),
        )

    def series(self) -> tuple[Series, ...]:
        """All series that have a point."""
        drawn = [self._equity.series()]
        for seen in self._seen.values():
            if seen.drawn is not None:
                at = seen.drawn
                drawn += [each.series(derived=seen.derived) for each in (at.price, at.spread)]
                drawn += [at.depth.series(derived=seen.derived), at.position.series()]
                drawn += [each.series(derived=seen.derived) for each in (at.score, at.calibrated)]
        return tuple(series for series in drawn if series.index)

    def last_equity_nanos(self) -> int:
        """Equity at the last sample."""
        return self._last_equity_nanos

    def _drawn(self, symbol: str) -> _Drawn:
        return _Drawn(
            price=self._buckets("price", symbol, "money"),
            spread=self._buckets("spread", symbol, "fraction"),
            depth=self._buckets("depth", symbol, "units"),
            position=self._buckets("position", symbol, "units"),
            score=self._buckets("score", symbol, "points"),
            calibrated=self._buckets("calibrated", symbol, "points"),
        )

    def _buckets(self, name: str, symbol: str, unit: str) -> Buckets:
        return Buckets(name, symbol, unit, began_ns=self._began_ns, bucket_ns=self._bucket_ns)


def _displayed(quote: TapeQuote) -> int:
    """Units on both sides: all levels that are told, else the best of each."""
    if quote.bids or quote.asks:
        return sum(size for _, size in quote.bids) + sum(size for _, size in quote.asks)
    return quote.bid_size_nanos + quote.ask_size_nanos


def _nobody_measures(symbol: str) -> None:
    del symbol
