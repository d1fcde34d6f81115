"""A broker that keeps its own ledger: the truth that the laws are judged by."""

from msgspec import Struct

from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import TERMINAL_STATUSES, Intent, OrderStatus, Side
from fuseboard.vocabulary.reasons import Reason

CASH = 100_000 * NANOS


class BrokerOrder(Struct):
    order: fx.SubmitOrder
    broker_id: str
    status: OrderStatus = OrderStatus.WORKING
    filled: int = 0
    cost: int = 0

    def average(self) -> int:
        return self.cost // self.filled if self.filled else 0

    def left(self) -> int:
        return self.order.quantity_nanos - self.filled

    def ended(self) -> bool:
        return self.status in TERMINAL_STATUSES


class ModelBroker:
    """Takes, fills and cancels orders; its stream's reports wait in `reports`."""

    def __init__(self, prices: dict[str, int]) -> None:
        self.prices = prices
        self.cash_attos = CASH * NANOS
        self.positions: dict[str, int] = {}
        self.orders: dict[str, BrokerOrder] = {}
        self.coming: list[tuple[int, fx.SubmitOrder]] = []
        self.cancels: list[tuple[str, str]] = []
        self.reports: list[facts.OrderWorking | facts.FillReported | facts.OrderEnded] = []
        self.streaming = True

    def held(self, symbol: str) -> int:
        return self.positions.get(symbol, 0)

    # --- orders ------------------------------------------------------------------------------

    def place(self, order: fx.SubmitOrder, boot_ns: int) -> BrokerOrder:
        del boot_ns
        assert order.wire_id not in self.orders, f"law 3: {order.wire_id} was sent twice"
        if order.intent is Intent.PLAN:
            for other in self.orders.values():
                same = other.order.symbol == order.symbol and other.order.intent is Intent.PLAN
                trip = other.order.client_order_id.rsplit("/", 1)[0]
                if same and trip == order.client_order_id.rsplit("/", 1)[0]:
                    assert other.ended(), "law 3: an attempt began before the last was final"
        taken = BrokerOrder(order, f"b{len(self.orders) + 1}")
        self.orders[order.wire_id] = taken
        self._say(facts.OrderWorking(order_id=order.order_id, broker_order_id=taken.broker_id))
        return taken

    def _say(self, report: facts.OrderWorking | facts.FillReported | facts.OrderEnded) -> None:
        if self.streaming:
            self.reports.append(report)

    def sent(self, taken: BrokerOrder) -> facts.OrderSent:
        return facts.OrderSent(
            order_id=taken.order.order_id,
            broker_order_id=taken.broker_id,
            status=taken.status,
            filled_quantity_nanos=taken.filled,
            filled_price_nanos=taken.average(),
        )

    def find(self, wire_id: str) -> facts.OrderSent | None:
        taken = self.orders.get(wire_id)
        return None if taken is None else self.sent(taken)

    def working(self) -> list[BrokerOrder]:
        return [order for order in self.orders.values() if not order.ended()]

    def fill(self, choice: int, *, parts: int) -> None:
        working = self.working()
        if working:
            taken = working[choice % len(working)]
            self._execute(taken, max(1, taken.left() // parts))

    def fill_plans(self) -> bool:
        closes = [taken for taken in self.working() if taken.order.intent is Intent.PLAN]
        for taken in closes:
            self._execute(taken, taken.left())
        return bool(closes)

    def _execute(self, taken: BrokerOrder, quantity: int) -> None:
        order = taken.order
        price = order.limit_price_nanos or self.prices[order.symbol]
        before = self.held(order.symbol)
        signed = quantity if order.side is Side.BUY else -quantity
        after = before + signed
        if order.intent is Intent.PLAN:
            shrinks = before * after >= 0 and abs(after) < abs(before)
            assert shrinks, f"law 4: a close took {order.symbol} from {before} to {after}"
        self.positions[order.symbol] = after
        self.cash_attos -= signed * price
        taken.filled += quantity
        taken.cost += quantity * price
        whole = taken.left() == 0
        taken.status = OrderStatus.FILLED if whole else OrderStatus.PARTIALLY_FILLED
        self._say(
            facts.FillReported(
                order_id=order.order_id,
                broker_order_id=taken.broker_id,
                quantity_nanos=quantity,
                price_nanos=price,
                filled_quantity_nanos=taken.filled,
                filled_price_nanos=taken.average(),
                final=whole,
            )
        )

    def ask_cancel(self, order_id: str, broker_id: str) -> None:
        if (order_id, broker_id) not in self.cancels:
            self.cancels.append((order_id, broker_id))

    def cancel_next(self, choice: int) -> facts.CancelRefused | None:
        if not self.cancels:
            return None
        order_id, broker_id = self.cancels.pop(choice % len(self.cancels))
        taken = next(order for order in self.orders.values() if order.broker_id == broker_id)
        if taken.ended():
            return facts.CancelRefused(order_id=order_id, reason=Reason.ORDER_NOT_CANCELABLE)
        taken.status = OrderStatus.CANCELED
        self._say(
            facts.OrderEnded(
                order_id=taken.order.order_id,
                broker_order_id=broker_id,
                status=OrderStatus.CANCELED,
                filled_quantity_nanos=taken.filled,
                filled_price_nanos=taken.average(),
            )
        )
        return None

    # --- reads -------------------------------------------------------------------------------

    def leg(self, question: fx.ReadLeg) -> facts.LegRead:
        held = self.held(question.symbol)
        against = Side.SELL if held > 0 else Side.BUY
        return facts.LegRead(
            trip=question.trip,
            symbol=question.symbol,
            attempt=question.attempt,
            position_nanos=held,
            against_nanos=sum(
                taken.left()
                for taken in self.working()
                if taken.order.symbol == question.symbol and taken.order.side is against
            ),
            found=self.find(question.wire_id),
        )

    def account(self) -> facts.AccountSeen:
        value = sum(held * self.prices[symbol] for symbol, held in self.positions.items())
        return facts.AccountSeen(
            cash_nanos=self.cash_attos // NANOS,
            equity_nanos=(self.cash_attos + value) // NANOS,
            last_equity_nanos=CASH,
            multiplier=2,
            shorting_enabled=True,
        )

    def positions_seen(self) -> facts.PositionsSeen:
        return facts.PositionsSeen(
            positions=tuple(
                facts.BrokerPosition(
                    symbol=symbol,
                    quantity_nanos=held,
                    average_price_nanos=self.prices[symbol],
                    price_nanos=self.prices[symbol],
                )
                for symbol, held in self.positions.items()
                if held
            )
        )


__all__ = ["BrokerOrder", "ModelBroker"]
