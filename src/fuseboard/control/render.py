"""Status as text for people."""

from collections.abc import Sequence
from datetime import UTC, datetime
from shlex import quote
from typing import Final

from fuseboard.control.board import AlertLine, FuseLine, PolicyLine, ResetLine
from fuseboard.control.status import DiscrepancyLine, PostureLine, Status
from fuseboard.runtime.meter import Measured
from fuseboard.vocabulary.identifiers import is_foreign_order_id
from fuseboard.vocabulary.money import NANOS, shown_money, shown_percent, text_from_nanos
from fuseboard.vocabulary.postures import Posture
from fuseboard.vocabulary.reasons import SENTENCES, Reason
from fuseboard.vocabulary.reset_effects import RecordRecovery, RecordReset

ALERTS_SHOWN_MAX: Final = 5
PLANS_SHOWN_MAX: Final = 5
POSITIONS_SHOWN_MAX: Final = 8
RESETS_SHOWN_MAX: Final = 3
DIFFERENCES_SHOWN_MAX: Final = 10
CELL_CHARACTERS_MAX: Final = 128
SHARD_FROM_ONE_IN: Final = 200
"""When more than one evaluation of so many waits, 0.5 %, one gateway is asked too much."""
_NOT_TAKEN_UP: Final = "the gateway has not taken it up, and sends nothing new there"
_SETTLED: Final = frozenset({"COOLING_DOWN", "REDUCE_ONLY", "HALTED", "KILLED"})
_COMING_UP: Final = frozenset({Reason.NOT_RECONCILED.value, Reason.BROKER_UNREACHABLE.value})


def _posture(status: Status) -> str:
    """What is allowed now: nothing new without a gateway, whatever its next start will allow."""
    if status.running or status.posture in (Posture.HALTED.name, Posture.KILLED.name):
        return status.posture
    return f"HALTED: no gateway runs; the next start compares the books, then {status.posture}"


def status_text(status: Status) -> str:
    """One screen: posture first, then why and what to do, then the numbers."""
    lines = [f"posture   {_posture(status)}"]
    lines += [f"register  {line}; {_NOT_TAKEN_UP}" for line in status.not_taken_up]
    if status.unanswered:
        lines.append(f"gateway   {status.unanswered}")
    elif status.journal_lost:
        lines.append("gateway   not running, and it does not start: its journal cannot be read")
    elif not status.running:
        lines.append("gateway   not running: this is what its next start begins with")
    lines += [f"why       {why_line(at)}" for at in status.postures]
    what = next_step(status)
    lines += [f"next      {what}"] if what else []
    if status.halt_epoch and status.postures:
        lines.append(f"halts     number {status.halt_epoch} is the newest")
    if status.halt_file:
        lines.append(f"file      {status.halt_file} halts the account while it is there")
    lines += [f"{key:<10}{value}" for key, value in status.about.items()]
    if status.unanswered:
        return "\n".join(printable(line) for line in lines)
    if status.policy.digest:
        lines.append(f"policy    {policy_line(status.policy)}")
    lines += [f"register  {line}" for line in status.register]
    lines += [f"history   {line}" for line in status.history]
    if status.journal_lost:
        lines += [] if status.register else ["register  holds no halt"]
        lines.append(f"journal   {status.journal_lost}")
        return "\n".join(printable(line) for line in lines)
    compared = status.compared_wall_ns
    lines += [f"compared  with the broker's books at {utc(compared)}"] if compared else []
    lines += _lost_and_tightened(status)
    lines += [f"liquidity {line}" for line in status.liquidity[:DIFFERENCES_SHOWN_MAX]]
    more = len(status.liquidity) - DIFFERENCES_SHOWN_MAX
    lines += [f"liquidity and {more} more: see --json"] if more > 0 else []
    lines += [f"override  {line}" for line in status.overrides]
    lines += [f"reset     {wanted_line(at)}" for at in status.resets_wanted]
    lines += [f"recovery  {line}" for at in status.recoveries for line in recovery_lines(at)]
    lines += [
        f"differs   {differs_line(at)}" for at in status.discrepancies[:DIFFERENCES_SHOWN_MAX]
    ]
    hidden = len(status.discrepancies) - DIFFERENCES_SHOWN_MAX
    lines += [f"differs   and {hidden} more: see --json"] if hidden > 0 else []
    lines += [f"dividend  {line}" for line in status.dividends[:DIFFERENCES_SHOWN_MAX]]
    lines += [f"fuse      {fuse_line(fuse)}" for fuse in status.fuses]
    for plan in status.plans[-PLANS_SHOWN_MAX:]:
        left = f", left {'; '.join(plan.left)}" if plan.left else ""
        lines.append(
            f"plan      {plan.trip}: {plan.stage}, cancelled={plan.cancelled}"
            f" closed={plan.closed} errors={plan.errors}{left}"
        )
    if not status.running:
        lines.append(f"recorded  {record_line(status)}")
    lines.append(f"orders    {status.working} working{_since_start(status)}")
    lines.append(f"positions {held_text(status)}")
    lines += [f"denied    {denied_text(status)}"] if status.running else []
    lines += _measured_lines(status.measured)
    lines.append(f"journal   {status.durable_sequence:,} records durable")
    lines += [f"alert     {alert_line(at)}" for at in status.alerts[-ALERTS_SHOWN_MAX:]]
    lines += [f"reset     {reset_line(at)}" for at in status.resets[-RESETS_SHOWN_MAX:]]
    return "\n".join(printable(line) for line in lines)


