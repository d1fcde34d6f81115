"""kill -9 at random instants under load, over and over, on one state directory and one exchange.

    python -m tests.e2e.crash_rounds [ROUNDS [SEED]]

The exchange is a process that outlives every gateway. Strategies trade, cancel, retry what was not
answered under the same ids, and ask again for what was; prices fall, fuses trip, plans liquidate,
a person halts, flattens and resets; sometimes the exchange answers late, or loses an answer. Each
round kills the gateway once, at an instant that the seed draws from one of `SCENES`; in some of
them a guardian watches, which may act, and may die too (`crash_guardian`). Then the judges look,
which stand outside: at the ledger, the journal, and what strategies were told.
"""

import contextlib
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from fuseboard.control.asked import HaltAsked, ResetAsked
from fuseboard.control.client import GatewayUnreachable, OperatorClient
from fuseboard.exchange.ledger import LedgerEntry, OrderAccepted
from fuseboard.gateway.keys import Keys
from fuseboard.halts.block import Slot
from fuseboard.halts.register import HaltsRegister
from fuseboard.simulation.laws import LATCHED, broken_at_rest
from fuseboard.vocabulary.effects import SubmitOrder
from fuseboard.vocabulary.evidence_effects import RecordPlan, RecordTransition
from fuseboard.vocabulary.inputs import OrderEnded, OrderNotSent, OrderSent, OrderWorking
from fuseboard.vocabulary.records import Record
from tests.e2e import truth
from tests.e2e.crash_guardian import MOMENTS, RoundsGuardian, Watched, nothing_after_the_end
from tests.e2e.crash_load import Strategy
from tests.e2e.processes import (
    EXCHANGE_KEY,
    EXCHANGE_SECRET,
    FUSEBOARD,
    Bots,
    Exchange,
    Gateway,
    Running,
    World,
    socket_status,
    until,
    world,
)

POLICY = """\
name: crash rounds
resets: {resets_a_day: 10000}
risk:
  limits:
    order_rate: 100000/s
    gross_exposure: 100%
    max_position: 60%
    max_working_orders: 2000
safety:
  kill_switch: {watchdog: WATCHDOG, watchdog_flattens: FLATTENS}
  loss_limits:
    drawdown: {hard: 0.3%, action: [flatten_positions], cooldown: 200ms, resets_a_day: 10000,
               trips_a_day: 10000}
execution:
  {requests_per_minute: 100000, close_wait: 1s, cancel_wait: 1s, absent_after: 1s}
"""
TAPE, SPEED = "flash-crash@14:38-15:30", 15
STRATEGIES = 5
ROUNDS_A_WORLD = 10
SCENES = ("trading", "halting", "flattening", "tripping", "resetting", "starting")
TRIP_WAIT_S = 4.0
REST_S_MAX = 20.0
WATCHDOGS = ("1s", "4s")
"""The guardian's timeouts: one that acts before the next gateway can start, one that may not."""
GUARDED_PERCENT = 50
"""In so many rounds of a hundred a guardian watches."""
WITHIN_S = (0.03, 0.15, 0.6)
"""A kill comes so long after its scene began, at the most: one of these."""
FAULTS: tuple[dict[str, int], ...] = (
    {}, {}, {"delay_ms": 40}, {"delay_ms": 150}, {"drop_after_accept": 1},
    {"server_error_after_accept": 1},
)  # fmt: skip
WHO = "Ada"


class Killed(NamedTuple):
    """What was seen when a gateway died."""

    scene: str
    phase: str
    halted: bool
    halt_was_acknowledged: bool
    ledger_lines: int
    """How long the ledger was once nothing could come from the dead any more."""


