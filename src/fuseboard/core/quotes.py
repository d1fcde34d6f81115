"""Quotes, books and trades as they come: late ones excluded, marks taken, oddities told (law 12).

What is late says nothing of liquidity either: a market of which only late news comes falls silent.
"""

from fuseboard.core import doubts
from fuseboard.core.anomalies import Habit, new_habit, trades_oddly
from fuseboard.core.liquidity import watching
from fuseboard.core.market import DOUBT_NS, Instrument
from fuseboard.core.outgoing import read_account
from fuseboard.core.state import INSTRUMENTS_MAX, State, Turn
from fuseboard.core.valuation import marked
from fuseboard.vocabulary.identifiers import feed_of, symbol_scope
from fuseboard.vocabulary.market_inputs import BookSeen, QuoteSeen, TradeSeen, TradeWithdrawn
from fuseboard.vocabulary.money import shown_money
from fuseboard.vocabulary.orders import Severity
from fuseboard.vocabulary.reasons import Reason


def quote_seen(turn: Turn, fact: QuoteSeen) -> None:
    """A quote: perhaps a new mark."""
    state, rules = turn.state, turn.policy.data
    late = bool(state.feed_times) and not fact.standing and _late(turn, fact)
    if turn.liquidity is not None and not late:
        watching.quote_seen(turn, turn.liquidity, fact)
    instrument = state.instruments.get(fact.symbol) or _known(state, fact.symbol)
    habit = _heard(turn, fact.symbol, instrument) if turn.looks_for_oddities else None
    suspect_nanos = instrument.suspect_nanos
    mark_nanos = instrument.quote(fact, rules, turn.boot_ns, late=late)
    if mark_nanos:
        if instrument.jumped_from_nanos:
            doubts.note_jump(turn, fact.symbol, instrument)
        marked(turn, fact.symbol, mark_nanos)
        return
    if habit is not None and instrument.suspect_nanos and not suspect_nanos:
        _tell_jump(turn, fact.symbol, instrument, habit)
    _note_doubt(turn, fact.symbol, instrument)


def book_seen(turn: Turn, fact: BookSeen) -> None:
    """The levels of a book: they are liquidity alone."""
    tiers = turn.liquidity
    if tiers is not None and not (turn.state.feed_times and _late(turn, fact)):
        watching.book_seen(turn, tiers, fact)


def trade_seen(turn: Turn, fact: TradeSeen) -> None:
    """A trade: the fallback mark while quotes are excluded or in doubt (law 12)."""
    state, rules = turn.state, turn.policy.data
    late = bool(state.feed_times) and _late(turn, fact)
    if turn.liquidity is not None and not late:
        watching.trade_seen(turn, turn.liquidity, fact)
    instrument = state.instruments.get(fact.symbol) or _known(state, fact.symbol)
    if turn.looks_for_oddities:
        habit = _heard(turn, fact.symbol, instrument)
        odd = trades_oddly(habit, fact.size_nanos, rules)
        if odd and habit.is_news("volume", turn.boot_ns):
            text = "a trade was many times larger than the average of the last"
            _warn(turn, fact.symbol, Reason.VOLUME_ANOMALY, text)
    if late:
        return
    mark_nanos = instrument.trade(fact, rules, turn.boot_ns)
    if mark_nanos:
        if instrument.jumped_from_nanos:
            doubts.note_jump(turn, fact.symbol, instrument)
        marked(turn, fact.symbol, mark_nanos)
    else:
        _note_doubt(turn, fact.symbol, instrument)


def trade_withdrawn(turn: Turn, fact: TradeWithdrawn) -> None:
    """A trade is taken back: if it was the last one, nothing is valued by it any more."""
    instrument = turn.state.instruments.get(fact.symbol)
    if instrument is None:
        return
    mark_nanos = instrument.withdraw(fact.price_nanos, fact.corrected_nanos, turn.boot_ns)
    if mark_nanos:
        marked(turn, fact.symbol, mark_nanos)
    else:
        _note_doubt(turn, fact.symbol, instrument)


