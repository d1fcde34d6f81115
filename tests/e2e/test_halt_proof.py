"""A halt outruns orders, at the broker: real processes, a slow way to the exchange, a load.

`bench/halt.py` does the same a hundred times, under a heavier load, and prints the figures.
"""

import random

from tests.e2e.halt_proof import Ground, halted_once, judged
from tests.e2e.processes import World

DOORS = ("socket", "control API", "file", "register")


def test_nothing_starts_after_a_halt_is_accepted_and_nothing_arrives_after_it_is_settled(
    here: World,
) -> None:
    ground = Ground(here, delay_ms=50, rate=250)
    dice = random.Random(5)
    halts = [halted_once(ground, door, dice, flow_s=0.4, quiet_s=0.2) for door in DOORS]
    for verdict in judged(ground, halts):
        assert verdict.in_flight > 0, f"nothing was on its way: {verdict}"
        assert verdict.started_late == [], verdict
        assert verdict.arrived_late == [], verdict
    ground.load.kill()
    assert ground.gateway.stop() == 0
    here.evidence_is_clean()
