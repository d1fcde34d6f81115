"""A liquidation in a symbol that its exchange has halted: told to people, and not for ever where
the resumption may have been missed.
"""

from collections.abc import Callable

import pytest

from fuseboard.core import standing
from fuseboard.core.kernel import Kernel
from fuseboard.core.standing import ASKS_AFTER_NS, ASKS_EVERY_NS_MAX
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.evidence_effects import PublishPlan
from fuseboard.vocabulary.market_inputs import FeedHeard
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import OrderStatus, Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, accept, submitted
from tests.core.test_operators import CALM, asked, reset
from tests.core.test_trading_halts import (
    DELAY_NS,
    halted,
    reads,
    resting_in_a_halt,
    resumed,
    stages,
    wait,
)
from tests.deletion import assert_pinned

ASKS_AFTER_S = ASKS_AFTER_NS // SECOND
SOON_S = ASKS_AFTER_S + 2


class Halted(Desk):
    """A desk that holds 100 AAPL, halted by their exchange, and is told to flatten.

    `answer` is what the broker makes of each close; it answers every question and order at once.
    """

    def __init__(self) -> None:
        super().__init__(CALM, held=100)
        self.agrees = True
        self.answer = OrderStatus.REJECTED
        self.left = 100
        self.takes = 0
        """How many shares each close gets at most."""
        self.closes: list[fx.SubmitOrder] = []
        self.sent_s: list[int] = []
        self.heard: list[fx.Effect] = []
        self.take(halted())
        self.hear(self.take(asked(HaltLevel.FLATTEN)))

    def hear(self, effects: tuple[fx.Effect, ...]) -> None:
        """Answer as the broker does."""
        self.heard += effects
        for effect in effects:
            if isinstance(effect, fx.ReadLeg):
                self.hear(
                    self.take(
                        facts.LegRead(
                            trip=effect.trip,
                            symbol=effect.symbol,
                            attempt=effect.attempt,
                            position_nanos=self.left * NANOS,
                            against_nanos=0,
                        )
                    )
                )
        for close in submitted(effects):
            self.closes.append(close)
            self.sent_s.append(self.now_ns // SECOND)
            accept(self, close, f"b{len(self.closes)}")
            got = min(self.takes, self.left)
            self.left -= got
            self.hear(
                self.take(
                    facts.OrderEnded(
                        order_id=close.order_id,
                        broker_order_id=f"b{len(self.closes)}",
                        status=OrderStatus.CANCELED if got else self.answer,
                        filled_quantity_nanos=got * NANOS,
                        filled_price_nanos=250 * NANOS if got else 0,
                    )
                )
            )

    def seconds(self, count: int) -> None:
        for _ in range(count):
            self.hear(wait(self, SECOND))

    def again(self) -> None:
        """The machine dies, and starts again."""
        self.kernel = Kernel.restored(self.kernel.snapshot())
        self.held = self.left
        effects = self.heard
        self.start()
        self.heard = effects
        self.quote("AAPL", 250)

    def take(self, fact: facts.Input) -> tuple[fx.Effect, ...]:
        effects = super().take(fact)
        if isinstance(fact, facts.NodeStarted):
            self.started = effects
        return effects

    def pages(self) -> list[str]:
        told = [each for each in self.heard if isinstance(each, fx.RaiseAlert)]
        return [each.text for each in told if each.severity is Severity.PAGE]

    def standing_pages(self) -> list[str]:
        return [text for text in self.pages() if "stands still" in text]


def is_held_back(desk: Desk) -> bool:
    """Whether the exchange's halt keeps new risk from the symbol."""
    return desk.kernel._state.halting_reasons.get("symbol:AAPL") is Reason.TRADING_HALTED


def what_resumed_while_we_were_away_is_closed() -> None:
    desk = Halted()
    desk.seconds(100)
    assert not desk.closes, "the exchange's word stands"
    desk.again()
    desk.takes = 100
    desk.seconds(ASKS_AFTER_S - 1)
    assert not desk.closes, "the stream may still say it"
    desk.seconds(3)
    assert len(desk.closes) == 1
    assert desk.left == 0
    assert is_held_back(desk), "new risk waits for a word"


def test_what_resumed_while_we_were_away_is_closed_soon_after_the_start() -> None:
    what_resumed_while_we_were_away_is_closed()


def a_refusal_is_no_fault() -> None:
    desk = Halted()
    desk.again()
    desk.seconds(1_000)
    assert 5 < len(desk.closes) < 10, "more and more seldom"
    gaps = [later - before for before, later in zip(desk.sent_s, desk.sent_s[1:], strict=False)]
    assert gaps == sorted(gaps)
    assert not any("refuses" in text for text in desk.pages())
    desk.takes = 100
    desk.seconds(ASKS_EVERY_NS_MAX // SECOND + 12)
    assert desk.left == 0, "it still asked"


def test_a_market_that_is_halted_on_is_asked_seldom_and_refusals_are_no_faults() -> None:
    a_refusal_is_no_fault()


def a_fill_proves_that_it_trades() -> None:
    desk = Halted()
    desk.again()
    desk.takes = 40
    desk.seconds(SOON_S)
    assert stages(tuple(desk.heard))[-1:] == [("AAPL", "traded", "")]
    assert (len(desk.closes), desk.left) == (3, 0), "closes go on at once"
    wait(desk, 24 * 3600 * SECOND)
    assert is_held_back(desk), "a fill of ours lets no risk on"
    desk.take(resumed())
    wait(desk, DELAY_NS)
    assert not is_held_back(desk)


def test_a_fill_proves_that_closes_go_on_and_nothing_for_new_risk() -> None:
    a_fill_proves_that_it_trades()


def a_new_word_of_the_halt_ends_the_asking() -> None:
    desk = Halted()
    desk.again()
    desk.take(halted(event_ns=150))
    desk.seconds(600)
    assert not desk.closes
    desk.takes = 100
    desk.hear(desk.take(resumed()))
    assert desk.left == 0


def test_a_new_word_of_the_halt_ends_the_asking() -> None:
    a_new_word_of_the_halt_ends_the_asking()


def what_a_halted_market_did_not_take_widens_no_collar() -> None:
    desk = Halted()
    desk.answer = OrderStatus.CANCELED
    desk.again()
    desk.seconds(200)
    asked_for = [close.limit_price_nanos for close in desk.closes]
    assert len(set(asked_for)) > 2, "each asks as closes do"
    desk.hear(desk.take(resumed()))
    assert desk.closes[len(asked_for)].limit_price_nanos == asked_for[0]


def test_what_a_halted_market_did_not_take_widens_no_collar_after_the_resumption() -> None:
    what_a_halted_market_did_not_take_widens_no_collar()


def people_are_told_once_a_start() -> None:
    desk = Halted()
    desk.seconds(300)
    (page,) = desk.standing_pages()
    assert "AAPL" in page
    assert "missed" not in page
    assert "fuseboard reset --scope symbol:AAPL" in page
    desk.again()
    desk.seconds(300)
    (_, page) = desk.standing_pages()
    assert "may have been missed: it asks the market" in page
    desk.takes = 100
    desk.hear(desk.take(reset("symbol:AAPL")))
    assert desk.left == 0, "the page's way out is one"


def test_people_are_told_once_a_start_that_a_plan_stands_still_and_of_the_way_out() -> None:
    people_are_told_once_a_start()


def a_dead_feed_may_have_missed_it_too() -> None:
    desk = Halted()
    desk.seconds(20)
    desk.now_ns += 60 * SECOND  # not a word of the feed
    desk.takes = 100
    desk.seconds(SOON_S)
    assert len(desk.closes) == 1
    assert desk.left == 0


def test_a_feed_that_was_dead_may_have_missed_the_resumption_too() -> None:
    a_dead_feed_may_have_missed_it_too()


def test_a_dead_feed_of_pairs_has_missed_nothing_of_a_stock() -> None:
    desk = Halted()
    for _ in range(3):
        desk.take(FeedHeard(feed="crypto"))
        desk.seconds(60)
    assert not desk.closes


def a_close_that_rests_in_a_halt_is_followed_up() -> None:
    """It was sent before; the feed dies and comes back, and nobody said what became of the halt."""
    desk, close = resting_in_a_halt()
    told = [effect for _ in range(10) for effect in wait(desk, SECOND)]
    desk.now_ns += 60 * SECOND
    assert not any(isinstance(effect, fx.CancelOrder) for effect in told)
    told = [effect for _ in range(SOON_S) for effect in wait(desk, SECOND)]
    assert fx.CancelOrder(order_id=close.order_id, broker_order_id="b1") in told
    ended = facts.OrderEnded(
        order_id=close.order_id,
        broker_order_id="b1",
        status=OrderStatus.CANCELED,
        filled_quantity_nanos=0,
        filled_price_nanos=0,
    )
    assert reads((*desk.take(ended), *wait(desk, SECOND))) == [2]


def test_a_close_that_rests_in_a_halt_is_followed_up_after_a_dead_feed() -> None:
    a_close_that_rests_in_a_halt_is_followed_up()


def a_market_wide_halt_is_asked_too() -> None:
    desk = Desk(CALM, held=100)
    desk.take(halted("", level=1))
    desk.take(asked(HaltLevel.FLATTEN))
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.start()
    told = [effect for _ in range(SOON_S) for effect in wait(desk, SECOND)]
    (question,) = [effect for effect in told if isinstance(effect, fx.ReadLeg)]
    desk.take(halted("AAPL", event_ns=300))
    desk.take(facts.LegReadFailed(trip=question.trip, symbol="AAPL", attempt=1, detail="429"))
    told = [effect for _ in range(100) for effect in wait(desk, SECOND)]
    assert reads(tuple(told)) == [], "its own is told of"


def test_a_market_wide_halt_of_before_the_start_is_asked_too() -> None:
    a_market_wide_halt_is_asked_too()


# --- what a start shows ---


def shown(effects: tuple[fx.Effect, ...]) -> list[tuple[str, str, tuple[str, ...]]]:
    plans = [effect.plan for effect in effects if isinstance(effect, PublishPlan)]
    return [(plan.trip, plan.stage, plan.left) for plan in plans]


def test_a_start_shows_the_plan_that_stands_still() -> None:
    desk = Halted()
    desk.seconds(1)
    desk.again()
    assert shown(desk.started) == [
        ("latch:account#1", "closing", ("AAPL 100 the exchange has halted trading",))
    ]


def test_a_start_shows_what_a_person_froze_and_what_was_left_of_it() -> None:
    desk = Desk(CALM, held=100)
    desk.take(asked(HaltLevel.FLATTEN))
    desk.take(asked(HaltLevel.FREEZE))
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    text = desk.text
    desk.take(facts.PolicyAdopted(text=text, digest="d" * 64, operator="start"))
    started = desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    assert shown(started) == [("latch:account#1", "frozen", ("AAPL 100 frozen",))]


def test_a_start_shows_a_plan_that_is_at_work_as_such() -> None:
    desk = Desk(CALM, held=100)
    desk.take(asked(HaltLevel.FLATTEN))
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    desk.take(facts.PolicyAdopted(text=desk.text, digest="d" * 64, operator="start"))
    started = desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    assert shown(started) == [("latch:account#1", "closing", ("AAPL 100 is being closed",))]


# --- the guards ---


@pytest.mark.parametrize(
    ("function", "text", "instead", "test"),
    [
        (
            standing.stands,
            "not missed_boot_ns or ",
            "missed_boot_ns == -1 or ",
            a_new_word_of_the_halt_ends_the_asking,
        ),
        (
            standing.stands,
            " + ASKS_AFTER_NS",
            "",
            what_resumed_while_we_were_away_is_closed,
        ),
        (standing.answered, "    leg.faults = 0\n", "", a_refusal_is_no_fault),
        (
            standing.answered,
            "        _trades(turn, leg)",
            "        pass",
            a_fill_proves_that_it_trades,
        ),
        (
            standing._missed_boot_ns,
            "all(missed)",
            "missed",
            a_market_wide_halt_is_asked_too,
        ),
        (
            standing.go_on,
            "            leg.tries, leg.rests = 0, False\n",
            "            pass\n",
            what_a_halted_market_did_not_take_widens_no_collar,
        ),
        (
            standing.resume,
            "    plan.told_standing = False\n",
            "",
            people_are_told_once_a_start,
        ),
        (
            standing._tell_if_long,
            "plan.told_standing or ",
            "",
            people_are_told_once_a_start,
        ),
        (
            standing.feed_returned,
            "            leg.deadline_boot_ns = turn.boot_ns + ASKS_AFTER_NS\n",
            "",
            a_close_that_rests_in_a_halt_is_followed_up,
        ),
        (standing.feed_returned, "_missed(turn, [", "tuple([", a_dead_feed_may_have_missed_it_too),
        (
            standing.node_started,
            "_missed(turn, turn.state.trading_halts.values())",
            "pass",
            what_resumed_while_we_were_away_is_closed,
        ),
    ],
)
def test_without_a_guard_a_test_fails(
    function: Callable[..., object],
    text: str,
    instead: str,
    test: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert_pinned(monkeypatch, function, text, instead, test)
