"""The laws of the kernel under a policy that measures liquidity: closes in parts, taking turns."""

import pytest
from msgspec.structs import replace

from fuseboard.policy.liquidity_rules import EmergencyRules, LiquidityRules
from fuseboard.vocabulary.liquidity_effects import RecordExit
from fuseboard.vocabulary.money import NANOS
from tests.core.test_laws import totals_are_exact
from tests.core.world import POLICY, run

MEASURED = replace(
    POLICY,
    liquidity=LiquidityRules(
        enabled=True,
        calibrated=False,
        exit_within_ns=20 * NANOS,
        emergency=EmergencyRules(exit_wait_ns=5 * NANOS),
    ),
)


@pytest.mark.no_cover
def test_seeded_runs_keep_every_law_while_liquidations_go_in_parts() -> None:
    parts, wholes = 0, 0
    for seed in range(24):
        world = run(seed, 250, MEASURED)
        totals_are_exact(world)
        exits = [
            effect
            for record in world.log
            for effect in record.effects
            if isinstance(effect, RecordExit)
        ]
        parts += sum(taken.quantity_nanos < taken.open_nanos for taken in exits)
        wholes += sum(bool(taken.uncapped) for taken in exits)
    assert parts > 30
    assert wholes > 5
