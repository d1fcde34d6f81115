"""A real gateway on a state whose journal saw a clock that was ahead: where its time stands."""

from fuseboard.control.state_directory import StateDirectory
from tests.app.lived import live
from tests.e2e.processes import World, until

AHEAD = "stands at 2100-01-"


def test_a_start_and_the_status_say_that_the_states_time_is_ahead_of_the_machines(
    here: World,
) -> None:
    here.init("name: ahead\n")
    live(StateDirectory(here.state), wall_ns=4_102_444_800 * 10**9)
    exchange = here.exchange(tape="normal", speed=5)
    gateway = here.gateway(exchange.url)
    gateway.wait_for(lambda now: AHEAD in now["about"].get("time", ""), "the status says so")
    told = f"clocks_disagree account: this state's time {AHEAD}"
    until(lambda: told in gateway.output(), "the start says so")
    assert gateway.stop() == 0
