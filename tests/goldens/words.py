"""Goldens in words: a line is an input at its time, the lines under it are the kernel's effects.

`played` reads the inputs of a text, folds them, and gives the text back with the effects that came
out. Comment lines (`#`) and the order of things stay as they are.
"""

import re
import shlex
from collections.abc import Callable

from msgspec import structs

from fuseboard.core.kernel import Kernel
from fuseboard.policy.data_rules import ReconciliationRules
from fuseboard.policy.limits import Limits
from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import LossRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.broker_latch_effects import LatchBroker
from fuseboard.vocabulary.dividend_facts import PublishDividends
from fuseboard.vocabulary.evidence_effects import (
    PublishPlan,
    RecordCash,
    RecordPlan,
    RecordPolicy,
    RecordReplacement,
    RecordTransition,
)
from fuseboard.vocabulary.foreign_inputs import ForeignTerms
from fuseboard.vocabulary.identifiers import foreign_order_id
from fuseboard.vocabulary.market_effects import WatchSymbol
from fuseboard.vocabulary.market_inputs import QuoteSeen
from fuseboard.vocabulary.money import NANOS, nanos_from_text, text_from_nanos
from fuseboard.vocabulary.operator_inputs import (
    CashMoved,
    OperatorHaltRequested,
    OperatorResetRequested,
)
from fuseboard.vocabulary.orders import OrderStatus, OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason

DAY_NS = 24 * 3600 * NANOS
MIDNIGHT_NS = 19_000 * DAY_NS
TIME = re.compile(r"(\d\d):(\d\d):(\d\d)\.(\d{3}) (.*)")
LEFT_OUT = (fx.PublishEquity, WatchSymbol)
number, text = nanos_from_text, text_from_nanos


