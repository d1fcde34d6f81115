"""A trial's result in plain words, for a terminal."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Final

from fuseboard.feeds.tapes.tape import TapeKind
from fuseboard.feeds.tapes.times import NEW_YORK
from fuseboard.lab.resting import DAY_NS
from fuseboard.lab.result import Liquidation, TrialResult
from fuseboard.vocabulary.money import NANOS, rounded_half_up, shown_money, shown_percent

DENIALS_SHOWN_MAX: Final = 6
LIQUIDATIONS_SHOWN_MAX: Final = 4
_DIGEST_SHOWN: Final = 16
Row = tuple[str, str]


def summary(result: TrialResult) -> list[Row]:
    """What it came to: a word, and a sentence or two; the word is empty where one goes on."""
    return [
        *_what_ran(result),
        *_money(result),
        *_orders(result),
        *_liquidity(result),
        *_protection(result),
        *_costs(result),
    ]


def _what_ran(result: TrialResult) -> Iterator[Row]:
    ran = result.ran
    begins, ends = clock(result, ran.open_ns, with_day=True), clock(result, ran.close_ns)
    yield "tape", f"{ran.tape}: {ran.tape_describes}"
    symbols = ", ".join(ran.symbols[:6]) + (" ..." if len(ran.symbols) > 6 else "")
    yield "", f"{symbols}; {begins} to {ends} {_zone_name(result)}"
    gate = f"protected by the policy {ran.policy!r}" if ran.protected else "UNPROTECTED, no gate"
    yield "strategy", f"{ran.strategy}, {gate}"


def _money(result: TrialResult) -> Iterator[Row]:
    figures = result.figures
    kept = shown_percent(figures.capital_kept_nanos)
    first, last = shown_money(figures.equity_first_nanos), shown_money(figures.equity_last_nanos)
    yield "capital", f"{kept} kept: {first} became {last} USD"
    fallen = shown_percent(figures.worst_drawdown_nanos)
    at = f" at {clock(result, figures.worst_drawdown_ns)}" if figures.worst_drawdown_nanos else ""
    yield "", f"worst drawdown {fallen}{at}"


def _orders(result: TrialResult) -> Iterator[Row]:
    orders = result.figures.orders
    changed = [
        f"{orders.resized:,} cut" if orders.resized else "",
        f"{orders.repriced:,} repriced" if orders.repriced else "",
    ]
    of_these = ", ".join(text for text in changed if text)
    parts = [f"{orders.allowed:,} allowed" + (f" ({of_these})" if of_these else "")]
    parts += [
        f"{count:,} {what}"
        for count, what in (
            (orders.denied, "denied"),
            (orders.rejected, "rejected by the exchange"),
            (orders.refused, "refused"),
            (orders.unanswered, "unanswered at the end"),
        )
        if count
    ]
    yield "orders", f"{orders.submitted:,} asked for: {', '.join(parts)}"
    yield "", f"{orders.fills:,} fills, {orders.cancels:,} cancels asked for"
    denials = list(orders.denials.items())
    if denials:
        shown = ", ".join(f"{code} {count:,}" for code, count in denials[:DENIALS_SHOWN_MAX])
        more = len(denials) - DENIALS_SHOWN_MAX
        yield "why not", shown + (f", {more} more" if more > 0 else "")


def _liquidity(result: TrialResult) -> Iterator[Row]:
    figures = result.figures
    whole_ns = sum(figures.tier_ns.values())
    if not whole_ns:
        return
    parts = ", ".join(
        f"{tier} {shown_percent(spent_ns * NANOS // whole_ns)}"
        for tier, spent_ns in sorted(figures.tier_ns.items(), key=lambda item: -item[1])
    )
    hourly = rounded_half_up(figures.tier_changes_an_hour_nanos * 10, NANOS)
    rate = f"{hourly // 10}.{hourly % 10} an hour for one symbol"
    yield "liquidity", f"{parts}"
    yield (
        "",
        f"{figures.tier_changes:,} changes of tier, {rate}; {figures.emergencies:,} to EMERGENCY",
    )


def _protection(result: TrialResult) -> Iterator[Row]:
    figures = result.figures
    if not result.ran.protected:
        return
    whole_ns = sum(figures.posture_ns.values())
    if whole_ns:
        parts = ", ".join(
            f"{posture} {shown_percent(spent_ns * NANOS // whole_ns)}"
            for posture, spent_ns in figures.posture_ns.items()
            if spent_ns
        )
        yield "posture", parts
    if not figures.trips:
        yield "trips", "none"
        return
    yield "trips", f"{figures.trips}, the first at {clock(result, figures.first_trip_ns)}"
    for each in figures.liquidations[:LIQUIDATIONS_SHOWN_MAX]:
        yield "closing", _closing(result, each)
        costs, at_once = (
            shown_percent(each.slippage_nanos),
            shown_percent(each.at_once_slippage_nanos),
        )
        yield "", f"cost {costs} of what was closed; all at once would have cost {at_once}"
    more = len(figures.liquidations) - LIQUIDATIONS_SHOWN_MAX
    if more > 0:
        yield "", f"{more} more"


def _closing(result: TrialResult, each: Liquidation) -> str:
    if not each.ended_ns:
        return f"{each.trip}: not over when the tape ended"
    tenths = rounded_half_up(each.ended_ns - each.began_ns, NANOS // 10)
    left = f"; left open: {'; '.join(each.left)}" if each.left else ""
    value = shown_money(each.arrival_value_nanos)
    return f"{each.trip}: {value} USD in {tenths // 10}.{tenths % 10} s{left}"


def _costs(result: TrialResult) -> Iterator[Row]:
    signals, took = result.signals, result.took
    yield (
        "signals",
        (
            f"{signals.calls:,} calls into the strategy: half within {_micros(signals.p50_ns)},"
            f" 99 % within {_micros(signals.p99_ns)}; {signals.slow:,} took over 1 ms"
        ),
    )
    tenths = rounded_half_up(took.wall_ns, NANOS // 10)
    yield (
        "run",
        (
            f"{result.figures.events:,} events in {tenths // 10}.{tenths % 10} s"
            f" ({took.events_a_second:,} a second)"
        ),
    )
    yield "digest", f"{result.digest[:_DIGEST_SHOWN]}, the same whenever the same is run"


def _micros(ns: int) -> str:
    tenths = rounded_half_up(ns, 100)
    return f"{tenths // 10:,}.{tenths % 10} µs"


def clock(result: TrialResult, at_ns: int, *, with_day: bool = False) -> str:
    """A time as people of the tape's market read it; with its day where a tape has several."""
    at = datetime.fromtimestamp(at_ns // NANOS, tz=_zone(result))
    several = result.ran.close_ns - result.ran.open_ns > DAY_NS
    return f"{at:%F %T}" if with_day or several else f"{at:%T}"


def _zone(result: TrialResult) -> tzinfo:
    return UTC if result.ran.tape_kind == TapeKind.CRYPTO.value else NEW_YORK


def _zone_name(result: TrialResult) -> str:
    return "UTC" if _zone(result) is UTC else "New York"
