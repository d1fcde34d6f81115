"""Cancel on disconnect: what works of a strategy that is lost is cancelled, as by a halt of it.

Theory of operation. The gateway sees streams, requests and the process, and judges silence by its
own clock: the kernel is told the passages only, and holds them against the policy in force, so that
a fact that was on its way while the policy changed does nothing. It is no latch and no posture:
whoever is back trades on, and whatever it sends while it is lost is judged as ever; the gateway
tells again that it is lost when such an order has stood as long as the first had to.

Nobody looks after what stays: a reduce-only stop that a fill leaves without its position goes too.
"""

from typing import Final

from fuseboard.core.book import Order
from fuseboard.core.halting import cancel_scope
from fuseboard.core.outgoing import cancel
from fuseboard.core.state import Turn
from fuseboard.core.stops import STOP_TYPES, protects
from fuseboard.policy.policy import Policy, own_disconnects
from fuseboard.policy.rules import DisconnectRule
from fuseboard.vocabulary.actions import ConnectedBy
from fuseboard.vocabulary.disconnect_facts import PublishLost, StrategyLost, StrategySeen
from fuseboard.vocabulary.identifiers import strategy_scope
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.orders import Intent, Severity
from fuseboard.vocabulary.postures import HaltLevel
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.wall_time import shown_span

_MISSED: Final = {
    ConnectedBy.STREAM: "no trade_updates stream",
    ConnectedBy.REQUESTS: "no request",
    ConnectedBy.PROCESS: "no process",
}


def strategy_lost(turn: Turn, fact: StrategyLost) -> None:
    """Cancel what works of it, if that is what the policy in force says."""
    rule = _rule(turn, fact.strategy)
    if rule.enabled and fact.by is rule.connected_by and fact.absent_ns >= rule.after_ns:
        absent = shown_span(max(fact.absent_ns, NANOS))
        _lose(turn, fact.strategy, f"{_MISSED[fact.by]} for {absent}")


def strategy_seen(turn: Turn, fact: StrategySeen) -> None:
    """It is back. Cancels that are on their way go on; what it asks for now is its own again."""
    if turn.state.lost.pop(fact.strategy, None) is None:
        return
    turn.out.append(PublishLost(strategy=fact.strategy))
    text = f"{fact.strategy} is connected again; what was cancelled stays so"
    turn.alert(Severity.INFO, Reason.STRATEGY_LOST, text, strategy_scope(fact.strategy))


def process_ended(turn: Turn, strategy: str) -> tuple[str, ...]:
    """The command that the gateway started for it has ended, and the gateway stops with it: by
    whatever it was connected, nobody waits for it. The ids of what is cancelled.
    """
    if not strategy or not _rule(turn, strategy).enabled:
        return ()
    return tuple(order.order_id for order in _lose(turn, strategy, "its process has ended"))


def node_started(turn: Turn) -> None:
    """Nobody is lost yet: for who had orders working the time begins anew with the gateway."""
    turn.state.lost = {}


def follow(turn: Turn, before: Policy) -> None:
    """With other rules each grace begins anew, as in the gateway, which tells again who is lost."""
    after = turn.policy
    if after.disconnect == before.disconnect and own_disconnects(after) == own_disconnects(before):
        return
    turn.out += [PublishLost(strategy=strategy) for strategy in turn.state.lost]
    turn.state.lost = {}


def filled(turn: Turn, symbol: str) -> None:
    """Cancel the stops of lost strategies that protect nothing any more after a fill."""
    book = turn.state.book
    kept_nanos: dict[tuple[str, str], int] = {}
    for order in book.working_orders(symbol=symbol):
        is_stop = order.order_type in STOP_TYPES and order.intent is not Intent.PLAN
        if order.strategy not in turn.state.lost or not is_stop or order.cancel_wanted:
            continue
        if not protects(book, order, kept_nanos):
            cancel(turn, order)


def _rule(turn: Turn, strategy: str) -> DisconnectRule:
    """The strategy's own rule, else the account's."""
    return own_disconnects(turn.policy).get(strategy, turn.policy.disconnect)


def _lose(turn: Turn, strategy: str, why: str) -> list[Order]:
    """Cancel, show it and say it once; one that never had an order has nothing to lose."""
    state = turn.state
    if strategy not in state.book.strategies:
        return []
    scope = strategy_scope(strategy)
    orders = cancel_scope(turn, scope, HaltLevel.HALT, again=False)
    if strategy in state.lost and not orders:
        return []
    since_wall_ns = state.lost.setdefault(strategy, turn.wall_ns)
    kept = sum(
        not order.cancel_wanted and order.intent is not Intent.PLAN
        for order in state.book.working_orders(strategy=strategy)
    )
    turn.out.append(
        PublishLost(
            strategy=strategy,
            since_wall_ns=since_wall_ns,
            why=why,
            cancelled=len(orders),
            kept=kept,
        )
    )
    text = f"{strategy} is lost, {why}: {len(orders)} of its orders are cancelled"
    text += f", {kept} that protect what it holds stay" if kept else ""
    turn.alert(Severity.WARNING if orders else Severity.INFO, Reason.STRATEGY_LOST, text, scope)
    return orders
