"""The orderly stop: what SIGTERM, SIGINT and SIGHUP ask for, step by step, each with its deadline.

Stop accepting, hold new risk back, end the supervised strategy, cancel what works and see each
cancel confirmed, close what the policy wants closed, let the disk catch up. Nothing is latched: a
clean stop is no halt. A deadline that passes ends its step only; the last line says what is left,
and people are paged with it where that is not what the policy wants to be left. A stop that leaves
orders working which it was to cancel is not orderly: the guardian is not dismissed, and cancels.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from fuseboard.app.kill_ways import is_open
from fuseboard.control.board import Board
from fuseboard.gateway.door import GatewayDoor
from fuseboard.policy.rules import KillSwitch
from fuseboard.runtime.intake import Intake
from fuseboard.runtime.outlet import Outlet
from fuseboard.vocabulary.actions import DrainRule
from fuseboard.vocabulary.doors import Broker, BrokerUnavailable, Throttled
from fuseboard.vocabulary.inputs import DrainRequested
from fuseboard.vocabulary.money import text_from_nanos

LOOK_EVERY_S: Final = 0.02
ASK_AGAIN_S: Final = 0.5
ANSWERS_AWAITED: Final = 2
"""How many answers that never come the time for asking what is left has room for."""
SHOWN_MAX: Final = 20
"""How many orders and positions the last line names."""
_PLAN_AT_WORK: Final = ("cancelling", "closing")


class DrainLimits(Struct, frozen=True, kw_only=True):
    """The steps' deadlines, in seconds. All of them together are what a stop takes at most."""

    durable_s_max: float = 5.0
    """Until the stop itself is in the journal."""
    cancel_s_max: float = 60.0
    """Until the broker has confirmed each cancel, as long as one after the other is confirmed."""
    cancel_idle_s_max: float = 10.0
    """How long none may be confirmed: a broker that takes no cancel is not waited for longer."""
    flatten_s_max: float = 60.0
    """Until every plan has ended, this stop's and those that were at work before."""
    asked_s_max: float = 5.0
    """For asking the broker what is left."""


class Stoppable(Protocol):
    """The loop's task, as far as a drain looks at it."""

    def done(self) -> bool:
        """Whether it is over, by a fault then."""


class Drain:
    """One orderly stop of one node. `hurry` is set by a second signal: no step waits any more.
    `is_watched` says whether a guardian is there to go on with what is left.
    """

    def __init__(
        self,
        *,
        rule: DrainRule,
        door: GatewayDoor,
        outlet: Outlet,
        intake: Intake,
        board: Board,
        broker: Broker,
        serving: Stoppable,
        hurry: asyncio.Event,
        say: Callable[[str], None],
        page: Callable[[str], None],
        is_watched: Callable[[], bool],
        limits: DrainLimits | None = None,
    ) -> None:
        self.limits = limits or DrainLimits()
        self.leaves_orders = False
        """Whether orders work that the stop was to cancel."""
        self._is_watched = is_watched
        self._rule = rule
        self._door = door
        self._outlet = outlet
        self._intake = intake
        self._board = board
        self._broker = broker
        self._serving = serving
        self._hurry = hurry
        self._say = say
        self._page = page
        self._unfinished: list[str] = []

    async def run(self, stop_strategy: Callable[[], Awaitable[None]], *, ended: str = "") -> str:
        """All steps up to the disk's; ends early when the node faults. What is left, in a line.

        `ended` is the strategy whose own end is why.
        """
        self._door.stop_accepting()
        self._outlet.hold_new_risk()
        self._intake.offer(DrainRequested(rule=self._rule, ended=ended))
        self._say(f"stopping: no new risk; what is open: {self._rule.value}")
        ending = asyncio.ensure_future(stop_strategy())
        limits = self.limits
        await self._step("journal the stop", self._is_durable, limits.durable_s_max)
        await self._step(
            "confirm every cancel",
            self._is_cancelled,
            limits.cancel_s_max,
            idle_s=limits.cancel_idle_s_max,
        )
        await self._step("end every plan", self._plans_have_ended, limits.flatten_s_max)
        await ending
        left = await still_open(self._broker, self._board, limits.asked_s_max)
        if self._board.drain is not None:
            left = replace(left, frozen=self._board.drain.frozen)
        flattens = self._rule is DrainRule.FLATTEN
        self.leaves_orders = self._uncancelled() > 0 or (flattens and bool(left.orders))
        if self._unfinished or self.leaves_orders or left.is_more_than(self._rule):
            before = "; ".join([*self._unfinished, left.says()])
            cancels = self.leaves_orders and self._is_watched()
            who = "the guardian cancels what works" if cancels else "nobody watches what is left"
            self._page(f"the stop is over, {who}: {before}")
        return left.says()

    async def _step(
        self, what: str, holds: Callable[[], bool], seconds: float, *, idle_s: float | None = None
    ) -> None:
        """Wait until it holds, at most so long, and `idle_s` while no cancel is confirmed: through
        a request limit of three a second a hundred go in half a minute.
        """
        clock = asyncio.get_running_loop().time
        began = moved = clock()
        left = self._uncancelled()
        while not holds():
            if self._serving.done():
                return
            now = clock()
            if (fewer := self._uncancelled()) < left:
                left, moved = fewer, now
            why = ""
            if self._hurry.is_set():
                why = f"hurried: did not wait to {what}"
            elif now >= began + seconds or (idle_s is not None and now >= moved + idle_s):
                why = f"could not {what} within {round(now - began, 1):g} s"
            if why:
                self._say(why)
                self._unfinished.append(why)
                return
            await asyncio.sleep(LOOK_EVERY_S)

    def _is_durable(self) -> bool:
        return self._board.drain is not None

    def _is_cancelled(self) -> bool:
        drain = self._board.drain
        return drain is not None and not any(map(self._board.is_working, drain.cancelled))

    def _uncancelled(self) -> int:
        """How many orders work that the stop was to cancel."""
        drain = self._board.drain
        return 0 if drain is None else sum(map(self._board.is_working, drain.cancelled))

    def _plans_have_ended(self) -> bool:
        drain = self._board.drain
        plans = self._board.plans
        if drain is None or (drain.trip and drain.trip not in plans):
            return False
        return not any(plan.stage in _PLAN_AT_WORK for plan in plans.values())


