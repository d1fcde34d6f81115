"""Leaving by tier: how much one close takes of what is shown, and whose turn it is in a symbol.

Theory of operation. Under a policy that measures liquidity a plan's close is for its tier's part of
the top five levels on the side it takes, at least a lot; a close that took nothing doubles the
part, as it doubles the collar. After a chunk that filled the next one goes when a second has passed
and the book was seen anew, because what is shown was there before we took from it. Once
`exit_within` has passed since the plan began, each close is for everything that is left, and the
last one never is a chunk (`trying`).

One leg of a symbol works at a time, account-wide: plans that hold the same symbol take turns, close
by close, who has had the fewest turns first, of these the oldest plan. A leg whose order is not
final in time gives up its turn, so that no plan waits for a cancel that nobody confirms; what still
works counts against the position then, as everything does. Who is done, frozen or waits for
something else is in nobody's way.

Without such a policy a close is for all that is left, and only turns are taken.

While the broker's clock says that the market is closed nothing is sent: people are paged once, the
stops stay, no time is spent, and the legs go on when the calendar or that clock says that it is
open. Only a recent word of the broker's holds a close back, our own clock never does.
"""

from typing import Final

from fuseboard.core import trying
from fuseboard.core.closes import DONE_STAGES, strategy_of
from fuseboard.core.legs import Leg, Plan, began_boot_ns
from fuseboard.core.liquidity.asked import tier_now
from fuseboard.core.liquidity.monitor import (
    BESIDE_NS,
    NO_SIZES,
    TAKEN_STANDS_NS,
    TOP_LEVELS,
    Liquidity,
)
from fuseboard.core.state import State, Turn
from fuseboard.core.stops import STOPS
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordExit
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Severity, Side

CHUNK_EVERY_NS: Final = TAKEN_STANDS_NS
VALUE_NANOS_MIN: Final = 10 * NANOS
"""The least that a chunk of what trades in any fraction is worth, in dollars: venues want some."""
COUNTED_NS: Final = NANOS
"""How long after a fill a broker's positions may be without it."""
LOOK_EVERY_NS: Final = 10 * NANOS
"""How often a leg looks whether the market has opened."""
TURN, BOOK, MARKET = "turn", "book", "market"
CLOSED: Final = "the market is closed"


# --- how much ------------------------------------------------------------------------------------


def quantity_nanos(turn: Turn, plan: Plan, leg: Leg, *, side: Side, open_nanos: int) -> int:
    """How much of what is open the next close takes; says by what."""
    tiers = turn.liquidity
    leg.chunk = False
    if tiers is None:
        return open_nanos
    at = turn.state.liquidity.get(leg.symbol)
    tier = Tier.EMERGENCY if at is None else tier_now(turn, leg.symbol, at)
    shown_nanos = None if at is None else _shown_nanos(at, side)
    taken_nanos, part_nanos, why = open_nanos, 0, ""
    if is_over(turn, plan, leg):
        why = "its time is over"
    elif shown_nanos is None:
        why = "no sizes are known"
    else:
        part_nanos = tiers.exit_participations_nanos[tier] << leg.tries
        least_nanos = _least_nanos(turn, leg.symbol)
        most_nanos = shown_nanos * part_nanos // NANOS
        if "/" not in leg.symbol:
            most_nanos -= most_nanos % NANOS
        most_nanos = max(most_nanos, least_nanos << leg.tries)
        if open_nanos - most_nanos >= least_nanos:  # what is left is a lot at least
            taken_nanos, leg.chunk = most_nanos, True
    assert 0 < taken_nanos <= open_nanos, "a chunk is a part of what is open"
    turn.out.append(
        RecordExit(
            trip=plan.trip,
            symbol=leg.symbol,
            attempt=leg.attempt,
            tier=tier.name,
            open_nanos=open_nanos,
            quantity_nanos=taken_nanos,
            shown_nanos=shown_nanos or 0,
            participation_nanos=part_nanos,
            uncapped=why,
        )
    )
    return taken_nanos


def is_over(turn: Turn, plan: Plan, leg: Leg) -> bool:
    """Whether a leg has taken its time: from now on its closes are for all that is left."""
    assert turn.liquidity is not None, "only measured markets are left in parts"
    return turn.boot_ns >= began_boot_ns(plan, leg) + turn.liquidity.exit_within_ns


def _shown_nanos(at: Liquidity, side: Side) -> int | None:
    """What the top levels show on the side that a close takes; None where no sizes are told.

    A book that is not usable shows nothing; so does one that was not seen since a start.
    """
    if at.lacks & NO_SIZES:
        return None
    levels = at.bids if side is Side.SELL else at.asks
    return sum(size_nanos for _, size_nanos in levels[:TOP_LEVELS])


