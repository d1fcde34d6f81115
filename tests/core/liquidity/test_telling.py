"""What is told of liquidity for statistics: exact sums, each minute, and silence in time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.liquidity import Tier
from fuseboard.vocabulary.liquidity_effects import RecordLiquidity
from fuseboard.vocabulary.market_inputs import TradingHalted
from fuseboard.vocabulary.orders import Side
from tests.core.liquidity.market import SECOND, LiquidDesk, of
from tests.core.liquidity.test_shaping import ask, denial


class Listener(LiquidDesk):
    """Keeps what is told, and when."""

    def take(self, fact: facts.Input) -> tuple[fx.Effect, ...]:
        effects = super().take(fact)
        if not hasattr(self, "told"):
            self.told: list[tuple[int, RecordLiquidity]] = []
        self.told += [(self.now_ns, effect) for effect in of(effects, RecordLiquidity)]
        return effects


@settings(deadline=None, max_examples=20)
@given(
    steps=st.lists(
        st.tuples(st.integers(1, 400), st.sampled_from((25_001, 25_300, 26_500, 24_000))),
        min_size=2,
        max_size=30,
    )
)
def test_what_is_told_adds_up_to_the_score_held_over_time(steps: list[tuple[int, int]]) -> None:
    """Against a model that keeps each second; silence scores nothing."""
    desk = Listener()
    desk.quoted()
    desk.told.clear()
    desk.take(facts.TimeAdvanced())
    desk.known.span_ns = desk.known.score_ns = desk.known.silent_ns = 0
    desk.known.tallied_boot_ns = since_ns = desk.now_ns
    heard_ns = silent_ns = score_ns = 0
    for seconds, ask_price in steps:
        score, until_ns = desk.known.score, desk.known.stale_boot_ns
        desk.now_ns += seconds * SECOND
        desk.quoted(ask=ask_price)
        fresh_ns = max(0, min(desk.now_ns, until_ns) - since_ns)
        heard_ns, score_ns = heard_ns + fresh_ns, score_ns + score * fresh_ns
        silent_ns += desk.now_ns - since_ns - fresh_ns
        since_ns = desk.now_ns
    at = desk.known
    told = [effect for _, effect in desk.told]
    assert sum(effect.span_ns for effect in told) + at.span_ns == heard_ns
    assert sum(effect.silent_ns for effect in told) + at.silent_ns == silent_ns
    assert sum(effect.score_ns for effect in told) + at.score_ns == score_ns


def test_a_symbol_is_told_at_once_then_once_a_minute_and_at_each_change() -> None:
    desk = Listener()
    desk.calm(200)
    changes = sum(effect.tier != effect.after for _, effect in desk.told)
    assert changes == 1, "from CAUTIOUS to NORMAL"
    assert len(desk.told) == 1 + changes + 2
    desk.quoted(24_999, 24_990)
    _, last = desk.told[-1]
    assert (last.tier, last.after, last.score) == ("NORMAL", "EMERGENCY", 0)
    assert last.since_wall_ns == desk.now_ns


def test_a_silent_symbol_is_an_emergency_from_its_moment_on_and_told_once() -> None:
    desk = Listener()
    desk.calm()
    heard_ns, desk.told = desk.now_ns, []
    for _ in range(400):
        desk.now_ns += SECOND
        desk.take(facts.TimeAdvanced())
    ((at_ns, told),) = desk.told
    assert 120 * SECOND < at_ns - heard_ns <= 123 * SECOND
    assert (told.silent, told.score) == (True, 0)
    assert told.since_wall_ns == heard_ns + 120 * SECOND
    assert desk.tier() is Tier.NORMAL, "its gauge is where the last quote left it"
    desk.quoted()
    (_, fell), (_, back) = desk.told[1:]
    assert (fell.silent, fell.tier, fell.after) == (True, "NORMAL", "EMERGENCY")
    assert fell.since_wall_ns == told.since_wall_ns
    assert 270 * SECOND < fell.silent_ns < 290 * SECOND
    assert (back.silent, back.after) == (False, "EMERGENCY")
    assert fell.span_ns == back.span_ns == back.silent_ns == 0
    assert desk.kernel._state.silence_due_boot_ns > desk.now_ns, "it is listened for again"


def test_who_is_silent_is_told_once_while_others_are_heard() -> None:
    desk = Listener()
    desk.calm()
    for _ in range(300):
        desk.now_ns += SECOND
        desk.quoted(symbol="MSFT")
        desk.take(facts.TimeAdvanced())
    assert [told.symbol for _, told in desk.told if told.silent] == ["AAPL"]


def test_a_symbol_that_its_exchange_has_halted_is_not_silent() -> None:
    desk = Listener()
    desk.calm()
    desk.take(TradingHalted(symbol="AAPL", code="T1", event_ns=desk.now_ns))
    for _ in range(200):
        desk.now_ns += SECOND
        desk.take(facts.TimeAdvanced())
    assert not any(told.silent for _, told in desk.told)


def test_a_symbol_whose_trade_came_before_its_first_quote_is_no_older_than_that() -> None:
    desk = Listener()
    desk.kernel._state.liquidity.clear()
    desk.told.clear()
    desk.now_ns += 3_600 * SECOND
    desk.traded()
    assert not desk.told, "nothing is known of it yet"
    heard_ns = desk.now_ns
    desk.now_ns += SECOND
    desk.quoted()
    (_, told), *_ = desk.told
    assert not told.silent
    assert told.since_wall_ns == heard_ns


def test_a_denial_says_its_symbol_only_where_liquidity_is_measured() -> None:
    assert denial(ask(LiquidDesk(), Side.BUY, 10**6)).symbol == "AAPL"
    plain = LiquidDesk()
    plain.kernel._turn.liquidity = None
    assert denial(ask(plain, Side.BUY, 10**6)).symbol == ""
