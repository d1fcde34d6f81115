"""Policies that come into force in the middle of a world's run, by a person or by nobody."""

from random import Random
from typing import Final

from msgspec.structs import replace

from fuseboard.policy.policy import Policy, canonical_text, digest_of
from fuseboard.policy.rules import BreakerRule
from fuseboard.policy.tightness import loosens
from fuseboard.vocabulary import effects as fx
from fuseboard.vocabulary import inputs as facts
from fuseboard.vocabulary.actions import Action
from fuseboard.vocabulary.evidence_effects import RecordPolicy
from fuseboard.vocabulary.money import NANOS
from tests.core.shadow import holds
from tests.core.world import POLICY, World, random_step

ALPHA, BETA = POLICY.strategies
(LOSS,) = POLICY.losses
VARIANTS: Final = (
    POLICY,
    replace(POLICY, limits=replace(POLICY.limits, order_value_nanos_max=15_000 * NANOS)),
    replace(POLICY, limits=replace(POLICY.limits, gross_exposure_nanos_max=NANOS // 3)),
    replace(POLICY, losses=()),
    replace(POLICY, losses=(replace(LOSS, name="renamed"),)),
    replace(POLICY, losses=(replace(LOSS, limit_nanos=NANOS // 70, warning_nanos=None),)),
    replace(POLICY, strategies=(ALPHA,)),
    replace(POLICY, strategies=(BETA,)),
    replace(POLICY, strategies=(replace(ALPHA, capital_nanos=30_000 * NANOS), BETA)),
    replace(POLICY, restricted=("AAA",)),
    replace(
        POLICY,
        breakers=(BreakerRule(name="drawdown", condition="cash < 1", action=Action.HALT),),
    ),
)


def adopt(world: World, choice: int, *, named: bool) -> None:
    """One of the variants is asked for; the world knows whether it may come into force."""
    policy = VARIANTS[choice % len(VARIANTS)]
    old, before = world.policy, world.kernel.digest()
    world.requests += 1
    text = canonical_text(policy)
    effects = world.take(
        facts.PolicyAdopted(
            request=world.requests,
            text=text,
            digest=digest_of(text),
            operator="ann" if named else "start",
            reason="agreed" if named else "",
        )
    )
    (record,) = [effect for effect in effects if isinstance(effect, RecordPolicy)]
    (answer,) = [effect for effect in effects if isinstance(effect, fx.AnswerOperator)]
    may = named or not loosens(old, policy)
    holds("2", record.accepted is answer.accepted is may, f"{policy} after {old}: {record}")
    holds("2", may or world.kernel.digest() == before, "a refused policy changed something")
    holds("11", bool(record.looser) is loosens(old, policy), f"the evidence hides it: {record}")
    if may:
        world.policy = policy


def adopting_run(seed: int, steps: int, policy: Policy = POLICY) -> World:
    """A seeded run in which policies come and go; raises `Broken` when a law is broken."""
    random = Random(seed)
    world = World(policy, (0, 0, 150, -150)[seed % 4] * NANOS)
    world.connect(connected=True)
    for _ in range(steps):
        if random.random() < 0.05:
            adopt(world, random.randrange(len(VARIANTS)), named=random.random() < 0.5)
        else:
            random_step(world, random)
    world.quiesce()
    return world
