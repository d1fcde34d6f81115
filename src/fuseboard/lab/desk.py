"""Where a strategy's intents go, with the gate or without: the doors of a trial's world."""

from typing import Protocol

from fuseboard.exchange.exchange import Exchange
from fuseboard.exchange.halts import StatusTold
from fuseboard.exchange.orders import OrderEvent, Refusal, Status, Ticket
from fuseboard.feeds.tapes.tape import TapeQuote, TapeTrade
from fuseboard.lab.chronicle import Chronicle
from fuseboard.lab.request_line import RequestLine
from fuseboard.lab.signals import StrategyFailed
from fuseboard.lab.strategy import Cancel, End, Fill, Place
from fuseboard.runtime.budget import Budget
from fuseboard.vocabulary.reasons import SENTENCES, Reason

Outcome = Fill | End


class Desk(Protocol):
    """Takes intents, and shows the market to whoever stands between. `outcomes` is what there is
    to tell the strategy; whoever tells it empties the list.
    """

    outcomes: list[Outcome]

    def show_quote(self, quote: TapeQuote) -> None:
        """A quote of the tape."""

    def show_trade(self, trade: TapeTrade) -> None:
        """A trade of the tape."""

    def show_status(self, told: StatusTold) -> None:
        """The exchange halted a symbol, or resumed it."""

    def pump(self) -> None:
        """What happened to orders at the exchange is delivered."""

    def place(self, place: Place, at_ns: int) -> None:
        """The strategy wants an order."""

    def cancel(self, cancel: Cancel, at_ns: int) -> None:
        """The strategy wants one of its orders gone."""


class BareDesk:
    """No gate: intents go to the exchange as fast as the broker takes requests, and what happens
    there to the strategy.
    """

    def __init__(self, exchange: Exchange, chronicle: Chronicle, budget: Budget) -> None:
        self.outcomes: list[Outcome] = []
        self._exchange = exchange
        self._chronicle = chronicle
        self._order_ids: dict[str, str] = {}
        """The exchange's, by the strategy's; empty until it has one, and where it takes none."""
        self._over: dict[str, None] = {}
        self._line = RequestLine(
            budget, submit=self._submit, cancel=self._cancel, stale=self._stale
        )

    def show_quote(self, quote: TapeQuote) -> None:
        """Nobody stands between."""

    def show_trade(self, trade: TapeTrade) -> None:
        """Nobody stands between."""

    def show_status(self, told: StatusTold) -> None:
        """Nobody stands between."""

    def pump(self) -> None:
        """Order events become outcomes."""
        for event in self._exchange.events():
            self._chronicle.order_event(event, plan=False)
            outcome = _outcome(event)
            if outcome is not None:
                self.outcomes.append(outcome)
            if event.order.is_final:
                self._over[event.order.ticket.client_order_id] = None

    def due_ns(self) -> int | None:
        """When `wake` next has something to do; None while nothing waits for the broker."""
        return self._line.due_ns()

    def wake(self, now_ns: int) -> None:
        """What waited may leave now."""
        self._line.wake(now_ns)

    def place(self, place: Place, at_ns: int) -> None:
        """Submit it when the broker takes it."""
        if place.own_id in self._order_ids:
            raise StrategyFailed(used_twice(place))
        self._order_ids[place.own_id] = ""
        self._chronicle.count("submitted")
        self._line.place(place, at_ns)

    def cancel(self, cancel: Cancel, at_ns: int) -> None:
        """Cancel it; a refusal says nothing that its end or fill does not."""
        if cancel.own_id not in self._order_ids:
            raise StrategyFailed(never_placed(cancel))
        self._chronicle.count("cancels")
        place = self._line.annihilated(cancel.own_id)
        if place is not None:
            self._not_sent(place, at_ns, Reason.ANNIHILATED)
        elif cancel.own_id not in self._over:
            self._line.cancel(cancel.own_id, at_ns)

    def _submit(self, place: Place, at_ns: int) -> None:
        taken = self._exchange.submit(
            at_ns,
            Ticket(
                client_order_id=place.own_id,
                symbol=place.symbol,
                side=place.side,
                order_type=place.order_type,
                time_in_force=place.time_in_force,
                quantity_nanos=place.quantity_nanos,
                limit_price_nanos=place.limit_price_nanos,
                stop_price_nanos=place.stop_price_nanos,
            ),
        )
        if isinstance(taken, Refusal):
            code, text = f"exchange_{taken.http_status}", taken.message
            self._ended(place, at_ns, "rejected", code=code, text=text)
            return
        self._order_ids[place.own_id] = taken.order_id
        self._chronicle.placed(place, at_ns, "allowed")

    def _cancel(self, own_id: str, at_ns: int) -> None:
        self._exchange.cancel(at_ns, self._order_ids[own_id])

    def _stale(self, place: Place, at_ns: int) -> None:
        self._not_sent(place, at_ns, Reason.RATE_LIMITED)

    def _not_sent(self, place: Place, at_ns: int, reason: Reason) -> None:
        self._ended(place, at_ns, "denied", code=reason.value, text=SENTENCES.get(reason, ""))

    def _ended(self, place: Place, at_ns: int, how: str, *, code: str, text: str) -> None:
        self._over[place.own_id] = None
        self._chronicle.denied(place, at_ns, how, code=code, text=text)
        self.outcomes.append(
            End(
                symbol=place.symbol,
                at_ns=at_ns,
                own_id=place.own_id,
                how=how,
                code=code,
                message=text,
            )
        )


def used_twice(place: Place) -> str:
    """What is said of an id that is not new."""
    return f"the strategy used the id {place.own_id!r} twice: each order needs one of its own"


def never_placed(cancel: Cancel) -> str:
    """What is said of a cancel of nothing."""
    return f"the strategy cancels {cancel.own_id!r}, which it never placed"


def _outcome(event: OrderEvent) -> Outcome | None:
    order = event.order
    ticket, fill = order.ticket, event.fill
    if fill is not None:
        return Fill(
            symbol=ticket.symbol,
            at_ns=event.at_ns,
            own_id=ticket.client_order_id,
            side=ticket.side,
            quantity_nanos=fill.quantity_nanos,
            price_nanos=fill.price_nanos,
            position_nanos=fill.position_nanos,
            whole=order.is_final,
        )
    if order.status not in (Status.CANCELED, Status.EXPIRED):
        return None
    return End(
        symbol=ticket.symbol,
        at_ns=event.at_ns,
        own_id=ticket.client_order_id,
        how=order.status.value,
        filled_nanos=order.filled_nanos,
    )