class Player:
    """One kernel that is told facts in words; `names` are what a golden calls the orders."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.names: dict[str, str] = {}
        self.ids: dict[str, str] = {}

    def played(self, line: str) -> list[str]:
        """The effects of one input line, in words."""
        match = TIME.fullmatch(line)
        assert match is not None, f"no time in {line!r}"
        hours, minutes, seconds, millis = (int(part) for part in match.groups()[:4])
        since_ns = ((hours * 60 + minutes) * 60 + seconds) * NANOS + millis * NANOS // 1000
        moment = facts.Moment(since_ns, MIDNIGHT_NS + since_ns)
        kind, *words = shlex.split(match[5])
        if kind == "restart":
            self.kernel = Kernel.restored(self.kernel.snapshot())
            return []
        effects = self.kernel.step(moment, _FACTS[kind](self, words))
        shown = []
        for effect in effects:
            waits = isinstance(effect, fx.PublishOrder) and effect.replaces
            if isinstance(effect, fx.SubmitOrder) or waits:
                assert isinstance(effect, fx.SubmitOrder | fx.PublishOrder)
                self.names[effect.order_id] = effect.client_order_id
                self.ids[effect.client_order_id] = effect.order_id
            if not isinstance(effect, LEFT_OUT):
                shown.append(_said(self, effect))
        return shown

    def name(self, order_id: str) -> str:
        return self.names.get(order_id, order_id)


# --- inputs ------------------------------------------------------------------------------------


def _percent(word: str) -> int:
    return number(word.rstrip("%")) // 100


def _policy(_: Player, words: list[str]) -> facts.Input:
    given = dict(word.split("=") for word in words)
    rule = LossRule(
        limit_nanos=_percent(given.get("drawdown", "5%")),
        warning_nanos=_percent(given["warning"]) if "warning" in given else None,
        warning_clear_nanos=_percent(given["clear"]) if "clear" in given else None,
        cooldown_ns=number(given.get("cooldown", "2")),
        action=Action.FLATTEN if given.get("flatten", "yes") == "yes" else Action.HALT,
    )
    limits = Limits(
        order_value_nanos_max=number(given.get("value", "1000000")),
        gross_exposure_nanos_max=_percent(given.get("gross", "100%")),
    )
    compared = ReconciliationRules(foreign_orders=given.get("foreign", "leave"))
    policy = Policy(name="golden", losses=(rule,), limits=limits, reconciliation=compared)
    canonical = canonical_text(policy)
    return facts.PolicyAdopted(text=canonical, digest=digest_of(canonical), operator="start")


def _node_started(_: Player, words: list[str]) -> facts.Input:
    latched: tuple[facts.LatchedScope, ...] = ()
    if words:  # SCOPE LEVEL TRIP EPOCH, as the register holds them
        scope, level, trip, epoch = words
        latched = (
            facts.LatchedScope(
                scope=scope,
                level=HaltLevel[level],
                reason=Reason.DRAWDOWN,
                trip=trip,
                halt_epoch=int(epoch),
            ),
        )
    return facts.NodeStarted(instance="goldgold", account="A1", release="0", latched=latched)


def _account(_: Player, words: list[str]) -> facts.Input:
    cash, equity = number(words[0]), number(words[1])
    return facts.AccountSeen(
        cash_nanos=cash,
        equity_nanos=equity,
        last_equity_nanos=number(words[2]) if len(words) > 2 else equity,
        multiplier=1,
        shorting_enabled=True,
    )


def _positions(_: Player, words: list[str]) -> facts.Input:
    held = [words[i : i + 3] for i in range(0, len(words), 3)]
    return facts.PositionsSeen(
        positions=tuple(
            facts.BrokerPosition(
                symbol=symbol,
                quantity_nanos=number(quantity),
                average_price_nanos=number(price),
                price_nanos=number(price),
            )
            for symbol, quantity, price in held
        )
    )


def _quote(_: Player, words: list[str]) -> facts.Input:
    symbol, bid, ask = words[0], number(words[1]), number(words[2])
    return QuoteSeen(
        symbol=symbol,
        bid_nanos=bid,
        ask_nanos=ask,
        bid_size_nanos=NANOS,
        ask_size_nanos=NANOS,
        event_ns=0,
        bid_low_nanos=bid,
        ask_high_nanos=ask,
    )


def _order(_: Player, words: list[str]) -> facts.Input:
    request, strategy, client, side, quantity, symbol, kind, *price = words
    return facts.OrderRequested(
        request=int(request.lstrip("#")),
        strategy=strategy,
        client_order_id=client,
        symbol=symbol,
        side=Side(side),
        order_type=OrderType(kind),
        time_in_force=TimeInForce.DAY,
        quantity_nanos=number(quantity),
        limit_price_nanos=number(price[0]) if kind == "limit" else None,
        stop_price_nanos=number(price[0]) if kind == "stop" else None,
    )


def _sent(player: Player, words: list[str]) -> facts.Input:
    name, broker_id, *rest = words
    return facts.OrderSent(
        order_id=player.ids[name],
        broker_order_id=broker_id,
        status=OrderStatus(rest[0]) if rest else OrderStatus.WORKING,
        filled_quantity_nanos=number(rest[1]) if len(rest) > 1 else 0,
        filled_price_nanos=number(rest[2]) if len(rest) > 2 else 0,
    )


def _fill(player: Player, words: list[str]) -> facts.Input:
    name, broker_id, quantity, price, total = words
    return facts.FillReported(
        order_id=player.ids[name],
        broker_order_id=broker_id,
        quantity_nanos=number(quantity),
        price_nanos=number(price),
        filled_quantity_nanos=number(total),
        filled_price_nanos=number(price),
        final=False,
    )


def _by_hand(player: Player, words: list[str]) -> facts.Input:
    """WIRE-ID BROKER-ID SIDE QUANTITY SYMBOL LIMIT [FILLED-BEFORE PRICE]."""
    wire_id, broker_id, side, quantity, symbol, limit, *filled = words
    order_id = foreign_order_id(broker_id)
    player.names[order_id], player.ids[wire_id] = wire_id, order_id
    return facts.ForeignOrderSeen(
        wire_id=wire_id,
        broker_order_id=broker_id,
        symbol=symbol,
        ours_by_prefix=False,
        side=Side(side),
        quantity_nanos=number(quantity),
        terms=ForeignTerms(
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            limit_price_nanos=number(limit),
            filled_quantity_nanos=number(filled[0]) if filled else 0,
            filled_price_nanos=number(filled[1]) if filled else 0,
        ),
    )


def _ended(player: Player, words: list[str]) -> facts.Input:
    name, broker_id, status, filled, price = words
    return facts.OrderEnded(
        order_id=player.ids[name],
        broker_order_id=broker_id,
        status=OrderStatus(status),
        filled_quantity_nanos=number(filled),
        filled_price_nanos=number(price),
    )


def _leg(player: Player, words: list[str]) -> facts.Input:
    trip, symbol, attempt, held, against, *found = words
    sent = _sent(player, found) if found else None
    assert sent is None or isinstance(sent, facts.OrderSent)
    return facts.LegRead(
        trip=trip,
        symbol=symbol,
        attempt=int(attempt),
        position_nanos=number(held),
        against_nanos=number(against),
        found=sent,
    )


def _halt(_: Player, words: list[str]) -> facts.Input:
    request, operator, reason, scope, level = words
    return OperatorHaltRequested(
        request=int(request.lstrip("#")),
        operator=operator,
        reason=reason,
        scope=scope,
        level=HaltLevel[level],
    )


def _reset(_: Player, words: list[str]) -> facts.Input:
    request, operator, reason, scope, *rebase = words
    return OperatorResetRequested(
        request=int(request.lstrip("#")),
        operator=operator,
        reason=reason,
        scope=scope,
        rebase=bool(rebase),
    )


def _replace(player: Player, words: list[str]) -> facts.Input:
    request, strategy, client, old, *changes = words
    given = dict(word.split("=") for word in changes)
    return facts.ReplaceRequested(
        request=int(request.lstrip("#")),
        strategy=strategy,
        order_id=player.ids[old],
        client_order_id=client,
        quantity_nanos=number(given["qty"]) if "qty" in given else None,
        limit_price_nanos=number(given["limit"]) if "limit" in given else None,
    )


_FACTS: dict[str, Callable[[Player, list[str]], facts.Input]] = {
    "PolicyAdopted": _policy,
    "NodeStarted": _node_started,
    "AccountSeen": _account,
    "PositionsSeen": _positions,
    "BrokerStreamChanged": lambda _, w: facts.BrokerStreamChanged(connected=w[0] == "connected"),
    "QuoteSeen": _quote,
    "OrderRequested": _order,
    "CancelRequested": lambda p, w: facts.CancelRequested(
        request=int(w[0].lstrip("#")), strategy=w[1], order_id=p.ids[w[2]]
    ),
    "ReplaceRequested": _replace,
    "OrderSent": _sent,
    "OrderUnknown": lambda p, w: facts.OrderUnknown(order_id=p.ids[w[0]], detail="no answer"),
    "OrderNotSent": lambda p, w: facts.OrderNotSent(order_id=p.ids[w[0]], reason=Reason(w[1])),
    "FillReported": _fill,
    "OrderEnded": _ended,
    "ForeignOrderSeen": _by_hand,
    "LegRead": _leg,
    "TimeAdvanced": lambda _p, _w: facts.TimeAdvanced(),
    "OperatorHaltRequested": _halt,
    "OperatorResetRequested": _reset,
    "RequestsThrottled": lambda _, w: facts.RequestsThrottled(
        strategy=w[0], count=int(w[1]), a_second_max=int(w[2])
    ),
    "CashMoved": lambda _, w: CashMoved(request=0, amount_nanos=number(w[0]), why=w[1]),
}

# --- effects -----------------------------------------------------------------------------------


def clock(boot_ns: int) -> str:
    """A boot time as the golden's clock shows it."""
    millis = boot_ns * 1000 // NANOS
    seconds, millis = divmod(millis, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{millis:03d}"


def _submit(_: Player, e: fx.SubmitOrder) -> str:
    price = e.limit_price_nanos or e.stop_price_nanos
    priced = f" {text(price)}" if price else ""
    return (
        f"{e.client_order_id}: {e.side.value} {text(e.quantity_nanos)} {e.symbol}"
        f" {e.order_type.value}{priced} ({e.intent.value}, epoch {e.halt_epoch})"
    )


def _publish(p: Player, e: fx.PublishOrder) -> str:
    filled = f" filled {text(e.filled_quantity_nanos)} of {text(e.quantity_nanos)}"
    return f"{p.name(e.order_id)} {e.event or '(no event)'}: {e.status.value},{filled}"


def _denied(_: Player, e: fx.AnswerDenied) -> str:
    numbers = f" ({e.observed}; limit {e.limit})" if e.observed or e.limit else ""
    return f"#{e.request} {e.reason.value}{numbers}"


def _plan(_: Player, e: RecordPlan) -> str:
    told = {
        "orders": e.orders,
        "symbols": ", ".join(e.symbols),
        "cancelled": e.cancelled,
        "closed": e.closed,
        "errors": e.errors,
        "left": "; ".join(e.left),
    }
    return f"{e.trip} {e.stage}" + "".join(f" {k}={v}" for k, v in told.items() if v)


def _transition(_: Player, e: RecordTransition) -> str:
    who = f" by {e.operator}" if e.operator else ""
    numbers = ""
    if e.mark_nanos:
        lost = text(e.drawdown_nanos * 100)
        numbers = f" (equity {text(e.equity_nanos)}, mark {text(e.mark_nanos)}, lost {lost} %)"
    return f"{e.fuse} #{e.generation} {e.before} -> {e.after}: {e.event}{who}{numbers}"


def _policy_recorded(_: Player, e: RecordPolicy) -> str:
    verdict = "is in force" if e.accepted else "is refused"
    counts = f"{len(e.looser)} looser, {len(e.tighter)} tighter"
    return f"{e.name or '?'} {verdict} by {e.operator}: {counts}"


_SAID: dict[type, Callable[..., str]] = {
    fx.SubmitOrder: _submit,
    fx.CancelOrder: lambda p, e: f"{p.name(e.order_id)} {e.broker_order_id or '(no id yet)'}",
    fx.FindOrder: lambda p, e: p.name(e.order_id),
    fx.ReadLeg: lambda _, e: f"{e.trip} {e.symbol} attempt {e.attempt}",
    fx.ReadAccount: lambda _, e: "and positions" if e.positions else "",
    fx.ReadExecutions: lambda _, e: "the newest" if e.after is None else f"after {e.after or '-'}",
    fx.PublishDiscrepancy: lambda _, e: f"{e.stage} {e.subject}: ours {e.ours}, theirs {e.theirs}",
    PublishDividends: lambda _, e: (
        ", ".join(f"{at.symbol} {at.ex_date} {text(at.owed_nanos)}" for at in e.owed) or "nothing"
    ),
    fx.LatchHalt: lambda _, e: f"{e.scope} {e.level.name} epoch {e.halt_epoch} {e.trip}",
    LatchBroker: lambda _, e: (
        ", ".join(
            f"{name} {'set' if value else 'taken back'}"
            for name, value in structs.asdict(e).items()
            if value is not None and name != "again"
        )
        + " again" * e.again
    ),
    fx.RaiseAlert: lambda _, e: f"{e.severity.value}: {e.text}",
    fx.ClearHalt: lambda _, e: f"{e.scope} epoch {e.halt_epoch}",
    fx.AnswerOrder: lambda p, e: f"#{e.request} {p.name(e.order_id)}{' again' * e.repeated}",
    fx.AnswerDenied: _denied,
    fx.AnswerCancel: lambda p, e: f"#{e.request} {p.name(e.order_id)} {e.reason.value}",
    fx.AnswerOperator: lambda _, e: f"#{e.request} {'yes' if e.accepted else 'no'}: {e.message}",
    fx.PublishOrder: _publish,
    fx.PublishPosition: lambda _, e: (
        f"{e.strategy or 'account'} {e.symbol} {text(e.quantity_nanos)}"
        f" at {text(e.average_price_nanos)}"
    ),
    fx.PublishPosture: lambda _, e: f"{e.scope} {e.posture.name}: {e.reason.value}",
    RecordTransition: _transition,
    RecordPlan: _plan,
    PublishPlan: lambda p, e: _plan(p, e.plan),
    RecordPolicy: _policy_recorded,
    RecordCash: lambda _, e: f"{text(e.difference_nanos)} adopted, {text(e.day_nanos)} in 24 hours",
    RecordReplacement: lambda p, e: f"{p.name(e.order_id)} is not sent: {e.reason.value}",
    fx.WakeAt: lambda _, e: clock(e.boot_ns),
    fx.StopNode: lambda _, e: e.detail,
}


def _said(player: Player, effect: fx.Effect) -> str:
    return f"{type(effect).__name__} {_SAID[type(effect)](player, effect)}".rstrip()


def played(golden: str) -> str:
    """The golden with the effects that its inputs have now."""
    player = Player()
    lines: list[str] = []
    for line in golden.splitlines():
        if line.startswith("    "):
            continue  # an effect: it is said again
        lines.append(line)
        if line and not line.startswith("#"):
            lines.extend(f"    -> {effect}" for effect in player.played(line))
    return "\n".join(lines) + "\n"