def _lost_and_tightened(status: Status) -> list[str]:
    """The strategies that are lost; then the dynamic limits that hold."""
    shown = [f"lost      {line}" for line in status.lost[:DIFFERENCES_SHOWN_MAX]]
    more = len(status.lost) - DIFFERENCES_SHOWN_MAX
    shown += [f"lost      and {more} more: see --json"] if more > 0 else []
    return shown + [f"tightened by the dynamic limit {name}" for name in status.dynamic_limits]


def why_line(at: PostureLine) -> str:
    """Why a scope is tighter than OPEN, in words."""
    known = {reason.value: sentence for reason, sentence in SENTENCES.items()}
    return f"{at.scope}: {at.posture}, {known.get(at.reason, at.reason)} [{at.reason}]"


def alert_line(at: AlertLine) -> str:
    """An alert, and when it was told: it stays when what it tells is over."""
    when = f"{utc(at.wall_ns)} " if at.wall_ns else ""
    return f"{when}[{at.severity}] {at.text}"


def reset_line(at: ResetLine) -> str:
    """Who reset a scope last, when and why."""
    when = f" at {utc(at.wall_ns)}" if at.wall_ns else ""
    rebased = ", rebased" if at.rebased else ""
    return f"{at.scope} reset by {at.operator}{when}{rebased}: {at.reason}"


