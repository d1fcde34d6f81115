"""The strategies and operators of one seed: what they ask for, and when.

A strategy repeats a request that was not answered, under the same client order id, and sometimes
one that was. Operators halt, reset what is halted, and write into the register from outside. Here
and there a strategy's stream is lost while its requests go on, and mostly it comes back.
"""

from typing import Final

import msgspec

from fuseboard.simulation.machine import STRATEGIES, Machine
from fuseboard.simulation.world import CENT_NANOS, MILLI_NS, SECOND_NS, SYMBOLS, World
from fuseboard.vocabulary.disconnect_facts import StrategyLost, StrategySeen
from fuseboard.vocabulary.effects import LatchHalt
from fuseboard.vocabulary.identifiers import ACCOUNT_SCOPE
from fuseboard.vocabulary.inputs import (
    CancelRequested,
    Input,
    OrderRequested,
    ReplaceRequested,
)
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.operator_inputs import OperatorHaltRequested, OperatorResetRequested
from fuseboard.vocabulary.orders import OrderType, Side, TimeInForce
from fuseboard.vocabulary.postures import HaltLevel, Posture
from fuseboard.vocabulary.reasons import Reason

SCOPES: Final = (ACCOUNT_SCOPE, "strategy:alpha", "strategy:beta", "symbol:AAA")
LEVELS: Final = (HaltLevel.HALT, HaltLevel.HALT, HaltLevel.HALT, HaltLevel.FLATTEN, HaltLevel.KILL)
ASKED_KEPT_MAX: Final = 4_096


