"""Writes the ledger's entries and the activities, and makes the ids that follow from the seed."""

import hashlib
import uuid

from fuseboard.exchange import ledger
from fuseboard.exchange.activities import Activities, FillActivity
from fuseboard.exchange.orders import Fill, Order, Refusal
from fuseboard.vocabulary.money import NANOS


def seeded_id(seed: int, what: str, number: int) -> str:
    """A UUID that follows from the seed, so that a repeated run has the same ids."""
    digest = hashlib.sha256(f"{seed}/{what}/{number}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


class Scribe:
    """Numbers entries from 1 and hands each line to `record`; keeps the account's activities."""

    def __init__(self, record: ledger.Recorder) -> None:
        self._record = record
        self._written = 0
        self.activities = Activities()

    def write(self, now_ns: int, kind: ledger.EntryKind, **fields: object) -> None:
        """Write one entry."""
        self._written += 1
        self._record(ledger.encoded_entry(kind(sequence=self._written, at_ns=now_ns, **fields)))

    def write_refusal(self, now_ns: int, request: str, subject: str, refusal: Refusal) -> None:
        """Write that a request was refused."""
        self.write(
            now_ns,
            ledger.RequestRefused,
            request=request,
            subject=subject,
            http_status=refusal.http_status,
            code=refusal.code,
            message=refusal.message,
        )

    def write_fill(
        self, now_ns: int, order: Order, fill: Fill, *, moved_attos: int, cash_attos: int
    ) -> None:
        """Write an execution and the cash it moved; `cash_attos` is the balance after the fee."""
        self.write(
            now_ns,
            ledger.OrderFilled,
            order_id=order.order_id,
            execution_id=fill.execution_id,
            symbol=order.ticket.symbol,
            side=order.ticket.side,
            price_nanos=fill.price_nanos,
            quantity_nanos=fill.quantity_nanos,
            filled_quantity_nanos=order.filled_nanos,
            position_nanos=fill.position_nanos,
            against=fill.against,
        )
        self.activities.filled(
            now_ns,
            FillActivity(
                execution_id=fill.execution_id,
                order_id=order.order_id,
                symbol=order.ticket.symbol,
                side=order.ticket.side,
                quantity_nanos=fill.quantity_nanos,
                price_nanos=fill.price_nanos,
                filled_nanos=order.filled_nanos,
                left_nanos=order.remaining_nanos,
            ),
        )
        fee_attos = fill.fee_nanos * NANOS
        for why, amount, balance in (
            ("execution", moved_attos, cash_attos + fee_attos),
            ("fee", -fee_attos, cash_attos),
        ):
            if amount:
                self.write(
                    now_ns,
                    ledger.CashChanged,
                    order_id=order.order_id,
                    why=why,
                    amount_attos=str(amount),
                    cash_attos=str(balance),
                )
