"""`fuseboard top`: the node in one terminal screen, ten times a second."""

import time
from collections.abc import Callable
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fuseboard.control.status import Status
from fuseboard.vocabulary.money import shown_money, shown_percent

UPDATES_PER_S: Final = 10
_BARS: Final = "▁▂▃▄▅▆▇█"
_COLOURS: Final = {
    "OPEN": "bold green",
    "REDUCED": "bold yellow",
    "REDUCE_ONLY": "bold dark_orange",
    "HALTED": "bold red",
    "KILLED": "bold white on red",
}


def sparkline(values: tuple[int, ...], width: int) -> str:
    """The newest values as bars, the lowest as the lowest bar."""
    shown = values[-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    steps = len(_BARS) - 1
    span = max(high - low, 1)
    return "".join(_BARS[(value - low) * steps // span] for value in shown)


def screen(status: Status, width: int) -> Panel:
    """The status as one panel of at most `width` columns."""
    colour = _COLOURS.get(status.posture, "bold")
    head = Text(status.posture, style=colour)
    reasons = ", ".join(f"{at.scope}: {at.reason}" for at in status.postures)
    if reasons:
        head.append(f"  {reasons}", style="default")
    numbers = Table.grid(padding=(0, 2))
    for fuse in status.fuses:
        numbers.add_row(Text(fuse.fuse, style="bold"), Text(fuse.state))
        numbers.add_row("  equity", shown_money(fuse.equity_nanos))
        numbers.add_row("  high-water mark", shown_money(fuse.mark_nanos))
        worst = shown_percent(fuse.worst_drawdown_nanos)
        numbers.add_row("  drawdown", f"{shown_percent(fuse.drawdown_nanos)} (worst {worst})")
        numbers.add_row("  trips", str(fuse.trips))
    measured = status.measured
    denied = ", ".join(f"{reason} {count}" for reason, count in sorted(status.denied.items()))
    numbers.add_row("evaluation p99", f"{measured.evaluation_p99_ns / 1000:.1f} µs")
    numbers.add_row("orders", f"{status.allowed} allowed, {len(status.orders)} working")
    numbers.add_row("denied", denied or "none")
    numbers.add_row("positions", ", ".join(_position(status)) or "flat")
    numbers.add_row("journal", f"{status.durable_sequence:,} records durable")
    alerts = [Text(f"[{at.severity}] {at.text}", style="yellow") for at in status.alerts[-3:]]
    line = Text(sparkline(status.equities_nanos, max(10, width - 6)), style="cyan")
    return Panel(Group(head, line, numbers, *alerts), title="fuseboard", width=width)


def _position(status: Status) -> list[str]:
    return [f"{at.quantity} {at.symbol}" for at in status.positions if not at.strategy]


def run_top(read: Callable[[], Status], *, seconds: float | None, console: Console) -> None:
    """Draw until interrupted, or for some seconds; `read` is asked ten times a second."""
    ends = None if seconds is None else time.monotonic() + seconds
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while ends is None or time.monotonic() < ends:
            live.update(screen(read(), min(console.width, 100)), refresh=True)
            time.sleep(1 / UPDATES_PER_S)
