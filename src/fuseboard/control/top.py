"""`fuseboard top`: the node in one terminal screen, ten times a second."""

import time
from collections.abc import Callable
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fuseboard.control.board import FuseLine
from fuseboard.control.client import GatewayUnreachable
from fuseboard.control.render import (
    alert_line,
    denied_text,
    held_text,
    micros,
    next_step,
    printable,
    waited_text,
    why_line,
)
from fuseboard.control.status import Status
from fuseboard.vocabulary.money import shown_money, shown_percent

UPDATES_PER_S: Final = 10
WIDTH_MAX: Final = 100
FUSES_SHOWN_MAX: Final = 12
WHYS_SHOWN_MAX: Final = 6
ALERTS_SHOWN_MAX: Final = 3
_BARS: Final = "▁▂▃▄▅▆▇█"
_GREEN, _YELLOW, _ORANGE, _RED = "bold green", "bold yellow", "bold dark_orange", "bold red"
_COLOURS: Final = {
    "OPEN": _GREEN,
    "REDUCED": _YELLOW,
    "REDUCE_ONLY": _ORANGE,
    "HALTED": _RED,
    "KILLED": "bold white on red",
}
_STATE_COLOURS: Final = {
    "ARMED": "dim",
    "MONITORING": _GREEN,
    "WARNING": _YELLOW,
    "TRIGGERED": _ORANGE,
    "REDUCE_ONLY": _ORANGE,
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


def screen(status: Status, width: int, away: str = "") -> Panel:
    """The status as one panel of `width` columns; `away` says why it is not of now."""
    head = Text(status.posture, style=_COLOURS.get(status.posture, "bold"))
    if away:
        head = Text().append("NO GATEWAY", style=_RED).append(f"  {printable(away)}")
        head.append(f"\nwhat it last said: {status.posture}")
    parts: list[RenderableType] = [head]
    parts += [_line(why_line(at)) for at in status.postures[:WHYS_SHOWN_MAX]]
    what = next_step(status)
    parts += [_line(what, "bold")] if what and not away else []
    parts += [_line(sparkline(status.equities_nanos, width - 4), "cyan"), _fuses(status.fuses)]
    parts += [_numbers(status)]
    alerts = list(status.alerts)[-ALERTS_SHOWN_MAX:]
    parts += [_line(alert_line(at), "yellow") for at in alerts]
    subtitle = "Ctrl-C leaves; the gateway goes on"
    style = "dim" if away else ""
    return Panel(Group(*parts), title="fuseboard", subtitle=subtitle, width=width, style=style)


def _line(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style, no_wrap=True, overflow="ellipsis")


def _fuses(fuses: tuple[FuseLine, ...]) -> Table:
    """One row a fuse that measures; latches are in the reasons."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    grid.add_column("drawdown of", overflow="ellipsis", no_wrap=True, max_width=18)
    grid.add_column("state", no_wrap=True)
    for name in ("equity", "high mark", "drawdown", "trips"):
        grid.add_column(name, justify="right", no_wrap=True)
    for fuse in [at for at in fuses if at.fuse.startswith("drawdown:")][:FUSES_SHOWN_MAX]:
        grid.add_row(
            Text(printable(fuse.scope)),
            Text(fuse.state, style=_STATE_COLOURS.get(fuse.state, _RED)),
            Text(shown_money(fuse.equity_nanos)),
            Text(shown_money(fuse.mark_nanos)),
            Text(shown_percent(fuse.drawdown_nanos)),
            Text(str(fuse.trips)),
        )
    return grid


def _numbers(status: Status) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="ellipsis", no_wrap=True)
    for name, text in (
        ("quote step p99", micros(status.measured.evaluation_p99_ns)),
        ("quotes waited", waited_text(status.measured)),
        ("orders", f"{status.working} working, {status.allowed} allowed since the start"),
        ("denied", denied_text(status)),
        ("positions", held_text(status)),
        ("journal", f"{status.durable_sequence:,} records durable"),
    ):
        grid.add_row(name, Text(printable(text)))
    return grid


def run_top(read: Callable[[], Status], *, seconds: float | None, console: Console) -> None:
    """Draw until interrupted, or for some seconds; `read` is asked ten times a second.

    Raises `GatewayUnreachable` when the first look fails; later ones are shown and tried again.
    Without a terminal and without `seconds`, one screen.
    """
    status, away = read(), ""
    width = min(console.width, WIDTH_MAX)
    if seconds is None and not console.is_terminal:
        console.print(screen(status, width))
        return
    began = time.monotonic()
    frame = 0
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while seconds is None or time.monotonic() < began + seconds:
            live.update(screen(status, min(console.width, WIDTH_MAX), away), refresh=True)
            frame = max(frame + 1, int((time.monotonic() - began) * UPDATES_PER_S))
            time.sleep(max(0.0, began + frame / UPDATES_PER_S - time.monotonic()))
            try:
                status, away = read(), ""
            except GatewayUnreachable as refusal:
                away = str(refusal)
