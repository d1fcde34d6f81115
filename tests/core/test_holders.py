"""Whose positions move: strategies behind the account's own closes, and a bot with a past."""

from fuseboard.core.book import Book, Ledger
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.closes import close_time_in_force
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested
from fuseboard.vocabulary.orders import Intent, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason
from tests.core.test_known_failures import SECOND, Desk, submitted
from tests.core.test_operators import closing


def positions(effects: tuple[fx.Effect, ...]) -> dict[str, int]:
    """The positions shown, in whole shares, by strategy."""
    shown = [e for e in effects if isinstance(e, fx.PublishPosition)]
    return {at.strategy: at.quantity_nanos // NANOS for at in shown}


def start(desk: Desk, *strategies: str) -> tuple[fx.Effect, ...]:
    """Start the node again, with keys for these strategies; what the comparison shows."""
    desk.take(
        facts.NodeStarted(instance="deskdesk", account="A1", release="0", strategies=strategies)
    )
    desk.take(facts.BrokerStreamChanged(connected=True))
    held = facts.BrokerPosition(
        symbol="AAPL",
        quantity_nanos=desk.held * NANOS,
        average_price_nanos=250 * NANOS,
        price_nanos=250 * NANOS,
    )
    return desk.take(facts.PositionsSeen(positions=(held,)))


def filled(close: fx.SubmitOrder, shares: int) -> facts.FillReported:
    return facts.FillReported(
        order_id=close.order_id,
        broker_order_id="b1",
        quantity_nanos=shares * NANOS,
        price_nanos=249 * NANOS,
        filled_quantity_nanos=shares * NANOS,
        filled_price_nanos=249 * NANOS,
        final=shares * NANOS == close.quantity_nanos,
    )


def test_a_single_strategy_takes_over_what_the_account_holds_and_may_reduce_it() -> None:
    desk = Desk(held=100)
    effects = desk.order(Side.SELL, 100 * NANOS, strategy="dip")
    assert positions(effects) == {"dip": 100}
    (sell,) = submitted(effects)
    assert sell.intent is Intent.REDUCE


def test_a_second_strategy_takes_over_nothing() -> None:
    desk = Desk(held=100)
    desk.order(Side.BUY, NANOS, strategy="dip")
    effects = desk.order(Side.BUY, NANOS, strategy="other")
    assert "other" not in positions(effects)


def test_with_several_keys_nobody_takes_over_what_the_account_holds() -> None:
    desk = Desk(held=100)
    start(desk, "dip", "other")
    assert positions(desk.order(Side.BUY, NANOS, strategy="dip")).get("dip") is None


def test_the_accounts_own_close_moves_its_holders_position() -> None:
    desk = Desk(held=100)
    assert positions(start(desk, "dip")) == {"dip": 100}
    close = closing(desk)
    effects = desk.take(filled(close, 40))
    assert positions(effects) == {"": 60, "dip": 60}
    effects = desk.take(filled(close, 100))
    assert positions(effects) == {"": 0, "dip": 0}


def test_a_close_is_shared_among_holders_in_order_and_the_rest_is_the_accounts() -> None:
    book = Book(account=Ledger(counts_worst=True))
    book.account.adopt("AAPL", 100 * NANOS, 250 * NANOS, 250 * NANOS)
    for name, shares in (("first", 30), ("second", 50)):
        book.strategy(name).adopt("AAPL", shares * NANOS, 250 * NANOS, 250 * NANOS)
    book.account.adopt("AAPL", 60 * NANOS, 250 * NANOS, 250 * NANOS)
    book.fit("AAPL")
    held = [book.strategy(name).position("AAPL").quantity_nanos for name in ("first", "second")]
    assert held == [30 * NANOS, 30 * NANOS]


def test_a_single_strategy_follows_a_corrected_account_at_no_profit() -> None:
    book = Book(account=Ledger(counts_worst=True))
    book.account.adopt("AAPL", 100 * NANOS, 250 * NANOS, 250 * NANOS)
    book.inherit("dip")
    assert book.strategy("dip").equity_attos() == 0
    book.account.adopt("AAPL", 40 * NANOS, 250 * NANOS, 250 * NANOS)
    book.fit("AAPL")
    assert book.strategy("dip").position("AAPL").quantity_nanos == 40 * NANOS
    assert book.strategy("dip").equity_attos() == 0


def test_before_the_books_are_compared_the_account_shows_halted_and_says_why() -> None:
    desk = Desk()
    effects = desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    shown = [e for e in effects if isinstance(e, fx.PublishPosture)]
    assert (shown[0].posture, shown[0].reason) == (Posture.HALTED, Reason.NOT_RECONCILED)
    effects = desk.take(facts.PositionsSeen(positions=()))
    shown = [e for e in effects if isinstance(e, fx.PublishPosture)]
    assert shown
    assert all(posture.reason is not Reason.NOT_RECONCILED for posture in shown)


def test_a_reason_that_changes_under_the_same_posture_is_shown() -> None:
    desk = Desk()
    desk.take(facts.NodeStarted(instance="deskdesk", account="A1", release="0"))
    halt = OperatorHaltRequested(
        request=9, operator="ann", reason="drill", scope="account", level=HaltLevel.HALT
    )
    effects = desk.take(halt)
    shown = [e for e in effects if isinstance(e, fx.PublishPosture)]
    assert shown[-1].posture is Posture.HALTED
    assert shown[-1].reason is Reason.OPERATOR


def test_strangers_orders_are_said_at_most_once_a_minute() -> None:
    desk = Desk()

    def alerts(number: int) -> int:
        seen = facts.ForeignOrderSeen(
            wire_id=f"w{number}",
            broker_order_id=f"b{number}",
            symbol="AAPL",
            ours_by_prefix=False,
        )
        return sum(isinstance(effect, fx.RaiseAlert) for effect in desk.take(seen))

    assert [alerts(number) for number in range(3)] == [1, 0, 0]
    desk.now_ns += 61 * SECOND
    assert alerts(3) == 1


def test_crypto_pairs_are_closed_until_cancelled_and_shares_for_the_day() -> None:
    for quantity_nanos in (NANOS, NANOS // 3):
        assert close_time_in_force("BTC/USD", quantity_nanos, at_once=False) is TimeInForce.GTC
        assert close_time_in_force("BTC/USD", quantity_nanos, at_once=True) is TimeInForce.IOC
        assert close_time_in_force("AAPL", quantity_nanos, at_once=False) is TimeInForce.DAY
    assert close_time_in_force("AAPL", NANOS, at_once=True) is TimeInForce.IOC
    assert close_time_in_force("AAPL", NANOS + 1, at_once=True) is TimeInForce.DAY