class People:
    """Everybody who uses one gateway, until `ends_ns`."""

    def __init__(self, world: World, machine: Machine, *, begins_ns: int, ends_ns: int) -> None:
        self.asked: dict[int, OrderRequested] = {}
        self._world = world
        self._machine = machine
        self._ends_ns = ends_ns
        self._chance = world.chance(f"people of {machine.instance}")
        self._requests = 0
        self._pace_ns = self._chance.choice((100, 250, 600)) * MILLI_NS
        self._fate = world.chance(f"streams of {machine.instance}")
        for _ in range(self._fate.randrange(3)):
            world.after(begins_ns + self._fate.randrange(2, 18) * SECOND_NS, self._vanish)
        world.after(begins_ns, self._act)
        world.after(begins_ns + 3 * SECOND_NS, self._look_after)

    def _act(self) -> None:
        if self._world.now_ns >= self._ends_ns:
            return
        die = self._chance.randrange(100)
        if die < 66:
            self._order()
        elif die < 74:
            self._repeat()
        elif die < 86:
            self._cancel()
        elif die < 95:
            self._replace()
        elif die < 96:
            self._halt()
        elif die < 98:
            self._latch_from_outside()
        self._world.after(self._chance.randrange(1, 2 * self._pace_ns), self._act)

    def _look_after(self) -> None:
        """Every few seconds an operator resets what is halted; also after trading has ended."""
        held = [
            scope
            for scope, (posture, _) in self._machine.memory.postures.items()
            if posture >= Posture.REDUCE_ONLY
        ]
        for scope in held:
            self._requests += 1
            self._offer(
                OperatorResetRequested(
                    request=self._requests, operator="ann", reason="looked at it", scope=scope
                )
            )
        if self._world.now_ns < self._ends_ns:
            delay_ns = self._chance.randrange(500, 4_000) * MILLI_NS
            self._world.after(delay_ns, self._look_after)

    def _vanish(self) -> None:
        """A strategy has been away for long enough, as a gateway would tell it."""
        rule, strategy = self._machine.policy.disconnect, self._fate.choice(STRATEGIES)
        by, after_ns = rule.connected_by, rule.after_ns
        self._offer(StrategyLost(strategy=strategy, by=by, absent_ns=after_ns))
        if self._fate.random() < 0.6:
            delay_ns = self._fate.randrange(1, 5_000) * MILLI_NS
            self._world.after(delay_ns, lambda: self._offer(StrategySeen(strategy=strategy)))

    def _offer(self, fact: Input) -> None:
        process = self._machine.process
        if process is not None and not self._machine.doors.dead:
            process.intake.offer(fact)

    def _order(self) -> None:
        symbol = self._chance.choice(SYMBOLS)
        price_nanos = self._world.prices[symbol]
        kind = self._chance.choice((OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET))
        side = self._chance.choice((Side.BUY, Side.BUY, Side.SELL))
        away_nanos = price_nanos * self._chance.randrange(-10, 11) // 1_000
        limit_nanos = (price_nanos + away_nanos) // CENT_NANOS * CENT_NANOS
        stop_nanos = None
        if self._chance.randrange(8) == 0:
            kind, side = OrderType.STOP, Side.SELL
            stop_nanos = price_nanos * 985 // 1_000 // CENT_NANOS * CENT_NANOS
        self._requests += 1
        request = OrderRequested(
            request=self._requests,
            strategy=self._chance.choice(STRATEGIES),
            client_order_id=f"c{self._requests}",
            symbol=symbol,
            side=side,
            order_type=kind,
            time_in_force=TimeInForce.DAY,
            quantity_nanos=self._chance.choice((1, 10, 40, 120, 300)) * NANOS,
            limit_price_nanos=limit_nanos if kind is OrderType.LIMIT else None,
            stop_price_nanos=stop_nanos,
        )
        self._ask(request)

    def _ask(self, request: OrderRequested) -> None:
        if len(self.asked) < ASKED_KEPT_MAX:
            self.asked[request.request] = request
            self._offer(request)

    def _repeat(self) -> None:
        """Most of all what was never answered."""
        answered = self._machine.memory.answered
        waiting = [asked for number, asked in self.asked.items() if number not in answered]
        choices = waiting or list(self.asked.values())
        if choices:
            self._requests += 1
            again = self._chance.choice(choices)
            self._ask(msgspec.structs.replace(again, request=self._requests))

    def _one_of_theirs(self) -> tuple[str, str] | None:
        """A strategy and the id of an order that it knows, mostly a recent one."""
        known = list(self._machine.memory.orders.items())[-12:]
        if not known:
            return None
        request, order_id = self._chance.choice(known)
        asked = self.asked.get(request)
        return None if asked is None else (asked.strategy, order_id)

    def _cancel(self) -> None:
        chosen = self._one_of_theirs()
        if chosen is not None:
            self._requests += 1
            strategy, order_id = chosen
            self._offer(
                CancelRequested(request=self._requests, strategy=strategy, order_id=order_id)
            )

    def _replace(self) -> None:
        chosen = self._one_of_theirs()
        if chosen is not None:
            self._requests += 1
            strategy, order_id = chosen
            self._offer(
                ReplaceRequested(
                    request=self._requests,
                    strategy=strategy,
                    order_id=order_id,
                    client_order_id=f"c{self._requests}",
                    quantity_nanos=self._chance.choice((None, 5, 50)) and 50 * NANOS,
                )
            )

    def _halt(self) -> None:
        self._requests += 1
        self._offer(
            OperatorHaltRequested(
                request=self._requests,
                operator="bob",
                reason="a drill",
                scope=self._chance.choice(SCOPES),
                level=self._chance.choice(LEVELS),
            )
        )

    def _latch_from_outside(self) -> None:
        """While the gateway has not yet looked, its strategies go on asking."""
        if self._machine.doors.dead:
            return
        for _ in range(4):
            self._world.after(self._chance.randrange(400) * MILLI_NS, self._order)
        self._machine.latch_from_outside(
            LatchHalt(
                scope=self._chance.choice(SCOPES),
                level=HaltLevel.HALT,
                reason=Reason.OPERATOR,
                trip="",
                halt_epoch=0,
                detail="from the command line",
            )
        )
