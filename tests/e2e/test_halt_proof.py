"""A halt outruns orders, at the broker: real processes, a slow way to the exchange, a load.

`bench/halt.py` does the same a hundred times, under a heavier load, and prints the figures.
"""

import random

from tests.e2e.halt_proof import Ground, Verdict, halted_once, judged
from tests.e2e.processes import World

DOORS = ("socket", "control API", "file", "register")
HALTS_MAX = 20
"""On a busy machine the load may stand still just then: a halt of nothing proves nothing."""


def test_nothing_starts_after_a_halt_is_accepted_and_nothing_arrives_after_it_is_settled(
    here: World,
) -> None:
    ground = Ground(here, delay_ms=50, rate=250)
    dice = random.Random(5)
    verdicts: list[Verdict] = []
    for door in DOORS:
        seen: list[Verdict] = []
        while not any(verdict.in_flight > 0 for verdict in seen):
            assert len(seen) < HALTS_MAX, f"nothing was ever on its way: {seen}"
            halt = halted_once(ground, door, dice, flow_s=0.4, quiet_s=0.2)
            seen += judged(ground, [halt])
        verdicts += seen
    for verdict in verdicts:
        assert verdict.started_late == [], verdict
        assert verdict.arrived_late == [], verdict
    ground.load.kill()
    assert ground.gateway.stop() == 0
    here.evidence_is_clean()
