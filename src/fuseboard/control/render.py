"""Status as text for people."""

from collections.abc import Sequence

from fuseboard.control.status import Status
from fuseboard.vocabulary.money import shown_money, shown_percent, text_from_nanos


def status_text(status: Status) -> str:
    """One screen: posture first, then why, then the numbers."""
    lines = [f"posture   {status.posture}"]
    if not status.running:
        lines.append("gateway   not running: this is what its state directory holds")
    lines += [f"{key:<10}{value}" for key, value in status.about.items()]
    lines += [f"scope     {at.scope}: {at.posture} ({at.reason})" for at in status.postures]
    lines += [f"register  {line}" for line in status.register]
    for fuse in status.fuses:
        lines.append(
            f"fuse      {fuse.fuse}: {fuse.state}, equity {shown_money(fuse.equity_nanos)},"
            f" mark {shown_money(fuse.mark_nanos)}, drawdown {shown_percent(fuse.drawdown_nanos)},"
            f" generation {fuse.generation}"
        )
    for plan in status.plans:
        left = f", left {'; '.join(plan.left)}" if plan.left else ""
        lines.append(
            f"plan      {plan.trip}: {plan.stage}, cancelled={plan.cancelled}"
            f" closed={plan.closed} errors={plan.errors}{left}"
        )
    lines.append(f"orders    {len(status.orders)} working, {status.allowed} allowed")
    denied = ", ".join(f"{reason} {count}" for reason, count in sorted(status.denied.items()))
    lines.append(f"denied    {denied or 'none'}")
    lines.append(f"journal   {status.durable_sequence} records durable")
    lines += [f"alert     [{at.severity}] {at.text}" for at in status.alerts[-5:]]
    return "\n".join(lines)


def orders_text(status: Status) -> str:
    """The working orders as a table."""
    rows = [
        (
            order.strategy or "(plan)",
            order.symbol,
            order.side,
            text_from_nanos(order.quantity_nanos),
            text_from_nanos(order.filled_quantity_nanos),
            "market"
            if order.limit_price_nanos is None
            else text_from_nanos(order.limit_price_nanos),
            order.status,
            order.client_order_id,
        )
        for order in status.orders
    ]
    head = ("strategy", "symbol", "side", "quantity", "filled", "price", "status", "client id")
    return table(head, rows) if rows else "no working orders"


def positions_text(status: Status) -> str:
    """The positions as a table."""
    rows = [
        (at.strategy or "(account)", at.symbol, at.quantity, at.average_price)
        for at in status.positions
    ]
    head = ("ledger", "symbol", "quantity", "average price")
    return table(head, rows) if rows else "no positions"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    )