def _least_nanos(turn: Turn, symbol: str) -> int:
    """One lot: a share, or of a pair what is worth `VALUE_NANOS_MIN` at its mark."""
    if "/" not in symbol:
        return NANOS
    instrument = turn.state.instruments.get(symbol)
    mark_nanos = 0 if instrument is None else instrument.mark_nanos
    return -(-VALUE_NANOS_MIN * NANOS // mark_nanos) if mark_nanos > 0 else NANOS


def out_of_reach(state: State, plan: Plan, leg: Leg, position_nanos: int) -> str:
    """Why a strategy's plan can close nothing, though its ledger holds the symbol; empty: it can.

    The account holds nothing of it, or only the other side: another strategy's. A close would open
    or grow the account's position. Only where our book and the broker agree and nothing works.
    """
    strategy, book = strategy_of(plan), state.book
    if not strategy:
        return ""
    own_nanos = book.strategy(strategy).position(leg.symbol).quantity_nanos
    account = book.account.position(leg.symbol)
    agreed = account.quantity_nanos == position_nanos
    if not agreed or account.buying_nanos or account.selling_nanos:
        return ""
    if own_nanos == 0 or own_nanos * position_nanos > 0:
        return ""
    return "other strategies hold the other side: a close would open or grow a position"


# --- when ----------------------------------------------------------------------------------------


def waits(turn: Turn, plan: Plan, leg: Leg) -> bool:
    """Whether a leg that could close now has to wait: for its turn, or for a new book."""
    leg.waits_for = ""
    if _waits_for_book(turn, plan, leg):
        leg.waits_for = BOOK
    elif _waits_for_turn(turn, plan, leg):
        leg.waits_for = TURN
    if leg.waits_for:
        leg.reads = 0  # who has to wait is not left for it
    return bool(leg.waits_for)


def still_waits(turn: Turn, plan: Plan, leg: Leg) -> bool:
    """The same of a leg that waits already; it need not ask the broker before."""
    if leg.waits_for == MARKET:
        return waits_for_market(turn, plan, leg)
    return bool(leg.waits_for) and waits(turn, plan, leg)


def wait_for_book(leg: Leg) -> None:
    """A chunk was filled: the next goes when its book was seen anew; the broker is asked then."""
    leg.waits_for = BOOK


def look_boot_ns(turn: Turn, leg: Leg) -> int:
    """When a leg that waits looks again; 0: as soon as any."""
    return turn.boot_ns + LOOK_EVERY_NS if leg.waits_for == MARKET else 0


def waits_for_market(turn: Turn, plan: Plan, leg: Leg) -> bool:
    """Whether the broker's clock says that the symbol's market is closed; says so, once."""
    told = any(other.waits_for == MARKET for other in plan.legs.values())
    period, waited = turn.state.period, leg.why == CLOSED
    leg.waits_for = ""
    if "/" in leg.symbol or not period.broker_says_closed(turn.boot_ns, turn.wall_ns):
        if waited:
            leg.why, leg.opened_boot_ns = "", turn.boot_ns
        return False
    leg.waits_for, leg.why = MARKET, CLOSED
    trying.time_again(turn, leg)
    if not told:
        held = ", ".join(
            symbol
            for symbol, other in plan.legs.items()
            if "/" not in symbol and other.stage not in DONE_STAGES
        )
        text = (
            f"the liquidation of {plan.trip} waits, because {CLOSED}: {held} stays open;"
            " it goes on when the market opens, or a person freezes it"
        )
        turn.alert(Severity.PAGE, plan.reason, text, plan.scope)
    return True


def _waits_for_book(turn: Turn, plan: Plan, leg: Leg) -> bool:
    """Whether what is shown is what was there before somebody's close took from it; levels that
    nobody told anew are what is there when a quote says so long after.
    """
    if turn.liquidity is None:
        return False
    at, taken_ns = turn.state.liquidity.get(leg.symbol), _taken_boot_ns(turn.state, leg.symbol)
    if at is None or at.lacks & NO_SIZES or not taken_ns or is_over(turn, plan, leg):
        return False
    if at.seen_boot_ns <= taken_ns and at.quote_boot_ns < taken_ns + BESIDE_NS:
        return True
    return turn.boot_ns < taken_ns + CHUNK_EVERY_NS


def reading_lags(turn: Turn, leg: Leg, position_nanos: int) -> bool:
    """Whether the broker tells more than our book holds, asked so soon after a close's fill that it
    may not have counted that yet: who closed what it tells could go through zero.
    """
    taken_ns = _taken_boot_ns(turn.state, leg.symbol)
    if not taken_ns or leg.asked_boot_ns >= taken_ns + COUNTED_NS:
        return False
    own_nanos = turn.state.book.account.position(leg.symbol).quantity_nanos
    return abs(position_nanos) > abs(own_nanos)


def _taken_boot_ns(state: State, symbol: str) -> int:
    """When a close of any plan last filled in a symbol that one closes; 0: never."""
    plans = state.plans.values()
    return max(plan.legs[symbol].taken_boot_ns for plan in plans if symbol in plan.legs)


def _waits_for_turn(turn: Turn, plan: Plan, leg: Leg) -> bool:
    """Whether another plan's leg works in this symbol, or is before this one in the line."""
    own_is_older = False
    for other_plan, other in _legs_of(turn.state, leg.symbol):
        if other is leg:
            own_is_older = True
            continue
        if other.stage == "working":
            if turn.boot_ns < other.holds_boot_ns:
                return True
            continue
        in_line = other.stage == "reading" or other.waits_for in {TURN, STOPS}
        if other.waits_for == BOOK:
            in_line = not _waits_for_book(turn, other_plan, other)
        if in_line and (other.turns < leg.turns or (other.turns == leg.turns and not own_is_older)):
            return True
    return False


def _legs_of(state: State, symbol: str) -> list[tuple[Plan, Leg]]:
    """The legs of a symbol that plans are closing, the oldest plan's first."""
    found = []
    for plan in state.plans.values():
        leg = plan.legs.get(symbol) if plan.stage == "closing" else None
        if leg is not None:
            found.append((plan, leg))
    return found