def drain_rule(kill_switch: KillSwitch) -> DrainRule:
    """What a stop does. Where signals are no way to the kill switch, it leaves what is open."""
    return kill_switch.drain if is_open(kill_switch, "signal") else DrainRule.LEAVE


class Left(Struct, frozen=True, kw_only=True):
    """What the broker's last word shows, by name.

    `unknown` says why there is none; then it is what our own record shows.
    """

    orders: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    unknown: str = ""
    frozen: tuple[str, ...] = ()
    """What the stop did not close because a person froze it, in words."""

    def is_more_than(self, rule: DrainRule) -> bool:
        """Whether the policy wants less to be left; reduce-only stops stay after a cancel."""
        flattens = rule is DrainRule.FLATTEN
        return bool(self.unknown or (flattens and (self.orders or self.positions)))

    def says(self) -> str:
        """One line for people."""
        unknown = f"unknown, it could not be asked ({self.unknown}); by our record: "
        orders, positions = _named(self.orders), _named(self.positions)
        known = "; ".join((f"orders {orders}", f"positions {positions}", *self.frozen[:SHOWN_MAX]))
        return f"still open at the broker: {unknown if self.unknown else ''}{known}"


async def still_open(broker: Broker, board: Board, seconds: float) -> Left:
    """What works and what is held at the broker, as it says itself; else as the board has it.

    An answer that is lost, or refused for the request limit, is asked for again in that time.
    """
    clock, unknown = asyncio.get_running_loop().time, ""
    ends = clock() + seconds
    while clock() < ends:
        try:
            async with asyncio.timeout(min(ends - clock(), seconds / ANSWERS_AWAITED)):
                return await _asked(broker)
        except (BrokerUnavailable, Throttled, TimeoutError) as error:
            unknown = str(error) or "no answer in time"
        await asyncio.sleep(min(ASK_AGAIN_S, max(ends - clock(), 0)))
    held = [at for at in board.positions.values() if not at.strategy]
    return Left(
        orders=tuple(f"{at.symbol} {at.order_id} {at.status}" for at in board.working()),
        positions=tuple(f"{at.symbol} {text_from_nanos(at.quantity_nanos)}" for at in held),
        unknown=unknown,
    )


async def _asked(broker: Broker) -> Left:
    orders = await broker.foreign_orders(lambda _wire_id: False)
    seen = await broker.positions()
    positions = [f"{at.symbol} {text_from_nanos(at.quantity_nanos)}" for at in seen.positions]
    positions += [f"{symbol} unreadable" for symbol in seen.unread]
    working = tuple(f"{order.symbol} {order.wire_id}" for order in orders)
    return Left(orders=working, positions=tuple(positions))


def _named(entries: tuple[str, ...]) -> str:
    if not entries:
        return "none"
    more = f" and {len(entries) - SHOWN_MAX} more" if len(entries) > SHOWN_MAX else ""
    return f"{len(entries)} ({', '.join(entries[:SHOWN_MAX])}{more})"
