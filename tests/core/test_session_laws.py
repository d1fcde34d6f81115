"""The laws of the kernel where sessions roll, breakers judge and measures are reported."""

import os
from datetime import date
from random import Random

import msgspec
import pytest

from fuseboard.core.kernel import Kernel
from fuseboard.policy.policy import Policy
from fuseboard.policy.rules import BreakerRule, LossRule
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action, Reference, ResetRule
from fuseboard.vocabulary.evidence_effects import RecordTransition
from fuseboard.vocabulary.money import NANOS
from fuseboard.vocabulary.reasons import Reason
from fuseboard.vocabulary.records import Record
from tests.core.shadow import holds
from tests.core.world import POLICY, SECOND, SYMBOLS, World, random_step

pytestmark = pytest.mark.no_cover  # test_sessions and test_breakers run the same lines once

SEEDS = int(os.environ.get("FUSEBOARD_SEEDS", "0"))
FIRST_DAY = date(2026, 11, 20).toordinal()
HOUR = 3600 * SECOND


def loss(name: str, reference: Reference, **more: object) -> LossRule:
    settings = {"limit_nanos": NANOS // 50, "cooldown_ns": SECOND, "action": Action.HALT}
    often = {"resets_a_day_max": 50, "trips_a_day_max": 50}
    return LossRule(
        name=name,
        reference=reference,
        **{**settings, **often, **more},  # type: ignore[arg-type]
    )


def breaker(name: str, condition: str, action: Action, scope: str = "account") -> BreakerRule:
    return BreakerRule(
        name=name,
        condition=condition,
        action=action,
        scope=scope,
        reset=ResetRule.NEXT_TRADING_DAY,
        cooldown_ns=SECOND,
        resets_a_day_max=50,
        trips_a_day_max=50,
    )


SESSIONS: Policy = msgspec.structs.replace(
    POLICY,
    losses=(
        *POLICY.losses,
        loss(
            "daily",
            Reference.SESSION_OPEN,
            limit_nanos=NANOS // 100,
            reset=ResetRule.NEXT_TRADING_DAY,
        ),
        loss("rolling", Reference.ROLLING_PEAK, window_days=3, limit_nanos=NANOS // 20),
    ),
    breakers=(
        breaker("streak", "consecutive_losses >= 1", Action.HALT, "strategy:*"),
        breaker("fall", "drawdown >= 1.8%", Action.FLATTEN),
        breaker("fear", "vix > 30", Action.REDUCE),
        breaker("errors", "error_count_1h > 40 or reject_rate > 20%", Action.NOTIFY),
        breaker("symbol", "gross_exposure > 20%", Action.REDUCE_ONLY, f"symbol:{SYMBOLS[0]}"),
    ),
)


class SessionWorld(World):
    """A world with a calendar, a broker's clock that may be wrong, and a volatility index."""

    day = FIRST_DAY
    calendar = "24/7"

    def session(self, *, agrees: bool, forward: bool) -> None:
        """A session is told, perhaps one that was told before."""
        apart_ns = 0 if agrees else HOUR
        self.take(facts.BrokerClockSeen(wall_ns=self.wall_ns - apart_ns, is_open=True))
        self.day += forward
        name = date.fromordinal(self.day).isoformat()
        week = date.fromordinal(self.day - (self.day + 6) % 7).isoformat()
        self.take(
            facts.SessionRolled(
                calendar=self.calendar,
                session=name,
                week_began=week,
                month_began=f"{name[:7]}-01",
                open_ns=self.wall_ns + (0 if self.calendar == "24/7" else 2 * SECOND),
                close_ns=self.wall_ns + 24 * HOUR,
            )
        )

    def index(self, points: int) -> None:
        """Somebody reports the volatility index."""
        self.requests += 1
        self.take(
            facts.MeasureReported(
                request=self.requests, name="vix", value=points * NANOS, event_ns=self.wall_ns
            )
        )


def run_sessions(seed: int, steps: int) -> SessionWorld:
    random = Random(seed)
    world = SessionWorld(SESSIONS)
    world.calendar = "24/7" if seed % 2 else "XNYS"
    world.connect(connected=True)
    for symbol in SYMBOLS:
        world.take(world._quote(symbol))
    world.index(20)
    for _ in range(steps):
        kind = random.random()
        if kind < 0.04:
            world.session(agrees=random.random() < 0.7, forward=random.random() < 0.8)
        elif kind < 0.06:
            world.index(random.choice((20, 20, 20, 31)))
        elif kind < 0.1:
            world.take(facts.BrokerClockSeen(wall_ns=world.wall_ns, is_open=True))
        else:
            random_step(world, random)
    world.quiesce()
    fresh = Kernel()
    for record in world.log:
        effects = fresh.step(record.moment, record.input)
        holds("9", effects == record.effects, f"record {record.sequence} does not replay")
    holds("9", fresh.digest() == world.kernel.digest(), "replay leads elsewhere")
    never_on_the_day_it_tripped(world.log)
    return world


def never_on_the_day_it_tripped(log: list[Record]) -> None:
    """The calendar resets only what tripped in an earlier session, and once that is open."""
    session, open_ns, sessions = "", 0, {}
    for record in log:
        told = record.input
        for effect in record.effects:
            if isinstance(effect, fx.RaiseAlert) and effect.code is Reason.SESSION_ROLLED:
                session = effect.text
            if not isinstance(effect, RecordTransition):
                continue
            if effect.event == "BREACHED":
                sessions[effect.fuse] = session
            elif effect.operator.startswith("calendar:") and effect.event == "RESET":
                holds("2", sessions[effect.fuse] != session, f"{effect.fuse} on its own day")
                holds("2", record.moment.wall_ns >= open_ns, f"{effect.fuse} before the open")
        if isinstance(told, facts.SessionRolled):
            open_ns = told.open_ns


def reached(log: list[Record]) -> dict[str, None]:
    seen: dict[str, None] = {}
    for record in log:
        for effect in record.effects:
            if isinstance(effect, RecordTransition):
                whose = "calendar" if effect.operator.startswith("calendar:") else "other"
                seen[f"{effect.event} of {effect.fuse.split(':')[0]} by {whose}"] = None
            elif isinstance(effect, fx.RaiseAlert):
                seen[effect.code.value] = None
    return seen


@pytest.mark.parametrize("block", range(2))
def test_seeded_runs_with_sessions_and_breakers_keep_every_law(block: int) -> None:
    seen: dict[str, None] = {}
    for seed in range(24 * block + 5_000, 24 * block + 5_024):
        seen |= reached(run_sessions(seed, 300).log)
    wanted = (
        "BREACHED of streak by other",
        "BREACHED of fall by other",
        "BREACHED of symbol by other",
        "WARNED of fear by other",
        "CLEARED of fear by other",
        "RESET of daily by calendar",
        "session_rolled",
        "clocks_disagree",
    )
    assert [what for what in wanted if what not in seen] == []


@pytest.mark.soak
def test_many_seeded_runs_with_sessions_keep_every_law() -> None:
    for seed in range(20_000, 20_000 + max(SEEDS, 1_000)):
        run_sessions(seed, 600)