def broker_price_seen(turn: Turn, symbol: str, price_nanos: int) -> None:
    """The broker's price of what we hold is a trade to us while no quote is good (law 12)."""
    instrument = turn.state.instruments.get(symbol) or _known(turn.state, symbol)
    if instrument.excluded:
        mark_nanos = instrument.last_price(price_nanos, turn.policy.data, turn.boot_ns)
        if mark_nanos:
            if instrument.jumped_from_nanos:
                doubts.note_jump(turn, symbol, instrument)
            marked(turn, symbol, mark_nanos)


def ask_when_in_doubt(turn: Turn) -> None:
    """Ask for the broker's equity where something held has had no good price for long: once, and
    then a second after the last reading, as long as it is told more that values nothing.
    """
    state = turn.state
    due = [due_ns for due_ns in _doubts(state) if state.read_boot_ns < due_ns]
    if min(due, default=turn.boot_ns + 1) <= turn.boot_ns:
        read_account(turn, positions=False)


def next_deadline(turn: Turn) -> int:
    """When a doubt becomes too old, or its last news does; 0 when none waits for that."""
    return min((due_ns for due_ns in _doubts(turn.state) if due_ns > turn.boot_ns), default=0)


def _doubts(state: State) -> list[int]:
    """When each symbol that is held and in doubt becomes blind, and when news of one that is makes
    the last reading too old.
    """
    if not state.reconciled:
        return []
    found = [state.instruments.get(symbol) for symbol in state.book.held()]
    due = [at.doubt_boot_ns + DOUBT_NS for at in found if at is not None and at.doubt_boot_ns]
    if due and state.doubtful_boot_ns > state.read_boot_ns:
        due.append(state.read_boot_ns + DOUBT_NS)
    return due


def _note_doubt(turn: Turn, symbol: str, instrument: Instrument) -> None:
    """A doubt over something held has a time at which it counts, and so has its last news."""
    state, since_ns = turn.state, instrument.doubt_boot_ns
    if not since_ns or not state.reconciled:
        return
    position = state.book.account.positions.get(symbol)
    if position is None or not position.quantity_nanos:
        return
    if since_ns == turn.boot_ns:
        turn.wake(turn.boot_ns + DOUBT_NS)
    elif turn.boot_ns >= since_ns + DOUBT_NS:
        state.doubtful_boot_ns = turn.boot_ns
        turn.wake(max(turn.boot_ns, state.read_boot_ns + DOUBT_NS))


def _known(state: State, symbol: str) -> Instrument:
    """A new symbol's instrument; one that nobody keeps when there are too many."""
    instrument = Instrument()
    if len(state.instruments) < INSTRUMENTS_MAX:
        state.instruments[symbol] = instrument
    return instrument


def _late(turn: Turn, fact: QuoteSeen | BookSeen | TradeSeen) -> bool:
    times = turn.state.feed_times.get(feed_of(fact.symbol))
    return times is not None and times.late(
        event_ns=fact.event_ns,
        wall_ns=turn.wall_ns,
        boot_ns=turn.boot_ns,
        late_ns_max=turn.policy.data.arrival_ns_max,
    )


def _heard(turn: Turn, symbol: str, instrument: Instrument) -> Habit:
    """The symbol's habit; a silence that was too long and not a halt is told."""
    habit = instrument.habit
    if habit is None:
        habit = instrument.habit = new_habit()
    before_ns, habit.heard_boot_ns = habit.heard_boot_ns, turn.boot_ns
    gap_ns_max = turn.policy.data.gap_ns_max
    silent = gap_ns_max is not None and before_ns and turn.boot_ns - before_ns > gap_ns_max
    if silent and symbol not in turn.state.trading_halts and habit.is_news("gap", turn.boot_ns):
        seconds = (turn.boot_ns - before_ns) // 1_000_000_000
        _warn(turn, symbol, Reason.DATA_GAP, f"no quote and no trade for {seconds} s")
    return habit


def _tell_jump(turn: Turn, symbol: str, instrument: Instrument, habit: Habit) -> None:
    if habit.is_news("price", turn.boot_ns):
        before, after = shown_money(instrument.mark_nanos), shown_money(instrument.suspect_nanos)
        text = f"the price moved from {before} to {after}: it counts when a second one agrees"
        _warn(turn, symbol, Reason.PRICE_ANOMALY, text)


def _warn(turn: Turn, symbol: str, code: Reason, text: str) -> None:
    turn.alert(Severity.WARNING, code, f"{symbol}: {text}", symbol_scope(symbol))