class Rounds:
    """One world of some rounds. `broken` says what was found, with the round's seed."""

    def __init__(self, here: World, seed: int) -> None:
        self.here = here
        self.seed = seed
        self.broken: list[str] = []
        self.phases: Counter[str] = Counter()
        self.guardians: Counter[str] = Counter()
        flattens, watchdog = ("false", "true")[seed % 2], WATCHDOGS[seed // 2 % len(WATCHDOGS)]
        here.init(POLICY.replace("FLATTENS", flattens).replace("WATCHDOG", watchdog))
        self.exchange: Exchange = here.exchange(
            tape=TAPE, speed=SPEED, requests_per_minute=1_000_000
        )
        self.gateway: Gateway = here.open_gateway(self.exchange.url)
        self.client = OperatorClient(here.state / "control.sock", timeout_s=3)
        self.instance = self.gateway.status()["about"]["instance"]
        keys = Keys(here.state / "keys.json")
        self.load = [
            Strategy(self.gateway.url, keys.mint(f"bot-{each}"), random.Random(seed * 100 + each))
            for each in range(STRATEGIES)
        ]
        self.exchange.start()
        for strategy in self.load:
            strategy.start()

    def close(self) -> None:
        for strategy in self.load:
            strategy.end()

    # --- one round -------------------------------------------------------------------------------

    def round(self, number: int, *, moment: str | None = None) -> None:
        """Play one round. `moment` is the guardian's, empty without one; drawn if not named."""
        seed = self.seed * 1_000 + number
        dice = random.Random(seed)
        lots = random.Random(f"{seed} guardian")
        if moment is None:
            moment = lots.choice(MOMENTS) if lots.randrange(100) < GUARDED_PERCENT else ""
        scene = SCENES[number % len(SCENES)] if number < len(SCENES) else dice.choice(SCENES)
        found: list[str] = []
        self.exchange.faults(**dice.choice(FAULTS))
        for strategy in self.load:
            strategy.go_on()
        guardian = None
        if moment:
            guardian = RoundsGuardian(self.here, self.exchange, self.gateway, f"guardian-{number}")
        time.sleep(dice.uniform(0.3, 1.5))
        killed = self._killed(scene, dice, guarded=guardian is not None)
        self.phases[f"{scene}, {killed.phase}"] += 1
        found += truth.damage(self.here.state)
        if killed.halt_was_acknowledged and not killed.halted:
            found.append("law 7: an acknowledged halt is not in the register")
        if guardian is not None:
            guardian.outlive(moment, dice)
        if scene == "starting":
            self._killed_while_starting(dice, guarded=guardian is not None)
        self.exchange.faults(delay_ms=0, drop_after_accept=0, server_error_after_accept=0)
        watched = self._started_again(guardian)
        if guardian is not None:
            self.guardians[f"{moment}, {'it acted' if watched.acted else 'it did not act'}"] += 1
        found += self._at_rest(killed, watched)
        where = f"{scene}, {killed.phase}" + (f", guardian: {moment}" if moment else "")
        self.broken += [f"seed {seed} ({where}): {each}" for each in found]
        self._reset()

    def _started_again(self, guardian: RoundsGuardian | None) -> Watched:
        """The next gateway serves and the round's guardian is gone; what that one came to."""
        if guardian is None:
            self.gateway = self._next_gateway()
            return Watched(acted=False, flat_at=0)
        begins_ns, missed = time.time_ns(), guardian.has_missed()
        try:
            self.gateway = self._next_gateway()
        except AssertionError:
            if guardian.has_missed() == missed:
                raise
        watched = guardian.dismissed(begins_ns)
        if self.gateway.ended():  # it was missed too: the machine was too busy for its heartbeat
            self.gateway = self._next_gateway()
        return watched

    def _next_gateway(self) -> Gateway:
        return self.here.gateway(self.exchange.url, "--port", self.gateway.port())

    def _killed(self, scene: str, dice: random.Random, *, guarded: bool) -> Killed:
        """Play the scene, kill within it, and see what is left."""
        acknowledged = threading.Event()
        beside = threading.Thread(target=self._act, args=(scene, acknowledged), daemon=True)
        beside.start()
        if scene == "tripping":
            register = HaltsRegister(self.here.state / "halts.register", Slot.OPERATOR)
            ends = time.monotonic() + TRIP_WAIT_S
            while not register.halted() and time.monotonic() < ends:
                time.sleep(0.002)
            register.close()
        elif scene == "resetting":
            acknowledged.wait(5)
        time.sleep(dice.uniform(0, dice.choice(WITHIN_S)))
        if not guarded:  # else it may have been missed already
            self.gateway.must_run()
        was_acknowledged = acknowledged.is_set() and scene != "resetting"
        self.gateway.kill()
        beside.join()
        register = HaltsRegister(self.here.state / "halts.register", Slot.OPERATOR)
        halted = register.halted()
        register.close()
        time.sleep(0.3)  # what its sockets still held has been read
        lines = len(self.exchange.ledger())
        phase = phase_of(self.here.records())
        return Killed(scene, phase, halted, was_acknowledged, lines)

    def _act(self, scene: str, acknowledged: threading.Event) -> None:
        """What a person does in the scene; broken off when the gateway dies."""
        levels = {"halting": "halt", "resetting": "halt", "flattening": "flatten"}
        if scene not in levels:
            return
        with contextlib.suppress(GatewayUnreachable):
            asked = HaltAsked(operator=WHO, reason=scene, level=levels[scene])
            said = self.client.act("halt", asked)
            if scene == "resetting":
                self.client.settled("account")
                acknowledged.set()
                self.client.act("reset", ResetAsked(operator=WHO, reason=scene))
            elif said.accepted:
                acknowledged.set()

    def _killed_while_starting(self, dice: random.Random, *, guarded: bool) -> None:
        command = (
            *FUSEBOARD, "run", "--state", self.here.state, "--broker", "alpaca",
            "--port", self.gateway.port(), "--no-guardian",
        )  # fmt: skip
        starting = self.here.kept(
            Running(
                self.here.folder, "starting", *command,
                ALPACA_API_KEY=EXCHANGE_KEY, ALPACA_SECRET_KEY=EXCHANGE_SECRET,
                ALPACA_BASE_URL=self.exchange.url,
            )
        )  # fmt: skip
        time.sleep(dice.uniform(0.4, 1.8))
        if not guarded:
            starting.must_run()
        starting.kill()

    # --- the judges ------------------------------------------------------------------------------

    def _at_rest(self, killed: Killed, watched: Watched) -> list[str]:
        """Let everything come to rest after the restart, and judge all that ever happened."""
        found: list[str] = []
        now = self.gateway.wait_for(is_reconciled, "the books are compared")
        halted = watched.acted or (killed.halted and killed.scene != "resetting")
        if halted and now["posture"] == "OPEN":
            found.append("law 7: a latch did not survive the kill")
        for strategy in self.load:
            strategy.pause()
        until(lambda: all(each.is_idle() for each in self.load), "every order was answered")
        records, entries, broken = self._judged_at_rest()
        found += broken
        found += self._acknowledged_is_journaled(records)
        found += nothing_through_zero(entries)
        found += sent_twice(entries)
        found += nothing_after_the_end(watched, entries)
        if halted:
            late = [e for e in entries[killed.ledger_lines :] if isinstance(e, OrderAccepted)]
            found += [f"law 5: opened while halted: {each}" for each in late if each.opens]
        return found

    def _judged_at_rest(self) -> tuple[list[Record], list[LedgerEntry], list[str]]:
        """Journal, ledger, and what contradicts in them for as long as one may wait.

        A restarted gateway that holds a latch shows no plan before it goes on with it, so rest is
        looked for more than once.
        """
        ends = time.monotonic() + REST_S_MAX
        while True:
            at_rest = self._is_at_rest()
            records, entries = self.here.records(), self.exchange.ledger()
            broken = broken_at_rest(self.instance, records, entries)
            if at_rest and not broken:
                return records, entries, []
            if time.monotonic() > ends:
                said = socket_status(self.here.state)
                left = (
                    [] if at_rest else [f"never at rest: {said.get('plans')} {said.get('orders')}"]
                )
                return records, entries, broken + left
            time.sleep(0.3)

    def _is_at_rest(self) -> bool:
        """No plan runs, and orders and positions are the broker's, twice the same."""
        now, broker = socket_status(self.here.state), self.exchange.state()
        if not now or any(plan["stage"] in ("cancelling", "closing") for plan in now["plans"]):
            return False
        held = {at["symbol"]: at["quantity"] for at in now["positions"] if not at["strategy"]}
        agree = held == broker["positions"] and now["working"] == broker["working_orders"]
        return agree and bool(self.exchange.state()["ledger_lines"] == broker["ledger_lines"])

    def _acknowledged_is_journaled(self, records: list[Record]) -> list[str]:
        journaled = {
            effect.client_order_id
            for record in records
            for effect in record.effects
            if isinstance(effect, SubmitOrder)
        }
        found = [
            f"{name} was acknowledged and is not in the journal"
            for strategy in self.load
            for name in strategy.acknowledged
            if name not in journaled
        ]
        return found + [each for strategy in self.load for each in strategy.taken_broken()]

    def _reset(self) -> None:
        """A person lets it go on, whatever stopped it."""
        (self.here.state / "HALT").unlink(missing_ok=True)

        def is_open() -> bool:
            self.gateway.must_run()
            with contextlib.suppress(GatewayUnreachable):
                if self.client.status(with_orders=False).posture == "OPEN":
                    return True
                self.client.act("reset", ResetAsked(operator=WHO, reason="next", rebase=True))
            return False

        until(is_open, "it is reset")


def is_reconciled(now: dict[str, Any]) -> bool:
    reasons = {at["reason"] for at in now["postures"]}
    return "not_reconciled" not in reasons


def phase_of(records: list[Record]) -> str:
    """What the journal says was going on at its end."""
    plans: dict[str, str] = {}
    fuses: dict[str, str] = {}
    under_way: dict[str, None] = {}
    for record in records:
        fact = record.input
        if isinstance(fact, OrderSent | OrderNotSent | OrderWorking | OrderEnded):
            under_way.pop(fact.order_id, None)
        for effect in record.effects:
            if isinstance(effect, RecordPlan):
                plans[effect.trip] = effect.stage
            elif isinstance(effect, RecordTransition):
                fuses[effect.fuse] = effect.after
            elif isinstance(effect, SubmitOrder):
                under_way[effect.order_id] = None
    for stage in ("cancelling", "closing"):
        if stage in plans.values():
            return stage
    if any(state in LATCHED for state in fuses.values()):
        return "latched"
    return "orders under way" if under_way else "idle"


def nothing_through_zero(entries: list[LedgerEntry]) -> list[str]:
    try:
        truth.positions_of(entries)
    except AssertionError as crossed:
        return [f"law 4: {crossed}"]
    return []


def sent_twice(entries: list[LedgerEntry]) -> list[str]:
    try:
        truth.nothing_twice(entries)
    except AssertionError as twice:
        return [f"law 3: an id was taken twice: {twice}"]
    return []


def played(rounds: int, seed: int) -> tuple[list[str], Counter[str], Counter[str]]:
    """So many rounds in worlds of a few; what was broken, the kills by scene and phase, and what
    guardians did.
    """
    broken: list[str] = []
    phases: Counter[str] = Counter()
    guardians: Counter[str] = Counter()
    done = 0
    while done < rounds:
        with tempfile.TemporaryDirectory(prefix="fuseboard-rounds-") as name:
            folder = Path(name)
            with world(folder, Bots(folder)) as here:
                several = Rounds(here, seed)
                try:
                    for number in range(min(ROUNDS_A_WORLD, rounds - done)):
                        several.round(number)
                        done += 1
                finally:
                    several.close()
                    broken += several.broken
                    phases += several.phases
                    guardians += several.guardians
        print(f"{done} rounds, world {seed}: {len(broken)} violations", *broken, flush=True)
        seed += 1
    return broken, phases, guardians


def main() -> int:
    asked = sys.argv[1:]
    rounds, seed = map(int, [*asked, *("100", "1")[len(asked) :]])
    broken, phases, guardians = played(rounds, seed)
    for phase, count in sorted(phases.items()):
        print(f"{count:4}  {phase}")
    for what, count in sorted(guardians.items()):
        print(f"{count:4}  a guardian, the next start {what}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