def differs_line(at: DiscrepancyLine) -> str:
    """What does not agree, which comparison found it, since when."""
    since = datetime.fromtimestamp(at.since_ns // NANOS, UTC)
    taken = ", taken over, to be compared again" if at.adopted else ""
    return f"{at.what} [{at.source}], since {since:%Y-%m-%d %H:%M:%S} UTC{taken}"


def policy_line(at: PolicyLine) -> str:
    """The policy in force: its name, its digest and since when."""
    return f"{at.name}, digest {at.digest[:16]}, in force since {utc(at.since_wall_ns)}"


def wanted_line(at: RecordReset) -> str:
    """A reset that waits for a second person: who, when, until when, and how it is confirmed."""
    rebase = " --rebase" if at.rebase else ""
    return (
        f"of {at.scope} asked for by {at.operator} ({at.via}) at {utc(at.asked_wall_ns)}:"
        f" {at.reason}; a second person confirms it with `fuseboard reset --scope {at.scope}"
        f"{rebase}` or a key until {utc(at.lapses_wall_ns)}"
    )


def recovery_lines(at: RecordRecovery) -> list[str]:
    """A recovery and what each of its checks found."""
    by = f" by {at.operator}" if at.operator else ""
    said = f"of {at.scope}, started{by}: {at.stage} at {utc(at.wall_ns)}"
    if not at.checks:
        return [f"of {at.scope} started{by} at {utc(at.wall_ns)}: waits for the broker's answers"]
    found = [f"  {'ok    ' if it.passed else 'FAILED'} {it.name}: {it.said}" for it in at.checks]
    return [said, *found]


def utc(wall_ns: int) -> str:
    """A time for people."""
    return f"{datetime.fromtimestamp(wall_ns // NANOS, UTC):%Y-%m-%d %H:%M:%S} UTC"


def next_step(status: Status) -> str:
    """What a person can do about the posture; empty when nothing is to be done."""
    if status.journal_lost:
        return "docs/runbook.md, restore from a backup"
    if status.unanswered:
        return "look at the broker; while it stays so: docs/runbook.md, the guardian fired"
    if not status.running:
        held = [at for at in status.postures if at.posture in {"HALTED", "KILLED"}]
        removed = f", then `{_removal(status)}`" if status.halt_file else ""
        late = "".join(_not_before(at) for at in held[:1])
        reset = f", then{late} `fuseboard reset --operator NAME --reason TEXT`" if held else ""
        first = f"`{status.before_start}`, then " if status.before_start else ""
        return f"{first}`fuseboard run`{removed}{reset}"
    settled = [fuse for fuse in status.fuses if fuse.state in _SETTLED]
    if any(fuse.state == "TRIGGERED" for fuse in status.fuses):
        return "wait: the plan and the cooldown end first, then a named person resets"
    if any(at.reason in _COMING_UP for at in status.postures):
        return "wait: the gateway is comparing its books with the broker's"
    if status.halt_file:
        reset = "`fuseboard reset --operator NAME --reason TEXT`"
        return f"once reviewed: `{_removal(status)}`, then {reset}"
    if status.resets_wanted:
        return "a second person confirms the reset below, once reviewed"
    if status.discrepancies and not settled:
        return "see docs/runbook.md, the broker and we disagree; a reset takes the broker's word"
    if settled:
        scope = "" if settled[0].scope == "account" else f" --scope {settled[0].scope}"
        late = "".join(_not_before(at) for at in status.postures if at.scope == settled[0].scope)
        return f"once reviewed:{late} `fuseboard reset{scope} --operator NAME --reason TEXT`"
    return ""


def _not_before(at: PostureLine) -> str:
    """That it tripped a short while ago or was reset too often, until when, and what is sooner."""
    if not at.next_reset_wall_ns:
        return ""
    sooner = "a policy with a shorter cooldown or more resets a day"
    return f" from {utc(at.next_reset_wall_ns)}, or after {sooner},"


def _removal(status: Status) -> str:
    return f"rm {quote(status.halt_file)}"


def fuse_line(fuse: FuseLine) -> str:
    """One fuse; a latch has no numbers."""
    if fuse.mark_nanos == 0:
        return f"{fuse.fuse}: {fuse.state}"
    return (
        f"{fuse.fuse}: {fuse.state}, equity {shown_money(fuse.equity_nanos)},"
        f" mark {shown_money(fuse.mark_nanos)}, drawdown {shown_percent(fuse.drawdown_nanos)}"
    )


def record_line(status: Status) -> str:
    """Without a gateway: from when orders and positions are, and that the broker was not asked."""
    if not status.recorded_wall_ns:
        return "our record is empty, and not the broker's"
    return f"our record of {utc(status.recorded_wall_ns)}, not the broker's"


def held_text(status: Status) -> str:
    """What the account holds, in one line."""
    held = [f"{at.quantity} {at.symbol}" for at in status.positions if not at.strategy]
    more = len(held) - POSITIONS_SHOWN_MAX
    shown = ", ".join(held[:POSITIONS_SHOWN_MAX]) or "flat"
    return f"{shown} and {more} more" if more > 0 else shown


def denied_text(status: Status) -> str:
    """How many orders were denied, by reason, the most frequent first."""
    by_count = sorted(status.denied.items(), key=lambda at: (-at[1], at[0]))
    return ", ".join(f"{reason} {count}" for reason, count in by_count) or "none"


def _since_start(status: Status) -> str:
    return f", {status.allowed} allowed since the start" if status.running else ""


def _measured_lines(measured: Measured) -> list[str]:
    lines = []
    if measured.evaluations:
        lines.append(
            f"measured  whole step of a quote p50 {micros(measured.evaluation_p50_ns)},"
            f" p99 {micros(measured.evaluation_p99_ns)}, {waited_text(measured)} waited"
        )
    if measured.trigger_ns:
        lines.append(
            f"measured  trip {micros(measured.trigger_ns)}, {cancels_text(measured)},"
            f" liquidation {millis(measured.liquidation_ns)}"
        )
    return lines


def cancels_text(measured: Measured) -> str:
    """How long the cancels of the last trip took to be confirmed, or were waited for in vain."""
    if measured.unconfirmed:
        after = millis(measured.cancel_ns)
        return f"{measured.unconfirmed} cancels not confirmed after {after}"
    return f"cancels confirmed {millis(measured.cancel_ns)}"


def waited_text(measured: Measured) -> str:
    """The share of evaluations that waited, and what to do when it is too much."""
    text = shown_percent(measured.waited * NANOS // max(1, measured.evaluations))
    too_many = measured.waited * SHARD_FROM_ONE_IN > measured.evaluations
    return f"{text} (too many: shard, see docs/performance.md)" if too_many else text


def micros(ns: int) -> str:
    """A duration for people, in microseconds."""
    return f"{ns // 1_000}.{ns % 1_000 // 100} µs"


def millis(ns: int) -> str:
    """A duration for people, in milliseconds; a dash when it was not measured."""
    return f"{ns // 1_000_000}.{ns % 1_000_000 // 10_000:02d} ms" if ns else "-"


def orders_text(status: Status) -> str:
    """The working orders as a table."""
    rows = [
        (
            order.strategy or ("(foreign)" if is_foreign_order_id(order.order_id) else "(plan)"),
            order.symbol,
            order.side,
            text_from_nanos(order.quantity_nanos),
            text_from_nanos(order.filled_quantity_nanos),
            order.order_type,
            "" if order.limit_price_nanos is None else text_from_nanos(order.limit_price_nanos),
            order.status,
            order.client_order_id,
        )
        for order in status.orders
    ]
    head = ["strategy", "symbol", "side", "quantity", "filled", "type", "limit", "status"]
    return table([*head, "client id"], rows, numbers=(3, 4, 6)) if rows else "no working orders"


def positions_text(status: Status) -> str:
    """The positions as a table."""
    rows = [
        (at.strategy or "(account)", at.symbol, at.quantity, at.average_price)
        for at in status.positions
    ]
    head = ("ledger", "symbol", "quantity", "average price")
    return table(head, rows, numbers=(2, 3)) if rows else "no positions"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Columns as wide as their widest cell; those of `numbers` to the right."""
    cells = [[printable(cell)[:CELL_CHARACTERS_MAX] for cell in row] for row in [head, *rows]]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]

    def placed(at: int, cell: str) -> str:
        return cell.rjust(widths[at]) if at in numbers else cell.ljust(widths[at])

    return "\n".join(
        "  ".join(placed(at, cell) for at, cell in enumerate(row)).rstrip() for row in cells
    )


def printable(text: str) -> str:
    """Without characters that could move a terminal's cursor: strategies and brokers name things.

    They become `?`.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "?" for each in text)
