"""Replacing an order: judged at once, sent when the old one is final, never both."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuseboard.core import replacing
from fuseboard.core.book import Order
from fuseboard.core.kernel import Kernel
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.evidence_effects import RecordReplacement
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import CashMoved, OperatorHaltRequested
from fuseboard.vocabulary.orders import Intent, OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, denied, submitted
from tests.core.test_laws import totals_are_exact
from tests.core.world import run

VALUE_MAX = 100_000


class Replacing(Desk):
    """A desk whose orders the broker confirms, and which replaces them."""

    def __init__(self, *, held: int = 0, **changed: int) -> None:
        limits = Limits(order_value_nanos_max=VALUE_MAX * NANOS)
        super().__init__(Policy(limits=msgspec.structs.replace(limits, **changed)), held=held)
        self.ids: dict[str, str] = {}

    def works(
        self,
        name: str,
        quantity: int,
        price: int | None = 250,
        side: Side = Side.BUY,
        stop: int | None = None,
    ) -> None:
        """An order that the broker has confirmed; it was taken."""
        self.requests += 1
        kind = OrderType.LIMIT if stop is None else OrderType.STOP
        asked = facts.OrderRequested(
            request=self.requests,
            strategy="alpha",
            client_order_id=name,
            symbol="AAPL",
            side=side,
            order_type=kind,
            time_in_force=TimeInForce.DAY,
            quantity_nanos=quantity * NANOS,
            limit_price_nanos=None if price is None or stop else price * NANOS,
            stop_price_nanos=None if stop is None else stop * NANOS,
        )
        [order] = submitted(self.take(asked))
        self.ids[name] = order.order_id
        self.confirm(name)

    def at_most_ten(self) -> None:
        """From now on an order may be of ten shares; what works already is larger."""
        limits = Limits(
            order_value_nanos_max=VALUE_MAX * NANOS, order_quantity_nanos_max=10 * NANOS
        )
        text = canonical_text(Policy(limits=limits))
        self.take(facts.PolicyAdopted(text=text, digest=digest_of(text), operator=""))

    def confirm(self, name: str) -> None:
        self.take(
            facts.OrderSent(
                order_id=self.ids[name], broker_order_id=f"b-{name}", status=OrderStatus.WORKING
            )
        )

    def replace(
        self,
        old: str,
        new: str,
        quantity: int | None = None,
        price: int | None = None,
        stop: int | None = None,
        strategy: str = "alpha",
        time: TimeInForce | None = None,
    ) -> tuple[fx.Effect, ...]:
        self.requests += 1
        effects = self.take(
            facts.ReplaceRequested(
                request=self.requests,
                strategy=strategy,
                order_id=self.ids[old],
                client_order_id=new,
                quantity_nanos=None if quantity is None else quantity * NANOS,
                limit_price_nanos=None if price is None else price * NANOS,
                stop_price_nanos=None if stop is None else stop * NANOS,
                time_in_force=time,
            )
        )
        for answer in effects:
            if isinstance(answer, fx.AnswerOrder):
                self.ids[new] = answer.order_id
        return effects

    def ended(
        self, name: str, filled: int = 0, status: OrderStatus = OrderStatus.CANCELED
    ) -> tuple[fx.Effect, ...]:
        return self.take(
            facts.OrderEnded(
                order_id=self.ids[name],
                broker_order_id=f"b-{name}",
                status=status,
                filled_quantity_nanos=filled * NANOS,
                filled_price_nanos=250 * NANOS if filled else 0,
            )
        )

    def fill(self, name: str, quantity: int, total: int) -> tuple[fx.Effect, ...]:
        return self.take(
            facts.FillReported(
                order_id=self.ids[name],
                broker_order_id=f"b-{name}",
                quantity_nanos=quantity * NANOS,
                price_nanos=250 * NANOS,
                filled_quantity_nanos=total * NANOS,
                filled_price_nanos=250 * NANOS,
                final=False,
            )
        )

    def cancel(self, name: str) -> tuple[fx.Effect, ...]:
        self.requests += 1
        return self.take(
            facts.CancelRequested(request=self.requests, strategy="alpha", order_id=self.ids[name])
        )

    def halt(self, level: HaltLevel) -> tuple[fx.Effect, ...]:
        return self.take(
            OperatorHaltRequested(
                request=0, operator="ann", reason="drill", scope="account", level=level
            )
        )

    def order_of(self, name: str) -> Order:
        return self.kernel._state.book.orders[self.ids[name]]

    def worst(self) -> int:
        """What AAPL may be worth at worst, in whole dollars."""
        return self.kernel._state.book.account.worst_attos // NANOS // NANOS

    def working(self) -> list[str]:
        names = {order_id: name for name, order_id in self.ids.items()}
        return [names[order_id] for order_id in self.kernel._state.book.working]


def cancelled(effects: Sequence[fx.Effect]) -> list[str]:
    return [e.order_id for e in effects if isinstance(e, fx.CancelOrder)]


def events(effects: Sequence[fx.Effect]) -> list[tuple[str, str]]:
    return [(e.event, e.status.value) for e in effects if isinstance(e, fx.PublishOrder)]


def dropped(effects: Sequence[fx.Effect]) -> list[Reason]:
    return [e.reason for e in effects if isinstance(e, RecordReplacement)]


def answers(effects: Sequence[fx.Effect]) -> list[fx.AnswerOrder]:
    return [e for e in effects if isinstance(e, fx.AnswerOrder)]


def told(effects: Sequence[fx.Effect]) -> str:
    [answer] = [e for e in effects if isinstance(e, fx.AnswerDenied)]
    return answer.message


# --- the way of a replacement --------------------------------------------------------------------


def test_the_old_order_is_cancelled_and_the_new_one_sent_when_that_is_confirmed() -> None:
    desk = Replacing()
    desk.works("old", 100)
    effects = desk.replace("old", "new", quantity=200, price=251)
    assert cancelled(effects) == [desk.ids["old"]]
    assert not submitted(effects)
    assert events(effects) == [("", "submitting"), ("pending_replace", "working")]
    [answer] = answers(effects)
    assert answer.order_id == desk.kernel._turn.ids.order_id("alpha", "new")
    effects = desk.ended("old")
    assert events(effects)[0] == ("replaced", "replaced")
    [sent] = submitted(effects)
    assert (sent.client_order_id, sent.quantity_nanos) == ("new", 200 * NANOS)
    assert (sent.limit_price_nanos, sent.time_in_force) == (251 * NANOS, TimeInForce.DAY)
    assert desk.working() == ["new"]


def test_each_order_names_the_other() -> None:
    desk = Replacing()
    desk.works("old", 100)
    effects = [*desk.replace("old", "new", quantity=50), *desk.ended("old")]
    shown = {e.order_id: e for e in effects if isinstance(e, fx.PublishOrder)}
    assert shown[desk.ids["old"]].replaced_by == desk.ids["new"]
    assert shown[desk.ids["new"]].replaces == desk.ids["old"]


@pytest.mark.parametrize(("before", "after"), [(30, 0), (0, 30), (30, 20)])
def test_what_the_old_order_filled_is_part_of_the_size(before: int, after: int) -> None:
    desk = Replacing()
    desk.works("old", 100)
    if before:
        desk.fill("old", before, before)
    desk.replace("old", "new", quantity=120)
    [sent] = submitted(desk.ended("old", filled=before + after))
    assert sent.quantity_nanos == (120 - before - after) * NANOS


def test_an_old_order_that_fills_first_leaves_nothing_to_replace() -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.replace("old", "new", quantity=150)
    effects = desk.fill("old", 100, 100)
    assert not submitted(effects)
    assert dropped(effects) == [Reason.REPLACED_ENDED]
    assert events(effects) == [("fill", "filled"), ("rejected", "rejected")]
    assert desk.worst() == 25_000


@pytest.mark.parametrize("status", [OrderStatus.EXPIRED, OrderStatus.REJECTED])
def test_an_old_order_that_ends_by_itself_is_not_succeeded(status: OrderStatus) -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.replace("old", "new", quantity=150)
    effects = desk.ended("old", status=status)
    assert not submitted(effects)
    assert dropped(effects) == [Reason.REPLACED_ENDED]
    assert (status.value, status.value) in events(effects)


def test_a_size_that_is_filled_by_the_time_the_cancel_is_confirmed_is_not_sent() -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.replace("old", "new", quantity=40)
    effects = desk.ended("old", filled=60)
    assert not submitted(effects)
    assert dropped(effects) == [Reason.REPLACED_ENDED]


def test_a_cancel_that_is_confirmed_too_late_sends_nothing_late() -> None:
    for late, sent in ((0, 1), (1, 0)):
        desk = Replacing()
        desk.works("old", 100)
        desk.replace("old", "new", quantity=50)
        desk.now_ns += replacing.REPLACEMENT_WAIT_NS_MAX - SECOND // 1000 + late
        effects = desk.ended("old")
        assert len(submitted(effects)) == sent
        assert dropped(effects) == [Reason.REPLACED_TOO_LATE] * late


def test_a_replacement_can_be_replaced_once_it_works() -> None:
    desk = Replacing()
    desk.works("one", 100)
    desk.replace("one", "two", quantity=90)
    assert denied(desk.replace("two", "three", quantity=80)) == [Reason.ORDER_NOT_REPLACEABLE]
    desk.ended("one", filled=10)
    desk.confirm("two")
    desk.replace("two", "three", quantity=70)
    [sent] = submitted(desk.ended("two", filled=5))
    assert sent.quantity_nanos == 65 * NANOS
    assert desk.worst() == (15 + 65) * 250


def test_a_late_fill_of_the_old_order_cancels_the_new_one() -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.replace("old", "new", quantity=100, price=249)
    desk.ended("old", filled=10)
    desk.confirm("new")
    effects = desk.fill("old", 5, 15)
    assert cancelled(effects) == [desk.ids["new"]]
    assert any(isinstance(e, fx.RaiseAlert) for e in effects)


# --- what is refused -----------------------------------------------------------------------------


def test_only_a_confirmed_working_order_of_the_same_strategy_is_replaced() -> None:
    desk = Replacing()
    desk.order(Side.BUY, NANOS, 250, name="unconfirmed")
    [desk.ids["unconfirmed"]] = desk.kernel._state.book.working
    refused = desk.replace("unconfirmed", "x", quantity=2)
    assert denied(refused) == [Reason.ORDER_NOT_REPLACEABLE]
    assert "not confirmed" in told(refused)
    desk.works("old", 100)
    assert denied(desk.replace("old", "x", strategy="beta")) == [Reason.ORDER_UNKNOWN]
    desk.ids["nothing"] = "no such order"
    assert denied(desk.replace("nothing", "x")) == [Reason.ORDER_UNKNOWN]
    desk.replace("old", "new", quantity=50)
    assert "being replaced" in told(desk.replace("old", "x", quantity=40))
    desk.works("going", 10)
    desk.cancel("going")
    assert "being cancelled" in told(desk.replace("going", "x", quantity=5))
    desk.ended("going")
    assert "already canceled" in told(desk.replace("going", "x", quantity=5))


def test_a_size_that_is_filled_already_and_foreign_prices_are_refused() -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.fill("old", 30, 30)
    assert "30 of it" in told(desk.replace("old", "x", quantity=30))
    assert denied(desk.replace("old", "x", stop=240)) == [Reason.MALFORMED]
    assert denied(desk.replace("old", "x", quantity=10**16)) == [Reason.MALFORMED]
    assert not desk.order_of("old").cancel_wanted


def test_the_same_request_again_is_the_same_order_and_another_one_is_refused() -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.replace("old", "new", quantity=50, price=249)
    for _ in range(2):
        effects = desk.replace("old", "new", quantity=50, price=249)
        assert [a.repeated for a in answers(effects)] == [True]
        assert not cancelled(effects)
        for quantity, price in ((60, 249), (50, 248)):
            other = desk.replace("old", "new", quantity=quantity, price=price)
            assert denied(other) == [Reason.CLIENT_ORDER_ID_REUSED]
        if desk.kernel._state.book.waiting:
            desk.ended("old")
    assert denied(desk.order(Side.BUY, NANOS, 250, name="new")) == [Reason.CLIENT_ORDER_ID_REUSED]
    assert denied(desk.replace("new", "old", quantity=5)) == [Reason.CLIENT_ORDER_ID_REUSED]


def test_no_more_wait_than_the_named_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "REPLACEMENTS_WAITING_MAX", 1)
    desk = Replacing()
    desk.works("one", 10)
    desk.works("two", 10)
    assert answers(desk.replace("one", "a", quantity=5))
    assert denied(desk.replace("two", "b", quantity=5)) == [Reason.WORKING_ORDERS_FULL]


# --- judging -------------------------------------------------------------------------------------


def test_a_bolder_order_is_judged_like_any_other_and_the_old_one_stays() -> None:
    desk = Replacing()
    desk.works("old", 100)
    effects = desk.replace("old", "new", quantity=401)
    assert denied(effects) == [Reason.ORDER_VALUE]
    assert not cancelled(effects)
    assert denied(desk.replace("old", "new", price=300)) == [Reason.PRICE_COLLAR]
    assert desk.worst() == 25_000
    assert not desk.order_of("old").cancel_wanted


def test_the_old_orders_own_share_does_not_count_twice() -> None:
    desk = Replacing(position_value_nanos_max=100_000 * NANOS)
    desk.works("old", 300)
    assert answers(desk.replace("old", "new", quantity=400))
    assert desk.worst() == 100_000
    assert submitted(desk.ended("old"))
    assert desk.worst() == 100_000


@pytest.mark.parametrize(
    ("quantity", "price", "worst"),
    [(200, 250, 50_000), (50, 250, 25_000), (100, 251, 25_100), (100, 249, 25_000)],
)
def test_the_larger_and_dearer_of_the_two_counts_until_one_is_final(
    quantity: int, price: int, worst: int
) -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.replace("old", "new", quantity=quantity, price=price)
    assert desk.worst() == worst
    desk.ended("old")
    assert desk.worst() == quantity * price


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({"quantity": 50}, True),
        ({"price": 249}, True),
        ({"quantity": 99, "price": 249}, True),
        ({"quantity": 101}, False),
        ({"price": 251}, False),
        ({"quantity": 50, "price": 251}, False),
        ({"time": TimeInForce.GTC}, False),
    ],
)
def test_a_calmer_order_is_not_held_back_by_size(changed: dict[str, int], allowed: bool) -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.at_most_ten()
    effects = desk.replace("old", "new", **changed)  # type: ignore[arg-type]
    assert bool(answers(effects)) == allowed
    assert denied(effects) == ([] if allowed else [Reason.ORDER_QUANTITY])
    assert bool(submitted(desk.ended("old"))) == allowed


def test_a_smaller_order_passes_a_limit_that_the_market_has_passed() -> None:
    desk = Replacing(position_fraction_nanos_max=NANOS // 10)
    desk.works("old", 400)
    desk.account(900_000)
    desk.cash = 900_000
    desk.take(CashMoved(request=0, amount_nanos=-100_000 * NANOS, why="a withdrawal"))
    assert denied(desk.replace("old", "x", quantity=401)) == [Reason.ORDER_VALUE]
    assert answers(desk.replace("old", "new", quantity=380))
    assert submitted(desk.ended("old"))


def test_a_dearer_short_is_judged_by_its_value_although_it_is_calmer() -> None:
    desk = Replacing()
    desk.works("old", 399, 250, Side.SELL)
    desk.at_most_ten()
    assert denied(desk.replace("old", "x", price=251)) == [Reason.ORDER_VALUE]
    assert answers(desk.replace("old", "new", quantity=300, price=251))


def test_a_replacement_takes_the_place_of_the_old_order_in_a_full_book() -> None:
    desk = Replacing(working_orders_max=1)
    desk.works("old", 10)
    assert answers(desk.replace("old", "new", quantity=20))
    assert submitted(desk.ended("old"))


def test_it_is_judged_again_when_it_is_sent() -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.replace("old", "new", quantity=200)
    desk.quote("AAPL", 230)
    desk.quote("AAPL", 230)
    effects = desk.ended("old")
    assert not submitted(effects)
    [record] = [e for e in effects if isinstance(e, RecordReplacement)]
    assert record.reason is Reason.PRICE_COLLAR
    assert record.checks[-1] == "price_collar"
    assert record.observed == "250"
    assert events(effects) == [("replaced", "replaced"), ("rejected", "rejected")]


def test_reduce_only_denies_an_opening_replacement_when_it_would_be_sent() -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.replace("old", "new", quantity=50)
    desk.take(facts.BrokerStreamChanged(connected=False))
    effects = desk.ended("old")
    assert dropped(effects) == [Reason.POSTURE_REDUCE_ONLY]


def test_an_exit_is_replaced_as_an_exit() -> None:
    desk = Replacing(held=100, order_value_nanos_max=NANOS)
    desk.works("old", 100, 260, Side.SELL)
    desk.take(facts.BrokerStreamChanged(connected=False))
    assert answers(desk.replace("old", "new", price=255))
    assert denied(desk.order(Side.SELL, NANOS, 250)) == [Reason.POSTURE_REDUCE_ONLY]
    [sent] = submitted(desk.ended("old"))
    assert sent.intent is Intent.REDUCE


def test_an_exit_that_no_longer_reduces_is_judged_in_full_although_it_is_calmer() -> None:
    desk = Replacing(held=100, order_value_nanos_max=NANOS)
    desk.works("gone", 50, 260, Side.SELL)
    desk.ended("gone")
    desk.works("exit", 100, 260, Side.SELL)
    desk.fill("gone", 50, 50)  # it was told late: half of the exit would now open a short
    assert denied(desk.replace("exit", "x", quantity=90)) == [Reason.ORDER_VALUE]
    assert answers(desk.replace("exit", "new", quantity=50))
    [sent] = submitted(desk.ended("exit"))
    assert sent.intent is Intent.REDUCE


# --- what ends its waiting -----------------------------------------------------------------------


@pytest.mark.parametrize("level", [HaltLevel.HALT, HaltLevel.FLATTEN, HaltLevel.KILL])
def test_a_halt_annihilates_it_and_the_old_order_goes_all_the_same(level: HaltLevel) -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.replace("old", "new", quantity=50)
    effects = desk.halt(level)
    assert dropped(effects) == [Reason.ANNIHILATED]
    assert desk.ids["old"] in cancelled(effects)
    assert desk.worst() == 25_000
    effects = desk.ended("old")
    assert not submitted(effects)
    assert events(effects) == [("canceled", "canceled")]


@pytest.mark.parametrize(("level", "kept"), [(HaltLevel.HALT, True), (HaltLevel.FLATTEN, False)])
def test_a_halt_keeps_a_protective_stop_that_is_being_moved(level: HaltLevel, kept: bool) -> None:
    desk = Replacing(held=100)
    desk.works("old", 100, None, Side.SELL, stop=240)
    desk.replace("old", "new", stop=245)
    effects = desk.halt(level)
    assert bool(dropped(effects)) != kept
    sent = submitted(desk.ended("old"))
    assert [order.stop_price_nanos for order in sent if order.intent is Intent.REDUCE] == (
        [245 * NANOS] if kept else []
    )


def test_a_restart_drops_it_and_says_so() -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.replace("old", "new", quantity=200)
    desk.kernel = Kernel.restored(desk.kernel.snapshot())
    effects = desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    assert dropped(effects) == [Reason.ANNIHILATED]
    assert desk.worst() == 25_000
    assert not submitted(desk.ended("old"))


@pytest.mark.parametrize("which", ["old", "new"])
def test_a_cancel_of_either_order_ends_both(which: str) -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.replace("old", "new", quantity=200)
    effects = desk.cancel(which)
    assert dropped(effects) == [Reason.ANNIHILATED]
    [answer] = [e for e in effects if isinstance(e, fx.AnswerCancel)]
    assert answer.reason is Reason.ALLOWED
    assert desk.worst() == 25_000
    assert not submitted(desk.ended("old"))
    assert not desk.working()


def test_a_cancel_that_the_broker_refuses_is_looked_into_and_nothing_is_sent() -> None:
    desk = Replacing()
    desk.works("old", 100)
    desk.replace("old", "new", quantity=200)
    effects = desk.take(
        facts.CancelRefused(order_id=desk.ids["old"], reason=Reason.ORDER_NOT_CANCELABLE)
    )
    assert [type(e) for e in effects] == [fx.FindOrder]
    effects = desk.take(
        facts.OrderSent(
            order_id=desk.ids["old"],
            broker_order_id="b-old",
            status=OrderStatus.FILLED,
            filled_quantity_nanos=100 * NANOS,
            filled_price_nanos=250 * NANOS,
        )
    )
    assert dropped(effects) == [Reason.REPLACED_ENDED]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), st.integers(1, 120)),
        st.tuples(st.just("replace"), st.integers(1, 400), st.integers(245, 255)),
        st.tuples(st.just("order"), st.integers(1, 400)),
        st.tuples(st.just("quote"), st.integers(245, 255)),
        st.tuples(st.just("end")),
        st.tuples(st.just("halt")),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_the_worst_case_is_within_the_limit_at_every_instant(
    steps: list[tuple[str, *tuple[int, ...]]],
) -> None:
    """All of the money that may be committed, whichever order fills and whenever it is told.

    The prices of what is held move too: what only the market raised is set aside.
    """
    desk = Replacing(position_value_nanos_max=VALUE_MAX * NANOS)
    desk.works("o0", 200)
    name, filled, count = "o0", 0, 0
    for what, *numbers in steps:
        order = desk.order_of(name)
        if what == "fill" and not order.closed() and order.status is not OrderStatus.SUBMITTING:
            size = min(numbers[0], order.quantity_nanos // NANOS - filled)
            if size > 0:
                filled += size
                desk.fill(name, size, filled)
        elif what == "replace":
            count += 1
            desk.replace(name, f"o{count}", numbers[0], numbers[1])
        elif what == "order":
            effects = desk.order(Side.BUY, numbers[0] * NANOS, 250)
            if submitted(effects):
                sent = submitted(effects)[0]
                gone = facts.OrderNotSent(order_id=sent.order_id, reason=Reason.NEVER_ARRIVED)
                _check(desk)
                desk.take(gone)
        elif what == "quote":
            desk.quote("AAPL", numbers[0])
        elif what == "end" and not order.closed():
            sent_then = submitted(desk.ended(name, filled=filled))
            assert len(sent_then) <= 1
            for new in sent_then:
                name, filled = new.client_order_id, 0
                desk.ids[name] = new.order_id
                desk.confirm(name)
        elif what == "halt":
            desk.halt(HaltLevel.HALT)
        _check(desk)


def _check(desk: Replacing) -> None:
    """Held at cost and what may still be bought, at the dearest price, are within the limit."""
    book = desk.kernel._state.book
    at = book.account.positions["AAPL"]
    committed = at.quantity_nanos * at.average_price_nanos + at.buying_attos
    assert committed <= VALUE_MAX * NANOS * NANOS * 102 // 100
    for old_id in book.working:
        old = book.orders[old_id]
        new_id = old.succession.replaced_by if old.succession else ""
        if new_id in book.waiting:
            new = book.orders[new_id]
            assert new.succession is not None
            left = new.succession.total_nanos - old.filled_quantity_nanos
            assert at.buying_nanos >= max(left, old.remaining_nanos())
            assert at.buying_attos >= left * (new.limit_price_nanos or 0)
            assert at.buying_attos >= old.remaining_nanos() * (old.limit_price_nanos or 0)
        else:
            assert at.buying_nanos >= old.remaining_nanos()


SEEDS = int(os.environ.get("FUSEBOARD_SEEDS", "0"))


@pytest.mark.no_cover
def test_seeded_runs_with_replacements_keep_every_law_and_reach_every_end() -> None:
    ends: Counter[str] = Counter()
    for seed in range(3_000, 3_100):
        world = run(seed, 300, replaces=True)
        totals_are_exact(world)
        for record in world.log:
            replaced = [e for e in record.effects if isinstance(e, fx.PublishOrder) and e.replaces]
            if replaced and submitted(record.effects):
                ends[f"sent to {submitted(record.effects)[0].intent.value}"] += 1
            ends.update(reason.value for reason in dropped(record.effects))
            if isinstance(record.input, facts.ReplaceRequested):
                ends.update(f"denied: {reason.value}" for reason in denied(record.effects))
    wanted = ("sent to open", "replaced_ended", "annihilated", "denied: order_not_replaceable")
    assert all(ends[end] >= 5 for end in wanted), sorted(ends.items())


@pytest.mark.soak
def test_many_seeded_runs_with_replacements_keep_every_law() -> None:
    for seed in range(50_000, 50_000 + max(SEEDS, 1_000)):
        run(seed, 500, replaces=True)


# --- how often -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"order_rate_max": 5}, Reason.ORDER_RATE),
        ({"messages_max": 5}, Reason.MESSAGE_RATE),
        ({"daily_orders_max": 5}, Reason.DAILY_ORDERS),
    ],
)
@pytest.mark.parametrize("price", [-1, 1], ids=["calmer", "keener"])
def test_replacing_sends_no_more_orders_than_asking_for_them(
    limits: dict[str, int], reason: Reason, price: int
) -> None:
    at = Replacing(order_rate_kills=False, **limits)
    at.works("r0", 10, price=240)
    for count in range(1, 5):
        assert denied(at.replace(f"r{count - 1}", f"r{count}", price=240 + price * count)) == []
        assert len(submitted(at.ended(f"r{count - 1}"))) == 1
        at.confirm(f"r{count}")
    assert denied(at.replace("r4", "r5", price=240 + price * 5)) == [reason]
    assert at.order_of("r4").status is OrderStatus.WORKING
    assert at.cancel("r4"), "cancelling is free"
    assert at.order_of("r4").cancel_wanted


def test_a_flood_of_replacements_kills_its_strategy_as_a_flood_of_orders_does() -> None:
    at = Replacing(order_rate_max=5)
    at.works("old", 10, price=240)
    latched: list[fx.Effect] = []
    for count in range(20):
        effects = at.replace("old", f"r{count}", quantity=20, price=400)
        latched += [effect for effect in effects if isinstance(effect, fx.LatchHalt)]
    [kill] = latched
    assert isinstance(kill, fx.LatchHalt)
    assert (kill.scope, kill.level) == ("strategy:alpha", HaltLevel.KILL)


@pytest.mark.parametrize("named", [{}, {"quantity": 10}, {"price": 240, "time": TimeInForce.DAY}])
def test_a_replacement_that_changes_nothing_is_refused_and_sends_nothing(
    named: dict[str, Any],
) -> None:
    at = Replacing()
    at.works("old", 10, price=240)
    effects = at.replace("old", "new", **named)
    assert denied(effects) == [Reason.ORDER_NOT_REPLACEABLE]
    assert [type(effect) for effect in effects] == [fx.AnswerDenied]
    assert at.order_of("old").status is OrderStatus.WORKING
